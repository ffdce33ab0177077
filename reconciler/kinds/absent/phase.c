#include "kinds/absent/phase.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

bool parse_rfc3339(const char *text, int64_t *seconds)
{
	struct tm tm = {0};
	int offset_h = 0, offset_m = 0, end = 0;
	char sign = 'Z';

	if (!text ||
	    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
		   &tm.tm_sec, &end) != 6 ||
	    tm.tm_year <= 1)
		return false;
	text += end;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	if (strcmp(text, "Z") != 0 &&
	    (sscanf(text, "%c%2d:%2d", &sign, &offset_h, &offset_m) != 3 || !strchr("+-", sign)))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	int64_t offset = ((int64_t)offset_h * 60 + offset_m) * 60;
	*seconds = timegm(&tm) - (sign == '-' ? -offset : offset);
	return true;
}

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

	if (parse_rfc3339(json_str(json_object_get(inspect, "State"), "FinishedAt"), &t) ||
	    parse_rfc3339(json_str(inspect, "Created"), &t))
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
