/* Saved plans: what they are bound to, and what they are refused for. */
#include <string.h>

#include "testkinds.h"

#include "plan/render.h"
#include "plan/saved.h"

#include <stdio.h>

#define SWARM_ID "{\"Swarm\": {\"Cluster\": {\"ID\": \"qx2l7\"}}}"

/* FNV-1a, four times over: a stand-in for SHA-256, which this library does not link with. */
static void hash(const json_t *body, char hex[65])
{
	_cleanup_str_ struct str text = {0};

	json_canonical(body, &text);
	for (int part = 0; part < 4; part++) {
		uint64_t h = 14695981039346656037u + (uint64_t)part;
		for (size_t i = 0; i < text.len; i++)
			h = (h ^ (unsigned char)text.data[i]) * 1099511628211u;
		snprintf(hex + 16 * part, 17, "%016llx", (unsigned long long)h);
	}
}

/* Both sides and what was planned from them. */
struct scene {
	struct resource_set *want, *live;
	struct snapshot *snap;
	struct plan *plan;
};

static json_t *parse(const char *text)
{
	json_t *j;
	struct err err = {0};
	assert_int_equal(json_parse(text, strlen(text), &j, &err), 0);
	return j;
}

static struct resource *desired(struct scene *s, const char *kind, const char *name, const char *body)
{
	return add(s->want, kind, name, parse(body));
}

static struct resource *observed(struct scene *s, const char *kind, const char *name, const char *body)
{
	struct resource *r = add(s->live, kind, name, parse(body));
	r->presence = PRESENT;
	return r;
}

/* svc/web (to be updated) requires net/front (in sync); svc/old is pruned; svc/other is in sync. */
static struct scene scene(void)
{
	struct scene s = {.want = resource_set_new(), .live = resource_set_new(), .snap = snapshot_new()};
	struct mark none = {0};

	snapshot_put(s.snap, "engine/info", parse(SWARM_ID));
	desired(&s, "net", "front", "{\"labels\": {\"a\": \"1\"}}");
	observed(&s, "net", "front", "{\"labels\": {\"a\": \"1\"}}");
	struct resource *web = desired(&s, "svc", "web", "{\"env\": {\"A\": \"2\"}, \"merged\": {\"x\": \"1\"}}");
	resource_ref(s.want, web, REF_REQUIRES, none, "net/front");
	observed(&s, "svc", "web", "{\"env\": {\"A\": \"1\"}, \"merged\": {\"x\": \"1\", \"theirs\": \"9\"}}");
	observed(&s, "svc", "old", "{\"env\": {\"B\": \"1\"}}");
	desired(&s, "svc", "other", "{\"env\": {\"C\": \"1\"}}");
	observed(&s, "svc", "other", "{\"env\": {\"C\": \"1\"}}");
	return s;
}

static void scene_free(struct scene *s)
{
	plan_free(s->plan);
	resource_set_free(s->want);
	resource_set_free(s->live);
	snapshot_free(s->snap);
}

static struct saved_view view(struct scene *s)
{
	struct plan_input in = test_input(s->want, s->live);

	in.snap = s->snap;
	in.fingerprint = hash;
	plan_free(s->plan);
	s->plan = plan_make(&in);
	return (struct saved_view){
		.plan = s->plan,
		.want = s->want,
		.live = s->live,
		.snap = s->snap,
		.kinds = test_kinds,
		.n_kinds = ARRAY_SIZE(test_kinds),
		.cluster = "test",
		.fingerprint = hash,
	};
}

/* The plan of s, through a file. */
static json_t *save(struct scene *s)
{
	const struct saved_view v = view(s);
	const struct render_context ctx = {.cluster = "test", .source = "cluster.yaml", .engine = "unix:///x"};
	const struct saved_source src = {
		.plan = render_json(s->plan, &ctx),
		.origin = parse("{\"path\": \"/srv/cluster.yaml\"}"),
		.spec = "abc",
		.now = 1000,
	};
	_cleanup_json_ json_t *made = saved_plan_make(&v, &src);
	_cleanup_str_ struct str text = {0};
	struct err err = {0};
	json_t *saved;

	saved_plan_text(made, &text);
	assert_true(saved_plan_is(text.data, text.len));
	if (saved_plan_read(text.data, text.len, &saved, &err) < 0)
		fail_msg("%s", err.msg);
	assert_true(json_equal(made, saved));
	return saved;
}

