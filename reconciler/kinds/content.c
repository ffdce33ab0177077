#include "kinds/content.h"

#include "base/base64.h"

#include <string.h>

/*
 * A dash and so many digits of the hash come after the name, which leaves 51 of
 * Swarm's 64 characters for it; spec/check_files.c checks that, and sizes.
 */
#define HASH_LEN 12

const char *const content_after[] = {"swarm", NULL};

void content_needs(const struct content_kind *k, struct wants *w)
{
	want_swarm_list(w, k->section);
	want_swarm_list(w, "services");
}

/* Decode */

/* A file that is missing is only a warning of the check (spec/check_files.c): what cannot be read is held here. */
static bool read_content(const struct content_kind *k, struct decode *d, struct resource *r,
			 const struct snode *section, struct str *out)
{
	const char *file = snode_str(section, "file"), *content = snode_str(section, "content");
	struct err why = {0};

	if (content) {
		str_adds(out, content);
		return true;
	}
	if (spec_read_file(d->spec, file, k->limit, out, &why) == 0)
		return true;
	resource_block(d->out, r, "the content of %s '%s' cannot be read: %s", k->kind, section->key, why.msg);
	return false;
}

static int decode_name(const struct content_kind *k, struct decode *d, struct resource *r, const struct snode *section,
		       const struct str *content, struct err *err)
{
	_cleanup_str_ struct str hashed = {0};
	const char *base = section_name(section), *driver = snode_str(section, "template_driver"), *why = "";
	char hex[HASH_HEX_SIZE];

	str_add(&hashed, content->data, content->len);
	if (driver) { /* cannot be changed either; NUL is in no driver's name */
		str_addc(&hashed, '\0');
		str_adds(&hashed, driver);
	}
	int unknown = k->hash(d->snap, &hashed, hex, &why, err);
	if (unknown < 0)
		return err_wrap(err, "naming %s '%s'", k->kind, section->key);
	if (unknown)
		resource_block(d->out, r, "the name of %s '%s' is not known yet: %s", k->kind, section->key, why);
	else
		resource_set_field(d->out, r, "name", json_sprintf("%s-%.*s", base, HASH_LEN, hex),
				   mark_of(snode_get(section, "name"), r->mark));
	return 0;
}

static int decode_one(const struct content_kind *k, struct decode *d, const struct snode *section, struct err *err)
{
	struct resource *r = resource_add(d->out, k->kind, section->key);
	const struct snode *labels = snode_get(section, "labels"), *driver = snode_get(section, "template_driver");
	_cleanup_str_ struct str content = {0}, encoded = {0};

	r->mark = section->key_mark;
	r->external = snode_bool(section, "external", false);
	if (r->external) {
		resource_set_field(d->out, r, "name", json_string(section_name(section)),
				   mark_of(snode_get(section, "name"), r->mark));
		return 0;
	}
	swarm_ref(d, r);
	after_refs(d, r, section);
	if (snode_count(labels) > 0) {
		resource_set_field(d->out, r, "labels", string_map(labels), labels->mark);
		mark_members(d->out, r, "labels", labels);
	}
	if (snode_scalar(driver))
		resource_set_field(d->out, r, "template_driver", json_string(snode_scalar(driver)), driver->mark);
	if (!read_content(k, d, r, section, &content))
		return 0;
	base64_encode(content.data, content.len, &encoded);
	r->payload = arena_strdup(resource_set_arena(d->out), str_cstr(&encoded));
	return decode_name(k, d, r, section, &content, err);
}

int content_decode(const struct content_kind *k, struct decode *d, struct err *err)
{
	const struct snode *list = snode_get(spec_root(d->spec), k->section);

	for (size_t i = 0; i < snode_count(list); i++)
		if (decode_one(k, d, list->items[i], err) < 0)
			return -1;
	return 0;
}

/* Observe */

static void observe_body(struct observe *o, struct resource *r, const json_t *entry)
{
	const json_t *spec = json_object_get(entry, "Spec");
	const char *driver = json_str(json_object_get(spec, "Templating"), "Name");
	const struct mark none = {0};

	resource_set_field(o->out, r, "labels", labels_body(json_object_get(spec, "Labels")), none);
	if (driver && *driver)
		resource_set_field(o->out, r, "template_driver", json_string(driver), none);
}

