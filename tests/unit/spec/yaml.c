#include "load.h"

#include <time.h>

/* Each node as "key@line:col=value@line:col". */
static void put_marks(struct str *out, const struct snode *n)
{
	if (n->key)
		str_addf(out, "%s@%d:%d=", n->key, n->key_mark.line, n->key_mark.col);
	if (n->type != SNODE_MAP && n->type != SNODE_SEQ) {
		str_addf(out, "%s@%d:%d", n->text ? n->text : "?", n->mark.line, n->mark.col);
		return;
	}
	str_addf(out, "%s@%d:%d ", n->type == SNODE_MAP ? "{" : "[", n->mark.line, n->mark.col);
	for (size_t i = 0; i < n->n_items; i++) {
		put_marks(out, n->items[i]);
		str_addc(out, ' ');
	}
	str_adds(out, n->type == SNODE_MAP ? "}" : "]");
}

static void assert_marks(const char *text, const char *expected)
{
	_cleanup_str_ struct str out = {0};
	struct loaded l = load(text);

	assert_findings(&l, "");
	put_marks(&out, l.root);
	assert_string_equal(str_cstr(&out), expected);
	unload(&l);
}

static void marks_are_what_an_editor_shows(void **state)
{
	(void)state;
	assert_marks("a: 1\nb:\n  c: 'x'\n", "{@1:1 a@1:1=1@1:4 b@2:1={@3:3 c@3:3=x@3:6 } }");
	assert_marks("l:\n- x\n-  - y\n", "{@1:1 l@1:1=[@2:1 x@2:3 [@3:4 y@3:6 ] ] }");
	assert_marks("{a: [1, {b: }]}", "{@1:1 a@1:2=[@1:5 1@1:6 {@1:9 b@1:10=@1:13 } ] }");
	assert_marks("a:\nb: ~\n", "{@1:1 a@1:1=@1:3 b@2:1=~@2:4 }");
	assert_marks("? a\n: |\n  x\nb: >\n  y\n", "{@1:1 a@1:3=x\n@2:3 b@4:1=y\n@4:4 }");
}

static void characters_count_once_however_long(void **state)
{
	(void)state;
	assert_marks("é: {日本: \"😀\", b: c}", "{@1:1 é@1:1={@1:4 日本@1:5=😀@1:9 b@1:14=c@1:17 } }");
	assert_marks("a:\t1\n'b\t':\t2", "{@1:1 a@1:1=1@1:4 b\t@2:1=2@2:7 }");
}

static void a_byte_order_mark_takes_no_column(void **state)
{
	(void)state;
	assert_marks("\xef\xbb\xbf"
		     "a: 1\nb: 2\n",
		     "{@1:1 a@1:1=1@1:4 b@2:1=2@2:4 }");
}

static void crlf_is_one_line_end(void **state)
{
	(void)state;
	assert_marks("a: 1\r\n\r\nb:\r\n  c: |\r\n    x\r\n    y\r\n  d: 2\r\n",
		     "{@1:1 a@1:1=1@1:4 b@3:1={@4:3 c@4:3=x\ny\n@4:6 d@7:3=2@7:6 } }");
}

/* libyaml ends its line at each of these; editors, git and grep do not. */
static void only_a_line_feed_begins_a_line(void **state)
{
	(void)state;
	assert_marks("# x\xe2\x80\xa8# y\xe2\x80\xa9# z\xc2\x85# w\na: 1\n", "{@2:1 a@2:1=1@2:4 }");
	assert_marks("a: 'x\xe2\x80\xa8y'\nb: 1\n", "{@1:1 a@1:1=x\xe2\x80\xa8y@1:4 b@2:1=1@2:4 }");
	assert_marks("# x\r# y\na: 1\n", "{@2:1 a@2:1=1@2:4 }");
}

