#include "kinds/absent/haproxy.h"

#include "client/engine/engine.h"

#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

bool address_split(const char *address, char host[static 256], int *port)
{
	static const char *const families[] = {"ipv4@", "ipv6@", "tcp@", "quic4@"};

	for (size_t i = 0; i < ARRAY_SIZE(families); i++)
		if (str_starts(address, families[i]))
			address += strlen(families[i]);
	const char *colon = strrchr(address, ':');
	size_t n = colon ? (size_t)(colon - address) : strlen(address);
	if (strchr(address, '/') || strchr(address, '@') || n == 0 || n > 255)
		return false;
	memcpy(host, address, n);
	host[n] = '\0';
	*port = colon ? (int)strtol(colon + 1, NULL, 10) : 0;
	return true;
}

static bool is_loopback(const char *host)
{
	return strcmp(host, "localhost") == 0 || str_starts(host, "127.");
}

/* ---- coverage ---- */

/* What a route leads to. */
struct aim {
	const char *service; /* as the engine calls it */
	const json_t *live;  /* entry of the list; NULL: not there */
	const char *image;   /* "ollama/ollama", without tag */
	int port;            /* inside its tasks; 0: not known */
};

static const json_t *find_service(const json_t *services, const char *name)
{
	const json_t *service;
	size_t i;

	json_array_foreach ((json_t *)services, i, service)
		if (str_eq(json_str(json_object_get(service, "Spec"), "Name"), name))
			return service;
	return NULL;
}

/* By the label that every route has: Traefik takes no service without a port (FACTS A). */
static int port_of(const json_t *labels)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)labels, key, value)
		if (str_starts(key, "traefik.http.services.") && str_ends(key, ".loadbalancer.server.port") &&
		    json_is_string(value))
			return (int)strtol(json_string_value(value), NULL, 10);
	return 0;
}

/* "docker.io/library/nginx:1.25@sha256:…" -> "nginx"; malloc'ed. */
static char *image_name(const char *image)
{
	struct image_ref ref = {0};
	char *name = NULL;

	if (image && image_ref_parse(image, &ref, NULL) == 0)
		name = xasprintf("%s/%s", ref.domain, ref.path);
	image_ref_free(&ref);
	return name;
}

static bool same_image(const char *a, const char *b)
{
	_cleanup_free_ char *x = image_name(a), *y = image_name(b);
	return x && y && strcmp(x, y) == 0;
}

static struct aim aim_of(const struct haproxy_view *v, const struct resource *route)
{
	const struct resource *service = resource_find(v->want, "service", route->name);
	const char *name = json_str(service ? service->body : NULL, "name");
	struct aim a = {.service = name ? name : route->name};

	a.live = find_service(v->services, a.service);
	a.image = json_str(service ? service->body : NULL, "image");
	a.port = port_of(json_object_get(service ? service->body : NULL, "labels"));
	return a;
}

static bool is_virtual_ip(const json_t *service, const char *host)
{
	const json_t *vip;
	size_t i, n = strlen(host);

	json_array_foreach (json_path(service, "Endpoint.VirtualIPs"), i, vip) {
		const char *addr = json_str(vip, "Addr"); /* "10.0.1.5/24" */
		if (addr && strncmp(addr, host, n) == 0 && addr[n] == '/')
			return true;
	}
	return false;
}

static bool fits(int port, int wanted)
{
	return !port || !wanted || port == wanted;
}

static bool is_service(const struct aim *a, const char *host, int port)
{
	bool named = strcmp(host, a->service) == 0 ||
		     (str_starts(host, "tasks.") && strcmp(host + strlen("tasks."), a->service) == 0);
	return (named || is_virtual_ip(a->live, host)) && fits(port, a->port);
}

/* NULL: the host is no node. loopback: as the proxy's own node sees it. */
static const char *node_of(const struct haproxy_view *v, const char *host)
{
	const char *node;
	json_t *address;

	if (is_loopback(host))
		return v->node;
	json_object_foreach ((json_t *)v->nodes, node, address)
		if (strcmp(node, host) == 0 || str_eq(json_string_value(address), host))
			return node;
	return NULL;
}

/* Ingress publishes on every node. */
static bool is_published(const struct aim *a, int port)
{
	const json_t *p;
	size_t i;

	json_array_foreach (json_path(a->live, "Endpoint.Ports"), i, p)
		if (json_int(p, "PublishedPort", -1) == port && fits((int)json_int(p, "TargetPort", 0), a->port))
			return true;
	return false;
}

