/* Unit names and files, options, mountinfo and fstab. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "kinds/mount/mounts.h"
#include "sys/clock.h"
#include "sys/proc.h"

static const char *const paths[] = {
	"/opt/ollama-models", "/srv",  "/a b/c",  "/.hidden/x", "/x/.y", "/a\\b", "/ö/ü",
	"/a:b_c.d",           "/100%", "/a--b/-", "/-",
};

static void names(void **state)
{
	(void)state;
	static const char *const expected[] = {
		"opt-ollama\\x2dmodels", "srv",     "a\\x20b-c", "\\x2ehidden-x",      "x-.y",  "a\\x5cb",
		"\\xc3\\xb6-\\xc3\\xbc", "a:b_c.d", "100\\x25",  "a\\x2d\\x2db-\\x2d", "\\x2d",
	};
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_free_ char *name = mount_unit_name(paths[i], "");
		assert_string_equal(name, expected[i]);
	}
	_cleanup_free_ char *root = mount_unit_name("/", ".mount");
	assert_string_equal(root, "-.mount");
}

/* What systemd itself makes of them. */
static void names_of_systemd(void **state)
{
	(void)state;
	if (access("/usr/bin/systemd-escape", X_OK) != 0) {
		print_message("# SKIP there is no systemd-escape here\n");
		return; /* cmocka 1.1.5 prints "not ok" for skip(), which is a failure for prove */
	}
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		const char *const argv[] = {"systemd-escape", "--path", "--suffix=mount", "--", paths[i], NULL};
		const struct proc_options o = {.argv = argv, .deadline = clock_ms() + 10000, .max_output = 4096};
		_cleanup_proc_result_ struct proc_result r = {0};
		struct err err = {0};
		if (proc_run(&o, &r, &err) < 0)
			fail_msg("%s", err.msg);
		_cleanup_free_ char *name = mount_unit_name(paths[i], ".mount\n");
		assert_string_equal(name, str_cstr(&r.out));
	}
}

static void path_is(const char *from, const char *to)
{
	_cleanup_str_ struct str s = {0};
	mount_path(from, &s);
	assert_string_equal(str_cstr(&s), to);
}

static void normal_paths(void **state)
{
	(void)state;
	char longest[400];

	path_is("/srv//a/", "/srv/a");
	path_is("///", "/");
	path_is("/srv/a", "/srv/a");
	assert_null(mount_path_problem("/srv/a b"));
	assert_non_null(mount_path_problem("/"));
	assert_non_null(mount_path_problem("/a\nb"));
	assert_non_null(mount_path_problem("/a "));
	assert_non_null(mount_path_problem("/a\\"));
	memset(longest, 'a', sizeof(longest));
	longest[0] = '/';
	longest[246] = '\0'; /* and ".automount": 255 */
	assert_null(mount_path_problem(longest));
	strcpy(longest + 246, "a");
	assert_string_equal(mount_path_problem(longest), "it is too long for the name of a unit");
}

static void kernel_is(const char *list, const char *expected)
{
	CLEANUP(mount_options_free) struct mount_options o;
	mount_options_read(list, &o);
	assert_string_equal(o.kernel, expected);
	assert_null(o.wrong);
}

static void options_of_the_spec(void **state)
{
	(void)state;
	CLEANUP(mount_options_free) struct mount_options o;

	kernel_is("", "rw");
	kernel_is("defaults", "rw");
	kernel_is("ro,hard,nofail,nfsvers=4.2", "hard,ro,vers=4.2");
	kernel_is("hard,,ro,vers=4,nfsvers=4.2,x-gvfs-hide,comment=x,_netdev,noauto,bg", "hard,ro,vers=4.2");
	kernel_is("ro,soft,rw,hard", "hard,rw");
	kernel_is("v4.1,tcp,actimeo=3,retry=5",
		  "acdirmax=3,acdirmin=3,acregmax=3,acregmin=3,proto=tcp,retry=5,rw,vers=4.1");
	mount_options_read("ro,x-systemd.idle-timeout=10min,x-systemd.mount-timeout=5,x-systemd.automount", &o);
	assert_string_equal(o.kernel, "ro");
	assert_string_equal(o.idle, "10min");
	assert_string_equal(o.limit, "5");
	assert_null(o.wrong);
}

