/* Puts a plan's changes into an order of execution (DESIGN: references, `after`, the kind table's columns; ties by
 * name). */
#ifndef RECONCILE_PLAN_ORDER_H
#define RECONCILE_PLAN_ORDER_H

#include "plan/plan.h"

/*
 * Sorts plan->changes, fills `after` and `requires`, and adds an ACTION_VERIFY
 * for every gate that a change requires, that looks at something a change
 * touches, or that was unmet. Returns how many it added. A cycle blocks the
 * change that closes it.
 */
size_t plan_order(struct plan *plan, const struct plan_input *in);

#endif
