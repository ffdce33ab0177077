#include <string.h>

#include "testkinds.h"

#include "plan/render.h"
#include "plan/schedule.h"

struct sets {
	struct resource_set *want, *live;
	struct plan *plan;
};

static int setup(void **state)
{
	struct sets *s = xcalloc(1, sizeof(*s));
	s->want = resource_set_new();
	s->live = resource_set_new();
	*state = s;
	return 0;
}

static int teardown(void **state)
{
	struct sets *s = *state;
	plan_free(s->plan);
	resource_set_free(s->want);
	resource_set_free(s->live);
	free(s);
	return 0;
}

static struct plan *make(struct sets *s)
{
	struct plan_input in = test_input(s->want, s->live);
	plan_free(s->plan);
	return s->plan = plan_make(&in);
}

static void equal_bodies_need_nothing(void **state)
{
	struct sets *s = *state;
	add(s->want, "svc", "a", json_pack("{s:{s:s},s:i}", "env", "A", "1", "wait", 5));
	add(s->live, "svc", "a", json_pack("{s:f,s:{s:s}}", "wait", 5.0, "env", "A", "1"));
	struct plan *p = make(s);
	assert_true(plan_is_empty(p));
	assert_int_equal(p->in_sync, 1);
}

static void fields_have_paths_reasons_and_effects(void **state)
{
	struct sets *s = *state;
	add(s->want, "svc", "a", json_pack("{s:{s:s,s:s},s:{s:s}}", "env", "A", "1", "B_C", "2", "labels", "x.y", "z"));
	add(s->live, "svc", "a", json_pack("{s:{s:s,s:s}}", "env", "A", "0", "OLD", "1"));
	struct plan *p = make(s);
	const struct change *c = find_change(p, "svc/a");
	assert_non_null(c);
	assert_int_equal(c->action, ACTION_UPDATE);
	assert_int_equal(c->disruption, DISRUPTS_RESTART);
	assert_int_equal(c->fields.n, 4);
	assert_string_equal(c->fields.v[0].path, "env[A]");
	assert_string_equal(c->fields.v[1].path, "env[B_C]");
	assert_string_equal(c->fields.v[2].path, "env[OLD]");
	assert_null(c->fields.v[2].to);
	assert_string_equal(c->fields.v[3].path, "labels[x.y]");
}

static void label_only_change_restarts_nothing(void **state)
{
	struct sets *s = *state;
	add(s->want, "svc", "a", json_pack("{s:{s:s}}", "labels", "x", "1"));
	add(s->live, "svc", "a", json_pack("{s:{s:s}}", "labels", "x", "2"));
	struct plan *p = make(s);
	assert_int_equal(find_change(p, "svc/a")->disruption, DISRUPTS_NOTHING);
}

static void last_applied_tells_drift_from_intent(void **state)
{
	struct sets *s = *state;
	_cleanup_json_ json_t *last = json_pack("{s:{s:{s:s,s:s}}}", "svc/a", "env", "A", "1", "B", "1");
	add(s->want, "svc", "a", json_pack("{s:{s:s,s:s}}", "env", "A", "1", "B", "2"));
	add(s->live, "svc", "a", json_pack("{s:{s:s,s:s}}", "env", "A", "9", "B", "1"));
	struct plan_input in = test_input(s->want, s->live);
	in.last = last;
	s->plan = plan_make(&in);
	const struct change *c = find_change(s->plan, "svc/a");
	assert_int_equal(c->fields.v[0].why, WHY_DRIFT);
	assert_int_equal(c->fields.v[1].why, WHY_INTENT);
}

static void field_flags_decide_what_counts(void **state)
{
	struct sets *s = *state;
	add(s->want, "net", "a", json_pack("{s:s,s:{s:s}}", "pool", "new", "merged", "ours", "1"));
	add(s->live, "net", "a",
	    json_pack("{s:s,s:s,s:{s:s,s:s}}", "pool", "old", "pinned", "x", "merged", "ours", "1", "theirs", "2"));
	struct plan *p = make(s);
	assert_true(plan_is_empty(p));
	assert_int_equal(p->notes.n, 1);
	assert_non_null(strstr(p->notes.v[0].text, "at creation only"));
}

