/*
 * The shared state (state/shared.h) in Swarm's Raft store: read, and written by
 * read-modify-write with the version index, so that two writers never lose each
 * other's sections.
 */
#ifndef RECONCILE_RUN_SHARED_H
#define RECONCILE_RUN_SHARED_H

#include "client/engine/engine.h"
#include "state/shared.h"

/* Where the object is; id empty when there is none yet. */
struct shared_at {
	char id[64];
	uint64_t version;
};

/*
 * From a list of configs as GET /configs answers (the snapshot's documents engine/configs and engine/state). No such
 * object: an empty one. New reference.
 */
int shared_from_list(const json_t *configs, const char *cluster, struct shared_at *at, json_t **sections,
		     struct err *err) MUST_CHECK;
/* Asks the engine. ERR_UNSUPPORTED: no manager, no swarm. */
int shared_read(struct engine *e, const char *cluster, int64_t deadline, struct shared_at *at, json_t **sections,
		struct err *err) MUST_CHECK;

/*
 * Reads, lets edit change the sections, writes them; makes the object when there is none. Nothing is written when edit
 * changed nothing. Somebody else's write in between: again, from the reading, at most 5 times, then
 * ERR_OUT_OF_SEQUENCE; the same for an answer that was lost, when what is there then does not tell. edit may refuse
 * with an error, and may be called more than once, also on top of what it did before: it sets values.
 */
int shared_update(struct engine *e, const char *cluster, int64_t deadline,
		  int (*edit)(void *arg, json_t *sections, struct err *err), void *arg, struct err *err) MUST_CHECK;

#endif
