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

/* "env" and "env[A]", in either order, speak of the same place. */
static bool is_same_place(const char *a, const char *b)
{
	size_t i = 0;

	while (a[i] && a[i] == b[i])
		i++;
	if (!a[i] || !b[i])
		return a[i] == b[i] || strchr("[.", a[i] ? a[i] : b[i]);
	return false;
}

void hold_hidden(struct plan *p, const struct plan_input *in, struct change *c, const char *key)
{
	const json_t *hidden = json_object_get(json_object_get(in->shared, "hidden"), key), *path;
	size_t k;

	for (size_t i = 0; i < c->fields.n; i++) {
		struct field_change *f = &c->fields.v[i];
		json_array_foreach (hidden, k, path) {
			if (!f->from || !is_same_place(json_string_value(path), f->path))
				continue;
			f->secret = true;
			if (json_is_true(f->from) && strchr(f->path, '['))
				f->path = arena_printf(p->arena, "%s[(value of a variable)]", f->field);
			break;
		}
	}
}
