#include "kinds/service/converge.h"

#include "kinds/cluster.h"
#include "kinds/service/service.h"
#include "kinds/service/wait.h"
#include "sys/clock.h"

#include <string.h>

#define POLL_MAX_MS 1000

bool converge_pause(const struct apply *a, int64_t *ms)
{
	int64_t left = clock_left(a->deadline);

	if (left <= 0 || !clock_sleep(*ms < left ? *ms : left))
		return false;
	*ms = *ms * 2 < POLL_MAX_MS ? *ms * 2 : POLL_MAX_MS;
	return clock_left(a->deadline) > 0;
}

int converge_stopped(struct err *err, enum err_code code, const char *what)
{
	if (cancel_requested())
		return err_set(err, ERR_CANCELLED, "interrupted while waiting: %s", what);
	return err_set(err, code, "%s", what);
}

/* Looking */

struct look {
	json_t *service, *tasks, *current, *nodes;
};

static void look_free(struct look *l)
{
	json_decref(l->service);
	json_decref(l->tasks);
	json_decref(l->current);
	json_decref(l->nodes);
	*l = (struct look){0};
}
#define _cleanup_look_ CLEANUP(look_free)

static int get_tasks(const struct apply *a, const char *id, bool current, json_t **out, struct err *err)
{
	_cleanup_json_ json_t *filters = json_object();

	json_set_bool(object_at(filters, "service"), id, true);
	if (current)
		json_set_bool(object_at(filters, "_up-to-date"), "true", true);
	return engine_list(a->cluster->engine, a->deadline, "/tasks", filters, out, err);
}

static int take_look(const struct apply *a, const char *id, struct look *l, struct err *err)
{
	struct engine *e = a->cluster->engine;

	look_free(l);
	/* In this order: a task that appears in between is not yet known, and never taken for an old one. */
	if (engine_get(e, a->deadline, &l->service, err, "/services/%s", id) < 0 ||
	    get_tasks(a, id, false, &l->tasks, err) < 0 || get_tasks(a, id, true, &l->current, err) < 0 ||
	    engine_get(e, a->deadline, &l->nodes, err, "/nodes") < 0)
		return err_wrap(err, "looking at its tasks");
	return 0;
}

static json_t *ids_of(const json_t *tasks)
{
	json_t *ids = json_array(), *task;
	size_t i;

	json_array_foreach (tasks, i, task)
		json_array_append(ids, json_object_get(task, "ID"));
	return ids;
}

static struct wait_verdict judge(struct wait_state *st, const struct look *l)
{
	_cleanup_json_ json_t *ids = ids_of(l->current);
	struct wait_snapshot snap = {
		.service = l->service, .tasks = l->tasks, .current = ids, .nodes = l->nodes, .now = clock_ms()};

	return service_wait_judge(st, &snap);
}

/* Waiting */

/* A verdict other than that there is more to come, as what the change comes to. */
static int conclude(const struct wait_verdict *v, struct err *err)
{
	if (v->outcome == WAIT_CONVERGED)
		return 0;
	if (v->outcome != WAIT_STUCK)
		return err_set(err, ERR_UNHEALTHY, "%s", v->text);
	return err_set(err, ERR_BLOCKED, "nothing moves any more, it waits for what is not its own: %s", v->text);
}

/* What is told while it is waited for: what is news. */
struct waiting {
	struct apply *a;
	struct wait_state state;
	struct wait_verdict said;
	int64_t ms;
};

static void waiting_free(struct waiting *w)
{
	wait_state_free(&w->state);
}

static int go_on(struct waiting *w, const struct wait_verdict *v, struct err *err)
{
	if (strcmp(v->text, w->said.text) != 0)
		say(w->a, "%s", v->text);
	w->said = *v;
	if (converge_pause(w->a, &w->ms))
		return 0;
	_cleanup_free_ char *what = xasprintf("it has not converged: %s", v->text);
	return converge_stopped(err, ERR_TIMEOUT, what);
}

