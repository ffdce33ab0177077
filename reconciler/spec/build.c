#include "spec/build.h"

#include <string.h>

static struct snode *new_node(struct arena *a, enum snode_type type, const char *key, const struct snode *from)
{
	struct snode *n = arena_alloc(a, sizeof(*n));

	*n = (struct snode){
		.type = type,
		.mark = from->mark,
		.key_mark = key && from->key ? from->key_mark : from->mark,
		.from_env = from->from_env,
		.quoted = true,
		.key = key ? arena_strdup(a, key) : NULL,
	};
	return n;
}

struct snode *build_map(struct arena *a, const char *key, const struct snode *from)
{
	return new_node(a, SNODE_MAP, key, from);
}

struct snode *build_list(struct arena *a, const char *key, const struct snode *from)
{
	return new_node(a, SNODE_SEQ, key, from);
}

struct snode *build_text(struct arena *a, const char *key, const char *text, const struct snode *from)
{
	struct snode *n = new_node(a, SNODE_STRING, key, from);

	n->text = arena_strdup(a, text);
	return n;
}

struct snode *build_int(struct arena *a, const char *key, int64_t value, const struct snode *from)
{
	struct snode *n = new_node(a, SNODE_INT, key, from);

	n->text = arena_printf(a, "%lld", (long long)value);
	n->integer = value;
	n->number = (double)value;
	return n;
}

struct snode *build_bool(struct arena *a, const char *key, bool value, const struct snode *from)
{
	struct snode *n = new_node(a, SNODE_BOOL, key, from);

	n->text = value ? "true" : "false";
	n->boolean = value;
	return n;
}

void build_put(struct arena *a, struct snode *map, struct snode *child)
{
	for (size_t i = 0; i < map->n_items; i++)
		if (strcmp(map->items[i]->key, child->key) == 0) {
			map->items[i] = child;
			return;
		}
	struct snode **items = arena_alloc(a, (map->n_items + 1) * sizeof(*items));
	if (map->n_items > 0)
		memcpy(items, map->items, map->n_items * sizeof(*items));
	items[map->n_items++] = child;
	map->items = items;
}

void build_drop(struct snode *map, const char *key)
{
	size_t kept = 0;

	for (size_t i = 0; i < map->n_items; i++)
		if (strcmp(map->items[i]->key, key) != 0)
			map->items[kept++] = map->items[i];
	map->n_items = kept;
}

void build_items(struct arena *a, struct snode *n, struct snode_list *items)
{
	n->n_items = items->n;
	n->items = NULL;
	if (items->n > 0) {
		n->items = arena_alloc(a, items->n * sizeof(*n->items));
		memcpy(n->items, items->v, items->n * sizeof(*n->items));
	}
	vec_free(items);
}

struct snode *build_at(struct snode *map, const char *path)
{
	return (struct snode *)snode_path(map, path);
}
