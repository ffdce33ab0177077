#include "kinds/route/gate.h"

#include "client/engine/engine.h"
#include "kinds/traefik/traefik.h"

#include <string.h>
#include <strings.h>

#define POLL_S 15 /* Traefik asks Swarm so often (refreshSeconds) */
#define SOON_S 5

__attribute__((format(printf, 3, 4))) static json_t *wait_for(struct gate *g, int64_t retry_s, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	*g = (struct gate){.waiting = true, .reason = text, .retry_after_s = retry_s};
	return NULL;
}

static void add_errors(const json_t *router, struct str *out)
{
	json_t *e;
	size_t i;

	json_array_foreach (json_object_get(router, "error"), i, e)
		str_addf(out, ": %s", json_string_value(e));
}

static bool has_entrypoint(const json_t *entrypoints, const char *name)
{
	json_t *e;
	size_t i;

	json_array_foreach ((json_t *)entrypoints, i, e)
		if (str_eq(json_str(e, "name"), name))
			return true;
	return false;
}

bool route_is_pending(const char *pending, const char *entrypoint)
{
	return pending && strcasecmp(pending, entrypoint) == 0;
}

bool route_is_unbuilt(const json_t *router, const char *pending)
{
	const json_t *e;
	size_t i;

	json_array_foreach (json_object_get(router, "entryPoints"), i, e)
		if (!route_is_pending(pending, json_string_value(e)))
			return false;
	return pending != NULL;
}

static size_t count_running(const json_t *tasks)
{
	json_t *t;
	size_t i, n = 0;

	json_array_foreach ((json_t *)tasks, i, t)
		n += engine_task_runs(t);
	return n;
}

/* The servers in order, so that the same set is the same text; the first that is not UP in *down. */
static size_t list_servers(const json_t *balancer, struct str *out, const char **down)
{
	const json_t *status = json_object_get(balancer, "serverStatus");
	size_t n;
	const char **urls = json_sorted_keys(status, &n);

	*down = NULL;
	for (size_t i = 0; i < n; i++) {
		str_addf(out, "%s ", urls[i]);
		if (!*down && !str_eq(json_str(status, urls[i]), "UP"))
			*down = urls[i];
	}
	free(urls);
	return n;
}

/* Traefik's words for it (pkg/config/runtime, runtime_http.go, of v2.11 and v3.7). */
static bool only_lacks_pending(const struct route_look *look)
{
	const char *none = route_is_unbuilt(look->router, look->pending) ? "no valid entryPoint for this router" : NULL;
	json_t *e;
	size_t i;

	json_array_foreach (json_object_get(look->router, "error"), i, e) {
		static const char before[] = "entryPoint \"", after[] = "\" doesn't exist";
		const char *text = json_string_value(e), *name = text + strlen(before);
		size_t n = strlen(text);
		if (str_eq(none, text))
			continue;
		if (!str_starts(text, before) || !str_ends(text, after) || n < strlen(before) + strlen(after))
			return false;
		_cleanup_free_ char *entrypoint = xasprintf("%.*s", (int)(n - strlen(before) - strlen(after)), name);
		if (!route_is_pending(look->pending, entrypoint))
			return false;
	}
	return json_array_size(json_object_get(look->router, "error")) > 0;
}

static bool check_entrypoints(const struct route_look *look, struct gate *g)
{
	json_t *e;
	size_t i;

	json_array_foreach (json_object_get(look->router, "entryPoints"), i, e) {
		const char *entrypoint = json_string_value(e);
		if (has_entrypoint(look->entrypoints, entrypoint) || route_is_pending(look->pending, entrypoint))
			continue;
		bool comes = traefik_has_entrypoint(look->traefik, entrypoint);
		wait_for(g, comes ? POLL_S : 0, "router '%s' names the entrypoint '%s', which Traefik does not have%s",
			 json_str(look->router, "name"), entrypoint, comes ? " yet" : "");
		g->waiting = comes;
		return false;
	}
	return true;
}

static bool check_router(const struct route_look *look, struct gate *g)
{
	const char *name = json_str(look->router, "name"), *status = json_str(look->router, "status");
	_cleanup_str_ struct str errors = {0};

	if (str_eq(status, "enabled") || only_lacks_pending(look))
		return true;
	add_errors(look->router, &errors);
	wait_for(g, POLL_S, "router '%s' is %s%s", name, status ? status : "in no known state", str_cstr(&errors));
	return false;
}

/* Traefik asks Swarm now and then: what it has may be what the service was before. */

static bool has_name(const json_t *list, const char *name)
{
	json_t *e;
	size_t i;

	json_array_foreach ((json_t *)list, i, e)
		if (str_eq(json_string_value(e), name))
			return true;
	return false;
}

static bool same_names(const json_t *a, const json_t *b)
{
	json_t *e;
	size_t i;

	json_array_foreach ((json_t *)a, i, e)
		if (!has_name(b, json_string_value(e)))
			return false;
	return json_array_size(a) == json_array_size(b);
}

/* "10.64.1.3/24" is the host of one of the servers' URLs. */
static bool is_served(const char *servers, const char *address)
{
	int n = (int)strcspn(address, "/");
	bool v6 = memchr(address, ':', (size_t)n) != NULL;
	_cleanup_free_ char *host = xasprintf(v6 ? "://[%.*s]:" : "://%.*s:", n, address);
	return strstr(servers, host) != NULL;
}

