#include "load.h"

#include "spec/interpolate.h"

static const char *const allow[] = {"SET", "EMPTY", "UNSET", "SECRET", "BROKEN", "LONG", "NUMBER", NULL};

static int set_variables(void **state)
{
	(void)state;
	unsetenv("UNSET");
	setenv("NUMBER", "8080", 1);
	setenv("BROKEN", "\xe9", 1);
	setenv("SECRET", "hunter2: [x]", 1);
	setenv("EMPTY", "", 1);
	return setenv("SET", "v", 1);
}

static void run(const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct loaded l = load_bytes(rows[i].text, strlen(rows[i].text), allow);
		assert_findings(&l, rows[i].findings);
		if (rows[i].tree)
			assert_tree(&l, rows[i].tree);
		unload(&l);
	}
}

static void forms_are_those_of_compose(void **state)
{
	static const struct row rows[] = {
		{"a: $SET", "{\"a\":\"v\"}", ""},
		{"a: x${SET}y", "{\"a\":\"xvy\"}", ""},
		{"a: $SET-$SET", "{\"a\":\"v-v\"}", ""},
		{"a: \"${SET:-d}${EMPTY:-d}${UNSET:-d}\"", "{\"a\":\"vdd\"}", ""},
		{"a: \"${SET-d}${EMPTY-d}${UNSET-d}\"", "{\"a\":\"vd\"}", ""},
		{"a: \"${SET:+d}${EMPTY:+d}${UNSET:+d}\"", "{\"a\":\"d\"}", ""},
		{"a: \"${SET+d}${EMPTY+d}${UNSET+d}\"", "{\"a\":\"dd\"}", ""},
		{"a: \"${SET:?m}${SET?m}${EMPTY?m}\"", "{\"a\":\"vv\"}", ""},
		{"a: $$SET$$", "{\"a\":\"$SET$\"}", ""},
		{"a: \"${UNSET:-}\"", "{\"a\":\"\"}", ""},
		{"a: ${UNSET:-${EMPTY:-${SET}}x}", "{\"a\":\"vx\"}", ""},
		{"a: '${UNSET:-{\"k\": {}}}'", "{\"a\":\"{\\\"k\\\": {}}\"}", ""},
		{"a: ${UNSET:-a $$ b}", "{\"a\":\"a $ b\"}", ""},
		{"a: 'Host(`x`) && {^a$$}'", "{\"a\":\"Host(`x`) && {^a$}\"}", ""},
		{"a: |\n  $SET\n  ${UNSET:-x}\n", "{\"a\":\"v\\nx\\n\"}", ""},
		{"$SET: $SET", "{\"$SET\":\"v\"}", ""},
	};
	(void)state;
	run(rows, ARRAY_SIZE(rows));
}

static void findings_stand_at_the_variable(void **state)
{
	static const char no_name[] = "'$' must be followed by a name or '{'; a dollar sign alone is written '$$'";
	static const char no_op[] = "'${' must be followed by NAME}, NAME:-default, NAME:?message or NAME:+other; "
				    "a dollar sign alone is written '$$'";
	static const char unset[] = "warning: environment variable UNSET is not set, so nothing stands here; write "
				    "${UNSET:-} if that is meant, ${UNSET:?} if it is not";
	static const char denied[] =
		"environment variable HOME is not on the allow-list; --allow-env HOME puts it there";
	_cleanup_free_ char *dollar = xasprintf("1:7 %s", no_name), *end = xasprintf("1:5 %s", no_name);
	_cleanup_free_ char *op = xasprintf("1:4 %s", no_op), *warn = xasprintf("1:5 %s\n1:13 %s", unset, unset);
	_cleanup_free_ char *two = xasprintf("1:5 %s\n1:13 %s", denied, denied);
	_cleanup_free_ char *word = xasprintf("1:11 %s", denied);
	_cleanup_free_ char *block = xasprintf("1:4 %s", denied);
	const struct row rows[] = {
		{"a: é $5", NULL, "1:6 '$' must be followed by a name or '{'; a dollar sign alone is written '$$'"},
		{"a: \"ab$\"", NULL, dollar},
		{"a: x$", NULL, end},
		{"a: ${1}", NULL, op},
		{"a: ${SET!x}", NULL, op},
		{"a: ${}", NULL, op},
		{"a: ${SET", NULL, "1:4 '${' has no closing '}'"},
		{"a: ${SET:-x", NULL, "1:4 '${' has no closing '}'"},
		{"a: 'x${SET:-${SET}'", NULL, "1:6 '${' has no closing '}'"},
		{"a: \"${HOME} $HOME\"", NULL, two},
		{"a: ${SET:-${HOME}}", NULL, word},
		{"a: |\n  x ${HOME}\n", NULL, block},
		{"a: '${UNSET}$UNSET'", "{\"a\":\"\"}", warn},
		{"a: ${UNSET:?ask ${SET}}", NULL, "1:4 environment variable UNSET is required: ask ${SET}"},
		{"a: ${EMPTY:?}", NULL, "1:4 environment variable EMPTY is required and has no value"},
		{"a: $BROKEN", NULL, "1:4 the value of environment variable BROKEN is not UTF-8"},
	};
	(void)state;
	run(rows, ARRAY_SIZE(rows));
}

