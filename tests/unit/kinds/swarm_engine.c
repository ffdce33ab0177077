/*
 * The Swarm kinds against a real engine that is in no swarm: what is written is
 * what is read again. Needs a throw-away one: tests/lab/lab run --no-swarm --
 * build/tests/unit/kinds/swarm_engine (tests/e2e/05-swarm-kinds.t does that).
 */
#include "swarmtest.h"

#include "sys/clock.h"
#include "sys/proc.h"

#include <unistd.h>

static struct engine *engine;
static size_t mutations;

static int count_mutation(void *arg, const char *call, struct err *err)
{
	(void)arg, (void)call, (void)err;
	mutations++;
	return 0;
}

static void ignore_progress(void *arg, const char *fmt, ...)
{
	(void)arg, (void)fmt;
}

static int64_t soon(void)
{
	return clock_ms() + 20000;
}

static const char *const documents[][2] = {
	{"engine/info", "/info"},         {"engine/nodes", "/nodes"},
	{"engine/networks", "/networks"}, {"engine/volumes", "/volumes"},
	{"engine/configs", "/configs"},   {"engine/secrets", "/secrets"},
	{"engine/services", "/services"}, {"engine/containers", "/containers/json?all=1"},
};

/* Looks at the engine and at the spec; the engine is m1's. */
static void look(struct fixture *f, const char *yaml)
{
	static const struct kind *const kinds[] = {&kind_swarm,  &kind_node,   &kind_network, &kind_volume,
						   &kind_config, &kind_secret, NULL};

	fixture_load(f, yaml, "{'run/options':{'may_init':true,'engine_node':'m1'}}");
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++) {
		json_t *j = NULL;
		struct err err = {0};
		if (engine_get(engine, soon(), &j, &err, "%s", documents[i][1]) < 0)
			snapshot_put_unknown(f->snap, documents[i][0], &err);
		else
			snapshot_put(f->snap, documents[i][0], j);
	}
	snapshot_put(f->snap, "info/m1", json_incref(snapshot_get(f->snap, "engine/info", NULL)));
	struct cluster cluster = {.name = "c", .engine = engine};
	struct fetch fetch = {.spec = f->spec, .cluster = &cluster, .snap = f->snap, .deadline = soon()};
	struct err err = {0};
	if (kind_network.fetch(&fetch, &err) < 0)
		fail_msg("%s", err.msg);
	fixture_run(f, kinds);
}

static int try_change(struct fixture *f, const struct kind *k, const char *key, enum action action, const char *field,
		      struct err *err)
{
	struct cluster cluster = {.name = "c", .engine = engine, .engine_node = "m1", .may_init = true};
	struct apply a = {
		.cluster = &cluster, .snap = f->snap, .want = f->want, .progress = ignore_progress, .deadline = soon()};
	struct change c = {.action = action, .kind = k, .key = key};

	c.desired = resource_find_key(f->want, key);
	c.live = resource_find_key(f->live, key);
	if (c.desired && c.desired->blocked)
		fail_msg("%s: %s", key, c.desired->blocked);
	if (c.live && c.live->presence == ABSENT)
		c.live = NULL;
	if (field)
		vec_push(&c.fields, ((struct field_change){.path = field, .field = field}));
	int r = k->apply(&a, &c, err);
	vec_free(&c.fields);
	return r;
}

/* Applies, and then nothing is to be done. calls: how many may change something. */
static void change(const char *yaml, const struct kind *k, const char *key, enum action action, const char *field,
		   size_t calls)
{
	_cleanup_fixture_ struct fixture before = {0}, after = {0};
	struct err err = {0};

	look(&before, yaml);
	const struct resource *live = resource_find_key(before.live, key);
	if (action == ACTION_CREATE && live->presence != ABSENT)
		fail_msg("%s is there already", key);
	if (action == ACTION_UPDATE && json_same(want_of(&before, key)->body, live->body))
		fail_msg("%s: no difference is seen", key);
	mutations = 0;
	if (try_change(&before, k, key, action, field, &err) < 0)
		fail_msg("%s: %s", key, err.msg);
	assert_int_equal(mutations, calls);
	look(&after, yaml);
	if (action == ACTION_DELETE)
		assert_null(resource_find_key(after.live, key));
	else
		expect_in_sync(&after, key);
}

static void docker(const char *const *argv, struct str *out)
{
	struct proc_options o = {.argv = argv, .deadline = soon()};
	_cleanup_proc_result_ struct proc_result r = {0};
	struct err err = {0};

	if (proc_run_checked(&o, &r, &err) < 0)
		fail_msg("%s", err.msg);
	if (out)
		str_add(out, r.out.data, r.out.len);
}
#define docker(...) docker((const char *const[]){"docker", __VA_ARGS__, NULL}, NULL)

