/* The record of runs. */
#include "state/internal.h"

#include "sys/clock.h"

#include <stdio.h>
#include <string.h>

/* Writing */

static int insert_run(struct store *s, const char *kind, const char *source, const char *commit, const json_t *origin,
		      struct err *err)
{
	_cleanup_statement_ struct statement st = {0};

	if (statement_prepare(s, &st, "INSERT INTO run(started, kind, source, commit_id, origin) VALUES(?, ?, ?, ?, ?)",
			      err) < 0)
		return -1;
	statement_int(&st, clock_wall());
	statement_text(&st, kind);
	statement_text(&st, source);
	statement_text(&st, commit);
	statement_json(&st, origin);
	return statement_run(&st, err);
}

static int drop_up_to(struct store *s, const char *sql, int64_t run, struct err *err)
{
	_cleanup_statement_ struct statement st = {0};

	if (statement_prepare(s, &st, sql, err) < 0)
		return -1;
	statement_int(&st, run);
	return statement_run(&st, err);
}

static int drop_old_runs(struct store *s, int64_t last, struct err *err)
{
	static const char *const sql[] = {"DELETE FROM plan WHERE run <= ?", "DELETE FROM step WHERE run <= ?",
					  "DELETE FROM run WHERE id <= ?"};

	for (size_t i = 0; i < ARRAY_SIZE(sql); i++)
		if (drop_up_to(s, sql[i], last - STORE_RUNS_KEPT, err) < 0)
			return -1;
	return 0;
}

/* Plans are nearly all of the bytes. Pages that a deletion frees stay in the file, and are used again. */
static int drop_large_plans(struct store *s, struct err *err)
{
	long pages, unused, size, middle;

	if (store_exec_int(s, "PRAGMA page_count", &pages, err) < 0 ||
	    store_exec_int(s, "PRAGMA freelist_count", &unused, err) < 0 ||
	    store_exec_int(s, "PRAGMA page_size", &size, err) < 0)
		return -1;
	if ((int64_t)(pages - unused) * size <= STORE_BYTES_KEPT)
		return 0;
	if (store_exec_int(s, "SELECT run FROM plan ORDER BY run LIMIT 1 OFFSET (SELECT count(*) / 2 FROM plan)",
			   &middle, err) < 0)
		return -1;
	return drop_up_to(s, "DELETE FROM plan WHERE run < ?", middle, err);
}

int store_run_begin(struct store *s, const char *kind, const char *source, const char *commit, const json_t *origin,
		    int64_t *run, struct err *err)
{
	if (store_exec(s, "BEGIN IMMEDIATE", "writing", err) < 0)
		return -1;
	int rc = insert_run(s, kind, source, commit, origin, err);
	int64_t id = rc < 0 ? 0 : s->fn->last_insert_rowid(s->db);
	if (rc == 0)
		rc = drop_old_runs(s, id, err);
	if (rc == 0)
		rc = drop_large_plans(s, err);
	if (store_commit(s, rc, err) < 0)
		return -1;
	*run = id;
	return 0;
}

int store_run_plan(struct store *s, int64_t run, int number, const json_t *plan, struct err *err)
{
	_cleanup_statement_ struct statement st = {0};

	if (statement_prepare(s, &st, "INSERT INTO plan VALUES(?, ?, ?)", err) < 0)
		return -1;
	statement_int(&st, run);
	statement_int(&st, number);
	statement_json(&st, plan);
	return statement_run(&st, err);
}

int store_run_step(struct store *s, int64_t run, int plan, const char *key, const char *action, const char *outcome,
		   const char *message, int64_t ms, struct err *err)
{
	_cleanup_statement_ struct statement st = {0};

	if (statement_prepare(s, &st,
			      "INSERT INTO step(run, plan, resource, action, outcome, message, ms, ended) "
			      "VALUES(?, ?, ?, ?, ?, ?, ?, ?)",
			      err) < 0)
		return -1;
	statement_int(&st, run);
	statement_int(&st, plan);
	statement_text(&st, key);
	statement_text(&st, action);
	statement_text(&st, outcome);
	statement_text(&st, message);
	statement_int(&st, ms);
	statement_int(&st, clock_wall());
	return statement_run(&st, err);
}

