/*
 * A resource: kind/name and a JSON body in canonical form. Decoding the spec
 * and observing the cluster both end in this form, so the diff is generic.
 *
 * Canonical form of a body: an object keyed by the kind's field names (the
 * field table). A field's value is a scalar, an array whose order matters, or
 * an object keyed by what identifies its members (environment by name, mounts
 * by target, ports by "target/protocol"), never an array whose order does not
 * matter. Fields at their default are left out. Numbers are integers in the
 * unit the field table names.
 */
#ifndef RECONCILE_MODEL_RESOURCE_H
#define RECONCILE_MODEL_RESOURCE_H

#include "base/err.h"
#include "base/json.h"
#include "base/mark.h"

enum presence {
	PRESENT,
	ABSENT,  /* observed not to be there */
	UNKNOWN, /* not observed: changes that depend on it are blocked */
};

enum ref_type {
	REF_REQUIRES, /* blocked while the target is blocked, failed or waiting */
	REF_ORDER,    /* only: not before the target's own changes */
};

struct ref {
	enum ref_type type;
	const char *target; /* "kind/name" */
	struct mark mark;   /* where the spec says so; line 0: a rule of the kind table */
};

struct field_mark {
	const char *path; /* "env[OLLAMA_HOST]", "image" */
	struct mark mark;
};

struct resource {
	const char *kind;
	const char *name;
	const char *node;       /* the spec's node it is on; NULL: the cluster's */
	struct mark mark;       /* where the spec declares it; line 0: live only */
	json_t *body;           /* owned */
	enum presence presence; /* of a live resource; desired ones are PRESENT, `absent` entries ABSENT */
	const char *id;         /* the engine's id; NULL when none */
	uint64_t version;       /* the engine's version index; 0 when none */
	bool owned;             /* live: carries the cluster's ownership label */
	bool ownable;           /* live: could carry one (config of a service: yes, adopted network: no) */
	bool external;          /* desired: must exist, is never written */
	bool superseded;        /* live: an older version of what the spec has still: to prune it takes nothing away */
	/*
	 * Desired: this cannot be done now, and the message says why, what is
	 * affected and what to do. Live with UNKNOWN: what was attempted and what failed.
	 */
	const char *blocked;
	const char *note; /* shown beside the plan although nothing changes; NULL: none */
	/*
	 * Live: what runs is not what the live object says, as observed ("0 of 2 tasks run: no such image"), whether it
	 * equals its spec or not; NULL: all is well. The kind's apply then waits for it (ACTION_VERIFY) and writes
	 * nothing.
	 */
	const char *trouble;
	/* Live: JSON of what a rollback needs to start again what an `absent` entry stops; NULL: nothing runs. */
	const char *way_back;
	bool rolled_back;       /* live: the engine undid or gave up the last write (update paused, rolled back) */
	int64_t rolled_back_at; /* when that write was begun, seconds since the epoch by a manager's clock; 0: not known
				 */
	/* Desired: what the spec's `ignore` and `drift` say of it; paths as the diff writes them ("labels[a]",
	 * "replicas"). */
	VEC(const char *) ignore;
	/* Desired: fields whose value others choose within bounds (replicas under `scale`): not part of its
	 * fingerprint. */
	VEC(const char *) floating;
	/*
	 * Desired: where what a review may not look at stands, by the spec: the name of a secret, which follows from
	 * its content. Not part of what is approved.
	 */
	VEC(const char *) unreviewed;
	bool unseen;       /* desired: a dry run does not look at all of it: what it would be named is not known */
	bool report_drift; /* `drift: report`: what somebody else changed is shown, not repaired */
	/*
	 * Desired: what apply writes and the body does not have, base64 (the data of a
	 * config or secret). Never compared, hashed or shown. Lives in the set's arena.
	 */
	const char *payload;
	VEC(struct ref) refs;
	VEC(struct field_mark) marks;
};

/* A set of resources; strings live in its arena. Lookup is by hash or sorted order, not linear. */
struct resource_set;
struct resource_set *resource_set_new(void);
void resource_set_free(struct resource_set *s);
struct arena *resource_set_arena(struct resource_set *s);
/* Borrowed, body is an empty object. Adding an existing kind/name returns the existing one. */
struct resource *resource_add(struct resource_set *s, const char *kind, const char *name);
struct resource *resource_find(const struct resource_set *s, const char *kind, const char *name); /* NULL */
struct resource *resource_find_key(const struct resource_set *s, const char *key);                /* "kind/name" */
size_t resource_count(const struct resource_set *s);
struct resource *resource_at(const struct resource_set *s, size_t i); /* sorted by kind, then name */

/* Body and marks in one step. value is stolen; a NULL or JSON null value is no field. */
void resource_set_field(struct resource_set *s, struct resource *r, const char *field, json_t *value, struct mark m);
void resource_mark(struct resource_set *s, struct resource *r, const char *path, struct mark m);
struct mark resource_mark_of(const struct resource *r, const char *path); /* longest prefix, else r->mark */
void resource_ref(struct resource_set *s, struct resource *r, enum ref_type t, struct mark m, const char *fmt, ...)
	__attribute__((format(printf, 5, 6)));
/* Adds a line to the note. */
void resource_note(struct resource_set *s, struct resource *r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
/* The first reason wins. */
void resource_block(struct resource_set *s, struct resource *r, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

#endif
