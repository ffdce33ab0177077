#include "sys/trace.h"

#include "base/json.h"
#include "sys/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static int trace_fd = -1;

void trace_open_from_env(void)
{
	const char *path = getenv("RECONCILE_TRACE");

	if (!path || !*path || trace_fd >= 0)
		return;
	trace_fd = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
	if (trace_fd < 0)
		fprintf(stderr, "reconcile: no trace: RECONCILE_TRACE=%s: %s\n", path, strerror(errno));
}

bool trace_enabled(void)
{
	return trace_fd >= 0;
}

/* A path may be any bytes; JSON may not. */
static json_t *text(const char *s)
{
	json_t *j = json_string(s);
	if (j)
		return j;
	_cleanup_free_ char *ascii = xstrdup(s);
	for (char *p = ascii; *p; p++)
		if ((unsigned char)*p >= 0x80)
			*p = '?';
	return json_string(ascii);
}

void trace_event(const char *event, const char *target, int64_t status, double ms)
{
	_cleanup_str_ struct str line = {0};
	_cleanup_json_ json_t *j = NULL;

	if (!trace_enabled())
		return;
	j = json_object();
	json_set_int(j, "t", clock_wall());
	json_set(j, "event", text(event));
	json_set(j, "target", text(target));
	json_set_int(j, "status", status);
	json_set(j, "ms", json_real(ms));
	char *dump = json_dumps(j, JSON_COMPACT | JSON_REAL_PRECISION(6));
	str_adds(&line, dump);
	str_addc(&line, '\n');
	free(dump);
	/* One write with O_APPEND: lines of several threads and processes do not mix. */
	ssize_t n = write(trace_fd, line.data, line.len);
	(void)n;
}
