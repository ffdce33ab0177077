/*
 * From the wanted body to the engine's Spec, one changed field at a time. What
 * does not change keeps its value, its place and its being there or not: nil
 * and {} differ for Swarm, and so does the order of a list (FACTS C).
 */
#include "client/engine/engine.h"
#include "kinds/service/service.h"
#include "kinds/util.h"

#include <string.h>

/* Plain fields */

static bool has_default(const struct row *row)
{
	return row->def != 0 || row->def_text;
}

/* A block that is written is written with its defaults: a partial UpdateConfig means "all at once". */
static json_t *engine_value(const struct row *row, const json_t *body)
{
	json_t *v = row_value(body, row);

	if (v && row->type == ROW_RATIO)
		return json_real(strtod(json_string_value(v), NULL));
	if (v)
		return json_deep_copy(v);
	return row->member && json_object_get(body, row->field) && has_default(row) ? row_default(row) : NULL;
}

static json_t *merge_set(const struct row *row, const json_t *wanted, const json_t *live)
{
	_cleanup_json_ json_t *left = json_copy((json_t *)wanted);
	_cleanup_str_ struct str buf = {0};
	json_t *list = json_array(), *item;
	size_t i, n;

	json_array_foreach (live, i, item) {
		const char *text = json_string_value(item);
		const char *key = text && row->canon ? row->canon(text, &buf) : text;
		if (key && json_object_del(left, key) == 0)
			json_array_append(list, item);
	}
	const char **keys = json_sorted_keys(left, &n);
	for (i = 0; i < n; i++)
		json_array_append_new(list, json_string(keys[i]));
	free(keys);
	return list;
}

/* Deletes what a removed field leaves behind: an empty RestartPolicy is not the same as none. */
static void drop_empty_parent(json_t *spec, const char *path)
{
	const char *dot = strrchr(path, '.');
	_cleanup_free_ char *parent = dot ? xasprintf("%.*s", (int)(dot - path), path) : NULL;
	const json_t *v = parent ? json_path(spec, parent) : NULL;

	if (json_is_object(v) && json_object_size(v) == 0)
		path_set(spec, parent, NULL);
}

static void overlay_row(json_t *spec, const json_t *body, const struct row *row)
{
	json_t *v = engine_value(row, body);

	if (v && row->type == ROW_SET) {
		json_t *list = merge_set(row, v, json_path(spec, row->engine));
		json_decref(v);
		v = list;
	}
	bool removed = !v;
	path_set(spec, row->engine, v);
	if (removed)
		drop_empty_parent(spec, row->engine);
}

/* Lists */

static json_t *merge_list(const struct part *part, const struct part_context *p, const json_t *wanted,
			  const json_t *live)
{
	_cleanup_json_ json_t *left = wanted ? json_copy((json_t *)wanted) : json_object();
	_cleanup_str_ struct str key = {0};
	json_t *list = json_array(), *element;
	size_t i, n;

	json_array_foreach (live, i, element) {
		str_reset(&key);
		_cleanup_json_ json_t *is = part->read(p, element, &key);
		const json_t *to = json_object_get(left, str_cstr(&key));
		if (!is || (to && json_same(is, to)))
			json_array_append(list, element);
		else if (to)
			json_array_append_new(list, part->make(p, str_cstr(&key), to, element));
		if (is)
			json_object_del(left, str_cstr(&key));
	}
	const char **keys = json_sorted_keys(left, &n);
	for (i = 0; i < n; i++)
		json_array_append_new(list, part->make(p, keys[i], json_object_get(left, keys[i]), NULL));
	free(keys);
	return list;
}

/* What a client before API 1.25 wrote moves to where it belongs now: Swarm refuses a change of the old place alone. */
static void move_networks(json_t *spec)
{
	json_t *old = json_object_get(spec, "Networks");

	if (json_array_size(json_path(spec, "TaskTemplate.Networks")) == 0 && json_array_size(old) > 0)
		path_set(spec, "TaskTemplate.Networks", json_deep_copy(old));
	json_object_del(spec, "Networks");
}

