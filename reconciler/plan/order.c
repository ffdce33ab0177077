#include "plan/order.h"

#include <stdint.h>
#include <string.h>

#define NO_CHANGE SIZE_MAX

/* A wanted resource, or a live one that is to be pruned. */
struct node {
	const struct resource *resource;
	const struct kind *kind;
	unsigned rank;
	size_t change; /* index in plan->changes before sorting; NO_CHANGE: in sync */
	enum { WHITE, GREY, BLACK } color;
	size_t seen_by; /* stamp of the walk that collects ancestors */
};

struct orderer {
	struct plan *plan;
	const struct plan_input *in;
	struct node *nodes; /* wanted ones first, sorted by kind and name */
	size_t n_nodes, n_wanted;
	VEC(size_t) order; /* node indices in order of execution */
	size_t *position;  /* old change index -> new */
};

/* Longest chain of `after` columns below a kind; depth bounds a table with a cycle. */
static unsigned kind_rank(const struct plan_input *in, const struct kind *k, unsigned depth)
{
	unsigned rank = 0;
	for (const char *const *a = k->after; a && *a && depth < in->n_kinds; a++) {
		const struct kind *before = plan_input_kind(in, *a);
		unsigned r = before ? kind_rank(in, before, depth + 1) + 1 : 0;
		if (r > rank)
			rank = r;
	}
	return rank;
}

static struct node *find_node(struct orderer *o, const char *key)
{
	const struct resource *r = resource_find_key(o->in->want, key);
	size_t lo = 0, hi = o->n_wanted;

