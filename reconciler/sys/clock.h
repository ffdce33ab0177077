/*
 * Time and cancellation. Deadlines are absolute, in milliseconds of
 * CLOCK_MONOTONIC: a wrong or stepped wall clock moves none of them.
 */
#ifndef RECONCILE_SYS_CLOCK_H
#define RECONCILE_SYS_CLOCK_H

#include <stdbool.h>
#include <stdint.h>

int64_t clock_ms(void);                                /* monotonic */
int64_t clock_wall(void);                              /* seconds since the epoch, for people and records only */
int64_t clock_left(int64_t deadline);                  /* ms until deadline, never negative */
void clock_rfc3339(int64_t wall, char buf[static 32]); /* "2026-01-05T10:00:00Z" */
/* Also with a fraction and an offset, as engines write it; false for NULL, other texts, and Go's zero time. */
bool clock_parse_rfc3339(const char *text, int64_t *wall);

/* Sleeps up to ms, shorter when cancelled. Returns false when cancelled. */
bool clock_sleep(int64_t ms);

/*
 * Cancellation by SIGINT, SIGTERM, SIGHUP. cancel_install() sets the handlers;
 * afterwards cancel_requested() turns true at the first signal and cancel_fd()
 * becomes readable for poll. A second SIGINT ends the program at once.
 */
void cancel_install(void);
bool cancel_requested(void);
int cancel_fd(void);

#endif
