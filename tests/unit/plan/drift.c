/* `drift: report`: what somebody else changed is told; what the spec changes is applied. */
#include "sets.h"

/* In sync, and recorded so; what a test changes then is drift (live) or intent (the spec). */
static struct resource *add_reported(struct sets *s)
{
	struct resource *w = add(s->want, "svc", "a",
				 json_pack("{s:{s:s,s:s},s:{s:s}}", "labels", "a", "1", "b", "1", "env", "A", "1"));
	add(s->live, "svc", "a", json_deep_copy(w->body));
	w->report_drift = true;
	record(s, "report", "svc/a", plan_report(w, test_fingerprint));
	return w;
}

static json_t *member(struct resource_set *set, const char *field)
{
	return json_object_get(resource_find(set, "svc", "a")->body, field);
}

static void drift_is_told_and_left(void **state)
{
	struct sets *s = *state;
	add_reported(s);
	json_set_str(member(s->live, "labels"), "a", "x");
	json_set_str(member(s->live, "labels"), "new", "y");
	struct plan *p = make(s);
	assert_true(plan_is_empty(p));
	assert_int_equal(p->in_sync, 0);
	assert_int_equal(p->notes.n, 1);
	assert_string_equal(p->notes.v[0].text, "drift, not repaired: labels.a is \"x\", the spec says \"1\"\n"
						"drift, not repaired: labels.new is \"y\", the spec says (not set)");
}

static void what_the_spec_changes_is_applied(void **state)
{
	struct sets *s = *state;
	struct resource *w = add_reported(s);
	json_set_str(member(s->live, "labels"), "a", "x");
	json_set_str(member(s->want, "env"), "A", "2");
	const struct change *c = plan_of(s, "svc/a");
	assert_int_equal(c->action, ACTION_UPDATE);
	assert_int_equal(c->fields.n, 1);
	assert_string_equal(c->fields.v[0].path, "env[A]");
	assert_int_equal(s->plan->notes.n, 1);
	/* A writer writes whole fields of the desired body: the drifted one is as it is live. */
	assert_string_equal(json_str(json_object_get(c->desired->body, "labels"), "a"), "x");
	assert_string_equal(json_str(json_object_get(c->desired->body, "env"), "A"), "2");
	assert_string_equal(json_str(json_object_get(w->body, "labels"), "a"), "1");
}

static void order_and_references_stay(void **state)
{
	struct sets *s = *state;
	struct resource *w = add_reported(s);
	add(s->want, "net", "n", json_object());
	add_absent(s, "net", "n");
	resource_ref(s->want, w, REF_REQUIRES, (struct mark){0}, "net/n");
	json_set_str(member(s->live, "labels"), "a", "x");
	json_set_str(member(s->want, "env"), "A", "2");
	const struct change *c = plan_of(s, "svc/a");
	assert_int_equal(c->requires.n, 1);
	assert_string_equal(s->plan->changes.v[0].key, "net/n");
}

static void disruption_is_of_what_is_applied(void **state)
{
	struct sets *s = *state;
	add_reported(s);
	json_set_str(member(s->live, "env"), "A", "x");
	json_set_str(member(s->want, "labels"), "a", "2");
	assert_int_equal(plan_of(s, "svc/a")->disruption, DISRUPTS_NOTHING);
}

/* Same desired value as recorded, also when that is none. */
static void a_field_that_the_spec_never_had_drifts(void **state)
{
	struct sets *s = *state;
	struct resource *w = add_reported(s);
	json_set_int(resource_find(s->live, "svc", "a")->body, "wait", 5);
	assert_true(plan_is_empty(make(s)));
	json_object_del(w->body, "env");
	const struct change *c = plan_of(s, "svc/a");
	assert_int_equal(c->fields.n, 1);
	assert_null(c->fields.v[0].to);
	assert_string_equal(c->fields.v[0].path, "env[A]");
}

static void without_a_record_everything_is_meant(void **state)
{
	struct sets *s = *state;
	add_reported(s);
	json_set_str(member(s->live, "labels"), "a", "x");
	json_object_del(json_object_get(s->shared, "report"), "svc/a");
	assert_int_equal(plan_of(s, "svc/a")->action, ACTION_UPDATE);
	s->in.shared = NULL;
	assert_int_equal(plan_of(s, "svc/a")->action, ACTION_UPDATE);
}

static void ignored_members_are_no_intent(void **state)
{
	struct sets *s = *state;
	struct resource *w = add_reported(s);
	vec_push(&w->ignore, "labels[b]");
	record(s, "report", "svc/a", plan_report(w, test_fingerprint));
	json_set_str(member(s->live, "labels"), "a", "x");
	json_set_str(member(s->want, "labels"), "b", "settled");
	json_set_str(member(s->live, "labels"), "b", "settled");
	assert_true(plan_is_empty(make(s)));
	assert_has(s->plan->notes.v[0].text, "labels.a");
}

static void a_secret_is_not_told(void **state)
{
	struct sets *s = *state;
	struct resource *w = add_reported(s);
	json_set_str(w->body, "token", "hunter1");
	record(s, "report", "svc/a", plan_report(w, test_fingerprint));
	json_set_str(resource_find(s->live, "svc", "a")->body, "token", "hunter2");
	assert_true(plan_is_empty(make(s)));
	assert_string_equal(s->plan->notes.v[0].text, "drift, not repaired: token differs from the spec");
}

static void what_was_removed_is_not_made_again(void **state)
{
	struct sets *s = *state;
	add_reported(s);
	resource_find(s->live, "svc", "a")->presence = ABSENT;
	struct plan *p = make(s);
	assert_true(plan_is_empty(p));
	assert_has(p->notes.v[0].text, "it was removed");
	json_set_str(member(s->want, "env"), "A", "2");
	assert_int_equal(plan_of(s, "svc/a")->action, ACTION_CREATE);
}

static void what_came_back_is_not_removed(void **state)
{
	struct sets *s = *state;
	struct resource *w = add(s->want, "svc", "a", json_pack("{s:i}", "wait", 1));
	w->presence = ABSENT;
	add(s->live, "svc", "a", json_pack("{s:s,s:i}", "mode", "running", "wait", 2));
	w->report_drift = true;
	assert_int_equal(plan_of(s, "svc/a")->action, ACTION_REMOVE);
	record(s, "report", "svc/a", plan_report(w, test_fingerprint));
	assert_true(plan_is_empty(make(s)));
	assert_has(s->plan->notes.v[0].text, "drift, not repaired: mode is \"running\"");
}

static void others_are_repaired(void **state)
{
	struct sets *s = *state;
	add_reported(s)->report_drift = false;
	json_set_str(member(s->live, "labels"), "a", "x");
	assert_int_equal(plan_of(s, "svc/a")->action, ACTION_UPDATE);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(drift_is_told_and_left),
		TEST(what_the_spec_changes_is_applied),
		TEST(order_and_references_stay),
		TEST(disruption_is_of_what_is_applied),
		TEST(a_field_that_the_spec_never_had_drifts),
		TEST(without_a_record_everything_is_meant),
		TEST(ignored_members_are_no_intent),
		TEST(a_secret_is_not_told),
		TEST(what_was_removed_is_not_made_again),
		TEST(what_came_back_is_not_removed),
		TEST(others_are_repaired),
	};
	json_init();
	return cmocka_run_group_tests_name("drift", tests, NULL, NULL);
}
