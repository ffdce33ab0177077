/* Which route covers a backend, and what leads to an HAProxy; units as systemd shows them. */
#include "kinds/absent/haproxy.h"
#include "kinds/absent/unit.h"

#include "tests/unit/quoted.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

/* JSON with apostrophes. */
static const char services[] =
	"[{'Spec':{'Name':'shop_api'},'Endpoint':{'VirtualIPs':[{'Addr':'10.64.1.5/24'}],"
	"'Ports':[{'TargetPort':8000,'PublishedPort':18000}]}},{'Spec':{'Name':'web'},'Endpoint':{}}]";
static const char containers[] =
	"{'a':[{'Id':'1','Names':['/old-api'],'Image':'registry.lan/"
	"api:1','Ports':[{'PrivatePort':8000,'PublicPort':9000},"
	"{'PrivatePort':7000}],'NetworkSettings':{'Networks':{'n':{'IPAddress':'172.18.0.9'}}},"
	"'Labels':{'com.docker.compose.service':'api-old'}},"
	"{'Id':'2','Names':['/db'],'Image':'postgres','Ports':[],'Labels':{}}],"
	"'b':[{'Id':'3','Names':['/lone'],'Image':'registry.lan/api@sha256:"
	"0000000000000000000000000000000000000000000000000000000000000000','Ports':[{'PrivatePort':8000,'PublicPort':"
	"9001}],"
	"'Labels':{}},"
	"{'Id':'4','Names':['/api.1.x'],'Image':'other','Ports':[{'PrivatePort':8000,'PublicPort':9002}],"
	"'Labels':{'com.docker.swarm.service.name':'shop_api'}}]}";

static struct resource_set *wanted(void)
{
	struct resource_set *s = resource_set_new();
	struct resource *api = resource_add(s, "service", "api"), *web = resource_add(s, "service", "web");

	resource_set_field(s, api, "name", json_string("shop_api"), (struct mark){0});
	resource_set_field(s, api, "image", json_string("registry.lan/api:2"), (struct mark){0});
	resource_set_field(s, api, "labels", quoted("{'traefik.http.services.api.loadbalancer.server.port':'8000'}"),
			   (struct mark){0});
	resource_set_field(s, web, "image", json_string("nginx:1"), (struct mark){0});
	resource_add(s, "route", "api");
	resource_add(s, "route", "web");
	return s;
}

/* haproxy on node a covers its backend x by this route; NULL: by none. said: what the spec says of backends, or NULL.
 */
static void check_route(const json_t *haproxy, const json_t *said, const char *route, const char *text)
{
	struct resource_set *want = wanted();
	_cleanup_json_ json_t *all = quoted(services), *seen = quoted(containers),
			      *nodes = quoted("{'a':'10.0.0.1','b':'10.0.0.2'}");
	const struct haproxy_view v = {.haproxy = haproxy,
				       .node = "a",
				       .nodes = nodes,
				       .services = all,
				       .containers = seen,
				       .want = want,
				       .backends = said};
	const char *got = haproxy_route(&v, "x");

	if (!str_eq(got, route))
		fail_msg("%s: %s", text, got ? got : "none");
	resource_set_free(want);
}

