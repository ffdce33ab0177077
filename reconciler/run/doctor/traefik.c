/* Traps of Traefik: its configuration, its version, and the labels of what it serves. FACTS A; G3 to G10, G40, G41. */
#include "run/doctor/internal.h"

#include <stdio.h>
#include <string.h>
#include <strings.h>

#define ROUTERS "traefik.http.routers."
#define SERVICES "traefik.http.services."

static const char *where_of(struct doctor *d)
{
	const struct traefik_seen *t = &d->traefik;
	return t->container ? where_is(d, "container %s", t->container) : where_is(d, "service/%s", t->service);
}

static bool is_there(struct doctor *d)
{
	return d->traefik.container || d->traefik.service;
}

/* Labels. Traefik reads them without case. */

static bool begins(const char *label, const char *prefix)
{
	return strncasecmp(label, prefix, strlen(prefix)) == 0;
}

static bool ends(const char *label, const char *suffix)
{
	size_t n = strlen(label), k = strlen(suffix);
	return n >= k && strcasecmp(label + n - k, suffix) == 0;
}

static const char *find_label(const json_t *labels, const char *prefix, const char *suffix)
{
	const char *label;
	json_t *value;

	json_object_foreach ((json_t *)labels, label, value)
		if (begins(label, prefix) && ends(label, suffix))
			return json_string_value(value) ? json_string_value(value) : "";
	return NULL;
}

/* Traefik serves it: it has a router, and is not switched off. */
static bool is_routed(const json_t *labels)
{
	const char *enable = find_label(labels, "traefik.enable", "traefik.enable");
	return !str_eq(enable, "false") && find_label(labels, ROUTERS, ".rule");
}

#define each_routed(d, i, s) each_service(d, i, s) if (is_routed(service_labels(s)))

/* The configuration */

static void v2_key(struct doctor *d, const struct trap *t)
{
	const struct traefik_seen *x = &d->traefik;
	if (x->version_known && x->version.major >= 3 && x->v2_keys)
		doctor_find(d, t, where_of(d), "Traefik %d.%d, and its static configuration has swarmMode",
			    x->version.major, x->version.minor);
}

static const struct trap trap_v2_key = {
	.id = "traefik-v2-key",
	.severity = TRAP_ERROR,
	.why = "Traefik v3 does not start with that key, whatever its value: the next restart is the last",
	.mend = "remove swarmMode and write providers.swarm: {} beside providers.docker; `traefik.swarm_mode: true` in "
		"the spec "
		"does it",
	.look = v2_key,
};

static void not_swarm(struct doctor *d, const struct trap *t)
{
	const struct traefik_seen *x = &d->traefik;
	json_t *s;
	size_t i;

	if (!x->state || !x->version_known || x->swarm_on)
		return;
	each_routed(d, i, s) doctor_find(d, t, service_where(d, s),
					 "it has Traefik's labels, and %s does not look at services", where_of(d));
}

static const struct trap trap_not_swarm = {
	.id = "traefik-not-swarm",
	.severity = TRAP_ERROR,
	.why = "its routes do not exist: requests get 404, or go where they went before",
	.mend = "v2: providers.docker.swarmMode: true, v3: providers.swarm: {}; read at start only. "
		"`traefik.swarm_mode: true` in the spec does it",
	.look = not_swarm,
};

static void lost_route(struct doctor *d, const struct trap *t, const struct place *p, const json_t *container)
{
	if (container_runs(container) && is_routed(json_object_get(container, "Labels")))
		doctor_find(d, t, container_where(d, p, container),
			    "it has Traefik's labels, and Traefik v2 in Swarm mode "
			    "does not look at containers");
}

static void lost_routes(struct doctor *d, const struct trap *t)
{
	if (d->traefik.version_known && d->traefik.version.major < 3 && d->traefik.swarm_on)
		each_container(d, t, lost_route);
}

