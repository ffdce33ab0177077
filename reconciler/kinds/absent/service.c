/* A Swarm service under `absent`. */
#include "kinds/absent/absent.h"
#include "kinds/absent/phase.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <string.h>

/* A global service has no count: no node has this id, so its tasks end, and taking it away brings them back. */
#define NOWHERE "node.id==stopped-by-reconcile"
#define GRACE_NS (INT64_C(10) * NS_PER_S) /* swarmkit's default stop_grace_period */

static void needs(struct wants *w, const struct snode *n)
{
	(void)n;
	want_swarm_list(w, "services");
}

static const json_t *find_service(const json_t *services, const char *name)
{
	const json_t *service;
	size_t i;

	json_array_foreach (services, i, service)
		if (str_eq(json_str(json_object_get(service, "Spec"), "Name"), name))
			return service;
	return NULL;
}

static bool is_global(const json_t *service)
{
	return json_path(service, "Spec.Mode.Global") != NULL;
}

/* Jobs run once: there is nothing to come back to. */
static bool can_be_kept(const json_t *service)
{
	return is_global(service) || json_path(service, "Spec.Mode.Replicated");
}

bool absent_service_is_stopped(const json_t *service)
{
	const json_t *constraint;
	size_t i;

	json_array_foreach (json_path(service, "Spec.TaskTemplate.Placement.Constraints"), i, constraint)
		if (str_eq(json_string_value(constraint), NOWHERE))
			return true;
	return json_int(json_path(service, "Spec.Mode.Replicated"), "Replicas", 1) == 0;
}

/* Stopping it was its last update. */
static struct absent_phase phase(const json_t *service, int64_t now, int64_t keep_s)
{
	struct absent_phase p = {.live = "removed", .wanted = "removed"};

	if (!service)
		return p;
	if (!absent_service_is_stopped(service)) {
		p.live = "running";
		p.wanted = keep_s > 0 && can_be_kept(service) ? "stopped" : "removed";
		return p;
	}
	p.live = "stopped";
	if (!clock_parse_rfc3339(json_str(service, "UpdatedAt"), &p.stopped_at))
		p.stopped_at = now;
	if (now - p.stopped_at < keep_s) {
		p.wanted = "stopped";
		p.kept_until = p.stopped_at + keep_s;
	}
	return p;
}

static int64_t managers_clock(const struct snapshot *snap)
{
	int64_t now;
	return clock_parse_rfc3339(json_str(snapshot_get(snap, "engine/info", NULL), "SystemTime"), &now)
		       ? now
		       : clock_wall();
}

static struct absent_phase phase_of(const struct snapshot *snap, const json_t *service, int64_t keep_ns)
{
	return phase(service, managers_clock(snap), keep_ns / NS_PER_S);
}

static void decode(struct decode *d, struct resource *r, const struct snode *n)
{
	const json_t *services = snapshot_get(d->snap, "engine/services", NULL);
	const json_t *service = find_service(services, json_str(r->body, "service"));

	resource_set_field(d->out, r, "state", json_string(phase_of(d->snap, service, snode_int(n, "keep", 0)).wanted),
			   r->mark);
	absent_decode_times(d, r, n, 0); /* Swarm stops a task in the time that the task was made with */
}

/* {"id", "service", "replicas"}; without replicas: a global one. */
static const char *way_back(struct arena *a, const json_t *service)
{
	_cleanup_json_ json_t *back = json_object();
	_cleanup_str_ struct str text = {0};

	json_set_str(back, "id", json_str(service, "ID"));
	json_set_str(back, "service", json_str(json_object_get(service, "Spec"), "Name"));
	if (!is_global(service))
		json_set_int(back, "replicas", json_int(json_path(service, "Spec.Mode.Replicated"), "Replicas", 1));
	json_canonical(back, &text);
	return arena_strdup(a, str_cstr(&text));
}

