/* Against a small server in threads of this program, on a unix socket and on loopback. */
#include "sys/http.h"

#include "sys/clock.h"

#include <arpa/inet.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct err err;
static struct http *h;
static struct http_response res;
static char socket_path[64], base_url[64];
static atomic_int connections, in_flight, most_in_flight, cut;

struct request {
	char method[16], path[64];
	char head[4096]; /* all of it, the request line included */
	size_t body_len;
};

static bool read_line(int fd, char *line, size_t size)
{
	size_t n = 0;
	while (n + 1 < size && read(fd, &line[n], 1) == 1)
		if (line[n++] == '\n')
			break;
	line[n] = '\0';
	return n > 0 && line[n - 1] == '\n';
}

static bool read_request(int fd, struct request *q)
{
	char line[1024], sink[4096];
	size_t used = 0;
	*q = (struct request){0};
	do {
		if (!read_line(fd, line, sizeof(line)))
			return false;
		used += (size_t)snprintf(q->head + used, sizeof(q->head) - used, "%s", line);
		sscanf(line, "Content-Length: %zu", &q->body_len);
	} while (strcmp(line, "\r\n") != 0);
	for (size_t left = q->body_len; left > 0;) {
		ssize_t n = read(fd, sink, left < sizeof(sink) ? left : sizeof(sink));
		if (n <= 0)
			return false;
		left -= (size_t)n;
	}
	return sscanf(q->head, "%15s %63s", q->method, q->path) == 2;
}

static void send_text(int fd, const char *text, size_t n)
{
	ssize_t k = send(fd, text, n, MSG_NOSIGNAL);
	(void)k;
}

static void answer(int fd, const char *status, const char *headers, const char *body)
{
	struct str s = {0};
	str_addf(&s, "HTTP/1.1 %s\r\n%sContent-Length: %zu\r\n\r\n%s", status, headers, strlen(body), body);
	send_text(fd, s.data, s.len);
	str_free(&s);
}

