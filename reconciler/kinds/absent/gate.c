/*
 * Before something is stopped: would anything be lost with it, does anything still point at it (of HAProxy), and has it
 * served nothing for as long as the spec says?
 */
#include "client/haproxy/haproxy.h"
#include "client/prometheus/prometheus.h"
#include "kinds/absent/haproxy.h"
#include "kinds/absent/members.h"
#include "kinds/route/gate.h"
#include "kinds/traefik/reach.h"
#include "kinds/traefik/yaml.h"
#include "sys/clock.h"

#include <stdlib.h>
#include <string.h>

#define RETRY_S 15
#define RESTART_RETRY_S 5
#define CALL_MS 10000

struct asking {
	struct apply *a;
	const struct change *c;
	bool dry;
	struct members members;
	struct haproxy_view view;
	json_t *nodes, *services, *containers, *addresses;
	struct gate *g;
	struct err *err;
};

static void asking_free(struct asking *k)
{
	members_free(&k->members);
	json_decref(k->nodes);
	json_decref(k->services);
	json_decref(k->containers);
	json_decref(k->addresses);
}

static int64_t soon(const struct asking *k)
{
	int64_t limit = clock_ms() + CALL_MS;
	return limit < k->a->deadline ? limit : k->a->deadline;
}

/* Each returns 1 to go on, 0 when g says what it waits for or what blocks it. */

static int hold(struct asking *k, bool waiting, char *reason)
{
	free(k->g->reason);
	*k->g = (struct gate){.waiting = waiting, .reason = reason, .retry_after_s = waiting ? RETRY_S : 0};
	return 0;
}

/* What could not be asked may be there. */
static int hold_unknown(struct asking *k, const char *what, const struct err *why)
{
	if (why->code == ERR_CANCELLED)
		return err_set(k->err, why->code, "%s", why->msg);
	return hold(k, true, xasprintf("%s: %s", what, why->msg));
}

static bool is_accepted(const struct asking *k, const char *kind, const char *name)
{
	_cleanup_free_ char *key = xasprintf("%s/%s", kind, name);
	return json_object_get(json_object_get(k->c->desired->body, "accept"), key) != NULL;
}

/* ---- backends ---- */

static int look_at_node(struct asking *k, const char *node)
{
	json_t *list = NULL;
	struct engine *engine;
	struct err why = {0};

	if (!node || json_object_get(k->containers, node))
		return 1;
	/* What is not known matches nothing: the backend is then not covered, which the plan says. */
	if (cluster_engine(k->a->cluster, node, &engine, &why) < 0 ||
	    engine_get(engine, soon(k), &list, &why, "/containers/json?all=1") < 0)
		list = json_array();
	json_set(k->containers, node, list);
	return 1;
}

/* The nodes that addresses of its servers name. */
static void look_at_nodes(struct asking *k)
{
	const char *backend, *server, *node;
	json_t *b, *addresses, *address, *ip;
	char host[256];
	size_t i;
	int port;

	look_at_node(k, k->view.node);
	json_object_foreach (json_object_get(k->view.haproxy, "backends"), backend, b)
		json_object_foreach (json_object_get(b, "servers"), server, addresses)
			json_array_foreach (addresses, i, address)
				json_object_foreach (k->nodes, node, ip)
					if (address_split(json_string_value(address), host, &port) &&
					    (strcmp(host, node) == 0 || str_eq(json_string_value(ip), host)))
						look_at_node(k, node);
}

/* Evidence is kept under the route's own key: it is the same look. */
static int check_route(struct asking *k, const char *backend, const char *route)
{
	const struct resource *r = resource_find(k->view.want, "route", route);
	const struct change verify = {.action = ACTION_VERIFY, .desired = r};
	_cleanup_str_ struct str what = {0};
	struct gate g = {0};

	haproxy_describe(k->view.haproxy, backend, &what);
	if (!r)
		return hold(k, false, xasprintf("%s: route/%s is not in the spec", str_cstr(&what), route));
	if (route_gate(k->a, &verify, k->dry, &g, k->err) < 0)
		return -1;
	if (!g.met)
		hold(k, g.waiting,
		     xasprintf("%s: route/%s has to serve it, and does not yet: %s", str_cstr(&what), route,
			       g.reason ? g.reason : "?"));
	if (!g.met && g.retry_after_s)
		k->g->retry_after_s = g.retry_after_s;
	free(g.reason);
	return g.met;
}