#define NODES \
	"swarm: { default_addr_pool: [10.64.0.0/14], subnet_size: 26 }\n" \
	"nodes: { m1: { address: 10.99.0.1, role: manager, %s } }\n"

static void swarm_is_created(void **state)
{
	_cleanup_free_ char *yaml = xasprintf(NODES, "labels: { a: \"1\" }");
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	change(yaml, &kind_swarm, "swarm/c", ACTION_CREATE, NULL, 1);
	look(&f, yaml);
	expect_body(live_of(&f, "swarm/c"), "{'default_addr_pool':['10.64.0.0/14'],'subnet_size':26}");
	assert_null(want_of(&f, "swarm/c")->note);
	/* The node of the new swarm gets its label. */
	assert_int_equal(live_of(&f, "node/m1")->presence, PRESENT);
	change(yaml, &kind_node, "node/m1", ACTION_UPDATE, "labels", 1);
}

static void node_is_found_when_planned_before_the_swarm(void **state)
{
	_cleanup_free_ char *yaml = xasprintf(NODES, "labels: { a: \"2\" }");
	_cleanup_fixture_ struct fixture f = {0};
	struct err err = {0};

	(void)state;
	look(&f, yaml);
	live_of(&f, "node/m1")->presence = ABSENT; /* as when the plan was made */
	if (try_change(&f, &kind_node, "node/m1", ACTION_CREATE, NULL, &err) < 0)
		fail_msg("%s", err.msg);
	_cleanup_fixture_ struct fixture after = {0};
	look(&after, yaml);
	expect_in_sync(&after, "node/m1");
}

static void node_labels_and_availability(void **state)
{
	_cleanup_free_ char *set = xasprintf(NODES, "labels: { a: \"3\", b: x }");
	_cleanup_free_ char *drained = xasprintf(NODES, "availability: drain, labels: { a: \"3\" }");
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	char hostname[65] = "";
	gethostname(hostname, sizeof(hostname) - 1);
	docker("node", "update", "--label-add", "theirs=y", hostname);
	change(set, &kind_node, "node/m1", ACTION_UPDATE, "labels", 1);
	change(drained, &kind_node, "node/m1", ACTION_UPDATE, "availability", 1);
	change(set, &kind_node, "node/m1", ACTION_UPDATE, "availability", 1);
	look(&f, set);
	const json_t *labels = json_path(json_array_get(snapshot_get(f.snap, "engine/nodes", NULL), 0), "Spec.Labels");
	assert_string_equal(json_str(labels, "theirs"), "y");
	/* As planned before somebody else did the same: nothing is written. */
	struct err err = {0};
	mutations = 0;
	assert_int_equal(try_change(&f, &kind_node, "node/m1", ACTION_UPDATE, "labels", &err), 0);
	assert_int_equal(mutations, 0);
}

static void networks_are_read_as_written(void **state)
{
	static const char *const specs[] = {
		"{}",
		"{ attachable: true, internal: true, labels: { a: b } }",
		"{ driver_opts: { encrypted: \"\" } }",
		"{ name: other }",
		"{ ipam: { config: [{ subnet: 10.70.0.0/24 }] } }",
		"{ ipam: { config: [{ subnet: 10.70.0.0/24, gateway: 10.70.0.9, ip_range: 10.70.0.128/25 }] } }",
		"{ enable_ipv6: true, ipam: { config: [{ subnet: 10.70.0.0/24 }, { subnet: 'fd00:0:0::/64' }] } }",
		"{ ipam: { driver: default, options: { a: b } } }",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		_cleanup_free_ char *yaml = xasprintf("networks:\n  n: %s\n", specs[i]);
		const char *gone = strstr(specs[i], "name") ? "network/other" : "network/n";
		change(yaml, &kind_network, "network/n", ACTION_CREATE, NULL, 1);
		change("services: {}\n", &kind_network, gone, ACTION_DELETE, NULL, 1);
	}
}

