/* Prometheus' HTTP API (v1), as far as it is asked. Errors as client/engine. */
#ifndef RECONCILE_CLIENT_PROMETHEUS_H
#define RECONCILE_CLIENT_PROMETHEUS_H

#include "base/err.h"
#include "base/json.h"

/*
 * What it scrapes: [{"job": "haproxy", "url": "http://haproxy:8404/metrics"}, …], new reference. url: of Prometheus.
 * unix_socket: leads there; NULL: url does.
 */
int prometheus_targets(const char *url, const char *unix_socket, int64_t deadline, json_t **out,
		       struct err *err) MUST_CHECK;

#endif
