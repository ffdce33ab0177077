#include "kinds/content.h"
#include "kinds/kinds.h"

static const struct field fields[] = {
	{"labels", 0, NULL},
	{"name", 0, NULL},            /* with the hash of the content in it */
	{"template_driver", 0, NULL}, /* part of what is hashed */
};

static const char *const after[] = {"swarm", NULL};

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
	.hash = hash,
};

static void needs(const struct spec *spec, struct wants *w)
{
	(void)spec; /* also without configs in the spec: owned ones are pruned */
	content_needs(&config, w);
}

static int decode(struct decode *d, struct err *err)
{
	return content_decode(&config, d, err);
}

static int observe(struct observe *o, struct err *err)
{
	return content_observe(&config, o, err);
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	return content_apply(&config, a, c, err);
}

const struct kind kind_config = {
	.name = "config",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.prunes = true,
	.adopts = true,
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.apply = apply,
};
