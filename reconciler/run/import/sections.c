/* The sections of the spec, from what runs. */
#include "run/import/import.h"

#include "kinds/cidr.h"
#include "kinds/cluster.h"
#include "kinds/network.h"
#include "kinds/node.h"
#include "kinds/service/compose.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

#define STACK_LABEL "com.docker.stack.namespace"
#define DEFAULT_POOL "10.0.0.0/8" /* the engine's own, with subnets of 24 bits */

struct importing {
	const struct import_options *o;
	const struct snapshot *snap;
	const char *cluster;
	json_t *tree, *adopt;
	json_t *networks, *volumes, *configs, *secrets; /* what services name */
	bool owned;                                     /* something carries this cluster's label */
	int comments;
};

__attribute__((format(printf, 3, 4))) static void comment(struct importing *im, json_t *to, const char *fmt, ...)
{
	_cleanup_free_ char *key = xasprintf(IMPORT_COMMENT "%d", im->comments++);
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	json_set_str(to, key, text);
	free(text);
}

static bool is_of_stack_files(const struct importing *im, const json_t *labels)
{
	const char *stack = json_str(labels, STACK_LABEL);

	for (size_t i = 0; stack && i < im->o->n_stacks; i++)
		if (strcmp(im->o->stacks[i].name, stack) == 0)
			return true;
	return false;
}

/* The cluster whose label something carries already. */
static const char *cluster_that_owns(const struct snapshot *snap)
{
	json_t *s;
	size_t i;

	json_array_foreach (snapshot_get(snap, "engine/services", NULL), i, s) {
		const char *owner = json_str(json_path(s, "Spec.Labels"), OWNER_LABEL);
		if (owner)
			return owner;
	}
	return NULL;
}

static void add_adopt(struct importing *im, const char *kind, const char *name, const json_t *labels)
{
	if (labels_owned(labels, im->cluster))
		im->owned = true;
	else
		json_array_append_new(im->adopt, json_sprintf("%s/%s", kind, name));
}

/* Swarm and nodes */

static void add_swarm(struct importing *im)
{
	const json_t *cluster = json_path(snapshot_get(im->snap, "engine/info", NULL), "Swarm.Cluster");
	const json_t *pool = json_object_get(cluster, "DefaultAddrPool");
	int64_t size = json_int(cluster, "SubnetSize", 24);
	bool usual = json_array_size(pool) == 0 ||
		     (json_array_size(pool) == 1 && str_eq(json_string_value(json_array_get(pool, 0)), DEFAULT_POOL));
	json_t *swarm = json_object();

	if (!usual)
		json_set(swarm, "default_addr_pool", json_deep_copy(pool));
	if (!usual && size != 24)
		json_set_int(swarm, "subnet_size", size);
	if (!usual)
		json_object_set(im->tree, "swarm", swarm);
	json_decref(swarm);
}

/* A manager that listens everywhere says 0.0.0.0; the others know it by what it advertises. */
static char *address_of(const json_t *node)
{
	const char *address = node_address(node), *manager = json_string_value(json_path(node, "ManagerStatus.Addr"));
	const char *colon = manager ? strrchr(manager, ':') : NULL;

	if (colon && (!*address || str_eq(address, "0.0.0.0") || str_eq(address, "127.0.0.1")))
		return xasprintf("%.*s", (int)(colon - manager), manager);
	return xstrdup(address);
}

static const char *state_of(const json_t *node)
{
	const char *state = json_string_value(json_path(node, "Status.State"));
	return state ? state : "unknown";
}

/* A host that was installed anew leaves its former entry in the list, down. */
static bool is_left_over(const json_t *list, const json_t *node)
{
	_cleanup_free_ char *address = address_of(node);
	const char *hostname = node_hostname(node);
	json_t *other;
	size_t i;

	if (!*hostname || !str_eq(state_of(node), "down"))
		return false;
	json_array_foreach ((json_t *)list, i, other) {
		_cleanup_free_ char *its = address_of(other);
		if (!str_eq(state_of(other), "down") && str_eq(its, address) && str_eq(node_hostname(other), hostname))
			return true;
	}
	return false;
}

