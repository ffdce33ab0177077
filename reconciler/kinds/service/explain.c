/* What a change does to the tasks, in one line, and how long that may take. */
#include "kinds/absent/absent.h"
#include "kinds/service/handover.h"
#include "kinds/service/service.h"
#include "kinds/util.h"

#include <string.h>

static const char *plural(int64_t n)
{
	return n == 1 ? "" : "s";
}

static bool is_job(const json_t *body)
{
	const char *mode = json_str(body, "mode");
	return mode && str_ends(mode, "-job");
}

/* Tasks that should run; only the engine knows how many a global service has. -1: not known. */
static int64_t task_count(const struct observe *o, const struct resource *live)
{
	json_t *service;
	size_t i;

	if (!live)
		return -1;
	if (str_eq(json_str(live->body, "mode"), "replicated"))
		return json_int(live->body, "replicas", -1);
	json_array_foreach (snapshot_get(o->snap, "engine/services", NULL), i, service)
		if (str_eq(json_str(service, "ID"), live->id))
			return json_int(json_object_get(service, "ServiceStatus"), "DesiredTasks", -1);
	return -1;
}

bool service_restarts(const struct change *c)
{
	for (size_t i = 0; i < c->fields.n; i++) {
		const struct field *f = kind_field(c->kind, c->fields.v[i].field);
		if (f && f->flags & FIELD_RESTARTS)
			return true;
	}
	return false;
}

static const char *explain_create(struct arena *a, const json_t *body)
{
	int64_t replicas = json_int(body, "replicas", 0);

	if (is_job(body))
		return "the job runs once";
	if (str_eq(json_str(body, "mode"), "global"))
		return "one task starts on each node that fits";
	return arena_printf(a, "%lld task%s start%s", (long long)replicas, plural(replicas), replicas == 1 ? "s" : "");
}

/* " and 2 tasks start"; "" when the count stays. */
static const char *explain_scale(struct arena *a, const struct change *c, const char *before)
{
	int64_t from = json_int(c->live->body, "replicas", 0), to = json_int(c->desired->body, "replicas", 0);
	int64_t n = to > from ? to - from : from - to;

	if (!change_has_field(c, "replicas"))
		return "";
	return arena_printf(a, "%s%lld task%s %s%s", before, (long long)n, plural(n), to > from ? "start" : "end",
			    n == 1 ? "s" : "");
}

/* A port in Swarm's load balancer that is not published in the same way beside it. */
static bool publishes(const json_t *ports, const json_t *beside)
{
	const char *port;
	json_t *mode;

	json_object_foreach ((json_t *)ports, port, mode)
		if (str_eq(json_string_value(mode), "ingress") &&
		    !(beside && json_same(json_object_get(beside, port), mode)))
			return true;
	return false;
}

static bool ports_change(const struct change *c)
{
	const json_t *from = json_object_get(c->live->body, "ports"), *to = json_object_get(c->desired->body, "ports");

	return publishes(from, NULL) && publishes(to, NULL) && (publishes(from, to) || publishes(to, from));
}

static bool starts_first(const struct change *c)
{
	return str_eq(json_str(json_object_get(c->desired->body, "update_config"), "order"), "start-first");
}

#define NS_PER_MS 1000000
#define HEALTH_MS 30000 /* until the first check, when nothing else is said (moby, daemon/health.go) */

static int64_t ms_of(const json_t *body, const char *field, const char *member, int64_t fallback)
{
	const json_t *v = member ? json_object_get(json_object_get(body, field), member) : json_object_get(body, field);
	return json_is_integer(v) ? json_integer_value(v) / NS_PER_MS : fallback;
}

static bool is_traefik(const struct observe *o, const char *service)
{
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *r = resource_at(o->want, i);
		if (str_eq(r->kind, "route") && str_eq(json_str(r->body, "traefik_service"), service))
			return true;
	}
	return false;
}

/*
 * As long as measured with v2 and v3. Swarm's load balancer sends a task nobody before its health check, asked for the
 * first time after an interval, has held.
 */
static const char *explain_gap(const struct observe *o, struct arena *a, const struct resource *service)
{
	int64_t interval = ms_of(service->body, "healthcheck", "interval", HEALTH_MS) * NS_PER_MS;

	if (!is_traefik(o, service->name))
		return ": none runs meanwhile";
	if (!json_object_get(service->body, "healthcheck") || !publishes(json_object_get(service->body, "ports"), NULL))
		return ": Traefik is away for 2 to 5 s";
	return arena_printf(a, ": Traefik is away for 2 to 5 s and the %s until its health check is asked",
			    absent_duration(a, interval));
}

