/* What a kind's writer works with. One struct cluster belongs to one thread. */
#ifndef RECONCILE_KINDS_CLUSTER_H
#define RECONCILE_KINDS_CLUSTER_H

#include "client/engine/engine.h"
#include "host/host.h"

/* Ownership: this label with the cluster's name as its value, and nothing volatile. */
#define OWNER_LABEL "io.reconcile.cluster"
/* Keyed hash of a secret that keeps the name docker gave it (kinds/content_stack.c). */
#define CONTENT_LABEL "io.reconcile.content"

struct cluster {
	const char *name;
	struct engine *engine;
	const char *engine_node; /* node whose engine that is; NULL: not known to be one of the spec's */
	/* Engines of other nodes, opened when they are needed; see cluster_engine. */
	struct node_engine *node_engines;
	struct mutation_hooks hooks; /* for engines that are opened later */
	/* The spec's nodes; borrowed. */
	struct host *const *hosts;
	size_t n_hosts;
	const char *traefik_api;    /* URL, as seen from traefik_node; NULL when the spec has none */
	const char *traefik_node;   /* NULL: as seen from here */
	const char *prometheus_url; /* as seen from prometheus_node; NULL when the spec has none that can be asked */
	const char *prometheus_node;
	const char *backup_dir; /* where files are kept before they are edited; exists */
	/*
	 * Evidence of gates that is kept between passes: a JSON object by the resource's key. Forgotten by itself once
	 * the resource needs nothing any more. Thread-safe.
	 */
	json_t *(*evidence_get)(void *arg, const char *key);                   /* new reference, NULL: none */
	void (*evidence_put)(void *arg, const char *key, const json_t *value); /* NULL value: forget */
	void *evidence_arg;
	const struct settings *settings; /* this machine's (spec/settings.h); NULL: none */
	bool dry_run;                    /* look only: no command is run for a secret */
	json_t *secrets;                 /* read in this pass, base64 by name: the main thread's; see secret_forget */
	const json_t *digests;           /* {"service/x": "app:1@sha256:…"} that a rollback asks for; NULL: none */
	bool rolls_back;                 /* what an `absent` entry has stopped is started again: kinds/kept.c */
	bool may_init;                   /* bootstrap: a swarm may be created, packages may be installed */
	bool refresh_images;             /* resolve tags again although the spec did not change */
};

struct host *cluster_host(const struct cluster *c, const char *node); /* NULL: no such node */

/* For engine_use_ssh. */
extern const struct engine_ssh host_ssh;

/* The engine of a host; *channel is what leads there, NULL for this machine's. Close the engine first. */
int host_engine(struct host *h, struct host_channel **channel, struct engine **out, struct err *err) MUST_CHECK;

/*
 * The engine of a node, borrowed until cluster_close_engines: c->engine where it is that node's, else the local one or
 * a channel through the node's host. node NULL: c->engine. Connects at the first call.
 */
int cluster_engine(struct cluster *c, const char *node, struct engine **out, struct err *err) MUST_CHECK;
/* Those that cluster_engine opened for this struct; every thread's own. */
void cluster_close_engines(struct cluster *c);

/* True when the object's labels (Spec.Labels or Labels of a list entry) carry the cluster's name. */
bool labels_owned(const json_t *labels, const char *cluster);

#endif
