/*
 * What the engine of one node says: for the node whose engine is in use that engine's own documents, for any other
 * one what the node's probe saw (host/probe.sh, look_docker). Pure but for node_engine_fetch.
 *
 * Documents: "container/<name>" (GET /containers/<name>/json), "networks", "containers" (GET
 * /containers/json?all=1), "service-containers" (GET /containers/json
 * of those that belong to services; of the engine in use: all).
 */
#ifndef RECONCILE_KINDS_NODE_ENGINE_H
#define RECONCILE_KINDS_NODE_ENGINE_H

#include "model/kind.h"

/* node NULL: the engine in use. */
void want_node_engine(struct wants *w, const char *node, const char *doc);

/*
 * Borrowed. JSON null: that container is not there. NULL: unknown, *why (malloc'ed) says why: the node cannot be
 * reached, the engine does not answer, or the engine in use turned out to be another machine's.
 */
const json_t *node_engine_get(const struct snapshot *snap, const char *node, const char *doc, char **why);

/*
 * Makes documents of what the probes saw, "host/<node>/containers/<name>/json" by the path that was asked for. What
 * kinds that want any do in their fetch hook; once more does no harm.
 */
void node_engine_fetch(struct fetch *f);

/*
 * The clock by which the node's engine writes when a container ended, seconds since the epoch: the node's own, or that
 * of the engine in use (GET /info); this machine's only when neither is known.
 */
void want_node_clock(struct wants *w, const char *node);
int64_t node_clock(const struct snapshot *snap, const char *node);

#endif
