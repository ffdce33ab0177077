#include "kinds/check/check.h"

#include "../client/traefik_standin.h"
#include "kinds/cluster.h"
#include "sys/clock.h"

#include "fixture.h"

#include <stdlib.h>

#define HEAD "version: 1\ncluster: lab\nnodes:\n  gmktec: { address: 127.0.0.1, role: manager }\n"
#define SNAP "{'host/gmktec': {}}"

/* kind_check needs what it refers to: networks and services are decoded before it. */
static struct fixture open_checks(const char *yaml)
{
	struct fixture f = {.spec = fixture_spec(yaml),
			    .snap = fixture_snapshot(SNAP),
			    .want = resource_set_new(),
			    .live = resource_set_new()};
	struct decode d = {.spec = f.spec, .snap = f.snap, .out = f.want};
	struct observe o = {.cluster = "lab", .snap = f.snap, .want = f.want, .out = f.live};
	struct err err = {0};

	assert_int_equal(kind_network.decode(&d, &err), 0);
	assert_int_equal(kind_service.decode(&d, &err), 0);
	assert_int_equal(kind_check.decode(&d, &err), 0);
	assert_int_equal(kind_check.observe(&o, &err), 0);
	return f;
}

static bool refers(const struct resource *r, const char *target)
{
	for (size_t i = 0; i < r->refs.n; i++)
		if (r->refs.v[i].type == REF_REQUIRES && strcmp(r->refs.v[i].target, target) == 0)
			return true;
	return false;
}

static void test_decode(void **state)
{
	struct fixture f = open_checks(
		HEAD
		"networks:\n  front: { attachable: true, name: the-front }\n"
		"services:\n  web: { image: nginx, networks: [front] }\n"
		"checks:\n"
		"  plain: { request: { url: 'http://127.0.0.1:8080/' } }\n"
		"  inside: { request: { url: 'http://tasks.web:80/' }, network: front, node: gmktec, timeout: 2s,\n"
		"    after: [check/plain], expect: { status: [200, 204], body: x, json: { /n: 1, /s: '1' } } }\n"
		"  by-name: { request: { url: 'http://web/', method: POST, body: b, insecure: true,\n"
		"    headers: { Host: a.lan } }, network: front }\n"
		"  not-inside: { request: { url: 'http://web/' } }\n");
	const struct resource *inside = resource_find_key(f.want, "check/inside");

	(void)state;
	assert_string_equal(body_text(f.want, "check/plain"),
			    "{'method':'GET','timeout':5000000000,'url':'http://127.0.0.1:8080/'}");
	assert_string_equal(
		body_text(f.want, "check/inside"),
		"{'expect_body':'x','expect_json':{'/n':1,'/s':'1'},'expect_status':[200,204],'method':'GET',"
		"'network':'the-front','timeout':2000000000,'url':'http://tasks.web:80/'}");
	assert_string_equal(
		body_text(f.want, "check/by-name"),
		"{'body':'b','headers':{'Host':'a.lan'},'insecure':true,'method':'POST','network':'the-front',"
		"'timeout':5000000000,'url':'http://web/'}");
	assert_string_equal(inside->node, "gmktec");
	assert_true(refers(inside, "service/web") && refers(inside, "network/front") && refers(inside, "check/plain"));
	assert_true(refers(resource_find_key(f.want, "check/by-name"), "service/web"));
	assert_int_equal(resource_find_key(f.want, "check/not-inside")->refs.n, 0);
	assert_true(in_sync(&f, "check/inside"));
	fixture_close(&f);
}

/* Judging */

#define JSON "{\"v\": \"1.0\", \"n\": 3, \"a\": [{\"b/c\": true}, {\"~\": null}], \"\": 5}"

