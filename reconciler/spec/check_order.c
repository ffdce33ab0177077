/*
 * Resource names as kind/name: `after` and policy.adopt name resources that
 * the spec declares, and the order they ask for has no circle. The names are
 * those that the kinds give their resources.
 */
#include "spec/check_util.h"

#include "base/url.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CIRCLES_MAX 10
#define CIRCLE_SHOWN 8

static const char *const kinds[] = {"absent",   "check",   "config", "container", "directory", "engine",  "export",
				    "firewall", "model",   "mount",  "network",   "node",      "package", "route",
				    "secret",   "service", "swarm",  "traefik",   "volume"};

/* Only what can carry an ownership label of its own, or is created by name, can be taken over. */
static const char *const adoptable[] = {"config", "network", "secret", "service", "volume"};

struct edge {
	size_t to;
	struct mark mark; /* line 0: a reference, not an `after` */
};

struct vertex {
	char *key;                    /* "kind/name" */
	const struct snode *named_by; /* NULL: by a key */
	const struct snode *after;
	VEC(struct edge) edges;
	enum { NEW, OPEN, DONE } state;
	size_t next, parent; /* of the walk */
};

struct graph {
	struct checker *c;
	size_t n_circles;
	VEC(struct vertex) list; /* sorted by key once complete */
};

static void declare(struct graph *g, const char *kind, const char *name, const struct snode *named_by,
		    const struct snode *item)
{
	struct vertex v = {
		.key = xasprintf("%s/%s", kind, name), .named_by = named_by, .after = snode_get(item, "after")};

	vec_push(&g->list, v);
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct vertex *)a)->key, ((const struct vertex *)b)->key);
}

static struct vertex *find(const struct graph *g, const char *key)
{
	const struct vertex wanted = {.key = (char *)key};

	return g->list.n ? bsearch(&wanted, g->list.v, g->list.n, sizeof(wanted), compare) : NULL;
}

static void declare_section(struct graph *g, const char *section, const char *kind)
{
	const struct snode *map = section_of(g->c, section);

	for (size_t i = 0; i < snode_count(map) && map->type == SNODE_MAP; i++)
		declare(g, kind, map->items[i]->key, NULL, map->items[i]);
}

static void declare_nfs(struct graph *g, const struct snode *nfs)
{
	const struct snode *export = snode_get(nfs, "export"), *mount = snode_get(nfs, "mount"),
			   *nodes = snode_get(mount, "nodes");

	declare(g, "directory", nfs->key, NULL, nfs);
	if (export)
		declare(g, "export", nfs->key, NULL, export);
	for (size_t i = 0; i < snode_count(nodes); i++) {
		_cleanup_free_ char *name = xasprintf("%s@%s", nfs->key, snode_scalar(nodes->items[i]));
		declare(g, "mount", name, nodes->items[i], mount);
	}
}

static void declare_host(struct graph *g, const struct snode *node)
{
	const struct snode *engine = section_of(g->c, "engine"), *own = snode_get(node, "engine");

	declare(g, "package", node->key, NULL, NULL);
	if (snode_count(snode_get(engine, "daemon")) + snode_count(snode_get(own, "daemon")) > 0)
		declare(g, "engine", node->key, NULL, own ? own : engine);
	if (!str_eq(snode_str(node, "firewall"), "unmanaged"))
		declare(g, "firewall", node->key, NULL, NULL);
}

/* The static configuration is a resource only when the spec says what it must be. */
static void declare_traefik(struct graph *g)
{
	const struct snode *traefik = section_of(g->c, "traefik");
	const struct snode *container = snode_get(traefik, "container");

	if (!snode_scalar(container))
		return;
	declare(g, "container", container->text, container, traefik);
	if (snode_get(traefik, "swarm_mode"))
		declare(g, "traefik", container->text, container, traefik);
}

