#include "kinds/service/compose.h"

#include "kinds/kinds.h"
#include "kinds/route/route.h"
#include "kinds/service/service.h"

#include <stdio.h>
#include <string.h>

/* Numbers as people write them */

static json_t *duration(int64_t ns)
{
	_cleanup_str_ struct str s = {0};
	route_duration(ns, &s);
	return json_string(str_cstr(&s));
}

static json_t *size(int64_t bytes)
{
	static const char units[] = "TGMK";
	int64_t unit = INT64_C(1) << 40;

	for (size_t i = 0; units[i]; i++, unit >>= 10)
		if (bytes != 0 && bytes % unit == 0)
			return json_sprintf("%lld%c", (long long)(bytes / unit), units[i]);
	return json_integer(bytes);
}

static json_t *cpus(int64_t nano)
{
	char text[40];

	snprintf(text, sizeof(text), "%lld.%09lld", (long long)(nano / 1000000000), (long long)(nano % 1000000000));
	for (size_t n = strlen(text); text[n - 1] == '0' || text[n - 1] == '.'; n--) {
		bool point = text[n - 1] == '.';
		text[n - 1] = '\0';
		if (point)
			break;
	}
	return json_string(text);
}

static const char *unit_of(const struct row *row)
{
	_cleanup_free_ char *name = row->member ? xasprintf("%s.%s", row->field, row->member) : xstrdup(row->field);
	const struct field *f = kind_field(&kind_service, name);
	return f ? f->unit : NULL;
}

/* Negative durations and sizes have no spelling; the difference shows. */
static json_t *number(const struct row *row, int64_t value)
{
	const char *unit = unit_of(row);

	if (str_eq(unit, "ns"))
		return value < 0 ? NULL : duration(value);
	if (str_eq(unit, "bytes"))
		return size(value);
	return str_eq(unit, "nanocpus") ? cpus(value) : json_integer(value);
}

/* Plain fields */

static json_t *sorted_names(const json_t *set)
{
	json_t *list = json_array();
	size_t n;
	const char **names = json_sorted_keys(set, &n);

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	free(names);
	return list;
}

/* Without what is null: a variable of the image that is taken away (a spec would take it from the machine). */
static json_t *sorted_map(const json_t *map)
{
	json_t *out = json_object();
	size_t n;
	const char **names = json_sorted_keys(map, &n);

	for (size_t i = 0; i < n; i++)
		if (!json_is_null(json_object_get(map, names[i])))
			json_object_set(out, names[i], json_object_get(map, names[i]));
	free(names);
	return out;
}

static json_t *row_compose(const struct row *row, const json_t *value)
{
	switch (row->type) {
	case ROW_INT:
		return number(row, json_integer_value(value));
	case ROW_SET:
		return sorted_names(value);
	case ROW_MAP:
		return sorted_map(value);
	default:
		return json_deep_copy(value);
	}
}

static void put(json_t *out, const char *path, json_t *stolen)
{
	if (stolen)
		path_set(out, path, stolen);
}

static void compose_rows(const json_t *body, json_t *out)
{
	for (size_t i = 0; i < service_n_rows; i++) {
		const struct row *row = &service_rows[i];
		const json_t *value = row_value(body, row);
		if (row->spec && value)
			put(out, row->spec, row_compose(row, value));
	}
}

/* Fields with more than one notation */

static void compose_image(const json_t *body, json_t *out)
{
	const char *image = json_str(body, "image"), *digest = json_str(body, "image_digest");
	const char *slash = image ? strrchr(image, '/') : NULL;
	bool tagged = image && strchr(slash ? slash : image, ':');

	if (image)
		json_set(out, "image", tagged || !digest ? json_string(image) : json_sprintf("%s@%s", image, digest));
}

static void compose_mode(const json_t *body, json_t *out)
{
	const char *mode = json_str(body, "mode");

	if (!str_eq(mode, "replicated"))
		path_set(out, "deploy.mode", json_string(mode));
	if (json_object_get(body, "replicas"))
		path_set(out, "deploy.replicas", json_integer(json_int(body, "replicas", 1)));
}

static void compose_health(const json_t *body, json_t *out)
{
	const json_t *test = json_path(body, "healthcheck.test");

	if (str_eq(json_string_value(json_array_get(test, 0)), "NONE"))
		path_set(out, "healthcheck.disable", json_true());
	else if (json_array_size(test))
		path_set(out, "healthcheck.test", json_deep_copy(test));
}

static void compose_placement(const json_t *body, json_t *out)
{
	json_t *list = json_array(), *p;
	const char *kind;
	size_t i;

	json_array_foreach (json_object_get(body, "preferences"), i, p)
		json_array_append_new(list, json_pack("{s:O}", "spread", p));
	put(out, "deploy.placement.preferences", json_array_size(list) ? json_incref(list) : NULL);
	json_decref(list);
	list = json_array();
	json_object_foreach (json_object_get(body, "generic_resources"), kind, p)
		json_array_append_new(list,
				      json_pack("{s:{s:s, s:O}}", "discrete_resource_spec", "kind", kind, "value", p));
	put(out, "deploy.resources.reservations.generic_resources", json_array_size(list) ? json_incref(list) : NULL);
	json_decref(list);
}

static void compose_maps(const json_t *body, json_t *out)
{
	static const char *const maps[][2] = {
		{"env", "environment"}, {"ulimits", "ulimits"}, {"labels", "deploy.labels"}};
	const json_t *hosts = json_object_get(body, "hosts");

	for (size_t i = 0; i < ARRAY_SIZE(maps); i++) {
		const json_t *map = json_object_get(body, maps[i][0]);
		if (json_object_size(map))
			put(out, maps[i][1], sorted_map(map));
	}
	if (json_object_size(hosts))
		put(out, "extra_hosts", sorted_names(hosts));
}

