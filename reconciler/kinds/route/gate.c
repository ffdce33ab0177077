#include "kinds/route/gate.h"

#include "kinds/absent/absent.h"
#include "kinds/route/replicas.h"
#include "kinds/route/request.h"
#include "kinds/traefik/reach.h"
#include "kinds/traefik/traefik.h"
#include "sys/clock.h"
#include "sys/http.h"

#include <stdlib.h>
#include <string.h>

#define POLL_S 15
#define CALL_MS 10000

struct look {
	struct apply *a;
	const struct resource *route;
	struct traefik_client *client;
	struct http *http;
	json_t *version, *router, *balancer, *entrypoints, *tasks;
	json_t *container, *service; /* Traefik's own, one of them */
	const char *pending;         /* gate.h; NULL: every entrypoint counts */
	bool asked;                  /* a request has been made; not every rule tells of one that it takes */
	struct gate *g;
	struct err *err;
};

static void look_free(struct look *l)
{
	traefik_close(l->client);
	http_free(l->http);
	json_decref(l->version);
	json_decref(l->router);
	json_decref(l->balancer);
	json_decref(l->entrypoints);
	json_decref(l->tasks);
	json_decref(l->container);
	json_decref(l->service);
}

/* 0: g says what is waited for. Only a cancelled pass is an error: all else may be better next time. */
static int hold(struct look *l, const struct err *why)
{
	if (why->code == ERR_CANCELLED)
		return err_set(l->err, why->code, "%s", why->msg);
	*l->g = (struct gate){.waiting = true, .reason = xstrdup(why->msg), .retry_after_s = POLL_S};
	return 0;
}

static int64_t soon(const struct look *l)
{
	int64_t limit = clock_ms() + CALL_MS;
	return limit < l->a->deadline ? limit : l->a->deadline;
}

/* Looking; each returns 1 to go on */

static int get(struct look *l, const char *path, json_t **out)
{
	struct err why = {0};

	if (traefik_get(l->client, soon(l), path, out, &why) == 0)
		return 1;
	return hold(l, &why);
}

/* Of servers that Traefik has not built it says only where they are. */
static void add_unbuilt(json_t *balancer)
{
	const json_t *server;
	json_t *status = json_object();
	size_t i;

	json_array_foreach (json_path(balancer, "loadBalancer.servers"), i, server)
		if (json_str(server, "url"))
			json_set_str(status, json_str(server, "url"), "not built");
	json_set(balancer, "serverStatus", status);
}

/* In v3 a router named so by the docker provider is some container's. */
static int get_router(struct look *l)
{
	struct traefik_version v = {0};
	const char *version = json_str(l->version, "Version");
	bool known = version && traefik_version_parse(version, &v);
	const char *const providers[] = {known && v.major < 3 ? NULL : "swarm",
					 known && v.major >= 3 ? NULL : "docker"};
	struct err why = {0};

	for (size_t i = 0; i < ARRAY_SIZE(providers) && !l->router; i++) {
		if (!providers[i])
			continue;
		_cleanup_free_ char *path = xasprintf("/api/http/routers/%s@%s", l->route->name, providers[i]);
		_cleanup_free_ char *balancer = xasprintf("/api/http/services/%s@%s", l->route->name, providers[i]);
		why = (struct err){0};
		if (traefik_get(l->client, soon(l), path, &l->router, &why) == 0) {
			int rc = get(l, balancer, &l->balancer);
			if (rc > 0 && route_is_unbuilt(l->router, l->pending))
				add_unbuilt(l->balancer);
			return rc;
		}
		if (why.code != ERR_NOT_FOUND)
			return hold(l, &why);
		err_set(&why, ERR_NOT_FOUND, "Traefik has no router '%s@%s' yet: it asks Swarm every %d s",
			l->route->name, providers[i], POLL_S);
	}
	return hold(l, &why);
}

static int get_tasks(struct look *l)
{
	_cleanup_json_ json_t *filters =
		json_pack("{s:{s:b}, s:{s:b}}", "service", l->route->name, 1, "desired-state", "running", 1);
	struct err why = {0};

	if (engine_list(l->a->cluster->engine, soon(l), "/tasks", filters, &l->tasks, &why) < 0)
		return hold(l, &why);
	return 1;
}

static int get_traefik(struct look *l)
{
	const json_t *body = l->route->body;
	const char *container = json_str(body, "traefik_container"), *service = json_str(body, "traefik_service");
	_cleanup_str_ struct str id = {0};
	struct cluster *c = l->a->cluster;
	struct engine *engine = c->engine;
	struct err why = {0};

	engine_escape(container ? container : service, &id);
	if (container && cluster_engine(c, c->traefik_node, &engine, &why) < 0)
		return hold(l, &why);
	if (engine_get(engine, soon(l), container ? &l->container : &l->service, &why, "/%s/%s%s",
		       container ? "containers" : "services", str_cstr(&id), container ? "/json" : "") < 0)
		return hold(l, &why);
	return 1;
}

