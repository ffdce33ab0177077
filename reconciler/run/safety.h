/*
 * The shared state's side of one pass (state/shared.h): what was read with the
 * observation, what is to be written, and the lease under which things are
 * changed. Edits are collected and written together; a pass that has none
 * writes nothing. Main thread, but for get, set and the hooks.
 */
#ifndef RECONCILE_RUN_SAFETY_H
#define RECONCILE_RUN_SAFETY_H

#include "model/resource.h"
#include "model/snapshot.h"
#include "run/lease.h"

struct safety;
/* Keeps a handle of its own to the same engine. */
struct safety *safety_new(const struct engine *e, const char *cluster);
/* The shared state is another engine's of the same swarm from now on; not while the lease is held. */
void safety_use_engine(struct safety *s, const struct engine *e);
/* Gives a lease back that is still held; NULL-safe. */
void safety_free(struct safety *s);

/*
 * Takes the sections of this observation. Fails when they are not known: then
 * nothing may be changed, and the message says why. An engine in no swarm has none.
 */
int safety_observe(struct safety *s, const struct snapshot *snap, struct err *err) MUST_CHECK;
/* As observed, pending edits not included; NULL: not known, or there is no swarm. Borrowed until the next call. */
const json_t *safety_sections(const struct safety *s);

/* One entry with pending edits; new reference, NULL: none. */
json_t *safety_get(struct safety *s, const char *section, const char *key);
/* An edit to be written later; value is stolen, NULL forgets the entry. */
void safety_set(struct safety *s, const char *section, const char *key, json_t *value);

/* Forgets the pending edits. */
void safety_discard(struct safety *s);
/* Writes the pending edits, if any, under the lease when it is held. Without a swarm they wait. */
int safety_flush(struct safety *s, int64_t deadline, struct err *err) MUST_CHECK;

struct safety_listener {
	void (*say)(void *arg, const char *text); /* once, when somebody else's lease is waited for */
	void *arg;
};
/*
 * Takes the lease, with the pending edits in the same write; nothing when it is
 * held already, or when there is no swarm to keep it in. ERR_OUT_OF_SEQUENCE: the
 * shared state is not the observed one any more, or others were at work since (then the lease is taken
 * nevertheless); the plan is to be made again.
 */
int safety_begin(struct safety *s, int64_t deadline, const struct safety_listener *l, struct err *err) MUST_CHECK;
bool safety_holds_lease(const struct safety *s);
/* There was no swarm, and now this run has made one: takes the lease there. Steps are at work meanwhile. */
int safety_swarm_made(struct safety *s, int64_t deadline, const struct safety_listener *l, struct err *err) MUST_CHECK;
/*
 * Gives the lease back, with the pending edits, and drops what no longer concerns
 * anybody: entries of resources that are not wanted, old reverts and approvals.
 * want may be NULL: not known.
 */
int safety_end(struct safety *s, const struct resource_set *want, int64_t now, int64_t deadline,
	       struct err *err) MUST_CHECK;

/*
 * Whoever suspends the cluster while this run is at work stops it before its next mutation; whoever suspends one
 * resource, before the next one for that (mutation_subject). own: the suspension that
 * the run itself sets (a rollback); NULL: none; borrowed. now: the manager's time.
 */
void safety_heed_suspension(struct safety *s, const json_t *own, int64_t now);

/* For the writers' handles: refuses without the lease, unless there is no swarm yet. */
struct mutation_hooks safety_hooks(struct safety *s);

#endif
