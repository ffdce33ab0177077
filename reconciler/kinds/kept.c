/*
 * kept/<name>: what an `absent` entry of the spec has stopped, started again by a rollback to a spec that has no such
 * entry. It exists in a rollback only: whoever takes an entry out of the spec because its work is done wants nothing
 * started. What it was is in the shared state (state/shared.h, section kept), written before it was stopped.
 */
#include "kinds/absent/absent.h"
#include "kinds/absent/phase.h"
#include "kinds/absent/unit.h"
#include "kinds/cluster.h"
#include "kinds/kinds.h"
#include "kinds/service/service.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <string.h>

#define KEPT "run/kept"
#define ABSENT_KEY "absent/"
#define POLL_MS 200
#define PRUNED_S 5    /* until its tasks have ended, or nearly */
#define STAYS_MS 1000 /* what fails at its start has done so by then */

static const struct field fields[] = {{"state", 0, NULL}, {"what", 0, NULL}};

static const char *const after[] = {"engine", NULL};

static void needs(const struct spec *spec, struct wants *w)
{
	(void)spec;
	(void)w;
}

/* The name of an entry that the spec does not have any more; NULL: it has it. */
static const char *name_of(const struct spec *spec, const char *key)
{
	const char *name = str_starts(key, ABSENT_KEY) ? key + strlen(ABSENT_KEY) : NULL;
	return name && !snode_get(snode_get(spec_root(spec), "absent"), name) ? name : NULL;
}

static char *document(const char *name)
{
	return xasprintf("kept/%s", name);
}

/*
 * ---- fetch: {"state": "running", "stopped"; "removed": there is nothing to start
 *              "ports": {"11434/tcp": true}: what its containers publish
 *              "listens": an HAProxy that listens on the host by itself, where its configuration says} ----
 */

struct seen {
	const char *state;
	json_t *ports;
	bool listens;
};

static int get_container(struct engine *e, int64_t deadline, const char *name, json_t **out, struct err *err)
{
	_cleanup_str_ struct str path = {0};
	struct err e2;

	engine_escape(name, &path);
	if (engine_get(e, deadline, out, &e2, "/containers/%s/json", str_cstr(&path)) == 0)
		return 0;
	if (e2.code != ERR_NOT_FOUND)
		return err_set(err, e2.code, "%s", e2.msg);
	*out = json_null();
	return 0;
}

/* Runs as it did, its restart policy included. */
static bool is_back(const json_t *inspect, const json_t *was)
{
	return strcmp(absent_phase(inspect, 0, 0).live, "running") == 0 &&
	       json_same(json_path(inspect, "HostConfig.RestartPolicy"), json_object_get(was, "restart"));
}

static int look_at_containers(struct cluster *c, int64_t deadline, const json_t *kept, struct seen *seen,
			      struct err *err)
{
	const json_t *was;
	struct engine *engine;
	size_t i;

	if (cluster_engine(c, json_str(kept, "node"), &engine, err) < 0)
		return -1;
	seen->state = "running";
	json_array_foreach (json_object_get(kept, "containers"), i, was) {
		_cleanup_json_ json_t *inspect = NULL;
		if (get_container(engine, deadline, json_str(was, "name"), &inspect, err) < 0)
			return -1;
		if (!json_is_object(inspect)) {
			seen->state = "removed";
			return 0;
		}
		ports_add_bindings(json_path(inspect, "HostConfig.PortBindings"), seen->ports);
		seen->listens |= absent_listens_itself(inspect);
		if (!is_back(inspect, was))
			seen->state = "stopped";
	}
	return 0;
}

static int look_at_service(struct cluster *c, int64_t deadline, const json_t *kept, struct seen *seen, struct err *err)
{
	_cleanup_json_ json_t *service = NULL;
	struct err e;

	seen->state = "removed";
	if (engine_get(c->engine, deadline, &service, &e, "/services/%s", json_str(kept, "id")) == 0)
		seen->state = absent_service_is_stopped(service) ? "stopped" : "running";
	else if (e.code != ERR_NOT_FOUND)
		return err_set(err, e.code, "%s", e.msg);
	return 0;
}

static int look_at_unit(struct cluster *c, int64_t deadline, const json_t *kept, struct seen *seen, struct err *err)
{
	const char *node = json_str(kept, "node");
	struct host *h = cluster_host(c, node);
	_cleanup_json_ json_t *look = NULL;
	_cleanup_str_ struct str buf = {0};
	struct unit_state u;

	if (!h)
		return err_set(err, ERR_NOT_FOUND, "node '%s' is not in the spec", node);
	if (unit_look(h, json_str(kept, "unit"), deadline, &look, err) < 0)
		return -1;
	unit_state_read(look, &buf, &u);
	bool back = u.active && (u.enabled || !json_bool(kept, "enabled"));
	seen->state = !u.there ? "removed" : back ? "running" : "stopped";
	seen->listens = json_bool(kept, "haproxy");
	return 0;
}

