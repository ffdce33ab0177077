#include "run/shared.h"

#include "raft_standin.h"

/* Sets a section to {"n": value}; counts how often it was asked. */
struct setting {
	const char *section;
	int value, asked;
};

static int set(void *arg, json_t *sections, struct err *err)
{
	struct setting *s = arg;

	(void)err;
	s->asked++;
	json_set(sections, s->section, json_pack("{s:i}", "n", s->value));
	return 0;
}

static int refuse(void *arg, json_t *sections, struct err *err)
{
	(void)arg;
	json_set(sections, "applied", json_pack("{s:i}", "n", 1));
	return err_set(err, ERR_LOCKED, "suspended");
}

static int64_t value_of(struct raft *r, const char *section)
{
	_cleanup_json_ json_t *sections = raft_sections(r);
	return json_int(json_object_get(sections, section), "n", -1);
}

static void update(struct engine *e, struct setting *s)
{
	struct err err;
	if (shared_update(e, "shop", soon(), set, s, &err) < 0)
		fail_msg("%s", err.msg);
}

static void created_then_updated(void **state)
{
	(void)state;
	struct raft r;
	struct shared_at at = {.id = "x"};
	struct err err;
	json_t *sections;
	raft_start(&r);
	struct engine *e = raft_engine(&r);

	assert_int_equal(shared_read(e, "shop", soon(), &at, &sections, &err), 0);
	assert_string_equal(at.id, "");
	assert_int_equal(json_object_size(sections), 0); /* not those of the one with the longer name */
	json_decref(sections);

	update(e, &(struct setting){.section = "applied", .value = 1});
	assert_int_equal(shared_read(e, "shop", soon(), &at, &sections, &err), 0);
	assert_string_equal(at.id, "abc");
	assert_int_equal(at.version, 11);
	assert_int_equal(json_int(json_object_get(sections, "applied"), "n", 0), 1);
	json_decref(sections);
	assert_non_null(json_str(r.spec, "Data"));
	assert_null(json_object_get(json_object_get(r.spec, "Labels"), "io.reconcile.cluster"));

	json_set_str(json_object_get(r.spec, "Labels"), "team", "ops");
	json_set_str(r.spec, "NewField", "kept");
	update(e, &(struct setting){.section = "failed", .value = 2});
	assert_int_equal(value_of(&r, "applied"), 1);
	assert_int_equal(value_of(&r, "failed"), 2);
	assert_string_equal(json_str(json_object_get(r.spec, "Labels"), "team"), "ops");
	assert_string_equal(json_str(r.spec, "NewField"), "kept");
	assert_int_equal(r.writes, 2);
	engine_close(e);
	raft_stop(&r);
}

static void nothing_is_written_without_a_change(void **state)
{
	(void)state;
	struct raft r;
	struct err err = {0};
	raft_start(&r);
	struct engine *e = raft_engine(&r);

	raft_put(&r, "applied", json_pack("{s:i}", "n", 1));
	update(e, &(struct setting){.section = "applied", .value = 1});
	assert_int_equal(shared_update(e, "shop", soon(), refuse, NULL, &err), -1);
	assert_int_equal(err.code, ERR_LOCKED);
	assert_string_equal(err.msg, "suspended");
	assert_int_equal(r.writes, 0);
	engine_close(e);
	raft_stop(&r);
}

static void somebody_else_writes_first(struct raft *r, bool write)
{
	static int n;
	if (write && n++ == 0)
		raft_put_locked(r, "suspended", json_pack("{s:i}", "n", 7));
}

static void somebody_else_creates_first(struct raft *r, bool write)
{
	if (write && !r->spec)
		raft_put_locked(r, "suspended", json_pack("{s:i}", "n", 7));
}

static void writers_do_not_lose_each_other(void **state)
{
	(void)state;
	void (*const others[])(struct raft *, bool) = {somebody_else_writes_first, somebody_else_creates_first};

	for (size_t i = 0; i < ARRAY_SIZE(others); i++) {
		struct raft r;
		struct setting s = {.section = "applied", .value = 3};
		raft_start(&r);
		struct engine *e = raft_engine(&r);
		if (i == 0)
			raft_put(&r, "applied", json_pack("{s:i}", "n", 1));
		r.meanwhile = others[i];
		update(e, &s);
		assert_int_equal(value_of(&r, "applied"), 3);
		assert_int_equal(value_of(&r, "suspended"), 7);
		assert_int_equal(r.writes, 2);
		assert_int_equal(s.asked, 2);
		engine_close(e);
		raft_stop(&r);
	}
}

