#include "kinds/traefik/splice.h"

#include <string.h>

void step_free(struct step *s)
{
	for (size_t i = 0; i < s->splices.n; i++)
		str_free(&s->splices.v[i].text);
	vec_free(&s->splices);
	json_decref(s->intent);
	ynode_free(s->root);
}

/* Bytes and lines */

static bool is_break(char c)
{
	return c == '\n' || c == '\r';
}

static size_t bom_len(const struct step *s)
{
	return s->len >= 3 && memcmp(s->text, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
}

static size_t line_start(const struct step *s, size_t at)
{
	size_t first = bom_len(s);
	while (at > first && !is_break(s->text[at - 1]))
		at--;
	return at;
}

/* After the line's break, or the end of the text. */
static size_t next_line(const struct step *s, size_t at)
{
	while (at < s->len && !is_break(s->text[at]))
		at++;
	if (at + 1 < s->len && s->text[at] == '\r' && s->text[at + 1] == '\n')
		return at + 2;
	return at < s->len ? at + 1 : at;
}

/* The file's own line break: its first. */
static const char *line_break(const struct step *s)
{
	for (size_t i = 0; i < s->len; i++) {
		if (s->text[i] == '\n')
			return "\n";
		if (s->text[i] == '\r')
			return i + 1 < s->len && s->text[i + 1] == '\n' ? "\r\n" : "\r";
	}
	return "\n";
}

static size_t line_number(const struct step *s, size_t at)
{
	size_t n = 1;
	for (size_t i = 0; i < at; i = next_line(s, i))
		n += next_line(s, i) <= at && next_line(s, i) > i && is_break(s->text[next_line(s, i) - 1]);
	return n;
}

int step_refuse(struct step *s, const struct ynode *n, const char *what)
{
	return err_set(s->err, ERR_FAILED, "line %zu: %s", n ? line_number(s, n->start) : 1, what);
}

static struct str *add_splice(struct step *s, size_t at, size_t len)
{
	vec_push(&s->splices, ((struct splice){.at = at, .len = len}));
	return &s->splices.v[s->splices.n - 1].text;
}

/* The step of indentation that the file uses. */
static int indent_step(const struct ynode *n)
{
	for (size_t i = 0; n && n->type == YNODE_MAP && !n->flow && i < n->n; i++) {
		const struct ynode *item = n->items[i];
		if (item->type == YNODE_MAP && !item->flow && item->column > n->keys[i]->column)
			return item->column - n->keys[i]->column;
	}
	return 2;
}

/* The intended tree */

/* The tree of one value as written. */
static json_t *value_json(const char *written)
{
	struct ynode *n = NULL;
	if (ynode_parse(written, strlen(written), &n, NULL) < 0)
		return json_null();
	json_t *j = ynode_json(n);
	ynode_free(n);
	return j;
}

/* map and key of a member within the intent: the node's place in the tree by identity. */
static json_t *intent_of(const struct step *s, const struct ynode *n)
{
	const struct ynode *up = s->providers;

	if (n == s->root)
		return s->intent;
	int p = ynode_index(s->root, "providers");
	json_t *providers = p < 0 ? NULL : json_object_get(s->intent, s->root->keys[p]->text);
	if (n == up)
		return providers;
	for (size_t i = 0; up && i < up->n; i++)
		if (up->items[i] == n)
			return json_object_get(providers, up->keys[i]->text);
	return NULL;
}

static json_t *addition_json(const struct addition *a)
{
	json_t *inner = json_object();

	for (size_t i = 0; i < a->n_pairs; i++)
		json_set(inner, a->pairs[i].key, value_json(a->pairs[i].value));
	for (size_t i = a->n_keys; i > 0; i--) {
		json_t *outer = json_object();
		json_set(outer, a->keys[i - 1], inner);
		inner = outer;
	}
	return inner;
}

/* Rendering an addition */

static void write_key(struct str *out, const char *key, bool quoted)
{
	str_addf(out, quoted ? "\"%s\": " : "%s: ", key);
}

static void write_flow(struct str *out, const struct addition *a, bool quoted)
{
	for (size_t i = 0; i < a->n_keys; i++) {
		write_key(out, a->keys[i], quoted);
		str_addc(out, '{');
	}
	for (size_t i = 0; i < a->n_pairs; i++) {
		str_adds(out, i ? ", " : "");
		write_key(out, a->pairs[i].key, quoted);
		str_adds(out, a->pairs[i].value);
	}
	for (size_t i = 0; i < a->n_keys; i++)
		str_addc(out, '}');
}

static void write_block(struct str *out, const struct addition *a, int indent, int step, const char *eol)
{
	for (size_t i = 0; i < a->n_keys; i++, indent += step)
		str_addf(out, "%*s%s:%s", indent, "", a->keys[i], eol);
	for (size_t i = 0; i < a->n_pairs; i++)
		str_addf(out, "%*s%s: %s%s", indent, "", a->pairs[i].key, a->pairs[i].value, eol);
}

/* Lines at the start of a line, or at the end of a text whose last line is not ended. */
static void splice_lines(struct step *s, size_t at, const struct addition *a, int indent)
{
	struct str *out = add_splice(s, at, 0);
	const char *eol = line_break(s);

	if (at > bom_len(s) && !is_break(s->text[at - 1]))
		str_adds(out, eol);
	write_block(out, a, indent, indent_step(s->root), eol);
}

/* Into a mapping that has members. key: of the mapping, NULL for the root. */
static void splice_into_block(struct step *s, const struct ynode *map, const struct ynode *key,
			      const struct addition *a)
{
	size_t after_key = key ? next_line(s, key->end) : s->len;
	size_t before_first = line_start(s, map->keys[0]->start);

	splice_lines(s, s->variant == 0 ? after_key : before_first, a, map->keys[0]->column);
}

static void splice_into_flow(struct step *s, const struct ynode *map, const struct addition *a)
{
	size_t at = map->start + 1;
	bool quoted = map->n && !map->keys[0]->plain;
	struct str *out = add_splice(s, at, 0);

	write_flow(out, a, quoted);
	if (map->n)
		str_adds(out, at < s->len && (s->text[at] == ' ' || is_break(s->text[at])) ? "," : ", ");
}

/* In place of a null; it is the value of a key of map. */
static void splice_null(struct step *s, const struct ynode *map, const struct ynode *key, const struct ynode *null,
			const struct addition *a)
{
	if (!map->flow && null->start == null->end && s->variant == 0) {
		splice_lines(s, next_line(s, key->end), a, key->column + indent_step(s->root));
		return;
	}
	struct str *out = add_splice(s, null->start, null->end - null->start);
	str_adds(out, null->start > 0 && s->text[null->start - 1] == ':' ? " {" : "{");
	write_flow(out, a, !key->plain);
	str_addc(out, '}');
}

/* Adds to map (with its key; root: NULL), or below the null or missing member of it that the first of keys names. */
static void add(struct step *s, const struct ynode *map, const struct ynode *key, struct addition a)
{
	s->intent = ynode_json(s->root);
	if (ynode_is_null(s->root)) {
		json_decref(s->intent);
		s->intent = addition_json(&a);
		splice_lines(s, s->len, &a, 0);
		return;
	}
	json_t *target = intent_of(s, map);
	int null = a.n_keys ? ynode_index(map, a.keys[0]) : -1;
	if (null >= 0) {
		memmove(a.keys, a.keys + 1, --a.n_keys * sizeof(*a.keys));
		json_set(target, map->keys[null]->text, addition_json(&a));
		splice_null(s, map, map->keys[null], map->items[null], &a);
		return;
	}
	_cleanup_json_ json_t *added = addition_json(&a);
	json_object_update(target, added);
	if (map->flow)
		splice_into_flow(s, map, &a);
	else
		splice_into_block(s, map, key, &a);
}

const struct ynode *step_key(const struct ynode *map, const char *name)
{
	int i = map ? ynode_index(map, name) : -1;
	return i < 0 ? NULL : map->keys[i];
}

void step_add_below(struct step *s, const char *provider, const struct ynode *node, const struct addition *pairs)
{
	struct addition a = *pairs;

	a.n_keys = 0;
	if (!s->providers)
		a.keys[a.n_keys++] = "providers";
	if (!node)
		a.keys[a.n_keys++] = provider;
	if (node)
		add(s, node, step_key(s->providers, provider), a);
	else if (s->providers)
		add(s, s->providers, step_key(s->root, "providers"), a);
	else
		add(s, s->root, NULL, a);
}

/* Removing, renaming, setting members of docker or swarm */

int step_not_editable(struct step *s, const struct ynode *n)
{
	return step_refuse(s, n, "written in a way that is not edited; do it by hand");
}

/* Whole lines, so that nothing is left of the member but a comment above it. */
static int remove_lines(struct step *s, const struct ynode *key, const struct ynode *item)
{
	size_t start = line_start(s, key->start), rest = item->end;

	for (size_t i = start; i < key->start; i++)
		if (s->text[i] != ' ')
			return step_not_editable(s, key);
	while (rest < s->len && (s->text[rest] == ' ' || s->text[rest] == '\t'))
		rest++;
	if (rest < s->len && !is_break(s->text[rest]) && s->text[rest] != '#')
		return step_not_editable(s, key);
	add_splice(s, start, next_line(s, rest) - start);
	return 0;
}

static int remove_flow(struct step *s, const struct ynode *map, size_t i)
{
	size_t start = map->start + 1, end = map->end - 1;

	if (i + 1 < map->n) {
		start = map->keys[i]->start;
		end = map->keys[i + 1]->start;
	} else if (i > 0) {
		start = map->items[i - 1]->end;
		end = map->items[i]->end;
	}
	if (memchr(s->text + start, '#', end - start))
		return step_not_editable(s, map->keys[i]);
	add_splice(s, start, end - start);
	return 0;
}

/* A mapping without members is written {}: nothing would be null, and the provider off. */
static void write_empty(struct step *s, const struct ynode *key)
{
	size_t at = key->end;
	while (at < s->len && s->text[at] != ':')
		at++;
	str_adds(add_splice(s, at < s->len ? at + 1 : at, 0), " {}");
}

/* Where a member ends: itself, or the last of a mapping of scalars, all in plain sight; NULL: it is something else. */
static const struct ynode *last_scalar(const struct ynode *item)
{
	if (item->anchored)
		return NULL;
	if (item->type == YNODE_SCALAR || (item->type == YNODE_MAP && item->flow))
		return item;
	for (size_t i = 0; item->type == YNODE_MAP && i < item->n; i++)
		if (item->items[i]->type != YNODE_SCALAR || item->items[i]->anchored)
			return NULL;
	return item->type == YNODE_MAP && item->n > 0 ? item->items[item->n - 1] : NULL;
}

int step_remove(struct step *s, const struct ynode *map, const struct ynode *key, const char *name)
{
	size_t i = (size_t)ynode_index(map, name);

	const struct ynode *last = last_scalar(map->items[i]);

	s->intent = ynode_json(s->root);
	json_object_del(intent_of(s, map), map->keys[i]->text);
	if (!last ||
	    (last != map->items[i] && memchr(s->text + map->keys[i]->start, '#', last->end - map->keys[i]->start)))
		return step_not_editable(s, map->keys[i]);
	if (map->flow)
		return remove_flow(s, map, i);
	if (map->n == 1)
		write_empty(s, key);
	return remove_lines(s, map->keys[i], last);
}

void step_rename(struct step *s, const struct ynode *map, const char *from, const char *to)
{
	const struct ynode *key = step_key(map, from);
	int quotes = key->plain ? 0 : 1;

	s->intent = ynode_json(s->root);
	json_t *members = intent_of(s, map);
	json_t *value = json_incref(json_object_get(members, key->text));
	json_object_del(members, key->text);
	json_set(members, to, value);
	str_adds(add_splice(s, key->start + (size_t)quotes, key->end - key->start - 2 * (size_t)quotes), to);
}

int step_set(struct step *s, const struct ynode *map, const char *name, const char *value)
{
	const struct ynode *item = ynode_get(map, name);

	if (item->type != YNODE_SCALAR || item->anchored || item->tagged)
		return step_not_editable(s, item);
	s->intent = ynode_json(s->root);
	json_set(intent_of(s, map), step_key(map, name)->text, value_json(value));
	struct str *out = add_splice(s, item->start, item->end - item->start);
	if (item->start == item->end && s->text[item->start - 1] == ':')
		str_addc(out, ' ');
	str_adds(out, value);
	return 0;
}
