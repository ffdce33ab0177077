/* A spec in a directory, and files that must not lead out of it. */
#include "source/source.h"
#include "sys/file.h"

#include <ftw.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

static char base[64];

static void put(const char *file, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", base, file);
	struct err err = {0};
	if (file_write_atomic(path, text, strlen(text), 0644, &err) < 0)
		fail_msg("%s", err.msg);
}

static void make_link(const char *target, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", base, name);
	assert_int_equal(symlink(target, path), 0);
}

static struct source *open_path(const char *path)
{
	struct source_options o = {.path = path};
	struct source *s = NULL;
	struct err err = {0};
	if (source_open(&o, &s, &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

static void expect_unreadable(struct source *s, const char *path, enum err_code code, const char *part)
{
	_cleanup_str_ struct str out = {0};
	struct err err = {0};
	struct files *f = source_files(s);

	str_adds(&out, "kept");
	assert_int_equal(f->read(f, path, 10, &out, &err), -1);
	assert_string_equal(str_cstr(&out), "kept");
	if (err.code != code || !strstr(err.msg, part))
		fail_msg("%s: %s: %s", path, err_code_name(err.code), err.msg);
}

static void expect_file(struct source *s, const char *path, const char *text)
{
	_cleanup_str_ struct str out = {0};
	struct err err = {0};
	struct files *f = source_files(s);

	if (f->read(f, path, 10, &out, &err) < 0)
		fail_msg("%s", err.msg);
	assert_string_equal(str_cstr(&out), text);
}

static void by_file_and_by_directory(void **state)
{
	_cleanup_free_ char *file = xasprintf("%s/d/cluster.yaml", base), *dir = xasprintf("%s/d", base);
	_cleanup_free_ char *slash = xasprintf("%s/d/", base);
	const char *const paths[] = {file, dir, slash};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct source *s = open_path(paths[i]);
		assert_string_equal(str_cstr(source_text(s)), "spec");
		assert_string_equal(source_name(s), file);
		assert_null(source_commit(s));
		assert_null(source_stale(s));
		expect_file(s, "a", "A");
		source_close(s);
	}
	assert_int_equal(chdir(dir), 0);
	struct source *s = open_path(".");
	assert_string_equal(source_name(s), "cluster.yaml");
	expect_file(s, "a", "A");
	source_close(s);
	s = open_path("cluster.yaml");
	expect_file(s, "./sub/b", "B");
	source_close(s);
	assert_int_equal(chdir("/"), 0);
}

static void missing_or_too_large(void **state)
{
	_cleanup_free_ char *none = xasprintf("%s/none.yaml", base), *sub = xasprintf("%s/d/sub", base);
	_cleanup_free_ char *huge = xmalloc((1 << 20) + 2), *huge_path = xasprintf("%s/huge", base);
	struct source_options o = {.path = none};
	struct source *s = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(source_open(&o, &s, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, none));
	o.path = sub; /* a directory without a spec */
	assert_int_equal(source_open(&o, &s, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "d/sub/cluster.yaml"));
	memset(huge, 'x', (1 << 20) + 1);
	huge[(1 << 20) + 1] = '\0';
	put("huge", huge);
	o.path = huge_path;
	assert_int_equal(source_open(&o, &s, &err), -1);
	assert_int_equal(err.code, ERR_SPEC);
	_cleanup_free_ char *leads_out = xasprintf("%s/d/spec-elsewhere.yaml", base);
	make_link("../huge", "d/spec-elsewhere.yaml");
	o.path = leads_out; /* a checkout under review could show any file of the machine */
	assert_int_equal(source_open(&o, &s, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
}

static void nothing_leads_out(void **state)
{
	_cleanup_free_ char *dir = xasprintf("%s/d", base), *fifo = xasprintf("%s/d/fifo", base);
	_cleanup_free_ char *outside = xasprintf("%s/outside", base);

	(void)state;
	make_link("../outside", "d/up");
	make_link(outside, "d/absolute");
	make_link("sub/b", "d/inside");
	make_link("sub/../a", "d/inside-by-dots");
	make_link("loop", "d/loop");
	make_link("/proc/self/environ", "d/environ");
	make_link("../d", "d/self");
	assert_int_equal(mkfifo(fifo, 0600), 0);
	struct source *s = open_path(dir);
	expect_file(s, "inside", "B");
	expect_file(s, "inside-by-dots", "A");
	expect_file(s, "sub/../a", "A");
	expect_unreadable(s, "../outside", ERR_DENIED, "leads out of the spec's directory");
	expect_unreadable(s, outside, ERR_DENIED, "leads out");
	expect_unreadable(s, "/etc/passwd", ERR_DENIED, "leads out");
	expect_unreadable(s, "up", ERR_DENIED, "leads out");
	expect_unreadable(s, "absolute", ERR_DENIED, "leads out");
	expect_unreadable(s, "self/a", ERR_DENIED, "leads out");
	expect_unreadable(s, "environ", ERR_DENIED, "leads out");
	expect_unreadable(s, "loop", ERR_DENIED, "circle");
	expect_unreadable(s, "none", ERR_NOT_FOUND, "'none'");
	expect_unreadable(s, "sub", ERR_DENIED, "a directory");
	expect_unreadable(s, "fifo", ERR_DENIED, "a device or pipe"); /* and does not block */
	expect_unreadable(s, "long", ERR_LIMIT, "larger than the limit of 10 bytes");
	source_close(s);
}

static int setup(void **state)
{
	_cleanup_free_ char *sub = NULL;
	struct err err = {0};

	(void)state;
	snprintf(base, sizeof(base), "/tmp/test-plain-XXXXXX");
	if (!mkdtemp(base))
		return -1;
	sub = xasprintf("%s/d/sub", base);
	assert_int_equal(file_mkdirs(sub, 0755, &err), 0);
	put("d/cluster.yaml", "spec");
	put("d/a", "A");
	put("d/sub/b", "B");
	put("d/long", "12345678901");
	put("outside", "secret");
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st, (void)type, (void)ftw;
	return remove(path);
}

static int teardown(void **state)
{
	(void)state;
	return nftw(base, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

#define test(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		test(by_file_and_by_directory),
		test(missing_or_too_large),
		test(nothing_leads_out),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
