/* Routes, as Traefik's API tells them. The route kind's gate asks more (kinds/route): it also sends a request. */
#include "kinds/cluster.h"
#include "run/status_internal.h"

#include <string.h>

#define ROUTER_PREFIX "traefik.http.routers."

/* "web@swarm" of v3, "web@docker" of v2; in v3 one of "docker" is some container's. */
static const char *const providers[] = {"swarm", "docker"};

static const json_t *find_named(const json_t *list, const char *name, const char *provider)
{
	_cleanup_free_ char *full = xasprintf("%s@%s", name, provider);
	json_t *j;
	size_t i;

	json_array_foreach ((json_t *)list, i, j)
		if (str_eq(json_str(j, "name"), full))
			return j;
	return NULL;
}

static void count_servers(const json_t *balancer, int64_t *up, int64_t *all)
{
	const char *url;
	json_t *state;

	*up = *all = 0;
	json_object_foreach (json_object_get(balancer, "serverStatus"), url, state) {
		*up += str_eq(json_string_value(state), "UP");
		++*all;
	}
}

static char *errors_of(const json_t *router)
{
	struct str text = {0};
	json_t *e;
	size_t i;

	str_addf(&text, "Traefik's router is %s",
		 json_str(router, "status") ? json_str(router, "status") : "in no known state");
	json_array_foreach (json_object_get(router, "error"), i, e)
		if (json_string_value(e))
			str_addf(&text, ": %s", json_string_value(e));
	return str_steal(&text);
}

static void judge_servers(struct status_view *v, json_t *j, const json_t *service, const json_t *balancer)
{
	int64_t up, all, running = json_int(json_object_get(service, "ServiceStatus"), "RunningTasks", 0);

	count_servers(balancer, &up, &all);
	json_set_int(j, "up", up);
	json_set_int(j, "servers", all);
	if (up == 0 && running > 0) {
		json_set_str(j, "state", "down");
		json_set_str(j, "reason", all ? "no server passes its health check" : "Traefik has no server for it");
		status_count(v, "failed");
	} else if (up < running || up < all) {
		json_set_str(j, "state", "partial");
		status_count(v, "pending");
	} else if (up == 0) {
		json_set_str(j, "state", "idle"); /* no task should run: nothing to route to */
	} else {
		json_set_str(j, "state", "up");
	}
}

static void judge(struct status_view *v, json_t *j, const char *name, const json_t *service)
{
	const char *why;
	const json_t *routers = snapshot_get(v->snap, "traefik/routers", &why);
	const json_t *balancers = routers ? snapshot_get(v->snap, "traefik/services", &why) : NULL, *router = NULL;
	size_t i;

	if (!routers || !balancers) {
		json_set_str(j, "state", "unknown");
		json_set_str(j, "reason", why);
		status_unknown(v, "routes", why);
		return;
	}
	if (json_is_null(routers)) {
		json_set_str(j, "state", "unchecked");
		json_set_str(j, "reason", "no spec was read that says where Traefik's API is");
		return;
	}
	for (i = 0; i < ARRAY_SIZE(providers) && !router; i++)
		router = find_named(routers, name, providers[i]);
	if (!router) {
		json_set_str(j, "state", "absent");
		json_set_str(j, "reason", "Traefik does not have its router");
		status_count(v, "pending");
		return;
	}
	if (!str_eq(json_str(router, "status"), "enabled")) {
		_cleanup_free_ char *errors = errors_of(router);
		json_set_str(j, "state", "failing");
		json_set_str(j, "reason", errors);
		status_count(v, "failed");
		return;
	}
	const char *balancer = json_str(router, "service");
	judge_servers(v, j, service, balancer ? find_named(balancers, balancer, providers[i - 1]) : NULL);
}

/* The "web" of "traefik.http.routers.web.rule"; malloc'ed, NULL for other labels. */
static char *router_of(const char *label)
{
	if (!str_starts(label, ROUTER_PREFIX) || !str_ends(label, ".rule"))
		return NULL;
	size_t n = strlen(label) - strlen(ROUTER_PREFIX) - strlen(".rule");
	return xasprintf("%.*s", (int)n, label + strlen(ROUTER_PREFIX));
}

static void add_routes(struct status_view *v, const json_t *service, json_t *by_name)
{
	const json_t *labels = json_path(service, "Spec.Labels");
	const char *label;
	json_t *value;

	json_object_foreach ((json_t *)labels, label, value) {
		_cleanup_free_ char *name = router_of(label);
		if (!name)
			continue;
		json_t *j = json_object();
		json_set_str(j, "name", name);
		json_set_str(j, "service", json_string_value(json_path(service, "Spec.Name")));
		json_set_str(j, "rule", json_string_value(value));
		judge(v, j, name, service);
		json_set(by_name, name, j);
	}
}

void status_routes(struct status_view *v)
{
	_cleanup_json_ json_t *by_name = json_object();
	json_t *routes = json_array(), *s;
	size_t i, n;

	json_array_foreach (snapshot_get(v->snap, "engine/services", NULL), i, s)
		if (labels_owned(json_path(s, "Spec.Labels"), v->o->cluster))
			add_routes(v, s, by_name);
	const char **names = json_sorted_keys(by_name, &n);
	for (i = 0; i < n; i++)
		json_array_append(routes, json_object_get(by_name, names[i]));
	free(names);
	json_set(v->doc, "routes", routes);
}
