/* Nodes of a tree that no text says as they are: what is built from the files of a stack. All live in an arena. */
#ifndef RECONCILE_SPEC_BUILD_H
#define RECONCILE_SPEC_BUILD_H

#include "spec/spec.h"

struct snode_list {
	struct snode **v;
	size_t n, cap;
};

/* key may be NULL for what goes into a list. from says where it is written and whether a variable's value is in it. */
struct snode *build_map(struct arena *a, const char *key, const struct snode *from);
struct snode *build_list(struct arena *a, const char *key, const struct snode *from);
struct snode *build_text(struct arena *a, const char *key, const char *text, const struct snode *from);
struct snode *build_int(struct arena *a, const char *key, int64_t value, const struct snode *from);
struct snode *build_bool(struct arena *a, const char *key, bool value, const struct snode *from);

/* Replaces the member of the child's key, or adds it as the last. For maps that are small. */
void build_put(struct arena *a, struct snode *map, struct snode *child);
void build_drop(struct snode *map, const char *key);
/* Gives n these items; the list is emptied. */
void build_items(struct arena *a, struct snode *n, struct snode_list *items);
/* snode_get and snode_path of a tree that is one's own. */
struct snode *build_at(struct snode *map, const char *path);

#endif
