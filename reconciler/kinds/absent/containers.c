/* Containers under `absent`: one by its name, or those of a Compose project. */
#include "kinds/absent/absent.h"
#include "kinds/absent/phase.h"
#include "kinds/container.h"
#include "kinds/node_engine.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <stdlib.h>
#include <string.h>

#define UPDATE_TRIES 10
#define COMPOSE "com.docker.compose."

static const char *label(const json_t *inspect, const char *name)
{
	return json_str(json_path(inspect, "Config.Labels"), name);
}

const char *absent_container_name(const json_t *inspect)
{
	const char *name = json_str(inspect, "Name");
	return name ? name + (*name == '/') : "?";
}

static const char *base_name(const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;
	return slash ? slash + 1 : path;
}

/*
 * Its image's name is its program's: haproxy, haproxytech/haproxy-alpine. Whatever else has a name like that (an
 * exporter) is not.
 */
static bool has_its_image(const json_t *inspect)
{
	const char *image = json_str(json_object_get(inspect, "Config"), "Image"), *base = base_name(image);
	size_t n = base ? strcspn(base, ":@") : 0;

	return (n == strlen("haproxy") && strncmp(base, "haproxy", n) == 0) ||
	       (image && strstr(image, "haproxytech/haproxy-"));
}

/* The official image's entry point ends as what its arguments say, and as haproxy when they are only options. */
bool absent_is_haproxy(const json_t *inspect)
{
	const char *first = json_string_value(json_array_get(json_object_get(inspect, "Args"), 0));

	return str_eq(base_name(json_str(inspect, "Path")), "haproxy") || str_eq(base_name(first), "haproxy") ||
	       (has_its_image(inspect) && (!first || *first == '-'));
}

/* ---- the containers of a project ---- */

static char *project_path(const char *project)
{
	_cleanup_free_ char *wanted = xasprintf(COMPOSE "project=%s", project);
	_cleanup_json_ json_t *filters = json_pack("{s:[s]}", "label", wanted);
	_cleanup_str_ struct str text = {0}, query = {0};

	json_canonical(filters, &text);
	engine_escape(str_cstr(&text), &query);
	return xasprintf("/containers/json?all=1&filters=%s", str_cstr(&query));
}

/* of: labels of a list entry or of Config. */
static bool is_targeted(const json_t *of, const json_t *target)
{
	const json_t *services = json_object_get(target, "services");
	const char *service = json_str(of, COMPOSE "service");

	return str_eq(json_str(of, COMPOSE "project"), json_str(target, "compose")) &&
	       (!services || (service && json_object_get(services, service)));
}

/* "db:service_started:false,cache:service_healthy:true" */
static bool depends_on(const json_t *inspect, const char *service)
{
	const char *list = label(inspect, COMPOSE "depends_on");
	size_t n = service ? strlen(service) : 0;

	for (const char *p = list; n && p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strncmp(p, service, n) == 0 && strchr(":,", p[n]))
			return true;
	return false;
}

static bool is_needed(const json_t *inspects, size_t one)
{
	const char *service = label(json_array_get(inspects, one), COMPOSE "service");
	const json_t *other;
	size_t i;

	json_array_foreach (inspects, i, other)
		if (i != one && depends_on(other, service))
			return true;
	return false;
}

/* An autoscaler first: it would start again what is stopped before it. */
static int by_name(const void *a, const void *b)
{
	const char *x = absent_container_name(*(json_t *const *)a), *y = absent_container_name(*(json_t *const *)b);
	bool x_scales = strcasestr(x, "scale"), y_scales = strcasestr(y, "scale");

	return x_scales != y_scales ? y_scales - x_scales : strcmp(x, y);
}

/* As `docker compose stop`: what depends on others before these; else an autoscaler first, then by name. New reference.
 */
static json_t *in_stop_order(const json_t *inspects)
{
	VEC(json_t *) sorted = {0};
	_cleanup_json_ json_t *left = json_array();
	json_t *out = json_array(), *one;
	size_t i;

	json_array_foreach ((json_t *)inspects, i, one)
		vec_push(&sorted, one);
	if (sorted.n)
		qsort(sorted.v, sorted.n, sizeof(*sorted.v), by_name);
	for (i = 0; i < sorted.n; i++)
		json_array_append(left, sorted.v[i]);
	vec_free(&sorted);
	while (json_array_size(left) > 0) {
		for (i = 0; i < json_array_size(left) && is_needed(left, i); i++)
			;
		i = i < json_array_size(left) ? i : 0; /* a circle */
		json_array_append(out, json_array_get(left, i));
		json_array_remove(left, i);
	}
	return out;
}

