#include "kinds/node.h"

#include "kinds/util.h"

#include <string.h>

#define INFO_PATH "/info"

/* What the engines say of themselves */

void node_want_infos(const struct spec *spec, struct wants *w)
{
	const struct snode *nodes = snode_get(spec_root(spec), "nodes");

	/* The engine of this pass is asked anyway. */
	for (size_t i = 0; i < snode_count(nodes); i++)
		if (!str_eq(nodes->items[i]->key, w->engine_node))
			want_look(w, nodes->items[i]->key, "engine", INFO_PATH);
}

static json_t *ask_probe(const struct fetch *f, const char *node, struct err *err)
{
	struct arena *a = arena_new();
	const char *why = NULL;
	const json_t *answer = host_look(f->snap, a, node, "engine", INFO_PATH, &why);
	json_t *info = NULL;

	if (!answer)
		err_set(err, ERR_UNREACHABLE, "%s", why ? why : "it was not asked");
	else if (json_is_null(answer))
		info = json_null();
	else if (json_parse(json_string_value(answer), json_string_length(answer), &info, err) < 0)
		err_wrap(err, "node '%s': what its engine says", node);
	arena_free(a);
	return info;
}

/* The engine of this pass was asked already. */
static json_t *ask_engine(const struct fetch *f, struct err *err)
{
	const char *why = NULL;
	json_t *info = snapshot_get(f->snap, "engine/info", &why);

	if (!info)
		err_set(err, ERR_UNREACHABLE, "%s", why ? why : "it was not asked");
	return json_incref(info);
}

void node_fetch_infos(struct fetch *f)
{
	for (size_t i = 0; i < f->cluster->n_hosts; i++) {
		const char *node = host_node(f->cluster->hosts[i]);
		_cleanup_free_ char *doc = xasprintf("info/%s", node);
		struct err err = {0};
		json_t *info = str_eq(node, f->cluster->engine_node) ? ask_engine(f, &err) : ask_probe(f, node, &err);
		if (info)
			snapshot_put(f->snap, doc, info);
		else
			snapshot_put_unknown(f->snap, doc, &err);
	}
}

const json_t *node_info(const struct snapshot *snap, const char *node, const char **why)
{
	_cleanup_free_ char *doc = xasprintf("info/%s", node);
	return snapshot_get(snap, doc, why);
}

const char *node_swarm_state(const json_t *info)
{
	const char *state = json_str(json_object_get(info, "Swarm"), "LocalNodeState");
	return state ? state : "";
}

const char *node_own_id(const json_t *info)
{
	const char *id = json_str(json_object_get(info, "Swarm"), "NodeID");
	return id && *id ? id : NULL;
}

/* An engine has an ID of its own, swarm or not. */
bool node_has_engine(const struct snapshot *snap, const char *node)
{
	const char *id = json_str(node_info(snap, node, NULL), "ID");

	if (str_eq(json_str(snapshot_get(snap, "run/options", NULL), "engine_node"), node))
		return true;
	return id && *id && str_eq(id, json_str(snapshot_get(snap, "engine/info", NULL), "ID"));
}

/* The manager's list */

struct node_id node_id_of(const struct snode *node)
{
	return (struct node_id){
		.name = node->key,
		.address = snode_str(node, "address"),
		.shown = snode_shown(snode_get(node, "address")),
		.hostname = snode_str(node, "hostname"),
	};
}

struct node_id node_id_of_resource(const struct resource *node)
{
	const char *address = json_str(node->body, "address");

	return (struct node_id){
		.name = node->name,
		.address = address,
		.shown = resource_mark_of(node, "address").hidden ? HIDDEN_VALUE : address,
		.hostname = json_str(node->body, "hostname"),
	};
}

/* A manager that listens on all addresses reports 0.0.0.0; what it advertises is then in ManagerStatus ("ip:port"). */
const char *node_address(const json_t *entry)
{
	const char *addr = json_str(json_object_get(entry, "Status"), "Addr");
	return addr ? addr : "";
}

