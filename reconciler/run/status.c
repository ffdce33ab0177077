/* Fetching what the status is made of: one round of calls, a second one only for tasks that were not expected. */
#include "run/status.h"

#include "kinds/traefik/reach.h"
#include "run/holder.h"
#include "run/observe.h"
#include "run/shared.h"
#include "state/store.h"
#include "sys/clock.h"

#include <string.h>

#define TRAEFIK_TIMEOUT_MS 3000 /* its answer is one part of many */

struct status {
	struct status_options o;
	struct resource_set *want, *live; /* names only: nothing was observed for them */
	json_t *asked;                    /* services whose tasks the next look asks for: {"<id>": true} */
	char *state_path;                 /* GET /configs of the shared state's object */
	struct traefik_client *traefik;
	struct host *traefik_host; /* NULL: its API is as seen from here */
};

/* Appends "?filters=…" for one filter with the keys of an object as its values. */
static void add_filter(const char *name, const json_t *values, struct str *path)
{
	_cleanup_json_ json_t *filters = json_pack("{s:O}", name, values);
	_cleanup_str_ struct str text = {0};

	json_canonical(filters, &text);
	str_adds(path, "?filters=");
	engine_escape(str_cstr(&text), path);
}

/* Names do not depend on what was observed: an empty snapshot will do. */
static void declare(struct status *s)
{
	struct snapshot *nothing = snapshot_new();
	struct err ignored;

	if (s->o.spec && build_resources(s->o.spec, nothing, &s->want, &s->live, &ignored) == 0)
		s->o.want = s->want;
	snapshot_free(nothing);
}

struct status *status_new(const struct status_options *o)
{
	struct status *s = xcalloc(1, sizeof(*s));
	_cleanup_free_ char *name = shared_name(o->cluster);
	_cleanup_json_ json_t *names = json_pack("{s:b}", name, 1);
	struct str path = {0};

	s->o = *o;
	declare(s);
	s->asked = json_object();
	str_adds(&path, "/configs");
	add_filter("name", names, &path);
	s->state_path = str_steal(&path);
	return s;
}

void status_free(struct status *s)
{
	if (!s)
		return;
	resource_set_free(s->want);
	resource_set_free(s->live);
	json_decref(s->asked);
	free(s->state_path);
	traefik_close(s->traefik);
	host_close(s->traefik_host);
	free(s);
}

static void put(struct snapshot *snap, const char *doc, json_t *answer, json_type wanted, const struct err *err)
{
	struct err why;

	if (!answer) {
		snapshot_put_unknown(snap, doc, err);
	} else if (json_typeof(answer) != wanted) {
		err_set(&why, ERR_PROTOCOL, "the engine's answer for %s is not of its API", doc);
		snapshot_put_unknown(snap, doc, &why);
		json_decref(answer);
	} else {
		snapshot_put(snap, doc, answer);
	}
}

static char *tasks_path(const json_t *ids)
{
	struct str path = {0};

	str_adds(&path, "/tasks");
	add_filter("service", ids, &path);
	return str_steal(&path);
}

enum { DOC_INFO, DOC_NODES, DOC_SERVICES, DOC_STATE, DOC_TASKS, N_DOCS };

static const struct {
	const char *name, *path; /* NULL: made for each look */
	json_type answer;
} docs[N_DOCS] = {
	[DOC_INFO] = {"engine/info", "/info", JSON_OBJECT},
	[DOC_NODES] = {"engine/nodes", "/nodes", JSON_ARRAY},
	[DOC_SERVICES] = {"engine/services", "/services?status=true", JSON_ARRAY},
	[DOC_STATE] = {"engine/state", NULL, JSON_ARRAY},
	[DOC_TASKS] = {"engine/tasks", NULL, JSON_ARRAY},
};

static void fetch_engine(struct status *s, int64_t deadline, struct snapshot *snap)
{
	size_t n = json_object_size(s->asked) ? N_DOCS : DOC_TASKS;
	_cleanup_free_ char *tasks = tasks_path(s->asked);
	const char *paths[N_DOCS];
	json_t *answers[N_DOCS];
	struct err errs[N_DOCS];

	for (size_t i = 0; i < n; i++)
		paths[i] = docs[i].path;
	paths[DOC_STATE] = s->state_path;
	paths[DOC_TASKS] = tasks;
	engine_get_all(s->o.engine, deadline, paths, n, answers, errs);
	for (size_t i = 0; i < n; i++)
		put(snap, docs[i].name, answers[i], docs[i].answer, &errs[i]);
}