static void answer_chunked(int fd, size_t n)
{
	char chunk[1024 + 8];
	const char head[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
	send_text(fd, head, sizeof(head) - 1);
	memset(chunk, 'x', sizeof(chunk));
	memcpy(chunk, "400\r\n", 5);
	memcpy(chunk + 5 + 1024, "\r\n", 2);
	for (size_t i = 0; i < n; i++)
		send_text(fd, chunk, 5 + 1024 + 2);
	send_text(fd, "0\r\n\r\n", 5);
}

/* False: the connection ends. */
static bool serve(int fd, const struct request *q, int serial)
{
	char header[64];
	snprintf(header, sizeof(header), "X-Connection: %d\r\n", serial);
	if (strcmp(q->path, "/echo") == 0) {
		answer(fd, "200 OK", header, q->head);
	} else if (strcmp(q->path, "/slow") == 0) {
		clock_sleep(3000);
		return false;
	} else if (strcmp(q->path, "/pause") == 0) {
		int now = ++in_flight;
		if (now > most_in_flight)
			most_in_flight = now;
		usleep(150 * 1000); /* clock_sleep would end with the cancellation that a test asks for */
		in_flight--;
		answer(fd, "200 OK", header, "");
	} else if (strcmp(q->path, "/big") == 0) {
		answer_chunked(fd, 200);
	} else if (strcmp(q->path, "/cut") == 0) { /* after it did what was asked */
		cut++;
		return false;
	} else if (strcmp(q->path, "/half") == 0) {
		send_text(fd, "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf", 42);
		return false;
	} else if (strcmp(q->path, "/headless") == 0) {
		send_text(fd, "HTTP/1.1 200 OK\r\nContent-Type: te", 33);
		return false;
	} else if (strcmp(q->path, "/noise") == 0) {
		send_text(fd, "SSH-2.0-OpenSSH_9\r\n", 19);
		return false;
	} else if (strcmp(q->path, "/moved") == 0) {
		answer(fd, "302 Found", "Location: /echo\r\nX-Which: first\r\n", "");
	} else if (strcmp(q->path, "/loop") == 0) {
		answer(fd, "302 Found", "Location: /loop\r\n", "");
	} else {
		answer(fd, "404 Not Found", "X-Odd:   spaced \r\n", "no such thing");
	}
	return true;
}

static void *connection(void *arg)
{
	int fd = (int)(intptr_t)arg, serial = ++connections;
	struct request q;
	while (read_request(fd, &q) && serve(fd, &q, serial))
		;
	close(fd);
	return NULL;
}

static void *acceptor(void *arg)
{
	for (;;) {
		pthread_t t;
		int fd = accept((int)(intptr_t)arg, NULL, NULL);
		if (fd < 0)
			return NULL;
		pthread_create(&t, NULL, connection, (void *)(intptr_t)fd);
		pthread_detach(t);
	}
}

static void listen_on(int fd, const struct sockaddr *sa, socklen_t len)
{
	pthread_t t;
	assert_true(fd >= 0);
	assert_int_equal(bind(fd, sa, len), 0);
	assert_int_equal(listen(fd, 64), 0);
	pthread_create(&t, NULL, acceptor, (void *)(intptr_t)fd);
	pthread_detach(t);
}

static int start_servers(void **state)
{
	(void)state;
	struct sockaddr_un un = {.sun_family = AF_UNIX};
	struct sockaddr_in in = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(in);

	snprintf(socket_path, sizeof(socket_path), "/tmp/reconcile-http.%d", (int)getpid());
	snprintf(un.sun_path, sizeof(un.sun_path), "%s", socket_path);
	listen_on(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0), (struct sockaddr *)&un, sizeof(un));
	int tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	listen_on(tcp, (struct sockaddr *)&in, sizeof(in));
	assert_int_equal(getsockname(tcp, (struct sockaddr *)&in, &len), 0);
	snprintf(base_url, sizeof(base_url), "http://127.0.0.1:%d", ntohs(in.sin_port));
	setenv("http_proxy", "http://127.0.0.1:1", 1); /* nobody there: using it fails */
	setenv("ALL_PROXY", "http://127.0.0.1:1", 1);
	return 0;
}

static int stop_servers(void **state)
{
	(void)state;
	return unlink(socket_path);
}

static int setup(void **state)
{
	(void)state;
	err = (struct err){0};
	return http_new(&h, &err);
}

static int teardown(void **state)
{
	(void)state;
	http_response_free(&res);
	http_free(h);
	return 0;
}

static struct http_request get(const char *path)
{
	static char url[8][128];
	static unsigned i;
	char *u = url[i++ % 8];
	snprintf(u, sizeof(url[0]), "http://localhost%s", path);
	return (struct http_request){
		.method = "GET", .url = u, .unix_socket = socket_path, .deadline = clock_ms() + 5000};
}

static const char *body(void)
{
	return str_cstr(&res.body);
}

static void get_and_headers(void **state)
{
	(void)state;
	char value[16];
	struct http_request q = get("/nothing");
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_int_equal(res.status, 404);
	assert_string_equal(body(), "no such thing");
	assert_true(http_header(&res, "x-odd", value, sizeof(value)));
	assert_string_equal(value, "spaced");
	assert_false(http_header(&res, "x-od", value, sizeof(value)));
	assert_false(http_header(&res, "x-odd", value, 6));
	assert_true(http_header(&res, "x-odd", value, 7));
	assert_int_equal(err.code, ERR_NONE);
}

