/*
 * The plan: the difference between what the spec wants and what was observed,
 * as changes in an order of execution. Pure: the same input gives the same bytes.
 *
 *   diff.h     two canonical bodies -> field changes
 *   plan.h     resources -> changes with reasons, guards, order
 *   hold.h     what of it has to wait: suspended, failed before, contested, not approved, outside the windows
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

/* What holds many changes at once: told once, above them. */
struct plan_held {
	const char *text;  /* what, since when, by whom, what to do */
	const char *brief; /* stands for a change's reason that is told here; NULL: no change's reason */
};

struct plan {
	struct arena *arena;
	VEC(struct change) changes;  /* in order of execution */
	VEC(struct plan_note) notes; /* what is worth knowing and changes nothing */
	VEC(struct plan_held) held;
	VEC(const char *) left_out; /* "kind/name" of changes that --only or a saved plan leaves out */
	size_t in_sync;             /* wanted resources that need nothing */
	VEC(json_t *) bodies;       /* desired bodies that differ from the resource set's: drift that is not repaired */
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
	/*
	 * What outlives one machine (state/shared.h has the sections); NULL: nothing is known to be recorded.
	 * suspended, failed, attempts, adopted, reverts, approved and report are read here.
	 */
	const json_t *shared;
	int64_t now;              /* seconds since the epoch by the manager's clock: expiry of what is suspended */
	bool same_spec;           /* the spec is the one that was applied last: every difference is drift */
	const char *const *only;  /* "kind/name", NULL-terminated: these and what they require; NULL: everything */
	const char *const *retry; /* failed or contested ones to try again; NULL: none */
	bool retry_all;
	bool approval;          /* policy.approval: destructive changes wait until they are approved */
	const char *window;     /* why nothing may restart or be removed now (maintenance windows); NULL: it may */
	int64_t window_opens_s; /* seconds until then; 0: unknown */
	/* SHA-256 of a canonical body as 64 hexadecimal digits; a hook, for this library links with the model alone. */
	void (*fingerprint)(const json_t *body, char hex[65]);
};

/* The kind of that name in the input's table; NULL when it has none. */
const struct kind *plan_input_kind(const struct plan_input *in, const char *name);

/* Never fails: what cannot be done is a blocked change that says so. */
struct plan *plan_make(const struct plan_input *in);
void plan_free(struct plan *p);

struct plan_summary {
	size_t create, update, adopt, replace, remove, verify; /* ready ones */
	size_t blocked, waiting, failed;
};
struct plan_summary plan_summarize(const struct plan *p);
/* Whether the resource differs from its spec, or did when the plan was made: also when the change is left out. */
bool plan_mentions(const struct plan *p, const char *key);
bool plan_is_empty(const struct plan *p);             /* no change at all, in whatever state */
bool plan_changes_something(const struct plan *p);    /* a ready change writes */
bool plan_has_ready(const struct plan *p);            /* that, or tasks are waited for; a gate alone is nothing to do */
bool change_is_destructive(const struct change *c);   /* what policy.approval asks for, whatever the change's state */
bool change_waits_for_window(const struct change *c); /* it restarts or removes something */
bool plan_is_destructive(const struct plan *p);       /* a ready change removes or replaces something */
int64_t plan_retry_after(const struct plan *p); /* seconds until the first gate is worth another look; 0: unknown */

/*
 * Marks change i and everything that requires it: blocked, or waiting when the
 * gate says that looking again can help.
 */
void plan_hold(struct plan *p, size_t i, enum change_state state, const char *reason, int64_t retry_after_s);
/* What requires a change that is not ready is held too. */
void plan_hold_dependents(struct plan *p);

/*
 * What the shared state remembers. Fingerprints of desired bodies leave out what `ignore` and the scaler own, so
 * that they are the spec's alone. hash: plan_input.fingerprint.
 */
void plan_fingerprint(const struct resource *desired, void (*hash)(const json_t *body, char hex[65]), char hex[65]);
/* For the section `report`: {"<field>": "<fingerprint>"}; new reference. */
json_t *plan_report(const struct resource *desired, void (*hash)(const json_t *body, char hex[65]));
/* For the section `hidden`: ["<path>", …]; new reference, NULL: none. */
json_t *plan_hidden(const struct resource *desired);
/* Whether a record {"spec": "<fingerprint>"} of the sections failed and attempts is of the desired resource's spec. */
bool plan_is_of_spec(const json_t *record, const struct resource *desired,
		     void (*hash)(const json_t *body, char hex[65]));
/* What is approved: action, desired and live body, without the names of secrets that only an apply may look at. */
void plan_change_fingerprint(const struct change *c, void (*hash)(const json_t *body, char hex[65]), char hex[65]);

/*
 * entry: a field's in the section `reverts`, {"value": …, "at": [wall, …], "last": wall}: which value was written,
 * when it was so again, in order, and when it was last. Again three times within an hour: somebody else writes the
 * field; then when the first of them was, and 0 otherwise.
 */
#define PLAN_CONTESTED_WITHIN_S 3600
int64_t plan_contested_since(const json_t *entry);
/*
 * Whether the change writes what the entry says was written last: no record of what was applied is needed for it. Of a
 * value that is not shown only whether it is a repair is known.
 */
bool plan_writes_again(const struct field_change *f, const json_t *entry,
		       void (*hash)(const json_t *body, char hex[65]));
/*
 * All of the change does, or is known to be a repair: it changes nothing for its own sake. entries: by path. Of objects
 * of Swarm: elsewhere a field may be a state ("loaded"), which one interrupted run after the other brings about again.
 */
bool plan_only_repeats(const struct change *c, const json_t *entries, void (*hash)(const json_t *body, char hex[65]));
#define PLAN_VALUE_SIZE 17 /* with its NUL; enough to tell a few values of one field apart */
void plan_value(const struct field_change *f, void (*hash)(const json_t *body, char hex[65]),
		char out[PLAN_VALUE_SIZE]);

/* ERR_USAGE with a suggestion when the spec has no such resource. option: "--only"; names: NULL-terminated or NULL. */
int plan_check_names(const struct resource_set *want, const char *option, const char *const *names,
		     struct err *err) MUST_CHECK;

const char *action_name(enum action a); /* "create" */
const char *why_name(enum why w);       /* "drift" */
const char *disruption_name(enum disruption d);
const char *change_state_name(enum change_state s);

#endif
