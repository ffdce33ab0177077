#include "plan/plan.h"

#include "base/str.h"
#include "plan/diff.h"
#include "plan/hold.h"
#include "plan/order.h"

#include <string.h>

static const char *const action_names[] = {
	[ACTION_NONE] = "none",   [ACTION_CREATE] = "create", [ACTION_UPDATE] = "update", [ACTION_REPLACE] = "replace",
	[ACTION_ADOPT] = "adopt", [ACTION_DELETE] = "delete", [ACTION_REMOVE] = "remove", [ACTION_VERIFY] = "verify",
};
static const char *const why_names[] = {
	[WHY_SPEC] = "spec",
	[WHY_INTENT] = "intent",
	[WHY_DRIFT] = "drift",
	[WHY_DEPENDENCY] = "dependency",
};
static const char *const disruption_names[] = {
	[DISRUPTS_NOTHING] = "none",
	[DISRUPTS_RESTART] = "restart",
	[DISRUPTS_EVICT] = "evict",
	[DISRUPTS_REMOVE] = "remove",
};
static const char *const state_names[] = {
	[CHANGE_READY] = "ready",
	[CHANGE_BLOCKED] = "blocked",
	[CHANGE_WAITING] = "waiting",
	[CHANGE_FAILED] = "failed",
};

const char *action_name(enum action a)
{
	return action_names[a];
}

const char *why_name(enum why w)
{
	return why_names[w];
}

const char *disruption_name(enum disruption d)
{
	return disruption_names[d];
}

const char *change_state_name(enum change_state s)
{
	return state_names[s];
}

struct planner {
	const struct plan_input *in;
	struct plan *plan;
	const struct kind *kind; /* of the resource being planned */
	bool drifted;            /* it differs, and that is only reported */
	struct observe observe;  /* for explain */
};

const struct kind *plan_input_kind(const struct plan_input *in, const char *name)
{
	for (size_t i = 0; i < in->n_kinds; i++)
		if (strcmp(in->kinds[i]->name, name) == 0)
			return in->kinds[i];
	return NULL;
}

static bool may_adopt(const struct plan_input *in, const char *key)
{
	for (const char *const *a = in->adopt; a && *a; a++)
		if (strcmp(*a, key) == 0)
			return true;
	return false;
}

static void note(struct planner *p, const char *key, const char *text, struct mark m)
{
	vec_push(&p->plan->notes, ((struct plan_note){.key = key, .text = text, .mark = m}));
}

static void block(struct change *c, const char *reason)
{
	c->state = CHANGE_BLOCKED;
	c->reason = reason;
}

/* The reason of a whole change is the strongest of its fields': drift, then intent. */
static enum why summarize_why(const struct change *c)
{
	enum why w = c->fields.n ? WHY_SPEC : WHY_DEPENDENCY;
	for (size_t i = 0; i < c->fields.n; i++) {
		if (c->fields.v[i].why == WHY_DRIFT)
			return WHY_DRIFT;
		if (c->fields.v[i].why == WHY_INTENT)
			w = WHY_INTENT;
	}
	return w;
}

/* Without a record of what was applied: the spec is the same, so it is the cluster that changed. */
static void explain_same_spec(const struct planner *p, struct change *c)
{
	for (size_t i = 0; p->in->same_spec && i < c->fields.n; i++)
		if (c->fields.v[i].why == WHY_SPEC)
			c->fields.v[i].why = WHY_DRIFT;
}

static const char *nothing_observed(const struct planner *p, const struct resource *live)
{
	return live && live->blocked ? live->blocked
				     : arena_printf(p->plan->arena, "its state is unknown: nothing was observed");
}

