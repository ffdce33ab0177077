/* Killing a replica and watching it come back. */
#include "run/verify/verify.h"

#include "kinds/node.h"
#include "kinds/route/gate.h"
#include "run/holder.h"
#include "run/observe.h"
#include "run/safety.h"
#include "run/session.h"
#include "run/suspension.h"
#include "sys/clock.h"

#include <string.h>

#define CALL_MS 15000
#define PAUSE_MS 100

struct disrupting {
	const struct verify_options *o;
	struct session *session;
	struct safety *safety;
	struct snapshot *snap;
	struct resource_set *want, *live;
	const json_t *service; /* of engine/services */
	json_t *tasks;         /* its tasks that are to run */
	const json_t *task;    /* the one that goes */
	const char *name, *node;
	int64_t replicas;
	char *text;
};

void disruption_close(struct disrupting *d)
{
	if (!d)
		return;
	resource_set_free(d->want);
	resource_set_free(d->live);
	snapshot_free(d->snap);
	safety_free(d->safety);
	session_close(d->session);
	json_decref(d->tasks);
	free(d->text);
	free(d);
}

/* Nobody else's work is disturbed, and a person's "hands off" holds here too. */
static int check_free(struct disrupting *d, struct err *err)
{
	if (safety_observe(d->safety, d->snap, err) < 0)
		return -1;
	const json_t *sections = safety_sections(d->safety), *lease = json_object_get(sections, "lease");
	if (json_object_size(lease) > 0 && !holder_is_gone(lease)) {
		_cleanup_free_ char *who = holder_text(lease);
		return err_set(err, ERR_LOCKED, "another run is at work (%s): no replica is killed meanwhile", who);
	}
	if (suspension_of(sections, SUSPEND_ALL, manager_time(d->snap)))
		return err_set(err, ERR_LOCKED,
			       "the cluster is suspended: no replica is killed (`reconcile resume` ends it)");
	return 0;
}

static int64_t running_of(const json_t *service)
{
	return json_int(json_object_get(service, "ServiceStatus"), "RunningTasks", 0);
}

static int choose_service(struct disrupting *d, const char *wanted, struct err *err)
{
	bool routed = false;
	json_t *s;
	size_t i;

	json_array_foreach (snapshot_get(d->snap, "engine/services", NULL), i, s) {
		const char *name = json_str(json_object_get(s, "Spec"), "Name");
		bool replicated = json_path(s, "Spec.Mode.Replicated") != NULL;
		bool has_route = name && resource_find(d->want, "route", name);
		if (!name || !resource_find(d->want, "service", name) || (wanted && strcmp(wanted, name) != 0))
			continue;
		if (!replicated || running_of(s) < 2 || (d->service && (routed || !has_route)))
			continue;
		d->service = s;
		d->name = name;
		d->replicas = running_of(s);
		routed = has_route;
	}
	if (d->service)
		return 0;
	return wanted ? err_set(err, ERR_BLOCKED,
				"service '%s' of the spec has no two running replicas: killing one would be an outage",
				wanted)
		      : err_set(err, ERR_BLOCKED,
				"no service of the spec has two running replicas: there is none to kill");
}

static int get_tasks(struct disrupting *d, json_t **out, struct err *err)
{
	_cleanup_json_ json_t *filters =
		json_pack("{s:{s:b}, s:{s:b}}", "service", d->name, 1, "desired-state", "running", 1);

	return engine_list(d->session->cluster.engine, clock_ms() + CALL_MS, "/tasks", filters, out, err);
}

static bool runs(const json_t *task)
{
	return str_eq(json_string_value(json_path(task, "Status.State")), "running");
}

/* The spec's node that a task is on; NULL: none. */
static const char *node_of(const struct disrupting *d, const json_t *task)
{
	const struct snode *nodes = snode_get(spec_root(d->o->spec), "nodes");

	for (size_t i = 0; i < snode_count(nodes); i++) {
		const struct node_id id = node_id_of(nodes->items[i]);
		_cleanup_free_ char *why = NULL;
		const json_t *entry = NULL;
		if (node_find(d->snap, &id, &entry, &why) == NODE_FOUND &&
		    str_eq(json_str(entry, "ID"), json_str(task, "NodeID")))
			return id.name;
	}
	return NULL;
}

static int choose_task(struct disrupting *d, struct err *err)
{
	json_t *t;
	size_t i;

	if (get_tasks(d, &d->tasks, err) < 0)
		return -1;
	json_array_foreach (d->tasks, i, t) {
		const char *node = node_of(d, t);
		if (d->task || !runs(t) || !node || !json_path(t, "Status.ContainerStatus.ContainerID"))
			continue;
		d->task = t;
		d->node = node;
	}
	if (!d->task)
		return err_set(err, ERR_BLOCKED, "no replica of service '%s' runs on a node of the spec", d->name);
	d->text = xasprintf("service/%s, task %.12s on node %s", d->name, json_str(d->task, "ID"), d->node);
	return 0;
}

