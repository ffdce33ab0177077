/* Which configs and secrets services use, now or for a rollback; and so which are left over. */
#include "kinds/content.h"

#include <string.h>

bool content_is_used(const struct content_kind *k, const json_t *service_spec, const char *id)
{
	const json_t *container = json_path(service_spec, "TaskTemplate.ContainerSpec"), *use;
	size_t i;

	json_array_foreach (json_object_get(container, k->in_spec), i, use)
		if (str_eq(json_str(use, k->id_key), id))
			return true;
	/* A config may also be a Windows credential spec. */
	return str_eq(k->id_key, "ConfigID") &&
	       str_eq(json_str(json_path(container, "Privileges.CredentialSpec"), "Config"), id);
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
 * rollback (the Engine itself looks at the current spec only, FACTS C). frees
 * is given the names of those that this pass has to change or remove first.
 */
static bool is_needed(const struct content_kind *k, struct services *s, const char *id, json_t *frees)
{
	const json_t *service;
	size_t i;

	json_array_foreach (s->list, i, service) {
		const json_t *spec = json_object_get(service, "Spec");
		const char *name = json_str(spec, "Name");
		bool now = content_is_used(k, spec, id);
		if (!now && !content_is_used(k, json_object_get(service, "PreviousSpec"), id))
			continue;
		bool goes = labels_owned(json_object_get(spec, "Labels"), s->o->cluster) &&
			    !resource_find(s->o->want, "service", name);
		if (!goes && (now || !will_change(s, name)))
			return true;
		json_array_append_new(frees, json_string(name));
	}
	return false;
}

/* "base-" and a hash */
static bool is_of(const char *name, const char *base, size_t len)
{
	return strncmp(name, base, len) == 0 && name[len] == '-' &&
	       strspn(name + len + 1, "0123456789abcdef") == CONTENT_HASH_LEN &&
	       name[len + 1 + CONTENT_HASH_LEN] == '\0';
}

/* An older content of one of these. */
static bool is_superseded(const char *name, const json_t *wanted)
{
	const char *want;
	json_t *value;

	json_object_foreach ((json_t *)wanted, want, value) {
		size_t n = strlen(want), tail = strlen("-") + CONTENT_HASH_LEN;
		if (n > tail && is_of(want, want, n - tail) && is_of(name, want, n - tail))
			return true;
	}
	return false;
}

/* One of these may be what is wanted; of a stack also the one without a hash. */
static bool may_be_wanted(const char *name, const json_t *wanted)
{
	const size_t tail = strlen("-" CONTENT_UNKNOWN);
	const char *want;
	json_t *value;

	json_object_foreach ((json_t *)wanted, want, value) {
		size_t base = str_ends(want, "-" CONTENT_UNKNOWN) ? strlen(want) - tail : 0;
		size_t cut = base < CONTENT_BASE_MAX ? base : CONTENT_BASE_MAX;
		if (base > 0 && (is_of(name, want, cut) || (strncmp(name, want, base) == 0 && name[base] == '\0')))
			return true;
	}
	return false;
}

void content_leftovers(const struct content_kind *k, struct observe *o, const json_t *list, const json_t *wanted)
{
	const char *why;
	struct services s = {.o = o, .list = swarm_list(o->snap, "engine/services", &why)};
	const json_t *entry;
	size_t i, n;

	json_array_foreach (s.list ? list : json_null(), i, entry) {
		const json_t *spec = json_object_get(entry, "Spec");
		const char *name = json_str(spec, "Name"), *id = json_str(entry, "ID");
		_cleanup_json_ json_t *frees = json_array();
		if (!labels_owned(json_object_get(spec, "Labels"), o->cluster) || json_object_get(wanted, name) ||
		    may_be_wanted(name, wanted) || is_needed(k, &s, id, frees))
			continue;
		struct resource *r = observe_extra(o, k->kind, name, id);
		r->superseded = is_superseded(name, wanted);
		for (n = 0; n < json_array_size(frees); n++)
			resource_ref(o->out, r, REF_REQUIRES, (struct mark){0}, "service/%s",
				     json_string_value(json_array_get(frees, n)));
	}
	resource_set_free(s.live);
}

static bool is_used_now(const struct content_kind *k, const json_t *services, const char *id)
{
	const json_t *service;
	size_t i;

	json_array_foreach (services, i, service)
		if (content_is_used(k, json_object_get(service, "Spec"), id))
			return true;
	return false;
}

const char *content_in_use(const struct content_kind *k, const struct snapshot *snap, const char *cluster,
			   const char *base)
{
	const char *why, *best = NULL;
	const json_t *list = swarm_list(snap, k->doc, &why), *services = swarm_list(snap, "engine/services", &why);
	const json_t *entry;
	int64_t newest = -1;
	bool used = false;
	size_t i;

	json_array_foreach (list, i, entry) {
		const json_t *spec = json_object_get(entry, "Spec");
		const char *name = json_str(spec, "Name");
		int64_t index = json_int(json_object_get(entry, "Version"), "Index", 0);
		if (!labels_owned(json_object_get(spec, "Labels"), cluster) || !is_of(name, base, strlen(base)))
			continue;
		bool now = is_used_now(k, services, json_str(entry, "ID"));
		if (now < used || (now == used && index <= newest))
			continue;
		best = name;
		newest = index;
		used = now;
	}
	return best;
}
