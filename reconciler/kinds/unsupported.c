#include "kinds/kinds.h"
#include "kinds/util.h"

/*
 * Sections whose kind this version cannot observe or apply: they are decoded,
 * so that the plan shows each as one blocked change and what requires it waits.
 */

static const struct field mount_fields[] = {
	{"options", 0, NULL},
	{"path", 0, NULL},
	{"source", 0, NULL},
};

static const struct field model_fields[] = {
	{"store", 0, NULL},
};

static void needs_nothing(const struct spec *spec, struct wants *w)
{
	(void)spec, (void)w;
}

static void decode_mount(struct decode *d, const struct snode *nfs, const struct snode *node)
{
	const struct snode *mount = snode_get(nfs, "mount"), *options = snode_get(mount, "options");
	_cleanup_free_ char *name = xasprintf("%s@%s", nfs->key, snode_scalar(node));
	struct resource *r = resource_add(d->out, "mount", name);

	r->mark = node->mark;
	r->node = arena_strdup(resource_set_arena(d->out), snode_scalar(node));
	resource_set_field(d->out, r, "path", json_string(snode_str(mount, "path")), snode_get(mount, "path")->mark);
	struct mark source = snode_get(nfs, "path")->mark;
	source.hidden |= snode_get(nfs, "server")->mark.hidden;
	resource_set_field(d->out, r, "source", json_sprintf("%s:%s", snode_str(nfs, "server"), snode_str(nfs, "path")),
			   source);
	if (snode_count(options) > 0)
		resource_set_field(d->out, r, "options", snode_json(options), options->mark);
	resource_block(d->out, r, "mounting NFS on node '%s' is not supported by this version", r->node);
	after_refs(d, r, mount);
}

static int decode_mounts(struct decode *d, struct err *err)
{
	const struct snode *nfs = snode_get(spec_root(d->spec), "nfs");

	(void)err;
	for (size_t i = 0; i < snode_count(nfs); i++) {
		const struct snode *nodes = snode_path(nfs->items[i], "mount.nodes");
		for (size_t k = 0; k < snode_count(nodes); k++)
			decode_mount(d, nfs->items[i], nodes->items[k]);
	}
	return 0;
}

static int decode_models(struct decode *d, struct err *err)
{
	const struct snode *models = snode_get(spec_root(d->spec), "models"), *present = snode_get(models, "present");

	(void)err;
	for (size_t i = 0; i < snode_count(present); i++) {
		struct resource *r = resource_add(d->out, "model", snode_scalar(present->items[i]));
		r->mark = present->items[i]->mark;
		resource_set_field(d->out, r, "store", json_string(snode_str(models, "store")),
				   snode_get(models, "store")->mark);
		resource_block(d->out, r, "pulling models into a store is not supported by this version");
		after_refs(d, r, models);
	}
	return 0;
}

static int observe_mounts(struct observe *o, struct err *err)
{
	(void)err;
	observe_unknown(o, "mount", "mounts are not looked at by this version");
	return 0;
}

static int observe_models(struct observe *o, struct err *err)
{
	(void)err;
	observe_unknown(o, "model", "models are not looked at by this version");
	return 0;
}

/* The plan blocks every change of these kinds; the hook is there for who calls it all the same. */
static int refuse(struct apply *a, const struct change *c, struct err *err)
{
	(void)a;
	return err_set(err, ERR_UNSUPPORTED, "%s: not supported by this version", c->key);
}

static const char *const mount_after[] = {"export", NULL};
static const char *const model_after[] = {"directory", "export", "mount", NULL};

const struct kind kind_mount = {
	.name = "mount",
	.after = mount_after,
	.fields = mount_fields,
	.n_fields = ARRAY_SIZE(mount_fields),
	.needs = needs_nothing,
	.decode = decode_mounts,
	.observe = observe_mounts,
	.apply = refuse,
};

const struct kind kind_model = {
	.name = "model",
	.after = model_after,
	.fields = model_fields,
	.n_fields = ARRAY_SIZE(model_fields),
	.needs = needs_nothing,
	.decode = decode_models,
	.observe = observe_models,
	.apply = refuse,
};
