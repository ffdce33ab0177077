/* A standalone container of a node. Pure, but for container_leave_network. */
#ifndef RECONCILE_KINDS_CONTAINER_H
#define RECONCILE_KINDS_CONTAINER_H

#include "model/kind.h"
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

/* A network of ours is to go: the spec's containers that are on it, by name, into out ("traefik"); how many. */
size_t container_list_users(const struct observe *o, const char *network, struct str *out);
/* And they leave it. */
int container_leave_network(struct apply *a, const char *network, struct err *err) MUST_CHECK;

#endif
