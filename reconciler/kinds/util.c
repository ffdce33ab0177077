#include "kinds/util.h"

#include "model/ignore.h"

#include <string.h>

struct host *cluster_host(const struct cluster *c, const char *node)
{
	for (size_t i = 0; i < c->n_hosts; i++)
		if (str_eq(host_node(c->hosts[i]), node))
			return c->hosts[i];
	return NULL;
}

/* Hosts */

const json_t *host_look(const struct snapshot *snap, struct arena *a, const char *node, const char *name,
			const char *argument, const char **why)
{
	_cleanup_free_ char *doc = xasprintf("host/%s", node);
	_cleanup_free_ char *look = argument ? xasprintf("%s %s", name, argument) : xstrdup(name);
	const json_t *host = snapshot_get(snap, doc, why);
	const json_t *answer = json_object_get(json_object_get(host, "looks"), look);
	const char *error = json_str(answer, "error");

	if (host && !answer)
		*why = arena_printf(a, "the probe of node '%s' did not look at '%s'", node, look);
	else if (error)
		*why = arena_printf(a, "node '%s': %s", node, error);
	return error ? NULL : answer;
}

bool host_look_counts(const struct snapshot *snap, const char *node, const char *name, const char *argument)
{
	_cleanup_free_ char *doc = xasprintf("host/%s", node);
	_cleanup_free_ char *look = argument ? xasprintf("%s %s", name, argument) : xstrdup(name);
	const json_t *host = snapshot_get(snap, doc, NULL);
	const json_t *answer = json_object_get(json_object_get(host, "looks"), look);

	if (answer && !json_is_object(answer))
		return true;
	return (answer || (!host && snapshot_has(snap, doc))) &&
	       json_bool(snapshot_get(snap, "run/options", NULL), "may_init");
}

/* The spec */

struct mark mark_of(const struct snode *n, struct mark section)
{
	return n && !n->is_default ? n->mark : section;
}

const char *section_name(const struct snode *section)
{
	const char *name = snode_str(section, "name");
	return name && *name ? name : section->key;
}

/* A section can be two resources: each takes the fields that its kind has. */
static void take_ignored(struct decode *d, struct resource *r, const struct snode *ignore)
{
	const struct kind *k = kind_find(r->kind);

	for (size_t i = 0; i < snode_count(ignore); i++) {
		const char *path = snode_scalar(ignore->items[i]);
		_cleanup_free_ char *field = path_field(path ? path : "");
		if (kind_field(k, field))
			vec_push(&r->ignore, arena_strdup(resource_set_arena(d->out), path));
	}
}

void common_keys(struct decode *d, struct resource *r, const struct snode *n)
{
	const struct snode *after = snode_get(n, "after");

	take_ignored(d, r, snode_get(n, "ignore"));
	r->report_drift = str_eq(snode_str(n, "drift"), "report");
	for (size_t i = 0; i < snode_count(after); i++) {
		const char *target = snode_scalar(after->items[i]);
		if (target)
			resource_ref(d->out, r, REF_REQUIRES, after->items[i]->mark, "%s", target);
	}
}

static bool has_overlay(const struct snode *networks)
{
	for (size_t i = 0; i < snode_count(networks); i++) {
		const char *driver = snode_str(networks->items[i], "driver");
		if (!snode_bool(networks->items[i], "external", false) && (!driver || str_eq(driver, "overlay")))
			return true;
	}
	return false;
}

static bool has_manager(const struct snode *nodes)
{
	for (size_t i = 0; i < snode_count(nodes); i++)
		if (str_eq(snode_str(nodes->items[i], "role"), "manager"))
			return true;
	return false;
}

bool spec_wants_swarm(const struct spec *spec)
{
	static const char *const sections[] = {"services", "configs", "secrets"};
	const struct snode *root = spec_root(spec);
	const struct snode *swarm = snode_get(root, "swarm");

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		if (snode_count(snode_get(root, sections[i])) > 0)
			return true;
	return (swarm && !swarm->is_default) || has_manager(snode_get(root, "nodes")) ||
	       has_overlay(snode_get(root, "networks"));
}

void swarm_ref(struct decode *d, struct resource *r)
{
	if (spec_wants_swarm(d->spec))
		resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "swarm/%s", spec_cluster(d->spec));
}

/* A list item "KEY=VALUE"; without "=" the value is empty, as Compose says for labels. */
static void set_pair(json_t *map, const char *pair)
{
	const char *eq = strchr(pair, '=');
	_cleanup_free_ char *key = xasprintf("%.*s", (int)strcspn(pair, "="), pair);
	json_set_str(map, key, eq ? eq + 1 : "");
}

json_t *string_map(const struct snode *n)
{
	if (snode_count(n) == 0)
		return NULL;
	json_t *map = json_object();
	for (size_t i = 0; i < n->n_items; i++) {
		const char *value = snode_scalar(n->items[i]);
		if (n->type == SNODE_MAP)
			json_set_str(map, n->items[i]->key, value ? value : "");
		else if (value)
			set_pair(map, value);
	}
	return map;
}

/* As plan/diff.c writes the path of a member, or the mark is not found. */
static bool is_plain(const char *key)
{
	return *key != '\0' && key[strspn(key, "abcdefghijklmnopqrstuvwxyz_")] == '\0';
}

char *member_path(const char *field, const char *key)
{
	return xasprintf(is_plain(key) ? "%s.%s" : "%s[%s]", field, key);
}