static void options_that_no_unit_has(void **state)
{
	(void)state;
	static const char *const lists[] = {
		"ro,x-systemd.requires=a.service", "ro,a\nExecStart=x",           "ro,a b",
		"ro,x-systemd.idle-timeout=1\n",   "ro,x-systemd.mount-timeout=", "ro,\"a\"",
	};
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		CLEANUP(mount_options_free) struct mount_options o;
		mount_options_read(lists[i], &o);
		assert_non_null(o.wrong);
		assert_string_equal(o.wrong, lists[i] + 3);
		assert_string_equal(o.kernel, "ro");
	}
}

/* Of a real NFSv4.2 mount with `defaults`, and of one with ro,soft. */
#define SUPER \
	"rw,vers=4.2,rsize=262144,wsize=262144,namlen=255,hard,proto=tcp,timeo=600,retrans=2,sec=sys," \
	"clientaddr=10.0.0.82,local_lock=none,addr=10.0.0.80"
#define SUPER_RO_SOFT \
	"ro,vers=3,rsize=1048576,wsize=1048576,namlen=255,soft,noac,proto=tcp,timeo=600,retrans=2,sec=sys,addr=10.0." \
	"0.80"

static void live_is(const char *wanted, const char *flags, const char *super, const char *expected)
{
	_cleanup_str_ struct str s = {0};
	mount_options_live(wanted, flags, super, &s);
	assert_string_equal(str_cstr(&s), expected);
}

static void options_in_force(void **state)
{
	(void)state;
	/* Nothing to do: what the kernel adds is not looked at, and what it rounds or negotiates is as wanted. */
	static const char *const same[] = {
		"rw",
		"hard,rw,vers=4.2",
		"rw,vers=4",
		"rsize=1048576,rw",
		"nconnect=1,port=2049,rw",
		"ac,cto,rw,suid",
		"retry=3,rw",
		"lookupcache=all,rw",
		"acregmin=3,rw",
		"proto=tcp,rw,sec=sys,timeo=600",
		"rw,something",
	};
	for (size_t i = 0; i < ARRAY_SIZE(same); i++)
		live_is(same[i], "rw,relatime", SUPER, same[i]);
	live_is("hard,ro,vers=4.2", "rw,relatime", SUPER, "hard,rw,vers=4.2");
	live_is("hard,ro,vers=4.2", "rw,relatime", SUPER_RO_SOFT, "soft,ro,vers=3");
	/* read-only by the mount alone, or by the file system */
	live_is("rw", "ro,relatime", SUPER, "ro");
	live_is("rw", "rw,relatime", SUPER_RO_SOFT, "ro");
	live_is("ac,rw", "rw", SUPER_RO_SOFT, "noac,ro");
	live_is("noac,rw", "rw", SUPER, "ac,rw");
	live_is("nosuid,rw,soft", "rw,noexec", SUPER, "suid,rw,hard");
	live_is("exec,rw", "rw,noexec", SUPER, "noexec,rw");
	live_is("nconnect=4,rsize=65536,rw,timeo=50,vers=4.1", "rw", SUPER,
		"nconnect=1,rsize=262144,rw,timeo=600,vers=4.2");
	live_is("rw,vers=4.2", "rw", "rw,vers=4.20", "rw,vers=4.20");
}

static void steps(void **state)
{
	(void)state;
	assert_int_equal(mount_options_step("hard,ro", "hard,ro"), MOUNT_STAYS);
	assert_int_equal(mount_options_step("hard,rw", "hard,ro"), MOUNT_REMOUNT);
	assert_int_equal(mount_options_step("exec,rw", "noexec,ro"), MOUNT_REMOUNT);
	assert_int_equal(mount_options_step("soft,rw", "hard,ro"), MOUNT_AGAIN);
	assert_int_equal(mount_options_step("rw,vers=3", "ro,vers=4.2"), MOUNT_AGAIN);
	assert_int_equal(mount_options_step("", "ro"), MOUNT_AGAIN);
}