/* A task of the host's network has no address of its own. */
static bool task_is_served(const json_t *task, const char *servers)
{
	json_t *attachment, *address;
	size_t i, k, n = 0;

	json_array_foreach (json_object_get(task, "NetworksAttachments"), i, attachment)
		json_array_foreach (json_object_get(attachment, "Addresses"), k, address) {
			n++;
			if (is_served(servers, json_string_value(address)))
				return true;
		}
	return n == 0;
}

static bool tasks_are_served(const json_t *tasks, const char *servers)
{
	json_t *t;
	size_t i;

	json_array_foreach ((json_t *)tasks, i, t)
		if (engine_task_runs(t) && !task_is_served(t, servers))
			return false;
	return true;
}

/* Every server's URL ends with the port, and a blank. */
static bool ports_are(const char *servers, int64_t port)
{
	_cleanup_free_ char *end = xasprintf(":%lld ", (long long)port);

	for (const char *p = servers; *p; p += strcspn(p, " ") + 1) {
		size_t n = strcspn(p, " ") + 1;
		if (n < strlen(end) || strncmp(p + n - strlen(end), end, strlen(end)) != 0)
			return false;
	}
	return true;
}

/* Traefik gives a router the TLS of its entrypoints. */
static bool tls_of_entrypoint(const struct route_look *look)
{
	json_t *e;
	size_t i;

	json_array_foreach ((json_t *)look->entrypoints, i, e)
		if (json_path(e, "http.tls") &&
		    has_name(json_object_get(look->router, "entryPoints"), json_str(e, "name")))
			return true;
	return false;
}

/* In order; Traefik may show whose they are: "web-retry@swarm". It puts those of entrypoints before them. */
static bool same_middlewares(const json_t *have, const json_t *want)
{
	size_t n = json_array_size(have), m = json_array_size(want);

	if (n < m)
		return false;
	for (size_t i = 0; i < m; i++) {
		const char *a = json_string_value(json_array_get(have, n - m + i));
		const char *b = json_string_value(json_array_get(want, i));
		size_t len = strlen(b);
		if (strncmp(a, b, len) != 0 || (a[len] != '\0' && a[len] != '@'))
			return false;
	}
	return true;
}

static bool router_is_current(const struct route_look *look)
{
	const json_t *entrypoints = json_object_get(look->route, "entrypoints");
	int64_t priority = json_int(look->route, "priority", 0);

	if (json_bool(look->route, "tls") != (json_object_get(look->router, "tls") != NULL) && !tls_of_entrypoint(look))
		return false;
	if (priority && json_int(look->router, "priority", 0) != priority)
		return false;
	if (!same_middlewares(json_object_get(look->router, "middlewares"),
			      json_object_get(look->route, "middlewares")))
		return false;
	return str_eq(json_str(look->router, "rule"), json_str(look->route, "rule")) &&
	       (!entrypoints || same_names(json_object_get(look->router, "entryPoints"), entrypoints));
}

static bool servers_are_current(const struct route_look *look, const char *servers)
{
	const char *health = json_str(json_path(look->balancer, "loadBalancer.healthCheck"), "path");

	return str_eq(health, json_str(look->route, "health_path")) &&
	       ports_are(servers, json_int(look->route, "port", 0)) && tasks_are_served(look->tasks, servers);
}

json_t *route_judge(const struct route_look *look, const json_t *evidence, struct gate *g)
{
	_cleanup_str_ struct str servers = {0};
	size_t running = count_running(look->tasks);
	const char *down;

	size_t n = list_servers(look->balancer, &servers, &down);
	if (!router_is_current(look))
		return wait_for(g, POLL_S, "Traefik still has the router of service '%s' as it was before",
				look->service);
	if (!check_entrypoints(look, g)) /* before it comes, the servers may be looked at for long already */
		return g->waiting ? json_incref((json_t *)evidence) : NULL;
	if (!check_router(look, g))
		return NULL;
	if (running == 0)
		return wait_for(g, SOON_S, "no task of service '%s' runs", look->service);
	if (n != running)
		return wait_for(g, POLL_S, "running tasks of service '%s': %zu, servers in Traefik: %zu", look->service,
				running, n);
	if (!servers_are_current(look, str_cstr(&servers)))
		return wait_for(g, POLL_S, "Traefik still has the servers of service '%s' as they were before",
				look->service);
	if (route_is_unbuilt(look->router, look->pending)) { /* Traefik checks none of them; the caller does */
		*g = (struct gate){.met = true};
		return NULL;
	}
	if (down)
		return wait_for(g, SOON_S, "server %s of service '%s' is %s in Traefik", down, look->service,
				json_str(json_object_get(look->balancer, "serverStatus"), down));

	int64_t since = json_int(evidence, "since", look->wall);
	bool same = str_eq(json_str(evidence, "servers"), str_cstr(&servers)) &&
		    str_eq(json_str(evidence, "started"), look->started ? look->started : "") && since <= look->wall;
	if (!same)
		since = look->wall;
	int64_t left = since + json_int(look->route, "check_s", 0) - look->wall;
	if (left > 0)
		wait_for(g, left,
			 "the servers of service '%s' are UP, which proves nothing before their first health check: "
			 "%lld s more",
			 look->service, (long long)left);
	else
		*g = (struct gate){.met = true};
	return json_pack("{s:s, s:s, s:I}", "servers", str_cstr(&servers), "started",
			 look->started ? look->started : "", "since", (json_int_t)since);
}
