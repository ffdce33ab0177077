/*
 * The golden specs of tests/cases/spec (another folder: CASES). Each bad/NAME.yaml
 * must not load, and prints exactly NAME.expected; each good/NAME.yaml loads,
 * and prints exactly NAME.expected, or nothing when there is none. The specs of
 * examples/ load and print nothing.
 * UPDATE_GOLDEN=1 rewrites the expectations; CASE=bad/NAME runs one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "spec/spec.h"

#define EXAMPLES "examples/"
#define FILE_MAX ((size_t)16 << 20)

static int slurp(const char *path, size_t max, struct str *out, struct err *err)
{
	char buf[65536];
	FILE *f = fopen(path, "rbe");

	if (!f)
		return err_sys(err, "reading '%s' (relative to the spec)", strrchr(path, '/') + 1);
	for (size_t n; (n = fread(buf, 1, sizeof(buf), f)) > 0;)
		str_add(out, buf, n);
	int failed = ferror(f);
	fclose(f);
	if (failed)
		return err_set(err, ERR_SYSTEM, "reading '%s' failed", path);
	if (out->len > max)
		return err_set(err, ERR_LIMIT, "reading '%s': it has more than %zu bytes", strrchr(path, '/') + 1, max);
	return 0;
}

/* The files beside a case; source/ has the real one, which guards against paths that lead out. */
struct beside {
	struct files files; /* first */
	const char *dir;
};

static int read_beside(struct files *f, const char *path, size_t max, struct str *out, struct err *err)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", ((struct beside *)f)->dir, path);

	return slurp(full, max, out, err);
}

static bool load(const char *path, struct str *printed)
{
	static const char *const allow[] = {"TAG", NULL};
	_cleanup_free_ char *dir = xstrdup(path);
	CLEANUP(diags_free) struct diags diags = {0};
	_cleanup_str_ struct str text = {0};
	struct spec *spec = NULL;
	struct err err = {0};

	if (slurp(path, FILE_MAX, &text, &err) < 0)
		fail_msg("%s", err.msg);
	*strrchr(dir, '/') = '\0';
	struct beside beside = {{read_beside}, dir};
	struct spec_input in = {
		.name = strrchr(path, '/') + 1,
		.text = str_cstr(&text),
		.len = text.len,
		.files = &beside.files,
		.allow_env = str_starts(path, EXAMPLES) ? NULL : allow,
	};
	bool loaded = spec_load(&in, &spec, &diags, &err) == 0;
	diags_print(&diags, in.text, printed);
	if (!loaded && err.code != ERR_SPEC)
		fail_msg("%s: %s", path, err.msg);
	spec_free(spec);
	return loaded;
}

static void rewrite(const char *path, const struct str *printed)
{
	if (printed->len == 0) {
		assert_true(unlink(path) == 0 || errno == ENOENT);
		return;
	}
	FILE *f = fopen(path, "we");
	assert_non_null(f);
	assert_int_equal(fwrite(str_cstr(printed), 1, printed->len, f), printed->len);
	assert_int_equal(fclose(f), 0);
}

static void run_case(void **state)
{
	const char *path = *state;
	_cleanup_free_ char *expected_path = xasprintf("%.*s.expected", (int)(strlen(path) - strlen(".yaml")), path);
	_cleanup_str_ struct str printed = {0}, expected = {0};
	struct err err = {0};
	bool loaded = load(path, &printed), example = str_starts(path, EXAMPLES);

	if (loaded != (example || strstr(path, "/good/")))
		fail_msg("%s %s:\n%s", path, loaded ? "loads" : "does not load", str_cstr(&printed));
	if (getenv("UPDATE_GOLDEN") && !example)
		rewrite(expected_path, &printed);
	else if (access(expected_path, F_OK) == 0 && slurp(expected_path, FILE_MAX, &expected, &err) < 0)
		fail_msg("%s", err.msg);
	else
		assert_string_equal(str_cstr(&printed), str_cstr(&expected));
}

int main(void)
{
	const char *root = getenv("CASES") ? getenv("CASES") : "tests/cases/spec", *one = getenv("CASE");
	_cleanup_free_ char *pattern = xasprintf("%s/%s.yaml", root, one ? one : "*/*");
	VEC(struct CMUnitTest) tests = {0};
	glob_t found = {0};

	json_init();
	if (glob(pattern, 0, NULL, &found) != 0) {
		fprintf(stderr, "no cases match %s\n", pattern);
		return 1;
	}
	if (!one && !getenv("CASES") && glob(EXAMPLES "*/cluster*.yaml", GLOB_APPEND, NULL, &found) != 0) {
		fprintf(stderr, "no examples\n");
		return 1;
	}
	for (size_t i = 0; i < found.gl_pathc; i++) {
		char *path = found.gl_pathv[i];
		vec_push(&tests, ((struct CMUnitTest){.name = path, .test_func = run_case, .initial_state = path}));
	}
	int failed = _cmocka_run_group_tests("spec cases", tests.v, tests.n, NULL, NULL);
	vec_free(&tests);
	globfree(&found);
	return failed;
}
