/*
 * The Spec that `docker stack deploy` sends for a service of a stack
 * (docker/cli, cli/compose/convert/service.go), but for ids, image and labels,
 * which are known when it is written. The body says what the settings mean;
 * this says how docker writes them: the order of lists, blocks that are there
 * and empty, defaults that the file spells out. Swarm restarts tasks for such
 * differences, so with it a service that is made here and then deployed by
 * docker, or the other way round, keeps its tasks.
 */
#include "kinds/service/service.h"
#include "kinds/util.h"

#include <string.h>

#define TASK "TaskTemplate."
#define CONTAINER TASK "ContainerSpec."

/* Plain fields */

static json_t *listed(const struct snode *n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < snode_count(n); i++)
		if (snode_scalar(n->items[i]))
			json_array_append_new(list, json_string(snode_scalar(n->items[i])));
	return list;
}

/* Capabilities are brought to one spelling and sorted, constraints are left alone. */
static json_t *set_value(const struct row *row, const json_t *set, const struct snode *n)
{
	json_t *list = json_array();
	size_t count;

	if (row->canon != capability_canonical) {
		json_decref(list);
		return listed(n);
	}
	const char **keys = json_sorted_keys(set, &count);
	for (size_t i = 0; i < count; i++)
		json_array_append_new(list, json_string(keys[i]));
	free(keys);
	return list;
}

static void put_rows(json_t *shape, const struct service_decoder *s)
{
	for (size_t i = 0; i < service_n_rows; i++) {
		const struct row *row = &service_rows[i];
		const struct snode *n = row->spec ? snode_path(s->node, row->spec) : NULL;
		json_t *v = row_value(s->body, row);
		bool is_test = row->member && strcmp(row->member, "test") == 0;
		if (!v || (!n && !is_test))
			continue;
		if (row->type == ROW_SET)
			path_set(shape, row->engine, set_value(row, v, n));
		else if (row->type == ROW_RATIO)
			path_set(shape, row->engine, json_real(strtod(json_string_value(v), NULL)));
		else
			path_set(shape, row->engine, json_deep_copy(v));
	}
}

/* Blocks that docker sends when the file has them, and those that it always sends. */
static const struct {
	const char *spec, *engine; /* spec NULL: always */
} blocks[] = {
	{NULL, "EndpointSpec"},
	{NULL, CONTAINER "Privileges"},
	{NULL, TASK "Placement"},
	{NULL, TASK "Resources"},
	{"deploy.resources.limits", TASK "Resources.Limits"},
	{"deploy.resources.reservations", TASK "Resources.Reservations"},
	{"deploy.restart_policy", TASK "RestartPolicy"},
	{"healthcheck", CONTAINER "Healthcheck"},
	{"logging", TASK "LogDriver"},
};

static void put_blocks(json_t *shape, const struct snode *node)
{
	static const char *const updates[][2] = {{"deploy.update_config", "UpdateConfig"},
						 {"deploy.rollback_config", "RollbackConfig"}};

	for (size_t i = 0; i < ARRAY_SIZE(blocks); i++)
		if (!blocks[i].spec || snode_path(node, blocks[i].spec))
			object_at(shape, blocks[i].engine);
	for (size_t i = 0; i < ARRAY_SIZE(updates); i++)
		if (snode_path(node, updates[i][0]) && !json_object_get(object_at(shape, updates[i][1]), "Parallelism"))
			json_set_int(object_at(shape, updates[i][1]), "Parallelism", 1);
}

/* Lists */

struct sorted {
	json_t *element;
	const char *text;
	int64_t number;
	size_t index;
};

static int compare(const void *a, const void *b)
{
	const struct sorted *x = a, *y = b;
	int d = strcmp(x->text, y->text);

	if (d == 0)
		d = x->number < y->number ? -1 : x->number > y->number;
	return d ? d : x->index < y->index ? -1 : 1;
}

/* Stable, by a text or number member; key NULL: the elements are texts. list is stolen. */
static json_t *sorted(json_t *list, const char *key)
{
	size_t n = json_array_size(list), i;
	struct sorted *v = xcalloc(n + 1, sizeof(*v));
	json_t *out = json_array(), *element;

	json_array_foreach (list, i, element) {
		const char *text = key ? json_str(element, key) : json_string_value(element);
		v[i] = (struct sorted){element, text ? text : "", key ? json_int(element, key, 0) : 0, i};
	}
	qsort(v, n, sizeof(*v), compare);
	for (i = 0; i < n; i++)
		json_array_append(out, v[i].element);
	free(v);
	json_decref(list);
	return out;
}