static int look_around(struct look *l)
{
	struct err why = {0};
	int rc;

	if (!l->a->cluster->traefik_api) {
		*l->g = (struct gate){
			.reason = xstrdup("the spec does not say where Traefik's API is (traefik.api): a route "
					  "cannot be verified without it")};
		return 0;
	}
	if (http_new(&l->http, &why) < 0 || cluster_traefik(l->a->cluster, &l->client, &why) < 0)
		return hold(l, &why);
	rc = get(l, "/api/version", &l->version);
	if (rc > 0)
		rc = get_router(l);
	if (rc > 0)
		rc = get(l, "/api/entrypoints", &l->entrypoints);
	if (rc > 0)
		rc = get_tasks(l);
	return rc > 0 ? get_traefik(l) : rc;
}

/* Judging */

static int judge(struct look *l)
{
	const struct cluster *c = l->a->cluster;
	_cleanup_free_ char *key = xasprintf("route/%s", l->route->name);
	const char *traefik = json_str(l->route->body, "traefik_service");
	const struct resource *its = traefik ? resource_find(l->a->want, "service", traefik) : NULL;
	const struct route_look look = {
		.service = l->route->name,
		.route = l->route->body,
		.router = l->router,
		.balancer = l->balancer,
		.entrypoints = l->entrypoints,
		.tasks = l->tasks,
		.traefik = its ? its->body : NULL,
		.pending = l->pending,
		.started = json_str(l->version, "startDate"),
		.wall = clock_wall(),
	};

	_cleanup_json_ json_t *before = c->evidence_get ? c->evidence_get(c->evidence_arg, key) : NULL;
	_cleanup_json_ json_t *after = route_judge(&look, before, l->g);
	if (c->evidence_put)
		c->evidence_put(c->evidence_arg, key, after);
	return l->g->met;
}

/* Asking */

/* The host of "http://host:port/path", with the brackets of an IPv6 address. New string. */
static char *url_host(const char *url)
{
	const char *p = strstr(url, "://");

	p = p ? p + 3 : url;
	size_t n = *p == '[' ? strcspn(p, "]") + 1 : strcspn(p, ":/");
	return xasprintf("%.*s", (int)n, p);
}

/* Traefik's own answers when it has no server that works, or no router. */
static bool is_traefiks_own(const struct http_response *r)
{
	return r->status == 502 || r->status == 503 || r->status == 504 ||
	       (r->status == 404 && str_starts(str_cstr(&r->body), "404 page not found"));
}

/* relay: leads to the address; NULL: it is this machine's or the network's. */
static int ask(struct look *l, const char *entrypoint, const char *scheme, const char *address,
	       struct host_channel *relay, const struct route_request *request)
{
	_cleanup_free_ char *url = xasprintf("%s://%s%s", scheme, address, request->path);
	_cleanup_free_ char *host = xasprintf("Host: %s", request->host ? request->host : address);
	const char *const headers[] = {host, NULL};
	const struct http_tls tls = {.insecure = true}; /* asked by address, no certificate can fit */
	const struct http_request q = {
		.method = "GET",
		.url = url,
		.unix_socket = relay ? host_channel_socket(relay) : NULL,
		.headers = headers,
		.tls = &tls,
		.deadline = soon(l),
		.max_body = 1 << 20,
	};
	_cleanup_http_response_ struct http_response r = {0};
	struct err why = {0};

	if (http_do(l->http, &q, &r, &why) < 0) {
		if (why.code == ERR_LIMIT)
			return 1;
		if (relay && why.code != ERR_CANCELLED)
			host_channel_error(relay, &why);
		err_wrap(&why, "a request through the entrypoint '%s'", entrypoint);
		return hold(l, &why);
	}
	if (!is_traefiks_own(&r))
		return 1;
	err_set(&why, ERR_FAILED, "a request through the entrypoint '%s' (%s, %s) got HTTP %d%s", entrypoint, url, host,
		r.status,
		r.status == 404 ? "; if the service answers so itself, give the route a healthcheck path that exists"
				: "");
	return hold(l, &why);
}

/* The addresses are as Traefik's node sees them. */
static int ask_from_there(struct look *l, const char *entrypoint, const char *scheme, const char *address,
			  const struct route_request *request)
{
	struct host *far = traefik_far_host(l->a->cluster);
	struct host_channel *relay = NULL;
	struct err why = {0};

	if (far && host_forward_open(far, address, &relay, &why) < 0)
		return hold(l, &why);
	int rc = ask(l, entrypoint, scheme, address, relay, request);
	host_channel_close(relay);
	return rc;
}

