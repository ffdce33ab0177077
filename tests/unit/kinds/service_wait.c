/*
 * The judge of convergence over recordings of real services (tests/cases/wait,
 * made by tests/lab/record-wait): looked at every 250 ms as the program does.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "kinds/service/wait.h"
#include "sys/file.h"

#define STEP_MS 250
#define MAX_FILE (8 << 20)
#define NEVER INT64_MAX

/* A verdict other than PENDING comes between earliest and latest (ms); on the way something PENDING says passing. */
static const struct expectation {
	const char *name;
	enum wait_outcome outcome;
	int64_t earliest, latest;
	const char *text, *passing;
} recordings[] = {
	{"create-bad-image", WAIT_FAILED, 500, 5500, "its tasks keep failing: No such image: lab/none:1", "0/1 tasks"},
	{"create-exits", WAIT_FAILED, 2500, 9500, "task: non-zero exit (3)", "2/2 tasks running"},
	{"create-global", WAIT_CONVERGED, 5000, 7000, "1/1 tasks running", NULL},
	{"create-global-no-node", WAIT_CONVERGED, 3000, 3500, "0/0 tasks running", NULL},
	{"create-good", WAIT_CONVERGED, 5000, 7500, "2/2 tasks running", NULL},
	{"create-missing-bind", WAIT_FAILED, 500, 4500, "bind source path does not exist: /not/there", "0/2 tasks"},
	{"create-no-node", WAIT_PENDING, NEVER, NEVER,
	 "0/1 tasks running (1 pending): no suitable node (scheduling constraints not satisfied on 1 node)", NULL},
	{"create-one-shot", WAIT_CONVERGED, 5000, 7500, "1/1 tasks running", NULL},
	{"create-one-shot-fails", WAIT_FAILED, 3000, 6000, "task: non-zero exit (4)", NULL},
	{"create-unhealthy", WAIT_FAILED, 2000, 15000, "unhealthy container", "1 starting"},
	{"create-zero", WAIT_CONVERGED, 0, 0, "0/0 tasks running", NULL},
	{"job-fails", WAIT_FAILED, 500, 6500, "task: non-zero exit (5)", "0/1 tasks completed"},
	{"job-global", WAIT_CONVERGED, 500, 4000, "1/1 tasks completed", NULL},
	{"job-good", WAIT_CONVERGED, 2000, 6500, "3/3 tasks completed", "/3 tasks completed ("},
	{"scale-down", WAIT_CONVERGED, 0, 7000, "1/1 tasks running", NULL},
	{"scale-up", WAIT_CONVERGED, 5000, 7500, "3/3 tasks running", "1/3 tasks running"},
	{"update-bad-image-continues", WAIT_FAILED, 1000, 15000, "No such image: lab/none:1", NULL},
	{"update-good", WAIT_CONVERGED, 4000, 15000, "3/3 tasks running", "2 to be replaced"},
	{"update-labels", WAIT_CONVERGED, 0, 0, "2/2 tasks running", NULL},
	{"update-long-delay", WAIT_CONVERGED, 4000, 8500, "2/2 tasks running", "2 ready"},
	{"update-no-node", WAIT_PENDING, NEVER, NEVER, "insufficient resources on 1 node", "1 to be replaced"},
	{"update-paused", WAIT_PAUSED, 200, 7000, "Swarm paused the update: task: non-zero exit (7)", NULL},
	{"update-rolled-back", WAIT_ROLLED_BACK, 1000, 13000, "Swarm rolled the update back: task: non-zero exit (8)",
	 "Swarm is rolling the update back: task: non-zero exit (8)"},
	{"update-scaled-midway", WAIT_CONVERGED, 5000, 15000, "4/4 tasks running", NULL},
	{"update-start-first", WAIT_CONVERGED, 2000, 9000, "2/2 tasks running", "2 to be replaced"},
	{"update-unhealthy", WAIT_ROLLED_BACK, 1000, 15000, "unhealthy container", NULL},
};

