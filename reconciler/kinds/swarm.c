#include "kinds/cidr.h"
#include "kinds/kinds.h"
#include "kinds/member.h"
#include "kinds/node.h"
#include "kinds/util.h"

#include <string.h>
#include "sys/clock.h"

/*
 * The swarm itself, and who is in it (kinds/member.h): created once, never left. What a
 * swarm is created with (address pools) cannot be changed later (FACTS C).
 */

#define DEFAULT_SUBNET_SIZE 24

static const struct field fields[] = {
	{"address", 0, NULL}, /* of a member, which it joins with; equal on both sides, as its role */
	{"advertise_addr", FIELD_CREATE_ONLY, NULL},
	{"default_addr_pool", FIELD_CREATE_ONLY, NULL},
	{"former", 0, NULL}, /* of a member, live only: entries of former installations */
	{"role", 0, NULL},
	{"subnet_size", FIELD_CREATE_ONLY, "bits"},
};

static const char *const after[] = {"package", "engine", NULL};

static void needs(const struct spec *spec, struct wants *w)
{
	if (spec_wants_swarm(spec)) {
		want_swarm_list(w, "nodes");
		want_swarm_list(w, "networks");
		node_want_infos(spec, w);
	}
}

/* Why this manager stands against creating a swarm, in the arena; NULL: it does not. */
static const char *objection(struct decode *d, const struct snode *manager)
{
	struct arena *a = resource_set_arena(d->out);
	const char *why = "it was not asked", *shown = snode_shown(snode_get(manager, "address"));
	const json_t *info = node_info(d->snap, manager->key, &why);
	const char *state = node_swarm_state(info);

	if (!info && snode_bool(manager, "optional", false))
		return NULL;
	if (!info)
		return arena_printf(
			a,
			"a swarm is created only when every manager of the spec is known to be in none, and "
			"'%s' (%s) is not: %s",
			manager->key, shown, why);
	if (json_is_null(info))
		return arena_printf(a,
				    "a swarm is created only when every manager of the spec is there, and no Docker "
				    "engine runs on '%s' (%s)",
				    manager->key, shown);
	if (strcmp(state, "inactive") == 0)
		return NULL;
	return arena_printf(a,
			    "manager '%s' (%s) is in a swarm already (%s), and two cannot be made one: point "
			    "DOCKER_HOST at a manager of that one, or run `docker swarm leave` there if it is to go",
			    manager->key, shown, *state ? state : "unknown");
}

static bool block_on_objection(struct decode *d, struct resource *r)
{
	const struct snode *nodes = snode_get(spec_root(d->spec), "nodes");

	for (size_t i = 0; i < snode_count(nodes); i++) {
		const char *why =
			str_eq(snode_str(nodes->items[i], "role"), "manager") ? objection(d, nodes->items[i]) : NULL;
		if (!why)
			continue;
		resource_block(d->out, r, "%s", why);
		return true;
	}
	return false;
}

/* Two swarms that should be one cannot be merged, so a swarm is created only where nothing is in doubt. */
static void block_unless_creatable(struct decode *d, struct resource *r)
{
	const struct snode *founder = swarm_founder(d->spec);
	struct cidr address;

	if (!json_bool(snapshot_get(d->snap, "run/options", NULL), "may_init")) {
		resource_block(d->out, r, "this engine is in no swarm: run `reconcile bootstrap`");
		return;
	}
	if (!founder) {
		resource_block(d->out, r, "a swarm is created by its first manager: declare one under `nodes`");
		return;
	}
	if (block_on_objection(d, r))
		return;
	const struct snode *said = snode_get(founder, "address");
	if (!node_has_engine(d->snap, founder->key))
		resource_block(d->out, r,
			       "the swarm is created on manager '%s' (%s), but the engine in use is not its: unset "
			       "DOCKER_HOST",
			       founder->key, snode_shown(said));
	else if (!cidr_parse(snode_scalar(said), &address))
		resource_block(d->out, r,
			       "the other nodes will know manager '%s' by its address, which has to be an IP address, "
			       "not '%s'",
			       founder->key, snode_shown(said));
	else
		resource_set_field(d->out, r, "advertise_addr", json_string(snode_scalar(said)), said->mark);
}

/* The first node of the spec whose address is in the network; NULL: none. */
static const struct snode *node_within(const struct spec *spec, const char *net_text)
{
	const struct snode *nodes = snode_get(spec_root(spec), "nodes");
	struct cidr net, address;

	if (!net_text || !cidr_parse(net_text, &net))
		return NULL;
	for (size_t i = 0; i < snode_count(nodes); i++) {
		const char *text = snode_str(nodes->items[i], "address");
		if (text && cidr_parse(text, &address) && cidr_contains(&net, &address))
			return nodes->items[i];
	}
	return NULL;
}

