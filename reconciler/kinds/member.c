#include "kinds/member.h"

#include "kinds/cidr.h"
#include "kinds/node.h"
#include "kinds/util.h"

#include <string.h>

const struct snode *swarm_founder(const struct spec *spec)
{
	const struct snode *nodes = snode_get(spec_root(spec), "nodes"), *optional = NULL;

	for (size_t i = 0; i < snode_count(nodes); i++) {
		const struct snode *n = nodes->items[i];
		if (!str_eq(snode_str(n, "role"), "manager"))
			continue;
		if (!snode_bool(n, "optional", false))
			return n;
		optional = optional ? optional : n;
	}
	return optional;
}

/* The spec's nodes, from the spec or from what it was decoded to. */
struct roster {
	const struct snapshot *snap;
	VEC(struct node_id) nodes;
};

static void roster_free(struct roster *r)
{
	vec_free(&r->nodes);
}
#define _cleanup_roster_ CLEANUP(roster_free)

static struct roster roster_of_spec(const struct snapshot *snap, const struct snode *nodes)
{
	struct roster r = {.snap = snap};

	for (size_t i = 0; i < snode_count(nodes); i++)
		vec_push(&r.nodes, node_id_of(nodes->items[i]));
	return r;
}

static struct roster roster_of_resources(const struct observe *o)
{
	struct roster r = {.snap = o->snap};

	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *n = resource_at(o->want, i);
		if (str_eq(n->kind, "node"))
			vec_push(&r.nodes, node_id_of_resource(n));
	}
	return r;
}

/* The node of the spec, other than this one (NULL: any), whose engine says that it has this NodeID; NULL: none. */
static const char *claimant(const struct roster *r, const char *id, const char *except)
{
	for (size_t i = 0; id && i < r->nodes.n; i++) {
		const char *node = r->nodes.v[i].name;
		if (!str_eq(node, except) && str_eq(node_own_id(node_info(r->snap, node, NULL)), id))
			return node;
	}
	return NULL;
}

/* What is with a node */

/* Why it is neither a member nor can be made one is in why, unless the managers' list is not known at all. */
struct standing {
	enum presence presence; /* PRESENT: a member, with its entry; ABSENT: it can join */
	bool unseen;            /* nothing is known of anybody */
	const json_t *entry;
	char *why;      /* UNKNOWN */
	json_t *former; /* entries that former installations of it have left: {id: text}; NULL: none */
	char *note;     /* for a person to judge; NULL: nothing */
};

static void standing_free(struct standing *s)
{
	free(s->why);
	free(s->note);
	json_decref(s->former);
}
#define _cleanup_standing_ CLEANUP(standing_free)

/* Where an engine looks for its managers: "10.9.0.7:2377, …", for people. */
static char *managers_of(const json_t *info)
{
	struct str s = {0};
	const json_t *m;
	size_t i;

	json_array_foreach (json_path(info, "Swarm.RemoteManagers"), i, m)
		str_addf(&s, "%s%s", s.len ? ", " : "", json_str(m, "Addr") ? json_str(m, "Addr") : "?");
	return str_steal(&s);
}

/* True when one of its managers is one of ours: then it was removed from this swarm, and does not know. */
static bool follows_our_managers(const struct snapshot *snap, const json_t *info)
{
	const json_t *nodes = snapshot_get(snap, "engine/nodes", NULL), *m, *entry;
	size_t i, k;

	json_array_foreach (json_path(info, "Swarm.RemoteManagers"), i, m)
		json_array_foreach (nodes, k, entry)
			if (str_eq(json_str(m, "NodeID"), json_str(entry, "ID")))
				return true;
	return false;
}

static char *describe_stranger(const struct snapshot *snap, const struct node_id *id, const json_t *info)
{
	_cleanup_free_ char *managers = managers_of(info);
	bool is_manager = json_is_true(json_path(info, "Swarm.ControlAvailable"));

	if (follows_our_managers(snap, info))
		return xasprintf("node '%s' (%s) was removed from this swarm, but its engine has not left it: run "
				 "`docker swarm leave --force` there, then it joins again",
				 id->name, id->shown);
	return xasprintf("node '%s' (%s) is a %s of another swarm (managers %s), and nothing takes it out of that: if "
			 "it is to join this one, run `docker swarm leave%s` there",
			 id->name, id->shown, is_manager ? "manager" : "worker",
			 managers && *managers ? managers : "unknown", is_manager ? " --force" : "");
}

/* What only a person or time can end, by the engine's words for it. */
static const struct {
	const char *state, *text;
} states[] = {
	{"error",
	 "its swarm is in an error state: if it never was a member, `docker swarm leave --force` there lets it join; "
	 "else see `docker info` and the engine's log there"},
	{"locked", "its swarm is locked since the engine restarted: run `docker swarm unlock` there"},
	{"pending", "it is still joining a swarm. If it stays so: " SWARM_PORTS_ADVICE
		    ", and `docker swarm leave --force` there gives up"},
};

