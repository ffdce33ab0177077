/* The walk of the checker over maps and lists. */
#include "spec/rule.h"

#include <string.h>

#define SUGGESTIONS_MAX 200 /* findings after which no more are looked for */
#define LISTED_MAX 12       /* allowed keys that a message lists */

static bool is_scalar(const struct snode *n)
{
	return n->type != SNODE_SEQ && n->type != SNODE_MAP;
}

const struct snode *snode_written(const struct snode *map, const char *key)
{
	const struct snode *n = snode_get(map, key);
	return n && !n->is_default ? n : NULL;
}

/* " in 'ollama'" */
static char *whereabouts(const struct snode *map)
{
	return map->key ? xasprintf(" in '%s'", map->key) : xstrdup("");
}

static const char *nearest_key(const struct rule *r, const char *key)
{
	const char *best = NULL;
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < r->properties.n; i++) {
		const struct property *p = &r->properties.v[i];
		uint32_t d = p->rule->error ? UINT32_MAX : str_distance(key, p->name);
		if (d < least && (d <= 2 || d <= strlen(p->name) / 3) && d < strlen(p->name)) {
			least = d;
			best = p->name;
		}
	}
	return best;
}

static char *allowed_keys(const struct rule *r)
{
	_cleanup_json_ json_t *names = json_array();

	for (size_t i = 0; i < r->properties.n; i++)
		if (!r->properties.v[i].rule->error)
			json_array_append_new(names, json_string(r->properties.v[i].name));
	size_t n = json_array_size(names);
	return n > 0 && n <= LISTED_MAX ? words_values(names) : NULL;
}

static void unknown_key(struct validation *c, const struct rule *r, const struct snode *map, const struct snode *n)
{
	if (!fails(c))
		return;
	bool look = c->diags->n_errors < SUGGESTIONS_MAX;
	const char *near = look ? nearest_key(r, n->key) : NULL;
	_cleanup_free_ char *where = whereabouts(map), *allowed = look && !near ? allowed_keys(r) : NULL;
	if (near)
		diag_add(c->diags, DIAG_ERROR, n->key_mark, "unknown key '%s'%s; did you mean '%s'?", n->key, where,
			 near);
	else if (allowed)
		diag_add(c->diags, DIAG_ERROR, n->key_mark, "unknown key '%s'%s; expected %s", n->key, where, allowed);
	else
		diag_add(c->diags, DIAG_ERROR, n->key_mark, "unknown key '%s'%s", n->key, where);
}

static void check_member(struct validation *c, const struct rule *r, const struct snode *map, struct snode *n)
{
	const struct rule *own = rule_property(r, n->key);
	bool known = own != NULL;

	if (r->names) {
		struct snode name = {.type = SNODE_STRING,
				     .quoted = true,
				     .text = n->key,
				     .mark = n->key_mark,
				     .key_mark = n->key_mark};
		validate_node(c, r->names, &name);
	}
	if (own)
		validate_node(c, own, n);
	for (size_t i = 0; i < r->patterns.n; i++)
		if (regex_matches(r->patterns.v[i].regex, n->key)) {
			validate_node(c, r->patterns.v[i].rule, n);
			known = true;
		}
	if (known || !r->additional)
		return;
	if (r->additional->never)
		unknown_key(c, r, map, n);
	else
		validate_node(c, r->additional, n);
}

static void check_required(struct validation *c, const struct rule *r, const struct snode *n)
{
	for (size_t i = 0; i < json_array_size(r->required); i++) {
		const char *key = json_string_value(json_array_get(r->required, i));
		if (snode_written(n, key) || !fails(c))
			continue;
		_cleanup_free_ char *where = whereabouts(n);
		diag_add(c->diags, DIAG_ERROR, n->key_mark, "missing key '%s'%s", key, where);
	}
}

static void check_dependencies(struct validation *c, const struct rule *r, const struct snode *n)
{
	for (size_t i = 0; i < r->dependencies.n; i++) {
		const struct dependency *d = &r->dependencies.v[i];
		const struct snode *given = snode_written(n, d->key);
		for (size_t k = 0; given && k < json_array_size(d->needs); k++) {
			const char *key = json_string_value(json_array_get(d->needs, k));
			if (!snode_written(n, key) && fails(c))
				diag_add(c->diags, DIAG_ERROR, given->key_mark, "'%s' needs the key '%s' beside it",
					 d->key, key);
		}
	}
}

