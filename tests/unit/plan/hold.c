/* What a plan holds back: suspended, failed before, contested, not approved, outside the windows. */
#include "sets.h"

#include "plan/render.h"
#include "plan/schedule.h"

static json_t *suspension(int64_t until)
{
	json_t *s = json_pack("{s:s,s:s,s:i}", "reason", "disk swap", "by", "root@gmktec", "since", NOW - 60);
	if (until)
		json_set_int(s, "until", until);
	return s;
}

static void what_is_suspended_is_blocked(void **state)
{
	struct sets *s = *state;
	add_differing(s, "a", "labels");
	add_differing(s, "b", "labels");
	record(s, "suspended", "svc/a", suspension(NOW + 3600));
	const struct change *c = plan_of(s, "svc/a");
	assert_int_equal(c->state, CHANGE_BLOCKED);
	assert_string_equal(c->reason,
			    "suspended since 2027-01-15 07:59 UTC by root@gmktec, until 2027-01-15 09:00 UTC: "
			    "disk swap; to end it: reconcile resume svc/a");
	assert_int_equal(find_change(s->plan, "svc/b")->state, CHANGE_READY);
	assert_int_equal(s->plan->held.n, 0);
}

static void a_suspension_expires(void **state)
{
	struct sets *s = *state;
	add_differing(s, "a", "labels");
	record(s, "suspended", "svc/a", suspension(NOW));
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_READY);
	record(s, "suspended", "svc/a", suspension(0));
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_BLOCKED);
}

static void a_suspension_is_not_forgotten(void **state)
{
	struct sets *s = *state;
	add(s->want, "svc", "a", json_object());
	add(s->live, "svc", "a", json_object());
	record(s, "suspended", "svc/a", suspension(0));
	record(s, "suspended", "svc/gone", suspension(0));
	struct plan *p = make(s);
	assert_true(plan_is_empty(p));
	assert_int_equal(p->notes.n, 1);
	assert_string_equal(p->notes.v[0].key, "svc/a");
}

static void the_whole_cluster_suspended_is_told_at_the_top(void **state)
{
	struct sets *s = *state;
	add_differing(s, "a", "labels");
	record(s, "suspended", "*", suspension(0));
	struct plan *p = make(s);
	assert_int_equal(p->held.n, 1);
	assert_has(p->held.v[0].text, "changes are suspended since 2027-01-15 07:59 UTC by root@gmktec: disk swap");
	assert_has(p->held.v[0].text, "reconcile resume");
	/* What would be done is still to be seen; the pass does not do it. */
	assert_int_equal(find_change(p, "svc/a")->state, CHANGE_READY);
	record(s, "suspended", "*", suspension(NOW - 1));
	assert_int_equal(make(s)->held.n, 0);
}

static void a_spec_that_failed_is_not_tried_again(void **state)
{
	struct sets *s = *state;
	struct resource *w = add_differing(s, "a", "env");
	record(s, "failed", "svc/a", spec_record(w, "0 of 2 tasks run: no such image"));
	const struct change *c = plan_of(s, "svc/a");
	assert_int_equal(c->state, CHANGE_FAILED);
	assert_has(c->reason, "this spec failed on 2027-01-15 07:50 UTC: 0 of 2 tasks run: no such image");
	assert_has(c->reason, "reconcile apply --retry=svc/a");
	assert_int_equal(plan_summarize(s->plan).failed, 1);
	assert_int_equal(plan_summarize(s->plan).update, 0);
	assert_false(plan_has_ready(s->plan));
}

static void another_spec_or_retry_tries_it(void **state)
{
	struct sets *s = *state;
	static const char *const other[] = {"svc/b", NULL}, *const this[] = {"svc/b", "svc/a", NULL};
	struct resource *w = add_differing(s, "a", "env");
	record(s, "failed", "svc/a", spec_record(w, "no such image"));
	s->in.retry = other;
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_FAILED);
	s->in.retry = this;
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_READY);
	s->in.retry = NULL;
	s->in.retry_all = true;
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_READY);
	s->in.retry_all = false;
	json_set_str(json_object_get(w->body, "env"), "A", "mended");
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_READY);
}

