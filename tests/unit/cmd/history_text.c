#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/history_text.h"

#include "tests/unit/quoted.h"

static const struct text_style plain = {0};

static int set_zone(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

#define COMMIT "1f2e3d4c5b6a79889716253443526170fedcba98"

static void runs_are_a_table(void **state)
{
	_cleanup_json_ json_t *runs = quoted(
		"[{'run': 4, 'kind': 'apply', 'started': 1795224500, 'source': 'cluster.yaml', 'outcomes': {}}, "
		"{'run': 3, 'kind': 'rollback', 'started': 1795224400, 'ended': 1795224592, 'source': '" COMMIT
		":cluster.yaml', 'commit': '" COMMIT "', 'exit_status': 1, 'outcomes': {'done': 2, 'held': 1, "
		"'unhealthy': 1}}, {'run': 2, 'kind': 'apply', 'started': 1795224300, 'ended': 1795224301, 'source': "
		"'a', 'exit_status': 3, 'outcomes': {'held': 1}}, {'run': 1, 'kind': 'apply', 'started': 1795224200, "
		"'ended': 1795224202, 'source': 'a', 'exit_status': 0, 'outcomes': {'done': 1}}]");
	_cleanup_str_ struct str out = {0};

	(void)state;
	history_text(runs, false, &plain, &out);
	assert_string_equal(str_cstr(&out), "RUN  STARTED                  TOOK   KIND      SOURCE                     "
					    "STEPS                        OUTCOME\n"
					    "4    2026-11-21 01:28:20 UTC  -      apply     cluster.yaml               "
					    "nothing                      killed\n"
					    "3    2026-11-21 01:26:40 UTC  3m12s  rollback  1f2e3d4c5b6a:cluster.yaml  "
					    "2 done, 1 held, 1 unhealthy  failed\n"
					    "2    2026-11-21 01:25:00 UTC  1s     apply     a                          "
					    "1 held                       not "
					    "finished\n"
					    "1    2026-11-21 01:23:20 UTC  2s     apply     a                          "
					    "1 done                       "
					    "converged\n");
	str_reset(&out);
	history_text(runs, true, &plain, &out);
	assert_non_null(strstr(str_cstr(&out), "nothing                      at work\n"));
}

static void a_run_is_shown_with_plans_steps_and_end(void **state)
{
	_cleanup_json_ json_t *run = quoted(
		"{'run': 3, 'kind': 'apply', 'started': 1795224400, 'ended': 1795224412, 'source': 'cluster.yaml', "
		"'exit_status': 1, 'message': 'one failed\\nand more', 'outcomes': {'done': 1, 'unhealthy': 1}, "
		"'plans': "
		"[{'number': 1, 'plan': {'changes': [{'resource': 'service/web', 'action': 'update', 'state': 'ready', "
		"'effect': "
		"'2 tasks restart', 'fields': [{'path': 'image', 'from': 'a', 'to': 'b'}, {'path': "
		"'stop_grace_period', 'from': "
		"null, 'to': 5000000000}, {'path': 'env[KEY]', 'secret': true}]}, {'resource': 'absent/haproxy', "
		"'action': "
		"'remove', 'state': 'waiting', 'reason': 'quiet for 2m', 'fields': []}, {'resource': 'gone/x', "
		"'action': 'update', "
		"'state': 'ready', 'fields': [{'path': 'f', 'from': {'a': 1}, 'to': null}]}]}}, {'number': 2, 'plan': "
		"{'changes': "
		"[]}}], 'steps': [{'plan': 1, 'resource': 'service/web', 'action': 'update', 'outcome': 'unhealthy', "
		"'message': "
		"'exit (1)\\u001b[2J', 'ms': 11987, 'ended': 1795224412}, {'plan': 1, 'resource': 'gone/x', 'action': "
		"'update', "
		"'outcome': 'done', 'ms': 5}]}");
	_cleanup_str_ struct str out = {0};

	(void)state;
	show_text(run, false, &plain, &out);
	assert_string_equal(str_cstr(&out),
			    "Run 3 (apply) of cluster.yaml, 2026-11-21 01:26:40 UTC: 1 done, 1 unhealthy\n"
			    "\n"
			    "Plan 1:\n"
			    "    update   service/web\n"
			    "             2 tasks restart\n"
			    "             image: \"a\" -> \"b\"\n"
			    "             stop_grace_period: (not set) -> 5s\n"
			    "             env[KEY]: (secret)\n"
			    "    waiting  absent/haproxy\n"
			    "             quiet for 2m\n"
			    "    update   gone/x\n"
			    "             f: {\"a\":1} -> (not set)\n"
			    "\n"
			    "Plan 2: no changes\n"
			    "\n"
			    "Steps:\n"
			    "  2026-11-21 01:26:52 UTC  11.9s  update  service/web  unhealthy\n"
			    "      exit (1) [2J\n"
			    "  -                        0.0s   update  gone/x       done\n"
			    "\n"
			    "failed 2026-11-21 01:26:52 UTC, exit status 1\n"
			    "  one failed\n"
			    "  and more\n");
}

static void a_killed_run_says_so(void **state)
{
	_cleanup_json_ json_t *run = quoted(
		"{'run': 3, 'kind': 'apply', 'started': 5, 'source': 'a', 'outcomes': {}, 'plans': [], 'steps': []}");
	_cleanup_str_ struct str out = {0};

	(void)state;
	show_text(run, false, &plain, &out);
	assert_non_null(strstr(str_cstr(&out), "Its plans are not kept any more.\n"));
	assert_non_null(strstr(str_cstr(&out), "Steps: none\n"));
	assert_non_null(strstr(str_cstr(&out), "\nkilled: it has no end; the next run goes on from what it finds\n"));
	str_reset(&out);
	show_text(run, true, &plain, &out);
	assert_non_null(strstr(str_cstr(&out), "\nat work\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(runs_are_a_table),
		cmocka_unit_test(a_run_is_shown_with_plans_steps_and_end),
		cmocka_unit_test(a_killed_run_says_so),
	};
	json_init();
	return cmocka_run_group_tests_name("history_text", tests, set_zone, NULL);
}