static const struct trap trap_lost = {
	.id = "traefik-lost-routes",
	.severity = TRAP_ERROR,
	.why = "v2 sees services or containers, never both: swarmMode dropped these routes, and switching it off drops "
	       "the "
	       "others",
	.mend = "write them into a file that Traefik's file provider reads (`traefik.keep_container_routes` in the "
		"spec), or "
		"move to v3, which has both",
	.look = lost_routes,
};

static const json_t *network_named(const struct doctor *d, const char *name)
{
	json_t *n;
	size_t i;

	json_array_foreach ((json_t *)d->networks, i, n)
		if (str_eq(json_str(n, "Name"), name))
			return n;
	return NULL;
}

static void bridge(struct doctor *d, const struct trap *t)
{
	const struct traefik_seen *x = &d->traefik;
	bool v3 = x->version_known && x->version.major >= 3;
	const char *name = json_str(x->state, v3 ? "swarm.network" : "docker.network");
	const json_t *network = name ? network_named(d, name) : NULL;

	if (name && d->networks && !network)
		doctor_find(d, t, where_of(d), "its provider's network is '%s', which does not exist", name);
	else if (network && x->swarm_on && !str_eq(json_str(network, "Driver"), "overlay"))
		doctor_find(d, t, where_of(d), "its provider's network is '%s', a %s network", name,
			    json_str(network, "Driver"));
}

static const struct trap trap_bridge = {
	.id = "traefik-network-is-no-overlay",
	.severity = TRAP_WARNING,
	.why = "no service is on it: for those without a network label of their own Traefik takes any network, and "
	       "requests "
	       "time out now and then",
	.mend = "name the overlay network that the services and Traefik share, or set the label on every service",
	.look = bridge,
};

/* Attachments */

static bool is_attached(struct doctor *d, const char *network, const char *id)
{
	const struct traefik_seen *x = &d->traefik;
	const char *key;
	json_t *value, *s, *n;
	size_t i, k;

	json_object_foreach (json_path(x->inspect, "NetworkSettings.Networks"), key, value)
		if (str_eq(key, network) || str_eq(key, id))
			return true;
	each_service(d, i, s) json_array_foreach (
		json_path(s, "Spec.TaskTemplate.Networks"), k,
		n) if (str_eq(service_name(s), x->service) &&
		       (str_eq(json_str(n, "Target"), id) || str_eq(json_str(n, "Target"), network))) return true;
	return false;
}

static const json_t *network_by_target(const struct doctor *d, const char *target)
{
	json_t *n;
	size_t i;

	json_array_foreach ((json_t *)d->networks, i, n)
		if (str_eq(json_str(n, "Id"), target) || str_eq(json_str(n, "Name"), target))
			return n;
	return NULL;
}

static const char *network_label(const json_t *labels)
{
	const char *swarm = find_label(labels, "traefik.swarm.network", "traefik.swarm.network");
	return swarm ? swarm : find_label(labels, "traefik.docker.network", "traefik.docker.network");
}

static bool shares_network(struct doctor *d, const json_t *service, const char *only)
{
	json_t *n;
	size_t i;

	json_array_foreach (json_path(service, "Spec.TaskTemplate.Networks"), i, n) {
		const json_t *network = network_by_target(d, json_str(n, "Target"));
		const char *name = json_str(network, "Name");
		if (name && (!only || str_eq(only, name)) && is_attached(d, name, json_str(network, "Id")))
			return true;
	}
	return false;
}

static bool runs_on_host_network(const struct doctor *d)
{
	return str_eq(json_string_value(json_path(d->traefik.inspect, "HostConfig.NetworkMode")), "host");
}

static void not_attached(struct doctor *d, const struct trap *t)
{
	json_t *s;
	size_t i;

	if (!is_there(d) || !d->networks || (d->traefik.container && !d->traefik.inspect))
		return;
	each_routed(d, i, s)
	{
		const char *label = network_label(service_labels(s));
		if (shares_network(d, s, label))
			continue;
		if (runs_on_host_network(d))
			doctor_find(d, t, service_where(d, s),
				    "Traefik runs on the host's network, which no overlay reaches");
		else if (label)
			doctor_find(d, t, service_where(d, s), "its network label says '%s', on which %s is not", label,
				    where_of(d));
		else
			doctor_find(d, t, service_where(d, s), "it has no network in common with %s", where_of(d));
	}
}