static json_t *env_list(const json_t *env)
{
	json_t *list = json_array(), *value;
	const char *name;

	json_object_foreach ((json_t *)env, name, value)
		json_array_append_new(list, json_is_string(value)
						    ? json_sprintf("%s=%s", name, json_string_value(value))
						    : json_string(name));
	return sorted(list, NULL);
}

/* In the order of the body, which is that of the file. */
static json_t *part_elements(const char *field, const json_t *members)
{
	struct part_context p = {0};
	json_t *list = json_array(), *value;
	const char *key;

	for (size_t i = 0; i < service_n_parts; i++)
		if (strcmp(service_parts[i].field, field) == 0)
			json_object_foreach ((json_t *)members, key, value)
				json_array_append_new(list, service_parts[i].make(&p, key, value, NULL));
	return list;
}

static const struct {
	const char *spec, *engine;
} mount_members[] = {
	{"bind", "BindOptions"},
	{"bind.propagation", "BindOptions.Propagation"},
	{"consistency", "Consistency"},
	{"read_only", "ReadOnly"},
	{"source", "Source"},
	{"target", "Target"},
	{"tmpfs", "TmpfsOptions"},
	{"tmpfs.size", "TmpfsOptions.SizeBytes"},
	{"type", "Type"},
	{"volume", "VolumeOptions"},
	{"volume.driver", "VolumeOptions.DriverConfig.Name"},
	{"volume.driver_opts", "VolumeOptions.DriverConfig.Options"},
	{"volume.labels", "VolumeOptions.Labels"},
	{"volume.nocopy", "VolumeOptions.NoCopy"},
};

static json_t *mount_list(const struct snode *mounts)
{
	json_t *list = json_array();

	for (size_t i = 0; i < snode_count(mounts); i++) {
		json_t *mount = json_object();
		for (size_t k = 0; k < ARRAY_SIZE(mount_members); k++) {
			const struct snode *n = snode_path(mounts->items[i], mount_members[k].spec);
			bool is_block = n && !strchr(mount_members[k].spec, '.') && n->type == SNODE_MAP;
			if (n)
				path_set(mount, mount_members[k].engine, is_block ? json_object() : snode_json(n));
		}
		json_array_append_new(list, mount);
	}
	return list;
}

static json_t *port_list(const struct snode *ports)
{
	static const char *const texts[][2] = {{"mode", "PublishMode"}, {"protocol", "Protocol"}};
	json_t *list = json_array();

	for (size_t i = 0; i < snode_count(ports); i++) {
		const struct snode *n = ports->items[i];
		json_t *port = json_object();
		for (size_t k = 0; k < ARRAY_SIZE(texts); k++)
			json_set_str(port, texts[k][1], snode_str(n, texts[k][0]));
		json_set_int(port, "TargetPort", snode_int(n, "target", 0));
		if (snode_get(n, "published"))
			json_set_int(port, "PublishedPort", snode_int(n, "published", 0));
		json_array_append_new(list, port);
	}
	return sorted(list, "PublishedPort");
}

static json_t *network_list(const struct service_decoder *s)
{
	const struct snode *networks = snode_get(s->node, "networks");
	json_t *list = json_array();

	for (size_t i = 0; i < snode_count(networks); i++) {
		const struct snode *n = networks->items[i];
		const char *name = engine_name(s->d->out, "network", n->key);
		json_t *attachment = json_object(), *options = string_map(snode_get(n, "driver_opts"));
		json_set_str(attachment, "Target", name ? name : n->key);
		json_set(attachment, "Aliases", listed(snode_get(n, "aliases")));
		if (options)
			json_set(attachment, "DriverOpts", options);
		json_array_append_new(list, attachment);
	}
	return sorted(list, "Target");
}

