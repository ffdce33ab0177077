/* The few SQLite functions the store uses, loaded at the first use. */
#ifndef RECONCILE_STATE_SQLITE_H
#define RECONCILE_STATE_SQLITE_H

#include "base/err.h"

#include <sqlite3.h>

struct sqlite {
	int (*open_v2)(const char *, sqlite3 **, int, const char *);
	int (*close_v2)(sqlite3 *);
	int (*exec)(sqlite3 *, const char *, int (*)(void *, int, char **, char **), void *, char **);
	int (*prepare_v2)(sqlite3 *, const char *, int, sqlite3_stmt **, const char **);
	int (*bind_text)(sqlite3_stmt *, int, const char *, int, void (*)(void *));
	int (*bind_int64)(sqlite3_stmt *, int, sqlite3_int64);
	int (*bind_null)(sqlite3_stmt *, int);
	int (*step)(sqlite3_stmt *);
	int (*finalize)(sqlite3_stmt *);
	const unsigned char *(*column_text)(sqlite3_stmt *, int);
	sqlite3_int64 (*column_int64)(sqlite3_stmt *, int);
	int (*column_type)(sqlite3_stmt *, int);
	sqlite3_int64 (*last_insert_rowid)(sqlite3 *);
	const char *(*errmsg)(sqlite3 *);
	int (*busy_timeout)(sqlite3 *, int);
};

int sqlite_load(const struct sqlite **out, struct err *err) MUST_CHECK;

#endif
