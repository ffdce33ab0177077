#include "kinds/absent/phase.h"

#include "sys/clock.h"

#include <string.h>

void format_duration(int64_t seconds, struct str *out)
{
	int64_t h = seconds / 3600, m = seconds / 60 % 60, s = seconds % 60;

	if (h)
		str_addf(out, "%lldh", (long long)h);
	if (m)
		str_addf(out, "%lldm", (long long)m);
	if (s || (!h && !m))
		str_addf(out, "%llds", (long long)s);
}

static const char *restart_policy(const json_t *inspect)
{
	const char *name = json_str(json_path(inspect, "HostConfig.RestartPolicy"), "Name");
	return name && *name && strcmp(name, "no") != 0 ? name : NULL;
}

/* A container that was created and never started has not ended either. */
static int64_t ended_at(const json_t *inspect, int64_t now)
{
	int64_t t;

	if (clock_parse_rfc3339(json_str(json_object_get(inspect, "State"), "FinishedAt"), &t) ||
	    clock_parse_rfc3339(json_str(inspect, "Created"), &t))
		return t;
	return now;
}

struct absent_phase absent_phase(const json_t *inspect, int64_t now, int64_t keep_s)
{
	const json_t *state = json_object_get(inspect, "State");
	const char *status = json_str(state, "Status");
	struct absent_phase p = {.live = "removed", .wanted = "removed"};

	if (!json_is_object(inspect) || str_eq(status, "removing"))
		return p;
	if (json_bool(state, "Running")) {
		p.live = "running";
		p.wanted = keep_s > 0 ? "stopped" : "removed";
	} else {
		p.live = "stopped";
		p.stopped_at = ended_at(inspect, now);
		bool kept = now - p.stopped_at < keep_s &&
			    !json_bool(state, "Dead"); /* a dead one cannot be started again */
		p.wanted = kept ? "stopped" : "removed";
		p.kept_until = kept ? p.stopped_at + keep_s : 0;
	}
	if (strcmp(p.wanted, "stopped") == 0)
		p.restart = restart_policy(inspect);
	return p;
}

static int64_t later(int64_t a, int64_t b)
{
	return a > b ? a : b;
}

struct absent_phase absent_phase_of_all(const json_t *inspects, int64_t now, int64_t keep_s)
{
	struct absent_phase all = {.live = "removed", .wanted = "removed"};
	const char *restart = NULL;
	const json_t *inspect;
	size_t i;

	json_array_foreach (inspects, i, inspect) {
		struct absent_phase p = absent_phase(inspect, now, keep_s);
		if (strcmp(p.live, "removed") == 0)
			continue;
		if (strcmp(all.live, "running") != 0)
			all.live = p.live;
		if (strcmp(p.wanted, "stopped") == 0)
			all.wanted = p.wanted;
		all.stopped_at = later(all.stopped_at, p.stopped_at);
		all.kept_until = later(all.kept_until, p.kept_until);
		restart = restart ? restart : restart_policy(inspect);
	}
	if (strcmp(all.live, "running") == 0)
		all.stopped_at = all.kept_until = 0;
	if (strcmp(all.wanted, "stopped") == 0)
		all.restart = restart;
	return all;
}
