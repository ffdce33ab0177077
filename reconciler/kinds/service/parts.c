/* The engine's lists whose elements need more than a row of table.c, in both directions. */
#include "kinds/service/service.h"

#include <string.h>

static json_t *copy_or_new(const json_t *old)
{
	return old ? json_deep_copy(old) : json_object();
}

static void set_or_unset(json_t *obj, const char *key, json_t *stolen)
{
	if (stolen)
		json_set(obj, key, stolen);
	else
		json_object_del(obj, key);
}

static void drop_false(json_t *obj, const char *key)
{
	if (!json_is_true(json_object_get(obj, key)))
		json_object_del(obj, key);
}

static void drop_zero(json_t *obj, const char *key)
{
	if (json_int(obj, key, 0) == 0)
		json_object_del(obj, key);
}

static void drop_text(json_t *obj, const char *key, const char *def)
{
	const char *text = json_str(obj, key);
	if (!text || !*text || str_eq(text, def))
		json_object_del(obj, key);
}

static void drop_empty(json_t *obj, const char *key)
{
	if (json_object_size(json_object_get(obj, key)) == 0)
		json_object_del(obj, key);
}

/* Environment: "NAME=value"; "NAME" alone takes the variable of the image away: null. */

static json_t *read_env(const struct part_context *p, const json_t *element, struct str *key)
{
	const char *text = json_string_value(element);
	(void)p;
	if (!text)
		return NULL;
	str_add(key, text, strcspn(text, "="));
	const char *eq = strchr(text, '=');
	return eq ? json_string(eq + 1) : json_null();
}

static json_t *make_env(const struct part_context *p, const char *key, const json_t *value, const json_t *old)
{
	(void)p;
	(void)old;
	return json_is_string(value) ? json_sprintf("%s=%s", key, json_string_value(value)) : json_string(key);
}

/* Hosts: "IP NAME"; what comes after the first name the engine ignores (executor, hostConfig). */

static json_t *read_host(const struct part_context *p, const json_t *element, struct str *key)
{
	const char *text = json_string_value(element);
	size_t ip = text ? strcspn(text, " \t") : 0;
	(void)p;
	if (!text || text[ip] == '\0')
		return NULL;
	const char *name = text + ip + strspn(text + ip, " \t");
	str_add(key, name, strcspn(name, " \t"));
	str_addf(key, "=%.*s", (int)ip, text);
	return json_true();
}

static json_t *make_host(const struct part_context *p, const char *key, const json_t *value, const json_t *old)
{
	size_t name = strcspn(key, "=");
	(void)p;
	(void)value;
	(void)old;
	return json_sprintf("%s %.*s", key + name + 1, (int)name, key);
}

/* Ulimits */

static json_t *read_ulimit(const struct part_context *p, const json_t *element, struct str *key)
{
	(void)p;
	if (!json_str(element, "Name"))
		return NULL;
	str_adds(key, json_str(element, "Name"));
	json_t *out = json_object();
	json_set_int(out, "soft", json_int(element, "Soft", 0));
	json_set_int(out, "hard", json_int(element, "Hard", 0));
	return out;
}

static json_t *make_ulimit(const struct part_context *p, const char *key, const json_t *value, const json_t *old)
{
	json_t *out = json_object();
	(void)p;
	(void)old;
	json_set_str(out, "Name", key);
	json_set_int(out, "Soft", json_int(value, "soft", 0));
	json_set_int(out, "Hard", json_int(value, "hard", 0));
	return out;
}

/* Generic resources: only counted ones can be asked for. */

static json_t *read_generic(const struct part_context *p, const json_t *element, struct str *key)
{
	const json_t *spec = json_object_get(element, "DiscreteResourceSpec");
	(void)p;
	if (!json_str(spec, "Kind"))
		return NULL;
	str_adds(key, json_str(spec, "Kind"));
	return json_integer(json_int(spec, "Value", 0));
}

static json_t *make_generic(const struct part_context *p, const char *key, const json_t *value, const json_t *old)
{
	json_t *out = json_object();
	(void)p;
	(void)old;
	json_set_str(object_at(out, "DiscreteResourceSpec"), "Kind", key);
	json_set_int(object_at(out, "DiscreteResourceSpec"), "Value", json_integer_value(value));
	return out;
}

/* Ports: "8080:80/tcp" -> "ingress"; "80/tcp" when Swarm chooses the published one. */

