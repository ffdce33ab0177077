#include "kinds/engine/daemon.h"

#include "kinds/node.h"
#include "kinds/util.h"

#include <string.h>

/* Sorted. */
static const char *const reloadable[] = {
	"authorization-plugins",  "debug",
	"default-runtime",        "features",
	"insecure-registries",    "labels",
	"live-restore",           "max-concurrent-downloads",
	"max-concurrent-uploads", "max-download-attempts",
	"registry-mirrors",       "runtimes",
	"shutdown-timeout",
};

static bool is_reloadable(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(reloadable); i++)
		if (strcmp(reloadable[i], key) == 0)
			return true;
	return false;
}

/* The file */

json_t *daemon_parse(const char *text, size_t len, struct arena *a, const char **why)
{
	struct err err = {0};
	json_t *j = NULL;

	if (strspn(text, " \t\r\n") == len)
		return json_object();
	if (json_parse(text, len, &j, &err) < 0)
		*why = arena_strdup(a, err.msg);
	else if (json_is_object(j))
		return j;
	else
		*why = "it is no JSON object";
	json_decref(j);
	return NULL;
}

json_t *daemon_pick(const json_t *file, const json_t *wanted)
{
	json_t *out = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)wanted, key, value) {
		json_t *live = json_object_get(file, key);
		if (!live)
			continue;
		json_set(out, key,
			 json_is_object(live) && json_is_object(value) ? daemon_pick(live, value) : json_incref(live));
	}
	return out;
}

json_t *daemon_overlay(const json_t *file, const json_t *wanted)
{
	json_t *out = json_deep_copy(file), *value;
	const char *key;

	json_object_foreach ((json_t *)wanted, key, value) {
		const json_t *live = json_object_get(file, key);
		json_set(out, key,
			 json_is_object(live) && json_is_object(value) ? daemon_overlay(live, value)
								       : json_deep_copy(value));
	}
	return out;
}

/* What /info tells */

static bool same_value(const json_t *live, const json_t *wanted)
{
	return json_same(live, wanted);
}

/* Lists in any order; a mirror's URL gets a slash at its end. */
static bool has_text(const json_t *list, const char *text)
{
	size_t i, n = strlen(text);
	const json_t *item;

	json_array_foreach ((json_t *)list, i, item) {
		const char *have = json_string_value(item);
		if (have && strncmp(have, text, n) == 0 && (!have[n] || strcmp(have + n, "/") == 0))
			return true;
	}
	return false;
}

static bool same_list(const json_t *live, const json_t *wanted)
{
	const json_t *item;
	size_t i;

	json_array_foreach ((json_t *)wanted, i, item)
		if (json_is_string(item) && !has_text(live, json_string_value(item)))
			return false;
	return json_array_size(live) == json_array_size(wanted);
}

/* RegistryConfig: 127.0.0.0/8 is always there. What is no plain host or network is not compared. */
static bool same_insecure(const json_t *live, const json_t *wanted)
{
	const json_t *nets = json_object_get(live, "InsecureRegistryCIDRs");
	const json_t *hosts = json_object_get(live, "IndexConfigs"), *item;
	size_t i;

	json_array_foreach ((json_t *)wanted, i, item) {
		const char *text = json_string_value(item);
		if (!text || strstr(text, "://") || has_text(nets, text))
			continue;
		if (!json_is_false(json_object_get(json_object_get(hosts, text), "Secure")))
			return false;
	}
	return true;
}

static const struct {
	const char *key, *info;
	bool (*same)(const json_t *live, const json_t *wanted);
} told[] = {
	{"debug", "Debug", same_value},
	{"default-runtime", "DefaultRuntime", same_value},
	{"experimental", "ExperimentalBuild", same_value},
	{"insecure-registries", "RegistryConfig", same_insecure},
	{"labels", "Labels", same_list},
	{"live-restore", "LiveRestoreEnabled", same_value},
	{"log-driver", "LoggingDriver", same_value},
	{"registry-mirrors", "RegistryConfig.Mirrors", same_list},
	{"storage-driver", "Driver", same_value},
};

static bool is_loaded(const json_t *info, const char *key, const json_t *wanted)
{
	for (size_t i = 0; i < ARRAY_SIZE(told); i++) {
		if (strcmp(told[i].key, key) != 0)
			continue;
		const json_t *live = json_path(info, told[i].info);
		return !live || told[i].same(live, wanted);
	}
	return true;
}

const char *daemon_not_loaded(const json_t *info, const json_t *wanted)
{
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)wanted, key, value)
		if (!is_loaded(info, key, value))
			return key;
	return NULL;
}

bool daemon_needs_restart(const json_t *file, const json_t *info, const json_t *wanted)
{
	_cleanup_json_ json_t *have = daemon_pick(file, wanted);
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)wanted, key, value)
		if (!is_reloadable(key) &&
		    (!json_same(json_object_get(have, key), value) || (info && !is_loaded(info, key, value))))
			return true;
	return false;
}

/* The probe */

static void see_dockerd(struct daemon_view *v, struct arena *a, const char *text)
{
	char *copy = arena_strdup(a, text);
	bool value_next = false;

	v->installed = true;
	for (char *save, *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (value_next && str_starts(line, "arg "))
			v->config_file = line + 4;
		value_next = strcmp(line, "arg --config-file") == 0;
		if (str_starts(line, "arg --config-file="))
			v->config_file = line + strlen("arg --config-file=");
		else if (str_starts(line, "pending "))
			v->pending = line + strlen("pending ");
		else if (str_starts(line, "pid "))
			v->running = true;
		else if (strcmp(line, "systemd") == 0)
			v->systemd = true;
	}
}

static bool see_file(struct daemon_view *v, const struct snapshot *snap, struct arena *a, const char *node,
		     const char **why)
{
	_cleanup_free_ char *doc = xasprintf("host/%s", node);
	const json_t *host = snapshot_get(snap, doc, why);
	const json_t *file = json_object_get(json_object_get(host, "files"), DAEMON_FILE);
	const char *error = json_str(file, "error"), *text = json_str(file, "content"), *wrong = "";

	if (!file || error) {
		if (host)
			*why = arena_printf(a, "%s on node '%s': %s", DAEMON_FILE, node,
					    error ? error : "the probe did not look at it");
		return false;
	}
	v->has_file = text != NULL;
	v->file = daemon_parse(text ? text : "", text ? strlen(text) : 0, a, &wrong);
	if (!v->file)
		*why = arena_printf(a, "%s on node '%s': %s: correct it there", DAEMON_FILE, node, wrong);
	return v->file != NULL;
}

bool daemon_view(const struct snapshot *snap, struct arena *a, const char *node, struct daemon_view *v,
		 const char **why)
{
	const json_t *dockerd = host_look(snap, a, node, "dockerd", DAEMON_MARK, why), *info;

	*v = (struct daemon_view){0};
	if (!dockerd)
		return false;
	if (json_is_string(dockerd))
		see_dockerd(v, a, json_string_value(dockerd));
	if (!see_file(v, snap, a, node, why))
		return false;
	info = node_info(snap, node, why);
	if (!info && v->running)
		return false;
	v->info = json_is_object(info) ? json_incref((json_t *)info) : NULL;
	return true;
}

void daemon_view_free(struct daemon_view *v)
{
	json_decref(v->file);
	json_decref(v->info);
}
