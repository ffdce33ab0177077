#include "spec/fields.h"

#include "base/mem.h"

#include <string.h>

#define FIELDS(name, ...) static const char *const name[] = {__VA_ARGS__}

FIELDS(absent, "accept", "backends", "compose", "container", "keep", "quiet", "restart", "service", "services", "state",
       "stop_timeout", "unit");
FIELDS(config, "labels", "name", "template_driver");
FIELDS(container, "networks");
FIELDS(directory, "mode", "owner", "path");
FIELDS(engine, "daemon", "loaded");
FIELDS(export, "clients", "path");
FIELDS(model, "complete", "digest", "interrupted", "store");
FIELDS(mount, "fstab", "options", "path", "source", "unit");
FIELDS(network, "attachable", "driver", "enable_ipv6", "internal", "ipam_driver", "ipam_options", "labels", "name",
       "options", "subnets");
FIELDS(node, "address", "availability", "hostname", "labels", "role");
FIELDS(secret, "content", "labels", "name");
FIELDS(service, "cap_add", "cap_drop", "command", "configs", "constraints", "container_labels", "credential_spec",
       "dns", "dns_options", "dns_search", "endpoint_mode", "entrypoint", "env", "generic_resources", "groups",
       "healthcheck", "hostname", "hosts", "image", "image_digest", "init", "isolation", "labels", "limits",
       "log_driver", "log_options", "max_concurrent", "max_replicas", "mode", "mounts", "networks", "oom_score_adj",
       "ports", "preferences", "read_only", "replicas", "reservations", "restart_policy", "rollback_config", "secrets",
       "stdin_open", "stop_grace_period", "stop_signal", "sysctls", "tty", "ulimits", "update_config", "user",
       "working_dir");
FIELDS(traefik, "container_routes", "entrypoints", "interrupted", "loaded", "swarm_mode", "v2_keys");
FIELDS(volume, "driver", "labels", "name", "options");

static const struct {
	const char *kind;
	const char *const *fields;
	size_t n;
} kinds[] = {
#define ROW(kind) \
	{ \
#kind, kind, ARRAY_SIZE(kind) \
	}
	ROW(absent), ROW(config),  ROW(container), ROW(directory), ROW(engine),  ROW(export),  ROW(model),
	ROW(mount),  ROW(network), ROW(node),      ROW(secret),    ROW(service), ROW(traefik), ROW(volume),
};

const char *const *spec_kind_fields(const char *kind, size_t *n)
{
	*n = 0;
	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if (strcmp(kinds[i].kind, kind) != 0)
			continue;
		*n = kinds[i].n;
		return kinds[i].fields;
	}
	return NULL;
}
