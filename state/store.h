/*
 * The local state: history and cache in <dir>/state.db (SQLite, rollback
 * journal: readable without write access). Losing it changes no plan; it only
 * explains (drift or intent) and keeps the record of runs. SQLite is loaded at
 * the first use. One thread. The tables are documented in docs/state-format.md.
 */
#ifndef RECONCILE_STATE_STORE_H
#define RECONCILE_STATE_STORE_H

#include "base/err.h"
#include "base/json.h"

struct store;

/*
 * dir is made when writable (0700). Not writable and not there: ERR_NOT_FOUND; not readable: ERR_DENIED.
 * A file that is no database of ours: ERR_PROTOCOL; it is never overwritten.
 */
int store_open(const char *dir, bool writable, struct store **out, struct err *err) MUST_CHECK;
void store_close(struct store *s); /* NULL-safe */

/* Exclusive lock of this machine's runs for the cluster; held until the process ends. ERR_LOCKED names the holder's
 * pid. */
int store_lock(const char *dir, struct err *err) MUST_CHECK;
/* The process that holds it now; 0: none, or it cannot be told. Changes nothing. */
int store_lock_holder(const char *dir);

/* What earlier runs applied: {"kind/name": body}; new reference. */
int store_applied(struct store *s, json_t **out, struct err *err) MUST_CHECK;
/* Remembers the body that now is applied; NULL forgets it. */
int store_set_applied(struct store *s, const char *key, const json_t *body, struct err *err) MUST_CHECK;

/*
 * The record of a run: how it began, its plans (a replan is another plan), its
 * steps, the image digests that it left ({"service/x": "app:1@sha256:…"}), its end.
 * kind: "apply", "bootstrap", "rollback". origin: how to get the spec again
 * (run/origin.h); NULL: not known. Beginning a run drops what is too old: see
 * STORE_RUNS_KEPT and STORE_BYTES_KEPT.
 */
int store_run_begin(struct store *s, const char *kind, const char *source, const char *commit, const json_t *origin,
		    int64_t *run, struct err *err) MUST_CHECK;
int store_run_plan(struct store *s, int64_t run, int number, const json_t *plan, struct err *err) MUST_CHECK;
int store_run_step(struct store *s, int64_t run, int plan, const char *key, const char *action, const char *outcome,
		   const char *message, int64_t ms, struct err *err) MUST_CHECK;
int store_run_digests(struct store *s, int64_t run, const json_t *digests, struct err *err) MUST_CHECK;
int store_run_end(struct store *s, int64_t run, int exit_status, const char *message, struct err *err) MUST_CHECK;

/* The runs that are kept; older ones go. When the file holds more bytes, the older half of the plans goes. */
#define STORE_RUNS_KEPT 1000
#define STORE_BYTES_KEPT (INT64_C(64) << 20)

/*
 * Runs, newest first, at most limit; new reference, an array of
 *   {"run": 12, "kind": "apply", "started": wall, "ended": wall, "source": …, "commit": …, "exit_status": 0,
 *    "message": …, "outcomes": {"done": 3, "held": 1, "unhealthy": 1}}
 * Members that are not known are missing; without "ended" the run was killed, or goes on.
 */
int store_runs(struct store *s, int limit, json_t **out, struct err *err) MUST_CHECK;
/*
 * All of one run; 0: the newest. As in store_runs, and "origin", "digests", "plans": [{"number": 1, "plan": …}],
 * "steps": [{"plan": 1, "resource": "service/x", "action": …, "outcome": …, "message": …, "ended": wall, "ms": 12}].
 * New reference. ERR_NOT_FOUND: there is no such run (any more).
 */
int store_run_get(struct store *s, int64_t run, json_t **out, struct err *err) MUST_CHECK;

#endif