static void mountinfo(void **state)
{
	(void)state;
	CLEANUP(mount_table_free) struct mount_table t;

	mountinfo_parse("36 35 0:34 / /opt/a\\040b rw,relatime shared:1 master:2 - nfs4 10.0.0.80:/srv/a\\040b " SUPER
			"\n"
			"broken\n"
			"37 35 0:35 / /opt/x rw - autofs systemd-1 rw,fd=1\n"
			"38 35 0:35 / /opt/y rw - autofs\n"
			"39 35 0:35 / /opt/z rw shared:1 nfs4 a b\n",
			&t);
	assert_int_equal(t.list.n, 2);
	assert_string_equal(t.list.v[0].path, "/opt/a b");
	assert_string_equal(t.list.v[0].source, "10.0.0.80:/srv/a b");
	assert_string_equal(t.list.v[0].type, "nfs4");
	assert_string_equal(t.list.v[0].flags, "rw,relatime");
	assert_string_equal(t.list.v[0].super, SUPER);
	assert_string_equal(t.list.v[1].type, "autofs");
	assert_int_equal(t.list.v[1].line, 3);
}

static void fstab(void **state)
{
	(void)state;
	CLEANUP(mount_table_free) struct mount_table t;

	fstab_parse("# /opt/x of the server\n\nUUID=1 / ext4 errors=remount-ro 0 1\n"
		    "\thpp:/srv/a\\040b\t/opt/a\\040b/  nfs\tro,hard 0 0\r\n"
		    "half a line\n#s:/x /x nfs\ns:/y /y nfs",
		    &t);
	assert_int_equal(t.list.n, 4);
	assert_string_equal(t.list.v[1].source, "hpp:/srv/a b");
	assert_string_equal(t.list.v[1].path, "/opt/a b");
	assert_string_equal(t.list.v[1].flags, "ro,hard");
	assert_int_equal(t.list.v[1].line, 4);
	assert_string_equal(t.list.v[2].type, "line");
	assert_string_equal(t.list.v[3].flags, "defaults");
	mount_table_free(&t);
	fstab_parse(NULL, &t);
	assert_int_equal(t.list.n, 0);
}

static void fstab_without(const char *from, const char *to)
{
	_cleanup_str_ struct str s = {0};
	fstab_comment_out(from, "/opt/m", &s);
	assert_string_equal(str_cstr(&s), to);
}

/* Every byte that is not about the path stays, and so does the line itself, readable. */
static void fstab_lines_are_taken_over(void **state)
{
	(void)state;
	fstab_without("", "");
	fstab_without("# x\n/dev/sda1 / ext4 defaults 0 1\n", "# x\n/dev/sda1 / ext4 defaults 0 1\n");
	/* twice, as scripts with `tee -a` leave it, and without an end of line */
	fstab_without("/dev/sda1 / ext4 defaults 0 1\ns:/m /opt/m nfs defaults 0 0\ns:/m /opt/m nfs defaults 0 0",
		      "/dev/sda1 / ext4 defaults 0 1\n# taken over by reconcile: s:/m /opt/m nfs defaults 0 0\n"
		      "# taken over by reconcile: s:/m /opt/m nfs defaults 0 0");
	fstab_without("#s:/m /opt/m nfs\n\n  s:/m\t/opt/m/\tnfs4 ro 0 0 # why\r\ns:/n /opt/m2 nfs\r\n",
		      "#s:/m /opt/m nfs\n\n# taken over by reconcile:   s:/m\t/opt/m/\tnfs4 ro 0 0 # why\r\n"
		      "s:/n /opt/m2 nfs\r\n");
	fstab_without("s:/m /opt//m nfs", "# taken over by reconcile: s:/m /opt//m nfs");
	/* once is enough */
	fstab_without("# taken over by reconcile: s:/m /opt/m nfs\n", "# taken over by reconcile: s:/m /opt/m nfs\n");
	_cleanup_str_ struct str s = {0};
	fstab_comment_out(NULL, "/opt/m", &s);
	assert_int_equal(s.len, 0);
}

