#include "kinds/route/gate.h"

#include <string.h>

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

static size_t count_running(const json_t *tasks)
{
	json_t *t;
	size_t i, n = 0;

	json_array_foreach ((json_t *)tasks, i, t)
		n += str_eq(json_str(json_object_get(t, "Status"), "State"), "running");
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

static bool check_router(const struct route_look *look, struct gate *g)
{
	const char *name = json_str(look->router, "name"), *status = json_str(look->router, "status");
	_cleanup_str_ struct str errors = {0};
	json_t *e;
	size_t i;

	json_array_foreach (json_object_get(look->router, "entryPoints"), i, e) {
		if (has_entrypoint(look->entrypoints, json_string_value(e)))
			continue;
		wait_for(g, 0, "router '%s' names the entrypoint '%s', which Traefik does not have", name,
			 json_string_value(e));
		g->waiting = false;
		return false;
	}
	if (str_eq(status, "enabled"))
		return true;
	add_errors(look->router, &errors);
	wait_for(g, POLL_S, "router '%s' is %s%s", name, status ? status : "in no known state", str_cstr(&errors));
	return false;
}

json_t *route_judge(const struct route_look *look, const json_t *evidence, struct gate *g)
{
	_cleanup_str_ struct str servers = {0};
	size_t running = count_running(look->tasks);
	const char *down;

	if (!check_router(look, g))
		return NULL;
	size_t n = list_servers(look->balancer, &servers, &down);
	if (running == 0)
		return wait_for(g, SOON_S, "no task of service '%s' runs", look->service);
	if (n != running)
		return wait_for(g, POLL_S, "Traefik has %zu servers of service '%s', %zu of its tasks run", n,
				look->service, running);
	if (down)
		return wait_for(g, SOON_S, "server %s of service '%s' is %s in Traefik", down, look->service,
				json_str(json_object_get(look->balancer, "serverStatus"), down));

	int64_t since = json_int(evidence, "since", look->wall);
	bool same = str_eq(json_str(evidence, "servers"), str_cstr(&servers)) &&
		    str_eq(json_str(evidence, "started"), look->started ? look->started : "") && since <= look->wall;
	if (!same)
		since = look->wall;
	int64_t left = since + look->check_s - look->wall;
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
