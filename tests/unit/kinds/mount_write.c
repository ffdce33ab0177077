/*
 * The order in which a mount is changed, whatever it was before and wherever the run is killed. systemd and NFS are
 * a stand-in (tests/lab/standins/systemd-mounts), the unit files and fstab are real, in a copy of /etc.
 */
#include "swarmtest.h"

#include "kinds/cluster.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/proc.h"

#include <sched.h>
#include <stdlib.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#define SPEC \
	"nodes:\n  a: { address: 127.0.0.1 }\n  s: { address: 10.9.0.1, role: manager }\n" \
	"nfs:\n  d:\n    server: s\n    path: /srv/d\n    export: {}\n" \
	"    mount: { path: /mnt/d, nodes: [a], options: [ro, hard, nfsvers=4.2] }\n"
#define WITHOUT "nodes:\n  a: { address: 127.0.0.1 }\n  s: { address: 10.9.0.1, role: manager }\n"
#define KEY "mount/d@a"
#define UNITS "/etc/systemd/system/"
#define MOUNTED(flag, options) \
	"90 28 0:57 / /mnt/d " flag ",relatime - nfs4 10.9.0.1:/srv/d " flag "," options ",addr=10.9.0.1\n"
#define NOTES \
	"UUID=1 / ext4 defaults 0 1\n10.9.0.1:/srv/d /mnt/d nfs defaults 0 0\n" \
	"10.9.0.1:/srv/d /mnt/d nfs defaults 0 0\nproc /proc proc defaults 0 0\n"
#define TAKEN_OVER \
	"UUID=1 / ext4 defaults 0 1\n# taken over by reconcile: 10.9.0.1:/srv/d /mnt/d nfs defaults 0 0\n" \
	"# taken over by reconcile: 10.9.0.1:/srv/d /mnt/d nfs defaults 0 0\nproc /proc proc defaults 0 0\n"

static const struct kind *const kinds[] = {&kind_mount, NULL};
static char dir[64]; /* of the stand-in, and of the copy of /etc; empty: it cannot be had here */

static void put(const char *path, const char *text)
{
	struct err err = {0};
	if (file_write_atomic(path, text, strlen(text), 0644, &err) < 0)
		fail_msg("%s", err.msg);
}

static const char *in_dir(const char *name)
{
	static char paths[4][128];
	static unsigned i;
	char *path = paths[i++ % 4];
	snprintf(path, sizeof(paths[0]), "%s/%s", dir, name);
	return path;
}

