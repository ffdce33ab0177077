/* Judging: the document from what was observed and planned. */
#include "run/verify/verify.h"

#include "kinds/node.h"
#include "kinds/util.h"

#include <string.h>

enum state {
	STATE_OK,
	STATE_FAILED,
	STATE_UNKNOWN,
	STATE_SKIPPED, /* an optional node is away: nothing is wrong */
};
static const char *const state_names[] = {"ok", "failed", "unknown", "skipped"};

struct verifying {
	const struct verify_facts *f;
	json_t *checks;
	size_t counts[ARRAY_SIZE(state_names)];
	struct arena *arena;
};

/* soon: looking again can help. */
__attribute__((format(printf, 5, 6))) static void add(struct verifying *v, const char *key, enum state s, bool soon,
						      const char *fmt, ...)
{
	json_t *j = json_pack("{s:s, s:s}", "check", key, "state", state_names[s]);
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	json_set_str(j, "what", text);
	if (soon)
		json_set_bool(j, "waiting", true);
	json_array_append_new(v->checks, j);
	v->counts[s]++;
	free(text);
}

static const struct snode *spec_node(const struct verifying *v, const char *name)
{
	return name ? snode_get(snode_get(spec_root(v->f->spec), "nodes"), name) : NULL;
}

static enum state state_of_unknown(const struct verifying *v, const char *node)
{
	return snode_bool(spec_node(v, node), "optional", false) ? STATE_SKIPPED : STATE_UNKNOWN;
}

/* An optional node that cannot be looked at: why; NULL: it is no such node. */
static const char *away(const struct verifying *v, const char *node)
{
	const char *doc = arena_printf(v->arena, "host/%s", node ? node : ""), *why = NULL;

	if (!snode_bool(spec_node(v, node), "optional", false) || snapshot_get(v->f->snap, doc, &why))
		return NULL;
	return why ? why : "it was not looked at";
}

static const struct change *change_of(const struct verifying *v, const char *key)
{
	for (size_t i = 0; i < v->f->plan->changes.n; i++)
		if (strcmp(v->f->plan->changes.v[i].key, key) == 0)
			return &v->f->plan->changes.v[i];
	return NULL;
}

/* Kinds that say more than that nothing differs */

static void check_node(struct verifying *v, const char *key, const struct resource *want)
{
	const struct node_id id = node_id_of(spec_node(v, want->name));
	_cleanup_free_ char *why = NULL, *doc = xasprintf("host/%s", want->name);
	const char *unseen = NULL;
	const json_t *entry = NULL;

	if (node_find(v->f->snap, &id, &entry, &why) != NODE_FOUND) {
		add(v, key, state_of_unknown(v, want->name), false, "%s", why ? why : "it is not in the swarm");
		return;
	}
	const char *state = node_state(entry),
		   *manager = json_string_value(json_path(entry, "ManagerStatus.Reachability"));
	bool optional = snode_bool(spec_node(v, want->name), "optional", false);
	if (strcmp(state, "ready") != 0 || (manager && strcmp(manager, "reachable") != 0))
		add(v, key, optional ? STATE_SKIPPED : STATE_FAILED, false, "it is %s%s",
		    strcmp(state, "ready") != 0 ? state : "ready, and not reachable as a manager",
		    optional ? " (optional)" : "");
	else if (!snapshot_get(v->f->snap, doc, &unseen))
		add(v, key, state_of_unknown(v, want->name), false, "ready in the swarm, and not to be looked at: %s",
		    unseen);
	else
		add(v, key, STATE_OK, false, "ready; role, availability and labels are as in the spec");
}

static void check_service(struct verifying *v, const char *key, const struct resource *want)
{
	const json_t *list = snapshot_get(v->f->snap, "engine/services", NULL), *found = NULL;
	json_t *s;
	size_t i;

	json_array_foreach ((json_t *)list, i, s)
		if (str_eq(json_str(json_object_get(s, "Spec"), "Name"), want->name))
			found = s;
	const json_t *status = json_object_get(found, "ServiceStatus");
	const char *update = json_string_value(json_path(found, "UpdateStatus.State"));
	long long running = json_int(status, "RunningTasks", 0), desired = json_int(status, "DesiredTasks", 0);
	bool job = json_path(found, "Spec.Mode.ReplicatedJob") || json_path(found, "Spec.Mode.GlobalJob");
	if (!status)
		add(v, key, STATE_UNKNOWN, false, "the engine does not say how many tasks run");
	else if (str_eq(update, "updating") || str_eq(update, "rollback_started"))
		add(v, key, STATE_UNKNOWN, true, "it is being updated: %lld of %lld tasks run", running, desired);
	else if (running < desired && !job)
		add(v, key, STATE_FAILED, true, "%lld of %lld tasks run", running, desired);
	else if (job)
		add(v, key, STATE_OK, false, "as in the spec");
	else
		add(v, key, STATE_OK, false, "%lld of %lld tasks run, as in the spec", running, desired);
}