/* FACTS C: an overlay network with the LAN's own subnet cuts its containers off from the hosts. */
static bool note_overlapping_networks(struct decode *d, struct resource *r)
{
	const json_t *network, *config;
	bool noted = false;
	size_t i, k;

	json_array_foreach (snapshot_get(d->snap, "engine/networks", NULL), i, network) {
		if (!str_eq(json_str(network, "Driver"), "overlay"))
			continue;
		json_array_foreach (json_path(network, "IPAM.Config"), k, config) {
			const char *subnet = json_str(config, "Subnet");
			const struct snode *node = node_within(d->spec, subnet);
			if (!node)
				continue;
			resource_note(
				d->out, r,
				"network '%s' has the subnet %s, in which node '%s' (%s) is as well: its containers "
				"cannot reach the hosts; Swarm takes other subnets only from a pool chosen when it is "
				"created",
				json_str(network, "Name"), subnet, node->key, snode_shown(snode_get(node, "address")));
			noted = true;
		}
	}
	return noted;
}

static void note_overlapping_pool(struct decode *d, struct resource *r)
{
	const json_t *pools = json_path(snapshot_get(d->snap, "engine/info", NULL), "Swarm.Cluster.DefaultAddrPool");
	const json_t *pool;
	size_t i;

	json_array_foreach (pools, i, pool) {
		const struct snode *node = node_within(d->spec, json_string_value(pool));
		if (node)
			resource_note(
				d->out, r,
				"the swarm's address pool %s contains node '%s' (%s): a new network could get the "
				"hosts' own subnet; give it one with ipam.config, for the pool cannot be changed",
				json_string_value(pool), node->key, snode_shown(snode_get(node, "address")));
	}
}

static bool has_spec_address(const struct snode *nodes, const json_t *entry)
{
	for (size_t i = 0; i < nodes->n_items; i++)
		if (str_eq(snode_str(nodes->items[i], "address"), node_address(entry)))
			return true;
	return false;
}

/* A node that leaves the spec is reported, not drained (DESIGN 2). */
static void note_strangers(struct decode *d, struct resource *r)
{
	const struct snode *nodes = snode_get(spec_root(d->spec), "nodes");
	const json_t *live = snapshot_get(d->snap, "engine/nodes", NULL), *entry = NULL;
	_cleanup_json_ json_t *ours = json_object();
	size_t i;

	if (snode_count(nodes) == 0)
		return;
	for (i = 0; i < nodes->n_items; i++) {
		struct node_id id = node_id_of(nodes->items[i]);
		_cleanup_free_ char *why = NULL;
		if (node_find(d->snap, &id, &entry, &why) == NODE_FOUND)
			json_set_bool(ours, json_str(entry, "ID"), true);
	}
	json_array_foreach (live, i, entry) {
		const char *id = json_str(entry, "ID");
		if (!json_object_get(ours, id) && !has_spec_address(nodes, entry))
			resource_note(d->out, r,
				      "node '%s' (%s, id %s) is in the swarm but not in the spec: it is left as it is",
				      json_str(json_object_get(entry, "Description"), "Hostname"), node_address(entry),
				      id);
	}
}

static int decode(struct decode *d, struct err *err)
{
	(void)err;
	if (!spec_wants_swarm(d->spec))
		return 0;

	const struct snode *section = snode_get(spec_root(d->spec), "swarm");
	struct resource *r = resource_add(d->out, "swarm", spec_cluster(d->spec));
	const char *why;

	r->mark = section && !section->is_default ? section->key_mark : snode_get(spec_root(d->spec), "cluster")->mark;
	const struct snode *pool = snode_get(section, "default_addr_pool"), *size = snode_get(section, "subnet_size");
	if (snode_count(pool) > 0)
		resource_set_field(d->out, r, "default_addr_pool", snode_json(pool), pool->mark);
	if (size && !size->is_default)
		resource_set_field(d->out, r, "subnet_size", json_integer(size->integer), size->mark);
	common_keys(d, r, section);

	enum swarm_role role = swarm_role(d->snap, &why);
	if (role == SWARM_NONE)
		block_unless_creatable(d, r);
	member_decode(d, role == SWARM_NONE, r);
	if (role != SWARM_MANAGER)
		return 0;
	if (!note_overlapping_networks(d, r))
		note_overlapping_pool(d, r);
	note_strangers(d, r);
	return 0;
}

/* The live value of a field that is only used at creation, where the spec has one to compare with. */
static void observe_field(struct observe *o, struct resource *r, const json_t *wanted, const char *field,
			  const json_t *live)
{
	if (json_object_get(wanted, field))
		resource_set_field(o->out, r, field, json_incref((json_t *)live), (struct mark){0});
}

static bool is_in_raft(const struct snapshot *snap, const char *id)
{
	const json_t *nodes = snapshot_get(snap, "engine/nodes", NULL), *entry;
	size_t i;

	json_array_foreach (nodes, i, entry)
		if (str_eq(json_str(entry, "ID"), id))
			return json_is_object(json_object_get(entry, "ManagerStatus"));
	return !nodes;
}

