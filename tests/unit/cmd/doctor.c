/*
 * The traps of the doctor: tests/cases/doctor/<case>/ holds seen.json (a snapshot, run/doctor/doctor.h), maybe
 * spec.yaml, and findings.txt, what `doctor` prints. UPDATE_GOLDEN=1 rewrites it; CASE=name runs one. Every trap has a
 * case of its name that finds it.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cmd/doctor_text.h"
#include "run/doctor/doctor.h"
#include "sys/file.h"

#define MAX_FILE (8 << 20)

static const char *root(void)
{
	return getenv("CASES") ? getenv("CASES") : "tests/cases";
}

static struct snapshot *load_snapshot(const char *dir)
{
	_cleanup_free_ char *path = xasprintf("%s/seen.json", dir);
	_cleanup_str_ struct str text = {0};
	_cleanup_json_ json_t *j = NULL;
	struct snapshot *snap = NULL;
	struct err err = {0};

	if (file_read(path, MAX_FILE, &text, &err) < 0 || json_parse(str_cstr(&text), text.len, &j, &err) < 0 ||
	    snapshot_from_json(j, &snap, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	return snap;
}

/* NULL: the case has none. */
static struct spec *load_spec(const char *dir, struct diags *diags)
{
	_cleanup_free_ char *path = xasprintf("%s/spec.yaml", dir);
	_cleanup_str_ struct str text = {0};
	struct spec *spec = NULL;
	struct err err = {0};

	if (file_read(path, MAX_FILE, &text, &err) < 0)
		return NULL;
	const struct spec_input in = {.name = "spec.yaml", .text = str_cstr(&text), .len = text.len};
	if (spec_load(&in, &spec, diags, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	return spec;
}

static json_t *examine(const char *dir)
{
	CLEANUP(diags_free) struct diags diags = {0};
	struct spec *spec = load_spec(dir, &diags);
	struct snapshot *snap = load_snapshot(dir);
	const struct doctor_facts f = {.spec = spec, .diags = &diags, .snap = snap};
	json_t *doc = doctor_make(&f);

	snapshot_free(snap);
	spec_free(spec);
	return doc;
}

static void check_case(void **state)
{
	const char *dir = *state;
	const struct text_style style = {0};
	_cleanup_free_ char *path = xasprintf("%s/findings.txt", dir);
	_cleanup_str_ struct str got = {0}, expected = {0};
	_cleanup_json_ json_t *doc = examine(dir);
	struct err err = {0};

	str_addf(&got, "exit %d\n\n", doctor_exit(doc));
	doctor_text(doc, &style, &got);
	if (getenv("UPDATE_GOLDEN")) {
		if (file_write_atomic(path, str_cstr(&got), got.len, 0644, &err) < 0)
			fail_msg("%s", err.msg);
		return;
	}
	if (file_read(path, MAX_FILE, &expected, &err) < 0)
		fail_msg("%s (UPDATE_GOLDEN=1 writes it)", err.msg);
	assert_string_equal(str_cstr(&got), str_cstr(&expected));
}

static bool finds(const json_t *doc, const char *id)
{
	json_t *j;
	size_t i;

	json_array_foreach (json_object_get(doc, "findings"), i, j)
		if (str_eq(json_str(j, "id"), id))
			return true;
	return false;
}

static void every_trap_has_its_case(void **state)
{
	size_t n;
	const struct trap *const *traps = doctor_traps(&n);

	(void)state;
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *dir = xasprintf("%s/doctor/%s", root(), traps[i]->id);
		_cleanup_json_ json_t *doc = examine(dir);
		if (!finds(doc, traps[i]->id))
			fail_msg("the case %s does not find its trap", dir);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(traps[i]->id, traps[k]->id);
	}
}

int main(void)
{
	const char *one = getenv("CASE");
	_cleanup_free_ char *pattern = xasprintf("%s/doctor/%s/seen.json", root(), one ? one : "*");
	VEC(struct CMUnitTest) tests = {0};
	glob_t g = {0};

	json_init();
	if (glob(pattern, 0, NULL, &g) != 0) {
		fprintf(stderr, "no cases match %s\n", pattern);
		return 1;
	}
	vec_push(&tests, ((struct CMUnitTest)cmocka_unit_test(every_trap_has_its_case)));
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char *dir = xstrdup(g.gl_pathv[i]);
		*strrchr(dir, '/') = '\0';
		vec_push(&tests, ((struct CMUnitTest){.name = dir, .test_func = check_case, .initial_state = dir}));
	}
	/* The macro wants an array; the function behind it takes a count. */
	int failed = _cmocka_run_group_tests("doctor", tests.v, tests.n, NULL, NULL);
	for (size_t i = 1; i < tests.n; i++)
		free((char *)tests.v[i].name);
	vec_free(&tests);
	globfree(&g);
	return failed;
}
