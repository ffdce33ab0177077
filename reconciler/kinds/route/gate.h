/*
 * The gate of a route: Traefik has its router and as many servers as tasks
 * run, they have outlived one health check, and a request gets through.
 */
#ifndef RECONCILE_KINDS_ROUTE_GATE_H
#define RECONCILE_KINDS_ROUTE_GATE_H

#include "model/kind.h"

int route_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err) MUST_CHECK;

/*
 * One request through each entrypoint of the route, now, whatever its servers are. *asked: false when Traefik or the
 * engine could not be asked for what a request needs; *why (malloc'ed, NULL: answered) is what came instead of an
 * answer of the service.
 */
int route_ask(struct apply *a, const struct resource *route, bool *asked, char **why, struct err *err) MUST_CHECK;

/* What one look at Traefik and Swarm found; borrowed. */
struct route_look {
	const char *service;       /* of the spec */
	const json_t *route;       /* its desired body */
	const json_t *router;      /* GET /api/http/routers/{name} */
	const json_t *balancer;    /* GET /api/http/services/{name} */
	const json_t *entrypoints; /* GET /api/entrypoints */
	const json_t *tasks;       /* GET /tasks of the service, wanted running */
	const char *started;       /* Traefik's startDate */
	int64_t wall;              /* seconds since the epoch */
};

/*
 * Judges a look by the evidence of earlier ones (NULL: none); servers start UP
 * and are first checked after one interval (FACTS A). Fills *g and returns the
 * evidence to keep: new reference, NULL: forget. Pure.
 */
json_t *route_judge(const struct route_look *look, const json_t *evidence, struct gate *g);

#endif