static void replacing_is_destructive(void **state)
{
	struct sets *s = *state;
	add(s->want, "net", "a", json_pack("{s:s}", "mode", "x"));
	add(s->live, "net", "a", json_pack("{s:s}", "mode", "y"));
	struct plan *p = make(s);
	assert_int_equal(find_change(p, "net/a")->action, ACTION_REPLACE);
	assert_true(plan_is_destructive(p));
}

static void unknown_is_blocked_and_never_created(void **state)
{
	struct sets *s = *state;
	add(s->want, "svc", "a", json_object());
	struct resource *live = add(s->live, "svc", "a", json_object());
	live->presence = UNKNOWN;
	resource_block(s->live, live, "GET /services: no answer");
	add(s->want, "svc", "b", json_object());
	struct plan *p = make(s);
	assert_int_equal(find_change(p, "svc/a")->state, CHANGE_BLOCKED);
	assert_string_equal(find_change(p, "svc/a")->reason, "GET /services: no answer");
	assert_int_equal(find_change(p, "svc/b")->state, CHANGE_BLOCKED);
	assert_false(plan_has_ready(p));
}

static void unowned_needs_adoption(void **state)
{
	struct sets *s = *state;
	static const char *const adopt[] = {"svc/b", NULL};
	for (const char *n = "ab"; *n; n++) {
		char name[2] = {*n, 0};
		add(s->want, "svc", name, json_pack("{s:s}", "mode", "x"));
		add(s->live, "svc", name, json_pack("{s:s}", "mode", "x"))->owned = false;
	}
	struct plan_input in = test_input(s->want, s->live);
	in.adopt = adopt;
	s->plan = plan_make(&in);
	assert_int_equal(find_change(s->plan, "svc/a")->state, CHANGE_BLOCKED);
	assert_int_equal(find_change(s->plan, "svc/b")->state, CHANGE_READY);
	assert_int_equal(find_change(s->plan, "svc/b")->action, ACTION_ADOPT);
	assert_int_equal(find_change(s->plan, "svc/b")->disruption, DISRUPTS_NOTHING);
}

static void prune_is_owned_only_last_and_limited(void **state)
{
	struct sets *s = *state;
	add(s->want, "svc", "new", json_object());
	add(s->live, "svc", "new", json_object())->presence = ABSENT;
	add(s->live, "net", "old", json_object());
	add(s->live, "svc", "old", json_object());
	add(s->live, "svc", "stranger", json_object())->owned = false;
	struct plan *p = make(s);
	assert_int_equal(p->changes.n, 3);
	assert_string_equal(p->changes.v[0].key, "svc/new");
	assert_string_equal(p->changes.v[1].key, "svc/old");
	assert_string_equal(p->changes.v[2].key, "net/old");

	struct plan_input in = test_input(s->want, s->live);
	in.max_deletions = 1;
	plan_free(s->plan);
	s->plan = plan_make(&in);
	assert_int_equal(find_change(s->plan, "net/old")->state, CHANGE_BLOCKED);
	assert_int_equal(find_change(s->plan, "svc/new")->state, CHANGE_READY);
}

static void nothing_is_pruned_after_a_failure(void **state)
{
	struct sets *s = *state;
	size_t i;
	add(s->want, "svc", "new", json_object());
	add(s->live, "svc", "new", json_object())->presence = ABSENT;
	add(s->live, "net", "old", json_object());
	struct plan *p = make(s);
	struct schedule *sch = schedule_new(p);
	assert_true(schedule_next(sch, &i));
	assert_false(schedule_next(sch, &(size_t){0}));
	schedule_finish(sch, i, false);
	assert_false(schedule_next(sch, &i));
	assert_true(schedule_is_over(sch));
	assert_int_equal(schedule_outcome(sch, 1), OUTCOME_SKIPPED);
	schedule_free(sch);
}

