#include "kinds/container.h"

#include "kinds/kinds.h"
#include "kinds/node_engine.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <string.h>

/*
 * The container Traefik runs in: that it is there, and which networks it is
 * attached to. Of its networks only those are ours that the spec names; it is
 * started by others (Compose, systemd), so it is never created or removed here.
 */

static const struct field fields[] = {
	{"networks", FIELD_MERGE, NULL},
};

static const char *const after[] = {"engine", "swarm", "network", NULL};

#define VERIFY_MS 100

/* Lookup */

/* The engine also takes a prefix of an id for a name. */
static bool is_named(const json_t *inspect, const char *name)
{
	const char *full = json_str(inspect, "Name");
	return full && str_eq(full + (*full == '/'), name);
}

void want_container_of(struct wants *w, const char *node, const char *name)
{
	_cleanup_free_ char *doc = xasprintf("container/%s", name);
	want_node_engine(w, node, doc);
}

enum presence container_find(const struct snapshot *snap, const char *node, const char *name, const json_t **inspect,
			     char **why)
{
	_cleanup_free_ char *doc = xasprintf("container/%s", name);
	const json_t *j = node_engine_get(snap, node, doc, why);

	if (!j)
		return UNKNOWN;
	if (!is_named(j, name))
		return ABSENT;
	*inspect = j;
	return PRESENT;
}

/* Decode */

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *traefik = snode_get(spec_root(spec), "traefik");
	const char *name = snode_str(traefik, "container"), *node = snode_str(traefik, "node");

	if (!name)
		return;
	want_container_of(w, node, name);
	want_node_engine(w, node, "networks");
	want_engine(w, "networks");
}

static int fetch(struct fetch *f, struct err *err)
{
	(void)err;
	node_engine_fetch(f);
	return 0;
}

/*
 * A network as the container's engine knows it. A worker does not know those of the swarm that nothing on it uses yet;
 * the manager's list has them.
 */
static const json_t *find_network(const struct snapshot *snap, const char *node, const char *member, const char *value)
{
	_cleanup_free_ char *why = NULL;
	const json_t *lists[] = {node_engine_get(snap, node, "networks", &why),
				 snapshot_get(snap, "engine/networks", NULL)};
	const json_t *network;
	size_t i;

	for (size_t k = 0; k < ARRAY_SIZE(lists); k++)
		json_array_foreach (lists[k], i, network)
			if (str_eq(json_str(network, member), value) &&
			    (lists[k] == lists[0] || str_eq(json_str(network, "Scope"), "swarm")))
				return network;
	return NULL;
}

static void decode_network(struct decode *d, struct resource *r, json_t *networks, const struct snode *item)
{
	const char *key = snode_scalar(item);
	const struct resource *network = resource_find(d->out, "network", key);
	const char *name = engine_name(d->out, "network", key);

	json_set_bool(networks, name ? name : key, true);
	if (network)
		resource_ref(d->out, r, REF_REQUIRES, item->mark, "network/%s", key);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *traefik = snode_get(spec_root(d->spec), "traefik");
	const struct snode *networks = snode_get(traefik, "networks");
	const char *name = snode_str(traefik, "container"), *node = snode_str(traefik, "node");

	(void)err;
	if (!name)
		return 0;
	struct resource *r = resource_add(d->out, "container", name);
	r->mark = mark_of(snode_get(traefik, "container"), traefik->key_mark);
	r->node = node ? arena_strdup(resource_set_arena(d->out), node) : NULL;
	if (snode_count(networks) > 0) {
		json_t *names = json_object();
		resource_set_field(d->out, r, "networks", json_incref(names), networks->mark);
		for (size_t i = 0; i < networks->n_items; i++)
			decode_network(d, r, names, networks->items[i]);
		mark_members(d->out, r, "networks", networks);
		json_decref(names);
	}
	common_keys(d, r, traefik);
	return 0;
}

/* Observe */