static int project_containers(struct engine *e, int64_t deadline, const json_t *target, json_t **out, struct err *err)
{
	_cleanup_free_ char *path = project_path(json_str(target, "compose"));
	_cleanup_json_ json_t *list = NULL, *inspects = json_array();
	const json_t *entry;
	size_t i;

	if (engine_get(e, deadline, &list, err, "%s", path) < 0)
		return err_wrap(err, "Compose project %s", json_str(target, "compose"));
	json_array_foreach (list, i, entry) {
		_cleanup_json_ json_t *inspect = NULL;
		if (!is_targeted(json_object_get(entry, "Labels"), target))
			continue;
		if (absent_inspect(e, deadline, json_str(entry, "Id"), &inspect, err) < 0)
			return -1;
		if (json_is_object(inspect))
			json_array_append(inspects, inspect);
	}
	*out = in_stop_order(inspects);
	return 0;
}

int absent_containers(struct engine *e, int64_t deadline, const json_t *target, json_t **out, struct err *err)
{
	const char *container = json_str(target, "container");
	_cleanup_json_ json_t *inspect = NULL;

	if (!container)
		return project_containers(e, deadline, target, out, err);
	if (absent_inspect(e, deadline, container, &inspect, err) < 0)
		return -1;
	*out = json_is_object(inspect) ? json_pack("[O]", inspect) : json_array();
	return 0;
}

/* ---- needs, fetch ---- */

static void container_needs(struct wants *w, const struct snode *n)
{
	const char *node = snode_str(n, "node");

	want_container_of(w, node, snode_str(n, "container"));
	want_node_clock(w, node);
}

static void compose_needs(struct wants *w, const struct snode *n)
{
	const char *node = snode_str(n, "node");

	want_node_engine(w, node, "containers");
	want_node_clock(w, node);
}

/* Only when the node's list has any of them is its engine asked once more. */
static int look_at_project(struct fetch *f, const char *node, const json_t *target, json_t **out, struct err *err)
{
	_cleanup_free_ char *why = NULL;
	const json_t *list = node_engine_get(f->snap, node, "containers", &why), *entry;
	struct engine *engine;
	size_t i;

	if (!list)
		return err_set(err, ERR_UNREACHABLE, "%s", why);
	json_array_foreach (list, i, entry)
		if (is_targeted(json_object_get(entry, "Labels"), target))
			break;
	if (i == json_array_size(list)) {
		*out = json_array();
		return 0;
	}
	if (cluster_engine(f->cluster, node, &engine, err) < 0)
		return -1;
	return absent_containers(engine, f->deadline, target, out, err);
}

static void compose_fetch(struct fetch *f, const struct snode *n)
{
	_cleanup_json_ json_t *target = json_pack("{s:s}", "compose", snode_str(n, "compose"));
	_cleanup_free_ char *doc = xasprintf("absent/%s", n->key);
	const struct snode *services = snode_get(n, "services");
	json_t *names = json_object(), *found = NULL;
	struct err why = {0};

	for (size_t i = 0; i < snode_count(services); i++)
		json_set_bool(names, snode_scalar(services->items[i]), true);
	if (services)
		json_object_set(target, "services", names);
	json_decref(names);
	if (look_at_project(f, snode_str(n, "node"), target, &found, &why) < 0)
		snapshot_put_unknown(f->snap, doc, &why);
	else
		snapshot_put(f->snap, doc, found);
}

json_t *absent_observed(const struct snapshot *snap, const struct resource *want, char **why)
{
	const char *container = json_str(want->body, "container"), *reason = NULL;
	_cleanup_free_ char *doc = xasprintf("absent/%s", want->name);
	const json_t *inspect = NULL;

	*why = NULL;
	if (container) {
		enum presence p = container_find(snap, want->node, container, &inspect, why);
		return p == UNKNOWN ? NULL : inspect ? json_pack("[O]", inspect) : json_array();
	}
	json_t *found = snapshot_get(snap, doc, &reason);
	if (!found)
		*why = xstrdup(reason);
	return json_incref(found);
}

