#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/resource.h"
#include "model/snapshot.h"
#include "model/wants.h"

static void resources_are_found_and_sorted(void **state)
{
	(void)state;
	struct resource_set *s = resource_set_new();
	struct resource *b = resource_add(s, "svc", "b");
	resource_add(s, "svc", "a");
	resource_add(s, "net", "z");
	assert_ptr_equal(resource_add(s, "svc", "b"), b);
	assert_int_equal(resource_count(s), 3);
	assert_string_equal(resource_at(s, 0)->name, "z");
	assert_string_equal(resource_at(s, 2)->name, "b");
	assert_ptr_equal(resource_find_key(s, "svc/b"), b);
	assert_null(resource_find(s, "svc", "c"));
	resource_set_free(s);
}

static void marks_are_found_by_the_longest_prefix(void **state)
{
	(void)state;
	struct resource_set *s = resource_set_new();
	struct resource *r = resource_add(s, "svc", "a");
	r->mark.line = 1;
	resource_mark(s, r, "env", (struct mark){.line = 2});
	resource_mark(s, r, "env[A.B]", (struct mark){.line = 3});
	resource_mark(s, r, "labels[x]", (struct mark){.line = 4});
	assert_int_equal(resource_mark_of(r, "image").line, 1);
	assert_int_equal(resource_mark_of(r, "environment").line, 1);
	assert_int_equal(resource_mark_of(r, "env[Z]").line, 2);
	assert_int_equal(resource_mark_of(r, "env[A.B]").line, 3);
	assert_int_equal(resource_mark_of(r, "labels.x").line, 4);
	resource_set_free(s);
}

static void first_block_wins_and_notes_add_up(void **state)
{
	(void)state;
	struct resource_set *s = resource_set_new();
	struct resource *r = resource_add(s, "svc", "a");
	resource_block(s, r, "first %d", 1);
	resource_block(s, r, "second");
	resource_note(s, r, "one");
	resource_note(s, r, "two");
	assert_string_equal(r->blocked, "first 1");
	assert_string_equal(r->note, "one\ntwo");
	resource_set_free(s);
}

static void documents_are_there_absent_or_unknown(void **state)
{
	(void)state;
	struct snapshot *s;
	struct err err = {0};
	const char *why = NULL;
	_cleanup_json_ json_t *j = json_pack("{s:[],s:n,s:{s:s}}", "a", "b", "c", "unknown", "no answer");
	assert_int_equal(snapshot_from_json(j, &s, &err), 0);
	assert_true(json_is_array(snapshot_get(s, "a", &why)));
	assert_true(json_is_null(snapshot_get(s, "b", &why)));
	assert_null(snapshot_get(s, "c", &why));
	assert_string_equal(why, "no answer");
	assert_null(snapshot_get(s, "d", &why));
	assert_string_equal(why, "it was not looked at");
	snapshot_free(s);
}

static void wants_are_collected_once(void **state)
{
	(void)state;
	struct wants *w = wants_new();
	want_engine(w, "services");
	want_engine(w, "services");
	want_dir(w, "n", "/a");
	want_dir(w, "n", "/a");
	want_exports(w, "n");
	wants_finish(w);
	assert_int_equal(w->engine.n, 1);
	assert_int_equal(w->hosts.n, 1);
	assert_true(w->hosts.v[0].exports);
	assert_string_equal(w->hosts.v[0].dirs.v[0], "/a");
	assert_null(w->hosts.v[0].dirs.v[1]);
	wants_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(resources_are_found_and_sorted),
		cmocka_unit_test(marks_are_found_by_the_longest_prefix),
		cmocka_unit_test(first_block_wins_and_notes_add_up),
		cmocka_unit_test(documents_are_there_absent_or_unknown),
		cmocka_unit_test(wants_are_collected_once),
	};
	json_init();
	return cmocka_run_group_tests_name("model", tests, NULL, NULL);
}
