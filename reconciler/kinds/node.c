#include "kinds/node.h"

#include "kinds/kinds.h"
#include "kinds/member.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define UPDATE_TRIES 5

/*
 * Role, availability and labels of a swarm's nodes. Of a node's labels those
 * are ours whose key any node of the spec sets: the key is then authoritative
 * on every node, so dropping `ollama: "true"` from one node takes it away
 * there, while labels that the spec never mentions (other tools set them) stay.
 */

static const struct field fields[] = {
	{"address", 0, NULL},      /* what the node is known by, never written; equal on both sides */
	{"availability", 0, NULL}, /* draining evicts: explain */
	{"hostname", 0, NULL},     /* as address */
	{"labels", 0, NULL},       /* taking one away can evict: explain */
	{"role", FIELD_EVICTS, NULL},
};

static const char *const after[] = {"engine", "swarm", "mount", "model", NULL};

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *nodes = snode_get(spec_root(spec), "nodes");

	if (!spec_wants_swarm(spec) || snode_count(nodes) == 0)
		return;
	want_swarm_list(w, "nodes");
	want_swarm_list(w, "services");
	node_want_infos(spec, w);
}

/*
 * A local host's document is an empty object when nothing else was asked of it.
 * Its name tells whether the engine is this machine's, or DOCKER_HOST leads elsewhere.
 */
static int fetch(struct fetch *f, struct err *err)
{
	char hostname[HOST_NAME_MAX + 1] = "";

	if (gethostname(hostname, sizeof(hostname) - 1) < 0)
		return err_sys(err, "reading this machine's host name");
	for (size_t i = 0; i < f->cluster->n_hosts; i++) {
		const struct host *h = f->cluster->hosts[i];
		_cleanup_free_ char *doc = xasprintf("host/%s", host_node(h));
		json_t *known = snapshot_get(f->snap, doc, NULL);
		if (host_is_local(h) && json_is_object(known) && !json_object_get(known, "hostname"))
			json_set_str(known, "hostname", hostname);
	}
	if (spec_wants_swarm(f->spec))
		node_fetch_infos(f);
	return 0;
}

/* Label keys: of the whole spec, and those that services are placed by */

/* True when a constraint ("node.labels.ollama == true") is about this label. */
static bool constrains_label(const char *constraint, const char *key)
{
	static const char prefix[] = "node.labels.";
	size_t n = strlen(key);

	constraint += strspn(constraint, " ");
	if (!str_starts(constraint, prefix))
		return false;
	constraint += sizeof(prefix) - 1;
	return strncmp(constraint, key, n) == 0 && strchr(" =!", constraint[n]);
}

static bool spec_places_by(const struct spec *spec, const char *key)
{
	const struct snode *services = snode_get(spec_root(spec), "services");

	for (size_t i = 0; i < snode_count(services); i++) {
		const struct snode *list = snode_path(services->items[i], "deploy.placement.constraints");
		for (size_t k = 0; k < snode_count(list); k++)
			if (snode_scalar(list->items[k]) && constrains_label(snode_scalar(list->items[k]), key))
				return true;
	}
	return false;
}

/* The name of a running service that is placed by the label; NULL when there is none. */
static const char *service_placed_by(const struct snapshot *snap, const char *key)
{
	const json_t *services = snapshot_get(snap, "engine/services", NULL), *service, *constraint;
	size_t i, k;

	json_array_foreach (services, i, service)
		json_array_foreach (json_path(service, "Spec.TaskTemplate.Placement.Constraints"), k, constraint)
			if (json_is_string(constraint) && constrains_label(json_string_value(constraint), key))
				return json_str(json_object_get(service, "Spec"), "Name");
	return NULL;
}

/* An object with the key of every label that any node of the spec sets. New reference. */
static json_t *our_label_keys(const struct resource_set *want)
{
	json_t *keys = json_object();

	for (size_t i = 0; i < resource_count(want); i++) {
		const struct resource *r = resource_at(want, i);
		if (str_eq(r->kind, "node"))
			json_object_update(keys, json_object_get(r->body, "labels"));
	}
	return keys;
}

