/* A standalone container of a node, as far as the engine that is spoken to can tell. Pure. */
#ifndef RECONCILE_KINDS_CONTAINER_H
#define RECONCILE_KINDS_CONTAINER_H

#include "model/resource.h"
#include "model/snapshot.h"

/*
 * PRESENT sets *inspect (borrowed: GET /containers/<name>/json); UNKNOWN sets
 * *why (malloc'ed): the node is not this machine, the engine is another
 * machine's, or the engine did not answer. needs: want_container,
 * want_engine "info". node may be NULL: wherever the engine is.
 */
enum presence container_find(const struct snapshot *snap, const char *node, const char *name, const json_t **inspect,
			     char **why);

#endif
