#include "run/rollback.h"

#include <string.h>

#define ALL_RUNS STORE_RUNS_KEPT
#define RECENT_RUNS 50 /* among which the last one to tell the shared state is */

static const char *content_of(const json_t *record)
{
	return json_str(json_object_get(record, "origin"), "content");
}

static int64_t number_of(const json_t *run)
{
	return json_int(run, "run", 0);
}

static int find_named(struct store *s, int64_t run, json_t **record, struct err *err)
{
	if (store_run_get(s, run, record, err) < 0)
		return -1;
	if (json_object_get(*record, "origin"))
		return 0;
	json_decref(*record);
	*record = NULL;
	return err_set(err, ERR_BLOCKED,
		       "run %lld is of a version that did not record the spec: go back to its commit with --to COMMIT",
		       (long long)run);
}

static const char *spec_of(const json_t *record)
{
	return json_str(json_object_get(record, "origin"), "spec");
}

/* 1 or 0. A run that was killed did not tell the shared state: the one before it may be what that names. */
static int was_applied_here(struct store *s, const json_t *runs, const char *spec, struct err *err)
{
	const json_t *run;
	size_t i;

	json_array_foreach ((json_t *)runs, i, run) {
		_cleanup_json_ json_t *record = NULL;
		if (i == RECENT_RUNS)
			break;
		if (store_run_get(s, number_of(run), &record, err) < 0)
			return -1;
		if (str_eq(spec_of(record), spec))
			return 1;
	}
	return 0;
}

/* Where the shared state names a spec that no run here applied, the history is somewhere else. */
static int check_applied(struct store *s, const json_t *runs, const json_t *applied, struct err *err)
{
	const char *live = json_str(applied, "spec"), *commit = json_str(applied, "commit");
	int here = live ? was_applied_here(s, runs, live, err) : 1;

	if (here != 0)
		return here < 0 ? -1 : 0;
	return err_set(err, ERR_NOT_FOUND,
		       "the spec that is live now (%s%.12s) was applied from another machine, and its history is not "
		       "here: name a run of this machine (reconcile history), or a commit with --to COMMIT",
		       commit ? "commit " : "of no commit", commit ? commit : "");
}

static int64_t rollback_of(const json_t *record)
{
	return json_int(json_object_get(record, "origin"), "rollback_of", 0);
}

static bool ended_well(const json_t *run)
{
	return json_int(run, "exit_status", -1) == 0;
}

/* What it left out may never have run with that spec. */
static bool is_partial(const json_t *record)
{
	return json_bool(json_object_get(record, "origin"), "partial");
}

static int find_before(struct store *s, const json_t *newest, const json_t *runs, json_t **record, struct err *err)
{
	/* Where history stands: a rollback is at the run it went back to. */
	int64_t position = rollback_of(newest) ? rollback_of(newest) : number_of(newest);
	const json_t *run;
	size_t i;

	json_array_foreach ((json_t *)runs, i, run) {
		_cleanup_json_ json_t *candidate = NULL;
		if (number_of(run) >= position || !ended_well(run))
			continue;
		if (store_run_get(s, number_of(run), &candidate, err) < 0)
			return -1;
		if (!content_of(candidate) || is_partial(candidate) ||
		    str_eq(content_of(candidate), content_of(newest)))
			continue;
		*record = json_incref(candidate);
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND,
		       "the history of this machine has no run before run %lld that ended well with another spec: name "
		       "a commit with --to COMMIT",
		       (long long)position);
}

int rollback_find(struct store *s, int64_t run, const json_t *applied, json_t **record, struct err *err)
{
	_cleanup_json_ json_t *newest = NULL, *runs = NULL;

	if (run)
		return find_named(s, run, record, err);
	if (store_run_get(s, 0, &newest, err) < 0 || store_runs(s, ALL_RUNS, &runs, err) < 0 ||
	    check_applied(s, runs, applied, err) < 0)
		return -1;
	if (rollback_of(newest) && !ended_well(newest)) /* it has not arrived: go on with it */
		return find_named(s, rollback_of(newest), record, err);
	return find_before(s, newest, runs, record, err);
}

json_t *rollback_origin(const json_t *record)
{
	json_t *origin = json_deep_copy(json_object_get(record, "origin"));
	json_set_int(origin, "rollback_of", number_of(record));
	json_object_del(origin, "partial"); /* of that run, not of this */
	return origin;
}

char *rollback_text(int64_t run, const char *commit)
{
	if (!run)
		return xasprintf("rolled back to commit %.12s", commit ? commit : "");
	return commit ? xasprintf("rolled back to run %lld (commit %.12s)", (long long)run, commit)
		      : xasprintf("rolled back to run %lld", (long long)run);
}