/* Decode */

static bool has_node(const struct snode *list, const char *name)
{
	for (size_t i = 0; i < snode_count(list); i++)
		if (str_eq(snode_scalar(list->items[i]), name))
			return true;
	return false;
}

/* A label that a placement constraint uses comes only after the node's mounts: tasks would start on an empty directory.
 */
static void require_mounts(struct decode *d, struct resource *r, const struct snode *labels, const json_t *entry)
{
	const json_t *live = json_path(entry, "Spec.Labels");
	const struct snode *nfs = snode_get(spec_root(d->spec), "nfs");
	const struct snode *placing = NULL;

	for (size_t i = 0; i < snode_count(labels) && !placing; i++) {
		const struct snode *l = labels->items[i];
		if (!str_eq(json_str(live, l->key), snode_scalar(l)) && spec_places_by(d->spec, l->key))
			placing = l;
	}
	for (size_t i = 0; placing && i < snode_count(nfs); i++)
		if (has_node(snode_path(nfs->items[i], "mount.nodes"), r->name))
			resource_ref(d->out, r, REF_REQUIRES, placing->key_mark, "mount/%s@%s", nfs->items[i]->key,
				     r->name);
}

static bool is_manager(const json_t *entry)
{
	return str_eq(json_str(json_object_get(entry, "Spec"), "Role"), "manager");
}

static bool is_reachable_manager(const json_t *entry)
{
	return str_eq(json_str(json_object_get(entry, "ManagerStatus"), "Reachability"), "reachable");
}

/*
 * Managers are made before others stop being ones, and those that do not answer stop being ones before those that do:
 * so the managers that answer are a majority at every moment if they are one in the end.
 */
static void order_demotion(struct decode *d, struct resource *r, const json_t *entry)
{
	const struct snode *nodes = snode_get(spec_root(d->spec), "nodes");

	if (str_eq(json_str(r->body, "role"), "manager") || !is_manager(entry))
		return;
	for (size_t i = 0; i < nodes->n_items; i++) {
		struct node_id id = node_id_of(nodes->items[i]);
		const json_t *other = NULL;
		_cleanup_free_ char *why = NULL;
		bool dead = node_find(d->snap, &id, &other, &why) == NODE_FOUND && is_manager(other) &&
			    !is_reachable_manager(other) && is_reachable_manager(entry);
		if (dead || str_eq(snode_str(nodes->items[i], "role"), "manager"))
			resource_ref(d->out, r, REF_ORDER, (struct mark){0}, "node/%s", nodes->items[i]->key);
	}
}

/* Joining is a change of its own; a node that creates the swarm has none. Tidying up after one waits for nobody. */
static void require_membership(struct decode *d, struct resource *r)
{
	_cleanup_free_ char *key = xasprintf("swarm/%s@%s", spec_cluster(d->spec), r->name);

	swarm_ref(d, r);
	if (resource_find_key(d->out, key) && !member_is_in(d, r->name))
		resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "%s", key);
}

