/*
 * The lease: at most one reconciler changes a cluster. It is a section of the
 * shared state, renewed by a thread of its own. Nobody's clock is compared with
 * anybody else's: a lease is over when its object has not changed for its ttl
 * by the observer's own monotonic clock (CLOCK_BOOTTIME: a suspended machine's
 * time counts), or at once when its holder was a process of this very boot that
 * is gone.
 *
 * The holder checks it before each mutation, against the engine and against its
 * own clock. The engine has no fencing token: docs/decisions.md says what remains.
 */
#ifndef RECONCILE_RUN_LEASE_H
#define RECONCILE_RUN_LEASE_H

#include "run/shared.h"
#include "sys/mutation.h"

struct lease;

/*
 * Takes the lease and keeps it until lease_end. While another one holds it, waits until that one is over, released, or
 * seen alive (renewed twice): then ERR_LOCKED naming host, pid and what to do. say (may be NULL) is told once when
 * it has to wait. edit (may be NULL) is applied in the same write that takes the lease.
 */
int lease_take(struct engine *e, const char *cluster, int64_t deadline, void (*say)(void *arg, const char *text),
	       void *say_arg, int (*edit)(void *arg, json_t *sections, struct err *err), void *edit_arg,
	       struct lease **out, struct err *err) MUST_CHECK;

/*
 * The section of whoever held it while this one was taking it, alive or not; NULL: nobody did. What was observed before
 * is out of date then.
 */
const json_t *lease_predecessor(const struct lease *l);

/*
 * For the engine's and hosts' writers: before() fails with ERR_LOCKED once the lease is lost or too old; when it cannot
 * be checked, with the reason's own code (ERR_UNREACHABLE, ERR_TIMEOUT …).
 */
struct mutation_hooks lease_hooks(struct lease *l);

/*
 * Asked before each mutation, too, with the sections as they are then: somebody may have suspended the cluster
 * meanwhile. Set it before the first one. Called from any thread.
 */
void lease_guard(struct lease *l, int (*guard)(void *arg, const json_t *sections, struct err *err), void *arg);

/* Changes other sections while holding it. */
int lease_update(struct lease *l, int64_t deadline, int (*edit)(void *arg, json_t *sections, struct err *err),
		 void *arg, struct err *err) MUST_CHECK;

/*
 * Gives it back, with a last edit in the same write (may be NULL); l is freed in every case, NULL-safe. A lease that
 * was lost is not an error here unless an edit was given.
 */
int lease_end(struct lease *l, int64_t deadline, int (*edit)(void *arg, json_t *sections, struct err *err), void *arg,
	      struct err *err);

#endif
