#include "fixture.h"
#include "nfs_sandbox.h"

#include "kinds/cluster.h"
#include "sys/clock.h"
#include "sys/proc.h"

#include <stdlib.h>
#include <sys/wait.h>

#define NODES \
	"version: 1\ncluster: c\nnodes:\n  a: { address: 127.0.0.1, role: manager }\n  b: { address: 10.0.0.2 }\n" \
	"  d: { address: 10.0.0.3 }\n"
#define SPEC \
	NODES "nfs:\n  n:\n    server: a\n    path: /srv/n\n    export: { options: [ro] }\n" \
	      "    mount: { path: /srv/n, nodes: [b, d], options: [ro] }\n"
#define OWN "/etc/exports.d/reconcile-c.exports"
#define RO "no_subtree_check,ro,root_squash,secure,sync,wdelay"
#define RW "no_root_squash,no_subtree_check,rw,secure,sync,wdelay"
#define ETAB(client, options) \
	"/srv/n\\t" client "(" options \
	",sync,wdelay,hide,nocrossmnt,secure,root_squash,no_all_squash,no_subtree_check,secure_locks," \
	"acl,no_pnfs,anonuid=65534,anongid=65534,sec=sys," options ",root_squash,no_all_squash)\\n"
#define BOTH ETAB("10.0.0.2", "ro") ETAB("10.0.0.3", "ro")
#define OURS "# export/n\\n/srv/n 10.0.0.2(" RO ")\\n/srv/n 10.0.0.3(" RO ")\\n"
#define HOST(etab, files) \
	"{'host/a': {'exports': {'tool': true, 'active': '', 'etab': '" etab "', 'files': {" files "}}}}"
#define FILE(name, text) "'" name "': '" text "'"

static void desired(void **state)
{
	(void)state;
	struct fixture f = fixture_open(&kind_export, SPEC, HOST("", ""));
	const struct resource *want = resource_find_key(f.want, "export/n");
	assert_string_equal(body_text(f.want, "export/n"),
			    "{'clients':{'10.0.0.2':'" RO "','10.0.0.3':'" RO "'},'path':'/srv/n'}");
	assert_int_equal(want->refs.n, 1);
	assert_string_equal(want->refs.v[0].target, "directory/n");
	assert_null(want->blocked);
	assert_int_equal(resource_mark_of(want, "clients[10.0.0.3]").line, 12);
	assert_int_equal(resource_find_key(f.live, "export/n")->presence, ABSENT);
	fixture_close(&f);
}

static void named_clients(void **state)
{
	(void)state;
	struct fixture f = fixture_open(&kind_export,
					NODES "nfs:\n  n:\n    server: a\n    path: /srv/n/\n    export:\n"
					      "      options: [rw, no_root_squash]\n"
					      "      clients: [b, 10.1.0.9/16, Host.Lan]\n",
					HOST("", ""));
	assert_string_equal(body_text(f.want, "export/n"), "{'clients':{'10.0.0.2':'" RW "','10.1.0.0/16':'" RW
							   "','host.lan':'" RW "'},'path':'/srv/n'}");
	fixture_close(&f);
}

static void live_is(const char *snap, const char *clients)
{
	struct fixture f = fixture_open(&kind_export, SPEC, snap);
	_cleanup_free_ char *body = xasprintf("{'clients':{%s},'path':'/srv/n'}", clients);
	assert_string_equal(body_text(f.live, "export/n"), body);
	assert_false(in_sync(&f, "export/n"));
	fixture_close(&f);
}

static void nothing_to_do(void **state)
{
	(void)state;
	static const char *const snaps[] = {
		HOST(BOTH, FILE(OWN, OURS)),
		/* other order, other spelling, other paths of other tools */
		HOST(ETAB("10.0.0.3", "ro") "/b\\t*(rw)\\n" ETAB("10.0.0.2", "ro"),
		     FILE(OWN, "/srv//n/ 10.0.0.3(sync) 10.0.0.2(ro)\\n") "," FILE("/etc/exports", "/b (rw)\\n")),
		/* without etab: exportfs -s, which leaves options out */
		"{'host/a': {'exports': {'tool': true, 'active': '/srv/n  10.0.0.2(sync,wdelay,hide,no_subtree_check,"
		"sec=sys,ro,root_squash,no_all_squash)\\n/srv/n  10.0.0.3(ro)', 'files': {'" OWN "': '" OURS "'}}}}",
	};
	for (size_t i = 0; i < ARRAY_SIZE(snaps); i++) {
		struct fixture f = fixture_open(&kind_export, SPEC, snaps[i]);
		if (!in_sync(&f, "export/n"))
			fail_msg("%zu: %s", i, body_text(f.live, "export/n"));
		fixture_close(&f);
	}
}

