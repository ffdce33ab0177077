#include "load.h"

/* Keywords, one table each: text, tree, findings. */

static void the_schema_decides_the_type(void **state)
{
	static const char schema[] =
		"{'properties': {'s': {'type': 'string'}, 'i': {'type': 'integer'}, 'n': {'type': 'number'},"
		"'b': {'type': 'boolean'}, 'sn': {'type': ['string', 'null']}, 'si': {'type': ['string', 'integer']},"
		"'bs': {'type': ['boolean', 'string']}, 'any': true, 'in': {'type': ['integer', 'null']}}}";
	static const struct row rows[] = {
		{"s: 22:22", "{\"s\":\"22:22\"}", ""},
		{"s: on", "{\"s\":\"on\"}", ""},
		{"s: true", "{\"s\":\"true\"}", ""},
		{"s: 0755", "{\"s\":\"0755\"}", ""},
		{"s: 1.10", "{\"s\":\"1.10\"}", ""},
		{"s: 2024-01-01", "{\"s\":\"2024-01-01\"}", ""},
		{"s: \"\"", "{\"s\":\"\"}", ""},
		{"s: 'null'", "{\"s\":\"null\"}", ""},
		{"s: |\n  null\n", "{\"s\":\"null\\n\"}", ""},
		{"s: !!str null", "{\"s\":\"null\"}", ""},
		{"s:", NULL, "1:3 expected a text, found nothing; write \"\" for an empty text"},
		{"s: ~", NULL, "1:4 expected a text, found nothing; write \"\" for an empty text"},
		{"s: NULL", NULL, "1:4 expected a text, found nothing; write \"\" for an empty text"},
		{"s: [a]", NULL, "1:4 expected a text, found a list"},
		{"i: 80", "{\"i\":80}", ""},
		{"i: \"80\"", "{\"i\":80}", ""},
		{"i: -9223372036854775808", "{\"i\":-9223372036854775808}", ""},
		{"i: 9223372036854775808", NULL,
		 "1:4 expected a whole number, found '9223372036854775808', which is too large"},
		{"i: 0x10", NULL, "1:4 expected a whole number, found '0x10'"},
		{"i: 010", NULL, "1:4 expected a whole number, found '010'"},
		{"i: 1_000", NULL, "1:4 expected a whole number, found '1_000'"},
		{"i: +1", NULL, "1:4 expected a whole number, found '+1'"},
		{"i: 1.0", NULL, "1:4 expected a whole number, found '1.0'"},
		{"i: \"\"", NULL, "1:4 expected a whole number, found ''"},
		{"i: \" 1\"", NULL, "1:4 expected a whole number, found ' 1'"},
		{"i:", NULL, "1:3 expected a whole number, found nothing"},
		{"n: 1.5e3", "{\"n\":1500.0}", ""},
		{"n: 2", "{\"n\":2.0}", ""},
		{"n: \"0.5\"", "{\"n\":0.5}", ""},
		{"n: 1e999", NULL, "1:4 expected a number, found '1e999'"},
		{"n: .inf", NULL, "1:4 expected a number, found '.inf'"},
		{"n: nan", NULL, "1:4 expected a number, found 'nan'"},
		{"n: 1.", NULL, "1:4 expected a number, found '1.'"},
		{"b: true", "{\"b\":true}", ""},
		{"b: FALSE", "{\"b\":false}", ""},
		{"b: 'True'", "{\"b\":true}", ""},
		{"b: yes", NULL, "1:4 expected true or false, found 'yes': write true"},
		{"b: Off", NULL, "1:4 expected true or false, found 'Off': write false"},
		{"b: 1", NULL, "1:4 expected true or false, found '1'"},
		{"b: {}", NULL, "1:4 expected true or false, found a map"},
		{"sn: ~", "{\"sn\":null}", ""},
		{"sn: ''", "{\"sn\":\"\"}", ""},
		{"sn: 5", "{\"sn\":\"5\"}", ""},
		{"si: 5", "{\"si\":5}", ""},
		{"si: '5'", "{\"si\":\"5\"}", ""},
		{"si: 5.5", "{\"si\":\"5.5\"}", ""},
		{"bs: no", "{\"bs\":\"no\"}", ""},
		{"bs: false", "{\"bs\":false}", ""},
		{"in: null", "{\"in\":null}", ""},
		{"any: 1\nnone: {a: 1, b: ~, c: [x, '1']}",
		 "{\"any\":\"1\",\"none\":{\"a\":\"1\",\"b\":\"~\",\"c\":[\"x\",\"1\"]}}", ""},
	};
	(void)state;
	RUN_ROWS(schema, rows);
}

