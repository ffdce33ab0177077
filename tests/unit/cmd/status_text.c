#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cmd/status_text.h"

#include "tests/unit/quoted.h"

static const struct text_style plain = {0};

static int set_zone(void **state)
{
	(void)state;
	setenv("TZ", "UTC", 1);
	tzset();
	return 0;
}

static const char whole[] =
	"{'format': 1, 'cluster': 'shop', 'engine': 'unix:///run/docker.sock', 'at': 1795224500, 'health': 'failed', "
	"'summary': {'failed': 2, 'pending': 1, 'unknown': 1}, 'unknown': {'routes': 'connect: refused'}, "
	"'applied': {'commit': '1f2e3d4c5b6a79889716253443526170fedcba98', 'source': 'x:cluster.yaml', 'at': "
	"1795221000, "
	"'complete': false}, "
	"'last_run': {'run': 12, 'kind': 'apply', 'started': 1795224400, 'ended': 1795224410, 'exit_status': 3, "
	"'outcomes': "
	"{'done': 3, 'held': 1}}, "
	"'suspended': [{'resource': '*', 'by': 'root@gmktec', 'since': 1795224000, 'until': 1795231200, 'reason': "
	"'moving "
	"disks'}, {'resource': 'service/db', 'by': 'x', 'since': 1795224000, 'run': 7}], "
	"'lease': {'host': 'gmktec', 'pid': 412, 'ttl_s': 30, 'renewed': 1795224499, 'gone': false}, "
	"'failed': [{'resource': 'service/web', 'reason': 'boom', 'at': 1795224200}], "
	"'contested': [{'resource': 'service/web', 'field': 'labels.team', 'at': 1795224300}], "
	"'waiting': [{'resource': 'route/web', 'reason': 'no server yet'}], "
	"'window': {'open': false, 'reason': 'outside the maintenance windows; the next one opens Sat', 'opens': "
	"1795230000}, "
	"'services': [{'name': 'api', 'mode': 'global', 'running': 3, 'desired': 3, 'image': 'api:2', 'state': "
	"'running'}, "
	"{'name': 'job', 'mode': 'replicated-job', 'running': 0, 'desired': 1, 'completed': 1, 'image': 'job:1', "
	"'state': "
	"'completed'}, {'name': 'new', 'state': 'absent'}, {'name': 'web', 'mode': 'replicated', 'running': 1, "
	"'desired': 3, "
	"'image': 'nginx:1.25', 'state': 'failing', 'trouble': 'web.2: x', 'tasks': [{'name': 'web.1', 'node': "
	"'gmktec', "
	"'state': 'running'}, {'name': 'web.2', 'node': 'hpr', 'state': 'rejected', 'error': 'No such "
	"\\u001b[31mimage'}, "
	"{'name': 'web.3', 'state': 'ready', 'error_before': 'exit (1)'}]}], "
	"'routes': [{'name': 'web', 'service': 'web', 'rule': 'Host(`web.lan`)', 'state': 'unknown', 'reason': "
	"'connect: "
	"refused'}], "
	"'nodes': [{'name': 'gmktec', 'state': 'ready', 'role': 'manager', 'availability': 'active', 'leader': true, "
	"'address': '10.0.0.84'}, {'name': 'hpr', 'state': 'down', 'role': 'worker', 'availability': 'active', "
	"'address': "
	"'10.0.0.82', 'optional': true, 'message': 'heartbeat failure'}]}";

