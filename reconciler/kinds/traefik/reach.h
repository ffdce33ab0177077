/* Traefik's API from where it listens: its URL in the spec is as seen from Traefik's node. */
#ifndef RECONCILE_KINDS_TRAEFIK_REACH_H
#define RECONCILE_KINDS_TRAEFIK_REACH_H

#include "client/traefik/traefik.h"
#include "kinds/cluster.h"

/* node NULL, or this machine: as seen from here; else through ssh (host_forward_open). The host outlives the client. */
int traefik_reach(struct host *node, const char *url, struct traefik_client **out, struct err *err) MUST_CHECK;
/* That of the cluster. ERR_BLOCKED when the spec does not say where it is. */
int cluster_traefik(const struct cluster *c, struct traefik_client **out, struct err *err) MUST_CHECK;
/* Traefik's node, when it is another machine than this one; else NULL. */
struct host *traefik_far_host(const struct cluster *c);

#endif