static void what_others_own_is_no_other_spec(void **state)
{
	struct sets *s = *state;
	struct resource *w = add_differing(s, "a", "env");
	json_set_int(w->body, "wait", 3);
	vec_push(&w->floating, "wait");
	vec_push(&w->ignore, "labels[x]");
	record(s, "failed", "svc/a", spec_record(w, "no such image"));
	json_set_int(w->body, "wait", 4);
	json_set(w->body, "labels", json_pack("{s:s}", "x", "settled"));
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_FAILED);
	json_set(w->body, "labels", json_pack("{s:s}", "y", "the spec's"));
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_READY);
}

static void in_sync_with_trouble_has_failed(void **state)
{
	struct sets *s = *state;
	struct resource *w = add(s->want, "svc", "a", json_object()), *l = add(s->live, "svc", "a", json_object());
	record(s, "failed", "svc/a", spec_record(w, "no such image"));
	assert_true(plan_is_empty(make(s)));
	l->trouble = "0 of 2 tasks run: no such image";
	const struct change *c = plan_of(s, "svc/a");
	assert_int_equal(c->action, ACTION_VERIFY);
	assert_int_equal(c->state, CHANGE_FAILED);
	assert_has(c->reason, "no such image");
	assert_string_equal(c->effect, "0 of 2 tasks run: no such image");
	assert_false(plan_has_ready(s->plan));
	s->in.retry_all = true;
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_READY);
}

static void an_attempt_that_was_rolled_back_has_failed(void **state)
{
	struct sets *s = *state;
	struct resource *w = add_differing(s, "a", "env");
	struct resource *l = resource_find(s->live, "svc", "a");
	record(s, "attempts", "svc/a", spec_record(w, NULL));
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_READY);
	l->rolled_back = true;
	l->trouble = "update paused: task: exit 1";
	const struct change *c = plan_of(s, "svc/a");
	assert_int_equal(c->state, CHANGE_FAILED);
	assert_has(c->reason, "tried on 2027-01-15 07:50 UTC and did not last: update paused: task: exit 1");
	assert_has(c->reason, "--retry=svc/a");
	l->trouble = NULL;
	assert_has(plan_of(s, "svc/a")->reason, "rolled it back");
	/* What was rolled back may have been an earlier write: the run was killed before this one. */
	l->rolled_back_at = NOW - 3600;
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_READY);
	l->rolled_back_at = NOW - 500;
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_FAILED);
	json_set_str(json_object_get(w->body, "env"), "A", "mended");
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_READY);
}

/* The engine has stopped; waiting for it to go on by itself would be for ever. */
static void retry_goes_on_with_what_was_stopped(void **state)
{
	struct sets *s = *state;
	struct resource *w = add(s->want, "svc", "a", json_object()), *l = add(s->live, "svc", "a", json_object());
	record(s, "failed", "svc/a", spec_record(w, "no such image"));
	l->trouble = "its update is paused";
	l->rolled_back = true;
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_FAILED);
	s->in.retry_all = true;
	const struct change *c = plan_of(s, "svc/a");
	assert_int_equal(c->action, ACTION_UPDATE);
	assert_int_equal(c->state, CHANGE_READY);
	assert_int_equal(c->disruption, DISRUPTS_RESTART);
	assert_true(plan_changes_something(s->plan));
}

static void trouble_is_waited_for(void **state)
{
	struct sets *s = *state;
	size_t i;
	struct resource *w = add(s->want, "svc", "a", json_object());
	add(s->live, "svc", "a", json_object())->trouble = "1 of 2 tasks run";
	add(s->want, "net", "n", json_object());
	add_absent(s, "net", "n");
	resource_ref(s->want, w, REF_REQUIRES, (struct mark){0}, "net/n");
	struct resource *gate = add(s->want, "check", "g", json_object());
	resource_ref(s->want, gate, REF_REQUIRES, (struct mark){0}, "svc/a");
	add(s->live, "check", "g", json_object());
	const struct change *c = plan_of(s, "svc/a");
	assert_int_equal(c->action, ACTION_VERIFY);
	assert_int_equal(c->state, CHANGE_READY);
	assert_string_equal(c->effect, "1 of 2 tasks run\nwaits for its tasks; nothing is written");
	assert_int_equal(c->requires.n, 0);
	assert_int_equal(c->after.n, 1);
	assert_int_equal(find_change(s->plan, "check/g")->requires.n, 1);

	struct schedule *sch = schedule_new(s->plan);
	assert_true(schedule_next(sch, &i));
	assert_string_equal(s->plan->changes.v[i].key, "net/n");
	schedule_finish(sch, i, false);
	assert_true(schedule_next(sch, &i));
	assert_string_equal(s->plan->changes.v[i].key, "svc/a");
	assert_false(schedule_next(sch, &(size_t){0}));
	schedule_finish(sch, i, false);
	assert_false(schedule_next(sch, &i));
	assert_true(schedule_is_over(sch));
	schedule_free(sch);
}

