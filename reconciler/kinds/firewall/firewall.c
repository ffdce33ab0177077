#include "kinds/firewall/rules.h"
#include "kinds/kinds.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <stdio.h>
#include <string.h>

/*
 * The ports that Swarm and NFS need among the nodes, where a firewall is active. Rules of others are counted when they
 * let the same in, and never touched. ufw and firewalld are told, with rules that are known as ours again; what a
 * hand-written nftables ruleset needs is said, and a person adds it (docs/decisions.md).
 */

#define NFS_PORT 2049
#define COMMAND_MS INT64_C(60000)

/* FACTS C: Swarm's ports. */
static const struct {
	unsigned port;
	const char *protocol;
	bool managers_only;
} swarm_ports[] = {{2377, "tcp", true}, {4789, "udp", false}, {7946, "tcp", false}, {7946, "udp", false}};

static const struct field fields[] = {
	{"rules", 0, NULL},
};

static const char *const after[] = {"package", "export", NULL};

static const struct snode *section(const struct spec *spec, const char *name)
{
	return snode_get(spec_root(spec), name);
}

/* All that is let in comes from other nodes. */
static bool is_managed(const struct spec *spec, const struct snode *node)
{
	return !str_eq(snode_str(node, "firewall"), "unmanaged") && snode_count(section(spec, "nodes")) > 1;
}

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *nodes = section(spec, "nodes");

	for (size_t i = 0; i < snode_count(nodes); i++)
		if (is_managed(spec, nodes->items[i]))
			want_look(w, nodes->items[i]->key, "firewall", NULL);
}

/* Decode */

static void add_rule(struct decode *d, struct resource *r, json_t *rules, unsigned port, const char *protocol,
		     const struct snode *from, struct mark m)
{
	const struct snode *address = snode_get(from, "address");
	struct firewall_rule rule = {.port = port};
	char key[FIREWALL_KEY_SIZE];
	struct cidr source;

	if (!snode_scalar(address))
		return;
	if (cidr_parse(address->text, &source)) {
		cidr_format(&source, rule.source);
	} else {
		snprintf(rule.source, sizeof(rule.source), "%s", address->text);
		resource_block(
			d->out, r,
			"a rule of the firewall of node '%s' needs the address of node '%s' as an IP address, not "
			"'%s'",
			r->node, from->key, snode_shown(address));
	}
	strcpy(rule.protocol, protocol);
	firewall_key(&rule, key);
	if (json_object_get(rules, key))
		return;
	json_set_bool(rules, key, true);
	m.hidden |= address->mark.hidden;
	_cleanup_free_ char *path = member_path("rules", key);
	resource_mark(d->out, r, path, m);
}

static void add_swarm_rules(struct decode *d, struct resource *r, json_t *rules, const struct snode *node)
{
	const struct snode *nodes = section(d->spec, "nodes");
	bool manager = str_eq(snode_str(node, "role"), "manager");

	for (size_t i = 0; spec_wants_swarm(d->spec) && i < snode_count(nodes); i++)
		for (size_t k = 0; nodes->items[i] != node && k < ARRAY_SIZE(swarm_ports); k++)
			if (manager || !swarm_ports[k].managers_only)
				add_rule(d, r, rules, swarm_ports[k].port, swarm_ports[k].protocol, nodes->items[i],
					 nodes->items[i]->key_mark);
}

static void add_nfs_rules(struct decode *d, struct resource *r, json_t *rules, const struct snode *node)
{
	const struct snode *nfs = section(d->spec, "nfs"), *nodes = section(d->spec, "nodes");

	for (size_t i = 0; i < snode_count(nfs); i++) {
		const struct snode *clients = snode_path(nfs->items[i], "mount.nodes");
		if (!snode_get(nfs->items[i], "export") || !str_eq(snode_str(nfs->items[i], "server"), node->key))
			continue;
		for (size_t k = 0; k < snode_count(clients); k++) {
			const struct snode *client = snode_get(nodes, snode_scalar(clients->items[k]));
			if (client && client != node)
				add_rule(d, r, rules, NFS_PORT, "tcp", client, clients->items[k]->mark);
		}
	}
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *nodes = section(d->spec, "nodes");

	(void)err;
	for (size_t i = 0; i < snode_count(nodes); i++) {
		const struct snode *node = nodes->items[i];
		const char *why;
		if (!is_managed(d->spec, node) || !host_look_counts(d->snap, node->key, "firewall", NULL) ||
		    json_is_null(host_look(d->snap, resource_set_arena(d->out), node->key, "firewall", NULL, &why)))
			continue;
		struct resource *r = resource_add(d->out, "firewall", node->key);
		json_t *rules = json_object();
		r->node = r->name;
		r->mark = node->key_mark;
		add_swarm_rules(d, r, rules, node);
		add_nfs_rules(d, r, rules, node);
		resource_set_field(d->out, r, "rules", rules, node->key_mark);
	}
	return 0;
}

/* Observe */

static bool see(const struct snapshot *snap, struct arena *a, const char *node, struct firewall *f, const char **why)
{
	const json_t *answer = host_look(snap, a, node, "firewall", NULL, why);

	*f = (struct firewall){0};
	if (!answer)
		return false;
	if (json_is_string(answer) && firewall_parse(json_string_value(answer), a, f))
		return true;
	*why = arena_printf(a, "node '%s': what the probe says of its firewall is not understood", node);
	return false;
}