static bool is_there(const char *path)
{
	return access(path, F_OK) == 0;
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

static bool make_sandbox(void)
{
	static const char *const names[] = {"systemctl", "umount", "journalctl", "perl"};
	char standin[1024], options[300], path[1200];

	if (!getcwd(standin, sizeof(standin) - 64) || geteuid() != 0 || unshare(CLONE_NEWNS) < 0 ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
		return false;
	strcat(standin, "/tests/lab/standins/systemd-mounts");
	snprintf(options, sizeof(options), "lowerdir=/etc,upperdir=%s/upper,workdir=%s/work", dir, dir);
	if (mount("tmpfs", dir, "tmpfs", 0, "size=8m") < 0 || mkdir(in_dir("upper"), 0755) < 0 ||
	    mkdir(in_dir("work"), 0755) < 0 || mkdir(in_dir("bin"), 0755) < 0 || mkdir(in_dir("backup"), 0700) < 0 ||
	    mount("overlay", "/etc", "overlay", 0, options) < 0)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		snprintf(path, sizeof(path), "%s/bin/%s", dir, names[i]);
		if (symlink(standin, path) < 0)
			return false;
	}
	snprintf(path, sizeof(path), "%s/bin:%s", dir, getenv("PATH"));
	return setenv("PATH", path, 1) == 0 && setenv("MOUNT_STANDIN", dir, 1) == 0;
}

static int enter_sandbox(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/reconcile-mounts.XXXXXX");
	if (!mkdtemp(dir))
		return -1;
	if (!make_sandbox()) {
		rmdir(dir);
		dir[0] = '\0';
	}
	return 0;
}

static int leave_sandbox(void **state)
{
	(void)state;
	if (!dir[0])
		return 0;
	umount2("/etc", MNT_DETACH);
	umount2(dir, MNT_DETACH);
	return rmdir(dir);
}

/* The caller returns: cmocka 1.1.5 prints "not ok" for skip(), which is a failure for prove. */
static bool skipped(const char *test)
{
	if (!dir[0])
		print_message("# SKIP %s: needs root, mount namespaces and overlayfs\n", test);
	return !dir[0];
}

/* As before any test: nothing mounted, no units. */
static void reset(const char *fstab)
{
	static const char *const files[] = {"mounted", "autofs", "enabled", "busy", "refused", "at", "log"};

	for (size_t i = 0; i < ARRAY_SIZE(files); i++)
		unlink(in_dir(files[i]));
	unlink(UNITS "mnt-d.mount");
	unlink(UNITS "mnt-d.automount");
	unlink(in_dir("loaded/mnt-d.mount"));
	unlink(in_dir("loaded/mnt-d.automount"));
	put("/etc/fstab", fstab);
}

struct lab {
	struct fixture f;
	struct host *host;
	struct cluster cluster;
	int kill_at, count;
	bool stays; /* it is mounted at every moment */
};

static int on_mutation(void *arg, const char *what, struct err *err)
{
	struct lab *l = arg;

	(void)err;
	if (l->stays && !is_there(in_dir("mounted")))
		fail_msg("it is not mounted before: %s", what);
	if (++l->count == l->kill_at)
		_exit(0);
	return 0;
}

/* One pass: probe, decode, observe. */
static void lab_open(struct lab *l, const char *yaml)
{
	struct err err = {0};
	struct wants *w = wants_new();
	json_t *probe;

	*l = (struct lab){0};
	fixture_load(&l->f, yaml, "{}");
	if (host_open(&(struct host_options){.node = "a", .address = "127.0.0.1"}, &l->host, &err) < 0)
		fail_msg("%s", err.msg);
	host_set_hooks(l->host, (struct mutation_hooks){.before = on_mutation, .arg = l});
	l->cluster = (struct cluster){
		.name = "c", .hosts = &l->host, .n_hosts = 1, .backup_dir = arena_strdup(l->f.arena, in_dir("backup"))};
	kind_mount.needs(l->f.spec, w);
	wants_finish(w);
	const struct probe_request q = {.files = w->hosts.v[0].files.v, .looks = w->hosts.v[0].looks.v};
	if (host_probe(l->host, &q, clock_ms() + 20000, &probe, &err) < 0)
		fail_msg("%s", err.msg);
	snapshot_put(l->f.snap, "host/a", probe);
	wants_free(w);
	resource_add(l->f.want, "node", "a");
	fixture_run(&l->f, kinds);
}

static void lab_close(struct lab *l)
{
	host_close(l->host);
	fixture_free(&l->f);
}

static int lab_apply(struct lab *l, struct err *err)
{
	struct apply a = {.cluster = &l->cluster, .snap = l->f.snap, .want = l->f.want, .deadline = clock_ms() + 60000};
	const struct change c = {.kind = &kind_mount,
				 .desired = resource_find_key(l->f.want, KEY),
				 .live = resource_find_key(l->f.live, KEY)};
	return kind_mount.apply(&a, &c, err);
}

static void converge(const char *yaml)
{
	struct err err = {0};
	struct lab l;

	lab_open(&l, yaml);
	if (lab_apply(&l, &err) < 0)
		fail_msg("%s", err.msg);
	lab_close(&l);
}

static void fails(enum err_code code, const char *why)
{
	struct err err = {0};
	struct lab l;

	lab_open(&l, SPEC);
	assert_int_equal(lab_apply(&l, &err), -1);
	expect_text(err.msg, why);
	assert_int_equal(err.code, code);
	lab_close(&l);
}

static void expect_converged(void)
{
	struct lab l;

	lab_open(&l, SPEC);
	assert_null(want_of(&l.f, KEY)->blocked);
	expect_in_sync(&l.f, KEY);
	assert_int_equal(l.count, 0); /* looking changes nothing */
	lab_close(&l);
}

/* The calls that change something, one a line. */
static const char *calls(void)
{
	static struct str out;
	const char *log = content(in_dir("log"));

	str_reset(&out);
	for (; *log; log += strcspn(log, "\n"), log += *log == '\n')
		if (!str_starts(log, "systemctl reset-failed") && !str_starts(log, "journalctl"))
			str_addf(&out, "%.*s\n", (int)strcspn(log, "\n"), log);
	return str_cstr(&out);
}

/* With `defaults`, twice in fstab and mounted rw: as the seed notes leave it. */
static void takes_over_the_notes_lines(void **state)
{
	(void)state;
	struct err err = {0};
	struct lab l;

	if (skipped("takes_over_the_notes_lines"))
		return;
	reset(NOTES);
	put(in_dir("mounted"), MOUNTED("rw", "vers=4.2,hard"));
	lab_open(&l, SPEC);
	l.stays = true;
	if (lab_apply(&l, &err) < 0)
		fail_msg("%s", err.msg);
	lab_close(&l);
	assert_string_equal(content("/etc/fstab"), TAKEN_OVER);
	assert_string_equal(calls(), "systemctl daemon-reload\nsystemctl daemon-reload\n"
				     "systemctl enable --quiet -- mnt-d.mount mnt-d.automount\n"
				     "systemctl reload -- mnt-d.mount\n");
	expect_text(content(UNITS "mnt-d.mount"), "\nOptions=hard,ro,vers=4.2,nofail\n");
	expect_converged();
	const struct proc_options o = {
		.argv = (const char *const[]){"sh", "-c", "cat \"$MOUNT_STANDIN\"/backup/a_etc_fstab.*", NULL},
		.deadline = clock_ms() + 9000,
		.max_output = 4096};
	_cleanup_proc_result_ struct proc_result r = {0};
	assert_int_equal(proc_run_checked(&o, &r, &err), 0);
	assert_string_equal(str_cstr(&r.out), NOTES);
}

static void from_nothing(void **state)
{
	(void)state;
	if (skipped("from_nothing"))
		return;
	reset("");
	converge(SPEC);
	assert_string_equal(calls(), "systemctl daemon-reload\n"
				     "systemctl enable --quiet -- mnt-d.mount mnt-d.automount\n"
				     "systemctl start -- mnt-d.automount\nsystemctl start -- mnt-d.mount\n");
	expect_converged();
	/* what was unmounted by hand comes back, and nothing else is done */
	unlink(in_dir("mounted"));
	unlink(in_dir("log"));
	converge(SPEC);
	assert_string_equal(calls(), "systemctl start -- mnt-d.automount\nsystemctl start -- mnt-d.mount\n");
	expect_converged();
}

/* A unit that somebody changed, also when systemd has loaded it so. */
static void by_hand(void **state)
{
	(void)state;
	if (skipped("by_hand"))
		return;
	reset("");
	converge(SPEC);
	put(UNITS "mnt-d.mount", "[Mount]\nWhat=10.9.0.1:/srv/d\nWhere=/mnt/d\nOptions=soft\n");
	unlink(in_dir("log"));
	converge(SPEC);
	assert_string_equal(calls(), "systemctl daemon-reload\n");
	expect_converged();
	put(in_dir("loaded/mnt-d.mount"), "stale");
	converge(SPEC);
	expect_converged();
}

static void needs_a_new_mount(void **state)
{
	(void)state;
	if (skipped("needs_a_new_mount"))
		return;
	reset("");
	converge(SPEC);
	put(in_dir("mounted"), MOUNTED("ro", "vers=4.2,soft"));
	put(in_dir("busy"), "");
	fails(ERR_BLOCKED, "/mnt/d is in use there, and nothing is unmounted under what uses it");
	assert_string_equal(content(in_dir("mounted")), MOUNTED("ro", "vers=4.2,soft"));
	unlink(in_dir("busy"));
	converge(SPEC);
	expect_text(content(in_dir("mounted")), "hard,ro,vers=4.2");
	expect_converged();
}

static void a_stale_mount(void **state)
{
	(void)state;
	if (skipped("a_stale_mount"))
		return;
	reset("");
	converge(SPEC);
	put(in_dir("at"), "failed: stat: cannot read file system information for '/mnt/d': Stale file handle");
	put(in_dir("busy"), "");
	converge(SPEC);
	expect_text(calls(), "umount -l -- /mnt/d\n");
	expect_converged();
}

/* It may have been empty when the plan was made. */
static void not_over_files(void **state)
{
	(void)state;
	struct err err = {0};
	struct lab l;

	if (skipped("not_over_files"))
		return;
	reset("");
	put(in_dir("at"), "empty");
	lab_open(&l, SPEC);
	put(in_dir("at"), "files");
	assert_int_equal(lab_apply(&l, &err), -1);
	assert_int_equal(err.code, ERR_BLOCKED);
	expect_text(err.msg, "is a directory with files of its own there");
	assert_int_equal(l.count, 0);
	lab_close(&l);
}

static void a_server_that_refuses(void **state)
{
	(void)state;
	if (skipped("a_server_that_refuses"))
		return;
	reset("");
	put(in_dir("refused"), "mount.nfs: access denied by server while mounting 10.9.0.1:/srv/d\nx: failed\n");
	fails(ERR_FAILED, "access denied by server while mounting");
	put(in_dir("refused"), "mount.nfs: Connection refused\n");
	fails(ERR_BLOCKED, "mount.nfs: Connection refused");
	unlink(in_dir("refused"));
	converge(SPEC);
	expect_converged();
}

/* In a child; false when it was done before its n-th mutation. */
static bool killed_at(const char *yaml, int n, bool stays)
{
	int status;
	pid_t pid = fork();

	assert_true(pid >= 0);
	if (pid == 0) {
		struct err err = {0};
		struct lab l;
		lab_open(&l, yaml);
		l.kill_at = n;
		l.stays = stays;
		_exit(lab_apply(&l, &err) < 0 ? 1 : 2);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status));
	assert_int_not_equal(WEXITSTATUS(status), 1);
	return WEXITSTATUS(status) == 0;
}