/* By name: inspect has a network's id instead only when it was connected by that. */
static json_t *observe_networks(const struct observe *o, const char *node, const json_t *inspect)
{
	json_t *names = json_object(), *value;
	const char *key;

	json_object_foreach (json_path(inspect, "NetworkSettings.Networks"), key, value) {
		const char *name = json_str(find_network(o->snap, node, "Id", key), "Name");
		json_set_bool(names, name ? name : key, true);
	}
	return names;
}

static int observe(struct observe *o, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		const json_t *inspect = NULL;
		_cleanup_free_ char *why = NULL;
		if (strcmp(want->kind, "container") != 0)
			continue;
		struct resource *r = observe_add(o, want);
		r->ownable = false;
		r->presence = container_find(o->snap, want->node, want->name, &inspect, &why);
		if (r->presence == UNKNOWN)
			resource_block(o->out, r, "%s", why);
		if (r->presence != PRESENT)
			continue;
		r->id = json_str(inspect, "Id");
		resource_set_field(o->out, r, "networks", observe_networks(o, want->node, inspect), (struct mark){0});
	}
	return 0;
}

/* Explain */

static const struct resource *wanted_network(const struct resource_set *want, const char *name)
{
	for (size_t i = 0; i < resource_count(want); i++) {
		const struct resource *r = resource_at(want, i);
		if (str_eq(r->kind, "network") && !r->external && str_eq(json_str(r->body, "name"), name))
			return r;
	}
	return NULL;
}

/*
 * Why a container cannot join the network; NULL: it can. The engine itself does
 * not always say: a stopped container is connected to anything without a check
 * and then does not start any more (measured with 20.10).
 */
static const char *why_not_attachable(const struct observe *o, struct arena *a, const char *node, const char *name)
{
	const struct resource *wanted = wanted_network(o->want, name);
	const json_t *live = find_network(o->snap, node, "Name", name);
	const char *driver = wanted ? json_str(wanted->body, "driver") : json_str(live, "Driver");
	bool attachable = wanted ? json_bool(wanted->body, "attachable") : json_bool(live, "Attachable");

	if (!wanted && !live)
		return arena_printf(a, "network '%s' does not exist and the spec does not declare it", name);
	if (str_eq(driver, "overlay") && !attachable)
		return arena_printf(a, "network '%s' takes tasks of services only: give it 'attachable: true'", name);
	return NULL;
}

static bool shares_namespace(const char *mode)
{
	return mode && (str_eq(mode, "host") || str_eq(mode, "none") || str_starts(mode, "container:"));
}

static const char *why_blocked(const struct observe *o, struct arena *a, const struct change *c, const json_t *inspect)
{
	const struct resource *r = c->desired;
	const char *mode = json_str(json_object_get(inspect, "HostConfig"), "NetworkMode"), *name;
	json_t *value;

	if (!inspect)
		return arena_printf(
			a, "container '%s' is not there; the spec expects it%s%s: start it, or correct the spec",
			r->name, r->node ? " on node " : "", r->node ? r->node : "");
	if (shares_namespace(mode))
		return arena_printf(a, "container '%s' runs with network mode '%s' and cannot join a network", r->name,
				    mode);
	json_object_foreach (json_object_get(r->body, "networks"), name, value) {
		const char *why = json_object_get(json_object_get(c->live->body, "networks"), name)
					  ? NULL
					  : why_not_attachable(o, a, r->node, name);
		if (why)
			return why;
	}
	return NULL;
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	const json_t *inspect = NULL;
	_cleanup_free_ char *unused = NULL;

	container_find(o->snap, c->desired->node, c->desired->name, &inspect, &unused);
	const char *why = why_blocked(o, a, c, inspect);
	if (why) {
		c->state = CHANGE_BLOCKED;
		c->reason = why;
		return;
	}
	bool running = json_is_true(json_path(inspect, "State.Running"));
	c->effect = running ? "connected while it runs; no restart" : "it does not run: attached when it starts";
}

/* Apply */

struct work {
	struct apply *a;
	struct engine *engine; /* of the container's node */
	const char *container;
};

static int inspect_container(const struct work *w, json_t **out, struct err *err)
{
	_cleanup_str_ struct str id = {0};
	engine_escape(w->container, &id);
	return engine_get(w->engine, w->a->deadline, out, err, "/containers/%s/json", str_cstr(&id));
}

