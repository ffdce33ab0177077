#include "state/internal.h"

#include "sys/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define STORE_FORMAT 2
#define BUSY_MS 5000

/*
 * What makes a file of one format one of the next, in the transaction that also
 * sets the number. A new file goes through all of them, so that old and new files are the same.
 */
static const char *const steps[STORE_FORMAT] = {
	"CREATE TABLE run(id INTEGER PRIMARY KEY, started INTEGER NOT NULL, ended INTEGER, source TEXT NOT NULL,"
	" commit_id TEXT, exit_status INTEGER, message TEXT);"
	"CREATE TABLE plan(run INTEGER NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY(run, "
	"number));"
	"CREATE TABLE step(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, plan INTEGER NOT NULL, resource TEXT NOT NULL,"
	" action TEXT NOT NULL, outcome TEXT NOT NULL, message TEXT, ms INTEGER NOT NULL);"
	"CREATE TABLE applied(resource TEXT PRIMARY KEY, body TEXT NOT NULL);"
	"CREATE TABLE evidence(name TEXT PRIMARY KEY, value TEXT NOT NULL);",

	"ALTER TABLE run ADD COLUMN kind TEXT NOT NULL DEFAULT 'apply';"
	"ALTER TABLE run ADD COLUMN origin TEXT;"
	"ALTER TABLE run ADD COLUMN digests TEXT;"
	"ALTER TABLE step ADD COLUMN ended INTEGER;"
	"CREATE INDEX step_run ON step(run);"
	"DROP TABLE evidence;",
};

int store_fail(struct store *s, struct err *err, const char *what)
{
	return err_set(err, ERR_SYSTEM, "state %s: %s: %s", s->path, what, s->fn->errmsg(s->db));
}

int store_damaged(struct store *s, struct err *err)
{
	return err_set(err, ERR_PROTOCOL, "state %s: a damaged row; move it away to start anew", s->path);
}

int store_exec(struct store *s, const char *sql, const char *what, struct err *err)
{
	return s->fn->exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_fail(s, err, what);
}

static int take_int(void *arg, int n, char **columns, char **names)
{
	(void)names;
	*(long *)arg = n > 0 && columns[0] ? strtol(columns[0], NULL, 10) : 0;
	return 0;
}

int store_exec_int(struct store *s, const char *sql, long *value, struct err *err)
{
	*value = 0;
	return s->fn->exec(s->db, sql, take_int, value, NULL) == SQLITE_OK ? 0 : store_fail(s, err, "reading");
}

int store_commit(struct store *s, int rc, struct err *err)
{
	if (rc == 0)
		rc = store_exec(s, "COMMIT", "writing", err);
	if (rc < 0)
		s->fn->exec(s->db, "ROLLBACK", NULL, NULL, NULL);
	return rc;
}

/* Somebody else may have done it since the number was read. */
static int migrate_steps(struct store *s, struct err *err)
{
	char set[64];
	int rc = store_exec_int(s, "PRAGMA user_version", &s->format, err);

	for (; rc == 0 && s->format < STORE_FORMAT; s->format++)
		rc = store_exec(s, steps[s->format], "making its tables", err);
	snprintf(set, sizeof(set), "PRAGMA user_version = %d", STORE_FORMAT);
	return rc < 0 ? rc : store_exec(s, set, "making its tables", err);
}

static int migrate(struct store *s, struct err *err)
{
	if (store_exec(s, "PRAGMA journal_mode = DELETE", "making its tables", err) < 0 ||
	    store_exec(s, "BEGIN IMMEDIATE", "making its tables", err) < 0)
		return -1;
	return store_commit(s, migrate_steps(s, err), err);
}

/* user_version is 0 in a new database; a number that we do not know is not ours to touch. */
static int check_format(struct store *s, bool writable, struct err *err)
{
	if (store_exec_int(s, "PRAGMA user_version", &s->format, NULL) < 0)
		return err_set(err, ERR_PROTOCOL, "state %s: %s; move it away to start anew, no plan depends on it",
			       s->path, s->fn->errmsg(s->db));
	if (s->format < 0 || s->format > STORE_FORMAT)
		return err_set(err, ERR_PROTOCOL,
			       "state %s: format %ld, this version knows %d; move it away to start anew", s->path,
			       s->format, STORE_FORMAT);
	if (s->format == STORE_FORMAT)
		return 0;
	if (writable)
		return migrate(s, err);
	/* Its first writer was killed before it made the tables. */
	return s->format > 0 ? 0 : err_set(err, ERR_NOT_FOUND, "state %s: it is empty", s->path);
}

