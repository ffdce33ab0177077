/*
 * Maintenance windows: when what restarts or removes something may be done.
 * Wall-clock arithmetic only; run/window.h knows time zones. Pure.
 */
#ifndef RECONCILE_POLICY_WINDOW_H
#define RECONCILE_POLICY_WINDOW_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

#define WINDOW_DAY_MINUTES 1440

struct window {
	unsigned days; /* on which it begins: 1 << tm_wday, Sunday is 0 */
	int from, to;  /* minutes of the day, [from, to); to < from: it ends on the next day */
};

/* 1 << tm_wday of "mon" … "sun"; 0: no such day. */
unsigned window_day(const char *name);
/* Minutes of "22:00", "24:00" included; -1: no time of the day. */
int window_time(const char *text);

/* local: tm_wday, tm_hour and tm_min are read. */
bool window_is_open(const struct window *w, size_t n, const struct tm *local);
/* Minutes by the wall clock until the next one begins, at least 1; -1: none ever does. */
int window_next(const struct window *w, size_t n, const struct tm *local);

#endif