/* ---- decode ---- */

/* A container's own timeout counts when it asks for more than our default and the spec asks for nothing. */
static int64_t stop_timeout(const struct snode *n, const json_t *inspects)
{
	const struct snode *given = snode_get(n, "stop_timeout");
	int64_t timeout = snode_int(n, "stop_timeout", 0);
	const json_t *inspect;
	size_t i;

	json_array_foreach (inspects, i, inspect) {
		int64_t own = json_int(json_object_get(inspect, "Config"), "StopTimeout", 0) * NS_PER_S;
		if ((!given || given->is_default) && own > timeout)
			timeout = own;
	}
	return timeout;
}

static void decode(struct decode *d, struct resource *r, const struct snode *n)
{
	_cleanup_free_ char *why = NULL;
	_cleanup_json_ json_t *inspects = absent_observed(d->snap, r, &why);
	int64_t keep = snode_int(n, "keep", 0);
	struct absent_phase p = absent_phase_of_all(inspects, node_clock(d->snap, r->node), keep / NS_PER_S);

	resource_set_field(d->out, r, "state", json_string(p.wanted), r->mark);
	absent_decode_times(d, r, n, stop_timeout(n, inspects));
}

/* ---- observe ---- */

/* "" when no Compose project made it. Its file belongs to others, usually in another repository. */
static const char *compose_warning(struct arena *a, const json_t *inspects)
{
	const json_t *inspect = json_array_get(inspects, 0);
	bool one = json_array_size(inspects) == 1;
	const char *project = label(inspect, COMPOSE "project"), *dir = label(inspect, COMPOSE "project.working_dir"),
		   *files = label(inspect, COMPOSE "project.config_files");
	const char *where = !dir || (files && *files == '/') ? files : dir; /* Compose v1 wrote relative files */

	if (!project)
		return "";
	return arena_printf(a, "; Compose project '%s'%s%s%s still lists %s: remove %s there too, or %s", project,
			    where ? " (" : "", where ? where : "", where ? ")" : "", one ? "it" : "them",
			    one ? "it" : "them", one ? "it comes back" : "they come back");
}

/* "container x", "containers x, y of Compose project 'p'" */
static const char *shown(struct arena *a, const struct resource *want, const json_t *inspects)
{
	_cleanup_str_ struct str names = {0};
	const json_t *inspect;
	size_t i;

	json_array_foreach (inspects, i, inspect)
		str_addf(&names, "%s%s", i ? ", " : "", absent_container_name(inspect));
	if (json_str(want->body, "container"))
		return arena_printf(a, "container %s", json_str(want->body, "container"));
	return arena_printf(a, "container%s %s of Compose project %s", json_array_size(inspects) == 1 ? "" : "s",
			    str_cstr(&names), absent_shown(want, "compose"));
}

/* {"id", "node", "containers": [{"name", "restart"}, …]}: what ran, in the order in which it is started again. */
static const char *way_back(struct arena *a, const char *node, const json_t *inspects)
{
	_cleanup_json_ json_t *back = json_object(), *list = json_array();
	_cleanup_str_ struct str ids = {0}, text = {0};
	const json_t *inspect;
	size_t i;

	json_array_foreach (inspects, i, inspect) {
		str_addf(&ids, "%s%.12s", i ? " " : "", json_str(inspect, "Id") ? json_str(inspect, "Id") : "");
		if (!json_is_true(json_path(inspect, "State.Running")))
			continue;
		json_t *one = json_object();
		json_set_str(one, "name", absent_container_name(inspect));
		json_object_set(one, "restart", json_path(inspect, "HostConfig.RestartPolicy"));
		json_array_insert_new(list, 0, one);
	}
	json_set_str(back, "id", str_cstr(&ids));
	json_set_str(back, "node", node);
	json_object_set(back, "containers", list);
	json_canonical(back, &text);
	return arena_strdup(a, str_cstr(&text));
}

