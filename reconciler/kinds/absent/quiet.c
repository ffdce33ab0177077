#include "kinds/absent/quiet.h"

#include "kinds/absent/absent.h"
#include "kinds/absent/phase.h"
#include "sys/clock.h"

#include <stdio.h>
#include <string.h>

#define PROC_MAX 65536
#define RESTART_RETRY_S 5
#define OPEN_RETRY_S 30 /* open connections end when they end: look again soon, not after another `quiet` */

/* ---- counters ---- */

/* The n-th word of a line, n counted from 0; NULL when there are fewer. */
static const char *word_at(const char *line, size_t n)
{
	for (;;) {
		line += strspn(line, " ");
		if (*line == '\0' || *line == '\n')
			return NULL;
		if (n-- == 0)
			return line;
		line += strcspn(line, " \n");
	}
}

static bool word_is(const char *word, const char *text)
{
	size_t n = strlen(text);
	return strncmp(word, text, n) == 0 && strchr(" \n", word[n]);
}

/* The kernel writes a line of names and a line of values; columns are found by name. */
static bool counter(const char *names, const char *values, const char *name, int64_t *out)
{
	const char *word;

	for (size_t i = 1; (word = word_at(names, i)); i++) {
		if (!word_is(word, name))
			continue;
		const char *value = word_at(values, i);
		long long v;
		if (!value || sscanf(value, "%lld", &v) != 1)
			return false;
		*out = v;
		return true;
	}
	return false;
}

static const char *next_line(const char *s)
{
	s += strcspn(s, "\n");
	return *s ? s + 1 : s;
}

bool tcp_counters_parse(const char *snmp, struct tcp_counters *out)
{
	const char *names = snmp, *values;

	while (*names && !str_starts(names, "Tcp: "))
		names = next_line(names);
	values = next_line(names);
	return str_starts(values, "Tcp: ") && counter(names, values, "PassiveOpens", &out->accepted) &&
	       counter(names, values, "CurrEstab", &out->open);
}

/* ---- judgement ---- */

static bool is_same_run(const json_t *evidence, const struct quiet_reading *now)
{
	return str_eq(json_str(evidence, "container"), now->container) &&
	       str_eq(json_str(evidence, "started_at"), now->started_at) &&
	       str_eq(json_str(evidence, "boot_id"), now->boot_id) &&
	       json_int(evidence, "looked_ms", INT64_MAX) <= now->uptime_ms &&
	       json_int(evidence, "accepted", INT64_MAX) <= now->tcp.accepted;
}

static json_t *new_evidence(const struct quiet_reading *now, int64_t since_ms, const char *since)
{
	json_t *e = json_object();

	json_set_str(e, "container", now->container);
	json_set_str(e, "started_at", now->started_at);
	json_set_str(e, "boot_id", now->boot_id);
	json_set_int(e, "accepted", now->tcp.accepted);
	json_set_int(e, "looked_ms", now->uptime_ms);
	json_set_int(e, "since_ms", since_ms);
	json_set_str(e, "since", since);
	return e;
}

static void add_seen(const char *name, const json_t *evidence, const struct quiet_reading *now, struct str *out)
{
	int64_t seen = now->tcp.accepted - json_int(evidence, "accepted", 0);

	if (!evidence) {
		str_addf(out, "container %s: watched since now", name);
	} else if (seen > 0) {
		str_addf(out, "container %s accepted %lld connection%s in the last ", name, (long long)seen,
			 seen == 1 ? "" : "s");
		format_duration((now->uptime_ms - json_int(evidence, "looked_ms", 0)) / 1000, out);
	} else {
		str_addf(out, "container %s accepted no connection", name);
	}
}

static void add_quiet(int64_t for_ms, int64_t quiet_ms, struct str *out)
{
	str_adds(out, "; quiet for ");
	format_duration(for_ms / 1000, out);
	str_adds(out, " of ");
	format_duration(quiet_ms / 1000, out);
}

json_t *quiet_judge(const char *name, const json_t *evidence, const struct quiet_reading *now, int64_t quiet_ms,
		    struct gate *g)
{
	const json_t *before = is_same_run(evidence, now) ? evidence : NULL;
	bool silent = before && json_int(before, "accepted", -1) == now->tcp.accepted;
	int64_t since_ms = silent ? json_int(before, "since_ms", now->uptime_ms) : now->uptime_ms;
	int64_t for_ms = now->uptime_ms - since_ms, left_ms = quiet_ms - for_ms;
	char since[32];
	struct str reason = {0};

	clock_rfc3339(now->wall, since);
	json_t *after = new_evidence(now, since_ms, silent ? json_str(before, "since") : since);
	*g = (struct gate){.met = left_ms <= 0 && now->tcp.open == 0, .waiting = true};
	if (g->met)
		return after;
	add_seen(name, before, now, &reason);
	add_quiet(for_ms, quiet_ms, &reason);
	if (now->tcp.open > 0)
		str_addf(&reason, "; %lld open connection%s", (long long)now->tcp.open, now->tcp.open == 1 ? "" : "s");
	g->reason = str_steal(&reason);
	g->retry_after_s = left_ms > 0 ? (left_ms + 999) / 1000 : OPEN_RETRY_S;
	return after;
}

/* ---- the hook ---- */

