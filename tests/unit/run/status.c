#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "run/status.h"

#include "tests/unit/quoted.h"

#define NOW 1795224500 /* 2026-11-21T01:28:20Z */

static const char base[] =
	"{'engine/info': {'SystemTime': '2026-11-21T01:28:20.5Z', 'Swarm': {'LocalNodeState': 'active', "
	"'ControlAvailable': true}},"
	" 'engine/nodes': [{'ID': 'n1', 'Description': {'Hostname': 'gmktec'}, 'Spec': {'Role': 'manager', "
	"'Availability': 'active'}, 'Status': {'State': 'ready', 'Addr': '10.0.0.84'}, 'ManagerStatus': {'Leader': "
	"true, "
	"'Reachability': 'reachable'}}],"
	" 'engine/services': [], 'engine/tasks': [], 'state/shared': {}, 'state/lease': {'updated': 0, 'gone': false},"
	" 'state/last': null, 'traefik/routers': null, 'traefik/services': null}";

/* base with some documents replaced. */
static json_t *make(const char *documents, const struct resource_set *want)
{
	_cleanup_json_ json_t *all = quoted(base), *more = quoted(documents);
	const struct status_options o = {.cluster = "shop", .want = want};
	struct snapshot *snap;
	struct err err = {0};

	json_object_update(all, more);
	assert_int_equal(snapshot_from_json(all, &snap, &err), 0);
	json_t *doc = status_make(&o, snap, 5);
	snapshot_free(snap);
	return doc;
}

#define SERVICE(rest) \
	"{'engine/services': [{'ID': 's1', 'Spec': {'Name': 'web', 'Labels': {'io.reconcile.cluster': 'shop'}, " \
	"'Mode': {'Replicated': {'Replicas': 2}}, 'TaskTemplate': {'ContainerSpec': {'Image': " \
	"'nginx:1.25@sha256:1f'}}}, " rest
#define COUNTS(running) "'ServiceStatus': {'RunningTasks': " running ", 'DesiredTasks': 2}"

static const json_t *service(const json_t *doc)
{
	const json_t *s = json_array_get(json_object_get(doc, "services"), 0);
	assert_non_null(s);
	return s;
}

static void check_service(const char *documents, const char *state, const char *trouble, int exit)
{
	_cleanup_json_ json_t *doc = make(documents, NULL);
	const json_t *s = service(doc);

	assert_string_equal(json_str(s, "state"), state);
	if (trouble)
		assert_string_equal(json_str(s, "trouble"), trouble);
	else
		assert_null(json_str(s, "trouble"));
	assert_int_equal(status_exit(doc), exit);
}

static void what_runs_is_well(void **state)
{
	_cleanup_json_ json_t *doc = make(SERVICE(COUNTS("2") "}]}"), NULL);
	const json_t *s = service(doc), *node = json_array_get(json_object_get(doc, "nodes"), 0);

	(void)state;
	assert_int_equal(json_int(doc, "format", 0), STATUS_FORMAT);
	assert_int_equal(json_int(doc, "at", 0), NOW); /* the manager's clock, not ours */
	assert_string_equal(json_str(doc, "health"), "ok");
	assert_int_equal(status_exit(doc), 0);
	assert_string_equal(json_str(s, "state"), "running");
	assert_string_equal(json_str(s, "mode"), "replicated");
	assert_string_equal(json_str(s, "image"), "nginx:1.25");
	assert_string_equal(json_str(s, "digest"), "sha256:1f");
	assert_int_equal(json_int(s, "running", -1), 2);
	assert_int_equal(json_int(s, "desired", -1), 2);
	assert_null(json_object_get(s, "tasks"));
	assert_string_equal(json_str(node, "name"), "gmktec");
	assert_true(json_bool(node, "leader"));
	assert_true(json_is_null(json_object_get(doc, "lease")));
	assert_true(json_is_null(json_object_get(doc, "applied")));
	assert_true(json_is_null(json_object_get(doc, "last_run")));
	assert_int_equal(json_object_size(json_object_get(doc, "unknown")), 0);
}