static void test_coverage(void **state)
{
	(void)state;
	static const struct {
		const char *address, *route; /* NULL: none */
	} cases[] = {
		{"shop_api:8000", "api"},
		{"tasks.shop_api:8000", "api"},
		{"shop_api", "api"},
		{"ipv4@shop_api:8000", "api"},
		{"shop_api:8001", NULL}, /* another port of it */
		{"api:8000", NULL},      /* the key is not its name */
		{"10.64.1.5:8000", "api"},
		{"10.64.1.50:8000", NULL},
		{"10.0.0.1:18000", "api"}, /* published, on any node */
		{"b:18000", "api"},
		{"127.0.0.1:18000", "api"},
		{"10.0.0.7:18000", NULL}, /* no node */
		{"old-api:8000", "api"},  /* same image, same port */
		{"172.18.0.9:8000", "api"},
		{"api-old:8000", "api"},
		{"old-api:7000", NULL},
		{"old-api", NULL},
		{"db:8000", NULL},
		{"10.0.0.1:9000", "api"}, /* its published port */
		{"10.0.0.1:7000", NULL},
		{"localhost:9000", "api"},
		{"10.0.0.2:9000", NULL}, /* on another node */
		{"10.0.0.2:9001", "api"},
		{"10.0.0.2:9002", "api"}, /* a task */
		{"web:80", "web"},        /* a route whose port is not known */
		{"unix@/run/x", NULL},
		{"/run/x", NULL},
		{":8000", NULL},
		{"", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *haproxy =
			json_pack("{s:{s:{s:{s:[s]}}}}", "backends", "x", "servers", "s", cases[i].address);
		check_route(haproxy, NULL, cases[i].route, cases[i].address);
	}
}

/* Two lone containers of one program behind two backends: which of them the service replaces, the spec must say. */
static void test_which_it_replaces(void **state)
{
	(void)state;
	static const struct {
		const char *x, *y; /* servers of two backends */
		const char *route; /* that covers the first */
		const char *said;  /* what the spec says of the second */
	} cases[] = {
		{"old-api:8000", "10.0.0.2:9001", NULL, NULL},
		{"old-api:8000", "10.0.0.2:9001", "api", "{'y':'route/web'}"},
		{"old-api:8000", "10.0.0.1:9000", "api", NULL}, /* the same container */
		{"old-api:8000", "shop_api:8000", "api", NULL}, /* the service itself */
		{"old-api:8000", "db:5432", "api", NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *haproxy = json_pack("{s:{s:{s:{s:[s]}}, s:{s:{s:[s]}}}}", "backends", "x",
							   "servers", "s", cases[i].x, "y", "servers", "s", cases[i].y),
				      *said = cases[i].said ? quoted(cases[i].said) : NULL;
		_cleanup_free_ char *text = xasprintf("%s beside %s", cases[i].x, cases[i].y);
		check_route(haproxy, said, cases[i].route, text);
	}
}

static void test_said_by_the_spec(void **state)
{
	(void)state;
	struct resource_set *want = wanted();
	_cleanup_json_ json_t *haproxy = quoted(
				      "{'backends':{'x':{'servers':{'s':['y:1'],'t':[]},'binds':[':80',':81']}}}"),
			      *backends = quoted("{'x':'route/web'}");
	const struct haproxy_view v = {.haproxy = haproxy, .want = want, .backends = backends};
	_cleanup_str_ struct str text = {0};

	assert_string_equal(haproxy_route(&v, "x"), "web");
	haproxy_describe(haproxy, "x", &text);
	assert_string_equal(str_cstr(&text), "backend 'x' (s y:1, t; reached at :80, :81)");
	resource_set_free(want);
}

static void check_targets(const json_t *addresses, const char *const *yes, const char *const *no)
{
	for (; *yes; yes++)
		if (!haproxy_is_target(addresses, *yes))
			fail_msg("not found: %s", *yes);
	for (; *no; no++)
		if (haproxy_is_target(addresses, *no))
			fail_msg("found: %s", *no);
}

static void test_addresses(void **state)
{
	(void)state;
	_cleanup_json_ json_t *nodes = quoted("{'a':'10.0.0.1','b':'10.0.0.2'}"),
			      *haproxy = quoted("{'binds':[':80','127.0.0.1:8404']}"),
			      *inspect = quoted(
				      "{'Name':'/lb','HostConfig':{'NetworkMode':'n'},'NetworkSettings':{'Ports':"
				      "{'80/tcp':[{'HostPort':'8080'}],'1/tcp':null},'Networks':{'n':{'IPAddress':"
				      "'172.18.0.4','Gateway':'172.18.0.1','Aliases':['proxy']}}}}"),
			      *all = quoted(services);
	const struct haproxy_view v = {.haproxy = haproxy, .node = "a", .nodes = nodes};
	_cleanup_json_ json_t *container = haproxy_addresses(&v, inspect), *unit = haproxy_addresses(&v, NULL),
			      *service = haproxy_service_addresses(&v, json_array_get(all, 0));

	check_targets(container,
		      (const char *[]){"http://lb:8404/metrics", "http://proxy", "https://172.18.0.4:1/x",
				       "10.0.0.1:8080", "http://a:8080/", "http://172.18.0.1:8080",
				       "http://host.docker.internal:8080", NULL},
		      (const char *[]){"http://10.0.0.1:80", "http://10.0.0.2:8080", "http://lbx:80",
				       "http://172.18.0.1:80", "", "/run/x", NULL});
	check_targets(unit, (const char *[]){"http://10.0.0.1", "a:8404", NULL},
		      (const char *[]){"https://10.0.0.1", "http://10.0.0.2", "a:8405", NULL});
	check_targets(service,
		      (const char *[]){"http://10.0.0.2:18000", "http://shop_api:1", "tasks.shop_api:80", NULL},
		      (const char *[]){"http://10.0.0.2:8000", NULL});
	assert_false(haproxy_is_target(service, NULL));
}

static void test_units(void **state)
{
	(void)state;
	static const struct {
		const char *look;
		bool there, active, enabled;
	} cases[] = {
		{"LoadState=loaded\nActiveState=active\nUnitFileState=enabled\nMainPID=7", true, true, true},
		{"LoadState=loaded\nActiveState=activating\nUnitFileState=disabled", true, true, false},
		{"LoadState=loaded\nActiveState=deactivating\nUnitFileState=static", true, true, false},
		{"LoadState=loaded\nActiveState=failed\nUnitFileState=enabled-runtime", true, false, true},
		{"LoadState=not-found\nActiveState=inactive\nUnitFileState=", false, false, false},
		{"LoadState=masked\nActiveState=inactive\nUnitFileState=masked", true, false, false},
		{"LoadState=loaded\nActiveState=inactive\nUnitFileState=static\nTriggeredBy=x.timer\nTriggerState="
		 "active\n"
		 "TriggerFileState=enabled",
		 true, true, true},
		{"", false, false, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *look = json_string(cases[i].look);
		_cleanup_str_ struct str buf = {0};
		struct unit_state u;
		unit_state_read(look, &buf, &u);
		if (u.there != cases[i].there || u.active != cases[i].active || u.enabled != cases[i].enabled)
			fail_msg("%s: %d %d %d", cases[i].look, u.there, u.active, u.enabled);
		assert_int_equal(u.pid, i == 0 ? 7 : 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_coverage),
		cmocka_unit_test(test_which_it_replaces),
		cmocka_unit_test(test_said_by_the_spec),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_units),
	};
	json_init();
	return cmocka_run_group_tests_name("kinds/haproxy", tests, NULL, NULL);
}