static void differences_are_named(void **state)
{
	(void)state;
	live_is(HOST("", FILE(OWN, OURS)), "'10.0.0.2':'" RO " (not active)','10.0.0.3':'" RO " (not active)'");
	live_is(HOST(BOTH, ""), "'10.0.0.2':'" RO " (not in a file)','10.0.0.3':'" RO " (not in a file)'");
	live_is(HOST(ETAB("10.0.0.2", "rw") ETAB("10.0.0.3", "ro"), FILE(OWN, OURS)),
		"'10.0.0.2':'no_subtree_check,root_squash,rw,secure,sync,wdelay (the file says " RO ")','10.0.0.3':'" RO
		"'");
	/* by hand: equal, doubled, and wider than it should be (the seed notes' line) */
	live_is(HOST(BOTH, FILE("/etc/exports", "\\n/srv/n 10.0.0.2(ro) 10.0.0.3(ro)\\n")),
		"'10.0.0.2':'" RO " (by /etc/exports:2)','10.0.0.3':'" RO " (by /etc/exports:2)'");
	live_is(HOST(BOTH, FILE(OWN, OURS) "," FILE("/etc/exports.d/x.exports", "/srv/n 10.0.0.3(ro)\\n")),
		"'10.0.0.2':'" RO "','10.0.0.3':'" RO " (also by /etc/exports.d/x.exports:1)'");
	live_is(HOST(ETAB("10.0.0.0/24", "rw"),
		     FILE("/etc/exports", "/srv/n 10.0.0.0/24(rw)\\n/srv/n 10.0.0.0/255.255.255.0(ro)\\n")),
		"'10.0.0.0/24':'no_subtree_check,root_squash,rw,secure,sync,wdelay (by /etc/exports:1, "
		"/etc/exports:2)'");
	live_is(HOST("", FILE("/etc/exports", "/srv/n 10.0.0.2 (rw)\\n")),
		"'*':'not active (in /etc/exports:1)','10.0.0.2':'not active (in /etc/exports:1)'");
}

/* exportfs shows the resolver's name for a host, and where a linked path leads to. */
static void what_exportfs_writes_out(void **state)
{
	(void)state;
	static const char spec[] = NODES "nfs:\n  n:\n    server: a\n    path: /srv/n\n    export:\n"
					 "      clients: [wsasus, alias]\n";
	static const char file[] = FILE(OWN, "# export/n\\n/srv/n alias(" RO ")\\n/srv/n wsasus(" RO ")\\n");
	_cleanup_free_ char *snap = xasprintf(
		"{'host/a': {'dirs': {'/srv/n': {'type': 'directory', 'real': '/data/n'}}, 'exports': {'tool': "
		"true, 'etab': '/data/n\\tWSASUS.lan(ro)\\n/data/n\\treal.lan(ro)\\n', 'files': {%s}}}}",
		file);
	struct fixture f = fixture_open(&kind_export, spec, snap);
	if (!in_sync(&f, "export/n"))
		fail_msg("%s", body_text(f.live, "export/n"));
	fixture_close(&f);
}

static void blocked(const char *yaml, const char *snap, const char *name, const char *why)
{
	struct fixture f = fixture_open(&kind_export, yaml, snap);
	const struct resource *want = resource_find(f.want, "export", name);
	assert_non_null(want->blocked);
	if (!strstr(want->blocked, why))
		fail_msg("%s", want->blocked);
	fixture_close(&f);
}

static void what_cannot_be(void **state)
{
	(void)state;
	blocked(SPEC, "{'host/a': {'exports': {'tool': false, 'active': '', 'files': {}}}}", "n",
		"nfs-kernel-server is not installed on node 'a'");
	blocked(SPEC "  o:\n    server: a\n    path: /srv/n/\n    export: {}\n"
		     "    mount: { path: /srv/o, nodes: [b], options: [ro] }\n",
		HOST("", ""), "o", "exports /srv/n as export/n already");
}