static void observe(struct observe *o, struct resource *r, const struct resource *want)
{
	_cleanup_free_ char *why = NULL;
	_cleanup_json_ json_t *inspects = absent_observed(o->snap, want, &why);
	struct arena *arena = resource_set_arena(o->out);

	if (!inspects) {
		r->presence = UNKNOWN;
		resource_block(o->out, r, "%s", why);
		return;
	}
	struct absent_phase p = absent_phase_of_all(inspects, node_clock(o->snap, want->node),
						    json_int(want->body, "keep", 0) / NS_PER_S);
	absent_set_live(o, r, want, p.live, p.restart);
	r->id = json_str(json_array_get(inspects, 0), "Id");
	if (r->id)
		r->id = arena_strdup(arena, r->id);
	if (strcmp(p.live, "running") == 0)
		r->way_back = way_back(arena, want->node, inspects);
	if (p.kept_until) {
		char until[32];
		clock_rfc3339(p.kept_until, until);
		resource_note(o->out, r, "%s %s stopped and kept until %s, then removed%s",
			      shown(arena, want, inspects), json_array_size(inspects) == 1 ? "is" : "are", until,
			      compose_warning(arena, inspects));
	}
}

/* ---- explain ---- */

/* What ends it; HAProxy's own soft stop lets its connections finish (management.txt, 4). */
static const char *stop_signal(const json_t *inspect)
{
	const char *signal = json_str(json_object_get(inspect, "Config"), "StopSignal");

	if (absent_is_haproxy(inspect))
		return "SIGUSR1";
	return signal && *signal ? signal : "SIGTERM";
}

static const char *stop_signals(struct arena *a, const json_t *inspects)
{
	_cleanup_json_ json_t *seen = json_object();
	_cleanup_str_ struct str all = {0};
	const json_t *inspect;
	size_t i;

	json_array_foreach (inspects, i, inspect) {
		const char *signal = stop_signal(inspect);
		if (!json_object_get(seen, signal))
			str_addf(&all, "%s%s", all.len ? ", " : "", signal);
		json_set_bool(seen, signal, true);
	}
	return arena_strdup(a, str_cstr(&all));
}

/* What becomes of it once it is stopped. */
static const char *afterwards(struct arena *a, const json_t *body, const json_t *inspects)
{
	bool one = json_array_size(inspects) == 1;

	if (one && json_is_true(json_path(json_array_get(inspects, 0), "HostConfig.AutoRemove")))
		return "; it was started with --rm, so the engine removes it at once, with its anonymous volumes";
	if (str_eq(json_str(body, "state"), "removed"))
		return arena_printf(a, " and removes %s; %s volumes stay", one ? "it" : "them", one ? "its" : "their");
	return arena_printf(a, ", keeps %s for %s; %s volumes stay", one ? "it" : "them",
			    absent_duration(a, json_int(body, "keep", 0)), one ? "its" : "their");
}

static const char *effect(struct arena *a, const struct resource *want, const json_t *inspects,
			  const struct absent_phase *p)
{
	const json_t *body = want->body;
	const char *what = shown(a, want, inspects), *warning = compose_warning(a, inspects);
	bool one = json_array_size(inspects) == 1;
	char since[32];

	if (strcmp(p->live, "running") == 0)
		return arena_printf(a, "stops %s with %s (killed after %s)%s%s", what, stop_signals(a, inspects),
				    absent_duration(a, json_int(body, "stop_timeout", 0)),
				    afterwards(a, body, inspects), warning);
	if (p->restart)
		return arena_printf(a,
				    "sets the restart policy of the stopped %s from '%s' to 'no', so that %s stopped",
				    what, p->restart, one ? "it stays" : "they stay");
	clock_rfc3339(p->stopped_at, since);
	return arena_printf(a, "removes %s, stopped since %s; %s volumes stay%s", what, since, one ? "its" : "their",
			    warning);
}