/* "8080:80/tcp": "ingress" */
static json_t *port(const char *key, const char *mode)
{
	const char *colon = strchr(key, ':'), *target = colon ? colon + 1 : key, *slash = strchr(target, '/');
	json_t *out = json_object();

	json_set_int(out, "target", strtoll(target, NULL, 10));
	if (colon)
		json_set_int(out, "published", strtoll(key, NULL, 10));
	json_set_str(out, "protocol", slash ? slash + 1 : "tcp");
	json_set_str(out, "mode", mode);
	return out;
}

static json_t *mount(const char *target, const json_t *m)
{
	static const char *const members[][2] = {{"propagation", "bind.propagation"}, {"no_copy", "volume.nocopy"}};
	const char *type = json_str(m, "type");
	json_t *out = json_object();

	json_set_str(out, "type", type);
	json_set_str(out, "source", json_str(m, "source"));
	json_set_str(out, "target", target);
	if (json_bool(m, "read_only"))
		json_set_bool(out, "read_only", true);
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (json_object_get(m, members[i][0]))
			path_set(out, members[i][1], json_deep_copy(json_object_get(m, members[i][0])));
	if (json_object_get(m, "size"))
		path_set(out, "tmpfs.size", size(json_int(m, "size", 0)));
	if (str_eq(type, "tmpfs") && json_str(m, "mode"))
		path_set(out, "tmpfs.mode", json_string(json_str(m, "mode")));
	return out;
}

static bool is_mount_of_a_spec(const json_t *m)
{
	static const char *const types[] = {"bind", "volume", "tmpfs"};

	for (size_t i = 0; i < ARRAY_SIZE(types); i++)
		if (str_eq(json_str(m, "type"), types[i]))
			return true;
	return false;
}

static json_t *file(const char *target, const json_t *f)
{
	static const char *const members[] = {"source", "target", "uid", "gid", "mode"};
	json_t *out = json_object();

	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		json_set_str(out, members[i], strcmp(members[i], "target") == 0 ? target : json_str(f, members[i]));
	return out;
}

static void compose_lists(const json_t *body, json_t *out)
{
	static const char *const lists[][2] = {
		{"ports", "ports"}, {"mounts", "volumes"}, {"configs", "configs"}, {"secrets", "secrets"}};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		const json_t *members = json_object_get(body, lists[i][0]);
		json_t *list = json_array();
		size_t n;
		const char **keys = json_sorted_keys(members, &n);
		for (size_t k = 0; k < n; k++) {
			const json_t *m = json_object_get(members, keys[k]);
			if (i == 0)
				json_array_append_new(list, port(keys[k], json_string_value(m)));
			else if (i == 1 && is_mount_of_a_spec(m))
				json_array_append_new(list, mount(keys[k], m));
			else if (i > 1)
				json_array_append_new(list, file(keys[k], m));
		}
		free(keys);
		put(out, lists[i][1], json_array_size(list) ? json_incref(list) : NULL);
		json_decref(list);
	}
}

static void compose_networks(const json_t *body, json_t *out)
{
	const json_t *networks = json_object_get(body, "networks");
	json_t *names = sorted_names(networks), *map = json_object(), *name;
	bool plain = true;
	size_t i;

	json_array_foreach (names, i, name) {
		const json_t *n = json_object_get(networks, json_string_value(name));
		json_t *attachment = json_object();
		if (json_object_size(json_object_get(n, "aliases")))
			json_set(attachment, "aliases", sorted_names(json_object_get(n, "aliases")));
		if (json_object_get(n, "driver_opts"))
			json_set(attachment, "driver_opts", sorted_map(json_object_get(n, "driver_opts")));
		plain &= json_object_size(attachment) == 0;
		json_set(map, json_string_value(name), attachment);
	}
	if (i > 0)
		json_set(out, "networks", json_incref(plain ? names : map));
	json_decref(names);
	json_decref(map);
}

/* As people write it: what it is, how it starts, what it uses, how it is deployed. The rest stands before `deploy`. */
static json_t *in_order(json_t *stolen)
{
	static const char *const first[] = {"image",       "entrypoint",  "command", "user",
					    "working_dir", "environment", "volumes", "configs",
					    "secrets",     "networks",    "ports",   "healthcheck"};
	json_t *out = json_object(), *value;
	const char *key;

	for (size_t i = 0; i < ARRAY_SIZE(first); i++)
		if (json_object_get(stolen, first[i]))
			json_object_set(out, first[i], json_object_get(stolen, first[i]));
	json_object_foreach (stolen, key, value)
		if (!json_object_get(out, key) && strcmp(key, "deploy") != 0)
			json_object_set(out, key, value);
	if (json_object_get(stolen, "deploy"))
		json_object_set(out, "deploy", json_object_get(stolen, "deploy"));
	json_decref(stolen);
	return out;
}

json_t *service_compose(const json_t *service, const struct snapshot *snap)
{
	_cleanup_json_ json_t *names = network_names(snap);
	_cleanup_json_ json_t *body = body_read(json_object_get(service, "Spec"), names);
	json_t *out = json_object();

	body_settle(body, NULL);
	compose_image(body, out);
	compose_mode(body, out);
	compose_rows(body, out);
	compose_health(body, out);
	compose_placement(body, out);
	compose_maps(body, out);
	compose_lists(body, out);
	compose_networks(body, out);
	return in_order(out);
}