const char *node_hostname(const json_t *entry)
{
	const char *name = json_str(json_object_get(entry, "Description"), "Hostname");
	return name ? name : "";
}

const char *node_state(const json_t *entry)
{
	const char *state = json_str(json_object_get(entry, "Status"), "State");
	return state ? state : "";
}

bool node_has_address(const json_t *entry, const char *address)
{
	const char *manager = json_str(json_object_get(entry, "ManagerStatus"), "Addr");
	size_t n = strlen(address);

	if (str_eq(node_address(entry), address))
		return true;
	return manager && strncmp(manager, address, n) == 0 && manager[n] == ':' && !strchr(manager + n + 1, ':');
}

enum how {
	BY_ADDRESS,
	BY_ID,
	IN_NONE, /* the host itself says that it is in no swarm */
};

/*
 * How a node is told, *id for BY_ID. An engine whose swarm is down (locked, failed) may not say its NodeID, but it is
 * still the one in the list.
 */
static enum how how_to_tell(const struct snapshot *snap, const struct node_id *want, const char **id)
{
	const json_t *info = node_info(snap, want->name, NULL);
	const json_t *engine = json_object_get(snapshot_get(snap, "engine/info", NULL), "Swarm");

	if (strcmp(node_swarm_state(info), "inactive") == 0)
		return IN_NONE;
	*id = node_own_id(info);
	if (!info && want->address && str_eq(json_str(engine, "NodeAddr"), want->address))
		*id = json_str(engine, "NodeID");
	return *id ? BY_ID : BY_ADDRESS;
}

static bool fits(const json_t *entry, const struct node_id *want, const char *id)
{
	if (id)
		return str_eq(json_str(entry, "ID"), id);
	return want->address && node_has_address(entry, want->address) &&
	       (!want->hostname || str_eq(json_str(json_object_get(entry, "Description"), "Hostname"), want->hostname));
}

/* Of several entries with one address those that are down are former installations, if one of them is up. */
static const json_t *pick(const json_t *list, const struct node_id *want, const char *id, size_t *n, struct str *ids)
{
	const json_t *e, *first = NULL, *up = NULL;
	size_t i, n_up = 0;

	*n = 0;
	json_array_foreach ((json_t *)list, i, e) {
		if (!fits(e, want, id))
			continue;
		first = (*n)++ ? first : e;
		if (strcmp(node_state(e), "down") != 0)
			up = n_up++ ? up : e;
		str_addf(ids, "%s%s (%s)", ids->len ? ", " : "", json_str(e, "ID"), node_state(e));
	}
	if (*n > 1 && n_up == 1) {
		*n = 1;
		return up;
	}
	return first;
}

enum node_found node_find(const struct snapshot *snap, const struct node_id *want, const json_t **entry, char **why)
{
	const char *unseen, *id = NULL;
	const json_t *list = swarm_list(snap, "engine/nodes", &unseen);
	_cleanup_str_ struct str ids = {0};
	size_t n;

	if (!list) {
		*why = xstrdup(unseen);
		return NODE_UNSEEN;
	}
	enum how how = how_to_tell(snap, want, &id);
	if (how == IN_NONE)
		return NODE_NOT_FOUND;
	const json_t *found = pick(list, want, how == BY_ID ? id : NULL, &n, &ids);
	if (n > 1) {
		*why = xasprintf(
			"%zu nodes of the swarm have the address %s of '%s', which cannot be asked itself: %s; "
			"remove the one that is gone with `docker node rm`",
			n, want->shown, want->name, str_cstr(&ids));
		return NODE_AMBIGUOUS;
	}
	if (n == 0)
		return NODE_NOT_FOUND;
	*entry = found;
	return NODE_FOUND;
}

struct host *node_host(const struct apply *a, const char *id)
{
	for (size_t i = 0; id && i < a->cluster->n_hosts; i++) {
		struct host *h = a->cluster->hosts[i];
		if (str_eq(node_own_id(node_info(a->snap, host_node(h), NULL)), id))
			return h;
	}
	return NULL;
}
