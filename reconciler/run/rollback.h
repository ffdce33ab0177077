/* Which run `rollback` goes back to, from the local history. */
#ifndef RECONCILE_RUN_ROLLBACK_H
#define RECONCILE_RUN_ROLLBACK_H

#include "state/store.h"

/*
 * The record (store_run_get) of run; 0: the last run before the one whose spec is live now that ended with exit 0 and
 * applied another spec. After a rollback that is counted from the run it went back to: rolling back twice goes back two
 * steps; one that did not end well is gone on with. ERR_NOT_FOUND, ERR_BLOCKED (its spec is not recorded) with what to
 * do. New reference.
 *
 * applied: the section of the shared state. When no recent run of this machine applied the spec that it
 * names, the default is not known here: ERR_NOT_FOUND. NULL: not asked.
 */
int rollback_find(struct store *s, int64_t run, const json_t *applied, json_t **record, struct err *err) MUST_CHECK;

/* run_options.origin for that record: its origin, with "rollback_of"; new reference. */
json_t *rollback_origin(const json_t *record);

/* "rolled back to run 12 (commit 1a2b3c4d5e6f)"; malloc'ed. run 0: to a commit without a run. commit may be NULL. */
char *rollback_text(int64_t run, const char *commit);

#endif