static const char *why_blocked(const struct observe *o, struct arena *a, const struct change *c, const json_t *inspects)
{
	const json_t *inspect;
	size_t i;

	json_array_foreach (inspects, i, inspect) {
		const char *service = label(inspect, "com.docker.swarm.service.name"),
			   *name = absent_container_name(inspect);
		const struct resource *traefik = resource_find(o->want, "container", name);
		if (label(inspect, "com.docker.swarm.task.id"))
			return arena_printf(a,
					    "container %s is a task of service %s, which would start another one: "
					    "write 'service: %s' instead of 'container'",
					    name, service ? service : "?", service ? service : "?");
		if (traefik && str_eq(traefik->node, c->desired->node))
			return arena_printf(
				a,
				"container %s of this project is the Traefik of the spec: name the project's "
				"services that go, with 'services: [...]'",
				name);
	}
	return NULL;
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	const json_t *body = c->desired->body;
	_cleanup_free_ char *unused = NULL;
	_cleanup_json_ json_t *inspects = absent_observed(o->snap, c->desired, &unused);
	struct absent_phase p = absent_phase_of_all(inspects, node_clock(o->snap, c->desired->node),
						    json_int(body, "keep", 0) / NS_PER_S);

	c->reason = why_blocked(o, a, c, inspects);
	if (c->reason) {
		c->state = CHANGE_BLOCKED;
		return;
	}
	c->effect = effect(a, c->desired, inspects, &p);
	if (strcmp(p.live, "stopped") == 0)
		absent_is_no_drift(c);
}

/* ---- apply ---- */

struct stopping {
	struct apply *a;
	struct engine *engine; /* of the container's node */
	const char *name;
	const char *id;
	int64_t timeout_s;
};

/* The process ended between the engine's look and runc's, whose words for it differ; nothing was set then. */
static bool ended_meanwhile(const struct err *err)
{
	return err->code == ERR_FAILED && strstr(err->msg, "Cannot update container") != NULL;
}

/* One that crashes and is restarted over and over may end just then, which is worth another try. */
int absent_set_restart(struct apply *a, struct engine *e, const char *container, const json_t *policy, struct err *err)
{
	_cleanup_json_ json_t *body = json_pack("{s:O}", "RestartPolicy", policy);
	_cleanup_free_ char *what = xasprintf("container %s to stay up or down", container);
	_cleanup_str_ struct str path = {0};

	engine_escape(container, &path);
	for (int tries = 1;; tries++) {
		struct err e2;
		if (engine_post(e, a->deadline, body, NULL, &e2, "/containers/%s/update", str_cstr(&path)) == 0)
			return 0;
		if (!ended_meanwhile(&e2) || tries == UPDATE_TRIES) {
			*err = e2;
			return err_wrap(err, "set the restart policy of container %s to '%s'", container,
					json_str(policy, "Name"));
		}
		if (absent_wait(a, what, err) < 0)
			return -1;
	}
}

/* An `always` container would be back after the engine's next start (FACTS: engine, stopped by hand). */
static int forbid_restart(const struct stopping *s, struct err *err)
{
	_cleanup_json_ json_t *no = json_pack("{s:s,s:i}", "Name", "no", "MaximumRetryCount", 0);
	return absent_set_restart(s->a, s->engine, s->name, no, err);
}

/* Waits until the container has ended, or until limit (clock.h); one started with --rm is then gone. */
static int wait_until_stopped(const struct stopping *s, int64_t limit, bool *stopped, struct err *err)
{
	_cleanup_free_ char *what = xasprintf("container %s to stop", s->name);

	for (;;) {
		_cleanup_json_ json_t *inspect = NULL;
		if (absent_inspect(s->engine, s->a->deadline, s->id, &inspect, err) < 0)
			return -1;
		*stopped = strcmp(absent_phase(inspect, 0, 0).live, "running") != 0;
		if (*stopped || clock_left(limit) == 0)
			return 0;
		if (absent_wait(s->a, what, err) < 0)
			return -1;
	}
}

/* HAProxy of an image that says nothing of its soft stop; what is left after its time is stopped like anything else. */
static int drain(const struct stopping *s, bool *stopped, struct err *err)
{
	struct err e;

	if (engine_post(s->engine, s->a->deadline, NULL, NULL, &e, "/containers/%s/kill?signal=SIGUSR1", s->id) < 0 &&
	    e.code != ERR_CONFLICT && e.code != ERR_NOT_FOUND) { /* 409: it does not run any more */
		*err = e;
		return err_wrap(err, "drain container %s", s->name);
	}
	return wait_until_stopped(s, clock_ms() + s->timeout_s * 1000, stopped, err);
}