static void unknown(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"{'host/a': {'unknown': 'node a is not this machine'}}", "node a is not this machine"},
		{"{'host/a': {'exports': {'error': '/etc/exports: not UTF-8'}}}",
		 "what is exported is unknown: /etc/exports: not UTF-8"},
		{"{'host/a': {}}", "the probe did not look at exports"},
		{"{}", "it was not looked at"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f = fixture_open(&kind_export, SPEC, cases[i][0]);
		const struct resource *live = resource_find_key(f.live, "export/n");
		assert_int_equal(live->presence, UNKNOWN);
		assert_string_equal(live->blocked, cases[i][1]);
		fixture_close(&f);
	}
}

static void extras_are_pruned(void **state)
{
	(void)state;
	struct fixture f = fixture_open(
		&kind_export, SPEC,
		HOST(BOTH, FILE(OWN, OURS "/old/place 10.0.0.9(ro)\\n# export/gone\\n/gone h(ro)\\n/gone i(ro)\\n")));
	const struct resource *r = resource_find_key(f.live, "export/gone");
	assert_true(r->owned);
	assert_string_equal(body_text(f.live, "export/gone"), "{'clients':{'h':'" RO "','i':'" RO "'},'path':'/gone'}");
	assert_non_null(resource_find(f.live, "export", "a:/old/place")); /* its name is used by another path now */
	assert_true(in_sync(&f, "export/n"));
	assert_int_equal(resource_count(f.live), 3);
	fixture_close(&f);
}

/* From here on: the real exportfs, in a copy of /etc. */

static bool sandboxed;

static int enter_sandbox(void **state)
{
	(void)state;
	sandboxed = nfs_sandbox() && mkdir("/var/lib/nfs/backup", 0700) == 0;
	return 0;
}

/* The caller returns: cmocka 1.1.5 prints "not ok" for skip(), which is a failure for prove. */
static bool skipped(const char *test)
{
	if (!sandboxed)
		print_message("# SKIP %s: " NFS_SANDBOX_SKIP "\n", test);
	return !sandboxed;
}

static void put(const char *path, const char *text)
{
	struct err err = {0};
	if (file_write_atomic(path, text, strlen(text), 0644, &err) < 0)
		fail_msg("%s", err.msg);
}

static const char *content(const char *path)
{
	static struct str text[4];
	static unsigned i;
	struct err err = {0};
	struct str *s = &text[i++ % 4];
	str_reset(s);
	return file_read(path, 1 << 20, s, &err) < 0 ? "" : str_cstr(s);
}

struct lab {
	struct host *host;
	struct cluster cluster;
	struct spec *spec;
	struct str mutations;
	int kill_at; /* the process ends before the n-th mutation; 0: never */
	int lost_at; /* the lease is lost before the n-th; 0: never */
	int count;
};

static int on_mutation(void *arg, const char *what, struct err *err)
{
	struct lab *l = arg;
	str_addf(&l->mutations, "%s\n", what);
	if (++l->count == l->kill_at)
		_exit(0);
	if (l->lost_at && l->count >= l->lost_at)
		return err_set(err, ERR_LOCKED, "the lease is lost");
	return 0;
}

static void lab_open(struct lab *l, const char *yaml)
{
	struct err err = {0};
	*l = (struct lab){.spec = fixture_spec(yaml)};
	assert_int_equal(host_open(&(struct host_options){.node = "a", .address = "127.0.0.1"}, &l->host, &err), 0);
	host_set_hooks(l->host, (struct mutation_hooks){.before = on_mutation, .arg = l});
	l->cluster =
		(struct cluster){.name = "c", .hosts = &l->host, .n_hosts = 1, .backup_dir = "/var/lib/nfs/backup"};
}

static void lab_close(struct lab *l)
{
	host_close(l->host);
	spec_free(l->spec);
	str_free(&l->mutations);
}

/* One pass: probe, decode, observe. */
static struct fixture lab_look(struct lab *l)
{
	struct fixture f = {.snap = snapshot_new(), .want = resource_set_new(), .live = resource_set_new()};
	struct decode d = {.spec = l->spec, .snap = f.snap, .out = f.want};
	struct observe o = {.cluster = "c", .snap = f.snap, .want = f.want, .out = f.live};
	struct wants *w = wants_new();
	struct err err = {0};
	json_t *probe;

