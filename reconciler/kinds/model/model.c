/*
 * model/<name>: a model of Ollama in the store that an `nfs:` section shares. Looked at as files on the server: the
 * manifest, and the sizes of the blobs that it names; hashing gigabytes at every pass would tell little more. Pulled by
 * one writer, one after another (pull.c); none is ever deleted.
 */
#include "kinds/model/model.h"

#include "kinds/container.h"
#include "kinds/kinds.h"
#include "kinds/model/name.h"
#include "kinds/node_engine.h"
#include "kinds/util.h"

#include <string.h>

static const struct field fields[] = {
	{"complete", 0, NULL},
	{"digest", FIELD_IF_SET, NULL},
	{"interrupted", 0, NULL}, /* live: the container of a pull that was cut off is still there */
	{"store", FIELD_CREATE_ONLY, NULL},
};

static const char *const after[] = {"engine", "directory", "export", "mount", NULL};

/* As long as a slow line may need for one model. */
#define PATIENCE_MS (INT64_C(6) * 3600 * 1000)

char *model_directory(const char *store_path)
{
	return xasprintf("%s%smodels", store_path, str_ends(store_path, "/") ? "" : "/");
}

char *model_look(const char *name, const char *directory)
{
	struct model_name n;
	struct str look = {0};

	if (model_name_parse(name, &n)) {
		model_name_manifests(&n, &look);
		model_name_free(&n);
	}
	str_adds(&look, directory);
	return str_steal(&look);
}

char *model_container(const char *cluster)
{
	return xasprintf("reconcile-model-%s", cluster);
}

/* The section of the store; NULL when the spec has no models. */
static const struct snode *store_of(const struct spec *spec, const struct snode **models)
{
	const struct snode *root = spec_root(spec);

	*models = snode_get(root, "models");
	const char *store = snode_str(*models, "store");
	return store ? snode_get(snode_get(root, "nfs"), store) : NULL;
}

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *models, *nfs = store_of(spec, &models), *present = snode_get(models, "present");
	const char *server = snode_str(nfs, "server"), *path = snode_str(nfs, "path");

	if (snode_count(present) == 0 || !server || !path)
		return;
	_cleanup_free_ char *directory = model_directory(path), *container = model_container(spec_cluster(spec));
	for (size_t i = 0; i < snode_count(present); i++) {
		_cleanup_free_ char *look = model_look(snode_scalar(present->items[i]), directory);
		want_look(w, server, "model", look);
	}
	want_container_of(w, server, container);
}

static int fetch(struct fetch *f, struct err *err)
{
	(void)err;
	node_engine_fetch(f);
	return 0;
}

/* Decode */

static void decode_model(struct decode *d, const struct snode *models, const struct snode *nfs,
			 const struct snode *item, const struct resource *before)
{
	const struct snode *store = snode_get(models, "store");
	struct resource *r = resource_add(d->out, "model", snode_scalar(item));
	struct model_name n;

	r->mark = item->mark;
	r->node = arena_strdup(resource_set_arena(d->out), snode_str(nfs, "server"));
	resource_set_field(d->out, r, "store", json_string(store->text), store->mark);
	resource_set_field(d->out, r, "complete", json_true(), item->mark);
	resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "directory/%s", nfs->key);
	/* One writer: a server prunes at its start what another is just pulling. */
	if (before)
		resource_ref(d->out, r, REF_ORDER, (struct mark){0}, "model/%s", before->name);
	if (model_name_parse(snode_scalar(item), &n))
		model_name_free(&n);
	else
		resource_block(d->out, r, "%s is not the name of a model: [[HOST/]NAMESPACE/]MODEL[:TAG]",
			       snode_shown(item));
	common_keys(d, r, models);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *models, *nfs = store_of(d->spec, &models), *present = snode_get(models, "present");

	(void)err;
	for (size_t i = 0; nfs && i < snode_count(present); i++) {
		const struct resource *before =
			i > 0 ? resource_find(d->out, "model", snode_scalar(present->items[i - 1])) : NULL;
		decode_model(d, models, nfs, present->items[i], before);
	}
	return 0;
}

/* Observe */

static const char *store_path(const struct resource_set *want, const struct resource *r)
{
	const struct resource *directory = resource_find(want, "directory", json_str(r->body, "store"));
	return json_str(directory ? directory->body : NULL, "path");
}

/* NULL: it is not known, *why (in the arena) says why. JSON null: it is not there. */
static const json_t *look_of(const struct snapshot *snap, const struct resource_set *want, const struct resource *r,
			     struct arena *a, const char **why)
{
	const char *path = store_path(want, r);
	_cleanup_free_ char *directory = model_directory(path ? path : ""), *look = model_look(r->name, directory);

	return host_look(snap, a, r->node, "model", look, why);
}

/* What is left of a run that was cut off belongs to the model that it pulled, else to the first one. */
static bool is_interrupted(const struct observe *o, const struct resource *want, bool first)
{
	_cleanup_free_ char *container = model_container(o->cluster), *why = NULL;
	const json_t *inspect = NULL;

	if (container_find(o->snap, want->node, container, &inspect, &why) != PRESENT)
		return false;
	const char *model = json_str(json_path(inspect, "Config.Labels"), MODEL_LABEL);
	return model && resource_find(o->want, "model", model) ? str_eq(model, want->name) : first;
}

