/* The probe's script on this machine: whatever a path is called and whatever a file contains. */
#include "host/host.h"

#include "sys/clock.h"
#include "sys/file.h"

#include <fcntl.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
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
	return mkdtemp(dir) && chdir(dir) == 0 ? host_open("here", "localhost", &host, &err) : -1;
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
	assert_int_equal(strncmp(err.msg, "look at node 'here': ", 21), 0);
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

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(hostile_names),   TEST(hostile_names_that_are_not_there),
		TEST(kinds_of_things), TEST(contents),
		TEST(the_node_itself), TEST(exports),
		TEST(nothing),         TEST(in_time),
		TEST(broken_tools),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
