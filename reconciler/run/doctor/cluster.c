/* Traps of the swarm as a whole: addresses, managers, placement, firewalls. FACTS C; G15, G27, G28, G43, G47. */
#include "run/doctor/internal.h"

#include "kinds/cidr.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>

static const char *hostname_of(const json_t *node)
{
	const char *name = json_string_value(json_path(node, "Description.Hostname"));
	return name ? name : "?";
}

static bool is_manager(const json_t *node)
{
	return str_eq(json_string_value(json_path(node, "Spec.Role")), "manager");
}

/* Addresses */

static void overlaps_with(struct doctor *d, const struct trap *t, const char *network, const char *lan,
			  const char *where, const char *whose)
{
	struct cidr a, b;
	json_t *n, *c;
	size_t i, k;

	json_array_foreach ((json_t *)d->networks, i, n) {
		if (!str_eq(json_str(n, "Driver"), "overlay") || (network && !str_eq(json_str(n, "Name"), network)))
			continue;
		json_array_foreach (json_path(n, "IPAM.Config"), k, c) {
			const char *subnet = json_str(c, "Subnet");
			if (!subnet || !cidr_parse(subnet, &a) || !cidr_parse(lan, &b))
				continue;
			if (cidr_contains(&a, &b) || cidr_contains(&b, &a))
				doctor_find(d, t, where, "the subnet %s of network '%s' overlaps %s %s", subnet,
					    json_str(n, "Name"), whose, lan);
		}
	}
}

/* "docker0", "br-…", "veth…": made by the engine, in address ranges that it keeps apart itself. */
static bool is_engines_own(const char *interface)
{
	static const char *const prefixes[] = {"docker", "br-", "veth"};

	for (size_t i = 0; i < ARRAY_SIZE(prefixes); i++)
		if (str_starts(interface, prefixes[i]))
			return true;
	return false;
}

/* /proc/net/route: interface, destination and mask as hexadecimal numbers in the byte order of the machine. */
static void routes_of(struct doctor *d, const struct trap *t, const struct place *p)
{
	const char *at = place_file(p, "/proc/net/route");
	char line[LINE_SIZE], interface[64], net[INET_ADDRSTRLEN];
	unsigned destination, gateway, mask;

	while (next_text_line(&at, line)) {
		if (sscanf(line, "%63s %x %x %*s %*s %*s %*s %x", interface, &destination, &gateway, &mask) != 4 ||
		    mask == 0 || gateway != 0 || is_engines_own(interface))
			continue;
		struct in_addr a = {.s_addr = destination};
		inet_ntop(AF_INET, &a, net, sizeof(net));
		const char *lan = where_is(d, "%s/%d", net, __builtin_popcount(mask));
		overlaps_with(d, t, NULL, lan, where_is(d, "node %s", p->node),
			      where_is(d, "the network of its interface %s,", interface));
	}
}

static void overlap(struct doctor *d, const struct trap *t)
{
	size_t i, before = json_array_size(d->findings);
	json_t *n;

	json_array_foreach ((json_t *)d->nodes, i, n) {
		const char *address = json_string_value(json_path(n, "Status.Addr"));
		if (address)
			overlaps_with(d, t, NULL, address, where_is(d, "node %s", hostname_of(n)),
				      "the node's own address");
	}
	/* An address says it already. */
	if (json_array_size(d->findings) == before)
		for (i = 0; i < d->places.n; i++)
			routes_of(d, t, &d->places.v[i]);
}

static const struct trap trap_overlap = {
	.id = "overlay-overlaps-lan",
	.severity = TRAP_ERROR,
	.why = "containers then take hosts of the LAN for containers and cannot reach them: NFS, registries, the "
	       "router",
	.mend = "networks: create them anew with a subnet elsewhere; ingress: it is chosen when the swarm is made "
		"(swarm.default_addr_pool), so leave and init again, or replace it with `docker network create "
		"--ingress`",
	.look = overlap,
};

/* Managers */

static void managers(struct doctor *d, const struct trap *t)
{
	size_t i, n = 0, all = json_array_size(d->nodes);
	json_t *node;

	json_array_foreach ((json_t *)d->nodes, i, node)
		n += is_manager(node);
	if (all < 2 || n % 2 == 1) {
		if (n == 1 && all >= 3)
			doctor_find(d, t, "swarm", "%zu nodes, and one of them is the only manager", all);
		return;
	}
	doctor_find(d, t, "swarm", "%zu managers: the loss of %zu of them is the loss of the majority", n, n / 2);
}

static const struct trap trap_managers = {
	.id = "managers",
	.severity = TRAP_WARNING,
	.why = "without a majority of managers nothing can be deployed, scaled or moved, and two survive no more than "
	       "one",
	.mend = "make it three managers (nodes.*.role: manager), or keep one and a backup of /var/lib/docker/swarm",
	.look = managers,
};

/* "node.labels.x == y" */

struct constraint {
	char key[256], value[256];
	bool equal;
};

