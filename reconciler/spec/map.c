#include "spec/map.h"

#include <string.h>

void map_reset(struct map_builder *b)
{
	b->entries.n = 0;
	b->merge_mark.line = 0;
	b->n_merged = 0;
}

void map_free(struct map_builder *b)
{
	vec_free(&b->entries);
}

void map_key(struct map_builder *b, const char *key, struct mark m, bool merges)
{
	b->key = key;
	b->key_mark = m;
	b->key_merges = merges;
}

static void push(struct map_builder *b, struct snode *n, size_t rank)
{
	struct map_entry e = {n, rank, b->entries.n};

	vec_push(&b->entries, e);
}

/* The members become the new map's own; their marks stay where they were written. */
static void merge_map(struct map_builder *b, const struct snode *map)
{
	b->n_merged++;
	for (size_t i = 0; i < map->n_items; i++)
		push(b, map->items[i], b->n_merged);
}

static void cannot_merge(const struct snode *n, struct diags *diags)
{
	if (n->type == SNODE_SEQ || n->text)
		diag_add(diags, DIAG_ERROR, n->mark, "'<<' merges a map or a list of maps, not %s",
			 n->type == SNODE_SEQ ? "a list of lists" : "a text");
}

static void merge(struct map_builder *b, struct snode *value, struct diags *diags)
{
	if (b->merge_mark.line > 0) {
		diag_add(diags, DIAG_ERROR, b->key_mark,
			 "'<<' is already on line %d: give several maps as one list, <<: [*a, *b]", b->merge_mark.line);
		return;
	}
	b->merge_mark = b->key_mark;
	if (value->type == SNODE_MAP)
		merge_map(b, value);
	else if (value->type != SNODE_SEQ)
		cannot_merge(value, diags);
	for (size_t i = 0; value->type == SNODE_SEQ && i < value->n_items; i++) {
		if (value->items[i]->type == SNODE_MAP)
			merge_map(b, value->items[i]);
		else
			cannot_merge(value->items[i], diags);
	}
}

void map_put(struct map_builder *b, struct snode *value, struct diags *diags)
{
	if (b->key_merges) {
		merge(b, value, diags);
		return;
	}
	value->key = b->key;
	value->key_mark = b->key_mark;
	value->key_mark.hidden = value->mark.hidden;
	push(b, value, 0);
}

static int by_key(const void *a, const void *b)
{
	const struct map_entry *x = a, *y = b;
	int d = strcmp(x->node->key, y->node->key);

	if (d)
		return d;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

/* Of the entries with one key the first in this order stays: sorted, so that a large map costs n log n. */
static size_t drop_repeated(struct map_builder *b, struct diags *diags)
{
	struct map_entry *e = b->entries.v;
	size_t kept = 0;

	qsort(e, b->entries.n, sizeof(*e), by_key);
	for (size_t i = 0; i < b->entries.n; i++) {
		if (kept == 0 || strcmp(e[kept - 1].node->key, e[i].node->key) != 0)
			e[kept++] = e[i];
		else if (e[i].rank == 0)
			diag_add(diags, DIAG_ERROR, e[i].node->key_mark, "key '%s' is already on line %d",
				 e[i].node->key, e[kept - 1].node->key_mark.line);
	}
	return kept;
}

static int by_order(const void *a, const void *b)
{
	const struct map_entry *x = a, *y = b;

	if ((x->rank == 0) != (y->rank == 0))
		return x->rank == 0 ? -1 : 1;
	return x->order < y->order ? -1 : x->order > y->order;
}

void map_finish(struct map_builder *b, struct snode *n, struct arena *arena, struct diags *diags)
{
	if (b->entries.n == 0)
		return;
	n->n_items = drop_repeated(b, diags);
	qsort(b->entries.v, n->n_items, sizeof(*b->entries.v), by_order);
	n->items = arena_alloc(arena, n->n_items * sizeof(*n->items));
	for (size_t i = 0; i < n->n_items; i++)
		n->items[i] = b->entries.v[i].node;
}
