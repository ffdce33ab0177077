/* Traefik's API, v2.11 and v3. All errors as client/engine. One struct per thread. */
#ifndef RECONCILE_CLIENT_TRAEFIK_H
#define RECONCILE_CLIENT_TRAEFIK_H

#include "base/err.h"
#include "base/json.h"

struct traefik_client;
int traefik_open(const char *api_url, struct traefik_client **out, struct err *err) MUST_CHECK;
void traefik_close(struct traefik_client *t);

/* New references: the body of GET <api><path>, "/api/version", "/api/http/routers" (every page of it). */
int traefik_get(struct traefik_client *t, int64_t deadline, const char *path, json_t **out, struct err *err) MUST_CHECK;

struct traefik_version {
	int major, minor, patch;
};
/* "3.6.1", "v2.11.53", "v3.6.1-rc1"; false for what is no version ("dev"). */
bool traefik_version_parse(const char *s, struct traefik_version *out);
/* Whether this version reads traefik.swarm.* (3.2.2 and later) instead of traefik.docker.*. */
bool traefik_reads_swarm_labels(const struct traefik_version *v);

#endif