static void unknown_keys_are_named(void **state)
{
	static const char schema[] =
		"{'properties': {'image': {}, 'imagine': {'x-error': 'no'}, 'labels': {'type': 'object'}, 'm':"
		"{'additionalProperties': false, 'properties': {'on': {}, 'off': {}}}},"
		"'patternProperties': {'^x-': {}}, 'additionalProperties': false}";
	static const struct row rows[] = {
		{"imagee: x", NULL, "1:1 unknown key 'imagee'; did you mean 'image'?"},
		{"iamge: x", NULL, "1:1 unknown key 'iamge'; did you mean 'image'?"},
		{"image: x\nx-image: y", NULL, ""},
		{"zzz: x", NULL, "1:1 unknown key 'zzz'; expected 'image', 'labels' or 'm'"},
		{"m:\n  onn: 1\n  zzzzz: 1\n", NULL,
		 "2:3 unknown key 'onn' in 'm'; did you mean 'on'?\n"
		 "3:3 unknown key 'zzzzz' in 'm'; expected 'off' or 'on'"},
		{"imagine: x", NULL, "1:1 no"},
		{"labels: x", NULL, "1:9 expected a map, found 'x'"},
	};
	(void)state;
	RUN_ROWS(schema, rows);
}

static void maps(void **state)
{
	static const char schema[] =
		"{'properties': {'r': {'required': ['a', 'b']}, 'p': {'patternProperties': {'^s': {'type': 'string'},"
		"'^.i': {'type': 'integer'}}}, 'ap': {'additionalProperties': {'type': 'integer'}},"
		"'pn': {'propertyNames': {'pattern': '^[a-z]+$'}}, 'min': {'minProperties': 2},"
		"'d': {'dependentRequired': {'a': ['b', 'c']}}, 'f': {'propertyNames': {'format': 'name'}}}}";
	static const struct row rows[] = {
		{"r: {b: 1}", NULL, "1:1 missing key 'a' in 'r'"},
		{"r: {}", NULL, "1:1 missing key 'a' in 'r'\n1:1 missing key 'b' in 'r'"},
		{"r: {a: 1, b: 1, c: 1}", NULL, ""},
		{"p: {sa: 5, ai: 5, zz: [q]}", "{\"p\":{\"ai\":5,\"sa\":\"5\",\"zz\":[\"q\"]}}", ""},
		{"p: {ai: x, sa: []}", NULL,
		 "1:9 expected a whole number, found 'x'\n1:16 expected a text, found a list"},
		{"ap: {a: 1, b: x}", NULL, "1:15 expected a whole number, found 'x'"},
		{"pn: {ok: 1, No: 2}", NULL, "1:13 'No' does not have the form ^[a-z]+$"},
		{"min: {a: 1}", NULL, "1:6 expected at least 2 keys, found 1"},
		{"min: {a: 1, b: 2}", NULL, ""},
		{"d: {a: 1, c: 2}", NULL, "1:5 'a' needs the key 'b' beside it"},
		{"d: {c: 2}", NULL, ""},
		{"f: {a b: 1}", NULL,
		 "1:5 expected a name: letters, digits, '_', '.' and '-', starting with a letter or digit, found 'a "
		 "b'"},
	};
	(void)state;
	RUN_ROWS(schema, rows);
}

static void lists(void **state)
{
	static const char schema[] =
		"{'properties': {'i': {'type': 'array', 'items': {'type': 'integer'}}, 'min': {'minItems': 1},"
		"'max': {'maxItems': 1}, 'u': {'uniqueItems': true}, 'ui': {'uniqueItems': true, 'items':"
		"{'type': 'integer'}}}}";
	static const struct row rows[] = {
		{"i: [1, x, '3', y]", NULL,
		 "1:8 expected a whole number, found 'x'\n1:16 expected a whole number, found 'y'"},
		{"i: 5", NULL, "1:4 expected a list, found '5'"},
		{"min: []", NULL, "1:6 expected at least 1 entry, found 0"},
		{"max: [a, b]", NULL, "1:6 expected at most 1 entry, found 2"},
		{"u:\n- a\n- b\n- a\n- a\n", NULL,
		 "4:3 'a' is already in this list, on line 2\n5:3 'a' is already in this list, on line 4"},
		{"u: [{a: 1, b: 2}, {b: 2, a: 1}]", NULL, "1:19 a map is already in this list, on line 1"},
		{"u: [a, b, [a], [b]]", NULL, ""},
		{"u: [*x, *x]", NULL,
		 "1:5 alias '*x' has no anchor '&x' before it\n1:9 alias '*x' has no anchor '&x' before it"},
		{"ui: [1, '1']", NULL, "1:9 '1' is already in this list, on line 1"},
	};
	(void)state;
	RUN_ROWS(schema, rows);
}

