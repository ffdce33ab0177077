/* Joining, and removing what an earlier installation has left. */
#include "kinds/member.h"

#include "kinds/node.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <string.h>

#define LISTEN_ADDR "0.0.0.0:2377"
#define JOIN_WAIT_MS (INT64_C(40) * 1000) /* after the engine's own 20 s; then it goes on in the background */
#define DOWN_WAIT_MS (INT64_C(90) * 1000) /* managers take a node for down after some missed heartbeats (15 s) */
#define GIVE_UP_MS (INT64_C(15) * 1000)
#define POLL_MS 300

/* Waiting of a step: what is missing is told, and at the end of the time it is the error. */
struct waiting {
	struct apply *a;
	const char *node;
	int64_t deadline;
};

static struct waiting waiting_begin(struct apply *a, const struct change *c, int64_t limit_ms)
{
	int64_t limit = clock_ms() + limit_ms;
	return (struct waiting){a, c->desired->node, limit < a->deadline ? limit : a->deadline};
}

/* 0: look again. */
static int wait_more(const struct waiting *w, const char *what, const char *advice, struct err *err)
{
	w->a->progress(w->a->progress_arg, "%s", what);
	if (clock_left(w->deadline) == 0)
		return err_set(err, ERR_TIMEOUT, "node '%s': %s%s%s", w->node, what, *advice ? "; " : "", advice);
	if (!clock_sleep(POLL_MS))
		return err_set(err, ERR_CANCELLED, "waiting for node '%s': stopped, %s", w->node, what);
	return 0;
}

static bool is_ready(const json_t *entry, bool manager)
{
	if (strcmp(node_state(entry), "ready") != 0)
		return false;
	return !manager || str_eq(json_str(json_object_get(entry, "ManagerStatus"), "Reachability"), "reachable");
}

/* The node's entry at the managers; JSON null when they do not have it. */
static int entry_of(struct apply *a, const char *id, json_t **out, struct err *err)
{
	struct err e = {0};

	if (engine_get(a->cluster->engine, a->deadline, out, &e, "/nodes/%s", id) == 0)
		return 0;
	*out = json_null();
	if (e.code == ERR_NOT_FOUND)
		return 0;
	*err = e;
	return -1;
}

/* The words of moby's daemon/cluster and of Go's TLS. */
static const char *join_advice(const char *text)
{
	if (strstr(text, "x509: certificate has expired or is not yet valid"))
		return "; are the clocks of both hosts right?";
	if (strstr(text, "Unavailable") || strstr(text, "dial tcp") || strstr(text, "connection error") ||
	    strstr(text, "DeadlineExceeded") || strstr(text, "Timeout was reached"))
		return "; " SWARM_PORTS_ADVICE;
	return "";
}

/* What the engine says of an attempt that has come to nothing; malloc'ed. */
static char *failure_of(const json_t *info)
{
	const char *error = json_str(json_object_get(info, "Swarm"), "Error");
	return xasprintf("it could not join: %s", error && *error ? error : "its engine does not say why");
}

/*
 * An attempt that got no NodeID has left nothing behind but the engine's intention: with that gone, the next pass can
 * try again.
 */
static void give_up(struct apply *a, const struct change *c, struct engine *own)
{
	_cleanup_json_ json_t *info = NULL;
	struct err err = {0};
	int64_t deadline = clock_ms() + GIVE_UP_MS;

	if (engine_get(own, deadline, &info, &err, "/info") < 0 || node_own_id(info) ||
	    engine_post(own, deadline, NULL, NULL, &err, "/swarm/leave?force=1") < 0)
		a->progress(a->progress_arg, "its engine still tries; `docker swarm leave --force` on '%s' ends it",
			    c->desired->node);
}

/* Until the managers see it, by the NodeID that it was given. */
static int wait_for_member(struct apply *a, const struct change *c, struct engine *own, struct err *err)
{
	const struct waiting w = waiting_begin(a, c, JOIN_WAIT_MS);
	bool manager = str_eq(json_str(c->desired->body, "role"), "manager");

	for (;;) {
		_cleanup_json_ json_t *info = NULL, *entry = NULL;
		_cleanup_free_ char *what = NULL;
		if (engine_get(own, a->deadline, &info, err, "/info") < 0 ||
		    (node_own_id(info) && entry_of(a, node_own_id(info), &entry, err) < 0))
			return -1;
		if (is_ready(entry, manager))
			return 0;
		bool failed = strcmp(node_swarm_state(info), "error") == 0;
		if (failed)
			what = failure_of(info);
		else if (json_is_object(entry))
			what = xasprintf("the managers have it as '%s', not yet as %s", node_state(entry),
					 manager ? "a manager that they reach" : "ready");
		else
			what = xasprintf("it is joining, its engine says '%s'", node_swarm_state(info));
		if (failed)
			return err_set(err, ERR_TIMEOUT, "node '%s': %s%s", c->desired->node, what, join_advice(what));
		if (wait_more(&w, what, SWARM_PORTS_ADVICE, err) < 0)
			return -1;
	}
}