static const struct trap trap_not_attached = {
	.id = "traefik-not-attached",
	.severity = TRAP_ERROR,
	.why = "Traefik has the route, and every request ends with 504: it cannot reach the tasks",
	.mend = "an attachable overlay network for both: `docker network connect NETWORK TRAEFIK`; `traefik.networks` "
		"in the "
		"spec keeps it so",
	.look = not_attached,
};

/* Label families */

static void both_families(struct doctor *d, const struct trap *t)
{
	json_t *s;
	size_t i;

	each_service(d, i, s) if (find_label(service_labels(s), "traefik.docker.", "") &&
				  find_label(service_labels(s), "traefik.swarm.", ""))
		doctor_find(d, t, service_where(d, s), "it has traefik.docker.* and traefik.swarm.* labels");
}

static const struct trap trap_both = {
	.id = "traefik-both-families",
	.severity = TRAP_ERROR,
	.why = "Traefik says so in its log and skips the service",
	.mend = "remove those that do not fit its version; `route` in the spec chooses by the version",
	.look = both_families,
};

static void wrong_family(struct doctor *d, const struct trap *t)
{
	const struct traefik_seen *x = &d->traefik;
	json_t *s;
	size_t i;

	if (!is_there(d) || !x->version_known)
		return;
	bool swarm = traefik_reads_swarm_labels(&x->version);
	const char *bad = swarm ? "traefik.docker." : "traefik.swarm.",
		   *good = swarm ? "traefik.swarm." : "traefik.docker.";
	each_service(d, i, s) if (find_label(service_labels(s), bad, "") && !find_label(service_labels(s), good, ""))
		doctor_find(d, t, service_where(d, s), "it has %s* labels, and Traefik %d.%d.%d reads %s*", bad,
			    x->version.major, x->version.minor, x->version.patch, good);
}

static const struct trap trap_family = {
	.id = "traefik-wrong-family",
	.severity = TRAP_ERROR,
	.why = "the label has no effect: Traefik takes any network of the service, which may be one that it is not on",
	.mend = "v3.2.2 and later: traefik.swarm.network, before: traefik.docker.network; `route` in the spec chooses",
	.look = wrong_family,
};

/* What a service needs to say */

static void no_port(struct doctor *d, const struct trap *t)
{
	json_t *s;
	size_t i;

	each_routed(d, i, s) if (!find_label(service_labels(s), SERVICES, ".loadbalancer.server.port"))
		doctor_find(d, t, service_where(d, s), "it has a router and no loadbalancer.server.port");
}

static const struct trap trap_no_port = {
	.id = "traefik-no-port",
	.severity = TRAP_ERROR,
	.why = "of a service Traefik cannot guess the port, and skips it",
	.mend = "the label traefik.http.services.NAME.loadbalancer.server.port; `route.port` in the spec",
	.look = no_port,
};

static void no_network(struct doctor *d, const struct trap *t)
{
	bool given = json_str(d->traefik.state, "docker.network") || json_str(d->traefik.state, "swarm.network");
	json_t *s;
	size_t i;

	each_routed(d, i, s)
	{
		size_t n = json_array_size(json_path(s, "Spec.TaskTemplate.Networks"));
		bool ingress = json_array_size(json_path(s, "Endpoint.Ports")) > 0;
		if (!given && !network_label(service_labels(s)) && n + ingress > 1)
			doctor_find(d, t, service_where(d, s),
				    "it is on %zu networks, and no label says which Traefik takes", n + ingress);
	}
}

static const struct trap trap_no_network = {
	.id = "traefik-no-network",
	.severity = TRAP_WARNING,
	.why = "Traefik takes one in no fixed order; with `ingress` or another that it is not on, requests time out "
	       "now and "
	       "then",
	.mend = "the label traefik.swarm.network (v3.2.2 and later) or traefik.docker.network; `route` in the spec "
		"sets it",
	.look = no_network,
};