/* /proc/uptime: "2595.25 4289.28", seconds since the boot, suspended time included. */
static int read_uptime(struct host *h, int64_t *ms, struct err *err)
{
	_cleanup_str_ struct str text = {0};
	double seconds;

	if (host_read(h, "/proc/uptime", PROC_MAX, &text, err) < 0)
		return -1;
	if (sscanf(str_cstr(&text), "%lf", &seconds) != 1)
		return err_set(err, ERR_PROTOCOL, "/proc/uptime: it is not a number");
	*ms = (int64_t)(seconds * 1000);
	return 0;
}

static int read_counters(struct host *h, int64_t pid, struct tcp_counters *out, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("/proc/%lld/net/snmp", (long long)pid);
	_cleanup_str_ struct str text = {0};

	if (host_read(h, path, PROC_MAX, &text, err) < 0)
		return -1;
	if (!tcp_counters_parse(str_cstr(&text), out))
		return err_set(err, ERR_PROTOCOL, "%s: it has no TCP counters", path);
	return 0;
}

/* The engine's process id means that container only in the engine's own PID namespace. */
static int check_process(struct host *h, int64_t pid, const char *id, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("/proc/%lld/cgroup", (long long)pid);
	_cleanup_str_ struct str text = {0};

	if (host_read(h, path, PROC_MAX, &text, err) < 0)
		return -1;
	if (!strstr(str_cstr(&text), id))
		return err_set(err, ERR_BLOCKED,
			       "process %lld on node %s is not the container's: it has just restarted, or this program "
			       "does not "
			       "see the node's processes",
			       (long long)pid, host_node(h));
	return 0;
}

static int take_reading(struct host *h, const json_t *inspect, struct str *boot_id, struct quiet_reading *r,
			struct err *err)
{
	const json_t *state = json_object_get(inspect, "State");
	int64_t pid = json_int(state, "Pid", 0);

	r->container = json_str(inspect, "Id");
	r->started_at = json_str(state, "StartedAt");
	r->wall = clock_wall();
	if (check_process(h, pid, r->container, err) < 0 || read_counters(h, pid, &r->tcp, err) < 0 ||
	    read_uptime(h, &r->uptime_ms, err) < 0 ||
	    host_read(h, "/proc/sys/kernel/random/boot_id", PROC_MAX, boot_id, err) < 0)
		return -1;
	if (boot_id->len && boot_id->data[boot_id->len - 1] == '\n')
		boot_id->data[--boot_id->len] = '\0';
	r->boot_id = str_cstr(boot_id);
	return 0;
}

static bool shares_counters(const char *mode)
{
	return mode && (str_eq(mode, "host") || str_starts(mode, "container:"));
}

/* Only what runs can serve: one between two restarts of a crash loop has no process. */
static bool can_serve(const json_t *inspect)
{
	const json_t *state = json_object_get(inspect, "State");
	return json_bool(state, "Running") && !json_bool(state, "Restarting");
}

/* Whether a reading may have failed because the process ended in the middle of it. */
static bool has_changed(struct apply *a, const char *container, const json_t *before)
{
	_cleanup_json_ json_t *now = NULL;
	struct err ignored;

	return absent_inspect(a, container, &now, &ignored) == 0 &&
	       !json_equal(json_path(now, "State"), json_path(before, "State"));
}

static int judge_running(struct apply *a, const struct change *c, const json_t *inspect, struct gate *g,
			 struct err *err)
{
	struct cluster *cluster = a->cluster;
	const char *container = json_str(c->desired->body, "container");
	struct host *host = c->desired->node ? cluster_host(cluster, c->desired->node) : NULL;
	_cleanup_free_ char *key = xasprintf("quiet/%s", c->desired->name);
	_cleanup_str_ struct str boot_id = {0};
	struct quiet_reading now = {0};

	if (!host)
		return err_set(err, ERR_BLOCKED, "container %s: 'quiet' is judged on its node: name it with 'node'",
			       container);
	if (take_reading(host, inspect, &boot_id, &now, err) < 0) {
		if (!has_changed(a, container, inspect))
			return err_wrap(err, "whether container %s is quiet", container);
		*g = (struct gate){
			.waiting = true,
			.reason = xasprintf("container %s has just been started or stopped", container),
			.retry_after_s = RESTART_RETRY_S,
		};
		return 0;
	}
	_cleanup_json_ json_t *before = cluster->evidence_get(cluster->evidence_arg, key);
	_cleanup_json_ json_t *after =
		quiet_judge(container, before, &now, json_int(c->desired->body, "quiet", 0) / 1000000, g);
	cluster->evidence_put(cluster->evidence_arg, key, after);
	return 0;
}

int absent_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err)
{
	const char *container = json_str(c->desired->body, "container");
	_cleanup_json_ json_t *inspect = NULL;

	(void)dry; /* a look writes nothing but evidence, and that is what it is for */
	*g = (struct gate){.met = true};
	if (!container || json_int(c->desired->body, "quiet", 0) == 0)
		return 0;
	if (absent_inspect(a, container, &inspect, err) < 0)
		return -1;
	if (!can_serve(inspect))
		return 0;
	const char *mode = json_str(json_object_get(inspect, "HostConfig"), "NetworkMode");
	if (!shares_counters(mode))
		return judge_running(a, c, inspect, g, err);
	*g = (struct gate){
		.reason = xasprintf(
			"container %s runs with network mode '%s': its connections cannot be told from others'; take "
			"'quiet' away and see for yourself that nothing uses it",
			container, mode),
	};
	return 0;
}
