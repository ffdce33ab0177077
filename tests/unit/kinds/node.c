/* Nodes: who is who, whose labels are ours, and what must not be taken away. */
#include "swarmtest.h"

#include "kinds/node.h"

static const struct kind *const nodes_only[] = {&kind_node, NULL};
static const struct kind *const swarm_and_nodes[] = {&kind_swarm, &kind_node, NULL};

#define SWARM "swarm: { default_addr_pool: [10.64.0.0/14] }\n"
#define ENTRY(id, host, addr, role, availability, labels) \
	"{'ID':'" id "','Version':{'Index':7},'Description':{'Hostname':'" host "'},'Status':{'Addr':'" addr \
	"','State':'ready'},'Spec':{'Role':'" role "','Availability':'" availability "','Labels':{" labels "}}"
#define REACHABLE ",'ManagerStatus':{'Reachability':'reachable','Addr':'10.9.0.1:2377'}}"

static void in_sync(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f,
		     SWARM "nodes:\n  m1: { address: 10.9.0.1, role: manager, labels: { a: \"1\", b.c: \"\" } }\n"
			   "  w1: { address: 10.9.0.2, availability: drain }\n",
		     "{" MANAGER ",'engine/nodes':["
		     /* a label of another tool, and one of the same key as ours elsewhere */
		     ENTRY("n1", "m1", "0.0.0.0", "manager", "active", "'a':'1','b.c':'','theirs':'x'") REACHABLE
		     "," ENTRY("n2", "whatever", "10.9.0.2", "worker", "drain", "'theirs':'y'") "}]}");
	fixture_run(&f, nodes_only);
	expect_in_sync(&f, "node/m1");
	expect_in_sync(&f, "node/w1");
	expect_body(want_of(&f, "node/w1"), "{'address':'10.9.0.2','availability':'drain','role':'worker'}");
	assert_string_equal(live_of(&f, "node/m1")->id, "n1");
	assert_int_equal(live_of(&f, "node/m1")->version, 7);
	assert_true(live_of(&f, "node/m1")->owned);
	assert_null(want_of(&f, "node/w1")->blocked);
	assert_true(has_ref(want_of(&f, "node/m1"), REF_REQUIRES, "swarm/c"));
}

static void our_keys_are_ours_on_every_node(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f,
		     SWARM "nodes:\n  m1: { address: 10.9.0.1, role: manager, labels: { gpu: \"1\" } }\n"
			   "  w1: { address: 10.9.0.2 }\n",
		     "{" MANAGER ",'engine/nodes':[" ENTRY("n1", "m1", "10.9.0.1", "manager", "active", "") REACHABLE
		     "," ENTRY("n2", "w1", "10.9.0.2", "worker", "active", "'gpu':'1','theirs':'y'") "}]}");
	fixture_run(&f, nodes_only);
	expect_body(live_of(&f, "node/w1"),
		    "{'address':'10.9.0.2','availability':'active','labels':{'gpu':'1'},'role':'worker'}");
	expect_body(want_of(&f, "node/w1"), "{'address':'10.9.0.2','availability':'active','role':'worker'}");
}

#define OWN(state, id) "{'Swarm':{'LocalNodeState':'" state "','NodeID':'" id "'}}"
#define UNSEEN "{'unknown':'no route to host'}"