/* What the change is, given both sides; fields are filled. */
static void decide(struct planner *p, struct change *c, bool replaces)
{
	const struct resource *desired = c->desired, *live = c->live;
	bool unowned = live && live->presence == PRESENT && c->kind->adopts && !live->owned;
	bool known = unowned && !live->ownable && hold_is_adopted(p->in, c->key, live);
	bool adopted = known || (unowned && may_adopt(p->in, c->key));

	if (desired->presence == ABSENT) {
		c->action = c->fields.n ? ACTION_REMOVE : ACTION_NONE;
		c->disruption = c->fields.n ? DISRUPTS_REMOVE : DISRUPTS_NOTHING;
	} else if (!live || live->presence == ABSENT) {
		c->action = ACTION_CREATE;
		c->disruption = DISRUPTS_NOTHING;
	} else if (replaces) {
		c->action = ACTION_REPLACE;
	} else if (adopted && live->ownable) {
		c->action = ACTION_ADOPT;
	} else if (c->fields.n) {
		c->action = ACTION_UPDATE;
	} else if (adopted && !known && live->id && p->in->shared) {
		c->action = ACTION_ADOPT;
		c->effect = "its id is remembered, nothing of it changes";
	} else {
		c->action = ACTION_NONE;
	}
	if (unowned && !adopted) {
		/* What somebody else's object has is not the business of whoever names it in a spec. */
		c->fields.n = 0;
		if (c->action == ACTION_NONE)
			c->action = ACTION_ADOPT;
		block(c,
		      arena_printf(
			      p->plan->arena,
			      "it exists and this cluster's spec does not own it: add '%s' to policy.adopt to manage "
			      "it, or rename it",
			      c->key));
	}
}

static bool plan_wanted(struct planner *p, const struct resource *desired, struct change *c)
{
	const struct resource *live = resource_find(p->in->live, desired->kind, desired->name);
	bool seen = live && live->presence != UNKNOWN;
	const char *create_only = "";
	bool replaces = false;
	_cleanup_json_ json_t *hidden = hold_hidden(p->in, desired->kind);

	p->drifted = false;
	if (seen && live->presence == PRESENT && !desired->external) {
		const struct resource *settled = hold_drift(p->plan, p->in, p->kind, desired, live);
		p->drifted = settled != desired;
		desired = settled;
	}
	*c = (struct change){.kind = p->kind, .desired = desired, .live = live && seen ? live : NULL};
	c->key = arena_printf(p->plan->arena, "%s/%s", desired->kind, desired->name);
	if (desired->note)
		note(p, c->key, desired->note, desired->mark);
	if (live && live->note)
		note(p, c->key, live->note, desired->mark);

	if (desired->external) {
		c->action = seen && live->presence == PRESENT ? ACTION_NONE : ACTION_VERIFY;
		if (c->action != ACTION_NONE)
			block(c, seen ? "it is external, and it does not exist: create it, or drop 'external'"
				      : nothing_observed(p, live));
		return c->action != ACTION_NONE;
	}
	if (seen && live->presence == ABSENT && desired->presence == PRESENT && hold_is_gone(p->plan, p->in, desired)) {
		p->drifted = true;
		return false;
	}
	if (seen && live->presence == PRESENT)
		replaces = diff_bodies(p->plan->arena, p->kind, desired, live, json_object_get(p->in->last, c->key),
				       hidden, c, &create_only);
	else if (seen)
		diff_bodies(p->plan->arena, p->kind, desired, NULL, json_object_get(p->in->last, c->key), hidden, c,
			    &create_only);
	if (*create_only)
		note(p, c->key, create_only, desired->mark);
	explain_same_spec(p, c);
	decide(p, c, replaces);
	c->why = summarize_why(c);

	if (desired->blocked && (c->action != ACTION_NONE || !seen))
		block(c, desired->blocked);
	else if (!seen)
		block(c, nothing_observed(p, live));
	if (c->state == CHANGE_BLOCKED && c->action == ACTION_NONE)
		c->action = ACTION_UPDATE;
	if (c->action != ACTION_NONE && seen && p->kind->explain)
		p->kind->explain(&p->observe, p->plan->arena, c);
	if (!seen || !live->trouble)
		return c->action != ACTION_NONE;
	if (c->action == ACTION_NONE)
		hold_trouble(p->plan, p->in, c);
	else
		note(p, c->key, live->trouble, desired->mark);
	return true;
}