static json_t *load(const char *name)
{
	_cleanup_free_ char *path = xasprintf("tests/cases/wait/%s.json", name);
	_cleanup_str_ struct str text = {0};
	struct err err = {0};
	json_t *j;

	if (file_read(path, MAX_FILE, &text, &err) < 0 || json_parse(str_cstr(&text), text.len, &j, &err) < 0)
		fail_msg("%s: %s", path, err.msg);
	return j;
}

static const json_t *look_at(const json_t *looks, int64_t now)
{
	const json_t *last = json_array_get(looks, 0);
	for (size_t i = 0; i < json_array_size(looks); i++)
		if (json_int(json_array_get(looks, i), "t", 0) <= now)
			last = json_array_get(looks, i);
	return last;
}

struct replay {
	struct wait_verdict last;
	int64_t decided; /* when the first verdict other than PENDING came */
	bool passed;     /* something PENDING said what was to be said on the way */
};

static struct replay replay(const json_t *recording, bool starts_tasks, const char *passing)
{
	struct wait_state st CLEANUP(wait_state_free) = {.looked = starts_tasks};
	struct replay r = {.decided = NEVER};

	for (int64_t now = 0; now < json_int(recording, "until", 0) && r.decided == NEVER; now += STEP_MS) {
		const json_t *look = look_at(json_object_get(recording, "looks"), now);
		struct wait_snapshot snap = {
			.service = json_object_get(look, "service"),
			.tasks = json_object_get(look, "tasks"),
			.current = json_object_get(look, "current"),
			.nodes = json_object_get(look, "nodes"),
			.now = now + 1000,
		};
		r.last = service_wait_judge(&st, &snap);
		if (getenv("V"))
			printf("# %6lld %d %s\n", (long long)now, r.last.outcome, r.last.text);
		if (r.last.outcome != WAIT_PENDING)
			r.decided = now;
		else if (passing && strstr(r.last.text, passing))
			r.passed = true;
	}
	return r;
}

static void check_recording(void **state)
{
	const struct expectation *e = *state;
	_cleanup_json_ json_t *recording = load(e->name);
	bool starts_tasks = !str_starts(e->name, "scale-") && strcmp(e->name, "update-labels") != 0;
	struct replay r = replay(recording, starts_tasks, e->passing);

	if (r.last.outcome != e->outcome || !strstr(r.last.text, e->text))
		fail_msg("verdict %d at %lld ms: %s", r.last.outcome, (long long)r.decided, r.last.text);
	if (r.decided < e->earliest || r.decided > e->latest)
		fail_msg("decided at %lld ms, expected between %lld and %lld: %s", (long long)r.decided,
			 (long long)e->earliest, (long long)e->latest, r.last.text);
	if (e->passing && !r.passed)
		fail_msg("it never said '%s' on the way; at last '%s'", e->passing, r.last.text);
}

/* A task on a node that went down does not count, whatever it last said. */
static void tasks_of_a_dead_node_do_not_count(void **state)
{
	_cleanup_json_ json_t *recording = load("create-good");
	const json_t *looks = json_object_get(recording, "looks");
	const json_t *look = json_array_get(looks, json_array_size(looks) - 1);
	struct wait_state st CLEANUP(wait_state_free) = {0};
	struct wait_snapshot snap = {
		.service = json_object_get(look, "service"),
		.tasks = json_object_get(look, "tasks"),
		.current = json_object_get(look, "current"),
		.nodes = json_object_get(look, "nodes"),
	};
	(void)state;

	assert_int_equal(service_wait_judge(&st, &snap).outcome, WAIT_CONVERGED);
	json_set_str(json_object_get(json_array_get(snap.nodes, 0), "Status"), "State", "down");
	wait_state_free(&st);
	assert_int_equal(service_wait_judge(&st, &snap).outcome, WAIT_PENDING);
}