static void what_is_sent(void **state)
{
	(void)state;
	char *big = xcalloc(1, 100000);
	struct http_request q = get("/echo");
	q.method = "POST";
	q.body = big;
	q.body_len = 100000;
	q.headers = (const char *const[]){"X-A: b", NULL};
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_int_equal(strncmp(body(), "POST /echo HTTP/1.1\r\n", 21), 0);
	assert_non_null(strstr(body(), "X-A: b\r\n"));
	assert_non_null(strstr(body(), "Content-Length: 100000\r\n"));
	assert_null(strstr(body(), "Expect"));
	assert_null(strstr(body(), "Content-Type"));
	http_response_free(&res);

	q.body = NULL;
	q.headers = (const char *const[]){"content-type: application/json", NULL};
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_non_null(strstr(body(), "Content-Length: 0\r\n"));
	assert_non_null(strstr(body(), "application/json\r\n"));
	http_response_free(&res);

	q = get("/echo");
	q.method = "DELETE";
	q.user = "u";
	q.password = "p";
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_int_equal(strncmp(body(), "DELETE /echo", 12), 0);
	assert_non_null(strstr(body(), "Authorization: Basic dTpw\r\n"));
	http_response_free(&res);

	q = get("/echo");
	q.method = "HEAD";
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_int_equal(res.status, 200);
	assert_int_equal(res.body.len, 0);
	free(big);
}

/* A request after one of another kind must not inherit anything from it. */
static void handles_are_reset(void **state)
{
	(void)state;
	struct http_request q = get("/echo");
	q.method = "POST";
	q.body = "x";
	q.body_len = 1;
	q.user = "u";
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	http_response_free(&res);
	q = get("/echo");
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_int_equal(strncmp(body(), "GET /echo", 9), 0);
	assert_null(strstr(body(), "Authorization"));
	assert_null(strstr(body(), "Content-Length"));
}

static int serial(void)
{
	char value[16];
	assert_true(http_header(&res, "X-Connection", value, sizeof(value)));
	http_response_free(&res);
	return (int)strtol(value, NULL, 10);
}

static void connections_are_kept(void **state)
{
	(void)state;
	struct http_request q = get("/echo");
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	int first = serial();
	for (int i = 0; i < 5; i++) {
		assert_int_equal(http_do(h, &q, &res, &err), 0);
		assert_int_equal(serial(), first);
	}
	q.unix_socket = NULL;
	char url[128];
	snprintf(url, sizeof(url), "%s/echo", base_url);
	q.url = url;
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_int_not_equal(serial(), first);
}

/* What changes something is sent once: never again on a new connection because the kept one was dead. */
static void a_post_is_never_sent_twice(void **state)
{
	(void)state;
	struct http_request q = get("/echo");
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	http_response_free(&res);
	int before = cut;
	q = get("/cut");
	q.method = "POST";
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	assert_int_equal(cut, before + 1);
}

static void all_at_once(void **state)
{
	(void)state;
	enum { N = 6 };
	struct http_request q[N];
	struct http_response r[N];
	struct err errs[N];
	for (size_t i = 0; i < N; i++)
		q[i] = get(i == 2 ? "/cut" : i == 3 ? "/slow" : "/pause");
	q[3].deadline = clock_ms() + 100;
	int64_t start = clock_ms();
	http_do_all(h, q, N, r, errs);
	assert_in_range(clock_ms() - start, 150, 650); /* 700 one after another */
	for (size_t i = 0; i < N; i++) {
		assert_int_equal(errs[i].code, i == 2 ? ERR_UNREACHABLE : i == 3 ? ERR_TIMEOUT : ERR_NONE);
		assert_int_equal(r[i].status, errs[i].code == ERR_NONE ? 200 : 0);
		http_response_free(&r[i]);
	}
	assert_int_equal(most_in_flight, 4);
}

static void fails(const char *path, enum err_code code, const char *text)
{
	struct http_request q = get(path);
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, code);
	assert_non_null(strstr(err.msg, text));
	assert_int_equal(res.body.len, 0);
}

static void peers_that_misbehave(void **state)
{
	(void)state;
	fails("/cut", ERR_UNREACHABLE, socket_path);
	fails("/half", ERR_UNREACHABLE, socket_path);
	fails("/headless", ERR_UNREACHABLE, socket_path);
	fails("/noise", ERR_PROTOCOL, socket_path);
}

static void nobody_there(void **state)
{
	(void)state;
	struct http_request q = get("/echo");
	q.unix_socket = "/tmp/reconcile-no-such-socket";
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	assert_string_equal(err.msg, "connect to /tmp/reconcile-no-such-socket: No such file or directory");
	q.unix_socket = NULL;
	q.url = "http://127.0.0.1:1/";
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	assert_string_equal(err.msg, "connect to 127.0.0.1: Connection refused");
	q.url = "ftp://127.0.0.1/";
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, ERR_PROTOCOL);
}