static void everything_is_told_trouble_first(void **state)
{
	_cleanup_json_ json_t *doc = quoted(whole);
	_cleanup_str_ struct str out = {0};

	(void)state;
	status_text(doc, &plain, &out);
	assert_string_equal(
		str_cstr(&out),
		"Cluster shop: 2 failed, 1 not ready, 1 unknown, at unix:///run/docker.sock\n"
		"  applied    commit 1f2e3d4c5b6a, 2026-11-21 00:30:00 UTC (58m20s ago), not to its end\n"
		"  last run   12 (apply), 2026-11-21 01:26:40 UTC (1m40s ago): not finished, 3 done, 1 held\n"
		"  suspended  by root@gmktec since 2026-11-21 01:20:00 UTC until 2026-11-21 03:20:00 UTC: moving "
		"disks\n"
		"  suspended  service/db by x since 2026-11-21 01:20:00 UTC, after a rollback to run 7\n"
		"  at work    pid 412 on gmktec\n"
		"  failed     service/web 2026-11-21 01:23:20 UTC (5m0s ago): boom; it is not tried again until its "
		"spec "
		"changes, or with --retry\n"
		"  contested  service/web labels.team: somebody else keeps changing it, last put back 2026-11-21 "
		"01:25:00 UTC "
		"(3m20s ago); `resume` or --retry goes on\n"
		"  waits      route/web: no server yet\n"
		"  window     outside the maintenance windows; the next one opens Sat\n"
		"  unknown    routes: connect: refused\n"
		"\n"
		"SERVICE  STATE      TASKS         MODE            IMAGE\n"
		"web      failing    1/3           replicated      nginx:1.25\n"
		"    web.2 on hpr: rejected: No such  [31mimage\n"
		"    web.3: ready, the one before: exit (1)\n"
		"new      absent     -             -               -\n"
		"api      running    3/3           global          api:2\n"
		"job      completed  0/1 (1 done)  replicated-job  job:1\n"
		"\n"
		"ROUTE  STATE    SERVERS  RULE\n"
		"web    unknown  -        Host(`web.lan`)\n"
		"    connect: refused\n"
		"\n"
		"NODE    STATE            ROLE              AVAILABILITY  ADDRESS\n"
		"hpr     down (optional)  worker            active        10.0.0.82\n"
		"    heartbeat failure\n"
		"gmktec  ready            manager (leader)  active        10.0.0.84\n");
}

static void an_engine_that_is_away_is_told_once(void **state)
{
	_cleanup_json_ json_t *doc = quoted(
		"{'format': 1, 'cluster': 'shop', 'at': 5, 'health': 'unknown', 'summary': {'failed': 0, 'pending': 0, "
		"'unknown': 1}, 'unknown': {'engine': 'no answer', 'nodes': 'no answer', 'services': 'no answer', "
		"'last_run': 'permission denied'}, 'routes': []}");
	_cleanup_str_ struct str out = {0};

	(void)state;
	status_text(doc, &plain, &out);
	assert_string_equal(str_cstr(&out), "Cluster shop: 1 unknown\n"
					    "  unknown    engine: no answer\n"
					    "  unknown    last run: permission denied\n");
}

static void many_tasks_are_summed_up(void **state)
{
	_cleanup_json_ json_t *doc = quoted("{'services': [{'name': 'web', 'state': 'failing', 'tasks': []}]}");
	_cleanup_str_ struct str out = {0};
	json_t *tasks = json_object_get(json_array_get(json_object_get(doc, "services"), 0), "tasks");

	(void)state;
	for (int i = 0; i < 8; i++)
		json_array_append_new(tasks, quoted("{'name': 'web.1', 'state': 'rejected', 'error': 'x'}"));
	status_text(doc, &plain, &out);
	assert_non_null(strstr(str_cstr(&out), "    and 3 more\n"));
}