static const struct {
	const char *expect; /* the spec's; NULL: nothing */
	int status;
	const char *body;
	const char *wrong; /* NULL: as expected */
} answers[] = {
	{NULL, 200, "", NULL},
	{NULL, 299, "x", NULL},
	{NULL, 302, "", "HTTP 302, expected 2xx, without a body"},
	{NULL, 500, "Oh", "HTTP 500, expected 2xx: \"Oh\""},
	{"status: 404", 404, "x", NULL},
	{"status: 404", 200, "x", "HTTP 200, expected 404: \"x\""},
	{"status: [301, 302]", 302, "x", NULL},
	{"status: [301, 302]", 303, "x", "HTTP 303, expected 301 or 302: \"x\""},
	{"body: 'ell'", 200, "hello", NULL},
	{"body: 'Ell'", 200, "hello", "the body has no \"Ell\": \"hello\""},
	{"body: 'ell'", 200, "", "the body has no \"ell\", without a body"},
	{"json: { /v: '1.0', /n: 3, /a/0/b~1c: true, /a/1/~0: null, /: 5 }", 200, JSON, NULL},
	{"json: { /v: 1.0 }", 200, JSON, "/v in the body is \"1.0\", expected 1.0"},
	{"json: { /n: '3' }", 200, JSON, "/n in the body is 3, expected \"3\""},
	{"json: { /a/2/x: 1 }", 200, JSON, "/a/2/x in the body is not there, expected 1"},
	{"json: { /a/00: 1 }", 200, JSON, "/a/00 in the body is not there, expected 1"},
	{"json: { /a: 1 }", 200, JSON, "/a in the body is [{\"b/c\":true},{\"~\":null}], expected 1"},
	{"json: { /v: 1 }", 200, "<html>", "the body is not JSON: \"<html>\""},
	{"json: { /v: 1 }", 200, "", "the body is not JSON, without a body"},
	{NULL, 500, "a\nok\tx\033[2J\x7f\xc3\xa9", "HTTP 500, expected 2xx: \"a\\nok\\x09x\\x1b[2J\\x7f\xc3\xa9\""},
	{NULL, 500, "\xc3\xa9\xff", "HTTP 500, expected 2xx: \"\\xc3\\xa9\\xff\""},
	{NULL, 500, "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\xc3\xa9z",
	 "HTTP 500, expected 2xx: "
	 "\"aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa…\""},
};

static void test_judge(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		_cleanup_free_ char *yaml =
			xasprintf(HEAD "checks:\n  x:\n    request: { url: 'http://h/' }\n%s%s%s",
				  answers[i].expect ? "    expect: { " : "", answers[i].expect ? answers[i].expect : "",
				  answers[i].expect ? " }\n" : "");
		struct fixture f = open_checks(yaml);
		const struct check_answer a = {answers[i].status, answers[i].body, strlen(answers[i].body)};
		_cleanup_free_ char *wrong = check_judge(resource_find_key(f.want, "check/x"), &a);
		if (!str_eq(wrong, answers[i].wrong))
			fail_msg("%s, %d %s: %s", answers[i].expect ? answers[i].expect : "nothing", a.status, a.body,
				 wrong ? wrong : "(as expected)");
		fixture_close(&f);
	}
}

/* Of whatever holds a variable's value nothing is told, nor of what may repeat it. */
static void test_hidden(void **state)
{
	static const char *const fields[] = {"url", "headers.Authorization", "body", "expect_body", "expect_status"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(fields); i++) {
		struct resource_set *set = resource_set_new();
		struct resource *r = resource_add(set, "check", "x");
		resource_set_field(set, r, "expect_body", json_string("secret"), (struct mark){0});
		resource_set_field(set, r, "expect_json", json_pack("{s:s}", "/a", "secret"), (struct mark){0});
		assert_false(check_hides(r));
		resource_mark(set, r, fields[i], (struct mark){.hidden = true});
		assert_true(check_hides(r));
		static const char *const bodies[] = {"an echo of secret", "{\"a\": \"secrets\"}"};
		for (size_t k = 0; k < ARRAY_SIZE(bodies); k++) {
			const struct check_answer a = {k ? 200 : 401, bodies[k], strlen(bodies[k])};
			_cleanup_free_ char *wrong = check_judge(r, &a);
			if (!wrong || strstr(wrong, "secrets") || strstr(wrong, "echo"))
				fail_msg("%s hidden: %s", fields[i], wrong ? wrong : "(as expected)");
		}
		resource_set_free(set);
	}
}

/* Asking */

static int answer(void *arg, const char *request, struct str *headers, struct str *body)
{
	const char *containers = arg;

	(void)headers;
	if (str_eq(request, "GET /ok") || str_eq(request, "POST /ok")) {
		str_adds(body, "fine");
		return 200;
	}
	if (str_starts(request, "GET /v1.41/containers/json?filters=") && containers)
		str_adds(body, containers);
	else if (str_eq(request, "GET /cut"))
		return 0;
	else if (!strstr(request, "_ping"))
		return 404;
	return 200;
}