static int check_backends(struct asking *k)
{
	_cleanup_json_ json_t *verified = json_object();
	_cleanup_str_ struct str lost = {0};
	const char *backend, *first = NULL;
	json_t *b;

	look_at_nodes(k);
	json_object_foreach (json_object_get(k->view.haproxy, "backends"), backend, b) {
		if (is_accepted(k, "backend", backend) || haproxy_route(&k->view, backend))
			continue;
		str_adds(&lost, lost.len ? ", " : "");
		haproxy_describe(k->view.haproxy, backend, &lost);
		first = first ? first : backend;
	}
	if (first)
		return hold(k, false,
			    xasprintf("%s: no route of the spec covers %s: name the route that serves it in "
				      "absent.%s.backends ({%s: route/NAME}), or give it up with accept: [backend/%s]",
				      k->members.name, str_cstr(&lost), k->c->desired->name, first, first));
	json_object_foreach (json_object_get(k->view.haproxy, "backends"), backend, b) {
		const char *route = is_accepted(k, "backend", backend) ? NULL : haproxy_route(&k->view, backend);
		int rc = route && !json_object_get(verified, route) ? check_route(k, backend, route) : 1;
		if (rc <= 0)
			return rc;
		if (route)
			json_set_bool(verified, route, true);
	}
	return 1;
}

/* ---- what points at it ---- */

/* Where the file provider of the spec's Traefik reads; NULL: not known. malloc'ed. */
static char *provider_file(const struct asking *k)
{
	const json_t *doc = snapshot_get(k->a->snap, "traefik/static", NULL);
	const char *text = json_str(doc, "content");
	struct ynode *root = NULL;
	char *path = NULL;
	struct err ignored;

	if (!text || ynode_parse(text, strlen(text), &root, &ignored) < 0)
		return NULL;
	const struct ynode *file = ynode_get(ynode_get(root, "providers"), "file");
	const struct ynode *where =
		ynode_get(file, "filename") ? ynode_get(file, "filename") : ynode_get(file, "directory");
	if (where && where->type == YNODE_SCALAR)
		path = xstrdup(where->text);
	ynode_free(root);
	return path;
}

static const char *url_of(const json_t *server)
{
	return json_str(server, "url") ? json_str(server, "url") : json_str(server, "address");
}

/* The first address of a service or middleware that leads to it; NULL: none does. */
static const char *pointing_url(const struct asking *k, const json_t *one)
{
	const char *asked = json_str(json_object_get(one, "forwardAuth"), "address");
	const json_t *server;
	size_t i;

	json_array_foreach (json_path(one, "loadBalancer.servers"), i, server)
		if (haproxy_is_target(k->addresses, url_of(server)))
			return url_of(server);
	return asked && haproxy_is_target(k->addresses, asked) ? asked : NULL;
}

static void add_pointing(struct asking *k, const json_t *list, const char *what, struct str *found, char **first)
{
	const json_t *one;
	size_t i;

	json_array_foreach (list, i, one) {
		const char *name = json_str(one, "name"), *url = pointing_url(k, one);
		if (!name || !url || is_accepted(k, "traefik", name))
			continue;
		_cleanup_free_ char *file = str_ends(name, "@file") ? provider_file(k) : NULL;
		str_addf(found, "%sTraefik's %s %s (%s%s%s)", found->len ? ", " : "", what, name, url,
			 file ? ", from " : "", file ? file : "");
		if (!*first)
			*first = xasprintf("traefik/%s", name);
	}
}

static int ask_traefik(struct asking *k, struct str *found, char **first)
{
	static const struct {
		const char *path, *what;
	} lists[] = {{"/api/http/services", "service"},
		     {"/api/tcp/services", "service"},
		     {"/api/http/middlewares", "middleware"}};
	struct traefik_client *t;
	struct err why = {0};
	int rc = 1;

	if (!k->a->cluster->traefik_api)
		return 1;
	if (cluster_traefik(k->a->cluster, &t, &why) < 0)
		return hold_unknown(k, "whether Traefik still points at it", &why);
	for (size_t i = 0; i < ARRAY_SIZE(lists) && rc > 0; i++) {
		_cleanup_json_ json_t *list = NULL;
		if (traefik_get(t, soon(k), lists[i].path, &list, &why) == 0)
			add_pointing(k, list, lists[i].what, found, first);
		else if (why.code != ERR_NOT_FOUND)
			rc = hold_unknown(k, "whether Traefik still points at it", &why);
	}
	traefik_close(t);
	return rc;
}