static void a_wait_is_to_do_and_changes_nothing(void **state)
{
	struct sets *s = *state;
	add(s->want, "svc", "a", json_object());
	add(s->live, "svc", "a", json_object())->trouble = "1 of 2 tasks run";
	struct plan *p = make(s);
	assert_true(plan_has_ready(p));
	assert_false(plan_changes_something(p));
	assert_int_equal(p->in_sync, 0);
	add_differing(s, "b", "env");
	assert_true(plan_changes_something(make(s)));
}

static void trouble_of_what_changes_is_a_note(void **state)
{
	struct sets *s = *state;
	add_differing(s, "a", "env");
	resource_find(s->live, "svc", "a")->trouble = "1 of 2 tasks run";
	assert_int_equal(plan_of(s, "svc/a")->action, ACTION_UPDATE);
	assert_int_equal(s->plan->notes.n, 1);
	assert_string_equal(s->plan->notes.v[0].text, "1 of 2 tasks run");
}

static void what_needs_a_failed_one_is_blocked(void **state)
{
	struct sets *s = *state;
	struct resource *w = add_differing(s, "a", "env"), *user = add_differing(s, "b", "env");
	resource_ref(s->want, user, REF_REQUIRES, (struct mark){0}, "svc/a");
	record(s, "failed", "svc/a", spec_record(w, "no such image"));
	const struct change *c = plan_of(s, "svc/b");
	assert_int_equal(c->state, CHANGE_BLOCKED);
	assert_string_equal(c->reason, "needs svc/a, which has failed");
	assert_int_equal(plan_summarize(s->plan).failed, 1);
	assert_int_equal(plan_summarize(s->plan).blocked, 1);
}

static void nothing_is_pruned_while_something_has_failed(void **state)
{
	struct sets *s = *state;
	struct resource *w = add_differing(s, "a", "env");
	add(s->live, "net", "old", json_object());
	assert_int_equal(plan_of(s, "net/old")->state, CHANGE_READY);
	record(s, "failed", "svc/a", spec_record(w, "no such image"));
	assert_int_equal(plan_of(s, "net/old")->state, CHANGE_BLOCKED);
	assert_has(find_change(s->plan, "net/old")->reason, "svc/a");
}

static void fingerprint_of(const char *secret, const char *unreviewed, char hex[65])
{
	struct resource desired = {.kind = "svc", .name = "a", .presence = PRESENT};
	const struct change c = {.key = "svc/a", .action = ACTION_REPLACE, .desired = &desired};

	desired.body = json_pack("{s:{s:{s:s,s:s}}}", "secrets", "/run/secrets/db", "source", secret, "uid", "1");
	if (unreviewed)
		vec_push(&desired.unreviewed, unreviewed);
	plan_change_fingerprint(&c, test_fingerprint, hex);
	vec_free(&desired.unreviewed);
	json_decref(desired.body);
}

/* A dry run does not look at it, and an apply does. */
static void the_name_of_a_secret_is_not_what_is_approved(void **state)
{
	static const char path[] = "secrets[/run/secrets/db].source";
	char one[65], two[65];

	(void)state;
	fingerprint_of("db-1", path, one);
	fingerprint_of("db-2", path, two);
	assert_string_equal(one, two);
	fingerprint_of("db-1", NULL, one);
	fingerprint_of("db-2", NULL, two);
	assert_string_not_equal(one, two);
}

/* Of env[A], where this was written. */
static json_t *writes_of(const char *value, int64_t a, int64_t b, int64_t c)
{
	_cleanup_json_ json_t *text = json_string(value);
	const struct field_change f = {.to = text};
	char written[PLAN_VALUE_SIZE];

	plan_value(&f, test_fingerprint, written);
	return json_pack("{s:{s:s, s:[I,I,I], s:I}}", "env[A]", "value", written, "at", (json_int_t)a, (json_int_t)b,
			 (json_int_t)c, "last", (json_int_t)c);
}