static void declare_all(struct graph *g)
{
	static const struct {
		const char *section, *kind;
	} sections[] = {
		{"nodes", "node"},     {"networks", "network"}, {"volumes", "volume"}, {"configs", "config"},
		{"secrets", "secret"}, {"services", "service"}, {"absent", "absent"},  {"checks", "check"},
	};
	const struct snode *nodes = section_of(g->c, "nodes"), *nfs = section_of(g->c, "nfs"),
			   *services = section_of(g->c, "services"), *models = section_of(g->c, "models"),
			   *present = snode_get(models, "present"), *cluster = snode_get(g->c->root, "cluster");

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		declare_section(g, sections[i].section, sections[i].kind);
	for (size_t i = 0; i < snode_count(nodes); i++)
		declare_host(g, nodes->items[i]);
	for (size_t i = 0; i < snode_count(nfs); i++)
		declare_nfs(g, nfs->items[i]);
	for (size_t i = 0; i < snode_count(services); i++)
		if (snode_count(snode_get(services->items[i], "route")) > 0)
			declare(g, "route", services->items[i]->key, NULL, NULL);
	for (size_t i = 0; i < snode_count(present); i++)
		if (snode_scalar(present->items[i]))
			declare(g, "model", present->items[i]->text, present->items[i], models);
	if (snode_scalar(cluster))
		declare(g, "swarm", cluster->text, cluster, NULL);
	declare_traefik(g);
	if (g->list.n > 0)
		qsort(g->list.v, g->list.n, sizeof(*g->list.v), compare);
}

static bool is_hidden(const struct vertex *v)
{
	return v->named_by && v->named_by->from_env;
}

/* A name of the same kind that is alike; for a mount the first of its nodes. */
static const char *hint_key(char hint[static HINT_SIZE], const struct graph *g, const struct snode *item)
{
	VEC(const char *) keys = {0};
	const char *key = item->text;
	size_t kind = strcspn(key, "/") + 1, len = strlen(key);

	for (size_t i = 0; i < g->list.n && !item->from_env; i++) {
		const char *known = g->list.v[i].key;
		if (is_hidden(&g->list.v[i]))
			continue;
		if (strncmp(known, key, len) == 0 && known[len] == '@' && !hint[0])
			snprintf(hint, HINT_SIZE, "; did you mean '%s'?", known);
		if (strncmp(known, key, kind) == 0)
			vec_push(&keys, known);
	}
	if (!hint[0])
		hint_of(g->c, hint, item, key, keys.v, keys.n);
	vec_free(&keys);
	return hint;
}

/* The declared resource that the scalar names; NULL after adding an error. */
static struct vertex *target(struct graph *g, const struct snode *item, const char *what)
{
	const char *key = snode_scalar(item);
	char hint[HINT_SIZE] = "";

	if (!key)
		return NULL;
	size_t len = strcspn(key, "/");
	if (!key[len] || !key[len + 1]) {
		check_error(g->c, item->mark, "%s: '%s' is not of the form kind/name, for example service/web", what,
			    snode_shown(item));
		return NULL;
	}
	_cleanup_free_ char *kind = xasprintf("%.*s", (int)len, key);
	size_t k = 0;
	if (strcmp(kind, "stack") == 0) { /* those that there are stand for what they declare: stack_scope.c */
		check_error(g->c, item->mark, "%s: this spec has no %s%s", what, snode_shown(item),
			    hint_in(g->c, hint, item, key + len + 1, section_of(g->c, "stacks")));
		return NULL;
	}
	while (k < ARRAY_SIZE(kinds) && strcmp(kinds[k], kind) != 0)
		k++;
	if (k == ARRAY_SIZE(kinds)) {
		check_error(g->c, item->mark, "%s: there is no kind '%s'%s", what, snode_shown_part(item, kind),
			    hint_of(g->c, hint, item, kind, kinds, ARRAY_SIZE(kinds)));
		return NULL;
	}
	struct vertex *v = find(g, key);
	if (!v)
		check_error(g->c, item->mark, "%s: this spec has no %s%s", what, snode_shown(item),
			    hint_key(hint, g, item));
	return v;
}

static void connect(struct graph *g, struct vertex *from, const char *kind, const char *name)
{
	_cleanup_free_ char *key = name ? xasprintf("%s/%s", kind, name) : NULL;
	struct vertex *to = key ? find(g, key) : NULL;

	if (from && to)
		vec_push(&from->edges, ((struct edge){.to = (size_t)(to - g->list.v)}));
}

