/* What the doctor looks at: one round of lists, one of inspections and probes side by side, then Traefik. */
#include "run/doctor/internal.h"

#include "kinds/traefik/fetch.h"
#include "run/observe.h"
#include "sys/clock.h"

#include <stdio.h>
#include <string.h>

#define PROBE_TIMEOUT_MS 25000
#define MAX_INSPECTED 200 /* containers; more than that on one host are no cluster of this kind */

struct looking {
	const struct doctor_options *o;
	int64_t deadline;
	struct snapshot *snap;
	struct session *session; /* NULL without a spec */
	struct cluster own;      /* without a spec */
	struct host *here;       /* this machine, without a spec */
	struct cluster *cluster;
};

static void looking_free(struct looking *l)
{
	if (!l->session)
		engine_close(l->own.engine);
	host_close(l->here);
	session_close(l->session);
}

static const struct {
	const char *doc, *path;
	json_type answer;
} lists[] = {
	{"engine/info", "/info", JSON_OBJECT},
	{"engine/nodes", "/nodes", JSON_ARRAY},
	{"engine/networks", "/networks", JSON_ARRAY},
	{"engine/services", "/services?status=true", JSON_ARRAY},
	{"engine/containers", "/containers/json?all=1", JSON_ARRAY},
};

static void put(struct snapshot *snap, const char *doc, json_t *answer, json_type wanted, struct err *err)
{
	if (answer && json_typeof(answer) == wanted) {
		snapshot_put(snap, doc, answer);
		return;
	}
	if (answer)
		err_set(err, ERR_PROTOCOL, "the engine's answer for %s is not of its API", doc);
	json_decref(answer);
	snapshot_put_unknown(snap, doc, err);
}

static void fetch_lists(struct looking *l)
{
	const char *paths[ARRAY_SIZE(lists)];
	json_t *answers[ARRAY_SIZE(lists)];
	struct err errs[ARRAY_SIZE(lists)] = {0};

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		paths[i] = lists[i].path;
	engine_get_all(l->cluster->engine, l->deadline, paths, ARRAY_SIZE(lists), answers, errs);
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		put(l->snap, lists[i].doc, answers[i], lists[i].answer, &errs[i]);
}

static void fetch_containers(struct looking *l)
{
	const json_t *list = snapshot_get(l->snap, "engine/containers", NULL);
	VEC(char *) docs = {0};
	VEC(char *) paths = {0};
	json_t *c;
	size_t i;

	json_array_foreach ((json_t *)list, i, c) {
		struct str path = {0};
		if (container_is_task(c) || docs.n == MAX_INSPECTED)
			continue;
		str_adds(&path, "/containers/");
		engine_escape(container_name(c), &path);
		str_adds(&path, "/json");
		vec_push(&docs, xasprintf("engine/container/%s", container_name(c)));
		vec_push(&paths, str_steal(&path));
	}
	json_t **answers = xcalloc(docs.n + 1, sizeof(*answers));
	struct err *errs = xcalloc(docs.n + 1, sizeof(*errs));
	if (docs.n)
		engine_get_all(l->cluster->engine, l->deadline, (const char *const *)paths.v, docs.n, answers, errs);
	for (i = 0; i < docs.n; i++) {
		put(l->snap, docs.v[i], answers[i], JSON_OBJECT, &errs[i]);
		free(docs.v[i]);
		free(paths.v[i]);
	}
	vec_free(&docs);
	vec_free(&paths);
	free(answers);
	free(errs);
}

/* Nodes */

static bool is_engines(const struct looking *l, const struct host *h)
{
	const char *at = l->cluster->engine_node;
	return at && strcmp(at, host_node(h)) == 0;
}

struct probing {
	struct probe *probe;
	struct err err;
};