/* An answer that is lost after the effect is found out by looking; one lost before it is sent again. */
static void lost_answers(void **state)
{
	(void)state;
	for (int i = 0; i < 4; i++) {
		bool exists = i & 1, done = i & 2;
		struct raft r;
		struct setting s = {.section = "applied", .value = 3};
		raft_start(&r);
		struct engine *e = raft_engine(&r);
		if (exists)
			raft_put(&r, "failed", json_pack("{s:i}", "n", 1));
		*(done ? &r.lose : &r.cut) = 1;
		update(e, &s);
		assert_int_equal(value_of(&r, "applied"), 3);
		assert_int_equal(r.writes, done ? 1 : 2);
		assert_int_equal(s.asked, done ? 1 : 2);
		assert_int_equal(r.version, exists ? 12 : 11);
		engine_close(e);
		raft_stop(&r);
	}
}

static void tries_are_bounded(void **state)
{
	(void)state;
	struct raft r;
	struct setting s = {.section = "applied", .value = 3};
	struct err err = {0};
	raft_start(&r);
	struct engine *e = raft_engine(&r);

	raft_put(&r, "failed", json_pack("{s:i}", "n", 1));
	r.out_of_sequence = 100;
	assert_int_equal(shared_update(e, "shop", soon(), set, &s, &err), -1);
	assert_int_equal(err.code, ERR_OUT_OF_SEQUENCE);
	assert_non_null(strstr(err.msg, "recording the shared state of cluster 'shop': POST /configs/abc/update"));
	assert_int_equal(r.writes, 5);

	r.out_of_sequence = 0;
	r.cut = 100;
	assert_int_equal(shared_update(e, "shop", soon(), set, &s, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	assert_int_equal(r.writes, 10);
	assert_int_equal(value_of(&r, "applied"), -1);
	engine_close(e);
	raft_stop(&r);
}

static void an_engine_that_hangs_ends_at_the_deadline(void **state)
{
	(void)state;
	struct raft r;
	struct err err = {0};
	raft_start(&r);
	struct engine *e = raft_engine(&r);
	int64_t start = clock_ms();

	raft_freeze(&r, true);
	assert_int_equal(shared_update(e, "shop", start + 300, set, &(struct setting){.section = "applied"}, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_in_range(clock_ms() - start, 250, 2000);
	engine_close(e);
	raft_stop(&r);
}

static void what_is_not_ours_stays(void **state)
{
	(void)state;
	struct raft r;
	struct err err = {0};
	raft_start(&r);
	struct engine *e = raft_engine(&r);

	r.spec = json_pack("{s:s,s:s,s:{s:s}}", "Name", STATE_NAME, "Data", "eA==", "Labels", "team", "ops");
	assert_int_equal(shared_update(e, "shop", soon(), set, &(struct setting){.section = "applied"}, &err), -1);
	assert_int_equal(err.code, ERR_CONFLICT);
	assert_non_null(strstr(err.msg, "config 'reconcile-shop-state' is somebody else's"));

	json_set_str(json_object_get(r.spec, "Labels"), "io.reconcile.state", "shop");
	json_set_str(json_object_get(r.spec, "Labels"), "io.reconcile.state.suspended", "oops");
	assert_int_equal(shared_update(e, "shop", soon(), set, &(struct setting){.section = "applied"}, &err), -1);
	assert_int_equal(err.code, ERR_PROTOCOL);
	assert_int_equal(r.writes, 0);
	engine_close(e);
	raft_stop(&r);
}

static void no_manager(void **state)
{
	(void)state;
	struct raft r;
	struct shared_at at;
	struct err err = {0};
	json_t *sections = NULL;
	raft_start(&r);
	struct engine *e = raft_engine(&r);

	r.refuse = "503 Service Unavailable";
	assert_int_equal(shared_read(e, "shop", soon(), &at, &sections, &err), -1);
	assert_int_equal(err.code, ERR_UNSUPPORTED);
	assert_null(sections);
	engine_close(e);
	raft_stop(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(created_then_updated),
		cmocka_unit_test(nothing_is_written_without_a_change),
		cmocka_unit_test(writers_do_not_lose_each_other),
		cmocka_unit_test(lost_answers),
		cmocka_unit_test(tries_are_bounded),
		cmocka_unit_test(an_engine_that_hangs_ends_at_the_deadline),
		cmocka_unit_test(what_is_not_ours_stays),
		cmocka_unit_test(no_manager),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