static void texts_and_numbers(void **state)
{
	static const char schema[] =
		"{'properties': {'min': {'type': 'string', 'minLength': 1}, 'len': {'type': 'string', 'minLength': 2,"
		"'maxLength': 3}, 'p': {'type': 'string', 'pattern': '^a+$'}, 'pm': {'type': 'string', 'pattern': "
		"'^a$',"
		"'x-message': 'must be a single a'}, 'n': {'type': 'integer', 'minimum': 1, 'maximum': 10},"
		"'x': {'type': 'number', 'exclusiveMinimum': 0, 'exclusiveMaximum': 1}, 'e': {'enum': ['none', 'any',"
		"'on-failure']}, 'ei': {'type': 'integer', 'enum': [1, 2]}, 'c': {'const': 'host'}, 'ci': {'const': 1},"
		"'ps': {'type': ['string', 'integer'], 'pattern': '^[0-9]+$'}}}";
	static const struct row rows[] = {
		{"min: ''", NULL, "1:6 this must not be empty"},
		{"len: é", NULL, "1:6 expected at least 2 characters, found 1"},
		{"len: ééé", NULL, ""},
		{"len: éééé", NULL, "1:6 expected at most 3 characters, found 4"},
		{"p: ab", NULL, "1:4 'ab' does not have the form ^a+$"},
		{"p: aa", NULL, ""},
		{"pm: b", NULL, "1:5 must be a single a (found 'b')"},
		{"n: 0", NULL, "1:4 expected a number of at least 1, found '0'"},
		{"n: 11", NULL, "1:4 expected a number of at most 10, found '11'"},
		{"n: '10'", "{\"n\":10}", ""},
		{"x: 0", NULL, "1:4 expected a number of more than 0, found '0'"},
		{"x: 1", NULL, "1:4 expected a number of less than 1, found '1'"},
		{"x: 0.5", NULL, ""},
		{"e: on-failure", NULL, ""},
		{"e: onfailure", NULL,
		 "1:4 expected 'none', 'any' or 'on-failure', found 'onfailure'; did you mean 'on-failure'?"},
		{"e: 5", NULL, "1:4 expected 'none', 'any' or 'on-failure', found '5'"},
		{"ei: 2", NULL, ""},
		{"ei: 3", NULL, "1:5 expected 1 or 2, found '3'"},
		{"c: hots", NULL, "1:4 expected 'host', found 'hots'"},
		{"ci: 1", NULL, ""},
		{"ci: 2", NULL, "1:5 expected 1, found '2'"},
		{"ps: -1", NULL, "1:5 '-1' does not have the form ^[0-9]+$"},
		{"p: 01234567890123456789012345678901234567é890123456789", NULL,
		 "1:4 '01234567890123456789012345678901234567é…' does not have the form ^a+$"},
	};
	(void)state;
	RUN_ROWS(schema, rows);
}