static void add_node(struct importing *im, json_t *nodes, const json_t *node)
{
	const char *hostname = node_hostname(node);
	const char *availability = json_string_value(json_path(node, "Spec.Availability"));
	const json_t *labels = json_path(node, "Spec.Labels");
	_cleanup_free_ char *address = address_of(node), *name = xstrdup(*hostname ? hostname : json_str(node, "ID"));
	json_t *j = json_object();

	if (json_object_get(nodes, name)) {
		free(name);
		name = xasprintf("%s-%.8s", *hostname ? hostname : "node", json_str(node, "ID"));
		comment(im, j, "another node has the same host name; this one is %s", state_of(node));
	}
	json_set_str(j, "address", address);
	json_set_str(j, "role", json_string_value(json_path(node, "Spec.Role")));
	if (availability && strcmp(availability, "active") != 0)
		json_set_str(j, "availability", availability);
	if (!str_eq(state_of(node), "ready")) {
		comment(im, j, "it is %s now", state_of(node));
		json_set_bool(j, "optional", true);
	}
	if (json_object_size(labels) > 0)
		json_set(j, "labels", json_deep_copy(labels));
	json_set(nodes, name, j);
}

static void add_nodes(struct importing *im)
{
	const json_t *list = snapshot_get(im->snap, "engine/nodes", NULL);
	json_t *nodes = json_object(), *n;
	size_t i;

	if (json_array_size(list) > 1)
		comment(im, im->tree,
			"How the nodes are reached:\nssh:\n  user: …       # who may log in\n  become: true  # sudo -n "
			"for what needs root");
	json_array_foreach ((json_t *)list, i, n)
		if (is_left_over(list, n))
			comment(im, nodes,
				"left out: %s, which is down and has the host name and address of %s; if that was its "
				"former installation, remove it with `docker node rm %s`",
				json_str(n, "ID"), node_hostname(n), json_str(n, "ID"));
		else
			add_node(im, nodes, n);
	if (json_object_size(nodes) > 0)
		json_object_set(im->tree, "nodes", nodes);
	json_decref(nodes);
}

/* Services, and what they name */

/* A volume that this engine does not have may be on the node of a task; here it would look missing. */
static bool has_volume(const struct importing *im, const char *name)
{
	json_t *v;
	size_t i;

	json_array_foreach (json_object_get(snapshot_get(im->snap, "engine/volumes", NULL), "Volumes"), i, v)
		if (str_eq(json_str(v, "Name"), name))
			return true;
	return false;
}

static void use_volumes(struct importing *im, json_t *service, json_t *ignore)
{
	json_t *list = json_object_get(service, "volumes"), *kept = json_array(), *m;
	size_t i;

	json_array_foreach (list, i, m) {
		const char *source = json_str(m, "source"), *target = json_str(m, "target");
		if (str_eq(json_str(m, "type"), "volume") && source && !has_volume(im, source)) {
			json_array_append_new(ignore, json_sprintf("mounts[%s]", target));
			continue;
		}
		if (str_eq(json_str(m, "type"), "volume") && source)
			json_set(im->volumes, source, json_pack("{s:b}", "external", 1));
		json_array_append(kept, m);
	}
	if (json_array_size(kept) > 0)
		json_object_set(service, "volumes", kept);
	else
		json_object_del(service, "volumes");
	json_decref(kept);
}

static void use_files(json_t *section, const json_t *list)
{
	json_t *f;
	size_t i;

	json_array_foreach ((json_t *)list, i, f)
		if (json_str(f, "source"))
			json_set(section, json_str(f, "source"), json_pack("{s:b}", "external", 1));
}

static void use_networks(struct importing *im, const json_t *networks)
{
	const char *key;
	json_t *v;
	size_t i;

	json_array_foreach ((json_t *)networks, i, v)
		json_set_bool(im->networks, json_string_value(v), true);
	if (json_is_object(networks))
		json_object_foreach ((json_t *)networks, key, v)
			json_set_bool(im->networks, key, true);
}

static bool has_prefix(const json_t *labels, const char *prefix)
{
	const char *label;
	json_t *v;

	json_object_foreach ((json_t *)labels, label, v)
		if (str_starts(label, prefix))
			return true;
	return false;
}

static void add_service(struct importing *im, json_t *services, const json_t *live)
{
	const json_t *spec = json_object_get(live, "Spec"), *labels = json_object_get(spec, "Labels");
	const char *name = json_str(spec, "Name"), *owner = json_str(labels, OWNER_LABEL);
	json_t *composed, *out = json_object(), *ignore = json_array();

	if (!name || is_of_stack_files(im, labels)) {
		json_decref(out);
		json_decref(ignore);
		return;
	}
	composed = service_compose(live, im->snap);
	if (owner && !str_eq(owner, im->cluster))
		comment(im, out, "it carries the label of cluster %s: adopting takes it from there", owner);
	if (json_str(labels, STACK_LABEL))
		comment(im, out, "of stack %s: `import --stack %s=FILE` takes it over from its files instead",
			json_str(labels, STACK_LABEL), json_str(labels, STACK_LABEL));
	if (has_prefix(labels, "traefik.http."))
		comment(im, out, "`route` would write the traefik.* labels by Traefik's version, and be verified");
	use_volumes(im, composed, ignore);
	use_files(im->configs, json_object_get(composed, "configs"));
	use_files(im->secrets, json_object_get(composed, "secrets"));
	use_networks(im, json_object_get(composed, "networks"));
	json_object_update(out, composed);
	if (json_array_size(ignore) > 0) {
		json_set_str(out, IMPORT_COMMENT "ignore", IMPORT_IGNORED);
		json_object_set(out, "ignore", ignore);
	}
	json_set(services, name, out);
	add_adopt(im, "service", name, labels);
	json_decref(composed);
	json_decref(ignore);
}