/* The list of 'engine/nodes' and who the spec's w1 (10.9.0.2) or m1 (10.9.0.1, hostname m1) is in it. */
static void identity(void **state)
{
	static const struct {
		const char *what, *address, *hostname, *nodes, *info;
		enum node_found found;
		const char *id, *why;
	} cases[] = {
		{"by the address it joined with", "10.9.0.2", NULL,
		 ENTRY("n2", "x", "10.9.0.2", "worker", "active", "") "}", UNSEEN, NODE_FOUND, "n2", NULL},
		{"not a prefix of an address", "10.9.0.2", NULL,
		 ENTRY("n2", "x", "10.9.0.22", "worker", "active", "") "}", UNSEEN, NODE_NOT_FOUND, NULL, NULL},
		{"a manager that reports 0.0.0.0", "10.9.0.3", NULL,
		 ENTRY("n3", "x", "0.0.0.0", "manager", "active", "") ",'ManagerStatus':{'Addr':'10.9.0.3:2377'}}",
		 UNSEEN, NODE_FOUND, "n3", NULL},
		{"another hostname", "10.9.0.2", "w1", ENTRY("n2", "x", "10.9.0.2", "worker", "active", "") "}", UNSEEN,
		 NODE_NOT_FOUND, NULL, NULL},
		{"joined twice", "10.9.0.2", NULL,
		 ENTRY("n2", "x", "10.9.0.2", "worker", "active", "") "}," ENTRY("n3", "x", "10.9.0.2", "worker",
										 "active", "") "}",
		 UNSEEN, NODE_AMBIGUOUS, NULL, "n2 (ready), n3 (ready); remove the one that is gone"},
		{"two on one address, told apart by hostname", "10.9.0.2", "b",
		 ENTRY("n2", "a", "10.9.0.2", "worker", "active", "") "}," ENTRY("n3", "b", "10.9.0.2", "worker",
										 "active", "") "}",
		 UNSEEN, NODE_FOUND, "n3", NULL},
		{"the engine's own, by its NodeID", "10.9.0.1", NULL,
		 ENTRY("n1", "m1", "0.0.0.0", "manager", "active", "") "}", UNSEEN, NODE_FOUND, "n1", NULL},
		{"by its own NodeID, whatever its address", "127.0.0.1", NULL,
		 ENTRY("n1", "m1", "10.9.0.1", "manager", "active", "") "}", OWN("active", "n1"), NODE_FOUND, "n1",
		 NULL},
		{"by its own NodeID, not by its address", "10.9.0.2", "w1",
		 ENTRY("n2", "w1", "10.9.0.2", "worker", "active", "") "}," ENTRY("n3", "w1", "10.9.0.2", "worker",
										  "active", "") "}",
		 OWN("active", "n3"), NODE_FOUND, "n3", NULL},
		{"in another swarm, with an address of this one", "10.9.0.2", NULL,
		 ENTRY("n2", "x", "10.9.0.2", "worker", "active", "") "}", OWN("active", "x9"), NODE_NOT_FOUND, NULL,
		 NULL},
		{"in no swarm, with an address of this one: it was rebuilt", "10.9.0.2", NULL,
		 ENTRY("n2", "x", "10.9.0.2", "worker", "active", "") "}", OWN("inactive", ""), NODE_NOT_FOUND, NULL,
		 NULL},
		{"locked, and its engine does not say who it is", "10.9.0.2", NULL,
		 ENTRY("n2", "x", "10.9.0.2", "worker", "active", "") "}", OWN("locked", ""), NODE_FOUND, "n2", NULL},
		{"no engine runs there now", "10.9.0.2", NULL, ENTRY("n2", "x", "10.9.0.2", "worker", "active", "") "}",
		 "null", NODE_FOUND, "n2", NULL},
		{"an address that only another node has", "127.0.0.1", NULL,
		 ENTRY("n1", "m1", "10.9.0.1", "manager", "active", "") "}", UNSEEN, NODE_NOT_FOUND, NULL, NULL},
		{"rebuilt, and not reachable: the entry that is up", "10.9.0.2", NULL,
		 "{'ID':'n2','Status':{'Addr':'10.9.0.2','State':'down'}},{'ID':'n3','Status':{'Addr':'10.9.0.2','"
		 "State':"
		 "'ready'}}",
		 UNSEEN, NODE_FOUND, "n3", NULL},
		{"a list that is not known", "10.9.0.2", NULL, NULL, UNSEEN, NODE_UNSEEN, NULL, "GET /nodes: refused"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *list = cases[i].nodes ? xasprintf("[%s]", cases[i].nodes)
							   : xstrdup("{'unknown':'GET /nodes: refused'}");
		_cleanup_free_ char *text =
			xasprintf("{" MANAGER ",'engine/nodes':%s,'info/n':%s}", list, cases[i].info);
		_cleanup_json_ json_t *docs = json_of(text);
		_cleanup_free_ char *why = NULL;
		struct node_id id = {.name = "n", .address = cases[i].address, .hostname = cases[i].hostname};
		const json_t *entry = NULL;
		struct snapshot *snap;
		struct err err;

		assert_int_equal(snapshot_from_json(docs, &snap, &err), 0);
		enum node_found found = node_find(snap, &id, &entry, &why);
		if (found != cases[i].found || !str_eq(json_str(entry, "ID"), cases[i].id))
			fail_msg("%s: %d %s", cases[i].what, found, why ? why : "");
		if (cases[i].why)
			expect_text(why, cases[i].why);
		snapshot_free(snap);
	}
}

static void not_joined(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};
	struct change c;

	(void)state;
	fixture_load(&f,
		     SWARM "nodes:\n  m1: { address: 10.9.0.1, role: manager }\n  w1: { address: 10.9.0.2 }\n"
			   "  w2: { address: 10.9.0.3, optional: true }\n  w3: { address: w3.lan }\n",
		     "{" MANAGER ",'engine/networks':[],'engine/nodes':[" ENTRY("n1", "m1", "10.9.0.1", "manager",
										"active", "") REACHABLE
		     "],'info/w1':" OWN("inactive", "") ",'info/w2':" UNSEEN ",'info/w3':" OWN("inactive", "") "}");
	fixture_run(&f, swarm_and_nodes);
	assert_int_equal(live_of(&f, "node/w1")->presence, ABSENT);
	assert_true(has_ref(want_of(&f, "node/w1"), REF_REQUIRES, "swarm/c@w1"));
	assert_null(want_of(&f, "node/w1")->blocked);
	assert_int_equal(live_of(&f, "swarm/c@w1")->presence, ABSENT);
	assert_null(want_of(&f, "swarm/c@w1")->blocked);
	assert_true(has_ref(want_of(&f, "swarm/c@w1"), REF_REQUIRES, "swarm/c"));
	expect_body(want_of(&f, "swarm/c@w1"), "{'address':'10.9.0.2','role':'worker'}");
	explain(&f, &kind_swarm, "swarm/c@w1", ACTION_CREATE, "address", &c);
	assert_string_equal(c.effect, "joins the swarm as worker");
	assert_int_equal(live_of(&f, "swarm/c@w2")->presence, UNKNOWN);
	expect_text(live_of(&f, "swarm/c@w2")->blocked, "its engine cannot be asked: no route to host");
	expect_text(want_of(&f, "swarm/c@w3")->blocked, "has to be an IP address, not 'w3.lan'");
	/* Who is in has nothing to join. */
	assert_null(resource_find_key(f.want, "swarm/c@m1"));
	assert_false(has_ref(want_of(&f, "node/m1"), REF_REQUIRES, "swarm/c@m1"));
}