static void branches(void **state)
{
	static const char schema[] =
		"{'properties': {'l': {'oneOf': [{'type': 'string'}, {'type': 'array', 'items': {'type': 'string'}}]},"
		"'m': {'oneOf': [{'type': 'integer', 'minimum': 1}, {'type': 'object', 'required': ['a'],"
		"'additionalProperties': false, 'properties': {'a': {'type': 'boolean', 'default': true}}}]},"
		"'v': {'anyOf': [{'type': 'object', 'required': ['type', 'dir'], 'additionalProperties': false,"
		"'properties': {'type': {'const': 'bind'}, 'dir': {'type': 'string'}}}, {'type': 'object', 'required':"
		"['type'], 'additionalProperties': false, 'properties': {'type': {'const': 'tmpfs'},"
		"'size': {'type': 'integer'}, 'dflt': {'type': 'string', 'format': 'duration', 'default': '5s'}}}]},"
		"'si': {'oneOf': [{'type': 'string', 'minLength': 2}, {'type': 'integer'}]},"
		"'x': {'oneOf': [{'required': ['a']}, {'required': ['b']}]},"
		"'xm': {'oneOf': [{'required': ['a']}, {'required': ['b']}], 'x-message': 'a or b'},"
		"'nest': {'oneOf': [{'type': 'string'}, {'type': 'array', 'items': {'oneOf': [{'type': 'string'},"
		"{'type': 'object', 'additionalProperties': {'type': 'integer'}}]}}]}}}";
	static const struct row rows[] = {
		{"l: a", "{\"l\":\"a\"}", ""},
		{"l: [a, 5]", "{\"l\":[\"a\",\"5\"]}", ""},
		{"l: [a, {}]", NULL, "1:8 expected a text, found a map"},
		{"l: {}", NULL, "1:4 expected a text or a list, found a map"},
		{"m: 0", NULL, "1:4 expected a number of at least 1, found '0'"},
		{"m: x", NULL, "1:4 expected a whole number or a map, found 'x'"},
		{"m: {b: 1}", NULL, "1:1 missing key 'a' in 'm'\n1:5 unknown key 'b' in 'm'; expected 'a'"},
		{"m: {a: yes}", NULL, "1:8 expected true or false, found 'yes': write true"},
		{"v: {type: bind, dir: 5}", "{\"v\":{\"dir\":\"5\",\"type\":\"bind\"}}", ""},
		{"v: {type: tmpfs, size: '5'}", "{\"v\":{\"dflt\":5000000000,\"size\":5,\"type\":\"tmpfs\"}}", ""},
		{"v: {type: tmpfs, siez: 5}", NULL, "1:18 unknown key 'siez' in 'v'; did you mean 'size'?"},
		{"v: {type: bind}", NULL, "1:1 missing key 'dir' in 'v'"},
		{"si: 5", "{\"si\":5}", ""},
		{"si: '5'", "{\"si\":5}", ""},
		{"si: ab", "{\"si\":\"ab\"}", ""},
		{"si: a", NULL, "1:5 expected at least 2 characters, found 1"},
		{"x: {a: 1}", NULL, ""},
		{"x: {c: 1}", NULL, "1:1 expected at least one of the keys 'a' or 'b'"},
		{"x: {a: 1, b: 1}", NULL, "1:1 expected only one of the keys 'a' or 'b'"},
		{"xm: {}", NULL, "1:1 a or b"},
		{"nest: [a, {k: x}, {k: 1}]", NULL, "1:15 expected a whole number, found 'x'"},
		{"nest: [a, [b]]", NULL, "1:11 expected a text or a map, found a list"},
		{"nest: [5, {k: '5'}]", "{\"nest\":[\"5\",{\"k\":5}]}", ""},
	};
	(void)state;
	RUN_ROWS(schema, rows);
}

static void what_is_not_allowed(void **state)
{
	static const char schema[] =
		"{'properties': {'n': {'not': {'required': ['a', 'b'], 'x-message': 'a and b exclude each other'}},"
		"'s': {'type': 'string', 'not': {'pattern': ':latest$'}, 'x-message': 'needs a tag that stays'},"
		"'f': false, 'e': {'x-error': 'Swarm ignores e: use f'}, 'er': {'$ref': '#/$defs/gone'},"
		"'d': {'type': 'string', 'deprecated': true, 'x-message': 'use s'}, 'plain': {'not': {'const': 'x'}}},"
		"'$defs': {'gone': {'x-error': 'gone'}}}";
	static const struct row rows[] = {
		{"n: {a: 1}", NULL, ""},
		{"n: {a: 1, b: 1}", NULL, "1:1 a and b exclude each other"},
		{"s: a:latest", NULL, "1:1 needs a tag that stays"},
		{"f: 1", NULL, "1:1 this is not allowed here"},
		{"e: {any: [thing, {deep: 1}]}", NULL, "1:1 Swarm ignores e: use f"},
		{"er:", NULL, "1:1 gone"},
		{"d: x", "{\"d\":\"x\"}", "1:1 warning: 'd' is deprecated: use s"},
		{"plain: x", NULL, "1:1 this is not allowed here"},
	};
	(void)state;
	RUN_ROWS(schema, rows);
}