static const char *explain_restart(const struct observe *o, struct arena *a, const struct change *c, int64_t tasks)
{
	const json_t *update = json_object_get(c->desired->body, "update_config");
	int64_t at_once = json_int(update, "parallelism", 1);
	const char *order = starts_first(c) ? "start-first" : "stop-first", *scale = explain_scale(a, c, " and ");
	const char *pace = at_once == 0 ? "all at once" : at_once == 1 ? "one by one" : NULL, *gap = "";

	if (tasks == 0)
		return *scale ? scale + strlen(" and ") : "no task runs that could restart";
	if (!starts_first(c) && tasks > 0 && (at_once == 0 || at_once >= tasks))
		gap = explain_gap(o, a, c->desired);
	else if (!starts_first(c) && ports_change(c))
		gap = ": its published ports are away while the last one restarts";
	if (tasks == 1)
		return arena_printf(a, "1 task restarts (%s)%s%s", order, gap, scale);
	if (!pace)
		pace = arena_printf(a, "%lld at a time", (long long)at_once);
	if (tasks < 0)
		return arena_printf(a, "all tasks restart %s (%s)%s", pace, order, gap);
	return arena_printf(a, "%lld tasks restart %s (%s)%s%s", (long long)tasks, pace, order, gap, scale);
}

static const char *explain_update(const struct observe *o, struct arena *a, struct change *c, int64_t tasks)
{
	if (is_job(c->desired->body)) {
		c->disruption = DISRUPTS_RESTART;
		return "the job runs again: every change of a job starts it anew";
	}
	if (service_restarts(c)) {
		c->disruption = DISRUPTS_RESTART;
		return explain_restart(o, a, c, tasks);
	}
	if (change_has_field(c, "constraints"))
		return arena_printf(a, "tasks move away from nodes that do not fit any more%s",
				    explain_scale(a, c, " and "));
	return explain_scale(a, c, "");
}

static const char *explain_end(struct arena *a, int64_t tasks)
{
	return tasks < 0 ? "its tasks end"
			 : arena_printf(a, "%lld task%s end%s", (long long)tasks, plural(tasks), tasks == 1 ? "s" : "");
}

/*
 * Docker's load balancer knows a service by its published ports. Where tasks with the old ones and tasks with the new
 * ones are there at the same time, the last of the old ones takes the ports of all with it; they come back with the
 * next task that starts, and after the last one only with the engine (moby/moby#41364, seen with 20.10).
 */
static void block_lost_ports(struct change *c, int64_t tasks)
{
	if (c->state == CHANGE_BLOCKED || tasks == 0 || !starts_first(c) || !ports_change(c))
		return;
	c->state = CHANGE_BLOCKED;
	c->reason =
		"with update_config.order start-first Docker would lose all published ports of the service when some "
		"of them change (moby/moby#41364): write stop-first in the same commit, and start-first in a later one";
}

void service_explain(const struct observe *o, struct arena *a, struct change *c)
{
	int64_t tasks = task_count(o, c->live);

	switch (c->action) {
	case ACTION_CREATE:
		c->effect = explain_create(a, c->desired->body);
		break;
	case ACTION_UPDATE:
	case ACTION_ADOPT:
		c->effect = explain_update(o, a, c, tasks);
		block_lost_ports(c, tasks);
		break;
	case ACTION_REPLACE:
		c->disruption = DISRUPTS_REMOVE;
		c->effect = arena_printf(a, "Swarm cannot change a service's mode: it is removed, %s, and created anew",
					 explain_end(a, tasks));
		break;
	case ACTION_DELETE:
		c->effect = explain_end(a, tasks);
		break;
	default:
		return;
	}
	if (!*c->effect)
		c->effect = NULL;
	if (c->desired)
		handover_explain(o, a, c);
}

/* How long it may take */

#define BASE_MS 600000   /* images are pulled */
#define TASK_MS 30000    /* a task is placed and started */
#define HEALTH_RETRIES 3 /* moby, daemon/health.go */
#define MONITOR_MS 5000  /* swarmkit's default, as the two below */
#define GRACE_MS 10000
#define GLOBAL_TASKS 10 /* of a global service; with more nodes the next run goes on waiting */

static int64_t task_ms(const json_t *body)
{
	const json_t *health = json_object_get(body, "healthcheck");
	int64_t ms = TASK_MS + ms_of(body, "stop_grace_period", NULL, GRACE_MS);

	if (!health)
		return ms;
	return ms + ms_of(body, "healthcheck", "start_period", 0) +
	       ms_of(body, "healthcheck", "interval", HEALTH_MS) * json_int(health, "retries", HEALTH_RETRIES);
}

/* All tasks, so many at a time. config: "update_config", "rollback_config" */
static int64_t rounds_ms(const json_t *body, const char *config, int64_t tasks)
{
	int64_t at_once = json_int(json_object_get(body, config), "parallelism", 1);
	int64_t rounds = at_once > 0 ? (tasks + at_once - 1) / at_once : 1;

	return rounds * (task_ms(body) + ms_of(body, config, "monitor", MONITOR_MS) + ms_of(body, config, "delay", 0));
}

int64_t service_patience_ms(const struct change *c)
{
	const json_t *body = c->desired ? c->desired->body : c->live->body;
	const char *action = json_str(json_object_get(body, "update_config"), "failure_action");
	int64_t tasks = json_int(body, "replicas", GLOBAL_TASKS),
		ms = BASE_MS + rounds_ms(body, "update_config", tasks);

	return str_eq(action, "rollback") ? ms + rounds_ms(body, "rollback_config", tasks) : ms;
}
