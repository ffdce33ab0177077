/* Published ports of what `absent` ends, as "11434/tcp": of containers, of services, of an entry. */
#include "kinds/absent/absent.h"
#include "kinds/util.h"

#include <string.h>

char *port_published(const char *key)
{
	return xasprintf("%.*s%s", (int)strcspn(key, ":"), key, strrchr(key, '/'));
}

char *port_of_ingress(const json_t *port)
{
	const char *protocol = json_str(port, "Protocol");

	if (!str_eq(json_str(port, "PublishMode"), "ingress"))
		return NULL;
	return xasprintf("%lld/%s", (long long)json_int(port, "PublishedPort", 0), protocol ? protocol : "tcp");
}

void ports_add_bindings(const json_t *bindings, json_t *ports)
{
	const char *inside;
	json_t *list, *b;
	size_t i;

	json_object_foreach ((json_t *)bindings, inside, list)
		json_array_foreach (list, i, b) {
			const char *published = json_str(b, "HostPort");
			_cleanup_free_ char *port = xasprintf("%s%s", published ? published : "", strrchr(inside, '/'));
			json_set_bool(ports, port, true);
		}
}

bool absent_listens_itself(const json_t *inspect)
{
	return absent_is_haproxy(inspect) &&
	       str_eq(json_str(json_object_get(inspect, "HostConfig"), "NetworkMode"), "host");
}

bool absent_containers_hold(const struct snapshot *snap, const struct resource *want, const char *port,
			    struct absent_holder *out)
{
	_cleanup_free_ char *why = NULL;
	_cleanup_json_ json_t *inspects = absent_observed(snap, want, &why);
	const json_t *inspect;
	size_t i;

	if (!inspects) {
		bool single = json_object_get(want->body, "container");
		out->what = single ? "container" : "Compose project";
		out->name = absent_shown(want, single ? "container" : "compose");
		return true;
	}
	out->what = "container";
	json_array_foreach (inspects, i, inspect) {
		_cleanup_json_ json_t *ports = json_object();
		ports_add_bindings(json_path(inspect, "NetworkSettings.Ports"), ports);
		bool known = json_object_get(ports, port);
		bool may = json_is_true(json_path(inspect, "State.Running")) && absent_listens_itself(inspect);
		if (!known && (out->name || !may))
			continue;
		out->name = absent_container_name(inspect); /* the snapshot's */
		out->known |= known;
	}
	return out->name != NULL;
}

bool absent_port_holder(const struct snapshot *snap, const struct resource_set *want, const char *port,
			struct absent_holder *out)
{
	bool found = false;

	for (size_t i = 0; i < resource_count(want) && !(found && out->known); i++) {
		struct absent_holder one = {.absent = resource_at(want, i)};
		if (strcmp(one.absent->kind, "absent") != 0 ||
		    !absent_form_of(one.absent->body)->holds(snap, one.absent, port, &one))
			continue;
		*out = one;
		found = true;
	}
	return found;
}
