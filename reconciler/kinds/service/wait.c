#include "kinds/service/wait.h"

#include <stdio.h>
#include <string.h>

#define MONITOR_MS 5000   /* swarmkit's default */
#define IDLE_MS 3000      /* Swarm replaces a task at once, in state "ready": none for this long means never */
#define STUCK_MS 30000    /* longer than a manager needs to find a node for a task */
#define FAILURES_ENOUGH 3 /* of one replica, with none running: it will not get better */
#define FAILURES_OF_ONE 6 /* of one replica, whatever the others do */
#define TASK_IN_MESSAGE "termination of task " /* swarmkit, manager/orchestrator/update/updater.go */

enum job { NO_JOB, REPLICATED_JOB, GLOBAL_JOB };

/* What one snapshot comes to. */
struct count {
	size_t wanted;         /* tasks */
	size_t good;           /* running, or completed where that is the end */
	size_t coming;         /* current tasks on their way */
	size_t busy;           /* tasks that a node is working on: pulled, started, stopped */
	size_t leaving;        /* tasks that Swarm still has to stop: of an older version, or too many */
	json_t *states;        /* of those on their way: {"preparing": 2} */
	json_t *nodes;         /* global: nodes that should have a task */
	const char *waits_for; /* why one of those on their way does not advance */
};

void wait_state_free(struct wait_state *st)
{
	json_decref(st->failed);
	json_decref(st->failures);
	free(st->seen);
	*st = (struct wait_state){0};
}

static const char *update_state(const json_t *service)
{
	const char *state = json_str(json_object_get(service, "UpdateStatus"), "State");
	return state ? state : "";
}

bool update_in_flight(const json_t *service)
{
	const char *state = update_state(service);
	return strcmp(state, "updating") == 0 || strcmp(state, "rollback_started") == 0;
}

/* Tasks */

static const char *state_of(const json_t *task)
{
	const char *state = json_str(json_object_get(task, "Status"), "State");
	return state ? state : "new";
}

static bool is_one_of(const char *s, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(*list, s) == 0)
			return true;
	return false;
}

static bool has_ended(const json_t *task)
{
	static const char *const ended[] = {"complete", "failed", "orphaned", "rejected", "remove", "shutdown", NULL};
	return is_one_of(state_of(task), ended);
}

static bool has_failed(const json_t *task)
{
	static const char *const failed[] = {"failed", "rejected", NULL};
	return is_one_of(state_of(task), failed);
}

/* Swarm means it to run, now or as soon as the task before it is gone. */
static bool is_meant_to_run(const json_t *task)
{
	const char *desired = json_str(task, "DesiredState");
	return desired &&
	       (strcmp(desired, "running") == 0 || strcmp(desired, "ready") == 0 || strcmp(desired, "complete") == 0);
}

static bool is_on_live_node(const struct wait_snapshot *snap, const json_t *task)
{
	const char *id = json_str(task, "NodeID");
	json_t *node;
	size_t i;

	json_array_foreach (snap->nodes, i, node)
		if (str_eq(json_str(node, "ID"), id))
			return !str_eq(json_str(json_object_get(node, "Status"), "State"), "down");
	return false;
}

static json_t *set_of(const json_t *ids)
{
	json_t *set = json_object(), *id;
	size_t i;

	json_array_foreach (ids, i, id)
		json_set_bool(set, json_string_value(id), true);
	return set;
}

/* The engine's words, with the container's exit status when they lack it. */
static void task_error(const json_t *task, char *buf, size_t size)
{
	const json_t *status = json_object_get(task, "Status");
	const char *text = json_str(status, "Err");

	if ((!text || !*text) && str_eq(state_of(task), "complete")) /* Swarm only says "finished" */
		text = "it ended with exit code 0, by itself or because its health check failed";
	if (!text || !*text)
		text = json_str(status, "Message");
	snprintf(buf, size, "%s", text && *text ? text : state_of(task));
	for (char *p = buf; *p; p++)
		if (*p == '\n' || *p == '\r')
			*p = ' ';
}

static const json_t *newest_failed(const json_t *tasks, const json_t *only)
{
	const json_t *newest = NULL;
	json_t *task;
	size_t i;

	json_array_foreach (tasks, i, task) {
		const char *at = json_str(json_object_get(task, "Status"), "Timestamp");
		const char *best = newest ? json_str(json_object_get(newest, "Status"), "Timestamp") : "";
		if (has_failed(task) && (!only || json_object_get(only, json_str(task, "ID"))) && at &&
		    strcmp(at, best) > 0)
			newest = task;
	}
	return newest;
}