static void services_of_others_are_not_shown(void **state)
{
	static const char other[] = "{'engine/services': [{'ID': 's1', 'Spec': {'Name': 'web', 'Labels': "
				    "{'io.reconcile.cluster': 'other'}}}, {'ID': 's2', 'Spec': {'Name': 'db'}}]}";
	struct resource_set *want = resource_set_new();

	(void)state;
	_cleanup_json_ json_t *doc = make(other, NULL);
	assert_int_equal(json_array_size(json_object_get(doc, "services")), 0);
	assert_int_equal(status_exit(doc), 0);
	/* Unless the spec wants to adopt one, or declares what is not there. */
	resource_add(want, "service", "db");
	resource_add(want, "service", "api");
	resource_add(want, "service", "old")->presence = ABSENT;
	_cleanup_json_ json_t *wanted = make(other, want);
	const json_t *services = json_object_get(wanted, "services");
	assert_int_equal(json_array_size(services), 2);
	assert_string_equal(json_str(json_array_get(services, 0), "name"), "api");
	assert_string_equal(json_str(json_array_get(services, 0), "state"), "absent");
	assert_string_equal(json_str(json_array_get(services, 1), "state"), "not-adopted");
	assert_int_equal(status_exit(wanted), 3);
	resource_set_free(want);
}

#define TASK(id, slot, created, state, rest) \
	"{'ID': '" id "', 'ServiceID': 's1', 'Slot': " slot \
	", 'NodeID': 'n1', 'DesiredState': 'running', 'CreatedAt': " \
	"'2026-11-21T01:" created "Z', 'Status': {'State': '" state "', 'Timestamp': '2026-11-21T01:" created \
	"Z'" rest "}}"

static void what_does_not_run_says_why(void **state)
{
	(void)state;
	/* Nothing is known against it: it is on its way. */
	check_service(SERVICE(COUNTS("1") "}], 'engine/tasks': [" TASK("a", "1", "28:10", "preparing", "") "]}"),
		      "starting", NULL, 3);
	check_service(SERVICE(COUNTS("0") "}], 'engine/tasks': [" TASK("a", "1", "28:10", "rejected",
								       ", 'Err': 'No such image: x'") "]}"),
		      "failing", "web.1 on gmktec: No such image: x", 1);
	check_service(SERVICE(COUNTS("0") "}], 'engine/tasks': [" TASK("a", "1", "28:10", "failed", "") "]}"),
		      "failing", "web.1 on gmktec: failed", 1);
	check_service(SERVICE(COUNTS("0") "}], 'engine/tasks': [" TASK(
			      "a", "2", "28:10", "pending",
			      ", 'Err': 'no suitable node'") ", " TASK("b", "1", "28:10", "pending",
								       ", 'Err': 'no suitable node'") "]}"),
		      "failing", "web.1 on gmktec: no suitable node (and 1 more)", 1);
}

static void a_crash_loop_is_told_while_the_next_task_starts(void **state)
{
	(void)state;
	check_service(SERVICE(COUNTS("0") "}], 'engine/tasks': [" TASK("b", "1", "28:15.1", "ready", "") ", " TASK(
			      "a", "1", "28:15", "failed", ", 'Err': 'task: non-zero exit (1)'") "]}"),
		      "failing", "web.1 on gmktec: starts again after: task: non-zero exit (1)", 1);
	/* The engine leaves zeros out at the end: .9 is later than .25. */
	check_service(SERVICE(COUNTS("0") "}], 'engine/tasks': [" TASK(
			      "a", "1", "28:15.9", "failed", ", 'Err': 'boom'") ", " TASK("b", "1", "28:15.25", "ready",
											  "") "]}"),
		      "failing", "web.1 on gmktec: boom", 1);
	/* What failed an hour ago is not why this one starts now. */
	check_service(SERVICE(COUNTS("0") "}], 'engine/tasks': [" TASK("b", "1", "28:15", "ready", "") ", " TASK(
			      "a", "1", "10:15", "failed", ", 'Err': 'boom'") "]}"),
		      "starting", NULL, 3);
}

static void tasks_of_replicas_that_are_gone_are_left_out(void **state)
{
	(void)state;
	_cleanup_json_ json_t *doc =
		make(SERVICE(COUNTS("1") "}], 'engine/tasks': [" TASK(
			     "a", "1", "28:10", "running",
			     "") ", {'ID': 'c', "
				 "'ServiceID': 's1', 'Slot': 3, 'DesiredState': 'shutdown', 'CreatedAt': "
				 "'2026-11-21T01:00:00Z', 'Status': {'State': 'shutdown'}}]}"),
		     NULL);
	const json_t *tasks = json_object_get(service(doc), "tasks");
	assert_int_equal(json_array_size(tasks), 1);
	assert_string_equal(json_str(json_array_get(tasks, 0), "name"), "web.1");
	assert_string_equal(json_str(json_array_get(tasks, 0), "node"), "gmktec");
}

