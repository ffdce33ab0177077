#include "client/traefik/traefik.h"
#include "sys/clock.h"

#include "traefik_standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static void test_versions(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		bool ok;
		int major, minor, patch;
		bool swarm_labels;
	} cases[] = {
		{"2.11.53", true, 2, 11, 53, false},
		{"v3.2.1", true, 3, 2, 1, false},
		{"v3.2.2", true, 3, 2, 2, true},
		{"3.6.1", true, 3, 6, 1, true},
		{"v3.10.0-rc1", true, 3, 10, 0, true},
		{"3.0.0+dev", true, 3, 0, 0, false},
		{"4.0.0", true, 4, 0, 0, true},
		{"dev", false, 0, 0, 0, false},
		{"", false, 0, 0, 0, false},
		{"v3", false, 0, 0, 0, false},
		{"3.6", false, 0, 0, 0, false},
		{"3.6.", false, 0, 0, 0, false},
		{"3.6.1x", false, 0, 0, 0, false},
		{"-3.6.1", false, 0, 0, 0, false},
		{"3.99999999999.1", false, 0, 0, 0, false},
		{NULL, false, 0, 0, 0, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct traefik_version v = {0};
		assert_int_equal(traefik_version_parse(cases[i].text, &v), cases[i].ok);
		assert_int_equal(v.major, cases[i].major);
		assert_int_equal(v.minor, cases[i].minor);
		assert_int_equal(v.patch, cases[i].patch);
		if (cases[i].ok)
			assert_int_equal(traefik_reads_swarm_labels(&v), cases[i].swarm_labels);
	}
}

