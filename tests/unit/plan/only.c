/* --only: a part of the plan that can be applied alone. */
#include "sets.h"

#include "plan/schedule.h"

static struct resource *add_new(struct sets *s, const char *kind, const char *name)
{
	add_absent(s, kind, name);
	return add(s->want, kind, name, json_object());
}

/* svc/web requires net/front and check/db, check/db looks at svc/db, svc/web comes after svc/other. */
static void add_cluster(struct sets *s)
{
	static const struct {
		const char *kind, *name, *target;
		enum ref_type type;
	} refs[] = {
		{"svc", "web", "net/front", REF_REQUIRES},   {"svc", "web", "check/db", REF_REQUIRES},
		{"check", "db", "svc/db", REF_REQUIRES},     {"svc", "web", "svc/other", REF_ORDER},
		{"svc", "other", "net/front", REF_REQUIRES}, {"svc", "other", "net/back", REF_REQUIRES},
	};
	static const char *const made[][2] = {{"net", "front"}, {"net", "back"}, {"svc", "db"},
					      {"svc", "other"}, {"svc", "web"},  {"svc", "far"}};
	for (size_t i = 0; i < ARRAY_SIZE(made); i++)
		add_new(s, made[i][0], made[i][1]);
	add(s->want, "check", "db", json_object());
	add(s->live, "check", "db", json_object());
	add(s->live, "net", "old", json_object());
	for (size_t i = 0; i < ARRAY_SIZE(refs); i++)
		resource_ref(s->want, resource_find(s->want, refs[i].kind, refs[i].name), refs[i].type,
			     (struct mark){0}, "%s", refs[i].target);
}

static void the_rest_leaves_the_plan(void **state)
{
	struct sets *s = *state;
	static const char *const only[] = {"svc/web", NULL};
	add_cluster(s);
	assert_int_equal(make(s)->changes.n, 8);
	s->in.only = only;
	struct plan *p = make(s);
	assert_int_equal(p->changes.n, 4);
	assert_non_null(find_change(p, "net/front"));
	assert_non_null(find_change(p, "svc/db"));
	assert_int_equal(find_change(p, "check/db")->action, ACTION_VERIFY);
	assert_non_null(find_change(p, "svc/web"));
	assert_true(plan_mentions(p, "svc/web"));
	assert_true(plan_mentions(p, "svc/far")); /* it is not in sync */
	assert_false(plan_mentions(p, "svc/else"));
	assert_int_equal(p->held.n, 1);
	assert_string_equal(p->held.v[0].text,
			    "only svc/web and what it requires: 4 other changes are left out, nothing is pruned");
}

static void indices_are_of_the_smaller_plan(void **state)
{
	struct sets *s = *state;
	static const char *const only[] = {"svc/web", NULL};
	add_cluster(s);
	s->in.only = only;
	struct plan *p = make(s);
	for (size_t i = 0; i < p->changes.n; i++) {
		const struct change *c = &p->changes.v[i];
		for (size_t k = 0; k < c->after.n; k++)
			assert_true(c->after.v[k] < i);
		for (size_t k = 0; k < c->requires.n; k++)
			assert_true(c->requires.v[k] < i);
	}
	const struct change *web = find_change(p, "svc/web");
	assert_int_equal(web->requires.n, 2);
	assert_string_equal(p->changes.v[find_change(p, "check/db")->requires.v[0]].key, "svc/db");
}

/* web comes after other, other after back: with other left out, web still comes after back. */
static void order_passes_through_what_is_left_out(void **state)
{
	struct sets *s = *state;
	static const char *const only[] = {"svc/web", "net/back", NULL};
	bool found = false;
	add_cluster(s);
	s->in.only = only;
	struct plan *p = make(s);
	const struct change *web = find_change(p, "svc/web");
	assert_null(find_change(p, "svc/other"));
	for (size_t k = 0; k < web->after.n; k++)
		found |= strcmp(p->changes.v[web->after.v[k]].key, "net/back") == 0;
	assert_true(found);
}

static void nothing_is_pruned(void **state)
{
	struct sets *s = *state;
	static const char *const only[] = {"net/old", "svc/far", NULL};
	add_cluster(s);
	s->in.only = only;
	s->in.max_deletions = 0;
	struct plan *p = make(s);
	assert_int_equal(p->changes.n, 1);
	assert_string_equal(p->changes.v[0].key, "svc/far");
}

static void what_is_held_holds_what_is_left(void **state)
{
	struct sets *s = *state;
	static const char *const only[] = {"svc/web", NULL};
	add_cluster(s);
	resource_block(s->want, resource_find(s->want, "net", "front"), "no address pool");
	resource_block(s->want, resource_find(s->want, "svc", "far"), "no image");
	resource_note(s->want, resource_find(s->want, "svc", "far"), "about another one");
	resource_note(s->want, resource_find(s->want, "net", "front"), "about this one");
	s->in.only = only;
	struct plan *p = make(s);
	assert_int_equal(find_change(p, "svc/web")->state, CHANGE_BLOCKED);
	assert_int_equal(plan_summarize(p).blocked, 2);
	assert_int_equal(p->notes.n, 1);
	assert_string_equal(p->notes.v[0].text, "about this one");
}

static void unknown_names_are_refused_with_a_suggestion(void **state)
{
	struct sets *s = *state;
	static const struct {
		const char *name, *says;
	} rows[] = {
		{"svc/wbe", "--only svc/wbe: this spec has no such resource; did you mean 'svc/web'?"},
		{"web", "--only web: this spec has no such resource; did you mean 'svc/web'?"},
		{"svc/nothing-alike", "--only svc/nothing-alike: this spec has no such resource"},
		{"nothing-alike", "--only nothing-alike: this spec has no such resource; write kind/name"},
	};
	static const char *const known[] = {"svc/web", "check/db", NULL};
	struct err err = {0};
	add_cluster(s);
	assert_int_equal(plan_check_names(s->want, "--only", NULL, &err), 0);
	assert_int_equal(plan_check_names(s->want, "--only", known, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const char *const names[] = {"svc/web", rows[i].name, NULL};
		assert_int_equal(plan_check_names(s->want, "--only", names, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
		assert_string_equal(err.msg, rows[i].says);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_rest_leaves_the_plan),
		TEST(indices_are_of_the_smaller_plan),
		TEST(order_passes_through_what_is_left_out),
		TEST(nothing_is_pruned),
		TEST(what_is_held_holds_what_is_left),
		TEST(unknown_names_are_refused_with_a_suggestion),
	};
	json_init();
	return cmocka_run_group_tests_name("only", tests, NULL, NULL);
}
