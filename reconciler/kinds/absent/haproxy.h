/*
 * What would be lost with an HAProxy: backends that no route of the spec covers, and what still points at it. Pure:
 * what it looks at was asked for by gate.c.
 */
#ifndef RECONCILE_KINDS_ABSENT_HAPROXY_H
#define RECONCILE_KINDS_ABSENT_HAPROXY_H

#include "base/json.h"
#include "model/resource.h"

struct haproxy_view {
	const json_t *haproxy;    /* client/haproxy/haproxy.h */
	const char *node;         /* where it runs; NULL: not known */
	const json_t *nodes;      /* {"gmktec": "10.0.0.84"}: the spec's, with their addresses */
	const json_t *services;   /* GET /services */
	const json_t *containers; /* {"gmktec": GET /containers/json?all=1}: of nodes that its servers name */
	const struct resource_set *want;
	const json_t *backends; /* {"api": "route/shop"}: what the spec says; NULL: nothing */
};

/* "10.0.0.80:11434" -> host and port (0: none). False for what has no host: a socket, a name of the configuration. */
bool address_split(const char *address, char host[static 256], int *port);

/*
 * The route that covers a backend: the spec names it; or one of the backend's servers is the route's service (its name,
 * virtual address or published port), or a container of the same image, listening on the port that the route leads to,
 * if no other route and no other container behind another backend would do as well. NULL: none.
 */
const char *haproxy_route(const struct haproxy_view *v, const char *backend);

/* "backend 'api' (a 10.0.0.80:8000; reached at :11434)"; appends. */
void haproxy_describe(const json_t *haproxy, const char *backend, struct str *out);

/*
 * Where it is reached: {"haproxy": true (on every port), "10.0.0.84:11434": true}. inspect: its container; NULL: it
 * shares the network of its node. New reference.
 */
json_t *haproxy_addresses(const struct haproxy_view *v, const json_t *inspect);
/* Those of a Swarm service, by its list entry. New reference. */
json_t *haproxy_service_addresses(const struct haproxy_view *v, const json_t *service);
/* Whether a URL or "host:port" leads to one of them. */
bool haproxy_is_target(const json_t *addresses, const char *url);

#endif
