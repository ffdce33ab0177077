#include "run/observe.h"

#include "model/ignore.h"
#include "plan/plan.h"
#include "run/shared.h"
#include "sys/clock.h"
#include "sys/hash.h"

#include <stdio.h>
#include <string.h>

/* One host that hangs must not take the whole time of an observation. */
#define PROBE_TIMEOUT_MS 25000
/* A pass that changes something observes twice and more: who was silent is not waited for each time. */
#define SILENT_MS 30000
#define SLOW_MS 2000

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
	int64_t started;
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
	return !hw || (hw->dirs.n <= 1 && hw->files.n <= 1 && hw->looks.n <= 1 && !hw->exports);
}

/* One that refuses at once is asked again at no cost. */
static void note_silence(struct silence *s, const struct err *why, int64_t started)
{
	if ((why->code == ERR_UNREACHABLE || why->code == ERR_TIMEOUT) && clock_ms() - started >= SLOW_MS)
		*s = (struct silence){.why = *why, .until = clock_ms() + SILENT_MS};
}

/* A host of which nothing is asked is only known to be this machine, which costs nothing. */
static void start_probe(struct host *h, const struct silence *silence, const struct wants *w, int64_t deadline,
			struct snapshot *snap, struct probing *p)
{
	const struct host_wants *hw = wants_of(w, host_node(h));
	struct probe_request q = {0};
	int64_t limit = clock_ms() + PROBE_TIMEOUT_MS;

	p->doc = xasprintf("host/%s", host_node(h));
	p->started = clock_ms();
	if (host_is_local(h) && wants_nothing(hw)) {
		snapshot_put(snap, p->doc, json_object());
		return;
	}
	if (p->started < silence->until) {
		p->err = silence->why;
		snapshot_put_unknown(snap, p->doc, &p->err);
		return;
	}
	if (hw) {
		q.dirs = hw->dirs.v;
		q.files = hw->files.v;
		q.looks = hw->looks.v;
		q.exports = hw->exports;
	}
	if (host_probe_start(h, &q, limit < deadline ? limit : deadline, &p->probe, &p->err) < 0)
		snapshot_put_unknown(snap, p->doc, &p->err);
}

static void finish_probe(struct probing *p, struct silence *silence, struct snapshot *snap)
{
	json_t *result;
	if (p->probe) {
		if (host_probe_finish(p->probe, &result, &p->err) < 0) {
			note_silence(silence, &p->err, p->started);
			snapshot_put_unknown(snap, p->doc, &p->err);
		} else {
			snapshot_put(snap, p->doc, result);
		}
	}
	free(p->doc);
}

/* Both sides' common API version is known from the connection: no call for it. */
static void note_version(const struct engine *e, struct snapshot *snap)
{
	if (*engine_api_version(e))
		snapshot_put(snap, "engine/version", json_pack("{s:s}", "ApiVersion", engine_api_version(e)));
}

/* A rollback starts again what is in there. What cannot be read stops the run elsewhere (run/safety.h). */
static void note_kept(const struct cluster *c, struct snapshot *snap)
{
	_cleanup_json_ json_t *sections = NULL;
	struct shared_at at;
	struct err why = {0};

	if (c->rolls_back &&
	    shared_from_list(snapshot_get(snap, "engine/configs", NULL), c->name, &at, &sections, &why) == 0)
		snapshot_put(snap, "run/kept", json_incref(json_object_get(sections, "kept")));
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

	w->engine_node = s->cluster.engine_node;
	for (size_t i = 0; i < n; i++)
		if (kinds[i]->needs)
			kinds[i]->needs(spec, w);
	want_engine(w, "configs"); /* the shared state is one of them (run/safety.h); kinds want the list anyway */
	want_engine(w, "info");
	/* What the engine of this pass says of itself is in its own answer. */
	if (s->cluster.engine_node)
		unwant_look(w, s->cluster.engine_node, "engine", "/info");
	wants_finish(w);
	documents_collect(&docs, w);
	snapshot_put(snap, "run/options",
		     json_pack("{s:b,s:b,s:s?}", "may_init", s->cluster.may_init, "engine_given", s->engine_given,
			       "engine_node", s->cluster.engine_node));
	if (s->cluster.digests)
		snapshot_put(snap, "run/digests", json_incref((json_t *)s->cluster.digests));

	for (size_t i = 0; i < s->hosts.n; i++)
		start_probe(s->hosts.v[i], &s->silent.v[i], w, deadline, snap, &probes[i]);
	fetch_documents(s->cluster.engine, &docs, deadline, snap);
	note_version(s->cluster.engine, snap);
	note_kept(&s->cluster, snap);
	for (size_t i = 0; i < s->hosts.n; i++)
		if (probes[i].probe)
			host_probe_listen(probes[i].probe);
	for (size_t i = 0; i < s->hosts.n; i++)
		finish_probe(&probes[i], &s->silent.v[i], snap);

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
	resources_settle(desired, observed);
	*want = desired;
	*live = observed;
	return 0;
}

int64_t manager_time(const struct snapshot *snap)
{
	int64_t now;
	return clock_parse_rfc3339(json_str(snapshot_get(snap, "engine/info", NULL), "SystemTime"), &now)
		       ? now
		       : clock_wall();
}

/* Without libcrypto nothing equals anything: what failed is tried again, what was approved has to be so again. */
void fingerprint(const json_t *body, char hex[65])
{
	static _Atomic unsigned unknown;
	_cleanup_str_ struct str text = {0};
	struct err ignored;

	json_canonical(body, &text);
	if (hash_sha256_hex(text.data, text.len, hex, &ignored) < 0)
		snprintf(hex, 65, "unknown-%u", ++unknown);
}

struct plan *build_plan(const struct spec *spec, const struct snapshot *snap, const struct resource_set *want,
			const struct resource_set *live, const struct plan_facts *f)
{
	const struct snode *policy = snode_get(spec_root(spec), "policy"), *adopt = snode_get(policy, "adopt");
	const char *prune = snode_str(policy, "prune"), *approval = snode_str(policy, "approval");
	const char **adopted = xcalloc(snode_count(adopt) + 1, sizeof(*adopted));
	struct plan_input in = {
		.cluster = spec_cluster(spec),
		.want = want,
		.live = live,
		.snap = snap,
		.last = f->last,
		.unmet = f->unmet,
		.adopt = adopted,
		.prune = !prune || strcmp(prune, "owned") == 0,
		.max_deletions = snode_int(policy, "max_deletions", 5),
		.shared = f->shared,
		.now = f->now,
		.same_spec = f->same_spec,
		.only = f->only,
		.retry = f->retry,
		.retry_all = f->retry_all,
		.approval = approval && strcmp(approval, "destructive") == 0,
		.window = f->window,
		.window_opens_s = f->window_opens_s,
		.fingerprint = fingerprint,
	};

	in.kinds = kinds_all(&in.n_kinds);
	for (size_t i = 0; i < snode_count(adopt); i++)
		adopted[i] = snode_scalar(adopt->items[i]);
	struct plan *p = plan_make(&in);
	free(adopted);
	return p;
}
