/* The document but for services and routes. */
#include "plan/plan.h"
#include "run/status_internal.h"

#include "kinds/util.h"
#include "run/suspension.h"
#include "run/window.h"
#include "sys/clock.h"

#include <string.h>

void status_count(struct status_view *v, const char *where)
{
	json_t *summary = json_object_get(v->doc, "summary");
	if (where)
		json_set_int(summary, where, json_int(summary, where, 0) + 1);
}

void status_unknown(struct status_view *v, const char *what, const char *why)
{
	json_t *unknown = json_object_get(v->doc, "unknown");

	if (json_object_get(unknown, what))
		return;
	/* An engine that is away is one thing, although nothing else is known either. */
	if (!json_object_get(unknown, "engine"))
		status_count(v, "unknown");
	json_set_str(unknown, what, why);
}

/* The shared state */

static void add_suspended(struct status_view *v, const json_t *sections)
{
	const json_t *all = json_object_get(sections, "suspended");
	json_t *list = json_array();
	size_t n;
	const char **keys = json_sorted_keys(all, &n); /* "*" is before every letter */

	for (size_t i = 0; i < n; i++) {
		const json_t *entry = suspension_of(sections, keys[i], v->now);
		if (!entry)
			continue;
		json_t *j = json_copy((json_t *)entry);
		json_set_str(j, "resource", keys[i]);
		json_array_append_new(list, j);
	}
	free(keys);
	json_set(v->doc, "suspended", list);
}

static void add_lease(struct status_view *v, const json_t *sections)
{
	static const char *const members[] = {"host", "pid", "ttl_s"};
	const json_t *lease = json_object_get(sections, "lease"), *at = snapshot_get(v->snap, "state/lease", NULL);
	json_t *j;

	if (json_object_size(lease) == 0) {
		json_set(v->doc, "lease", json_null());
		return;
	}
	j = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (json_object_get(lease, members[i]))
			json_set(j, members[i], json_incref(json_object_get(lease, members[i])));
	if (json_int(at, "updated", 0))
		json_set_int(j, "renewed", json_int(at, "updated", 0));
	json_set_bool(j, "gone", json_bool(at, "gone"));
	json_set(v->doc, "lease", j);
}

static void add_applied(struct status_view *v, const json_t *sections)
{
	static const char *const members[] = {"commit", "source", "at", "complete"};
	const json_t *applied = json_object_get(sections, "applied");
	json_t *j;

	if (json_object_size(applied) == 0) {
		json_set(v->doc, "applied", json_null());
		return;
	}
	j = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (json_object_get(applied, members[i]))
			json_set(j, members[i], json_incref(json_object_get(applied, members[i])));
	json_set(v->doc, "applied", j);
}

/* The key that an error begins with is told beside it. */
static const char *without_key(const char *reason, const char *key)
{
	size_t n = strlen(key);
	return reason && strncmp(reason, key, n) == 0 && strncmp(reason + n, ": ", 2) == 0 ? reason + n + 2 : reason;
}

static void add_failed(struct status_view *v, const json_t *sections)
{
	const json_t *all = json_object_get(sections, "failed");
	json_t *list = json_array();
	size_t n;
	const char **keys = json_sorted_keys(all, &n);

	for (size_t i = 0; i < n; i++) {
		const json_t *entry = json_object_get(all, keys[i]);
		if (json_bool(entry, "past"))
			continue;
		json_t *j = json_pack("{s:s}", "resource", keys[i]);
		json_set_str(j, "reason", without_key(json_str(entry, "reason"), keys[i]));
		if (json_int(entry, "at", 0))
			json_set_int(j, "at", json_int(entry, "at", 0));
		json_array_append_new(list, j);
		status_count(v, "failed");
	}
	free(keys);
	json_set(v->doc, "failed", list);
}

static void add_contested(struct status_view *v, const json_t *sections)
{
	const json_t *all = json_object_get(sections, "reverts");
	json_t *list = json_array(), *entry;
	const char *path;
	size_t n;
	const char **keys = json_sorted_keys(all, &n);

	for (size_t i = 0; i < n; i++) {
		json_object_foreach (json_object_get(all, keys[i]), path, entry) {
			if (!plan_contested_since(entry))
				continue;
			json_array_append_new(list, json_pack("{s:s, s:s, s:I}", "resource", keys[i], "field", path,
							      "at", (json_int_t)json_int(entry, "last", 0)));
			status_count(v, "failed");
		}
	}
	free(keys);
	json_set(v->doc, "contested", list);
}

/* What waits */