static void references(void **state)
{
	static const char schema[] =
		"{'$ref': '#/$defs/top', '$defs': {'top': {'type': 'object', 'additionalProperties': {'$ref':"
		"'#/$defs/tree'}}, 'tree': {'type': 'object', 'additionalProperties': false, 'properties': {'v': "
		"{'$ref':"
		"'#/$defs/num', 'minimum': 2, 'description': 'own words'}, 'kids': {'type': 'array', 'items': {'$ref':"
		"'#/$defs/tree'}}}}, 'num': {'type': 'integer', 'maximum': 4}}}";
	static const struct row rows[] = {
		{"a: {v: '3', kids: [{v: 2}, {kids: []}]}", "{\"a\":{\"kids\":[{\"v\":2},{\"kids\":[]}],\"v\":3}}", ""},
		{"a: {v: 1, kids: [{v: 5}, {w: 2}]}", NULL,
		 "1:8 expected a number of at least 2, found '1'\n"
		 "1:22 expected a number of at most 4, found '5'\n"
		 "1:27 unknown key 'w'; expected 'kids' or 'v'"},
		{"a: {v: x}", NULL, "1:8 expected a whole number, found 'x'"},
		{"a: x", NULL, "1:4 expected a map, found 'x'"},
	};
	(void)state;
	RUN_ROWS(schema, rows);
}

static void defaults_fill_maps_that_exist(void **state)
{
	static const char schema[] =
		"{'properties': {'a': {'type': 'object', 'properties': {'d': {'type': 'string', 'format': 'duration',"
		"'default': '5s'}, 'n': {'$ref': '#/$defs/n'}, 'l': {'type': 'array', 'items': {'type': 'integer'},"
		"'default': [1, 2]}, 'o': {'type': 'object', 'default': {}, 'properties': {'in': {'type': 'boolean',"
		"'default': false}}}, 's': {'type': 'string', 'default': '80'}}, 'minProperties': 1}},"
		"'$defs': {'n': {'type': 'integer', 'default': 7}}}";
	static const struct row rows[] = {
		{"b: 1", "{\"b\":\"1\"}", ""},
		{"a: {n: 1}", "{\"a\":{\"d\":5000000000,\"l\":[1,2],\"n\":1,\"o\":{\"in\":false},\"s\":\"80\"}}", ""},
		{"a: {}", NULL, "1:4 expected at least 1 key, found 0"},
	};
	struct loaded l = load_with(schema, "x: 1\na:\n  l: [3]\n");

	(void)state;
	RUN_ROWS(schema, rows);
	const struct snode *a = snode_get(l.root, "a");
	assert_false(snode_get(a, "l")->is_default);
	assert_true(snode_get(a, "d")->is_default);
	assert_true(snode_path(a, "o.in")->is_default);
	assert_string_equal(snode_str(a, "d"), "5s");
	assert_int_equal(snode_get(a, "d")->mark.line, 3);
	assert_string_equal(a->items[0]->key, "l");
	unload(&l);
}

/* Two copies of one anchor can stand where the schema wants different types. */
static void copies_are_typed_apart(void **state)
{
	static const char schema[] =
		"{'properties': {'s': {'type': 'string'}, 'i': {'type': 'integer'}, 'd': {'format': 'duration'}}}";
	struct loaded l = load_with(schema, "x: &a 0\ns: *a\ni: *a\nd: *a\n");

	(void)state;
	assert_findings(&l, "");
	assert_tree(&l, "{\"d\":0,\"i\":0,\"s\":\"0\",\"x\":\"0\"}");
	unload(&l);
}

static void all_errors_come_at_once(void **state)
{
	static const char schema[] = "{'additionalProperties': false, 'properties': {'a': {'type': 'integer'},"
				     "'b': {'type': 'integer'}}, 'required': ['c']}";
	static const struct row rows[] = {
		{"a: x\na: y\nb: *z\nq: $X\n[k]: v\n", NULL,
		 "1:1 missing key 'c'\n1:4 expected a whole number, found 'x'\n2:1 key 'a' is already on line 1\n"
		 "3:4 alias '*z' has no anchor '&z' before it\n4:1 unknown key 'q'; expected 'a' or 'b'\n"
		 "4:4 environment variable X is not on the allow-list; --allow-env X puts it there\n"
		 "5:1 a key must be a text, not a map or a list (a text that starts with '{' or '[' needs quotes)"},
	};
	(void)state;
	RUN_ROWS(schema, rows);
}