static json_t *read_port(const struct part_context *p, const json_t *element, struct str *key)
{
	const char *protocol = json_str(element, "Protocol"), *mode = json_str(element, "PublishMode");
	int64_t published = json_int(element, "PublishedPort", 0);
	(void)p;

	if (published)
		str_addf(key, "%lld:", (long long)published);
	str_addf(key, "%lld/%s", (long long)json_int(element, "TargetPort", 0), protocol ? protocol : "tcp");
	return json_string(mode ? mode : "ingress");
}

static json_t *make_port(const struct part_context *p, const char *key, const json_t *value, const json_t *old)
{
	json_t *out = copy_or_new(old);
	const char *colon = strchr(key, ':'), *target = colon ? colon + 1 : key;
	(void)p;

	json_set_str(out, "Protocol", strchr(target, '/') + 1);
	json_set_int(out, "TargetPort", strtoll(target, NULL, 10));
	if (colon)
		json_set_int(out, "PublishedPort", strtoll(key, NULL, 10));
	json_set_str(out, "PublishMode", json_string_value(value));
	return out;
}

/* Configs and secrets: by the absolute path in the container. */

#define FILE_MODE "0444"

/* Permissions are octal text in the body, as people write them, and a number in the engine. */
json_t *mode_text(int64_t mode)
{
	return json_sprintf("%04llo", (long long)mode);
}

static json_t *mode_number(const char *text)
{
	return text ? json_integer(strtoll(text, NULL, 8)) : NULL;
}

json_t *file_finish(json_t *file)
{
	drop_text(file, "uid", "0");
	drop_text(file, "gid", "0");
	drop_text(file, "mode", FILE_MODE);
	return file;
}

static json_t *read_file(const json_t *element, const char *name_key, const char *dir, struct str *key)
{
	const json_t *file = json_object_get(element, "File");
	const char *name = json_str(element, name_key), *target = json_str(file, "Name");

	if (!name || !target)
		return NULL;
	file_target(dir, target, key);
	json_t *out = json_object();
	json_set_str(out, "source", name);
	json_set_str(out, "uid", json_str(file, "UID"));
	json_set_str(out, "gid", json_str(file, "GID"));
	json_set(out, "mode", mode_text(json_int(file, "Mode", 0)));
	return file_finish(out);
}

static json_t *make_file(const struct part_context *p, const char *kind, const char *key, const json_t *value)
{
	const char *source = json_str(value, "source"), *uid = json_str(value, "uid"), *gid = json_str(value, "gid");
	const char *mode = json_str(value, "mode");
	_cleanup_free_ char *id_key = xasprintf("%s/%s", kind, source);
	json_t *out = json_object(), *file = object_at(out, "File");
	bool is_config = strcmp(kind, "config") == 0;

	json_set_str(file, "Name", key);
	json_set_str(file, "UID", uid ? uid : "0");
	json_set_str(file, "GID", gid ? gid : "0");
	json_set(file, "Mode", mode_number(mode ? mode : FILE_MODE));
	json_set_str(out, is_config ? "ConfigName" : "SecretName", source);
	json_set_str(out, is_config ? "ConfigID" : "SecretID", json_str(p->ids, id_key));
	return out;
}

static json_t *read_config(const struct part_context *p, const json_t *element, struct str *key)
{
	(void)p;
	return read_file(element, "ConfigName", "", key);
}

static json_t *make_config(const struct part_context *p, const char *key, const json_t *value, const json_t *old)
{
	(void)old;
	return make_file(p, "config", key, value);
}

static json_t *read_secret(const struct part_context *p, const json_t *element, struct str *key)
{
	(void)p;
	return read_file(element, "SecretName", "/run/secrets", key);
}

static json_t *make_secret(const struct part_context *p, const char *key, const json_t *value, const json_t *old)
{
	(void)old;
	return make_file(p, "secret", key, value);
}

/* Networks: by name. The service's own name is an alias everywhere already, so it says nothing. */

static json_t *read_network(const struct part_context *p, const json_t *element, struct str *key)
{
	const char *target = json_str(element, "Target");
	const char *name = target ? json_str(p->networks, target) : NULL;
	json_t *alias;
	size_t i;

	if (!target)
		return NULL;
	str_adds(key, name ? name : target);
	json_t *out = json_object();
	json_array_foreach (json_object_get(element, "Aliases"), i, alias)
		if (json_is_string(alias) && !str_eq(json_string_value(alias), p->service))
			json_set_bool(object_at(out, "aliases"), json_string_value(alias), true);
	json_object_set(out, "driver_opts", json_object_get(element, "DriverOpts"));
	drop_empty(out, "driver_opts");
	return out;
}

