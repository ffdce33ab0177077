/* What the tests of the spec library share: texts in, trees and findings out as text. */
#ifndef RECONCILE_TESTS_SPEC_LOAD_H
#define RECONCILE_TESTS_SPEC_LOAD_H

#include "spec/schema.h"
#include "spec/yaml.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

struct loaded {
	struct arena *arena;
	struct snode *root;
	struct diags diags;
};

static inline struct loaded load_bytes(const char *text, size_t len, const char *const *allow)
{
	struct loaded l = {.arena = arena_new()};
	struct spec_input in = {.name = "t", .text = text, .len = len, .allow_env = allow};

	l.root = yaml_read(&in, l.arena, &l.diags);
	return l;
}

static inline struct loaded load(const char *text)
{
	return load_bytes(text, strlen(text), NULL);
}

/* As load, then checked against a schema given as JSON with ' for ". */
static inline struct loaded load_with(const char *schema_text, const char *text)
{
	char *json = xstrdup(schema_text);
	struct schema *schema;
	struct err err;
	struct loaded l = load(text);

	for (char *p = json; (p = strchr(p, '\''));)
		*p = '"';
	if (schema_parse(json, strlen(json), &schema, &err) < 0)
		fail_msg("%s", err.msg);
	assert_non_null(l.root);
	schema_check(schema, l.root, l.arena, &l.diags);
	schema_free(schema);
	free(json);
	return l;
}

static inline void unload(struct loaded *l)
{
	arena_free(l->arena);
	diags_free(&l->diags);
}

/* "1:2 message\n…", warnings with "warning: ". */
static inline char *findings(struct loaded *l)
{
	struct str out = {0};

	diags_sort(&l->diags);
	for (size_t i = 0; i < l->diags.list.n; i++) {
		const struct diag *d = &l->diags.list.v[i];
		str_addf(&out, "%s%d:%d %s%s", i ? "\n" : "", d->mark.line, d->mark.col,
			 d->severity == DIAG_WARNING ? "warning: " : "", d->message);
	}
	return str_steal(&out);
}

static inline char *tree(const struct loaded *l)
{
	struct str out = {0};
	json_t *j = l->root ? snode_json(l->root) : NULL;

	if (j)
		json_canonical(j, &out);
	json_decref(j);
	return str_steal(&out);
}

static inline void assert_findings(struct loaded *l, const char *expected)
{
	_cleanup_free_ char *got = findings(l);

	assert_string_equal(got, expected);
}

static inline void assert_tree(const struct loaded *l, const char *expected)
{
	_cleanup_free_ char *got = tree(l);

	assert_string_equal(got, expected);
}

/* One line of a table: a text, the tree it gives (NULL: not looked at) and the findings. */
struct row {
	const char *text, *tree, *findings;
};

static inline void run_rows(const char *schema, const struct row *rows, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct loaded l = schema ? load_with(schema, rows[i].text) : load(rows[i].text);
		assert_findings(&l, rows[i].findings);
		if (rows[i].tree)
			assert_tree(&l, rows[i].tree);
		unload(&l);
	}
}
#define RUN_ROWS(schema, rows) run_rows(schema, rows, ARRAY_SIZE(rows))

#endif
