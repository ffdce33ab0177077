/* What a kind's writer works with. One struct cluster belongs to one thread. */
#ifndef RECONCILE_KINDS_CLUSTER_H
#define RECONCILE_KINDS_CLUSTER_H

#include "client/engine/engine.h"
#include "host/host.h"

/* Ownership: this label with the cluster's name as its value, and nothing volatile. */
#define OWNER_LABEL "io.reconcile.cluster"

struct cluster {
	const char *name;
	struct engine *engine;
	/* The spec's nodes; borrowed. */
	struct host *const *hosts;
	size_t n_hosts;
	const char *traefik_api; /* URL; NULL when the spec has none */
	const char *backup_dir;  /* where files are kept before they are edited; exists */
	/* Evidence of gates that is kept between passes: a JSON object by key. Thread-safe. */
	json_t *(*evidence_get)(void *arg, const char *key);                   /* new reference, NULL: none */
	void (*evidence_put)(void *arg, const char *key, const json_t *value); /* NULL value: forget */
	void *evidence_arg;
	bool may_init;       /* bootstrap: a swarm may be created */
	bool refresh_images; /* resolve tags again although the spec did not change */
};

struct host *cluster_host(const struct cluster *c, const char *node); /* NULL: no such node */

/* True when the object's labels (Spec.Labels or Labels of a list entry) carry the cluster's name. */
bool labels_owned(const json_t *labels, const char *cluster);

#endif