static void updates_are_told(void **state)
{
	static const struct {
		const char *update, *running, *state, *trouble;
		int exit;
	} cases[] = {
		{"updating", "2", "updating", NULL, 3},
		{"updating", "1", "updating", NULL, 3},
		{"paused", "2", "paused", "update paused due to x", 1},
		{"rollback_paused", "2", "rollback-paused", "update paused due to x", 1},
		{"rollback_started", "2", "rolling-back", NULL, 3},
		{"rollback_completed", "2", "rolled-back", NULL, 0},
		{"rollback_completed", "1", "starting", NULL, 3},
		{"completed", "2", "running", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *documents = xasprintf(
			SERVICE("'UpdateStatus': {'State': '%s', 'Message': 'update paused due to x'}, " COUNTS(
				"%s") "}]}"),
			cases[i].update, cases[i].running);
		check_service(documents, cases[i].state, cases[i].trouble, cases[i].exit);
	}
}

static void jobs_are_complete_when_enough_tasks_were(void **state)
{
	static const char job[] = "{'engine/services': [{'ID': 's1', 'Spec': {'Name': 'job', 'Labels': "
				  "{'io.reconcile.cluster': 'shop'}, 'Mode': {'ReplicatedJob': {'MaxConcurrent': 2, "
				  "'TotalCompletions': 4}}}, 'ServiceStatus': {'RunningTasks': %d, 'DesiredTasks': 2, "
				  "'CompletedTasks': %d}}]}";
	static const struct {
		int running, completed, exit;
		const char *state;
	} cases[] = {{0, 4, 0, "completed"}, {2, 2, 3, "starting"}, {0, 3, 3, "starting"}};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char documents[1024];
		snprintf(documents, sizeof(documents), job, cases[i].running, cases[i].completed);
		check_service(documents, cases[i].state, NULL, cases[i].exit);
	}
}

static void tasks_are_asked_of_services_in_question_only(void **state)
{
	static const struct {
		const char *documents;
		size_t n;
	} cases[] = {
		{SERVICE(COUNTS("2") "}]}"), 0},
		{SERVICE(COUNTS("1") "}]}"), 1},
		{SERVICE("'UpdateStatus': {'State': 'updating'}, " COUNTS("2") "}]}"), 1},
		{SERVICE("'UpdateStatus': {'State': 'completed'}, " COUNTS("2") "}]}"), 0},
		{"{'engine/services': [{'ID': 'x', 'Spec': {'Name': 'x'}, " COUNTS("0") "}]}", 0},
	};
	const struct status_options o = {.cluster = "shop"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *documents = quoted(cases[i].documents);
		struct snapshot *snap;
		struct err err = {0};
		assert_int_equal(snapshot_from_json(documents, &snap, &err), 0);
		_cleanup_json_ json_t *ids = status_in_question(&o, snap);
		assert_int_equal(json_object_size(ids), cases[i].n);
		snapshot_free(snap);
	}
}