static char *router_of(struct doctor *d, const char *label)
{
	size_t n = strlen(label) - strlen(ROUTERS) - strlen(".rule");
	return arena_printf(d->arena, "%.*s", (int)n, label + strlen(ROUTERS));
}

typedef void (*rule_fn)(struct doctor *d, const struct trap *t, const char *where, const json_t *labels,
			const char *router, const char *rule);

static void rules_of(struct doctor *d, const struct trap *t, const char *where, const json_t *labels, rule_fn fn)
{
	const char *label;
	json_t *value;

	json_object_foreach ((json_t *)labels, label, value)
		if (begins(label, ROUTERS) && ends(label, ".rule") && strlen(label) > strlen(ROUTERS) + strlen(".rule"))
			fn(d, t, where, labels, router_of(d, label),
			   json_string_value(value) ? json_string_value(value) : "");
}

static void each_rule(struct doctor *d, const struct trap *t, rule_fn fn)
{
	json_t *s, *c;
	size_t i, k;

	each_service(d, i, s) rules_of(d, t, service_where(d, s), service_labels(s), fn);
	for (k = 0; k < d->places.n; k++)
		json_array_foreach ((json_t *)d->places.v[k].containers, i, c)
			if (!container_is_task(c))
				rules_of(d, t, container_where(d, &d->places.v[k], c), json_object_get(c, "Labels"),
					 fn);
}

static const char *router_label(struct doctor *d, const json_t *labels, const char *router, const char *member)
{
	const char *name = where_is(d, ROUTERS "%s.%s", router, member);
	return find_label(labels, name, name);
}

static void no_entrypoint(struct doctor *d, const struct trap *t, const char *where, const json_t *labels,
			  const char *router, const char *rule)
{
	(void)rule;
	if (!router_label(d, labels, router, "entrypoints"))
		doctor_find(d, t, where, "router '%s' names no entrypoint", router);
}

static void no_entrypoints(struct doctor *d, const struct trap *t)
{
	each_rule(d, t, no_entrypoint);
}

static const struct trap trap_no_entrypoints = {
	.id = "traefik-no-entrypoints",
	.severity = TRAP_WARNING,
	.why = "it listens on all of them, internal ones included",
	.mend = "the label traefik.http.routers.NAME.entrypoints; `route.entrypoints` in the spec",
	.look = no_entrypoints,
};

/* "PathPrefix()": what a shell leaves of backticks between double quotes. */
static void empty_matcher(struct doctor *d, const struct trap *t, const char *where, const json_t *labels,
			  const char *router, const char *rule)
{
	(void)labels;
	for (const char *p = rule; (p = strchr(p, '(')); p++) {
		const char *q = p + 1 + strspn(p + 1, " ");
		if (*q == ')' || str_starts(q, "``)") || str_starts(q, "\"\")")) {
			doctor_find(d, t, where, "the rule of router '%s' is %s", router, rule);
			return;
		}
	}
}

static void empty_matchers(struct doctor *d, const struct trap *t)
{
	each_rule(d, t, empty_matcher);
}

static const struct trap trap_empty = {
	.id = "traefik-empty-rule",
	.severity = TRAP_ERROR,
	.why = "the router matches nothing or is refused; backticks between double quotes were run by the shell",
	.mend = "write the label in single quotes; in a spec nothing runs it",
	.look = empty_matchers,
};

static void catch_all(struct doctor *d, const struct trap *t, const char *where, const json_t *labels,
		      const char *router, const char *rule)
{
	bool narrow = strstr(rule, "Host") || strstr(rule, "ClientIP") || strstr(rule, "Header");
	bool wide = strstr(rule, "PathPrefix(`/api`)") || strstr(rule, "PathPrefix(`/`)");

	if (wide && !narrow && !router_label(d, labels, router, "middlewares"))
		doctor_find(d, t, where, "the rule of router '%s' is %s, for every host and without a middleware",
			    router, rule);
}