/* Networks that somebody made with the command line, and the spec that says the same. */
static void networks_are_adopted_as_they_are(void **state)
{
	static const char *const cases[][8] = {
		{"{}"},
		{"{ attachable: true }", "--attachable"},
		{"{ internal: true, labels: { x: y } }", "--internal"},
		{"{}", "--label", "a=b"},
		{"{ ipam: { config: [{ subnet: 10.71.0.0/24 }] } }", "--subnet", "10.71.0.0/24"},
		{"{}", "--subnet", "10.71.0.0/24", "--gateway", "10.71.0.7"},
		{"{ driver_opts: { com.docker.network.driver.mtu: \"1400\" } }", "--opt",
		 "com.docker.network.driver.mtu=1400"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *yaml = xasprintf("networks:\n  n: %s\n", cases[i][0]);
		const char *argv[16] = {"docker", "network", "create", "--driver", "overlay"};
		size_t n = 5;
		for (size_t k = 1; cases[i][k]; k++)
			argv[n++] = cases[i][k];
		argv[n] = "n";
		(docker)(argv, NULL);
		_cleanup_fixture_ struct fixture f = {0};
		look(&f, yaml);
		expect_in_sync(&f, "network/n");
		assert_false(live_of(&f, "network/n")->owned);
		docker("network", "rm", "n");
	}
}

/* Swarm takes a subnet that another network has, and says nothing: no task would start in the second one. */
static void network_without_a_subnet_is_told(void **state)
{
	static const char spec[] = "networks: { second: { ipam: { config: [{ subnet: 10.71.0.0/24 }] } } }\n";
	_cleanup_fixture_ struct fixture f = {0}, after = {0};
	struct err err = {0};

	(void)state;
	docker("network", "create", "--driver", "overlay", "--subnet", "10.71.0.0/24", "first");
	look(&f, spec);
	assert_int_equal(try_change(&f, &kind_network, "network/second", ACTION_CREATE, NULL, &err), -1);
	expect_text(err.msg, "Swarm has not allocated network 'second'");
	look(&after, spec);
	assert_int_equal(live_of(&after, "network/second")->presence, UNKNOWN);
	docker("network", "rm", "second");
	docker("network", "rm", "first");
}

static void network_is_replaced(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};
	struct err err = {0};

	(void)state;
	change("networks: { n: {} }\n", &kind_network, "network/n", ACTION_CREATE, NULL, 1);
	change("networks: { n: { attachable: true } }\n", &kind_network, "network/n", ACTION_REPLACE, "attachable", 2);
	/* In use: refused by the engine, and the network is still there. */
	docker("network", "inspect", "n");
	docker("service", "create", "-q", "-d", "--replicas", "0", "--network", "n", "--name", "s", "x:1");
	look(&f, "networks: { n: {} }\n");
	struct change c;
	explain(&f, &kind_network, "network/n", ACTION_REPLACE, "attachable", &c);
	assert_int_equal(c.state, CHANGE_BLOCKED);
	expect_text(c.reason, "service 's' use it");
	docker("service", "rm", "s");
	if (try_change(&f, &kind_network, "network/n", ACTION_DELETE, NULL, &err) < 0)
		fail_msg("%s", err.msg);
}

static void volumes_are_read_as_written(void **state)
{
	static const char *const specs[] = {
		"{}",
		"{ name: plain, labels: { a: b } }",
		"{ driver_opts: { type: tmpfs, device: tmpfs, o: \"size=1m\" } }",
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		_cleanup_free_ char *yaml = xasprintf("volumes:\n  vol: %s\n", specs[i]);
		change(yaml, &kind_volume, "volume/vol", ACTION_CREATE, NULL, 1);
	}
}

static void configs(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};
	_cleanup_free_ char *old = NULL;
	struct err err = {0};

	(void)state;
	change("configs: { a: { content: A } }\n", &kind_config, "config/a", ACTION_CREATE, NULL, 1);
	change("configs: { a: { content: A, labels: { x: y } } }\n", &kind_config, "config/a", ACTION_UPDATE, "labels",
	       1);
	change("configs: { a: { content: A } }\n", &kind_config, "config/a", ACTION_UPDATE, "labels", 1);
	change("configs: { t: { content: '{{ .Service.Name }}', template_driver: golang } }\n", &kind_config,
	       "config/t", ACTION_CREATE, NULL, 1);

	/* The content is what was written. */
	look(&f, "configs: { a: { content: A } }\n");
	old = xasprintf("config/%s", engine_name(f.want, "config", "a"));
	const json_t *entry;
	size_t i, found = 0;
	json_array_foreach (snapshot_get(f.snap, "engine/configs", NULL), i, entry)
		if (str_eq(json_str(entry, "ID"), live_of(&f, "config/a")->id)) {
			assert_string_equal(json_str(json_object_get(entry, "Spec"), "Data"), "QQ==");
			found++;
		}
	assert_int_equal(found, 1);

	/* A service uses A, then B: A is its rollback target and stays. */
	docker("service", "create", "-q", "-d", "--replicas", "0", "--name", "s", "--config", old + strlen("config/"),
	       "x:1");
	change("configs: { a: { content: B } }\n", &kind_config, "config/a", ACTION_CREATE, NULL, 1);
	_cleanup_fixture_ struct fixture g = {0};
	look(&g, "configs: { a: { content: B } }\n");
	docker("service", "update", "-q", "-d", "--config-rm", old + strlen("config/"), "--config-add",
	       engine_name(g.want, "config", "a"), "s");
	_cleanup_fixture_ struct fixture h = {0};
	look(&h, "configs: { a: { content: B } }\n");
	assert_null(resource_find_key(h.live, old));
	/* Even if a plan says so, which then is out of date: it is looked at again before it is removed. */
	struct resource *r = resource_add(h.live, "config", old + strlen("config/"));
	r->id = live_of(&f, "config/a")->id;
	r->presence = PRESENT;
	mutations = 0;
	assert_int_equal(try_change(&h, &kind_config, old, ACTION_DELETE, NULL, &err), -1);
	assert_int_equal(err.code, ERR_OUT_OF_SEQUENCE);
	expect_text(err.msg, "service 's' may need it for a rollback");
	assert_int_equal(mutations, 0);

	docker("service", "rm", "s");
	change("configs: { a: { content: B } }\n", &kind_config, old, ACTION_DELETE, NULL, 1);
}