static void observe(struct observe *o, struct resource *r, const struct resource *want)
{
	const char *why;
	const json_t *services = swarm_list(o->snap, "engine/services", &why);

	if (!services) {
		r->presence = UNKNOWN;
		resource_block(o->out, r, "%s", why);
		return;
	}
	const json_t *service = find_service(services, json_str(want->body, "service"));
	struct absent_phase p = phase_of(o->snap, service, json_int(want->body, "keep", 0));
	absent_set_live(o, r, want, p.live, NULL);
	r->id = json_str(service, "ID");
	if (strcmp(p.live, "running") == 0 && can_be_kept(service))
		r->way_back = way_back(resource_set_arena(o->out), service);
	if (p.kept_until) {
		char until[32];
		clock_rfc3339(p.kept_until, until);
		resource_note(o->out, r, "service %s is stopped and kept until %s, then removed",
			      json_str(want->body, "service"), until);
	}
}

/* The number of tasks as the list tells it (?status=true), else as many as are wanted; -1: a global service. */
static int64_t task_count(const json_t *service)
{
	const json_t *running = json_path(service, "ServiceStatus.RunningTasks");
	if (json_is_integer(running))
		return json_integer_value(running);
	return json_int(json_path(service, "Spec.Mode.Replicated"), "Replicas", -1);
}

static bool holds(const struct snapshot *snap, const struct resource *want, const char *port, struct absent_holder *out)
{
	const char *name = json_str(want->body, "service");
	const json_t *service = find_service(snapshot_get(snap, "engine/services", NULL), name), *p;
	size_t i;

	out->what = "service";
	out->name = absent_shown(want, "service");
	out->for_good = true;
	json_array_foreach (json_path(service, "Endpoint.Ports"), i, p) {
		_cleanup_free_ char *its = port_of_ingress(p);
		out->known |= str_eq(its, port);
	}
	return out->known;
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	const json_t *body = c->desired->body;
	const char *name = json_str(body, "service");
	const json_t *service = find_service(snapshot_get(o->snap, "engine/services", NULL), name);
	struct absent_phase p = phase_of(o->snap, service, json_int(body, "keep", 0));
	int64_t n = task_count(service),
		grace = json_int(json_path(service, "Spec.TaskTemplate.ContainerSpec"), "StopGracePeriod", GRACE_NS);
	const char *tasks = n < 0    ? "all its tasks end"
			    : n == 1 ? "1 task ends"
				     : arena_printf(a, "%lld tasks end", (long long)n);
	char since[32];

	if (strcmp(p.live, "stopped") == 0) {
		clock_rfc3339(p.stopped_at, since);
		c->effect = arena_printf(a, "removes service %s, stopped since %s; volumes stay", name, since);
		absent_is_no_drift(c);
	} else if (strcmp(p.wanted, "stopped") == 0) {
		c->effect = arena_printf(a,
					 "stops service %s: %s (killed after its stop_grace_period, %s); keeps it for "
					 "%s; volumes stay",
					 name, tasks, absent_duration(a, grace),
					 absent_duration(a, json_int(body, "keep", 0)));
	} else {
		c->effect = arena_printf(a, "removes service %s: %s; volumes stay", name, tasks);
	}
}

/* ---- apply ---- */

static bool has_ended(const json_t *task)
{
	static const char *const ended[] = {"complete", "failed", "orphaned", "rejected", "remove", "shutdown"};
	const char *state = json_str(json_object_get(task, "Status"), "State");

	for (size_t i = 0; i < ARRAY_SIZE(ended); i++)
		if (str_eq(state, ended[i]))
			return true;
	return false;
}

/* A removed service is no filter any more, its tasks' ids are. */
json_t *absent_running_tasks(const json_t *tasks)
{
	json_t *ids = json_object();

	for (size_t i = 0; i < json_array_size(tasks); i++) {
		const json_t *task = json_array_get(tasks, i);
		if (!has_ended(task))
			json_set_bool(ids, json_str(task, "ID"), true);
	}
	return ids;
}

