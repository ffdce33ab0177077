/* What is left over and still used goes only with the change that lets go of it. */
#include <string.h>

#include "testkinds.h"

struct world {
	struct resource_set *want, *live;
	struct plan *plan;
	struct plan_input in;
};

/* A leftover net/old, which the live svc/a uses until that is changed or removed. */
static struct world world_new(void)
{
	struct world w = {.want = resource_set_new(), .live = resource_set_new()};
	struct resource *old = add(w.live, "net", "old", json_object());

	resource_ref(w.live, old, REF_REQUIRES, (struct mark){0}, "svc/a");
	add(w.live, "svc", "a", json_object());
	w.in = test_input(w.want, w.live);
	return w;
}

static void world_free(struct world *w)
{
	plan_free(w->plan);
	resource_set_free(w->want);
	resource_set_free(w->live);
}

static const struct change *old_of(struct world *w)
{
	w->plan = plan_make(&w->in);
	return find_change(w->plan, "net/old");
}

static bool requires(const struct world *w, const struct change *c, const char *key)
{
	for (size_t i = 0; i < c->requires.n; i++)
		if (strcmp(w->plan->changes.v[c->requires.v[i]].key, key) == 0)
			return true;
	return false;
}

static void stays_while_nothing_changes(void **state)
{
	CLEANUP(world_free) struct world w = world_new();

	(void)state;
	add(w.want, "svc", "a", json_object());
	assert_null(old_of(&w));
	assert_true(plan_is_empty(w.plan));
}

static void goes_after_the_change(void **state)
{
	CLEANUP(world_free) struct world w = world_new();

	(void)state;
	add(w.want, "svc", "a", json_pack("{s:i}", "wait", 1));
	const struct change *old = old_of(&w);
	assert_non_null(old);
	assert_int_equal(old->state, CHANGE_READY);
	assert_true(requires(&w, old, "svc/a"));
}

static void is_held_with_the_change(void **state)
{
	CLEANUP(world_free) struct world w = world_new();
	struct resource *a = add(w.want, "svc", "a", json_pack("{s:i}", "wait", 1));

	(void)state;
	resource_block(w.want, a, "cannot be done now");
	const struct change *old = old_of(&w);
	assert_non_null(old);
	assert_int_equal(old->state, CHANGE_BLOCKED);
	assert_string_equal(old->reason, "needs svc/a, which is blocked");
}

static void goes_after_the_user_that_goes_too(void **state)
{
	CLEANUP(world_free) struct world w = world_new();
	const struct change *old = old_of(&w);

	(void)state;
	assert_non_null(old);
	assert_true(requires(&w, old, "svc/a"));
	assert_int_equal(old->state, CHANGE_READY);
}

static void is_not_counted_when_it_stays(void **state)
{
	CLEANUP(world_free) struct world w = world_new();

	(void)state;
	w.in.max_deletions = 0;
	add(w.want, "svc", "a", json_object());
	assert_null(old_of(&w));
	assert_int_equal(plan_summarize(w.plan).blocked, 0);
}

static void needs_all_of_its_users(void **state)
{
	CLEANUP(world_free) struct world w = world_new();

	(void)state;
	resource_ref(w.live, resource_find(w.live, "net", "old"), REF_REQUIRES, (struct mark){0}, "svc/b");
	add(w.live, "svc", "b", json_object());
	add(w.want, "svc", "b", json_object());
	add(w.want, "svc", "a", json_pack("{s:i}", "wait", 1));
	assert_null(old_of(&w));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(stays_while_nothing_changes),  cmocka_unit_test(goes_after_the_change),
		cmocka_unit_test(is_held_with_the_change),      cmocka_unit_test(goes_after_the_user_that_goes_too),
		cmocka_unit_test(is_not_counted_when_it_stays), cmocka_unit_test(needs_all_of_its_users),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