static void the_shared_state_is_told(void **state)
{
	_cleanup_json_ json_t *doc = make(
		"{'state/shared': {'suspended': {'*': {'reason': 'move', 'by': 'root@gmktec', 'since': 10}, "
		"'service/a': "
		"{'by': 'x', 'since': 10, 'until': 1795224499}, 'service/b': {'by': 'x', 'since': 10, 'until': "
		"1795224600}}, "
		"'lease': {'holder': 'ff', 'host': 'gmktec', 'pid': 412, 'ttl_s': 30, 'count': 7}, 'applied': "
		"{'commit': "
		"'1f2e', 'spec': 'aa', 'at': 20, 'complete': true}, 'failed': {'service/web': {'spec': 'ff', 'reason': "
		"'service/web: boom', 'at': 30}}, 'reverts': {'service/web': {'labels.team': {'at': [100, 200, 300], "
		"'last': 300}, "
		"'replicas': "
		"{'at': [100, 200]}, 'env[A]': {'at': [100, 5000, 9000]}}}, 'gates': {'unmet': {'route/web': true}}}, "
		"'state/lease': "
		"{'updated': 1795224490, 'gone': true}}",
		NULL);
	const json_t *suspended = json_object_get(doc, "suspended"), *failed = json_object_get(doc, "failed");
	const json_t *contested = json_object_get(doc, "contested"), *lease = json_object_get(doc, "lease");

	(void)state;
	assert_int_equal(json_array_size(suspended), 2); /* the time of service/a is over */
	assert_string_equal(json_str(json_array_get(suspended, 0), "resource"), "*");
	assert_string_equal(json_str(json_array_get(suspended, 0), "reason"), "move");
	assert_string_equal(json_str(json_array_get(suspended, 1), "resource"), "service/b");
	assert_int_equal(json_int(lease, "pid", 0), 412);
	assert_true(json_bool(lease, "gone"));
	assert_int_equal(json_int(lease, "renewed", 0), 1795224490);
	assert_null(json_object_get(lease, "holder"));
	assert_string_equal(json_str(json_object_get(doc, "applied"), "commit"), "1f2e");
	assert_int_equal(json_array_size(failed), 1);
	assert_string_equal(json_str(json_array_get(failed, 0), "reason"), "boom");
	assert_int_equal(json_array_size(contested), 1);
	assert_string_equal(json_str(json_array_get(contested, 0), "field"), "labels.team");
	assert_int_equal(json_array_size(json_object_get(doc, "waiting")), 1);
	assert_int_equal(json_int(json_object_get(doc, "summary"), "failed", 0), 2);
	assert_int_equal(json_int(json_object_get(doc, "summary"), "pending", 0), 1);
	assert_int_equal(status_exit(doc), 1);
}

static void a_suspension_or_a_run_at_work_is_no_failure(void **state)
{
	_cleanup_json_ json_t *doc =
		make("{'state/shared': {'suspended': {'*': {'by': 'x', 'since': 1}}, 'lease': {'host': "
		     "'gmktec', 'pid': 4}}}",
		     NULL);
	(void)state;
	assert_int_equal(status_exit(doc), 0);
}

static void what_waits_is_in_the_last_plan(void **state)
{
	static const char documents[] = "{'state/last': {'run': 4, 'kind': 'apply', 'started': 77, 'ended': 80, "
					"'exit_status': 3, 'outcomes': {}, "
					"'plans': [{'number': 1, 'plan': {'changes': [{'resource': 'service/x', "
					"'state': 'waiting', 'reason': 'old'}]}}, "
					"{'number': 2, 'plan': {'changes': [{'resource': 'absent/haproxy', 'state': "
					"'waiting', 'reason': 'quiet for "
					"2m'}, {'resource': 'service/y', 'state': 'ready'}]}}]}}";
	struct resource_set *want = resource_set_new();

	(void)state;
	_cleanup_json_ json_t *doc = make(documents, NULL);
	const json_t *waiting = json_object_get(doc, "waiting");
	assert_int_equal(json_array_size(waiting), 1);
	assert_string_equal(json_str(json_array_get(waiting, 0), "resource"), "absent/haproxy");
	assert_string_equal(json_str(json_array_get(waiting, 0), "reason"), "quiet for 2m");
	assert_int_equal(json_int(json_array_get(waiting, 0), "asked", 0), 77);
	assert_int_equal(json_int(json_object_get(doc, "last_run"), "run", 0), 4);
	assert_null(json_object_get(json_object_get(doc, "last_run"), "plans"));
	assert_int_equal(status_exit(doc), 3);
	/* The spec does not name it any more. */
	_cleanup_json_ json_t *without = make(documents, want);
	assert_int_equal(json_array_size(json_object_get(without, "waiting")), 0);
	resource_set_free(want);
}

static void what_was_not_observed_is_unknown(void **state)
{
	_cleanup_json_ json_t *doc =
		make("{'engine/services': {'unknown': 'services: timeout'}, 'engine/nodes': {'unknown': "
		     "'nodes: timeout'}, 'state/shared': {'unknown': 'configs: timeout'}, 'state/last': "
		     "{'unknown': 'permission denied'}}",
		     NULL);
	const json_t *unknown = json_object_get(doc, "unknown");

	(void)state;
	assert_string_equal(json_str(unknown, "services"), "services: timeout");
	assert_string_equal(json_str(unknown, "nodes"), "nodes: timeout");
	assert_string_equal(json_str(unknown, "shared"), "configs: timeout");
	assert_string_equal(json_str(unknown, "last_run"), "permission denied");
	static const char *const members[] = {"services", "nodes",  "suspended", "lease",
					      "applied",  "failed", "last_run"};
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		assert_null(json_object_get(doc, members[i]));
	assert_int_equal(json_int(json_object_get(doc, "summary"), "unknown", 0), 3);
	assert_int_equal(status_exit(doc), 3);
}

