#include "client/engine/engine.h"
#include "kinds/cluster.h"
#include "kinds/kinds.h"
#include "kinds/route/gate.h"
#include "kinds/route/replicas.h"
#include "kinds/route/request.h"
#include "kinds/route/route.h"
#include "sys/clock.h"

#include "tests/unit/client/traefik_standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
	json_t *j;
	struct err err;

	if (json_parse(text, strlen(text), &j, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static void test_durations(void **state)
{
	(void)state;
	static const struct {
		int64_t ns;
		const char *text;
	} cases[] = {
		{0, "0s"},
		{10000000000, "10s"},
		{90000000000, "1m30s"},
		{3600000000000, "1h"},
		{3661000000000, "1h1m1s"},
		{1500000000, "1500ms"},
		{500000000, "500ms"},
		{1500, "1500ns"},
		{2000, "2us"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_str_ struct str s = {0};
		route_duration(cases[i].ns, &s);
		assert_string_equal(str_cstr(&s), cases[i].text);
	}
}

static void test_requests(void **state)
{
	(void)state;
	static const struct {
		const char *rule, *health;
		bool ok;
		const char *host, *path;
	} cases[] = {
		{"Host(`a.lan`)", NULL, true, "a.lan", "/"},
		{"Host(`a.lan`)", "/ok", true, "a.lan", "/ok"},
		{" Host( \"a.lan\" , `b.lan` ) ", NULL, true, "a.lan", "/"},
		{"Host(`a.lan`) && PathPrefix(`/v1`)", "/ok", true, "a.lan", "/v1"},
		{"PathPrefix(`/v1`)&&Host(`a.lan`)", "/v1/ok", true, "a.lan", "/v1/ok"},
		{"Path(`/v1`)", "/v1/ok", true, NULL, "/v1"},
		{"Host(`a.lan`) || Method(`GET`)", NULL, true, "a.lan", "/"},
		{"PathPrefix(`/`)", NULL, true, NULL, "/"},
		{"Host(`a.lan`) && Headers(`x`, `y`)", NULL, false, NULL, NULL},
		{"HostRegexp(`^a`)", NULL, false, NULL, NULL},
		{"PathPrefix(`/{id:[0-9]+}`)", NULL, false, NULL, NULL},
		{"!Host(`a.lan`)", NULL, false, NULL, NULL},
		{"(Host(`a.lan`) || Host(`b.lan`)) && Path(`/x`)", NULL, true, "a.lan", "/x"},
		{"Path(`/x)`) && (Host(`a.lan`) || (Host(`b)`) && Path(`/y`)))", NULL, true, "a.lan", "/x)"},
		{"((Host(`a.lan`)))", NULL, true, "a.lan", "/"},
		{"!(Host(`a.lan`))", NULL, false, NULL, NULL},
		{"(Host(`a.lan`)", NULL, false, NULL, NULL},
		{"Host(`a.lan`))", NULL, false, NULL, NULL},
		{"Host(`a.lan`", NULL, false, NULL, NULL},
		{"Host(a.lan)", NULL, false, NULL, NULL},
		{"Host(`a.lan`) &&", NULL, false, NULL, NULL},
		{"", NULL, false, NULL, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct route_request r;
		bool ok = route_request_of(cases[i].rule, cases[i].health, &r);
		if (ok != cases[i].ok || !str_eq(r.host, cases[i].host) || !str_eq(r.path, cases[i].path))
			fail_msg("%s: %d %s %s", cases[i].rule, ok, r.host, r.path);
		route_request_free(&r);
	}
}

static void test_addresses(void **state)
{
	(void)state;
	static const char bridge[] = "{\"State\": {\"Running\": true}, \"HostConfig\": {\"NetworkMode\": \"default\"}, "
				     "\"NetworkSettings\": {\"Ports\": {"
				     "\"80/tcp\": [{\"HostIp\": \"0.0.0.0\", \"HostPort\": \"8000\"}],"
				     "\"81/tcp\": [{\"HostIp\": \"10.0.0.1\", \"HostPort\": \"81\"}],"
				     "\"82/tcp\": null}}}";
	static const char down[] =
		"{\"State\": {\"Running\": true, \"Restarting\": true}, \"HostConfig\": {\"NetworkMode\": \"default\", "
		"\"PortBindings\": {\"80/tcp\": [{\"HostIp\": \"\", \"HostPort\": \"8000\"}]}}, "
		"\"NetworkSettings\": {\"Ports\": {}}}";
	static const char host[] = "{\"HostConfig\": {\"NetworkMode\": \"host\"}}";
	static const char service[] = "{\"Endpoint\": {\"Ports\": [{\"Protocol\": \"udp\", \"TargetPort\": 80, "
				      "\"PublishedPort\": 9}, {\"Protocol\": \"tcp\", \"TargetPort\": 80, "
				      "\"PublishedPort\": 8080}]}}";
	static const struct {
		const char *address, *container, *service, *result;
	} cases[] = {
		{":80", bridge, NULL, "127.0.0.1:8000"},
		{"0.0.0.0:80/tcp", bridge, NULL, "127.0.0.1:8000"},
		{":81", bridge, NULL, "10.0.0.1:81"},
		{":82", bridge, NULL, NULL},
		{":83", bridge, NULL, NULL},
		{":80", down, NULL, "127.0.0.1:8000"},
		{":83", down, NULL, NULL},
		{":80", host, NULL, "127.0.0.1:80"},
		{"[::]:80", host, NULL, "127.0.0.1:80"},
		{"[::1]:80", host, NULL, "[::1]:80"},
		{"10.0.0.2:80", host, NULL, "10.0.0.2:80"},
		{":80/udp", host, NULL, NULL},
		{"80", host, NULL, NULL},
		{":http", host, NULL, NULL},
		{":99999", host, NULL, NULL},
		{":80", NULL, service, "127.0.0.1:8080"},
		{":81", NULL, service, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *c = cases[i].container ? parse(cases[i].container) : NULL;
		_cleanup_json_ json_t *s = cases[i].service ? parse(cases[i].service) : NULL;
		_cleanup_str_ struct str out = {0};
		bool ok = route_entrypoint_address(cases[i].address, c, s, "127.0.0.1", &out);
		if (ok != (cases[i].result != NULL) || (ok && strcmp(str_cstr(&out), cases[i].result) != 0))
			fail_msg("%s: %d %s", cases[i].address, ok, str_cstr(&out));
	}
}

/* Judging */

#define ROUTER_OF(rule, entrypoint) \
	"{\"name\": \"web@swarm\", \"status\": \"enabled\", \"rule\": \"" rule "\", \"entryPoints\": [\"" entrypoint \
	"\"]}"
#define ROUTER ROUTER_OF("Host(`web.lan`)", "web")
#define SERVERS(list) \
	"{\"loadBalancer\": {\"healthCheck\": {\"path\": \"/ok\"}}, \"serverStatus\": {\"http://" list "\"}}"
#define TWO_UP SERVERS("10.0.0.3:80\": \"UP\", \"http://10.0.0.4:80\": \"UP")
#define TASK(state, address) \
	"{\"Status\": {\"State\": \"" state "\"}, \"NetworksAttachments\": [{\"Addresses\": [\"10.9.9.9/24\"]}, " \
	"{\"Addresses\": [\"" address "/24\"]}]}"
#define TWO_TASKS "[" TASK("running", "10.0.0.3") "," TASK("running", "10.0.0.4") "," TASK("preparing", "10.0.0.5") "]"
#define SEEN(t) "{\"servers\": \"http://10.0.0.3:80 http://10.0.0.4:80 \", \"started\": \"T0\", \"since\": " t "}"

static const struct {
	const char *name, *router, *balancer, *tasks, *evidence;
	bool met, waiting;
	int64_t retry_s;
	int64_t since; /* of the evidence that is kept; 0: none is */
	const char *reason;
} looks[] = {
	{"first look", ROUTER, TWO_UP, TWO_TASKS, NULL, false, true, 13, 1000, "first health check"},
	{"too early", ROUTER, TWO_UP, TWO_TASKS, SEEN("990"), false, true, 3, 990, "3 s more"},
	{"long enough", ROUTER, TWO_UP, TWO_TASKS, SEEN("987"), true, false, 0, 987, NULL},
	{"the clock went back", ROUTER, TWO_UP, TWO_TASKS, SEEN("2000"), false, true, 13, 1000, "13 s more"},
	{"other servers", ROUTER, SERVERS("10.0.0.3:80\": \"UP\", \"http://10.0.0.5:80\": \"UP"),
	 "[" TASK("running", "10.0.0.3") "," TASK("running", "10.0.0.5") "]", SEEN("900"), false, true, 13, 1000,
	 "13 s more"},
	{"Traefik restarted", ROUTER, TWO_UP, TWO_TASKS,
	 "{\"servers\": \"http://10.0.0.3:80 http://10.0.0.4:80 \", \"started\": \"T-1\", \"since\": 900}", false, true,
	 13, 1000, "13 s more"},
	{"one down", ROUTER, SERVERS("10.0.0.3:80\": \"UP\", \"http://10.0.0.4:80\": \"DOWN"), TWO_TASKS, SEEN("900"),
	 false, true, 5, 0, "http://10.0.0.4:80 of service 'web' is DOWN"},
	{"one missing", ROUTER, SERVERS("10.0.0.3:80\": \"UP"), TWO_TASKS, SEEN("900"), false, true, 15, 0,
	 "'web': 2, servers in Traefik: 1"},
	{"no server", ROUTER, "{}", TWO_TASKS, NULL, false, true, 15, 0, "servers in Traefik: 0"},
	{"no task", ROUTER, "{}", "[]", NULL, false, true, 5, 0, "no task"},
	{"tasks on the host's network", ROUTER, SERVERS("10.1.1.1:80\": \"UP"),
	 "[{\"Status\": {\"State\": \"running\"}}]",
	 "{\"servers\": \"http://10.1.1.1:80 \", \"started\": \"T0\", \"since\": 900}", true, false, 0, 900, NULL},
	{"servers of tasks that are gone", ROUTER, TWO_UP,
	 "[" TASK("running", "10.0.0.3") "," TASK("running", "10.0.0.5") "]", SEEN("900"), false, true, 15, 0,
	 "servers of service 'web' as they were"},
	{"another port", ROUTER, SERVERS("10.0.0.3:80\": \"UP\", \"http://10.0.0.4:8080\": \"UP"), TWO_TASKS,
	 SEEN("900"), false, true, 15, 0, "servers of service 'web' as they were"},
	{"another health check", ROUTER,
	 "{\"serverStatus\": {\"http://10.0.0.3:80\": \"UP\", \"http://10.0.0.4:80\": \"UP\"}}", TWO_TASKS, SEEN("900"),
	 false, true, 15, 0, "servers of service 'web' as they were"},
	{"another rule", ROUTER_OF("Host(`old.lan`)", "web"), TWO_UP, TWO_TASKS, SEEN("900"), false, true, 15, 0,
	 "router of service 'web' as it was"},
	{"another entrypoint", ROUTER_OF("Host(`web.lan`)", "internal"), TWO_UP, TWO_TASKS, SEEN("900"), false, true,
	 15, 0, "router of service 'web' as it was"},
	{"router off",
	 "{\"name\": \"web@swarm\", \"status\": \"disabled\", \"rule\": \"Host(`web.lan`)\", \"entryPoints\": "
	 "[\"web\"], "
	 "\"error\": [\"bad rule\"]}",
	 TWO_UP, TWO_TASKS, NULL, false, true, 15, 0, "disabled: bad rule"},
};

static const char route_body[] =
	"{\"rule\": \"Host(`web.lan`)\", \"entrypoints\": [\"web\"], \"port\": 80, \"check_s\": 13, "
	"\"health_path\": \"/ok\"}";

/* A look at service web at 1000, of a Traefik that started at T0. */
static json_t *judge(struct route_look look, const json_t *evidence, struct gate *g)
{
	look.service = "web";
	look.started = "T0";
	look.wall = 1000;
	return route_judge(&look, evidence, g);
}

/* An entrypoint that the spec names and Traefik does not have: waiting would not help. */
static void test_missing_entrypoint(void **state)
{
	(void)state;
	_cleanup_json_ json_t *route = parse(route_body), *entrypoints = parse("[{\"name\": \"wbe\"}]"),
			      *router = parse(ROUTER);
	const struct route_look look = {.service = "web", .route = route, .router = router, .entrypoints = entrypoints};
	struct gate g = {0};

	assert_null(route_judge(&look, NULL, &g));
	assert_true(!g.met && !g.waiting && strstr(g.reason, "'web', which Traefik does not have"));
	free(g.reason);
}

static void test_judge(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		_cleanup_json_ json_t *router = parse(looks[i].router), *balancer = parse(looks[i].balancer);
		_cleanup_json_ json_t *tasks = parse(looks[i].tasks), *entrypoints = parse("[{\"name\": \"web\"}]");
		_cleanup_json_ json_t *route = parse(route_body);
		_cleanup_json_ json_t *evidence = looks[i].evidence ? parse(looks[i].evidence) : NULL;
		const struct route_look look = {.route = route,
						.router = router,
						.balancer = balancer,
						.entrypoints = entrypoints,
						.tasks = tasks};
		struct gate g = {0};
		_cleanup_json_ json_t *kept = judge(look, evidence, &g);
		if (g.met != looks[i].met || g.waiting != looks[i].waiting || g.retry_after_s != looks[i].retry_s ||
		    json_int(kept, "since", 0) != looks[i].since ||
		    (looks[i].reason && !strstr(g.reason, looks[i].reason)))
			fail_msg("%s: met %d waiting %d retry %d since %d: %s", looks[i].name, g.met, g.waiting,
				 (int)g.retry_after_s, (int)json_int(kept, "since", 0), g.reason);
		free(g.reason);
	}
}

#define LACKS "entryPoint \\\"ollama\\\" doesn't exist"
#define PENDING_ROUTER(entrypoints, status, errors) \
	"{\"name\": \"web@swarm\", \"rule\": \"Host(`web.lan`)\", \"entryPoints\": [" entrypoints \
	"], \"status\": \"" status "\", \"error\": [" errors "]}"
#define NOT_BUILT "{\"serverStatus\": {\"http://10.0.0.3:80\": \"not built\""

/* Before an entrypoint is there: gate.h, route_gate_before. */
static void test_pending(void **state)
{
	static const struct {
		const char *router, *balancer, *wanted, *pending, *traefik;
		bool met, waiting;
		const char *reason;
	} routes[] = {
		{PENDING_ROUTER("\"web\", \"ollama\"", "warning", "\"" LACKS "\""), TWO_UP, "[\"web\", \"ollama\"]",
		 "ollama", NULL, true, false, NULL},
		{PENDING_ROUTER("\"web\", \"ollama\"", "warning", "\"" LACKS "\", \"no middleware\""), TWO_UP,
		 "[\"web\", \"ollama\"]", "ollama", NULL, false, true, "is warning"},
		{PENDING_ROUTER("\"web\", \"ollama\"", "warning", "\"" LACKS "\""), TWO_UP, "[\"web\", \"ollama\"]",
		 "other", NULL, false, false, "'ollama', which Traefik does not have"},
		{PENDING_ROUTER("\"web\", \"ollama\"", "warning", "\"" LACKS "\""), TWO_UP, "[\"web\", \"ollama\"]",
		 NULL, "{\"command\": [\"--entrypoints.ollama.address=:11434\"]}", false, true,
		 "'ollama', which Traefik does not have yet"},
		{PENDING_ROUTER("\"web\"", "enabled", ""), TWO_UP, "[\"web\", \"ollama\"]", "ollama", NULL, false, true,
		 "router of service 'web' as it was"},
		{PENDING_ROUTER("\"ollama\"", "disabled", "\"" LACKS "\", \"no valid entryPoint for this router\""),
		 NOT_BUILT ", \"http://10.0.0.4:80\": \"not built\"}, \"loadBalancer\": {\"healthCheck\": {\"path\": "
			   "\"/ok\"}}}",
		 "[\"ollama\"]", "ollama", NULL, true, false, NULL},
		{PENDING_ROUTER("\"ollama\"", "disabled", "\"" LACKS "\", \"no valid entryPoint for this router\""),
		 NOT_BUILT "}}", "[\"ollama\"]", "ollama", NULL, false, true, "2, servers in Traefik: 1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(routes); i++) {
		_cleanup_json_ json_t *router = parse(routes[i].router), *balancer = parse(routes[i].balancer);
		_cleanup_json_ json_t *tasks = parse(TWO_TASKS), *entrypoints = parse("[{\"name\": \"web\"}]");
		_cleanup_json_ json_t *route = parse(route_body), *evidence = parse(SEEN("900"));
		_cleanup_json_ json_t *traefik = routes[i].traefik ? parse(routes[i].traefik) : NULL;
		json_set(route, "entrypoints", parse(routes[i].wanted));
		const struct route_look look = {.route = route,
						.router = router,
						.balancer = balancer,
						.entrypoints = entrypoints,
						.tasks = tasks,
						.traefik = traefik,
						.pending = routes[i].pending};
		struct gate g = {0};
		_cleanup_json_ json_t *kept = judge(look, evidence, &g);
		if (g.waiting && strstr(g.reason, "does not have yet"))
			assert_true(json_same(kept, evidence)); /* another gate looks at the same servers before */
		if (g.met != routes[i].met || g.waiting != routes[i].waiting ||
		    (routes[i].reason && !strstr(g.reason, routes[i].reason)))
			fail_msg("%zu: met %d waiting %d: %s", i, g.met, g.waiting, g.reason);
		free(g.reason);
	}
}

/* What of the router besides its rule must be as the spec has it. */
static void test_router(void **state)
{
	static const struct {
		const char *router, *route; /* members beside those of ROUTER and route_body */
		const char *entrypoint;
		bool current;
	} routers[] = {
		{"{}", "{}", "{}", true},
		{"{\"tls\": {}}", "{\"tls\": true}", "{}", true},
		{"{}", "{\"tls\": true}", "{}", false},
		{"{\"tls\": {}}", "{}", "{}", false},
		{"{\"tls\": {}}", "{}", "{\"http\": {\"tls\": {}}}", true},
		{"{\"priority\": 7}", "{\"priority\": 7}", "{}", true},
		{"{\"priority\": 15}", "{\"priority\": 7}", "{}", false},
		{"{\"priority\": 15}", "{}", "{}", true},
		{"{\"middlewares\": [\"web-retry@swarm\", \"a@file\"]}",
		 "{\"middlewares\": [\"web-retry\", \"a@file\"]}", "{}", true},
		{"{\"middlewares\": [\"of-the-entrypoint@file\", \"web-retry\"]}", "{\"middlewares\": [\"web-retry\"]}",
		 "{}", true},
		{"{\"middlewares\": [\"web-retry-2\"]}", "{\"middlewares\": [\"web-retry\"]}", "{}", false},
		{"{\"middlewares\": [\"a@file\", \"web-retry\"]}", "{\"middlewares\": [\"web-retry\", \"a@file\"]}",
		 "{}", false},
		{"{}", "{\"middlewares\": [\"web-retry\"]}", "{}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(routers); i++) {
		_cleanup_json_ json_t *router = parse(ROUTER), *more = parse(routers[i].router);
		_cleanup_json_ json_t *route = parse(route_body), *wanted = parse(routers[i].route);
		_cleanup_json_ json_t *entrypoints = parse("[{\"name\": \"web\"}]"), *e = parse(routers[i].entrypoint);
		_cleanup_json_ json_t *balancer = parse(TWO_UP), *tasks = parse(TWO_TASKS);
		struct gate g = {0};
		json_object_update(router, more);
		json_object_update(route, wanted);
		json_object_update(json_array_get(entrypoints, 0), e);
		const struct route_look look = {.route = route,
						.router = router,
						.balancer = balancer,
						.entrypoints = entrypoints,
						.tasks = tasks};
		json_decref(judge(look, NULL, &g));
		if ((strstr(g.reason, "router of service 'web' as it was") == NULL) != routers[i].current)
			fail_msg("%zu: %s", i, g.reason);
		free(g.reason);
	}
}

/* Rules and versions */

static const struct {
	const char *rule;
	int major;
	const char *misfit; /* part of it; NULL: none */
} rules[] = {
	{"Host(`a`)", 2, NULL},
	{"Host(`a`)", 3, NULL},
	{"host(`a`, `b`) && PATHPREFIX(`/x`)", 2, NULL},
	{"Host(`a`, `b`)", 3, "Host takes 1 value, not 2: write Host(…) || Host(…)"},
	{"!(Host(`a`) || Method(`GET`,`HEAD`))", 3, "Method takes 1"},
	{"ClientIP(`10.0.0.0/8`)", 3, NULL},
	{"Headers(`X`, `1`)", 2, NULL},
	{"Headers(`X`, `1`)", 3, "no Headers: write Header(`name`, `value`)"},
	{"Host(`a`) && HeadersRegexp(`X`, `.`)", 3, "no HeadersRegexp"},
	{"Header(`X`, `1`)", 2, "no Header: write Headers("},
	{"PathRegexp(`^/v[0-9]+`)", 3, NULL},
	{"PathRegexp(`^/v[0-9]+`)", 2, "no PathRegexp"},
	{"QueryRegexp(`a`, `b`)", 2, "no QueryRegexp"},
	{"Query(`a=b`)", 2, NULL},
	{"Query(`a`, `b`)", 3, NULL},
	{"HostRegexp(`{s:[a-z]+}.lan`)", 2, NULL},
	{"HostRegexp(`{s:[a-z]+}.lan`)", 3, "pattern of Traefik 2: write HostRegexp"},
	{"HostRegexp(`^[a-z]{3}.lan$`)", 3, NULL},
	{"HostRegexp(`^[a-z]+.lan$`)", 2, "write HostRegexp(`{name:regexp}`)"},
	{"Path(`/{id:[0-9]+}`)", 2, NULL},
	{"PathPrefix(`/{id}`)", 3, "write PathRegexp"},
	{"Host(\"Headers(x)\")", 3, NULL}, /* not a matcher but a value */
};

static void test_rules(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rules); i++) {
		_cleanup_free_ char *misfit = route_rule_misfit(rules[i].rule, rules[i].major);
		if ((misfit == NULL) != (rules[i].misfit == NULL) || (misfit && !strstr(misfit, rules[i].misfit)))
			fail_msg("%s in %d: %s", rules[i].rule, rules[i].major, misfit ? misfit : "none");
	}
}

/* The whole gate */

struct gate_case {
	const char *name, *rule;
	const char *router;   /* GET /api/http/routers/web@swarm; NULL: 404 */
	const char *response; /* of the service, through the entrypoint */
	int status;
	const char *mode; /* network mode of Traefik's container */
	bool met, waiting;
	const char *reason;
	bool asked; /* a request went through the entrypoint */
};

static const struct gate_case gates[] = {
	{"good", "Host(`web.lan`)", ROUTER, "hello", 200, "host", true, false, NULL, true},
	{"asks for a password", "Host(`web.lan`)", ROUTER, "who?", 401, "host", true, false, NULL, true},
	{"the service's own 404", "Host(`web.lan`)", ROUTER, "{\"error\": 404}", 404, "host", true, false, NULL, true},
	{"Traefik's 404", "Host(`web.lan`)", ROUTER, "404 page not found\n", 404, "host", false, true, "HTTP 404",
	 true},
	{"no server works", "Host(`web.lan`)", ROUTER, "Bad Gateway", 502, "host", false, true, "HTTP 502", true},
	{"no router", "Host(`web.lan`)", NULL, "hello", 200, "host", false, true, "no router 'web@swarm'", false},
	{"a rule that cannot be asked", "HostRegexp(`.`)", ROUTER_OF("HostRegexp(`.`)", "web"), "Bad", 502, "host",
	 true, false, NULL, false},
	{"not published", "Host(`web.lan`)", ROUTER, "hello", 200, "bridge", false, false, "not published", false},
};

struct gate_world {
	struct traefik_standin standin;
	const struct gate_case *c;
};

static int gate_answer(void *arg, const char *request, struct str *headers, struct str *body)
{
	const struct gate_world *w = arg;
	const char *port = strrchr(w->standin.url, ':');

	(void)headers;
	if (str_eq(request, "GET /api/version"))
		str_adds(body, "{\"Version\": \"3.6.1\", \"startDate\": \"T0\"}");
	else if (str_eq(request, "GET /api/entrypoints"))
		str_addf(body, "[{\"name\": \"web\", \"address\": \"%s\"}]", port);
	else if (str_eq(request, "GET /api/http/routers/web@swarm") && w->c->router)
		str_adds(body, w->c->router);
	else if (str_eq(request, "GET /api/http/services/web@swarm"))
		str_adds(body, TWO_UP);
	else if (strstr(request, "/tasks?filters="))
		str_adds(body, TWO_TASKS);
	else if (strstr(request, "/containers/traefik/json"))
		str_addf(body, "{\"HostConfig\": {\"NetworkMode\": \"%s\"}}", w->c->mode);
	else if (str_eq(request, "GET /ok")) {
		str_adds(body, w->c->response);
		return w->c->status;
	} else if (!strstr(request, "_ping"))
		return 404;
	return 200;
}

static void check_gate(const struct gate_case *c)
{
	struct gate_world w = {.standin.answer = gate_answer, .standin.arg = &w, .c = c};
	struct resource_set *want = resource_set_new();
	struct resource *r = resource_add(want, "route", "web");
	struct change change = {.action = ACTION_VERIFY, .kind = &kind_route, .key = "route/web", .desired = r};
	struct gate g = {0};
	struct err err = {0};

	json_set_str(r->body, "rule", c->rule);
	json_set_str(r->body, "health_path", "/ok");
	json_set_int(r->body, "port", 80);
	json_set_str(r->body, "traefik_container", "traefik");
	traefik_standin_start(&w.standin);
	struct engine_options eo = {.host = w.standin.engine, .config_dir = "/nonexistent"};
	struct cluster cluster = {.traefik_api = w.standin.url};
	assert_int_equal(engine_open(&eo, &cluster.engine, &err), 0);
	struct apply a = {.cluster = &cluster, .want = want, .deadline = clock_ms() + 10000};
	int rc = kind_route.gate(&a, &change, true, &g, &err);
	traefik_standin_stop(&w.standin);
	if (rc < 0 || g.met != c->met || g.waiting != c->waiting || (c->reason && !strstr(g.reason, c->reason)))
		fail_msg("%s: %d met %d waiting %d: %s %s", c->name, rc, g.met, g.waiting, g.reason, err.msg);
	assert_int_equal(strstr(str_cstr(&w.standin.log), "GET /ok\n") != NULL, c->asked);
	assert_null(strstr(str_cstr(&w.standin.log), "POST"));
	free(g.reason);

	/* Nobody there any more: waited for, no error. */
	g = (struct gate){0};
	assert_int_equal(kind_route.gate(&a, &change, false, &g, &err), 0);
	assert_true(!g.met && g.waiting && strstr(g.reason, "/api/version"));
	free(g.reason);
	cluster.traefik_api = NULL;
	assert_int_equal(kind_route.gate(&a, &change, false, &g, &err), 0);
	assert_true(!g.met && !g.waiting && strstr(g.reason, "traefik.api"));
	free(g.reason);
	engine_close(cluster.engine);
	resource_set_free(want);
	str_free(&w.standin.log);
}

/* Where Traefik reaches a task. */
static void test_replica_addresses(void **state)
{
	static const struct {
		const char *task, *balancer, *address; /* NULL: nowhere */
	} cases[] = {
		{TASK("running", "10.0.0.3"), TWO_UP, "10.0.0.3"},
		{TASK("running", "10.0.0.30"), TWO_UP, NULL},
		{TASK("running", "10.0.0.3"), "{}", NULL},
		{TASK("running", "fd00::3"), SERVERS("[fd00::3]:80\": \"UP"), "fd00::3"},
		{"{\"Status\": {\"State\": \"running\"}}", TWO_UP, "127.0.0.1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *task = parse(cases[i].task), *balancer = parse(cases[i].balancer);
		_cleanup_free_ char *address = route_replica_address(task, balancer);
		if (!str_eq(address, cases[i].address))
			fail_msg("%zu: %s", i, address);
	}
}

static void test_gate(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(gates); i++)
		check_gate(&gates[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_durations),
		cmocka_unit_test(test_requests),
		cmocka_unit_test(test_addresses),
		cmocka_unit_test(test_judge),
		cmocka_unit_test(test_missing_entrypoint),
		cmocka_unit_test(test_pending),
		cmocka_unit_test(test_replica_addresses),
		cmocka_unit_test(test_gate),
		cmocka_unit_test(test_router),
		cmocka_unit_test(test_rules),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
