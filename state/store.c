#include "state/store.h"

#include "state/sqlite.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STORE_FORMAT 1
#define BUSY_MS 5000

static const char schema[] =
	"CREATE TABLE IF NOT EXISTS run(id INTEGER PRIMARY KEY, started INTEGER NOT NULL, ended INTEGER, source TEXT "
	"NOT "
	"NULL, commit_id TEXT, exit_status INTEGER, message TEXT);"
	"CREATE TABLE IF NOT EXISTS plan(run INTEGER NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY "
	"KEY(run, number));"
	"CREATE TABLE IF NOT EXISTS step(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, plan INTEGER NOT NULL, resource "
	"TEXT "
	"NOT NULL, action TEXT NOT NULL, outcome TEXT NOT NULL, message TEXT, ms INTEGER NOT NULL);"
	"CREATE TABLE IF NOT EXISTS applied(resource TEXT PRIMARY KEY, body TEXT NOT NULL);"
	"CREATE TABLE IF NOT EXISTS evidence(name TEXT PRIMARY KEY, value TEXT NOT NULL);";

struct store {
	const struct sqlite *fn;
	sqlite3 *db;
	char *path;
};

static int fail(struct store *s, struct err *err, const char *what)
{
	return err_set(err, ERR_SYSTEM, "state %s: %s: %s", s->path, what, s->fn->errmsg(s->db));
}

static int read_row(void *arg, int n, char **columns, char **names)
{
	(void)names;
	*(long *)arg = n > 0 && columns[0] ? strtol(columns[0], NULL, 10) : 0;
	return 0;
}

/* user_version is 0 in a new database; any other number but ours is not ours to touch. */
static int check_format(struct store *s, bool writable, struct err *err)
{
	long format = 0;
	char set[64];

	if (s->fn->exec(s->db, "PRAGMA user_version", read_row, &format, NULL) != SQLITE_OK)
		return err_set(err, ERR_PROTOCOL, "state %s: %s; move it away to start anew, no plan depends on it",
			       s->path, s->fn->errmsg(s->db));
	if (format != 0 && format != STORE_FORMAT)
		return err_set(err, ERR_PROTOCOL,
			       "state %s: format %ld, this version knows %d; move it away to start anew", s->path,
			       format, STORE_FORMAT);
	if (!writable || format == STORE_FORMAT)
		return 0;
	snprintf(set, sizeof(set), "PRAGMA user_version = %d", STORE_FORMAT);
	if (s->fn->exec(s->db, "PRAGMA journal_mode = DELETE", NULL, NULL, NULL) != SQLITE_OK ||
	    s->fn->exec(s->db, schema, NULL, NULL, NULL) != SQLITE_OK ||
	    s->fn->exec(s->db, set, NULL, NULL, NULL) != SQLITE_OK)
		return fail(s, err, "making its tables");
	return 0;
}

int store_open(const char *dir, bool writable, struct store **out, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("%s/state.db", dir);

	if (writable && file_mkdirs(dir, 0700, err) < 0)
		return -1;
	if (!writable && access(path, F_OK) < 0)
		return err_set(err, ERR_NOT_FOUND, "state %s: no earlier run left one", path);
	struct store *s = xcalloc(1, sizeof(*s));
	s->path = xstrdup(path);
	int rc = sqlite_load(&s->fn, err);
	if (rc == 0) {
		int flags = writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
		if (s->fn->open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
			rc = fail(s, err, "opening");
		else
			s->fn->busy_timeout(s->db, BUSY_MS);
	}
	if (rc == 0)
		rc = check_format(s, writable, err);
	if (rc < 0) {
		store_close(s);
		return -1;
	}
	*out = s;
	return 0;
}

void store_close(struct store *s)
{
	if (!s)
		return;
	if (s->db)
		s->fn->close_v2(s->db);
	free(s->path);
	free(s);
}

/*
 * A POSIX record lock: the kernel drops it when the process ends, however it
 * ends, and names the holder, so that nothing has to be written for a run that
 * changes nothing. The descriptor stays open for that reason.
 */
int store_lock(const char *dir, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("%s/lock", dir);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};

	if (file_mkdirs(dir, 0700, err) < 0)
		return -1;
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_sys(err, "locking %s", path);
	if (fcntl(fd, F_SETLK, &lock) == 0)
		return 0;
	if (errno != EAGAIN && errno != EACCES) {
		err_sys(err, "locking %s", path);
	} else {
		bool known = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
		err_set(err, ERR_LOCKED, "another run is at work on this cluster (pid %d)",
			known ? (int)lock.l_pid : 0);
	}
	close(fd);
	return -1;
}

/* One statement; each argument is text, or NULL for SQL NULL. */
struct statement {
	struct store *s;
	sqlite3_stmt *stmt;
	int n;
};

static void finalize(struct statement *st)
{
	if (st->stmt)
		st->s->fn->finalize(st->stmt);
}

static int prepare(struct store *s, struct statement *st, const char *sql, struct err *err)
{
	*st = (struct statement){.s = s};
	return s->fn->prepare_v2(s->db, sql, -1, &st->stmt, NULL) == SQLITE_OK ? 0 : fail(s, err, "preparing");
}