static void before_bootstrap(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(
		&f,
		SWARM "nodes:\n  m0: { address: 10.9.0.4, role: manager, optional: true }\n"
		      "  m1: { address: 10.9.0.1, role: manager }\n  m2: { address: 10.9.0.3, role: manager }\n"
		      "  w1: { address: 10.9.0.2 }\n",
		"{" NO_SWARM
		",'run/options':{'may_init':true,'engine_node':'m1'},'info/m1':" OWN("inactive", "") ",'info/m2':" OWN(
			"inactive", "") ",'info/w1':" OWN("inactive", "") ",'info/m0':" UNSEEN "}");
	fixture_run(&f, swarm_and_nodes);
	assert_null(want_of(&f, "swarm/c")->blocked);
	assert_string_equal(json_str(want_of(&f, "swarm/c")->body, "advertise_addr"), "10.9.0.1");
	assert_null(resource_find_key(f.want, "swarm/c@m1")); /* it is in with the swarm's creation */
	assert_int_equal(live_of(&f, "node/m1")->presence, ABSENT);
	assert_null(want_of(&f, "node/m1")->blocked);
	assert_int_equal(live_of(&f, "swarm/c@w1")->presence, ABSENT);
	assert_int_equal(live_of(&f, "swarm/c@m2")->presence, ABSENT);
	assert_int_equal(live_of(&f, "swarm/c@m0")->presence, UNKNOWN);
	assert_true(has_ref(want_of(&f, "swarm/c@m2"), REF_ORDER, "swarm/c@m1"));
	assert_true(has_ref(want_of(&f, "swarm/c@w1"), REF_REQUIRES, "swarm/c"));
}

static void dead_managers_are_demoted_first(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f,
		     SWARM "nodes:\n  m1: { address: 10.9.0.1, role: manager }\n  m2: { address: 10.9.0.2 }\n"
			   "  m3: { address: 10.9.0.3 }\n",
		     "{" MANAGER ",'engine/nodes':[" ENTRY("n1", "m1", "10.9.0.1", "manager", "active", "") REACHABLE
		     "," ENTRY("n2", "m2", "10.9.0.2", "manager", "active",
			       "") ",'ManagerStatus':{'Reachability':'reachable','Addr':'10.9.0.2:"
				   "2377'}}," ENTRY("n3", "m3", "10.9.0.3", "manager", "active",
						    "") ",'ManagerStatus':{'Reachability':'"
							"unreachable','Addr':'10.9.0.3:2377'}}]}");
	fixture_run(&f, nodes_only);
	assert_true(has_ref(want_of(&f, "node/m2"), REF_ORDER, "node/m3"));
	assert_true(has_ref(want_of(&f, "node/m2"), REF_ORDER, "node/m1"));
	assert_false(has_ref(want_of(&f, "node/m3"), REF_ORDER, "node/m2"));
}

