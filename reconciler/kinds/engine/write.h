/* Making dockerd run with a configuration. */
#ifndef RECONCILE_KINDS_ENGINE_WRITE_H
#define RECONCILE_KINDS_ENGINE_WRITE_H

#include "kinds/cluster.h"
#include "model/kind.h"

struct daemon_change {
	const char *node;
	const json_t *wanted;     /* keys of daemon.json */
	bool restart;             /* else a reload is enough */
	const char *node_id;      /* in the swarm; NULL: it is in none, nothing has to move away */
	const char *availability; /* that the node has to have afterwards; NULL: the one that it has */
};

/*
 * Writes the file once dockerd itself has found it valid (with the flags that the running one has), then reloads or
 * restarts it and waits until it has taken over. ERR_UNHEALTHY: it did not come up with it, and the former file was
 * put back.
 */
int daemon_write(struct apply *a, const struct daemon_change *c, struct err *err) MUST_CHECK;

/* Another availability for a node of the swarm. *before (may be NULL): malloc'ed, the one that it had. */
int drain_set(struct apply *a, const char *node_id, const char *availability, char **before,
	      struct err *err) MUST_CHECK;
/* Sets it back, with a time of its own, and although the run is cancelled. */
int drain_undo(struct apply *a, const char *node_id, const char *availability, struct err *err) MUST_CHECK;
/* Until no task runs on the node; ERR_TIMEOUT says how many still do. */
int drain_wait(struct apply *a, const char *node_id, int64_t deadline, struct err *err) MUST_CHECK;
/* Until the swarm's managers say that the node is ready, and a manager among them reachable. */
int drain_wait_ready(struct apply *a, const char *node_id, int64_t deadline, struct err *err) MUST_CHECK;

#endif