/* wanted: an object of engine names, for the search for what is left over. */
static void observe_wanted(const struct content_kind *k, struct observe *o, const json_t *list, json_t *wanted)
{
	_cleanup_json_ json_t *by_name = json_object();
	const json_t *entry;
	size_t i;

	json_array_foreach (list, i, entry)
		json_object_set(by_name, json_str(json_object_get(entry, "Spec"), "Name"), (json_t *)entry);
	for (i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		const char *name = json_str(want->body, "name");
		if (!str_eq(want->kind, k->kind))
			continue;
		struct resource *r = observe_add(o, want);
		entry = name ? json_object_get(by_name, name) : NULL;
		if (name)
			json_set_bool(wanted, name, true);
		if (!entry)
			continue;
		r->presence = PRESENT;
		r->id = arena_strdup(resource_set_arena(o->out), json_str(entry, "ID"));
		r->version = (uint64_t)json_int(json_object_get(entry, "Version"), "Index", 0);
		r->owned = labels_owned(json_path(entry, "Spec.Labels"), o->cluster);
		json_set_str(r->body, "name", name);
		if (!want->external)
			observe_body(o, r, entry);
	}
}

static bool spec_uses(const struct content_kind *k, const json_t *service_spec, const char *key, const char *value)
{
	const json_t *container = json_path(service_spec, "TaskTemplate.ContainerSpec"), *use;
	size_t i;

	json_array_foreach (json_object_get(container, k->in_spec), i, use)
		if (str_eq(json_str(use, key), value))
			return true;
	/* A config may also be a Windows credential spec. */
	return str_eq(key, "ConfigID") &&
	       str_eq(json_str(json_path(container, "Privileges.CredentialSpec"), "Config"), value);
}

/* The live services, as the service kind reads them; only asked for when a rollback target is in question. */
struct services {
	const struct observe *o;
	const json_t *list;
	struct resource_set *live; /* NULL: not asked for yet */
};

static bool differs(const json_t *want, const json_t *live, const char *field)
{
	const struct field *f = kind_field(&kind_service, field);
	const json_t *to = json_object_get(want, field);

	if (f && (f->flags & (FIELD_CREATE_ONLY | FIELD_MERGE) || (f->flags & FIELD_IF_SET && !to)))
		return false;
	return !json_same(to, json_object_get(live, field));
}

static bool bodies_differ(const json_t *want, const json_t *live)
{
	const char *field;
	json_t *value;

	json_object_foreach ((json_t *)want, field, value)
		if (differs(want, live, field))
			return true;
	json_object_foreach ((json_t *)live, field, value)
		if (differs(want, live, field))
			return true;
	return false;
}

/* True when this pass will update the service: what runs now is then what it could roll back to. */
static bool will_change(struct services *s, const char *name)
{
	const struct resource *want = resource_find(s->o->want, "service", name), *live;

	if (!want || want->blocked)
		return false;
	if (!s->live) {
		struct observe o = *s->o;
		struct err ignored;
		s->live = o.out = resource_set_new();
		if (kind_service.observe(&o, &ignored) < 0)
			return false;
	}
	live = resource_find(s->live, "service", name);
	return live && live->presence == PRESENT && live->owned && bodies_differ(want->body, live->body);
}

/*
 * Whether a service may still need the object after this pass: now, or for a
 * rollback (the Engine itself looks at the current spec only, FACTS C). A
 * service that this pass removes needs nothing.
 */
static bool is_needed(const struct content_kind *k, struct services *s, const char *id)
{
	const json_t *service;
	size_t i;

	json_array_foreach (s->list, i, service) {
		const json_t *spec = json_object_get(service, "Spec");
		const char *name = json_str(spec, "Name");
		if (labels_owned(json_object_get(spec, "Labels"), s->o->cluster) &&
		    !resource_find(s->o->want, "service", name))
			continue;
		if (spec_uses(k, spec, k->id_key, id) ||
		    (spec_uses(k, json_object_get(service, "PreviousSpec"), k->id_key, id) && !will_change(s, name)))
			return true;
	}
	return false;
}

