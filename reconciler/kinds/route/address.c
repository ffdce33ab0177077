#include "kinds/route/request.h"

#include <string.h>

/* ":443/tcp" as "" and 443. Addresses of UDP entrypoints have no HTTP. */
static bool split_address(const char *address, char **host, long *port)
{
	const char *slash = strchr(address, '/');
	size_t n = slash ? (size_t)(slash - address) : strlen(address);
	char *end;

	if (slash && strcmp(slash, "/tcp") != 0)
		return false;
	while (n > 0 && address[n - 1] != ':')
		n--;
	if (n == 0)
		return false;
	*port = strtol(address + n, &end, 10);
	if (end == address + n || *port <= 0 || *port > 65535)
		return false;
	*host = xasprintf("%.*s", (int)(n - 1), address);
	return true;
}

static bool is_any(const char *host)
{
	static const char *const words[] = {"", "0.0.0.0", "[::]", "::"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(host, words[i]) == 0)
			return true;
	return false;
}

static void add_address(struct str *out, const char *host, const char *default_host, long port)
{
	const char *h = !host || is_any(host) ? default_host : host;
	bool brackets = strchr(h, ':') && *h != '[';

	str_addf(out, brackets ? "[%s]:%ld" : "%s:%ld", h, port);
}

static bool published_by_container(const json_t *container, long port, const char *default_host, struct str *out)
{
	_cleanup_free_ char *key = xasprintf("%ld/tcp", port);
	/* One that is down has no ports now, and these when it is started again. */
	const json_t *state = json_object_get(container, "State");
	bool runs = json_bool(state, "Running") && !json_bool(state, "Restarting");
	const json_t *ports = json_path(container, runs ? "NetworkSettings.Ports" : "HostConfig.PortBindings");
	const json_t *binding = json_array_get(json_object_get(ports, key), 0);
	const char *host_port = json_str(binding, "HostPort");

	if (!host_port)
		return false;
	add_address(out, json_str(binding, "HostIp"), default_host, strtol(host_port, NULL, 10));
	return true;
}

static bool published_by_service(const json_t *service, long port, const char *default_host, struct str *out)
{
	json_t *p;
	size_t i;

	json_array_foreach (json_path(service, "Endpoint.Ports"), i, p) {
		if (json_int(p, "TargetPort", 0) != port || str_eq(json_str(p, "Protocol"), "udp"))
			continue;
		add_address(out, NULL, default_host, (long)json_int(p, "PublishedPort", 0));
		return json_int(p, "PublishedPort", 0) > 0;
	}
	return false;
}

bool route_entrypoint_address(const char *address, const json_t *container, const json_t *service,
			      const char *default_host, struct str *out)
{
	const char *mode = json_str(json_object_get(container, "HostConfig"), "NetworkMode");
	_cleanup_free_ char *host = NULL;
	long port;

	if (!split_address(address, &host, &port))
		return false;
	if (service)
		return published_by_service(service, port, default_host, out);
	if (!str_eq(mode, "host"))
		return published_by_container(container, port, default_host, out);
	add_address(out, host, default_host, port);
	return true;
}