static bool has_change(const struct plan *plan, const char *key)
{
	for (size_t i = 0; i < plan->changes.n; i++)
		if (plan->changes.v[i].action != ACTION_VERIFY && strcmp(plan->changes.v[i].key, key) == 0)
			return true;
	return false;
}

/* What a live resource refers to still uses it, and lets go of it only by a change. */
static bool is_let_go(const struct plan *plan, const struct resource *live)
{
	for (size_t i = 0; i < live->refs.n; i++)
		if (!has_change(plan, live->refs.v[i].target))
			return false;
	return true;
}

static void keep_what_is_used(struct plan *plan, size_t first)
{
	size_t n = first;

	for (size_t i = first; i < plan->changes.n; i++)
		if (is_let_go(plan, plan->changes.v[i].live))
			plan->changes.v[n++] = plan->changes.v[i];
	plan->changes.n = n;
}

static void plan_prune(struct planner *p, size_t first)
{
	struct plan *plan = p->plan;

	for (size_t i = 0; i < resource_count(p->in->live); i++) {
		const struct resource *live = resource_at(p->in->live, i);
		const struct kind *k = plan_input_kind(p->in, live->kind);
		if (!k || !k->prunes || !live->owned || live->presence != PRESENT ||
		    resource_find(p->in->want, live->kind, live->name))
			continue;
		struct change c = {.action = ACTION_DELETE, .kind = k, .live = live};
		c.disruption = live->superseded ? DISRUPTS_NOTHING : DISRUPTS_REMOVE;
		c.key = arena_printf(plan->arena, "%s/%s", live->kind, live->name);
		c.why = json_object_get(p->in->last, c.key) ? WHY_INTENT : WHY_SPEC;
		if (k->explain)
			k->explain(&p->observe, plan->arena, &c);
		vec_push(&plan->changes, c);
	}
	keep_what_is_used(plan, first);
	size_t n = 0;
	for (size_t i = first; i < plan->changes.n; i++)
		n += !plan->changes.v[i].live->superseded;
	if ((int64_t)n <= p->in->max_deletions)
		return;
	const char *reason = arena_printf(
		plan->arena, "%zu object%s would be pruned, policy.max_deletions is %lld: raise it if this is meant", n,
		n == 1 ? "" : "s", (long long)p->in->max_deletions);
	for (size_t i = first; i < plan->changes.n; i++)
		block(&plan->changes.v[i], reason);
}

struct plan *plan_make(const struct plan_input *in)
{
	struct plan *plan = xcalloc(1, sizeof(*plan));
	struct planner p = {
		.in = in,
		.plan = plan,
		.observe = {.cluster = in->cluster,
			    .snap = in->snap,
			    .want = in->want,
			    .out = (struct resource_set *)in->live},
	};

	plan->arena = arena_new();
	for (size_t i = 0; i < resource_count(in->want); i++) {
		const struct resource *desired = resource_at(in->want, i);
		struct change c;
		p.kind = plan_input_kind(in, desired->kind);
		if (!p.kind)
			continue;
		if (plan_wanted(&p, desired, &c))
			vec_push(&plan->changes, c);
		else if (!desired->external && !p.drifted)
			plan->in_sync++;
	}
	if (in->prune)
		plan_prune(&p, plan->changes.n);
	plan->in_sync -= plan_order(plan, in);
	hold_others(plan, in);
	hold_changes(plan, in);
	plan_hold_dependents(plan);
	hold_pruning(plan);
	return plan;
}

void plan_free(struct plan *p)
{
	if (!p)
		return;
	for (size_t i = 0; i < p->changes.n; i++) {
		vec_free(&p->changes.v[i].fields);
		vec_free(&p->changes.v[i].after);
		vec_free(&p->changes.v[i].requires);
	}
	for (size_t i = 0; i < p->bodies.n; i++)
		json_decref(p->bodies.v[i]);
	vec_free(&p->bodies);
	vec_free(&p->changes);
	vec_free(&p->notes);
	vec_free(&p->held);
	vec_free(&p->left_out);
	arena_free(p->arena);
	free(p);
}