static int look(struct cluster *c, int64_t deadline, const json_t *kept, struct seen *seen, struct err *err)
{
	if (json_str(kept, "service"))
		return look_at_service(c, deadline, kept, seen, err);
	if (json_str(kept, "unit"))
		return look_at_unit(c, deadline, kept, seen, err);
	return look_at_containers(c, deadline, kept, seen, err);
}

static int fetch(struct fetch *f, struct err *err)
{
	const char *key;
	json_t *kept;

	(void)err;
	json_object_foreach (snapshot_get(f->snap, KEPT, NULL), key, kept) {
		const char *name = name_of(f->spec, key);
		_cleanup_free_ char *doc = name ? document(name) : NULL;
		_cleanup_json_ json_t *ports = json_object();
		struct seen seen = {.state = "removed", .ports = ports};
		struct err why = {0};
		if (!name)
			continue;
		if (look(f->cluster, f->deadline, kept, &seen, &why) < 0)
			snapshot_put_unknown(f->snap, doc, &why);
		else
			snapshot_put(f->snap, doc,
				     json_pack("{s:s, s:O, s:b}", "state", seen.state, "ports", ports, "listens",
					       seen.listens));
	}
	return 0;
}

/* ---- decode, observe ---- */

/* "container haproxy", "containers a, b", "service lb", "unit haproxy.service" */
static void describe(const json_t *kept, struct str *out)
{
	const json_t *list = json_object_get(kept, "containers"), *one;
	size_t i;

	if (json_str(kept, "service"))
		str_addf(out, "service %s", json_str(kept, "service"));
	else if (json_str(kept, "unit"))
		str_addf(out, "unit %s", json_str(kept, "unit"));
	else
		str_adds(out, json_array_size(list) == 1 ? "container" : "containers");
	json_array_foreach (list, i, one)
		str_addf(out, "%s%s", i ? ", " : " ", json_str(one, "name"));
}

static bool publishes(const struct resource *service, const char *published)
{
	const char *key;
	json_t *mode;

	json_object_foreach (json_object_get(service->body, "ports"), key, mode) {
		_cleanup_free_ char *one = port_published(key);
		if (strcmp(one, published) == 0)
			return true;
	}
	return false;
}

/*
 * A port in Swarm's load balancer that the live service gives up (desired NULL: with all the others), of those that
 * what is kept listens on: nothing else can listen there before. "11434/tcp", malloc'ed; NULL: none.
 */
static char *port_given_up(const json_t *live, const struct resource *desired, const json_t *seen)
{
	const json_t *p;
	size_t i;

	json_array_foreach (json_path(live, "Endpoint.Ports"), i, p) {
		char *port = port_of_ingress(p);
		bool its =
			port && (json_bool(seen, "listens") || json_object_get(json_object_get(seen, "ports"), port));
		if (its && !(desired && publishes(desired, port)))
			return port;
		free(port);
	}
	return NULL;
}

/*
 * What serves the old way comes before the new way goes, but for a port that both need. A container that publishes it
 * is started meanwhile, as soon as Docker lets it (start_container); anything else would fail, and comes afterwards.
 */
static void come_first(struct decode *d, struct resource *kept, const json_t *seen)
{
	static const char *const later[] = {"container", "service", "traefik"};
	_cleanup_json_ json_t *services = services_by_name(d->snap);

	for (size_t k = 0; k < resource_count(d->out); k++) {
		struct resource *r = resource_at(d->out, k);
		const json_t *live = strcmp(r->kind, "service") == 0 ? json_object_get(services, r->name) : NULL;
		_cleanup_free_ char *port = port_given_up(live, r, seen);
		if (port) {
			resource_note(d->out, kept, "port %.*s is away from when service/%s gives it up until it runs",
				      (int)strcspn(port, "/"), port, r->name);
			if (json_bool(seen, "listens"))
				resource_ref(d->out, kept, REF_ORDER, (struct mark){0}, "service/%s", r->name);
			continue;
		}
		for (size_t i = 0; i < ARRAY_SIZE(later); i++)
			if (strcmp(r->kind, later[i]) == 0)
				resource_ref(d->out, r, REF_ORDER, (struct mark){0}, "kept/%s", kept->name);
	}
}

