/* The request that a route's rule must let through. Pure. Source: Traefik's docs, routing/routers, rule. */
#ifndef RECONCILE_KINDS_ROUTE_REQUEST_H
#define RECONCILE_KINDS_ROUTE_REQUEST_H

#include "base/json.h"

struct route_request {
	char *host; /* NULL: any */
	char *path;
	bool exact; /* the rule lets this path through and no other */
};

/*
 * From a rule of Host, PathPrefix and Path joined by &&; of alternatives
 * (||) the first. health_path (may be NULL) is asked where the rule lets it
 * through. false: other matchers, whose request cannot be told from here.
 */
bool route_request_of(const char *rule, const char *health_path, struct route_request *r);
void route_request_free(struct route_request *r);

/*
 * Where the host sees an entrypoint: container and service (one of them, the
 * other NULL) are Traefik's own GET /containers/{id}/json or GET /services
 * entry. address as in GET /api/entrypoints (":80", "10.0.0.1:443/tcp").
 * Appends "host:port"; default_host stands for every address. false: the port
 * is not published.
 */
bool route_entrypoint_address(const char *address, const json_t *container, const json_t *service,
			      const char *default_host, struct str *out);

#endif