static void decode_node(struct decode *d, const struct snode *node)
{
	struct resource *r = resource_add(d->out, "node", node->key);
	const struct snode *labels = snode_get(node, "labels");
	const char *role = snode_str(node, "role"), *availability = snode_str(node, "availability");
	struct node_id id = node_id_of(node);
	_cleanup_free_ char *why = NULL;
	const json_t *entry = NULL;

	r->mark = node->key_mark;
	resource_set_field(d->out, r, "address", json_string(id.address), snode_get(node, "address")->mark);
	if (id.hostname)
		resource_set_field(d->out, r, "hostname", json_string(id.hostname), snode_get(node, "hostname")->mark);
	resource_set_field(d->out, r, "role", json_string(role ? role : "worker"),
			   mark_of(snode_get(node, "role"), r->mark));
	resource_set_field(d->out, r, "availability", json_string(availability ? availability : "active"),
			   mark_of(snode_get(node, "availability"), r->mark));
	if (snode_count(labels) > 0) {
		resource_set_field(d->out, r, "labels", string_map(labels), labels->mark);
		mark_members(d->out, r, "labels", labels);
	}
	if (node_find(d->snap, &id, &entry, &why) != NODE_FOUND)
		entry = NULL;
	require_membership(d, r);
	require_mounts(d, r, labels, entry);
	order_demotion(d, r, entry);
	common_keys(d, r, node);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *nodes = snode_get(spec_root(d->spec), "nodes");

	(void)err;
	for (size_t i = 0; spec_wants_swarm(d->spec) && i < snode_count(nodes); i++)
		decode_node(d, nodes->items[i]);
	return 0;
}

/* Observe */

static json_t *our_labels(const json_t *labels, const json_t *keys)
{
	json_t *ours = json_object();
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)labels, key, value)
		if (json_object_get(keys, key))
			json_object_set(ours, key, value);
	if (json_object_size(ours) > 0)
		return ours;
	json_decref(ours);
	return NULL;
}

static void observe_node(struct observe *o, const struct resource *want, const json_t *keys)
{
	struct resource *r = observe_add(o, want);
	struct node_id id = node_id_of_resource(want);
	_cleanup_free_ char *why = NULL;
	const json_t *entry = NULL;

	r->owned = true; /* a node is known by its identity, not by a label */
	switch (node_find(o->snap, &id, &entry, &why)) {
	case NODE_NOT_FOUND:
		return;
	case NODE_AMBIGUOUS:
	case NODE_UNSEEN:
		r->presence = UNKNOWN;
		resource_block(o->out, r, "%s", why);
		return;
	case NODE_FOUND:
		break;
	}
	const json_t *spec = json_object_get(entry, "Spec");
	r->presence = PRESENT;
	r->id = arena_strdup(resource_set_arena(o->out), json_str(entry, "ID"));
	r->version = (uint64_t)json_int(json_object_get(entry, "Version"), "Index", 0);
	json_set_str(r->body, "address", id.address);
	json_set_str(r->body, "hostname", id.hostname);
	json_set_str(r->body, "role", json_str(spec, "Role"));
	json_set_str(r->body, "availability", json_str(spec, "Availability"));
	resource_set_field(o->out, r, "labels", our_labels(json_object_get(spec, "Labels"), keys), (struct mark){0});
}

static int observe(struct observe *o, struct err *err)
{
	_cleanup_json_ json_t *keys = our_label_keys(o->want);

	(void)err;
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		if (str_eq(want->kind, "node"))
			observe_node(o, want, keys);
	}
	return 0;
}

/* Explain */

static void block_change(struct change *c, const char *reason)
{
	if (c->state == CHANGE_BLOCKED)
		return;
	c->state = CHANGE_BLOCKED;
	c->reason = reason;
}

static bool is_demoted(const struct observe *o, const char *node_id)
{
	for (size_t i = 0; i < resource_count(o->out); i++) {
		const struct resource *live = resource_at(o->out, i);
		if (!str_eq(live->kind, "node") || !str_eq(live->id, node_id))
			continue;
		const struct resource *want = resource_find(o->want, "node", live->name);
		return want && str_eq(json_str(want->body, "role"), "worker");
	}
	return false;
}