/* "ip:port" of the managers that are up. */
static int read_managers(struct apply *a, json_t **out, struct err *err)
{
	_cleanup_json_ json_t *nodes = NULL;
	const json_t *e;
	size_t i;

	if (engine_get(a->cluster->engine, a->deadline, &nodes, err, "/nodes") < 0)
		return -1;
	*out = json_array();
	json_array_foreach (nodes, i, e) {
		const json_t *status = json_object_get(e, "ManagerStatus");
		if (str_eq(json_str(status, "Reachability"), "reachable") && json_str(status, "Addr"))
			json_array_append(*out, json_object_get(status, "Addr"));
	}
	return 0;
}

/* The token goes from one engine to the other, in the body of a call: into no message, no trace, no command line. */
static int send_join(struct apply *a, const struct change *c, struct engine *own, struct err *err)
{
	const char *role = json_str(c->desired->body, "role");
	_cleanup_json_ json_t *swarm = NULL, *join = json_object();
	json_t *managers = NULL;
	struct err e = {0};

	if (read_managers(a, &managers, err) < 0)
		return -1;
	json_set(join, "RemoteAddrs", managers);
	if (engine_get(a->cluster->engine, a->deadline, &swarm, err, "/swarm") < 0)
		return -1;
	json_set_str(join, "ListenAddr", LISTEN_ADDR);
	json_set_str(join, "AdvertiseAddr", json_str(c->desired->body, "address"));
	json_set_str(join, "JoinToken",
		     json_str(json_object_get(swarm, "JoinTokens"), str_eq(role, "manager") ? "Manager" : "Worker"));
	if (engine_post(own, a->deadline, join, NULL, &e, "/swarm/join") == 0)
		return 0;
	/* It goes on trying by itself. */
	if (strstr(e.msg, "Timeout was reached before node joined"))
		return 0;
	return err_set(err, e.code, "%s%s", e.msg, join_advice(e.msg));
}

static int join_swarm(struct apply *a, const struct change *c, struct err *err)
{
	_cleanup_json_ json_t *info = NULL;
	struct engine *own;

	if (cluster_engine(a->cluster, c->desired->node, &own, err) < 0 ||
	    engine_get(own, a->deadline, &info, err, "/info") < 0)
		return -1;
	if (strcmp(node_swarm_state(info), "inactive") != 0)
		return err_set(err, ERR_OUT_OF_SEQUENCE, "node '%s' is in a swarm meanwhile ('%s')", c->desired->node,
			       node_swarm_state(info));
	if (send_join(a, c, own, err) < 0)
		return err_wrap(err, "node '%s' joining the swarm", c->desired->node);
	if (wait_for_member(a, c, own, err) == 0)
		return 0;
	if (err->code == ERR_TIMEOUT)
		give_up(a, c, own);
	return -1;
}

/* A manager cannot be removed; managers refuse to demote one that they need for a majority. */
static int demote(struct apply *a, const char *id, const json_t *entry, struct err *err)
{
	json_t *spec = json_object_get(entry, "Spec");

	if (!str_eq(json_str(spec, "Role"), "manager"))
		return 0;
	json_set_str(spec, "Role", "worker");
	return engine_post(a->cluster->engine, a->deadline, spec, NULL, err, "/nodes/%s/update?version=%lld", id,
			   (long long)json_int(json_object_get(entry, "Version"), "Index", 0));
}

static int remove_entry(struct apply *a, const struct change *c, const char *id, struct err *err)
{
	const struct waiting w = waiting_begin(a, c, DOWN_WAIT_MS);

	for (;;) {
		_cleanup_json_ json_t *entry = NULL;
		if (entry_of(a, id, &entry, err) < 0)
			return -1;
		if (!json_is_object(entry))
			return 0;
		bool down = strcmp(node_state(entry), "down") == 0;
		if (down && demote(a, id, entry, err) < 0)
			return -1;
		if (down && !json_is_object(json_object_get(entry, "ManagerStatus")))
			return engine_delete(a->cluster->engine, a->deadline, err, "/nodes/%s", id);
		_cleanup_free_ char *what = xasprintf("the managers have its former entry %s still as %s", id,
						      down ? "a manager" : node_state(entry));
		if (wait_more(&w, what, "", err) < 0)
			return -1;
	}
}

static int remove_former(struct apply *a, const struct change *c, struct err *err)
{
	const char *id;
	json_t *unused;

	json_object_foreach (json_object_get(c->live->body, "former"), id, unused)
		if (remove_entry(a, c, id, err) < 0)
			return err_wrap(err, "removing the former entry %s of node '%s'", id, c->desired->node);
	return 0;
}

int member_apply(struct apply *a, const struct change *c, struct err *err)
{
	if (c->action == ACTION_CREATE)
		return join_swarm(a, c, err);
	return c->live && c->action == ACTION_UPDATE ? remove_former(a, c, err) : 0;
}
