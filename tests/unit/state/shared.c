#include "state/shared.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static json_t *from_text(const char *text)
{
	json_t *j;
	struct err err;
	_cleanup_free_ char *json = xstrdup(text);

	for (char *p = json; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	if (json_parse(json, strlen(json), &j, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static void names(void **state)
{
	(void)state;
	char cluster[64], other[64];
	_cleanup_free_ char *plain = shared_name("shop");

	assert_string_equal(plain, "reconcile-shop-state");
	for (size_t len = 1; len < sizeof(cluster); len++) {
		memset(cluster, 'a', len);
		cluster[len] = '\0';
		memcpy(other, cluster, sizeof(other));
		other[len - 1] = 'b';
		_cleanup_free_ char *name = shared_name(cluster), *again = shared_name(cluster),
				    *another = shared_name(other);
		assert_in_range(strlen(name), 1, 64); /* what swarmkit takes */
		assert_string_equal(name, again);
		assert_string_not_equal(name, another);
		assert_true(str_starts(name, "reconcile-a"));
		assert_true(str_ends(name, "-state"));
	}
}

static void sections_survive_the_way_there_and_back(void **state)
{
	(void)state;
	_cleanup_json_ json_t *sections = from_text("{'lease':{'holder':'x','pid':4},'gates':{},'new-one':{'a':[1]}}");
	_cleanup_json_ json_t *expected = from_text("{'lease':{'holder':'x','pid':4},'new-one':{'a':[1]}}");
	_cleanup_json_ json_t *labels = shared_to_labels(NULL, "shop", sections);
	json_t *back;
	struct err err;

	assert_string_equal(json_str(labels, "io.reconcile.state"), "shop");
	assert_string_equal(json_str(labels, "io.reconcile.state.lease"), "{\"holder\":\"x\",\"pid\":4}");
	assert_int_equal(json_object_size(labels), 3);
	assert_null(json_object_get(labels, "io.reconcile.cluster")); /* never pruned */
	assert_int_equal(shared_from_labels(labels, "shop", &back, &err), 0);
	assert_true(json_same(back, expected));
	json_decref(back);
}

static void a_section_that_is_gone_leaves_no_label_and_others_stay(void **state)
{
	(void)state;
	_cleanup_json_ json_t *before =
		from_text("{'io.reconcile.state':'shop','io.reconcile.state.lease':'{\\\"a\\\":1}',"
			  "'team':'ops','io.reconcile.stateful':'not a section'}");
	_cleanup_json_ json_t *sections = from_text("{'applied':{'at':1}}");
	_cleanup_json_ json_t *labels = shared_to_labels(before, "shop", sections);
	_cleanup_json_ json_t *expected =
		from_text("{'io.reconcile.state':'shop','io.reconcile.state.applied':'{\\\"at\\\":1}',"
			  "'team':'ops','io.reconcile.stateful':'not a section'}");

	assert_true(json_same(labels, expected));
}

static void no_labels_are_no_sections(void **state)
{
	(void)state;
	_cleanup_json_ json_t *none = json_object();
	const json_t *const empty[] = {NULL, none, json_null()};
	json_t *out;
	struct err err;

	for (size_t i = 0; i < ARRAY_SIZE(empty); i++) {
		assert_int_equal(shared_from_labels(empty[i], "shop", &out, &err), 0);
		assert_int_equal(json_object_size(out), 0);
		json_decref(out);
	}
}

static const struct {
	const char *labels, *message;
} unreadable[] = {
	{"{'io.reconcile.state':'shop','io.reconcile.state.suspended':'{'}", "io.reconcile.state.suspended"},
	{"{'io.reconcile.state':'shop','io.reconcile.state.suspended':'true'}", "io.reconcile.state.suspended"},
	{"{'io.reconcile.state':'shop','io.reconcile.state.suspended':'[]'}", "is not a JSON object"},
	{"{'io.reconcile.state':'shop','io.reconcile.state.suspended':''}", "is not a JSON object"},
	{"{'io.reconcile.state':'shop','io.reconcile.state.suspended':7}", "docker config rm reconcile-shop-state"},
	{"{'io.reconcile.state':'other'}", "names cluster 'other'"},
	{"{'io.reconcile.state.lease':'{}'}", "label io.reconcile.state of config 'reconcile-shop-state' is missing"},
	{"{'team':'ops'}", "is missing"},
};

static void what_cannot_be_read_is_an_error(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(unreadable); i++) {
		_cleanup_json_ json_t *labels = from_text(unreadable[i].labels);
		json_t *out = NULL;
		struct err err = {0};
		assert_int_equal(shared_from_labels(labels, "shop", &out, &err), -1);
		assert_null(out);
		assert_int_equal(err.code, ERR_PROTOCOL);
		if (!strstr(err.msg, unreadable[i].message))
			fail_msg("%s: %s", unreadable[i].labels, err.msg);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(sections_survive_the_way_there_and_back),
		cmocka_unit_test(a_section_that_is_gone_leaves_no_label_and_others_stay),
		cmocka_unit_test(no_labels_are_no_sections),
		cmocka_unit_test(what_cannot_be_read_is_an_error),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
