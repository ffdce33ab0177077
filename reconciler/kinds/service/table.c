#include "kinds/service/service.h"

#include <string.h>

#define SECOND 1000000000LL

#define TASK "TaskTemplate."
#define CONTAINER TASK "ContainerSpec."

/*
 * The defaults are swarmkit's (api/defaults/service.go, and what its code takes
 * for an unset value) and the engine's own (daemon/cluster/convert). The
 * engine's lists leave unset values out, so this table is what makes an unset
 * and an explicit default the same. API 1.41 to 1.51 have the same defaults.
 */
const struct row service_rows[] = {
	{"cap_add", NULL, "cap_add", CONTAINER "CapabilityAdd", .type = ROW_SET, .canon = capability_canonical},
	{"cap_drop", NULL, "cap_drop", CONTAINER "CapabilityDrop", .type = ROW_SET, .canon = capability_canonical},
	{"command", NULL, "command", CONTAINER "Args", .type = ROW_ARGV},
	{"constraints", NULL, "deploy.placement.constraints", TASK "Placement.Constraints", .type = ROW_SET,
	 .canon = constraint_canonical},
	{"container_labels", NULL, "labels", CONTAINER "Labels", .type = ROW_MAP},
	{"credential_spec", "file", "credential_spec.file", CONTAINER "Privileges.CredentialSpec.File",
	 .type = ROW_STRING},
	{"credential_spec", "registry", "credential_spec.registry", CONTAINER "Privileges.CredentialSpec.Registry",
	 .type = ROW_STRING},
	{"dns", NULL, "dns", CONTAINER "DNSConfig.Nameservers", .type = ROW_LIST},
	{"dns_options", NULL, "dns_opt", CONTAINER "DNSConfig.Options", .type = ROW_LIST},
	{"dns_search", NULL, "dns_search", CONTAINER "DNSConfig.Search", .type = ROW_LIST},
	{"endpoint_mode", NULL, "deploy.endpoint_mode", "EndpointSpec.Mode", .type = ROW_STRING, .def_text = "vip"},
	{"entrypoint", NULL, "entrypoint", CONTAINER "Command", .type = ROW_ARGV},
	{"groups", NULL, "group_add", CONTAINER "Groups", .type = ROW_SET},
	{"healthcheck", "interval", "healthcheck.interval", CONTAINER "Healthcheck.Interval", .type = ROW_INT},
	{"healthcheck", "retries", "healthcheck.retries", CONTAINER "Healthcheck.Retries", .type = ROW_INT},
	{"healthcheck", "start_interval", "healthcheck.start_interval", CONTAINER "Healthcheck.StartInterval",
	 .type = ROW_INT, .api_minor = 44},
	{"healthcheck", "start_period", "healthcheck.start_period", CONTAINER "Healthcheck.StartPeriod",
	 .type = ROW_INT},
	{"healthcheck", "test", NULL, CONTAINER "Healthcheck.Test", .type = ROW_LIST},
	{"healthcheck", "timeout", "healthcheck.timeout", CONTAINER "Healthcheck.Timeout", .type = ROW_INT},
	{"hostname", NULL, "hostname", CONTAINER "Hostname", .type = ROW_STRING},
	{"init", NULL, "init", CONTAINER "Init", .type = ROW_TRISTATE},
	{"isolation", NULL, "isolation", CONTAINER "Isolation", .type = ROW_STRING, .def_text = "default"},
	{"labels", NULL, NULL, "Labels", .type = ROW_MAP},
	{"limits", "cpus", "deploy.resources.limits.cpus", TASK "Resources.Limits.NanoCPUs", .type = ROW_INT},
	{"limits", "memory", "deploy.resources.limits.memory", TASK "Resources.Limits.MemoryBytes", .type = ROW_INT},
	{"limits", "pids", "deploy.resources.limits.pids", TASK "Resources.Limits.Pids", .type = ROW_INT},
	{"log_driver", NULL, "logging.driver", TASK "LogDriver.Name", .type = ROW_STRING},
	{"log_options", NULL, "logging.options", TASK "LogDriver.Options", .type = ROW_MAP},
	{"max_replicas", NULL, "deploy.placement.max_replicas_per_node", TASK "Placement.MaxReplicas", .type = ROW_INT},
	{"oom_score_adj", NULL, "oom_score_adj", CONTAINER "OomScoreAdj", .type = ROW_INT, .api_minor = 46},
	{"read_only", NULL, "read_only", CONTAINER "ReadOnly", .type = ROW_BOOL},
	{"reservations", "cpus", "deploy.resources.reservations.cpus", TASK "Resources.Reservations.NanoCPUs",
	 .type = ROW_INT},
	{"reservations", "memory", "deploy.resources.reservations.memory", TASK "Resources.Reservations.MemoryBytes",
	 .type = ROW_INT},
	{"restart_policy", "condition", "deploy.restart_policy.condition", TASK "RestartPolicy.Condition",
	 .type = ROW_STRING, .def_text = "any"},
	{"restart_policy", "delay", "deploy.restart_policy.delay", TASK "RestartPolicy.Delay", .type = ROW_INT,
	 .def = 5 * SECOND},
	{"restart_policy", "max_attempts", "deploy.restart_policy.max_attempts", TASK "RestartPolicy.MaxAttempts",
	 .type = ROW_INT},
	{"restart_policy", "window", "deploy.restart_policy.window", TASK "RestartPolicy.Window", .type = ROW_INT},
	{"stdin_open", NULL, "stdin_open", CONTAINER "OpenStdin", .type = ROW_BOOL},
	{"stop_grace_period", NULL, "stop_grace_period", CONTAINER "StopGracePeriod", .type = ROW_INT,
	 .def = 10 * SECOND},
	{"stop_signal", NULL, "stop_signal", CONTAINER "StopSignal", .type = ROW_STRING},
	{"sysctls", NULL, "sysctls", CONTAINER "Sysctls", .type = ROW_MAP},
	{"tty", NULL, "tty", CONTAINER "TTY", .type = ROW_BOOL},
	{"user", NULL, "user", CONTAINER "User", .type = ROW_STRING},
	{"working_dir", NULL, "working_dir", CONTAINER "Dir", .type = ROW_STRING},
#define UPDATE_CONFIG(field, engine) \
	{field, "delay", "deploy." field ".delay", engine ".Delay", .type = ROW_INT}, \
		{field, \
		 "failure_action", \
		 "deploy." field ".failure_action", \
		 engine ".FailureAction", \
		 .type = ROW_STRING, \
		 .def_text = "pause"}, \
		{field, "max_failure_ratio", "deploy." field ".max_failure_ratio", engine ".MaxFailureRatio", \
		 .type = ROW_RATIO}, \
		{field, "monitor", "deploy." field ".monitor", engine ".Monitor", .type = ROW_INT, .def = 5 * SECOND}, \
		{field, \
		 "order", \
		 "deploy." field ".order", \
		 engine ".Order", \
		 .type = ROW_STRING, \
		 .def_text = "stop-first"}, \
	{ \
		field, "parallelism", "deploy." field ".parallelism", engine ".Parallelism", .type = ROW_INT, .def = 1 \
	}
	UPDATE_CONFIG("update_config", "UpdateConfig"),
	UPDATE_CONFIG("rollback_config", "RollbackConfig"),
};
const size_t service_n_rows = ARRAY_SIZE(service_rows);

