/* What the state of something `absent` asks for now. Pure. */
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

/* Of several that are one thing, the containers of a Compose project: it runs while any does. inspects: an array. */
struct absent_phase absent_phase_of_all(const json_t *inspects, int64_t now, int64_t keep_s);

/* "3m12s", "24h", "0s"; whole seconds, rounded down. Appends. */
void format_duration(int64_t seconds, struct str *out);

#endif