/* Raft needs a majority of the managers that are left; what is demoted in this plan is counted as gone already. */
static void check_quorum(const struct observe *o, struct arena *a, struct change *c)
{
	const json_t *nodes = snapshot_get(o->snap, "engine/nodes", NULL), *entry;
	size_t i, managers = 0, reachable = 0;

	if (str_eq(c->live->id, json_str(json_path(snapshot_get(o->snap, "engine/info", NULL), "Swarm"), "NodeID"))) {
		block_change(c, "demoting the manager that reconcile talks to would end its access to the swarm: point "
				"DOCKER_HOST at another manager first");
		return;
	}
	json_array_foreach (nodes, i, entry) {
		const json_t *status = json_object_get(entry, "ManagerStatus");
		if (!json_is_object(status) || is_demoted(o, json_str(entry, "ID")))
			continue;
		managers++;
		reachable += is_reachable_manager(entry);
	}
	if (managers == 0 || reachable < managers / 2 + 1)
		block_change(c,
			     arena_printf(a,
					  "demoting it would leave the swarm %zu managers, %zu of them reachable, and "
					  "no majority: promote another node first",
					  managers, reachable));
}

static void explain_labels(const struct observe *o, struct arena *a, struct change *c)
{
	const json_t *live = json_object_get(c->live->body, "labels");
	const json_t *wanted = json_object_get(c->desired->body, "labels");
	const char *key;
	json_t *value;

	json_object_foreach ((json_t *)live, key, value) {
		if (json_same(value, json_object_get(wanted, key)))
			continue;
		const char *service = service_placed_by(o->snap, key);
		if (!service)
			continue;
		if (c->disruption < DISRUPTS_EVICT)
			c->disruption = DISRUPTS_EVICT;
		c->effect = arena_printf(
			a, "service '%s' is placed by label '%s': its tasks on this node may be moved away", service,
			key);
		return;
	}
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	if (c->action != ACTION_UPDATE || !c->desired || !c->live)
		return;
	explain_labels(o, a, c);
	if (change_has_field(c, "availability") && str_eq(json_str(c->desired->body, "availability"), "drain")) {
		c->disruption = c->disruption < DISRUPTS_EVICT ? DISRUPTS_EVICT : c->disruption;
		c->effect = "all tasks on this node are stopped and moved to others";
	}
	if (change_has_field(c, "role") && str_eq(json_str(c->desired->body, "role"), "worker"))
		check_quorum(o, a, c);
}

/* Apply */

/* What tells who the node is now, as the kinds' fetch would put it. What cannot be asked is left out. */
static int look_again(struct apply *a, const char *node, struct snapshot *now, struct err *err)
{
	static const char *const lists[][2] = {{"engine/info", "/info"}, {"engine/nodes", "/nodes"}};
	_cleanup_free_ char *doc = xasprintf("info/%s", node);
	struct engine *own;
	struct err ignored;
	json_t *j = NULL;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++) {
		if (engine_get(a->cluster->engine, a->deadline, &j, err, "%s", lists[i][1]) < 0)
			return -1;
		snapshot_put(now, lists[i][0], j);
	}
	if (!node_info(a->snap, node, NULL)) /* nor could it be when the plan was made */
		return 0;
	if (cluster_engine(a->cluster, node, &own, &ignored) == 0 &&
	    engine_get(own, a->deadline, &j, &ignored, "/info") == 0)
		snapshot_put(now, doc, j);
	return 0;
}

/* A node that has joined in this pass has no id in the plan, so it is looked for again. */
static int find_id(struct apply *a, const struct change *c, char **id, struct err *err)
{
	if (c->live && c->live->id) {
		*id = xstrdup(c->live->id);
		return 0;
	}
	struct node_id want = node_id_of_resource(c->desired);
	_cleanup_free_ char *why = NULL;
	struct snapshot *now = snapshot_new();
	const json_t *entry = NULL;
	int r = look_again(a, want.name, now, err);

	if (r == 0 && node_find(now, &want, &entry, &why) == NODE_FOUND)
		*id = xstrdup(json_str(entry, "ID"));
	else if (r == 0)
		r = err_set(err, ERR_BLOCKED, "node '%s' (%s): %s", want.name, want.shown,
			    why ? why : "it has not joined the swarm");
	snapshot_free(now);
	return r;
}