static void configs_of_others_are_taken_over(void **state)
{
	_cleanup_fixture_ struct fixture f = {0}, g = {0};

	(void)state;
	look(&f, "configs: { o: { content: O } }\n");
	const char *name = engine_name(f.want, "config", "o");
	docker("config", "create", "--label", "theirs=1", name, "/proc/self/comm");
	look(&g, "configs: { o: { content: O } }\n");
	assert_int_equal(live_of(&g, "config/o")->presence, PRESENT);
	assert_false(live_of(&g, "config/o")->owned);
	change("configs: { o: { content: O } }\n", &kind_config, "config/o", ACTION_ADOPT, "labels", 1);
	_cleanup_fixture_ struct fixture h = {0};
	look(&h, "configs: { o: { content: O } }\n");
	assert_true(live_of(&h, "config/o")->owned);
}

static void secrets(void **state)
{
	_cleanup_free_ char *old = NULL;
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	change("secrets: { s: { content: hunter22 } }\n", &kind_secret, "secret/s", ACTION_CREATE, NULL, 1);
	change("secrets: { s: { content: hunter22, labels: { x: y } } }\n", &kind_secret, "secret/s", ACTION_UPDATE,
	       "labels", 1);
	look(&f, "secrets: { s: { content: hunter22 } }\n");
	old = xasprintf("secret/%s", engine_name(f.want, "secret", "s"));
	change("secrets: { s: { content: hunter23 } }\n", &kind_secret, "secret/s", ACTION_CREATE, NULL, 1);
	change("secrets: { s: { content: hunter23 } }\n", &kind_secret, old, ACTION_DELETE, NULL, 1);
}

static void errors_name_the_thing(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};
	struct err err = {0};

	(void)state;
	docker("network", "create", "--driver", "overlay", "taken");
	look(&f, "networks: { taken: {} }\n");
	live_of(&f, "network/taken")->presence = ABSENT; /* made after the plan */
	assert_int_equal(try_change(&f, &kind_network, "network/taken", ACTION_CREATE, NULL, &err), -1);
	expect_text(err.msg, "creating network 'taken': ");
	assert_int_equal(err.code, ERR_OUT_OF_SEQUENCE); /* a new plan finds out whose it is */
	docker("network", "rm", "taken");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(swarm_is_created),
		cmocka_unit_test(node_is_found_when_planned_before_the_swarm),
		cmocka_unit_test(node_labels_and_availability),
		cmocka_unit_test(networks_are_read_as_written),
		cmocka_unit_test(networks_are_adopted_as_they_are),
		cmocka_unit_test(network_without_a_subnet_is_told),
		cmocka_unit_test(network_is_replaced),
		cmocka_unit_test(volumes_are_read_as_written),
		cmocka_unit_test(configs),
		cmocka_unit_test(configs_of_others_are_taken_over),
		cmocka_unit_test(secrets),
		cmocka_unit_test(errors_name_the_thing),
	};
	struct err err = {0};

	const char *lab = getenv("LAB");
	if (!lab || !*lab) {
		puts("1..0 # SKIP it makes a swarm: run it in a lab, tests/e2e/05-swarm-kinds.t does");
		return 0;
	}
	json_init();
	if (engine_open(&(struct engine_options){0}, &engine, &err) < 0) {
		fprintf(stderr, "%s\n", err.msg);
		return 1;
	}
	engine_set_hooks(engine, (struct mutation_hooks){.before = count_mutation});
	int failed = cmocka_run_group_tests(tests, NULL, NULL);
	engine_close(engine);
	return failed;
}
