/* A map while it is read: duplicate keys are findings, merge keys ("<<") are merged. */
#ifndef RECONCILE_SPEC_MAP_H
#define RECONCILE_SPEC_MAP_H

#include "spec/spec.h"

struct map_entry {
	struct snode *node;
	size_t rank;  /* 0: written here; else the number of the merged map: the lowest wins */
	size_t order; /* as read */
};

struct map_builder {
	VEC(struct map_entry) entries;
	const char *key; /* the one whose value is next */
	struct mark key_mark;
	bool key_merges;
	struct mark merge_mark; /* of the first "<<"; line 0 for none */
	size_t n_merged;
};

void map_reset(struct map_builder *b);
void map_free(struct map_builder *b);
void map_key(struct map_builder *b, const char *key, struct mark m, bool merges);
void map_put(struct map_builder *b, struct snode *value, struct diags *diags); /* for the key just given */
/* Gives n its items: in the order written, what was merged last. */
void map_finish(struct map_builder *b, struct snode *n, struct arena *arena, struct diags *diags);

#endif