static void blocked_holds_what_requires_it_only(void **state)
{
	struct sets *s = *state;
	struct resource *net = add(s->want, "net", "a", json_object());
	resource_block(s->want, net, "not here");
	struct resource *needs = add(s->want, "svc", "needs", json_object());
	resource_ref(s->want, needs, REF_REQUIRES, (struct mark){0}, "net/a");
	struct resource *follows = add(s->want, "svc", "follows", json_object());
	resource_ref(s->want, follows, REF_ORDER, (struct mark){0}, "net/a");
	add(s->live, "net", "a", json_object())->presence = ABSENT;
	add(s->live, "svc", "needs", json_object())->presence = ABSENT;
	add(s->live, "svc", "follows", json_object())->presence = ABSENT;
	struct plan *p = make(s);
	assert_int_equal(find_change(p, "svc/needs")->state, CHANGE_BLOCKED);
	assert_non_null(strstr(find_change(p, "svc/needs")->reason, "net/a"));
	assert_int_equal(find_change(p, "svc/follows")->state, CHANGE_READY);
}

static void order_passes_through_what_is_in_sync(void **state)
{
	struct sets *s = *state;
	struct resource *a = add(s->want, "net", "a", json_pack("{s:s}", "mode", "x"));
	struct resource *b = add(s->want, "net", "b", json_object());
	add(s->want, "net", "c", json_pack("{s:s}", "mode", "x"));
	resource_ref(s->want, a, REF_REQUIRES, (struct mark){0}, "net/b");
	resource_ref(s->want, b, REF_REQUIRES, (struct mark){0}, "net/c");
	add(s->live, "net", "a", json_object());
	add(s->live, "net", "b", json_object());
	add(s->live, "net", "c", json_object());
	struct plan *p = make(s);
	assert_int_equal(p->changes.n, 2);
	assert_string_equal(p->changes.v[0].key, "net/c");
	assert_int_equal(p->changes.v[1].after.n, 1);
	assert_int_equal(p->changes.v[1].requires.n, 0);
}

static void a_cycle_blocks_and_does_not_hang(void **state)
{
	struct sets *s = *state;
	for (const char *n = "ab"; *n; n++) {
		char name[2] = {*n, 0};
		struct resource *r = add(s->want, "net", name, json_object());
		resource_ref(s->want, r, REF_REQUIRES, (struct mark){0}, "net/%c", *n == 'a' ? 'b' : 'a');
		add(s->live, "net", name, json_object())->presence = ABSENT;
	}
	struct plan *p = make(s);
	assert_false(plan_has_ready(p));
	struct schedule *sch = schedule_new(p);
	assert_true(schedule_is_over(sch));
	schedule_free(sch);
}

static void gates_join_the_plan_when_something_touches_them(void **state)
{
	struct sets *s = *state;
	struct resource *svc = add(s->want, "svc", "a", json_pack("{s:s}", "mode", "x"));
	struct resource *gate = add(s->want, "check", "a", json_object());
	struct resource *idle = add(s->want, "check", "idle", json_object());
	resource_ref(s->want, gate, REF_REQUIRES, (struct mark){0}, "svc/a");
	(void)svc;
	(void)idle;
	add(s->live, "svc", "a", json_object())->presence = ABSENT;
	add(s->live, "check", "a", json_object());
	add(s->live, "check", "idle", json_object());
	struct plan *p = make(s);
	assert_int_equal(p->changes.n, 2);
	assert_int_equal(p->changes.v[1].action, ACTION_VERIFY);
	assert_int_equal(p->changes.v[1].requires.n, 1);
	assert_int_equal(p->in_sync, 1);
}