/* With start-first the old task still runs beside the new one for a while. */
static void old_tasks_have_to_go(void **state)
{
	_cleanup_json_ json_t *recording = load("create-good");
	const json_t *looks = json_object_get(recording, "looks");
	json_t *look = json_array_get(looks, json_array_size(looks) - 1);
	struct wait_state st CLEANUP(wait_state_free) = {0};
	struct wait_snapshot snap = {
		.service = json_object_get(look, "service"),
		.tasks = json_object_get(look, "tasks"),
		.current = json_object_get(look, "current"),
		.nodes = json_object_get(look, "nodes"),
	};
	(void)state;

	json_set_int(json_path(snap.service, "Spec.Mode.Replicated"), "Replicas", 1);
	json_array_remove((json_t *)snap.current, 0);
	struct wait_verdict v = service_wait_judge(&st, &snap);
	assert_int_equal(v.outcome, WAIT_PENDING);
	assert_string_equal(v.text, "1/1 tasks running (1 to be replaced)");
	json_array_remove((json_t *)snap.tasks, 0);
	wait_state_free(&st);
	assert_int_equal(service_wait_judge(&st, &snap).outcome, WAIT_CONVERGED);
}

/* The period starts again when a task stops running in between. */
static void steadiness_is_without_a_break(void **state)
{
	_cleanup_json_ json_t *recording = load("create-good");
	const json_t *looks = json_object_get(recording, "looks");
	const json_t *look = json_array_get(looks, json_array_size(looks) - 1);
	struct wait_state st CLEANUP(wait_state_free) = {.looked = true};
	struct wait_snapshot snap = {
		.service = json_object_get(look, "service"),
		.tasks = json_object_get(look, "tasks"),
		.current = json_object_get(look, "current"),
		.nodes = json_object_get(look, "nodes"),
	};
	json_t *status = json_object_get(json_array_get(snap.tasks, 0), "Status");
	static const struct {
		int64_t now;
		const char *task;
		enum wait_outcome outcome;
	} steps[] = {
		{1000, "running", WAIT_PENDING}, {5900, "running", WAIT_PENDING},  {5950, "starting", WAIT_PENDING},
		{6100, "running", WAIT_PENDING}, {11000, "running", WAIT_PENDING}, {11100, "running", WAIT_CONVERGED},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(steps); i++) {
		json_set_str(status, "State", steps[i].task);
		snap.now = steps[i].now;
		assert_int_equal(service_wait_judge(&st, &snap).outcome, steps[i].outcome);
	}
}

/* The last look of a recording, looked at again and again. */
static struct wait_verdict verify_for(const char *name, int64_t ms, bool verify, const char *monitor)
{
	_cleanup_json_ json_t *recording = load(name);
	const json_t *looks = json_object_get(recording, "looks");
	const json_t *look = json_array_get(looks, json_array_size(looks) - 1);
	struct wait_state st CLEANUP(wait_state_free) = {.verify = verify, .looked = !verify};
	struct wait_snapshot snap = {
		.service = json_object_get(look, "service"),
		.tasks = json_object_get(look, "tasks"),
		.current = json_object_get(look, "current"),
		.nodes = json_object_get(look, "nodes"),
		.now = 1000,
	};
	if (monitor)
		json_set(json_object_get(snap.service, "Spec"), "UpdateConfig",
			 json_pack("{s:I}", "Monitor", (json_int_t)strtoll(monitor, NULL, 10)));
	struct wait_verdict v = service_wait_judge(&st, &snap);
	for (; v.outcome == WAIT_PENDING && snap.now <= ms; snap.now += 1000)
		v = service_wait_judge(&st, &snap);
	return v;
}

