#include "sys/file.h"

#include "sys/proc.h"
#include "sys/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct err err;
static struct str text;
static char dir[64];

static int setup(void **state)
{
	(void)state;
	err = (struct err){0};
	strncpy(dir, "/tmp/reconcile-file.XXXXXX", sizeof(dir) - 1);
	return mkdtemp(dir) ? chdir(dir) : -1;
}

static int teardown(void **state)
{
	(void)state;
	struct proc_result r = {0};
	struct proc_options o = {.argv = (const char *const[]){"rm", "-rf", dir, NULL}, .deadline = clock_ms() + 10000};
	str_free(&text);
	int rc = chdir("/") < 0 ? -1 : proc_run_checked(&o, &r, &err);
	proc_result_free(&r);
	return rc;
}

static const char *content(const char *path)
{
	str_reset(&text);
	assert_int_equal(file_read(path, 1 << 20, &text, &err), 0);
	return str_cstr(&text);
}

static size_t entries(void)
{
	struct proc_result r = {0};
	struct proc_options o = {.argv = (const char *const[]){"ls", "-A", NULL}, .deadline = clock_ms() + 10000};
	size_t n = 0;
	assert_int_equal(proc_run_checked(&o, &r, &err), 0);
	for (size_t i = 0; i < r.out.len; i++)
		n += r.out.data[i] == '\n';
	proc_result_free(&r);
	return n;
}

static mode_t mode_of(const char *path)
{
	struct stat st;
	assert_int_equal(stat(path, &st), 0);
	return st.st_mode & 07777;
}

static void read_appends_or_changes_nothing(void **state)
{
	(void)state;
	assert_int_equal(file_write_atomic("f", "12345", 5, 0600, &err), 0);
	str_adds(&text, "a:");
	assert_int_equal(file_read("f", 5, &text, &err), 0);
	assert_string_equal(str_cstr(&text), "a:12345");
	assert_int_equal(file_read("f", 4, &text, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	assert_int_equal(file_read("g", 4, &text, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.msg, "g: No such file or directory");
	assert_string_equal(str_cstr(&text), "a:12345");
}

static void only_regular_files(void **state)
{
	(void)state;
	assert_int_equal(mkfifo("pipe", 0600), 0);
	const char *const odd[] = {"pipe", "/dev/null", "."};
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		assert_int_equal(file_read(odd[i], 10, &text, &err), -1);
	}
	assert_int_equal(file_read("pipe", 10, &text, &err), -1);
	assert_string_equal(err.msg, "pipe: not a regular file");
	assert_int_equal(file_read("/proc/self/stat", 4096, &text, &err), 0); /* a size of 0 says nothing there */
	assert_true(text.len > 0);
}

static void atomic_write(void **state)
{
	(void)state;
	umask(077);
	assert_int_equal(file_write_atomic("f", "one", 3, 0644, &err), 0);
	assert_int_equal(mode_of("f"), 0644);
	assert_int_equal(file_write_atomic("f", "two!", 4, 0640, &err), 0);
	assert_string_equal(content("f"), "two!");
	assert_int_equal(mode_of("f"), 0640);
	assert_int_equal(file_write_atomic("f", "", 0, 0, &err), 0); /* 0: the mode it had */
	assert_int_equal(mode_of("f"), 0640);
	assert_string_equal(content("f"), "");
	assert_int_equal(file_write_atomic("new", "", 0, 0, &err), 0);
	assert_int_equal(mode_of("new"), 0644);
	assert_int_equal(entries(), 2);
}

static void atomic_write_follows_a_link_and_keeps_the_owner(void **state)
{
	(void)state;
	assert_int_equal(file_write_atomic("real", "one", 3, 0644, &err), 0);
	assert_int_equal(symlink("real", "link"), 0);
	if (geteuid() == 0)
		assert_int_equal(chown("real", 1234, 2345), 0);
	else
		print_message("# SKIP the owner's part: needs root\n");
	assert_int_equal(file_write_atomic("link", "two", 3, 0644, &err), 0);
	assert_string_equal(content("real"), "two");
	struct stat st;
	assert_int_equal(lstat("link", &st), 0);
	assert_true(S_ISLNK(st.st_mode));
	assert_int_equal(stat("real", &st), 0);
	if (geteuid() == 0) {
		assert_int_equal(st.st_uid, 1234);
		assert_int_equal(st.st_gid, 2345);
	}
}

static void atomic_write_leaves_nothing_behind(void **state)
{
	(void)state;
	assert_int_equal(file_write_atomic("none/f", "x", 1, 0644, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(mkdir("d", 0755), 0);
	assert_int_equal(file_write_atomic("d", "x", 1, 0644, &err), -1);
	assert_int_equal(entries(), 1);
}

static void full_disk(void **state)
{
	(void)state;
	size_t n = 1 << 20;
	char *big = xcalloc(1, n);

	memset(big, 'x', n);
	assert_int_equal(mkdir("tiny", 0755), 0);
	if (mount("tmpfs", "tiny", "tmpfs", 0, "size=128k") < 0) {
		print_message("# SKIP full_disk: cannot mount a tmpfs (%s); run as root\n", strerror(errno));
		free(big);
		return; /* skip() of cmocka 1.1.5 is "not ok" for prove */
	}
	assert_int_equal(file_write_atomic("tiny/f", "kept", 4, 0644, &err), 0);
	assert_int_equal(file_write_atomic("tiny/f", big, n, 0644, &err), -1);
	assert_string_equal(content("tiny/f"), "kept");
	assert_int_equal(chdir("tiny"), 0);
	assert_int_equal(entries(), 1);
	assert_int_equal(chdir(".."), 0);
	assert_int_equal(umount("tiny"), 0);
	free(big);
}

static void directories(void **state)
{
	(void)state;
	umask(077);
	assert_int_equal(mkdir("a", 0700), 0);
	assert_int_equal(file_mkdirs("a/b//c/", 0755, &err), 0);
	assert_int_equal(mode_of("a"), 0700);
	assert_int_equal(mode_of("a/b"), 0755);
	assert_int_equal(mode_of("a/b/c"), 0755);
	assert_int_equal(file_mkdirs("a/b/c", 0700, &err), 0);
	assert_int_equal(mode_of("a/b/c"), 0755);
	assert_int_equal(file_write_atomic("a/file", "", 0, 0644, &err), 0);
	assert_int_equal(file_mkdirs("a/file/d", 0755, &err), -1);
	assert_string_equal(err.msg, "create directory a/file: Not a directory");
	assert_int_equal(file_mkdirs("/", 0755, &err), 0);
	assert_int_equal(file_mkdirs("", 0755, &err), -1);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(read_appends_or_changes_nothing),
		TEST(only_regular_files),
		TEST(atomic_write),
		TEST(atomic_write_follows_a_link_and_keeps_the_owner),
		TEST(atomic_write_leaves_nothing_behind),
		TEST(full_disk),
		TEST(directories),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
