/* What finished steps and observations mean for the shared state (state/shared.h); only edits are made, nothing is
 * written. */
#ifndef RECONCILE_RUN_OUTCOME_H
#define RECONCILE_RUN_OUTCOME_H

#include "run/apply.h"
#include "run/safety.h"

/* Before a plan is applied: which writes are begun, which gates have to hold afterwards. */
void outcome_begun(struct safety *s, const struct plan *p, int64_t now);
/* After a step. True when it should be written at once: a run that is killed now must not lose it. */
bool outcome_step(struct safety *s, const struct change *c, const struct step_result *r, int64_t now);
/* Nothing is left to change: what runs well has not failed any more, gates hold or do not. */
void outcome_settled(struct safety *s, const struct plan *p, const struct resource_set *want,
		     const struct resource_set *live);

/* Gates that did not hold when they were last asked: {"kind/name": true}; new reference, NULL: none. */
json_t *outcome_unmet(struct safety *s);

#endif