static void decode_one(struct decode *d, const char *name, const json_t *kept)
{
	struct resource *r = resource_add(d->out, "kept", name);
	const char *node = json_str(kept, "node");
	_cleanup_free_ char *doc = document(name);
	const json_t *seen = snapshot_get(d->snap, doc, NULL);
	_cleanup_str_ struct str what = {0};

	describe(kept, &what);
	r->node = node ? arena_strdup(resource_set_arena(d->out), node) : NULL;
	resource_set_field(d->out, r, "what", json_string(str_cstr(&what)), (struct mark){0});
	resource_set_field(d->out, r, "state", json_string("running"), (struct mark){0});
	if (str_eq(json_str(seen, "state"), "removed"))
		resource_block(
			d->out, r,
			"%s: stopped by the spec that is gone back from, and removed since; what cannot be started "
			"again has to be made anew where it came from",
			str_cstr(&what));
	come_first(d, r, seen);
}

static int decode(struct decode *d, struct err *err)
{
	const char *key;
	json_t *kept;

	(void)err;
	json_object_foreach (snapshot_get(d->snap, KEPT, NULL), key, kept) {
		const char *name = name_of(d->spec, key);
		if (name)
			decode_one(d, name, kept);
	}
	return 0;
}

static int observe(struct observe *o, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		const char *why = NULL;
		if (strcmp(want->kind, "kept") != 0)
			continue;
		_cleanup_free_ char *doc = document(want->name);
		const json_t *seen = snapshot_get(o->snap, doc, &why);
		struct resource *r = observe_add(o, want);
		r->ownable = false;
		r->presence = seen ? PRESENT : UNKNOWN;
		if (!seen) {
			resource_block(o->out, r, "%s", why);
			continue;
		}
		json_object_update(r->body, want->body);
		resource_set_field(o->out, r, "state", json_string(json_str(seen, "state")), (struct mark){0});
	}
	return 0;
}

/* Pruning comes last: with a service that goes, its port comes in the next pass. */
static void wait_for_pruned(const struct observe *o, struct arena *a, struct change *c, const json_t *seen)
{
	_cleanup_json_ json_t *services = services_by_name(o->snap);
	const char *name;
	json_t *live;

	json_object_foreach (services, name, live) {
		bool goes = labels_owned(json_path(live, "Spec.Labels"), o->cluster) &&
			    !resource_find(o->want, "service", name);
		_cleanup_free_ char *port = goes ? port_given_up(live, NULL, seen) : NULL;
		if (!port)
			continue;
		c->state = CHANGE_WAITING;
		c->retry_after_s = PRUNED_S;
		c->reason = arena_printf(a, "service '%s', which goes, has port %.*s until then", name,
					 (int)strcspn(port, "/"), port);
	}
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	_cleanup_free_ char *doc = document(c->desired->name);

	c->effect = arena_printf(a, "starts %s again, as before", json_str(c->desired->body, "what"));
	if (c->state == CHANGE_READY)
		wait_for_pruned(o, a, c, snapshot_get(o->snap, doc, NULL));
}

/* ---- apply ---- */

static int wait_a_moment(struct apply *a, const char *for_what, struct err *err)
{
	if (clock_left(a->deadline) == 0)
		return err_set(err, ERR_TIMEOUT, "wait for %s: it has not happened in time", for_what);
	if (!clock_sleep(POLL_MS))
		return err_set(err, ERR_CANCELLED, "wait for %s: cancelled", for_what);
	return 0;
}

/* The engine's words, of its own allocator and of the kernel. */
static bool port_is_taken(const struct err *why)
{
	return strstr(why->msg, "port is already allocated") || strstr(why->msg, "address already in use");
}

/* A service of this very plan has a port of it and gives it up. */
static bool port_comes(const struct apply *a, const char *name)
{
	_cleanup_json_ json_t *services = services_by_name(a->snap);
	_cleanup_free_ char *doc = document(name);
	const char *service;
	json_t *live;
	bool comes = false;

	json_object_foreach (services, service, live) {
		const struct resource *r = resource_find(a->want, "service", service);
		_cleanup_free_ char *port = r ? port_given_up(live, r, snapshot_get(a->snap, doc, NULL)) : NULL;
		comes |= port != NULL;
	}
	return comes;
}

