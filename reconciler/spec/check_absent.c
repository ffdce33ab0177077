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

/* What stands in front of services is removed last, and only when nothing uses it any more. */
static void entrance(struct checker *c, const struct snode *absent)
{
	static const char *const entrances[] = {"haproxy", "nginx", "traefik", "caddy", "envoy"};
	const struct snode *target = what(absent), *after = snode_get(absent, "after");
	bool gated = snode_get(absent, "quiet") != NULL, is_entrance = false;

	for (size_t i = 0; i < snode_count(after); i++)
		gated |= snode_scalar(after->items[i]) && str_starts(after->items[i]->text, "route/");
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
	{"absent", true, place},
	{"absent", true, contradiction},
	{"absent", true, entrance},
	{NULL, false, NULL},
};
