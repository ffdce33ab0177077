/*
 * What a plan holds back although the spec asks for it, by what outlives one
 * machine (plan_input.shared) and by the spec's policy. Every reason is for an
 * operator woken at night: what, since when, by whom, what to do.
 */
#ifndef RECONCILE_PLAN_HOLD_H
#define RECONCILE_PLAN_HOLD_H

#include "plan/plan.h"

/*
 * The change of a resource that equals its spec and does not run, in c with action ACTION_NONE: it is waited for, or
 * has failed before. When the engine has given it up and it is to be tried again, the same is written once more.
 */
void hold_trouble(struct plan *p, const struct plan_input *in, struct change *c);

/* Holds single changes; to be called once all are in order. Dependents: plan_hold_dependents. */
void hold_changes(struct plan *p, const struct plan_input *in);

/* After dependents are held: nothing is pruned that a failed update may need to go back. */
void hold_pruning(struct plan *p);

/* Leaves only what in->only names and what that requires; one note says how much was left out. */
void hold_others(struct plan *p, const struct plan_input *in);
/*
 * Drops the changes that are not kept (one flag for each); their order is inherited, what a kept one requires has to be
 * kept too. Returns how many were dropped.
 */
size_t hold_keep(struct plan *p, const bool *kept);

/*
 * `drift: report`: takes what somebody else changed out of the desired body. Returns a resource to plan with, which is
 * desired itself when nothing has drifted; drift is told in notes.
 */
const struct resource *hold_drift(struct plan *p, const struct plan_input *in, const struct kind *k,
				  const struct resource *desired, const struct resource *live);
/* The same for a resource that is gone: true when somebody else removed it. */
bool hold_is_gone(struct plan *p, const struct plan_input *in, const struct resource *desired);

/*
 * Places whose live values the shared state says to be a variable's, so that no plan shows them: ["env[A]", …]; new
 * reference.
 */
json_t *hold_hidden(const struct plan_input *in, const char *kind);

/* True when the id of this live object is recorded as adopted. */
bool hold_is_adopted(const struct plan_input *in, const char *key, const struct resource *live);

#endif
