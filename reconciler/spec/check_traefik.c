/* Routes, Traefik's labels, and the Traefik section. FACTS A, G3 to G9. */
#include "spec/check_util.h"

#include <string.h>
#include <strings.h>

#define DRAIN_MIN_S 20

static const struct snode *route_of(const struct snode *service)
{
	const struct snode *route = snode_get(service, "route");
	return snode_count(route) > 0 && route->type == SNODE_MAP ? route : NULL;
}

static const struct snode *first_route(const struct checker *c)
{
	const struct snode *services = section_of(c, "services");

	for (size_t i = 0; i < snode_count(services); i++)
		if (route_of(services->items[i]))
			return route_of(services->items[i]);
	return NULL;
}

/* A secret reaches Traefik only where Swarm starts it. */
static void auth_secret(struct checker *c, const char *who, const struct snode *secret)
{
	const char *as_service = snode_str(section_of(c, "traefik"), "service");
	const struct snode *list = snode_get(member_of(c, "services", as_service), "secrets");

	if (!snode_scalar(secret) || !section_of(c, "traefik"))
		return;
	if (!as_service) {
		check_error(
			c, secret->mark,
			"%s: Traefik is a container, which Swarm gives no secret; mount an htpasswd file into it and "
			"write usersfile",
			who);
		return;
	}
	if (!check_name(c, secret, "secrets", who))
		return;
	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *item = list->items[i];
		if (str_eq(item->type == SNODE_MAP ? snode_str(item, "source") : item->text, secret->text))
			return;
	}
	check_error(c, secret->mark, "%s: Traefik's service '%s' does not have the secret '%s'; add it to its secrets",
		    who, snode_shown(snode_get(section_of(c, "traefik"), "service")), snode_shown(secret));
}

static void route_middlewares(struct checker *c, const char *who, const struct snode *list)
{
	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *item = list->items[i];
		if (item->type == SNODE_MAP && item->n_items != 1)
			check_error(
				c, item->mark,
				"%s: an entry of middlewares is one middleware, as their order counts; write each as "
				"an entry of its own",
				who);
		auth_secret(c, who, snode_path(item, "basicauth.secret"));
	}
}

static bool asks_for_password(const struct snode *route)
{
	const struct snode *list = snode_get(route, "middlewares");

	for (size_t i = 0; i < snode_count(list); i++)
		if (snode_get(list->items[i], "basicauth"))
			return true;
	return false;
}

static void route_drain(struct checker *c, const char *who, const struct snode *service)
{
	static const char *const own[] = {"stop_signal", "stop_grace_period"};
	const struct snode *drain = snode_path(service, "route.drain");

	if (!drain || drain->type != SNODE_INT)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(own); i++)
		if (snode_get(service, own[i]))
			check_error(c, snode_get(service, own[i])->key_mark,
				    "%s: %s and route.drain contradict each other: drain is the time in which a task "
				    "serves "
				    "on, and it sees no signal before that is over; remove one",
				    who, own[i]);
	if (drain->integer < DRAIN_MIN_S * 1000000000LL)
		check_warn(c, drain->mark,
			   "%s: Traefik asks Swarm every 15s and then takes up to 2s more, so with a drain below %ds "
			   "requests may still be on their way to a task that ends",
			   who, DRAIN_MIN_S);
}

/* "--entrypoints.web.address=:80" is one by the name of name. */
static bool declares_entrypoint(const char *flag, const char *name)
{
	static const char prefix[] = "--entrypoints.";
	size_t n = strlen(prefix);

	return strncasecmp(flag, prefix, n) == 0 && strncasecmp(flag + n, name, strlen(name)) == 0 &&
	       strchr(".=", flag[n + strlen(name)]);
}

/* Of a Traefik that is a service with flags, the entrypoints are in the spec. */
static void route_entrypoints(struct checker *c, const char *who, const struct snode *list)
{
	const struct snode *traefik = section_of(c, "traefik");
	const struct snode *command = snode_get(member_of(c, "services", snode_str(traefik, "service")), "command");
	size_t declared = 0;

	for (size_t k = 0; k < snode_count(command); k++) {
		const char *flag = snode_scalar(command->items[k]);
		if (flag && strncasecmp(flag, "--configfile", 12) == 0)
			return;
		declared += flag && strncasecmp(flag, "--entrypoints.", 14) == 0;
	}
	for (size_t i = 0; declared > 0 && i < snode_count(list); i++) {
		const char *name = snode_scalar(list->items[i]);
		bool found =
			!name || strcmp(name, "traefik") == 0 || snode_get(snode_get(traefik, "entrypoints"), name);
		for (size_t k = 0; k < snode_count(command) && !found; k++)
			found = snode_scalar(command->items[k]) && declares_entrypoint(command->items[k]->text, name);
		if (!found)
			check_error(c, list->items[i]->mark,
				    "%s: Traefik's service has no entrypoint '%s' among its flags; add "
				    "--entrypoints.%s.address=:PORT, or correct the name",
				    who, snode_shown(list->items[i]), snode_shown(list->items[i]));
	}
}