static void connect_list(struct graph *g, struct vertex *from, const char *kind, const struct snode *list)
{
	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *item = list->items[i], *source = snode_get(item, "source");
		connect(g, from, kind, source ? snode_scalar(source) : item_name(item));
	}
}

static void connect_nfs(struct graph *g, struct vertex *from, const struct snode *nfs)
{
	const struct snode *nodes = snode_path(nfs, "mount.nodes"), *models = section_of(g->c, "models"),
			   *present = snode_get(models, "present");

	connect(g, from, "directory", nfs->key);
	connect(g, from, "export", nfs->key);
	for (size_t i = 0; i < snode_count(nodes); i++) {
		_cleanup_free_ char *name = xasprintf("%s@%s", nfs->key, snode_scalar(nodes->items[i]));
		connect(g, from, "mount", name);
	}
	if (str_eq(snode_str(models, "store"), nfs->key))
		connect_list(g, from, "model", present);
}

/* A bind source below an NFS directory needs what makes it. */
static void connect_binds(struct graph *g, struct vertex *from, const struct snode *service)
{
	const struct snode *all = section_of(g->c, "nfs");
	struct mounts mounts = {0};

	mounts_read(service, &mounts);
	for (size_t i = 0; i < mounts.list.n; i++)
		for (size_t k = 0; mounts.list.v[i].type == MOUNT_BIND && k < snode_count(all); k++) {
			const char *at = snode_str(snode_get(all->items[k], "mount"), "path"),
				   *path = snode_str(all->items[k], "path"), *source = mounts.list.v[i].source;
			if (source && ((at && path_under(source, at)) || (path && path_under(source, path))))
				connect_nfs(g, from, all->items[k]);
		}
	mounts_free(&mounts);
}

static void connect_service(struct graph *g, const struct snode *service)
{
	_cleanup_free_ char *key = xasprintf("service/%s", service->key), *route = xasprintf("route/%s", service->key);
	struct vertex *from = find(g, key);

	connect_list(g, from, "network", snode_get(service, "networks"));
	connect_list(g, from, "config", snode_get(service, "configs"));
	connect_list(g, from, "secret", snode_get(service, "secrets"));
	connect_list(g, from, "volume", snode_get(service, "volumes"));
	connect_binds(g, from, service);
	connect(g, find(g, route), "service", service->key);
}

/* kinds/check/check.c refers to the same. */
static void connect_check(struct graph *g, const struct snode *check)
{
	_cleanup_free_ char *key = xasprintf("check/%s", check->key);
	const char *url = snode_str(snode_get(check, "request"), "url"), *network = snode_str(check, "network");
	struct url at = {0};

	connect(g, find(g, key), "network", network);
	if (network && url && url_parse(url, &at))
		connect(g, find(g, key), "service", at.host + (str_starts(at.host, "tasks.") ? strlen("tasks.") : 0));
	url_free(&at);
}

/* What a resource needs by nature comes before it, so an `after` the other way round is a circle too. */
static void connect_references(struct graph *g)
{
	const struct snode *services = section_of(g->c, "services"), *traefik = section_of(g->c, "traefik"),
			   *checks = section_of(g->c, "checks");
	const char *container = snode_str(traefik, "container");

	for (size_t i = 0; i < snode_count(services); i++)
		connect_service(g, services->items[i]);
	for (size_t i = 0; i < snode_count(checks); i++)
		connect_check(g, checks->items[i]);
	for (size_t i = 0; i < g->list.n; i++) {
		struct vertex *v = &g->list.v[i];
		const char *name = v->key + strcspn(v->key, "/") + 1;
		if (str_starts(v->key, "export/"))
			connect(g, v, "directory", name);
		if (str_starts(v->key, "mount/")) {
			_cleanup_free_ char *nfs = xasprintf("%.*s", (int)strcspn(name, "@"), name);
			connect(g, v, "export", nfs);
		}
		if (str_starts(v->key, "container/"))
			connect_list(g, v, "network", snode_get(traefik, "networks"));
		if (str_starts(v->key, "traefik/"))
			connect(g, v, "container", container);
		if (str_starts(v->key, "route/"))
			connect(g, v, "traefik", container);
	}
}

