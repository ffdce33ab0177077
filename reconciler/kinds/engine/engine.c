#include "kinds/engine/daemon.h"
#include "kinds/engine/write.h"
#include "kinds/kinds.h"
#include "kinds/node.h"
#include "kinds/util.h"

#include <string.h>

/*
 * dockerd's configuration on one node: the keys of daemon.json that the spec names, for all nodes or for this one. A
 * node of which the spec says nothing has no such resource.
 */

#define PATIENCE_MS (INT64_C(15) * 60 * 1000)

static const struct field fields[] = {
	{"daemon", FIELD_MERGE, NULL}, {"loaded", 0, NULL}, /* whether the running dockerd has it */
};

static const char *const after[] = {"package", NULL};

static const struct snode *section(const struct spec *spec, const char *name)
{
	return snode_get(spec_root(spec), name);
}

static bool has_keys(const struct spec *spec, const struct snode *node)
{
	return snode_count(snode_get(section(spec, "engine"), "daemon")) > 0 ||
	       snode_count(snode_path(node, "engine.daemon")) > 0;
}

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *nodes = section(spec, "nodes");
	bool any = false;

	for (size_t i = 0; i < snode_count(nodes); i++) {
		if (!has_keys(spec, nodes->items[i]))
			continue;
		want_look(w, nodes->items[i]->key, "dockerd", DAEMON_MARK);
		want_file(w, nodes->items[i]->key, DAEMON_FILE);
		want_swarm_list(w, "nodes");
		any = true;
	}
	if (any)
		node_want_infos(spec, w);
}

/* Decode */

/* As the diff writes the path of a member, at every depth. */
static void mark_all(struct decode *d, struct resource *r, const char *path, const struct snode *map)
{
	for (size_t i = 0; map->type == SNODE_MAP && i < map->n_items; i++) {
		const struct snode *item = map->items[i];
		_cleanup_free_ char *member = member_path(path, item->key);
		resource_mark(d->out, r, member, item->mark);
		mark_all(d, r, member, item);
	}
}

static void add_keys(struct decode *d, struct resource *r, json_t *out, const struct snode *daemon)
{
	for (size_t i = 0; i < snode_count(daemon); i++)
		json_set(out, daemon->items[i]->key, snode_json(daemon->items[i]));
	if (daemon)
		mark_all(d, r, "daemon", daemon);
}

/* True when it can be, as far as is known. */
static bool block_what_cannot_be(struct decode *d, struct resource *r)
{
	const char *why = "";
	struct daemon_view v;
	bool known = daemon_view(d->snap, resource_set_arena(d->out), r->node, &v, &why), can = known;

	if (v.installed && v.config_file && strcmp(v.config_file, DAEMON_FILE) != 0) {
		can = false;
		resource_block(d->out, r, "dockerd on node '%s' was started with --config-file %s: it does not read %s",
			       r->node, v.config_file, DAEMON_FILE);
	} else if (known && !v.installed && json_bool(snapshot_get(d->snap, "run/options", NULL), "may_init")) {
		resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "package/%s", r->node);
	} else if (known && !v.installed) {
		can = false;
		resource_block(d->out, r, "Docker is not installed on node '%s': run `reconcile bootstrap`", r->node);
	}
	daemon_view_free(&v);
	return can;
}

static struct resource *decode_node(struct decode *d, const struct snode *node, bool *can)
{
	const struct snode *all = section(d->spec, "engine"), *own = snode_get(node, "engine");
	struct resource *r = resource_add(d->out, "engine", node->key);
	json_t *daemon = json_object();

	r->node = r->name;
	r->mark = own ? own->key_mark : all->key_mark;
	add_keys(d, r, daemon, snode_get(all, "daemon"));
	add_keys(d, r, daemon, snode_get(own, "daemon"));
	resource_set_field(d->out, r, "daemon", daemon, r->mark);
	resource_set_field(d->out, r, "loaded", json_true(), r->mark);
	common_keys(d, r, own ? own : all);
	*can = block_what_cannot_be(d, r);
	return r;
}

/*
 * One after the other, managers last: two that restart at once could be the majority, and what one of them does not
 * come up with is not tried on the next. A node whose engine does not answer, or cannot have it, holds nobody up.
 */
static int decode(struct decode *d, struct err *err)
{
	const struct snode *nodes = section(d->spec, "nodes");
	const char *before = NULL;

	(void)err;
	for (int managers = 0; managers <= 1; managers++) {
		for (size_t i = 0; i < snode_count(nodes); i++) {
			const struct snode *node = nodes->items[i];
			if (str_eq(snode_str(node, "role"), "manager") != managers || !has_keys(d->spec, node))
				continue;
			bool can;
			struct resource *r = decode_node(d, node, &can);
			if (before)
				resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "engine/%s", before);
			if (can)
				before = r->name;
		}
	}
	return 0;
}

/* Observe */

static void observe_node(struct observe *o, const struct resource *want)
{
	const json_t *wanted = json_object_get(want->body, "daemon");
	struct resource *r = observe_add(o, want);
	struct daemon_view v;
	const char *why = "";

	r->owned = true; /* the keys that the spec names are its own */
	if (!daemon_view(o->snap, resource_set_arena(o->out), want->node, &v, &why)) {
		r->presence = UNKNOWN;
		resource_block(o->out, r, "%s", why);
	} else if (v.installed) {
		r->presence = PRESENT;
		json_set(r->body, "daemon", daemon_pick(v.file, wanted));
		json_set_bool(r->body, "loaded", v.info && !v.pending && !daemon_not_loaded(v.info, wanted));
	}
	daemon_view_free(&v);
}