static void a_holder_that_is_gone_is_said(void **state)
{
	static const struct {
		const char *lease, *text;
	} cases[] = {
		{"{'host': 'a', 'pid': 4, 'gone': true}", "pid 4 on a, which is gone: the next run takes over\n"},
		{"{'host': 'a', 'pid': 4, 'ttl_s': 30, 'renewed': 900}", "pid 4 on a, not heard of for 100 s"},
		{"{'host': 'a', 'pid': 4, 'ttl_s': 30, 'renewed': 990}", "pid 4 on a\n"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = xasprintf("{'at': 1000, 'lease': %s}", cases[i].lease);
		_cleanup_json_ json_t *doc = quoted(text);
		_cleanup_str_ struct str out = {0};
		status_text(doc, &plain, &out);
		assert_non_null(strstr(str_cstr(&out), cases[i].text));
	}
}

/* Watching in a pipe */

static void check_changes(const char *before, const char *now, const char *wanted)
{
	_cleanup_json_ json_t *a = quoted(before), *b = quoted(now);
	_cleanup_json_ json_t *old = status_lines(a, NULL), *new = status_lines(b, old);
	_cleanup_str_ struct str out = {0};

	status_changes(old, new, 1795224500, &out);
	assert_string_equal(str_cstr(&out), wanted);
}

#define WEB(running, state) \
	"{'services': [{'name': 'web', 'running': " running ", 'desired': 3, 'state': '" state \
	"'}], 'nodes': [{'name': " \
	"'gmktec', 'state': 'ready', 'role': 'manager', 'availability': 'active'}]"

static void only_changes_are_told(void **state)
{
	(void)state;
	check_changes(WEB("3", "running") ", 'at': 1}", WEB("3", "running") ", 'at': 9}", "");
	check_changes(WEB("3", "running") "}", WEB("2", "starting") "}", "01:28:20 service/web: 2/3 tasks, starting\n");
	check_changes(WEB("3", "running") "}", "{'services': [], 'nodes': []}",
		      "01:28:20 node/gmktec: no more\n01:28:20 service/web: no more\n");
	check_changes(
		WEB("3", "running") "}",
		WEB("3",
		    "running") ", 'suspended': [{'resource': '*', 'by': 'x', 'reason': 'y'}], 'lease': {'host': 'a', "
			       "'pid': 4}}",
		"01:28:20 at work: pid 4 on a\n01:28:20 suspended: by x: y\n");
}

static void what_is_not_known_has_not_changed(void **state)
{
	static const char away[] =
		"{'unknown': {'engine': 'no answer', 'services': 'no answer', 'nodes': 'no answer'}}";

	(void)state;
	check_changes(WEB("3", "running") "}", away, "01:28:20 engine: no answer\n");
	_cleanup_json_ json_t *first = quoted(WEB("3", "running") "}"), *second = quoted(away);
	_cleanup_json_ json_t *third = quoted(WEB("2", "starting") "}");
	_cleanup_json_ json_t *a = status_lines(first, NULL), *b = status_lines(second, a), *c = status_lines(third, b);
	_cleanup_str_ struct str out = {0};
	status_changes(b, c, 1795224500, &out);
	assert_string_equal(str_cstr(&out), "01:28:20 engine: answers\n01:28:20 service/web: 2/3 tasks, starting\n");
	check_changes(WEB("3", "running") ", 'unknown': {'routes': 'refused'}}", WEB("3", "running") "}",
		      "01:28:20 unknown/routes: known again\n");
}

static void tasks_that_are_not_asked_for_have_not_gone(void **state)
{
	(void)state;
	check_changes(
		"{'services': [{'name': 'web', 'running': 1, 'desired': 2, 'state': 'starting', 'tasks': [{'name': "
		"'web.2', 'node': 'hpr', 'state': 'ready', 'error_before': 'exit'}]}]}",
		"{'services': [{'name': 'web', 'running': 2, 'desired': 2, 'state': 'running'}]}",
		"01:28:20 service/web: 2/2 tasks, running\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything_is_told_trouble_first),
		cmocka_unit_test(an_engine_that_is_away_is_told_once),
		cmocka_unit_test(many_tasks_are_summed_up),
		cmocka_unit_test(a_holder_that_is_gone_is_said),
		cmocka_unit_test(only_changes_are_told),
		cmocka_unit_test(what_is_not_known_has_not_changed),
		cmocka_unit_test(tasks_that_are_not_asked_for_have_not_gone),
	};
	json_init();
	return cmocka_run_group_tests_name("status_text", tests, set_zone, NULL);
}
