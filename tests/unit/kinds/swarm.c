/* The swarm: created once, by whom and where nothing is in doubt; otherwise looked at. */
#include "swarmtest.h"

static const struct kind *const swarm_only[] = {&kind_swarm, NULL};

#define INACTIVE "{'ID':'E1','Swarm':{'LocalNodeState':'inactive'}}"
#define ONE_MANAGER \
	"swarm: { default_addr_pool: [10.64.0.0/14], subnet_size: 25 }\n" \
	"nodes: { m1: { address: 10.9.0.1, role: manager } }\n"

static void running_swarm_is_in_sync(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, "nodes: { m1: { address: 10.9.0.1, role: manager } }\n",
		     "{" MANAGER ",'engine/nodes':[{'ID':'n1','Status':{'Addr':'10.9.0.1'}}],'engine/networks':[]}");
	fixture_run(&f, swarm_only);
	expect_in_sync(&f, "swarm/c");
	assert_true(live_of(&f, "swarm/c")->owned);
	assert_string_equal(live_of(&f, "swarm/c")->id, "swarmid");
	assert_null(want_of(&f, "swarm/c")->blocked);
}

static void another_pool_is_told_not_changed(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, ONE_MANAGER, "{" MANAGER ",'engine/nodes':[],'engine/networks':[]}");
	fixture_run(&f, swarm_only);
	expect_body(want_of(&f, "swarm/c"), "{'default_addr_pool':['10.64.0.0/14'],'subnet_size':25}");
	expect_body(live_of(&f, "swarm/c"), "{'default_addr_pool':['10.0.0.0/8'],'subnet_size':24}");
	assert_true(kind_field(&kind_swarm, "default_addr_pool")->flags & FIELD_CREATE_ONLY);
	assert_true(kind_field(&kind_swarm, "subnet_size")->flags & FIELD_CREATE_ONLY);
	expect_text(want_of(&f, "swarm/c")->note, "address pool 10.0.0.0/8 contains node 'm1' (10.9.0.1)");
}

static void network_with_the_hosts_subnet(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, ONE_MANAGER,
		     "{" MANAGER ",'engine/nodes':[],'engine/networks':[{'Name':'ingress','Driver':'overlay',"
		     "'IPAM':{'Config':[{'Subnet':'10.9.0.0/24'}]}},{'Name':'other','Driver':'overlay',"
		     "'IPAM':{'Config':[{'Subnet':'10.9.1.0/24'},{'Subnet':'fd00::/64'}]}},"
		     "{'Name':'local','Driver':'bridge','IPAM':{'Config':[{'Subnet':'10.9.0.0/16'}]}}]}");
	fixture_run(&f, swarm_only);
	const char *note = want_of(&f, "swarm/c")->note;
	expect_text(note, "network 'ingress' has the subnet 10.9.0.0/24, in which node 'm1' (10.9.0.1) is as well");
	assert_null(strchr(note, '\n')); /* and nothing else */
}

static void strangers_are_reported(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, "nodes: { m1: { address: 10.9.0.1, role: manager } }\n",
		     "{" MANAGER ",'engine/nodes':[{'ID':'n1','Status':{'Addr':'10.9.0.1'}},"
		     "{'ID':'n9','Status':{'Addr':'10.9.0.9'},'Description':{'Hostname':'old'}}]}");
	fixture_run(&f, swarm_only);
	expect_text(want_of(&f, "swarm/c")->note, "node 'old' (10.9.0.9, id n9) is in the swarm but not in the spec");
	assert_null(strstr(want_of(&f, "swarm/c")->note, "n1"));
}

static void no_swarm_needs_bootstrap(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, ONE_MANAGER, "{" NO_SWARM ",'run/options':{'may_init':false},'host/m1':{'hostname':'m1'}}");
	fixture_run(&f, swarm_only);
	assert_int_equal(live_of(&f, "swarm/c")->presence, ABSENT);
	assert_string_equal(want_of(&f, "swarm/c")->blocked, "this engine is in no swarm: run `reconcile bootstrap`");
}

static void bootstrap_creates_it_here(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, ONE_MANAGER,
		     "{" NO_SWARM ",'run/options':{'may_init':true,'engine_node':'m1'},'info/m1':" INACTIVE "}");
	fixture_run(&f, swarm_only);
	assert_null(want_of(&f, "swarm/c")->blocked);
	expect_body(want_of(&f, "swarm/c"),
		    "{'advertise_addr':'10.9.0.1','default_addr_pool':['10.64.0.0/14'],'subnet_size':25}");
}