static int get_tasks(struct apply *a, const char *filter, const json_t *values, json_t **out, struct err *err)
{
	_cleanup_json_ json_t *filters = json_object();

	json_set(filters, filter, json_incref((json_t *)values));
	return engine_list(a->cluster->engine, a->deadline, "/tasks", filters, out, err);
}

static int wait_for_tasks(struct apply *a, const char *name, const json_t *first, struct err *err)
{
	_cleanup_free_ char *what = xasprintf("the tasks of service %s to end", name);
	_cleanup_json_ json_t *left = absent_running_tasks(first);
	size_t told = 0;

	while (json_object_size(left) > 0) {
		_cleanup_json_ json_t *tasks = NULL;
		if (json_object_size(left) != told)
			a->progress(a->progress_arg, "%zu tasks left", json_object_size(left));
		told = json_object_size(left);
		if (absent_wait(a, what, err) < 0 || get_tasks(a, "id", left, &tasks, err) < 0)
			return -1;
		json_decref(left);
		left = absent_running_tasks(tasks);
	}
	return 0;
}

static json_t *object_in(json_t *obj, const char *key, json_t *(*make)(void))
{
	json_t *j = json_object_get(obj, key);

	if (!j || json_is_null(j))
		json_set(obj, key, j = make());
	return j;
}

static void set_nowhere(json_t *spec, bool nowhere)
{
	json_t *placement = object_in(json_object_get(spec, "TaskTemplate"), "Placement", json_object);
	json_t *constraints = object_in(placement, "Constraints", json_array);

	for (size_t i = json_array_size(constraints); i-- > 0;)
		if (str_eq(json_string_value(json_array_get(constraints, i)), NOWHERE))
			json_array_remove(constraints, i);
	if (nowhere)
		json_array_append_new(constraints, json_string(NOWHERE));
	if (json_array_size(constraints) == 0)
		json_object_del(placement, "Constraints");
}

/* The raw spec with what stops or starts it; everything else is as it was. */
static int write_service(struct apply *a, const char *id, bool stop, int64_t replicas, struct err *err)
{
	_cleanup_json_ json_t *service = NULL;

	if (engine_get(a->cluster->engine, a->deadline, &service, err, "/services/%s", id) < 0)
		return -1;
	json_t *spec = json_object_get(service, "Spec");
	if (absent_service_is_stopped(service) == stop)
		return 0;
	if (is_global(service))
		set_nowhere(spec, stop);
	else
		json_set_int(json_path(spec, "Mode.Replicated"), "Replicas", replicas);
	return engine_post_service(a->cluster->engine, a->deadline,
				   json_str(json_path(spec, "TaskTemplate.ContainerSpec"), "Image"), spec, NULL, err,
				   "/services/%s/update?version=%lld", id,
				   (long long)json_int(json_object_get(service, "Version"), "Index", 0));
}

int absent_service_start(struct apply *a, const char *id, int64_t replicas, struct err *err)
{
	return write_service(a, id, false, replicas, err);
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	const char *name = json_str(c->desired->body, "service"), *id = c->live ? c->live->id : NULL;
	_cleanup_json_ json_t *tasks = NULL, *filter = json_object();
	struct err e;

	if (!id)
		return 0;
	json_set_bool(filter, id, true);
	if (get_tasks(a, "service", filter, &tasks, &e) < 0 && e.code != ERR_NOT_FOUND) {
		*err = e;
		return err_wrap(err, "service %s", name);
	}
	bool stops = str_eq(json_str(c->desired->body, "state"), "stopped");
	int rc = stops ? write_service(a, id, true, 0, &e)
		       : engine_delete(a->cluster->engine, a->deadline, &e, "/services/%s", id);
	if (rc < 0 && e.code != ERR_NOT_FOUND) {
		*err = e;
		return err_wrap(err, "%s service %s", stops ? "stop" : "remove", name);
	}
	return wait_for_tasks(a, name, tasks, err);
}

const struct absent_form absent_service = {
	.key = "service",
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
	.holds = holds,
};
