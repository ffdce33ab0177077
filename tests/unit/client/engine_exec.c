#include "client/engine/engine.h"
#include "sys/clock.h"

#include "engine_standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct engine *open_standin(const struct standin *s)
{
	struct engine *e;
	struct err err;
	if (engine_open(&(struct engine_options){.host = s->host, .config_dir = "/nonexistent"}, &e, &err) < 0)
		fail_msg("%s", err.msg);
	return e;
}

static int64_t soon(void)
{
	return clock_ms() + 10000;
}

/* ---- programs ---- */

/* How the answer is cut into pieces of HTTP says nothing about the frames in it. */
struct program {
	const char *output; /* frames */
	size_t n, piece;
};

static bool run_program(void *arg, const char *request, int fd, bool *goes_on)
{
	const struct program *p = arg;

	if (!str_starts(request, "POST /v1.41/exec/e1/start"))
		return false;
	static const char head[] = "HTTP/1.1 200 OK\r\nContent-Type: "
				   "application/vnd.docker.raw-stream\r\nTransfer-Encoding: chunked\r\n\r\n";
	standin_write(fd, head, sizeof(head) - 1);
	for (size_t at = 0; at < p->n; at += p->piece) {
		size_t n = p->n - at < p->piece ? p->n - at : p->piece;
		_cleanup_str_ struct str chunk = {0};
		str_addf(&chunk, "%zx\r\n", n);
		str_add(&chunk, p->output + at, n);
		str_adds(&chunk, "\r\n");
		standin_write(fd, chunk.data, chunk.len);
	}
	standin_write(fd, "0\r\n\r\n", 5);
	*goes_on = true;
	return true;
}

static int keep(const char *bytes, size_t n, void *arg)
{
	str_add(arg, bytes, n);
	return 0;
}

static int refuse(const char *bytes, size_t n, void *arg)
{
	(void)bytes, (void)n, (void)arg;
	return 1;
}

#define EXEC_RULES(ended) \
	{ \
		PING_RULE, \
			{.request = "POST /v1.41/containers/c%2F1/exec", \
			 .status = "201 Created", \
			 .body = "{\"Id\":\"e1\"}"}, \
			{.request = "GET /v1.41/exec/e1/json", .status = "200 OK", .body = (ended)}, \
		{ \
			0 \
		} \
	}

static void test_exec(void **state)
{
	(void)state;
	static const char frames[] = "\1\0\0\0\0\0\0\4one\n"
				     "\2\0\0\0\0\0\0\0"
				     "\2\0\0\0\0\0\0\4two\n";
	static const char *const argv[] = {"ollama", "pull", "it's", NULL};
	static const struct standin_rule rules[] = EXEC_RULES("{\"Running\":false,\"ExitCode\":3}");

	for (size_t piece = 1; piece < sizeof(frames); piece++) {
		struct program p = {.output = frames, .n = sizeof(frames) - 1, .piece = piece};
		struct standin s = {.rules = rules, .answer = run_program, .arg = &p};
		_cleanup_str_ struct str out = {0};
		struct err err = {0};
		int status = -1;
		standin_run_in_thread(&s);
		struct engine *e = open_standin(&s);
		if (engine_exec(e, soon(), "c/1", argv, keep, &out, &status, &err) < 0)
			fail_msg("pieces of %zu: %s", piece, err.msg);
		assert_int_equal(status, 3);
		assert_string_equal(str_cstr(&out), "one\ntwo\n");
		engine_close(e);
		standin_stop(&s);
		assert_non_null(strstr(str_cstr(&s.log), "\"Cmd\":[\"ollama\",\"pull\",\"it's\"]"));
		standin_free(&s);
	}
}

