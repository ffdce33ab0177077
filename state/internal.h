/* What the files of the store share; nobody else includes this. */
#ifndef RECONCILE_STATE_INTERNAL_H
#define RECONCILE_STATE_INTERNAL_H

#include "state/sqlite.h"
#include "state/store.h"

struct store {
	const struct sqlite *fn;
	sqlite3 *db;
	char *path;
	long format; /* of the file; an older one is only read */
};

/* "state PATH: what: SQLite's words" */
int store_fail(struct store *s, struct err *err, const char *what);
int store_damaged(struct store *s, struct err *err);
int store_exec(struct store *s, const char *sql, const char *what, struct err *err) MUST_CHECK;
/* An integer that the statement yields; 0 when it yields none. */
int store_exec_int(struct store *s, const char *sql, long *value, struct err *err) MUST_CHECK;
/* Nothing of a transaction stays when what it was for failed; returns rc. */
int store_commit(struct store *s, int rc, struct err *err);

/* One statement; arguments are bound in their order, NULL text is SQL NULL. */
struct statement {
	struct store *s;
	sqlite3_stmt *stmt;
	int n;
};
void statement_free(struct statement *st);
#define _cleanup_statement_ CLEANUP(statement_free)
int statement_prepare(struct store *s, struct statement *st, const char *sql, struct err *err) MUST_CHECK;
void statement_text(struct statement *st, const char *text);
void statement_json(struct statement *st, const json_t *value); /* NULL: SQL NULL */
void statement_int(struct statement *st, int64_t value);
/* For what yields no rows. */
int statement_run(struct statement *st, struct err *err) MUST_CHECK;
/* 1: a row, 0: no more. */
int statement_next(struct statement *st, struct err *err) MUST_CHECK;
/* Borrowed until the next step; NULL for SQL NULL. */
const char *statement_column(struct statement *st, int column);

#endif