static void a_value_never_becomes_structure(void **state)
{
	static const char *const values[] = {"{a: b}", "x: y", "&a", "*a", "!!binary x", "- a\n- b", "null", "#"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		setenv("SET", values[i], 1);
		struct loaded l = load_bytes("a: $SET", 7, allow);
		assert_findings(&l, "");
		assert_int_equal(l.root->items[0]->type, SNODE_STRING);
		assert_string_equal(l.root->items[0]->text, values[i]);
		assert_true(l.root->items[0]->from_env);
		unload(&l);
	}
	setenv("SET", "v", 1);
}

static struct loaded checked(const char *schema_text, const char *text)
{
	struct schema *schema;
	struct err err;
	struct loaded l = load_bytes(text, strlen(text), allow);

	assert_int_equal(schema_parse(schema_text, strlen(schema_text), &schema, &err), 0);
	schema_check(schema, l.root, l.arena, &l.diags);
	schema_free(schema);
	return l;
}

static void a_value_is_typed_by_the_schema(void **state)
{
	struct loaded l = checked("{\"properties\": {\"port\": {\"type\": \"integer\"}, \"s\": {\"type\": \"string\"}, "
				  "\"e\": {\"type\": [\"string\", \"null\"]}}}",
				  "port: ${NUMBER}\ns: ${NUMBER}\ne: ${EMPTY}\n");

	(void)state;
	assert_findings(&l, "");
	assert_tree(&l, "{\"e\":\"\",\"port\":8080,\"s\":\"8080\"}");
	unload(&l);
}

static void a_value_is_never_shown(void **state)
{
	struct loaded l =
		checked("{\"properties\": {\"a\": {\"type\": \"integer\"}, \"b\": {\"enum\": [\"x\", \"y\"]}, "
			"\"c\": {\"type\": \"string\", \"format\": \"duration\"}, "
			"\"d\": {\"type\": \"string\", \"pattern\": \"^x$\"}, \"e\": {\"type\": \"array\"}, "
			"\"f\": {\"type\": \"string\", \"const\": \"x\"}, "
			"\"g\": {\"uniqueItems\": true}}}",
			"a: $SECRET\nb: $SECRET\nc: $SECRET\nd: $SECRET\ne: $SECRET\nf: $SECRET\n"
			"g: [$SECRET, $SECRET]\n");
	_cleanup_free_ char *all = findings(&l);

	(void)state;
	assert_int_equal(l.diags.n_errors, 7);
	assert_null(strstr(all, "hunter2"));
	assert_non_null(strstr(all, "expected a whole number, found the value of a variable"));
	unload(&l);
}

static void values_cannot_blow_up_the_spec(void **state)
{
	_cleanup_str_ struct str value = {0}, text = {0};

	(void)state;
	for (int i = 0; i < 100000; i++)
		str_addc(&value, 'x');
	setenv("LONG", str_cstr(&value), 1);
	for (int i = 0; i < 1000; i++)
		str_adds(&text, "- $LONG\n");
	struct loaded l = load_bytes(str_cstr(&text), text.len, allow);
	assert_int_equal(l.diags.n_errors, 990);
	assert_string_equal(l.diags.list.v[0].message, "with the value of LONG here the spec is larger than 1 MiB");
	assert_int_equal(l.diags.list.v[0].mark.line, 11);
	unload(&l);
	unsetenv("LONG");
}

static void nesting_and_findings_have_limits(void **state)
{
	_cleanup_str_ struct str text = {0};

	(void)state;
	str_adds(&text, "a: ");
	for (int i = 0; i < 100000; i++)
		str_adds(&text, "${SET:-");
	struct loaded l = load_bytes(str_cstr(&text), text.len, allow);
	assert_findings(&l, "1:4 variables are nested more than 16 levels deep");
	unload(&l);
	str_reset(&text);
	str_adds(&text, "a: ");
	for (int i = 0; i < 300000; i++)
		str_adds(&text, "$NO");
	l = load_bytes(str_cstr(&text), text.len, allow);
	assert_int_equal(l.diags.list.n, 10);
	unload(&l);
}

static void nothing_is_allowed_by_default(void **state)
{
	struct loaded l = load("a: $SET");

	(void)state;
	assert_findings(&l, "1:4 environment variable SET is not on the allow-list; --allow-env SET puts it there");
	assert_null(l.root->items[0]->text);
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(forms_are_those_of_compose),       cmocka_unit_test(findings_stand_at_the_variable),
		cmocka_unit_test(a_value_never_becomes_structure),  cmocka_unit_test(a_value_is_typed_by_the_schema),
		cmocka_unit_test(a_value_is_never_shown),           cmocka_unit_test(values_cannot_blow_up_the_spec),
		cmocka_unit_test(nesting_and_findings_have_limits), cmocka_unit_test(nothing_is_allowed_by_default),
	};
	return cmocka_run_group_tests(tests, set_variables, NULL);
}
