#include "run/outcome.h"
#include "run/observe.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

/* With one section in the shared state. */
static struct safety *observed(const char *label, const char *section)
{
	const struct engine_options o = {.host = "unix:///nonexistent/docker.sock"};
	struct engine *e;
	struct err err = {0};

	assert_int_equal(engine_open(&o, &e, &err), 0);
	struct safety *s = safety_new(e, "shop");
	engine_close(e);
	struct snapshot *snap = snapshot_new();
	snapshot_put(snap, "engine/info",
		     json_pack("{s:{s:s,s:b}}", "Swarm", "LocalNodeState", "active", "ControlAvailable", 1));
	snapshot_put(snap, "engine/configs",
		     json_pack("[{s:s,s:{s:i},s:{s:s,s:{s:s,s:s}}}]", "ID", "abc", "Version", "Index", 7, "Spec",
			       "Name", "reconcile-shop-state", "Labels", "io.reconcile.state", "shop", label, section));
	assert_int_equal(safety_observe(s, snap, &err), 0);
	snapshot_free(snap);
	return s;
}

/* The end of a pass that left out one thing (NULL: none), and whose plan has nothing but these. */
static void settle(struct safety *s, const char *left_out, const struct change *changes, size_t n)
{
	struct resource_set *want = resource_set_new(), *live = resource_set_new();
	const struct plan_input in = {.cluster = "shop", .want = want, .live = live};
	struct plan *p = plan_make(&in);

	if (left_out)
		vec_push(&p->left_out, left_out);
	for (size_t i = 0; i < n; i++)
		vec_push(&p->changes, changes[i]);
	outcome_settled(s, p, want, live);
	plan_free(p);
	resource_set_free(want);
	resource_set_free(live);
}

static bool is_failed(const char *left_out)
{
	struct safety *s = observed("io.reconcile.state.failed",
				    "{\"service/gone\":{\"spec\":\"1\",\"reason\":\"no such image\",\"at\":1}}");

	settle(s, left_out, NULL, 0);
	_cleanup_json_ json_t *entry = safety_get(s, "failed", "service/gone");
	safety_free(s);
	return entry;
}

/* It never ran, so that taking it out of the spec changes nothing; back again it is a new service. */
static void test_what_left_the_spec_has_not_failed(void **state)
{
	(void)state;
	assert_false(is_failed(NULL));
}

static void test_what_is_to_be_removed_has_failed_still(void **state)
{
	(void)state;
	assert_true(is_failed("service/gone"));
}

/* A run that was killed right after its change could not forget it. */
static void test_evidence_of_what_needs_nothing_is_forgotten(void **state)
{
	struct safety *s =
		observed("io.reconcile.state.gates",
			 "{\"absent/gone\":{\"n\":1},\"absent/left\":{\"n\":1},\"unmet\":{\"route/web\":true}}");

	(void)state;
	settle(s, "absent/left", NULL, 0);
	_cleanup_json_ json_t *gone = safety_get(s, "gates", "absent/gone"),
			      *left = safety_get(s, "gates", "absent/left"), *unmet = safety_get(s, "gates", "unmet");
	assert_null(gone);
	assert_non_null(left);
	assert_non_null(unmet);
	safety_free(s);
}

/* Of a gate that holds, where it is the last thing of a plan, or another gate waits. */
static bool is_kept(enum change_state of_another)
{
	struct safety *s = observed("io.reconcile.state.gates", "{\"route/web\":{\"since\":1}}");
	const struct kind *route = kind_find("route");
	const struct change gates[] = {
		{.kind = route, .key = "route/web", .action = ACTION_VERIFY, .state = CHANGE_READY},
		{.kind = route, .key = "route/other", .action = ACTION_VERIFY, .state = of_another},
	};

	settle(s, NULL, gates, ARRAY_SIZE(gates));
	_cleanup_json_ json_t *entry = safety_get(s, "gates", "route/web");
	safety_free(s);
	return entry;
}

/* Else the next run, which has no plan any more, would have something to write. */
static void test_evidence_of_gates_that_hold_is_forgotten_at_the_end(void **state)
{
	(void)state;
	assert_false(is_kept(CHANGE_READY));
	assert_true(is_kept(CHANGE_WAITING));
}

/* What is left of a failure of that spec, when the service runs well as its spec says now. */
static json_t *left_of(const char *spec)
{
	_cleanup_free_ char *section =
		xasprintf("{\"service/web\":{\"spec\":\"%s\",\"reason\":\"no such image\",\"at\":1}}", spec);
	struct safety *s = observed("io.reconcile.state.failed", section);
	struct resource_set *want = resource_set_new(), *live = resource_set_new();
	const struct plan_input in = {.cluster = "shop", .want = want, .live = live};

	resource_set_field(want, resource_add(want, "service", "web"), "image", json_string("web:1"), (struct mark){0});
	resource_add(live, "service", "web")->presence = PRESENT;
	struct plan *p = plan_make(&in);
	outcome_settled(s, p, want, live);
	json_t *left = safety_get(s, "failed", "service/web");
	plan_free(p);
	resource_set_free(want);
	resource_set_free(live);
	safety_free(s);
	return left;
}

