#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/sqlite.h"
#include "state/store.h"

static int setup(void **state)
{
	char dir[] = "/tmp/reconcile-history-XXXXXX";
	*state = xstrdup(mkdtemp(dir));
	return 0;
}

static int teardown(void **state)
{
	char *dir = *state;
	static const char *const files[] = {"state.db", "state.db-journal", "lock"};
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, files[i]);
		unlink(path);
	}
	rmdir(dir);
	free(dir);
	return 0;
}

/* What the store itself does not offer, done to its file. */
static void sql(const char *dir, const char *text)
{
	_cleanup_free_ char *path = xasprintf("%s/state.db", dir);
	const struct sqlite *fn;
	struct err err = {0};
	sqlite3 *db;

	assert_int_equal(sqlite_load(&fn, &err), 0);
	assert_int_equal(fn->open_v2(path, &db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE, NULL), SQLITE_OK);
	if (fn->exec(db, text, NULL, NULL, NULL) != SQLITE_OK)
		fail_msg("%s: %s", text, fn->errmsg(db));
	fn->close_v2(db);
}

static struct store *open_store(const char *dir, bool writable)
{
	struct store *s;
	struct err err = {0};
	if (store_open(dir, writable, &s, &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

static int64_t begin(struct store *s)
{
	struct err err = {0};
	int64_t run = 0;
	if (store_run_begin(s, "apply", "cluster.yaml", NULL, NULL, &run, &err) < 0)
		fail_msg("%s", err.msg);
	return run;
}

static json_t *runs(struct store *s, int limit)
{
	struct err err = {0};
	json_t *all;
	if (store_runs(s, limit, &all, &err) < 0)
		fail_msg("%s", err.msg);
	return all;
}

static json_t *get(struct store *s, int64_t id)
{
	struct err err = {0};
	json_t *run;
	if (store_run_get(s, id, &run, &err) < 0)
		fail_msg("%s", err.msg);
	return run;
}

static void a_run_is_told_as_it_was(void **state)
{
	struct err err = {0};
	_cleanup_json_ json_t *origin = json_pack("{s:s}", "path", "/srv/cluster.yaml");
	_cleanup_json_ json_t *digests = json_pack("{s:s}", "service/web", "sha256:1f");
	_cleanup_json_ json_t *plan = json_pack("{s:i, s:[]}", "format", 1, "changes");
	int64_t run;

	struct store *s = open_store(*state, true);
	assert_int_equal(store_run_begin(s, "rollback", "1f2e:c.yaml", "1f2e", origin, &run, &err), 0);
	assert_int_equal(store_run_plan(s, run, 1, plan, &err), 0);
	assert_int_equal(store_run_plan(s, run, 2, plan, &err), 0);
	assert_int_equal(store_run_step(s, run, 1, "service/web", "update", "done", NULL, 1200, &err), 0);
	assert_int_equal(store_run_step(s, run, 1, "service/api", "create", "done", NULL, 5, &err), 0);
	assert_int_equal(store_run_step(s, run, 2, "service/db", "update", "unhealthy", "exit \xff", 7, &err), 0);
	assert_int_equal(store_run_digests(s, run, digests, &err), 0);
	assert_int_equal(store_run_end(s, run, 1, "one failed", &err), 0);
	store_close(s);

	s = open_store(*state, false);
	_cleanup_json_ json_t *all = runs(s, 10);
	assert_int_equal(json_array_size(all), 1);
	const json_t *listed = json_array_get(all, 0);
	assert_int_equal(json_int(listed, "run", 0), run);
	assert_string_equal(json_str(listed, "kind"), "rollback");
	assert_string_equal(json_str(listed, "commit"), "1f2e");
	assert_int_equal(json_int(listed, "exit_status", -1), 1);
	assert_true(json_int(listed, "ended", 0) >= json_int(listed, "started", 0));
	assert_true(json_int(listed, "started", 0) > 0);
	assert_int_equal(json_int(json_object_get(listed, "outcomes"), "done", 0), 2);
	assert_int_equal(json_int(json_object_get(listed, "outcomes"), "unhealthy", 0), 1);
	assert_null(json_object_get(listed, "origin"));

	_cleanup_json_ json_t *one = get(s, run), *last = get(s, 0);
	assert_true(json_same(one, last));
	assert_true(json_same(json_object_get(one, "origin"), origin));
	assert_true(json_same(json_object_get(one, "digests"), digests));
	assert_int_equal(json_array_size(json_object_get(one, "plans")), 2);
	const json_t *second = json_array_get(json_object_get(one, "plans"), 1);
	assert_int_equal(json_int(second, "number", 0), 2);
	assert_true(json_same(json_object_get(second, "plan"), plan));
	const json_t *steps = json_object_get(one, "steps");
	assert_int_equal(json_array_size(steps), 3);
	assert_string_equal(json_str(json_array_get(steps, 0), "resource"), "service/web");
	assert_int_equal(json_int(json_array_get(steps, 0), "ms", 0), 1200);
	assert_true(json_int(json_array_get(steps, 0), "ended", 0) > 0);
	assert_null(json_object_get(json_array_get(steps, 0), "message"));
	assert_string_equal(json_str(json_array_get(steps, 2), "message"), "(not UTF-8)");
	store_close(s);
}

static void a_run_without_an_end_has_none(void **state)
{
	struct store *s = open_store(*state, true);
	int64_t first = begin(s), second = begin(s);
	_cleanup_json_ json_t *all = runs(s, 1);
	assert_true(second > first);
	assert_int_equal(json_array_size(all), 1);
	assert_int_equal(json_int(json_array_get(all, 0), "run", 0), second);
	assert_null(json_object_get(json_array_get(all, 0), "ended"));
	assert_null(json_object_get(json_array_get(all, 0), "exit_status"));
	store_close(s);
}

static void what_is_not_there_is_said(void **state)
{
	struct err err = {0};
	json_t *run;

	struct store *s = open_store(*state, true);
	assert_int_equal(store_run_get(s, 0, &run, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	begin(s);
	err = (struct err){0};
	assert_int_equal(store_run_get(s, 7, &run, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "no run 7"));
	store_close(s);
}

/* The tables as the first format had them. */
static const char format_1[] =
	"CREATE TABLE run(id INTEGER PRIMARY KEY, started INTEGER NOT NULL, ended INTEGER, source TEXT NOT NULL,"
	" commit_id TEXT, exit_status INTEGER, message TEXT);"
	"CREATE TABLE plan(run INTEGER NOT NULL, number INTEGER NOT NULL, body TEXT NOT NULL, PRIMARY KEY(run, "
	"number));"
	"CREATE TABLE step(id INTEGER PRIMARY KEY, run INTEGER NOT NULL, plan INTEGER NOT NULL, resource TEXT NOT NULL,"
	" action TEXT NOT NULL, outcome TEXT NOT NULL, message TEXT, ms INTEGER NOT NULL);"
	"CREATE TABLE applied(resource TEXT PRIMARY KEY, body TEXT NOT NULL);"
	"CREATE TABLE evidence(name TEXT PRIMARY KEY, value TEXT NOT NULL);"
	"INSERT INTO run VALUES(3, 100, 105, 'c.yaml', NULL, 0, NULL);"
	"INSERT INTO plan VALUES(3, 1, '{}');"
	"INSERT INTO step VALUES(1, 3, 1, 'service/web', 'create', 'done', NULL, 12);"
	"INSERT INTO applied VALUES('service/web', '{\"image\":\"a\"}');"
	"INSERT INTO evidence VALUES('unmet', '{}');"
	"PRAGMA user_version = 1;";

static void check_migrated(struct store *s)
{
	struct err err = {0};
	_cleanup_json_ json_t *run = get(s, 3);
	json_t *applied;

	assert_string_equal(json_str(run, "kind"), "apply");
	assert_int_equal(json_int(run, "ended", 0), 105);
	assert_null(json_object_get(run, "origin"));
	assert_int_equal(json_array_size(json_object_get(run, "plans")), 1);
	const json_t *step = json_array_get(json_object_get(run, "steps"), 0);
	assert_string_equal(json_str(step, "resource"), "service/web");
	assert_null(json_object_get(step, "ended"));
	assert_int_equal(store_applied(s, &applied, &err), 0);
	assert_int_equal(json_object_size(applied), 1);
	json_decref(applied);
}

static void format_1_is_read_as_it_is_and_migrated_by_a_writer(void **state)
{
	struct err err = {0};
	int64_t run;

	sql(*state, format_1);
	struct store *s = open_store(*state, false);
	check_migrated(s);
	store_close(s);
	sql(*state, "INSERT INTO evidence VALUES('still', '{}')"); /* a reader changed nothing */

	s = open_store(*state, true);
	check_migrated(s);
	assert_int_equal(begin(s), 4);
	store_close(s);
	s = open_store(*state, false);
	check_migrated(s);
	assert_int_equal(store_run_begin(s, "apply", "c.yaml", NULL, NULL, &run, &err), -1);
	store_close(s);
}

/* A table in the way stands for whatever makes a migration fail half way. */
static void a_migration_that_fails_leaves_the_file_as_it_was(void **state)
{
	struct err err = {0};
	struct store *s;

	sql(*state, format_1);
	sql(*state, "CREATE INDEX step_run ON plan(number)");
	assert_int_equal(store_open(*state, true, &s, &err), -1);
	s = open_store(*state, false);
	check_migrated(s);
	store_close(s);
	sql(*state, "DROP INDEX step_run");
	s = open_store(*state, true);
	check_migrated(s);
	store_close(s);
}

static void a_later_format_is_left_alone(void **state)
{
	struct err err = {0};
	struct store *s;

	sql(*state, "PRAGMA user_version = 3");
	assert_int_equal(store_open(*state, true, &s, &err), -1);
	assert_int_equal(err.code, ERR_PROTOCOL);
	assert_non_null(strstr(err.msg, "format 3, this version knows 2"));
	assert_int_equal(store_open(*state, false, &s, &err), -1);
}

/* Two processes that both find the old format: one migrates, the other finds it done. */
static void two_writers_migrate_once(void **state)
{
	int status;

	sql(*state, format_1);
	pid_t children[4];
	for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
		children[i] = fork();
		if (children[i] == 0) {
			struct store *s;
			struct err err = {0};
			int rc = store_open(*state, true, &s, &err);
			if (rc < 0)
				fprintf(stderr, "%s\n", err.msg);
			else
				store_close(s);
			_exit(rc < 0);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(children); i++) {
		waitpid(children[i], &status, 0);
		assert_int_equal(status, 0);
	}
	struct store *s = open_store(*state, false);
	check_migrated(s);
	store_close(s);
}

static void old_runs_go_when_one_begins(void **state)
{
	struct store *s = open_store(*state, true);
	int64_t first = begin(s);
	store_close(s);
	sql(*state, "WITH RECURSIVE n(i) AS (SELECT 2 UNION ALL SELECT i + 1 FROM n WHERE i < 1000) "
		    "INSERT INTO run(id, started, source) SELECT i, 1, 'c' FROM n;"
		    "INSERT INTO plan SELECT id, 1, '{}' FROM run;"
		    "INSERT INTO step(run, plan, resource, action, outcome, ms) "
		    "SELECT id, 1, 'service/x', 'update', 'done', 1 FROM run;");
	s = open_store(*state, true);
	_cleanup_json_ json_t *before = runs(s, 5000);
	assert_int_equal(json_array_size(before), STORE_RUNS_KEPT);
	assert_int_equal(begin(s), STORE_RUNS_KEPT + 1);
	_cleanup_json_ json_t *all = runs(s, 5000);
	assert_int_equal(json_array_size(all), STORE_RUNS_KEPT);
	assert_int_equal(json_int(json_array_get(all, STORE_RUNS_KEPT - 1), "run", 0), first + 1);
	_cleanup_json_ json_t *oldest = get(s, first + 1);
	assert_int_equal(json_array_size(json_object_get(oldest, "plans")), 1);
	assert_int_equal(json_array_size(json_object_get(oldest, "steps")), 1);
	store_close(s);
	sql(*state, "CREATE TABLE left_over AS SELECT 1 / (1 - (SELECT count(*) FROM step WHERE run = 1))");
}

static void large_plans_go_when_a_run_begins(void **state)
{
	struct store *s = open_store(*state, true);
	for (int i = 0; i < 10; i++)
		begin(s);
	store_close(s);
	/* 70 MB in ten plans, JSON all the same. */
	sql(*state, "INSERT INTO plan SELECT id, 1, '\"' || hex(zeroblob(3500000)) || '\"' FROM run");
	s = open_store(*state, true);
	begin(s);
	for (int i = 1; i <= 10; i++) {
		_cleanup_json_ json_t *run = get(s, i);
		assert_int_equal(json_array_size(json_object_get(run, "plans")), i > 5 ? 1 : 0);
	}
	begin(s); /* small enough now */
	_cleanup_json_ json_t *run = get(s, 6);
	assert_int_equal(json_array_size(json_object_get(run, "plans")), 1);
	store_close(s);
}

static void a_damaged_row_is_said(void **state)
{
	static const char *const damages[] = {
		"UPDATE run SET origin = '{'",
		"UPDATE run SET origin = NULL; UPDATE plan SET body = x'00ff'",
		"UPDATE plan SET body = '{}'; UPDATE run SET started = 'yesterday'",
	};
	struct err err = {0};
	json_t *out = NULL;

	struct store *s = open_store(*state, true);
	int64_t run = begin(s);
	_cleanup_json_ json_t *plan = json_object();
	assert_int_equal(store_run_plan(s, run, 1, plan, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(damages); i++) {
		sql(*state, damages[i]);
		err = (struct err){0};
		assert_int_equal(store_run_get(s, run, &out, &err), -1);
		assert_int_equal(err.code, ERR_PROTOCOL);
		assert_non_null(strstr(err.msg, "damaged"));
	}
	store_close(s);
}

static void the_holder_of_the_lock_is_known_to_others(void **state)
{
	struct err err = {0};
	int ready[2], go[2], status;
	char c;

	assert_int_equal(store_lock_holder(*state), 0);
	assert_int_equal(pipe(ready), 0);
	assert_int_equal(pipe(go), 0);
	pid_t holder = fork();
	if (holder == 0) {
		int rc = store_lock(*state, &err);
		if (write(ready[1], "x", 1) != 1 || read(go[0], &c, 1) != 1)
			_exit(9);
		_exit(rc == 0 ? 0 : 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(store_lock_holder(*state), (int)holder);
	assert_int_equal(write(go[1], "x", 1), 1);
	waitpid(holder, &status, 0);
	assert_int_equal(status, 0);
	assert_int_equal(store_lock_holder(*state), 0);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_run_is_told_as_it_was),
		TEST(a_run_without_an_end_has_none),
		TEST(what_is_not_there_is_said),
		TEST(format_1_is_read_as_it_is_and_migrated_by_a_writer),
		TEST(a_migration_that_fails_leaves_the_file_as_it_was),
		TEST(a_later_format_is_left_alone),
		TEST(two_writers_migrate_once),
		TEST(old_runs_go_when_one_begins),
		TEST(large_plans_go_when_a_run_begins),
		TEST(a_damaged_row_is_said),
		TEST(the_holder_of_the_lock_is_known_to_others),
	};
	json_init();
	return cmocka_run_group_tests_name("history", tests, NULL, NULL);
}
