/* Which run is gone back to. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/rollback.h"

struct history {
	char dir[64];
	struct store *store;
};

static int setup(void **state)
{
	struct history *h = xcalloc(1, sizeof(*h));
	struct err err = {0};

	snprintf(h->dir, sizeof(h->dir), "/tmp/reconcile-rollback-XXXXXX");
	assert_non_null(mkdtemp(h->dir));
	assert_int_equal(store_open(h->dir, true, &h->store, &err), 0);
	*state = h;
	return 0;
}

static int teardown(void **state)
{
	struct history *h = *state;
	_cleanup_free_ char *path = xasprintf("%s/state.db", h->dir);

	store_close(h->store);
	unlink(path);
	rmdir(h->dir);
	free(h);
	return 0;
}

/* spec NULL: of a version that recorded none; "b -": --only a part of it. status -1: killed. */
static void ran(struct history *h, const char *spec, int64_t rollback_of, int status)
{
	_cleanup_json_ json_t *origin = NULL;
	struct err err = {0};
	int64_t run;

	if (spec) {
		origin = json_object();
		json_set_str(origin, "content", spec);
		json_set_str(origin, "spec", spec);
		json_set_str(origin, "commit", spec);
		if (str_ends(spec, " -"))
			json_set_bool(origin, "partial", true);
		if (rollback_of)
			json_set_int(origin, "rollback_of", rollback_of);
	}
	assert_int_equal(store_run_begin(h->store, "apply", "cluster.yaml", spec, origin, &run, &err), 0);
	if (status >= 0)
		assert_int_equal(store_run_end(h->store, run, status, NULL, &err), 0);
}

static int64_t found(struct history *h, int64_t run)
{
	_cleanup_json_ json_t *record = NULL;
	struct err err = {0};

	if (rollback_find(h->store, run, NULL, &record, &err) < 0)
		return -(int64_t)err.code;
	return json_int(record, "run", 0);
}

static void the_one_before(void **state)
{
	struct history *h = *state;
	ran(h, "a", 0, 0);
	assert_int_equal(found(h, 0), -ERR_NOT_FOUND);
	ran(h, "b", 0, 0);
	assert_int_equal(found(h, 0), 1);
	ran(h, "b", 0, 0); /* repaired drift */
	assert_int_equal(found(h, 0), 1);
	ran(h, "c", 0, 1); /* failed */
	assert_int_equal(found(h, 0), 3);
	ran(h, "d", 0, -1); /* killed */
	assert_int_equal(found(h, 0), 3);
	ran(h, NULL, 0, 0);
	assert_int_equal(found(h, 6), -ERR_BLOCKED);
	ran(h, "e", 0, 0);
	assert_int_equal(found(h, 0), 3);
	assert_int_equal(found(h, 4), 4);
	assert_int_equal(found(h, 99), -ERR_NOT_FOUND);
}

static void twice_goes_back_two_steps(void **state)
{
	struct history *h = *state;
	ran(h, "a", 0, 0);
	ran(h, "b", 0, 0);
	ran(h, "c", 0, 0);
	assert_int_equal(found(h, 0), 2);
	ran(h, "b", 2, 0);
	assert_int_equal(found(h, 0), 1);
	ran(h, "a", 1, 0);
	assert_int_equal(found(h, 0), -ERR_NOT_FOUND);
	ran(h, "d", 0, 0);
	assert_int_equal(found(h, 0), 5);
}

/* What --only left out never ran with that spec: it is gone back to by its number only. */
static void a_part_of_a_spec(void **state)
{
	struct history *h = *state;
	_cleanup_json_ json_t *record = NULL;
	struct err err = {0};

	ran(h, "a", 0, 0);
	ran(h, "b -", 0, 0);
	assert_int_equal(found(h, 0), 1);
	ran(h, "c", 0, 0);
	assert_int_equal(found(h, 0), 1);
	assert_int_equal(found(h, 2), 2);
	assert_int_equal(rollback_find(h->store, 2, NULL, &record, &err), 0);
	_cleanup_json_ json_t *origin = rollback_origin(record);
	assert_false(json_bool(origin, "partial"));
}

/* A rollback that failed has not arrived: the same again goes on with it. */
static void a_rollback_that_failed(void **state)
{
	struct history *h = *state;
	ran(h, "a", 0, 0);
	ran(h, "b", 0, 0);
	ran(h, "c", 0, 0);
	ran(h, "b", 2, 1);
	assert_int_equal(found(h, 0), 2);
	ran(h, "b", 2, -1);
	assert_int_equal(found(h, 0), 2);
}

static void another_machine(void **state)
{
	struct history *h = *state;
	_cleanup_json_ json_t *same = json_pack("{s:s}", "spec", "b"),
			      *other = json_pack("{s:s, s:s}", "spec", "z", "commit", "0123456789abcdef");
	json_t *record = NULL;
	struct err err = {0};

	ran(h, "a", 0, 0);
	ran(h, "b", 0, 0);
	assert_int_equal(rollback_find(h->store, 0, same, &record, &err), 0);
	json_decref(record);
	ran(h, "c", 0, -1); /* killed before it told anybody */
	assert_int_equal(rollback_find(h->store, 0, same, &record, &err), 0);
	assert_int_equal(json_int(record, "run", 0), 2);
	json_decref(record);
	assert_int_equal(rollback_find(h->store, 0, other, &record, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_non_null(strstr(err.msg, "0123456789ab"));
	assert_non_null(strstr(err.msg, "--to"));
	assert_int_equal(rollback_find(h->store, 1, other, &record, &err), 0);
	json_decref(record);
}

static void its_origin_and_text(void **state)
{
	struct history *h = *state;
	_cleanup_json_ json_t *record = NULL;
	struct err err = {0};

	ran(h, "a", 0, 0);
	assert_int_equal(rollback_find(h->store, 1, NULL, &record, &err), 0);
	_cleanup_json_ json_t *origin = rollback_origin(record);
	assert_int_equal(json_int(origin, "rollback_of", 0), 1);
	assert_string_equal(json_str(origin, "content"), "a");
	assert_int_equal(json_int(json_object_get(record, "origin"), "rollback_of", 0), 0);

	_cleanup_free_ char *run = rollback_text(12, NULL), *both = rollback_text(12, "0123456789abcdef"),
			    *commit = rollback_text(0, "0123456789abcdef");
	assert_string_equal(run, "rolled back to run 12");
	assert_string_equal(both, "rolled back to run 12 (commit 0123456789ab)");
	assert_string_equal(commit, "rolled back to commit 0123456789ab");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(the_one_before, setup, teardown),
		cmocka_unit_test_setup_teardown(twice_goes_back_two_steps, setup, teardown),
		cmocka_unit_test_setup_teardown(a_part_of_a_spec, setup, teardown),
		cmocka_unit_test_setup_teardown(a_rollback_that_failed, setup, teardown),
		cmocka_unit_test_setup_teardown(another_machine, setup, teardown),
		cmocka_unit_test_setup_teardown(its_origin_and_text, setup, teardown),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
