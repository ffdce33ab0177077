#include "spec/spec.h"

#include <string.h>

static const struct snode *member(const struct snode *map, const char *key, size_t len)
{
	if (!map || map->type != SNODE_MAP)
		return NULL;
	for (size_t i = 0; i < map->n_items; i++)
		if (strncmp(map->items[i]->key, key, len) == 0 && map->items[i]->key[len] == '\0')
			return map->items[i];
	return NULL;
}

const struct snode *snode_get(const struct snode *map, const char *key)
{
	return member(map, key, strlen(key));
}

const struct snode *snode_path(const struct snode *map, const char *path)
{
	for (size_t n; map && *path; path += n + (path[n] == '.')) {
		n = strcspn(path, ".");
		map = member(map, path, n);
	}
	return map;
}

const char *snode_scalar(const struct snode *n)
{
	return n && n->type != SNODE_NULL && n->type != SNODE_SEQ && n->type != SNODE_MAP ? n->text : NULL;
}

const char *snode_str(const struct snode *map, const char *key)
{
	return snode_scalar(snode_get(map, key));
}

int64_t snode_int(const struct snode *map, const char *key, int64_t fallback)
{
	const struct snode *n = snode_get(map, key);
	return n && n->type == SNODE_INT ? n->integer : fallback;
}

bool snode_bool(const struct snode *map, const char *key, bool fallback)
{
	const struct snode *n = snode_get(map, key);
	return n && n->type == SNODE_BOOL ? n->boolean : fallback;
}

const char *snode_shown_part(const struct snode *n, const char *part)
{
	return n && n->from_env ? HIDDEN_VALUE : part;
}

const char *snode_shown(const struct snode *n)
{
	return snode_shown_part(n, n && n->text ? n->text : "");
}

static json_t *seq_json(const struct snode *n)
{
	json_t *array = json_array();

	for (size_t i = 0; i < n->n_items; i++)
		json_array_append_new(array, snode_json(n->items[i]));
	return array;
}

static json_t *map_json(const struct snode *n)
{
	json_t *object = json_object();

	for (size_t i = 0; i < n->n_items; i++)
		json_set(object, n->items[i]->key, snode_json(n->items[i]));
	return object;
}

json_t *snode_json(const struct snode *n)
{
	if (!n)
		return json_null();
	switch (n->type) {
	case SNODE_STRING:
		return n->text ? json_string(n->text) : json_null();
	case SNODE_INT:
		return json_integer(n->integer);
	case SNODE_NUMBER:
		return json_real(n->number);
	case SNODE_BOOL:
		return json_boolean(n->boolean);
	case SNODE_SEQ:
		return seq_json(n);
	case SNODE_MAP:
		return map_json(n);
	default:
		return json_null();
	}
}