/* With the image's own stop signal. */
static int stop(const struct stopping *s, const json_t *inspect, struct err *err)
{
	const char *own = json_str(json_object_get(inspect, "Config"), "StopSignal");
	int64_t timeout_s = s->timeout_s;
	bool stopped = false;

	s->a->progress(s->a->progress_arg, "stopping %s, killed after %lld s", s->name, (long long)s->timeout_s);
	if (absent_is_haproxy(inspect) && !str_eq(own, "SIGUSR1")) {
		if (drain(s, &stopped, err) < 0)
			return -1;
		timeout_s = 1;
	}
	if (stopped)
		return 0;
	if (engine_post(s->engine, s->a->deadline, NULL, NULL, err, "/containers/%s/stop?t=%lld", s->id,
			(long long)timeout_s) < 0)
		return err_wrap(err, "stop container %s", s->name);
	return wait_until_stopped(s, s->a->deadline, &stopped, err);
}

/* Without v=1: its volumes stay, also the anonymous ones. */
static int remove_container(const struct stopping *s, struct err *err)
{
	_cleanup_free_ char *what = xasprintf("container %s to be removed", s->name);
	struct err e;

	/* 409: it is being removed already, by --rm or by somebody else. */
	if (engine_delete(s->engine, s->a->deadline, &e, "/containers/%s", s->id) < 0 && e.code != ERR_NOT_FOUND &&
	    e.code != ERR_CONFLICT) {
		*err = e;
		return err_wrap(err, "remove container %s", s->name);
	}
	for (;;) {
		_cleanup_json_ json_t *inspect = NULL;
		if (absent_inspect(s->engine, s->a->deadline, s->id, &inspect, err) < 0)
			return -1;
		if (json_is_null(inspect))
			return 0;
		if (absent_wait(s->a, what, err) < 0)
			return -1;
	}
}

static struct stopping stopping_of(struct apply *a, struct engine *e, const json_t *body, const json_t *inspect)
{
	return (struct stopping){
		.a = a,
		.engine = e,
		.name = absent_container_name(inspect),
		.id = json_str(inspect, "Id"),
		.timeout_s = absent_timeout_s(body),
	};
}

static bool is_running(const json_t *inspect)
{
	return strcmp(absent_phase(inspect, 0, 0).live, "running") == 0;
}

/* None of them comes back any more before the first of them ends; each step is found out again by the next run. */
static int stop_all(struct apply *a, struct engine *e, const json_t *body, const json_t *inspects, bool removes,
		    struct err *err)
{
	const json_t *inspect;
	size_t i;

	json_array_foreach (inspects, i, inspect) {
		struct stopping s = stopping_of(a, e, body, inspect);
		bool comes_back = absent_phase(inspect, 0, 1).restart && (is_running(inspect) || !removes);
		if (comes_back && forbid_restart(&s, err) < 0)
			return -1;
	}
	json_array_foreach (inspects, i, inspect) {
		struct stopping s = stopping_of(a, e, body, inspect);
		if (is_running(inspect) && stop(&s, inspect, err) < 0)
			return -1;
	}
	return 0;
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	const json_t *body = c->desired->body, *inspect;
	bool removes = str_eq(json_str(body, "state"), "removed");
	_cleanup_json_ json_t *inspects = NULL;
	struct engine *engine;
	size_t i;

	if (cluster_engine(a->cluster, c->desired->node, &engine, err) < 0 ||
	    absent_containers(engine, a->deadline, body, &inspects, err) < 0)
		return -1;
	inspect = json_array_get(inspects, 0);
	if (inspect && json_str(body, "container") && c->live && c->live->id &&
	    !str_eq(c->live->id, json_str(inspect, "Id")))
		return err_set(err, ERR_OUT_OF_SEQUENCE,
			       "container %s was replaced since the plan was made: it is looked at again",
			       json_str(body, "container"));
	if (stop_all(a, engine, body, inspects, removes, err) < 0)
		return -1;
	json_array_foreach (inspects, i, inspect) {
		struct stopping s = stopping_of(a, engine, body, inspect);
		if (removes && remove_container(&s, err) < 0)
			return -1;
	}
	return 0;
}

const struct absent_form absent_container = {
	.key = "container",
	.needs = container_needs,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
	.holds = absent_containers_hold,
};

const struct absent_form absent_compose = {
	.key = "compose",
	.needs = compose_needs,
	.fetch = compose_fetch,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
	.holds = absent_containers_hold,
};