static void observe_model(struct observe *o, const struct resource *want, bool first)
{
	struct resource *r = observe_add(o, want);
	struct model_state s;
	const char *why;
	struct err err = {0};
	const json_t *look = look_of(o->snap, o->want, want, resource_set_arena(o->out), &why);

	r->ownable = false;
	if (!look) {
		r->presence = UNKNOWN;
		resource_block(o->out, r, "%s", why);
		return;
	}
	if (json_is_null(look))
		return;
	if (model_state_parse(json_string_value(look), &s, &err) < 0) {
		r->presence = UNKNOWN;
		resource_block(o->out, r, "node '%s': model '%s': %s", want->node, want->name, err.msg);
		return;
	}
	r->presence = PRESENT;
	r->id = arena_strdup(resource_set_arena(o->out), s.digest);
	json_object_update(r->body, want->body);
	json_set_str(r->body, "digest", s.digest);
	if (s.damage)
		json_object_del(r->body, "complete");
	if (is_interrupted(o, want, first))
		json_set_bool(r->body, "interrupted", true);
	model_state_free(&s);
}

static int observe(struct observe *o, struct err *err)
{
	bool first = true;

	(void)err;
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		if (strcmp(want->kind, "model") != 0)
			continue;
		observe_model(o, want, first);
		first = false;
	}
	return 0;
}

/* Explain */

static bool uses(const struct resource *service, const char *model)
{
	for (size_t i = 0; i < service->refs.n; i++)
		if (str_starts(service->refs.v[i].target, "model/") &&
		    str_eq(service->refs.v[i].target + strlen("model/"), model))
			return true;
	return false;
}

/* "docker.io/ollama/ollama:0.17.0" */
static bool is_ollama(const char *image)
{
	const char *slash = strrchr(image, '/'), *name = slash ? slash + 1 : image;
	return strcspn(name, ":@") == strlen("ollama") && str_starts(name, "ollama");
}

/* Of a running service, the image that it was resolved to; else as the spec says it. New string. */
static char *resolved(const struct snapshot *snap, const struct resource *service, const char *image)
{
	const char *name = json_str(service->body, "name");
	_cleanup_free_ char *pinned = xasprintf("%s@", image);
	json_t *live;
	size_t i;

	json_array_foreach (snapshot_get(snap, "engine/services", NULL), i, live) {
		const char *runs = json_str(json_path(live, "Spec.TaskTemplate.ContainerSpec"), "Image");
		if (str_eq(json_str(json_object_get(live, "Spec"), "Name"), name ? name : service->name) && runs &&
		    str_starts(runs, pinned))
			return xstrdup(runs);
	}
	return xstrdup(image);
}

char *model_image(const struct resource_set *want, const struct snapshot *snap, const char *model)
{
	const struct resource *found = NULL;

	for (size_t i = 0; i < resource_count(want); i++) {
		const struct resource *r = resource_at(want, i);
		const char *image = json_str(r->body, "image");
		if (strcmp(r->kind, "service") == 0 && image && uses(r, model) && (!found || is_ollama(image)))
			found = r;
		if (found == r && is_ollama(image))
			break;
	}
	return found ? resolved(snap, found, json_str(found->body, "image")) : NULL;
}

static const char *damage_of(const struct observe *o, struct arena *a, const struct resource *want)
{
	struct model_state s;
	const char *why, *damage;
	struct err err;
	const json_t *look = look_of(o->snap, o->want, want, a, &why);

	if (!json_is_string(look) || model_state_parse(json_string_value(look), &s, &err) < 0)
		return NULL;
	damage = s.damage ? arena_strdup(a, s.damage) : NULL;
	model_state_free(&s);
	return damage;
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	const struct resource *r = c->desired;
	const char *path = store_path(o->want, r), *damage = damage_of(o, a, r);
	_cleanup_free_ char *image = model_image(o->want, o->snap, r->name);

	if (c->state != CHANGE_READY)
		return;
	if (c->live && c->live->presence == PRESENT && !damage) {
		c->effect = "removes the container that an earlier run was pulling it with; the model is whole";
	} else if (!image) {
		c->state = CHANGE_BLOCKED;
		c->reason = arena_printf(a,
					 "none of the services mounts the store '%s': which version of Ollama has to "
					 "be able to read the model is not known",
					 json_str(r->body, "store"));
	} else {
		c->effect = arena_printf(a, "%s%spulled into %s/models on %s by a container of %s",
					 damage ? damage : "", damage ? "; " : "", path, r->node, image);
	}
}

static int64_t patience_ms(const struct change *c)
{
	(void)c;
	return PATIENCE_MS;
}

const struct kind kind_model = {
	.name = "model",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.needs = needs,
	.fetch = fetch,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = model_apply,
	.patience_ms = patience_ms,
};