static void syntax_errors_are_in_plain_words(void **state)
{
	static const struct row rows[] = {
		{"a:\n\tb: 1\n", NULL, "2:1 a tab cannot indent YAML: use spaces"},
		{"a: 1\nb: c: d\n", NULL,
		 "2:5 ': ' starts a second value on this line: put the text in quotes, or indent the key as its "
		 "siblings are"},
		{"a: 1\nb\nc: 2\n", NULL,
		 "2:1 this is no 'key: value': a ':' is missing, or the text before it goes over the line's end"},
		{"a: 1\n\nb: \"x\nc: 2\n", NULL, "3:4 this quote is never closed"},
		{"a: '\n--- \n", NULL, "1:4 this quote is never closed"},
		{"é: [1,\n  2\nb: 3\n", NULL, "1:4 this list is not closed by ']', or a ',' is missing in it"},
		{"a: {b: 1\n", NULL, "1:4 this map is not closed by '}', or a ',' is missing in it"},
		{"a: [1 2: 3 x: 4]\n", NULL, "1:13 expected ',' or the ']' that closes the list"},
		{"a:\n    b: 1\n  c: 2\n", NULL, "3:3 this fits neither the key above it nor its indentation"},
		{"a:\n  - 1\n  b: x\n", NULL,
		 "3:3 this is neither a list entry ('- ') nor indented as the lines above it"},
		{"a: `x`\n", NULL, "1:4 a value cannot start with '`': put it in quotes"},
		{"a: @x\n", NULL, "1:4 a value cannot start with '@': put it in quotes"},
		{"a: %x\n", NULL, "1:4 a value cannot start with '%': put it in quotes"},
		{"a: *.lan\n", NULL,
		 "1:4 a value that starts with '&' or '*' is an anchor or alias and needs a name: put a text in "
		 "quotes"},
		{"a: \"\\d\"\n", NULL,
		 "1:5 an unknown escape in double quotes: write '\\\\' for a backslash, or use single quotes"},
		{"a: \"\\ud800\"\n", NULL, "1:7 this escape is not a Unicode character"},
		{"a: - 1\n", NULL, "1:4 a list entry cannot stand here: put '- ' on a line of its own"},
		{"a: | x\n", NULL, "1:6 nothing may follow '|' or '>' on its line: put the text on the next line"},
		{"a: ]\n", NULL, "1:4 expected a value"},
		{"a: !x!y z\n", NULL, "1:4 tags ('!…') are not supported: put the text in quotes"},
		{"  a: 1\nb: 2\n", NULL, "2:1 this is outside the document: is it indented as the keys above it?"},
	};
	(void)state;
	RUN_ROWS(NULL, rows);
}

static void there_must_be_one_document(void **state)
{
	static const char empty[] = "1:1 the spec is empty: it needs at least 'version' and 'cluster'";
	const struct row rows[] = {
		{"", NULL, empty},
		{"# only a comment\n", NULL, empty},
		{"---\n", NULL, empty},
		{"--- # x\n...\n", NULL, empty},
		{"a: 1\n---\n", "{\"a\":\"1\"}", "2:1 a second document starts here: a spec is one YAML document"},
		{"--- \na: 1\n--- b\n", "{\"a\":\"1\"}",
		 "3:1 a second document starts here: a spec is one YAML document"},
		{"---\na: 1\n...\n", "{\"a\":\"1\"}", ""},
	};
	(void)state;
	RUN_ROWS(NULL, rows);
}

static void keys_are_texts_and_unique(void **state)
{
	static const char not_text[] =
		" a key must be a text, not a map or a list (a text that starts with '{' or '[' needs quotes)";
	_cleanup_free_ char *seq = xasprintf("1:3%s", not_text), *map = xasprintf("1:11%s", not_text);
	const struct row rows[] = {
		{"a: 1\nb: 2\na: 3\nb: 4\na: 5\n", "{\"a\":\"1\",\"b\":\"2\"}",
		 "3:1 key 'a' is already on line 1\n4:1 key 'b' is already on line 2\n5:1 key 'a' is already on line "
		 "1"},
		{"x: {a: 1, \"a\": 2}\n", NULL, "1:11 key 'a' is already on line 1"},
		{"? [a, b]\n: c\nd: 1\n", "{\"d\":\"1\"}", seq},
		{"version: {{ x }}\n", "{\"version\":{}}", map},
		{"x: &a b\n*a : c\nd: 1\n", "{\"d\":\"1\",\"x\":\"b\"}", "2:1 a key must be a text, not an alias"},
		{"&a x: 1\n", "{\"x\":\"1\"}", "1:1 a key cannot have an anchor"},
		{"\"\": 1\nb: 2\n", "{\"b\":\"2\"}", "1:1 an empty key"},
		{"?\n: 1\nb: 2\n", "{\"b\":\"2\"}", "1:2 an empty key"},
		{"\"a\\0b\": 1\nc: 2\n", "{\"c\":\"2\"}", "1:1 a key cannot contain a NUL character"},
		{"$x: $$y\n", "{\"$x\":\"$y\"}", ""},
	};
	(void)state;
	RUN_ROWS(NULL, rows);
}