#define WITH_MOUNT \
	SWARM "nodes:\n  m1: { address: 10.9.0.1, role: manager, labels: { %s } }\n" \
	      "  w1: { address: 10.9.0.2, labels: { data: \"true\" } }\n" \
	      "nfs: { d: { server: w1, path: /srv/d, mount: { path: /srv/d, nodes: [m1] } } }\n" \
	      "services: { s: { image: 'x:1', deploy: { placement: { constraints: [node.labels.data == true] } } } " \
	      "}\n"

static void labels_wait_for_mounts(void **state)
{
	static const struct {
		const char *labels, *live;
		bool waits;
	} cases[] = {
		{"data: \"true\"", "", true},
		{"data: \"true\"", "'data':'false'", true},
		{"data: \"true\"", "'data':'true'", false},           /* it has it: nothing hangs on the mount */
		{"data: \"true\", x: \"1\"", "'data':'true'", false}, /* nothing is placed by x */
		{"database: \"true\"", "", false},                    /* nor by what only begins like it */
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {0};
		_cleanup_free_ char *yaml = xasprintf(WITH_MOUNT, cases[i].labels);
		_cleanup_free_ char *docs = xasprintf(
			"{" MANAGER ",'engine/nodes':[" ENTRY("n1", "m1", "10.9.0.1", "manager", "active", "%s") "}]}",
			cases[i].live);
		fixture_load(&f, yaml, docs);
		fixture_run(&f, nodes_only);
		if (has_ref(want_of(&f, "node/m1"), REF_REQUIRES, "mount/d@m1") != cases[i].waits)
			fail_msg("%s on %s", cases[i].labels, cases[i].live);
		assert_false(has_ref(want_of(&f, "node/w1"), REF_REQUIRES, "mount/d@w1"));
	}
}

static void taking_a_label_away_evicts(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};
	struct change c;

	(void)state;
	fixture_load(
		&f,
		SWARM "nodes:\n  m1: { address: 10.9.0.1, role: manager, labels: { gpu: \"1\", x: \"1\" } }\n"
		      "  w1: { address: 10.9.0.2 }\n  w2: { address: 10.9.0.3 }\n",
		"{" MANAGER ",'engine/nodes':[" ENTRY("n1", "m1", "10.9.0.1", "manager", "active", "") REACHABLE
		"," ENTRY("n2", "w1", "10.9.0.2", "worker", "active", "'gpu':'1'") "}," ENTRY(
			"n3", "w2", "10.9.0.3", "worker", "active",
			"'x':'1'") "}],"
				   "'engine/services':[{'Spec':{'Name':'ml','TaskTemplate':{'Placement':{'Constraints':"
				   "['node.labels.gpu==1']}}}}]}");
	fixture_run(&f, nodes_only);
	explain(&f, &kind_node, "node/w1", ACTION_UPDATE, "labels", &c);
	assert_int_equal(c.disruption, DISRUPTS_EVICT);
	expect_text(c.effect, "service 'ml' is placed by label 'gpu'");
	explain(&f, &kind_node, "node/w2", ACTION_UPDATE, "labels", &c);
	assert_int_equal(c.disruption, DISRUPTS_NOTHING);
	explain(&f, &kind_node, "node/m1", ACTION_UPDATE, "labels", &c); /* adding one */
	assert_int_equal(c.disruption, DISRUPTS_NOTHING);
}

static void draining_evicts(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};
	struct change c;

	(void)state;
	fixture_load(&f,
		     SWARM "nodes:\n  m1: { address: 10.9.0.1, role: manager, availability: pause }\n"
			   "  w1: { address: 10.9.0.2, availability: drain }\n",
		     "{" MANAGER ",'engine/nodes':[" ENTRY("n1", "m1", "10.9.0.1", "manager", "active", "") REACHABLE
		     "," ENTRY("n2", "w1", "10.9.0.2", "worker", "active", "") "}]}");
	fixture_run(&f, nodes_only);
	explain(&f, &kind_node, "node/w1", ACTION_UPDATE, "availability", &c);
	assert_int_equal(c.disruption, DISRUPTS_EVICT);
	expect_text(c.effect, "all tasks on this node");
	explain(&f, &kind_node, "node/m1", ACTION_UPDATE, "availability", &c);
	assert_int_equal(c.disruption, DISRUPTS_NOTHING);
}