	kind_export.needs(l->spec, w);
	wants_finish(w);
	assert_string_equal(w->hosts.v[0].node, "a");
	const struct probe_request q = {
		.dirs = w->hosts.v[0].dirs.v, .files = w->hosts.v[0].files.v, .exports = w->hosts.v[0].exports};
	if (host_probe(l->host, &q, clock_ms() + 10000, &probe, &err) < 0)
		fail_msg("%s", err.msg);
	snapshot_put(f.snap, "host/a", probe);
	wants_free(w);
	assert_int_equal(kind_export.decode(&d, &err), 0);
	assert_int_equal(kind_export.observe(&o, &err), 0);
	return f;
}

static int lab_apply(struct lab *l, const struct fixture *f, const char *key, struct err *err)
{
	struct apply a = {.cluster = &l->cluster, .snap = f->snap, .want = f->want, .deadline = clock_ms() + 20000};
	const struct change c = {.kind = &kind_export,
				 .desired = resource_find_key(f->want, key),
				 .live = resource_find_key(f->live, key)};
	return kind_export.apply(&a, &c, err);
}

/* As somebody else would run it: an error of its is not ours. */
static void exportfs(struct lab *l, const char *a, const char *b, const char *c)
{
	const char *const argv[] = {"/usr/sbin/exportfs", a, b, c, NULL};
	struct err err = {0};
	(void)!host_run(l->host, argv, clock_ms() + 9000, NULL, &err);
}

static void converge(struct lab *l, const char *key)
{
	struct err err = {0};
	struct fixture f = lab_look(l);
	if (lab_apply(l, &f, key, &err) < 0)
		fail_msg("%s", err.msg);
	fixture_close(&f);
}

static bool lab_in_sync(struct lab *l, const char *key)
{
	struct fixture f = lab_look(l);
	bool same = in_sync(&f, key);
	fixture_close(&f);
	return same;
}

#define REAL(path) \
	NODES "nfs:\n  n:\n    server: a\n    path: " path "\n    export: { options: [ro] }\n" \
	      "    mount: { path: /srv/n, nodes: [b, d], options: [ro] }\n"

static void takes_over_the_notes_line(void **state)
{
	(void)state;
	static const char notes[] = "# by hand\n/var/lib/nfs 10.0.0.0/24(rw,sync,no_subtree_check,no_root_squash)\n"
				    "/var/lib/nfs 10.0.0.0/24(rw,sync,no_subtree_check,no_root_squash)\n"
				    "/usr *(ro,no_subtree_check)\n";
	struct lab l;

	if (skipped("takes_over_the_notes_line"))
		return;
	put("/etc/exports", notes);
	lab_open(&l, REAL("/var/lib/nfs"));
	assert_false(lab_in_sync(&l, "export/n"));
	assert_string_equal(str_cstr(&l.mutations), ""); /* looking changes nothing */
	converge(&l, "export/n");
	assert_string_equal(content(OWN),
			    "# Written by reconcile for the cluster 'c'. It undoes what is changed here by hand.\n"
			    "# export/n\n/var/lib/nfs 10.0.0.2(" RO ")\n/var/lib/nfs 10.0.0.3(" RO ")\n");
	assert_string_equal(
		content("/etc/exports"),
		"# by hand\n# taken over by reconcile: /var/lib/nfs "
		"10.0.0.0/24(rw,sync,no_subtree_check,no_root_squash)\n"
		"# taken over by reconcile: /var/lib/nfs 10.0.0.0/24(rw,sync,no_subtree_check,no_root_squash)\n"
		"/usr *(ro,no_subtree_check)\n");
	assert_non_null(strstr(content("/var/lib/nfs/etab"), "/usr\t*(ro"));
	assert_null(strstr(content("/var/lib/nfs/etab"), "10.0.0.0/24"));
	assert_true(lab_in_sync(&l, "export/n"));
	/* our file before theirs, exportfs last */
	static const char files[] =
		"make directory /etc/exports.d on a\nwrite " OWN " on a\nwrite /etc/exports on a\nrun sh -c ";
	assert_true(str_starts(str_cstr(&l.mutations), files));
	assert_true(str_ends(str_cstr(&l.mutations), "exportfs -ra on a\n"));
	assert_null(strstr(str_cstr(&l.mutations) + strlen(files), "\nwrite "));
	struct proc_result r = {0};
	struct err err = {0};
	struct proc_options o = {
		.argv = (const char *const[]){"sh", "-c", "cat /var/lib/nfs/backup/a_etc_exports.*", NULL},
		.deadline = clock_ms() + 5000};
	assert_int_equal(proc_run_checked(&o, &r, &err), 0);
	assert_string_equal(str_cstr(&r.out), notes);
	proc_result_free(&r);
	lab_close(&l);
}

