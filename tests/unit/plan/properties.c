/*
 * Property tests of the planner over random clusters, CASES of them (5,000):
 *   - the plan, applied to a model of the live state, leaves an empty plan;
 *   - nothing starts before what it refers to, whatever order workers finish in;
 *   - the same input gives the same bytes;
 *   - what is unknown, unowned or blocked is never touched;
 *   - what is ignored keeps its live value, and does not show in fingerprints;
 *   - of a part of the plan (--only), everything that is required is there.
 * A failing case prints its seed; SEED=n runs that one alone.
 */
#include <stdio.h>
#include <string.h>

#include "testkinds.h"

#include "model/ignore.h"
#include "plan/render.h"
#include "plan/schedule.h"

static uint64_t rng;
static uint64_t current_seed; /* of the case that failed, when one did */

static unsigned roll(unsigned n)
{
	rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(rng >> 33) % n;
}

static json_t *random_body(void)
{
	json_t *body = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(test_fields); i++) {
		if (test_fields[i].flags & FIELD_CREATE_ONLY || roll(2))
			continue;
		if (roll(2)) {
			json_set_int(body, test_fields[i].name, roll(3));
			continue;
		}
		json_t *map = json_object();
		for (const char *k = "abcD"; *k; k++) {
			char key[2] = {*k, 0};
			if (roll(2))
				json_set_int(map, key, roll(2));
		}
		json_set(body, test_fields[i].name, map);
	}
	return body;
}

#define N 12

static const char *const kinds[] = {"net", "svc"};

/* References point to resources with a smaller number, so that the spec has no cycle. */
static void random_refs(struct resource_set *want, struct resource *r, unsigned number)
{
	while (number > 0 && roll(3) == 0) {
		unsigned to = roll(number);
		resource_ref(want, r, roll(2) ? REF_REQUIRES : REF_ORDER, (struct mark){0}, "%s/%u", kinds[to % 2], to);
	}
}

static const char *const ignorable[] = {"env",    "env.a",  "env[D]", "labels.b", "labels[c]", "merged.a",
					"mode.a", "pinned", "place",  "token[D]", "wait",      "wait.a"};

static void random_ignore(struct resource *r)
{
	while (roll(3) == 0)
		vec_push(&r->ignore, ignorable[roll(ARRAY_SIZE(ignorable))]);
}

static void random_cluster(struct resource_set *want, struct resource_set *live)
{
	for (unsigned i = 0; i < N; i++) {
		char name[8];
		snprintf(name, sizeof(name), "%u", i);
		if (roll(5)) {
			struct resource *r = add(want, kinds[i % 2], name, random_body());
			random_refs(want, r, i);
			random_ignore(r);
			if (roll(20) == 0)
				resource_block(want, r, "blocked by the test");
		}
		struct resource *l = add(live, kinds[i % 2], name, random_body());
		unsigned fate = roll(10);
		l->presence = fate == 0 ? UNKNOWN : fate < 4 ? ABSENT : PRESENT;
		l->owned = roll(4) != 0;
	}
}

/* What applying means for a model: the fields that the plan names take the wanted value. */
static void apply_to_model(struct resource_set *live, const struct change *c)
{
	struct resource *l = resource_find_key(live, c->key);
	assert_non_null(l);
	assert_int_not_equal(l->presence, UNKNOWN);
	if (c->action == ACTION_DELETE) {
		assert_true(l->owned);
		l->presence = ABSENT;
		return;
	}
	if (c->action == ACTION_CREATE || c->action == ACTION_REPLACE) {
		json_decref(l->body);
		l->body = json_object();
	} else if (strcmp(l->kind, "svc") == 0) {
		assert_true(l->owned || c->action == ACTION_ADOPT);
	}
	for (size_t i = 0; i < c->fields.n; i++) {
		const char *f = c->fields.v[i].field;
		const json_t *to = json_object_get(c->desired->body, f);
		json_t *from = json_object_get(l->body, f);
		if (kind_field(c->kind, f)->flags & FIELD_MERGE && json_is_object(to) && json_is_object(from))
			json_object_update(from, (json_t *)to);
		else if (to)
			json_set(l->body, f, json_deep_copy(to));
		else
			json_object_del(l->body, f);
	}
	if (c->action == ACTION_CREATE || c->action == ACTION_REPLACE)
		json_object_update_missing(l->body, c->desired->body);
	l->presence = PRESENT;
	l->owned = true;
}

static bool is_over(enum outcome o)
{
	return o == OUTCOME_DONE || o == OUTCOME_FAILED || o == OUTCOME_SKIPPED;
}

static void check_may_start(const struct plan *p, const struct schedule *s, size_t i)
{
	const struct change *c = &p->changes.v[i];
	for (size_t k = 0; c->desired && k < c->desired->refs.n; k++) {
		const struct ref *ref = &c->desired->refs.v[k];
		for (size_t j = 0; j < p->changes.n; j++) {
			/* A spec that refers to what it does not declare is refused before it gets here. */
			if (strcmp(p->changes.v[j].key, ref->target) != 0 || p->changes.v[j].action == ACTION_DELETE)
				continue;
			assert_true(is_over(schedule_outcome(s, j)));
			if (ref->type == REF_REQUIRES)
				assert_int_equal(schedule_outcome(s, j), OUTCOME_DONE);
		}
	}
}

/* Workers that finish in random order. */
static void run_plan(const struct plan *p, struct resource_set *live)
{
	struct schedule *s = schedule_new(p);
	size_t running[4], n = 0, i;

	for (;;) {
		while (n < ARRAY_SIZE(running) && schedule_next(s, &i)) {
			check_may_start(p, s, i);
			running[n++] = i;
		}
		if (n == 0)
			break;
		size_t k = roll((unsigned)n);
		apply_to_model(live, &p->changes.v[running[k]]);
		schedule_finish(s, running[k], true);
		running[k] = running[--n];
	}
	assert_true(schedule_is_over(s));
	for (i = 0; i < p->changes.n; i++)
		assert_int_equal(schedule_outcome(s, i),
				 p->changes.v[i].state == CHANGE_READY ? OUTCOME_DONE : OUTCOME_SKIPPED);
	schedule_free(s);
}