static char *describe_state(const struct node_id *id, const json_t *info)
{
	const char *state = node_swarm_state(info), *error = json_str(json_object_get(info, "Swarm"), "Error");
	const char *text = "its engine does not say whether it is in a swarm";

	if (json_is_null(info))
		text = "no Docker engine runs there (/var/run/docker.sock): install and start it";
	for (size_t i = 0; i < ARRAY_SIZE(states); i++)
		if (strcmp(states[i].state, state) == 0)
			text = states[i].text;
	bool told = error && *error;
	return xasprintf("node '%s' (%s): %s%s%s%s", id->name, id->shown, text, told ? " (" : "", told ? error : "",
			 told ? ")" : "");
}

/*
 * Other entries with this node's address. With its host name, too, it is what an installation of it was before; else
 * it may be another machine behind the same address.
 */
static void find_former(const struct roster *r, const struct node_id *id, struct standing *s)
{
	const json_t *e;
	size_t i;

	json_array_foreach (snapshot_get(r->snap, "engine/nodes", NULL), i, e) {
		const char *other = json_str(e, "ID");
		if (!other || e == s->entry || !node_has_address(e, id->address) || claimant(r, other, NULL))
			continue;
		_cleanup_free_ char *text = xasprintf("%s, %s", node_hostname(e), node_state(e));
		if (strcmp(node_hostname(e), node_hostname(s->entry)) == 0) {
			s->former = s->former ? s->former : json_object();
			json_set_str(s->former, other, text);
		} else if (!s->note) {
			s->note = xasprintf("the swarm's node %s (%s) has the address of '%s' as well: if it is gone, "
					    "remove it with `docker node rm %s`",
					    other, text, id->name, other);
		}
	}
}

static void judge(const struct roster *r, const struct node_id *id, struct standing *s)
{
	const char *unknown = "its engine was not asked";
	const json_t *info = node_info(r->snap, id->name, &unknown);
	const char *own = node_own_id(info), *twin = claimant(r, own, id->name), *state = node_swarm_state(info);
	enum node_found found = node_find(r->snap, id, &s->entry, &s->why);
	bool active = strcmp(state, "active") == 0;

	s->presence = UNKNOWN;
	s->unseen = found == NODE_UNSEEN;
	if (s->why)
		return;
	if (twin)
		s->why = xasprintf("nodes '%s' and '%s' are one node of the swarm (NodeID %s): one host is a copy of "
				   "the other's disk. On the copy stop Docker, remove /var/lib/docker/swarm and "
				   "/etc/docker/key.json or /var/lib/docker/engine-id, and start it again: then it "
				   "joins as itself",
				   id->name, twin, own);
	else if (info && !active && strcmp(state, "inactive") != 0)
		s->why = describe_state(id, info);
	else if (found != NODE_FOUND && active)
		s->why = describe_stranger(r->snap, id, info);
	else if (found != NODE_FOUND && !info)
		s->why = xasprintf("no node of the swarm has the address of '%s', and its engine cannot be asked: %s",
				   id->name, unknown);
	else if (found == NODE_FOUND && !info && strcmp(node_state(s->entry), "down") == 0)
		s->why = xasprintf("the managers have node '%s' (%s) as down, and its engine cannot be asked: %s",
				   id->name, id->shown, unknown);
	else
		s->presence = found == NODE_FOUND ? PRESENT : ABSENT;
	if (s->presence == PRESENT && active && strcmp(node_state(s->entry), "down") == 0)
		s->note = xasprintf(
			"the managers have node '%s' (%s) as down, but its engine is there: " SWARM_PORTS_ADVICE,
			id->name, id->shown);
	/* Only whose NodeID is known is known not to be the other one; and it should work before anything is removed.
	 */
	if (s->presence == PRESENT && own && strcmp(node_state(s->entry), "ready") == 0)
		find_former(r, id, s);
}

/* Decode */

/* Each manager changes the group that has to agree on the next one. */
static void join_one_by_one(struct decode *d, struct resource *r, const struct snode *nodes, const struct snode *node)
{
	for (size_t i = 0; nodes->items[i] != node; i++)
		if (str_eq(snode_str(nodes->items[i], "role"), "manager"))
			resource_ref(d->out, r, REF_ORDER, (struct mark){0}, "swarm/%s@%s", spec_cluster(d->spec),
				     nodes->items[i]->key);
}

