#include "run/observe.h"

#include "plan/plan.h"
#include "sys/clock.h"

#include <string.h>

static const struct list {
	const char *name;
	const char *path;
	json_type answer; /* anything else is no answer: an empty one would read as "there is nothing" */
} lists[] = {
	{"configs", "/configs", JSON_ARRAY},
	{"containers", "/containers/json?all=1", JSON_ARRAY},
	{"info", "/info", JSON_OBJECT},
	{"networks", "/networks", JSON_ARRAY},
	{"nodes", "/nodes", JSON_ARRAY},
	{"secrets", "/secrets", JSON_ARRAY},
	{"services", "/services?status=true", JSON_ARRAY},
	{"swarm", "/swarm", JSON_OBJECT},
	{"volumes", "/volumes", JSON_OBJECT},
};

int session_open(const struct spec *spec, const char *docker_host, struct session **out, struct err *err)
{
	const struct snode *nodes = snode_get(spec_root(spec), "nodes");
	const struct engine_options eo = {.host = docker_host};
	struct session *s = xcalloc(1, sizeof(*s));

	s->cluster.name = spec_cluster(spec);
	s->cluster.traefik_api = snode_str(snode_get(spec_root(spec), "traefik"), "api");
	if (engine_open(&eo, &s->cluster.engine, err) < 0)
		goto fail;
	for (size_t i = 0; i < snode_count(nodes); i++) {
		struct host *h;
		if (host_open(nodes->items[i]->key, snode_str(nodes->items[i], "address"), &h, err) < 0)
			goto fail;
		vec_push(&s->hosts, h);
	}
	s->cluster.hosts = s->hosts.v;
	s->cluster.n_hosts = s->hosts.n;
	*out = s;
	return 0;
fail:
	session_close(s);
	return -1;
}

void session_close(struct session *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->hosts.n; i++)
		host_close(s->hosts.v[i]);
	vec_free(&s->hosts);
	engine_close(s->cluster.engine);
	free(s);
}

static const struct list *find_list(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (strcmp(lists[i].name, name) == 0)
			return &lists[i];
	return NULL;
}

/* Engine documents of one pass: names in the snapshot, paths and lists (NULL: one container), in parallel arrays. */
struct documents {
	VEC(char *) names;
	VEC(char *) paths;
	VEC(const struct list *) lists;
};

static void documents_free(struct documents *d)
{
	for (size_t i = 0; i < d->names.n; i++) {
		free(d->names.v[i]);
		free(d->paths.v[i]);
	}
	vec_free(&d->names);
	vec_free(&d->paths);
	vec_free(&d->lists);
}

static void documents_collect(struct documents *d, const struct wants *w)
{
	for (size_t i = 0; i < w->engine.n; i++) {
		const struct list *list = find_list(w->engine.v[i]);
		if (!list)
			continue;
		vec_push(&d->names, xasprintf("engine/%s", list->name));
		vec_push(&d->paths, xstrdup(list->path));
		vec_push(&d->lists, list);
	}
	for (size_t i = 0; i < w->containers.n; i++) {
		_cleanup_str_ struct str path = {0};
		str_adds(&path, "/containers/");
		engine_escape(w->containers.v[i], &path);
		str_adds(&path, "/json");
		vec_push(&d->names, xasprintf("engine/container/%s", w->containers.v[i]));
		vec_push(&d->paths, str_steal(&path));
		vec_push(&d->lists, NULL);
	}
}

/* Only one container by its name can be observed to be absent; a list that is "not found" is unknown. */
static void put_answer(struct snapshot *snap, const struct documents *d, size_t i, json_t *answer, struct err *err)
{
	const struct list *list = d->lists.v[i];
	json_type wanted = list ? list->answer : JSON_OBJECT;

	if (answer && json_typeof(answer) == wanted) {
		snapshot_put(snap, d->names.v[i], answer);
		return;
	}
	if (answer)
		err_set(err, ERR_PROTOCOL, "GET %s: the engine's answer is not %s", d->paths.v[i],
			wanted == JSON_ARRAY ? "a list" : "an object");
	json_decref(answer);
	if (!list && err->code == ERR_NOT_FOUND)
		snapshot_put(snap, d->names.v[i], json_null());
	else
		snapshot_put_unknown(snap, d->names.v[i], err);
}

static void fetch_documents(struct engine *e, const struct documents *d, int64_t deadline, struct snapshot *snap)
{
	json_t **outs = xcalloc(d->names.n, sizeof(*outs));
	struct err *errs = xcalloc(d->names.n, sizeof(*errs));

	engine_get_all(e, deadline, (const char *const *)d->paths.v, d->names.n, outs, errs);
	for (size_t i = 0; i < d->names.n; i++)
		put_answer(snap, d, i, outs[i], &errs[i]);
	free(outs);
	free(errs);
}

struct probing {
	char *doc;
	struct probe *probe; /* NULL: could not be started, err says why */
	struct err err;
};

static const struct host_wants *wants_of(const struct wants *w, const char *node)
{
	for (size_t i = 0; i < w->hosts.n; i++)
		if (strcmp(w->hosts.v[i].node, node) == 0)
			return &w->hosts.v[i];
	return NULL;
}