/* The address that people then take for Traefik's (FACTS G 11, 12). Ollama's own port: check_ollama.c. */
static void route_mesh(struct checker *c, const char *who, const struct snode *service)
{
	int64_t port = snode_int(route_of(service), "port", 0);
	struct ports ports = {0};

	ports_read(service, &ports);
	for (size_t i = 0; i < ports.list.n && !image_is(service, "ollama"); i++) {
		const struct port_view *p = &ports.list.v[i];
		if (!p->host && p->target <= port && p->target + p->count > port)
			check_warn(c, p->mark,
				   "%s: this port leads past Traefik, through Swarm's load balancer, which balances by "
				   "connection: a client that keeps one open stays with one task, without the route's "
				   "health check and middlewares; remove it, as there is a route",
				   who);
	}
	ports_free(&ports);
}

static void route(struct checker *c, const struct snode *service)
{
	const struct snode *r = route_of(service), *rule = snode_get(r, "rule");
	char who[WHO_SIZE];

	if (!r)
		return;
	who_is(who, "service", service);
	if (snode_scalar(rule))
		check_rule(c, rule->mark, who, rule, rule->text, asks_for_password(r));
	route_middlewares(c, who, snode_get(r, "middlewares"));
	route_entrypoints(c, who, snode_get(r, "entrypoints"));
	route_drain(c, who, service);
	route_mesh(c, who, service);
	if (!snode_get(r, "port"))
		check_error(c, r->key_mark,
			    "%s: route needs port: Traefik skips a Swarm service whose port inside the container it is "
			    "not told",
			    who);
	if (!snode_get(r, "entrypoints"))
		check_warn(c, r->key_mark,
			   "%s: a route without entrypoints listens on all of Traefik's, internal ones included; write "
			   "entrypoints: "
			   "[web] or the like",
			   who);
	if (!section_of(c, "traefik"))
		check_error(c, r->key_mark, "%s: a route needs the section traefik, which says which Traefik serves it",
			    who);
}

/* The networks that Traefik is in, as far as the spec says. */
static const struct snode *traefik_networks(const struct checker *c)
{
	const struct snode *traefik = section_of(c, "traefik");
	const char *service = snode_str(traefik, "service");

	return service ? snode_get(member_of(c, "services", service), "networks") : snode_get(traefik, "networks");
}

static void route_network(struct checker *c, const struct snode *service)
{
	const struct snode *mine = snode_get(service, "networks"), *its = traefik_networks(c);
	const char *as_service = snode_str(section_of(c, "traefik"), "service"), *shared = NULL;
	size_t n = 0;

	if (!route_of(service) || !section_of(c, "traefik") || (as_service && !member_of(c, "services", as_service)))
		return;
	for (size_t i = 0; i < snode_count(mine); i++) {
		const char *name = item_name(mine->items[i]);
		if (!name || !list_has(its, name))
			continue;
		if (n++ > 0)
			check_error(c, route_of(service)->key_mark,
				    "service '%s': it shares the networks %s and %s with Traefik, which may then pick "
				    "the wrong one; "
				    "let them share one",
				    service->key, shared, item_shown(mine->items[i]));
		shared = item_shown(mine->items[i]);
	}
	if (n == 0)
		check_error(
			c, route_of(service)->key_mark,
			"service '%s': it has no network in common with Traefik, which could not reach its tasks; %s",
			service->key,
			as_service ? "put one network into both services"
				   : "name one network both in the service and in traefik.networks");
}

struct families {
	const struct snode *labels;
	struct mark docker, swarm, own; /* line 0: none */
	bool router, port;
};

static bool key_ends(const struct pair *p, const char *end)
{
	size_t n = strlen(end);
	return p->key_len >= n && memcmp(p->key + p->key_len - n, end, n) == 0;
}

