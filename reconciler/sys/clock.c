#include "sys/clock.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

int64_t clock_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall(void)
{
	return (int64_t)time(NULL);
}

int64_t clock_left(int64_t deadline)
{
	int64_t left = deadline - clock_ms();
	return left > 0 ? left : 0;
}

void clock_rfc3339(int64_t wall, char buf[static 32])
{
	struct tm tm;
	time_t t = (time_t)wall;

	if (!gmtime_r(&t, &tm) || strftime(buf, 32, "%Y-%m-%dT%H:%M:%SZ", &tm) == 0)
		snprintf(buf, 32, "1970-01-01T00:00:00Z");
}

bool clock_parse_rfc3339(const char *text, int64_t *seconds)
{
	struct tm tm = {0};
	int offset_h = 0, offset_m = 0, end = 0;
	char sign = 'Z';

	if (!text ||
	    sscanf(text, "%4d-%2d-%2dT%2d:%2d:%2d%n", &tm.tm_year, &tm.tm_mon, &tm.tm_mday, &tm.tm_hour, &tm.tm_min,
		   &tm.tm_sec, &end) != 6 ||
	    tm.tm_year <= 1)
		return false;
	text += end;
	if (*text == '.')
		text += 1 + strspn(text + 1, "0123456789");
	if (strcmp(text, "Z") != 0 &&
	    (sscanf(text, "%c%2d:%2d", &sign, &offset_h, &offset_m) != 3 || !strchr("+-", sign)))
		return false;
	tm.tm_year -= 1900;
	tm.tm_mon -= 1;
	int64_t offset = ((int64_t)offset_h * 60 + offset_m) * 60;
	*seconds = timegm(&tm) - (sign == '-' ? -offset : offset);
	return true;
}

static volatile sig_atomic_t cancelled;
static int event_fd = -1;

static void on_signal(int sig)
{
	int saved = errno;
	const uint64_t one = 1;

	(void)sig;
	cancelled = 1;
	ssize_t n = write(event_fd, &one, sizeof(one)); /* cannot block: nobody reads, and it takes 2^64 - 2 signals */
	(void)n;
	errno = saved;
}

void cancel_install(void)
{
	/* SIGINT's handler is gone after its first use: the second one has the default effect. */
	const struct {
		int sig, flags;
	} table[] = {{SIGINT, SA_RESETHAND}, {SIGTERM, 0}, {SIGHUP, 0}};

	if (event_fd >= 0)
		return;
	event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct sigaction sa = {.sa_handler = on_signal, .sa_flags = SA_RESTART | table[i].flags};
		struct sigaction old;
		sigaction(table[i].sig, NULL, &old);
		if (old.sa_handler != SIG_IGN || table[i].sig != SIGHUP) /* nohup stays nohup */
			sigaction(table[i].sig, &sa, NULL);
	}
}

bool cancel_requested(void)
{
	return cancelled;
}

int cancel_fd(void)
{
	return event_fd;
}

bool clock_sleep(int64_t ms)
{
	int64_t deadline = clock_ms() + ms;
	struct pollfd fd = {.fd = cancel_fd(), .events = POLLIN}; /* poll ignores -1 */

	while (!cancel_requested()) {
		int64_t left = clock_left(deadline);
		if (left == 0)
			return true;
		poll(&fd, 1, left < 60000 ? (int)left : 60000);
	}
	return false;
}
