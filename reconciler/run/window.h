/* The spec's maintenance windows at a moment. Main thread only: the C library has one time zone for the whole process.
 */
#ifndef RECONCILE_RUN_WINDOW_H
#define RECONCILE_RUN_WINDOW_H

#include "spec/spec.h"

/*
 * now: seconds since the epoch by the manager's clock, which is the cluster's. *why (malloc'ed) says when the next
 * window opens, and *turns_s in how many seconds; NULL when one is open, and then *turns_s is when it closes (0: not
 * within a day, or the spec has no windows). ERR_SPEC: this machine does not know the time zone.
 */
int window_state(const struct spec *spec, int64_t now, char **why, int64_t *turns_s, struct err *err) MUST_CHECK;

#endif