static void read_labels(struct checker *c, const struct snode *service, struct families *f)
{
	struct pair p;
	char who[WHO_SIZE];

	f->labels = snode_path(service, "deploy.labels");
	for (size_t i = 0; pair_at(f->labels, i, &p); i++) {
		if (!pair_starts(&p, "traefik."))
			continue;
		if (f->own.line == 0)
			f->own = p.mark;
		if (pair_starts(&p, "traefik.docker."))
			f->docker = p.mark;
		if (pair_starts(&p, "traefik.swarm."))
			f->swarm = p.mark;
		f->router |= pair_starts(&p, "traefik.http.routers.");
		f->port |= pair_starts(&p, "traefik.http.services.") && key_ends(&p, ".loadbalancer.server.port");
		if (pair_starts(&p, "traefik.http.routers.") && key_ends(&p, ".rule") && p.value)
			check_rule(c, p.mark, who_is(who, "service", service), p.item, p.value, false);
	}
}

static void service_labels(struct checker *c, const struct snode *service)
{
	struct families f = {0};

	read_labels(c, service, &f);
	if (f.docker.line && f.swarm.line)
		check_error(c, f.docker.line > f.swarm.line ? f.docker : f.swarm,
			    "service '%s': Traefik skips a service that has both traefik.docker.* and traefik.swarm.* "
			    "labels; remove "
			    "those that do not fit its version, or write route and let the version decide",
			    service->key);
	if (f.own.line && route_of(service))
		check_error(c, f.own,
			    "service '%s': route and hand-written traefik.* labels contradict each other; remove the "
			    "labels",
			    service->key);
	else if (f.router && !f.port)
		check_warn(c, f.own,
			   "service '%s': Traefik cannot guess the port of a Swarm service and skips it; add the label "
			   "traefik.http.services.%s.loadbalancer.server.port",
			   service->key, service->key);
}

static void container_labels(struct checker *c, const struct snode *service)
{
	const struct snode *labels = snode_get(service, "labels");
	struct pair p;

	for (size_t i = 0; pair_at(labels, i, &p); i++)
		if (pair_starts(&p, "traefik.")) {
			check_warn(c, p.mark,
				   "service '%s': in Swarm Traefik reads the labels of the service, not those of its "
				   "containers; move "
				   "the traefik.* labels to deploy.labels, or write route",
				   service->key);
			return;
		}
}

static void section(struct checker *c, const struct snode *traefik)
{
	const struct snode *mode = snode_get(traefik, "swarm_mode"), *config = snode_get(traefik, "static_config"),
			   *keep = snode_get(traefik, "keep_container_routes"),
			   *service = snode_get(traefik, "service");
	const char *path = snode_scalar(config);

	if (path && str_ends(path, ".toml"))
		check_error(c, config->mark,
			    "traefik: a TOML file cannot be edited here; add the Swarm provider to it by hand (v2: "
			    "[providers.docker] "
			    "swarmMode = true, v3: [providers.swarm]) and remove static_config and swarm_mode");
	if (mode && snode_bool(traefik, "swarm_mode", false) && !config && !service)
		check_error(c, mark_or(mode, traefik),
			    "traefik: swarm_mode changes Traefik's static configuration, so it needs static_config");
	if (mode && mode->type == SNODE_BOOL && !mode->boolean && first_route(c))
		check_error(c, mode->mark,
			    "traefik: without Swarm mode it sees none of this spec's routes; write swarm_mode: true");
	if (keep && !keep->is_default && keep->type == SNODE_BOOL && keep->boolean &&
	    !snode_bool(traefik, "swarm_mode", false))
		check_error(c, keep->mark, "traefik: keep_container_routes goes with swarm_mode: true only");
	if (snode_count(snode_get(traefik, "entrypoints")) > 0 && !service && !mode)
		check_error(
			c, snode_get(traefik, "entrypoints")->key_mark,
			"traefik: entrypoints of a container are written into static_config; write static_config and "
			"swarm_mode");
	if (service && (mode || config))
		check_error(c, (mode ? mode : config)->key_mark,
			    "traefik: '%s' is for a container; of a service the configuration stands in its command, "
			    "its configs or "
			    "its mounts",
			    (mode ? mode : config)->key);
}

