#include "client/engine/engine.h"
#include "sys/clock.h"

#include "engine_standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static struct engine *open_at(const char *host)
{
	struct engine *e;
	struct err err;
	struct engine_options o = {.host = host, .config_dir = "/nonexistent"};

	if (engine_open(&o, &e, &err) < 0)
		fail_msg("%s", err.msg);
	return e;
}

static int64_t soon(void)
{
	return clock_ms() + 5000;
}

/* ---- negotiation ---- */

static const struct {
	const char *what;
	struct standin_rule rules[4];
	enum err_code code; /* ERR_NONE: success with `version` */
	const char *version;
	const char *message;
} negotiations[] = {
	{"20.10", {PING_RULE}, ERR_NONE, "1.41", NULL},
	{"29", {{.request = "HEAD /_ping", .answer = PING_ANSWER("1.52")}}, ERR_NONE, "1.52", NULL},
	{"newer, speaks ours too",
	 {{.request = "HEAD /_ping", .answer = PING_ANSWER("1.60")},
	  {.request = "GET /version", .status = "200 OK", .body = "{\"MinAPIVersion\":\"1.44\"}"}},
	 ERR_NONE,
	 "1.52",
	 NULL},
	{"newer, says no minimum", {{.request = "HEAD /_ping", .answer = PING_ANSWER("1.60")}}, ERR_NONE, "1.52", NULL},
	{"no HEAD",
	 {{.request = "HEAD /_ping", .answer = "HTTP/1.1 405 No\r\nContent-Length: 0\r\n\r\n"},
	  {.request = "GET /_ping", .answer = PING_ANSWER("1.43")}},
	 ERR_NONE,
	 "1.43",
	 NULL},
	{"HEAD cuts the connection",
	 {{.request = "HEAD /_ping", .answer = "", .close = true},
	  {.request = "GET /_ping", .answer = PING_ANSWER("1.43")}},
	 ERR_NONE,
	 "1.43",
	 NULL},
	{"too old",
	 {{.request = "HEAD /_ping", .answer = PING_ANSWER("1.40")},
	  {.request = "GET /version",
	   .status = "200 OK",
	   .body = "{\"Version\":\"19.03.15\",\"MinAPIVersion\":\"1.12\"}"}},
	 ERR_UNSUPPORTED,
	 NULL,
	 "(version 19.03.15) speaks API 1.12 to 1.40, this program 1.41 to 1.52: Docker Engine 20.10 or later is "
	 "needed"},
	{"too old and silent about it",
	 {{.request = "HEAD /_ping", .answer = PING_ANSWER("1.24")}},
	 ERR_UNSUPPORTED,
	 NULL,
	 "(version unknown) speaks API 1.24, this program 1.41 to 1.52"},
	{"too new",
	 {{.request = "HEAD /_ping", .answer = PING_ANSWER("2.3")},
	  {.request = "GET /version",
	   .status = "200 OK",
	   .body = "{\"Version\":\"40.0.0\",\"MinAPIVersion\":\"2.0\"}"}},
	 ERR_UNSUPPORTED,
	 NULL,
	 "(version 40.0.0) speaks API 2.0 to 2.3, this program 1.41 to 1.52: a newer version of this program is "
	 "needed"},
	{"a web server",
	 {{.request = "HEAD /_ping", .answer = "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"},
	  {.request = "GET /_ping", .answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"}},
	 ERR_PROTOCOL,
	 NULL,
	 "is not a Docker engine"},
	{"nonsense version", {{.request = "HEAD /_ping", .answer = PING_ANSWER("one")}}, ERR_PROTOCOL, NULL, "'one'"},
	{"not HTTP",
	 {{.request = "HEAD /_ping", .answer = "SSH-2.0-x\r\n", .close = true},
	  {.request = "GET /_ping", .answer = "SSH-2.0-x\r\n", .close = true}},
	 ERR_PROTOCOL,
	 NULL,
	 "GET /_ping"},
};

static void test_negotiation(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(negotiations); i++) {
		struct standin s;
		struct err err = {0};
		standin_start(&s, negotiations[i].rules);
		struct engine *e = open_at(s.host);
		int r = engine_negotiate(e, soon(), &err);
		if (err.code != negotiations[i].code || (r == 0) != (err.code == ERR_NONE))
			fail_msg("%s: %s: %s", negotiations[i].what, err_code_name(err.code), err.msg);
		assert_string_equal(engine_api_version(e), r == 0 ? negotiations[i].version : "");
		if (r < 0 && !strstr(err.msg, negotiations[i].message))
			fail_msg("%s: %s", negotiations[i].what, err.msg);
		engine_close(e);
		standin_free(&s);
	}
}

/* ---- errors ---- */

static const struct {
	const char *status, *body;
	enum err_code code;
	const char *message;
} outcomes[] = {
	{"404 Not Found", "{\"message\":\"No such container: abcdefgh\"}", ERR_NOT_FOUND,
	 "POST /x/y: No such container: abcdefgh (status 404)"},
	{"409 Conflict", "{\"message\":\"name taken\"}", ERR_CONFLICT, "name taken"},
	{"503 Unavailable", "{\"message\":\"not a swarm manager\"}", ERR_UNSUPPORTED, "not a swarm manager"},
	{"501 Not Implemented", "{\"message\":\"no\"}\n", ERR_UNSUPPORTED, "POST /x/y: no (status 501)"},
	{"401 Unauthorized", "{}", ERR_DENIED, "{} (status 401)"},
	{"403 Forbidden", "", ERR_DENIED, "POST /x/y: (status 403)"},
	{"400 Bad Request", "{\"message\":\"wrong\"}", ERR_FAILED, "wrong"},
	{"500 Error", "{\"message\":\"rpc error: code = InvalidArgument desc = update out of sequence\"}",
	 ERR_OUT_OF_SEQUENCE, "POST /x/y: update out of sequence (status 500)"},
	{"500 Error", "{\"message\":\"broken\"}", ERR_FAILED, "broken"},
	{"500 Error",
	 "{\"message\":\"rpc error: code = Unknown desc = The swarm does not have a leader. It's "
	 "possible\"}",
	 ERR_UNREACHABLE, "The swarm does not have a leader"},
	{"500 Error", "{\"message\":\"rpc error: code = DeadlineExceeded desc = context deadline exceeded\"}",
	 ERR_TIMEOUT, "context deadline exceeded"},
	{"400 Bad Request", "{\"message\":\"port '80' is already in use by service 'a' (b) as an ingress port\"}",
	 ERR_CONFLICT, "port '80' is already in use by service 'a'"},
	{"400 Bad Request", "{\"message\":\"client version 1.52 is too new. Maximum is 1.41\"}", ERR_UNSUPPORTED,
	 "client version 1.52"},
	{"302 Found", "gone", ERR_PROTOCOL, "gone (status 302)"},
	{"502 Bad Gateway", "<h1>\r\nno\1\2\n", ERR_PROTOCOL, "POST /x/y: <h1>  no (status 502)"},
};

static void test_errors(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		struct standin s;
		struct err err = {0};
		json_t *out = NULL;
		standin_start(&s, (const struct standin_rule[]){PING_RULE,
								{.request = "POST /v1.41/x/y",
								 .status = outcomes[i].status,
								 .body = outcomes[i].body},
								{0}});
		struct engine *e = open_at(s.host);
		assert_int_equal(engine_post(e, soon(), NULL, &out, &err, "/%s/y?version=%d", "x", 3), -1);
		if (err.code != outcomes[i].code || !strstr(err.msg, outcomes[i].message))
			fail_msg("%zu: %s: %s", i, err_code_name(err.code), err.msg);
		assert_null(out);
		engine_close(e);
		standin_free(&s);
	}
}

