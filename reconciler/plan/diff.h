/* The difference of two canonical bodies; knows fields, not kinds. */
#ifndef RECONCILE_PLAN_DIFF_H
#define RECONCILE_PLAN_DIFF_H

#include "model/kind.h"

/*
 * Appends to c->fields what has to change in live to reach desired, sorted by
 * path; c->disruption grows to the worst of them. live may be NULL (create).
 * last: the body last applied, tells drift from intent; may be NULL. hidden: paths whose live values are not shown
 * (hold_hidden), NULL: none.
 * Differences in FIELD_CREATE_ONLY fields are appended to *create_only instead
 * (text, in the arena; "" when none). Returns whether a FIELD_REPLACES field differs.
 */
bool diff_bodies(struct arena *a, const struct kind *k, const struct resource *desired, const struct resource *live,
		 const json_t *last, const json_t *hidden, struct change *c, const char **create_only);

#endif
