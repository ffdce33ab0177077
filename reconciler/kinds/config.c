#include "kinds/content.h"

static const struct field config_fields[] = {
	{"labels", 0, NULL},
	{"name", 0, NULL},            /* with the hash of the content in it */
	{"template_driver", 0, NULL}, /* part of what is hashed */
};

static int hash(const struct snapshot *snap, const struct str *data, char hex[static HASH_HEX_SIZE], const char **why,
		struct err *err)
{
	(void)snap, (void)why;
	return hash_sha256_hex(data->data, data->len, hex, err);
}

static const struct content_kind config = {
	.kind = "config",
	.section = "configs",
	.doc = "engine/configs",
	.in_spec = "Configs",
	.id_key = "ConfigID",
	.limit = 1024000, /* swarmkit manager/controlapi/config.go: MaxConfigSize */
	.readable = true,
	.hash = hash,
};

CONTENT_KIND(config, NULL);