#define MANAGERS \
	"nodes: { m1: { address: 10.9.0.1, role: manager }, m2: { address: 10.9.0.2, role: manager },\n" \
	"  m3: { address: 10.9.0.3, role: manager, optional: true } }\n"

static void bootstrap_is_blocked(void **state)
{
	static const struct {
		const char *yaml, *infos, *part;
	} cases[] = {
		{MANAGERS, "'info/m1':" INACTIVE ",'info/m2':{'unknown':'no route to host'}",
		 "'m2' (10.9.0.2) is not: no route to host"},
		{MANAGERS, "'info/m1':" INACTIVE ",'info/m2':null", "no Docker engine runs on 'm2' (10.9.0.2)"},
		{MANAGERS, "'info/m1':" INACTIVE ",'info/m2':{'Swarm':{'LocalNodeState':'active','NodeID':'x'}}",
		 "manager 'm2' (10.9.0.2) is in a swarm already (active)"},
		{MANAGERS,
		 "'info/m1':" INACTIVE ",'info/m2':" INACTIVE ",'info/m3':{'Swarm':{'LocalNodeState':'locked'}}",
		 "manager 'm3' (10.9.0.3) is in a swarm already (locked)"},
		/* DOCKER_HOST leads to another machine */
		{"nodes: { m1: { address: 10.9.0.1, role: manager } }\n",
		 "'info/m1':{'ID':'E2','Swarm':{'LocalNodeState':'inactive'}}", "but the engine in use is not its"},
		{"nodes: { m1: { address: m1.lan, role: manager } }\n", "'info/m1':" INACTIVE,
		 "has to be an IP address, not 'm1.lan'"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {0};
		_cleanup_free_ char *docs =
			xasprintf("{'engine/info':" INACTIVE ",'run/options':{'may_init':true},%s}", cases[i].infos);
		fixture_load(&f, cases[i].yaml, docs);
		fixture_run(&f, swarm_only);
		expect_text(want_of(&f, "swarm/c")->blocked, cases[i].part);
	}
}

static void worker_knows_nothing(void **state)
{
	static const char *const cases[][2] = {
		{WORKER, "this engine is a worker: point DOCKER_HOST at a manager"},
		{"'engine/info':{'unknown':'GET /info: refused'}", "GET /info: refused"},
		{"'engine/info':{'Swarm':{'LocalNodeState':'locked'}}", "docker swarm unlock"},
		{"'engine/info':{'Swarm':{'LocalNodeState':'error'}}", "error state"},
		{"'engine/info':{'Swarm':{'LocalNodeState':'pending'}}", "still joining"},
		{"'engine/info':{}", "does not say whether"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {0};
		_cleanup_free_ char *docs = xasprintf("{%s,'engine/nodes':[]}", cases[i][0]);
		fixture_load(&f, ONE_MANAGER, docs);
		fixture_run(&f, swarm_only);
		assert_int_equal(live_of(&f, "swarm/c")->presence, UNKNOWN);
		expect_text(live_of(&f, "swarm/c")->blocked, cases[i][1]);
	}
}

static void wanted_by_what_needs_it(void **state)
{
	static const struct {
		const char *yaml;
		bool wants;
	} cases[] = {
		{"", false},
		{"networks: { n: { external: true } }\n", false},
		{"networks: { n: {} }\n", true},
		{"nodes: { a: { address: 10.0.0.1, role: manager } }\n", true},
		{"services: { s: { image: 'x:1' } }\n", true},
		{"configs: { s: { content: x } }\n", true},
		{"volumes: { v: {} }\n", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {0};
		fixture_load(&f, cases[i].yaml, "{" MANAGER "}");
		fixture_run(&f, swarm_only);
		if ((resource_find_key(f.want, "swarm/c") != NULL) != cases[i].wants)
			fail_msg("%s", cases[i].yaml);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(network_with_the_hosts_subnet),
		cmocka_unit_test(running_swarm_is_in_sync),
		cmocka_unit_test(another_pool_is_told_not_changed),
		cmocka_unit_test(strangers_are_reported),
		cmocka_unit_test(no_swarm_needs_bootstrap),
		cmocka_unit_test(bootstrap_creates_it_here),
		cmocka_unit_test(bootstrap_is_blocked),
		cmocka_unit_test(worker_knows_nothing),
		cmocka_unit_test(wanted_by_what_needs_it),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