static void observe_leftovers(const struct content_kind *k, struct observe *o, const json_t *list, const json_t *wanted)
{
	const char *why;
	struct services s = {.o = o, .list = swarm_list(o->snap, "engine/services", &why)};
	const json_t *entry;
	size_t i;

	json_array_foreach (s.list ? list : json_null(), i, entry) {
		const json_t *spec = json_object_get(entry, "Spec");
		const char *name = json_str(spec, "Name"), *id = json_str(entry, "ID");
		if (labels_owned(json_object_get(spec, "Labels"), o->cluster) && !json_object_get(wanted, name) &&
		    !is_needed(k, &s, id))
			observe_extra(o, k->kind, name, id);
	}
	resource_set_free(s.live);
}

int content_observe(const struct content_kind *k, struct observe *o, struct err *err)
{
	const char *why;
	const json_t *list = swarm_list(o->snap, k->doc, &why);
	_cleanup_json_ json_t *wanted = json_object();

	(void)err;
	if (!list) {
		observe_unknown(o, k->kind, why);
		return 0;
	}
	observe_wanted(k, o, list, wanted);
	observe_leftovers(k, o, list, wanted);
	return 0;
}

/* Apply */

static int create(const struct content_kind *k, struct apply *a, const struct resource *desired, struct err *err)
{
	_cleanup_json_ json_t *q = json_object();
	const char *driver = json_str(desired->body, "template_driver");

	json_set_str(q, "Name", json_str(desired->body, "name"));
	json_set(q, "Labels", labels_with_owner(json_object_get(desired->body, "labels"), a->cluster->name));
	json_set_str(q, "Data", desired->payload);
	if (driver)
		json_set(q, "Templating", json_pack("{s:s}", "Name", driver));
	if (engine_post(a->cluster->engine, a->deadline, q, NULL, err, "/%s/create", k->section) < 0)
		return err_wrap(err, "creating %s '%s'", k->kind, json_str(desired->body, "name"));
	return 0;
}

/* Only labels can be changed; the data goes back as it was read (a secret's is not told, and may be left out). */
static int update_labels(const struct content_kind *k, struct apply *a, const struct change *c, struct err *err)
{
	_cleanup_json_ json_t *now = NULL;
	struct engine *e = a->cluster->engine;

	if (engine_get(e, a->deadline, &now, err, "/%s/%s", k->section, c->live->id) < 0)
		return err_wrap(err, "reading %s '%s'", k->kind, c->desired->name);
	json_t *spec = json_object_get(now, "Spec");
	json_set(spec, "Labels", labels_with_owner(json_object_get(c->desired->body, "labels"), a->cluster->name));
	if (engine_post(e, a->deadline, spec, NULL, err, "/%s/%s/update?version=%lld", k->section, c->live->id,
			(long long)json_int(json_object_get(now, "Version"), "Index", 0)) < 0)
		return err_wrap(err, "updating the labels of %s '%s'", k->kind, c->desired->name);
	return 0;
}

/* Services have changed since the plan was made: looked at again, so that no rollback target is taken away. */
static int delete (const struct content_kind *k, struct apply *a, const struct change *c, struct err *err)
{
	_cleanup_json_ json_t *services = NULL;
	struct engine *e = a->cluster->engine;
	const json_t *service;
	size_t i;

	if (engine_get(e, a->deadline, &services, err, "/services") < 0)
		return err_wrap(err, "looking who uses %s '%s'", k->kind, c->live->name);
	json_array_foreach (services, i, service) {
		if (!spec_uses(k, json_object_get(service, "Spec"), k->id_key, c->live->id) &&
		    !spec_uses(k, json_object_get(service, "PreviousSpec"), k->id_key, c->live->id))
			continue;
		a->progress(a->progress_arg, "kept: service '%s' may need it for a rollback",
			    json_str(json_object_get(service, "Spec"), "Name"));
		return 0;
	}
	struct err why = {0};
	if (engine_delete(e, a->deadline, &why, "/%s/%s", k->section, c->live->id) == 0 || why.code == ERR_NOT_FOUND)
		return 0;
	*err = why;
	return err_wrap(err, "removing %s '%s'", k->kind, c->live->name);
}

int content_apply(const struct content_kind *k, struct apply *a, const struct change *c, struct err *err)
{
	switch (c->action) {
	case ACTION_CREATE:
		return create(k, a, c->desired, err);
	case ACTION_UPDATE:
	case ACTION_ADOPT:
		return update_labels(k, a, c, err);
	case ACTION_DELETE:
		return delete (k, a, c, err);
	default:
		return 0;
	}
}
