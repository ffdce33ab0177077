/* The probe of one host, whatever leads there; host.c decides where it runs. */
#ifndef RECONCILE_HOST_PROBE_H
#define RECONCILE_HOST_PROBE_H

#include "host/host.h"

/* Starts nothing when nothing is asked; the answer is an empty object then. */
int probe_start(const char *node, const struct probe_request *q, int64_t deadline, struct probe **out,
		struct err *err) MUST_CHECK;
/* Also frees the probe, in every case. */
int probe_finish(struct probe *p, json_t **out, struct err *err) MUST_CHECK;

#endif
