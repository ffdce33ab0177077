/* Looking at a service and its tasks until they are as they should be: wait.h's judge with an engine and a clock. */
#ifndef RECONCILE_KINDS_SERVICE_CONVERGE_H
#define RECONCILE_KINDS_SERVICE_CONVERGE_H

#include "client/engine/engine.h"
#include "model/kind.h"

#define say(a, ...) \
	do { \
		if ((a)->progress) \
			(a)->progress((a)->progress_arg, __VA_ARGS__); \
	} while (0)

/*
 * After a write: waits until its tasks run, and gives the service as it is then (new reference). ERR_UNHEALTHY: what
 * runs by it fails, with the task's own error. ERR_BLOCKED: nothing moves, and nothing of its own can make it move.
 */
int converge_wait(struct apply *a, const char *id, bool starts_tasks, json_t **service, struct err *err) MUST_CHECK;

/* ACTION_VERIFY: the same for what is there already; nothing is written. */
int converge_verify(struct apply *a, const struct change *c, struct err *err) MUST_CHECK;

/*
 * A new reference to the live service once no update of it is in flight, or the one that is has converged: what a write
 * makes the previous spec is good then. One that cannot go on does not hold up what would mend it.
 */
int converge_idle(struct apply *a, const char *id, json_t **service, struct err *err) MUST_CHECK;

/* Sleeps between two looks, longer each time (*ms, CONVERGE_POLL_MS first); false: no time is left, or cancelled. */
#define CONVERGE_POLL_MS 250
bool converge_pause(const struct apply *a, int64_t *ms) MUST_CHECK;
/* The error after that: what, as code or as cancelled. */
int converge_stopped(struct err *err, enum err_code code, const char *what);

#endif
