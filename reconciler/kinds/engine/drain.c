/* A node's tasks move away and back: what a restart of its engine needs of the swarm. */
#include "kinds/engine/write.h"

#include "sys/clock.h"

#include <string.h>

#define TRIES 5
#define LOOK_MS 500
#define CALL_MS INT64_C(10000)

static int64_t soon(int64_t deadline)
{
	int64_t limit = clock_ms() + CALL_MS;
	return limit < deadline ? limit : deadline;
}

static int set_once(struct apply *a, const char *node_id, const char *availability, char **before, struct err *err)
{
	_cleanup_json_ json_t *node = NULL;

	if (engine_get(a->cluster->engine, soon(a->deadline), &node, err, "/nodes/%s", node_id) < 0)
		return -1;
	json_t *spec = json_object_get(node, "Spec");
	const char *now = json_str(spec, "Availability");
	if (before && !*before && now)
		*before = xstrdup(now);
	if (str_eq(now, availability))
		return 0;
	json_set_str(spec, "Availability", availability);
	return engine_post(a->cluster->engine, soon(a->deadline), spec, NULL, err, "/nodes/%s/update?version=%lld",
			   node_id, (long long)json_int(json_object_get(node, "Version"), "Index", 0));
}

/* The agent's reports move a node's version, too. */
int drain_set(struct apply *a, const char *node_id, const char *availability, char **before, struct err *err)
{
	for (int tries = 1;; tries++) {
		struct err e = {0};
		if (set_once(a, node_id, availability, before, &e) == 0)
			return 0;
		if (e.code != ERR_OUT_OF_SEQUENCE || tries == TRIES) {
			*err = e;
			return err_wrap(err, "setting its availability to %s", availability);
		}
	}
}

int drain_undo(struct apply *a, const char *node_id, const char *availability, struct err *err)
{
	struct cluster cluster = *a->cluster;
	struct apply undo = *a;

	cluster.engine = engine_dup(a->cluster->engine);
	engine_set_uncancellable(cluster.engine);
	undo.cluster = &cluster;
	undo.deadline = clock_ms() + CALL_MS;
	int rc = drain_set(&undo, node_id, availability, NULL, err);
	engine_close(cluster.engine);
	return rc;
}

int drain_wait(struct apply *a, const char *node_id, int64_t deadline, struct err *err)
{
	for (;;) {
		size_t n;
		if (engine_count_running(a->cluster->engine, soon(a->deadline), "node", node_id, &n, err) < 0)
			return -1;
		if (n == 0)
			return 0;
		a->progress(a->progress_arg, "%zu task%s still on it", n, n == 1 ? "" : "s");
		if (clock_left(deadline) == 0)
			return err_set(err, ERR_TIMEOUT, "%zu of its tasks did not move away in time", n);
		if (!clock_sleep(LOOK_MS))
			return err_set(err, ERR_CANCELLED, "waiting for its tasks to move away: stopped");
	}
}

int drain_wait_ready(struct apply *a, const char *node_id, int64_t deadline, struct err *err)
{
	for (;;) {
		_cleanup_json_ json_t *node = NULL;
		struct err e = {0};
		const char *state = "not known";
		if (engine_get(a->cluster->engine, soon(deadline), &node, &e, "/nodes/%s", node_id) == 0)
			state = json_str(json_object_get(node, "Status"), "State");
		const json_t *manager = json_object_get(node, "ManagerStatus");
		if (str_eq(state, "ready") && manager && !str_eq(json_str(manager, "Reachability"), "reachable"))
			state = "ready, but unreachable as a manager";
		if (str_eq(state, "ready"))
			return 0;
		if (clock_left(deadline) == 0)
			return err_set(err, ERR_TIMEOUT,
				       "its engine runs again, but the swarm says that the node is %s%s%s", state,
				       *e.msg ? ": " : "", e.msg);
		if (!clock_sleep(LOOK_MS))
			return err_set(err, ERR_CANCELLED, "waiting for it to be ready in the swarm: stopped");
	}
}
