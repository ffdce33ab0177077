/*
 * Import: texts survive the way through YAML; tests/cases/import/<case>/ holds seen.json (a snapshot) and imported.txt,
 * the spec and what is left to a person. UPDATE_GOLDEN=1 rewrites it; CASE=name runs one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "run/import/import.h"
#include "sys/file.h"

#define MAX_FILE (8 << 20)

static struct spec *load(const struct str *text)
{
	CLEANUP(diags_free) struct diags diags = {0};
	const struct spec_input in = {.name = "imported", .text = str_cstr(text), .len = text->len};
	struct spec *spec = NULL;
	struct err err = {0};

	if (spec_load(&in, &spec, &diags, &err) < 0) {
		_cleanup_str_ struct str out = {0};
		diags_print(&diags, in.text, &out);
		fail_msg("%s\n%s", str_cstr(&out), str_cstr(text));
	}
	return spec;
}

/* What begins with the sign of a comment is one; no key of the engine does. */
static char *key_of(const char *text, size_t i)
{
	return xasprintf("%s%s%zu", str_starts(text, IMPORT_COMMENT) ? "x" : "", text, i);
}

/* A spec with the texts as values of variables A0, A1, …, as its labels, and as names of labels. */
static json_t *tree_of(const char *const *texts, size_t n)
{
	json_t *env = json_object(), *labels = json_object();

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *name = xasprintf("A%zu", i), *key = key_of(texts[i], i);
		json_set_str(env, name, texts[i]);
		json_set_str(labels, key, texts[i]);
	}
	return json_pack("{s:i, s:s, s:{s:{s:s, s:o, s:{s:o}}}}", "version", 1, "cluster", "lab", "services", "web",
			 "image", "nginx:1", "environment", env, "deploy", "labels", labels);
}

static void check_texts(const char *const *texts, size_t n)
{
	_cleanup_json_ json_t *tree = tree_of(texts, n);
	_cleanup_str_ struct str text = {0};

	import_yaml(tree, &text);
	struct spec *spec = load(&text);
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *name = xasprintf("A%zu", i), *key = key_of(texts[i], i);
		const struct snode *service = snode_get(snode_get(spec_root(spec), "services"), "web");
		const char *value = snode_str(snode_get(service, "environment"), name);
		const char *label = snode_str(snode_path(service, "deploy.labels"), key);
		if (!value || !label)
			fail_msg("the text '%s' is lost in\n%s", texts[i], str_cstr(&text));
		assert_string_equal(value, texts[i]);
		assert_string_equal(label, texts[i]);
	}
	spec_free(spec);
}

static void texts_survive(void **state)
{
	static const char *const texts[] = {
		"",
		"plain",
		"two words",
		" around ",
		"a=b=c",
		"=",
		"#no",
		"a #b",
		"a: b",
		"a:",
		":a",
		"- a",
		"-a",
		"-",
		"? a",
		"*a",
		"&a",
		"!a",
		"|",
		">",
		"%a",
		"@a",
		"`a`",
		"'a'",
		"\"a\"",
		"it's",
		"[a, b]",
		"{a: b}",
		"a, b",
		"yes",
		"No",
		"~",
		"null",
		"TRUE",
		"0755",
		"0x1f",
		"1e3",
		"1.5",
		".5",
		"22:22",
		"2026-11-29",
		"+1",
		"10.0.0.1",
		"$HOME",
		"${NO}",
		"$$",
		"$",
		"a\\b",
		"line\nline\n",
		"\n",
		"tab\ttab",
		"\t",
		"\x7f",
		"\001",
		"\x1b[31m",
		"\xc3\xbc",
		"\xc2\x85",
		"\xc2\xa0",
		"\xe2\x80\xa8",
		"\xe2\x80\xa9",
		"\xef\xbb\xbf",
		"\xef\xbf\xbe",
		"\xf0\x9f\x90\xb3",
		"---",
		"...",
		"--- a",
		"<<",
		"node.labels.a == true",
		"a  b",
		"a b ",
	};

	(void)state;
	check_texts(texts, ARRAY_SIZE(texts));
}

