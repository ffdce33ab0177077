/*
 * Which change of a plan may start now. Pure bookkeeping, used by the one
 * thread that hands work to the workers.
 */
#ifndef RECONCILE_PLAN_SCHEDULE_H
#define RECONCILE_PLAN_SCHEDULE_H

#include "plan/plan.h"

enum outcome {
	OUTCOME_PENDING,
	OUTCOME_RUNNING,
	OUTCOME_DONE,
	OUTCOME_FAILED,
	OUTCOME_SKIPPED, /* not ready in the plan, something it requires failed, or the run was stopped */
};

struct schedule;
struct schedule *schedule_new(const struct plan *p);
void schedule_free(struct schedule *s);

/*
 * The first change that may start: all of `after` finished, `requires` done, no
 * unfinished earlier change of a kind in its kind's `after` column; pruning only
 * after everything else and only if nothing failed. False: none at the moment.
 */
bool schedule_next(struct schedule *s, size_t *i);
void schedule_finish(struct schedule *s, size_t i, bool success);
/* Nothing further starts; what runs is still finished. */
void schedule_stop(struct schedule *s);
bool schedule_is_over(const struct schedule *s); /* nothing runs and nothing can start any more */
enum outcome schedule_outcome(const struct schedule *s, size_t i);

#endif