static void attachable(struct checker *c, const struct snode *traefik)
{
	const struct snode *list = snode_get(traefik, "networks");

	if (!list)
		return;
	if (snode_get(traefik, "service"))
		check_error(c, list->key_mark,
			    "traefik: 'networks' is for a container; a service has its own networks");
	else
		for (size_t i = 0; i < list->n_items; i++) {
			const struct snode *network = member_of(c, "networks", snode_scalar(list->items[i]));
			if (network && !snode_bool(network, "external", false) &&
			    !snode_bool(network, "attachable", false))
				check_error(c, list->items[i]->mark,
					    "traefik: a container can only join a network with attachable: true, and "
					    "'%s' is without",
					    snode_shown(list->items[i]));
		}
}

static bool mounts_socket(const struct snode *service)
{
	struct mounts m = {0};
	bool found = false;

	mounts_read(service, &m);
	for (size_t i = 0; i < m.list.n; i++)
		found |= m.list.v[i].source && str_ends(m.list.v[i].source, "/docker.sock");
	mounts_free(&m);
	return found;
}

/* Only a manager's API tells about services. */
static void on_manager(struct checker *c, const struct snode *service)
{
	const struct snode *nodes = section_of(c, "nodes");

	if (!image_is(service, "traefik") || !mounts_socket(service))
		return;
	for (size_t i = 0; i < snode_count(nodes); i++)
		if (!str_eq(snode_str(nodes->items[i], "role"), "manager") && node_may_run(service, nodes->items[i])) {
			check_warn(c, service->key_mark,
				   "service '%s': it may run on the worker '%s', whose Docker socket tells nothing "
				   "about services; write "
				   "the placement constraint node.role == manager",
				   service->key, nodes->items[i]->key);
			return;
		}
}

static const char *image_tag(const struct snode *service)
{
	const char *image = snode_str(service, "image"), *slash = image ? strrchr(image, '/') : NULL;
	const char *colon = image ? strchr(slash ? slash : image, ':') : NULL;

	return colon ? colon + 1 : "";
}

static void old_flag(struct checker *c, const struct snode *service)
{
	const struct snode *command = snode_get(service, "command");
	const char *tag = image_tag(service);

	if (!image_is(service, "traefik") || !(str_starts(tag, "v3") || str_starts(tag, "3")))
		return;
	for (size_t i = 0; i < snode_count(command); i++) {
		const struct snode *item = command->items[i];
		if (!snode_scalar(item) || !str_starts(item->text, "--providers.docker.swarm"))
			continue;
		_cleanup_free_ char *flag = xasprintf("%.*s", (int)strcspn(item->text, "="), item->text);
		check_error(c, item->mark,
			    "service '%s': Traefik v3 does not start with %s, whatever its value; write "
			    "--providers.swarm=true",
			    service->key, snode_shown_part(item, flag));
	}
}

static bool text_has(const struct snode *text, const char *what)
{
	return snode_scalar(text) && strcasestr(text->text, what);
}

static bool items_have(const struct snode *list, const char *what)
{
	bool found = text_has(list, what);

	for (size_t i = 0; i < snode_count(list); i++)
		found |= text_has(list->items[i], what);
	return found;
}

static bool pairs_have(const struct snode *pairs, const char *key, const char *value)
{
	struct pair p;
	bool found = false;

	for (size_t i = 0; pair_at(pairs, i, &p); i++)
		found |= (key && pair_starts(&p, key)) || (value && p.value && strcmp(p.value, value) == 0);
	return found;
}

/* `api` alone opens no port: that is api.insecure's, or a router's. A file may say either. */
static void serves_api(struct checker *c, const struct snode *traefik)
{
	const struct snode *service = member_of(c, "services", snode_str(traefik, "service"));
	const struct snode *command = snode_get(service, "command"), *environment = snode_get(service, "environment");

	if (!snode_get(traefik, "api") || !items_have(command, "--") || items_have(command, "--api.insecure") ||
	    items_have(command, "--configfile") || snode_get(service, "configs") || snode_get(service, "env_file") ||
	    pairs_have(environment, "TRAEFIK_", NULL) ||
	    pairs_have(snode_path(service, "deploy.labels"), NULL, "api@internal"))
		return;
	check_warn(
		c, command->key_mark,
		"service '%s': its Traefik has no API that traefik.api could ask, so no route can be verified; write "
		"--api.insecure=true, and keep the port from others",
		service->key);
}

const struct check_row checks_traefik[] = {
	{"services", true, route},          {"services", true, route_network},
	{"services", true, service_labels}, {"services", true, container_labels},
	{"services", true, on_manager},     {"services", true, old_flag},
	{"traefik", false, section},        {"traefik", false, attachable},
	{"traefik", false, serves_api},     {NULL, false, NULL},
};
