/* The probe's script on this machine: whatever a path is called and whatever a file contains. */
#include "host/host.h"

#include "sys/clock.h"
#include "sys/file.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct host *host;
static struct err err;
static char dir[64];

static int setup(void **state)
{
	(void)state;
	snprintf(dir, sizeof(dir), "/tmp/reconcile-probe.XXXXXX");
	return mkdtemp(dir) && chdir(dir) == 0
		       ? host_open(&(struct host_options){.node = "here", .address = "localhost"}, &host, &err)
		       : -1;
}

static int teardown(void **state)
{
	(void)state;
	int rc = host_run(host, (const char *const[]){"rm", "-rf", dir, NULL}, clock_ms() + 9000, NULL, &err);
	host_close(host);
	return chdir("/") < 0 ? -1 : rc;
}

static json_t *look(const struct probe_request *q)
{
	json_t *out = NULL;
	if (host_probe(host, q, clock_ms() + 20000, &out, &err) < 0)
		fail_msg("%s", err.msg);
	return out;
}

#define PATHS(...) \
	(const char *const[]) \
	{ \
		__VA_ARGS__, NULL \
	}

/* Everything that a shell, read, printf or stat could take for more than a name. */
static const char *const names[] = {
	"plain",
	"with blank",
	" lead and trail ",
	"tab\there",
	"new\nline",
	"ends with newline\n",
	"quote's",
	"dou\"ble",
	"$(touch pwned)",
	"`touch pwned`",
	"$HOME",
	"back\\slash\\n\\c\\0101",
	"%s%n",
	"*",
	"?[a]",
	"~",
	"-rf",
	"--help",
	"a;touch pwned",
	"a|touch pwned",
	"a&touch pwned&",
	">pwned",
	"#comment",
	"!",
	"\xc3\xbc\xe2\x82\xac",
	"a: No such file or directory",
	"file ok 644",
	".",
	"..hidden",
	"\001\002\177",
};

static void hostile_names(void **state)
{
	(void)state;
	enum { N = ARRAY_SIZE(names) };
	char *dirs[N + 1] = {0}, *files[N + 1] = {0};

	for (size_t i = 0; i < N; i++) {
		dirs[i] = xasprintf("%s/d%s", dir, names[i]);
		files[i] = xasprintf("%s/f%s", dir, names[i]);
		assert_int_equal(mkdir(dirs[i], 0751), 0);
		assert_int_equal(file_write_atomic(files[i], names[i], strlen(names[i]), 0640, &err), 0);
	}
	json_t *j =
		look(&(struct probe_request){.dirs = (const char *const *)dirs, .files = (const char *const *)files});
	assert_int_equal(json_object_size(json_object_get(j, "dirs")), N);
	for (size_t i = 0; i < N; i++) {
		const json_t *d = json_object_get(json_object_get(j, "dirs"), dirs[i]);
		const json_t *f = json_object_get(json_object_get(j, "files"), files[i]);
		assert_string_equal(json_str(d, "type"), "directory");
		assert_string_equal(json_str(d, "mode"), "0751");
		assert_null(json_object_get(d, "real"));
		assert_string_equal(json_str(f, "content"), names[i]);
		assert_string_equal(json_str(f, "mode"), "0640");
		free(dirs[i]);
		free(files[i]);
	}
	json_decref(j);
	assert_int_equal(access("pwned", F_OK), -1);
}

static void hostile_names_that_are_not_there(void **state)
{
	(void)state;
	enum { N = ARRAY_SIZE(names) };
	char *paths[N + 1] = {0};

	for (size_t i = 0; i < N; i++)
		paths[i] = xasprintf("%s/none/%s", dir, names[i]);
	json_t *j =
		look(&(struct probe_request){.dirs = (const char *const *)paths, .files = (const char *const *)paths});
	for (size_t i = 0; i < N; i++) {
		assert_true(json_is_null(json_object_get(json_object_get(j, "dirs"), paths[i])));
		assert_true(json_is_null(json_object_get(json_object_get(j, "files"), paths[i])));
		free(paths[i]);
	}
	json_decref(j);
	assert_int_equal(access("pwned", F_OK), -1);
}

static const json_t *dir_of(const json_t *j, const char *path)
{
	return json_object_get(json_object_get(j, "dirs"), path);
}

