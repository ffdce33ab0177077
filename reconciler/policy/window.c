#include "policy/window.h"

#include <string.h>

static const char *const days[] = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

unsigned window_day(const char *name)
{
	for (unsigned i = 0; i < 7; i++)
		if (strcmp(days[i], name) == 0)
			return 1U << i;
	return 0;
}

static int two_digits(const char *s)
{
	return s[0] >= '0' && s[0] <= '9' && s[1] >= '0' && s[1] <= '9' ? (s[0] - '0') * 10 + s[1] - '0' : -1;
}

int window_time(const char *text)
{
	if (strlen(text) != 5 || text[2] != ':')
		return -1;
	int hour = two_digits(text), minute = two_digits(text + 3);
	if (hour < 0 || minute < 0 || minute > 59 || hour > 24 || (hour == 24 && minute != 0))
		return -1;
	return hour * 60 + minute;
}

static bool begins_on(const struct window *w, int day)
{
	return w->days & 1U << (unsigned)(day + 7) % 7U;
}

bool window_is_open(const struct window *w, size_t n, const struct tm *local)
{
	int now = local->tm_hour * 60 + local->tm_min, day = local->tm_wday;

	for (size_t i = 0; i < n; i++) {
		bool passes_midnight = w[i].to < w[i].from;
		if (begins_on(&w[i], day) && now >= w[i].from && (passes_midnight || now < w[i].to))
			return true;
		if (passes_midnight && begins_on(&w[i], day - 1) && now < w[i].to)
			return true;
	}
	return false;
}

int window_next(const struct window *w, size_t n, const struct tm *local)
{
	int now = local->tm_hour * 60 + local->tm_min, next = -1;

	for (size_t i = 0; i < n; i++) {
		for (int ahead = 0; ahead <= 7; ahead++) {
			int minutes = ahead * WINDOW_DAY_MINUTES + w[i].from - now;
			if (begins_on(&w[i], local->tm_wday + ahead) && minutes > 0 && (next < 0 || minutes < next))
				next = minutes;
		}
	}
	return next;
}
