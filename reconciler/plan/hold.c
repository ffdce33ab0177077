#include "plan/hold.h"

#include "base/str.h"

#include <string.h>
#include <time.h>

#define CONTESTED_REVERTS 3

static const json_t *recorded(const struct plan_input *in, const char *section, const char *key)
{
	return json_object_get(json_object_get(in->shared, section), key);
}

static const char *time_text(struct arena *a, int64_t wall)
{
	const time_t t = (time_t)wall;
	struct tm tm;
	char buf[64];

	if (!gmtime_r(&t, &tm) || strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M UTC", &tm) == 0)
		return "an unknown time";
	return arena_strdup(a, buf);
}

static bool is_listed(const char *const *names, const char *key)
{
	for (; names && *names; names++)
		if (strcmp(*names, key) == 0)
			return true;
	return false;
}

static bool is_retried(const struct plan_input *in, const char *key)
{
	return in->retry_all || is_listed(in->retry, key);
}

static void hold(struct change *c, enum change_state state, const char *reason)
{
	c->state = state;
	c->reason = reason;
	if (c->action == ACTION_VERIFY && c->live && c->live->trouble)
		c->effect = strstr(reason, c->live->trouble) ? NULL : c->live->trouble;
}

/* A reason of many changes: said above them, once. */
static void hold_together(struct plan *p, struct change *c, enum change_state state, const char *text,
			  const char *brief)
{
	hold(c, state, text);
	for (size_t i = 0; i < p->held.n; i++)
		if (strcmp(p->held.v[i].text, text) == 0)
			return;
	vec_push(&p->held, ((struct plan_held){.text = text, .brief = brief}));
}

/* Suspended */

static bool is_suspended(const struct plan_input *in, const json_t *s)
{
	int64_t until = json_int(s, "until", 0);
	return json_is_object(s) && (until == 0 || until > in->now);
}

static const char *suspension_text(struct plan *p, const json_t *s, const char *what, const char *key)
{
	const char *reason = json_str(s, "reason"), *by = json_str(s, "by");
	int64_t until = json_int(s, "until", 0);

	return arena_printf(p->arena, "%ssuspended since %s by %s%s%s%s%s; to end it: reconcile resume%s%s", what,
			    time_text(p->arena, json_int(s, "since", 0)), by ? by : "an unknown user",
			    until ? ", until " : "", until ? time_text(p->arena, until) : "", reason ? ": " : "",
			    reason ? reason : "", *key ? " " : "", key);
}

static bool hold_suspended(struct plan *p, const struct plan_input *in, struct change *c)
{
	const json_t *s = recorded(in, "suspended", c->key);

	if (!is_suspended(in, s))
		return false;
	hold(c, CHANGE_BLOCKED, suspension_text(p, s, "", c->key));
	return true;
}

/* Also what needs nothing now: an operator forgets what is suspended. */
static void note_suspended(struct plan *p, const struct plan_input *in)
{
	const json_t *all = json_object_get(in->shared, "suspended"), *cluster = json_object_get(all, "*");
	size_t n;

	if (is_suspended(in, cluster))
		vec_push(&p->held, ((struct plan_held){.text = suspension_text(p, cluster, "changes are ", "")}));
	const char **keys = json_sorted_keys(all, &n);
	for (size_t i = 0; i < n; i++) {
		const json_t *s = json_object_get(all, keys[i]);
		const struct resource *r = resource_find_key(in->want, keys[i]);
		bool shown = false;
		for (size_t k = 0; k < p->changes.n; k++)
			shown |= strcmp(p->changes.v[k].key, keys[i]) == 0;
		if (r && !shown && is_suspended(in, s))
			vec_push(&p->notes, ((struct plan_note){.key = arena_strdup(p->arena, keys[i]),
								.text = suspension_text(p, s, "", keys[i]),
								.mark = r->mark}));
	}
	free(keys);
}

/* Failed before */

static const char *retry_text(struct plan *p, const struct change *c)
{
	return arena_printf(p->arena,
			    "it is not tried again until its spec changes; to try the same spec again: "
			    "reconcile apply --retry=%s",
			    c->key);
}

static bool hold_failed(struct plan *p, const struct plan_input *in, struct change *c)
{
	const json_t *failed = recorded(in, "failed", c->key);
	const char *reason = json_str(failed, "reason");

	if (!failed || is_retried(in, c->key) || !plan_is_of_spec(failed, c->desired, in->fingerprint))
		return false;
	hold(c, CHANGE_FAILED,
	     arena_printf(p->arena, "this spec failed on %s: %s\n%s", time_text(p->arena, json_int(failed, "at", 0)),
			  reason ? reason : "the reason was not recorded", retry_text(p, c)));
	return true;
}

/* The run that tried it was killed before it could record how it ended; the engine knows. */
static bool hold_attempted(struct plan *p, const struct plan_input *in, struct change *c)
{
	const json_t *attempt = recorded(in, "attempts", c->key);

	if (!attempt || !c->live || !c->live->rolled_back || is_retried(in, c->key) ||
	    !plan_is_of_spec(attempt, c->desired, in->fingerprint))
		return false;
	/* What was undone may be an earlier write: this one was then never made. */
	if (c->live->rolled_back_at && c->live->rolled_back_at < json_int(attempt, "at", 0))
		return false;
	hold(c, CHANGE_FAILED,
	     arena_printf(p->arena, "this spec was tried on %s and did not last: %s\n%s",
			  time_text(p->arena, json_int(attempt, "at", 0)),
			  c->live->trouble ? c->live->trouble : "the engine stopped the update or rolled it back",
			  retry_text(p, c)));
	return true;
}

/* Contested */

int64_t plan_contested_since(const json_t *entry)
{
	const json_t *times = json_object_get(entry, "at");

	for (size_t i = CONTESTED_REVERTS - 1; i < json_array_size(times); i++) {
		int64_t first = json_integer_value(json_array_get(times, i + 1 - CONTESTED_REVERTS));
		if (json_integer_value(json_array_get(times, i)) - first <= PLAN_CONTESTED_WITHIN_S)
			return first;
	}
	return 0;
}

static bool hold_contested(struct plan *p, const struct plan_input *in, struct change *c)
{
	const json_t *reverts = recorded(in, "reverts", c->key);
	bool repeats = reverts && plan_only_repeats(c, reverts, in->fingerprint);

	for (size_t i = 0; reverts && !is_retried(in, c->key) && i < c->fields.n; i++) {
		const struct field_change *f = &c->fields.v[i];
		const json_t *entry = json_object_get(reverts, f->path);
		int64_t since = plan_contested_since(entry);
		if (!since || !plan_writes_again(f, entry, in->fingerprint) || (f->why != WHY_DRIFT && !repeats))
			continue;
		hold(c, CHANGE_FAILED,
		     arena_printf(p->arena,
				  "contested: %s was reverted %d times since %s, and differs again: somebody else "
				  "writes it\n"
				  "find out who, or leave it to them (ignore: ['%s']); to repair it again: "
				  "reconcile apply --retry=%s",
				  f->path, CONTESTED_REVERTS, time_text(p->arena, since), f->path, c->key));
		return true;
	}
	return false;
}

/* Approval and windows */

bool change_is_destructive(const struct change *c)
{
	bool prunes = c->action == ACTION_DELETE && !c->live->superseded;

	return prunes || c->action == ACTION_REMOVE || c->action == ACTION_REPLACE || c->disruption == DISRUPTS_REMOVE;
}

static bool hold_unapproved(struct plan *p, const struct plan_input *in, struct change *c)
{
	char hex[65];

	if (!in->approval || !change_is_destructive(c))
		return false;
	plan_change_fingerprint(c, in->fingerprint, hex);
	if (recorded(in, "approved", hex))
		return false;
	hold_together(p, c, CHANGE_WAITING,
		      "needs approval, as policy.approval asks for what is destructive: write the plan with "
		      "`reconcile --dry-run --out PLAN`, then `reconcile approve PLAN`",
		      "needs approval: reconcile approve PLAN");
	return true;
}

bool change_waits_for_window(const struct change *c)
{
	return c->disruption != DISRUPTS_NOTHING || c->action == ACTION_REPLACE;
}

static bool hold_outside_window(struct plan *p, const struct plan_input *in, struct change *c)
{
	if (!in->window || !change_waits_for_window(c))
		return false;
	hold_together(p, c, CHANGE_WAITING, arena_strdup(p->arena, in->window), "outside the maintenance windows");
	c->retry_after_s = in->window_opens_s;
	return true;
}

/* The first that holds a change is its reason: what will not pass by itself comes before what will. */
static bool (*const holds[])(struct plan *p, const struct plan_input *in, struct change *c) = {
	hold_suspended, hold_failed, hold_attempted, hold_contested, hold_unapproved, hold_outside_window,
};

void hold_changes(struct plan *p, const struct plan_input *in)
{
	note_suspended(p, in);
	for (size_t i = 0; i < p->changes.n; i++) {
		struct change *c = &p->changes.v[i];
		for (size_t k = 0; k < ARRAY_SIZE(holds) && c->state == CHANGE_READY; k++)
			if (holds[k](p, in, c))
				break;
	}
}

void hold_pruning(struct plan *p)
{
	const struct change *failed = NULL;

	for (size_t i = 0; i < p->changes.n && !failed; i++)
		if (p->changes.v[i].state == CHANGE_FAILED)
			failed = &p->changes.v[i];
	for (size_t i = 0; failed && i < p->changes.n; i++) {
		struct change *c = &p->changes.v[i];
		if (c->action == ACTION_DELETE && c->state == CHANGE_READY)
			hold(c, CHANGE_BLOCKED,
			     arena_printf(p->arena,
					  "nothing is pruned while %s is failed: what still runs of it may need this",
					  failed->key));
	}
}

void hold_trouble(struct plan *p, const struct plan_input *in, struct change *c)
{
	c->why = WHY_DEPENDENCY;
	if (c->live->rolled_back && is_retried(in, c->key)) {
		c->action = ACTION_UPDATE;
		c->disruption = DISRUPTS_RESTART;
		c->effect = arena_printf(p->arena, "%s\nthe engine is told to go on with it", c->live->trouble);
		return;
	}
	c->action = ACTION_VERIFY;
	c->disruption = DISRUPTS_NOTHING;
	c->effect = arena_printf(p->arena, "%s\nwaits for its %s; nothing is written", c->live->trouble,
				 c->kind->runs ? c->kind->runs : "state");
}

bool hold_is_adopted(const struct plan_input *in, const char *key, const struct resource *live)
{
	const char *id = json_string_value(recorded(in, "adopted", key));
	return id && live->id && strcmp(id, live->id) == 0;
}
