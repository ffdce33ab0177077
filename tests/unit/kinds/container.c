#include "kinds/container.h"
#include "kinds/cluster.h"
#include "kinds/kinds.h"
#include "kinds/node_engine.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static json_t *parse(const char *text)
{
	json_t *j;
	struct err err;
	if (json_parse(text, strlen(text), &j, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static struct snapshot *snapshot_of(const char *text)
{
	_cleanup_json_ json_t *j = parse(text);
	struct snapshot *s;
	struct err err;
	if (snapshot_from_json(j, &s, &err) < 0)
		fail_msg("%s", err.msg);
	return s;
}

/* ---- where a container is looked for ---- */

static const struct {
	const char *what, *snapshot;
	enum presence presence;
	const char *why;
} lookups[] = {
	{"there",
	 "{\"host/n\":{\"hostname\":\"h\"},\"engine/info\":{\"Name\":\"h\"},\"engine/container/x\":{\"Name\":\"/"
	 "x\",\"Id\":\"1\"}}",
	 PRESENT, NULL},
	{"there, host name not known", "{\"host/n\":{},\"engine/container/x\":{\"Name\":\"/x\",\"Id\":\"1\"}}", PRESENT,
	 NULL},
	{"not there", "{\"host/n\":{},\"engine/container/x\":null}", ABSENT, NULL},
	{"an id that begins so", "{\"host/n\":{},\"engine/container/x\":{\"Name\":\"/y\",\"Id\":\"x1\"}}", ABSENT,
	 NULL},
	{"engine down", "{\"host/n\":{},\"engine/container/x\":{\"unknown\":\"GET /containers/x/json: refused\"}}",
	 UNKNOWN, "GET /containers/x/json: refused"},
	{"another machine",
	 "{\"host/n\":{\"unknown\":\"node 'n' (10.0.0.80) is not this machine\"},\"engine/container/x\":null}", UNKNOWN,
	 "node 'n' (10.0.0.80) is not this machine"},
	{"another machine's engine",
	 "{\"host/n\":{\"hostname\":\"h\"},\"engine/info\":{\"Name\":\"far\"},\"engine/container/x\":{\"Name\":\"/"
	 "x\"}}",
	 UNKNOWN, "the engine in use runs on 'far', node 'n' is 'h'"},
	{"nothing known", "{}", UNKNOWN, "it was not looked at"},
	{"on another node, seen by its probe, whatever the engine in use has",
	 "{\"host/n\":{\"hostname\":\"h\"},\"engine/info\":{\"Name\":\"far\"},\"engine/container/x\":null,"
	 "\"host/n/containers/x/json\":{\"Name\":\"/x\"}}",
	 PRESENT, NULL},
	{"not on that other node",
	 "{\"host/n\":{\"hostname\":\"h\"},\"engine/container/x\":{\"Name\":\"/x\"},\"host/n/containers/x/json\":null}",
	 ABSENT, NULL},
	{"its engine is down",
	 "{\"host/n\":{\"hostname\":\"h\"},\"engine/container/x\":{\"Name\":\"/x\"},"
	 "\"host/n/containers/x/json\":{\"unknown\":\"node 'n': the engine does not answer\"}}",
	 UNKNOWN, "node 'n': the engine does not answer"},
};

static void test_find(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(lookups); i++) {
		struct snapshot *s = snapshot_of(lookups[i].snapshot);
		const json_t *inspect = NULL;
		_cleanup_free_ char *why = NULL;
		enum presence p = container_find(s, "n", "x", &inspect, &why);
		if (p != lookups[i].presence || (p == PRESENT) != (inspect != NULL) || (p == UNKNOWN) != (why != NULL))
			fail_msg("%s: %d %s", lookups[i].what, p, why ? why : "-");
		if (why && !str_starts(why, lookups[i].why))
			fail_msg("%s: %s", lookups[i].what, why);
		snapshot_free(s);
	}
}

static void test_find_anywhere(void **state)
{
	(void)state;
	struct snapshot *s = snapshot_of("{\"engine/container/x\":{\"Name\":\"/x\"}}");
	const json_t *inspect = NULL;
	char *why;
	assert_int_equal(container_find(s, NULL, "x", &inspect, &why), PRESENT);
	assert_null(why);
	snapshot_free(s);
}

/* ---- what is asked for, and what becomes of the answers ---- */

static void test_wants(void **state)
{
	(void)state;
	struct wants *w = wants_new();

	w->engine_node = "here";
	want_container_of(w, "here", "a");
	want_container_of(w, NULL, "b");
	want_container_of(w, "there", "c d");
	want_container_of(w, "there", "c d");
	assert_int_equal(w->containers.n, 2);
	assert_int_equal(w->hosts.n, 1);
	assert_string_equal(w->hosts.v[0].node, "there");
	assert_int_equal(w->hosts.v[0].looks.n, 1);
	assert_string_equal(w->hosts.v[0].looks.v[0], "docker /containers/c%20d/json");
	wants_free(w);

	/* DOCKER_HOST leads somewhere else: the node's own engine is asked through the node. */
	w = wants_new();
	want_container_of(w, "here", "a");
	assert_int_equal(w->containers.n, 0);
	assert_int_equal(w->hosts.n, 1);
	wants_free(w);
}

static void test_fetch(void **state)
{
	(void)state;
	struct snapshot *s = snapshot_of(
		"{\"host/n\":{\"hostname\":\"h\",\"looks\":{\"docker "
		"/containers/x/json\":\"{\\\"Name\\\":\\\"/x\\\"}\","
		"\"docker /containers/gone/json\":null,\"docker /containers/bad/json\":\"{\","
		"\"docker /containers/dead/json\":{\"error\":\"the engine does not answer\"},\"clock\":\"12\\n\"}}}");
	struct host *h;
	struct err err = {0};
	const json_t *inspect = NULL;
	char *why;

	assert_int_equal(host_open(&(struct host_options){.node = "n", .address = "192.0.2.1"}, &h, &err), 0);
	struct cluster cluster = {.hosts = &h, .n_hosts = 1};
	struct fetch f = {.cluster = &cluster, .snap = s};
	assert_int_equal(kind_container.fetch(&f, &err), 0);
	assert_int_equal(container_find(s, "n", "x", &inspect, &why), PRESENT);
	assert_string_equal(json_str(inspect, "Name"), "/x");
	assert_int_equal(container_find(s, "n", "gone", &inspect, &why), ABSENT);
	assert_int_equal(container_find(s, "n", "bad", &inspect, &why), UNKNOWN);
	assert_non_null(strstr(why, "node 'n': GET /containers/bad/json"));
	free(why);
	assert_int_equal(container_find(s, "n", "dead", &inspect, &why), UNKNOWN);
	assert_string_equal(why, "node 'n': GET /containers/dead/json: the engine does not answer");
	free(why);
	assert_int_equal(node_clock(s, "n"), 12);
	host_close(h);
	snapshot_free(s);
}

/* ---- observe and explain ---- */

#define HERE "\"host/n\":{},"
#define LISTS \
	"\"engine/networks\":[{\"Name\":\"bridge\",\"Id\":\"b1\",\"Driver\":\"bridge\"}," \
	"{\"Name\":\"ov\",\"Id\":\"o1\",\"Driver\":\"overlay\",\"Attachable\":true}," \
	"{\"Name\":\"closed\",\"Id\":\"c1\",\"Driver\":\"overlay\",\"Attachable\":false}]"

#define CONTAINER(running, mode, networks) \
	"{" HERE "\"engine/container/x\":{\"Name\":\"/x\",\"Id\":\"1\",\"State\":{\"Running\":" running "}," \
	"\"HostConfig\":{\"NetworkMode\":\"" mode "\"},\"NetworkSettings\":{\"Networks\":{" networks "}}}," LISTS "}"

static const struct {
	const char *what, *snapshot;
	const char *wanted;   /* a network's name in the engine */
	const char *declared; /* body of network/own; NULL: not in the spec */
	const char *live;     /* the live body */
	const char *reason, *effect;
} explanations[] = {
	{"joins", CONTAINER("true", "bridge", "\"bridge\":{}"), "ov", NULL, "{\"networks\":{\"bridge\":true}}", NULL,
	 "connected while it runs; no restart"},
	{"stopped", CONTAINER("false", "bridge", "\"bridge\":{}"), "ov", NULL, "{\"networks\":{\"bridge\":true}}", NULL,
	 "it does not run: attached when it starts"},
	{"known by id", CONTAINER("true", "bridge", "\"bridge\":{},\"o1\":{}"), "ov", NULL,
	 "{\"networks\":{\"bridge\":true,\"ov\":true}}", NULL, "connected while it runs; no restart"},
	{"local network", CONTAINER("true", "ov", "\"ov\":{}"), "bridge", NULL, "{\"networks\":{\"ov\":true}}", NULL,
	 "connected while it runs; no restart"},
	{"network comes in this pass", CONTAINER("true", "bridge", ""), "own",
	 "{\"name\":\"own\",\"driver\":\"overlay\",\"attachable\":true}", "{\"networks\":{}}", NULL,
	 "connected while it runs; no restart"},
	{"declared, not attachable", CONTAINER("true", "bridge", ""), "own",
	 "{\"name\":\"own\",\"driver\":\"overlay\"}", "{\"networks\":{}}",
	 "network 'own' takes tasks of services only: give it 'attachable: true'", NULL},
	{"live, not attachable", CONTAINER("true", "bridge", ""), "closed", NULL, "{\"networks\":{}}",
	 "network 'closed' takes tasks of services only: give it 'attachable: true'", NULL},
	{"unknown network", CONTAINER("true", "bridge", ""), "none", NULL, "{\"networks\":{}}",
	 "network 'none' does not exist and the spec does not declare it", NULL},
	{"host's network", CONTAINER("true", "host", "\"host\":{}"), "ov", NULL, "{\"networks\":{\"host\":true}}",
	 "container 'x' runs with network mode 'host' and cannot join a network", NULL},
	{"another's network", CONTAINER("true", "container:abc", ""), "ov", NULL, "{\"networks\":{}}",
	 "container 'x' runs with network mode 'container:abc' and cannot join a network", NULL},
	{"not there", "{" HERE "\"engine/container/x\":null," LISTS "}", "ov", NULL, "{}",
	 "container 'x' is not there; the spec expects it on node n: start it, or correct the spec", NULL},
};

static void test_explain(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(explanations); i++) {
		struct snapshot *snap = snapshot_of(explanations[i].snapshot);
		struct resource_set *want = resource_set_new(), *live = resource_set_new();
		struct resource *r = resource_add(want, "container", "x");
		struct observe o = {.cluster = "c", .snap = snap, .want = want, .out = live};
		_cleanup_json_ json_t *body = parse(explanations[i].live);
		struct arena *a = arena_new();
		struct err err;

		r->node = "n";
		resource_set_field(want, r, "networks", json_pack("{s:b}", explanations[i].wanted, 1),
				   (struct mark){0});
		if (explanations[i].declared) {
			_cleanup_json_ json_t *network = parse(explanations[i].declared);
			json_object_update(resource_add(want, "network", "own")->body, network);
		}
		assert_int_equal(kind_container.observe(&o, &err), 0);
		const struct resource *seen = resource_find(live, "container", "x");
		assert_non_null(seen);
		if (!json_same(seen->body, body))
			fail_msg("%s: observed otherwise", explanations[i].what);
		assert_false(seen->ownable);

		struct change c = {.action = ACTION_UPDATE, .key = "container/x", .desired = r, .live = seen};
		kind_container.explain(&o, a, &c);
		if (!str_eq(c.reason, explanations[i].reason) || !str_eq(c.effect, explanations[i].effect) ||
		    (c.state == CHANGE_BLOCKED) != (explanations[i].reason != NULL))
			fail_msg("%s: %s / %s", explanations[i].what, c.reason ? c.reason : "-",
				 c.effect ? c.effect : "-");
		arena_free(a);
		resource_set_free(want);
		resource_set_free(live);
		snapshot_free(snap);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_find),          cmocka_unit_test(test_wants),   cmocka_unit_test(test_fetch),
		cmocka_unit_test(test_find_anywhere), cmocka_unit_test(test_explain),
	};
	json_init();
	return cmocka_run_group_tests_name("kinds/container", tests, NULL, NULL);
}