/*
 * The manager of the spec that controls a swarm without being one of this one's managers: of another one, or of what
 * this one was before somebody forced a new one. Only a person knows which of the two is meant. NULL: there is none.
 */
static const char *rival(const struct observe *o)
{
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *n = resource_at(o->want, i);
		if (!str_eq(n->kind, "node") || !str_eq(json_str(n->body, "role"), "manager"))
			continue;
		const json_t *info = node_info(o->snap, n->name, NULL), *swarm = json_object_get(info, "Swarm");
		const char *error = json_str(swarm, "Error");
		if (json_bool(swarm, "ControlAvailable") && !(error && *error) &&
		    !is_in_raft(o->snap, node_own_id(info)))
			return n->name;
	}
	return NULL;
}

static int observe(struct observe *o, struct err *err)
{
	const char *why;
	enum swarm_role role = swarm_role(o->snap, &why);
	const struct resource *want = resource_find(o->want, "swarm", o->cluster);

	(void)err;
	if (!want)
		return 0;
	if (role != SWARM_MANAGER && role != SWARM_NONE) {
		observe_unknown(o, "swarm", why);
		return 0;
	}
	member_observe(o);
	struct resource *r = observe_add(o, want);
	r->owned = true; /* there is one swarm and nothing to confuse it with */
	if (role == SWARM_NONE)
		return 0;

	const json_t *swarm = json_path(snapshot_get(o->snap, "engine/info", NULL), "Swarm");
	const json_t *cluster = json_object_get(swarm, "Cluster");
	if (!json_str(cluster, "ID")) { /* without a leader nobody knows */
		const char *error = json_str(swarm, "Error");
		r->presence = UNKNOWN;
		resource_block(o->out, r, "the manager does not tell what its swarm is: %s",
			       error && *error ? error : "it does not say why");
		return 0;
	}
	const json_t *options = snapshot_get(o->snap, "run/options", NULL);
	const char *other = json_bool(options, "engine_given") ? NULL : rival(o);
	if (other) {
		r->presence = UNKNOWN;
		resource_block(
			o->out, r,
			"the spec's managers are in two swarms: '%s' is a manager of another one than '%s', which "
			"was asked. Point DOCKER_HOST at a manager of the one that is meant, or run `docker swarm "
			"leave --force` on those of the other",
			other, json_str(snapshot_get(o->snap, "engine/info", NULL), "Name"));
		return 0;
	}
	r->presence = PRESENT;
	r->id = arena_strdup(resource_set_arena(o->out), json_str(cluster, "ID"));
	observe_field(o, r, want->body, "default_addr_pool", json_object_get(cluster, "DefaultAddrPool"));
	observe_field(o, r, want->body, "subnet_size", json_object_get(cluster, "SubnetSize"));
	return 0;
}

static int wait_for_manager(struct apply *a, struct err *err)
{
	for (;;) {
		_cleanup_json_ json_t *info = NULL;
		if (engine_get(a->cluster->engine, a->deadline, &info, err, "/info") < 0)
			return -1;
		if (json_is_true(json_path(info, "Swarm.ControlAvailable")))
			return 0;
		if (clock_left(a->deadline) == 0)
			return err_set(err, ERR_TIMEOUT, "the swarm was created, but its manager is '%s'",
				       json_str(json_object_get(info, "Swarm"), "LocalNodeState"));
		if (!clock_sleep(200))
			return err_set(err, ERR_CANCELLED, "waiting for the new swarm's manager: stopped");
	}
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	const json_t *body = c->desired->body;
	_cleanup_json_ json_t *init = json_object();

	if (c->desired->node)
		return member_apply(a, c, err);
	if (c->action != ACTION_CREATE)
		return 0;
	if (!a->cluster->may_init)
		return err_set(err, ERR_BLOCKED, "creating the swarm: only `reconcile bootstrap` may");
	json_set_str(init, "ListenAddr", "0.0.0.0:2377");
	json_set_str(init, "AdvertiseAddr", json_str(body, "advertise_addr"));
	if (json_object_get(body, "default_addr_pool"))
		json_set(init, "DefaultAddrPool", json_incref(json_object_get(body, "default_addr_pool")));
	/* The docker client fills this in; with 0 beside a pool Swarm never gives a network its subnet. */
	json_set_int(init, "SubnetSize", json_int(body, "subnet_size", DEFAULT_SUBNET_SIZE));
	if (engine_post(a->cluster->engine, a->deadline, init, NULL, err, "/swarm/init") < 0)
		return err_wrap(err, "creating the swarm");
	return wait_for_manager(a, err);
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	if (c->desired && c->desired->node)
		member_explain(o, a, c);
	else if (c->action == ACTION_CREATE)
		c->asks = "creates a swarm";
}

const struct kind kind_swarm = {
	.name = "swarm",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
};
