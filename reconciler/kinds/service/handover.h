/*
 * A published port that what `absent` ends has now, and a service is to get: HAProxy's, for Traefik.
 *
 * Docker puts the rules of Swarm's load balancer before those of containers and before whatever listens on a host, and
 * says nothing (FACTS C): requests go to the service at once, whatever it does with them. So the service gets the port
 * when it is the spec's Traefik and every route that listens there is seen to work; nothing else gets it.
 */
#ifndef RECONCILE_KINDS_SERVICE_HANDOVER_H
#define RECONCILE_KINDS_SERVICE_HANDOVER_H

#include "model/kind.h"

/* Adds to the effect of a service's change, or blocks it; hook explain. */
void handover_explain(const struct observe *o, struct arena *a, struct change *c);
/* Asks the routes; hook gate. */
int handover_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err) MUST_CHECK;
/*
 * Around the update: on the node of who has the port now, what Docker refuses while it sets up its load balancer is
 * dropped, so that clients try again by themselves. Best effort: what fails is told as progress.
 */
void handover_hold(struct apply *a, const struct change *c);
void handover_release(struct apply *a, const struct change *c);

#endif