int converge_wait(struct apply *a, const char *id, bool starts_tasks, json_t **service, struct err *err)
{
	struct waiting w CLEANUP(waiting_free) = {.a = a, .state = {.looked = starts_tasks}, .ms = CONVERGE_POLL_MS};
	struct look l _cleanup_look_ = {0};

	for (;;) {
		if (take_look(a, id, &l, err) < 0)
			return -1;
		struct wait_verdict v = judge(&w.state, &l);
		if (v.outcome == WAIT_CONVERGED)
			*service = json_incref(l.service);
		if (v.outcome != WAIT_PENDING)
			return conclude(&v, err);
		if (go_on(&w, &v, err) < 0)
			return -1;
	}
}

static bool is_rolled_back(const json_t *service)
{
	const char *state = json_str(json_object_get(service, "UpdateStatus"), "State");
	return state && str_starts(state, "rollback_");
}

/* Whether the service still is what it was when the plan was made. */
static bool is_as_planned(const struct change *c, const json_t *service, const json_t *networks)
{
	_cleanup_json_ json_t *now = body_read(json_object_get(service, "Spec"), networks);

	body_settle(now, c->desired->body);
	return json_same(now, c->live->body);
}

int converge_verify(struct apply *a, const struct change *c, struct err *err)
{
	struct waiting w CLEANUP(waiting_free) = {.a = a, .state = {.verify = true}, .ms = CONVERGE_POLL_MS};
	_cleanup_json_ json_t *networks = network_names(a->snap);
	struct look l _cleanup_look_ = {0};

	for (;;) {
		if (take_look(a, c->live->id, &l, err) < 0)
			return -1;
		bool undone = is_rolled_back(l.service);
		if (w.state.verify && !undone && !is_as_planned(c, l.service, networks))
			return err_set(err, ERR_OUT_OF_SEQUENCE, "somebody changed it while it was waited for");
		/* Swarm undid what the spec says: then its own verdict counts, and the tasks say why. */
		if (undone && (c->live->rolled_back || !is_as_planned(c, l.service, networks)))
			w.state.verify = false;
		struct wait_verdict v = judge(&w.state, &l);
		if (v.outcome != WAIT_PENDING)
			return conclude(&v, err);
		if (go_on(&w, &v, err) < 0)
			return -1;
	}
}

static const char *since(const json_t *service)
{
	const char *at = json_str(json_object_get(service, "UpdateStatus"), "StartedAt");
	return at ? at : "an unknown time";
}

int converge_idle(struct apply *a, const char *id, json_t **service, struct err *err)
{
	struct wait_state st CLEANUP(wait_state_free) = {.looked = true};
	int64_t ms = CONVERGE_POLL_MS;
	bool said = false;

	for (;; said = true) {
		struct look l _cleanup_look_ = {0};
		struct wait_verdict v = {.outcome = WAIT_PENDING};
		if (engine_get(a->cluster->engine, a->deadline, &l.service, err, "/services/%s", id) < 0)
			return -1;
		if (update_in_flight(l.service)) {
			if (take_look(a, id, &l, err) < 0)
				return -1;
			v = judge(&st, &l);
		}
		if (v.outcome == WAIT_STUCK)
			say(a, "the update in flight since %s cannot go on, it is replaced: %s", since(l.service),
			    v.text);
		if (v.outcome == WAIT_STUCK || v.outcome == WAIT_CONVERGED || !update_in_flight(l.service)) {
			*service = json_incref(l.service);
			return 0;
		}
		if (!said)
			say(a, "waiting for the update in flight since %s", since(l.service));
		if (!converge_pause(a, &ms)) {
			_cleanup_free_ char *what = xasprintf("an update of it is in flight since %s, and a write now "
							      "would make the new spec the one "
							      "that Swarm rolls back to: run again when it is over",
							      since(l.service));
			return converge_stopped(err, ERR_BLOCKED, what);
		}
	}
}