struct world {
	struct traefik_standin standin;
	struct host *host;
	struct cluster cluster;
};

static void world_open(struct world *w, const char *containers)
{
	struct err err = {0};

	*w = (struct world){.standin = {.answer = answer, .arg = (char *)containers}};
	traefik_standin_start(&w->standin);
	struct engine_options eo = {.host = w->standin.engine, .config_dir = "/nonexistent"};
	assert_int_equal(engine_open(&eo, &w->cluster.engine, &err), 0);
	assert_int_equal(host_open(&(struct host_options){.node = "gmktec", .address = "127.0.0.1"}, &w->host, &err),
			 0);
	w->cluster.engine_node = "gmktec";
	w->cluster.hosts = &w->host;
	w->cluster.n_hosts = 1;
}

static struct gate ask(struct world *w, const char *path, const char *more, const char *snap, int64_t ms)
{
	_cleanup_free_ char *yaml =
		xasprintf(HEAD "checks:\n  x: { request: { url: '%s%s' }%s }\n", w->standin.url, path, more);
	struct fixture f = open_checks(yaml);
	struct snapshot *s = fixture_snapshot(snap);
	const struct resource *r = resource_find_key(f.want, "check/x");
	const struct change c = {.action = ACTION_VERIFY, .kind = &kind_check, .key = "check/x", .desired = r};
	struct apply a = {.cluster = &w->cluster, .snap = s, .want = f.want, .deadline = clock_ms() + ms};
	struct gate g = {0};
	struct err err = {0};

	if (kind_check.gate(&a, &c, true, &g, &err) < 0)
		fail_msg("%s", err.msg);
	assert_non_null(g.reason);
	snapshot_free(s);
	fixture_close(&f);
	return g;
}

static void check_gate_says(struct gate g, bool met, bool unknown, bool waiting, const char *reason)
{
	if (g.met != met || g.unknown != unknown || g.waiting != waiting || !strstr(g.reason, reason) ||
	    (g.retry_after_s > 0) != waiting)
		fail_msg("met %d unknown %d waiting %d: %s", g.met, g.unknown, g.waiting, g.reason);
	free(g.reason);
}

static void test_gate(void **state)
{
	static const char away[] = "{'host/gmktec': {'unknown': 'node gmktec: no route'}}";
	struct world w;

	(void)state;
	world_open(&w, "[{\"Id\": \"abc\", \"NetworkSettings\": {\"Networks\": {\"front-2\": {}}}}]");
	check_gate_says(ask(&w, "/ok", "", SNAP, 60000), true, false, false, "from node gmktec: HTTP 200 in ");
	check_gate_says(ask(&w, "/no", "", SNAP, 60000), false, false, true, "HTTP 404, expected 2xx");
	check_gate_says(ask(&w, "/cut", "", SNAP, 60000), false, false, true, "127.0.0.1: ");
	check_gate_says(ask(&w, "/ok", "", away, 60000), false, true, false,
			"cannot be reached: node gmktec: no route");
	check_gate_says(ask(&w, "/ok", "", SNAP, 1000), false, true, true, "the time of this run is over");
	check_gate_says(ask(&w, "/ok", ", network: front", SNAP, 60000), false, true, true,
			"network front: no container of this network runs there");
	w.cluster.n_hosts = 0;
	check_gate_says(ask(&w, "/ok", ", node: gmktec", SNAP, 60000), false, true, false, "not in the spec");
	w.cluster.engine_node = NULL;
	check_gate_says(ask(&w, "/ok", "", SNAP, 60000), true, false, false, "/ok: HTTP 200 in ");
	check_gate_says(ask(&w, "/ok", ", network: front", SNAP, 60000), false, true, false, "`node`");
	traefik_standin_stop(&w.standin);
	assert_null(strstr(str_cstr(&w.standin.log), "POST"));
	check_gate_says(ask(&w, "/ok", "", SNAP, 60000), false, false, true, "127.0.0.1: Connection refused");
	str_free(&w.standin.log);
	engine_close(w.cluster.engine);
	host_close(w.host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_decode), cmocka_unit_test(test_judge),
					   cmocka_unit_test(test_hidden), cmocka_unit_test(test_gate)};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