static const json_t *find_entrypoint(const struct look *l, const char *name)
{
	json_t *e;
	size_t i;

	json_array_foreach (l->entrypoints, i, e)
		if (str_eq(json_str(e, "name"), name))
			return e;
	return NULL;
}

/* What is to end has its port (kinds/service/handover.h). */
static bool comes_later(const struct look *l, const char *address)
{
	const char *port = strrchr(address, ':');
	_cleanup_free_ char *published = xasprintf("%ld/tcp", strtol(port + 1, NULL, 10));
	struct absent_holder from;

	return absent_port_holder(l->a->snap, l->a->want, published, &from);
}

static int ask_entrypoint(struct look *l, const char *name, const struct route_request *request)
{
	const json_t *e = find_entrypoint(l, name);
	const char *address = json_str(e, "address");
	bool tls = json_path(e, "http.tls") || json_object_get(l->router, "tls");
	_cleanup_free_ char *host = url_host(l->a->cluster->traefik_api);
	_cleanup_str_ struct str where = {0};

	if (!address || !route_entrypoint_address(address, l->container, l->service, host, &where)) {
		bool comes = address && l->service && comes_later(l, address);
		*l->g = (struct gate){
			.reason = xasprintf("Traefik's entrypoint '%s' (%s) is not published on the host%s: no "
					    "request can get through it",
					    name, address ? address : "no address", comes ? " yet" : ""),
			.waiting = comes,
			.retry_after_s = comes ? POLL_S : 0,
		};
		return 0;
	}
	return ask_from_there(l, name, tls ? "https" : "http", str_cstr(&where), request);
}

static int ask_all(struct look *l)
{
	const char *rule = json_str(l->route->body, "rule");
	struct route_request request;
	json_t *e;
	size_t i;
	int rc = 1;

	/* Other rules (headers, patterns, client addresses): the router and its servers are all the evidence there is,
	 * and that is said. */
	if (!route_request_of(rule, json_str(l->route->body, "health_path"), &request))
		return 1;
	json_array_foreach (json_object_get(l->router, "entryPoints"), i, e)
		if (rc > 0 && !route_is_pending(l->pending, json_string_value(e))) {
			rc = ask_entrypoint(l, json_string_value(e), &request);
			l->asked = true;
		}
	route_request_free(&request);
	return rc;
}

/* A replica that cannot be asked is no reason to wait: Traefik says that it is UP. */
static int ask_replicas(struct look *l)
{
	struct route_replicas r;
	struct err why = {0};
	struct str seen = {0};
	int rc = 1;

	if (route_ask_replicas(l->a, l->route, l->tasks, l->balancer, &r, l->err) < 0)
		return -1;
	if (r.wrong) {
		err_set(&why, ERR_FAILED, "%s", r.wrong);
		rc = hold(l, &why);
	} else if (r.answered < r.running && route_is_unbuilt(l->router, l->pending)) {
		err_set(&why, ERR_FAILED, "it listens on nothing else, and not every replica could be asked: %s",
			r.unseen);
		rc = hold(l, &why);
	} else {
		str_addf(&seen, "%s, every server is up; replicas asked by themselves: %zu of %zu",
			 l->asked ? "it answers through its entrypoints"
				  : "Traefik has its router (no request was made: its rule does not tell of one that "
				    "it takes)",
			 r.answered, r.running);
		if (r.unseen)
			str_addf(&seen, " (%s)", r.unseen);
		*l->g = (struct gate){.met = true, .reason = str_steal(&seen)};
	}
	route_replicas_free(&r);
	return rc;
}

int route_gate_before(struct apply *a, const struct resource *route, const char *entrypoint, struct gate *g,
		      struct err *err)
{
	struct look l = {.a = a, .route = route, .pending = entrypoint, .g = g, .err = err};

	int rc = look_around(&l);
	if (rc > 0)
		rc = judge(&l);
	if (rc > 0) {
		g->met = false;
		rc = ask_all(&l);
	}
	if (rc > 0)
		rc = ask_replicas(&l);
	look_free(&l);
	return rc < 0 ? -1 : 0;
}

int route_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err)
{
	(void)dry;
	return route_gate_before(a, c->desired, NULL, g, err);
}

int route_ask(struct apply *a, const struct resource *route, bool *asked, char **why, struct err *err)
{
	struct gate g = {0};
	struct look l = {.a = a, .route = route, .g = &g, .err = err};

	int rc = look_around(&l);
	*asked = rc > 0;
	if (rc > 0)
		rc = ask_all(&l);
	look_free(&l);
	if (rc > 0) {
		free(g.reason);
		g.reason = NULL;
	}
	*why = g.reason;
	return rc < 0 ? -1 : 0;
}
