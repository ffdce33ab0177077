/*
 * What the spec leaves to others: fields under its `ignore`, and those whose
 * value others choose within bounds. A path is written as the diff writes it:
 * "replicas", "labels[traefik.weight]", "update_config.delay"; members of user-chosen
 * names may stand after a dot too. Pure.
 */
#ifndef RECONCILE_MODEL_IGNORE_H
#define RECONCILE_MODEL_IGNORE_H

#include "model/resource.h"

/*
 * Right after observing: at the ignored paths the desired bodies take the live
 * values, or lose theirs where live has none. So the diff sees nothing there, and
 * writers, which write whole fields, write back what is live. What does not
 * exist yet, or was not observed, is left as the spec says.
 */
void resources_settle(struct resource_set *want, const struct resource_set *live);

/*
 * The body without what is left to others: the same before and after
 * resources_settle, whatever is live. New reference.
 */
json_t *resource_own_body(const struct resource *desired);

/* The body without what is not part of a review. New reference. */
json_t *resource_reviewed_body(const struct resource *desired);

/* The body without any variable's value, for what is kept on disk. New reference. */
json_t *resource_shown_body(const struct resource *desired);

/* "labels" of "labels[traefik.weight]", the row of the field table; malloc'ed. */
char *path_field(const char *path);

#endif
