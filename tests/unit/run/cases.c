/*
 * The golden cases: tests/cases/<kind>/<case>/ holds spec.yaml, live.json (a
 * snapshot, model/snapshot.h; case/shared: the sections of the shared state) and plan.txt, the text of the plan.
 * UPDATE_GOLDEN=1 rewrites plan.txt; CASE=kind/case runs one.
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
#include <unistd.h>

#include "plan/render.h"
#include "run/observe.h"
#include "source/source.h"
#include "sys/clock.h"
#include "sys/file.h"

#define MAX_FILE (8 << 20)

static struct snapshot *load_snapshot(const char *dir)
{
	_cleanup_free_ char *path = xasprintf("%s/live.json", dir);
	_cleanup_str_ struct str text = {0};
	_cleanup_json_ json_t *j = NULL;
	struct snapshot *snap = NULL;
	struct err err = {0};

	if (file_read(path, MAX_FILE, &text, &err) < 0 || json_parse(str_cstr(&text), text.len, &j, &err) < 0 ||
	    snapshot_from_json(j, &snap, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	if (!snapshot_get(snap, "run/options", NULL))
		snapshot_put(snap, "run/options", json_pack("{s:b}", "may_init", 0));
	return snap;
}

static void plan_case(const char *dir, struct str *out)
{
	_cleanup_free_ char *path = xasprintf("%s/spec.yaml", dir);
	const struct source_options so = {.path = path, .deadline = clock_ms() + 5000};
	CLEANUP(diags_free) struct diags diags = {0};
	struct resource_set *want = NULL, *live = NULL;
	struct source *source;
	struct spec *spec;
	struct err err = {0};

	if (source_open(&so, &source, &err) < 0)
		fail_msg("%s", err.msg);
	struct spec_input in = {
		.name = "spec.yaml",
		.text = str_cstr(source_text(source)),
		.len = source_text(source)->len,
		.files = source_files(source),
	};
	if (spec_load(&in, &spec, &diags, &err) < 0) {
		diags_print(&diags, in.text, out);
		fail_msg("%s: %s\n%s", path, err.msg, str_cstr(out));
	}
	struct snapshot *snap = load_snapshot(dir);
	if (build_resources(spec, snap, &want, &live, &err) < 0)
		fail_msg("%s: %s", dir, err.msg);
	_cleanup_json_ json_t *last = json_object();
	const struct plan_facts facts = {
		.last = last,
		.shared = snapshot_get(snap, "case/shared", NULL),
		.now = manager_time(snap),
	};
	struct plan *p = build_plan(spec, snap, want, live, &facts);
	struct render_context ctx = {.cluster = spec_cluster(spec), .source = "spec.yaml", .engine = "live.json"};
	render_text(p, &ctx, out);
	plan_free(p);
	resource_set_free(want);
	resource_set_free(live);
	snapshot_free(snap);
	spec_free(spec);
	source_close(source);
}

static void check_case(void **state)
{
	const char *dir = *state;
	_cleanup_free_ char *path = xasprintf("%s/plan.txt", dir);
	_cleanup_str_ struct str got = {0}, expected = {0};
	struct err err = {0};

	plan_case(dir, &got);
	if (getenv("UPDATE_GOLDEN")) {
		if (file_write_atomic(path, str_cstr(&got), got.len, 0644, &err) < 0)
			fail_msg("%s", err.msg);
		return;
	}
	if (file_read(path, MAX_FILE, &expected, &err) < 0)
		fail_msg("%s (UPDATE_GOLDEN=1 writes it)", err.msg);
	assert_string_equal(str_cstr(&got), str_cstr(&expected));
}

int main(void)
{
	const char *root = getenv("CASES") ? getenv("CASES") : "tests/cases", *one = getenv("CASE");
	_cleanup_free_ char *pattern =
		one ? xasprintf("%s/%s/live.json", root, one) : xasprintf("%s/*/*/live.json", root);
	VEC(struct CMUnitTest) tests = {0};
	glob_t g = {0};

	json_init();
	if (glob(pattern, 0, NULL, &g) != 0) {
		fprintf(stderr, "no cases match %s\n", pattern);
		return 1;
	}
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char *dir = xstrdup(g.gl_pathv[i]);
		*strrchr(dir, '/') = '\0';
		vec_push(&tests, ((struct CMUnitTest){.name = dir, .test_func = check_case, .initial_state = dir}));
	}
	/* The macro wants an array; the function behind it takes a count. */
	int failed = _cmocka_run_group_tests("cases", tests.v, tests.n, NULL, NULL);
	for (size_t i = 0; i < tests.n; i++)
		free((char *)tests.v[i].name);
	vec_free(&tests);
	globfree(&g);
	return failed;
}
