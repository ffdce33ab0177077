/*
 * The gate of a route: Traefik has its router and as many servers as tasks
 * run, they have outlived one health check, and a request gets through.
 */
#ifndef RECONCILE_KINDS_ROUTE_GATE_H
#define RECONCILE_KINDS_ROUTE_GATE_H

#include "model/kind.h"

int route_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err) MUST_CHECK;

/*
 * The same before clients get an entrypoint, which Traefik may not have yet: all else of the route works. One that
 * listens on nothing else has each of its replicas asked, and Traefik has a server for each.
 */
int route_gate_before(struct apply *a, const struct resource *route, const char *entrypoint, struct gate *g,
		      struct err *err) MUST_CHECK;

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
	const json_t *traefik;     /* body of the service that is the spec's Traefik; NULL: it is none */
	const char *pending;       /* the entrypoint that is not looked at, in any case; NULL: all are */
	const char *started;       /* Traefik's startDate */
	int64_t wall;              /* seconds since the epoch */
};

bool route_is_pending(const char *pending, const char *entrypoint);
/* The router has no other entrypoint than the pending one: Traefik has not built its servers, and says nothing of them.
 */
bool route_is_unbuilt(const json_t *router, const char *pending);

/*
 * Judges a look by the evidence of earlier ones (NULL: none); servers start UP
 * and are first checked after one interval (FACTS A). Fills *g and returns the
 * evidence to keep: new reference, NULL: forget. Pure.
 */
json_t *route_judge(const struct route_look *look, const json_t *evidence, struct gate *g);

#endif
