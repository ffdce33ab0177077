/*
 * What a running HAProxy serves, out of what host/probe.sh saw of it (look_haproxy): the lines of its configuration
 * files that say so, and its statistics as CSV (management.txt, 9.1). Pure. Nothing is ever changed in it.
 */
#ifndef RECONCILE_CLIENT_HAPROXY_H
#define RECONCILE_CLIENT_HAPROXY_H

#include "base/json.h"

/*
 * look, as text:
 *   config /usr/local/etc/haproxy/haproxy.cfg     then its lines, each after a tab
 *   unreadable FILE: why
 *   stats socket /run/haproxy.sock                then the CSV, each line after a tab; the first that answered
 *   silent page 127.0.0.1:8404/stats: why         one that did not
 *
 * New reference, names as keys:
 *   {"backends": {"api": {"servers": {"a": ["10.0.0.80:8000", "172.18.0.3:8000"]}, "binds": [":11434"]}},
 *    "binds": [":11434", ":8404"],     of all frontends
 *    "files": ["/usr/local/etc/haproxy/haproxy.cfg"],
 *    "stats": "socket /run/haproxy.sock",  missing: nobody answered
 *    "sessions": 12,   that servers of backends were given since it started; with stats only
 *    "open": 0,        at this moment, those that wait for a server included
 *    "why": "…"}       what could not be read; missing: nothing
 *
 * A backend is what has servers. An address is as the configuration has it, then as the process has resolved it, if it
 * tells. HAProxy's own checks of its servers, its statistics pages and monitor-uri are no sessions.
 */
json_t *haproxy_read(const char *look);

#endif
