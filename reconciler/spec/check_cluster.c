/* Nodes and managers, address pools, networks, and names that must be unique. FACTS C, G28, G47. */
#include "spec/check_util.h"

#include <stdlib.h>
#include <string.h>

/* swarmkit's defaults: 10.0.0.0/8, whose first /24 becomes the ingress network. */
static const struct net4 default_pool = {0x0a000000, 8}, default_ingress = {0x0a000000, 24};

static void managers(struct checker *c, const struct snode *nodes)
{
	size_t n = 0, optional = 0;

	for (size_t i = 0; i < nodes->n_items; i++) {
		const char *role = snode_str(nodes->items[i], "role");
		if (role && strcmp(role, "manager") != 0 && strcmp(role, "worker") != 0)
			return; /* the schema says it; who is meant to be a manager is not known */
		if (str_eq(role, "manager")) {
			n++;
			optional += snode_bool(nodes->items[i], "optional", false);
		}
	}
	if (nodes->n_items == 0)
		return;
	if (n == 0)
		check_error(c, nodes->key_mark, "nodes: none is a manager, and a Swarm needs one; write role: manager");
	else if (n - optional < n / 2 + 1)
		check_error(c, nodes->key_mark,
			    "nodes: %zu of %zu managers may be missing (optional: true), but a Swarm needs %zu of them "
			    "to work",
			    optional, n, n / 2 + 1);
	else if (n % 2 == 0)
		check_warn(
			c, nodes->key_mark,
			"nodes: %zu managers can lose %zu and keep working, no more than %zu could; use an odd number",
			n, (n - 1) / 2, n - 1);
}

static void same(struct checker *c, const struct snode *nodes, const char *key, const char *what)
{
	VEC(struct named) list = {0};

	for (size_t i = 0; i < nodes->n_items; i++) {
		const struct snode *n = snode_get(nodes->items[i], key);
		const char *name = n ? snode_scalar(n) : NULL;
		if (!name && strcmp(key, "hostname") == 0)
			name = nodes->items[i]->key;
		if (name)
			vec_push(&list, ((struct named){.name = name,
							.item = nodes->items[i],
							.mark = n ? n->mark : nodes->items[i]->key_mark}));
	}
	named_sort(list.v, list.n);
	for (size_t i = 1; i < list.n; i++)
		if (strcmp(list.v[i - 1].name, list.v[i].name) == 0)
			check_error(c, list.v[i].mark, "node '%s': node '%s' has the same %s", list.v[i].item->key,
				    list.v[i - 1].item->key, what);
	vec_free(&list);
}

/* The same twice is one machine declared twice. */
static void twice(struct checker *c, const struct snode *nodes)
{
	same(c, nodes, "address", "address");
	same(c, nodes, "hostname", "host name");
}

/* The first node whose address lies in the network; NULL: none. */
static const struct snode *node_within(const struct checker *c, const struct net4 *net)
{
	const struct snode *nodes = section_of(c, "nodes");
	struct net4 address;

	for (size_t i = 0; i < snode_count(nodes); i++) {
		const char *text = snode_str(nodes->items[i], "address");
		if (text && net4_parse(text, &address) && net4_overlap(&address, net))
			return nodes->items[i];
	}
	return NULL;
}

static void default_addresses(struct checker *c, const struct snode *nodes)
{
	const struct snode *pool = snode_path(c->root, "swarm.default_addr_pool");
	const struct snode *node = snode_count(pool) ? NULL : node_within(c, &default_pool);

	(void)nodes;
	if (!node)
		return;
	const struct snode *in_ingress = node_within(c, &default_ingress);
	const struct snode *address = snode_get(in_ingress ? in_ingress : node, "address");
	check_warn(
		c, address->mark,
		in_ingress
			? "node '%s': %s lies in 10.0.0.0/24, which Swarm gives to its ingress network unless told "
			  "otherwise: containers could not reach the hosts; write swarm.default_addr_pool: "
			  "[10.64.0.0/14]"
			: "node '%s': %s lies in 10.0.0.0/8, from which Swarm takes the subnets of its networks unless "
			  "told otherwise; write swarm.default_addr_pool with a range that the LAN does not use",
		(in_ingress ? in_ingress : node)->key, snode_shown(address));
}