static bool parse_constraint(const char *text, struct constraint *c)
{
	const char *eq = text ? strstr(text, "==") : NULL, *ne = text ? strstr(text, "!=") : NULL;
	const char *op = eq && (!ne || eq < ne) ? eq : ne;

	if (!op)
		return false;
	c->equal = op == eq;
	text += strspn(text, " ");
	const char *value = op + 2 + strspn(op + 2, " ");
	snprintf(c->key, sizeof(c->key), "%.*s", (int)strcspn(text, " =!"), text);
	snprintf(c->value, sizeof(c->value), "%.*s", (int)strcspn(value, " "), value);
	return true;
}

/* True when the node may fit: of what is not known here nothing is said. */
static bool fits(const struct constraint *c, const json_t *node)
{
	static const char labels[] = "node.labels.";
	const char *have = NULL;

	if (str_starts(c->key, labels))
		have = json_str(json_path(node, "Spec.Labels"), c->key + strlen(labels));
	else if (strcmp(c->key, "node.hostname") == 0)
		have = hostname_of(node);
	else if (strcmp(c->key, "node.role") == 0)
		have = is_manager(node) ? "manager" : "worker";
	else
		return true;
	return (have && strcasecmp(have, c->value) == 0) == c->equal;
}

static void placement(struct doctor *d, const struct trap *t)
{
	json_t *s, *text, *node;
	size_t i, k, n;

	each_service(d, i, s) json_array_foreach (json_path(s, "Spec.TaskTemplate.Placement.Constraints"), k, text)
	{
		struct constraint c;
		bool any = json_array_size(d->nodes) == 0;
		if (!parse_constraint(json_string_value(text), &c))
			continue;
		json_array_foreach ((json_t *)d->nodes, n, node)
			any |= fits(&c, node);
		if (!any)
			doctor_find(d, t, service_where(d, s), "no node fits its constraint '%s'",
				    json_string_value(text));
	}
}

static const struct trap trap_placement = {
	.id = "constraint-fits-no-node",
	.severity = TRAP_ERROR,
	.why = "its tasks stay pending for ever, without an error",
	.mend = "set the label on the nodes that are meant (nodes.*.labels in the spec), or correct the constraint",
	.look = placement,
};

/* Nodes that Swarm uses and nobody else reaches */

static void unreachable(struct doctor *d, const struct trap *t)
{
	const struct snode *nodes = d->f->spec ? snode_get(spec_root(d->f->spec), "nodes") : NULL;
	json_t *node;
	size_t i;

	for (size_t k = 0; k < d->places.n; k++) {
		const struct place *p = &d->places.v[k];
		const char *address = snode_str(snode_get(nodes, p->node), "address");
		json_array_foreach ((json_t *)d->nodes, i, node) {
			bool same = str_eq(hostname_of(node), p->node) ||
				    str_eq(json_string_value(json_path(node, "Status.Addr")), address);
			bool active = str_eq(json_string_value(json_path(node, "Spec.Availability")), "active") &&
				      str_eq(json_string_value(json_path(node, "Status.State")), "ready");
			if (!p->probe && same && active)
				doctor_find(d, t, where_is(d, "node %s", p->node),
					    "it takes tasks, and this machine cannot look at it");
		}
	}
}

static const struct trap trap_unreachable = {
	.id = "active-but-unreachable",
	.severity = TRAP_WARNING,
	.why = "Swarm starts tasks there whether its mounts are there or not: unreachable by ssh is not out of the "
	       "swarm",
	.mend = "make it reachable, or drain it (`availability: drain`) until it is",
	.look = unreachable,
};

/* ufw: the only firewall whose rules are in a file */

static bool opens(const char *rules, const char *port)
{
	char line[LINE_SIZE];

	while (next_text_line(&rules, line)) {
		if (!strstr(line, "ACCEPT") || !str_starts(line, "-A ufw-user-input"))
			continue;
		const char *found = strstr(line, port);
		bool whole = found && strchr(" ,:", found[-1]) && strchr(" ,:", found[strlen(port)]);
		if (whole || (strstr(line, " -s ") && !strstr(line, "--dport")))
			return true;
	}
	return false;
}

static void firewall(struct doctor *d, const struct trap *t)
{
	static const char *const ports[] = {"7946", "4789"};

	for (size_t i = 0; i < d->places.n && json_array_size(d->nodes) > 1; i++) {
		const char *conf = place_file(&d->places.v[i], "/etc/ufw/ufw.conf");
		const char *rules = place_file(&d->places.v[i], "/etc/ufw/user.rules");
		if (!conf || !rules || !strstr(conf, "ENABLED=yes"))
			continue;
		for (size_t k = 0; k < ARRAY_SIZE(ports); k++)
			if (!opens(rules, ports[k]))
				doctor_find(d, t, where_is(d, "node %s, /etc/ufw/user.rules", d->places.v[i].node),
					    "ufw is on and lets nothing in on port %s", ports[k]);
	}
}

static const struct trap trap_firewall = {
	.id = "firewall-without-swarm",
	.severity = TRAP_ERROR,
	.why = "7946 (tcp and udp) is how nodes find each other, 4789 (udp) carries the overlay networks: without them "
	       "containers on two nodes do not reach each other",
	.mend = "allow 2377/tcp on managers, 7946/tcp, 7946/udp and 4789/udp from the other nodes",
	.look = firewall,
};

const struct trap *const traps_cluster[] = {
	&trap_overlap, &trap_placement, &trap_firewall, &trap_unreachable, &trap_managers, NULL,
};