static int check(const json_t *saved, struct scene *s, bool first, struct err *err)
{
	const struct saved_view v = view(s);

	*err = (struct err){0};
	saved_plan_narrow(saved, s->plan);
	return saved_plan_check(saved, &v, first, err);
}

static void assert_refused(const json_t *saved, struct scene *s, bool first, const char *because)
{
	struct err err;

	assert_int_equal(check(saved, s, first, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	if (!strstr(err.msg, because))
		fail_msg("wanted '%s' in: %s", because, err.msg);
}

static void assert_accepted(const json_t *saved, struct scene *s, bool first)
{
	struct err err;
	if (check(saved, s, first, &err) < 0)
		fail_msg("%s", err.msg);
}

static void the_same_is_accepted(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene(), again = scene();
	_cleanup_json_ json_t *saved = save(&s);

	assert_accepted(saved, &again, true);
	assert_accepted(saved, &again, false);
	assert_int_equal(again.plan->changes.n, 2);
	assert_string_equal(saved_plan_cluster(saved), "test");
	assert_string_equal(json_str(saved_plan_origin(saved), "path"), "/srv/cluster.yaml");
	assert_false(saved_plan_refreshes(saved));
}

/* Version indexes move with heartbeats, somebody else's labels and what the scaler owns are not ours. */
static void what_is_not_the_plans_may_change(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene(), later = scene();
	struct resource *was = resource_find_key(s.want, "svc/web"), *is = resource_find_key(later.want, "svc/web");
	struct resource *live = resource_find_key(later.live, "svc/web");

	vec_push(&was->floating, "wait");
	vec_push(&is->floating, "wait");
	json_set_int(was->body, "wait", 3);
	json_set_int(resource_find_key(s.live, "svc/web")->body, "wait", 3);
	_cleanup_json_ json_t *saved = save(&s);

	live->version = 77;
	json_set_int(is->body, "wait", 4);
	json_set_int(live->body, "wait", 4);
	json_set_str(json_object_get(live->body, "merged"), "theirs", "10");
	json_set_int(live->body, "pinned", 1); /* compared only when the spec sets it */
	json_set_int(live->body, "pool", 1);   /* used at creation only */
	json_set_str(json_object_get(resource_find_key(later.live, "svc/other")->body, "env"), "C", "3");
	assert_accepted(saved, &later, true);
	assert_null(
		find_change(later.plan, "svc/other")); /* drift that the plan does not know is left to another one */
}

static void changes_of_what_it_uses_are_refused(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene();
	_cleanup_json_ json_t *saved = save(&s);
	static const struct {
		const char *side, *key, *body; /* body NULL: it is gone */
		const char *because;
	} cases[] = {
		{"live", "svc/web", "{\"env\": {\"A\": \"5\"}, \"merged\": {\"x\": \"1\"}}",
		 "svc/web: the cluster changed (env)"},
		{"live", "svc/web", "{\"env\": {\"A\": \"2\"}, \"merged\": {\"x\": \"1\"}}",
		 "svc/web: the cluster changed (env)"},
		{"live", "svc/web", NULL, "svc/web: the cluster changed: it was there, now it is not there"},
		{"want", "svc/web", "{\"env\": {\"A\": \"3\"}, \"labels\": {\"n\": \"1\"}, \"merged\": {\"x\": \"1\"}}",
		 "svc/web: the spec changed (env, labels)"},
		{"live", "net/front", "{\"labels\": {\"a\": \"2\"}}", "net/front: the cluster changed (labels)"},
		{"want", "net/front", "{\"labels\": {\"a\": \"2\"}}", "net/front: the spec changed (labels)"},
		{"live", "svc/old", "{\"env\": {\"B\": \"2\"}}", "svc/old: the cluster changed (env)"},
		{"live", "svc/old", NULL, "svc/old: the cluster changed: it was there, now it is not there"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(scene_free) struct scene later = scene();
		bool live = strcmp(cases[i].side, "live") == 0;
		struct resource *r = resource_find_key(live ? later.live : later.want, cases[i].key);
		json_decref(r->body);
		r->body = cases[i].body ? parse(cases[i].body) : json_object();
		r->presence = cases[i].body || !live ? PRESENT : ABSENT;
		assert_refused(saved, &later, true, cases[i].because);
	}
}

static void another_owner_is_refused(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene(), later = scene();
	_cleanup_json_ json_t *saved = save(&s);

	resource_find_key(later.live, "svc/web")->owned = false;
	assert_refused(saved, &later, true, "svc/web: the cluster changed (its ownership label)");
}

static void what_is_not_observed_is_refused(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene(), later = scene();
	_cleanup_json_ json_t *saved = save(&s);

	resource_find_key(later.live, "net/front")->presence = UNKNOWN;
	assert_refused(saved, &later, true, "net/front: the cluster changed: it was there, now it is not observed");
}

/* A change that the file does not show is not made, whatever else is the same. */
static void an_action_that_is_not_in_it_is_refused(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene(), later = scene();
	_cleanup_json_ json_t *saved = save(&s);
	json_t *first = json_array_get(json_object_get(json_object_get(saved, "plan"), "changes"), 0);

	json_set_str(first, "action", "create");
	assert_refused(saved, &later, true, "the saved plan says create, now it would be update");
}

/* In a later round what this run changed differs; what it has not changed yet must be as it was. */
static void later_rounds(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene(), later = scene();
	_cleanup_json_ json_t *saved = save(&s);
	struct resource *web = resource_find_key(later.live, "svc/web");

	json_set_str(json_object_get(web->body, "env"), "A", "2"); /* done */
	assert_accepted(saved, &later, false);
	assert_non_null(find_change(later.plan, "svc/old"));
	json_set_str(json_object_get(web->body, "env"), "A", "1"); /* somebody put it back */
	assert_accepted(saved, &later, false);
	json_set_str(json_object_get(web->body, "env"), "A", "7"); /* or wrote something else */
	assert_refused(saved, &later, false, "nothing more was changed");
	assert_refused(saved, &later, false, "svc/web: the cluster changed (env)");
}

/* What a change requires is not left out, so it is refused. */
static void a_required_change_that_is_not_in_it(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene(), later = scene();
	_cleanup_json_ json_t *saved = save(&s);

	json_set(resource_find_key(later.live, "net/front")->body, "labels", json_object());
	assert_refused(saved, &later, false, "net/front: update: the saved plan does not have this change");
}

static void another_swarm_is_refused(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene(), later = scene();
	_cleanup_json_ json_t *saved = save(&s);

	snapshot_put(later.snap, "engine/info", parse("{\"Swarm\": {\"Cluster\": {\"ID\": \"other\"}}}"));
	assert_refused(saved, &later, true, "made for another swarm");
	json_set_str(saved, "cluster", "prod");
	assert_refused(saved, &later, true, "for cluster prod");
}

/* A gate is bound to the spec only: it is looked at again anyway. */
static void gates_may_move(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene(), later = scene(), other = scene();
	struct scene *all[] = {&s, &later, &other};
	struct mark none = {0};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		desired(all[i], "check", "up", "{\"labels\": {\"want\": \"1\"}}");
		observed(all[i], "check", "up", "{\"labels\": {\"servers\": \"1\"}}");
		resource_ref(all[i]->want, resource_find_key(all[i]->want, "svc/web"), REF_REQUIRES, none, "check/up");
	}
	_cleanup_json_ json_t *saved = save(&s);
	json_set(resource_find_key(later.live, "check/up")->body, "labels", json_object());
	assert_accepted(saved, &later, true);
	json_set(resource_find_key(other.want, "check/up")->body, "labels", json_object());
	assert_refused(saved, &other, true, "check/up: the spec changed (labels)");
}

/* The name of a secret that a dry run does not look at is known when it is applied, and with it what uses it. */
static void unseen_names_are_not_bound(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene(), later = scene(), gone = scene();
	struct scene *all[] = {&s, &later, &gone};
	struct mark none = {0};

	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct resource *key = desired(all[i], "net", "key", "{}");
		key->unseen = i == 0;
		resource_ref(all[i]->want, resource_find_key(all[i]->want, "svc/web"), REF_REQUIRES, none, "net/key");
	}
	_cleanup_json_ json_t *saved = save(&s);
	json_set_str(resource_find_key(later.want, "net/key")->body, "place", "key-0123");
	json_set_str(resource_find_key(later.want, "svc/web")->body, "place", "key-0123");
	assert_accepted(saved, &later, true);
	json_set_str(json_object_get(resource_find_key(gone.live, "svc/web")->body, "env"), "A", "5");
	assert_refused(saved, &gone, true, "svc/web: the cluster changed (env)");
}

/* Guessing a value and hashing it gives nothing without the swarm's id. */
static void hashes_are_keyed(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene(), other = scene();
	snapshot_put(other.snap, "engine/info", parse("{\"Swarm\": {\"Cluster\": {\"ID\": \"other\"}}}"));
	_cleanup_json_ json_t *a = save(&s), *b = save(&other);
	_cleanup_str_ struct str text = {0};

	assert_false(json_equal(json_object_get(a, "uses"), json_object_get(b, "uses")));
	saved_plan_text(a, &text);
	assert_null(strstr(text.data, "qx2l7"));
}

static void what_is_no_saved_plan(void **state)
{
	(void)state;
	static const char *const others[] = {
		"",
		"{",
		"version: 1\ncluster: x\n",
		"{\"version\": 1}",
		"# {\"reconcile_plan\": 1}\n",
		"[\"reconcile_plan\"]",
	};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_false(saved_plan_is(others[i], strlen(others[i])));
	assert_true(saved_plan_is("\n {\"reconcile_plan\": 9", 23));
}

static void assert_unreadable(const char *text, enum err_code code, const char *because)
{
	struct err err = {0};
	json_t *out;

	assert_int_equal(saved_plan_read(text, strlen(text), &out, &err), -1);
	assert_int_equal(err.code, code);
	if (!strstr(err.msg, because))
		fail_msg("wanted '%s' in: %s", because, err.msg);
}

static void damaged_ones_are_refused(void **state)
{
	(void)state;
	CLEANUP(scene_free) struct scene s = scene();
	_cleanup_json_ json_t *saved = save(&s);
	_cleanup_str_ struct str text = {0};
	const char *member;
	json_t *value;
	void *tmp;

	assert_unreadable("{\"reconcile_plan\": 2}", ERR_UNSUPPORTED, "format 2");
	assert_unreadable("{\"reconcile_plan\": \"1\"}", ERR_PROTOCOL, "damaged");
	assert_unreadable("{\"reconcile_plan\": 1}", ERR_PROTOCOL, "damaged");
	saved_plan_text(saved, &text);
	for (size_t cut = 1; cut < text.len - 2; cut += 97) {
		_cleanup_free_ char *part = xasprintf("%.*s", (int)cut, text.data);
		assert_unreadable(part, ERR_PROTOCOL, "damaged");
	}
	json_object_foreach_safe(saved, tmp, member, value)
	{
		_cleanup_json_ json_t *less = json_deep_copy(saved);
		_cleanup_str_ struct str broken = {0};
		if (strcmp(member, "made") == 0)
			continue;
		json_object_del(less, member);
		saved_plan_text(less, &broken);
		assert_unreadable(str_cstr(&broken), ERR_PROTOCOL, "damaged");
	}
	/* A change that is bound to nothing. */
	json_object_clear(json_object_get(saved, "uses"));
	str_reset(&text);
	saved_plan_text(saved, &text);
	assert_unreadable(str_cstr(&text), ERR_PROTOCOL, "damaged");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_is_accepted),
		cmocka_unit_test(what_is_not_the_plans_may_change),
		cmocka_unit_test(changes_of_what_it_uses_are_refused),
		cmocka_unit_test(another_owner_is_refused),
		cmocka_unit_test(what_is_not_observed_is_refused),
		cmocka_unit_test(an_action_that_is_not_in_it_is_refused),
		cmocka_unit_test(later_rounds),
		cmocka_unit_test(a_required_change_that_is_not_in_it),
		cmocka_unit_test(another_swarm_is_refused),
		cmocka_unit_test(gates_may_move),
		cmocka_unit_test(unseen_names_are_not_bound),
		cmocka_unit_test(hashes_are_keyed),
		cmocka_unit_test(what_is_no_saved_plan),
		cmocka_unit_test(damaged_ones_are_refused),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