static void no_permission(void **state)
{
	(void)state;
	struct http_request q = get("/echo");
	if (geteuid() != 0) {
		print_message("# SKIP no_permission: needs root to become somebody else\n");
		return; /* skip() of cmocka 1.1.5 is "not ok" for prove */
	}
	assert_int_equal(chmod(socket_path, 0600), 0);
	assert_int_equal(seteuid(65534), 0);
	int rc = http_do(h, &q, &res, &err);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(rc, -1);
	assert_int_equal(err.code, ERR_DENIED);
	assert_int_equal(err.sys, EACCES);
}

static void too_much(void **state)
{
	(void)state;
	struct http_request q = get("/big");
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_int_equal(res.body.len, 200 * 1024);
	http_response_free(&res);
	q.max_body = 100 * 1024;
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
}

static int count(const char *bytes, size_t n, void *arg)
{
	(void)bytes;
	*(size_t *)arg += n;
	return *(size_t *)arg > 150 * 1024;
}

static void streams(void **state)
{
	(void)state;
	size_t n = 0;
	struct http_request q = get("/big");
	q.on_body = count;
	q.on_body_arg = &n;
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_true(n > 150 * 1024);
}

static void in_time(void **state)
{
	(void)state;
	struct http_request q = get("/slow");
	q.deadline = clock_ms() + 200;
	int64_t start = clock_ms();
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_in_range(clock_ms() - start, 150, 1500);
	q.deadline = clock_ms() - 1;
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
}

/* The address of every interface is no loopback by its text, and leads here. */
static void past_a_proxy(void **state)
{
	(void)state;
	char url[128];

	snprintf(url, sizeof(url), "http://0.0.0.0%s/echo", strrchr(base_url, ':'));
	struct http_request q = {.method = "GET", .url = url, .deadline = clock_ms() + 5000};
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, ERR_UNREACHABLE);
	q.direct = true;
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_int_equal(res.status, 200);
}

static void redirects(void **state)
{
	(void)state;
	char value[16];
	struct http_request q = get("/moved");
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_int_equal(res.status, 302);
	assert_true(http_header(&res, "X-Which", value, sizeof(value)));
	http_response_free(&res);
	q.follow = true;
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_int_equal(res.status, 200);
	assert_false(http_header(&res, "X-Which", value, sizeof(value))); /* the last response's only */
	http_response_free(&res);
	q = get("/loop");
	q.follow = true;
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, ERR_PROTOCOL);
}

static void escape(void **state)
{
	(void)state;
	struct str s = {0};
	http_escape("a-z_.~09 /?&%ü", &s);
	assert_string_equal(str_cstr(&s), "a-z_.~09%20%2F%3F%26%25%C3%BC");
	str_free(&s);
}

/* Last: the process stays cancelled. */
static void cancelled(void **state)
{
	(void)state;
	struct http_request q = get("/pause");
	cancel_install();
	kill(getpid(), SIGTERM);
	int64_t start = clock_ms();
	assert_int_equal(http_do(h, &q, &res, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_true(clock_ms() - start < 140);
	q.uncancellable = true;
	assert_int_equal(http_do(h, &q, &res, &err), 0);
	assert_int_equal(res.status, 200);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(get_and_headers),
		TEST(what_is_sent),
		TEST(handles_are_reset),
		TEST(connections_are_kept),
		TEST(a_post_is_never_sent_twice),
		TEST(all_at_once),
		TEST(peers_that_misbehave),
		TEST(nobody_there),
		TEST(no_permission),
		TEST(too_much),
		TEST(streams),
		TEST(in_time),
		TEST(past_a_proxy),
		TEST(redirects),
		TEST(escape),
		TEST(cancelled),
	};
	return cmocka_run_group_tests(tests, start_servers, stop_servers);
}