static void an_engine_that_is_away_is_one_thing(void **state)
{
	_cleanup_json_ json_t *doc =
		make("{'engine/info': {'unknown': 'away'}, 'engine/services': {'unknown': 'away'}, "
		     "'engine/nodes': {'unknown': 'away'}, 'state/shared': {'unknown': 'away'}}",
		     NULL);
	(void)state;
	assert_int_equal(json_int(json_object_get(doc, "summary"), "unknown", 0), 1);
	assert_int_equal(json_int(doc, "at", 0), 5); /* our clock, then */
	assert_int_equal(status_exit(doc), 3);
}

static void an_engine_that_is_no_manager_is_one_thing(void **state)
{
	static const struct {
		const char *swarm, *why;
	} cases[] = {
		{"{'LocalNodeState': 'inactive'}", "it is in no swarm"},
		{"{'LocalNodeState': 'active', 'ControlAvailable': false}", "a worker"},
		{"{'LocalNodeState': 'locked'}", "docker swarm unlock"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *documents = xasprintf("{'engine/info': {'Swarm': %s}, 'engine/services': "
							   "{'unknown': '503'}, 'engine/nodes': {'unknown': '503'}}",
							   cases[i].swarm);
		_cleanup_json_ json_t *doc = make(documents, NULL);
		assert_non_null(strstr(json_str(json_object_get(doc, "unknown"), "engine"), cases[i].why));
		assert_int_equal(json_int(json_object_get(doc, "summary"), "unknown", 0), 1);
		assert_int_equal(status_exit(doc), 3);
	}
}

static void nodes_that_are_down_are_told(void **state)
{
	_cleanup_json_ json_t *doc = make("{'engine/nodes': [{'ID': 'n2', 'Description': {'Hostname': 'hpr'}, 'Spec': "
					  "{'Role': 'worker', 'Availability': "
					  "'drain'}, 'Status': {'State': 'down', 'Message': 'heartbeat failure', "
					  "'Addr': '10.0.0.82'}}, {'ID': 'n1', "
					  "'Description': {'Hostname': 'gmktec'}, 'Spec': {'Role': 'manager', "
					  "'Availability': 'active'}, 'Status': "
					  "{'State': 'ready'}, 'ManagerStatus': {'Reachability': 'reachable'}}]}",
					  NULL);
	const json_t *hpr = json_array_get(json_object_get(doc, "nodes"), 1);

	(void)state;
	assert_string_equal(json_str(hpr, "name"), "hpr");
	assert_string_equal(json_str(hpr, "state"), "down");
	assert_string_equal(json_str(hpr, "availability"), "drain");
	assert_string_equal(json_str(hpr, "message"), "heartbeat failure");
	assert_int_equal(status_exit(doc), 3);
}

static void routes_are_as_traefik_sees_them(void **state)
{
	static const char service_with_route[] =
		"'engine/services': [{'ID': 's1', 'Spec': {'Name': 'web', 'Labels': {'io.reconcile.cluster': 'shop', "
		"'traefik.http.routers.web.rule': 'Host(`web.lan`)', 'traefik.http.routers.web.entrypoints': 'web'}, "
		"'Mode': "
		"{'Replicated': {}}}, 'ServiceStatus': {'RunningTasks': 2, 'DesiredTasks': 2}}]";
	static const struct {
		const char *routers, *services, *state;
		int exit;
	} cases[] = {
		{"null", "null", "unchecked", 0},
		{"{'unknown': 'refused'}", "{'unknown': 'refused'}", "unknown", 3},
		{"[]", "[]", "absent", 3},
		{"[{'name': 'web@file', 'status': 'enabled', 'service': 'web'}]", "[]", "absent", 3},
		{"[{'name': 'web@swarm', 'status': 'disabled', 'error': ['no port'], 'service': 'web'}]", "[]",
		 "failing", 1},
		{"[{'name': 'web@swarm', 'status': 'enabled', 'service': 'web'}]", "[]", "down", 1},
		{"[{'name': 'web@swarm', 'status': 'enabled', 'service': 'web'}]",
		 "[{'name': 'web@swarm', 'serverStatus': {'http://a': 'DOWN', 'http://b': 'DOWN'}}]", "down", 1},
		{"[{'name': 'web@swarm', 'status': 'enabled', 'service': 'web'}]",
		 "[{'name': 'web@swarm', 'serverStatus': {'http://a': 'UP', 'http://b': 'DOWN'}}]", "partial", 3},
		{"[{'name': 'web@docker', 'status': 'enabled', 'service': 'web'}]",
		 "[{'name': 'web@docker', 'serverStatus': {'http://a': 'UP'}}]", "partial", 3},
		{"[{'name': 'web@docker', 'status': 'enabled', 'service': 'web'}]",
		 "[{'name': 'web@docker', 'serverStatus': {'http://a': 'UP', 'http://b': 'UP'}}]", "up", 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *documents = xasprintf("{%s, 'traefik/routers': %s, 'traefik/services': %s}",
							   service_with_route, cases[i].routers, cases[i].services);
		_cleanup_json_ json_t *doc = make(documents, NULL);
		const json_t *route = json_array_get(json_object_get(doc, "routes"), 0);
		assert_int_equal(json_array_size(json_object_get(doc, "routes")), 1);
		assert_string_equal(json_str(route, "name"), "web");
		assert_string_equal(json_str(route, "rule"), "Host(`web.lan`)");
		assert_string_equal(json_str(route, "state"), cases[i].state);
		assert_int_equal(status_exit(doc), cases[i].exit);
	}
}

/* Foreign answers of any shape end in a document, not in a crash. */
static void odd_answers_are_survived(void **state)
{
	static const char *const odd[] = {
		"{'engine/services': [1, null, {}, {'ID': 's1'}, {'ID': 's1', 'Spec': {'Name': 'web', 'Labels': "
		"{'io.reconcile.cluster': 'shop', 'traefik.http.routers..rule': 1, 'traefik.http.routers.rule': "
		"'x'}}}]}",
		SERVICE("'UpdateStatus': {'State': 'no such'}}], 'engine/tasks': [1, {}, {'ServiceID': 's1'}, "
			"{'ServiceID': "
			"'s1', 'CreatedAt': 5, 'Status': []}]}"),
		"{'engine/nodes': [{}, {'ID': 'a'}, 5], 'engine/info': {'SystemTime': 'yesterday', 'Swarm': 5}}",
		"{'state/shared': {'suspended': 5, 'lease': [], 'failed': {'x': 5}, 'reverts': {'x': 5, 'y': {'z': [1, "
		"'a', "
		"null]}}, 'gates': {'unmet': 3}}}",
		"{'state/last': {'plans': [{'plan': {'changes': [1, {}]}}]}}",
		"{'state/last': {'plans': 7}}",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(odd); i++) {
		_cleanup_json_ json_t *doc = make(odd[i], NULL);
		assert_non_null(json_str(doc, "health"));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_runs_is_well),
		cmocka_unit_test(services_of_others_are_not_shown),
		cmocka_unit_test(what_does_not_run_says_why),
		cmocka_unit_test(a_crash_loop_is_told_while_the_next_task_starts),
		cmocka_unit_test(tasks_of_replicas_that_are_gone_are_left_out),
		cmocka_unit_test(updates_are_told),
		cmocka_unit_test(jobs_are_complete_when_enough_tasks_were),
		cmocka_unit_test(tasks_are_asked_of_services_in_question_only),
		cmocka_unit_test(the_shared_state_is_told),
		cmocka_unit_test(a_suspension_or_a_run_at_work_is_no_failure),
		cmocka_unit_test(what_waits_is_in_the_last_plan),
		cmocka_unit_test(what_was_not_observed_is_unknown),
		cmocka_unit_test(an_engine_that_is_away_is_one_thing),
		cmocka_unit_test(an_engine_that_is_no_manager_is_one_thing),
		cmocka_unit_test(nodes_that_are_down_are_told),
		cmocka_unit_test(routes_are_as_traefik_sees_them),
		cmocka_unit_test(odd_answers_are_survived),
	};
	json_init();
	return cmocka_run_group_tests_name("status", tests, NULL, NULL);
}
