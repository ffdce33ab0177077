/*
 * Sources: Traefik's docs (routing/providers/swarm), pkg/provider/docker of
 * v2.11 and v3.7: only service labels count, the port is mandatory, and a
 * service that has both label families is skipped.
 */
#include "kinds/route/route.h"

#include "kinds/traefik/traefik.h"
#include "kinds/util.h"

#include <string.h>

#define DOCKER_FAMILY "traefik.docker."
#define SWARM_FAMILY "traefik.swarm."

struct labels {
	json_t *obj;
	const char *service;
	struct resource_set *set;
	struct resource *r;
};

static void add(struct labels *l, const char *key, const char *value, struct mark m)
{
	_cleanup_free_ char *path = xasprintf("labels[%s]", key);

	json_set_str(l->obj, key, value);
	resource_mark(l->set, l->r, path, m);
}

void route_duration(int64_t ns, struct str *out)
{
	static const struct {
		int64_t ns;
		const char *unit;
	} whole[] = {{3600000000000, "h"}, {60000000000, "m"}, {1000000000, "s"}},
	  parts[] = {{1000000, "ms"}, {1000, "us"}, {1, "ns"}};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (ns % 1000000000 == 0 || ns % parts[i].ns != 0)
			continue;
		str_addf(out, "%lld%s", (long long)(ns / parts[i].ns), parts[i].unit);
		return;
	}
	if (ns == 0)
		str_adds(out, "0s");
	for (size_t i = 0; i < ARRAY_SIZE(whole); i++) {
		if (ns >= whole[i].ns)
			str_addf(out, "%lld%s", (long long)(ns / whole[i].ns), whole[i].unit);
		ns %= whole[i].ns;
	}
}

static void add_list(struct labels *l, const char *key, const struct snode *list)
{
	_cleanup_str_ struct str s = {0};

	for (size_t i = 0; i < snode_count(list); i++)
		str_addf(&s, "%s%s", i ? "," : "", list->items[i]->text);
	add(l, key, str_cstr(&s), list->key_mark);
}

/* The member of a mapping as a label, when the spec has it. */
static void add_member(struct labels *l, const struct snode *map, const char *member, const char *key)
{
	const struct snode *n = snode_get(map, member);
	_cleanup_str_ struct str s = {0};

	if (!n || n->type == SNODE_NULL)
		return;
	if (n->type == SNODE_INT && (strcmp(member, "interval") == 0 || strcmp(member, "timeout") == 0))
		route_duration(n->integer, &s);
	else
		str_adds(&s, n->text);
	add(l, key, str_cstr(&s), n->key_mark);
}

/* The networks a section names: a list of names, or a mapping by name. */
static const char *network_key(const struct snode *item)
{
	return item->key ? item->key : item->text;
}

static bool names_network(const struct snode *networks, const char *key)
{
	for (size_t i = 0; i < snode_count(networks); i++)
		if (str_eq(network_key(networks->items[i]), key))
			return true;
	return false;
}

/*
 * The network on which Traefik reaches the tasks. Without the label Traefik
 * takes any network of the service, in no fixed order (FACTS A).
 */
static const char *shared_network(struct labels *l, const struct decode *d, const struct snode *service)
{
	const struct snode *root = spec_root(d->spec), *traefik = snode_get(root, "traefik");
	const char *as_service = snode_str(traefik, "service"), *shared = NULL;
	const struct snode *mine = snode_get(service, "networks"), *its = snode_get(traefik, "networks");
	size_t n = 0;

	if (as_service)
		its = snode_get(snode_get(snode_get(root, "services"), as_service), "networks");
	for (size_t i = 0; i < snode_count(mine); i++)
		if (names_network(its, network_key(mine->items[i])) && n++ == 0)
			shared = network_key(mine->items[i]);
	if (n != 1) {
		resource_block(
			l->set, l->r,
			"service '%s' has a route and %zu networks in common with Traefik: it must be one, by which "
			"Traefik reaches its tasks",
			l->service, n);
		return NULL;
	}
	const char *name = engine_name(d->out, "network", shared);
	return name ? name : shared;
}

static bool has_family(const json_t *labels, const char *prefix)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)labels, key, value)
		if (str_starts(key, prefix))
			return true;
	return false;
}

/* The family the live service already has; NULL when it has none or both. */
static const char *live_family(const struct snapshot *snap, const char *service)
{
	const json_t *list = snapshot_get(snap, "engine/services", NULL);
	size_t i;
	json_t *s;

	json_array_foreach (list, i, s) {
		const json_t *spec = json_object_get(s, "Spec");
		if (!str_eq(json_str(spec, "Name"), service))
			continue;
		const json_t *labels = json_object_get(spec, "Labels");
		bool docker = has_family(labels, DOCKER_FAMILY), swarm = has_family(labels, SWARM_FAMILY);
		return docker == swarm ? NULL : docker ? DOCKER_FAMILY : SWARM_FAMILY;
	}
	return NULL;
}

static const char *family(struct labels *l, const struct snapshot *snap)
{
	struct traefik_version v;
	const char *why = NULL;

	if (traefik_version_known(snap, &v, &why))
		return traefik_reads_swarm_labels(&v) ? SWARM_FAMILY : DOCKER_FAMILY;
	const char *live = live_family(snap, l->service);
	if (!live)
		resource_block(l->set, l->r,
			       "service '%s': Traefik's version is unknown (%s); the label family of its route "
			       "(%snetwork or %snetwork) depends on it",
			       l->service, why, DOCKER_FAMILY, SWARM_FAMILY);
	return live;
}

static void add_network(struct labels *l, const struct decode *d, const struct snode *service, struct mark m)
{
	const char *network = shared_network(l, d, service);
	const char *prefix = family(l, d->snap);

	if (!network || !prefix)
		return;
	_cleanup_free_ char *key = xasprintf("%snetwork", prefix);
	add(l, key, network, m);
}

int route_labels(const struct decode *d, const struct snode *service, const char *name, json_t *labels,
		 struct resource_set *s, struct resource *r, struct err *err)
{
	static const char *const health[] = {"path", "interval", "timeout"};
	const struct snode *route = snode_get(service, "route");
	struct labels l = {.obj = labels, .service = name, .set = s, .r = r};

	(void)err;
	if (!route || route->type != SNODE_MAP)
		return 0;
	_cleanup_free_ char *router = xasprintf("traefik.http.routers.%s", name);
	_cleanup_free_ char *balancer = xasprintf("traefik.http.services.%s.loadbalancer", name);
	_cleanup_free_ char *rule = xasprintf("%s.rule", router);
	_cleanup_free_ char *entrypoints = xasprintf("%s.entrypoints", router);
	_cleanup_free_ char *target = xasprintf("%s.service", router);
	_cleanup_free_ char *port = xasprintf("%s.server.port", balancer);

	add(&l, "traefik.enable", "true", route->key_mark);
	add_member(&l, route, "rule", rule);
	if (snode_count(snode_get(route, "entrypoints")))
		add_list(&l, entrypoints, snode_get(route, "entrypoints"));
	add(&l, target, name, route->key_mark);
	add_member(&l, route, "port", port);
	for (size_t i = 0; i < ARRAY_SIZE(health); i++) {
		_cleanup_free_ char *key = xasprintf("%s.healthcheck.%s", balancer, health[i]);
		add_member(&l, snode_get(route, "healthcheck"), health[i], key);
	}
	add_network(&l, d, service, route->key_mark);
	return 0;
}