static void fetch_places(struct looking *l)
{
	/* The engine that is spoken to has listed its containers. */
	const char *const looks[] = {DOCTOR_CONTAINERS, DOCTOR_MOUNTS, NULL};
	struct probing *p = xcalloc(l->cluster->n_hosts + 1, sizeof(*p));
	int64_t soon = clock_ms() + PROBE_TIMEOUT_MS;
	json_t *places = json_array();

	for (size_t i = 0; i < l->cluster->n_hosts; i++) {
		struct host *h = l->cluster->hosts[i];
		const struct probe_request q = {
			.files = doctor_files, .looks = looks + is_engines(l, h), .exports = true};
		if (host_probe_start(h, &q, soon < l->deadline ? soon : l->deadline, &p[i].probe, &p[i].err) < 0)
			p[i].probe = NULL;
		json_array_append_new(places, json_pack("{s:s, s:b}", "node", host_node(h), "here", is_engines(l, h)));
	}
	for (size_t i = 0; i < l->cluster->n_hosts; i++)
		if (p[i].probe)
			host_probe_listen(p[i].probe);
	for (size_t i = 0; i < l->cluster->n_hosts; i++) {
		_cleanup_free_ char *doc = xasprintf("host/%s", host_node(l->cluster->hosts[i]));
		json_t *answer;
		if (p[i].probe && host_probe_finish(p[i].probe, &answer, &p[i].err) == 0)
			snapshot_put(l->snap, doc, answer);
		else
			snapshot_put_unknown(l->snap, doc, &p[i].err);
	}
	free(p);
	snapshot_put(l->snap, "doctor/places", places);
}

/* An engine that is of none of the spec's nodes, or of another machine: its containers are seen, its files are not. */
static void add_engines_place(struct looking *l)
{
	json_t *places = snapshot_get(l->snap, "doctor/places", NULL), *p;
	const char *name = json_str(snapshot_get(l->snap, "engine/info", NULL), "Name");
	struct err why;
	size_t i;

	json_array_foreach (places, i, p)
		if (json_bool(p, "here"))
			return;
	if (!name)
		return;
	_cleanup_free_ char *doc = xasprintf("host/%s", name);
	err_set(&why, ERR_BLOCKED, "no node of the spec is known to be its host: its files were not looked at");
	snapshot_put_unknown(l->snap, doc, &why);
	json_array_append_new(places, json_pack("{s:s, s:b}", "node", name, "here", 1));
}

/* Traefik */

static const char *traefik_container(const struct looking *l)
{
	const struct snode *traefik = l->o->spec ? snode_get(spec_root(l->o->spec), "traefik") : NULL;
	const char *wanted = snode_str(traefik, "container");
	json_t *c;
	size_t i;

	json_array_foreach (snapshot_get(l->snap, "engine/containers", NULL), i, c) {
		bool fits = wanted ? str_eq(container_name(c), wanted) : image_named(json_str(c, "Image"), "traefik");
		if (fits && !container_is_task(c))
			return container_name(c);
	}
	return NULL;
}

/* Where its API is by convention: port 8080, as this machine sees it. */
static char *guess_api(const struct looking *l, const json_t *inspect)
{
	const char *mode = json_string_value(json_path(inspect, "HostConfig.NetworkMode"));
	const json_t *bindings = json_object_get(json_path(inspect, "NetworkSettings.Ports"), "8080/tcp");
	const char *port = json_str(json_array_get(bindings, 0), "HostPort");
	const struct host *h = cluster_host(l->cluster, l->cluster->engine_node);

	if (!h || !host_is_local(h))
		return NULL;
	if (str_eq(mode, "host"))
		port = "8080";
	return port ? xasprintf("http://127.0.0.1:%s", port) : NULL;
}

/*
 * The engine gives the file as the next start would see it. A single file that was replaced since the start is another
 * one for the process: its own view is below its root.
 */