static void connect_after(struct graph *g, struct vertex *from)
{
	for (size_t i = 0; i < snode_count(from->after); i++) {
		const struct snode *item = from->after->items[i];
		struct vertex *to = target(g, item, "after");
		if (to)
			vec_push(&from->edges, ((struct edge){(size_t)(to - g->list.v), item->mark}));
	}
}

static void put_vertex(struct str *out, const struct vertex *v)
{
	size_t kind = strcspn(v->key, "/") + 1;

	str_addf(out, "%.*s%s", (int)kind, v->key, snode_shown_part(v->named_by, v->key + kind));
}

/*
 * The circle that closes with the edge from at: at <- … <- to. A long one is
 * cut in the middle, and of many the first few are enough to mend.
 */
static void report_circle(struct graph *g, size_t at, size_t to)
{
	_cleanup_str_ struct str path = {0};
	VEC(size_t) back = {0};
	struct mark mark = {0};

	if (g->n_circles++ >= CIRCLES_MAX)
		return;
	for (size_t v = at; v != to; v = g->list.v[v].parent)
		vec_push(&back, v);
	vec_push(&back, to);
	for (size_t i = back.n; i-- > 0;) {
		const struct vertex *v = &g->list.v[back.v[i]];
		size_t shown = back.n - 1 - i;
		if (mark.line == 0)
			mark = v->edges.v[v->next - 1].mark;
		if (shown < CIRCLE_SHOWN || i == 0)
			put_vertex(&path, v);
		else if (shown == CIRCLE_SHOWN)
			str_addf(&path, "… (%zu more)", i);
		else
			continue;
		str_adds(&path, " -> ");
	}
	put_vertex(&path, &g->list.v[to]);
	check_error(g->c, mark, "these wait for each other: %s", str_cstr(&path));
	vec_free(&back);
}

/* Depth first without recursion: a chain can be as long as the spec. */
static void walk(struct graph *g, size_t root)
{
	size_t at = root;

	g->list.v[root].state = OPEN;
	for (;;) {
		struct vertex *v = &g->list.v[at];
		if (v->next == v->edges.n) {
			v->state = DONE;
			if (at == root)
				return;
			at = v->parent;
			continue;
		}
		size_t to = v->edges.v[v->next++].to;
		struct vertex *t = &g->list.v[to];
		if (t->state == OPEN)
			report_circle(g, at, to);
		if (t->state == NEW) {
			t->state = OPEN;
			t->parent = at;
			at = to;
		}
	}
}

static void adopt(struct graph *g)
{
	const struct snode *list = snode_path(g->c->root, "policy.adopt");

	for (size_t i = 0; i < snode_count(list); i++) {
		const struct vertex *v = target(g, list->items[i], "adopt");
		bool can = !v;
		for (size_t k = 0; v && k < ARRAY_SIZE(adoptable); k++)
			can |= str_starts(v->key, adoptable[k]) && v->key[strlen(adoptable[k])] == '/';
		if (!can)
			check_warn(
				g->c, list->items[i]->mark,
				"adopt: %s needs no adoption; only networks, volumes, configs, secrets and services do",
				snode_shown(list->items[i]));
	}
}

static void order(struct checker *c, const struct snode *root)
{
	struct graph g = {.c = c};

	(void)root;
	declare_all(&g);
	for (size_t i = 0; i < g.list.n; i++)
		connect_after(&g, &g.list.v[i]);
	connect_references(&g);
	adopt(&g);
	for (size_t i = 0; i < g.list.n; i++)
		if (g.list.v[i].state == NEW)
			walk(&g, i);
	for (size_t i = 0; i < g.list.n; i++) {
		free(g.list.v[i].key);
		vec_free(&g.list.v[i].edges);
	}
	vec_free(&g.list);
}

const struct check_row checks_order[] = {
	{NULL, false, order},
	{NULL, false, NULL},
};