static json_t *make_network(const struct part_context *p, const char *key, const json_t *value, const json_t *old)
{
	json_t *out = copy_or_new(old);
	const json_t *aliases = json_object_get(value, "aliases");
	json_t *list = json_array();
	size_t n;
	const char **names = json_sorted_keys(aliases, &n);
	(void)p;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list, json_string(names[i]));
	free(names);
	if (!old)
		json_set_str(out, "Target", key); /* the engine turns a name into the id */
	json_set(out, "Aliases", list);
	json_t *options = json_object_get(value, "driver_opts");
	set_or_unset(out, "DriverOpts", options ? json_deep_copy(options) : NULL);
	return out;
}

/* Mounts: by target. */

json_t *mount_finish(json_t *mount)
{
	drop_text(mount, "source", NULL);
	drop_text(mount, "propagation", "rprivate");
	drop_text(mount, "subpath", NULL);
	drop_text(mount, "driver", "local");
	drop_false(mount, "read_only");
	drop_false(mount, "non_recursive");
	drop_false(mount, "no_copy");
	drop_zero(mount, "size");
	drop_text(mount, "mode", "0000");
	drop_empty(mount, "driver_opts");
	drop_empty(mount, "labels");
	return mount;
}

static const struct {
	const char *member, *engine;
} mount_members[] = {
	{"type", "Type"},
	{"source", "Source"},
	{"read_only", "ReadOnly"},
	{"propagation", "BindOptions.Propagation"},
	{"non_recursive", "BindOptions.NonRecursive"},
	{"no_copy", "VolumeOptions.NoCopy"},
	{"labels", "VolumeOptions.Labels"},
	{"subpath", "VolumeOptions.Subpath"},
	{"driver", "VolumeOptions.DriverConfig.Name"},
	{"driver_opts", "VolumeOptions.DriverConfig.Options"},
	{"size", "TmpfsOptions.SizeBytes"},
};
#define TMPFS_MODE "TmpfsOptions.Mode"

static json_t *read_mount(const struct part_context *p, const json_t *element, struct str *key)
{
	const char *target = json_str(element, "Target");
	(void)p;
	if (!target)
		return NULL;
	mount_target(target, key);
	json_t *out = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(mount_members); i++) {
		json_t *v = json_path(element, mount_members[i].engine);
		if (v)
			json_set(out, mount_members[i].member, json_deep_copy(v));
	}
	json_set(out, "mode", mode_text(json_integer_value(json_path(element, TMPFS_MODE))));
	return mount_finish(out);
}

static json_t *make_mount(const struct part_context *p, const char *key, const json_t *value, const json_t *old)
{
	bool same_type = str_eq(json_str(old, "Type"), json_str(value, "type"));
	json_t *out = copy_or_new(same_type ? old : NULL);
	(void)p;

	json_set_str(out, "Target", key);
	for (size_t i = 0; i < ARRAY_SIZE(mount_members); i++) {
		json_t *v = json_object_get(value, mount_members[i].member);
		path_set(out, mount_members[i].engine, v ? json_deep_copy(v) : NULL);
	}
	path_set(out, TMPFS_MODE, mode_number(json_str(value, "mode")));
	return out;
}

#define CONTAINER "TaskTemplate.ContainerSpec."

const struct part service_parts[] = {
	{"configs", CONTAINER "Configs", read_config, make_config},
	{"env", CONTAINER "Env", read_env, make_env},
	{"generic_resources", "TaskTemplate.Resources.Reservations.GenericResources", read_generic, make_generic},
	{"hosts", CONTAINER "Hosts", read_host, make_host},
	{"mounts", CONTAINER "Mounts", read_mount, make_mount},
	{"networks", "TaskTemplate.Networks", read_network, make_network},
	{"ports", "EndpointSpec.Ports", read_port, make_port},
	{"secrets", CONTAINER "Secrets", read_secret, make_secret},
	{"ulimits", CONTAINER "Ulimits", read_ulimit, make_ulimit},
};
const size_t service_n_parts = ARRAY_SIZE(service_parts);
