#include "state/sqlite.h"

#include "base/mem.h"
#include "sys/dynlib.h"

int sqlite_load(const struct sqlite **out, struct err *err)
{
	static struct sqlite fn;
	static const struct dynsym symbols[] = {
		{"sqlite3_open_v2", &fn.open_v2},
		{"sqlite3_close_v2", &fn.close_v2},
		{"sqlite3_exec", &fn.exec},
		{"sqlite3_prepare_v2", &fn.prepare_v2},
		{"sqlite3_bind_text", &fn.bind_text},
		{"sqlite3_bind_int64", &fn.bind_int64},
		{"sqlite3_bind_null", &fn.bind_null},
		{"sqlite3_step", &fn.step},
		{"sqlite3_finalize", &fn.finalize},
		{"sqlite3_column_text", &fn.column_text},
		{"sqlite3_column_int64", &fn.column_int64},
		{"sqlite3_column_type", &fn.column_type},
		{"sqlite3_last_insert_rowid", &fn.last_insert_rowid},
		{"sqlite3_errmsg", &fn.errmsg},
		{"sqlite3_busy_timeout", &fn.busy_timeout},
	};

	if (!fn.open_v2 && dynlib_load("libsqlite3.so.0", "libsqlite3-0", symbols, ARRAY_SIZE(symbols), err) < 0)
		return -1;
	*out = &fn;
	return 0;
}
