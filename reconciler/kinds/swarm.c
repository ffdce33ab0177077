#include "kinds/cidr.h"
#include "kinds/kinds.h"
#include "kinds/node.h"
#include "kinds/util.h"
#include "sys/clock.h"

/*
 * The swarm itself: created once, never left, never joined to another. What a
 * swarm is created with (address pools) cannot be changed later (FACTS C).
 */

#define DEFAULT_SUBNET_SIZE 24

static const struct field fields[] = {
	{"advertise_addr", FIELD_CREATE_ONLY, NULL},
	{"default_addr_pool", FIELD_CREATE_ONLY, NULL},
	{"subnet_size", FIELD_CREATE_ONLY, "bits"},
};

static void needs(const struct spec *spec, struct wants *w)
{
	if (spec_wants_swarm(spec)) {
		want_swarm_list(w, "nodes");
		want_swarm_list(w, "networks");
	}
}

/* The only declared manager; NULL when there is none or more than one, *n says how many. */
static const struct snode *sole_manager(const struct spec *spec, size_t *n)
{
	const struct snode *nodes = snode_get(spec_root(spec), "nodes"), *manager = NULL;

	*n = 0;
	for (size_t i = 0; i < snode_count(nodes); i++) {
		if (!str_eq(snode_str(nodes->items[i], "role"), "manager"))
			continue;
		manager = nodes->items[i];
		++*n;
	}
	return *n == 1 ? manager : NULL;
}

/* Two swarms that should be one cannot be merged, so a swarm is created only where nothing is in doubt. */
static void block_unless_creatable(struct decode *d, struct resource *r)
{
	size_t n;
	const struct snode *manager = sole_manager(d->spec, &n);
	struct cidr address;

	if (!json_bool(snapshot_get(d->snap, "run/options", NULL), "may_init")) {
		resource_block(d->out, r, "this engine is in no swarm: run `reconcile bootstrap`");
		return;
	}
	if (!manager) {
		resource_block(d->out, r,
			       "a swarm is created by its only manager, the spec declares %zu: declare one under "
			       "`nodes`, and the others once it runs",
			       n);
		return;
	}
	struct node_id id = node_id_of(manager);
	const struct snode *said = snode_get(manager, "address");
	if (!node_is_here(d->snap, &id))
		resource_block(d->out, r,
			       "the swarm would be created on this machine, but the spec's manager '%s' (%s) is not "
			       "this machine, or the engine is another machine's: run this there",
			       id.name, snode_shown(said));
	else if (!cidr_parse(id.address, &address))
		resource_block(d->out, r,
			       "the other nodes will know manager '%s' by its address, which has to be an IP address, "
			       "not '%s'",
			       id.name, snode_shown(said));
	else
		resource_set_field(d->out, r, "advertise_addr", json_string(id.address), said->mark);
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
	after_refs(d, r, section);

	enum swarm_role role = swarm_role(d->snap, &why);
	if (role == SWARM_NONE)
		block_unless_creatable(d, r);
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
	struct resource *r = observe_add(o, want);
	r->owned = true; /* there is one swarm and nothing to confuse it with */
	if (role == SWARM_NONE)
		return 0;

	const json_t *cluster = json_path(snapshot_get(o->snap, "engine/info", NULL), "Swarm.Cluster");
	r->presence = PRESENT;
	if (json_str(cluster, "ID"))
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

const struct kind kind_swarm = {
	.name = "swarm",
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.apply = apply,
};