static void check_gate(struct verifying *v, const char *key)
{
	const json_t *gate = json_object_get(v->f->gates, key);
	const char *reason = json_str(gate, "reason");

	if (json_bool(gate, "met"))
		add(v, key, STATE_OK, false, "%s", reason ? reason : "it holds");
	else if (!gate)
		add(v, key, STATE_UNKNOWN, false, "it was not asked");
	else
		add(v, key, json_bool(gate, "unknown") ? STATE_UNKNOWN : STATE_FAILED, json_bool(gate, "waiting"), "%s",
		    reason ? reason : "it does not hold");
}

/* What differs */

static void add_paths(const struct change *c, struct str *out)
{
	for (size_t i = 0; i < c->fields.n && i < 5; i++)
		str_addf(out, "%s%s", i ? ", " : "", c->fields.v[i].path);
	if (c->fields.n > 5)
		str_addf(out, " and %zu more", c->fields.n - 5);
}

static void check_difference(struct verifying *v, const struct change *c)
{
	_cleanup_str_ struct str paths = {0};

	add_paths(c, &paths);
	if (c->action == ACTION_CREATE)
		add(v, c->key, STATE_FAILED, false, "it is not there%s%s", c->reason ? ": " : "",
		    c->reason ? c->reason : "");
	else if (c->action == ACTION_REMOVE)
		add(v, c->key, STATE_FAILED, false, "it is still there%s%s", c->reason ? ": " : "",
		    c->reason ? c->reason : "");
	else if (c->live && c->live->trouble && c->fields.n == 0)
		add(v, c->key, STATE_FAILED, true, "%s", c->live->trouble);
	else if (c->fields.n > 0)
		add(v, c->key, STATE_FAILED, false, "it differs from the spec: %s", str_cstr(&paths));
	else
		add(v, c->key, STATE_FAILED, false, "%s",
		    c->reason                   ? c->reason
		    : c->action == ACTION_ADOPT ? "it is not adopted yet"
						: "it is not as in the spec");
}

static bool is_gate(const char *kind)
{
	const struct kind *k = kind_find(kind);
	return k && k->gate && !k->apply;
}

static void check_resource(struct verifying *v, const struct resource *want)
{
	const char *key = arena_printf(v->arena, "%s/%s", want->kind, want->name);
	const struct resource *live = resource_find(v->f->live, want->kind, want->name);
	const struct change *c = change_of(v, key);
	const char *node = want->node ? want->node : strcmp(want->kind, "node") == 0 ? want->name : NULL;

	if (away(v, node))
		add(v, key, STATE_SKIPPED, false, "its node is optional, and away: %s", away(v, node));
	else if (is_gate(want->kind))
		check_gate(v, key);
	else if (!live || live->presence == UNKNOWN)
		add(v, key, state_of_unknown(v, node), false, "%s",
		    live && live->blocked ? live->blocked
		    : want->blocked       ? want->blocked
					  : "it was not observed");
	else if (c && c->action != ACTION_NONE)
		check_difference(v, c);
	else if (strcmp(want->kind, "node") == 0)
		check_node(v, key, want);
	else if (strcmp(want->kind, "service") == 0)
		check_service(v, key, want);
	else
		add(v, key, STATE_OK, false, "%s", want->presence == ABSENT ? "gone" : "as in the spec");
}

/* Nobody wants it any more. */
static void check_left_over(struct verifying *v)
{
	for (size_t i = 0; i < v->f->plan->changes.n; i++) {
		const struct change *c = &v->f->plan->changes.v[i];
		if (c->action == ACTION_DELETE)
			add(v, c->key, STATE_FAILED, false, "an earlier spec made it, this one does not name it");
	}
}

json_t *verify_make(const struct verify_facts *f)
{
	struct verifying v = {.f = f, .checks = json_array(), .arena = arena_new()};
	json_t *doc = json_object(), *summary = json_object();

	for (size_t i = 0; i < resource_count(f->want); i++)
		check_resource(&v, resource_at(f->want, i));
	check_left_over(&v);
	for (size_t i = 0; i < ARRAY_SIZE(state_names); i++)
		json_set_int(summary, state_names[i], (int64_t)v.counts[i]);
	json_set_int(doc, "format", VERIFY_FORMAT);
	json_set_str(doc, "cluster", spec_cluster(f->spec));
	json_set_str(doc, "engine", f->engine);
	json_set_str(doc, "health", v.counts[STATE_FAILED] ? "failed" : v.counts[STATE_UNKNOWN] ? "unknown" : "ok");
	json_set(doc, "summary", summary);
	json_set(doc, "checks", v.checks);
	arena_free(v.arena);
	return doc;
}

int verify_exit(const json_t *doc)
{
	const char *health = json_str(doc, "health");
	return str_eq(health, "ok") ? 0 : str_eq(health, "failed") ? 1 : 3;
}

/* Not while something fails for good: nothing that is waited for could make up for it. */
bool verify_may_change(const json_t *doc)
{
	bool waits = false;
	json_t *j;
	size_t i;

	json_array_foreach (json_object_get(doc, "checks"), i, j) {
		waits |= json_bool(j, "waiting");
		if (str_eq(json_str(j, "state"), "failed") && !json_bool(j, "waiting"))
			return false;
	}
	return waits;
}
