#include "kinds/kinds.h"
#include "kinds/util.h"
#include "sys/hash.h"

/*
 * Named volumes. The engine returns an existing volume of the same name
 * without comparing its options (FACTS C), so options are hashed into the name:
 * other options are another volume, on every node. Volumes hold data: they are
 * never removed, and what the spec no longer names is forgotten.
 */

static const struct field fields[] = {
	{"driver", 0, NULL}, /* a difference is blocked by explain */
	{"labels", FIELD_CREATE_ONLY, NULL},
	{"name", 0, NULL},    /* identity */
	{"options", 0, NULL}, /* as driver */
};

static const char *const after[] = {"engine", NULL};

static void needs(const struct spec *spec, struct wants *w)
{
	if (snode_count(snode_get(spec_root(spec), "volumes")) > 0)
		want_engine(w, "volumes");
}

/* "data" without options, else "data-1f3a5b7c". New string. */
static int name_of(const char *base, const json_t *options, char **name, struct err *err)
{
	_cleanup_str_ struct str text = {0};
	char hex[HASH_HEX_SIZE];

	if (!options) {
		*name = xstrdup(base);
		return 0;
	}
	json_canonical(options, &text);
	if (hash_sha256_hex(text.data, text.len, hex, err) < 0)
		return -1;
	*name = xasprintf("%s-%.8s", base, hex);
	return 0;
}

static int decode_volume(struct decode *d, const struct snode *section, struct err *err)
{
	struct resource *r = resource_add(d->out, "volume", section->key);
	const struct snode *opts = snode_get(section, "driver_opts"), *labels = snode_get(section, "labels");
	const char *driver = snode_str(section, "driver");
	_cleanup_free_ char *name = NULL;

	r->mark = section->key_mark;
	r->external = snode_bool(section, "external", false);
	if (r->external) {
		resource_set_field(d->out, r, "name", json_string(section_name(section)),
				   mark_of(snode_get(section, "name"), r->mark));
		return 0;
	}
	if (snode_count(opts) > 0) {
		resource_set_field(d->out, r, "options", string_map(opts), opts->mark);
		mark_members(d->out, r, "options", opts);
	}
	if (snode_count(labels) > 0) {
		resource_set_field(d->out, r, "labels", string_map(labels), labels->mark);
		mark_members(d->out, r, "labels", labels);
	}
	if (driver && !str_eq(driver, "local"))
		resource_set_field(d->out, r, "driver", json_string(driver), snode_get(section, "driver")->mark);
	if (name_of(section_name(section), json_object_get(r->body, "options"), &name, err) < 0)
		return err_wrap(err, "naming volume '%s'", section->key);
	resource_set_field(d->out, r, "name", json_string(name), mark_of(snode_get(section, "name"), r->mark));
	common_keys(d, r, section);
	return 0;
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *volumes = snode_get(spec_root(d->spec), "volumes");

	for (size_t i = 0; i < snode_count(volumes); i++)
		if (decode_volume(d, volumes->items[i], err) < 0)
			return -1;
	return 0;
}

static void observe_volume(struct observe *o, const struct resource *want, const json_t *list)
{
	struct resource *r = observe_add(o, want);
	const char *name = json_str(want->body, "name");
	const json_t *v;
	size_t i;

	json_array_foreach (list, i, v) {
		if (!str_eq(json_str(v, "Name"), name))
			continue;
		const char *driver = json_str(v, "Driver");
		const json_t *options = json_object_get(v, "Options");
		const struct mark none = {0};

		r->presence = PRESENT;
		r->id = arena_strdup(resource_set_arena(o->out), name);
		r->owned = labels_owned(json_object_get(v, "Labels"), o->cluster);
		r->ownable = false;
		json_set_str(r->body, "name", name);
		if (want->external)
			return;
		if (driver && !str_eq(driver, "local"))
			resource_set_field(o->out, r, "driver", json_string(driver), none);
		if (json_object_size(options) > 0)
			resource_set_field(o->out, r, "options", json_incref((json_t *)options), none);
		resource_set_field(o->out, r, "labels",
				   r->owned ? labels_body(json_object_get(v, "Labels"))
					    : json_incref(json_object_get(want->body, "labels")),
				   none);
	}
}

static int observe(struct observe *o, struct err *err)
{
	const char *why;
	const json_t *doc = snapshot_get(o->snap, "engine/volumes", &why);

	(void)err;
	if (!doc) {
		observe_unknown(o, "volume", why);
		return 0;
	}
	/* GET /volumes wraps its list, and has null for none. */
	const json_t *list = json_is_object(doc) ? json_object_get(doc, "Volumes") : doc;
	for (size_t i = 0; i < resource_count(o->want); i++)
		if (str_eq(resource_at(o->want, i)->kind, "volume"))
			observe_volume(o, resource_at(o->want, i), list);
	return 0;
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	(void)o;
	if (c->action != ACTION_UPDATE || c->state == CHANGE_BLOCKED)
		return;
	c->state = CHANGE_BLOCKED;
	c->reason =
		arena_printf(a,
			     "volume '%s' exists with another driver or options, which cannot be changed, and its data "
			     "is never deleted here: give the volume another name, or remove it by hand",
			     json_str(c->live->body, "name"));
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	_cleanup_json_ json_t *q = json_object();

	if (c->action != ACTION_CREATE)
		return 0;
	const json_t *body = c->desired->body;
	json_set_str(q, "Name", json_str(body, "name"));
	json_set_str(q, "Driver", json_str(body, "driver") ? json_str(body, "driver") : "local");
	if (json_object_get(body, "options"))
		json_set(q, "DriverOpts", json_incref(json_object_get(body, "options")));
	json_set(q, "Labels", labels_with_owner(json_object_get(body, "labels"), a->cluster->name));
	if (engine_post(a->cluster->engine, a->deadline, q, NULL, err, "/volumes/create") < 0)
		return err_wrap(err, "creating volume '%s'", json_str(body, "name"));
	return 0;
}

const struct kind kind_volume = {
	.name = "volume",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.adopts = true,
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
};