static int prepare(struct disrupting *d, const char *service, struct err *err)
{
	if (session_open(d->o->spec, d->o->docker_host, false, &d->session, err) < 0)
		return -1;
	d->safety = safety_new(d->session->cluster.engine, d->session->cluster.name);
	d->session->cluster.dry_run = true;
	if (observe_cluster(d->session, d->o->spec, clock_ms() + 4 * CALL_MS, &d->snap, err) < 0 ||
	    build_resources(d->o->spec, d->snap, &d->want, &d->live, err) < 0 || check_free(d, err) < 0 ||
	    choose_service(d, service, err) < 0)
		return -1;
	return choose_task(d, err);
}

int disruption_open(const struct verify_options *o, const char *service, struct disrupting **out, struct err *err)
{
	struct disrupting *d = xcalloc(1, sizeof(*d));

	d->o = o;
	if (prepare(d, service, err) < 0) {
		disruption_close(d);
		return -1;
	}
	*out = d;
	return 0;
}

const char *disruption_text(const struct disrupting *d)
{
	return d->text;
}

static int kill_task(struct disrupting *d, struct err *err)
{
	const char *container = json_string_value(json_path(d->task, "Status.ContainerStatus.ContainerID"));
	struct engine *e;

	if (cluster_engine(&d->session->cluster, d->node, &e, err) < 0 ||
	    engine_post(e, clock_ms() + CALL_MS, NULL, NULL, err, "/containers/%s/kill", container) < 0)
		return err_wrap(err, "killing %s", d->text);
	return 0;
}

/* As many as before run, and none of them is the one that was killed. */
static bool is_back(const struct disrupting *d, const json_t *tasks)
{
	int64_t n = 0;
	json_t *t;
	size_t i;

	json_array_foreach ((json_t *)tasks, i, t)
		n += runs(t) && !str_eq(json_str(t, "ID"), json_str(d->task, "ID"));
	return n >= d->replicas;
}

static void ignore_progress(void *arg, const char *fmt, ...)
{
	(void)arg;
	(void)fmt;
}

struct requests {
	int64_t n, failed;
	char *first; /* failure */
};

static int send_request(struct disrupting *d, struct requests *r, struct err *err)
{
	const struct resource *route = resource_find(d->want, "route", d->name);
	struct apply a = {
		.cluster = &d->session->cluster,
		.snap = d->snap,
		.want = d->want,
		.progress = ignore_progress,
		.deadline = clock_ms() + CALL_MS,
	};
	_cleanup_free_ char *why = NULL;
	bool asked = false;

	if (!route)
		return 0;
	if (route_ask(&a, route, &asked, &why, err) < 0)
		return -1;
	if (!asked)
		return 0;
	r->n++;
	r->failed += why != NULL;
	if (why && !r->first) {
		r->first = why;
		why = NULL;
	}
	return 0;
}

static int watch(struct disrupting *d, struct requests *r, int64_t *back_ms, struct err *err)
{
	int64_t start = clock_ms(), deadline = start + DISRUPT_MS;

	*back_ms = -1;
	while (clock_left(deadline) > 0) {
		_cleanup_json_ json_t *tasks = NULL;
		struct err ignored = {0};
		if (send_request(d, r, err) < 0)
			return -1;
		/* An engine that does not answer for a moment is part of what is tried. */
		if (get_tasks(d, &tasks, &ignored) == 0 && is_back(d, tasks)) {
			*back_ms = clock_ms() - start;
			return 0;
		}
		if (!clock_sleep(PAUSE_MS))
			return err_set(err, ERR_CANCELLED, "watching the replica come back: interrupted");
	}
	return 0;
}

int disruption_run(struct disrupting *d, json_t **out, struct err *err)
{
	struct requests r = {0};
	int64_t back_ms;

	if (kill_task(d, err) < 0)
		return -1;
	int rc = watch(d, &r, &back_ms, err);
	if (rc == 0) {
		*out = json_pack("{s:s, s:s, s:I, s:I}", "service", d->name, "node", d->node, "requests",
				 (json_int_t)r.n, "failed", (json_int_t)r.failed);
		if (back_ms >= 0)
			json_set_int(*out, "back_ms", back_ms);
		json_set_str(*out, "failure", r.first);
	}
	free(r.first);
	return rc;
}