static void fetch_running(struct looking *l, const json_t *inspect)
{
	const json_t *doc = snapshot_get(l->snap, "traefik/static", NULL);
	const char *inside = json_str(doc, "inside"), *content = json_str(doc, "content");
	struct host *h = cluster_host(l->cluster, l->cluster->engine_node);
	int64_t pid = json_int(json_object_get(inspect, "State"), "Pid", 0);
	_cleanup_free_ char *path = xasprintf("/proc/%lld/root%s", (long long)pid, inside ? inside : "");
	_cleanup_str_ struct str text = {0};
	struct err why = {0};

	if (!h || pid <= 0 || !content || !json_bool(doc, "single_file"))
		return;
	if (host_read(h, path, STATIC_FILE_MAX, &text, &why) < 0)
		snapshot_put_unknown(l->snap, "traefik/running", &why);
	else
		snapshot_put(l->snap, "traefik/running",
			     json_pack("{s:b}", "differs", strcmp(str_cstr(&text), content) != 0));
}

static void fetch_traefik(struct looking *l)
{
	const struct snode *traefik = l->o->spec ? snode_get(spec_root(l->o->spec), "traefik") : NULL;
	const char *name = traefik_container(l), *api = l->cluster->traefik_api;
	struct fetch f = {.spec = l->o->spec, .cluster = l->cluster, .snap = l->snap, .deadline = l->deadline};
	_cleanup_free_ char *guessed = NULL;

	if (!name) {
		snapshot_put(l->snap, "traefik/container", json_null());
		traefik_fetch_api(&f);
		return;
	}
	_cleanup_free_ char *doc = xasprintf("engine/container/%s", name);
	const json_t *inspect = snapshot_get(l->snap, doc, NULL);
	guessed = api || !inspect ? NULL : guess_api(l, inspect);
	snapshot_put(l->snap, "traefik/container", json_pack("{s:s}", "name", name));
	l->cluster->traefik_api = api ? api : guessed;
	traefik_fetch_api(&f);
	l->cluster->traefik_api = api;
	if (!inspect)
		return;
	traefik_fetch_container(&f, name, inspect, traefik);
	fetch_running(l, inspect);
}

/* All of it */

/* Files of this machine, when the engine is its own. */
static int open_here(struct looking *l, struct err *err)
{
	const char *name = json_str(snapshot_get(l->snap, "engine/info", NULL), "Name");
	const struct host_options o = {.node = name, .address = "127.0.0.1"};

	if (!name || !str_starts(engine_address(l->own.engine), "unix://"))
		return 0;
	if (host_open(&o, &l->here, err) < 0)
		return -1;
	l->own.hosts = &l->here;
	l->own.n_hosts = 1;
	l->own.engine_node = host_node(l->here);
	return 0;
}

static int open_engine(struct looking *l, struct err *err)
{
	const struct engine_options eo = {.host = l->o->docker_host};

	if (l->o->spec) {
		if (session_open(l->o->spec, l->o->docker_host, false, &l->session, err) < 0)
			return -1;
		l->cluster = &l->session->cluster;
		return 0;
	}
	l->cluster = &l->own;
	return engine_open(&eo, &l->own.engine, err);
}

int doctor_look(const struct doctor_options *o, int64_t deadline, struct snapshot **out, char **engine, struct err *err)
{
	CLEANUP(looking_free) struct looking l = {.o = o, .deadline = deadline};

	if (open_engine(&l, err) < 0)
		return -1;
	l.snap = snapshot_new();
	fetch_lists(&l);
	if (!o->spec && open_here(&l, err) < 0) {
		snapshot_free(l.snap);
		return -1;
	}
	fetch_containers(&l);
	fetch_places(&l);
	add_engines_place(&l);
	fetch_traefik(&l);
	if (cancel_requested()) {
		snapshot_free(l.snap);
		return err_set(err, ERR_CANCELLED, "looking at the cluster: interrupted");
	}
	*engine = xstrdup(engine_address(l.cluster->engine));
	*out = l.snap;
	return 0;
}
