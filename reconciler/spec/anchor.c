#include "spec/anchor.h"

#include "spec/yaml.h"

#include <search.h>
#include <string.h>

void anchors_init(struct anchors *a, struct arena *arena)
{
	*a = (struct anchors){.arena = arena};
}

static void leave(void *anchor)
{
	(void)anchor; /* in the arena */
}

void anchors_free(struct anchors *a)
{
	tdestroy(a->tree, leave);
	a->tree = NULL;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct anchor *)a)->name, ((const struct anchor *)b)->name);
}

struct anchor *anchors_add(struct anchors *a, const char *name, struct snode *n)
{
	struct anchor *new = arena_alloc(a->arena, sizeof(*new));

	*new = (struct anchor){arena_strdup(a->arena, name), n, false};
	struct anchor **found = tsearch(new, &a->tree, compare);
	if (found)
		*found = new;
	return new;
}

struct copying {
	struct anchors *anchors;
	bool too_many, too_deep;
};

static struct snode *copy(struct copying *c, const struct snode *from, size_t depth)
{
	bool container = from->type == SNODE_MAP || from->type == SNODE_SEQ;

	c->too_many |= ++c->anchors->copied > YAML_ALIAS_NODES_MAX;
	c->too_deep |= container && depth >= YAML_DEPTH_MAX;
	struct snode *n = arena_alloc(c->anchors->arena, sizeof(*n));
	*n = *from;
	if (!container || n->n_items == 0 || c->too_many || c->too_deep)
		return n;
	n->items = arena_alloc(c->anchors->arena, n->n_items * sizeof(*n->items));
	for (size_t i = 0; i < n->n_items && !c->too_many && !c->too_deep; i++)
		n->items[i] = copy(c, from->items[i], depth + 1);
	return n;
}

static struct snode *unreadable(struct anchors *a)
{
	struct snode *n = arena_alloc(a->arena, sizeof(*n));

	n->type = SNODE_STRING;
	return n;
}

int anchors_copy(struct anchors *a, const char *name, struct mark m, size_t depth, struct snode **out,
		 struct diags *diags)
{
	struct anchor wanted = {.name = name};
	struct anchor *const *found = tfind(&wanted, &a->tree, compare);
	struct copying c = {.anchors = a};

	if (!found)
		diag_add(diags, DIAG_ERROR, m, "alias '*%s' has no anchor '&%s' before it", name, name);
	else if (!(*found)->complete)
		diag_add(diags, DIAG_ERROR, m, "alias '*%s' is inside the value it stands for", name);
	*out = found && (*found)->complete ? copy(&c, (*found)->node, depth) : unreadable(a);
	m.hidden = (*out)->mark.hidden;
	(*out)->mark = (*out)->key_mark = m;
	(*out)->key = NULL; /* the alias stands under another key, or in a list */
	if (c.too_many)
		diag_add(diags, DIAG_ERROR, m, "aliases make this spec too large; the limit is %d nodes",
			 YAML_ALIAS_NODES_MAX);
	else if (c.too_deep)
		diag_add(diags, DIAG_ERROR, m, "with alias '*%s' this is nested too deep; the limit is %d levels", name,
			 YAML_DEPTH_MAX);
	return c.too_many || c.too_deep ? -1 : 0;
}