static void killed_anywhere(void **state)
{
	(void)state;
	int n = 1;

	if (skipped("killed_anywhere"))
		return;
	for (bool killed = true; killed; n++) {
		reset(NOTES);
		put(in_dir("mounted"), MOUNTED("rw", "vers=4.2,hard"));
		killed = killed_at(SPEC, n, true);
		converge(SPEC);
		assert_string_equal(content("/etc/fstab"), TAKEN_OVER);
		expect_converged();
	}
	assert_int_equal(n, 9); /* two units, fstab, two reloads, enable, remount; and the one that was not killed */
	n = 1;
	for (bool killed = true; killed; n++) {
		reset("");
		killed = killed_at(SPEC, n, false);
		converge(SPEC);
		expect_converged();
	}
	assert_int_equal(n, 7);
	n = 1;
	/* A change that only the unit shows. */
	for (bool killed = true; killed; n++) {
		reset("");
		converge(SPEC);
		put(UNITS "mnt-d.mount", "[Mount]\n");
		put(in_dir("loaded/mnt-d.mount"), "[Mount]\n");
		killed = killed_at(SPEC, n, true);
		struct lab l;
		lab_open(&l, SPEC);
		bool done = json_same(want_of(&l.f, KEY)->body, live_of(&l.f, KEY)->body);
		lab_close(&l);
		assert_int_equal(done, !killed); /* seen until the last step is done */
		converge(SPEC);
		expect_converged();
		assert_string_equal(content(in_dir("loaded/mnt-d.mount")), content(UNITS "mnt-d.mount"));
	}
	assert_int_equal(n, 4);
}

