/* Networks: what the engine chose itself is no difference, and what is in use is not replaced. */
#include "swarmtest.h"

#include "kinds/cidr.h"
#include "kinds/cluster.h"
#include "sys/clock.h"

#include "tests/unit/client/engine_standin.h"

static const struct kind *const networks_only[] = {&kind_network, NULL};

#define OURS "'Labels':{'io.reconcile.cluster':'c'}"
#define DEFAULT_IPAM \
	"'IPAM':{'Driver':'default','Options':null,'Config':[{'Subnet':'10.0.1.0/24','Gateway':'10.0.1.1'}]}"
/* As Engine 20.10 lists a swarm network. */
#define LISTED(name, more) \
	"{'Name':'" name "','Id':'0123456789abcdef','Scope':'swarm','Driver':'overlay','EnableIPv6':false," \
	"'Internal':false,'Attachable':false,'Ingress':false," \
	"'Options':{'com.docker.network.driver.overlay.vxlanid_list':'4097'}," more "}"

/* The spec of one network n and how the engine lists it: nothing is to be done. */
static void in_sync(void **state)
{
	static const char *const cases[][2] = {
		{"{}", LISTED("n", DEFAULT_IPAM "," OURS)},
		{"{ name: web }", LISTED("web", DEFAULT_IPAM "," OURS)},
		{"{ labels: { a: b } }", LISTED("n", DEFAULT_IPAM ",'Labels':{'io.reconcile.cluster':'c','a':'b'}")},
		{"{ labels: [a=b, c] }",
		 LISTED("n", DEFAULT_IPAM ",'Labels':{'io.reconcile.cluster':'c','a':'b','c':''}")},
		/* adopted: it has no label of ours, and its labels cannot be changed */
		{"{ labels: { a: b } }", LISTED("n", DEFAULT_IPAM ",'Labels':{'com.docker.stack.namespace':'x'}")},
		{"{ labels: { a: b } }", LISTED("n", DEFAULT_IPAM ",'Labels':null")},
		{"{ attachable: true, internal: true, enable_ipv6: true }",
		 "{'Name':'n','Id':'01','Driver':'overlay','Attachable':true,'Internal':true,'EnableIPv6':true,"
		 "'Options':null," DEFAULT_IPAM "," OURS "}"},
		{"{ driver_opts: { encrypted: \"\" } }",
		 "{'Name':'n','Id':'01','Driver':'overlay','Options':{'encrypted':'',"
		 "'com.docker.network.driver.overlay.vxlanid_list':'4097'}," OURS "}"},
		{"{ ipam: { config: [{ subnet: 10.70.0.0/24 }] } }",
		 LISTED("n", "'IPAM':{'Driver':'default','Config':[{'Subnet':'10.70.0.0/"
			     "24','Gateway':'10.70.0.1'}]}," OURS)},
		{"{ ipam: { driver: default, config: [{ subnet: 10.70.0.0/24, gateway: 10.70.0.9, ip_range: "
		 "10.70.0.128/25 }] } }",
		 LISTED("n", "'IPAM':{'Driver':'default','Config':[{'Subnet':'10.70.0.0/24','Gateway':'10.70.0.9',"
			     "'IPRange':'10.70.0.128/25'}]}," OURS)},
		/* two spellings of one network; an IPv6 subnet of the engine's own choice */
		{"{ enable_ipv6: true, ipam: { config: [{ subnet: 10.70.0.0/24 }, { subnet: 'fd00:0:0::/64' }] } }",
		 "{'Name':'n','Id':'01','Driver':'overlay','EnableIPv6':true,'IPAM':{'Driver':'default','Config':["
		 "{'Subnet':'fd00::/64','Gateway':'fd00::1'},{'Subnet':'10.70.0.0/24','Gateway':'10.70.0.1'}]}," OURS
		 "}"},
		{"{ enable_ipv6: true, ipam: { config: [{ subnet: 10.70.0.0/24 }] } }",
		 "{'Name':'n','Id':'01','Driver':'overlay','EnableIPv6':true,'IPAM':{'Driver':'default','Config':["
		 "{'Subnet':'fdcb::/64','Gateway':'fdcb::1'},{'Subnet':'10.70.0.0/24','Gateway':'10.70.0.1'}]}," OURS
		 "}"},
		{"{ ipam: { driver: custom, options: { a: b } } }",
		 LISTED("n", "'IPAM':{'Driver':'custom','Options':{'a':'b','com.docker.network.ipam.serial':'true'},'"
			     "Config':[{'Subnet':'10.0.1.0/24'}]}," OURS)},
		{"{ external: true }", LISTED("n", DEFAULT_IPAM ",'Labels':{'x':'y'}")},
		{"{ external: true, name: bridge }", "{'Name':'bridge','Id':'01','Driver':'bridge','Attachable':true}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {0};
		_cleanup_free_ char *yaml = xasprintf("networks:\n  n: %s\n", cases[i][0]);
		_cleanup_free_ char *docs = xasprintf("{" MANAGER ",'engine/networks':[%s]}", cases[i][1]);
		fixture_load(&f, yaml, docs);
		fixture_run(&f, networks_only);
		expect_in_sync(&f, "network/n");
	}
}

/* The spec of one network n and the field in which the live one differs. */
static void differs(void **state)
{
	static const char *const cases[][3] = {
		{"{ attachable: true }", LISTED("n", OURS), "attachable"},
		{"{ internal: true }", LISTED("n", OURS), "internal"},
		{"{}", "{'Name':'n','Id':'01','Driver':'overlay','Attachable':true," OURS "}", "attachable"},
		{"{}", "{'Name':'n','Id':'01','Driver':'overlay','Options':{'encrypted':''}," OURS "}", "options"},
		{"{}", "{'Name':'n','Id':'01','Driver':'bridge'," OURS "}", "driver"},
		{"{}", LISTED("n", "'Labels':{'io.reconcile.cluster':'c','old':'x'}"), "labels"},
		{"{ labels: { a: b } }", LISTED("n", OURS), "labels"},
		{"{ ipam: { config: [{ subnet: 10.70.0.0/24 }] } }", LISTED("n", DEFAULT_IPAM "," OURS), "subnets"},
		{"{ ipam: { config: [{ subnet: 10.0.1.0/24, gateway: 10.0.1.9 }] } }",
		 LISTED("n", DEFAULT_IPAM "," OURS), "subnets"},
		{"{ ipam: { driver: custom } }", LISTED("n", DEFAULT_IPAM "," OURS), "ipam_driver"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {0};
		_cleanup_free_ char *yaml = xasprintf("networks:\n  n: %s\n", cases[i][0]);
		_cleanup_free_ char *docs = xasprintf("{" MANAGER ",'engine/networks':[%s]}", cases[i][1]);
		fixture_load(&f, yaml, docs);
		fixture_run(&f, networks_only);
		const json_t *want = want_of(&f, "network/n")->body, *live = live_of(&f, "network/n")->body;
		if (json_same(json_object_get(want, cases[i][2]), json_object_get(live, cases[i][2])))
			fail_msg("%s: %s does not differ", cases[i][0], cases[i][2]);
		assert_true(kind_field(&kind_network, cases[i][2])->flags & FIELD_REPLACES);
	}
}

/* A swarm's network that no manager has allocated says nothing of its driver, options and subnets. */
static void unallocated_is_unknown(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, "networks: { n: { driver_opts: { encrypted: \"\" } } }\n",
		     "{" MANAGER ",'engine/networks':[{'Name':'n','Id':'01','Scope':'swarm','Driver':'','Options':null,"
		     "'IPAM':{'Driver':'','Config':null}," OURS "}]}");
	fixture_run(&f, networks_only);
	assert_int_equal(live_of(&f, "network/n")->presence, UNKNOWN);
	expect_text(live_of(&f, "network/n")->blocked, "Swarm has not allocated network 'n'");
}

static void presence_and_ownership(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, "networks: { ours: {}, theirs: {}, others: {}, none: { name: nothing }, twice: {} }\n",
		     "{" MANAGER
		     ",'engine/networks':[" LISTED("ours", OURS) "," LISTED("theirs", "'Labels':{}") "," LISTED(
			     "others", "'Labels':{'io.reconcile.cluster':'another'}") ",{'Name':'twice','Id':'aa'},"
										      "{'Name':'twice','Id':'bb'}]}");
	fixture_run(&f, networks_only);
	assert_true(live_of(&f, "network/ours")->owned);
	assert_false(live_of(&f, "network/theirs")->owned);
	assert_false(live_of(&f, "network/others")->owned);
	assert_false(live_of(&f, "network/theirs")->ownable);
	assert_int_equal(live_of(&f, "network/none")->presence, ABSENT);
	assert_int_equal(live_of(&f, "network/twice")->presence, UNKNOWN);
	expect_text(live_of(&f, "network/twice")->blocked, "two networks named 'twice', aa and bb");
	assert_true(kind_network.adopts && kind_network.prunes);
}