/* A second reconciler may be on an older commit, whose spec runs well. */
static void test_what_another_spec_failed_by_is_past_not_forgotten(void **state)
{
	_cleanup_json_ json_t *body = json_pack("{s:s}", "image", "web:1");
	char hex[65];

	(void)state;
	fingerprint(body, hex);
	_cleanup_json_ json_t *of_another = left_of("1"), *its_own = left_of(hex);
	assert_null(its_own);
	assert_true(json_bool(of_another, "past"));
	assert_string_equal(json_str(of_another, "spec"), "1");
}

static void begin(struct safety *s, const struct change *c)
{
	struct resource_set *none = resource_set_new();
	const struct plan_input in = {.cluster = "shop", .want = none, .live = none};
	struct plan *p = plan_make(&in);

	vec_push(&p->changes, *c);
	outcome_begun(s, p, 1000);
	p->changes.n = 0;
	plan_free(p);
	resource_set_free(none);
}

/* How often the value counts as written again, after these writes in a row of it, or of another one; of "b?" the end is
 * not known. */
static size_t count_reverts(struct safety *s, const char *path, enum why why, const char *const *values)
{
	struct resource desired = {.kind = "service", .name = "web", .presence = PRESENT};

	for (int64_t now = 1000; *values; values++, now++) {
		size_t n = strcspn(*values, "?");
		_cleanup_json_ json_t *value = json_stringn(*values, n);
		struct change c = {.kind = kind_find("service"),
				   .key = "service/web",
				   .action = ACTION_UPDATE,
				   .desired = &desired,
				   .live = &desired};
		const struct field_change f = {.path = path, .field = "image", .to = value, .why = why};
		const struct step_result r = {0};
		desired.body = json_object();
		vec_push(&c.fields, f);
		begin(s, &c);
		if (!(*values)[n])
			assert_false(outcome_step(s, &c, &r, now));
		vec_free(&c.fields);
		json_decref(desired.body);
	}
	_cleanup_json_ json_t *all = safety_get(s, "reverts", "service/web");
	return json_array_size(json_object_get(json_object_get(all, path), "at"));
}

/* Without a record of what was applied (WHY_SPEC) the first write of a value is none of its repairs. */
static void test_a_value_that_is_written_again_is_a_revert(void **state)
{
	static const char *const same[] = {"a", "a", "a", NULL}, *const changing[] = {"a", "b", "a", NULL};
	static const char *const killed[] = {"a", "b?", "a", NULL}, *const killed_again[] = {"a", "a?", "a", NULL};
	struct safety *s = observed("io.reconcile.state.gates", "{}");

	(void)state;
	assert_int_equal(count_reverts(s, "one", WHY_SPEC, same), 2);
	assert_int_equal(count_reverts(s, "two", WHY_SPEC, changing), 0);
	assert_int_equal(count_reverts(s, "three", WHY_DRIFT, same), 3);
	assert_int_equal(count_reverts(s, "four", WHY_DRIFT, changing), 3);
	assert_int_equal(count_reverts(s, "five", WHY_SPEC, killed), 0);
	assert_int_equal(count_reverts(s, "six", WHY_SPEC, killed_again), 1);
	safety_free(s);
}

/* "loaded: true" is written with each new value of what is loaded: nobody fights over it. */
static void test_what_goes_with_a_new_value_is_no_revert(void **state)
{
	static const char *const values[] = {"1", "2", "3", "4"};
	struct safety *s = observed("io.reconcile.state.gates", "{}");
	struct resource desired = {.kind = "service", .name = "web", .presence = PRESENT};

	(void)state;
	desired.body = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		_cleanup_json_ json_t *value = json_string(values[i]);
		struct change c = {.kind = kind_find("service"),
				   .key = "service/web",
				   .action = ACTION_UPDATE,
				   .desired = &desired,
				   .live = &desired};
		const struct field_change fields[] = {
			{.path = "daemon", .field = "daemon", .to = value},
			{.path = "loaded", .field = "loaded", .to = json_true()},
		};
		const struct step_result r = {0};
		for (size_t k = 0; k < ARRAY_SIZE(fields); k++)
			vec_push(&c.fields, fields[k]);
		assert_false(outcome_step(s, &c, &r, 1000 + (int64_t)i));
		vec_free(&c.fields);
	}
	_cleanup_json_ json_t *all = safety_get(s, "reverts", "service/web");
	assert_int_equal(json_array_size(json_object_get(json_object_get(all, "loaded"), "at")), 0);
	json_decref(desired.body);
	safety_free(s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_what_left_the_spec_has_not_failed),
		cmocka_unit_test(test_what_is_to_be_removed_has_failed_still),
		cmocka_unit_test(test_evidence_of_what_needs_nothing_is_forgotten),
		cmocka_unit_test(test_evidence_of_gates_that_hold_is_forgotten_at_the_end),
		cmocka_unit_test(test_what_another_spec_failed_by_is_past_not_forgotten),
		cmocka_unit_test(test_a_value_that_is_written_again_is_a_revert),
		cmocka_unit_test(test_what_goes_with_a_new_value_is_no_revert),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
