/*
 * The local state: history and cache in <dir>/state.db (SQLite, rollback
 * journal: readable without write access). Losing it changes no plan; it only
 * explains (drift or intent), remembers since when a gate has been watched, and
 * keeps the record of runs. SQLite is loaded at the first use. One thread.
 * The tables are documented in docs/state-format.md.
 */
#ifndef RECONCILE_STATE_STORE_H
#define RECONCILE_STATE_STORE_H

#include "base/err.h"
#include "base/json.h"

struct store;

/*
 * dir is made when writable (0700). Not writable and not there: ERR_NOT_FOUND.
 * A file that is no database of ours: ERR_PROTOCOL; it is never overwritten.
 */
int store_open(const char *dir, bool writable, struct store **out, struct err *err) MUST_CHECK;
void store_close(struct store *s); /* NULL-safe */

/* Exclusive lock of this machine's runs for the cluster; held until the process ends. ERR_LOCKED names the holder's
 * pid. */
int store_lock(const char *dir, struct err *err) MUST_CHECK;

/* What earlier runs applied: {"kind/name": body}; new reference. */
int store_applied(struct store *s, json_t **out, struct err *err) MUST_CHECK;
/* Remembers the body that now is applied; NULL forgets it. */
int store_set_applied(struct store *s, const char *key, const json_t *body, struct err *err) MUST_CHECK;

/* Evidence of gates: {"key": value}; new reference. */
int store_evidence(struct store *s, json_t **out, struct err *err) MUST_CHECK;
int store_set_evidence(struct store *s, const char *key, const json_t *value, struct err *err) MUST_CHECK;

/* The record of a run: its plans (a replan is another plan), its steps, its end. */
int store_run_begin(struct store *s, const char *source, const char *commit, int64_t *run, struct err *err) MUST_CHECK;
int store_run_plan(struct store *s, int64_t run, int number, const json_t *plan, struct err *err) MUST_CHECK;
int store_run_step(struct store *s, int64_t run, int plan, const char *key, const char *action, const char *outcome,
		   const char *message, int64_t ms, struct err *err) MUST_CHECK;
int store_run_end(struct store *s, int64_t run, int exit_status, const char *message, struct err *err) MUST_CHECK;

#endif
