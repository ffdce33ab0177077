/* A Traefik that is one of the spec's services: its entrypoints are flags of its command and published ports. */
#include "kinds/absent/absent.h"
#include "kinds/service/service.h"
#include "kinds/traefik/static.h"
#include "kinds/traefik/traefik.h"
#include "kinds/util.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool any_entrypoint(const json_t *state)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)state, key, value)
		if (str_starts(key, "entrypoints."))
			return true;
	return false;
}

static bool reads_a_file(const json_t *command)
{
	json_t *arg;
	size_t i;

	json_array_foreach ((json_t *)command, i, arg) {
		const char *flag = json_string_value(arg);
		flag = flag ? flag + strspn(flag, "-") : "";
		if (strncasecmp(flag, "configFile", 10) == 0)
			return true;
	}
	return false;
}

static void add_flag(json_t *command, const char *name, const char *address)
{
	_cleanup_free_ char *flag = xasprintf("--entryPoints.%s.address=%s", name, address);

	json_array_append_new(command, json_string(flag));
}

/* As the service publishes its other ports. */
static const char *port_mode(const json_t *body)
{
	const char *key;
	json_t *mode;

	json_object_foreach (json_object_get(body, "ports"), key, mode)
		return json_string_value(mode);
	return str_eq(json_str(body, "endpoint_mode"), "dnsrr") ? "host" : "ingress";
}

/* What has the port keeps it until this service is there and its routes are seen to work. */
static bool comes_later(struct decode *d, struct resource *r, const char *port)
{
	_cleanup_json_ json_t *services = services_by_name(d->snap);
	_cleanup_free_ char *published = port_published(port);
	struct absent_holder from;

	if (json_object_get(services, r->name) || !absent_port_holder(d->snap, d->out, published, &from) ||
	    from.for_good)
		return false;
	resource_note(d->out, r, "port %.*s, which %s '%s' %s, follows when the service is there and its routes work",
		      (int)strcspn(port, ":"), port, from.what, from.name, from.known ? "has" : "may have");
	return true;
}

static void publish(struct decode *d, struct resource *r, json_t *body, const char *address, struct mark m)
{
	const char *port = strrchr(address, ':') + 1, *key;
	int n = (int)strcspn(port, "/");
	_cleanup_free_ char *target = xasprintf(":%.*s/tcp", n, port), *mine = xasprintf("%.*s%s", n, port, target);
	json_t *mode;

	json_object_foreach (json_object_get(body, "ports"), key, mode)
		if (str_ends(key, target))
			return;
	const char *as = port_mode(body);
	if (strcmp(as, "ingress") == 0 && comes_later(d, r, mine))
		return;
	if (!json_object_get(body, "ports"))
		json_set(body, "ports", json_object());
	json_set_str(json_object_get(body, "ports"), mine, as);
	_cleanup_free_ char *path = member_path("ports", mine);
	resource_mark(d->out, r, path, m);
}

void traefik_own_entrypoints(struct decode *d, const char *service, struct resource *r, json_t *body)
{
	const struct snode *traefik = snode_get(spec_root(d->spec), "traefik");
	const struct snode *map = snode_get(traefik, "entrypoints");
	json_t *command = json_object_get(body, "command");
	_cleanup_json_ json_t *state = static_read_flags(command);

	if (!str_eq(snode_str(traefik, "service"), service) || snode_count(map) == 0)
		return;
	if (json_array_size(command) == 0 || reads_a_file(command)) {
		resource_block(
			d->out, r,
			"service '%s': traefik.entrypoints become flags of its command, and Traefik ignores flags "
			"beside a configuration file: write them into the file and publish their ports, and remove "
			"traefik.entrypoints",
			service);
		return;
	}
	/* Traefik has one called http by itself, as long as there is no other. */
	if (!any_entrypoint(state) && !snode_get(map, "http"))
		add_flag(command, "http", ":80");
	for (size_t i = 0; i < snode_count(map); i++) {
		const char *address = snode_str(map->items[i], "address");
		const char *have = static_entrypoint(state, map->items[i]->key);
		if (have && strcmp(have, address) != 0)
			resource_block(d->out, r,
				       "service '%s': its command has another address for the entrypoint '%s' than "
				       "traefik.entrypoints: correct one",
				       service, map->items[i]->key);
		if (!have)
			add_flag(command, map->items[i]->key, address);
		publish(d, r, body, address, map->items[i]->key_mark);
	}
	resource_mark(d->out, r, "command", map->key_mark);
}

/* ":11434", "0.0.0.0:11434/tcp" */
static bool is_at(const char *address, long port)
{
	const char *colon = strrchr(address, ':');

	return colon && strtol(colon + 1, NULL, 10) == port && !str_ends(address, "/udp");
}

char *traefik_entrypoint_of_port(const json_t *body, const char *port)
{
	static const char prefix[] = "entrypoints.";
	_cleanup_json_ json_t *state = static_read_flags(json_object_get(body, "command"));
	const char *key, *own = strchr(port, ':');
	json_t *address;

	json_object_foreach (state, key, address)
		if (own && str_starts(key, prefix) && is_at(json_string_value(address), strtol(own + 1, NULL, 10)))
			return xstrdup(key + strlen(prefix));
	return NULL;
}

bool traefik_has_entrypoint(const json_t *body, const char *name)
{
	_cleanup_json_ json_t *state = static_read_flags(json_object_get(body, "command"));

	return static_entrypoint(state, name) != NULL;
}