static void test_tags(void **state)
{
	(void)state;
	static const struct {
		const char *tag;
		bool ok, swarm_labels;
	} cases[] = {
		{"v3.6.1", true, true}, {"v3.6", true, true},     {"3.6-alpine", true, true}, {"v3.1", true, false},
		{"v2.11", true, false}, {"v3.2.2", true, true},   {"v3.2", false, false},     {"v3", false, false},
		{"v3.", false, false},  {"latest", false, false}, {"v3.6.", false, false},    {NULL, false, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct traefik_version v = {0};
		assert_int_equal(traefik_version_of_tag(cases[i].tag, &v), cases[i].ok);
		assert_int_equal(cases[i].ok && traefik_reads_swarm_labels(&v), cases[i].swarm_labels);
	}
}

static const struct {
	const char *request;
	int status;
	const char *headers, *body;
} answers[] = {
	{"GET /api/version", 200, "", "{\"Version\":\"3.6.1\"}"},
	{"GET /api/http/routers", 200, "X-Next-Page: 2\r\n", "[1,2]"},
	{"GET /api/http/routers?page=2", 200, "X-Next-Page: 3\r\n", "[3]"},
	{"GET /api/http/routers?page=3", 200, "X-Next-Page: 1\r\n", "[4]"},
	{"GET /api/http/services", 200, "X-Next-Page: 2\r\n", "[1]"},
	{"GET /api/http/services?page=2", 200, "X-Next-Page: 1\r\n", "{\"not\":\"a list\"}"},
	{"GET /api/denied", 401, "", "no"},
	{"GET /api/broken", 500, "", "no"},
	{"GET /api/html", 200, "", "<html>"},
};

static int answer(void *arg, const char *request, struct str *headers, struct str *body)
{
	(void)arg;
	for (size_t i = 0; i < ARRAY_SIZE(answers); i++) {
		if (strcmp(answers[i].request, request) != 0)
			continue;
		str_adds(headers, answers[i].headers);
		str_adds(body, answers[i].body);
		return answers[i].status;
	}
	return 404;
}

static const struct {
	const char *path, *body; /* NULL: an error with this code and part of a message */
	enum err_code code;
	const char *message;
} calls[] = {
	{"/api/version", "{\"Version\":\"3.6.1\"}", ERR_NONE, NULL},
	{"/api/http/routers", "[1,2,3,4]", ERR_NONE, NULL},
	{"/api/http/services", NULL, ERR_PROTOCOL, "?page=2: the answer is not a list"},
	{"/api/denied", NULL, ERR_DENIED, "HTTP 401"},
	{"/api/broken", NULL, ERR_FAILED, "HTTP 500"},
	{"/api/html", NULL, ERR_PROTOCOL, "not Traefik's"},
	{"/api/gone", NULL, ERR_NOT_FOUND, "api.insecure"},
};

static void check_calls(const char *url)
{
	struct traefik_client *t;
	struct err err = {0};

	assert_int_equal(traefik_open(url, &t, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++) {
		_cleanup_json_ json_t *got = NULL;
		_cleanup_str_ struct str text = {0};
		int rc = traefik_get(t, clock_ms() + 5000, calls[i].path, &got, &err);
		assert_int_equal(rc, calls[i].body ? 0 : -1);
		if (rc == 0) {
			json_canonical(got, &text);
			assert_string_equal(str_cstr(&text), calls[i].body);
		} else {
			assert_int_equal(err.code, calls[i].code);
			if (!strstr(err.msg, calls[i].message))
				fail_msg("%s", err.msg);
		}
	}
	traefik_close(t);
}

static void test_calls(void **state)
{
	(void)state;
	static const char *const suffixes[] = {"", "/", "/api", "/api/"};
	struct traefik_standin s = {.answer = answer};

	traefik_standin_start(&s);
	for (size_t i = 0; i < ARRAY_SIZE(suffixes); i++) {
		_cleanup_free_ char *url = xasprintf("%s%s", s.url, suffixes[i]);
		check_calls(url);
	}
	traefik_standin_stop(&s);
	str_free(&s.log);
}

static void test_nobody_there(void **state)
{
	(void)state;
	struct traefik_client *t;
	json_t *got;
	struct err err = {0};

	assert_int_equal(traefik_open("unix:///x", &t, &err), -1);
	assert_int_equal(err.code, ERR_USAGE);
	assert_int_equal(traefik_open("http://127.0.0.1:1", &t, &err), 0);
	assert_int_equal(traefik_get(t, clock_ms() + 5000, "/api/version", &got, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	traefik_close(t);
	traefik_close(NULL);
}

static void test_targets(void **state)
{
	(void)state;
	static const char *const cases[][2] = {
		{"http://127.0.0.1:8080", "127.0.0.1:8080"},
		{"http://traefik.lan/api", "traefik.lan:80"},
		{"https://traefik.lan", "traefik.lan:443"},
		{"http://[::1]:8080/", "[::1]:8080"},
		{"http://[::1]", "[::1]:80"},
		{"http://a:b@10.0.0.84:81/x@y:1", "10.0.0.84:81"},
		{"http://a:b@10.0.0.84/", "10.0.0.84:80"},
		{"https://traefik.lan?x=:1", "traefik.lan:443"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_str_ struct str out = {0};
		traefik_url_target(cases[i][0], &out);
		assert_string_equal(str_cstr(&out), cases[i][1]);
	}
}

/* A relay's own words about a connection that failed, and its end with the client's. */

struct relay {
	bool closed;
};

static bool relay_why(void *arg, struct err *err)
{
	(void)arg;
	err_set(err, ERR_DENIED, "the key is not let in");
	return true;
}

static void relay_close(void *arg)
{
	((struct relay *)arg)->closed = true;
}

static int answer_version(void *arg, const char *request, struct str *headers, struct str *body)
{
	(void)arg, (void)headers;
	str_adds(body, "{\"Version\": \"3.6.1\"}");
	return strcmp(request, "GET /api/version") == 0 ? 200 : 404;
}

static void test_relay(void **state)
{
	(void)state;
	struct traefik_standin standin = {.answer = answer_version};
	struct relay relay = {0};
	struct traefik_client *t;
	struct err err = {0};
	json_t *j;

	traefik_standin_start(&standin);
	/* Nobody listens there: only through the relay is there an answer. */
	assert_int_equal(traefik_open("http://127.0.0.1:1", &t, &err), 0);
	const struct traefik_relay r = {standin.engine + strlen("unix://"), relay_why, relay_close, &relay};
	traefik_use_relay(t, &r);
	assert_int_equal(traefik_get(t, clock_ms() + 5000, "/api/version", &j, &err), 0);
	assert_string_equal(json_str(j, "Version"), "3.6.1");
	json_decref(j);
	traefik_standin_stop(&standin);
	assert_int_equal(traefik_get(t, clock_ms() + 5000, "/api/version", &j, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_string_equal(err.msg, "GET http://127.0.0.1:1/api/version: the key is not let in");
	assert_int_equal(traefik_get(t, clock_ms() + 5000, "/api/version", &j, NULL), -1);
	assert_false(relay.closed);
	traefik_close(t);
	assert_true(relay.closed);
	str_free(&standin.log);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_tags),  cmocka_unit_test(test_versions), cmocka_unit_test(test_targets),
		cmocka_unit_test(test_relay), cmocka_unit_test(test_calls),    cmocka_unit_test(test_nobody_there),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
