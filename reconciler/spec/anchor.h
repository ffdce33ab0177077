/* Anchors, and the copies that aliases make of them, within a budget. */
#ifndef RECONCILE_SPEC_ANCHOR_H
#define RECONCILE_SPEC_ANCHOR_H

#include "spec/spec.h"

struct anchor {
	const char *name;
	struct snode *node;
	bool complete; /* false: an alias now would be inside the value */
};

struct anchors {
	struct arena *arena;
	void *tree; /* tsearch(3) */
	size_t copied;
};

void anchors_init(struct anchors *a, struct arena *arena);
void anchors_free(struct anchors *a);
/* A name that is given again means the new node from here on, as YAML has it. */
struct anchor *anchors_add(struct anchors *a, const char *name, struct snode *n);
/*
 * *out: a copy for an alias at m, under depth levels; a scalar without text when
 * there is no such anchor (which is a finding). Its root has the alias's mark.
 * Returns -1, with a finding, when a limit is reached.
 */
int anchors_copy(struct anchors *a, const char *name, struct mark m, size_t depth, struct snode **out,
		 struct diags *diags) MUST_CHECK;

#endif
