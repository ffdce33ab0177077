/* What verify says of a plan; the snapshots and specs are golden cases of the kinds (tests/cases). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/observe.h"
#include "run/verify/verify.h"
#include "source/source.h"
#include "sys/clock.h"
#include "sys/file.h"

static json_t *verify_case(const char *name, const json_t *gates)
{
	const char *root = getenv("CASES") ? getenv("CASES") : "tests/cases";
	_cleanup_free_ char *path = xasprintf("%s/%s/spec.yaml", root, name),
			    *seen = xasprintf("%s/%s/live.json", root, name);
	const struct source_options so = {.path = path, .deadline = clock_ms() + 5000};
	CLEANUP(diags_free) struct diags diags = {0};
	_cleanup_str_ struct str text = {0};
	_cleanup_json_ json_t *j = NULL, *shared = json_object();
	struct resource_set *want, *live;
	struct snapshot *snap;
	struct source *source;
	struct spec *spec;
	struct err err = {0};

	if (source_open(&so, &source, &err) < 0 || file_read(seen, 8 << 20, &text, &err) < 0 ||
	    json_parse(str_cstr(&text), text.len, &j, &err) < 0 || snapshot_from_json(j, &snap, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
	const struct spec_input in = {.name = "spec.yaml",
				      .text = str_cstr(source_text(source)),
				      .len = source_text(source)->len,
				      .files = source_files(source)};
	if (spec_load(&in, &spec, &diags, &err) < 0 || build_resources(spec, snap, &want, &live, &err) < 0)
		fail_msg("%s: %s", name, err.msg);
	const struct plan_facts facts = {.shared = shared, .now = manager_time(snap)};
	struct plan *plan = build_plan(spec, snap, want, live, &facts);
	const struct verify_facts f = {
		.spec = spec, .snap = snap, .want = want, .live = live, .plan = plan, .gates = gates};
	json_t *doc = verify_make(&f);
	plan_free(plan);
	resource_set_free(want);
	resource_set_free(live);
	snapshot_free(snap);
	spec_free(spec);
	source_close(source);
	return doc;
}

static const char *member(const json_t *doc, const char *check, const char *name)
{
	json_t *j;
	size_t i;

	json_array_foreach (json_object_get(doc, "checks"), i, j)
		if (str_eq(json_str(j, "check"), check))
			return json_str(j, name);
	return "(no such check)";
}

static void what_is_as_the_spec_says_is_well(void **state)
{
	(void)state;
	_cleanup_json_ json_t *doc = verify_case("network/in-sync", NULL);
	const json_t *summary = json_object_get(doc, "summary");
	assert_int_equal(json_int(summary, "failed", -1), 0);
	assert_int_equal(json_int(summary, "unknown", -1), 0);
	assert_true(json_int(summary, "ok", 0) > 0);
	assert_int_equal(verify_exit(doc), 0);
	assert_false(verify_may_change(doc));
}

static void what_differs_fails_with_its_fields(void **state)
{
	(void)state;
	_cleanup_json_ json_t *doc = verify_case("service/labels-only", NULL);
	assert_int_equal(verify_exit(doc), 1);
	char *text = json_dumps(doc, JSON_COMPACT);
	assert_non_null(strstr(text, "it differs from the spec: labels"));
	free(text);
	assert_false(verify_may_change(doc));
}

static void what_is_left_over_or_missing_fails(void **state)
{
	(void)state;
	_cleanup_json_ json_t *left = verify_case("network/prune", NULL),
			      *missing = verify_case("network/create", NULL);
	assert_int_equal(verify_exit(left), 1);
	assert_int_equal(verify_exit(missing), 1);
}

/* Nothing observed is nothing known: neither well nor failed. */
static void what_was_not_observed_is_unknown(void **state)
{
	(void)state;
	_cleanup_json_ json_t *doc = verify_case("service/engine-did-not-answer", NULL);
	assert_int_equal(json_int(json_object_get(doc, "summary"), "failed", -1), 0);
	assert_true(json_int(json_object_get(doc, "summary"), "unknown", 0) > 0);
	assert_int_equal(verify_exit(doc), 3);
}

static void a_route_is_what_its_gate_says(void **state)
{
	static const char route[] = "route/web";
	_cleanup_json_ json_t *met = json_pack("{s:{s:b}}", route, "met", 1);
	_cleanup_json_ json_t *waits =
		json_pack("{s:{s:b, s:b, s:s}}", route, "met", 0, "waiting", 1, "reason", "not yet");
	_cleanup_json_ json_t *unseen =
		json_pack("{s:{s:b, s:b, s:s}}", route, "met", 0, "unknown", 1, "reason", "away");
	_cleanup_json_ json_t *saw = json_pack("{s:{s:b, s:s}}", route, "met", 1, "reason", "HTTP 200");
	const json_t *gates[] = {met, waits, unseen, NULL};
	const char *states[] = {"ok", "failed", "unknown", "unknown"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++) {
		_cleanup_json_ json_t *doc = verify_case("route/labels-v3.2.2", gates[i]);
		assert_string_equal(member(doc, route, "state"), states[i]);
	}
	_cleanup_json_ json_t *doc = verify_case("route/labels-v3.2.2", waits);
	assert_string_equal(member(doc, route, "what"), "not yet");
	_cleanup_json_ json_t *seen = verify_case("route/labels-v3.2.2", saw);
	assert_string_equal(member(seen, route, "what"), "HTTP 200");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_as_the_spec_says_is_well),
		cmocka_unit_test(what_differs_fails_with_its_fields),
		cmocka_unit_test(what_is_left_over_or_missing_fails),
		cmocka_unit_test(what_was_not_observed_is_unknown),
		cmocka_unit_test(a_route_is_what_its_gate_says),
	};

	json_init();
	return cmocka_run_group_tests_name("verify", tests, NULL, NULL);
}