struct subnet {
	struct net4 net;
	const struct snode *network, *text;
};

static int compare_subnets(const void *a, const void *b)
{
	const struct subnet *x = a, *y = b;
	return x->net.addr < y->net.addr ? -1 : x->net.addr > y->net.addr;
}

static void check_pool(struct checker *c, const struct subnet *pool)
{
	const struct snode *swarm = section_of(c, "swarm"), *size = snode_get(swarm, "subnet_size");
	const struct snode *node = node_within(c, &pool->net);
	int64_t bits = snode_int(swarm, "subnet_size", 24);
	char shown[NUMBER_SIZE];

	if (node)
		check_error(
			c, pool->text->mark,
			"swarm: the pool %s overlaps the address %s of node '%s': containers could not reach that host",
			snode_shown(pool->text), snode_shown(snode_get(node, "address")), node->key);
	if (bits < pool->net.bits)
		check_error(c, size && !size->is_default ? size->mark : pool->text->mark,
			    "swarm: a subnet of size /%s does not fit into the pool %s",
			    number_shown(shown, size, bits), snode_shown(pool->text));
}

static void pools(struct checker *c, const struct snode *swarm)
{
	const struct snode *items = snode_get(swarm, "default_addr_pool");
	VEC(struct subnet) list = {0};

	for (size_t i = 0; i < snode_count(items); i++) {
		struct subnet pool = {.text = items->items[i]};
		const char *text = snode_scalar(items->items[i]);
		if (!text || !strchr(text, '/') || !net4_parse(text, &pool.net))
			continue; /* the schema says it */
		check_pool(c, &pool);
		vec_push(&list, pool);
	}
	if (list.n > 0)
		qsort(list.v, list.n, sizeof(*list.v), compare_subnets);
	for (size_t i = 1; i < list.n; i++)
		if (net4_overlap(&list.v[i - 1].net, &list.v[i].net))
			check_error(c, list.v[i].text->mark, "swarm: the pools %s and %s overlap",
				    snode_shown(list.v[i - 1].text), snode_shown(list.v[i].text));
	vec_free(&list);
}

static bool subnet_read(struct checker *c, const struct snode *network, const struct snode *pool, struct subnet *out)
{
	const struct snode *text = snode_get(pool, "subnet"), *node;

	if (!snode_scalar(text))
		return false;
	if (!strchr(text->text, '/')) {
		check_error(c, text->mark,
			    "network '%s': subnet must be a network in CIDR form, for example 10.70.0.0/24",
			    network->key);
		return false;
	}
	if (!net4_parse(text->text, &out->net)) /* IPv6: nothing to compare with */
		return false;
	node = node_within(c, &out->net);
	if (node)
		check_error(
			c, text->mark,
			"network '%s': its subnet %s overlaps the address %s of node '%s': containers could not reach "
			"that host",
			network->key, snode_shown(text), snode_shown(snode_get(node, "address")), node->key);
	out->network = network;
	out->text = text;
	return true;
}

static void gateway_within(struct checker *c, const struct subnet *s, const struct snode *pool)
{
	static const char *const keys[] = {"gateway", "ip_range"};
	struct net4 net;

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct snode *n = snode_get(pool, keys[i]);
		if (snode_scalar(n) && net4_parse(n->text, &net) &&
		    (!net4_overlap(&net, &s->net) || net.bits < s->net.bits))
			check_error(c, n->mark, "network '%s': %s %s does not lie in the subnet %s", s->network->key,
				    keys[i], snode_shown(n), snode_shown(s->text));
	}
}