static int get_targets(struct asking *k, json_t **out, struct err *why)
{
	const struct cluster *c = k->a->cluster;
	struct host *node = cluster_host(c, c->prometheus_node);
	struct host_channel *relay = NULL;
	_cleanup_str_ struct str target = {0};

	traefik_url_target(c->prometheus_url, &target);
	if (node && !host_is_local(node) && host_forward_open(node, str_cstr(&target), &relay, why) < 0)
		return -1;
	int rc = prometheus_targets(c->prometheus_url, relay ? host_channel_socket(relay) : NULL, soon(k), out, why);
	if (rc < 0 && relay && why->code != ERR_CANCELLED)
		host_channel_error(relay, why);
	host_channel_close(relay);
	return rc;
}

static int ask_prometheus(struct asking *k, struct str *found, char **first)
{
	_cleanup_json_ json_t *targets = NULL;
	const json_t *target;
	struct err why = {0};
	size_t i;

	if (!k->a->cluster->prometheus_url)
		return 1;
	if (get_targets(k, &targets, &why) < 0)
		return hold_unknown(k, "whether Prometheus still scrapes it", &why);
	json_array_foreach (targets, i, target) {
		const char *job = json_str(target, "job") ? json_str(target, "job") : "";
		if (!haproxy_is_target(k->addresses, json_str(target, "url")) || is_accepted(k, "prometheus", job))
			continue;
		str_addf(found, "%sPrometheus' job %s (%s)", found->len ? ", " : "", job, json_str(target, "url"));
		if (!*first)
			*first = xasprintf("prometheus/%s", job);
	}
	return 1;
}

static int check_pointers(struct asking *k)
{
	_cleanup_str_ struct str found = {0};
	_cleanup_free_ char *first = NULL;
	int rc = ask_traefik(k, &found, &first);

	if (rc > 0)
		rc = ask_prometheus(k, &found, &first);
	if (rc <= 0 || found.len == 0)
		return rc;
	return hold(k, false,
		    xasprintf("%s is still pointed at by %s: change that first, or accept that it breaks with accept: "
			      "[%s]",
			      k->members.name, str_cstr(&found), first));
}

/* ---- HAProxy as a whole ---- */

static int prepare(struct asking *k)
{
	const struct cluster *c = k->a->cluster;
	struct err why = {0};

	k->nodes = json_object();
	k->containers = json_object();
	k->addresses = json_object();
	for (size_t i = 0; i < c->n_hosts; i++)
		json_set_str(k->nodes, host_node(c->hosts[i]), host_address(c->hosts[i]));
	if (engine_get(c->engine, soon(k), &k->services, &why, "/services") < 0)
		return hold_unknown(k, "what serves in its place", &why);
	k->view = (struct haproxy_view){
		.nodes = k->nodes,
		.services = k->services,
		.containers = k->containers,
		.want = k->a->want,
		.backends = json_object_get(k->c->desired->body, "backends"),
	};
	return 1;
}

static void add_addresses(struct asking *k, const struct member *m)
{
	_cleanup_json_ json_t *own = haproxy_addresses(&k->view, m->inspect);
	const char *service = json_str(k->c->desired->body, "service");
	const json_t *one;
	size_t i;

	json_object_update(k->addresses, own);
	json_array_foreach (k->services, i, one) {
		if (!service || !str_eq(json_str(json_object_get(one, "Spec"), "Name"), service))
			continue;
		_cleanup_json_ json_t *published = haproxy_service_addresses(&k->view, one);
		json_object_update(k->addresses, published);
	}
}

static bool knows_backends(const json_t *haproxy)
{
	return json_array_size(json_object_get(haproxy, "files")) > 0 || json_str(haproxy, "stats");
}

static int check_haproxy(struct asking *k)
{
	bool any = false;
	int rc = 1;

	for (size_t i = 0; i < k->members.list.n && rc > 0; i++) {
		const struct member *m = &k->members.list.v[i];
		if (!m->haproxy)
			continue;
		if (!any)
			rc = prepare(k);
		if (rc <= 0)
			return rc;
		any = true;
		k->view.haproxy = m->haproxy;
		k->view.node = host_node(m->host);
		if (!knows_backends(m->haproxy) && !is_accepted(k, "backend", "*")) {
			const char *why = json_str(m->haproxy, "why");
			return hold(
				k, false,
				xasprintf("%s: what its HAProxy serves could not be read (%s): give it a stats socket, "
					  "or accept: [\"backend/*\"]",
					  k->members.name, why ? why : "no configuration file"));
		}
		add_addresses(k, m);
		if (!is_accepted(k, "backend", "*"))
			rc = check_backends(k);
	}
	return rc > 0 && any ? check_pointers(k) : rc;
}

