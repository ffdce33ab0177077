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

static bool is_duration(const char *member)
{
	static const char *const names[] = {"initialinterval", "interval", "period", "timeout"};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(member, names[i]) == 0)
			return true;
	return false;
}

/* The member of a mapping as a label, when the spec has it. */
static void add_member(struct labels *l, const struct snode *map, const char *member, const char *key)
{
	const struct snode *n = snode_get(map, member);
	_cleanup_str_ struct str s = {0};

	if (!n || n->type == SNODE_NULL)
		return;
	if (n->type == SNODE_INT && is_duration(member))
		route_duration(n->integer, &s);
	else
		str_adds(&s, n->type == SNODE_BOOL ? n->boolean ? "true" : "false" : n->text);
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

/* prefix.member for each of members that the map has. */
static void add_members(struct labels *l, const struct snode *map, const char *prefix)
{
	for (size_t i = 0; i < snode_count(map); i++) {
		_cleanup_free_ char *key = xasprintf("%s.%s", prefix, map->items[i]->key);
		if (map->items[i]->type == SNODE_SEQ)
			add_list(l, key, map->items[i]);
		else
			add_member(l, map, map->items[i]->key, key);
	}
}

static void add_tls(struct labels *l, const struct snode *tls, const char *router)
{
	_cleanup_free_ char *key = xasprintf("%s.tls", router);

	if (!tls || (tls->type == SNODE_BOOL && !tls->boolean))
		return;
	add(l, key, "true", tls->key_mark);
	add_members(l, tls, key);
}

static void add_sticky(struct labels *l, const struct snode *sticky, const char *balancer)
{
	const struct snode *cookie = snode_get(sticky, "cookie");
	_cleanup_free_ char *key = xasprintf("%s.sticky.cookie", balancer);

	if (!cookie)
		return;
	add(l, key, "true", cookie->key_mark);
	add_members(l, cookie, key);
}

/* Middlewares */

const char *route_secret_file(const struct spec *spec, const char *secret, char **path)
{
	const struct snode *root = spec_root(spec);
	const char *as_service = snode_str(snode_get(root, "traefik"), "service");
	const struct snode *list = snode_get(snode_get(snode_get(root, "services"), as_service), "secrets");

	*path = NULL;
	for (size_t i = 0; i < snode_count(list) && !*path; i++) {
		const struct snode *item = list->items[i];
		const char *source = item->type == SNODE_MAP ? snode_str(item, "source") : item->text;
		const char *target = item->type == SNODE_MAP ? snode_str(item, "target") : NULL;
		if (!str_eq(source, secret))
			continue;
		target = target ? target : secret;
		*path = xasprintf("%s%s", *target == '/' ? "" : "/run/secrets/", target);
	}
	return *path;
}

static void add_basicauth(struct labels *l, const struct decode *d, const struct snode *auth, const char *prefix)
{
	const struct snode *secret = snode_get(auth, "secret");
	_cleanup_free_ char *key = xasprintf("%s.usersfile", prefix), *path = NULL;

	for (size_t i = 0; i < snode_count(auth); i++) {
		const char *member = auth->items[i]->key;
		_cleanup_free_ char *plain = xasprintf("%s.%s", prefix, member);
		if (auth->items[i] != secret)
			add_member(l, auth, member, plain);
	}
	/* The spec's checks have seen that Traefik's service has it. */
	if (secret && route_secret_file(d->spec, secret->text, &path))
		add(l, key, path, secret->key_mark);
}

/* "web-retry", and "web-retry-2" for another one. */
static char *middleware_name(const struct snode *list, size_t at, const char *service)
{
	const char *type = list->items[at]->items[0]->key;
	size_t n = 1;

	for (size_t i = 0; i < at; i++)
		n += list->items[i]->type == SNODE_MAP && strcmp(list->items[i]->items[0]->key, type) == 0;
	return n > 1 ? xasprintf("%s-%s-%zu", service, type, n) : xasprintf("%s-%s", service, type);
}

json_t *route_middlewares(const struct snode *route, const char *service)
{
	const struct snode *list = snode_get(route, "middlewares");
	json_t *names = json_array();

	for (size_t i = 0; i < snode_count(list); i++) {
		_cleanup_free_ char *name = snode_count(list->items[i]) == 1 ? middleware_name(list, i, service) : NULL;
		const char *text = name ? name : snode_scalar(list->items[i]);
		if (text)
			json_array_append_new(names, json_string(text));
	}
	return names;
}

static void add_middlewares(struct labels *l, const struct decode *d, const struct snode *route, const char *router)
{
	const struct snode *list = snode_get(route, "middlewares");
	_cleanup_json_ json_t *names = route_middlewares(route, l->service);
	_cleanup_free_ char *key = xasprintf("%s.middlewares", router);
	_cleanup_str_ struct str value = {0};
	json_t *name;
	size_t i;

	json_array_foreach (names, i, name) {
		const struct snode *item = list->items[i];
		str_addf(&value, "%s%s", i ? "," : "", json_string_value(name));
		if (item->type != SNODE_MAP)
			continue;
		const struct snode *options = item->items[0];
		_cleanup_free_ char *prefix =
			xasprintf("traefik.http.middlewares.%s.%s", json_string_value(name), options->key);
		if (strcmp(options->key, "basicauth") == 0)
			add_basicauth(l, d, options, prefix);
		else
			add_members(l, options, prefix);
	}
	if (value.len)
		add(l, key, str_cstr(&value), list->key_mark);
}

/* Where Traefik's static configuration is known, before a router that works is broken by a name that is not there. */
static void check_entrypoints(struct labels *l, const struct decode *d, const struct snode *route)
{
	const struct snode *list = snode_get(route, "entrypoints");
	_cleanup_json_ json_t *known = traefik_entrypoints_known(d->spec, d->snap);
	_cleanup_str_ struct str names = {0};

	if (!known)
		return;
	size_t n;
	const char **keys = json_sorted_keys(known, &n);
	for (size_t i = 0; i < n; i++)
		str_addf(&names, "%s%s", i ? ", " : "", keys[i]);
	free(keys);
	for (size_t i = 0; i < snode_count(list); i++)
		if (!json_object_get(known, list->items[i]->text))
			resource_block(l->set, l->r,
				       "service '%s': Traefik has no entrypoint '%s', on which its route listens; it "
				       "has %s",
				       l->service, snode_shown(list->items[i]), str_cstr(&names));
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
	_cleanup_free_ char *priority = xasprintf("%s.priority", router);

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
	add_member(&l, route, "priority", priority);
	add_tls(&l, snode_get(route, "tls"), router);
	add_sticky(&l, snode_get(route, "sticky"), balancer);
	add_middlewares(&l, d, route, router);
	add_network(&l, d, service, route->key_mark);
	check_entrypoints(&l, d, route);
	return 0;
}
