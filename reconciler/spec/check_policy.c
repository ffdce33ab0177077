/* What others may write (`ignore`), and when this tool may (policy.maintenance). */
#include "spec/check_util.h"
#include "spec/fields.h"

#include <string.h>

/* Which kinds a section's resources are of; a member (nfs.*.export) is a section of its own. */
static const struct {
	const char *section;
	bool each;
	const char *member;
	const char *kinds[3];
} sections[] = {
	{"absent", true, NULL, {"absent"}},
	{"configs", true, NULL, {"config"}},
	{"engine", false, NULL, {"engine"}},
	{"models", false, NULL, {"model"}},
	{"networks", true, NULL, {"network"}},
	{"nfs", true, "export", {"export"}},
	{"nfs", true, "mount", {"mount"}},
	{"nfs", true, NULL, {"directory"}},
	{"nodes", true, "engine", {"engine"}},
	{"nodes", true, NULL, {"node"}},
	{"secrets", true, NULL, {"secret"}},
	{"services", true, NULL, {"service"}},
	{"traefik", false, NULL, {"traefik", "container"}},
	{"volumes", true, NULL, {"volume"}},
};

/* "labels", "update_config.delay", "labels[a.b].x": as model/ignore.c reads it. */
static bool is_path(const char *text)
{
	size_t name = strcspn(text, ".[");

	while (name > 0) {
		text += name;
		if (*text == '\0')
			return true;
		const char *end = *text == '[' ? strchr(text, ']') : NULL;
		while (end && end[1] && !strchr(".[", end[1]))
			end = strchr(end + 1, ']');
		if (*text == '.')
			name = 1 + strcspn(text + 1, ".[");
		else
			name = end ? (size_t)(end - text) + 1 : 0;
		if (name == (*text == '.' ? 1 : 2))
			return false;
	}
	return false;
}

static void check_path(struct checker *c, const struct snode *item, const char *const *kinds)
{
	const char *text = snode_scalar(item);
	VEC(const char *) known = {0};
	char hint[HINT_SIZE];
	bool found = false;

	if (!text || *text == '\0')
		return; /* the schema says it */
	if (!is_path(text)) {
		check_error(c, item->mark,
			    "ignore: '%s' is not a field, such as replicas, update_config.delay or labels[a.b]",
			    snode_shown(item));
		return;
	}
	_cleanup_free_ char *name = xasprintf("%.*s", (int)strcspn(text, ".["), text);
	for (size_t k = 0; kinds[k]; k++) {
		size_t n;
		const char *const *fields = spec_kind_fields(kinds[k], &n);
		for (size_t i = 0; i < n; i++) {
			found |= strcmp(fields[i], name) == 0;
			vec_push(&known, fields[i]);
		}
	}
	hint_of(c, hint, item, name, known.v, known.n);
	if (!found)
		check_error(c, item->mark, "ignore: a %s has no field '%s'%s", kinds[0], snode_shown_part(item, name),
			    *hint ? hint : "; a plan shows the fields by their names");
	vec_free(&known);
}

static void check_section(struct checker *c, const struct snode *section, const char *const *kinds)
{
	const struct snode *list = snode_get(section, "ignore");

	for (size_t i = 0; list && list->type == SNODE_SEQ && i < list->n_items; i++)
		check_path(c, list->items[i], kinds);
}

static void ignored(struct checker *c, const struct snode *root)
{
	for (size_t i = 0; i < ARRAY_SIZE(sections); i++) {
		const struct snode *section = snode_get(root, sections[i].section);
		for (size_t k = 0; sections[i].each && k < snode_count(section); k++) {
			const struct snode *item = section->items[k];
			check_section(c, sections[i].member ? snode_get(item, sections[i].member) : item,
				      sections[i].kinds);
		}
		if (!sections[i].each)
			check_section(c, section, sections[i].kinds);
	}
}

static void windows(struct checker *c, const struct snode *policy)
{
	const struct snode *list = snode_path(policy, "maintenance.windows");

	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *from = snode_get(list->items[i], "from"), *to = snode_get(list->items[i], "to");
		if (snode_scalar(from) && snode_scalar(to) && strcmp(from->text, to->text) == 0)
			check_error(c, to->mark,
				    "policy.maintenance: this window ends when it begins and is never open; for a "
				    "whole day write from: \"00:00\", to: \"24:00\"");
	}
}

const struct check_row checks_policy[] = {
	{NULL, false, ignored},
	{"policy", false, windows},
	{NULL, false, NULL},
};