static void test_no_engine(void **state)
{
	(void)state;
	struct err err = {0};
	json_t *out = NULL;
	struct engine *e = open_at("unix:///nonexistent/docker.sock");
	assert_int_equal(engine_get(e, soon(), &out, &err, "/info"), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	assert_non_null(strstr(err.msg, "no Docker engine answers at unix:///nonexistent/docker.sock"));
	engine_close(e);

	e = open_at("tcp://127.0.0.1:1");
	assert_int_equal(engine_get(e, soon(), &out, &err, "/info"), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	assert_non_null(strstr(err.msg, "tcp://127.0.0.1:1"));
	engine_close(e);
}

/* ---- answers ---- */

static void test_timeout(void **state)
{
	(void)state;
	struct standin s;
	struct err err = {0};
	json_t *out = NULL;
	standin_start(&s, (const struct standin_rule[]){PING_RULE, {.request = "GET /v1.41/info"}, {0}});
	struct engine *e = open_at(s.host);
	int64_t start = clock_ms();
	assert_int_equal(engine_get(e, start + 300, &out, &err, "/info"), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(clock_ms() - start >= 250 && clock_ms() - start < 3000);
	assert_non_null(strstr(err.msg, "GET /info: "));
	engine_close(e);
	standin_free(&s);
}

static void test_ping_timeout(void **state)
{
	(void)state;
	struct standin s;
	struct err err = {0};
	standin_start(&s, (const struct standin_rule[]){{.request = "HEAD /_ping"}, {.request = "GET /_ping"}, {0}});
	struct engine *e = open_at(s.host);
	assert_int_equal(engine_negotiate(e, clock_ms() + 300, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	engine_close(e);
	standin_free(&s);
}

static const struct {
	const char *what;
	struct standin_rule rule;
	enum err_code code;
} bad_answers[] = {
	{"cut in the middle",
	 {.request = "GET /v1.41/info",
	  .answer = "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"a\":",
	  .close = true},
	 ERR_UNREACHABLE},
	{"cut in the head", {.request = "GET /v1.41/info", .answer = "HTTP/1.1 2", .close = true}, ERR_UNREACHABLE},
	{"no answer", {.request = "GET /v1.41/info", .answer = "", .close = true}, ERR_UNREACHABLE},
	{"not JSON", {.request = "GET /v1.41/info", .status = "200 OK", .body = "hello"}, ERR_PROTOCOL},
	{"half JSON", {.request = "GET /v1.41/info", .status = "200 OK", .body = "{\"a\":"}, ERR_PROTOCOL},
	{"65 MiB",
	 {.request = "GET /v1.41/info",
	  .answer = "HTTP/1.1 200 OK\r\nContent-Length: 68157440\r\n\r\n",
	  .filler = 68157440},
	 ERR_LIMIT},
};

static void test_bad_answers(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad_answers); i++) {
		struct standin s;
		struct err err = {0};
		json_t *out = NULL;
		standin_start(&s, (const struct standin_rule[]){PING_RULE, bad_answers[i].rule, {0}});
		struct engine *e = open_at(s.host);
		assert_int_equal(engine_get(e, soon(), &out, &err, "/info"), -1);
		if (err.code != bad_answers[i].code || !str_starts(err.msg, "GET /info: "))
			fail_msg("%s: %s: %s", bad_answers[i].what, err_code_name(err.code), err.msg);
		assert_null(out);
		engine_close(e);
		standin_free(&s);
	}
}

static void test_good_answers(void **state)
{
	(void)state;
	struct standin s;
	struct err err = {0};
	_cleanup_json_ json_t *out = NULL, *empty = NULL, *body = json_pack("{s:s}", "a", "b");
	_cleanup_str_ struct str raw = {0};
	standin_start(&s, (const struct standin_rule[]){
				  PING_RULE,
				  {.request = "GET /v1.41/info", .status = "200 OK", .body = "{\"a\":1}"},
				  {.request = "GET /v1.41/logs", .status = "200 OK", .body = "\1\2ab"},
				  {.request = "POST /v1.41/stop", .answer = "HTTP/1.1 304 Not Modified\r\n\r\n"},
				  {.request = "POST /v1.41/make", .status = "201 Created", .body = ""},
				  {.request = "DELETE /v1.41/thing", .answer = "HTTP/1.1 204 No Content\r\n\r\n"},
				  {0}});
	struct engine *e = open_at(s.host);
	assert_int_equal(engine_get(e, soon(), &out, &err, "/info"), 0);
	assert_int_equal(json_int(out, "a", 0), 1);
	assert_int_equal(engine_post(e, soon(), NULL, NULL, &err, "/stop"), 0);
	assert_int_equal(engine_post(e, soon(), body, &empty, &err, "/make"), 0);
	assert_true(json_is_null(empty));
	assert_int_equal(engine_delete(e, soon(), &err, "/thing?force=%d", 1), 0);
	assert_int_equal(engine_get_raw(e, soon(), 100, &raw, &err, "/logs"), 0);
	assert_string_equal(str_cstr(&raw), "\1\2ab");
	assert_int_equal(engine_get_raw(e, soon(), 3, &raw, &err, "/logs"), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	engine_close(e);
	standin_stop(&s);
	assert_non_null(strstr(str_cstr(&s.log), "DELETE /v1.41/thing?force=1 HTTP/1.1"));
	assert_non_null(strstr(str_cstr(&s.log), "Content-Type: application/json"));
	assert_non_null(strstr(str_cstr(&s.log), "\r\n\r\n{\"a\":\"b\"}"));
	standin_free(&s);
}

static void test_get_all(void **state)
{
	(void)state;
	static const char *const paths[] = {"/info", "/missing", "/nodes", "/never"};
	struct standin s;
	json_t *outs[4];
	struct err errs[4];
	standin_start(
		&s,
		(const struct standin_rule[]){
			PING_RULE,
			{.request = "GET /v1.41/info", .status = "200 OK", .body = "{\"a\":1}"},
			{.request = "GET /v1.41/nodes", .status = "503 No", .body = "{\"message\":\"not manager\"}"},
			{.request = "GET /v1.41/never"},
			{0}});
	struct engine *e = open_at(s.host);
	engine_get_all(e, clock_ms() + 500, paths, 4, outs, errs);
	assert_int_equal(errs[0].code, ERR_NONE);
	assert_int_equal(json_int(outs[0], "a", 0), 1);
	assert_int_equal(errs[1].code, ERR_NOT_FOUND);
	assert_int_equal(errs[2].code, ERR_UNSUPPORTED);
	assert_string_equal(errs[2].msg, "GET /nodes: not manager (status 503)");
	assert_int_equal(errs[3].code, ERR_TIMEOUT);
	assert_true(!outs[1] && !outs[2] && !outs[3]);
	json_decref(outs[0]);
	engine_close(e);
	standin_free(&s);

	e = open_at("unix:///nonexistent/docker.sock");
	engine_get_all(e, soon(), paths, 4, outs, errs);
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(errs[i].code, ERR_UNREACHABLE);
		assert_null(outs[i]);
	}
	engine_get_all(e, soon(), paths, 0, outs, errs);
	engine_close(e);
}

/* ---- mutations ---- */

struct hooked {
	struct str calls;
	bool refuse;
};

static int on_mutation(void *arg, const char *call, struct err *err)
{
	struct hooked *h = arg;
	str_addf(&h->calls, "%s\n", call);
	return h->refuse ? err_set(err, ERR_LOCKED, "the lease is lost") : 0;
}

static void after_mutation(void *arg, const char *call)
{
	struct hooked *h = arg;
	str_addf(&h->calls, "after %s\n", call);
}

static void test_mutation_hook(void **state)
{
	(void)state;
	struct standin s;
	struct err err = {0};
	struct hooked h = {0};
	json_t *out = NULL;
	standin_start(&s, (const struct standin_rule[]){
				  PING_RULE,
				  {.request = "GET /v1.41/info", .status = "200 OK", .body = "{}"},
				  {.request = "POST /v1.41/make", .status = "201 Created", .body = "{}"},
				  {.request = "POST /v1.41/lost", .answer = "", .close = true},
				  {0}});
	struct engine *e = open_at(s.host);
	engine_set_hooks(e, (struct mutation_hooks){on_mutation, after_mutation, &h});
	assert_int_equal(engine_get(e, soon(), &out, &err, "/info"), 0);
	json_decref(out);
	assert_string_equal(str_cstr(&h.calls), "");
	struct engine *dup = engine_dup(e);
	assert_string_equal(engine_api_version(dup), "1.41");
	assert_int_equal(engine_post(dup, soon(), NULL, NULL, &err, "/make?x=1"), 0);
	assert_string_equal(str_cstr(&h.calls), "POST /make\nafter POST /make\n");
	str_reset(&h.calls);
	assert_int_equal(engine_post(e, soon(), NULL, NULL, &err, "/lost"), -1); /* it may have been done */
	assert_int_equal(err.code, ERR_UNREACHABLE);
	assert_string_equal(str_cstr(&h.calls), "POST /lost\nafter POST /lost\n");
	str_reset(&h.calls);
	h.refuse = true;
	assert_int_equal(engine_delete(e, soon(), &err, "/thing"), -1);
	assert_int_equal(err.code, ERR_LOCKED);
	assert_int_equal(engine_post_service(e, soon(), "nginx", NULL, NULL, &err, "/services/create"), -1);
	assert_string_equal(str_cstr(&h.calls), "DELETE /thing\nPOST /services/create\n");
	engine_close(dup);
	engine_close(e);
	standin_stop(&s);
	assert_null(strstr(str_cstr(&s.log), "DELETE"));
	assert_null(strstr(str_cstr(&s.log), "services"));
	str_free(&h.calls);
	standin_free(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_negotiation),   cmocka_unit_test(test_errors),
		cmocka_unit_test(test_no_engine),     cmocka_unit_test(test_timeout),
		cmocka_unit_test(test_ping_timeout),  cmocka_unit_test(test_bad_answers),
		cmocka_unit_test(test_good_answers),  cmocka_unit_test(test_get_all),
		cmocka_unit_test(test_mutation_hook),
	};
	json_init();
	return cmocka_run_group_tests_name("client/engine", tests, NULL, NULL);
}