/* Where the file appears is as the stack's file writes it; the Engine knows what a relative path means. */
static json_t *file_list(const struct service_decoder *s, const char *section, const char *kind, const char *name_key)
{
	const struct snode *files = snode_get(s->node, section);
	json_t *list = json_array();

	for (size_t i = 0; i < snode_count(files); i++) {
		const struct snode *n = files->items[i];
		const char *source = snode_str(n, "source"), *name = engine_name(s->d->out, kind, source);
		const char *uid = snode_str(n, "uid"), *gid = snode_str(n, "gid"), *mode = snode_str(n, "mode");
		json_t *reference = json_object(), *file = object_at(reference, "File");
		json_set_str(file, "Name", snode_str(n, "target"));
		json_set_str(file, "UID", uid && *uid ? uid : "0");
		json_set_str(file, "GID", gid && *gid ? gid : "0");
		json_set_int(file, "Mode", strtoll(mode ? mode : "0444", NULL, 8));
		json_set_str(reference, name_key, name ? name : source);
		json_array_append_new(list, reference);
	}
	return sorted(list, name_key);
}

static void put_list(json_t *shape, const char *path, json_t *stolen)
{
	if (json_array_size(stolen) > 0)
		path_set(shape, path, stolen);
	else
		json_decref(stolen);
}

json_t *stack_shape(const struct service_decoder *s)
{
	json_t *shape = json_object();

	caps_effective(s->body);
	put_rows(shape, s);
	put_blocks(shape, s->node);
	put_list(shape, CONTAINER "Env", env_list(json_object_get(s->body, "env")));
	put_list(shape, CONTAINER "Hosts", part_elements("hosts", json_object_get(s->body, "hosts")));
	put_list(shape, CONTAINER "Ulimits",
		 sorted(part_elements("ulimits", json_object_get(s->body, "ulimits")), "Name"));
	put_list(shape, TASK "Resources.Reservations.GenericResources",
		 part_elements("generic_resources", json_object_get(s->body, "generic_resources")));
	put_list(shape, CONTAINER "Mounts", mount_list(snode_get(s->node, "volumes")));
	put_list(shape, "EndpointSpec.Ports", port_list(snode_get(s->node, "ports")));
	put_list(shape, TASK "Networks", network_list(s));
	put_list(shape, CONTAINER "Configs", file_list(s, "configs", "config", "ConfigName"));
	put_list(shape, CONTAINER "Secrets", file_list(s, "secrets", "secret", "SecretName"));
	return shape;
}

/* Writing */

static void fill_ids(json_t *list, const json_t *ids)
{
	static const char *const keys[][3] = {{"ConfigName", "ConfigID", "config"},
					      {"SecretName", "SecretID", "secret"}};
	json_t *reference;
	size_t i;

	json_array_foreach (list, i, reference)
		for (size_t k = 0; k < ARRAY_SIZE(keys); k++) {
			const char *name = json_str(reference, keys[k][0]);
			_cleanup_free_ char *key = name ? xasprintf("%s/%s", keys[k][2], name) : NULL;
			if (key)
				json_set_str(reference, keys[k][1], json_str(ids, key));
		}
}

static void copy_path(json_t *spec, const json_t *shape, const char *path)
{
	json_t *v = json_path(shape, path);

	path_set(spec, path, v ? json_deep_copy(v) : NULL);
}

static char *parent_of(const char *path)
{
	return xasprintf("%.*s", (int)(strrchr(path, '.') - path), path);
}

/* A row of a block stands for all of it; a block that docker does not send does not stay behind empty. */
static void copy_row(json_t *spec, const json_t *shape, const struct row *row)
{
	_cleanup_free_ char *parent = strchr(row->engine, '.') ? parent_of(row->engine) : NULL;

	if (row->member) {
		copy_path(spec, shape, parent);
		return;
	}
	copy_path(spec, shape, row->engine);
	if (parent && !json_path(shape, parent) && json_object_size(json_path(spec, parent)) == 0)
		path_set(spec, parent, NULL);
}

bool stack_overlay(json_t *spec, const json_t *shape, const json_t *ids, const char *field)
{
	bool known = false;

	for (size_t i = 0; i < service_n_rows; i++)
		if (strcmp(service_rows[i].field, field) == 0) {
			copy_row(spec, shape, &service_rows[i]);
			known = true;
		}
	for (size_t i = 0; i < service_n_parts; i++)
		if (strcmp(service_parts[i].field, field) == 0) {
			copy_path(spec, shape, service_parts[i].engine);
			fill_ids(json_path(spec, service_parts[i].engine), ids);
			known = true;
		}
	return known;
}
