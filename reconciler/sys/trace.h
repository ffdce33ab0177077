/*
 * The trace file: RECONCILE_TRACE=FILE, one JSON object a line, appended, for
 * every Engine call, child process and written file. Callers pass only what may
 * be shown: never bodies, headers or input.
 */
#ifndef RECONCILE_SYS_TRACE_H
#define RECONCILE_SYS_TRACE_H

#include <stdbool.h>
#include <stdint.h>

void trace_open_from_env(void); /* no effect when unset; a file that cannot be opened is said once on stderr */
bool trace_enabled(void);

/* {"t":wall,"event":"http","target":"POST /v1.41/services/create","status":201,"ms":3.2} */
void trace_event(const char *event, const char *target, int64_t status, double ms);

#endif
