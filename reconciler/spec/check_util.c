#include "spec/check_util.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const struct snode *section_of(const struct checker *c, const char *section)
{
	return snode_get(c->root, section);
}

const struct snode *member_of(const struct checker *c, const char *section, const char *name)
{
	return name ? snode_get(section_of(c, section), name) : NULL;
}

#define HINTS_MAX 200

const char *hint_of(const struct checker *c, char buf[static HINT_SIZE], const struct snode *from, const char *name,
		    const char *const *candidates, size_t n)
{
	const char *best = NULL;
	uint32_t least = strlen(name) < 4 ? 2 : 3; /* one letter of a short name, two of a longer one */

	if (from && from->from_env)
		n = 0;
	for (size_t i = 0; i < n && c->diags->list.n < HINTS_MAX; i++) {
		uint32_t d = str_distance(name, candidates[i]);
		if (d < least && d < strlen(name)) {
			least = d;
			best = candidates[i];
		}
	}
	buf[0] = '\0';
	if (best)
		snprintf(buf, HINT_SIZE, "; did you mean '%s'?", best);
	return buf;
}

const char *hint_in(const struct checker *c, char buf[static HINT_SIZE], const struct snode *from, const char *name,
		    const struct snode *map)
{
	VEC(const char *) keys = {0};

	for (size_t i = 0; i < snode_count(map) && map->type == SNODE_MAP; i++)
		vec_push(&keys, map->items[i]->key);
	hint_of(c, buf, from, name, keys.v, keys.n);
	vec_free(&keys);
	return buf;
}

const char *number_shown(char buf[static NUMBER_SIZE], const struct snode *n, int64_t value)
{
	snprintf(buf, NUMBER_SIZE, "%lld", (long long)value);
	return snode_shown_part(n, buf);
}

static int compare_named(const void *a, const void *b)
{
	const struct named *x = a, *y = b;
	int order = strcmp(x->name, y->name);

	if (order)
		return order;
	return x->mark.line != y->mark.line ? (x->mark.line < y->mark.line ? -1 : 1) : x->mark.col - y->mark.col;
}

void named_sort(struct named *v, size_t n)
{
	if (n > 0)
		qsort(v, n, sizeof(*v), compare_named);
}

const struct snode *check_name(struct checker *c, const struct snode *use, const char *section, const char *who)
{
	const char *name = snode_scalar(use);
	const struct snode *map = section_of(c, section), *found = name ? snode_get(map, name) : NULL;
	char hint[HINT_SIZE];

	if (name && !found)
		check_error(c, use->mark, "%s: '%s' is not declared under %s%s", who, snode_shown(use), section,
			    hint_in(c, hint, use, name, map));
	return found;
}

void check_names(struct checker *c, const struct snode *list, const char *section, const char *who)
{
	for (size_t i = 0; i < snode_count(list); i++)
		check_name(c, list->items[i], section, who);
}

const char *who_is(char buf[static WHO_SIZE], const char *kind, const struct snode *item)
{
	snprintf(buf, WHO_SIZE, "%s '%s'", kind, item->key ? item->key : "");
	return buf;
}

bool pair_at(const struct snode *n, size_t i, struct pair *out)
{
	const struct snode *item = i < snode_count(n) ? n->items[i] : NULL;
	const char *text = snode_scalar(item);

	if (!item)
		return false;
	if (n->type == SNODE_MAP) {
		*out = (struct pair){item->key, strlen(item->key), text, item->key_mark, item};
		return true;
	}
	if (!text)
		text = "";
	size_t len = strcspn(text, "=");
	*out = (struct pair){text, len, text[len] ? text + len + 1 : NULL, item->mark, item};
	return true;
}

bool pair_is(const struct pair *p, const char *key)
{
	return strlen(key) == p->key_len && memcmp(p->key, key, p->key_len) == 0;
}

bool pair_starts(const struct pair *p, const char *prefix)
{
	size_t n = strlen(prefix);
	return p->key_len >= n && memcmp(p->key, prefix, n) == 0;
}

bool pair_find(const struct snode *n, const char *key, struct pair *out)
{
	for (size_t i = 0; pair_at(n, i, out); i++)
		if (pair_is(out, key))
			return true;
	return false;
}

char *pair_name(const struct pair *p)
{
	_cleanup_free_ char *name = xasprintf("%.*s", (int)p->key_len, p->key);

	return xstrdup(p->item->key ? name : snode_shown_part(p->item, name));
}

const char *item_name(const struct snode *item)
{
	return item->key ? item->key : snode_scalar(item);
}

const char *item_shown(const struct snode *item)
{
	return item->key ? item->key : snode_shown(item);
}

bool list_has(const struct snode *list, const char *name)
{
	for (size_t i = 0; i < snode_count(list); i++)
		if (str_eq(item_name(list->items[i]), name))
			return true;
	return false;
}

struct mark mark_or(const struct snode *n, const struct snode *otherwise)
{
	return n ? n->mark : otherwise->mark;
}

bool path_under(const char *path, const char *dir)
{
	size_t n = strlen(dir);

	while (n > 1 && dir[n - 1] == '/')
		n--;
	if (strncmp(path, dir, n) != 0)
		return false;
	return path[n] == '\0' || path[n] == '/' || n == 1;
}

bool image_is(const struct snode *service, const char *name)
{
	const char *image = snode_str(service, "image"), *slash = image ? strrchr(image, '/') : NULL;
	const char *last = slash ? slash + 1 : image;

	return last && strcspn(last, ":@") == strlen(name) && str_starts(last, name);
}

bool net4_parse(const char *text, struct net4 *out)
{
	char addr[INET_ADDRSTRLEN];
	size_t n = strcspn(text, "/");
	struct in_addr in;
	unsigned long bits = 32;

	if (n >= sizeof(addr))
		return false;
	memcpy(addr, text, n);
	addr[n] = '\0';
	if (inet_pton(AF_INET, addr, &in) != 1)
		return false;
	if (text[n]) {
		char *end;
		bits = strtoul(text + n + 1, &end, 10);
		if (end == text + n + 1 || *end || bits > 32)
			return false;
	}
	*out = (struct net4){ntohl(in.s_addr), (unsigned)bits};
	return true;
}

bool net4_overlap(const struct net4 *a, const struct net4 *b)
{
	unsigned bits = a->bits < b->bits ? a->bits : b->bits;
	uint32_t mask = bits == 0 ? 0 : UINT32_MAX << (32 - bits);

	return ((a->addr ^ b->addr) & mask) == 0;
}
