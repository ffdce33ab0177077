#include "sys/clock.h"

#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void deadlines(void **state)
{
	(void)state;
	int64_t now = clock_ms();
	assert_int_equal(clock_left(now - 5), 0);
	assert_int_equal(clock_left(0), 0);
	assert_in_range(clock_left(now + 1000), 900, 1000);
	assert_true(clock_sleep(30));
	assert_in_range(clock_ms() - now, 30, 2000);
}

static void rfc3339(void **state)
{
	(void)state;
	char buf[32];
	clock_rfc3339(1767607200, buf);
	assert_string_equal(buf, "2026-01-05T10:00:00Z");
	clock_rfc3339(0, buf);
	assert_string_equal(buf, "1970-01-01T00:00:00Z");
	clock_rfc3339(INT64_MAX, buf);
	assert_string_equal(buf, "1970-01-01T00:00:00Z");
}

/* Runs in a child, whose status says how it went. */
static int wait_for_signals(int ready)
{
	signal(SIGHUP, SIG_DFL); /* this may run under nohup */
	cancel_install();
	struct pollfd fd = {.fd = cancel_fd(), .events = POLLIN};
	if (poll(&fd, 1, 0) != 0 || cancel_requested() || write(ready, "r", 1) != 1)
		return 1;
	if (clock_sleep(10000) || !cancel_requested() || poll(&fd, 1, 0) != 1 || write(ready, "c", 1) != 1)
		return 2;
	for (int i = 0; i < 1000; i++)
		poll(NULL, 0, 10);
	return 3;
}

static int status_after(int first, int second)
{
	int fds[2], status;
	char c;
	assert_int_equal(pipe(fds), 0);
	pid_t pid = fork();
	assert_true(pid >= 0);
	if (pid == 0)
		_exit(wait_for_signals(fds[1]));
	close(fds[1]);
	assert_int_equal(read(fds[0], &c, 1), 1);
	kill(pid, first);
	assert_int_equal(read(fds[0], &c, 1), 1);
	assert_int_equal(c, 'c');
	kill(pid, second);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	close(fds[0]);
	return status;
}

static void first_signal_asks_second_sigint_ends(void **state)
{
	(void)state;
	int status = status_after(SIGINT, SIGINT);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGINT);
	status = status_after(SIGHUP, SIGKILL);
	assert_int_equal(WTERMSIG(status), SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(deadlines),
		cmocka_unit_test(rfc3339),
		cmocka_unit_test(first_signal_asks_second_sigint_ends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
