#include "base/json.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct err err;

static json_t *parse(const char *text)
{
	json_t *j = NULL;
	if (json_parse(text, strlen(text), &j, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static void same(const char *a, const char *b, bool expected)
{
	_cleanup_json_ json_t *x = parse(a), *y = parse(b);
	assert_int_equal(json_same(x, y), expected);
	assert_int_equal(json_same(y, x), expected);
}

static void sameness(void **state)
{
	(void)state;
	same("1", "1.0", true);
	same("0", "0.0", true);
	same("1", "1.5", false);
	same("{\"a\":[1,{\"b\":2}]}", "{\"a\":[1.0,{\"b\":2.0}]}", true);
	same("{\"a\":1,\"b\":2}", "{\"b\":2,\"a\":1}", true);
	same("{\"a\":1}", "{\"a\":1,\"b\":null}", false);
	same("[1,2]", "[2,1]", false);
	same("[1]", "[1,1]", false);
	same("\"1\"", "1", false);
	same("null", "false", false);
	same("{}", "[]", false);
	same("1", "true", false);
	_cleanup_json_ json_t *j = parse("1");
	assert_true(json_same(NULL, NULL));
	assert_false(json_same(j, NULL));
	assert_false(json_same(NULL, j));
}

static void canonical(const char *text, const char *expected)
{
	_cleanup_json_ json_t *j = parse(text);
	struct str s = {0};
	json_canonical(j, &s);
	assert_string_equal(str_cstr(&s), expected);
	str_free(&s);
}

static void canonical_form(void **state)
{
	(void)state;
	canonical("{ \"b\" : [ 1 , 2 ], \"a\" : { \"d\" : null, \"c\" : true } }",
		  "{\"a\":{\"c\":true,\"d\":null},\"b\":[1,2]}");
	canonical("\"\\u00fc\"", "\"\xc3\xbc\"");
	canonical("7", "7");
	canonical("[]", "[]");
}

static void parse_errors(void **state)
{
	(void)state;
	static const char *const bad[] = {"",         "{",   "{\"a\":1,\"a\":2}",   "[1,]", "1 2",
					  "\"\xff\"", "nul", "99999999999999999999"};
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		json_t *j = NULL;
		err = (struct err){0};
		assert_int_equal(json_parse(bad[i], strlen(bad[i]), &j, &err), -1);
		assert_int_equal(err.code, ERR_PROTOCOL);
		assert_int_equal(strncmp(err.msg, "line 1, column ", 15), 0);
		assert_null(j);
	}
	json_t *j = NULL;
	assert_int_equal(json_parse("[1]garbage", 3, &j, &err), 0); /* the length counts, not a NUL */
	json_decref(j);
}

static void members(void **state)
{
	(void)state;
	_cleanup_json_ json_t *j = parse("{\"s\":\"x\",\"i\":5,\"t\":true,\"n\":null,\"a\":{\"b\":{\"c\":[1]}}}");
	assert_string_equal(json_str(j, "s"), "x");
	assert_null(json_str(j, "i"));
	assert_null(json_str(j, "n"));
	assert_null(json_str(NULL, "s"));
	assert_int_equal(json_int(j, "i", -1), 5);
	assert_int_equal(json_int(j, "s", -1), -1);
	assert_int_equal(json_int(NULL, "i", -1), -1);
	assert_true(json_bool(j, "t"));
	assert_false(json_bool(j, "i"));
	assert_int_equal(json_array_size(json_path(j, "a.b.c")), 1);
	assert_null(json_path(j, "a.x.c"));
	assert_null(json_path(j, "s.x"));
	assert_ptr_equal(json_path(j, ""), j);
	assert_null(json_path(NULL, "a"));
}

static void setters(void **state)
{
	(void)state;
	_cleanup_json_ json_t *j = json_object();
	size_t n;
	json_set_str(j, "z", "1");
	json_set_str(j, "y", NULL);
	json_set_int(j, "b", 2);
	json_set_bool(j, "a", true);
	json_set(j, "b", json_string("over"));
	const char **keys = json_sorted_keys(j, &n);
	assert_int_equal(n, 3);
	assert_string_equal(keys[0], "a");
	assert_string_equal(keys[1], "b");
	assert_string_equal(keys[2], "z");
	free(keys);
	assert_string_equal(json_str(j, "b"), "over");
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(sameness), cmocka_unit_test(canonical_form),
					   cmocka_unit_test(parse_errors), cmocka_unit_test(members),
					   cmocka_unit_test(setters)};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
