/*
 * Everything observed in one pass, as data: the bodies of the Engine's lists
 * and of the hosts' probes, unchanged. Kinds read it to build live resources,
 * so observing is a pure function and a test case is a file.
 *
 *   engine/version              {"ApiVersion": "1.41"}: the common one
 *   engine/info engine/swarm engine/nodes engine/networks engine/volumes
 *   engine/configs engine/secrets engine/services
 *   engine/containers           GET /containers/json?all=1
 *   engine/container/<name>     GET /containers/<name>/json of those the spec names
 *   service/networks            names by id of networks that are in no list
 *   service/digests             digests by image, when tags are resolved again
 *   host/<node>                 the probe of a node (host/host.h)
 *   info/<node>                 GET /info of that node's own engine; null: none runs there (kinds/node.h)
 *   host/<node>/<path>          GET /<path> of that node's own engine, where that is not the engine in use
 *   traefik/version             {"Version": "3.6.1"} from its API, or from its image
 *   traefik/overview traefik/routers traefik/static (kinds/traefik/view.h)
 *   traefik/rawdata traefik/neighbours traefik/dynamic (kinds/traefik/moved.h)
 *   secret/<name>               content of secrets from elsewhere (kinds/secret/secret.h): never to be printed
 *   run/options                 {"may_init": false, "engine_given": false, "engine_node": "gmktec"}: whether a person
 *                               said which engine is asked, and the node that it is of, if known
 *   run/kept                    the section kept of the shared state (state/shared.h), in a rollback only
 *   kept/<name> absent/<name>   what kinds/kept.c and kinds/absent found for an entry
 *   run/digests                 {"service/x": "app:1@sha256:…"}: image digests that a rollback asks for
 *   engine/state                GET /configs of the shared state's object alone (state/shared.h): for `status`, which
 *                               wants no other config
 *
 * A document is there, or observed to be absent (JSON null), or unknown with
 * the reason, which is an error message: what was attempted, what failed.
 */
#ifndef RECONCILE_MODEL_SNAPSHOT_H
#define RECONCILE_MODEL_SNAPSHOT_H

#include "base/err.h"
#include "base/json.h"

struct snapshot;
struct snapshot *snapshot_new(void);
void snapshot_free(struct snapshot *s);
void snapshot_put(struct snapshot *s, const char *doc, json_t *stolen);
void snapshot_put_unknown(struct snapshot *s, const char *doc, const struct err *why);

/*
 * Borrowed document, JSON null when it was observed to be absent. NULL when it
 * is unknown or was never asked for; then *why (may be NULL) is the reason.
 */
json_t *snapshot_get(const struct snapshot *s, const char *doc, const char **why);

/* False when it was never asked for. */
bool snapshot_has(const struct snapshot *s, const char *doc);

/* A test's file: {"engine/services": […], "traefik/version": {"unknown": "…"}}. */
int snapshot_from_json(const json_t *j, struct snapshot **out, struct err *err) MUST_CHECK;

#endif