static void tags_do_not_decide_types(void **state)
{
	static const struct row rows[] = {
		{"a: !!str 5\nb: ! x\n!!str c: 1\n", "{\"a\":\"5\",\"b\":\"x\",\"c\":\"1\"}", ""},
		{"a: !!binary YQ==\n", NULL, "1:4 tag '!!binary' is not supported: the schema decides a value's type"},
		{"a: !mine x\nb: !!int 5\n", NULL,
		 "1:4 tag '!mine' is not supported: the schema decides a value's type\n"
		 "2:4 tag '!!int' is not supported: the schema decides a value's type"},
		{"a: !!map {}\nb: !!str []\n", NULL,
		 "1:4 tag '!!map' is not supported: the schema decides a value's type\n"
		 "2:4 tag '!!str' is not supported: the schema decides a value's type"},
	};
	(void)state;
	RUN_ROWS(NULL, rows);
}

static void aliases_are_copies(void **state)
{
	static const struct row rows[] = {
		{"a: &x {k: [1, 2]}\nb: *x\nc: [*x]\n",
		 "{\"a\":{\"k\":[\"1\",\"2\"]},\"b\":{\"k\":[\"1\",\"2\"]},\"c\":[{\"k\":[\"1\",\"2\"]}]}", ""},
		{"a: &x 1\nb: &x 2\nc: *x\n", "{\"a\":\"1\",\"b\":\"2\",\"c\":\"2\"}", ""},
		{"a: *x\nb: 1\nc: &x 2\n", "{\"a\":null,\"b\":\"1\",\"c\":\"2\"}",
		 "1:4 alias '*x' has no anchor '&x' before it"},
		{"a: &x [1, *x]\n", NULL, "1:11 alias '*x' is inside the value it stands for"},
		{"a: &x {b: {c: *x}}\n", NULL, "1:15 alias '*x' is inside the value it stands for"},
	};
	struct loaded l = load("a: &x {k: v}\nb: *x\nc: [*x]\n");

	(void)state;
	RUN_ROWS(NULL, rows);
	struct snode *a = l.root->items[0], *b = l.root->items[1];
	assert_ptr_not_equal(a->items[0], b->items[0]);
	assert_int_equal(b->mark.line, 2);
	assert_int_equal(b->mark.col, 4);
	assert_int_equal(b->items[0]->mark.line, 1);
	assert_null(snode_get(l.root, "c")->items[0]->key);
	unload(&l);
}

