/* Values of variables that an earlier spec had: the live object still has them, and a plan shows none of them. */
#include "model/ignore.h"
#include "plan/hold.h"

#include <string.h>

/* In a set the member is the value itself: its path would tell it. */
static bool is_set_member(const struct resource *r, const char *path, const char *field)
{
	const json_t *members = json_object_get(r->body, field);
	const char *key = path + strlen(field);
	bool bracket = *key == '[';

	if (!*key || !json_is_object(members))
		return false;
	_cleanup_free_ char *name = xasprintf("%.*s", (int)strlen(key + 1) - bracket, key + 1);
	return json_is_true(json_object_get(members, name));
}

json_t *plan_hidden(const struct resource *desired)
{
	_cleanup_json_ json_t *paths = json_object();
	size_t n;

	for (size_t i = 0; i < desired->marks.n; i++) {
		const char *path = desired->marks.v[i].path;
		_cleanup_free_ char *field = path_field(path);
		if (desired->marks.v[i].mark.hidden)
			json_set_bool(paths, is_set_member(desired, path, field) ? field : path, true);
	}
	if (json_object_size(paths) == 0)
		return NULL;
	const char **keys = json_sorted_keys(paths, &n);
	json_t *list = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(keys[i]));
	free(keys);
	return list;
}

/*
 * Those of every resource of the kind: the same live object can be in the next spec under another name, and a place
 * that is hidden for no reason harms nobody.
 */
json_t *hold_hidden(const struct plan_input *in, const char *kind)
{
	_cleanup_free_ char *prefix = xasprintf("%s/", kind);
	json_t *all = json_array(), *paths;
	const char *key;

	json_object_foreach (json_object_get(in->shared, "hidden"), key, paths)
		if (str_starts(key, prefix))
			json_array_extend(all, paths);
	return all;
}