#define UNREACHABLE ",'ManagerStatus':{'Reachability':'unreachable'}}"

static void demotion_keeps_a_majority(void **state)
{
	static const struct {
		const char *what, *roles[3], *status[3];
		const char *blocked[3]; /* NULL: may be demoted, or stays */
	} cases[] = {
		{"one of three",
		 {"manager", "worker", "manager"},
		 {REACHABLE, REACHABLE, REACHABLE},
		 {NULL, NULL, NULL}},
		{"two of three",
		 {"manager", "worker", "worker"},
		 {REACHABLE, REACHABLE, REACHABLE},
		 {NULL, NULL, NULL}},
		{"the reachable one of two others",
		 {"manager", "worker", "manager"},
		 {REACHABLE, REACHABLE, UNREACHABLE},
		 {NULL, "2 managers, 1 of them reachable", NULL}},
		{"the dead one",
		 {"manager", "manager", "worker"},
		 {REACHABLE, REACHABLE, UNREACHABLE},
		 {NULL, NULL, NULL}},
		{"the one that we talk to",
		 {"worker", "manager", "manager"},
		 {REACHABLE, REACHABLE, REACHABLE},
		 {"point DOCKER_HOST at another manager", NULL, NULL}},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {0};
		_cleanup_str_ struct str yaml = {0}, docs = {0};

		str_adds(&yaml, SWARM "nodes:\n");
		str_adds(&docs, "{" MANAGER ",'engine/nodes':[");
		for (int n = 0; n < 3; n++) {
			str_addf(&yaml, "  n%d: { address: 10.9.0.%d, role: %s }\n", n + 1, n + 1, cases[i].roles[n]);
			str_addf(&docs,
				 "%s{'ID':'n%d','Status':{'Addr':'10.9.0.%d'},'Spec':{'Role':'manager',"
				 "'Availability':'active'}%s",
				 n ? "," : "", n + 1, n + 1, cases[i].status[n]);
		}
		str_adds(&docs, "]}");
		fixture_load(&f, str_cstr(&yaml), str_cstr(&docs));
		fixture_run(&f, nodes_only);
		for (int n = 0; n < 3; n++) {
			char key[16];
			struct change c;
			snprintf(key, sizeof(key), "node/n%d", n + 1);
			if (strcmp(cases[i].roles[n], "manager") == 0)
				continue;
			explain(&f, &kind_node, key, ACTION_UPDATE, "role", &c);
			if (cases[i].blocked[n])
				expect_text(c.reason, cases[i].blocked[n]);
			else if (c.state == CHANGE_BLOCKED)
				fail_msg("%s: %s", cases[i].what, c.reason);
		}
	}
}

static void the_last_manager_stays(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};
	struct change c;

	(void)state;
	/* m1 is to be promoted first, m2 is the only manager; another engine answers. */
	fixture_load(&f, SWARM "nodes:\n  m1: { address: 10.9.0.1, role: manager }\n  m2: { address: 10.9.0.2 }\n",
		     "{'engine/info':{'Swarm':{'NodeID':'n3','LocalNodeState':'active','ControlAvailable':true}},"
		     "'engine/nodes':[" ENTRY("n1", "m1", "10.9.0.1", "worker", "active", "") "}," ENTRY(
			     "n2", "m2", "10.9.0.2", "manager", "active", "") REACHABLE "]}");
	fixture_run(&f, nodes_only);
	explain(&f, &kind_node, "node/m2", ACTION_UPDATE, "role", &c);
	expect_text(c.reason, "0 managers, 0 of them reachable");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(in_sync),
		cmocka_unit_test(our_keys_are_ours_on_every_node),
		cmocka_unit_test(identity),
		cmocka_unit_test(not_joined),
		cmocka_unit_test(before_bootstrap),
		cmocka_unit_test(dead_managers_are_demoted_first),
		cmocka_unit_test(labels_wait_for_mounts),
		cmocka_unit_test(taking_a_label_away_evicts),
		cmocka_unit_test(draining_evicts),
		cmocka_unit_test(demotion_keeps_a_majority),
		cmocka_unit_test(the_last_manager_stays),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
