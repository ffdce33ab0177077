/*
 * The plan: the difference between what the spec wants and what was observed,
 * as changes in an order of execution. Pure: the same input gives the same bytes.
 *
 *   diff.h     two canonical bodies -> field changes
 *   plan.h     resources -> changes with reasons, guards, order
 *   schedule.h which change may start now
 *   render.h   text, JSON, Markdown
 */
#ifndef RECONCILE_PLAN_PLAN_H
#define RECONCILE_PLAN_PLAN_H

#include "base/mem.h"
#include "model/kind.h"

struct plan_note {
	const char *key; /* "swarm/wizardsofts" */
	const char *text;
	struct mark mark;
};

struct plan {
	struct arena *arena;
	VEC(struct change) changes;  /* in order of execution */
	VEC(struct plan_note) notes; /* what is worth knowing and changes nothing */
	size_t in_sync;              /* wanted resources that need nothing */
};

struct plan_input {
	const struct kind *const *kinds;
	size_t n_kinds;
	const char *cluster;
	const struct resource_set *want, *live; /* borrowed by the plan: they must outlive it */
	const struct snapshot *snap;            /* for the kinds' explain hooks */
	const json_t *last;                     /* {"kind/name": body} as last applied; NULL: not known */
	const json_t *unmet;      /* gates that did not hold when they were last asked: {"kind/name": …}; or NULL */
	const char *const *adopt; /* "kind/name" of policy.adopt, NULL-terminated; NULL: none */
	bool prune;
	int64_t max_deletions;
};

/* The kind of that name in the input's table; NULL when it has none. */
const struct kind *plan_input_kind(const struct plan_input *in, const char *name);

/* Never fails: what cannot be done is a blocked change that says so. */
struct plan *plan_make(const struct plan_input *in);
void plan_free(struct plan *p);

struct plan_summary {
	size_t create, update, adopt, replace, remove, verify; /* ready ones */
	size_t blocked, waiting;
};
struct plan_summary plan_summarize(const struct plan *p);
bool plan_is_empty(const struct plan *p);       /* no change at all, in whatever state */
bool plan_has_ready(const struct plan *p);      /* something can be changed now; a gate alone is nothing to change */
bool plan_is_destructive(const struct plan *p); /* a ready change removes or replaces something */
int64_t plan_retry_after(const struct plan *p); /* seconds until the first gate is worth another look; 0: unknown */

/*
 * Marks change i and everything that requires it: blocked, or waiting when the
 * gate says that looking again can help.
 */
void plan_hold(struct plan *p, size_t i, enum change_state state, const char *reason, int64_t retry_after_s);

const char *action_name(enum action a); /* "create" */
const char *why_name(enum why w);       /* "drift" */
const char *disruption_name(enum disruption d);
const char *change_state_name(enum change_state s);

#endif
