#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "state/store.h"

static int setup(void **state)
{
	char dir[] = "/tmp/reconcile-store-XXXXXX";
	*state = xasprintf("%s/cluster", mkdtemp(dir));
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
	*strrchr(dir, '/') = '\0';
	rmdir(dir);
	free(dir);
	return 0;
}

static struct store *open_store(const char *dir, bool writable)
{
	struct store *s;
	struct err err = {0};
	if (store_open(dir, writable, &s, &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

static void what_is_put_is_there_after_reopening(void **state)
{
	struct err err = {0};
	json_t *applied;
	_cleanup_json_ json_t *body = json_pack("{s:{s:s}}", "env", "A", "it's");
	int64_t run = 0;

	struct store *s = open_store(*state, true);
	assert_int_equal(store_set_applied(s, "svc/a", body, &err), 0);
	assert_int_equal(store_set_applied(s, "svc/b", body, &err), 0);
	assert_int_equal(store_set_applied(s, "svc/b", NULL, &err), 0);
	assert_int_equal(store_run_begin(s, "apply", "c.yaml", NULL, NULL, &run, &err), 0);
	assert_true(run > 0);
	assert_int_equal(store_run_plan(s, run, 1, body, &err), 0);
	assert_int_equal(store_run_step(s, run, 1, "svc/a", "create", "done", NULL, 5, &err), 0);
	assert_int_equal(store_run_end(s, run, 0, NULL, &err), 0);
	store_close(s);

	s = open_store(*state, false);
	assert_int_equal(store_applied(s, &applied, &err), 0);
	assert_int_equal(json_object_size(applied), 1);
	assert_true(json_same(json_object_get(applied, "svc/a"), body));
	assert_int_equal(store_set_applied(s, "svc/c", body, &err), -1);
	json_decref(applied);
	store_close(s);
}

static void reading_makes_nothing(void **state)
{
	struct err err = {0};
	struct store *s;
	assert_int_equal(store_open(*state, false, &s, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(access(*state, F_OK), -1);
}

static void what_is_not_ours_is_refused_and_kept(void **state)
{
	struct err err = {0};
	struct store *s;
	_cleanup_free_ char *path = xasprintf("%s/state.db", (char *)*state);
	char buf[16] = "";

	assert_int_equal(mkdir(*state, 0700), 0);
	int fd = open(path, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(write(fd, "not a database\n", 15), 15);
	close(fd);
	assert_int_equal(store_open(*state, true, &s, &err), -1);
	assert_int_equal(err.code, ERR_PROTOCOL);
	fd = open(path, O_RDONLY);
	assert_int_equal(read(fd, buf, 15), 15);
	close(fd);
	assert_string_equal(buf, "not a database\n");
}

/* Record locks are per process, so the second run is a child. */
static void the_second_run_is_locked_out_and_the_lock_dies_with_its_holder(void **state)
{
	struct err err = {0};
	int status, ready[2], go[2];
	char c;

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
	pid_t second = fork();
	if (second == 0) {
		char expected[32];
		int rc = store_lock(*state, &err);
		snprintf(expected, sizeof(expected), "(pid %d)", (int)holder);
		_exit(rc < 0 && err.code == ERR_LOCKED && strstr(err.msg, expected) ? 0 : 1);
	}
	waitpid(second, &status, 0);
	assert_int_equal(status, 0);
	kill(holder, SIGKILL);
	waitpid(holder, &status, 0);
	assert_int_equal(store_lock(*state, &err), 0);
	for (int i = 0; i < 2; i++) {
		close(ready[i]);
		close(go[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_put_is_there_after_reopening, setup, teardown),
		cmocka_unit_test_setup_teardown(reading_makes_nothing, setup, teardown),
		cmocka_unit_test_setup_teardown(what_is_not_ours_is_refused_and_kept, setup, teardown),
		cmocka_unit_test_setup_teardown(the_second_run_is_locked_out_and_the_lock_dies_with_its_holder, setup,
						teardown),
	};
	json_init();
	return cmocka_run_group_tests_name("store", tests, NULL, NULL);
}
