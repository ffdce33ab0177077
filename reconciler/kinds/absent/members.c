#include "kinds/absent/members.h"

#include "client/haproxy/haproxy.h"
#include "kinds/absent/unit.h"
#include "kinds/node.h"
#include "sys/clock.h"

#include <stdio.h>
#include <string.h>

#define PROBE_MS 25000
#define LOOP_S 120
#define UPTIME "/proc/uptime"
#define BOOT_ID "/proc/sys/kernel/random/boot_id"

static void member_free(struct member *m)
{
	free(m->id);
	free(m->started);
	free(m->boot_id);
	json_decref(m->inspect);
	json_decref(m->haproxy);
}

void members_free(struct members *m)
{
	for (size_t i = 0; i < m->list.n; i++)
		member_free(&m->list.v[i]);
	vec_free(&m->list);
	free(m->name);
}

/* ---- finding ---- */

static bool shares_counters(const char *mode)
{
	return mode && (str_eq(mode, "host") || str_starts(mode, "container:"));
}

/*
 * One of several that is started again and again: the engine waits a minute at most before each time, and whatever it
 * serves in between is not to be waited for.
 */
static bool is_looping(const json_t *inspect)
{
	const char *started = json_str(json_object_get(inspect, "State"), "StartedAt");
	int64_t t;

	return json_int(inspect, "RestartCount", 0) > 0 && clock_parse_rfc3339(started, &t) &&
	       clock_wall() - t < LOOP_S;
}

static bool can_serve(const json_t *inspect)
{
	const json_t *state = json_object_get(inspect, "State");
	return json_bool(state, "Running") && !json_bool(state, "Restarting");
}

static void add_container(struct members *m, struct host *host, const json_t *inspect)
{
	const json_t *state = json_object_get(inspect, "State");
	const char *id = json_str(inspect, "Id"), *started = json_str(state, "StartedAt");

	if (!can_serve(inspect))
		return;
	vec_push(&m->list, ((struct member){
				   .host = host,
				   .pid = json_int(state, "Pid", 0),
				   .id = xstrdup(id ? id : ""),
				   .started = xstrdup(started ? started : ""),
				   .inspect = json_incref((json_t *)inspect),
				   .shares_network = shares_counters(
					   json_str(json_object_get(inspect, "HostConfig"), "NetworkMode")),
				   .maybe_haproxy = absent_is_haproxy(inspect),
			   }));
}

static int find_containers(struct apply *a, const struct change *c, struct members *m, struct err *err)
{
	const json_t *body = c->desired->body, *inspect;
	struct host *host = c->desired->node ? cluster_host(a->cluster, c->desired->node) : NULL;
	_cleanup_json_ json_t *inspects = NULL;
	struct engine *engine;
	size_t i;

	if (cluster_engine(a->cluster, c->desired->node, &engine, err) < 0 ||
	    absent_containers(engine, a->deadline, body, &inspects, err) < 0)
		return -1;
	json_array_foreach (inspects, i, inspect)
		if (!json_str(body, "compose") || !is_looping(inspect))
			add_container(m, host, inspect);
	return 0;
}

static int find_task(struct apply *a, const char *service, const json_t *task, struct members *m, struct err *err)
{
	const char *container = json_str(json_path(task, "Status.ContainerStatus"), "ContainerID");
	const struct host *host = node_host(a, json_str(task, "NodeID"));
	const char *node = host ? host_node(host) : NULL;
	_cleanup_json_ json_t *inspect = NULL;
	struct engine *engine;

	if (!container || !engine_task_runs(task))
		return 0;
	if (!node)
		return err_set(
			err, ERR_BLOCKED,
			"a task of service %s runs on a node that is not in the spec, or cannot be looked at: what "
			"it serves is not known",
			service);
	if (cluster_engine(a->cluster, node, &engine, err) < 0 ||
	    absent_inspect(engine, a->deadline, container, &inspect, err) < 0)
		return -1;
	add_container(m, cluster_host(a->cluster, node), inspect);
	return 0;
}

static int find_tasks(struct apply *a, const struct change *c, struct members *m, struct err *err)
{
	const char *service = json_str(c->desired->body, "service");
	_cleanup_json_ json_t *filters =
		json_pack("{s:{s:b},s:{s:b}}", "service", service, 1, "desired-state", "running", 1);
	_cleanup_json_ json_t *tasks = NULL;
	const json_t *task;
	size_t i;

	if (engine_list(a->cluster->engine, a->deadline, "/tasks", filters, &tasks, err) < 0)
		return err->code == ERR_NOT_FOUND ? 0 : -1;
	json_array_foreach (tasks, i, task)
		if (find_task(a, service, task, m, err) < 0)
			return -1;
	return 0;
}

static int find_unit(struct apply *a, const struct change *c, struct members *m, struct err *err)
{
	const char *name = json_str(c->desired->body, "unit");
	struct host *host = cluster_host(a->cluster, c->desired->node);
	_cleanup_json_ json_t *look = NULL;
	_cleanup_str_ struct str buf = {0};
	struct unit_state u;

	if (!host)
		return err_set(err, ERR_NOT_FOUND, "node '%s' is not in the spec", c->desired->node);
	if (unit_look(host, name, a->deadline, &look, err) < 0)
		return -1;
	unit_state_read(look, &buf, &u);
	if (!u.pid)
		return 0;
	vec_push(&m->list, ((struct member){
				   .host = host,
				   .pid = u.pid,
				   .id = xstrdup(name),
				   .started = xstrdup(u.run),
				   .shares_network = true,
				   .maybe_haproxy = strcmp(u.program, "haproxy") == 0,
			   }));
	return 0;
}