static json_t *times(int64_t a, int64_t b, int64_t c)
{
	return writes_of("spec", a, b, c);
}

static void three_reverts_in_an_hour_are_contested(void **state)
{
	struct sets *s = *state;
	static const struct {
		int64_t ago[3];
		enum change_state state;
	} rows[] = {
		{{3599, 1800, 0}, CHANGE_FAILED},
		{{3601, 1800, 0}, CHANGE_READY},
		{{90000, 88000, 87000}, CHANGE_FAILED}, /* stays until somebody looks */
		{{90000, 88000, 0}, CHANGE_READY},
	};
	add_differing(s, "a", "env");
	s->in.same_spec = true;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		record(s, "reverts", "svc/a", times(NOW - rows[i].ago[0], NOW - rows[i].ago[1], NOW - rows[i].ago[2]));
		assert_int_equal(plan_of(s, "svc/a")->state, rows[i].state);
	}
	record(s, "reverts", "svc/a", times(NOW - 3599, NOW - 1800, NOW));
	const struct change *c = plan_of(s, "svc/a");
	assert_has(c->reason, "contested: env[A] was reverted 3 times since 2027-01-15 07:00 UTC");
	assert_has(c->reason, "somebody else writes it");
	assert_has(c->reason, "--retry=svc/a");
}

/* Whatever is known of what was applied last, for that is known on one machine only. */
static void only_the_same_value_of_the_same_field_is_contested(void **state)
{
	struct sets *s = *state;
	add_differing(s, "a", "env");
	add_differing(s, "b", "labels");
	record(s, "reverts", "svc/a", times(NOW, NOW, NOW));
	record(s, "reverts", "svc/b", times(NOW, NOW, NOW));
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_FAILED);
	assert_int_equal(find_change(s->plan, "svc/b")->state, CHANGE_READY);
	s->in.same_spec = true;
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_FAILED);
	s->in.retry_all = true;
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_READY);
	s->in.retry_all = false;
	record(s, "reverts", "svc/a", writes_of("another", NOW, NOW, NOW));
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_READY); /* the spec says something new */
}

static void the_same_spec_makes_differences_drift(void **state)
{
	struct sets *s = *state;
	_cleanup_json_ json_t *last = json_pack("{s:{s:{s:s}}}", "svc/b", "env", "A", "another");
	add_differing(s, "a", "env");
	add_differing(s, "b", "env");
	s->in.last = last;
	assert_int_equal(plan_of(s, "svc/a")->fields.v[0].why, WHY_SPEC);
	s->in.same_spec = true;
	assert_int_equal(plan_of(s, "svc/a")->fields.v[0].why, WHY_DRIFT);
	assert_int_equal(find_change(s->plan, "svc/a")->why, WHY_DRIFT);
	assert_int_equal(find_change(s->plan, "svc/b")->fields.v[0].why, WHY_INTENT);
}

static void what_cannot_be_owned_is_adopted_by_its_id(void **state)
{
	struct sets *s = *state;
	static const char *const adopt[] = {"svc/a", NULL};
	struct resource *l = add(s->live, "svc", "a", json_object());
	add(s->want, "svc", "a", json_object());
	l->owned = l->ownable = false;
	l->id = "id1";
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_BLOCKED);
	s->in.adopt = adopt;
	const struct change *c = plan_of(s, "svc/a");
	assert_int_equal(c->action, ACTION_ADOPT);
	assert_int_equal(c->state, CHANGE_READY);
	assert_int_equal(c->fields.n, 0);
	assert_string_equal(c->effect, "its id is remembered, nothing of it changes");
	/* Remembered: policy.adopt may forget it again. */
	record(s, "adopted", "svc/a", json_string("id1"));
	assert_true(plan_is_empty(make(s)));
	s->in.adopt = NULL;
	assert_true(plan_is_empty(make(s)));
	/* Another object of the same name is another object. */
	l->id = "id2";
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_BLOCKED);
	s->in.adopt = adopt;
	assert_int_equal(plan_of(s, "svc/a")->action, ACTION_ADOPT);
	/* Nowhere to remember it: then the list alone counts. */
	s->in.shared = NULL;
	assert_true(plan_is_empty(make(s)));
}

