/*
 * What there is to see of a cluster, as one JSON document (docs/status-format.md):
 * the shared state, services and their tasks, routes, nodes, the last run of this
 * machine. Looks only. What could not be observed is in its member "unknown"
 * with the reason, and is in no other.
 *
 * Fetching (status.c) and judging (status_make, pure: a snapshot of documents
 * gives a document) are two things, so that a test is a file.
 */
#ifndef RECONCILE_RUN_STATUS_H
#define RECONCILE_RUN_STATUS_H

#include "client/engine/engine.h"
#include "model/resource.h"
#include "model/snapshot.h"
#include "spec/spec.h"

#define STATUS_FORMAT 1

struct status_options {
	const char *cluster;
	const struct spec *spec; /* NULL: not read; then nobody knows what is missing, nor where Traefik's API is */
	const struct resource_set *want; /* what it declares; status_new does that */
	struct engine *engine;
	const char *state_dir; /* NULL: none */
};

struct status;
struct status *status_new(const struct status_options *o); /* borrows everything */
void status_free(struct status *s);
/* One look; new reference. Tasks that a look had to ask for in a second round are asked for at once in the next one. */
json_t *status_look(struct status *s, int64_t deadline);

/*
 * The document from
 *   engine/info engine/nodes engine/services   as the engine lists them
 *   engine/tasks      all tasks of the services in question
 *   state/shared      the sections of state/shared.h
 *   state/lease       {"updated": wall, "gone": true when its holder is gone for certain}
 *   state/last        store_run_get of the last run; null: there is none
 *   traefik/routers traefik/services           as Traefik's API lists them; null: nobody says where it is
 * New reference.
 */
json_t *status_make(const struct status_options *o, const struct snapshot *snap, int64_t wall);

/* The ids of the cluster's services that do not just run, as {"<id>": true}; new reference. */
json_t *status_in_question(const struct status_options *o, const struct snapshot *snap);

/*
 * 0: all is as it should be; 1: something failed; 3: something is not there yet, waits, or could not be observed.
 * A suspension or a run at work alone is no failure.
 */
int status_exit(const json_t *doc);

#endif