int members_find(struct apply *a, const struct change *c, struct members *out, struct err *err)
{
	static const struct {
		const char *field, *noun;
		int (*find)(struct apply *a, const struct change *c, struct members *m, struct err *err);
	} forms[] = {{"container", "container", find_containers},
		     {"compose", "Compose project", find_containers},
		     {"service", "service", find_tasks},
		     {"unit", "unit", find_unit}};

	for (size_t i = 0; i < ARRAY_SIZE(forms); i++) {
		const char *name = json_str(c->desired->body, forms[i].field);
		if (!name)
			continue;
		out->name = xasprintf("%s %s", forms[i].noun, name);
		return forms[i].find(a, c, out, err);
	}
	return 0;
}

void members_keep_haproxy(struct members *m)
{
	size_t n = 0;

	for (size_t i = 0; i < m->list.n; i++) {
		if (m->list.v[i].maybe_haproxy)
			m->list.v[n++] = m->list.v[i];
		else
			member_free(&m->list.v[i]);
	}
	m->list.n = n;
}

/* ---- looking ---- */

/* Of the probe's answer: one of the files that were asked for. Borrowed. */
static int text_of(const json_t *seen, const char *path, const char **text, struct err *err)
{
	const json_t *file = json_object_get(json_object_get(seen, "files"), path);
	const char *why = json_str(file, "error");

	*text = json_str(file, "content");
	if (*text)
		return 0;
	return err_set(err, why ? ERR_FAILED : ERR_NOT_FOUND, "%s: %s", path, why ? why : "it is not there");
}

/* /proc/uptime: "2595.25 4289.28", seconds since the boot, suspended time included. */
static int read_uptime(const json_t *seen, int64_t *ms, struct err *err)
{
	const char *text;
	double seconds;

	if (text_of(seen, UPTIME, &text, err) < 0)
		return -1;
	if (sscanf(text, "%lf", &seconds) != 1)
		return err_set(err, ERR_PROTOCOL, UPTIME ": it is not a number");
	*ms = (int64_t)(seconds * 1000);
	return 0;
}

static int read_counters(const json_t *seen, const char *path, struct tcp_counters *out, struct err *err)
{
	const char *text;

	if (text_of(seen, path, &text, err) < 0)
		return -1;
	if (!tcp_counters_parse(text, out))
		return err_set(err, ERR_PROTOCOL, "%s: it has no TCP counters", path);
	return 0;
}

/* The engine's process id means that container only in the engine's own PID namespace. */
static int check_process(const json_t *seen, const char *path, const struct member *m, struct err *err)
{
	const char *text;

	if (text_of(seen, path, &text, err) < 0)
		return -1;
	if (!strstr(text, m->id))
		return err_set(
			err, ERR_BLOCKED,
			"%s on node %s is not its: it has just restarted, or this program does not see the node's "
			"processes",
			path, host_node(m->host));
	return 0;
}

static int read_haproxy(const json_t *seen, const char *look, struct member *m, struct err *err)
{
	const json_t *answer = json_object_get(json_object_get(seen, "looks"), look);
	const char *why = json_str(answer, "error");

	if (why)
		return err_set(err, ERR_FAILED, "looking at its HAProxy: %s", why);
	if (json_is_string(answer))
		m->haproxy = haproxy_read(json_string_value(answer));
	return 0;
}

static int look_at(struct member *m, int64_t deadline, struct err *err)
{
	_cleanup_free_ char *cgroup = xasprintf("/proc/%lld/cgroup", m->pid),
			    *counters = xasprintf("/proc/%lld/net/snmp", m->pid),
			    *haproxy = xasprintf("haproxy %lld", m->pid);
	const char *const files[] = {cgroup, counters, UPTIME, BOOT_ID, NULL};
	const char *const looks[] = {m->maybe_haproxy ? haproxy : NULL, NULL};
	const struct probe_request q = {.files = files, .looks = looks};
	int64_t limit = clock_ms() + PROBE_MS;
	_cleanup_json_ json_t *seen = NULL;
	const char *text;

	if (host_probe(m->host, &q, limit < deadline ? limit : deadline, &seen, err) < 0 ||
	    check_process(seen, cgroup, m, err) < 0 || read_counters(seen, counters, &m->tcp, err) < 0 ||
	    read_uptime(seen, &m->uptime_ms, err) < 0 || text_of(seen, BOOT_ID, &text, err) < 0)
		return -1;
	m->boot_id = xasprintf("%.*s", (int)strcspn(text, "\n"), text);
	return read_haproxy(seen, haproxy, m, err);
}

/* Whether a look may have failed because the process ended in the middle of it. */
static bool has_changed(struct apply *a, const struct member *m)
{
	_cleanup_json_ json_t *now = NULL;
	struct engine *engine;
	struct err ignored;

	return m->inspect && cluster_engine(a->cluster, host_node(m->host), &engine, &ignored) == 0 &&
	       absent_inspect(engine, a->deadline, m->id, &now, &ignored) == 0 &&
	       !json_equal(json_path(now, "State"), json_path(m->inspect, "State"));
}

int members_look(struct apply *a, struct members *m, bool *gone, struct err *err)
{
	*gone = false;
	for (size_t i = 0; i < m->list.n; i++) {
		struct member *one = &m->list.v[i];
		if (!one->host)
			return err_set(err, ERR_BLOCKED, "%s is judged on its node: name it with 'node'", m->name);
		if (look_at(one, a->deadline, err) == 0)
			continue;
		if (!has_changed(a, one))
			return err_wrap(err, "whether %s is quiet", m->name);
		*gone = true;
		return 0;
	}
	return 0;
}
