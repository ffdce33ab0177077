#include "kinds/traefik/traefik.h"

#include "kinds/traefik/yaml.h"

#include <string.h>

bool traefik_version_known(const struct snapshot *snap, struct traefik_version *out, const char **why)
{
	const json_t *doc = snapshot_get(snap, "traefik/version", why);

	if (!doc)
		return false;
	if (traefik_version_parse(json_str(doc, "Version"), out))
		return true;
	*why = "what it says of itself is no version number";
	return false;
}

static const json_t *file_content(const struct snapshot *snap)
{
	const json_t *doc = snapshot_get(snap, "traefik/static", NULL);
	const char *source = json_str(doc, "source");

	return !source || strcmp(source, "file") == 0 ? json_object_get(doc, "content") : NULL;
}

/* NULL: the file does not say. New reference. */
static json_t *entrypoints_of_file(const json_t *content)
{
	struct ynode *root = NULL;

	if (ynode_parse(json_string_value(content), json_string_length(content), &root, NULL) < 0)
		return NULL;
	const struct ynode *map = ynode_get(root, "entryPoints");
	json_t *known = NULL;
	/* With none there is one by another name than in the next version; through an alias they are not seen. */
	if (map && map->type == YNODE_MAP && !ynode_get(map, "<<")) {
		known = json_object();
		json_set_bool(known, "traefik", true);
		for (size_t i = 0; i < map->n; i++)
			json_set_bool(known, map->keys[i]->text, true);
	}
	ynode_free(root);
	return known;
}

static json_t *entrypoints_of_api(const json_t *list)
{
	json_t *known = json_object(), *e;
	size_t i;

	json_array_foreach ((json_t *)list, i, e)
		if (json_str(e, "name"))
			json_set_bool(known, json_str(e, "name"), true);
	return known;
}

json_t *traefik_entrypoints_known(const struct spec *spec, const struct snapshot *snap)
{
	const struct snode *added = snode_path(spec_root(spec), "traefik.entrypoints");
	const json_t *content = file_content(snap), *live = snapshot_get(snap, "traefik/entrypoints", NULL);
	json_t *known = content ? entrypoints_of_file(content) : live ? entrypoints_of_api(live) : NULL;

	for (size_t i = 0; known && i < snode_count(added); i++)
		json_set_bool(known, added->items[i]->key, true);
	return known;
}

json_t *traefik_entrypoints_added(const struct snode *traefik)
{
	const struct snode *map = snode_get(traefik, "entrypoints");
	json_t *added = json_object();

	for (size_t i = 0; i < snode_count(map); i++)
		json_set_str(added, map->items[i]->key, snode_str(map->items[i], "address"));
	return added;
}

bool traefik_rule_syntax_is_set(const struct snapshot *snap)
{
	const json_t *content = file_content(snap);

	return content && strcasestr(json_string_value(content), "defaultRuleSyntax");
}