/* The task that Swarm names as the cause, else the last one that failed. */
static void remember_cause(struct wait_state *st, const struct wait_snapshot *snap)
{
	const char *message = json_str(json_object_get(snap->service, "UpdateStatus"), "Message");
	const char *id = message ? strstr(message, TASK_IN_MESSAGE) : NULL;
	const json_t *cause = NULL;
	json_t *task;
	size_t i;

	json_array_foreach (snap->tasks, i, task)
		if (id && json_str(task, "ID") && strstr(id, json_str(task, "ID")))
			cause = task;
	if (!cause)
		cause = newest_failed(snap->tasks, NULL);
	if (cause)
		task_error(cause, st->reason, sizeof(st->reason));
}

/* Counting */

static bool completes(const json_t *service)
{
	const char *condition = json_string_value(json_path(service, "Spec.TaskTemplate.RestartPolicy.Condition"));
	return condition && strcmp(condition, "any") != 0;
}

static enum job job_of(const json_t *service)
{
	const json_t *mode = json_path(service, "Spec.Mode");
	if (json_object_get(mode, "ReplicatedJob"))
		return REPLICATED_JOB;
	return json_object_get(mode, "GlobalJob") ? GLOBAL_JOB : NO_JOB;
}

/* A node works on it, so that it can change without anybody else: not one that waits for a node or for its restart. */
static bool is_busy(const struct wait_snapshot *snap, const struct wait_state *st, const json_t *task)
{
	static const char *const working[] = {"accepted", "assigned", "preparing", "starting", NULL};
	const char *state = state_of(task);
	bool running = strcmp(state, "running") == 0;

	if (!is_on_live_node(snap, task))
		return false;
	if (!is_meant_to_run(task))
		return running;
	return is_one_of(state, working) || (running && job_of(snap->service) != NO_JOB && !st->verify);
}

static bool is_of_iteration(const json_t *service, const json_t *task)
{
	return json_int(json_object_get(task, "JobIteration"), "Index", 0) ==
	       json_int(json_path(service, "JobStatus.JobIteration"), "Index", 0);
}

static void count_coming(struct count *c, const json_t *task)
{
	const json_t *status = json_object_get(task, "Status");
	const char *state = state_of(task), *why = json_str(status, "Err");

	c->coming++;
	json_set_int(c->states, state, json_int(c->states, state, 0) + 1);
	if (why && *why)
		c->waits_for = why;
}

static void count_task(struct count *c, const struct wait_snapshot *snap, const json_t *task, bool current)
{
	bool job = job_of(snap->service) != NO_JOB;
	bool done = strcmp(state_of(task), "complete") == 0 && (job || completes(snap->service));
	bool running = strcmp(state_of(task), "running") == 0 && !job;
	const char *node = json_str(task, "NodeID");

	if (node && (is_meant_to_run(task) || (current && done)) && is_on_live_node(snap, task))
		json_set_bool(c->nodes, node, true);
	if (!current)
		c->leaving += is_meant_to_run(task) && !has_ended(task);
	else if (done || (is_meant_to_run(task) && running && is_on_live_node(snap, task)))
		c->good++;
	else if (is_meant_to_run(task) && !has_ended(task))
		count_coming(c, task);
}

/* Failures by replica; a global service has one on each node. Those of long ago say nothing of what comes. */
static void count_failure(struct wait_state *st, const json_t *task)
{
	const char *id = json_str(task, "ID"), *node = json_str(task, "NodeID");
	int64_t slot = json_int(task, "Slot", 0);
	_cleanup_free_ char *key = slot ? xasprintf("%lld", (long long)slot) : xstrdup(node ? node : "");

	if (json_object_get(st->failed, id))
		return;
	json_set_bool(st->failed, id, true);
	if (!st->looked)
		return;
	int64_t n = json_int(st->failures, key, 0) + 1;
	json_set_int(st->failures, key, n);
	if (n > st->most_failures)
		st->most_failures = n;
}

