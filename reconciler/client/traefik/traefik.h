/* Traefik's API, v2.11 and v3. All errors as client/engine. One struct per thread. */
#ifndef RECONCILE_CLIENT_TRAEFIK_H
#define RECONCILE_CLIENT_TRAEFIK_H

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct traefik_client;
int traefik_open(const char *api_url, struct traefik_client **out, struct err *err) MUST_CHECK;
void traefik_close(struct traefik_client *t);

/* A relay to the API: a unix socket whose connections lead there. */
struct traefik_relay {
	const char *unix_socket; /* lives until close */
	/* Why a connection failed, of which only the end is seen here. False: not known. */
	bool (*why)(void *arg, struct err *err);
	void (*close)(void *arg); /* by traefik_close */
	void *arg;
};
/* From here on every connection goes through the relay, which the client now owns. */
void traefik_use_relay(struct traefik_client *t, const struct traefik_relay *r);
/* "host:port" of an API's URL, with the scheme's own port when it says none. Appends. */
void traefik_url_target(const char *api_url, struct str *out);

/* New references: the body of GET <api><path>, "/api/version", "/api/http/routers" (every page of it). */
int traefik_get(struct traefik_client *t, int64_t deadline, const char *path, json_t **out, struct err *err) MUST_CHECK;

struct traefik_version {
	int major, minor, patch;
};
/* "3.6.1", "v2.11.53", "v3.6.1-rc1"; false for what is no version ("dev"). */
bool traefik_version_parse(const char *s, struct traefik_version *out);
/*
 * The same of an image's tag, also without a patch: "v3.6" is taken for 3.6.0. False for "v3", which floats over minor
 * versions, and for "v3.2", where traefik_reads_swarm_labels depends on the patch.
 */
bool traefik_version_of_tag(const char *tag, struct traefik_version *out);
/* Whether this version reads traefik.swarm.* (3.2.2 and later) instead of traefik.docker.*. */
bool traefik_reads_swarm_labels(const struct traefik_version *v);

#endif
