#include "kinds/service/service.h"

#include "kinds/kinds.h"
#include "kinds/service/handover.h"
#include "kinds/util.h"

#include <string.h>

json_t *services_by_name(const struct snapshot *snap)
{
	json_t *out = json_object(), *service;
	size_t i;

	json_array_foreach (snapshot_get(snap, "engine/services", NULL), i, service) {
		const char *name = json_str(json_object_get(service, "Spec"), "Name");
		if (name)
			json_object_set(out, name, service);
	}
	return out;
}

static void needs(const struct spec *spec, struct wants *w)
{
	(void)spec;
	want_engine(w, "networks");
	want_swarm_list(w, "services");
}

/* Observing */

static void observe_service(struct observe *o, struct resource *r, const json_t *service, const json_t *networks,
			    const struct resource *want)
{
	const json_t *spec = json_object_get(service, "Spec");

	r->presence = PRESENT;
	r->id = arena_strdup(resource_set_arena(o->out), json_str(service, "ID"));
	r->version = (uint64_t)json_int(json_object_get(service, "Version"), "Index", 0);
	r->owned = labels_owned(json_object_get(spec, "Labels"), o->cluster);
	json_decref(r->body);
	r->body = body_read(spec, networks);
	body_settle(r->body, want ? want->body : NULL);
	service_trouble(o, r, service, want);
}

static int observe(struct observe *o, struct err *err)
{
	const char *why;
	const json_t *services = swarm_list(o->snap, "engine/services", &why);
	_cleanup_json_ json_t *networks = network_names(o->snap), *by_name = services_by_name(o->snap);
	const char *name;
	json_t *service;
	(void)err;

	if (!services) {
		observe_unknown(o, "service", why);
		return 0;
	}
	json_object_foreach (by_name, name, service) {
		const json_t *labels = json_path(service, "Spec.Labels");
		if (!resource_find(o->want, "service", name) && labels_owned(labels, o->cluster))
			observe_service(o, observe_extra(o, "service", name, json_str(service, "ID")), service,
					networks, NULL);
	}
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		if (strcmp(want->kind, "service") != 0)
			continue;
		struct resource *r = observe_add(o, want);
		const json_t *found = json_object_get(by_name, want->name);
		if (found)
			observe_service(o, r, found, networks, want);
	}
	return 0;
}

/*
 * What restarts tasks: any difference of TaskSpec or Endpoint (swarmkit,
 * manager/orchestrator/task.go, IsTaskDirty), with one exception: when only
 * Placement differs, tasks stay where their node still fits.
 * A dotted row names the unit of a member.
 */
#define TASK FIELD_RESTARTS

static const struct field fields[] = {
	{"cap_add", TASK, NULL},
	{"cap_drop", TASK, NULL},
	{"command", TASK, NULL},
	{"configs", TASK, NULL},
	{"constraints", FIELD_EVICTS, NULL},
	{"container_labels", TASK, NULL},
	{"credential_spec", TASK | FIELD_IF_SET, NULL}, /* of stacks only */
	{"dns", TASK, NULL},
	{"dns_options", TASK, NULL},
	{"dns_search", TASK, NULL},
	{"endpoint_mode", TASK, NULL},
	{"entrypoint", TASK, NULL},
	{"env", TASK, NULL},
	{"generic_resources", TASK, NULL},
	{"groups", TASK, NULL},
	{"healthcheck", TASK, NULL},
	{"healthcheck.interval", TASK, "ns"},
	{"healthcheck.start_interval", TASK, "ns"},
	{"healthcheck.start_period", TASK, "ns"},
	{"healthcheck.timeout", TASK, "ns"},
	{"hostname", TASK, NULL},
	{"hosts", TASK, NULL},
	{"image", TASK, NULL},
	{"image_digest", TASK | FIELD_IF_SET, NULL},
	{"init", TASK, NULL},
	{"isolation", TASK, NULL},
	{"labels", 0, NULL},
	{"limits", TASK, NULL},
	{"limits.cpus", TASK, "nanocpus"},
	{"limits.memory", TASK, "bytes"},
	{"log_driver", TASK, NULL},
	{"log_options", TASK, NULL},
	{"max_concurrent", 0, NULL},
	{"max_replicas", 0, NULL},
	{"mode", FIELD_REPLACES, NULL},
	{"mounts", TASK, NULL},
	{"networks", TASK, NULL},
	{"oom_score_adj", TASK, NULL},
	{"ports", TASK, NULL},
	{"preferences", 0, NULL},
	{"read_only", TASK, NULL},
	{"replicas", 0, NULL},
	{"reservations", TASK, NULL},
	{"reservations.cpus", TASK, "nanocpus"},
	{"reservations.memory", TASK, "bytes"},
	{"restart_policy", TASK, NULL},
	{"restart_policy.delay", TASK, "ns"},
	{"restart_policy.window", TASK, "ns"},
	{"rollback_config", 0, NULL},
	{"rollback_config.delay", 0, "ns"},
	{"rollback_config.monitor", 0, "ns"},
	{"secrets", TASK, NULL},
	{"stdin_open", TASK, NULL},
	{"stop_grace_period", TASK, "ns"},
	{"stop_signal", TASK, NULL},
	{"sysctls", TASK, NULL},
	{"tty", TASK, NULL},
	{"ulimits", TASK, NULL},
	{"update_config", 0, NULL},
	{"update_config.delay", 0, "ns"},
	{"update_config.monitor", 0, "ns"},
	{"user", TASK, NULL},
	{"working_dir", TASK, NULL},
};

static const char *const after[] = {"engine", "swarm",     "node",   "network", "volume", "config",
				    "secret", "directory", "export", "mount",   "model",  NULL};

const struct kind kind_service = {
	.name = "service",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.runs = "tasks",
	.prunes = true,
	.adopts = true,
	.needs = needs,
	.fetch = service_fetch,
	.decode = service_decode,
	.observe = observe,
	.explain = service_explain,
	.apply = service_apply,
	.patience_ms = service_patience_ms,
	.gate = handover_gate,
};
