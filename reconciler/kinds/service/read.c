/* From the engine's Spec to the canonical body. */
#include "client/engine/engine.h"
#include "kinds/service/service.h"
#include "kinds/util.h"

#include <string.h>

/* Set by `docker stack deploy` on every container; means nothing to Swarm. */
#define STACK_LABEL "com.docker.stack.namespace"

static json_t *read_set(const struct row *row, const json_t *list)
{
	json_t *set = json_object(), *item;
	_cleanup_str_ struct str buf = {0};
	size_t i;

	json_array_foreach (list, i, item) {
		const char *text = json_string_value(item);
		if (text)
			json_set_bool(set, row->canon ? row->canon(text, &buf) : text, true);
	}
	return set;
}

static void read_row(json_t *body, const json_t *spec, const struct row *row)
{
	json_t *v = json_path(spec, row->engine);

	if (!v || json_is_null(v))
		return;
	if (row->type == ROW_SET)
		row_set(body, row, read_set(row, v));
	else if (row->type == ROW_RATIO)
		row_set(body, row, ratio_canonical(json_number_value(v)));
	else
		row_set(body, row, json_deep_copy(v));
}

/* A block that is there has zeros where nothing was set, a missing one has the defaults (FACTS: partial UpdateConfig).
 */
static void read_update_config(json_t *body, const json_t *spec, const char *key, const char *field)
{
	const json_t *block = json_object_get(spec, key);
	if (json_is_object(block) && !json_object_get(block, "Parallelism"))
		json_set_int(object_at(body, field), "parallelism", 0);
}

static void read_image(json_t *body, const json_t *spec)
{
	const char *image = json_string_value(json_path(spec, "TaskTemplate.ContainerSpec.Image"));
	struct image_ref ref = {0};

	if (!image)
		return;
	if (image_ref_parse(image, &ref, NULL) < 0) {
		json_set_str(body, "image", image);
		return;
	}
	json_set_str(body, "image", ref.familiar);
	json_set_str(body, "image_digest", ref.digest);
	image_ref_free(&ref);
}

static void read_mode(json_t *body, const json_t *spec)
{
	const json_t *mode = json_object_get(spec, "Mode"), *job = json_object_get(mode, "ReplicatedJob");

	if (json_object_get(mode, "Global")) {
		json_set_str(body, "mode", "global");
	} else if (json_object_get(mode, "GlobalJob")) {
		json_set_str(body, "mode", "global-job");
	} else if (job) {
		int64_t total = json_int(job, "TotalCompletions", 0), at_once = json_int(job, "MaxConcurrent", 0);
		json_set_str(body, "mode", "replicated-job");
		json_set_int(body, "replicas", total);
		if (at_once != total)
			json_set_int(body, "max_concurrent", at_once);
	} else {
		json_set_str(body, "mode", "replicated");
		json_set_int(body, "replicas", json_int(json_object_get(mode, "Replicated"), "Replicas", 1));
	}
}

static json_t *read_part(const struct part *part, const struct part_context *p, const json_t *list)
{
	json_t *out = json_object(), *element;
	_cleanup_str_ struct str key = {0};
	size_t i;

	json_array_foreach (list, i, element) {
		str_reset(&key);
		json_t *value = part->read(p, element, &key);
		if (value)
			json_set(out, str_cstr(&key), value);
	}
	return out;
}

/* Spec.Networks is where clients before API 1.25 put them. */
static const json_t *part_list(const json_t *spec, const struct part *part)
{
	const json_t *list = json_path(spec, part->engine);
	bool is_networks = strcmp(part->field, "networks") == 0;

	return is_networks && json_array_size(list) == 0 ? json_object_get(spec, "Networks") : list;
}

static void read_preferences(json_t *body, const json_t *spec)
{
	json_t *out = json_array(), *preference;
	size_t i;

	json_array_foreach (json_path(spec, "TaskTemplate.Placement.Preferences"), i, preference) {
		const char *spread = json_str(json_object_get(preference, "Spread"), "SpreadDescriptor");
		if (spread)
			json_array_append_new(out, json_string(spread));
	}
	json_set(body, "preferences", out);
}

json_t *body_read(const json_t *spec, const json_t *networks)
{
	struct part_context p = {.service = json_str(spec, "Name"), .networks = networks};
	json_t *body = json_object();

	for (size_t i = 0; i < service_n_rows; i++)
		read_row(body, spec, &service_rows[i]);
	read_update_config(body, spec, "UpdateConfig", "update_config");
	read_update_config(body, spec, "RollbackConfig", "rollback_config");
	read_image(body, spec);
	read_mode(body, spec);
	read_preferences(body, spec);
	for (size_t i = 0; i < service_n_parts; i++)
		json_set(body, service_parts[i].field,
			 read_part(&service_parts[i], &p, part_list(spec, &service_parts[i])));
	json_object_del(json_object_get(body, "labels"), OWNER_LABEL);
	body_finish(body);
	return body;
}

void body_settle(json_t *live, const json_t *wanted)
{
	const json_t *init = json_object_get(wanted, "init");
	json_t *labels = json_object_get(live, "container_labels");

	if (!json_is_true(json_object_get(live, "init"))) {
		if (json_is_false(init))
			json_set_bool(live, "init", false);
		else
			json_object_del(live, "init");
	}
	if (!json_object_get(json_object_get(wanted, "container_labels"), STACK_LABEL))
		json_object_del(labels, STACK_LABEL);
	if (labels && json_object_size(labels) == 0)
		json_object_del(live, "container_labels");
}

json_t *network_names(const struct snapshot *snap)
{
	json_t *names = json_object(), *net;
	size_t i;

	json_array_foreach (snapshot_get(snap, "engine/networks", NULL), i, net)
		if (json_str(net, "Id"))
			json_set_str(names, json_str(net, "Id"), json_str(net, "Name"));
	json_object_update_missing(names, snapshot_get(snap, HIDDEN_NETWORKS, NULL));
	return names;
}