static void kinds_of_things(void **state)
{
	(void)state;
	assert_int_equal(mkdir("real", 02755), 0);
	assert_int_equal(chmod("real", 02755), 0);
	assert_int_equal(mkdir("real/sub", 0700), 0);
	assert_int_equal(symlink("real", "link"), 0);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	assert_int_equal(file_write_atomic("empty", "", 0, 0644, &err), 0);
	char p[6][96];
	const char *const n[] = {"real", "link", "link/sub", "pipe", "empty", "empty/below"};
	for (size_t i = 0; i < ARRAY_SIZE(n); i++)
		snprintf(p[i], sizeof(p[i]), "%s/%s", dir, n[i]);
	json_t *j = look(&(struct probe_request){.dirs = PATHS(p[0], p[1], p[2], p[3], p[4], p[5])});
	assert_string_equal(json_str(dir_of(j, p[0]), "mode"), "2755");
	assert_int_equal(json_int(dir_of(j, p[0]), "uid", -1), geteuid());
	assert_int_equal(json_int(dir_of(j, p[0]), "gid", -1), getegid());
	_cleanup_free_ char *owner = xasprintf("%s:%s", getpwuid(geteuid())->pw_name, getgrgid(getegid())->gr_name);
	assert_string_equal(json_str(dir_of(j, p[0]), "owner"), owner);
	assert_string_equal(json_str(dir_of(j, p[1]), "type"), "symlink");
	assert_string_equal(json_str(dir_of(j, p[2]), "type"), "directory");
	_cleanup_free_ char *real = xasprintf("%s/real/sub", dir);
	assert_string_equal(json_str(dir_of(j, p[2]), "real"), real);
	assert_string_equal(json_str(dir_of(j, p[3]), "type"), "other");
	assert_string_equal(json_str(dir_of(j, p[4]), "type"), "file");
	assert_true(json_is_null(dir_of(j, p[5])));
	json_decref(j);
}

static const json_t *file_of(const json_t *j, const char *path)
{
	return json_object_get(json_object_get(j, "files"), path);
}

static void contents(void **state)
{
	(void)state;
	size_t n = 1 << 20;
	char *big = xcalloc(1, n + 1);
	memset(big, 'x', n + 1);
	assert_int_equal(file_write_atomic("empty", "", 0, 0600, &err), 0);
	assert_int_equal(file_write_atomic("dots", ".\n.\nend\nfile ok 644\n", 20, 0600, &err), 0);
	assert_int_equal(file_write_atomic("crlf",
					   "\xef\xbb\xbf"
					   "a: b\r\n\r\n\n\n",
					   13, 0600, &err),
			 0);
	assert_int_equal(file_write_atomic("nul", "a\0b", 3, 0600, &err), 0);
	assert_int_equal(file_write_atomic("binary", "\xff\xfe", 2, 0600, &err), 0);
	assert_int_equal(file_write_atomic("limit", big, n, 0600, &err), 0);
	assert_int_equal(file_write_atomic("over", big, n + 1, 0600, &err), 0);
	assert_int_equal(mkfifo("pipe", 0600), 0);
	char p[8][96];
	const char *const names_of[] = {"empty", "dots", "crlf", "nul", "binary", "limit", "over", "pipe"};
	for (size_t i = 0; i < ARRAY_SIZE(names_of); i++)
		snprintf(p[i], sizeof(p[i]), "%s/%s", dir, names_of[i]);
	json_t *j = look(&(struct probe_request){.files = PATHS(p[0], p[1], p[2], p[3], p[4], p[5], p[6], p[7], "/")});
	assert_string_equal(json_str(file_of(j, p[0]), "content"), "");
	assert_string_equal(json_str(file_of(j, p[1]), "content"), ".\n.\nend\nfile ok 644\n");
	assert_string_equal(json_str(file_of(j, p[2]), "content"), "\xef\xbb\xbf"
								   "a: b\r\n\r\n\n\n");
	assert_int_equal(json_string_length(json_object_get(file_of(j, p[3]), "content")), 3);
	assert_string_equal(json_str(file_of(j, p[4]), "error"), "it is not UTF-8 text");
	assert_int_equal(json_string_length(json_object_get(file_of(j, p[5]), "content")), n);
	assert_string_equal(json_str(file_of(j, p[6]), "error"), "it is larger than 1 MiB");
	assert_string_equal(json_str(file_of(j, p[7]), "error"), "it is a fifo, not a regular file");
	assert_string_equal(json_str(file_of(j, "/"), "error"), "it is a directory, not a regular file");
	json_decref(j);
	free(big);
}

static void the_node_itself(void **state)
{
	(void)state;
	char name[256];
	assert_int_equal(gethostname(name, sizeof(name)), 0);
	json_t *j = look(&(struct probe_request){.dirs = PATHS("/")});
	assert_string_equal(json_str(j, "hostname"), name);
	json_decref(j);
}

static void exports(void **state)
{
	(void)state;
	json_t *j = look(&(struct probe_request){.exports = true});
	const json_t *e = json_object_get(j, "exports");
	assert_null(json_object_get(e, "error"));
	bool tool = access("/usr/sbin/exportfs", X_OK) == 0 || access("/sbin/exportfs", X_OK) == 0;
	assert_int_equal(json_bool(e, "tool"), tool);
	struct str text = {0};
	const json_t *seen = json_object_get(json_object_get(e, "files"), "/etc/exports");
	if (file_read("/etc/exports", 1 << 20, &text, &err) == 0)
		assert_string_equal(json_string_value(seen), str_cstr(&text));
	else
		assert_null(seen);
	str_free(&text);
	json_decref(j);
}