static bool is_connected(const json_t *inspect, const char *network)
{
	const json_t *endpoint = json_object_get(json_path(inspect, "NetworkSettings.Networks"), network);
	const char *id = json_str(endpoint, "EndpointID");
	bool running = json_is_true(json_path(inspect, "State.Running"));

	return endpoint && (!running || (id && *id));
}

/*
 * By name: for a network that the engine does not know yet (a worker, an overlay
 * nobody here has joined) what is asked for is also what inspect then shows.
 */
static int connect_network(const struct work *w, const char *network, struct err *err)
{
	_cleanup_str_ struct str path = {0};
	_cleanup_json_ json_t *body = json_object(), *inspect = NULL;

	engine_escape(network, &path);
	json_set_str(body, "Container", w->container);
	if (engine_post(w->engine, w->a->deadline, body, NULL, err, "/networks/%s/connect", str_cstr(&path)) < 0)
		return err_wrap(err, "connect container '%s' to network '%s'", w->container, network);
	for (;;) {
		json_decref(inspect);
		inspect = NULL;
		if (inspect_container(w, &inspect, err) < 0)
			return err_wrap(err, "look whether container '%s' has joined network '%s'", w->container,
					network);
		if (is_connected(inspect, network))
			return 0;
		if (clock_left(w->a->deadline) == 0)
			return err_set(err, ERR_TIMEOUT,
				       "container '%s' was connected to network '%s' but has no address there",
				       w->container, network);
		if (!clock_sleep(VERIFY_MS))
			return err_set(err, ERR_CANCELLED, "wait for container '%s' on network '%s': cancelled",
				       w->container, network);
	}
}

/* A network that goes */

size_t container_list_users(const struct observe *o, const char *network, struct str *out)
{
	size_t n = 0;

	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *r = resource_at(o->want, i);
		const struct resource *live = resource_find(o->out, r->kind, r->name);
		if (strcmp(r->kind, "container") == 0 && live &&
		    json_object_get(json_object_get(live->body, "networks"), network))
			str_addf(out, "%s%s", n++ ? ", " : "", r->name);
	}
	return n;
}

static int leave(const struct work *w, const char *network, struct err *err)
{
	_cleanup_json_ json_t *inspect = NULL, *body = json_pack("{s:s}", "Container", w->container);
	_cleanup_str_ struct str path = {0};
	struct err why = {0};

	engine_escape(network, &path);
	if (inspect_container(w, &inspect, &why) < 0 && why.code != ERR_NOT_FOUND) {
		*err = why;
		return -1;
	}
	if (!json_object_get(json_path(inspect, "NetworkSettings.Networks"), network))
		return 0;
	return engine_post(w->engine, w->a->deadline, body, NULL, err, "/networks/%s/disconnect", str_cstr(&path));
}

int container_leave_network(struct apply *a, const char *network, struct err *err)
{
	for (size_t i = 0; i < resource_count(a->want); i++) {
		const struct resource *r = resource_at(a->want, i);
		struct work w = {.a = a, .container = r->name};
		if (strcmp(r->kind, "container") != 0)
			continue;
		if (cluster_engine(a->cluster, r->node, &w.engine, err) < 0 || leave(&w, network, err) < 0)
			return err_wrap(err, "disconnect container '%s' from network '%s'", r->name, network);
	}
	return 0;
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	struct work w = {.a = a, .container = c->desired->name};
	_cleanup_json_ json_t *inspect = NULL;
	const char *network;
	json_t *value;

	if (cluster_engine(a->cluster, c->desired->node, &w.engine, err) < 0 ||
	    inspect_container(&w, &inspect, err) < 0)
		return err_wrap(err, "container '%s'", w.container);
	json_object_foreach (json_object_get(c->desired->body, "networks"), network, value)
		if (!is_connected(inspect, network) && connect_network(&w, network, err) < 0)
			return -1;
	return 0;
}

const struct kind kind_container = {
	.name = "container",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.needs = needs,
	.fetch = fetch,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
};