static void subnets(struct checker *c, const struct snode *networks)
{
	VEC(struct subnet) list = {0};

	for (size_t i = 0; i < networks->n_items; i++) {
		const struct snode *config = snode_path(networks->items[i], "ipam.config");
		for (size_t k = 0; k < snode_count(config); k++) {
			struct subnet s;
			if (!subnet_read(c, networks->items[i], config->items[k], &s))
				continue;
			gateway_within(c, &s, config->items[k]);
			vec_push(&list, s);
		}
	}
	if (list.n > 0)
		qsort(list.v, list.n, sizeof(*list.v), compare_subnets);
	for (size_t i = 1; i < list.n; i++)
		if (net4_overlap(&list.v[i - 1].net, &list.v[i].net))
			check_error(c, list.v[i].text->mark, "network '%s': its subnet %s overlaps %s of network '%s'",
				    list.v[i].network->key, snode_shown(list.v[i].text),
				    snode_shown(list.v[i - 1].text), list.v[i - 1].network->key);
	vec_free(&list);
}

static const char *const object_sections[] = {"networks", "volumes", "configs", "secrets"};

/* external: true says that the object exists; what it is like is not ours to say. */
static void external_only(struct checker *c, const struct snode *section, const struct snode *item)
{
	if (!snode_bool(item, "external", false))
		return;
	for (size_t i = 0; i < snode_count(item); i++) {
		const struct snode *key = item->items[i];
		if (!key->is_default && strcmp(key->key, "external") != 0 && strcmp(key->key, "name") != 0 &&
		    strcmp(key->key, "after") != 0)
			check_error(c, key->key_mark,
				    "%s.%s: external: true means that it exists already and is not changed, so '%s' "
				    "has no effect",
				    section->key, item->key, key->key);
	}
}

static void unique_names(struct checker *c, const struct snode *section)
{
	VEC(struct named) list = {0};

	for (size_t i = 0; i < section->n_items; i++) {
		const struct snode *item = section->items[i];
		const char *name = snode_str(item, "name");
		vec_push(&list, ((struct named){.name = name ? name : item->key,
						.shown = name ? snode_shown(snode_get(item, "name")) : item->key,
						.item = item,
						.mark = item->key_mark}));
	}
	named_sort(list.v, list.n);
	for (size_t i = 1; i < list.n; i++)
		if (strcmp(list.v[i - 1].name, list.v[i].name) == 0)
			check_error(c, list.v[i].mark, "%s: '%s' and '%s' have the same name '%s' in the Engine",
				    section->key, list.v[i - 1].item->key, list.v[i].item->key, list.v[i].shown);
	vec_free(&list);
}

static void objects(struct checker *c, const struct snode *root)
{
	for (size_t s = 0; s < ARRAY_SIZE(object_sections); s++) {
		const struct snode *section = snode_get(root, object_sections[s]);
		if (!section || section->type != SNODE_MAP)
			continue;
		unique_names(c, section);
		for (size_t i = 0; i < section->n_items; i++)
			external_only(c, section, section->items[i]);
	}
}

/* A Compose file is nearly a spec: say what is missing rather than only that something is. */
static void compose_file(struct checker *c, const struct snode *root)
{
	const struct snode *services = snode_get(root, "services");

	if (services && !snode_get(root, "cluster"))
		check_error(c, services->key_mark,
			    "this looks like a Compose file: its services can stay as they are, but a cluster spec "
			    "begins with "
			    "version: 1 and cluster: <name>");
}

/* Nodes make a Swarm, and there dockerd does not start with it. */
static void live_restore(struct checker *c, const struct snode *engine)
{
	const struct snode *on = snode_path(engine, "daemon.live-restore");

	if (on && on->type == SNODE_BOOL && on->boolean)
		check_error(c, on->mark, "live-restore: dockerd refuses to start with it in a Swarm; leave it out");
}

static void live_restore_of_node(struct checker *c, const struct snode *node)
{
	live_restore(c, snode_get(node, "engine"));
}

const struct check_row checks_cluster[] = {
	{NULL, false, compose_file},
	{"nodes", false, managers},
	{"nodes", false, twice},
	{"nodes", false, default_addresses},
	{"swarm", false, pools},
	{"networks", false, subnets},
	{NULL, false, objects},
	{"engine", false, live_restore},
	{"nodes", true, live_restore_of_node},
	{NULL, false, NULL},
};
