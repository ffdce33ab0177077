/* What a spec and a probe's look make of a mount. The plans are in tests/cases/mount. */
#include "swarmtest.h"

#include "kinds/mount/view.h"

#define NODES \
	"nodes:\n  s: { address: 10.9.0.1, role: manager }\n  w1: { address: 10.9.0.2 }\n  w2: { address: 10.9.0.3 " \
	"}\n"
#define NFS(mount) NODES "nfs:\n  d:\n    server: s\n    path: /srv//d/\n    export: {}\n    mount: { " mount " }\n"
#define SPEC NFS("path: /mnt/d/, nodes: [w1, w2], options: [ro, nofail, nfsvers=4.2], after: [directory/d]")

static const struct kind *const kinds[] = {&kind_mount, NULL};

static void desired(void **state)
{
	(void)state;
	_cleanup_fixture_ struct fixture f = {0};

	fixture_load(&f, SPEC, "{}");
	fixture_run(&f, kinds);
	assert_int_equal(resource_count(f.want), 2);
	const struct resource *r = want_of(&f, "mount/d@w2");
	expect_body(r, "{'options':'ro,vers=4.2','path':'/mnt/d','source':'10.9.0.1:/srv/d','unit':'mnt-d.automount'}");
	assert_string_equal(r->node, "w2");
	assert_null(r->blocked);
	assert_true(has_ref(r, REF_REQUIRES, "export/d"));
	assert_true(has_ref(r, REF_REQUIRES, "package/w2"));
	assert_true(has_ref(r, REF_REQUIRES, "directory/d"));
	assert_int_equal(live_of(&f, "mount/d@w1")->presence, UNKNOWN);
}

/* Every node is asked, with the paths that are mounted there. */
static void what_is_asked(void **state)
{
	(void)state;
	_cleanup_fixture_ struct fixture f = {0};
	struct wants *w = wants_new();

	fixture_load(&f, SPEC, "{}");
	kind_mount.needs(f.spec, w);
	assert_int_equal(w->hosts.n, 3);
	for (size_t i = 0; i < w->hosts.n; i++) {
		const struct host_wants *h = &w->hosts.v[i];
		bool server = strcmp(h->node, "s") == 0;
		assert_int_equal(h->looks.n, 1);
		assert_string_equal(h->looks.v[0], server ? "mounts c" : "mounts c\n/mnt/d\nmnt-d.mount");
		assert_int_equal(h->files.n, server ? 0 : 1);
	}
	wants_free(w);
}

static void blocked(const char *yaml, const char *why)
{
	_cleanup_fixture_ struct fixture f = {0};

	fixture_load(&f, yaml, "{}");
	fixture_run(&f, kinds);
	expect_text(want_of(&f, "mount/d@w1")->blocked, why);
}

static void what_cannot_be(void **state)
{
	(void)state;
	blocked(NFS("path: \"/mnt/d \", nodes: [w1]"), "mount.path: it ends with a blank");
	blocked(NFS("path: \"/mnt/d\\u0007\", nodes: [w1]"), "mount.path: it has a control character");
	blocked(NFS("path: /mnt/d, nodes: [w1], options: [\"ro\\\\\"]"), "the mount option 'ro\\' cannot be in a unit");
}

/* Nothing of a variable's value is shown: neither as a field nor in a message. */
static void values_of_variables(void **state)
{
	(void)state;
	static const char *const allowed[] = {"RECONCILE_TEST_PATH", NULL};
	_cleanup_fixture_ struct fixture f = {.allow_env = allowed};

	setenv("RECONCILE_TEST_PATH", "/mnt/secret", 1);
	fixture_load(&f, NFS("path: \"${RECONCILE_TEST_PATH}\", nodes: [w1], options: [ro]"),
		     "{'host/w1': {'looks': {'mounts c\\n/mnt/secret\\nmnt-secret.mount': 'systemd yes\\nnfs yes\\n"
		     "mountinfo\\nshow\\n\\tId=x\\nat /mnt/secret\\n\\tfiles\\n'}}}");
	fixture_run(&f, kinds);
	unsetenv("RECONCILE_TEST_PATH");
	const struct resource *r = want_of(&f, "mount/d@w1");
	assert_string_equal(json_str(r->body, "path"), "/mnt/secret");
	assert_true(resource_mark_of(r, "path").hidden);
	assert_true(resource_mark_of(r, "unit").hidden);
	assert_false(resource_mark_of(r, "source").hidden);
	expect_text(r->blocked, "is a directory with files of its own");
	assert_null(strstr(r->blocked, "secret"));
}