static void units(void **state)
{
	(void)state;
	CLEANUP(mount_options_free) struct mount_options o;
	_cleanup_str_ struct str mount = {0}, automount = {0};

	mount_options_read("ro,hard,nofail,nfsvers=4.2", &o);
	struct mount_unit u = {
		.cluster = "lab",
		.name = "models@hpr",
		.source = "10.0.0.80:/srv/100% m",
		.path = "/opt/100% m",
		.options = &o,
	};
	mount_unit_text(&u, &mount);
	assert_string_equal(str_cstr(&mount),
			    "# Written by reconcile for the cluster 'lab'. It undoes what is changed here by hand.\n"
			    "# mount/models@hpr\n"
			    "[Unit]\n"
			    "Description=NFS mount models@hpr\n"
			    "Before=docker.service\n"
			    "StartLimitIntervalSec=0\n"
			    "\n"
			    "[Mount]\n"
			    "What=10.0.0.80:/srv/100%% m\n"
			    "Where=/opt/100%% m\n"
			    "Type=nfs\n"
			    "Options=hard,ro,vers=4.2,nofail\n"
			    "TimeoutSec=30s\n"
			    "\n"
			    "[Install]\n"
			    "WantedBy=docker.service\n");
	automount_unit_text(&u, &automount);
	assert_string_equal(str_cstr(&automount),
			    "# Written by reconcile for the cluster 'lab'. It undoes what is changed here by hand.\n"
			    "# mount/models@hpr\n"
			    "[Unit]\n"
			    "Description=NFS mount models@hpr\n"
			    "\n"
			    "[Automount]\n"
			    "Where=/opt/100%% m\n"
			    "\n"
			    "[Install]\n"
			    "WantedBy=remote-fs.target\n");
	assert_true(mount_unit_is_ours(str_cstr(&mount), "lab"));
	assert_false(mount_unit_is_ours(str_cstr(&mount), "la"));
	assert_false(mount_unit_is_ours("[Unit]\n", "lab"));
	assert_false(mount_unit_is_ours(NULL, "lab"));
	_cleanup_free_ char *where = mount_unit_where(str_cstr(&mount)), *name = mount_unit_resource(str_cstr(&mount));
	assert_string_equal(where, "/opt/100% m");
	assert_string_equal(name, "models@hpr");
	assert_null(mount_unit_where("[Mount]\nWhat=x\n"));
}

static void times_in_units(void **state)
{
	(void)state;
	CLEANUP(mount_options_free) struct mount_options o;
	_cleanup_str_ struct str mount = {0}, automount = {0};

	mount_options_read("x-systemd.idle-timeout=10min,x-systemd.mount-timeout=5", &o);
	struct mount_unit u = {.cluster = "lab", .name = "m@n", .source = "s:/m", .path = "/m", .options = &o};
	mount_unit_text(&u, &mount);
	automount_unit_text(&u, &automount);
	assert_non_null(strstr(str_cstr(&mount), "\nTimeoutSec=5\n"));
	assert_non_null(strstr(str_cstr(&mount), "\nOptions=rw,nofail\n"));
	assert_non_null(strstr(str_cstr(&automount), "\nTimeoutIdleSec=10min\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(names_of_systemd),
		cmocka_unit_test(normal_paths),
		cmocka_unit_test(options_of_the_spec),
		cmocka_unit_test(options_that_no_unit_has),
		cmocka_unit_test(options_in_force),
		cmocka_unit_test(steps),
		cmocka_unit_test(mountinfo),
		cmocka_unit_test(fstab),
		cmocka_unit_test(fstab_lines_are_taken_over),
		cmocka_unit_test(units),
		cmocka_unit_test(times_in_units),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