struct plan_summary plan_summarize(const struct plan *p)
{
	struct plan_summary s = {0};
	for (size_t i = 0; i < p->changes.n; i++) {
		const struct change *c = &p->changes.v[i];
		size_t *by_action[] = {
			[ACTION_NONE] = NULL,          [ACTION_CREATE] = &s.create, [ACTION_UPDATE] = &s.update,
			[ACTION_REPLACE] = &s.replace, [ACTION_ADOPT] = &s.adopt,   [ACTION_DELETE] = &s.remove,
			[ACTION_REMOVE] = &s.remove,   [ACTION_VERIFY] = &s.verify,
		};
		if (c->state == CHANGE_BLOCKED)
			s.blocked++;
		else if (c->state == CHANGE_WAITING)
			s.waiting++;
		else if (c->state == CHANGE_FAILED)
			s.failed++;
		else if (by_action[c->action])
			(*by_action[c->action])++;
	}
	return s;
}

bool plan_mentions(const struct plan *p, const char *key)
{
	for (size_t i = 0; i < p->changes.n; i++)
		if (strcmp(p->changes.v[i].key, key) == 0)
			return true;
	for (size_t i = 0; i < p->left_out.n; i++)
		if (strcmp(p->left_out.v[i], key) == 0)
			return true;
	return false;
}

bool plan_is_empty(const struct plan *p)
{
	return p->changes.n == 0;
}

bool plan_changes_something(const struct plan *p)
{
	for (size_t i = 0; i < p->changes.n; i++)
		if (p->changes.v[i].state == CHANGE_READY && p->changes.v[i].action != ACTION_VERIFY)
			return true;
	return false;
}

bool plan_has_ready(const struct plan *p)
{
	for (size_t i = 0; i < p->changes.n; i++) {
		const struct change *c = &p->changes.v[i];
		if (c->state == CHANGE_READY && (c->action != ACTION_VERIFY || c->kind->apply))
			return true;
	}
	return false;
}

bool plan_is_destructive(const struct plan *p)
{
	for (size_t i = 0; i < p->changes.n; i++)
		if (p->changes.v[i].state == CHANGE_READY && change_is_destructive(&p->changes.v[i]))
			return true;
	return false;
}

int64_t plan_retry_after(const struct plan *p)
{
	int64_t first = 0;
	for (size_t i = 0; i < p->changes.n; i++) {
		const struct change *c = &p->changes.v[i];
		if (c->state == CHANGE_WAITING && c->retry_after_s > 0 && (first == 0 || c->retry_after_s < first))
			first = c->retry_after_s;
	}
	return first;
}

/* A failure is the failed one's own: what needs it is blocked. */
static void hold_for(struct plan *p, struct change *c, const struct change *dep)
{
	bool failed = dep->state == CHANGE_FAILED;

	c->state = failed ? CHANGE_BLOCKED : dep->state;
	c->reason = arena_printf(p->arena, "needs %s, which %s %s", dep->key, failed ? "has" : "is",
				 change_state_name(dep->state));
	c->retry_after_s = dep->retry_after_s;
}

/* Requirements point backwards, so one walk forward reaches everything. */
void plan_hold_dependents(struct plan *p)
{
	for (size_t i = 0; i < p->changes.n; i++) {
		struct change *c = &p->changes.v[i];
		for (size_t k = 0; c->state == CHANGE_READY && k < c->requires.n; k++)
			if (p->changes.v[c->requires.v[k]].state != CHANGE_READY)
				hold_for(p, c, &p->changes.v[c->requires.v[k]]);
	}
}

void plan_hold(struct plan *p, size_t i, enum change_state state, const char *reason, int64_t retry_after_s)
{
	p->changes.v[i].state = state;
	p->changes.v[i].reason = arena_strdup(p->arena, reason);
	p->changes.v[i].retry_after_s = retry_after_s;
	plan_hold_dependents(p);
}