static int by_name(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;
	return strcmp(json_str(json_object_get(*x, "Spec"), "Name"), json_str(json_object_get(*y, "Spec"), "Name"));
}

static json_t *all_services(struct importing *im)
{
	const json_t *list = snapshot_get(im->snap, "engine/services", NULL);
	VEC(const json_t *) sorted = {0};
	json_t *services = json_object(), *s;
	size_t i;

	json_array_foreach ((json_t *)list, i, s)
		if (json_str(json_object_get(s, "Spec"), "Name"))
			vec_push(&sorted, s);
	if (sorted.n)
		qsort(sorted.v, sorted.n, sizeof(*sorted.v), by_name);
	for (i = 0; i < sorted.n; i++)
		add_service(im, services, sorted.v[i]);
	vec_free(&sorted);
	return services;
}

/* Networks */

static const json_t *live_network(const struct importing *im, const char *name)
{
	json_t *n;
	size_t i;

	json_array_foreach (snapshot_get(im->snap, "engine/networks", NULL), i, n)
		if (str_eq(json_str(n, "Name"), name))
			return n;
	return NULL;
}

/* Subnets that the engine chose come from its pool; others somebody chose. */
static bool was_chosen(const struct importing *im, const char *subnet)
{
	json_t *p;
	size_t i;
	struct cidr net, pool;

	json_array_foreach (json_path(snapshot_get(im->snap, "engine/info", NULL), "Swarm.Cluster.DefaultAddrPool"), i,
			    p)
		if (json_is_string(p) && cidr_parse(json_string_value(p), &pool) && cidr_parse(subnet, &net) &&
		    cidr_contains(&pool, &net))
			return false;
	return true;
}

static void add_ipam(struct importing *im, json_t *out, const json_t *live)
{
	json_t *config = json_array(), *c;
	size_t i;

	json_array_foreach (json_path(live, "IPAM.Config"), i, c) {
		const char *subnet = json_str(c, "Subnet");
		if (!subnet || !was_chosen(im, subnet))
			continue;
		json_t *entry = json_pack("{s:s}", "subnet", subnet);
		if (json_str(c, "IPRange") && *json_str(c, "IPRange"))
			json_set_str(entry, "ip_range", json_str(c, "IPRange"));
		json_array_append_new(config, entry);
	}
	if (json_array_size(config) > 0)
		json_set(out, "ipam", json_pack("{s:O}", "config", config));
	json_decref(config);
}

static json_t *network_section(struct importing *im, const json_t *live)
{
	static const char *const flags[][2] = {
		{"Attachable", "attachable"}, {"Internal", "internal"}, {"EnableIPv6", "enable_ipv6"}};
	const json_t *labels = json_object_get(live, "Labels");
	json_t *out = json_object(), *options = network_options(json_object_get(live, "Options"), NULL);

	json_set_str(out, "driver", json_str(live, "Driver"));
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (json_bool(live, flags[i][0]))
			json_set_bool(out, flags[i][1], true);
	if (options)
		json_set(out, "driver_opts", options);
	add_ipam(im, out, live);
	if (json_object_size(labels) > 0) {
		json_t *own = json_deep_copy(labels);
		json_object_del(own, OWNER_LABEL);
		if (json_object_size(own) > 0)
			json_object_set(out, "labels", own);
		json_decref(own);
	}
	return out;
}

static bool is_managed(const json_t *network)
{
	return str_eq(json_str(network, "Scope"), "swarm") && str_eq(json_str(network, "Driver"), "overlay") &&
	       !json_bool(network, "Ingress") && !str_eq(json_str(network, "Name"), "ingress");
}