/* Asked for nothing, nothing is started. */
static void nothing(void **state)
{
	(void)state;
	char *path = xstrdup(getenv("PATH"));
	setenv("PATH", "/nowhere", 1);
	json_t *j = look(&(struct probe_request){0});
	assert_int_equal(json_object_size(j), 0);
	json_decref(j);
	json_t *out;
	assert_int_equal(host_probe(host, &(struct probe_request){.dirs = PATHS("/")}, clock_ms() + 5000, &out, &err),
			 -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	setenv("PATH", path, 1);
	free(path);
}

static void in_time(void **state)
{
	(void)state;
	json_t *out;
	int64_t start = clock_ms();
	assert_int_equal(host_probe(host, &(struct probe_request){.dirs = PATHS("/")}, start - 1, &out, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(clock_ms() - start < 3000);
	assert_int_equal(strncmp(err.msg, "node 'here': ", 13), 0);
}

/* A base64 that is cut off, a stat that talks nonsense: an error, not half an answer. */
static void broken_tools(void **state)
{
	(void)state;
	static const char *const tools[][2] = {
		{"bin/stat", "#!/bin/sh\nkill -9 $PPID\n"},
		{"bin/stat", "#!/bin/sh\necho nonsense\n"},
		{"bin/base64", "#!/bin/sh\necho 'not found!'\n"},
		{"bin/base64", "#!/bin/sh\nkill -9 $PPID\n"},
	};
	char *path = xstrdup(getenv("PATH"));
	_cleanup_free_ char *mine = xasprintf("%s/bin:%s", dir, path);
	assert_int_equal(mkdir("bin", 0755), 0);
	for (size_t i = 0; i < ARRAY_SIZE(tools); i++) {
		json_t *out = NULL;
		assert_int_equal(file_write_atomic(tools[i][0], tools[i][1], strlen(tools[i][1]), 0755, &err), 0);
		setenv("PATH", mine, 1);
		int rc = host_probe(host, &(struct probe_request){.dirs = PATHS("/"), .files = PATHS("/etc/passwd")},
				    clock_ms() + 9000, &out, &err);
		setenv("PATH", path, 1);
		assert_int_equal(rc, -1);
		assert_int_equal(err.code, ERR_PROTOCOL);
		assert_non_null(strstr(err.msg, "the probe's answer is broken"));
		assert_int_equal(unlink(tools[i][0]), 0);
	}
	free(path);
}

/* The lines of a look after this one, which a tab begins; NULL: the look has no such line. */
static const char *after_line(const char *look, const char *line)
{
	_cleanup_free_ char *whole = xasprintf("\n%s\n\t", line);
	const char *p = strstr(look, whole);
	return p ? p + strlen(whole) : NULL;
}

static void starts(const char *look, const char *line, const char *expected)
{
	const char *p = after_line(look, line);
	if (!p || !str_starts(p, expected))
		fail_msg("'%s' is not '%s' in:\n%s", line, expected, look);
}

static void mounts(void **state)
{
	(void)state;
	_cleanup_free_ char *argument =
		xasprintf("mounts c\n/proc\nproc.mount\n%s/a b\nx.mount\n%s/empty\ny.mount\n%s/link/z\n"
			  "z.mount\n%s/none\nn.mount\n%s/a b/f\nf.mount",
			  dir, dir, dir, dir, dir);
	assert_int_equal(mkdir("a b", 0755), 0);
	assert_int_equal(file_write_atomic("a b/f", "", 0, 0644, &err), 0);
	assert_int_equal(mkdir("empty", 0755), 0);
	assert_int_equal(symlink("a b", "link"), 0);
	_cleanup_json_ json_t *j = look(&(struct probe_request){.looks = PATHS(argument, "mounts c")});
	const char *text = json_str(json_object_get(j, "looks"), argument);
	assert_non_null(text);
	starts(text, "at /proc", "ok proc\n");
	static const char *const expected[][2] = {
		{"a b", "files"}, {"empty", "empty"},           {"link/z", "link /"},
		{"none", "none"}, {"a b/f", "not a directory"},
	};
	for (size_t i = 0; i < ARRAY_SIZE(expected); i++) {
		_cleanup_free_ char *line = xasprintf("at %s/%s", dir, expected[i][0]);
		starts(text, line, expected[i][1]);
	}
	assert_non_null(strstr(after_line(text, "mountinfo"), " /proc "));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *hostile = xasprintf("mounts %s\n/none/%s\n%s", names[i], names[i], names[i]),
				    *line = xasprintf("at /none/%s", names[i]);
		if (strchr(names[i], '\n'))
			continue;
		json_t *k = look(&(struct probe_request){.looks = PATHS(hostile)});
		starts(json_str(json_object_get(k, "looks"), hostile), line, "none");
		json_decref(k);
	}
	assert_int_equal(access("pwned", F_OK), -1);
	/* All NFS mounts, if there are any. */
	_cleanup_json_ json_t *all = look(&(struct probe_request){.looks = PATHS("mounts \n")});
	text = json_str(json_object_get(all, "looks"), "mounts \n");
	assert_non_null(strstr(text, "\nmountinfo\n"));
	assert_int_equal(strstr(text, "\nat ") != NULL, strstr(text, " - nfs") != NULL);
}

/* A file system whose server never answers: whoever looks at it hangs, but for the probe. */
static void a_hung_mount(void **state)
{
	(void)state;
	char options[100];
	int fd = open("/dev/fuse", O_RDWR | O_CLOEXEC);

	assert_int_equal(mkdir("hung", 0755), 0);
	assert_int_equal(mkdir("well", 0755), 0);
	_cleanup_free_ char *hung = xasprintf("%s/hung", dir), *well = xasprintf("%s/well", dir),
			    *argument = xasprintf("mounts c\n%s\nh.mount\n%s\nw.mount", hung, well),
			    *at_hung = xasprintf("at %s", hung), *at_well = xasprintf("at %s", well);
	snprintf(options, sizeof(options), "fd=%d,rootmode=40000,user_id=0,group_id=0", fd);
	if (fd < 0 || mount("silent", hung, "fuse", 0, options) < 0) {
		print_message("# SKIP a file system that hangs needs root and /dev/fuse\n");
		if (fd >= 0)
			close(fd);
		return; /* cmocka 1.1.5 prints "not ok" for skip(), which is a failure for prove */
	}
	assert_int_equal(mount("tmpfs", well, "tmpfs", 0, "size=1m"), 0);
	int64_t start = clock_ms();
	json_t *j = NULL;
	int rc = host_probe(host, &(struct probe_request){.looks = PATHS(argument)}, start + 20000, &j, &err);
	int64_t took = clock_ms() - start;
	umount2(hung, MNT_DETACH);
	umount2(well, MNT_DETACH);
	close(fd);
	assert_int_equal(rc, 0);
	const char *text = json_str(json_object_get(j, "looks"), argument);
	starts(text, at_hung, "hung\n");
	starts(text, at_well, "ok tmpfs");
	assert_in_range(took, 1000, 8000);
	json_decref(j);
}

/* A dockerd that is stopped: its socket takes connections, and nothing answers. */
static int listen_silently(void)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX, .sun_path = "docker.sock"};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(listen(fd, 8), 0);
	return fd;
}