/* When nothing was written, what runs counts, not how an earlier update ended. */
static void what_is_there_is_verified(void **state)
{
	static const struct {
		const char *recording;
		int64_t ms;
		enum wait_outcome outcome;
		const char *text;
	} cases[] = {
		{"create-good", 0, WAIT_CONVERGED, "2/2 tasks running"},
		{"create-zero", 0, WAIT_CONVERGED, "0/0 tasks running"},
		{"update-rolled-back", 0, WAIT_CONVERGED, "tasks running"},
		{"update-good", 0, WAIT_CONVERGED, "3/3 tasks running"},
		{"job-good", 0, WAIT_CONVERGED, "3/3 tasks completed"},
		{"update-paused", 0, WAIT_PAUSED, "Swarm paused the update: task: non-zero exit (7)"},
		{"create-one-shot-fails", 4000, WAIT_FAILED, "its tasks keep failing: task: non-zero exit (4)"},
		{"create-no-node", 31000, WAIT_PENDING, "0/1 tasks running (1 pending): no suitable node"},
		{"create-no-node", 33000, WAIT_STUCK, "0/1 tasks running (1 pending): no suitable node"},
		/* In flight: Swarm's own pauses come on top. */
		{"update-no-node", 35000, WAIT_PENDING, "insufficient resources on 1 node"},
		{"update-no-node", 60000, WAIT_STUCK, "insufficient resources on 1 node"},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct wait_verdict v = verify_for(cases[i].recording, cases[i].ms, true, NULL);
		if (v.outcome != cases[i].outcome || !strstr(v.text, cases[i].text))
			fail_msg("%s: %d %s", cases[i].recording, v.outcome, v.text);
	}
}

/* A period in which tasks have to prove themselves may be longer than what is called stuck. */
static void proving_is_not_being_stuck(void **state)
{
	(void)state;
	assert_int_equal(verify_for("create-good", 90000, false, "100000000000").outcome, WAIT_PENDING);
	assert_int_equal(verify_for("create-good", 110000, false, "100000000000").outcome, WAIT_CONVERGED);
}

/* What failed long before it was looked at says nothing about what runs now. */
static void old_failures_do_not_count(void **state)
{
	_cleanup_json_ json_t *recording = load("create-exits");
	const json_t *looks = json_object_get(recording, "looks");
	json_t *look = json_array_get(looks, json_array_size(looks) - 1), *task;
	struct wait_state st CLEANUP(wait_state_free) = {.verify = true};
	struct wait_snapshot snap = {
		.service = json_object_get(look, "service"),
		.tasks = json_object_get(look, "tasks"),
		.current = json_object_get(look, "current"),
		.nodes = json_object_get(look, "nodes"),
		.now = 1000,
	};
	size_t i, failed = 0;
	(void)state;

	json_array_foreach (snap.tasks, i, task)
		failed += str_eq(json_str(json_object_get(task, "Status"), "State"), "failed");
	assert_true(failed >= 3);
	json_array_foreach (snap.tasks, i, task)
		if (str_eq(json_str(json_object_get(task, "Status"), "State"), "running"))
			json_set_str(json_object_get(task, "Status"), "State", "starting");
	assert_int_equal(service_wait_judge(&st, &snap).outcome, WAIT_PENDING);
	snap.now += 1000;
	assert_int_equal(service_wait_judge(&st, &snap).outcome, WAIT_PENDING);
}

int main(void)
{
	static const struct CMUnitTest others[] = {
		cmocka_unit_test(what_is_there_is_verified),         cmocka_unit_test(proving_is_not_being_stuck),
		cmocka_unit_test(old_failures_do_not_count),         cmocka_unit_test(old_tasks_have_to_go),
		cmocka_unit_test(tasks_of_a_dead_node_do_not_count), cmocka_unit_test(steadiness_is_without_a_break),
	};
	struct CMUnitTest tests[ARRAY_SIZE(recordings) + ARRAY_SIZE(others)];

	json_init();
	for (size_t i = 0; i < ARRAY_SIZE(recordings); i++)
		tests[i] = (struct CMUnitTest){.name = recordings[i].name,
					       .test_func = check_recording,
					       .initial_state = (void *)&recordings[i]};
	memcpy(&tests[ARRAY_SIZE(recordings)], others, sizeof(others));
	return cmocka_run_group_tests(tests, NULL, NULL);
}