static void add_networks(struct importing *im)
{
	json_t *networks = json_object(), *n;
	size_t i, count;

	json_array_foreach (snapshot_get(im->snap, "engine/networks", NULL), i, n)
		if (is_managed(n) && !is_of_stack_files(im, json_object_get(n, "Labels")))
			json_set_bool(im->networks, json_str(n, "Name"), true);
	const char **names = json_sorted_keys(im->networks, &count);
	for (i = 0; i < count; i++) {
		const json_t *live = live_network(im, names[i]);
		if (live && is_managed(live) && !is_of_stack_files(im, json_object_get(live, "Labels"))) {
			json_set(networks, names[i], network_section(im, live));
			add_adopt(im, "network", names[i], json_object_get(live, "Labels"));
		} else {
			json_set(networks, names[i], json_pack("{s:b}", "external", 1));
		}
	}
	free(names);
	if (json_object_size(networks) > 0)
		json_object_set(im->tree, "networks", networks);
	json_decref(networks);
}

static void add_used(struct importing *im, const char *section, const json_t *used, const char *why)
{
	json_t *out = json_object();
	size_t n;
	const char **names = json_sorted_keys(used, &n);

	for (size_t i = 0; i < n; i++)
		json_object_set(out, names[i], json_object_get(used, names[i]));
	free(names);
	if (n > 0) {
		comment(im, im->tree, "%s", why);
		json_object_set(im->tree, section, out);
	}
	json_decref(out);
}

/* The rest */

static void add_stacks(struct importing *im)
{
	json_t *stacks = json_object();

	for (size_t i = 0; i < im->o->n_stacks; i++) {
		json_t *files = json_array();
		for (const char *const *f = im->o->stacks[i].files; *f; f++)
			json_array_append_new(files, json_string(*f));
		json_set(stacks, im->o->stacks[i].name, json_pack("{s:o}", "files", files));
		json_array_append_new(im->adopt, json_sprintf("stack/%s", im->o->stacks[i].name));
	}
	if (json_object_size(stacks) > 0)
		json_object_set(im->tree, "stacks", stacks);
	json_decref(stacks);
}

static void add_policy(struct importing *im)
{
	json_t *policy = json_object();

	if (im->owned) {
		comment(im, policy,
			"earlier specs of this cluster made things: what this one does not name would be removed");
		json_set_str(policy, "prune", "never");
	}
	if (json_array_size(im->adopt) > 0)
		json_object_set(policy, "adopt", im->adopt);
	if (json_object_size(policy) > 0)
		json_object_set(im->tree, "policy", policy);
	json_decref(policy);
}

/* They belong to others: a person decides whether they are Traefik's, to stay, or to go. */
static void name_containers(struct importing *im)
{
	_cleanup_str_ struct str text = {0};
	json_t *c;
	size_t i;

	json_array_foreach (snapshot_get(im->snap, "engine/containers", NULL), i, c) {
		const char *name = json_string_value(json_array_get(json_object_get(c, "Names"), 0));
		if (!name || json_object_get(json_object_get(c, "Labels"), "com.docker.swarm.task.id"))
			continue;
		str_addf(&text, "\n  %s (%s), %s", name + (*name == '/'),
			 json_str(c, "Image") ? json_str(c, "Image") : "?",
			 json_str(c, "State") ? json_str(c, "State") : "?");
	}
	if (text.len)
		comment(im, im->tree,
			"Containers of this engine that belong to no service, and are left alone. The one that routes "
			"to services is\n"
			"named under `traefik`, what is to go under `absent`:%s",
			str_cstr(&text));
}

static void add_cluster(struct importing *im)
{
	_cleanup_json_ json_t *services = NULL;

	add_swarm(im);
	add_nodes(im);
	services = all_services(im);
	add_networks(im);
	add_used(im, "volumes", im->volumes, "Used as they are; neither made nor removed.");
	add_used(im, "configs", im->configs,
		 "Used as they are. With `file` or `content` in place of `external` a change of the content is rolled "
		 "out.");
	add_used(im, "secrets", im->secrets, "Nobody can read what is in a secret: `external` uses it as it is.");
	if (json_object_size(services) > 0)
		json_object_set(im->tree, "services", services);
}

json_t *import_sections(const struct import_options *o, const struct snapshot *snap)
{
	struct importing im = {
		.o = o,
		.snap = snap,
		.cluster = o->cluster ? o->cluster
			   : snap     ? cluster_that_owns(snap)
				      : NULL,
		.tree = json_object(),
		.adopt = json_array(),
		.networks = json_object(),
		.volumes = json_object(),
		.configs = json_object(),
		.secrets = json_object(),
	};

	im.cluster = im.cluster ? im.cluster : "swarm";
	json_set_int(im.tree, "version", 1);
	json_set_str(im.tree, "cluster", im.cluster);
	if (snap)
		add_cluster(&im);
	add_stacks(&im);
	add_policy(&im);
	if (snap)
		name_containers(&im);
	json_decref(im.adopt);
	json_decref(im.networks);
	json_decref(im.volumes);
	json_decref(im.configs);
	json_decref(im.secrets);
	return im.tree;
}
