/* The processes of what an entry names, each looked at on its own node, in one round trip for each. */
#ifndef RECONCILE_KINDS_ABSENT_MEMBERS_H
#define RECONCILE_KINDS_ABSENT_MEMBERS_H

#include "kinds/absent/absent.h"
#include "kinds/absent/quiet.h"

struct member {
	struct host *host;
	long long pid;
	char *id, *started;
	json_t *inspect;     /* its container; NULL: a unit */
	bool shares_network; /* with its node or another container: its connections cannot be told from others' */
	bool maybe_haproxy;
	/* After members_look: */
	int64_t uptime_ms;
	char *boot_id;
	struct tcp_counters tcp;
	json_t *haproxy; /* client/haproxy/haproxy.h; NULL: it is none */
};

struct members {
	VEC(struct member) list;
	char *name; /* "container haproxy", "service lb" */
};
void members_free(struct members *m);

/* Those that run and can serve something: none between two restarts of a crash loop. */
int members_find(struct apply *a, const struct change *c, struct members *out, struct err *err) MUST_CHECK;
/* Forgets the others: of them only connections could be counted. */
void members_keep_haproxy(struct members *m);
/* *gone: a process ended meanwhile; look again later. */
int members_look(struct apply *a, struct members *m, bool *gone, struct err *err) MUST_CHECK;

#endif
