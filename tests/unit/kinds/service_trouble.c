/* What the list of services tells of one that is not well, and how long its changes may take. */
#include "fixture.h"

#include "kinds/service/service.h"
#include "model/ignore.h"

#define YAML(rest) "version: 1\ncluster: c\nservices:\n  web: { image: 'a:1', environment: { A: '1' }, " rest " }\n"
#define SERVICE(mode, a, rest) \
	"{'engine/info':{'Name':'m','Swarm':{'NodeID':'n1','LocalNodeState':'active','ControlAvailable':true," \
	"'Cluster':{'ID':'x'}}},'engine/networks':[],'engine/services':[{'ID':'s1','Version':{'Index':5},'Spec':{" \
	"'Name':'web','Labels':{'io.reconcile.cluster':'c'},'TaskTemplate':{'ContainerSpec':{'Image':'a:1@sha256:" \
	"2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae'," \
	"'Env':['A=" a "']}},'Mode':" mode "}" rest "}]}"
#define REPLICATED(n) "{'Replicated':{'Replicas':" n "}}"
#define TASKS(running, desired, completed) \
	",'ServiceStatus':{'RunningTasks':" running ",'DesiredTasks':" desired ",'CompletedTasks':" completed "}"
#define UPDATE(state) ",'UpdateStatus':{'State':'" state "','Message':'said','StartedAt':'2026-11-20T10:00:00.5Z'}"
#define TWO "deploy: { replicas: 2 }"

static const struct trouble_case {
	const char *yaml, *live, *trouble;
	bool rolled_back;
} cases[] = {
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("2", "2", "0")), NULL, false},
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", ""), NULL, false}, /* an engine that does not say */
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("0", "2", "0")), "0 of 2 tasks run", false},
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("3", "2", "0")), NULL, false}, /* start-first */
	{YAML("deploy: { replicas: 0 }"), SERVICE(REPLICATED("0"), "1", TASKS("0", "0", "0")), NULL, false},
	{YAML("deploy: { mode: global }"), SERVICE("{'Global':{}}", "1", TASKS("3", "3", "0")), NULL, false},
	{YAML("deploy: { mode: global }"), SERVICE("{'Global':{}}", "1", TASKS("2", "3", "0")), "2 of 3 tasks run",
	 false},
	{YAML("deploy: { mode: global }"), SERVICE("{'Global':{}}", "1", TASKS("0", "0", "0")), NULL, false},

	/* Jobs: what has completed counts, of all; how many at once is something else. */
	{YAML("deploy: { mode: replicated-job, replicas: 3 }"),
	 SERVICE("{'ReplicatedJob':{'TotalCompletions':3,'MaxConcurrent':1}}", "1", TASKS("1", "1", "2")),
	 "2 of 3 tasks have completed", false},
	{YAML("deploy: { mode: replicated-job, replicas: 3 }"),
	 SERVICE("{'ReplicatedJob':{'TotalCompletions':3,'MaxConcurrent':1}}", "1", TASKS("0", "1", "3")), NULL, false},
	{YAML("deploy: { mode: global-job }"), SERVICE("{'GlobalJob':{}}", "1", TASKS("1", "1", "1")),
	 "1 of 2 tasks have completed", false},
	{YAML("deploy: { mode: global-job }"), SERVICE("{'GlobalJob':{}}", "1", TASKS("0", "0", "2")), NULL, false},

	/* Updates */
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("2", "2", "0") UPDATE("completed")), NULL, false},
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("2", "2", "0") UPDATE("updating")),
	 "an update of it is in flight", false},
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("1", "2", "0") UPDATE("updating")),
	 "an update of it is in flight; 1 of 2 tasks run", false},
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("2", "2", "0") UPDATE("paused")), "its update is paused: said",
	 true},
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("1", "2", "0") UPDATE("paused")),
	 "its update is paused: said; 1 of 2 tasks run", true},
	/* Rolled back to something else than the spec says. */
	{YAML(TWO), SERVICE(REPLICATED("2"), "0", TASKS("2", "2", "0") UPDATE("rollback_completed")),
	 "Swarm rolled it back", true},
	{YAML(TWO), SERVICE(REPLICATED("2"), "0", TASKS("2", "2", "0") UPDATE("rollback_started")),
	 "Swarm is rolling it back: said", true},
	{YAML(TWO), SERVICE(REPLICATED("2"), "0", TASKS("2", "2", "0") UPDATE("rollback_paused")),
	 "Swarm paused its rollback: said", true},
	/* Rolled back to what the spec says: the spec was put back as well. */
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("2", "2", "0") UPDATE("rollback_completed")), NULL, false},
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("1", "2", "0") UPDATE("rollback_completed")),
	 "1 of 2 tasks run", false},
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("2", "2", "0") UPDATE("rollback_started")),
	 "Swarm is rolling it back: said", false},
	{YAML(TWO), SERVICE(REPLICATED("2"), "1", TASKS("2", "2", "0") UPDATE("rollback_paused")),
	 "Swarm paused its rollback: said", false},
	/* The scaler's count is no difference of the spec. */
	{YAML("scale: { min: 3, max: 4, metrics: [{ type: prometheus, query: up, target: 2 }] }"),
	 SERVICE(REPLICATED("2"), "1", TASKS("2", "2", "0") UPDATE("rollback_completed")), NULL, false},
	/* Not in the spec: it is about to go. */
	{"version: 1\ncluster: c\n", SERVICE(REPLICATED("2"), "1", TASKS("0", "2", "0")), NULL, false},
};

