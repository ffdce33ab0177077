#include "kinds/content.h"

#include "base/base64.h"

#include <string.h>

const char *const content_after[] = {"engine", "swarm", NULL};

void content_needs(const struct content_kind *k, struct wants *w)
{
	want_swarm_list(w, k->section);
	want_swarm_list(w, "services");
}

/* Decode */

enum content_known {
	CONTENT_KNOWN,
	CONTENT_BLOCKED, /* the resource says why */
	CONTENT_UNSEEN,  /* a dry run does not look */
};

static void wipe(struct str *s)
{
	if (s->data)
		explicit_bzero(s->data, s->cap);
	str_free(s);
}

/* What the kind's fetch hook left (secret/secret.h). Returns CONTENT_KNOWN, or what to do without it. */
static enum content_known read_fetched(const struct content_kind *k, struct decode *d, struct resource *r,
				       struct str *out)
{
	_cleanup_free_ char *doc = xasprintf("%s/%s", k->kind, r->name);
	const char *why, *refused;
	const json_t *fetched = snapshot_get(d->snap, doc, &why);

	if (json_is_string(fetched) && base64_decode(json_string_value(fetched), json_string_length(fetched), out))
		return CONTENT_KNOWN;
	if (!fetched) {
		resource_block(d->out, r, "the content of %s '%s' cannot be read: %s", k->kind, r->name, why);
		return CONTENT_BLOCKED;
	}
	resource_note(d->out, r, "its content is not looked at in a dry run");
	refused = json_str(fetched, "refused");
	if (refused)
		resource_note(d->out, r, "an apply on this machine would not read it: %s", refused);
	return CONTENT_UNSEEN;
}

/* A file that is missing is only a warning of the check (spec/check_files.c): what cannot be read is held here. */
static enum content_known read_content(const struct content_kind *k, struct decode *d, struct resource *r,
				       const struct snode *section, struct str *out)
{
	const char *file = snode_str(section, "file"), *content = snode_str(section, "content");
	struct err why = {0};

	if (k->is_fetched && k->is_fetched(section))
		return read_fetched(k, d, r, out);
	if (content) {
		str_adds(out, content);
		return CONTENT_KNOWN;
	}
	if (spec_read_file(d->spec, file, k->limit, out, &why) == 0)
		return CONTENT_KNOWN;
	resource_block(d->out, r, "the content of %s '%s' cannot be read: %s", k->kind, section->key, why.msg);
	return CONTENT_BLOCKED;
}

static void set_name(struct decode *d, struct resource *r, const struct snode *section, json_t *stolen)
{
	resource_set_field(d->out, r, "name", stolen, mark_of(snode_get(section, "name"), r->mark));
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
	wipe(&hashed);
	if (unknown < 0)
		return err_wrap(err, "naming %s '%s'", k->kind, section->key);
	if (unknown)
		resource_block(d->out, r, "the name of %s '%s' is not known yet: %s", k->kind, section->key, why);
	else if (snode_get(section, "stack"))
		set_name(d, r, section,
			 content_stack_name(k, d, r, base, &(struct content_seen){content, driver, hex}));
	else
		set_name(d, r, section, json_sprintf("%s-%.*s", base, CONTENT_HASH_LEN, hex));
	return 0;
}

/* A dry run assumes that what it may not look at has not changed. */
static void assume_name(const struct content_kind *k, struct decode *d, struct resource *r, const struct snode *section)
{
	const char *name = content_in_use(k, d->snap, spec_cluster(d->spec), section_name(section));

	r->unseen = !name;
	if (!name)
		return;
	set_name(d, r, section, json_string(name));
	resource_note(d->out, r, "it is taken to be what is there");
}

static int decode_content(const struct content_kind *k, struct decode *d, struct resource *r,
			  const struct snode *section, struct err *err)
{
	struct str content = {0}, encoded = {0};
	int rc = 0;

	switch (read_content(k, d, r, section, &content)) {
	case CONTENT_KNOWN:
		base64_encode(content.data, content.len, &encoded);
		r->payload = arena_strdup(resource_set_arena(d->out), str_cstr(&encoded));
		rc = decode_name(k, d, r, section, &content, err);
		break;
	case CONTENT_UNSEEN:
		assume_name(k, d, r, section);
		break;
	case CONTENT_BLOCKED:
		break;
	}
	wipe(&content);
	wipe(&encoded);
	return rc;
}

static int decode_one(const struct content_kind *k, struct decode *d, const struct snode *section, struct err *err)
{
	struct resource *r = resource_add(d->out, k->kind, section->key);
	const struct snode *labels = snode_get(section, "labels"), *driver = snode_get(section, "template_driver");

	r->mark = section->key_mark;
	r->external = snode_bool(section, "external", false);
	if (r->external) {
		set_name(d, r, section, json_string(section_name(section)));
		return 0;
	}
	swarm_ref(d, r);
	common_keys(d, r, section);
	if (k->is_fetched && k->is_fetched(section)) {
		vec_push(&r->unreviewed, "name");
		vec_push(&r->unreviewed, "content");
	}
	if (snode_count(labels) > 0) {
		resource_set_field(d->out, r, "labels", string_map(labels), labels->mark);
		mark_members(d->out, r, "labels", labels);
	}
	if (snode_scalar(driver))
		resource_set_field(d->out, r, "template_driver", json_string(snode_scalar(driver)), driver->mark);
	if (decode_content(k, d, r, section, err) < 0)
		return -1;
	if (!json_str(r->body, "name"))
		set_name(d, r, section, json_sprintf("%s-" CONTENT_UNKNOWN, section_name(section)));
	return 0;
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
		if (want->external)
			continue;
		observe_body(o, r, entry);
		content_stack_observe(o, want, r, json_path(entry, "Spec.Labels"));
	}
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
	content_leftovers(k, o, list, wanted);
	return 0;
}

/* Apply */

static json_t *labels_of(const struct apply *a, const json_t *body)
{
	json_t *labels = labels_with_owner(json_object_get(body, "labels"), a->cluster->name);

	json_set_str(labels, CONTENT_LABEL, json_str(body, "content"));
	return labels;
}

static int create(const struct content_kind *k, struct apply *a, const struct resource *desired, struct err *err)
{
	_cleanup_json_ json_t *q = json_object();
	const char *driver = json_str(desired->body, "template_driver");
	struct err why;

	json_set_str(q, "Name", json_str(desired->body, "name"));
	json_set(q, "Labels", labels_of(a, desired->body));
	json_set_str(q, "Data", desired->payload);
	if (driver)
		json_set(q, "Templating", json_pack("{s:s}", "Name", driver));
	if (engine_post(a->cluster->engine, a->deadline, q, NULL, &why, "/%s/create", k->section) < 0) {
		*err = why;
		made_meanwhile(err);
		return err_wrap(err, "creating %s '%s'", k->kind, json_str(desired->body, "name"));
	}
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
	json_set(spec, "Labels", labels_of(a, c->desired->body));
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
		if (content_is_used(k, json_object_get(service, "Spec"), c->live->id) ||
		    content_is_used(k, json_object_get(service, "PreviousSpec"), c->live->id))
			return err_set(
				err, ERR_OUT_OF_SEQUENCE,
				"removing %s '%s': service '%s' may need it for a rollback since the plan was made",
				k->kind, c->live->name, json_str(json_object_get(service, "Spec"), "Name"));
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
