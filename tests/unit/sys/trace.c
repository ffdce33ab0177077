#include "sys/trace.h"

#include "base/json.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/proc.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#define THREADS 4
#define EVENTS 200

static void *many(void *arg)
{
	(void)arg;
	for (int i = 0; i < EVENTS; i++)
		trace_event("http", "GET /v1.41/services", 200, 1.5);
	return NULL;
}

static void one_object_a_line(void **state)
{
	(void)state;
	char path[] = "/tmp/reconcile-trace.XXXXXX";
	struct err err = {0};
	struct str text = {0};
	pthread_t t[THREADS];
	size_t lines = 0;

	trace_event("http", "before it is open", 0, 0);
	assert_false(trace_enabled());
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
	setenv("RECONCILE_TRACE", path, 1);
	trace_open_from_env();
	assert_true(trace_enabled());
	trace_event("exec", "cat \"a\"\n\xff", -1, 3.25);
	for (int i = 0; i < THREADS; i++)
		pthread_create(&t[i], NULL, many, NULL);
	for (int i = 0; i < THREADS; i++)
		pthread_join(t[i], NULL);

	struct proc_result r = {0};
	const struct proc_options o = {.argv = (const char *const[]){"sh", "-c", "exit 3 # a\n# b", "x", NULL},
				       .deadline = clock_ms() + 5000};
	assert_int_equal(proc_run(&o, &r, &err), 0);
	proc_result_free(&r);

	assert_int_equal(file_read(path, 1 << 20, &text, &err), 0);
	for (char *line = text.data, *nl; (nl = strchr(line, '\n')); line = nl + 1, lines++) {
		_cleanup_json_ json_t *j = NULL;
		assert_int_equal(json_parse(line, (size_t)(nl - line), &j, &err), 0);
		assert_in_range(json_int(j, "t", 0), clock_wall() - 60, clock_wall());
		if (lines == 1 + THREADS * EVENTS) {
			assert_string_equal(json_str(j, "target"), "sh -c exit 3 # a … x");
			assert_int_equal(json_int(j, "status", 0), 3);
			continue;
		}
		if (lines > 0) {
			assert_string_equal(json_str(j, "target"), "GET /v1.41/services");
			continue;
		}
		assert_string_equal(json_str(j, "event"), "exec");
		assert_string_equal(json_str(j, "target"), "cat \"a\"\n?");
		assert_int_equal(json_int(j, "status", 0), -1);
		assert_true(json_number_value(json_object_get(j, "ms")) == 3.25);
	}
	assert_int_equal(lines, 2 + THREADS * EVENTS);
	unlink(path);
	str_free(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(one_object_a_line)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
