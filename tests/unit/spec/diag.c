#include "load.h"

static void add(struct diags *d, int line, int col, const char *message)
{
	diag_add(d, DIAG_ERROR, (struct mark){.file = "f.yaml", .line = line, .col = col}, "%s", message);
}

static void assert_printed(struct diags *d, const char *source, const char *expected)
{
	_cleanup_str_ struct str out = {0};

	diags_print(d, source, &out);
	assert_string_equal(str_cstr(&out), expected);
	diags_free(d);
}

static void a_finding_shows_its_line(void **state)
{
	struct diags d = {0};

	(void)state;
	add(&d, 2, 3, "wrong");
	assert_printed(&d, "a: 1\nb: x\nc: 2\n", "f.yaml:2:3: error: wrong\n  b: x\n    ^\n");
	diag_add(&d, DIAG_WARNING, (struct mark){.file = "f.yaml", .line = 1, .col = 1}, "odd %d", 5);
	assert_printed(&d, "a: 1\r\nb", "f.yaml:1:1: warning: odd 5\n  a: 1\n  ^\n");
	add(&d, 2, 1, "the source ends before");
	assert_printed(&d, "a: 1", "f.yaml:2:1: error: the source ends before\n");
	add(&d, 1, 5, "at the end");
	assert_printed(&d, "a: 1", "f.yaml:1:5: error: at the end\n  a: 1\n      ^\n");
	add(&d, 1, 1, "no source");
	assert_printed(&d, NULL, "f.yaml:1:1: error: no source\n");
	diag_add(&d, DIAG_ERROR, (struct mark){0}, "no place");
	assert_printed(&d, "a: 1", "spec: error: no place\n");
	add(&d, 1, 1, "after a byte order mark");
	assert_printed(&d,
		       "\xef\xbb\xbf"
		       "a",
		       "f.yaml:1:1: error: after a byte order mark\n  a\n  ^\n");
}

static void the_caret_stands_under_its_character(void **state)
{
	struct diags d = {0};

	(void)state;
	add(&d, 1, 3, "tab");
	assert_printed(&d, "a\tb", "f.yaml:1:3: error: tab\n  a       b\n          ^\n");
	add(&d, 1, 5, "wide");
	assert_printed(&d, "日本: x", "f.yaml:1:5: error: wide\n  日本: x\n        ^\n");
	add(&d, 1, 3, "combining");
	assert_printed(&d, "e\xcc\x81: x", "f.yaml:1:3: error: combining\n  e\xcc\x81: x\n   ^\n");
}

static void nothing_reaches_the_terminal_as_a_command(void **state)
{
	struct diags d = {0};

	(void)state;
	add(&d, 1, 2, "key '\x1b[31m' \x7f\n\xe2\x80\xae \xff");
	assert_printed(&d, "\x1b]0;x\x07 \xe2\x80\xae \xe9",
		       "f.yaml:1:2: error: key '␛[31m' ␡␊\xef\xbf\xbd \xef\xbf\xbd\n"
		       "  ␛]0;x␇ \xef\xbf\xbd \xef\xbf\xbd\n   ^\n");
}

static void long_lines_are_cut_around_the_caret(void **state)
{
	_cleanup_str_ struct str line = {0}, out = {0};
	struct diags d = {0};

	(void)state;
	for (int i = 0; i < 200000; i++)
		str_addf(&line, "%d", i % 10);
	add(&d, 1, 10, "left");
	add(&d, 1, 100001, "middle");
	add(&d, 1, 200000, "right");
	diags_print(&d, str_cstr(&line), &out);
	_cleanup_free_ char *all = xstrdup(str_cstr(&out));
	size_t n = 0;
	for (char *save, *l = strtok_r(all, "\n", &save), *above = l; l; above = l, l = strtok_r(NULL, "\n", &save)) {
		n++;
		assert_true(strlen(l) <= 2 + 3 + 100 + 3);
		if (strchr(l, '^') == NULL)
			continue;
		/* The ellipsis is one cell and three bytes. */
		size_t shift = strncmp(above + 2, "…", 3) == 0 ? 2 : 0;
		char expected[] = {'9', '0', '9'};
		assert_int_equal(above[strcspn(l, "^") + shift], expected[n / 3 - 1]);
	}
	assert_int_equal(n, 9);
	diags_free(&d);
}

static void findings_are_sorted_and_said_once(void **state)
{
	struct diags d = {0};

	(void)state;
	add(&d, 2, 1, "c");
	add(&d, 1, 5, "b");
	add(&d, 2, 1, "c");
	diag_add(&d, DIAG_WARNING, (struct mark){.file = "f.yaml", .line = 1, .col = 5}, "a");
	add(&d, 1, 2, "a");
	diags_sort(&d);
	assert_int_equal(d.list.n, 4);
	assert_int_equal(d.n_errors, 3);
	assert_printed(&d, NULL,
		       "f.yaml:1:2: error: a\nf.yaml:1:5: error: b\nf.yaml:1:5: warning: a\nf.yaml:2:1: error: c\n");
}

static void a_hundred_are_shown_errors_first(void **state)
{
	_cleanup_str_ struct str out = {0};
	struct diags d = {0};
	size_t warnings = 0;

	(void)state;
	for (int i = 1; i <= 90; i++) {
		diag_add(&d, DIAG_WARNING, (struct mark){.file = "f.yaml", .line = i, .col = 1}, "w");
		add(&d, 200 + i, 1, "e");
	}
	diags_print(&d, NULL, &out);
	for (const char *p = str_cstr(&out); (p = strstr(p, "warning")); p++)
		warnings++;
	assert_int_equal(warnings, 10);
	assert_non_null(strstr(str_cstr(&out), "f.yaml:290:1: error: e\nand 80 more\n"));
	diags_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_finding_shows_its_line),
		cmocka_unit_test(the_caret_stands_under_its_character),
		cmocka_unit_test(nothing_reaches_the_terminal_as_a_command),
		cmocka_unit_test(long_lines_are_cut_around_the_caret),
		cmocka_unit_test(findings_are_sorted_and_said_once),
		cmocka_unit_test(a_hundred_are_shown_errors_first),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
