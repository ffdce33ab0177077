#include "base/str.h"

#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void grows(void **state)
{
	(void)state;
	struct str s = {0};
	assert_string_equal(str_cstr(&s), "");
	str_add(&s, NULL, 0);
	str_addf(&s, "%s", "");
	assert_null(s.data);
	for (int i = 0; i < 1000; i++) {
		str_addf(&s, "%d,", i);
		assert_int_equal(s.data[s.len], '\0');
	}
	assert_int_equal(s.len, 10 * 2 + 90 * 3 + 900 * 4);
	assert_int_equal(strncmp(s.data, "0,1,2,", 6), 0);
	str_reset(&s);
	assert_string_equal(str_cstr(&s), "");
	str_add(&s, "a\0b", 3);
	str_addc(&s, 'c');
	str_adds(&s, "d");
	assert_int_equal(s.len, 5);
	assert_memory_equal(s.data, "a\0bcd", 6);
	str_free(&s);
	assert_null(s.data);
	str_free(NULL);
}

static void steals(void **state)
{
	(void)state;
	struct str s = {0};
	char *p = str_steal(&s);
	assert_string_equal(p, "");
	free(p);
	str_adds(&s, "text");
	p = str_steal(&s);
	assert_string_equal(p, "text");
	assert_int_equal(s.len, 0);
	assert_null(s.data);
	free(p);
}

static void compares(void **state)
{
	(void)state;
	assert_true(str_starts("abc", "ab"));
	assert_true(str_starts("abc", ""));
	assert_false(str_starts("a", "ab"));
	assert_true(str_ends("abc", "bc"));
	assert_false(str_ends("c", "bc"));
	assert_true(str_eq(NULL, NULL));
	assert_false(str_eq(NULL, ""));
	assert_false(str_eq("", NULL));
	assert_true(str_eq("a", "a"));
}

static void distances(void **state)
{
	(void)state;
	static const struct {
		const char *a, *b;
		uint32_t d;
	} table[] = {{"", "", 0},
		     {"a", "", 1},
		     {"", "abc", 3},
		     {"image", "image", 0},
		     {"imagee", "image", 1},
		     {"imgae", "image", 1},
		     {"kitten", "sitting", 3},
		     {"ca", "abc", 3},
		     {"ports", "sport", 2}};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		assert_int_equal(str_distance(table[i].a, table[i].b), table[i].d);
		assert_int_equal(str_distance(table[i].b, table[i].a), table[i].d);
	}
	char at[65], over[66];
	memset(at, 'x', 64);
	memset(over, 'x', 65);
	at[64] = over[65] = '\0';
	assert_int_equal(str_distance(at, ""), 64);
	assert_int_equal(str_distance(over, at), UINT32_MAX);
}

static void shows(void **state)
{
	(void)state;
	static const struct {
		const char *text, *shown;
	} table[] = {
		{"", ""},
		{"line\n\tof \xc3\xa9\xe2\x80\xa6\xf0\x9f\x97\x91", "line\n\tof \xc3\xa9\xe2\x80\xa6\xf0\x9f\x97\x91"},
		{"\033[2J\r\x7f", "\\u001b[2J\\u000d\\u007f"},
		{"a\xc2\x9b"
		 "31m",
		 "a\\u009b31m"},
		{"\xc2\xa0", "\xc2\xa0"},
		{"\xe2\x80\xae"
		 "cba\xe2\x81\xa9",
		 "\\u202ecba\\u2069"},
		{"cut \xc2", "cut \xc2"},
		{"cut \xe2\x80", "cut \xe2\x80"}};
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		_cleanup_str_ struct str s = {0};
		str_add_visible(&s, table[i].text, strlen(table[i].text));
		assert_string_equal(str_cstr(&s), table[i].shown);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(grows), cmocka_unit_test(steals),
					   cmocka_unit_test(compares), cmocka_unit_test(distances),
					   cmocka_unit_test(shows)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