int store_run_digests(struct store *s, int64_t run, const json_t *digests, struct err *err)
{
	_cleanup_statement_ struct statement st = {0};

	if (statement_prepare(s, &st, "UPDATE run SET digests = ? WHERE id = ?", err) < 0)
		return -1;
	statement_json(&st, digests);
	statement_int(&st, run);
	return statement_run(&st, err);
}

int store_run_end(struct store *s, int64_t run, int exit_status, const char *message, struct err *err)
{
	_cleanup_statement_ struct statement st = {0};

	if (statement_prepare(s, &st, "UPDATE run SET ended = ?, exit_status = ?, message = ? WHERE id = ?", err) < 0)
		return -1;
	statement_int(&st, clock_wall());
	statement_int(&st, exit_status);
	statement_text(&st, message);
	statement_int(&st, run);
	return statement_run(&st, err);
}

/* Reading */

enum column_type { COLUMN_INT, COLUMN_TEXT, COLUMN_JSON };

/* The members of an object, in the order of a statement's columns. */
struct column {
	const char *member;
	enum column_type type;
};

/* An error's text can hold anybody's bytes. */
static json_t *text_json(const char *text)
{
	json_t *j = json_string(text);
	return j ? j : json_string("(not UTF-8)");
}

/* NULL: damaged. New reference. */
static json_t *column_json(struct statement *st, int i, enum column_type type)
{
	const struct sqlite *fn = st->s->fn;
	bool is_int = fn->column_type(st->stmt, i) == SQLITE_INTEGER;
	const char *text;
	json_t *value;

	if (type == COLUMN_INT)
		return is_int ? json_integer(fn->column_int64(st->stmt, i)) : NULL;
	text = statement_column(st, i);
	if (!text || type == COLUMN_TEXT)
		return text ? text_json(text) : NULL;
	return json_parse(text, strlen(text), &value, NULL) < 0 ? NULL : value;
}

static int read_row(struct statement *st, const struct column *columns, size_t n, json_t *row, struct err *err)
{
	for (size_t i = 0; i < n; i++) {
		if (st->s->fn->column_type(st->stmt, (int)i) == SQLITE_NULL)
			continue;
		json_t *value = column_json(st, (int)i, columns[i].type);
		if (!value)
			return store_damaged(st->s, err);
		json_set(row, columns[i].member, value);
	}
	return 0;
}

/* All rows as objects; new reference. */
static int read_rows(struct statement *st, const struct column *columns, size_t n, json_t **out, struct err *err)
{
	_cleanup_json_ json_t *all = json_array();
	int rc;

	while ((rc = statement_next(st, err)) > 0) {
		json_t *row = json_object();
		json_array_append_new(all, row);
		if (read_row(st, columns, n, row, err) < 0)
			return -1;
	}
	if (rc < 0)
		return -1;
	*out = json_incref(all);
	return 0;
}

static const struct column run_columns[] = {
	{"run", COLUMN_INT},     {"started", COLUMN_INT},     {"ended", COLUMN_INT},    {"source", COLUMN_TEXT},
	{"commit", COLUMN_TEXT}, {"exit_status", COLUMN_INT}, {"message", COLUMN_TEXT}, {"kind", COLUMN_TEXT},
	{"origin", COLUMN_JSON}, {"digests", COLUMN_JSON},
};
#define RUN_LIST_COLUMNS 8 /* a list is short */

/* Files of format 1 are read as they are. */
static int select_runs(struct store *s, struct statement *st, const char *where, struct err *err)
{
	_cleanup_free_ char *sql =
		xasprintf("SELECT id, started, ended, source, commit_id, exit_status, message, %s FROM run %s",
			  s->format > 1 ? "kind, origin, digests" : "'apply', NULL, NULL", where);
	return statement_prepare(s, st, sql, err);
}

