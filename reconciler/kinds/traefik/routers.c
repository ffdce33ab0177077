#include "kinds/traefik/routers.h"

#include "kinds/traefik/moved.h"
#include "kinds/util.h"

#include <string.h>

/* A router has a name for each protocol: those of HTTP, TCP and UDP may be the same. */
static const struct protocol {
	const char *section, *shown;
} protocols[] = {{"routers", ""}, {"tcpRouters", " (TCP)"}, {"udpRouters", " (UDP)"}};

static bool works(const json_t *rawdata, const struct protocol *p, const char *name)
{
	return str_eq(json_str(json_object_get(json_object_get(rawdata, p->section), name), "status"), "enabled");
}

static void add_name(struct str *out, size_t before, const char *name, const struct protocol *p)
{
	str_addf(out, "%s%s%s", before ? ", " : "", name, p->shown);
}

size_t traefik_container_routers(const struct snapshot *snap, const char *node, const json_t *rawdata, struct str *out)
{
	size_t found = 0, n;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		const char **names = json_sorted_keys(json_object_get(rawdata, protocols[i].section), &n);
		for (size_t k = 0; k < n; k++)
			if (str_ends(names[k], "@docker") && (i > 0 || !traefik_is_task_route(snap, node, names[k])))
				add_name(out, found++, names[k], &protocols[i]);
		free(names);
	}
	return found;
}

/* Traefik 2 lists containers or services, both by the name of docker; 3 has a provider for each. */
static bool may_end(const struct traefik_view *v, const char *router)
{
	bool changes = v->goal.swarm_mode != json_bool(v->body, "swarm_mode") || !json_bool(v->body, "loaded");

	if (v->goal.major < 3)
		return changes && str_ends(router, "@docker");
	return changes && !v->goal.swarm_mode && str_ends(router, "@swarm");
}

json_t *traefik_routers_to_stay(const struct traefik_view *v, const json_t *rawdata)
{
	json_t *stay = json_object();
	size_t n;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++) {
		const char **names = json_sorted_keys(json_object_get(rawdata, protocols[i].section), &n);
		json_t *list = json_array();
		for (size_t k = 0; k < n; k++)
			if (works(rawdata, &protocols[i], names[k]) && !may_end(v, names[k]))
				json_array_append_new(list, json_string(names[k]));
		json_set(stay, protocols[i].section, list);
		free(names);
	}
	return stay;
}

size_t traefik_routers_missing(const json_t *stay, const json_t *rawdata, struct str *out)
{
	json_t *name;
	size_t n = 0, k;

	for (size_t i = 0; i < ARRAY_SIZE(protocols); i++)
		json_array_foreach (json_object_get(stay, protocols[i].section), k, name)
			if (!works(rawdata, &protocols[i], json_string_value(name)))
				add_name(out, n++, json_string_value(name), &protocols[i]);
	return n;
}