static int start_container(struct apply *a, struct engine *e, const json_t *was, bool waits, struct err *err)
{
	const char *name = json_str(was, "name");
	_cleanup_str_ struct str path = {0};

	engine_escape(name, &path);
	if (absent_set_restart(a, e, name, json_object_get(was, "restart"), err) < 0)
		return -1;
	for (bool told = false;; told = true) {
		struct err why = {0};
		if (engine_post(e, a->deadline, NULL, NULL, &why, "/containers/%s/start", str_cstr(&path)) == 0)
			return 0;
		if (!waits || !port_is_taken(&why)) {
			*err = why;
			return err_wrap(err, "start container %s", name);
		}
		if (!told)
			a->progress(a->progress_arg, "waiting for its port");
		if (wait_a_moment(a, "its port to be free", err) < 0)
			return -1;
	}
}

/* What is started again and again did so before: that counts as running. */
static int check_container(struct apply *a, struct engine *e, const json_t *was, struct err *err)
{
	_cleanup_json_ json_t *inspect = NULL;

	if (get_container(e, a->deadline, json_str(was, "name"), &inspect, err) < 0)
		return -1;
	if (strcmp(absent_phase(inspect, 0, 0).live, "running") == 0)
		return 0;
	return err_set(err, ERR_FAILED, "container %s ended at once with exit status %lld", json_str(was, "name"),
		       (long long)json_int(json_object_get(inspect, "State"), "ExitCode", -1));
}

static int start_containers(struct apply *a, const char *entry, const json_t *kept, struct err *err)
{
	bool waits = port_comes(a, entry);
	const json_t *list = json_object_get(kept, "containers"), *was;
	struct engine *engine;
	size_t i;

	if (cluster_engine(a->cluster, json_str(kept, "node"), &engine, err) < 0)
		return -1;
	json_array_foreach (list, i, was)
		if (start_container(a, engine, was, waits, err) < 0)
			return -1;
	if (!clock_sleep(STAYS_MS))
		return err_set(err, ERR_CANCELLED, "looking whether they stay up: cancelled");
	json_array_foreach (list, i, was)
		if (check_container(a, engine, was, err) < 0)
			return -1;
	return 0;
}

static int start_service(struct apply *a, const json_t *kept, struct err *err)
{
	const char *id = json_str(kept, "id");
	size_t wanted = (size_t)json_int(kept, "replicas", 1), running = 0;
	_cleanup_free_ char *what = xasprintf("the tasks of service %s", json_str(kept, "service"));

	if (absent_service_start(a, id, json_int(kept, "replicas", 0), err) < 0)
		return err_wrap(err, "start service %s", json_str(kept, "service"));
	for (;;) {
		if (engine_count_running(a->cluster->engine, a->deadline, "service", id, &running, err) < 0)
			return -1;
		a->progress(a->progress_arg, "%zu/%zu tasks running", running, wanted);
		if (running >= wanted)
			return 0;
		if (wait_a_moment(a, what, err) < 0)
			return -1;
	}
}

/* Arguments: "enable" or "start", the unit, and what starts it. */
static const char start_script[] = "set -u; do=$1; shift\n"
				   "for u do if [ \"$do\" = enable ]; then systemctl enable --quiet --now -- \"$u\"; "
				   "else systemctl start -- \"$u\"; fi ||\n"
				   "exit 1; done\n";

static int start_unit(struct apply *a, const json_t *kept, struct err *err)
{
	struct host *h = cluster_host(a->cluster, json_str(kept, "node"));
	const char *unit = json_str(kept, "unit"), *triggers = json_str(kept, "triggers");
	_cleanup_free_ char *list = xstrdup(triggers ? triggers : "");
	VEC(const char *) args = {0};
	char *save = NULL;

	if (!h)
		return err_set(err, ERR_NOT_FOUND, "node '%s' is not in the spec", json_str(kept, "node"));
	vec_push(&args, json_bool(kept, "enabled") ? "enable" : "start");
	vec_push(&args, unit);
	for (char *t = strtok_r(list, " ", &save); t; t = strtok_r(NULL, " ", &save))
		vec_push(&args, t);
	vec_push(&args, NULL);
	int rc = host_script(h, "start", unit, start_script, args.v, a->deadline, err);
	vec_free(&args);
	return rc;
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	_cleanup_free_ char *key = xasprintf(ABSENT_KEY "%s", c->desired->name);
	const json_t *kept = json_object_get(snapshot_get(a->snap, KEPT, NULL), key);

	if (json_str(kept, "service"))
		return start_service(a, kept, err);
	if (json_str(kept, "unit"))
		return start_unit(a, kept, err);
	return start_containers(a, c->desired->name, kept, err);
}

const struct kind kind_kept = {
	.name = "kept",
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