static void merge_keys_merge(void **state)
{
	static const struct row rows[] = {
		{"x: &a {k: 1, l: 2}\ny: {<<: *a, k: 3}\nz: {k: 4, <<: *a}\n",
		 "{\"x\":{\"k\":\"1\",\"l\":\"2\"},\"y\":{\"k\":\"3\",\"l\":\"2\"},\"z\":{\"k\":\"4\",\"l\":\"2\"}}",
		 ""},
		{"x: [&a {k: 1}, &b {k: 2, l: 3}]\ny: {<<: [*a, *b]}\nz: {<<: [*b, *a]}\n",
		 "{\"x\":[{\"k\":\"1\"},{\"k\":\"2\",\"l\":\"3\"}],\"y\":{\"k\":\"1\",\"l\":\"3\"},"
		 "\"z\":{\"k\":\"2\",\"l\":\"3\"}}",
		 ""},
		{"x: &a {k: 1}\ny: &b {<<: *a, l: 2}\nz: {<<: *b}\n",
		 "{\"x\":{\"k\":\"1\"},\"y\":{\"k\":\"1\",\"l\":\"2\"},\"z\":{\"k\":\"1\",\"l\":\"2\"}}", ""},
		{"y: {<<: {k: 1}, l: 2}\n", "{\"y\":{\"k\":\"1\",\"l\":\"2\"}}", ""},
		{"y: {'<<': 1}\n", "{\"y\":{\"<<\":\"1\"}}", ""},
		{"y: {<<: 5}\nz: {<<: [{a: 1}, x, [b]]}\n", "{\"y\":{},\"z\":{\"a\":\"1\"}}",
		 "1:9 '<<' merges a map or a list of maps, not a text\n"
		 "2:18 '<<' merges a map or a list of maps, not a text\n"
		 "2:21 '<<' merges a map or a list of maps, not a list of lists"},
		{"y:\n  <<: {a: 1}\n  <<: {b: 1}\n", "{\"y\":{\"a\":\"1\"}}",
		 "3:3 '<<' is already on line 2: give several maps as one list, <<: [*a, *b]"},
		{"y: {<<: *x, a: 1}\n", "{\"y\":{\"a\":\"1\"}}", "1:9 alias '*x' has no anchor '&x' before it"},
	};
	struct loaded l = load("x: &a\n  k: 1\ny:\n  l: 2\n  <<: *a\n");

	(void)state;
	RUN_ROWS(NULL, rows);
	const struct snode *k = snode_path(l.root, "y.k");
	assert_int_equal(k->mark.line, 2);
	assert_int_equal(k->key_mark.line, 2);
	assert_string_equal(snode_get(l.root, "y")->items[0]->key, "l");
	unload(&l);
}

static void bytes_that_are_no_text_are_placed(void **state)
{
	static const struct {
		const char *text;
		size_t len;
		const char *findings;
	} rows[] = {
		{"a: b\n\0c", 7, "2:1 a NUL byte: this is not a text file"},
		{"a: caf\xe9\n", 8, "1:7 this byte is not UTF-8: save the file as UTF-8"},
		{"é: \xc3", 5, "1:4 this byte is not UTF-8: save the file as UTF-8"},
		{"a: \xed\xa0\x80", 6, "1:4 this byte is not UTF-8: save the file as UTF-8"},
		{"a: \xc0\xaf", 5, "1:4 this byte is not UTF-8: save the file as UTF-8"},
		{"a: \xf4\x90\x80\x80", 7, "1:4 this byte is not UTF-8: save the file as UTF-8"},
		{"\xff\xfe"
		 "a\0",
		 4, "1:1 the text is UTF-16: save the file as UTF-8"},
		{"a: 1\nb: \x1b[31m", 13,
		 "2:4 a control character: remove it, or write it as an escape in double quotes"},
		{"a: 1\n\xef\xbb\xbf"
		 "b: 2\n",
		 13, "2:1 a byte order mark inside the text: remove it"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct loaded l = load_bytes(rows[i].text, rows[i].len, NULL);
		assert_null(l.root);
		assert_findings(&l, rows[i].findings);
		unload(&l);
	}
}

static void a_text_holds_no_nul(void **state)
{
	struct loaded l = load("a: \"x\\0y\"\nb: \"\\x01\"\n");

	(void)state;
	assert_findings(&l, "1:4 a text cannot contain a NUL character");
	assert_null(l.root->items[0]->text);
	assert_string_equal(l.root->items[1]->text, "\x01");
	unload(&l);
}

static char *repeat(const char *before, const char *s, size_t n, const char *after)
{
	struct str out = {0};

	str_adds(&out, before);
	while (n-- > 0)
		str_adds(&out, s);
	str_adds(&out, after);
	return str_steal(&out);
}

static void a_spec_has_at_most_one_mebibyte(void **state)
{
	_cleanup_free_ char *text = repeat("a: ", "0123456789abcdef", (1 << 20) / 16, "");

	(void)state;
	struct loaded l = load_bytes(text, 1 << 20, NULL);
	assert_findings(&l, "");
	unload(&l);
	l = load_bytes(text, (1 << 20) + 1, NULL);
	assert_null(l.root);
	assert_findings(&l, "1:1 the spec has 1048577 bytes; the limit is 1048576 (1 MiB)");
	unload(&l);
}

static void nesting_has_a_limit(void **state)
{
	static const char *const forms[][3] = {{"", "[", "1:65 "}, {"", "{a: ", "1:257 "}, {"", "- ", "1:129 "}};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		_cleanup_free_ char *text = repeat(forms[i][0], forms[i][1], 200000, "");
		_cleanup_free_ char *expected = xasprintf("%snested too deep; the limit is 64 levels", forms[i][2]);
		struct loaded l = load(text);
		assert_null(l.root);
		assert_findings(&l, expected);
		unload(&l);
	}
	_cleanup_free_ char *open = repeat("", "[", 64, ""), *whole = repeat(open, "]", 64, "");
	struct loaded l = load(whole);
	assert_findings(&l, "");
	unload(&l);
}