static size_t count_written(const struct snode *n)
{
	size_t count = 0;

	for (size_t i = 0; i < n->n_items; i++)
		count += !n->items[i]->is_default;
	return count;
}

static const char *plural(size_t n, const char *one, const char *many)
{
	return n == 1 ? one : many;
}

static void check_map(struct validation *c, const struct rule *r, struct snode *n)
{
	check_required(c, r, n);
	for (size_t i = 0; i < n->n_items; i++)
		if (!n->items[i]->is_default)
			check_member(c, r, n, n->items[i]);
	check_dependencies(c, r, n);
	size_t count = r->min_properties.set ? count_written(n) : 0;
	if (r->min_properties.set && count < r->min_properties.value && fails(c))
		diag_add(c->diags, DIAG_ERROR, n->mark, "expected at least %zu %s, found %zu", r->min_properties.value,
			 plural(r->min_properties.value, "key", "keys"), count);
}

struct entry {
	struct str value;
	const struct snode *node;
	size_t index;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;
	int d = strcmp(str_cstr(&x->value), str_cstr(&y->value));

	return d ? d : x->index < y->index ? -1 : 1;
}

static bool is_unreadable(const struct snode *n)
{
	return is_scalar(n) && !n->text;
}

static struct entry *entries_of(const struct snode *list, size_t *n)
{
	struct entry *e = xcalloc(list->n_items, sizeof(*e));

	*n = 0;
	for (size_t i = 0; i < list->n_items; i++) {
		if (is_unreadable(list->items[i]))
			continue;
		_cleanup_json_ json_t *value = snode_json(list->items[i]);
		e[*n].node = list->items[i];
		e[*n].index = i;
		json_canonical(value, &e[*n].value);
		++*n;
	}
	return e;
}

/* By sorting: a list may have as many entries as fit into the spec. */
static void check_unique(struct validation *c, const struct snode *list)
{
	size_t n;
	struct entry *e = entries_of(list, &n);

	qsort(e, n, sizeof(*e), compare_entries);
	for (size_t i = 1; i < n; i++) {
		if (strcmp(str_cstr(&e[i - 1].value), str_cstr(&e[i].value)) != 0 || !fails(c))
			continue;
		_cleanup_free_ char *found = words_found(e[i].node);
		diag_add(c->diags, DIAG_ERROR, e[i].node->mark, "%s is already in this list, on line %d", found,
			 e[i - 1].node->mark.line);
	}
	for (size_t i = 0; i < n; i++)
		str_free(&e[i].value);
	free(e);
}

static void check_seq(struct validation *c, const struct rule *r, struct snode *n)
{
	size_t before = c->errors;

	for (size_t i = 0; r->items && i < n->n_items; i++)
		validate_node(c, r->items, n->items[i]);
	if (r->min_items.set && n->n_items < r->min_items.value && fails(c))
		diag_add(c->diags, DIAG_ERROR, n->mark, "expected at least %zu %s, found %zu", r->min_items.value,
			 plural(r->min_items.value, "entry", "entries"), n->n_items);
	if (r->max_items.set && n->n_items > r->max_items.value && fails(c))
		diag_add(c->diags, DIAG_ERROR, n->mark, "expected at most %zu %s, found %zu", r->max_items.value,
			 plural(r->max_items.value, "entry", "entries"), n->n_items);
	if (r->unique && n->n_items > 1 && c->errors == before)
		check_unique(c, n);
}

static void check_banned(struct validation *c, const struct rule *r, struct snode *n)
{
	struct validation dry = {.arena = c->arena, .diags = c->diags, .dry = true};

	validate_node(&dry, r->banned, n);
	if (dry.errors > 0 || !fails(c))
		return;
	const char *message = r->banned->message ? r->banned->message : r->message;
	diag_add(c->diags, DIAG_ERROR, n->key_mark, "%s", message ? message : "this is not allowed here");
}

static struct snode *from_json(struct arena *arena, const json_t *v, struct mark mark, const char *key);

static void fill_container(struct arena *arena, struct snode *n, const json_t *v)
{
	const char *key;
	json_t *value;
	size_t i = 0;

	n->n_items = json_is_object(v) ? json_object_size(v) : json_array_size(v);
	n->items = arena_alloc(arena, n->n_items * sizeof(*n->items));
	json_object_foreach ((json_t *)v, key, value)
		n->items[i++] = from_json(arena, value, n->mark, key);
	for (; i < n->n_items; i++)
		n->items[i] = from_json(arena, json_array_get(v, i), n->mark, NULL);
}