static void an_id_is_no_ownership_of_what_can_be_owned(void **state)
{
	struct sets *s = *state;
	struct resource *l = add(s->live, "svc", "a", json_object());
	add(s->want, "svc", "a", json_object());
	l->owned = false;
	l->id = "id1";
	record(s, "adopted", "svc/a", json_string("id1"));
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_BLOCKED);
}

static void add_every_action(struct sets *s)
{
	add_differing(s, "update", "env");
	add(s->want, "svc", "create", json_object());
	add_absent(s, "svc", "create");
	add(s->want, "net", "replace", json_pack("{s:s}", "mode", "x"));
	add(s->live, "net", "replace", json_pack("{s:s}", "mode", "y"));
	add(s->want, "svc", "remove", json_object())->presence = ABSENT;
	add(s->live, "svc", "remove", json_pack("{s:s}", "mode", "y"));
	add(s->live, "svc", "delete", json_object());
	add_differing(s, "labels", "labels");
	add_differing(s, "move", "place");
}

static void what_is_destructive_needs_approval(void **state)
{
	struct sets *s = *state;
	static const struct {
		const char *key;
		enum change_state state;
	} rows[] = {
		{"svc/update", CHANGE_READY},   {"svc/create", CHANGE_READY},   {"net/replace", CHANGE_WAITING},
		{"svc/remove", CHANGE_WAITING}, {"svc/delete", CHANGE_WAITING}, {"svc/labels", CHANGE_READY},
		{"svc/move", CHANGE_READY},
	};
	add_every_action(s);
	s->in.approval = true;
	struct plan *p = make(s);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		assert_int_equal(find_change(p, rows[i].key)->state, rows[i].state);
	assert_int_equal(p->held.n, 1);
	assert_has(p->held.v[0].text, "reconcile approve PLAN");
	assert_has(render_reason(p, find_change(p, "svc/delete")), "needs approval");
}

static void an_approval_is_for_exactly_that_change(void **state)
{
	struct sets *s = *state;
	char hex[65];
	struct resource *l;
	add(s->want, "net", "a", json_pack("{s:s}", "mode", "x"));
	l = add(s->live, "net", "a", json_pack("{s:s}", "mode", "y"));
	s->in.approval = true;
	plan_change_fingerprint(plan_of(s, "net/a"), test_fingerprint, hex);
	record(s, "approved", hex, json_pack("{s:s}", "resource", "net/a"));
	assert_int_equal(plan_of(s, "net/a")->state, CHANGE_READY);
	json_set_str(l->body, "mode", "z");
	assert_int_equal(plan_of(s, "net/a")->state, CHANGE_WAITING);
}

static void what_restarts_waits_for_the_window(void **state)
{
	struct sets *s = *state;
	static const struct {
		const char *key;
		enum change_state state;
	} rows[] = {
		{"svc/update", CHANGE_WAITING}, {"svc/create", CHANGE_READY},   {"net/replace", CHANGE_WAITING},
		{"svc/remove", CHANGE_WAITING}, {"svc/delete", CHANGE_WAITING}, {"svc/labels", CHANGE_READY},
		{"svc/move", CHANGE_WAITING},
	};
	add_every_action(s);
	s->in.window = "outside the maintenance windows; the next one opens Sat 22:00";
	s->in.window_opens_s = 5400;
	struct plan *p = make(s);
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct change *c = find_change(p, rows[i].key);
		assert_int_equal(c->state, rows[i].state);
		if (c->state == CHANGE_WAITING) {
			assert_string_equal(c->reason, s->in.window);
			assert_int_equal(c->retry_after_s, 5400);
		}
	}
	assert_int_equal(plan_retry_after(p), 5400);
	assert_int_equal(p->held.n, 1);
}

static void what_needs_a_person_is_said_before_what_needs_time(void **state)
{
	struct sets *s = *state;
	struct resource *w = add_differing(s, "a", "env");
	s->in.window = "closed";
	s->in.approval = true;
	record(s, "failed", "svc/a", spec_record(w, "no such image"));
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_FAILED);
	record(s, "suspended", "svc/a", suspension(0));
	assert_int_equal(plan_of(s, "svc/a")->state, CHANGE_BLOCKED);
	resource_block(s->want, w, "its image is unknown");
	assert_string_equal(plan_of(s, "svc/a")->reason, "its image is unknown");
}

