/* What an `absent` container's state asks for now. Pure. */
#ifndef RECONCILE_KINDS_ABSENT_PHASE_H
#define RECONCILE_KINDS_ABSENT_PHASE_H

#include "base/json.h"

/*
 * running → stopped and kept for `keep`, as a way back → removed. A restarting
 * or paused container runs. What was stopped by somebody else is kept as well,
 * from the time it ended.
 */
struct absent_phase {
	const char *live;    /* "running", "stopped", "removed" */
	const char *wanted;  /* "stopped", "removed" */
	const char *restart; /* live restart policy that would bring back what is to stay stopped; NULL: none */
	int64_t stopped_at;  /* seconds since the epoch; of "stopped" */
	int64_t kept_until;  /* likewise, when it is stopped and wanted so */
};

/* inspect: GET /containers/{id}/json; NULL or JSON null: there is no such container. Strings are borrowed from it. */
struct absent_phase absent_phase(const json_t *inspect, int64_t now, int64_t keep_s);

/* "2026-11-20T22:14:24.617243086Z", "…+01:00"; false for what is no such time and for Go's zero time. */
bool parse_rfc3339(const char *text, int64_t *seconds);

/* "3m12s", "24h", "0s"; whole seconds, rounded down. Appends. */
void format_duration(int64_t seconds, struct str *out);

#endif
