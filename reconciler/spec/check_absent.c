/* What must not run any more. FACTS E, G1, G2. */
#include "spec/check_util.h"

#include <ctype.h>
#include <string.h>

static const char *const sorts[] = {"container", "service", "compose", "unit"};

static const struct snode *what(const struct snode *absent)
{
	for (size_t i = 0; i < ARRAY_SIZE(sorts); i++)
		if (snode_get(absent, sorts[i]))
			return snode_get(absent, sorts[i]);
	return NULL;
}

static void place(struct checker *c, const struct snode *absent)
{
	const struct snode *target = what(absent), *node = snode_get(absent, "node");

	if (!target)
		return;
	if (strcmp(target->key, "service") == 0 && node)
		check_error(c, node->key_mark, "absent '%s': a Swarm service is on no particular node; remove 'node'",
			    absent->key);
	if (strcmp(target->key, "service") != 0 && !node)
		check_error(c, target->key_mark, "absent '%s': a %s is on one node; write node: <name>", absent->key,
			    strcmp(target->key, "compose") == 0 ? "Compose project" : target->key);
}

static void contradiction(struct checker *c, const struct snode *absent)
{
	const struct snode *service = snode_get(absent, "service"), *container = snode_get(absent, "container"),
			   *traefik = section_of(c, "traefik");

	if (snode_scalar(service) && member_of(c, "services", service->text))
		check_error(c, service->mark, "absent '%s': the spec also has service '%s'; it cannot be both",
			    absent->key, snode_shown(service));
	if (snode_scalar(container) && str_eq(container->text, snode_str(traefik, "container")) &&
	    str_eq(snode_str(absent, "node"), snode_str(traefik, "node")))
		check_error(c, container->mark, "absent '%s': '%s' is the Traefik of this spec; it cannot be both",
			    absent->key, snode_shown(container));
}

static bool contains(const char *text, const char *word)
{
	size_t n = strlen(word);

	for (; text && *text; text++) {
		size_t i = 0;
		while (i < n && tolower((unsigned char)text[i]) == word[i])
			i++;
		if (i == n)
			return true;
	}
	return false;
}

/* As systemd.unit(5) has it; the name becomes part of a path there. */
static void unit_name(struct checker *c, const struct snode *absent)
{
	static const char *const endings[] = {".service", ".socket", ".timer", ".target", ".path", ".mount"};
	const struct snode *unit = snode_get(absent, "unit");
	bool ok = false;

	if (!snode_scalar(unit))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(endings); i++)
		ok |= str_ends(unit->text, endings[i]);
	for (const char *p = unit->text; *p; p++)
		ok = ok && (isalnum((unsigned char)*p) || strchr(":_.\\@-", *p));
	if (!ok || unit->text[0] == '-' || unit->text[0] == '.')
		check_error(c, unit->mark,
			    "absent '%s': '%s' is not the name of a systemd unit; write it with its ending: "
			    "haproxy.service",
			    absent->key, snode_shown(unit));
}

/* Keys that go with one sort of thing. */
static void belongs(struct checker *c, const struct snode *absent)
{
	const struct snode *services = snode_get(absent, "services"), *backends = snode_get(absent, "backends"),
			   *accept = snode_get(absent, "accept"), *declared = section_of(c, "services");

	if (services && !snode_get(absent, "compose"))
		check_error(c, services->key_mark, "absent '%s': services goes with compose only", absent->key);
	for (size_t i = 0; i < snode_count(backends); i++) {
		const struct snode *route = backends->items[i];
		const char *name = snode_scalar(route);
		if (!name || !str_starts(name, "route/") ||
		    !snode_get(snode_get(declared, name + strlen("route/")), "route"))
			check_error(
				c, route->mark,
				"absent '%s': backend '%s': '%s' is no route of this spec; write route/<service> of a "
				"service that has one, or accept: [backend/%s] to give it up",
				absent->key, route->key, snode_shown(route), route->key);
	}
	for (size_t i = 0; i < snode_count(accept); i++) {
		const char *what = snode_scalar(accept->items[i]);
		if (!what || (!str_starts(what, "backend/") && !str_starts(what, "traefik/") &&
			      !str_starts(what, "prometheus/")))
			check_error(c, accept->items[i]->mark,
				    "absent '%s': accept: '%s' is none of backend/NAME, traefik/SERVICE@PROVIDER and "
				    "prometheus/JOB",
				    absent->key, snode_shown(accept->items[i]));
	}
}

/* What stands in front of services is removed last, and only when nothing uses it any more. */
static void entrance(struct checker *c, const struct snode *absent)
{
	static const char *const entrances[] = {"haproxy", "nginx", "traefik", "caddy", "envoy"};
	const struct snode *target = what(absent), *after = snode_get(absent, "after");
	bool gated = snode_get(absent, "quiet") != NULL, is_entrance = false;

	for (size_t i = 0; i < snode_count(after); i++)
		gated |= snode_scalar(after->items[i]) &&
			 (str_starts(after->items[i]->text, "route/") || str_starts(after->items[i]->text, "check/"));
	for (size_t i = 0; i < ARRAY_SIZE(entrances); i++)
		is_entrance |= contains(absent->key, entrances[i]) || contains(snode_scalar(target), entrances[i]);
	if (is_entrance && !gated)
		check_warn(c, absent->key_mark,
			   "absent '%s': it is removed before anything proves that the new way works, and whether or "
			   "not it is still "
			   "used; add after: [route/<service>] and quiet: 10m",
			   absent->key);
}

const struct check_row checks_absent[] = {
	{"absent", true, place},   {"absent", true, contradiction}, {"absent", true, unit_name},
	{"absent", true, belongs}, {"absent", true, entrance},      {NULL, false, NULL},
};