static const struct render_context ctx = {.cluster = "test", .source = "c.yaml", .engine = "unix:///x"};

static void held_changes_render_in_three_forms(void **state)
{
	struct sets *s = *state;
	_cleanup_str_ struct str out = {0};
	struct resource *w = add_differing(s, "a", "env");
	add_differing(s, "b", "env");
	add_differing(s, "c", "env");
	s->in.window = "outside the maintenance windows; the next one opens Sat 22:00 (UTC)";
	record(s, "failed", "svc/a", spec_record(w, "no such image"));
	struct plan *p = make(s);

	render_text(p, &ctx, &out);
	assert_string_equal(str_cstr(&out),
			    "Cluster test: c.yaml against unix:///x\n\n"
			    "  ! outside the maintenance windows; the next one opens Sat 22:00 (UTC)\n\n"
			    "  ! failed   svc/a\n"
			    "             this spec failed on 2027-01-15 07:50 UTC: no such image\n"
			    "             it is not tried again until its spec changes; to try the same spec again: "
			    "reconcile apply "
			    "--retry=svc/a\n"
			    "             env[A]: \"live\" -> \"spec\"\n"
			    "  ! waiting  svc/b\n"
			    "             outside the maintenance windows\n"
			    "             env[A]: \"live\" -> \"spec\"\n"
			    "  ! waiting  svc/c\n"
			    "             outside the maintenance windows\n"
			    "             env[A]: \"live\" -> \"spec\"\n"
			    "\n"
			    "2 waiting, 1 failed; 0 in sync.\n");

	str_reset(&out);
	render_markdown(p, &ctx, &out);
	assert_has(str_cstr(&out), "\n> ⚠️ outside the maintenance windows; the next one opens Sat 22:00 (UTC)\n");
	assert_has(str_cstr(&out), "| ❌ | `svc/a` | failed |");
	assert_has(str_cstr(&out), "| ⚠️ | `svc/b` | waiting |");

	_cleanup_json_ json_t *j = render_json(p, &ctx);
	assert_int_equal(json_int(json_object_get(j, "summary"), "failed", 0), 1);
	assert_int_equal(json_array_size(json_object_get(j, "held")), 1);
	const json_t *b = json_array_get(json_object_get(j, "changes"), 1);
	assert_string_equal(json_str(b, "state"), "waiting");
	assert_string_equal(json_str(b, "reason"), s->in.window);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_suspended_is_blocked),
		TEST(a_suspension_expires),
		TEST(a_suspension_is_not_forgotten),
		TEST(the_whole_cluster_suspended_is_told_at_the_top),
		TEST(a_spec_that_failed_is_not_tried_again),
		TEST(another_spec_or_retry_tries_it),
		TEST(what_others_own_is_no_other_spec),
		TEST(in_sync_with_trouble_has_failed),
		TEST(an_attempt_that_was_rolled_back_has_failed),
		TEST(retry_goes_on_with_what_was_stopped),
		TEST(trouble_is_waited_for),
		TEST(a_wait_is_to_do_and_changes_nothing),
		TEST(trouble_of_what_changes_is_a_note),
		TEST(what_needs_a_failed_one_is_blocked),
		TEST(nothing_is_pruned_while_something_has_failed),
		TEST(the_name_of_a_secret_is_not_what_is_approved),
		TEST(three_reverts_in_an_hour_are_contested),
		TEST(only_the_same_value_of_the_same_field_is_contested),
		TEST(the_same_spec_makes_differences_drift),
		TEST(what_cannot_be_owned_is_adopted_by_its_id),
		TEST(an_id_is_no_ownership_of_what_can_be_owned),
		TEST(what_is_destructive_needs_approval),
		TEST(an_approval_is_for_exactly_that_change),
		TEST(what_restarts_waits_for_the_window),
		TEST(what_needs_a_person_is_said_before_what_needs_time),
		TEST(held_changes_render_in_three_forms),
	};
	json_init();
	return cmocka_run_group_tests_name("hold", tests, NULL, NULL);
}
