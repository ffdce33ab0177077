/* What a plan consists of. All strings live in the plan's arena. */
#ifndef RECONCILE_MODEL_CHANGE_H
#define RECONCILE_MODEL_CHANGE_H

#include "model/resource.h"

enum action {
	ACTION_NONE, /* in sync; only kept inside the planner */
	ACTION_CREATE,
	ACTION_UPDATE,
	ACTION_REPLACE, /* cannot be updated: removed and created */
	ACTION_ADOPT,   /* update that takes ownership as well */
	ACTION_DELETE,  /* prune: owned, no longer in the spec */
	ACTION_REMOVE,  /* an `absent` entry: stop and remove */
	ACTION_VERIFY,  /* a gate: looked at, never written */
};

enum why {
	WHY_SPEC,       /* the spec says so and nothing is known of an earlier run */
	WHY_INTENT,     /* the spec changed since it was last applied */
	WHY_DRIFT,      /* somebody else changed the live object */
	WHY_DEPENDENCY, /* follows from another change */
};

enum disruption { /* of what runs; columns of the field table, the worst of a change's fields counts */
		  DISRUPTS_NOTHING,
		  DISRUPTS_RESTART, /* tasks or the container restart */
		  DISRUPTS_EVICT,   /* tasks may be moved away */
		  DISRUPTS_REMOVE,  /* what runs ends */
};

enum change_state {
	CHANGE_READY,
	CHANGE_BLOCKED, /* reason says by what; not applied in this pass */
	CHANGE_WAITING, /* a gate: reason says for what, retry_after_s when to look again */
	CHANGE_FAILED,  /* this very spec failed before, or is contested: not tried again by itself; an error of the run
			 */
};

struct field_change {
	const char *path;   /* "env[OLLAMA_HOST]" */
	const char *field;  /* "env": the row of the field table */
	const json_t *from; /* NULL: was not set; borrowed from the live body */
	const json_t *to;   /* NULL: is removed; borrowed from the desired body */
	enum why why;
	struct mark mark; /* where the spec says so; line 0 for removals not in the spec */
	bool secret;      /* values are not shown: a secret field, or text from an environment variable */
};

struct change {
	enum action action;
	const struct kind *kind;
	const char *key;                /* "service/ollama" */
	const struct resource *desired; /* NULL for prune */
	const struct resource *live;    /* NULL when absent */
	VEC(struct field_change) fields;
	enum why why;
	enum disruption disruption;
	const char *effect; /* one line on what will happen to what runs; may be NULL */
	const char *asks;   /* what a person is asked about first: "installs packages"; NULL: nothing */
	enum change_state state;
	const char *reason;    /* of blocked and waiting */
	int64_t retry_after_s; /* waiting; 0: unknown */
	/*
	 * Indices in the plan, always smaller than this change's own: the plan's
	 * order is an order of execution. The kind table's `after` column adds to
	 * it without being listed here.
	 */
	VEC(size_t) after;    /* these first, whatever becomes of them */
	VEC(size_t) requires; /* these first, and they must succeed */
};

/* True when field (a row of the field table) is among the change's fields. */
bool change_has_field(const struct change *c, const char *field);

#endif
