#include "kinds/absent/absent.h"

#include "kinds/absent/phase.h"
#include "sys/clock.h"

#include <string.h>

#define POLL_MS 200
#define NS_PER_S 1000000000

int absent_inspect(struct apply *a, const char *container, json_t **out, struct err *err)
{
	_cleanup_str_ struct str path = {0};
	struct err e;

	engine_escape(container, &path);
	if (engine_get(a->cluster->engine, a->deadline, out, &e, "/containers/%s/json", str_cstr(&path)) == 0)
		return 0;
	if (e.code == ERR_NOT_FOUND) {
		*out = json_null();
		return 0;
	}
	*err = e;
	return err_wrap(err, "container %s", container);
}

/* One turn of waiting; an error when the time is up. */
static int wait_a_moment(struct apply *a, const char *for_what, struct err *err)
{
	if (clock_left(a->deadline) == 0)
		return err_set(err, ERR_TIMEOUT, "wait for %s: it has not happened in time", for_what);
	if (!clock_sleep(POLL_MS))
		return err_set(err, ERR_CANCELLED, "wait for %s: cancelled", for_what);
	return 0;
}

/* ---- container ---- */

struct stopping {
	struct apply *a;
	const char *name;
	const char *id;
	int64_t timeout_s;
};

/* An `always` container would be back after the engine's next start (FACTS: engine, stopped by hand). */
static int forbid_restart(const struct stopping *s, struct err *err)
{
	_cleanup_json_ json_t *body = json_pack("{s:{s:s,s:i}}", "RestartPolicy", "Name", "no", "MaximumRetryCount", 0);

	if (engine_post(s->a->cluster->engine, s->a->deadline, body, NULL, err, "/containers/%s/update", s->id) < 0)
		return err_wrap(err, "set the restart policy of container %s to 'no'", s->name);
	return 0;
}

/* Waits until the container has ended; one started with --rm is then gone. */
static int wait_until_stopped(const struct stopping *s, struct err *err)
{
	_cleanup_free_ char *what = xasprintf("container %s to stop", s->name);

	for (;;) {
		_cleanup_json_ json_t *inspect = NULL;
		if (absent_inspect(s->a, s->id, &inspect, err) < 0)
			return -1;
		if (strcmp(absent_phase(inspect, 0, 0).live, "running") != 0)
			return 0;
		if (wait_a_moment(s->a, what, err) < 0)
			return -1;
	}
}

/* With the image's own stop signal: for HAProxy that is SIGUSR1, which lets connections finish. */
static int stop(const struct stopping *s, struct err *err)
{
	s->a->progress(s->a->progress_arg, "stopping, killed after %lld s", (long long)s->timeout_s);
	if (engine_post(s->a->cluster->engine, s->a->deadline, NULL, NULL, err, "/containers/%s/stop?t=%lld", s->id,
			(long long)s->timeout_s) < 0)
		return err_wrap(err, "stop container %s", s->name);
	return wait_until_stopped(s, err);
}

/* Without v=1: its volumes stay, also the anonymous ones. */
static int remove_container(const struct stopping *s, struct err *err)
{
	_cleanup_free_ char *what = xasprintf("container %s to be removed", s->name);
	struct err e;

	/* 409: it is being removed already, by --rm or by somebody else. */
	if (engine_delete(s->a->cluster->engine, s->a->deadline, &e, "/containers/%s", s->id) < 0 &&
	    e.code != ERR_NOT_FOUND && e.code != ERR_CONFLICT) {
		*err = e;
		return err_wrap(err, "remove container %s", s->name);
	}
	for (;;) {
		_cleanup_json_ json_t *inspect = NULL;
		if (absent_inspect(s->a, s->id, &inspect, err) < 0)
			return -1;
		if (json_is_null(inspect))
			return 0;
		if (wait_a_moment(s->a, what, err) < 0)
			return -1;
	}
}

static void forget_evidence(struct apply *a, const struct change *c)
{
	_cleanup_free_ char *key = xasprintf("quiet/%s", c->desired->name);
	if (json_int(c->desired->body, "quiet", 0) > 0)
		a->cluster->evidence_put(a->cluster->evidence_arg, key, NULL);
}

static int apply_container(struct apply *a, const struct change *c, struct err *err)
{
	const json_t *body = c->desired->body;
	struct stopping s = {.a = a, .name = json_str(body, "container")};
	_cleanup_json_ json_t *inspect = NULL;
	bool removes = str_eq(json_str(body, "state"), "removed");

	if (absent_inspect(a, s.name, &inspect, err) < 0)
		return -1;
	s.id = json_str(inspect, "Id");
	if (!s.id)
		return 0;
	if (c->live && c->live->id && strcmp(c->live->id, s.id) != 0)
		return err_set(err, ERR_OUT_OF_SEQUENCE,
			       "container %s was replaced since the plan was made: it is looked at again", s.name);
	s.timeout_s = (json_int(body, "stop_timeout", 0) + NS_PER_S - 1) / NS_PER_S;
	struct absent_phase p = absent_phase(inspect, 0, 1);
	bool running = strcmp(p.live, "running") == 0;
	if (p.restart && (running || !removes) && forbid_restart(&s, err) < 0)
		return -1;
	if (running && stop(&s, err) < 0)
		return -1;
	if (removes && remove_container(&s, err) < 0)
		return -1;
	forget_evidence(a, c);
	return 0;
}

/* ---- service ---- */

static bool has_ended(const json_t *task)
{
	static const char *const ended[] = {"complete", "failed", "orphaned", "rejected", "remove", "shutdown"};
	const char *state = json_str(json_object_get(task, "Status"), "State");

	for (size_t i = 0; i < ARRAY_SIZE(ended); i++)
		if (str_eq(state, ended[i]))
			return true;
	return false;
}

/* {"id": true, …} of the tasks that still run. A removed service is no filter any more, its tasks' ids are. */
static json_t *running_tasks(const json_t *tasks)
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
	_cleanup_str_ struct str text = {0}, query = {0};

	json_set(filters, filter, json_incref((json_t *)values));
	json_canonical(filters, &text);
	engine_escape(str_cstr(&text), &query);
	return engine_get(a->cluster->engine, a->deadline, out, err, "/tasks?filters=%s", str_cstr(&query));
}

static int wait_for_tasks(struct apply *a, const char *name, const json_t *first, struct err *err)
{
	_cleanup_free_ char *what = xasprintf("the tasks of service %s to end", name);
	_cleanup_json_ json_t *left = running_tasks(first);
	size_t told = 0;

	while (json_object_size(left) > 0) {
		_cleanup_json_ json_t *tasks = NULL;
		if (json_object_size(left) != told)
			a->progress(a->progress_arg, "%zu tasks left", json_object_size(left));
		told = json_object_size(left);
		if (wait_a_moment(a, what, err) < 0 || get_tasks(a, "id", left, &tasks, err) < 0)
			return -1;
		json_decref(left);
		left = running_tasks(tasks);
	}
	return 0;
}

static int apply_service(struct apply *a, const struct change *c, struct err *err)
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
	if (engine_delete(a->cluster->engine, a->deadline, &e, "/services/%s", id) < 0 && e.code != ERR_NOT_FOUND) {
		*err = e;
		return err_wrap(err, "remove service %s", name);
	}
	return wait_for_tasks(a, name, tasks, err);
}

int absent_apply(struct apply *a, const struct change *c, struct err *err)
{
	bool container = json_str(c->desired->body, "container") != NULL;
	return container ? apply_container(a, c, err) : apply_service(a, c, err);
}
