#include "kinds/traefik/merge.h"

#include "kinds/traefik/yaml.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define STEP 2 /* indentation of what is added */

/* Rendering */

static bool is_plain_key(const char *key)
{
	static const char *const words[] = {"true", "false", "null", "yes", "no", "on", "off", "y", "n"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(key, words[i]) == 0)
			return false;
	if (!isalpha((unsigned char)*key))
		return false;
	while (isalnum((unsigned char)*key) || (*key && strchr("-_.", *key)))
		key++;
	return *key == '\0';
}

/* Scalars and empty collections: JSON is YAML. */
static void add_flow(struct str *out, const json_t *j)
{
	char *text = json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT);

	str_adds(out, text);
	free(text);
}

static bool is_nested(const json_t *j)
{
	return json_object_size(j) > 0 || json_array_size(j) > 0;
}

static void render(struct str *out, const json_t *j, int indent);

static void render_member(struct str *out, const char *key, const json_t *value, int indent)
{
	_cleanup_json_ json_t *name = json_string(key);

	str_addf(out, "%*s", indent, "");
	if (is_plain_key(key))
		str_adds(out, key);
	else
		add_flow(out, name);
	str_adds(out, is_nested(value) ? ":\n" : ": ");
	render(out, value, indent + STEP);
}

static void render_item(struct str *out, const json_t *item, int indent)
{
	size_t start = out->len;

	if (is_nested(item)) {
		render(out, item, indent + STEP);
		out->data[start + (size_t)indent] = '-';
	} else {
		str_addf(out, "%*s- ", indent, "");
		add_flow(out, item);
		str_addc(out, '\n');
	}
}

/* A collection as lines, a scalar as the rest of one. */
static void render(struct str *out, const json_t *j, int indent)
{
	json_t *item;
	size_t n, i;

	if (!is_nested(j)) {
		add_flow(out, j);
		str_addc(out, '\n');
	} else if (json_is_object(j)) {
		const char **keys = json_sorted_keys(j, &n);
		for (i = 0; i < n; i++)
			render_member(out, keys[i], json_object_get(j, keys[i]), indent);
		free(keys);
	} else {
		json_array_foreach ((json_t *)j, i, item)
			render_item(out, item, indent);
	}
}

/* Where */

struct insertion {
	size_t at, order;
	struct str lines;
};

struct merge {
	const char *text;
	size_t len;
	int depth;                        /* mappings above the definitions, which are taken whole */
	VEC(struct insertion) insertions; /* of one place: the innermost mapping's first */
	struct err *err;
};

static void merge_free(struct merge *m)
{
	for (size_t i = 0; i < m->insertions.n; i++)
		str_free(&m->insertions.v[i].lines);
	vec_free(&m->insertions);
}

static int refuse(struct merge *m, const struct ynode *n, const char *name, const char *what)
{
	size_t line = 1;

	for (size_t i = 0; n && i < n->start; i++)
		line += m->text[i] == '\n';
	return err_set(m->err, ERR_FAILED, "line %zu: %s: %s", line, name, what);
}

/* Behind the line with the last byte of a node. */
static size_t line_after(const struct merge *m, size_t at)
{
	while (at > 0 && at < m->len && m->text[at - 1] != '\n' && m->text[at] != '\n')
		at++;
	return at < m->len && m->text[at] == '\n' && (at == 0 || m->text[at - 1] != '\n') ? at + 1 : at;
}

static void insert(struct merge *m, size_t at, const json_t *add, int indent)
{
	struct insertion in = {.at = at, .order = m->insertions.n};

	if (json_object_size(add) == 0)
		return;
	render(&in.lines, add, indent);
	vec_push(&m->insertions, in);
}

static bool says_the_same(const struct ynode *n, const json_t *definition)
{
	_cleanup_str_ struct str text = {0};
	struct ynode *parsed = NULL;

	render(&text, definition, 0);
	if (ynode_parse(str_cstr(&text), text.len, &parsed, NULL) < 0)
		return false;
	_cleanup_json_ json_t *a = ynode_json(n), *b = ynode_json(parsed);
	ynode_free(parsed);
	return json_equal(a, b);
}

static int check_map(struct merge *m, const struct ynode *map, const char *name)
{
	if (map->type != YNODE_MAP || map->flow)
		return refuse(m, map, name, "it is not written as a mapping of lines");
	if (map->anchored || map->tagged || ynode_get(map, "<<"))
		return refuse(m, map, name, "an anchor, tag or merge key is in the way");
	return 0;
}

static int merge_map(struct merge *m, const struct ynode *map, const char *name, const json_t *add, int depth);