static const json_t *last_plan(const struct status_view *v)
{
	const json_t *run = snapshot_get(v->snap, "state/last", NULL), *plans = json_object_get(run, "plans");
	return json_object_get(json_array_get(plans, json_array_size(plans) - 1), "plan");
}

/* The gate's own words are in the plan of the last run, if that was made here. */
static const json_t *planned(const struct status_view *v, const char *key)
{
	json_t *c;
	size_t i;

	json_array_foreach (json_object_get(last_plan(v), "changes"), i, c)
		if (str_eq(json_str(c, "resource"), key))
			return c;
	return NULL;
}

static void add_unmet(const struct status_view *v, const json_t *sections, json_t *by_name)
{
	const char *key;
	json_t *unused;

	json_object_foreach (json_path(sections, "gates.unmet"), key, unused) {
		const char *reason = json_str(planned(v, key), "reason");
		json_set(by_name, key,
			 json_pack("{s:s, s:s}", "resource", key, "reason",
				   reason ? reason : "its gate did not hold when it was last asked"));
	}
}

/* A plan that nobody made again since may name what the spec does not any more. */
static void add_planned(const struct status_view *v, json_t *by_name)
{
	int64_t asked = json_int(snapshot_get(v->snap, "state/last", NULL), "started", 0);
	json_t *c;
	size_t i;

	json_array_foreach (json_object_get(last_plan(v), "changes"), i, c) {
		const char *key = json_str(c, "resource"), *reason = json_str(c, "reason");
		if (!key || !reason || !str_eq(json_str(c, "state"), "waiting"))
			continue;
		if (v->o->want && !resource_find_key(v->o->want, key))
			continue;
		json_set(by_name, key,
			 json_pack("{s:s, s:s, s:I}", "resource", key, "reason", reason, "asked", (json_int_t)asked));
	}
}

static void add_waiting(struct status_view *v, const json_t *sections)
{
	_cleanup_json_ json_t *by_name = json_object();
	json_t *list = json_array();
	size_t n;

	add_unmet(v, sections, by_name);
	add_planned(v, by_name);
	const char **keys = json_sorted_keys(by_name, &n);
	for (size_t i = 0; i < n; i++) {
		json_array_append(list, json_object_get(by_name, keys[i]));
		status_count(v, "pending");
	}
	free(keys);
	json_set(v->doc, "waiting", list);
}

/* What restarts or removes something waits for it; all else does not. */
static void add_window(struct status_view *v)
{
	_cleanup_free_ char *why = NULL;
	struct err err = {0};
	int64_t turns_s = 0;
	json_t *j;

	if (!v->o->spec || !snode_path(spec_root(v->o->spec), "policy.maintenance"))
		return;
	if (window_state(v->o->spec, v->now, &why, &turns_s, &err) < 0) {
		status_unknown(v, "window", err.msg);
		return;
	}
	j = json_object();
	json_set_bool(j, "open", why == NULL);
	json_set_str(j, "reason", why);
	if (why && turns_s)
		json_set_int(j, "opens", v->now + turns_s);
	json_set(v->doc, "window", j);
}

static void add_shared(struct status_view *v)
{
	const char *why;
	const json_t *sections = snapshot_get(v->snap, "state/shared", &why);

	if (!sections) {
		status_unknown(v, "shared", why);
		return;
	}
	add_suspended(v, sections);
	add_lease(v, sections);
	add_applied(v, sections);
	add_failed(v, sections);
	add_contested(v, sections);
	add_waiting(v, sections);
}

/* Nodes */

/* The spec knows a node by its address when its host name is another one. */
static const struct snode *node_in_spec(const struct status_view *v, const char *name, const char *address)
{
	const struct snode *nodes = v->o->spec ? snode_get(spec_root(v->o->spec), "nodes") : NULL;

	for (size_t i = 0; i < snode_count(nodes); i++)
		if (str_eq(nodes->items[i]->key, name) || str_eq(snode_str(nodes->items[i], "address"), address))
			return nodes->items[i];
	return NULL;
}

static json_t *node_json(struct status_view *v, const json_t *node)
{
	const char *name = json_string_value(json_path(node, "Description.Hostname")), *id = json_str(node, "ID");
	const char *state = json_string_value(json_path(node, "Status.State"));
	const char *address = json_string_value(json_path(node, "Status.Addr"));
	const char *manager = json_string_value(json_path(node, "ManagerStatus.Reachability"));
	const struct snode *wanted = node_in_spec(v, name, address);
	json_t *j = json_object();

	json_set_str(j, "name", name ? name : id ? id : "?");
	json_set_str(j, "address", address);
	json_set_str(j, "role", json_string_value(json_path(node, "Spec.Role")));
	json_set_str(j, "state", state);
	json_set_str(j, "availability", json_string_value(json_path(node, "Spec.Availability")));
	if (json_is_true(json_path(node, "ManagerStatus.Leader")))
		json_set_bool(j, "leader", true);
	json_set_str(j, "manager", manager);
	json_set_str(j, "message", json_string_value(json_path(node, "Status.Message")));
	if (snode_bool(wanted, "optional", false))
		json_set_bool(j, "optional", true);
	else if (!str_eq(state, "ready") || (manager && strcmp(manager, "reachable") != 0))
		status_count(v, "pending");
	return j;
}