static int add_outcomes(struct store *s, json_t *run, struct err *err)
{
	_cleanup_statement_ struct statement st = {0};
	json_t *outcomes = json_object();
	int rc;

	json_set(run, "outcomes", outcomes);
	if (statement_prepare(s, &st, "SELECT outcome, count(*) FROM step WHERE run = ? GROUP BY outcome", err) < 0)
		return -1;
	statement_int(&st, json_int(run, "run", 0));
	while ((rc = statement_next(&st, err)) > 0) {
		const char *outcome = statement_column(&st, 0);
		if (!outcome)
			return store_damaged(s, err);
		json_set_int(outcomes, outcome, s->fn->column_int64(st.stmt, 1));
	}
	return rc;
}

int store_runs(struct store *s, int limit, json_t **out, struct err *err)
{
	_cleanup_statement_ struct statement st = {0};
	_cleanup_json_ json_t *all = NULL;
	json_t *run;
	size_t i;

	if (select_runs(s, &st, "ORDER BY id DESC LIMIT ?", err) < 0)
		return -1;
	statement_int(&st, limit);
	if (read_rows(&st, run_columns, RUN_LIST_COLUMNS, &all, err) < 0)
		return -1;
	json_array_foreach (all, i, run)
		if (add_outcomes(s, run, err) < 0)
			return -1;
	*out = json_incref(all);
	return 0;
}

static int add_rows(struct store *s, json_t *run, const char *member, const char *sql, const struct column *columns,
		    size_t n, struct err *err)
{
	_cleanup_statement_ struct statement st = {0};
	json_t *rows;

	if (statement_prepare(s, &st, sql, err) < 0)
		return -1;
	statement_int(&st, json_int(run, "run", 0));
	if (read_rows(&st, columns, n, &rows, err) < 0)
		return -1;
	json_set(run, member, rows);
	return 0;
}

static int add_plans(struct store *s, json_t *run, struct err *err)
{
	static const struct column columns[] = {{"number", COLUMN_INT}, {"plan", COLUMN_JSON}};

	return add_rows(s, run, "plans", "SELECT number, body FROM plan WHERE run = ? ORDER BY number", columns,
			ARRAY_SIZE(columns), err);
}

static int add_steps(struct store *s, json_t *run, struct err *err)
{
	static const struct column columns[] = {
		{"plan", COLUMN_INT},     {"resource", COLUMN_TEXT}, {"action", COLUMN_TEXT}, {"outcome", COLUMN_TEXT},
		{"message", COLUMN_TEXT}, {"ms", COLUMN_INT},        {"ended", COLUMN_INT},
	};
	_cleanup_free_ char *sql =
		xasprintf("SELECT plan, resource, action, outcome, message, ms, %s FROM step WHERE run = ? ORDER BY id",
			  s->format > 1 ? "ended" : "NULL");

	return add_rows(s, run, "steps", sql, columns, ARRAY_SIZE(columns), err);
}

int store_run_get(struct store *s, int64_t id, json_t **out, struct err *err)
{
	_cleanup_statement_ struct statement st = {0};
	_cleanup_json_ json_t *run = json_object();

	if (select_runs(s, &st, id ? "WHERE id = ?" : "ORDER BY id DESC LIMIT 1", err) < 0)
		return -1;
	if (id)
		statement_int(&st, id);
	int rc = statement_next(&st, err);
	if (rc < 0)
		return -1;
	if (rc == 0 && id == 0)
		return err_set(err, ERR_NOT_FOUND, "state %s: no run has changed anything yet", s->path);
	if (rc == 0)
		return err_set(err, ERR_NOT_FOUND, "state %s: there is no run %lld; the last %d are kept", s->path,
			       (long long)id, STORE_RUNS_KEPT);
	if (read_row(&st, run_columns, ARRAY_SIZE(run_columns), run, err) < 0 || add_outcomes(s, run, err) < 0 ||
	    add_plans(s, run, err) < 0 || add_steps(s, run, err) < 0)
		return -1;
	*out = json_incref(run);
	return 0;
}