/* ---- quiet ---- */

/* Of all its processes together; false: one of them counts with others'. */
static bool sum_up(const struct members *m, struct str *ids, struct str *starts, struct str *boots,
		   struct quiet_reading *out)
{
	bool alone = true, sessions = true;

	for (size_t i = 0; i < m->list.n; i++) {
		sessions &= m->list.v[i].haproxy && json_str(m->list.v[i].haproxy, "stats");
		alone &= !m->list.v[i].shares_network;
	}
	*out = (struct quiet_reading){.uptime_ms = m->list.v[0].uptime_ms, .wall = clock_wall(), .sessions = sessions};
	for (size_t i = 0; i < m->list.n; i++) {
		const struct member *one = &m->list.v[i];
		str_addf(ids, "%s%s", i ? " " : "", one->id);
		str_addf(starts, "%s%s", i ? " " : "", one->started);
		str_addf(boots, "%s%s", i ? " " : "", one->boot_id);
		out->tcp.accepted += sessions ? json_int(one->haproxy, "sessions", 0) : one->tcp.accepted;
		out->tcp.open += sessions ? json_int(one->haproxy, "open", 0) : one->tcp.open;
	}
	out->container = str_cstr(ids);
	out->started_at = str_cstr(starts);
	out->boot_id = str_cstr(boots);
	return sessions || alone;
}

/* A page that was asked in vain; asking it is a connection that it accepts. malloc'ed; NULL: none. */
static char *silent_page(const struct members *m)
{
	for (size_t i = 0; i < m->list.n; i++) {
		const char *why = json_str(m->list.v[i].haproxy, "why");
		if (why && !json_str(m->list.v[i].haproxy, "stats") && strstr(why, "page "))
			return xstrdup(why);
	}
	return NULL;
}

static int check_quiet(struct asking *k)
{
	struct cluster *cluster = k->a->cluster;
	int64_t quiet_ms = json_int(k->c->desired->body, "quiet", 0) / 1000000;
	_cleanup_str_ struct str ids = {0}, starts = {0}, boots = {0};
	struct quiet_reading now;

	if (quiet_ms == 0)
		return 1;
	_cleanup_free_ char *silent = silent_page(&k->members);
	if (silent) { /* one that has just been started may show them soon */
		hold(k, true,
		     xasprintf("%s shows no statistics (%s): whether it is quiet is not known", k->members.name,
			       silent));
		k->g->retry_after_s = RESTART_RETRY_S;
		return 0;
	}
	if (!sum_up(&k->members, &ids, &starts, &boots, &now))
		return hold(k, false,
			    xasprintf("%s shares its network with others: its connections cannot be told from theirs; "
				      "take 'quiet' away and see for yourself that nothing uses it%s",
				      k->members.name,
				      k->members.list.v[0].haproxy ? ", or give HAProxy a stats socket" : ""));
	_cleanup_json_ json_t *before = cluster->evidence_get(cluster->evidence_arg, k->c->key);
	_cleanup_json_ json_t *after = quiet_judge(k->members.name, before, &now, quiet_ms, k->g);
	cluster->evidence_put(cluster->evidence_arg, k->c->key, after);
	return k->g->met;
}

/* ---- the hook ---- */

static int ask(struct asking *k)
{
	bool gone = false;
	int rc;

	if (members_find(k->a, k->c, &k->members, k->err) < 0)
		return -1;
	if (json_int(k->c->desired->body, "quiet", 0) == 0)
		members_keep_haproxy(&k->members);
	if (k->members.list.n == 0)
		return 1;
	if (members_look(k->a, &k->members, &gone, k->err) < 0)
		return -1;
	if (gone) {
		hold(k, true, xasprintf("%s has just been started or stopped", k->members.name));
		k->g->retry_after_s = RESTART_RETRY_S;
		return 0;
	}
	rc = check_haproxy(k);
	return rc > 0 ? check_quiet(k) : rc;
}

int absent_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err)
{
	CLEANUP(asking_free) struct asking k = {.a = a, .c = c, .dry = dry, .g = g, .err = err};

	*g = (struct gate){0};
	int rc = ask(&k);
	if (rc > 0)
		*g = (struct gate){.met = true};
	return rc < 0 ? -1 : 0;
}