static void overlay(struct apply *a, const struct resource *desired, json_t *spec)
{
	_cleanup_json_ json_t *keys = our_label_keys(a->want);
	const json_t *wanted = json_object_get(desired->body, "labels");
	json_t *labels = json_object_get(spec, "Labels"), *unused;
	const char *key;

	json_set_str(spec, "Role", json_str(desired->body, "role"));
	json_set_str(spec, "Availability", json_str(desired->body, "availability"));
	if (!json_is_object(labels)) {
		labels = json_object();
		json_set(spec, "Labels", labels);
	}
	json_object_foreach (keys, key, unused) {
		if (json_object_get(wanted, key))
			json_object_set(labels, key, json_object_get(wanted, key));
		else
			json_object_del(labels, key);
	}
}

/* What is still to come before the change has taken effect; "" when it has. Appends. */
static int pending(struct apply *a, const struct change *c, const char *id, struct str *out, struct err *err)
{
	_cleanup_json_ json_t *node = NULL;
	size_t tasks = 0;

	if (engine_get(a->cluster->engine, a->deadline, &node, err, "/nodes/%s", id) < 0)
		return -1;
	bool manager = str_eq(json_str(c->desired->body, "role"), "manager");
	if (change_has_field(c, "role") && json_is_object(json_object_get(node, "ManagerStatus")) != manager)
		str_adds(out, manager ? "it is becoming a manager" : "it is giving up its manager role");
	if (change_has_field(c, "availability") && str_eq(json_str(c->desired->body, "availability"), "drain")) {
		if (engine_count_running(a->cluster->engine, a->deadline, "node", id, &tasks, err) < 0)
			return -1;
		if (tasks > 0)
			str_addf(out, "%s%zu tasks still run on it", out->len ? ", " : "", tasks);
	}
	return 0;
}

static int wait_for_effect(struct apply *a, const struct change *c, const char *id, struct err *err)
{
	for (;;) {
		_cleanup_str_ struct str what = {0};
		if (pending(a, c, id, &what, err) < 0)
			return -1;
		if (what.len == 0)
			return 0;
		a->progress(a->progress_arg, "%s", str_cstr(&what));
		if (clock_left(a->deadline) == 0)
			return err_set(err, ERR_TIMEOUT, "node '%s' is updated, but %s", c->desired->name,
				       str_cstr(&what));
		if (!clock_sleep(500))
			return err_set(err, ERR_CANCELLED, "waiting for node '%s': stopped, %s", c->desired->name,
				       str_cstr(&what));
	}
}

static int update(struct apply *a, const struct resource *desired, const char *id, struct err *err)
{
	_cleanup_json_ json_t *node = NULL, *before = NULL;

	if (engine_get(a->cluster->engine, a->deadline, &node, err, "/nodes/%s", id) < 0)
		return err_wrap(err, "reading node '%s'", desired->name);
	json_t *spec = json_object_get(node, "Spec");
	before = json_deep_copy(spec);
	overlay(a, desired, spec);
	if (json_same(before, spec))
		return 0;
	if (engine_post(a->cluster->engine, a->deadline, spec, NULL, err, "/nodes/%s/update?version=%lld", id,
			(long long)json_int(json_object_get(node, "Version"), "Index", 0)) < 0)
		return err_wrap(err, "updating node '%s'", desired->name);
	return 0;
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	_cleanup_free_ char *id = NULL;

	if (find_id(a, c, &id, err) < 0)
		return err_wrap(err, "reading node '%s'", c->desired->name);
	/* The agent's reports move a node's version, too. What is not ours in it is read again each time. */
	for (int tries = 1;; tries++) {
		struct err e = {0};
		if (update(a, c->desired, id, &e) == 0)
			return wait_for_effect(a, c, id, err);
		if (e.code != ERR_OUT_OF_SEQUENCE || tries == UPDATE_TRIES) {
			*err = e;
			return -1;
		}
	}
}

const struct kind kind_node = {
	.name = "node",
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