static void test_exec_fails(void **state)
{
	(void)state;
	static const char *const argv[] = {"x", NULL};
	static const struct standin_rule rules[] = EXEC_RULES("{\"Running\":true}");
	struct program p = {.output = "\1\0\0\0\0\0\0\4one\n", .n = 12, .piece = 12};
	struct standin s = {.rules = rules, .answer = run_program, .arg = &p};
	struct err err = {0};
	int status = -1;

	standin_run_in_thread(&s);
	struct engine *e = open_standin(&s);
	assert_int_equal(engine_exec(e, soon(), "c/1", argv, NULL, NULL, &status, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	assert_int_equal(engine_exec(e, soon(), "c/1", argv, refuse, NULL, &status, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_int_equal(engine_exec(e, soon(), "other", argv, NULL, NULL, &status, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_int_equal(status, -1);
	engine_close(e);
	standin_stop(&s);
	standin_free(&s);
}

/* ---- images ---- */

static void keep_status(void *arg, const char *text)
{
	str_addf(arg, "%s;", text);
}

static const struct {
	const char *image;
	struct standin_rule rules[4];
	enum err_code code;
	const char *message, *status, *asked;
} images[] = {
	{"x:1",
	 {PING_RULE, {.request = "GET /v1.41/images/x:1/json", .status = "200 OK", .body = "{}"}},
	 ERR_NONE,
	 "",
	 "",
	 "GET"},
	{"reg.lan:5000/a/x",
	 {PING_RULE,
	  {.request = "POST /v1.41/images/create?fromImage=reg.lan%3A5000%2Fa%2Fx&tag=latest ",
	   .status = "200 OK",
	   .body = "{\"status\":\"Pulling\",\"id\":\"l1\",\"progress\":\"[=>] 1B/2B\"}\r\n{\"status\":\"Done\"}"}},
	 ERR_NONE,
	 "",
	 "l1: Pulling [=>] 1B/2B;Done;",
	 "POST"},
	{"x:1@sha256:abababababababababababababababababababababababababababababababab",
	 {PING_RULE,
	  {.request = "POST /v1.41/images/create?fromImage=x&tag=sha256%3Aabab", .status = "200 OK", .body = ""}},
	 ERR_NONE,
	 "",
	 "",
	 "POST"},
	/* An error in the middle of a good answer, and a bad answer. */
	{"x:1",
	 {PING_RULE,
	  {.request = "POST /v1.41/images/create",
	   .status = "200 OK",
	   .body = "{\"status\":\"Pulling\"}\n{\"errorDetail\":{\"message\":\"m\"},\"error\":\"no space left on "
		   "device\"}\n"}},
	 ERR_FAILED,
	 "image 'x:1': no space left on device",
	 "Pulling;",
	 "POST"},
	{"x:1",
	 {PING_RULE,
	  {.request = "POST /v1.41/images/create",
	   .status = "404 Not Found",
	   .body = "{\"message\":\"pull access denied\"}"}},
	 ERR_NOT_FOUND,
	 "pull access denied",
	 "",
	 "POST"},
	{"x:1",
	 {PING_RULE, {.request = "GET /v1.41/images", .status = "500 Oh", .body = "{\"message\":\"broken\"}"}},
	 ERR_FAILED,
	 "broken",
	 "",
	 "GET"},
	{"X", {PING_RULE}, ERR_SPEC, "lowercase", "", ""},
};

static void test_images(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(images); i++) {
		struct standin s = {0};
		_cleanup_str_ struct str status = {0};
		struct err err = {0};
		standin_start(&s, images[i].rules);
		struct engine *e = open_standin(&s);
		int rc = engine_ensure_image(e, soon(), images[i].image, keep_status, &status, &err);
		engine_close(e);
		standin_stop(&s);
		if ((rc < 0) != (images[i].code != ERR_NONE) || err.code != images[i].code ||
		    !strstr(err.msg, images[i].message))
			fail_msg("%s (%zu): %s %s", images[i].image, i, err_code_name(err.code), err.msg);
		assert_string_equal(str_cstr(&status), images[i].status);
		assert_int_equal(strstr(str_cstr(&s.log), "POST ") != NULL, strcmp(images[i].asked, "POST") == 0);
		standin_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_exec),
		cmocka_unit_test(test_exec_fails),
		cmocka_unit_test(test_images),
	};
	json_init();
	return cmocka_run_group_tests_name("client/engine_exec", tests, NULL, NULL);
}