static void count_all(struct count *c, struct wait_state *st, const struct wait_snapshot *snap)
{
	_cleanup_json_ json_t *current = set_of(snap->current);
	const json_t *mode = json_path(snap->service, "Spec.Mode");
	enum job job = job_of(snap->service);
	json_t *task;
	size_t i;

	*c = (struct count){.states = json_object(), .nodes = json_object()};
	json_array_foreach (snap->tasks, i, task) {
		const char *id = json_str(task, "ID");
		bool is_current = id && (job == NO_JOB ? json_object_get(current, id) != NULL
						       : is_of_iteration(snap->service, task));
		count_task(c, snap, task, is_current);
		c->busy += is_busy(snap, st, task);
		if (is_current && has_failed(task))
			count_failure(st, task);
	}
	if (job == REPLICATED_JOB)
		c->wanted = (size_t)json_int(json_object_get(mode, "ReplicatedJob"), "TotalCompletions", 0);
	else if (json_object_get(mode, "Replicated"))
		c->wanted = (size_t)json_int(json_object_get(mode, "Replicated"), "Replicas", 1);
	else
		c->wanted = json_object_size(c->nodes);
	if (json_object_size(st->failed) > 0) {
		const json_t *last = newest_failed(snap->tasks, st->failed);
		if (last)
			task_error(last, st->reason, sizeof(st->reason));
	}
}

/* Words */

static void describe(const struct count *c, const struct wait_state *st, bool job, char *buf, size_t size)
{
	_cleanup_str_ struct str s = {0};
	const char *sep = " (";
	size_t n;
	const char **states = json_sorted_keys(c->states, &n);

	str_addf(&s, "%zu/%zu tasks %s", c->good, c->wanted, job ? "completed" : "running");
	for (size_t i = 0; i < n; i++, sep = ", ")
		str_addf(&s, "%s%lld %s", sep, (long long)json_int(c->states, states[i], 0), states[i]);
	free(states);
	if (c->leaving > 0) {
		str_addf(&s, "%s%zu to be replaced", sep, c->leaving);
		sep = ", ";
	}
	if (*sep == ',')
		str_addc(&s, ')');
	if (c->waits_for)
		str_addf(&s, ": %s", c->waits_for);
	else if (*st->reason)
		str_addf(&s, "; the last failed: %s", st->reason);
	snprintf(buf, size, "%s", str_cstr(&s));
}

static struct wait_verdict verdict(enum wait_outcome outcome, const char *what, const struct wait_state *st)
{
	struct wait_verdict v = {.outcome = outcome};
	snprintf(v.text, sizeof(v.text), "%s: %s", what, *st->reason ? st->reason : "no task says why");
	return v;
}

/* Verdicts */

/* Where Swarm itself has given the update up; PENDING when it has not. */
static struct wait_verdict judge_update(struct wait_state *st, const struct wait_snapshot *snap)
{
	static const struct {
		const char *state;
		enum wait_outcome outcome;
		const char *what;
	} ends[] = {
		{"paused", WAIT_PAUSED, "Swarm paused the update"},
		{"rollback_completed", WAIT_ROLLED_BACK, "Swarm rolled the update back"},
		{"rollback_paused", WAIT_PAUSED, "Swarm rolled the update back and paused that as well"},
		{"rollback_started", WAIT_PENDING, "Swarm is rolling the update back"},
	};
	const char *state = update_state(snap->service);

	for (size_t i = 0; i < ARRAY_SIZE(ends); i++) {
		if (strcmp(ends[i].state, state) != 0)
			continue;
		if (st->verify && ends[i].outcome != WAIT_PAUSED) /* what was put back is what is wanted */
			break;
		if (!*st->reason || ends[i].outcome == WAIT_PAUSED)
			remember_cause(st, snap);
		return verdict(ends[i].outcome, ends[i].what, st);
	}
	return (struct wait_verdict){.outcome = WAIT_PENDING};
}

static int64_t monitor_ms(const json_t *service, const char *config)
{
	int64_t ns = json_int(json_path(service, config), "Monitor", 0);
	return ns > 0 ? ns / 1000000 : MONITOR_MS;
}

static int64_t ms_at(const json_t *service, const char *path)
{
	return json_integer_value(json_path(service, path)) / 1000000;
}

/* How long everything may stand still before it is stuck: Swarm itself pauses between two steps and before a restart.
 */
static int64_t patience_ms(const json_t *service)
{
	bool updating = strcmp(update_state(service), "updating") == 0;
	const char *config = updating ? "Spec.UpdateConfig" : "Spec.RollbackConfig";
	const char *delay = updating ? "Spec.UpdateConfig.Delay" : "Spec.RollbackConfig.Delay";
	int64_t ms = STUCK_MS + ms_at(service, "Spec.TaskTemplate.RestartPolicy.Delay");

	return update_in_flight(service) ? ms + monitor_ms(service, config) + ms_at(service, delay) : ms;
}