static bool has_all(const json_t *have, const json_t *wanted)
{
	const char *key;
	json_t *unused;

	json_object_foreach ((json_t *)wanted, key, unused)
		if (!json_object_get(have, key))
			return false;
	return true;
}

/* What is in question now; it was asked for already when it was so in the look before. */
static void fetch_tasks(struct status *s, int64_t deadline, struct snapshot *snap)
{
	json_t *ids = status_in_question(&s->o, snap), *tasks = NULL;
	struct err err = {0};

	if (!has_all(s->asked, ids)) {
		_cleanup_free_ char *path = tasks_path(ids);
		if (engine_get(s->o.engine, deadline, &tasks, &err, "%s", path) < 0)
			tasks = NULL;
		put(snap, docs[DOC_TASKS].name, tasks, JSON_ARRAY, &err);
	}
	json_decref(s->asked);
	s->asked = ids;
}

/* Only the shared state's object is in the list; its last write is the lease's last renewal while one is held. */
static int64_t updated_at(const json_t *configs, const struct shared_at *at)
{
	json_t *config;
	int64_t wall;
	size_t i;

	json_array_foreach ((json_t *)configs, i, config)
		if (str_eq(json_str(config, "ID"), at->id) && clock_parse_rfc3339(json_str(config, "UpdatedAt"), &wall))
			return wall;
	return 0;
}

static void read_shared(const struct status *s, struct snapshot *snap)
{
	const char *why;
	const json_t *configs = snapshot_get(snap, "engine/state", &why), *lease;
	struct shared_at at = {0};
	struct err err = {0};
	json_t *sections;

	if (!configs)
		err_set(&err, ERR_UNREACHABLE, "%s", why);
	if (!configs || shared_from_list(configs, s->o.cluster, &at, &sections, &err) < 0) {
		snapshot_put_unknown(snap, "state/shared", &err);
		return;
	}
	lease = json_object_get(sections, "lease");
	snapshot_put(snap, "state/lease",
		     json_pack("{s:I, s:b}", "updated", (json_int_t)updated_at(configs, &at), "gone",
			       lease && holder_is_gone(lease)));
	snapshot_put(snap, "state/shared", sections);
}

static void read_last_run(const struct status *s, struct snapshot *snap)
{
	struct store *store = NULL;
	struct err err = {0};
	json_t *run = NULL;

	if (s->o.state_dir &&
	    (store_open(s->o.state_dir, false, &store, &err) < 0 || store_run_get(store, 0, &run, &err) < 0)) {
		run = err.code == ERR_NOT_FOUND ? json_null() : NULL;
		if (!run)
			snapshot_put_unknown(snap, "state/last", &err);
	}
	if (run)
		snapshot_put(snap, "state/last", run);
	store_close(store);
}

static int open_traefik(struct status *s, const struct snode *root, const char *url, struct err *err)
{
	const struct snode *traefik = snode_get(root, "traefik");
	const char *name = snode_str(traefik, "node");
	const struct snode *node = name ? snode_get(snode_get(root, "nodes"), name) : NULL;

	if (node && !s->traefik_host && session_host(s->o.spec, node, false, &s->traefik_host, err) < 0)
		return -1;
	return traefik_reach(s->traefik_host, url, &s->traefik, err);
}

static void fetch_traefik(struct status *s, int64_t deadline, struct snapshot *snap)
{
	static const char *const names[] = {"traefik/routers", "traefik/services"};
	static const char *const paths[] = {"/api/http/routers", "/api/http/services"};
	const struct snode *root = s->o.spec ? spec_root(s->o.spec) : NULL;
	const char *url = snode_str(snode_get(root, "traefik"), "api");
	int64_t soon = clock_ms() + TRAEFIK_TIMEOUT_MS;
	struct err err = {0};
	int rc = 0;

	if (url && !s->traefik)
		rc = open_traefik(s, root, url, &err);
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		json_t *answer = url ? NULL : json_null();
		if (url && rc == 0)
			rc = traefik_get(s->traefik, soon < deadline ? soon : deadline, paths[i], &answer, &err);
		if (rc < 0)
			snapshot_put_unknown(snap, names[i], &err);
		else
			snapshot_put(snap, names[i], answer);
	}
}

json_t *status_look(struct status *s, int64_t deadline)
{
	struct snapshot *snap = snapshot_new();

	fetch_engine(s, deadline, snap);
	fetch_tasks(s, deadline, snap);
	read_shared(s, snap);
	read_last_run(s, snap);
	if (snapshot_get(snap, "engine/services", NULL))
		fetch_traefik(s, deadline, snap);
	json_t *doc = status_make(&s->o, snap, clock_wall());
	snapshot_free(snap);
	return doc;
}