static void reading_a_look(void **state)
{
	(void)state;
	struct mount_view v;
	struct mount_place p;

	mount_view_read("systemd yes\nnfs no\nmountinfo\n"
			"\t77 28 0:44 / /mnt/d rw - autofs systemd-1 rw,fd=58\n"
			"\t78 77 0:45 / /mnt/d ro - nfs4 10.9.0.1:/srv/d ro,addr=10.9.0.1\n"
			"show\n\tId=mnt-d.mount\n\tUnitFileState=enabled\n\tNeedDaemonReload=no\n\t\n"
			"\tId=mnt-d.automount\n\tUnitFileState=\n\tNeedDaemonReload=yes\n"
			"at /mnt/d\n\tok nfs\nat /mnt/a b\n\tnone\n"
			"unit mnt-d.mount\n\t[Mount]\n\t\n\tWhere=/mnt/d\nword that is new\n\tx\n",
			&v);
	assert_true(v.systemd && v.answers && !v.helper);
	mount_view_place(&v, "/mnt/d", &p);
	assert_string_equal(p.nfs->source, "10.9.0.1:/srv/d");
	assert_int_equal(p.n_nfs, 1);
	assert_true(p.automount && !p.hung && !p.stale && !p.other);
	assert_string_equal(p.state, "ok nfs");
	mount_view_place(&v, "/mnt/a b", &p);
	assert_string_equal(p.state, "none");
	assert_true(mount_view_is_enabled(&v, "mnt-d.mount") && !mount_view_is_enabled(&v, "mnt-d.automount"));
	assert_true(mount_view_must_reload(&v, "mnt-d.automount") && !mount_view_must_reload(&v, "mnt-d.mount"));
	assert_true(mount_view_unit_is(&v, "mnt-d.mount", "[Mount]\n\nWhere=/mnt/d\n"));
	assert_false(mount_view_unit_is(&v, "mnt-d.automount", ""));
	mount_view_close(&v);

	/* a look that was cut off tells less, and nothing else */
	for (const char *cut = "systemd yes\nmountinfo\n\t77 28 0:44 / /mnt/d rw - autofs a rw\nat"; *cut; cut++) {
		mount_view_read(cut, &v);
		mount_view_close(&v);
	}
}

/* Units of a mount that the spec forgot are known by their comment. Those of other clusters and of people are not ours.
 */
static void forgotten(void **state)
{
	(void)state;
	_cleanup_fixture_ struct fixture f = {0};

	fixture_load(&f, NODES,
		     "{'host/w1': {'looks': {'mounts c': 'systemd yes\\nnfs yes\\nmountinfo\\nshow\\n"
		     "unit mnt-old.mount\\n\\t# Written by reconcile for the cluster \\u0027c\\u0027. It\\n"
		     "\\t# mount/old@w1\\n\\tWhere=/mnt/old\\n"
		     "unit mnt-other.mount\\n\\t# Written by reconcile for the cluster \\u0027d\\u0027. It\\n"
		     "\\t# mount/other@w1\\n\\tWhere=/mnt/other\\nunit mnt-x.mount\\n\\tWhere=/mnt/x\\n'}}}");
	resource_add(f.want, "node", "w1");
	fixture_run(&f, kinds);
	assert_int_equal(resource_count(f.live), 1);
	const struct resource *r = live_of(&f, "mount/old@w1");
	expect_body(r, "{'path':'/mnt/old'}");
	assert_true(r->owned && r->presence == PRESENT);
	assert_string_equal(r->node, "w1");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(desired),        cmocka_unit_test(what_is_asked),
		cmocka_unit_test(what_cannot_be), cmocka_unit_test(values_of_variables),
		cmocka_unit_test(reading_a_look), cmocka_unit_test(forgotten),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