static void trouble(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fixture f = fixture_open(&kind_service, cases[i].yaml, cases[i].live);
		const struct resource *r = resource_find_key(f.live, "service/web");
		if (!str_eq(r->trouble, cases[i].trouble) || r->rolled_back != cases[i].rolled_back)
			fail_msg("case %zu: %s%s", i, r->trouble ? r->trouble : "(none)",
				 r->rolled_back ? ", rolled back" : "");
		assert_int_equal(r->rolled_back_at, cases[i].rolled_back ? 1795168800 : 0);
		fixture_close(&f);
	}
}

static void what_is_ignored_is_no_difference(void **state)
{
	struct fixture f =
		fixture_open(&kind_service, YAML(TWO),
			     SERVICE(REPLICATED("2"), "0", TASKS("2", "2", "0") UPDATE("rollback_completed")));
	struct resource *want = resource_find_key(f.want, "service/web");
	struct observe o = {.cluster = "c", .snap = f.snap, .want = f.want};
	struct err err;
	(void)state;

	assert_non_null(resource_find_key(f.live, "service/web")->trouble);
	vec_push(&want->ignore, "env[A]");
	o.out = resource_set_new();
	assert_int_equal(kind_service.observe(&o, &err), 0);
	assert_null(resource_find_key(o.out, "service/web")->trouble);
	resource_set_free(o.out);
	fixture_close(&f);
}

static int64_t patience_s(const char *rest)
{
	_cleanup_free_ char *yaml = xasprintf("version: 1\ncluster: c\nservices:\n  web: { image: 'a:1', %s }\n", rest);
	struct fixture f = fixture_open(&kind_service, yaml, "{}");
	struct change c = {.desired = resource_find_key(f.want, "service/web")};
	int64_t ms = kind_service.patience_ms(&c);

	fixture_close(&f);
	return ms / 1000;
}

static void patience(void **state)
{
	(void)state;
	/* Ten minutes, and for a task 30 s to start, 10 s to stop, 5 s to prove itself. */
	assert_int_equal(patience_s("deploy: { replicas: 1 }"), 600 + 45);
	assert_int_equal(patience_s("deploy: { replicas: 0 }"), 600);
	assert_int_equal(patience_s("deploy: { replicas: 20 }"), 600 + 20 * 45);
	assert_int_equal(patience_s("deploy: { replicas: 20, update_config: { parallelism: 0 } }"), 600 + 45);
	assert_int_equal(
		patience_s("deploy: { replicas: 5, update_config: { parallelism: 2, delay: 1m, monitor: 10m } }"),
		600 + 3 * (40 + 60 + 600));
	assert_int_equal(patience_s("stop_grace_period: 2m, deploy: { replicas: 1, update_config: { failure_action: "
				    "rollback }, rollback_config: { delay: 7s } }"),
			 600 + (30 + 120 + 5) + (30 + 120 + 5 + 7));
	assert_int_equal(patience_s("healthcheck: { test: x, start_period: 5m, interval: 1m, retries: 4 }"),
			 600 + 45 + 300 + 240);
	assert_int_equal(patience_s("deploy: { mode: global }"), 600 + 10 * 45);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trouble),
		cmocka_unit_test(what_is_ignored_is_no_difference),
		cmocka_unit_test(patience),
	};
	json_init();
	return cmocka_run_group_tests_name("kinds/service_trouble", tests, NULL, NULL);
}