void mark_members(struct resource_set *s, struct resource *r, const char *field, const struct snode *map)
{
	for (size_t i = 0; i < snode_count(map); i++) {
		const struct snode *item = map->items[i];
		const char *text = map->type == SNODE_MAP ? item->key : snode_scalar(item);
		if (!text)
			continue;
		size_t len = map->type == SNODE_MAP ? strlen(text) : strcspn(text, "=");
		_cleanup_free_ char *key = xasprintf("%.*s", (int)len, text);
		_cleanup_free_ char *path = member_path(field, key);
		resource_mark(s, r, path, map->type == SNODE_MAP ? item->key_mark : item->mark);
	}
}

/* Labels */

bool labels_owned(const json_t *labels, const char *cluster)
{
	return str_eq(json_str(labels, OWNER_LABEL), cluster);
}

json_t *labels_body(const json_t *labels)
{
	json_t *body = json_object();
	json_object_update(body, (json_t *)labels);
	json_object_del(body, OWNER_LABEL);
	json_object_del(body, CONTENT_LABEL);
	if (json_object_size(body) > 0)
		return body;
	json_decref(body);
	return NULL;
}

json_t *labels_with_owner(const json_t *labels, const char *cluster)
{
	json_t *all = json_object();
	json_object_update(all, (json_t *)labels);
	json_set_str(all, OWNER_LABEL, cluster);
	return all;
}

/* The swarm as the engine sees it */

static const struct {
	const char *state;
	enum swarm_role role;
	const char *advice;
} states[] = {
	{"active", SWARM_WORKER, "this engine is a worker: point DOCKER_HOST at a manager"},
	{"error", SWARM_UNKNOWN, "the engine's swarm is in an error state: see `docker info` and the engine's log"},
	{"inactive", SWARM_NONE, ""},
	{"locked", SWARM_UNKNOWN, "the swarm is locked since the engine restarted: run `docker swarm unlock`"},
	{"pending", SWARM_UNKNOWN, "the engine is still joining its swarm: look again in a moment"},
};

enum swarm_role swarm_role(const struct snapshot *snap, const char **why)
{
	const json_t *info = snapshot_get(snap, "engine/info", why);
	if (!info)
		return SWARM_UNKNOWN;

	const json_t *swarm = json_object_get(info, "Swarm");
	const char *state = json_str(swarm, "LocalNodeState");
	for (size_t i = 0; state && i < ARRAY_SIZE(states); i++) {
		if (strcmp(states[i].state, state) != 0)
			continue;
		*why = states[i].advice;
		return json_bool(swarm, "ControlAvailable") ? SWARM_MANAGER : states[i].role;
	}
	*why = "the engine does not say whether it is in a swarm";
	return SWARM_UNKNOWN;
}

const json_t *swarm_list(const struct snapshot *snap, const char *doc, const char **why)
{
	switch (swarm_role(snap, why)) {
	case SWARM_MANAGER:
		return snapshot_get(snap, doc, why);
	case SWARM_NONE:
		return json_null();
	default:
		return NULL;
	}
}

void want_swarm_list(struct wants *w, const char *list)
{
	want_engine(w, "info");
	want_engine(w, list);
}

/* Live resources */

struct resource *observe_add(struct observe *o, const struct resource *want)
{
	struct resource *r = resource_add(o->out, want->kind, want->name);
	r->node = want->node;
	r->presence = ABSENT;
	r->ownable = true;
	return r;
}

void observe_as_wanted(struct observe *o, const char *kind)
{
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		if (strcmp(want->kind, kind) != 0)
			continue;
		struct resource *r = observe_add(o, want);
		r->presence = PRESENT;
		r->ownable = false;
		json_object_update(r->body, want->body);
	}
}

json_t *observed_nodes(const struct observe *o, const char *kind)
{
	json_t *names = json_object();

	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *w = resource_at(o->want, i);
		const char *node = str_eq(w->kind, "node") ? w->name : str_eq(w->kind, kind) ? w->node : NULL;
		if (node)
			json_set_bool(names, node, true);
	}
	return names;
}

void observe_unknown(struct observe *o, const char *kind, const char *why)
{
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		if (strcmp(want->kind, kind) != 0)
			continue;
		struct resource *r = observe_add(o, want);
		r->presence = UNKNOWN;
		resource_block(o->out, r, "%s", why);
	}
}

struct resource *observe_extra(struct observe *o, const char *kind, const char *engine_name, const char *id)
{
	bool taken = resource_find(o->want, kind, engine_name) || resource_find(o->out, kind, engine_name);
	_cleanup_free_ char *name = taken ? xasprintf("%s (%.12s)", engine_name, id) : xstrdup(engine_name);
	struct resource *r = resource_add(o->out, kind, name);

	r->presence = PRESENT;
	r->owned = true;
	r->id = arena_strdup(resource_set_arena(o->out), id);
	json_set_str(r->body, "name", engine_name);
	return r;
}

const char *engine_name(const struct resource_set *want, const char *kind, const char *name)
{
	const struct resource *r = resource_find(want, kind, name);
	return r ? json_str(r->body, "name") : NULL;
}

void made_meanwhile(struct err *err)
{
	if (err->code == ERR_CONFLICT && strstr(err->msg, "already exists"))
		err->code = ERR_OUT_OF_SEQUENCE;
}