/* Each alias is one level deeper than the one before: no text is deep, the tree would be. */
static void aliases_cannot_nest_deeper(void **state)
{
	_cleanup_str_ struct str text = {0};

	(void)state;
	str_adds(&text, "- &a0 [x]\n");
	for (int i = 1; i < 5000; i++)
		str_addf(&text, "- &a%d [*a%d]\n", i, i - 1);
	struct loaded l = load(str_cstr(&text));
	assert_null(l.root);
	assert_findings(&l, "64:9 with alias '*a62' this is nested too deep; the limit is 64 levels");
	unload(&l);
}

static void a_billion_laughs_end_quickly(void **state)
{
	_cleanup_str_ struct str text = {0};
	clock_t start = clock();

	(void)state;
	str_adds(&text, "a: &a [x,x,x,x,x,x,x,x,x]\n");
	for (char c = 'b'; c <= 'i'; c++)
		str_addf(&text, "%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c - 1, c - 1, c - 1, c - 1,
			 c - 1, c - 1, c - 1, c - 1, c - 1);
	struct loaded l = load(str_cstr(&text));
	assert_null(l.root);
	assert_findings(&l, "6:8 aliases make this spec too large; the limit is 100000 nodes");
	assert_true(clock() - start < CLOCKS_PER_SEC);
	unload(&l);
}

static void large_maps_cost_no_square(void **state)
{
	_cleanup_str_ struct str text = {0};
	clock_t start = clock();

	(void)state;
	for (int i = 0; i < 90000; i++)
		str_addf(&text, "k%06d: x\n", i % 89999);
	struct loaded l = load(str_cstr(&text));
	assert_findings(&l, "90000:1 key 'k000000' is already on line 1");
	assert_int_equal(l.root->n_items, 89999);
	assert_true(clock() - start < 2 * CLOCKS_PER_SEC);
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(marks_are_what_an_editor_shows),
		cmocka_unit_test(characters_count_once_however_long),
		cmocka_unit_test(a_byte_order_mark_takes_no_column),
		cmocka_unit_test(crlf_is_one_line_end),
		cmocka_unit_test(only_a_line_feed_begins_a_line),
		cmocka_unit_test(syntax_errors_are_in_plain_words),
		cmocka_unit_test(there_must_be_one_document),
		cmocka_unit_test(keys_are_texts_and_unique),
		cmocka_unit_test(tags_do_not_decide_types),
		cmocka_unit_test(aliases_are_copies),
		cmocka_unit_test(merge_keys_merge),
		cmocka_unit_test(bytes_that_are_no_text_are_placed),
		cmocka_unit_test(a_text_holds_no_nul),
		cmocka_unit_test(a_spec_has_at_most_one_mebibyte),
		cmocka_unit_test(nesting_has_a_limit),
		cmocka_unit_test(aliases_cannot_nest_deeper),
		cmocka_unit_test(a_billion_laughs_end_quickly),
		cmocka_unit_test(large_maps_cost_no_square),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