int store_open(const char *dir, bool writable, struct store **out, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("%s/state.db", dir);

	if (writable && file_mkdirs(dir, 0700, err) < 0)
		return -1;
	if (!writable && access(path, R_OK) < 0 && errno != ENOENT)
		return err_sys(err, "state %s", path);
	if (!writable && access(path, F_OK) < 0)
		return err_set(err, ERR_NOT_FOUND, "state %s: no earlier run left one", path);
	struct store *s = xcalloc(1, sizeof(*s));
	s->path = xstrdup(path);
	int rc = sqlite_load(&s->fn, err);
	if (rc == 0) {
		int flags = writable ? SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE : SQLITE_OPEN_READONLY;
		if (s->fn->open_v2(path, &s->db, flags | SQLITE_OPEN_NOMUTEX, NULL) != SQLITE_OK)
			rc = store_fail(s, err, "opening");
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

int store_lock_holder(const char *dir)
{
	_cleanup_free_ char *path = xasprintf("%s/lock", dir);
	struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return 0;
	bool held = fcntl(fd, F_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
	close(fd);
	return held ? (int)lock.l_pid : 0;
}

void statement_free(struct statement *st)
{
	if (st->stmt)
		st->s->fn->finalize(st->stmt);
}

int statement_prepare(struct store *s, struct statement *st, const char *sql, struct err *err)
{
	*st = (struct statement){.s = s};
	return s->fn->prepare_v2(s->db, sql, -1, &st->stmt, NULL) == SQLITE_OK ? 0 : store_fail(s, err, "preparing");
}

void statement_text(struct statement *st, const char *text)
{
	st->n++;
	if (text)
		st->s->fn->bind_text(st->stmt, st->n, text, -1, SQLITE_TRANSIENT);
	else
		st->s->fn->bind_null(st->stmt, st->n);
}

void statement_json(struct statement *st, const json_t *value)
{
	_cleanup_str_ struct str text = {0};

	if (value)
		json_canonical(value, &text);
	statement_text(st, value ? str_cstr(&text) : NULL);
}

void statement_int(struct statement *st, int64_t value)
{
	st->s->fn->bind_int64(st->stmt, ++st->n, value);
}

int statement_run(struct statement *st, struct err *err)
{
	return st->s->fn->step(st->stmt) == SQLITE_DONE ? 0 : store_fail(st->s, err, "writing");
}

int statement_next(struct statement *st, struct err *err)
{
	int rc = st->s->fn->step(st->stmt);

	if (rc == SQLITE_ROW)
		return 1;
	return rc == SQLITE_DONE ? 0 : store_fail(st->s, err, "reading");
}

const char *statement_column(struct statement *st, int column)
{
	return (const char *)st->s->fn->column_text(st->stmt, column);
}

int store_applied(struct store *s, json_t **out, struct err *err)
{
	_cleanup_statement_ struct statement st = {0};
	_cleanup_json_ json_t *all = json_object();
	int rc;

	if (statement_prepare(s, &st, "SELECT resource, body FROM applied", err) < 0)
		return -1;
	while ((rc = statement_next(&st, err)) > 0) {
		const char *key = statement_column(&st, 0), *text = statement_column(&st, 1);
		json_t *body;
		if (!key || !text || json_parse(text, strlen(text), &body, NULL) < 0)
			return store_damaged(s, err);
		json_set(all, key, body);
	}
	if (rc < 0)
		return -1;
	*out = json_incref(all);
	return 0;
}

int store_set_applied(struct store *s, const char *key, const json_t *body, struct err *err)
{
	_cleanup_statement_ struct statement st = {0};

	if (statement_prepare(s, &st,
			      body ? "INSERT OR REPLACE INTO applied VALUES(?, ?)"
				   : "DELETE FROM applied WHERE resource = ?",
			      err) < 0)
		return -1;
	statement_text(&st, key);
	if (body)
		statement_json(&st, body);
	return statement_run(&st, err);
}