static void render_all(const struct plan *p, struct str *out)
{
	struct render_context ctx = {.cluster = "test", .source = "c.yaml", .engine = "e"};
	render_text(p, &ctx, out);
	render_markdown(p, &ctx, out);
	_cleanup_json_ json_t *j = render_json(p, &ctx);
	json_canonical(j, out);
}

/* The canonical text is as good as a hash. */
static json_t *own_bodies(const struct resource_set *want)
{
	json_t *all = json_array();
	for (size_t i = 0; i < resource_count(want); i++)
		json_array_append_new(all, resource_own_body(resource_at(want, i)));
	return all;
}

static void settle(struct resource_set *want, const struct resource_set *live)
{
	_cleanup_json_ json_t *before = own_bodies(want);
	resources_settle(want, live);
	_cleanup_json_ json_t *after = own_bodies(want);
	assert_true(json_same(before, after));
}

static const json_t *at_path(const json_t *body, const char *path)
{
	_cleanup_free_ char *field = path_field(path);
	const json_t *value = json_object_get(body, field);
	if (!path[strlen(field)])
		return value;
	char member[2] = {path[strlen(field) + 1], 0};
	return json_object_get(value, member);
}

static json_t *bodies_of(const struct resource_set *set)
{
	json_t *all = json_array();
	for (size_t i = 0; i < resource_count(set); i++)
		json_array_append_new(all, json_deep_copy(resource_at(set, i)->body));
	return all;
}

/* before: as bodies_of(live) when all that existed then was observed. */
static void check_ignored(const struct resource_set *want, const struct resource_set *live, const json_t *before,
			  const bool *existed)
{
	for (size_t i = 0; i < resource_count(live); i++) {
		const struct resource *l = resource_at(live, i), *w = resource_find(want, l->kind, l->name);
		for (size_t k = 0; w && existed[i] && k < w->ignore.n; k++) {
			_cleanup_free_ char *field = path_field(w->ignore.v[k]);
			const json_t *value = json_object_get(w->body, field);
			/* A field that the spec makes another type has no members to keep. */
			if (w->ignore.v[k][strlen(field)] && value && !json_is_object(value))
				continue;
			const json_t *was = at_path(json_array_get(before, i), w->ignore.v[k]);
			const json_t *is = at_path(l->body, w->ignore.v[k]);
			assert_true(json_same(was, is));
		}
	}
}

static bool requires_something_outside(const struct plan *all, const struct plan *part, const struct change *c)
{
	const struct change *full = find_change(all, c->key);
	for (size_t k = 0; k < full->requires.n; k++)
		if (!find_change(part, all->changes.v[full->requires.v[k]].key))
			return true;
	return false;
}

static void check_part(struct plan_input *in, const struct plan *all)
{
	const char *const only[] = {"net/4", "svc/7", NULL};
	in->only = only;
	struct plan *p = plan_make(in);
	in->only = NULL;
	for (size_t i = 0; i < p->changes.n; i++) {
		const struct change *c = &p->changes.v[i];
		assert_int_not_equal(c->action, ACTION_DELETE);
		assert_false(requires_something_outside(all, p, c));
		for (size_t k = 0; k < c->after.n; k++)
			assert_true(c->after.v[k] < i);
	}
	for (size_t i = 0; only[i]; i++) {
		const struct change *c = find_change(all, only[i]);
		assert_int_equal(find_change(p, only[i]) != NULL, c && c->action != ACTION_DELETE);
	}
	plan_free(p);
}

static void one_case(uint64_t seed)
{
	struct resource_set *want = resource_set_new(), *live = resource_set_new();
	_cleanup_str_ struct str first = {0}, second = {0};
	static const char *const adopt[] = {"svc/1", "svc/3", NULL};
	bool existed[N];

	rng = seed * 0x9e3779b97f4a7c15ULL + 1;
	random_cluster(want, live);
	settle(want, live);
	_cleanup_json_ json_t *before = bodies_of(live);
	for (size_t i = 0; i < N; i++)
		existed[i] = resource_at(live, i)->presence == PRESENT;
	struct plan_input in = test_input(want, live);
	in.adopt = adopt;
	struct plan *p = plan_make(&in), *again = plan_make(&in);
	render_all(p, &first);
	render_all(again, &second);
	assert_string_equal(str_cstr(&first), str_cstr(&second));
	plan_free(again);
	check_part(&in, p);
	run_plan(p, live);
	check_ignored(want, live, before, existed);
	plan_free(p);

	p = plan_make(&in);
	assert_false(plan_has_ready(p));
	plan_free(p);
	resource_set_free(want);
	resource_set_free(live);
}

static void random_clusters_converge(void **state)
{
	const char *one = getenv("SEED"), *cases = getenv("CASES");
	uint64_t n = cases ? strtoull(cases, NULL, 10) : 5000;
	(void)state;

	if (one) {
		one_case(strtoull(one, NULL, 10));
		return;
	}
	for (uint64_t seed = 1; seed <= n; seed++) {
		current_seed = seed;
		one_case(seed);
	}
	current_seed = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(random_clusters_converge)};
	json_init();
	int failed = cmocka_run_group_tests_name("plan properties", tests, NULL, NULL);
	if (failed)
		fprintf(stderr, "# run it alone with SEED=%llu\n", (unsigned long long)current_seed);
	return failed;
}