static void bind_text(struct statement *st, const char *text)
{
	st->n++;
	if (text)
		st->s->fn->bind_text(st->stmt, st->n, text, -1, SQLITE_TRANSIENT);
	else
		st->s->fn->bind_null(st->stmt, st->n);
}

static void bind_int(struct statement *st, int64_t value)
{
	st->s->fn->bind_int64(st->stmt, ++st->n, value);
}

static int run_statement(struct statement *st, struct err *err)
{
	return st->s->fn->step(st->stmt) == SQLITE_DONE ? 0 : fail(st->s, err, "writing");
}

/* Two text columns, the second one JSON, as an object. */
static int read_pairs(struct store *s, const char *sql, json_t **out, struct err *err)
{
	CLEANUP(finalize) struct statement st;
	_cleanup_json_ json_t *all = json_object();
	int rc;

	if (prepare(s, &st, sql, err) < 0)
		return -1;
	while ((rc = s->fn->step(st.stmt)) == SQLITE_ROW) {
		const char *key = (const char *)s->fn->column_text(st.stmt, 0);
		const char *text = (const char *)s->fn->column_text(st.stmt, 1);
		json_t *value;
		if (!key || !text || json_parse(text, strlen(text), &value, err) < 0)
			return err_set(err, ERR_PROTOCOL, "state %s: a damaged row; move it away to start anew",
				       s->path);
		json_set(all, key, value);
	}
	if (rc != SQLITE_DONE)
		return fail(s, err, "reading");
	*out = json_incref(all);
	return 0;
}

static int write_pair(struct store *s, const char *put, const char *drop, const char *key, const json_t *value,
		      struct err *err)
{
	CLEANUP(finalize) struct statement st;
	_cleanup_str_ struct str text = {0};

	if (prepare(s, &st, value ? put : drop, err) < 0)
		return -1;
	bind_text(&st, key);
	if (value) {
		json_canonical(value, &text);
		bind_text(&st, str_cstr(&text));
	}
	return run_statement(&st, err);
}

int store_applied(struct store *s, json_t **out, struct err *err)
{
	return read_pairs(s, "SELECT resource, body FROM applied", out, err);
}

int store_set_applied(struct store *s, const char *key, const json_t *body, struct err *err)
{
	return write_pair(s, "INSERT OR REPLACE INTO applied VALUES(?, ?)", "DELETE FROM applied WHERE resource = ?",
			  key, body, err);
}

int store_evidence(struct store *s, json_t **out, struct err *err)
{
	return read_pairs(s, "SELECT name, value FROM evidence", out, err);
}

int store_set_evidence(struct store *s, const char *key, const json_t *value, struct err *err)
{
	return write_pair(s, "INSERT OR REPLACE INTO evidence VALUES(?, ?)", "DELETE FROM evidence WHERE name = ?", key,
			  value, err);
}

int store_run_begin(struct store *s, const char *source, const char *commit, int64_t *run, struct err *err)
{
	CLEANUP(finalize) struct statement st;
	if (prepare(s, &st, "INSERT INTO run(started, source, commit_id) VALUES(?, ?, ?)", err) < 0)
		return -1;
	bind_int(&st, clock_wall());
	bind_text(&st, source);
	bind_text(&st, commit);
	if (run_statement(&st, err) < 0)
		return -1;
	*run = s->fn->last_insert_rowid(s->db);
	return 0;
}

int store_run_plan(struct store *s, int64_t run, int number, const json_t *plan, struct err *err)
{
	CLEANUP(finalize) struct statement st;
	_cleanup_str_ struct str body = {0};

	if (prepare(s, &st, "INSERT INTO plan VALUES(?, ?, ?)", err) < 0)
		return -1;
	json_canonical(plan, &body);
	bind_int(&st, run);
	bind_int(&st, number);
	bind_text(&st, str_cstr(&body));
	return run_statement(&st, err);
}

int store_run_step(struct store *s, int64_t run, int plan, const char *key, const char *action, const char *outcome,
		   const char *message, int64_t ms, struct err *err)
{
	CLEANUP(finalize) struct statement st;
	if (prepare(s, &st,
		    "INSERT INTO step(run, plan, resource, action, outcome, message, ms) VALUES(?, ?, ?, ?, ?, ?, ?)",
		    err) < 0)
		return -1;
	bind_int(&st, run);
	bind_int(&st, plan);
	bind_text(&st, key);
	bind_text(&st, action);
	bind_text(&st, outcome);
	bind_text(&st, message);
	bind_int(&st, ms);
	return run_statement(&st, err);
}

int store_run_end(struct store *s, int64_t run, int exit_status, const char *message, struct err *err)
{
	CLEANUP(finalize) struct statement st;
	if (prepare(s, &st, "UPDATE run SET ended = ?, exit_status = ?, message = ? WHERE id = ?", err) < 0)
		return -1;
	bind_int(&st, clock_wall());
	bind_int(&st, exit_status);
	bind_text(&st, message);
	bind_int(&st, run);
	return run_statement(&st, err);
}