json_t *row_default(const struct row *row)
{
	switch (row->type) {
	case ROW_STRING:
		return json_string(row->def_text ? row->def_text : "");
	case ROW_INT:
		return json_integer(row->def);
	case ROW_BOOL:
		return json_false();
	case ROW_RATIO:
		return json_string("0");
	default:
		return NULL;
	}
}

json_t *row_value(const json_t *body, const struct row *row)
{
	json_t *v = json_object_get(body, row->field);
	return row->member ? json_object_get(v, row->member) : v;
}

void row_set(json_t *body, const struct row *row, json_t *stolen)
{
	if (!stolen)
		return;
	if (row->member)
		json_set(object_at(body, row->field), row->member, stolen);
	else
		json_set(body, row->field, stolen);
}

static bool is_empty(const json_t *v)
{
	return json_is_null(v) || (json_is_object(v) && json_object_size(v) == 0) ||
	       (json_is_array(v) && json_array_size(v) == 0);
}

static void row_unset(json_t *body, const struct row *row)
{
	if (row->member)
		json_object_del(json_object_get(body, row->field), row->member);
	else
		json_object_del(body, row->field);
}

/* A monitor of 0 is "not set" (daemon/cluster/convert, updateConfigToGRPC). */
static bool means_default(const struct row *row, const json_t *v)
{
	_cleanup_json_ json_t *def = row_default(row);
	bool zero_is_unset = row->member && strcmp(row->member, "monitor") == 0;

	return (def && json_same(v, def)) || (zero_is_unset && json_is_integer(v) && json_integer_value(v) == 0) ||
	       (row->type == ROW_STRING && json_string_length(v) == 0) || (!def && is_empty(v));
}

void body_finish(json_t *body)
{
	const char *field;
	json_t *value;
	void *tmp;

	for (size_t i = 0; i < service_n_rows; i++) {
		const json_t *v = row_value(body, &service_rows[i]);
		if (v && means_default(&service_rows[i], v))
			row_unset(body, &service_rows[i]);
	}
	caps_effective(body);
	json_object_foreach_safe(body, tmp, field, value) if (is_empty(value)) json_object_del(body, field);
}

/* As text, in six digits: what of a float32 survives the way through the engine. */
json_t *ratio_canonical(double ratio)
{
	return json_sprintf("%.6g", ratio);
}

/* Objects by path */

json_t *object_at(json_t *obj, const char *path)
{
	while (*path) {
		size_t n = strcspn(path, ".");
		_cleanup_free_ char *key = xasprintf("%.*s", (int)n, path);
		json_t *next = json_object_get(obj, key);
		if (!json_is_object(next)) {
			next = json_object();
			json_set(obj, key, next);
		}
		obj = next;
		path += n + (path[n] == '.');
	}
	return obj;
}

void path_set(json_t *obj, const char *path, json_t *stolen)
{
	const char *dot = strrchr(path, '.');
	const char *leaf = dot ? dot + 1 : path;
	_cleanup_free_ char *parent = dot ? xasprintf("%.*s", (int)(dot - path), path) : xstrdup("");

	if (stolen)
		json_set(object_at(obj, parent), leaf, stolen);
	else
		json_object_del(json_path(obj, parent), leaf);
}