static int merge_member(struct merge *m, const struct ynode *map, int i, const json_t *value, int depth)
{
	const struct ynode *item = map->items[i], *key = map->keys[i];

	if (depth == m->depth)
		return says_the_same(item, value)
			       ? 0
			       : refuse(m, key, key->text, "it is there already and says something else");
	if (!ynode_is_null(item))
		return merge_map(m, item, key->text, value, depth + 1);
	if (item->start != item->end || item->anchored || item->tagged || map->flow)
		return refuse(m, key, key->text, "it is not written as a mapping of lines");
	insert(m, line_after(m, key->end), value, key->column + STEP);
	return 0;
}

static int merge_map(struct merge *m, const struct ynode *map, const char *name, const json_t *add, int depth)
{
	_cleanup_json_ json_t *missing = json_object();
	const char *key;
	json_t *value;

	if (check_map(m, map, name) < 0)
		return -1;
	json_object_foreach ((json_t *)add, key, value) {
		int i = ynode_index(map, key);
		if (i < 0)
			json_set(missing, key, json_incref(value));
		else if (merge_member(m, map, i, value, depth) < 0)
			return -1;
	}
	insert(m, line_after(m, map->end), missing, map->n ? map->keys[0]->column : map->column);
	return 0;
}

/* Doing it */

static int by_place(const void *a, const void *b)
{
	const struct insertion *x = a, *y = b;

	if (x->at != y->at)
		return x->at < y->at ? -1 : 1;
	return x->order < y->order ? -1 : 1;
}

static void apply_insertions(const struct merge *m, struct str *out)
{
	size_t at = 0;

	if (m->insertions.n > 0)
		qsort(m->insertions.v, m->insertions.n, sizeof(*m->insertions.v), by_place);
	for (size_t i = 0; i < m->insertions.n; i++) {
		const struct insertion *in = &m->insertions.v[i];
		str_add(out, m->text + at, in->at - at);
		if (out->len > 0 && out->data[out->len - 1] != '\n')
			str_addc(out, '\n');
		str_add(out, in->lines.data, in->lines.len);
		at = in->at;
	}
	str_add(out, m->text + at, m->len - at);
}

/* a with b's members, whatever the spelling of the keys that it has. */
static void add_members(json_t *a, const json_t *b, int levels)
{
	const char *key, *have;
	json_t *value, *old;

	json_object_foreach ((json_t *)b, key, value) {
		const char *as = key;
		json_object_foreach (a, have, old)
			if (strcasecmp(have, key) == 0)
				as = have;
		old = json_object_get(a, as);
		if (json_is_object(old) && levels > 0)
			add_members(old, value, levels - 1);
		else
			json_set(a, as, json_incref(value));
	}
}

static json_t *tree_of(const char *text, size_t len)
{
	struct ynode *root = NULL;

	if (ynode_parse(text, len, &root, NULL) < 0)
		return NULL;
	json_t *tree = ynode_json(root);
	ynode_free(root);
	return tree;
}

static bool is_intended(const struct ynode *before, const json_t *add, int depth, const struct str *after)
{
	_cleanup_str_ struct str lines = {0};

	render(&lines, add, 0);
	_cleanup_json_ json_t *intent = ynode_is_null(before) ? json_object() : ynode_json(before);
	_cleanup_json_ json_t *added = tree_of(str_cstr(&lines), lines.len),
			      *got = tree_of(str_cstr(after), after->len);
	if (!added || !got)
		return false;
	add_members(intent, added, depth);
	return json_equal(intent, got);
}

static int check_template(const char *text, size_t len, const char *what, struct err *err)
{
	if (!memmem(text, len, "{{", 2))
		return 0;
	return err_set(err, ERR_FAILED, "%s has {{, which Traefik takes for a template there", what);
}

static int merge_root(struct merge *m, const struct ynode *root, const json_t *add, struct str *out)
{
	if (!root || ynode_is_null(root))
		insert(m, m->len, add, 0);
	else if (merge_map(m, root, "the file", add, 0) < 0)
		return -1;
	apply_insertions(m, out);
	if (!is_intended(root, add, m->depth, out))
		return refuse(m, root, "the file", "it cannot be edited without guessing");
	return 0;
}

int yaml_merge(const char *text, size_t len, const json_t *add, int depth, struct str *out, struct err *err)
{
	struct merge m = {.text = text, .len = len, .depth = depth, .err = err};
	_cleanup_str_ struct str after = {0};
	struct ynode *root = NULL;

	if (ynode_parse(text, len, &root, err) < 0)
		return -1;
	int rc = merge_root(&m, root, add, &after);
	if (rc == 0)
		str_add(out, str_cstr(&after), after.len);
	ynode_free(root);
	merge_free(&m);
	return rc;
}

int traefik_merge(const char *text, size_t len, const json_t *add, int depth, struct str *out, struct err *err)
{
	_cleanup_str_ struct str lines = {0};

	render(&lines, add, 0);
	if (check_template(text, len, "the file", err) < 0 ||
	    check_template(str_cstr(&lines), lines.len, "one of the definitions", err) < 0)
		return -1;
	return yaml_merge(text, len, add, depth, out, err);
}