	while (r && lo < hi) {
		size_t mid = (lo + hi) / 2;
		const struct resource *m = o->nodes[mid].resource;
		int c = strcmp(r->kind, m->kind);
		c = c ? c : strcmp(r->name, m->name);
		if (c == 0)
			return &o->nodes[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

static struct node *find_pruned(struct orderer *o, const char *key)
{
	for (size_t i = o->n_wanted; i < o->n_nodes; i++) {
		const struct resource *r = o->nodes[i].resource;
		size_t len = strlen(r->kind);
		if (strncmp(key, r->kind, len) == 0 && key[len] == '/' && strcmp(key + len + 1, r->name) == 0)
			return &o->nodes[i];
	}
	return NULL;
}

static bool is_of(const struct change *c, const struct resource *r)
{
	return c->desired && strcmp(c->desired->name, r->name) == 0 && strcmp(c->desired->kind, r->kind) == 0;
}

static void make_nodes(struct orderer *o)
{
	const struct plan_input *in = o->in;
	size_t next = 0;

	o->n_wanted = resource_count(in->want);
	o->nodes = xcalloc(o->n_wanted + o->plan->changes.n, sizeof(*o->nodes));
	for (size_t i = 0; i < o->n_wanted; i++) {
		struct node *n = &o->nodes[i];
		n->resource = resource_at(in->want, i);
		n->kind = plan_input_kind(in, n->resource->kind);
		n->rank = n->kind ? kind_rank(in, n->kind, 0) : 0;
		n->change = NO_CHANGE;
		n->seen_by = NO_CHANGE;
		/* plan_make adds changes in the same order as resource_at; a desired resource may be its own copy. */
		if (next < o->plan->changes.n && is_of(&o->plan->changes.v[next], n->resource))
			n->change = next++;
	}
	o->n_nodes = o->n_wanted;
	for (; next < o->plan->changes.n; next++) {
		const struct change *c = &o->plan->changes.v[next];
		/* Pruning comes last and backwards: what uses a thing goes before the thing. */
		o->nodes[o->n_nodes++] = (struct node){
			.resource = c->live,
			.kind = c->kind,
			.rank = 1000 - kind_rank(in, c->kind, 0),
			.change = next,
			.seen_by = NO_CHANGE,
		};
	}
}

static bool is_gate_only(const struct kind *k)
{
	return k && k->gate && !k->apply;
}

static void add_verify(struct orderer *o, struct node *n)
{
	struct change c = {.action = ACTION_VERIFY, .kind = n->kind, .desired = n->resource, .why = WHY_DEPENDENCY};
	c.key = arena_printf(o->plan->arena, "%s/%s", n->resource->kind, n->resource->name);
	c.live = resource_find(o->in->live, n->resource->kind, n->resource->name);
	n->change = o->plan->changes.n;
	vec_push(&o->plan->changes, c);
}

static bool is_unmet(const struct orderer *o, const struct resource *r)
{
	_cleanup_free_ char *key = xasprintf("%s/%s", r->kind, r->name);
	return json_object_get(o->in->unmet, key) != NULL;
}

static size_t add_gates(struct orderer *o)
{
	size_t before = o->plan->changes.n;

	for (size_t i = 0; i < o->n_wanted; i++) {
		struct node *n = &o->nodes[i];
		if (is_gate_only(n->kind) && n->change == NO_CHANGE && is_unmet(o, n->resource))
			add_verify(o, n);
		for (size_t k = 0; k < n->resource->refs.n; k++) {
			struct node *dep = find_node(o, n->resource->refs.v[k].target);
			if (!dep)
				continue;
			if (is_gate_only(n->kind) && n->change == NO_CHANGE && dep->change != NO_CHANGE)
				add_verify(o, n);
			if (is_gate_only(dep->kind) && dep->change == NO_CHANGE && n->change != NO_CHANGE)
				add_verify(o, dep);
		}
	}
	return o->plan->changes.n - before;
}

static int compare_nodes(const void *a, const void *b, void *arg)
{
	const struct orderer *o = arg;
	const struct node *x = &o->nodes[*(const size_t *)a], *y = &o->nodes[*(const size_t *)b];
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	int c = strcmp(x->resource->kind, y->resource->kind);
	return c ? c : strcmp(x->resource->name, y->resource->name);
}

static void block_cycle(struct orderer *o, struct node *n, const struct ref *ref)
{
	if (n->change == NO_CHANGE)
		return;
	struct change *c = &o->plan->changes.v[n->change];
	c->state = CHANGE_BLOCKED;
	c->reason = arena_printf(o->plan->arena, "its order is a cycle: it comes after %s, which comes after it",
				 ref->target);
}

/* Depth first: what a resource refers to comes before it. Returns false when that would be a cycle. */
static bool visit(struct orderer *o, size_t i)
{
	struct node *n = &o->nodes[i];
	if (n->color != WHITE)
		return n->color == BLACK;
	n->color = GREY;
	for (size_t k = 0; i < o->n_wanted && k < n->resource->refs.n; k++) {
		struct node *dep = find_node(o, n->resource->refs.v[k].target);
		if (dep && !visit(o, (size_t)(dep - o->nodes)))
			block_cycle(o, n, &n->resource->refs.v[k]);
	}
	n->color = BLACK;
	vec_push(&o->order, i);
	return true;
}

static void sort_changes(struct orderer *o)
{
	size_t *by_rank = xcalloc(o->n_nodes, sizeof(*by_rank));
	for (size_t i = 0; i < o->n_nodes; i++)
		by_rank[i] = i;
	qsort_r(by_rank, o->n_nodes, sizeof(*by_rank), compare_nodes, o);
	for (size_t i = 0; i < o->n_nodes; i++)
		(void)visit(o, by_rank[i]);
	free(by_rank);

	struct change *sorted = xcalloc(o->plan->changes.n, sizeof(*sorted));
	o->position = xcalloc(o->plan->changes.n, sizeof(*o->position));
	size_t n = 0;
	for (size_t i = 0; i < o->order.n; i++) {
		size_t old = o->nodes[o->order.v[i]].change;
		if (old == NO_CHANGE)
			continue;
		o->position[old] = n;
		sorted[n++] = o->plan->changes.v[old];
	}
	memcpy(o->plan->changes.v, sorted, n * sizeof(*sorted));
	free(sorted);
}

static bool contains(const size_t *v, size_t n, size_t x)
{
	for (size_t i = 0; i < n; i++)
		if (v[i] == x)
			return true;
	return false;
}

/* For tasks that do not run: they can start to whatever becomes of what the resource needs. */
static bool only_waits(const struct change *c)
{
	return c->action == ACTION_VERIFY && c->kind->apply;
}

/* What is in sync is done at once, but order passes through it: a → in sync → c keeps a before c. */
static void collect(struct orderer *o, struct change *c, size_t self, const struct node *n, bool direct, size_t stamp)
{
	for (size_t k = 0; k < n->resource->refs.n; k++) {
		const struct ref *ref = &n->resource->refs.v[k];
		struct node *dep = find_node(o, ref->target);
		if (!dep && n >= o->nodes + o->n_wanted)
			dep = find_pruned(o, ref->target);
		if (!dep || (dep->seen_by == stamp && !direct))
			continue;
		dep->seen_by = stamp;
		if (dep->change == NO_CHANGE) {
			collect(o, c, self, dep, false, stamp);
			continue;
		}
		size_t at = o->position[dep->change];
		if (at >= self) /* the edge that closes a cycle */
			continue;
		if (!contains(c->after.v, c->after.n, at))
			vec_push(&c->after, at);
		if (direct && ref->type == REF_REQUIRES && !only_waits(c) &&
		    !contains(c->requires.v, c->requires.n, at))
			vec_push(&c->requires, at);
	}
}

size_t plan_order(struct plan *plan, const struct plan_input *in)
{
	struct orderer o = {.plan = plan, .in = in};

	if (plan->changes.n == 0 && json_object_size(in->unmet) == 0)
		return 0;
	make_nodes(&o);
	size_t gates = add_gates(&o);
	sort_changes(&o);
	for (size_t i = 0; i < o.n_nodes; i++) {
		if (o.nodes[i].change == NO_CHANGE)
			continue;
		size_t at = o.position[o.nodes[i].change];
		collect(&o, &plan->changes.v[at], at, &o.nodes[i], true, at);
	}
	vec_free(&o.order);
	free(o.nodes);
	free(o.position);
	return gates;
}