static struct snode *from_json(struct arena *arena, const json_t *v, struct mark mark, const char *key)
{
	struct snode *n = arena_alloc(arena, sizeof(*n));
	_cleanup_str_ struct str text = {0};

	*n = (struct snode){.mark = mark, .key_mark = mark, .key = key ? arena_strdup(arena, key) : NULL};
	if (json_is_object(v) || json_is_array(v)) {
		n->type = json_is_object(v) ? SNODE_MAP : SNODE_SEQ;
		fill_container(arena, n, v);
		return n;
	}
	n->type = SNODE_STRING;
	n->quoted = json_is_string(v);
	if (json_is_string(v))
		str_adds(&text, json_string_value(v));
	else
		json_canonical(v, &text);
	n->text = arena_strdup(arena, str_cstr(&text));
	return n;
}

static void mark_default(struct snode *n)
{
	n->is_default = true;
	for (size_t i = 0; i < n->n_items; i++)
		mark_default(n->items[i]);
}

static const json_t *default_of(const struct rule *r)
{
	while (r && !r->fallback)
		r = r->ref;
	return r ? r->fallback : NULL;
}

/* Checked like what is written, for its types; marked as defaults after that. */
static void add_defaults(struct validation *c, const struct rule *r, struct snode *n)
{
	VEC(struct snode *) missing = {0};

	for (size_t i = 0; i < r->properties.n; i++) {
		const struct property *p = &r->properties.v[i];
		const json_t *value = default_of(p->rule);
		if (!value || snode_get(n, p->name))
			continue;
		struct snode *d = from_json(c->arena, value, n->mark, p->name);
		validate_node(c, p->rule, d);
		mark_default(d);
		vec_push(&missing, d);
	}
	if (missing.n > 0) {
		struct snode **items = arena_alloc(c->arena, (n->n_items + missing.n) * sizeof(*items));
		if (n->n_items > 0)
			memcpy(items, n->items, n->n_items * sizeof(*items));
		memcpy(items + n->n_items, missing.v, missing.n * sizeof(*items));
		n->items = items;
		n->n_items += missing.n;
	}
	vec_free(&missing);
}

static void say_expected(struct validation *c, const struct rule *r, const struct snode *n)
{
	_cleanup_free_ char *wanted = words_expected(r), *found = words_found(n);

	diag_add(c->diags, DIAG_ERROR, n->mark, "expected %s, found %s", wanted, found);
}

/* Keywords that speak about the key's presence. True: nothing more to check. */
static bool check_presence(struct validation *c, const struct rule *r, const struct snode *n)
{
	if (r->error || r->never) {
		if (fails(c))
			diag_add(c->diags, DIAG_ERROR, n->key_mark, "%s",
				 r->error ? r->error : "this is not allowed here");
		return true;
	}
	if (r->warning && !c->dry)
		diag_add(c->diags, DIAG_WARNING, n->key_mark, "%s", r->warning);
	if (r->deprecated && !c->dry)
		diag_add(c->diags, DIAG_WARNING, n->key_mark, "'%s' is deprecated%s%s", n->key ? n->key : "this",
			 r->message ? ": " : "", r->message ? r->message : "");
	return false;
}

void validate_node(struct validation *c, const struct rule *r, struct snode *n)
{
	struct snode copy = *n;

	if (check_presence(c, r, n) || is_unreadable(n))
		return;
	if (is_scalar(n)) {
		n = c->dry ? &copy : n;
		size_t before = c->errors;
		scalar_check(c, r, n);
		if (c->errors > before)
			return;
	} else if (r->types && !(r->types & TYPE(n->type))) {
		if (fails(c))
			say_expected(c, r, n);
		return;
	} else if (n->type == SNODE_MAP) {
		check_map(c, r, n);
	} else {
		check_seq(c, r, n);
	}
	if (r->banned)
		check_banned(c, r, n);
	if (r->branches.n > 0)
		validate_branches(c, r, n);
	if (r->ref)
		validate_node(c, r->ref, n);
	if (n->type == SNODE_MAP && !c->dry)
		add_defaults(c, r, n);
}

void schema_check(const struct schema *s, struct snode *root, struct arena *arena, struct diags *diags)
{
	struct validation c = {.arena = arena, .diags = diags};

	validate_node(&c, schema_root(s), root);
}