static void a_schema_with_anything_unknown_is_refused(void **state)
{
	static const struct {
		const char *schema, *message;
	} rows[] = {
		{"{'properties': {'a': {'allOf': []}}}",
		 "properties: a: allOf: allOf is a keyword that this program does not know"},
		{"{'type': 'text'}", "type: type is not a type"},
		{"{'format': 'email'}", "format: format is not one that is known"},
		{"{'pattern': '\\\\d'}",
		 "pattern: pattern must be a regular expression that ECMA and POSIX read alike"},
		{"{'pattern': '(?:a)'}",
		 "pattern: pattern must be a regular expression that ECMA and POSIX read alike"},
		{"{'pattern': '[a'}", "pattern: pattern must be a regular expression that ECMA and POSIX read alike"},
		{"{'patternProperties': {'(': {}}}", "must be a regular expression that ECMA and POSIX read alike"},
		{"{'$ref': '#/$defs/a'}", "$ref: there is no $defs/a"},
		{"{'items': {'$defs': {}}}", "items: $defs: $defs may stand at the top only"},
		{"{'$defs': {'a': {'$defs': {'b': {}}}}}", "$defs: a: $defs: $defs may stand at the top only"},
		{"{'$ref': 'http://x'}", "$ref: $ref must be \"#/$defs/NAME\""},
		{"{'$defs': {'a': {'$ref': '#/$defs/b'}, 'b': {'oneOf': [{'$ref': '#/$defs/a'}]}}}",
		 "refers to itself"},
		{"{'minimum': 'x'}", "minimum: minimum must be a number"},
		{"{'minLength': -1}", "minLength: minLength must be a whole number, 0 or more"},
		{"{'required': [1]}", "required: required must be an array of strings"},
		{"{'uniqueItems': 1}", "uniqueItems: uniqueItems must be true or false"},
		{"{'oneOf': []}", "oneOf: oneOf must be an array that is not empty"},
		{"{'items': 5}", "items: items must be a schema: an object, true or false"},
		{"{'properties': []}", "properties: properties must be an object"},
		{"{'x-error': 1}", "x-error: x-error must be a string"},
		{"{'oneOf': [{}], 'anyOf': [{}]}", "cannot stand beside another list of branches"},
		{"[", "line 1"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		char *json = xstrdup(rows[i].schema);
		struct schema *s = NULL;
		struct err err = {0};
		for (char *p = json; (p = strchr(p, '\''));)
			*p = '"';
		assert_int_equal(schema_parse(json, strlen(json), &s, &err), -1);
		assert_null(s);
		if (!strstr(err.msg, rows[i].message))
			fail_msg("%s: %s", rows[i].schema, err.msg);
		free(json);
	}
}

static void annotations_are_ignored(void **state)
{
	static const char schema[] =
		"{'$schema': 'https://json-schema.org/draft/2020-12/schema', '$id': 'x', '$comment':"
		"'c', 'title': 't', 'description': 'd', 'examples': [1], 'x-list-map': true}";
	static const struct row rows[] = {{"a: 1", NULL, ""}};
	(void)state;
	RUN_ROWS(schema, rows);
}

static void the_real_schema_is_understood(void **state)
{
	const struct schema *first, *second;
	struct err err;

	(void)state;
	if (schema_cluster(&first, &err) < 0)
		fail_msg("%s", err.msg);
	assert_int_equal(schema_cluster(&second, &err), 0);
	assert_ptr_equal(first, second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_schema_decides_the_type),
		cmocka_unit_test(unknown_keys_are_named),
		cmocka_unit_test(maps),
		cmocka_unit_test(lists),
		cmocka_unit_test(texts_and_numbers),
		cmocka_unit_test(branches),
		cmocka_unit_test(what_is_not_allowed),
		cmocka_unit_test(references),
		cmocka_unit_test(defaults_fill_maps_that_exist),
		cmocka_unit_test(copies_are_typed_apart),
		cmocka_unit_test(all_errors_come_at_once),
		cmocka_unit_test(a_schema_with_anything_unknown_is_refused),
		cmocka_unit_test(annotations_are_ignored),
		cmocka_unit_test(the_real_schema_is_understood),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