static void pruned(void **state)
{
	(void)state;
	struct err err = {0};
	struct lab l;

	if (skipped("pruned"))
		return;
	for (int n = 1; n <= 4; n++) {
		reset("");
		converge(SPEC);
		put(in_dir("busy"), "");
		lab_open(&l, WITHOUT);
		assert_int_equal(resource_count(l.f.live), 1);
		assert_int_equal(lab_apply(&l, &err), -1);
		assert_int_equal(err.code, ERR_BLOCKED);
		lab_close(&l);
		assert_true(is_there(in_dir("mounted")) && is_there(UNITS "mnt-d.mount"));
		unlink(in_dir("busy"));
		assert_int_equal(killed_at(WITHOUT, n, false), n < 4);
		lab_open(&l, WITHOUT);
		assert_int_equal(resource_count(l.f.live), n < 4 ? 1 : 0);
		if (n < 4)
			assert_int_equal(lab_apply(&l, &err), 0);
		lab_close(&l);
		assert_false(is_there(in_dir("mounted")) || is_there(in_dir("autofs")) || is_there(in_dir("enabled")));
		assert_false(is_there(UNITS "mnt-d.mount") || is_there(UNITS "mnt-d.automount"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(takes_over_the_notes_lines),
		cmocka_unit_test(from_nothing),
		cmocka_unit_test(by_hand),
		cmocka_unit_test(needs_a_new_mount),
		cmocka_unit_test(a_stale_mount),
		cmocka_unit_test(not_over_files),
		cmocka_unit_test(a_server_that_refuses),
		cmocka_unit_test(killed_anywhere),
		cmocka_unit_test(pruned),
	};
	json_init();
	return cmocka_run_group_tests(tests, enter_sandbox, leave_sandbox);
}
