#include "model/ignore.h"

#include <string.h>

/* One name of a path; the next one begins at *rest, "" when this was the last. A "]" inside a key is not its end. */
static char *next_name(const char *path, const char **rest)
{
	if (*path != '[') {
		path += *path == '.';
		size_t len = strcspn(path, ".[");
		*rest = path + len;
		return xasprintf("%.*s", (int)len, path);
	}
	const char *end = strchr(++path, ']');
	while (end && end[1] != '\0' && end[1] != '.' && end[1] != '[')
		end = strchr(end + 1, ']');
	*rest = end ? end + 1 : path + strlen(path);
	return xasprintf("%.*s", (int)(end ? (size_t)(end - path) : strlen(path)), path);
}

char *path_field(const char *path)
{
	const char *rest;
	return next_name(path, &rest);
}

static void take(json_t *want, const json_t *live, const char *name)
{
	const json_t *value = json_object_get(live, name);
	if (value)
		json_set(want, name, json_deep_copy(value));
	else
		json_object_del(want, name);
}

/*
 * Gives want the value that live (NULL: none) has at path. A member that the spec does not name is not brought in for
 * the sake of something inside it: an alias on a network is not a network.
 */
static void settle(json_t *want, const json_t *live, const char *path)
{
	const char *rest;
	_cleanup_free_ char *name = next_name(path, &rest);

	if (*rest == '\0') {
		take(want, live, name);
		return;
	}
	json_t *member = json_object_get(want, name);
	if (json_is_object(member))
		settle(member, json_object_get(live, name), rest);
}

/* A field that is empty is left out of a body; it comes and goes with its ignored members. */
static void settle_field(json_t *body, const json_t *live, const char *path)
{
	_cleanup_free_ char *field = path_field(path);
	const json_t *there = json_object_get(live, field);

	if (!json_object_get(body, field) && json_is_object(there))
		json_set(body, field, json_object());
	settle(body, live, path);
	const json_t *value = json_object_get(body, field);
	if (json_is_object(value) && json_object_size(value) == 0 && !json_same(value, there))
		json_object_del(body, field);
}

void resources_settle(struct resource_set *want, const struct resource_set *live)
{
	for (size_t i = 0; i < resource_count(want); i++) {
		struct resource *w = resource_at(want, i);
		const struct resource *l = w->ignore.n ? resource_find(live, w->kind, w->name) : NULL;
		for (size_t k = 0; l && l->presence == PRESENT && k < w->ignore.n; k++)
			settle_field(w->body, l->body, w->ignore.v[k]);
	}
}

static void drop(json_t *body, const char *const *paths, size_t n)
{
	for (size_t i = 0; i < n; i++)
		settle_field(body, NULL, paths[i]);
}

json_t *resource_own_body(const struct resource *desired)
{
	json_t *own = json_deep_copy(desired->body);

	drop(own, desired->ignore.v, desired->ignore.n);
	drop(own, desired->floating.v, desired->floating.n);
	return own;
}

json_t *resource_reviewed_body(const struct resource *desired)
{
	json_t *reviewed = json_deep_copy(desired->body);

	drop(reviewed, desired->unreviewed.v, desired->unreviewed.n);
	return reviewed;
}

json_t *resource_shown_body(const struct resource *desired)
{
	json_t *shown = json_deep_copy(desired->body);

	for (size_t i = 0; i < desired->marks.n; i++) {
		_cleanup_free_ char *field = path_field(desired->marks.v[i].path);
		if (!desired->marks.v[i].mark.hidden)
			continue;
		settle_field(shown, NULL, desired->marks.v[i].path);
		if (json_is_array(json_object_get(shown, field))) /* of which no single element can be left out */
			json_object_del(shown, field);
	}
	return shown;
}
