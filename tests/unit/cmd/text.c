#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <locale.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/text.h"

static const struct text_style plain = {0};

static void foreign_text_keeps_the_terminal_whole(void **state)
{
	static const struct {
		const char *text, *clean;
	} cases[] = {
		{"plain", "plain"},
		{"a\033[31mb\007c", "a [31mb c"},
		{"two\nlines\tand\rmore", "two lines and more"},
		{"\xc2\x9b", " "}, /* CSI as one character */
		{"caf\xc3\xa9 \xf0\x9f\x90\xb3", "caf\xc3\xa9 \xf0\x9f\x90\xb3"},
		{"\xff\xfe cut \xc3", "?? cut ?"},
		{"\xe2\x80\xa8", " "},
		{"", ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_str_ struct str out = {0};
		text_clean(cases[i].text, &out);
		assert_string_equal(str_cstr(&out), cases[i].clean);
	}
}

static void durations_are_short(void **state)
{
	static const struct {
		int64_t s;
		const char *text;
	} cases[] = {{-5, "0s"},     {0, "0s"},         {59, "59s"},     {60, "1m0s"},     {192, "3m12s"},
		     {7500, "2h5m"}, {86399, "23h59m"}, {86400, "1d0h"}, {275400, "3d4h"}, {864000, "10d0h"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_str_ struct str out = {0};
		text_duration(cases[i].s, &out);
		assert_string_equal(str_cstr(&out), cases[i].text);
	}
}

static void times_are_local_with_their_zone(void **state)
{
	_cleanup_str_ struct str utc = {0}, berlin = {0};

	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	text_time(1795224500, &utc);
	setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3", 1);
	tzset();
	text_time(1795224500, &berlin);
	assert_string_equal(str_cstr(&utc), "2026-11-21 01:28:20 UTC");
	assert_string_equal(str_cstr(&berlin), "2026-11-21 02:28:20 CET");
}

static void lines_are_cut_to_the_terminal(void **state)
{
	static const struct text_style narrow = {.width = 5, .height = 4};
	_cleanup_str_ struct str out = {0}, wide = {0};

	(void)state;
	text_fit("12345\n123456\n\n", &narrow, &out);
	assert_string_equal(str_cstr(&out), "12345\n1234…\n\n");
	str_reset(&out);
	text_fit("a\nb\nc\nd\ne\n", &narrow, &out);
	assert_string_equal(str_cstr(&out), "a\nb\n… 3 more lines\n");
	str_reset(&out);
	text_fit("a very long line\n", &plain, &wide);
	assert_string_equal(str_cstr(&wide), "a very long line\n");
	/* What paints takes no room, and ends with the line. */
	const struct text_style color = {.width = 5, .height = 9, .color = true};
	text_fit("\033[31m12345\033[0m\n\033[31m123456\n", &color, &out);
	assert_string_equal(str_cstr(&out), "\033[31m12345\033[0m\033[0m\n\033[31m1234…\033[0m\n");
}

static void columns_count_not_bytes(void **state)
{
	(void)state;
	assert_int_equal(text_width("caf\xc3\xa9"), 4);
	assert_int_equal(text_width("\033[31mred\033[0m"), 3);
	assert_int_equal(text_width(""), 0);
	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		return;
	assert_int_equal(text_width("\xe6\xbc\xa2"), 2); /* a wide one */
}

static void tables_are_aligned(void **state)
{
	CLEANUP(table_free) struct table t = TABLE(3);
	_cleanup_str_ struct str out = {0};

	(void)state;
	table_add(&t, PAINT_BOLD, "NAME");
	table_add(&t, PAINT_BOLD, "STATE");
	table_add(&t, PAINT_BOLD, "NOTE");
	table_add(&t, PAINT_NONE, "caf\xc3\xa9");
	table_add(&t, PAINT_GOOD, "running");
	table_add(&t, PAINT_NONE, "%s", "");
	table_note(&t, PAINT_BAD, "why\nnot");
	table_add(&t, PAINT_NONE, "x");
	table_add(&t, PAINT_NONE, "y");
	table_add(&t, PAINT_NONE, "z");
	table_print(&t, &plain, &out);
	assert_string_equal(str_cstr(&out), "NAME  STATE    NOTE\n"
					    "caf\xc3\xa9  running\n"
					    "    why not\n"
					    "x     y        z\n");
}

static void the_widest_columns_give_way(void **state)
{
	static const struct text_style narrow = {.width = 24};
	CLEANUP(table_free) struct table t = TABLE(2);
	_cleanup_str_ struct str out = {0};

	(void)state;
	table_add(&t, PAINT_NONE, "%s", "a-service-with-a-very-long-name");
	table_add(&t, PAINT_NONE, "running");
	table_print(&t, &narrow, &out);
	assert_string_equal(str_cstr(&out), "a-service-with…  running\n");
	/* Not to nothing: a terminal that is too narrow shows what it can. */
	const struct text_style tiny = {.width = 3};
	str_reset(&out);
	table_print(&t, &tiny, &out);
	assert_string_equal(str_cstr(&out), "a-ser…  runni…\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(foreign_text_keeps_the_terminal_whole),
		cmocka_unit_test(durations_are_short),
		cmocka_unit_test(times_are_local_with_their_zone),
		cmocka_unit_test(lines_are_cut_to_the_terminal),
		cmocka_unit_test(columns_count_not_bytes),
		cmocka_unit_test(tables_are_aligned),
		cmocka_unit_test(the_widest_columns_give_way),
	};
	json_init();
	return cmocka_run_group_tests_name("text", tests, NULL, NULL);
}