static void catch_alls(struct doctor *d, const struct trap *t)
{
	each_rule(d, t, catch_all);
}

static const struct trap trap_catch_all = {
	.id = "traefik-catch-all",
	.severity = TRAP_WARNING,
	.why = "it takes the /api of every other host on that entrypoint, and lets everybody pull and delete; /v1 it "
	       "misses",
	.mend = "add Host(`…`) to the rule, and a middleware where not everybody may come in",
	.look = catch_alls,
};

static void labels_on_containers(struct doctor *d, const struct trap *t)
{
	json_t *s;
	size_t i;

	each_service(d, i, s) if (find_label(json_object_get(service_container(s), "Labels"), ROUTERS, "") &&
				  !is_routed(service_labels(s)))
		doctor_find(d, t, service_where(d, s), "its containers have Traefik's labels, the service has not");
}

static const struct trap trap_labels = {
	.id = "traefik-container-labels",
	.severity = TRAP_WARNING,
	.why = "in Swarm Traefik reads the labels of services only",
	.mend = "move them to deploy.labels, or write `route`",
	.look = labels_on_containers,
};

/* Engine and files */

/* Before v2.11.31 and v3.6.1 it speaks API 1.24, which Docker 29 refuses. */
static bool speaks_old_api(const struct traefik_version *v)
{
	if (v->major < 3)
		return v->minor < 11 || (v->minor == 11 && v->patch < 31);
	return v->major == 3 && (v->minor < 6 || (v->minor == 6 && v->patch < 1));
}

static void old_api(struct doctor *d, const struct trap *t)
{
	const struct traefik_seen *x = &d->traefik;
	const char *engine = json_str(snapshot_get(d->snap, "engine/info", NULL), "ServerVersion");

	if (is_there(d) && x->version_known && engine && atoi(engine) >= 29 && speaks_old_api(&x->version))
		doctor_find(d, t, where_of(d), "Traefik %d.%d.%d, and Docker %s", x->version.major, x->version.minor,
			    x->version.patch, engine);
}

static const struct trap trap_old_api = {
	.id = "traefik-old-api",
	.severity = TRAP_ERROR,
	.why = "this Traefik asks with API 1.24, which Docker 29 refuses: it sees neither containers nor services",
	.mend = "Traefik v2.11.31, v3.6.1 or later",
	.look = old_api,
};

static void other_inode(struct doctor *d, const struct trap *t)
{
	const json_t *running = snapshot_get(d->snap, "traefik/running", NULL);
	const char *path = json_str(d->traefik.doc, "path");

	if (path && json_bool(running, "differs"))
		doctor_find(d, t, where_of(d), "%s is another file than the one in the container", path);
}

static const struct trap trap_inode = {
	.id = "traefik-file-replaced",
	.severity = TRAP_ERROR,
	.why = "a file that is mounted alone stays the old one when it is replaced, as sed -i and editors do: what was "
	       "edited "
	       "is not what Traefik reads",
	.mend = "restart the container, or mount the directory; this program writes in place",
	.look = other_inode,
};

static void other_path(struct doctor *d, const struct trap *t)
{
	const char *declared = json_str(d->traefik.doc, "declared"), *path = json_str(d->traefik.doc, "path");

	if (declared)
		doctor_find(d, t, where_of(d), "the spec says %s, Traefik reads %s", declared,
			    path ? path : "another file");
}

static const struct trap trap_path = {
	.id = "traefik-other-file",
	.severity = TRAP_ERROR,
	.why = "edits of that file have no effect",
	.mend = "correct traefik.static_config",
	.look = other_path,
};

const struct trap *const traps_traefik[] = {
	&trap_v2_key,     &trap_not_swarm,      &trap_lost,      &trap_not_attached, &trap_both, &trap_family,
	&trap_no_port,    &trap_empty,          &trap_old_api,   &trap_inode,        &trap_path, &trap_bridge,
	&trap_no_network, &trap_no_entrypoints, &trap_catch_all, &trap_labels,       NULL,
};