static void overlay_part(json_t *spec, const struct overlay *o, const struct part *part)
{
	struct part_context p = {.service = o->name, .networks = o->networks, .ids = o->ids};

	if (strcmp(part->field, "networks") == 0)
		move_networks(spec);
	json_t *list = merge_list(part, &p, json_object_get(o->body, part->field), json_path(spec, part->engine));
	bool empty = json_array_size(list) == 0;
	if (empty) {
		json_decref(list);
		list = NULL;
	}
	path_set(spec, part->engine, list);
	if (empty)
		drop_empty_parent(spec, part->engine);
}

/* The rest */

static void overlay_image(json_t *spec, const struct overlay *o)
{
	const char *image = json_str(o->body, "image"), *digest = json_str(o->body, "image_digest");

	if (!digest)
		digest = o->digest;
	path_set(spec, "TaskTemplate.ContainerSpec.Image",
		 digest ? json_sprintf("%s@%s", image, digest) : json_string(image));
	if (json_array_size(o->platforms) > 0)
		path_set(spec, "TaskTemplate.Placement.Platforms", json_deep_copy(o->platforms));
}

static void overlay_mode(json_t *spec, const struct overlay *o)
{
	static const struct {
		const char *mode, *key;
	} modes[] = {{"global", "Global"},
		     {"global-job", "GlobalJob"},
		     {"replicated", "Replicated"},
		     {"replicated-job", "ReplicatedJob"}};
	const char *mode = json_str(o->body, "mode");
	int64_t replicas = json_int(o->body, "replicas", 1);
	json_t *settings = json_object(), *out = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (strcmp(modes[i].mode, mode) == 0)
			json_set(out, modes[i].key, settings);
	if (strcmp(mode, "replicated") == 0) {
		json_set_int(settings, "Replicas", replicas);
	} else if (strcmp(mode, "replicated-job") == 0) {
		json_set_int(settings, "TotalCompletions", replicas);
		json_set_int(settings, "MaxConcurrent", json_int(o->body, "max_concurrent", replicas));
	}
	json_set(spec, "Mode", out);
}

static void overlay_labels(json_t *spec, const struct overlay *o)
{
	json_set(spec, "Labels", labels_with_owner(json_object_get(o->body, "labels"), o->cluster));
}

static void overlay_preferences(json_t *spec, const struct overlay *o)
{
	json_t *list = json_array(), *item;
	size_t i;

	json_array_foreach (json_object_get(o->body, "preferences"), i, item) {
		json_t *preference = json_object();
		json_object_set(object_at(preference, "Spread"), "SpreadDescriptor", item);
		json_array_append_new(list, preference);
	}
	path_set(spec, "TaskTemplate.Placement.Preferences", list);
}

static const struct {
	const char *field;
	void (*write)(json_t *spec, const struct overlay *o);
} special[] = {
	{"image", overlay_image},         {"image_digest", overlay_image}, {"labels", overlay_labels},
	{"max_concurrent", overlay_mode}, {"mode", overlay_mode},          {"preferences", overlay_preferences},
	{"replicas", overlay_mode},
};

void overlay_field(json_t *spec, const struct overlay *o, const char *field)
{
	for (size_t i = 0; i < ARRAY_SIZE(special); i++) {
		if (strcmp(special[i].field, field) == 0) {
			special[i].write(spec, o);
			return;
		}
	}
	if (o->shape && stack_overlay(spec, o->shape, o->ids, field))
		return;
	for (size_t i = 0; i < service_n_rows; i++)
		if (strcmp(service_rows[i].field, field) == 0)
			overlay_row(spec, o->body, &service_rows[i]);
	for (size_t i = 0; i < service_n_parts; i++)
		if (strcmp(service_parts[i].field, field) == 0)
			overlay_part(spec, o, &service_parts[i]);
}