/* Killed before any of its steps: the path stays exported to somebody, and the next run makes it as wanted. */
static void killed_anywhere(void **state)
{
	(void)state;
	struct lab l;
	struct err err = {0};

	if (skipped("killed_anywhere"))
		return;
	for (int at = 1; at <= 4; at++) {
		assert_true(unlink(OWN) == 0);
		put("/etc/exports", "/var/lib/nfs 10.0.0.2(ro,no_subtree_check)\n");
		lab_open(&l, REAL("/var/lib/nfs"));
		exportfs(&l, "-ra", NULL, NULL);
		pid_t pid = fork();
		assert_true(pid >= 0);
		if (pid == 0) {
			struct fixture f = lab_look(&l);
			l.count = 0;
			l.kill_at = at;
			_exit(lab_apply(&l, &f, "export/n", &err) < 0 ? 1 : 2);
		}
		int status;
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_true(WIFEXITED(status));
		assert_int_equal(WEXITSTATUS(status), 0);
		assert_non_null(strstr(content("/var/lib/nfs/etab"), "/var/lib/nfs\t10.0.0.2"));
		exportfs(&l, "-ra", NULL, NULL); /* a reboot in that state */
		assert_non_null(strstr(content("/var/lib/nfs/etab"), "/var/lib/nfs\t10.0.0.2"));
		converge(&l, "export/n");
		assert_true(lab_in_sync(&l, "export/n"));
		assert_non_null(strstr(content("/etc/exports"), "# taken over"));
		lab_close(&l);
	}
}

/* Without the lease nothing is written any more, not even to put something back; somebody else goes on from here. */
static void lease_lost_anywhere(void **state)
{
	(void)state;
	struct lab l;
	struct err err = {0};

	if (skipped("lease_lost_anywhere"))
		return;
	for (int at = 1; at <= 4; at++) {
		assert_true(unlink(OWN) == 0);
		put("/etc/exports", "/var/lib/nfs 10.0.0.2(ro,no_subtree_check)\n");
		lab_open(&l, REAL("/var/lib/nfs"));
		exportfs(&l, "-ra", NULL, NULL);
		struct fixture f = lab_look(&l);
		l.count = 0;
		l.lost_at = at;
		assert_int_equal(lab_apply(&l, &f, "export/n", &err), -1);
		assert_int_equal(err.code, ERR_LOCKED);
		assert_int_equal(l.count, at);
		assert_non_null(strstr(content("/var/lib/nfs/etab"), "/var/lib/nfs\t10.0.0.2"));
		fixture_close(&f);
		l.lost_at = 0;
		converge(&l, "export/n");
		assert_true(lab_in_sync(&l, "export/n"));
		lab_close(&l);
	}
}

static void drift_is_repaired(void **state)
{
	(void)state;
	struct lab l;

	if (skipped("drift_is_repaired"))
		return;
	put("/etc/exports", "");
	put(OWN, "");
	lab_open(&l, REAL("/var/lib/nfs"));
	converge(&l, "export/n");
	assert_true(lab_in_sync(&l, "export/n"));
	exportfs(&l, "-u", "10.0.0.3:/var/lib/nfs", NULL);
	assert_false(lab_in_sync(&l, "export/n"));
	converge(&l, "export/n");
	assert_true(lab_in_sync(&l, "export/n"));
	exportfs(&l, "-o", "rw", "10.0.0.9:/var/lib/nfs");
	assert_false(lab_in_sync(&l, "export/n"));
	converge(&l, "export/n");
	assert_true(lab_in_sync(&l, "export/n"));
	lab_close(&l);
}

static void another_line_is_broken(void **state)
{
	(void)state;
	struct lab l;

	if (skipped("another_line_is_broken"))
		return;
	put("/etc/exports", "/no/such/place *(ro,no_subtree_check)\n/usr *(ro,nonsense)\n");
	put(OWN, "");
	lab_open(&l, REAL("/var/lib/nfs"));
	converge(&l, "export/n");
	assert_true(lab_in_sync(&l, "export/n"));
	lab_close(&l);
}

