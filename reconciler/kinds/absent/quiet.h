/*
 * `quiet`: has something served nothing for long enough? Pure.
 *
 * What is counted are the TCP connections that its network namespace accepted
 * (PassiveOpens, IPv4 and IPv6 together), whatever they were for: a health
 * check by a load balancer or a Prometheus scrape is traffic too, and keeps the
 * gate shut until it is switched off. UDP is not seen. Of an HAProxy that shows
 * its statistics the sessions are counted that its servers were given: its own
 * checks, scrapes and monitor-uri are none.
 */
#ifndef RECONCILE_KINDS_ABSENT_QUIET_H
#define RECONCILE_KINDS_ABSENT_QUIET_H

#include "model/kind.h"

/* The Tcp counters of /proc/<pid>/net/snmp (proc(5), RFC 4022). */
struct tcp_counters {
	int64_t accepted; /* PassiveOpens */
	int64_t open;     /* CurrEstab, connections that it opened itself included */
};
bool tcp_counters_parse(const char *snmp, struct tcp_counters *out);

/* One look. The time is the host's uptime within one boot: no step of a clock moves it. */
struct quiet_reading {
	const char *container;  /* id, or several of them */
	const char *started_at; /* a restart begins with new counters */
	const char *boot_id;
	int64_t uptime_ms;
	int64_t wall;  /* for people */
	bool sessions; /* of HAProxy are what tcp counts */
	struct tcp_counters tcp;
};

/*
 * name: "container haproxy". Judges a reading by the evidence of earlier looks (NULL: none), fills *g, and
 * returns the evidence to keep: new reference. Pure.
 */
json_t *quiet_judge(const char *name, const json_t *evidence, const struct quiet_reading *now, int64_t quiet_ms,
		    struct gate *g);

#endif
