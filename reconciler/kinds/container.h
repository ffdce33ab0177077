/* A standalone container of a node. Pure. */
#ifndef RECONCILE_KINDS_CONTAINER_H
#define RECONCILE_KINDS_CONTAINER_H

#include "model/resource.h"
#include "model/snapshot.h"
#include "model/wants.h"

/* node NULL: where the engine in use is. A kind that wants any has node_engine_fetch in its fetch hook. */
void want_container_of(struct wants *w, const char *node, const char *name);

/*
 * PRESENT sets *inspect (borrowed: GET /containers/<name>/json); UNKNOWN sets *why (malloc'ed): the node or its engine
 * did not answer, or the engine in use is another machine's.
 */
enum presence container_find(const struct snapshot *snap, const char *node, const char *name, const json_t **inspect,
			     char **why);

#endif