/* splitmix64 */
static uint64_t next(uint64_t *state)
{
	uint64_t z = (*state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static void random_texts_survive(void **state)
{
	static const char *const parts[] = {"a", "Z",  "0",  "9", " ",  "  ", ":",   ": ", "#",        " #",
					    "-", "\n", "\t", "'", "\"", "\\", "$",   "{",  "}",        "[",
					    "]", ",",  "&",  "*", "!",  "|",  "?",   "%",  "\xc3\xbc", "\xe2\x80\xa8",
					    "=", "<",  ">",  "@", "`",  ".",  "...", "~",  "\x01",     "yes"};
	uint64_t seed = 1;
	char *texts[50];

	(void)state;
	for (int round = 0; round < 40; round++) {
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
			struct str s = {0};
			str_adds(&s, "");
			for (uint64_t k = next(&seed) % 8; k > 0; k--)
				str_adds(&s, parts[next(&seed) % ARRAY_SIZE(parts)]);
			texts[i] = s.data ? str_steal(&s) : xstrdup("");
		}
		check_texts((const char *const *)texts, ARRAY_SIZE(texts));
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
			free(texts[i]);
	}
}

/* Comments stand above what they are about, and texts of others cannot leave them. */
static void comments_stay_comments(void **state)
{
	_cleanup_json_ json_t *tree =
		json_pack("{s:i, s:s, s:s, s:{s:s, s:[s]}}", "version", 1, IMPORT_COMMENT "1", "one\ntwo: \x1b[0m\r",
			  "cluster", "lab", "policy", IMPORT_COMMENT "2", "in", "adopt", "service/a");
	_cleanup_str_ struct str text = {0};

	(void)state;
	import_yaml(tree, &text);
	assert_string_equal(str_cstr(&text), "version: 1\n\n# one\n# two: \\u001b[0m\\u000d\ncluster: lab\n\npolicy:\n"
					     "  # in\n  adopt:\n    - service/a\n");
}

static struct snapshot *load_snapshot(const char *dir)
{
	_cleanup_free_ char *path = xasprintf("%s/seen.json", dir);
	_cleanup_str_ struct str text = {0};
	_cleanup_json_ json_t *j = NULL;
	struct snapshot *snap = NULL;
	struct err err = {0};

	if (file_read(path, MAX_FILE, &text, &err) < 0 || json_parse(str_cstr(&text), text.len, &j, &err) < 0 ||
	    snapshot_from_json(j, &snap, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	return snap;
}

static void check_case(void **state)
{
	const char *dir = *state;
	_cleanup_free_ char *path = xasprintf("%s/imported.txt", dir);
	_cleanup_str_ struct str got = {0}, expected = {0};
	const struct import_options o = {.cluster = NULL};
	struct snapshot *snap = load_snapshot(dir);
	struct import result;
	struct err err = {0};
	json_t *text;
	size_t i;

	if (import_make(&o, snap, &result, &err) < 0)
		fail_msg("%s", err.msg);
	str_adds(&got, str_cstr(&result.text));
	json_array_foreach (result.needs, i, text)
		str_addf(&got, "NEEDS %s\n", json_string_value(text));
	for (i = 0; result.diags.n_errors && i < result.diags.list.n; i++)
		if (result.diags.list.v[i].severity == DIAG_ERROR)
			str_addf(&got, "ERROR %s\n", result.diags.list.v[i].message);
	import_free(&result);
	snapshot_free(snap);
	if (getenv("UPDATE_GOLDEN")) {
		if (file_write_atomic(path, str_cstr(&got), got.len, 0644, &err) < 0)
			fail_msg("%s", err.msg);
		return;
	}
	if (file_read(path, MAX_FILE, &expected, &err) < 0)
		fail_msg("%s (UPDATE_GOLDEN=1 writes it)", err.msg);
	assert_string_equal(str_cstr(&got), str_cstr(&expected));
}

int main(void)
{
	const char *root = getenv("CASES") ? getenv("CASES") : "tests/cases", *one = getenv("CASE");
	_cleanup_free_ char *pattern = xasprintf("%s/import/%s/seen.json", root, one ? one : "*");
	VEC(struct CMUnitTest) tests = {0};
	glob_t g = {0};

	json_init();
	if (glob(pattern, 0, NULL, &g) != 0) {
		fprintf(stderr, "no cases match %s\n", pattern);
		return 1;
	}
	vec_push(&tests, ((struct CMUnitTest)cmocka_unit_test(texts_survive)));
	vec_push(&tests, ((struct CMUnitTest)cmocka_unit_test(random_texts_survive)));
	vec_push(&tests, ((struct CMUnitTest)cmocka_unit_test(comments_stay_comments)));
	size_t first = tests.n;
	for (size_t i = 0; i < g.gl_pathc; i++) {
		char *dir = xstrdup(g.gl_pathv[i]);
		*strrchr(dir, '/') = '\0';
		vec_push(&tests, ((struct CMUnitTest){.name = dir, .test_func = check_case, .initial_state = dir}));
	}
	/* The macro wants an array; the function behind it takes a count. */
	int failed = _cmocka_run_group_tests("import", tests.v, tests.n, NULL, NULL);
	for (size_t i = first; i < tests.n; i++)
		free((char *)tests.v[i].name);
	vec_free(&tests);
	globfree(&g);
	return failed;
}
