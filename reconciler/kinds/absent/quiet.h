/*
 * The `quiet` gate: has a container served nothing for long enough?
 *
 * What is counted are the TCP connections that its network namespace accepted
 * (PassiveOpens, IPv4 and IPv6 together), whatever they were for: a health
 * check by a load balancer or a Prometheus scrape is traffic too, and keeps the
 * gate shut until it is switched off. UDP is not seen.
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
	const char *container;  /* id */
	const char *started_at; /* a restart begins with new counters */
	const char *boot_id;
	int64_t uptime_ms;
	int64_t wall; /* for people */
	struct tcp_counters tcp;
};

/*
 * Judges a reading by the evidence of earlier looks (NULL: none), fills *g, and
 * returns the evidence to keep: new reference. Pure.
 */
json_t *quiet_judge(const char *name, const json_t *evidence, const struct quiet_reading *now, int64_t quiet_ms,
		    struct gate *g);

/* Takes a reading through the engine and the node's /proc and judges it; hook of the kind. */
int absent_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err) MUST_CHECK;

#endif