static void decode_member(struct decode *d, const struct snode *nodes, const struct snode *node)
{
	_cleanup_free_ char *name = xasprintf("%s@%s", spec_cluster(d->spec), node->key);
	struct resource *r = resource_add(d->out, "swarm", name);
	const char *role = snode_str(node, "role");
	const struct snode *address = snode_get(node, "address");
	struct cidr ip;

	r->node = arena_strdup(resource_set_arena(d->out), node->key);
	r->mark = node->key_mark;
	resource_set_field(d->out, r, "address", json_string(snode_scalar(address)), address->mark);
	resource_set_field(d->out, r, "role", json_string(role ? role : "worker"),
			   mark_of(snode_get(node, "role"), r->mark));
	swarm_ref(d, r);
	if (str_eq(role, "manager"))
		join_one_by_one(d, r, nodes, node);
	if (!cidr_parse(snode_scalar(address), &ip))
		resource_block(d->out, r,
			       "the other nodes will know node '%s' by its address, which has to be an IP address, "
			       "not '%s'",
			       node->key, snode_shown(address));
	common_keys(d, r, node);
}

void member_decode(struct decode *d, bool founds, struct resource *swarm)
{
	const struct snode *nodes = snode_get(spec_root(d->spec), "nodes");
	const struct snode *founder = founds ? swarm_founder(d->spec) : NULL;
	_cleanup_roster_ struct roster roster = roster_of_spec(d->snap, nodes);

	for (size_t i = 0; i < roster.nodes.n; i++) {
		_cleanup_standing_ struct standing s = {0};
		judge(&roster, &roster.nodes.v[i], &s);
		if (s.note)
			resource_note(d->out, swarm, "%s", s.note);
		if (!s.unseen && nodes->items[i] != founder && (s.presence != PRESENT || s.former))
			decode_member(d, nodes, nodes->items[i]);
	}
}

bool member_is_in(const struct decode *d, const char *node)
{
	_cleanup_roster_ struct roster roster = roster_of_spec(d->snap, snode_get(spec_root(d->spec), "nodes"));
	_cleanup_standing_ struct standing s = {0};

	for (size_t i = 0; i < roster.nodes.n; i++) {
		if (strcmp(roster.nodes.v[i].name, node) != 0)
			continue;
		judge(&roster, &roster.nodes.v[i], &s);
		return s.presence == PRESENT;
	}
	return false;
}

/* Observe */

static void observe_member(struct observe *o, const struct roster *roster, const struct node_id *id)
{
	_cleanup_free_ char *name = xasprintf("%s@%s", o->cluster, id->name);
	_cleanup_standing_ struct standing s = {0};
	const struct resource *want = resource_find(o->want, "swarm", name);

	if (!want)
		return;
	struct resource *r = observe_add(o, want);
	judge(roster, id, &s);
	r->owned = true;
	r->presence = s.presence;
	if (s.why)
		resource_block(o->out, r, "%s", s.why);
	if (s.presence != PRESENT)
		return;
	/* Where it joined and what it is now are the node's own resource's. */
	json_object_update(r->body, want->body);
	r->id = arena_strdup(resource_set_arena(o->out), json_str(s.entry, "ID"));
	resource_set_field(o->out, r, "former", json_incref(s.former), (struct mark){0});
}

void member_observe(struct observe *o)
{
	_cleanup_roster_ struct roster roster = roster_of_resources(o);

	for (size_t i = 0; i < roster.nodes.n; i++)
		observe_member(o, &roster, &roster.nodes.v[i]);
}

/* Explain */

/* Entries that will be what a former installation has left, once this one is in. */
static char *future_leftovers(const struct observe *o, const struct resource *want)
{
	_cleanup_roster_ struct roster roster = roster_of_resources(o);
	const char *hostname = json_str(node_info(o->snap, want->node, NULL), "Name");
	struct str s = {0};
	const json_t *e;
	size_t i;

	json_array_foreach (snapshot_get(o->snap, "engine/nodes", NULL), i, e)
		if (node_has_address(e, json_str(want->body, "address")) && str_eq(node_hostname(e), hostname) &&
		    !claimant(&roster, json_str(e, "ID"), NULL))
			str_addf(&s, "%s%s (%s)", s.len ? ", " : "", json_str(e, "ID"), node_state(e));
	return str_steal(&s);
}

void member_explain(const struct observe *o, struct arena *a, struct change *c)
{
	if (c->action == ACTION_UPDATE)
		c->effect = "what former installations of this node have left in the managers' list is removed";
	if (c->action != ACTION_CREATE)
		return;
	_cleanup_free_ char *former = future_leftovers(o, c->desired);
	c->effect = arena_printf(a, "joins the swarm as %s", json_str(c->desired->body, "role"));
	if (former && *former)
		c->effect = arena_printf(a, "%s; what a former installation of it has left is removed then: %s",
					 c->effect, former);
}
