/*
 * Each replica by itself: where Traefik reaches a task it is asked from within the network of the task's own container,
 * so that no other one can answer in its place. Traefik says of all that they are UP; this says so of each.
 */
#ifndef RECONCILE_KINDS_ROUTE_REPLICAS_H
#define RECONCILE_KINDS_ROUTE_REPLICAS_H

#include "model/kind.h"

struct route_replicas {
	size_t running;  /* tasks */
	size_t answered; /* of them */
	char *wrong;     /* of the first that was asked and did not answer as it should; NULL: none */
	char *unseen;    /* why the first that could not be asked could not: its node is away, …; NULL: none */
};
void route_replicas_free(struct route_replicas *r);

/*
 * route: the desired one. tasks: GET /tasks of the service; balancer: Traefik's GET /api/http/services/{name}. A health
 * check's path must be answered with 2xx or 3xx, as Traefik wants it; without one any answer will do. Needs
 * info/<node>. Fails only when the pass is cancelled.
 */
int route_ask_replicas(struct apply *a, const struct resource *route, const json_t *tasks, const json_t *balancer,
		       struct route_replicas *r, struct err *err) MUST_CHECK;

/*
 * The address of the task that one of the balancer's servers has; "127.0.0.1" of one without addresses of its own,
 * which is on its host's network. NULL: Traefik has no such server. malloc'ed. Pure.
 */
char *route_replica_address(const json_t *task, const json_t *balancer);

#endif