static bool has_address(const json_t *container, const char *host)
{
	const json_t *name, *network;
	const char *key;
	size_t i;

	json_array_foreach (json_object_get(container, "Names"), i, name)
		if (json_string_value(name) && str_eq(json_string_value(name) + 1, host))
			return true;
	json_object_foreach (json_path(container, "NetworkSettings.Networks"), key, network)
		if (str_eq(json_str(network, "IPAddress"), host))
			return true;
	return str_eq(json_str(json_object_get(container, "Labels"), "com.docker.compose.service"), host);
}

/* The port inside of the container that a port of its node leads to; 0: none. */
static int inside_port(const json_t *container, int port)
{
	const json_t *p;
	size_t i;

	json_array_foreach (json_object_get(container, "Ports"), i, p)
		if (json_int(p, "PublicPort", -1) == port)
			return (int)json_int(p, "PrivatePort", 0);
	return 0;
}

/*
 * The service itself, one of its tasks; or the lone containers that it replaces, which run the same program: their ids
 * are then added.
 */
static bool covers(const struct haproxy_view *v, const struct aim *a, const char *address, json_t *replaced)
{
	const json_t *container;
	char host[256];
	int port;
	size_t i;

	if (!address_split(address, host, &port))
		return false;
	const char *node = node_of(v, host);
	if (is_service(a, host, port) || (node && is_published(a, port)))
		return true;
	json_array_foreach (json_object_get(v->containers, node ? node : v->node ? v->node : ""), i, container) {
		int inside = node ? inside_port(container, port) : port;
		const json_t *labels = json_object_get(container, "Labels");
		const char *id = json_str(container, "Id");
		if ((!node && !has_address(container, host)) || !inside || !fits(inside, a->port))
			continue;
		if (str_eq(json_str(labels, "com.docker.swarm.service.name"), a->service))
			return true;
		if (same_image(json_str(container, "Image"), a->image))
			json_set_bool(replaced, id ? id : "", true);
	}
	return false;
}

/* Whether an address of the backend leads to the service; replaced as covers. */
static bool leads_to(const struct haproxy_view *v, const struct aim *a, const char *backend, json_t *replaced)
{
	const json_t *addresses, *address,
		*servers =
			json_object_get(json_object_get(json_object_get(v->haproxy, "backends"), backend), "servers");
	const char *server;
	bool found = false;
	size_t i;

	json_object_foreach ((json_t *)servers, server, addresses)
		json_array_foreach (addresses, i, address)
			found = covers(v, a, json_string_value(address), replaced) || found;
	return found;
}

static bool is_disjoint(const json_t *a, const json_t *b)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)a, key, value)
		if (json_object_get(b, key))
			return false;
	return json_object_size(a) > 0 && json_object_size(b) > 0;
}

/* Another backend has other containers of that program: which of them the service replaces is a guess. */
static bool is_ambiguous(const struct haproxy_view *v, const struct aim *a, const char *backend, const json_t *replaced)
{
	const char *other;
	json_t *unused;

	json_object_foreach (json_object_get(v->haproxy, "backends"), other, unused) {
		_cleanup_json_ json_t *others = json_object();
		if (strcmp(other, backend) == 0 || json_str(v->backends, other))
			continue;
		if (!leads_to(v, a, other, others) && is_disjoint(replaced, others))
			return true;
	}
	return false;
}

const char *haproxy_route(const struct haproxy_view *v, const char *backend)
{
	const char *said = json_str(v->backends, backend), *likely = NULL;
	size_t n_likely = 0;

	if (said)
		return said + strlen("route/");
	for (size_t i = 0; i < resource_count(v->want); i++) {
		const struct resource *route = resource_at(v->want, i);
		_cleanup_json_ json_t *replaced = json_object();
		if (strcmp(route->kind, "route") != 0)
			continue;
		struct aim a = aim_of(v, route);
		if (leads_to(v, &a, backend, replaced))
			return route->name;
		if (json_object_size(replaced) == 0 || is_ambiguous(v, &a, backend, replaced))
			continue;
		likely = route->name;
		n_likely++;
	}
	return n_likely == 1 ? likely : NULL;
}

void haproxy_describe(const json_t *haproxy, const char *backend, struct str *out)
{
	const json_t *b = json_object_get(json_object_get(haproxy, "backends"), backend), *addresses, *bind;
	const char *server, *between = "";
	size_t i;

	str_addf(out, "backend '%s' (", backend);
	json_object_foreach (json_object_get(b, "servers"), server, addresses) {
		const char *address = json_string_value(json_array_get(addresses, 0));
		str_addf(out, "%s%s%s%s", between, server, address ? " " : "", address ? address : "");
		between = ", ";
	}
	json_array_foreach (json_object_get(b, "binds"), i, bind)
		str_addf(out, "%s%s", i ? ", " : "; reached at ", json_string_value(bind));
	str_addc(out, ')');
}