static bool wants_nothing(const struct host_wants *hw)
{
	return !hw || (hw->dirs.n <= 1 && hw->files.n <= 1 && !hw->exports);
}

/* A host of which nothing is asked is only known to be this machine, which costs nothing. */
static void start_probe(struct host *h, const struct wants *w, int64_t deadline, struct snapshot *snap,
			struct probing *p)
{
	const struct host_wants *hw = wants_of(w, host_node(h));
	struct probe_request q = {0};

	p->doc = xasprintf("host/%s", host_node(h));
	if (host_is_local(h) && wants_nothing(hw)) {
		snapshot_put(snap, p->doc, json_object());
		return;
	}
	if (hw) {
		q.dirs = hw->dirs.v;
		q.files = hw->files.v;
		q.exports = hw->exports;
	}
	if (host_probe_start(h, &q, deadline, &p->probe, &p->err) < 0)
		snapshot_put_unknown(snap, p->doc, &p->err);
}

static void finish_probe(struct probing *p, struct snapshot *snap)
{
	json_t *result;
	if (p->probe) {
		if (host_probe_finish(p->probe, &result, &p->err) < 0)
			snapshot_put_unknown(snap, p->doc, &p->err);
		else
			snapshot_put(snap, p->doc, result);
	}
	free(p->doc);
}

/* Both sides' common API version is known from the connection: no call for it. */
static void note_version(const struct engine *e, struct snapshot *snap)
{
	if (*engine_api_version(e))
		snapshot_put(snap, "engine/version", json_pack("{s:s}", "ApiVersion", engine_api_version(e)));
}

int observe_cluster(struct session *s, const struct spec *spec, int64_t deadline, struct snapshot **out,
		    struct err *err)
{
	CLEANUP(documents_free) struct documents docs = {0};
	struct snapshot *snap = snapshot_new();
	struct wants *w = wants_new();
	struct probing *probes = xcalloc(s->hosts.n, sizeof(*probes));
	size_t n;
	const struct kind *const *kinds = kinds_all(&n);
	int rc = 0;

	for (size_t i = 0; i < n; i++)
		if (kinds[i]->needs)
			kinds[i]->needs(spec, w);
	wants_finish(w);
	documents_collect(&docs, w);
	snapshot_put(snap, "run/options", json_pack("{s:b}", "may_init", s->cluster.may_init));

	for (size_t i = 0; i < s->hosts.n; i++)
		start_probe(s->hosts.v[i], w, deadline, snap, &probes[i]);
	fetch_documents(s->cluster.engine, &docs, deadline, snap);
	note_version(s->cluster.engine, snap);
	for (size_t i = 0; i < s->hosts.n; i++)
		finish_probe(&probes[i], snap);

	struct fetch f = {.spec = spec, .cluster = &s->cluster, .snap = snap, .deadline = deadline};
	for (size_t i = 0; i < n && rc == 0; i++)
		if (kinds[i]->fetch)
			rc = kinds[i]->fetch(&f, err);
	if (rc == 0 && cancel_requested())
		rc = err_set(err, ERR_CANCELLED, "observing the cluster: interrupted");
	free(probes);
	wants_free(w);
	if (rc < 0) {
		snapshot_free(snap);
		return -1;
	}
	*out = snap;
	return 0;
}

int build_resources(const struct spec *spec, const struct snapshot *snap, struct resource_set **want,
		    struct resource_set **live, struct err *err)
{
	struct resource_set *desired = resource_set_new(), *observed = resource_set_new();
	struct decode d = {.spec = spec, .snap = snap, .out = desired};
	struct observe o = {.cluster = spec_cluster(spec), .snap = snap, .want = desired, .out = observed};
	size_t n;
	const struct kind *const *kinds = kinds_all(&n);
	int rc = 0;

	for (size_t i = 0; i < n && rc == 0; i++)
		rc = kinds[i]->decode(&d, err);
	for (size_t i = 0; i < n && rc == 0; i++)
		rc = kinds[i]->observe(&o, err);
	if (rc < 0) {
		resource_set_free(desired);
		resource_set_free(observed);
		return -1;
	}
	*want = desired;
	*live = observed;
	return 0;
}

struct plan *build_plan(const struct spec *spec, const struct snapshot *snap, const struct resource_set *want,
			const struct resource_set *live, const json_t *last, const json_t *unmet)
{
	const struct snode *policy = snode_get(spec_root(spec), "policy"), *adopt = snode_get(policy, "adopt");
	const char **adopted = xcalloc(snode_count(adopt) + 1, sizeof(*adopted));
	struct plan_input in = {
		.cluster = spec_cluster(spec),
		.want = want,
		.live = live,
		.snap = snap,
		.last = last,
		.unmet = unmet,
		.adopt = adopted,
		.prune = strcmp(snode_str(policy, "prune") ? snode_str(policy, "prune") : "owned", "owned") == 0,
		.max_deletions = snode_int(policy, "max_deletions", 5),
	};

	in.kinds = kinds_all(&in.n_kinds);
	for (size_t i = 0; i < snode_count(adopt); i++)
		adopted[i] = snode_scalar(adopt->items[i]);
	struct plan *p = plan_make(&in);
	free(adopted);
	return p;
}