static size_t count(const char *text, const char *word)
{
	size_t n = 0;
	while ((text = strstr(text, word))) {
		text += strlen(word);
		n++;
	}
	return n;
}

static void one_reason_for_many_is_told_once(void **state)
{
	struct sets *s = *state;
	_cleanup_str_ struct str out = {0};
	struct render_context ctx = {.cluster = "test", .source = "c.yaml", .engine = "unix:///x"};
	for (const char *n = "abc"; *n; n++) {
		char name[2] = {*n, 0};
		add(s->want, "svc", name, json_object());
		struct resource *live = add(s->live, "svc", name, json_object());
		live->presence = UNKNOWN;
		resource_block(s->live, live, "%s", *n == 'b' ? "another reason" : "the engine is away");
	}
	struct plan *p = make(s);
	render_text(p, &ctx, &out);
	assert_int_equal(count(str_cstr(&out), "the engine is away"), 1);
	assert_int_equal(count(str_cstr(&out), "another reason"), 1);
	assert_int_equal(count(str_cstr(&out), "  ! blocked  svc/"), 3);
	assert_non_null(strstr(str_cstr(&out), "svc/a\n  ! blocked  svc/c\n"));
	_cleanup_json_ json_t *j = render_json(p, &ctx);
	str_reset(&out);
	json_canonical(j, &out);
	assert_int_equal(count(str_cstr(&out), "the engine is away"), 2);
}

static void values_have_units_and_secrets_are_hidden(void **state)
{
	struct sets *s = *state;
	_cleanup_str_ struct str out = {0};
	struct render_context ctx = {.cluster = "test", .source = "c.yaml", .engine = "unix:///x"};
	add(s->want, "svc", "a", json_pack("{s:I,s:s}", "wait", (json_int_t)90000000000, "token", "hunter2"));
	add(s->live, "svc", "a", json_pack("{s:s}", "token", "hunter1"));
	struct plan *p = make(s);
	render_text(p, &ctx, &out);
	assert_non_null(strstr(str_cstr(&out), "wait: (not set) -> 1m30s"));
	assert_non_null(strstr(str_cstr(&out), "restarts tasks: no"));
	render_markdown(p, &ctx, &out);
	_cleanup_json_ json_t *j = render_json(p, &ctx);
	json_canonical(j, &out);
	assert_null(strstr(str_cstr(&out), "hunter"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(equal_bodies_need_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(fields_have_paths_reasons_and_effects, setup, teardown),
		cmocka_unit_test_setup_teardown(label_only_change_restarts_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(last_applied_tells_drift_from_intent, setup, teardown),
		cmocka_unit_test_setup_teardown(field_flags_decide_what_counts, setup, teardown),
		cmocka_unit_test_setup_teardown(replacing_is_destructive, setup, teardown),
		cmocka_unit_test_setup_teardown(unknown_is_blocked_and_never_created, setup, teardown),
		cmocka_unit_test_setup_teardown(unowned_needs_adoption, setup, teardown),
		cmocka_unit_test_setup_teardown(prune_is_owned_only_last_and_limited, setup, teardown),
		cmocka_unit_test_setup_teardown(nothing_is_pruned_after_a_failure, setup, teardown),
		cmocka_unit_test_setup_teardown(blocked_holds_what_requires_it_only, setup, teardown),
		cmocka_unit_test_setup_teardown(order_passes_through_what_is_in_sync, setup, teardown),
		cmocka_unit_test_setup_teardown(a_cycle_blocks_and_does_not_hang, setup, teardown),
		cmocka_unit_test_setup_teardown(gates_join_the_plan_when_something_touches_them, setup, teardown),
		cmocka_unit_test_setup_teardown(one_reason_for_many_is_told_once, setup, teardown),
		cmocka_unit_test_setup_teardown(values_have_units_and_secrets_are_hidden, setup, teardown),
	};
	json_init();
	return cmocka_run_group_tests_name("plan", tests, NULL, NULL);
}
