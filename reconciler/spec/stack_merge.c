/*
 * Several files of one stack (cli/compose/loader/merge.go of docker/cli 28).
 * Sections other than services: the later declaration replaces the earlier.
 * In a service maps are merged, lists appended, and what is empty (0, false,
 * "") does not win, but for what the tables name.
 */
#include "spec/stack.h"

#include <string.h>

static const char *const replaced[] = {"command", "entrypoint"};
/* Pointers to uint64: these win with 0 too. */
static const char *const counts[] = {"max_attempts", "parallelism", "replicas", "retries"};
/* Lists in which an entry replaces the one that has the same value here, sorted by it. */
static const struct {
	const char *list, *by;
} identified[] = {{"configs", "source"}, {"ports", "published"}, {"secrets", "source"}, {"volumes", "target"}};

static bool is_in(const char *key, const char *const *keys, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

static bool is_empty(const struct snode *n)
{
	switch (n->type) {
	case SNODE_NULL:
		return true;
	case SNODE_STRING:
		return !n->text || !*n->text;
	case SNODE_INT:
		return n->integer == 0;
	case SNODE_NUMBER:
		return n->number == 0;
	case SNODE_BOOL:
		return !n->boolean;
	default:
		return n->n_items == 0;
	}
}

static void merge_maps(struct stack *s, struct snode *base, struct snode *override);

static void append(struct arena *a, struct snode *base, const struct snode *override)
{
	struct snode_list all = {0};

	for (size_t i = 0; i < base->n_items; i++)
		vec_push(&all, base->items[i]);
	for (size_t i = 0; i < override->n_items; i++)
		vec_push(&all, override->items[i]);
	build_items(a, base, &all);
}

struct entry {
	struct snode *node;
	const char *id;
	bool numeric, is_override;
};

static int compare_entries(const void *a, const void *b)
{
	const struct entry *x = a, *y = b;

	if (x->numeric) {
		long p = strtol(x->id, NULL, 10), q = strtol(y->id, NULL, 10);
		return p < q ? -1 : p > q;
	}
	return strcmp(x->id, y->id);
}

/*
 * Also when only one of the files has the list: then of entries that are alike in this the last stays, which is
 * hardly meant. override may be NULL.
 */
static void merge_identified(struct stack *s, struct snode *base, const struct snode *override, const char *by)
{
	_cleanup_json_ json_t *index = json_object();
	VEC(struct entry) entries = {0};
	struct snode_list all = {0};
	size_t own = base->n_items;

	if (override)
		append(s->arena, base, override);
	for (size_t i = 0; i < base->n_items; i++) {
		const char *id = snode_str(base->items[i], by);
		struct entry e = {base->items[i], id ? id : "", strcmp(by, "published") == 0, i >= own};
		size_t at = (size_t)json_int(index, e.id, (int64_t)entries.n);
		if (at >= entries.n) {
			json_set_int(index, e.id, (int64_t)at);
			vec_push(&entries, e);
			continue;
		}
		if (entries.v[at].is_override == e.is_override)
			stack_warn(s, entries.v[at].node->mark,
				   "with several files docker stack deploy keeps only the last of the %s that have the "
				   "same %s: this one is lost",
				   base->key, by);
		entries.v[at] = e;
	}
	if (entries.n > 0)
		qsort(entries.v, entries.n, sizeof(*entries.v), compare_entries);
	for (size_t i = 0; i < entries.n; i++)
		vec_push(&all, entries.v[i].node);
	build_items(s->arena, base, &all);
	vec_free(&entries);
}

/* Values of one map, by name; those that are empty win only where that is so for the map's type. */
static void merge_values(struct arena *a, struct snode *base, const struct snode *override, bool empty_wins)
{
	_cleanup_json_ json_t *index = json_object();
	struct snode_list all = {0};

	for (size_t i = 0; i < base->n_items; i++) {
		json_set_int(index, base->items[i]->key, (int64_t)i);
		vec_push(&all, base->items[i]);
	}
	for (size_t i = 0; i < override->n_items; i++) {
		struct snode *n = override->items[i];
		size_t at = (size_t)json_int(index, n->key, (int64_t)all.n);
		if (at >= base->n_items)
			vec_push(&all, n);
		else if (empty_wins || !is_empty(n))
			all.v[at] = n;
	}
	build_items(a, base, &all);
}

/* mergeServiceNetworkConfig: the aliases are the later file's. */
static void merge_networks(struct arena *a, struct snode *base, const struct snode *override)
{
	for (size_t i = 0; i < override->n_items; i++) {
		struct snode *n = override->items[i], *old = build_at(base, n->key);
		const struct snode *aliases = snode_get(n, "aliases");
		if (!old || old->type != SNODE_MAP) {
			build_put(a, base, n);
		} else if (n->type == SNODE_MAP) {
			build_drop(old, "aliases");
			if (aliases)
				build_put(a, old, (struct snode *)aliases);
		}
	}
}

/* mergeLoggingConfig: options of another driver mean nothing. */
static void merge_logging(struct stack *s, struct snode *base, struct snode *override)
{
	const char *from = snode_str(base, "driver"), *to = snode_str(override, "driver");

	if (from && to && strcmp(from, to) != 0)
		*base = *override;
	else
		merge_maps(s, base, override);
}

static void merge_member(struct stack *s, struct snode *map, struct snode *old, struct snode *n)
{
	struct arena *a = s->arena;

	if (old->type != n->type || is_in(n->key, replaced, ARRAY_SIZE(replaced))) {
		if (!is_empty(n))
			build_put(a, map, n);
		return;
	}
	for (size_t i = 0; i < ARRAY_SIZE(identified); i++)
		if (strcmp(identified[i].list, n->key) == 0) {
			merge_identified(s, old, n, identified[i].by);
			return;
		}
	if (strcmp(n->key, "networks") == 0)
		merge_networks(a, old, n);
	else if (strcmp(n->key, "logging") == 0)
		merge_logging(s, old, n);
	else if (strcmp(n->key, "environment") == 0)
		merge_values(a, old, n, false);
	else if (strcmp(n->key, "labels") == 0 || strcmp(n->key, "sysctls") == 0 || strcmp(n->key, "ulimits") == 0 ||
		 strcmp(n->key, "options") == 0)
		merge_values(a, old, n, true);
	else if (n->type == SNODE_MAP)
		merge_maps(s, old, n);
	else if (n->type == SNODE_SEQ)
		append(a, old, n);
	else if (!is_empty(n) || is_in(n->key, counts, ARRAY_SIZE(counts)))
		build_put(a, map, n);
}

static void merge_maps(struct stack *s, struct snode *base, struct snode *override)
{
	for (size_t i = 0; i < override->n_items; i++) {
		struct snode *n = override->items[i], *old = build_at(base, n->key);
		if (old)
			merge_member(s, base, old, n);
		else
			build_put(s->arena, base, n);
	}
}

static void merge_service(struct stack *s, struct snode *base, struct snode *override)
{
	for (size_t i = 0; i < ARRAY_SIZE(identified); i++) {
		struct snode *list = build_at(base, identified[i].list);
		if (list && !snode_get(override, identified[i].list))
			merge_identified(s, list, NULL, identified[i].by);
	}
	merge_maps(s, base, override);
}

/* Services by name; of what the later file alone has, nothing has to be merged. */
static void merge_services(struct stack *s, struct snode *base, const struct snode *override)
{
	struct snode_list all = {0};

	for (size_t i = 0; i < base->n_items; i++)
		vec_push(&all, base->items[i]);
	for (size_t i = 0; i < override->n_items; i++) {
		struct snode *n = override->items[i], *old = build_at(base, n->key);
		if (!old)
			vec_push(&all, n);
		else if (old->type == SNODE_MAP && n->type == SNODE_MAP)
			merge_service(s, old, n);
	}
	build_items(s->arena, base, &all);
}

void stack_merge(struct stack *s, struct snode *base, struct snode *override)
{
	for (size_t i = 0; i < override->n_items; i++) {
		struct snode *n = override->items[i], *old = build_at(base, n->key);
		if (!old || old->type != SNODE_MAP || n->type != SNODE_MAP)
			build_put(s->arena, base, n);
		else if (strcmp(n->key, "services") == 0)
			merge_services(s, old, n);
		else
			merge_values(s->arena, old, n, true);
	}
}
