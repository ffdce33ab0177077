/* Evidence of gates, shared by the worker threads, written to the state by the main thread only. */
#ifndef RECONCILE_RUN_EVIDENCE_H
#define RECONCILE_RUN_EVIDENCE_H

#include "base/json.h"
#include "state/store.h"

struct evidence;
struct evidence *evidence_new(json_t *stolen_initial);
void evidence_free(struct evidence *e);
json_t *evidence_get(void *e, const char *key);                   /* as cluster.evidence_get */
void evidence_put(void *e, const char *key, const json_t *value); /* as cluster.evidence_put */
/* Writes what changed since the last call; main thread. */
int evidence_flush(struct evidence *e, struct store *s, struct err *err) MUST_CHECK;

#endif