static void a_silent_engine(void **state)
{
	(void)state;
	static const char *const asked[] = {"engine /info", "docker /a", "engine /b", "docker /c", "engine /d"};
	int ours = open("/proc/self/ns/mnt", O_RDONLY | O_CLOEXEC), fd = listen_silently();
	json_t *j = NULL;

	if (unshare(CLONE_NEWNS) < 0 || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0 ||
	    mount(dir, "/var/run", NULL, MS_BIND, NULL) < 0) {
		print_message("# SKIP a socket at the engine's place needs root\n");
		close(ours);
		close(fd);
		return; /* as above */
	}
	int64_t start = clock_ms();
	int rc = host_probe(
		host,
		&(struct probe_request){.dirs = PATHS("/"),
					.looks = PATHS(asked[0], asked[1], asked[2], asked[3], asked[4], "clock")},
		start + 20000, &j, &err);
	int64_t took = clock_ms() - start;
	assert_int_equal(setns(ours, CLONE_NEWNS), 0);
	close(ours);
	close(fd);
	assert_int_equal(rc, 0);
	const json_t *looks = json_object_get(j, "looks");
	for (size_t i = 0; i < ARRAY_SIZE(asked); i++)
		assert_string_equal(json_str(json_object_get(looks, asked[i]), "error"),
				    "the engine does not answer: look there with `systemctl status docker`");
	assert_non_null(json_str(looks, "clock"));
	assert_string_equal(json_str(dir_of(j, "/"), "type"), "directory");
	assert_in_range(took, 4000, 9000);
	json_decref(j);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hostile_names),   TEST(hostile_names_that_are_not_there),
		TEST(kinds_of_things), TEST(contents),
		TEST(the_node_itself), TEST(exports),
		TEST(nothing),         TEST(in_time),
		TEST(broken_tools),    TEST(mounts),
		TEST(a_hung_mount),    TEST(a_silent_engine),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