static void leftovers_of_ours_only(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, "networks: { a: { name: b }, c: {} }\n",
		     "{" MANAGER
		     ",'engine/networks':[" LISTED("a", OURS) "," LISTED("b", OURS) "," LISTED("old", OURS) "," LISTED(
			     "theirs",
			     "'Labels':{}") "," LISTED("other",
						       "'Labels':{'io.reconcile.cluster':'x'}") "," LISTED("ingress",
													   OURS) "]}");
	fixture_run(&f, networks_only);
	assert_int_equal(resource_count(f.live), 4);
	assert_true(live_of(&f, "network/old")->owned);
	/* The spec's network/a is the engine's b: the engine's a must not take its place. */
	expect_body(live_of(&f, "network/a (0123456789ab)"), "{'name':'a'}");
	assert_string_equal(json_str(live_of(&f, "network/a")->body, "name"), "b");
}

static void unknown_without_a_manager(void **state)
{
	static const char *const cases[][2] = {
		{WORKER ",'engine/networks':[" LISTED("n", OURS) "]", "point DOCKER_HOST at a manager"},
		{MANAGER ",'engine/networks':{'unknown':'GET /networks: timeout'}", "GET /networks: timeout"},
		{"'engine/info':{'unknown':'refused'},'engine/networks':[]", "refused"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {0};
		_cleanup_free_ char *docs = xasprintf("{%s}", cases[i][0]);
		fixture_load(&f, "networks: { n: {} }\n", docs);
		fixture_run(&f, networks_only);
		assert_int_equal(live_of(&f, "network/n")->presence, UNKNOWN);
		expect_text(live_of(&f, "network/n")->blocked, cases[i][1]);
		assert_int_equal(resource_count(f.live), 1);
	}
}

static void absent_before_bootstrap(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, "networks: { n: {} }\n", "{" NO_SWARM ",'engine/networks':[{'Name':'bridge','Id':'1'}]}");
	fixture_run(&f, networks_only);
	assert_int_equal(live_of(&f, "network/n")->presence, ABSENT);
	assert_true(has_ref(want_of(&f, "network/n"), REF_REQUIRES, "swarm/c"));
}