static void note_moves(struct wait_state *st, const struct wait_snapshot *snap)
{
	_cleanup_json_ json_t *states = json_object();
	_cleanup_str_ struct str now = {0};
	json_t *task;
	size_t i;

	json_array_foreach (snap->tasks, i, task)
		json_set_str(states, json_str(task, "ID"), state_of(task));
	json_canonical(states, &now);
	if (str_eq(st->seen, str_cstr(&now)))
		return;
	free(st->seen);
	st->seen = str_steal(&now);
	st->moved_at = snap->now;
}

static bool is_stuck(const struct wait_state *st, const struct wait_snapshot *snap, const struct count *c)
{
	return c->busy == 0 && st->steady_since == 0 && snap->now - st->moved_at >= patience_ms(snap->service);
}

/* Swarm has done nothing for a while and something failed, or it keeps failing. */
static bool is_hopeless(struct wait_state *st, const struct count *c, int64_t now)
{
	size_t failed = json_object_size(st->failed);

	if (c->coming > 0 || c->leaving > 0 || failed == 0)
		st->idle_since = 0;
	else if (st->idle_since == 0)
		st->idle_since = now;
	if (failed == 0 || c->good >= c->wanted)
		return false;
	return (st->most_failures >= FAILURES_ENOUGH && (c->good == 0 || st->verify)) ||
	       st->most_failures >= FAILURES_OF_ONE || (st->idle_since && now - st->idle_since >= IDLE_MS);
}

static bool is_steady(struct wait_state *st, const struct wait_snapshot *snap, const struct count *c)
{
	enum job job = job_of(snap->service);
	bool counted = job == REPLICATED_JOB || json_path(snap->service, "Spec.Mode.Replicated");

	if (c->good != c->wanted || c->leaving > 0 || c->coming > 0) {
		st->steady_since = 0;
		return false;
	}
	if (st->steady_since == 0)
		st->steady_since = snap->now;
	/* The write, if any, did not concern the tasks; Swarm has monitored them. */
	if ((!st->looked && !update_in_flight(snap->service)) || strcmp(update_state(snap->service), "completed") == 0)
		return true;
	/* A job ends; none are meant to run. */
	if ((job != NO_JOB && c->wanted > 0) || (counted && c->wanted == 0))
		return true;
	/*
	 * Also while Swarm says "updating": it does so until update_config.delay has
	 * passed after the last task, and only failures within the monitor period of a
	 * task's start count for it. A global service without a task: none can fail, one
	 * may still come.
	 */
	return snap->now - st->steady_since >=
	       (c->wanted == 0 ? IDLE_MS : monitor_ms(snap->service, "Spec.UpdateConfig"));
}

static struct wait_verdict judge_tasks(struct wait_state *st, const struct wait_snapshot *snap, const struct count *c)
{
	struct wait_verdict v = {.outcome = WAIT_PENDING};

	describe(c, st, job_of(snap->service) != NO_JOB, v.text, sizeof(v.text));
	if (is_steady(st, snap, c))
		v.outcome = WAIT_CONVERGED;
	else if (is_hopeless(st, c, snap->now) && !update_in_flight(snap->service))
		v = verdict(WAIT_FAILED, "its tasks keep failing", st);
	else if (is_stuck(st, snap, c))
		v.outcome = WAIT_STUCK;
	return v;
}

struct wait_verdict service_wait_judge(struct wait_state *st, const struct wait_snapshot *snap)
{
	struct wait_verdict v = {.outcome = WAIT_PENDING};
	struct count c;

	if (!st->verify)
		v = judge_update(st, snap);
	if (*v.text)
		return v;
	if (!st->failed) {
		st->failed = json_object();
		st->failures = json_object();
	}
	note_moves(st, snap);
	count_all(&c, st, snap);
	/* A paused update ends what it has not reached; with nothing of that left, the tasks speak for themselves. */
	if (st->verify && c.leaving > 0)
		v = judge_update(st, snap);
	if (!*v.text)
		v = judge_tasks(st, snap, &c);
	st->looked = true;
	json_decref(c.states);
	json_decref(c.nodes);
	return v;
}