/* ---- what points at it ---- */

static void add_address(json_t *out, const char *host, int64_t port)
{
	_cleanup_free_ char *address = xasprintf("%s:%lld", host, (long long)port);

	json_set_bool(out, address, true);
}

/* By what a port of a node is called: there, in its containers, and from others. */
static void add_published(const struct haproxy_view *v, const char *only, int64_t port, json_t *out)
{
	static const char *const local[] = {"127.0.0.1", "localhost", "host.docker.internal"};
	const char *node;
	json_t *address;

	json_object_foreach ((json_t *)v->nodes, node, address) {
		if (only && strcmp(only, node) != 0)
			continue;
		add_address(out, json_string_value(address), port);
		add_address(out, node, port);
		for (size_t i = 0; i < ARRAY_SIZE(local); i++)
			add_address(out, local[i], port);
	}
}

static void add_names(const json_t *inspect, json_t *out)
{
	const char *name = json_str(inspect, "Name"), *key;
	const json_t *network, *alias;
	size_t i;

	if (name)
		json_set_bool(out, name + (*name == '/'), true);
	json_object_foreach (json_path(inspect, "NetworkSettings.Networks"), key, network) {
		const char *ip = json_str(network, "IPAddress");
		if (ip && *ip)
			json_set_bool(out, ip, true);
		json_array_foreach (json_object_get(network, "Aliases"), i, alias)
			if (json_is_string(alias))
				json_set_bool(out, json_string_value(alias), true);
	}
}

static void add_container(const struct haproxy_view *v, const json_t *inspect, json_t *out)
{
	const json_t *list, *one, *network;
	const char *key, *name;
	size_t i;

	add_names(inspect, out);
	json_object_foreach (json_path(inspect, "NetworkSettings.Ports"), key, list)
		json_array_foreach (list, i, one) {
			const char *port = json_str(one, "HostPort");
			if (!port)
				continue;
			add_published(v, v->node, strtoll(port, NULL, 10), out);
			/* Its neighbours' name for the node. */
			json_object_foreach (json_path(inspect, "NetworkSettings.Networks"), name, network)
				if (json_str(network, "Gateway"))
					add_address(out, json_str(network, "Gateway"), strtoll(port, NULL, 10));
		}
}

json_t *haproxy_addresses(const struct haproxy_view *v, const json_t *inspect)
{
	json_t *out = json_object(), *bind;
	size_t i;

	if (inspect && json_object_size(json_path(inspect, "NetworkSettings.Networks")) > 0 &&
	    !str_eq(json_str(json_object_get(inspect, "HostConfig"), "NetworkMode"), "host")) {
		add_container(v, inspect, out);
		return out;
	}
	json_array_foreach (json_object_get(v->haproxy, "binds"), i, bind) {
		const char *colon = strrchr(json_string_value(bind), ':');
		if (colon)
			add_published(v, v->node, strtoll(colon + 1, NULL, 10), out);
	}
	return out;
}

json_t *haproxy_service_addresses(const struct haproxy_view *v, const json_t *service)
{
	const char *name = json_str(json_object_get(service, "Spec"), "Name");
	_cleanup_free_ char *tasks = xasprintf("tasks.%s", name ? name : "");
	json_t *out = json_object(), *one;
	size_t i;

	if (name) {
		json_set_bool(out, name, true);
		json_set_bool(out, tasks, true);
	}
	json_array_foreach (json_path(service, "Endpoint.VirtualIPs"), i, one) {
		const char *addr = json_str(one, "Addr");
		_cleanup_free_ char *ip = addr ? xasprintf("%.*s", (int)strcspn(addr, "/"), addr) : NULL;
		if (ip)
			json_set_bool(out, ip, true);
	}
	json_array_foreach (json_path(service, "Endpoint.Ports"), i, one)
		add_published(v, NULL, json_int(one, "PublishedPort", 0), out);
	return out;
}

bool haproxy_is_target(const json_t *addresses, const char *url)
{
	const char *scheme = url ? strstr(url, "://") : NULL, *rest = scheme ? scheme + 3 : url;
	bool tls = url && str_starts(url, "https");
	char host[256];
	int port = 0;

	if (!rest)
		return false;
	_cleanup_free_ char *authority = xasprintf("%.*s", (int)strcspn(rest, "/?#"), rest);
	if (!address_split(authority, host, &port))
		return false;
	_cleanup_free_ char *full = xasprintf("%s:%d", host, port ? port : tls ? 443 : 80);
	return json_object_get(addresses, host) || json_object_get(addresses, full);
}