static int observe(struct observe *o, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < resource_count(o->want); i++)
		if (str_eq(resource_at(o->want, i)->kind, "engine"))
			observe_node(o, resource_at(o->want, i));
	return 0;
}

/* What has to be done on the node, and in the swarm around it. */

struct outlook {
	bool restart, systemd, running;
	const char *node_id;      /* NULL: in no swarm */
	const char *availability; /* that the spec wants; NULL: it says nothing */
	const char *obstacle;     /* why a restart is not possible now; NULL: it is. In the arena */
};

/* A manager may go only while the others are a majority; a pair never is one without the other, and works again after.
 */
static const char *quorum_obstacle(const json_t *nodes, const char *node_id)
{
	const json_t *entry;
	size_t i, managers = 0, reachable = 0;
	bool is_manager = false;

	json_array_foreach (nodes, i, entry) {
		const json_t *status = json_object_get(entry, "ManagerStatus");
		if (!json_is_object(status))
			continue;
		managers++;
		is_manager |= str_eq(json_str(entry, "ID"), node_id);
		reachable += str_eq(json_str(status, "Reachability"), "reachable");
	}
	if (!is_manager || reachable == managers || reachable > managers / 2 + 1)
		return NULL;
	return "while another manager does not answer, restarting this one would leave the swarm no majority";
}

static void see_swarm(struct outlook *l, const struct snapshot *snap, const struct resource_set *want, struct arena *a,
		      const char *node, const json_t *info)
{
	const char *state = json_str(json_object_get(info, "Swarm"), "LocalNodeState");
	const struct resource *n = resource_find(want, "node", node);
	_cleanup_free_ char *why = NULL;
	const json_t *entry = NULL;

	if (!info || str_eq(state, "inactive"))
		return;
	const struct node_id id = {.name = node,
				   .address = n ? json_str(n->body, "address") : NULL,
				   .hostname = n ? json_str(n->body, "hostname") : NULL};
	if (!n || node_find(snap, &id, &entry, &why) != NODE_FOUND) {
		l->obstacle =
			arena_printf(a, "its engine has to be restarted, and its tasks cannot be moved away before: %s",
				     why ? why : "the node is not found in the swarm that the spec describes");
		return;
	}
	l->node_id = json_str(entry, "ID");
	l->availability = json_str(n->body, "availability");
	l->obstacle = quorum_obstacle(snapshot_get(snap, "engine/nodes", NULL), l->node_id);
}

static struct outlook look_ahead(const struct snapshot *snap, const struct resource_set *want, struct arena *a,
				 const struct resource *desired)
{
	const json_t *wanted = json_object_get(desired->body, "daemon");
	struct outlook l = {0};
	const char *why = "";
	struct daemon_view v;

	if (daemon_view(snap, a, desired->node, &v, &why) && v.installed) {
		l.systemd = v.systemd;
		l.running = v.info != NULL;
		l.restart = !v.info || str_eq(v.pending, "restart") || daemon_needs_restart(v.file, v.info, wanted);
		see_swarm(&l, snap, want, a, desired->node, v.info);
	} else { /* it comes with a package of this plan */
		l.restart = l.systemd = true;
	}
	daemon_view_free(&v);
	return l;
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	struct outlook l = look_ahead(o->snap, o->want, a, c->desired);
	const char *node = c->desired->node;

	if (c->state == CHANGE_BLOCKED)
		return;
	if (!l.restart) {
		c->effect = "dockerd is reloaded, nothing restarts";
		return;
	}
	if (!l.systemd)
		c->reason =
			arena_printf(a,
				     "dockerd on node '%s' has to be restarted for this, and systemd does not run it: "
				     "change %s there and restart dockerd as it was started",
				     node, DAEMON_FILE);
	else if (l.obstacle)
		c->reason = arena_printf(a, "node '%s': %s", node, l.obstacle);
	if (c->reason) {
		c->state = CHANGE_BLOCKED;
		return;
	}
	if (l.running && c->disruption < DISRUPTS_EVICT)
		c->disruption = DISRUPTS_EVICT;
	c->effect = !l.running  ? "dockerd is started with it"
		    : l.node_id ? arena_printf(a,
					       "restarts dockerd on node '%s': its tasks move away before, other "
					       "containers there restart",
					       node)
				: arena_printf(a, "restarts dockerd on node '%s': its containers restart", node);
}

/* As it is now: others have restarted before, or failed. */
static int check_quorum(struct apply *a, const struct outlook *l, struct err *err)
{
	_cleanup_json_ json_t *nodes = NULL;

	if (!l->restart || !l->node_id)
		return 0;
	if (engine_get(a->cluster->engine, a->deadline, &nodes, err, "/nodes") < 0)
		return -1;
	const char *obstacle = quorum_obstacle(nodes, l->node_id);
	return obstacle ? err_set(err, ERR_BLOCKED, "%s", obstacle) : 0;
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	struct arena *arena = arena_new();
	struct outlook l = look_ahead(a->snap, a->want, arena, c->desired);
	const struct daemon_change x = {
		.node = c->desired->node,
		.wanted = json_object_get(c->desired->body, "daemon"),
		.restart = l.restart,
		.node_id = l.node_id,
		.availability = l.availability,
	};
	int rc = check_quorum(a, &l, err) < 0 ? -1 : daemon_write(a, &x, err);

	arena_free(arena);
	return rc;
}

static int64_t patience_ms(const struct change *c)
{
	(void)c;
	return PATIENCE_MS;
}

const struct kind kind_engine = {
	.name = "engine",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
	.patience_ms = patience_ms,
};
