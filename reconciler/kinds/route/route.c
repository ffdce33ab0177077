/*
 * route/<service>: a gate. What makes a route are the labels of its service
 * (labels.c) and Traefik's settings; this one only looks whether they work, when
 * something depends on it or something it depends on changes. A pass that
 * changes nothing asks nothing.
 */
#include "kinds/route/route.h"

#include "kinds/kinds.h"
#include "kinds/route/gate.h"
#include "kinds/traefik/traefik.h"
#include "kinds/util.h"

#include <string.h>

/* Traefik's own defaults (pkg/config/dynamic, http_config.go). */
#define INTERVAL_S 30
#define TIMEOUT_S 5

static const struct field fields[] = {
	{"check_s", 0, "s"},          {"health_path", 0, NULL}, {"rule", 0, NULL}, {"traefik_container", 0, NULL},
	{"traefik_service", 0, NULL},
};

static const char *const after[] = {"engine", "service", "container", "traefik", NULL};

static void needs(const struct spec *spec, struct wants *w)
{
	(void)spec;
	(void)w;
}

/* Rounded up: a look too early proves nothing. */
static int64_t seconds(const struct snode *health, const char *member, int64_t fallback)
{
	int64_t ns = snode_int(health, member, fallback * 1000000000);
	return (ns + 999999999) / 1000000000;
}

static void require(struct decode *d, struct resource *r, const char *kind, const char *name)
{
	if (name && resource_find(d->out, kind, name))
		resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "%s/%s", kind, name);
}

/* Traefik would drop the router, or match nothing by it. */
static void check_rule(struct decode *d, struct resource *r, const char *service, const struct snode *rule)
{
	struct traefik_version v;
	const char *why;

	if (!traefik_version_known(d->snap, &v, &why) || traefik_rule_syntax_is_set(d->snap))
		return;
	_cleanup_free_ char *misfit = route_rule_misfit(rule->text, v.major);
	struct resource *s = resource_find(d->out, "service", service);
	if (misfit && s)
		resource_block(d->out, s, "service '%s': the rule of its route: %s", service, misfit);
	if (misfit)
		resource_block(d->out, r, "the rule: %s", misfit);
}

/* What the router must have besides its rule, before requests through it prove anything. */
static void add_router_fields(struct decode *d, struct resource *r, const struct snode *route)
{
	const struct snode *tls = snode_get(route, "tls"), *priority = snode_get(route, "priority");
	json_t *middlewares = route_middlewares(route, r->name);

	if (tls && (tls->type != SNODE_BOOL || tls->boolean))
		resource_set_field(d->out, r, "tls", json_true(), tls->key_mark);
	if (priority)
		resource_set_field(d->out, r, "priority", json_integer(priority->integer), priority->key_mark);
	if (json_array_size(middlewares) > 0)
		resource_set_field(d->out, r, "middlewares", middlewares, snode_get(route, "middlewares")->key_mark);
	else
		json_decref(middlewares);
}

static void decode_route(struct decode *d, const struct snode *service, const struct snode *traefik)
{
	const struct snode *route = snode_get(service, "route"), *health = snode_get(route, "healthcheck");
	const char *container = snode_str(traefik, "container"), *as_service = snode_str(traefik, "service");
	const struct snode *rule = snode_get(route, "rule"), *port = snode_get(route, "port");
	const struct snode *entrypoints = snode_get(route, "entrypoints");
	struct resource *r = resource_add(d->out, "route", service->key);

	r->mark = route->key_mark;
	resource_set_field(d->out, r, "rule", json_string(rule->text), rule->key_mark);
	if (port)
		resource_set_field(d->out, r, "port", json_integer(port->integer), port->key_mark);
	if (snode_count(entrypoints) > 0)
		resource_set_field(d->out, r, "entrypoints", snode_json(entrypoints), entrypoints->key_mark);
	if (health) {
		const struct snode *path = snode_get(health, "path");
		int64_t check = seconds(health, "interval", INTERVAL_S) + seconds(health, "timeout", TIMEOUT_S);
		resource_set_field(d->out, r, "health_path", json_string(path->text), path->key_mark);
		resource_set_field(d->out, r, "check_s", json_integer(check), health->key_mark);
	}
	if (container)
		resource_set_field(d->out, r, "traefik_container", json_string(container), traefik->key_mark);
	else if (as_service)
		resource_set_field(d->out, r, "traefik_service", json_string(as_service), traefik->key_mark);
	add_router_fields(d, r, route);
	check_rule(d, r, service->key, rule);
	require(d, r, "service", service->key);
	require(d, r, "service", as_service);
	require(d, r, "container", container);
	require(d, r, "traefik", container ? container : as_service);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *root = spec_root(d->spec), *services = snode_get(root, "services");

	(void)err;
	for (size_t i = 0; i < snode_count(services); i++) {
		const struct snode *route = snode_get(services->items[i], "route");
		if (route && route->type == SNODE_MAP)
			decode_route(d, services->items[i], snode_get(root, "traefik"));
	}
	return 0;
}

static int observe(struct observe *o, struct err *err)
{
	(void)err;
	observe_as_wanted(o, "route");
	return 0;
}

const struct kind kind_route = {
	.name = "route",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.gate = route_gate,
};