static void a_failure_leaves_the_files_as_they_were(void **state)
{
	(void)state;
	struct lab l;
	struct err err = {0};

	if (skipped("a_failure_leaves_the_files_as_they_were"))
		return;
	put("/etc/exports", "/no/such/place 10.0.0.2(ro,no_subtree_check)\n");
	put(OWN, "# export/o\n/usr h(ro)\n");
	lab_open(&l, REAL("/no/such/place"));
	struct fixture f = lab_look(&l);
	assert_int_equal(lab_apply(&l, &f, "export/n", &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	if (!strstr(err.msg, "/no/such/place") || !strstr(err.msg, "No such file") ||
	    !strstr(err.msg, "files are as before"))
		fail_msg("%s", err.msg);
	fixture_close(&f);
	assert_string_equal(content("/etc/exports"), "/no/such/place 10.0.0.2(ro,no_subtree_check)\n");
	assert_string_equal(content(OWN), "# export/o\n/usr h(ro)\n");
	lab_close(&l);
}

static void unknown_host_name(void **state)
{
	(void)state;
	struct lab l;
	struct err err = {0};

	if (skipped("unknown_host_name"))
		return;
	put("/etc/exports", "");
	put(OWN, "");
	lab_open(&l, NODES
		 "nfs:\n  n:\n    server: a\n    path: /var/lib/nfs\n    export: { clients: [b, no-such.invalid] }\n");
	struct fixture f = lab_look(&l);
	assert_int_equal(lab_apply(&l, &f, "export/n", &err), -1);
	if (!strstr(err.msg, "Failed to resolve no-such.invalid"))
		fail_msg("%s", err.msg);
	fixture_close(&f);
	assert_string_equal(content(OWN), "");
	lab_close(&l);
}

static void pruned(void **state)
{
	(void)state;
	struct lab l;

	if (skipped("pruned"))
		return;
	put("/etc/exports", "");
	put(OWN, "# export/gone\n/usr 10.0.0.9(ro,no_subtree_check)\n");
	lab_open(&l, REAL("/var/lib/nfs"));
	converge(&l, "export/n");
	assert_non_null(strstr(content("/var/lib/nfs/etab"), "/usr\t10.0.0.9")); /* not before its own change */
	converge(&l, "export/gone");
	assert_null(strstr(content("/var/lib/nfs/etab"), "/usr"));
	assert_null(strstr(content(OWN), "gone"));
	assert_true(lab_in_sync(&l, "export/n"));
	struct fixture f = lab_look(&l);
	assert_null(resource_find_key(f.live, "export/gone"));
	fixture_close(&f);
	lab_close(&l);
}

static void hostile_paths(void **state)
{
	(void)state;
	static const char dir[] = "/var/lib/nfs/it's \"$(touch pwned)`id`\" #\\x";
	struct lab l;

	if (skipped("hostile_paths"))
		return;
	assert_int_equal(chdir("/var/lib/nfs"), 0);
	assert_int_equal(mkdir(dir, 0755), 0);
	put("/etc/exports", "");
	put(OWN, "");
	lab_open(&l, REAL("'/var/lib/nfs/it''s \"$$(touch pwned)`id`\" #\\x'"));
	converge(&l, "export/n");
	assert_true(lab_in_sync(&l, "export/n"));
	assert_int_equal(access("pwned", F_OK), -1);
	lab_close(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(desired),
		cmocka_unit_test(named_clients),
		cmocka_unit_test(nothing_to_do),
		cmocka_unit_test(differences_are_named),
		cmocka_unit_test(what_exportfs_writes_out),
		cmocka_unit_test(what_cannot_be),
		cmocka_unit_test(unknown),
		cmocka_unit_test(extras_are_pruned),
		cmocka_unit_test(takes_over_the_notes_line),
		cmocka_unit_test(killed_anywhere),
		cmocka_unit_test(lease_lost_anywhere),
		cmocka_unit_test(drift_is_repaired),
		cmocka_unit_test(another_line_is_broken),
		cmocka_unit_test(a_failure_leaves_the_files_as_they_were),
		cmocka_unit_test(unknown_host_name),
		cmocka_unit_test(pruned),
		cmocka_unit_test(hostile_paths),
	};
	return cmocka_run_group_tests(tests, enter_sandbox, NULL);
}