static int compare_names(const void *a, const void *b)
{
	const json_t *const *x = a, *const *y = b;
	return strcmp(json_str(*x, "name"), json_str(*y, "name"));
}

/* Two nodes may have one name. */
static void add_nodes(struct status_view *v)
{
	const char *why;
	const json_t *live = snapshot_get(v->snap, "engine/nodes", &why);
	json_t *nodes = json_array(), *node;
	VEC(json_t *) sorted = {0};
	size_t i;

	if (!json_is_array(live)) {
		status_unknown(v, "nodes", why);
		json_decref(nodes);
		return;
	}
	json_array_foreach ((json_t *)live, i, node)
		vec_push(&sorted, node_json(v, node));
	if (sorted.n)
		qsort(sorted.v, sorted.n, sizeof(*sorted.v), compare_names);
	for (i = 0; i < sorted.n; i++)
		json_array_append_new(nodes, sorted.v[i]);
	vec_free(&sorted);
	json_set(v->doc, "nodes", nodes);
}

/* The record of this machine; not knowing it is no trouble of the cluster's. */
static void add_last_run(struct status_view *v)
{
	static const char *const members[] = {"run",    "kind",        "started", "ended",   "source",
					      "commit", "exit_status", "message", "outcomes"};
	const char *why;
	const json_t *last = snapshot_get(v->snap, "state/last", &why);
	json_t *j;

	if (!last) {
		json_set_str(json_object_get(v->doc, "unknown"), "last_run", why);
		return;
	}
	if (json_is_null(last)) {
		json_set(v->doc, "last_run", json_null());
		return;
	}
	j = json_object();
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (json_object_get(last, members[i]))
			json_set(j, members[i], json_incref(json_object_get(last, members[i])));
	json_set(v->doc, "last_run", j);
}

/* One reason for all that only a manager knows. */
static void note_engine(struct status_view *v)
{
	const char *why;
	enum swarm_role role = swarm_role(v->snap, &why);

	if (role == SWARM_NONE)
		why = "it is in no swarm: `reconcile bootstrap` creates one";
	if (role != SWARM_MANAGER)
		status_unknown(v, "engine", why);
}

json_t *status_make(const struct status_options *o, const struct snapshot *snap, int64_t wall)
{
	struct status_view v = {.o = o, .snap = snap, .now = wall, .doc = json_object()};
	const char *health;
	const json_t *info = snapshot_get(snap, "engine/info", NULL), *summary;

	clock_parse_rfc3339(json_str(info, "SystemTime"), &v.now);
	json_set_int(v.doc, "format", STATUS_FORMAT);
	json_set_str(v.doc, "cluster", o->cluster);
	if (o->engine)
		json_set_str(v.doc, "engine", engine_address(o->engine));
	json_set_int(v.doc, "at", v.now);
	json_set(v.doc, "summary", json_pack("{s:i, s:i, s:i}", "failed", 0, "pending", 0, "unknown", 0));
	json_set(v.doc, "unknown", json_object());
	note_engine(&v);
	add_shared(&v);
	add_window(&v);
	status_services(&v);
	status_routes(&v);
	add_nodes(&v);
	add_last_run(&v);
	summary = json_object_get(v.doc, "summary");
	health = json_int(summary, "failed", 0)    ? "failed"
		 : json_int(summary, "unknown", 0) ? "unknown"
		 : json_int(summary, "pending", 0) ? "pending"
						   : "ok";
	json_set_str(v.doc, "health", health);
	return v.doc;
}

json_t *status_in_question(const struct status_options *o, const struct snapshot *snap)
{
	json_t *ids = json_object(), *s;
	size_t i;

	json_array_foreach (snapshot_get(snap, "engine/services", NULL), i, s)
		if (json_str(s, "ID") && status_is_ours(o, s) && status_service_in_question(s))
			json_set_bool(ids, json_str(s, "ID"), true);
	return ids;
}

int status_exit(const json_t *doc)
{
	const char *health = json_str(doc, "health");
	return str_eq(health, "ok") ? 0 : str_eq(health, "failed") ? 1 : 3;
}
