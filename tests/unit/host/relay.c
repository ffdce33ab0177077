/* The relay to a port as this machine sees it; other machines and networks of containers are met in tests/e2e. */
#include "host/host.h"

#include "sys/clock.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct host *here(void)
{
	struct err err = {0};
	struct host *h;

	assert_int_equal(host_open(&(struct host_options){.node = "n", .address = "127.0.0.1"}, &h, &err), 0);
	return h;
}

/* A socket on a loopback port, which *port is. */
static int bound_socket(int *port)
{
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t size = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(bind(fd, (const struct sockaddr *)(const void *)&at, sizeof(at)), 0);
	assert_int_equal(getsockname(fd, (struct sockaddr *)(void *)&at, &size), 0);
	*port = ntohs(at.sin_port);
	return fd;
}

static int connect_to(const struct host_channel *c)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(at.sun_path, sizeof(at.sun_path), "%s", host_channel_socket(c));
	assert_int_equal(connect(fd, (const struct sockaddr *)(const void *)&at, sizeof(at)), 0);
	return fd;
}

static void bytes_go_both_ways(void **state)
{
	struct host *h = here();
	struct host_channel *c;
	struct err err = {0};
	char buf[16] = "";
	int port, listener = bound_socket(&port);

	(void)state;
	assert_int_equal(listen(listener, 1), 0);
	assert_int_equal(host_relay_open(h, NULL, "localhost", port, clock_ms() + 10000, &c, &err), 0);
	int near = connect_to(c), far = accept(listener, NULL, NULL);
	assert_int_equal(write(near, "ask", 3), 3);
	assert_int_equal(read(far, buf, sizeof(buf)), 3);
	assert_string_equal(buf, "ask");
	/* The end of the question is no end of the answer. */
	assert_int_equal(shutdown(near, SHUT_WR), 0);
	assert_int_equal(read(far, buf, sizeof(buf)), 0);
	assert_int_equal(write(far, "reply", 5), 5);
	assert_int_equal(read(near, buf, sizeof(buf)), 5);
	close(far);
	assert_int_equal(read(near, buf, sizeof(buf)), 0);
	close(near);
	close(listener);
	host_channel_close(c);
	host_close(h);
}

/* What came instead of a connection. */
static struct err refusal(const struct host_container *in, const char *name, int port)
{
	struct host *h = here();
	struct host_channel *c;
	struct err err = {0}, why = {0};
	char byte;

	assert_int_equal(host_relay_open(h, in, name, port, clock_ms() + 10000, &c, &err), 0);
	int fd = connect_to(c);
	assert_int_equal(read(fd, &byte, 1), 0);
	close(fd);
	assert_true(host_channel_error(c, &why));
	host_channel_close(c);
	host_close(h);
	return why;
}

static void a_refusal_is_told_from_what_could_not_be_tried(void **state)
{
	struct err err;
	int port, fd = bound_socket(&port);

	(void)state;
	err = refusal(NULL, "127.0.0.1", port); /* bound, and nobody listens */
	if (err.code != ERR_FAILED || !strstr(err.msg, "Connection refused"))
		fail_msg("%s: %s", err_code_name(err.code), err.msg);
	close(fd);
	err = refusal(NULL, "no-such-host.invalid", 80);
	if (err.code != ERR_FAILED || !strstr(err.msg, "no-such-host.invalid"))
		fail_msg("%s: %s", err_code_name(err.code), err.msg);
	err = refusal(&(const struct host_container){"4711deadbeef", getpid()}, "web", 80);
	if (err.code != ERR_BLOCKED || !strstr(err.msg, "is not the container's"))
		fail_msg("%s: %s", err_code_name(err.code), err.msg);
}

int main(void)
{
	static char dir[] = "/tmp/reconcile-relay.XXXXXX";
	const struct CMUnitTest tests[] = {cmocka_unit_test(bytes_go_both_ways),
					   cmocka_unit_test(a_refusal_is_told_from_what_could_not_be_tried)};

	if (!mkdtemp(dir))
		return 1;
	setenv("XDG_RUNTIME_DIR", dir, 1);
	int rc = cmocka_run_group_tests(tests, NULL, NULL);
	_cleanup_free_ char *own = xasprintf("%s/reconcile", dir);
	rmdir(own);
	rmdir(dir);
	return rc;
}