static void predefined_are_not_touched(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, "networks: { ingress: {}, n: { name: docker_gwbridge } }\n",
		     "{" MANAGER ",'engine/networks':[]}");
	fixture_run(&f, networks_only);
	expect_text(want_of(&f, "network/ingress")->blocked, "'ingress' is the engine's own");
	expect_text(want_of(&f, "network/n")->blocked, "'docker_gwbridge' is the engine's own");
}

static void replaced_only_when_unused(void **state)
{
	static const char *const cases[][2] = {
		{"'engine/services':[],'engine/containers':[]", NULL},
		{"'engine/"
		 "services':[{'Spec':{'Name':'s','TaskTemplate':{'Networks':[{'Target':'0123456789abcdef'}]}}}],"
		 "'engine/containers':[{'Names':['/x'],'NetworkSettings':{'Networks':{'n':{}}}},"
		 "{'Names':['/s.1.abc'],'Labels':{'com.docker.swarm.task.id':'t'},"
		 "'NetworkSettings':{'Networks':{'n':{}}}},{'Names':['/y'],'NetworkSettings':{'Networks':{'m':{}}}}]",
		 "and service 's', container 'x' use it: declare a network of another name"},
		{"'engine/services':[{'Spec':{'Name':'s','TaskTemplate':{'Networks':[{'Target':'n'}]}}}],"
		 "'engine/containers':[]",
		 "service 's'"},
		{"'engine/services':[{'Spec':{'Name':'s','Networks':[{'Target':'n'}],'TaskTemplate':{}}}],"
		 "'engine/containers':[]",
		 "service 's'"},
		{"'engine/services':[],'engine/containers':{'unknown':'timeout'}", "is not known: timeout"},
		{"'engine/services':{'unknown':'503'},'engine/containers':[]", "is not known: 503"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {0};
		_cleanup_free_ char *docs =
			xasprintf("{" MANAGER ",'engine/networks':[" LISTED("n", OURS) "],%s}", cases[i][0]);
		struct change c;
		fixture_load(&f, "networks: { n: { attachable: true } }\n", docs);
		fixture_run(&f, networks_only);
		explain(&f, &kind_network, "network/n", ACTION_REPLACE, "attachable", &c);
		if (cases[i][1])
			expect_text(c.reason, cases[i][1]);
		else
			assert_int_equal(c.state, CHANGE_READY);
	}
}

static void cidr_text(void **state)
{
	static const char *const cases[][2] = {
		{"10.0.0.0/8", "10.0.0.0/8"},
		{"10.1.2.3/8", "10.0.0.0/8"},
		{"10.1.2.3", "10.1.2.3"},
		{"10.1.2.3/32", "10.1.2.3"},
		{"0.0.0.0/0", "0.0.0.0/0"},
		{"10.1.2.3/31", "10.1.2.2/31"},
		{"fd00:0:0:0::/64", "fd00::/64"},
		{"FD00::1", "fd00::1"},
		{"10.0.0.0/33", NULL},
		{"10.0.0.0/", NULL},
		{"10.0.0/8", NULL},
		{"host", NULL},
		{"10.0.0.0/8x", NULL},
		{"", NULL},
		{"fd00::/129", NULL},
		{"10.0.0.0/-1", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cidr c;
		char text[CIDR_TEXT_SIZE];
		bool ok = cidr_parse(cases[i][0], &c);
		if (ok != (cases[i][1] != NULL))
			fail_msg("%s: %d", cases[i][0], ok);
		if (!ok)
			continue;
		cidr_format(&c, text);
		assert_string_equal(text, cases[i][1]);
	}
}

static void cidr_within(void **state)
{
	static const struct {
		const char *net, *other;
		bool contains;
	} cases[] = {
		{"10.0.0.0/8", "10.255.0.1", true},      {"10.0.0.0/8", "11.0.0.1", false},
		{"10.64.0.0/14", "10.67.255.255", true}, {"10.64.0.0/14", "10.68.0.0", false},
		{"10.0.0.0/24", "10.0.0.0/8", false},    {"10.0.0.0/8", "fd00::1", false},
		{"fd00::/8", "fdff::1", true},           {"0.0.0.0/0", "1.2.3.4", true},
		{"10.0.0.1", "10.0.0.1", true},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct cidr a, b;
		assert_true(cidr_parse(cases[i].net, &a) && cidr_parse(cases[i].other, &b));
		if (cidr_contains(&a, &b) != cases[i].contains)
			fail_msg("%s in %s", cases[i].other, cases[i].net);
	}
}

/* The engine refuses a name that was free when it was looked at: a new plan finds out who made it, or that we did. */
static void made_meanwhile_is_looked_at_again(void **state)
{
	static const struct standin_rule rules[] = {
		PING_RULE,
		{.request = "POST /v1.41/networks/create",
		 .status = "409 Conflict",
		 .body = "{\"message\":\"network with name n already exists\"}"},
		{.request = "POST /v1.41/configs/create",
		 .status = "409 Conflict",
		 .body = "{\"message\":\"rpc error: code = AlreadyExists desc = config a already exists\"}"},
		{0},
	};
	static const struct {
		const struct kind *kind;
		const char *key;
	} cases[] = {{&kind_network, "network/n"}, {&kind_config, "config/a"}};
	static const struct kind *const kinds[] = {&kind_network, &kind_config, NULL};
	_cleanup_fixture_ struct fixture f = {0};
	struct standin s;
	(void)state;

	fixture_load(&f, "networks: { n: {} }\nconfigs: { a: { content: A } }\n",
		     "{" MANAGER
		     ",'engine/networks':[],'engine/configs':[],'engine/services':[],'engine/containers':[]}");
	fixture_run(&f, kinds);
	standin_start(&s, rules);
	struct cluster cluster = {.name = "c"};
	struct err err = {0};
	const struct engine_options eo = {.host = s.host, .config_dir = "/nonexistent"};
	assert_int_equal(engine_open(&eo, &cluster.engine, &err), 0);
	struct apply a = {.cluster = &cluster, .snap = f.snap, .want = f.want, .deadline = clock_ms() + 10000};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct change c = {
			.action = ACTION_CREATE, .kind = cases[i].kind, .desired = want_of(&f, cases[i].key)};
		assert_int_equal(c.kind->apply(&a, &c, &err), -1);
		assert_int_equal(err.code, ERR_OUT_OF_SEQUENCE);
	}
	engine_close(cluster.engine);
	standin_free(&s);
}

/* What cannot carry a label is adopted by its id in the shared state: on the engine there is nothing to do. */
static void adopting_writes_nothing(void **state)
{
	static const struct standin_rule rules[] = {PING_RULE, {0}};
	static const struct kind *const kinds[] = {&kind_network, &kind_volume, NULL};
	static const char *const keys[] = {"network/n", "volume/v"};
	_cleanup_fixture_ struct fixture f = {0};
	struct standin s;
	(void)state;

	fixture_load(
		&f, "networks: { n: {} }\nvolumes: { v: {} }\n",
		"{" MANAGER ",'engine/networks':[" LISTED(
			"n", DEFAULT_IPAM) "],'engine/volumes':{'Volumes':[{'Name':'v','Driver':'local'}]},'engine/"
					   "services':[],"
					   "'engine/containers':[]}");
	fixture_run(&f, kinds);
	standin_start(&s, rules);
	struct cluster cluster = {.name = "c"};
	struct err err = {0};
	const struct engine_options eo = {.host = s.host, .config_dir = "/nonexistent"};
	assert_int_equal(engine_open(&eo, &cluster.engine, &err), 0);
	struct apply a = {.cluster = &cluster, .snap = f.snap, .want = f.want, .deadline = clock_ms() + 10000};
	for (size_t i = 0; i < ARRAY_SIZE(keys); i++) {
		const struct change c = {.action = ACTION_ADOPT,
					 .kind = kinds[i],
					 .desired = want_of(&f, keys[i]),
					 .live = live_of(&f, keys[i])};
		assert_non_null(c.live->id);
		assert_false(c.live->ownable);
		assert_int_equal(c.kind->apply(&a, &c, &err), 0);
	}
	engine_close(cluster.engine);
	standin_stop(&s);
	assert_null(strstr(str_cstr(&s.log), "POST"));
	assert_null(strstr(str_cstr(&s.log), "DELETE"));
	standin_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made_meanwhile_is_looked_at_again),
		cmocka_unit_test(adopting_writes_nothing),
		cmocka_unit_test(in_sync),
		cmocka_unit_test(differs),
		cmocka_unit_test(unallocated_is_unknown),
		cmocka_unit_test(presence_and_ownership),
		cmocka_unit_test(leftovers_of_ours_only),
		cmocka_unit_test(unknown_without_a_manager),
		cmocka_unit_test(absent_before_bootstrap),
		cmocka_unit_test(predefined_are_not_touched),
		cmocka_unit_test(replaced_only_when_unused),
		cmocka_unit_test(cidr_text),
		cmocka_unit_test(cidr_within),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
