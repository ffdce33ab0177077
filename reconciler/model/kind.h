/*
 * A kind is data plus hooks. kinds/kinds.c holds the table; everything else is
 * generic over it.
 */
#ifndef RECONCILE_MODEL_KIND_H
#define RECONCILE_MODEL_KIND_H

#include "model/change.h"
#include "model/snapshot.h"
#include "model/wants.h"

enum field_flags {
	FIELD_RESTARTS = 1 << 0,    /* a change restarts tasks or the container */
	FIELD_EVICTS = 1 << 1,      /* a change may move tasks */
	FIELD_REPLACES = 1 << 2,    /* cannot be updated: the object is removed and created */
	FIELD_CREATE_ONLY = 1 << 3, /* used at creation, a later difference is noted, not changed */
	FIELD_IF_SET = 1 << 4,      /* compared only when the spec sets it */
	FIELD_SECRET = 1 << 5,      /* values are never shown */
	FIELD_MERGE = 1 << 6,       /* an object of which only the keys that the spec sets are ours */
};

struct field {
	const char *name; /* rows sorted by strcmp; "limits.memory" gives only the unit of a member */
	unsigned flags;
	const char *unit; /* "ns", "bytes", "nanocpus" or NULL; for documentation and rendering */
};

struct spec;
struct cluster; /* kinds/cluster.h: the connections a writer needs */

struct fetch {
	const struct spec *spec; /* NULL where what runs is looked at without one (run/doctor, run/import) */
	struct cluster *cluster;
	struct snapshot *snap; /* has what needs() asked for; fetch adds to it */
	int64_t deadline;      /* clock.h */
};

struct decode {
	const struct spec *spec;
	const struct snapshot *snap; /* facts a desired state depends on: Traefik's version, the swarm's id */
	struct resource_set *out;    /* what was decoded so far: kinds are decoded in table order */
};

struct observe {
	const char *cluster; /* the spec's cluster name: the ownership label's value */
	const struct snapshot *snap;
	const struct resource_set *want; /* desired resources, all kinds */
	struct resource_set *out;
};

struct apply {
	struct cluster *cluster;
	const struct snapshot *snap; /* as it was when the plan was made */
	const struct resource_set *want;
	/* What is going on, for the terminal: "2/3 tasks running". Thread-safe. May be called often. */
	void (*progress)(void *arg, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
	void *progress_arg;
	int64_t deadline; /* clock.h */
};

struct gate {
	bool met;
	bool waiting;          /* not met yet, looking again can help; else blocked */
	bool unknown;          /* not met because it could not be looked at: for who judges, nothing is known */
	char *reason;          /* malloc'ed; what it saw, what it waits for; of one that is met NULL, or what it saw */
	int64_t retry_after_s; /* 0: unknown */
};

struct kind {
	const char *name;
	/* Kinds whose changes come before this one's (REF_ORDER), NULL-terminated; NULL: none. */
	const char *const *after;
	const struct field *fields;
	size_t n_fields;
	const char *runs; /* what an update may restart: "tasks", "container"; NULL: nothing of the kind */
	bool prunes;      /* owned objects that the spec no longer names are removed; else forgotten */
	bool adopts;      /* a live object that is not owned needs policy.adopt before it is touched */

	/* Says what has to be observed for this spec. Pure. */
	void (*needs)(const struct spec *spec, struct wants *w);
	/*
	 * Optional: observes what only this kind's protocol tells, after everything
	 * that needs() asked for is there. Blocking; must not change anything. What
	 * cannot be observed is snapshot_put_unknown, not an error.
	 */
	int (*fetch)(struct fetch *f, struct err *err) MUST_CHECK;
	/*
	 * Adds the desired resources of this kind. Spec errors are impossible here
	 * (spec_load found them); what the snapshot does not tell is resource_block.
	 */
	int (*decode)(struct decode *d, struct err *err) MUST_CHECK;
	/* Adds live resources: those that are wanted (PRESENT, ABSENT, UNKNOWN) and owned others. Pure. */
	int (*observe)(struct observe *o, struct err *err) MUST_CHECK;
	/*
	 * Optional: completes one change before it is shown: effect, a worse
	 * disruption, a block that only both sides together show. Pure.
	 */
	void (*explain)(const struct observe *o, struct arena *a, struct change *c);
	/*
	 * Makes one change and waits until it has taken effect. Runs on a worker
	 * thread: blocking, deadlines from a->deadline. Errors as in err.h;
	 * ERR_OUT_OF_SEQUENCE asks for a new plan.
	 */
	int (*apply)(struct apply *a, const struct change *c, struct err *err) MUST_CHECK;
	/* Optional: how long a change may take by its own settings, in ms; it has the usual time in any case. Pure. */
	int64_t (*patience_ms)(const struct change *c);
	/*
	 * Optional: a gate before the change (ACTION_REMOVE, ACTION_VERIFY), asked at
	 * plan time with dry set and again right before the change. Must not change anything.
	 */
	int (*gate)(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err) MUST_CHECK;
};

/* The row of a field, NULL for an unknown one. */
const struct field *kind_field(const struct kind *k, const char *name);

/* The table, in decode order; kinds/kinds.c. */
const struct kind *const *kinds_all(size_t *n);
const struct kind *kind_find(const char *name); /* NULL */

#endif