/* What is wanted and let in, by whose rule ever; and what we once added and nobody wants. */
static void observe_node(struct observe *o, const struct resource *want)
{
	const json_t *wanted = json_object_get(want->body, "rules");
	struct resource *r = observe_add(o, want);
	const char *why = "", *key;
	struct firewall f;
	json_t *value;

	r->owned = true;
	if (!see(o->snap, resource_set_arena(o->out), want->node, &f, &why)) {
		r->presence = UNKNOWN;
		resource_block(o->out, r, "%s", why);
		return;
	}
	json_t *rules = firewall_own(&f, o->cluster);
	json_object_foreach ((json_t *)wanted, key, value)
		if (firewall_allows(&f, key, o->cluster))
			json_set_bool(rules, key, true);
	r->presence = PRESENT;
	json_set(r->body, "rules", rules);
	firewall_free(&f);
}

static int observe(struct observe *o, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < resource_count(o->want); i++)
		if (str_eq(resource_at(o->want, i)->kind, "firewall"))
			observe_node(o, resource_at(o->want, i));
	return 0;
}

/* Explain */

static void add_advice(const struct firewall *f, const struct observe *o, const struct change *c, struct str *out)
{
	const json_t *live = json_object_get(c->live->body, "rules");
	size_t n;
	const char **keys = json_sorted_keys(json_object_get(c->desired->body, "rules"), &n);

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *path = member_path("rules", keys[i]);
		if (json_object_get(live, keys[i]))
			continue;
		str_adds(out, out->len ? "; " : "");
		if (resource_mark_of(c->desired, path).hidden)
			str_adds(out, "(value of a variable)");
		else
			firewall_advice(f, keys[i], o->cluster, out);
	}
	free(keys);
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	_cleanup_str_ struct str advice = {0};
	const char *why = "", *node = c->desired->node;
	struct firewall f;

	if (c->state == CHANGE_BLOCKED || !see(o->snap, a, node, &f, &why))
		return;
	if (f.type == FIREWALL_NFTABLES) {
		add_advice(&f, o, c, &advice);
		c->state = CHANGE_BLOCKED;
		c->reason = arena_printf(
			a,
			"the nftables ruleset of node '%s' drops what it does not name, and is not changed by "
			"this program: %s, and the same where the ruleset is kept; or write `firewall: "
			"unmanaged` for the node",
			node, str_cstr(&advice));
	} else {
		c->effect =
			f.type == FIREWALL_UFW
				? "by ufw, with the cluster's name as their comment; rules of others stay as they are"
				: "by firewalld, now and for good, in its default zone; rules of others stay as they "
				  "are";
	}
	firewall_free(&f);
}

/* Apply */

/* Not for longer than a minute, whatever it waits for. */
static int run(struct apply *a, const struct change *c, const char *const *argv, struct err *err)
{
	int64_t limit = clock_ms() + COMMAND_MS;

	return host_run(cluster_host(a->cluster, c->desired->node), argv, limit < a->deadline ? limit : a->deadline,
			NULL, err);
}

static int ufw(struct apply *a, const struct change *c, const struct firewall_rule *r, bool add, struct err *err)
{
	_cleanup_free_ char *comment = firewall_comment(a->cluster->name);
	char port[16];
	const char *const allow[] = {"ufw", "allow", "proto", r->protocol, "from",  r->source, "to",
				     "any", "port",  port,    "comment",   comment, NULL};
	const char *const drop[] = {"ufw",     "delete", "allow", "proto", r->protocol, "from",
				    r->source, "to",     "any",   "port",  port,        NULL};

	snprintf(port, sizeof(port), "%u", r->port);
	return run(a, c, add ? allow : drop, err);
}

/* For good first: a run that is killed in between is noticed, as what holds now is what is looked at. */
static int firewalld(struct apply *a, const struct change *c, const struct firewall_rule *r, bool add, struct err *err)
{
	_cleanup_str_ struct str option = {0};

	str_addf(&option, "--%s-rich-rule=", add ? "add" : "remove");
	firewall_rich_rule(r, a->cluster->name, &option);
	const char *const for_good[] = {"firewall-cmd", "--permanent", str_cstr(&option), NULL};
	const char *const now[] = {"firewall-cmd", str_cstr(&option), NULL};
	return run(a, c, for_good, err) < 0 ? -1 : run(a, c, now, err);
}

static int change_rule(struct apply *a, const struct change *c, const struct firewall *f, const char *key, bool add,
		       struct err *err)
{
	struct firewall_rule r;

	if (!firewall_rule_of(key, &r))
		return err_set(err, ERR_SYSTEM, "'%s' is no rule; this is a fault of the program", key);
	a->progress(a->progress_arg, "%s %s", add ? "allowing" : "removing", key);
	return f->type == FIREWALL_UFW ? ufw(a, c, &r, add, err) : firewalld(a, c, &r, add, err);
}

static int change_rules(struct apply *a, const struct change *c, const struct firewall *f, const json_t *rules,
			const json_t *without, bool add, struct err *err)
{
	size_t n;
	const char **keys = json_sorted_keys(rules, &n);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		if (!json_object_get(without, keys[i]))
			rc = change_rule(a, c, f, keys[i], add, err);
	free(keys);
	return rc;
}

/* New ones first: there is no moment in which something wanted is shut out. */
static int apply(struct apply *a, const struct change *c, struct err *err)
{
	const json_t *wanted = json_object_get(c->desired->body, "rules");
	const json_t *live = c->live ? json_object_get(c->live->body, "rules") : NULL;

	struct arena *arena = arena_new();
	struct firewall f;
	const char *why;
	int rc = see(a->snap, arena, c->desired->node, &f, &why) ? 0 : err_set(err, ERR_BLOCKED, "%s", why);

	if (rc == 0)
		rc = change_rules(a, c, &f, wanted, live, true, err);
	if (rc == 0)
		rc = change_rules(a, c, &f, live, wanted, false, err);
	firewall_free(&f);
	arena_free(arena);
	return rc;
}

const struct kind kind_firewall = {
	.name = "firewall",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
};
