/* A systemd unit as `systemctl show` tells it. */
#ifndef RECONCILE_KINDS_ABSENT_UNIT_H
#define RECONCILE_KINDS_ABSENT_UNIT_H

#include "base/json.h"
#include "host/host.h"

struct unit_state {
	bool there;          /* systemd has a file for it, or it runs */
	bool active;         /* it runs, starts, stops, or waits for its next start; or something that starts it does */
	bool enabled;        /* it comes back with the next start of the machine */
	long long pid;       /* of its main process; 0: none */
	const char *run;     /* InvocationID: another one with every start. Borrowed like the others, "" when none */
	const char *file;    /* "/lib/systemd/system/haproxy.service" */
	const char *program; /* name of its main process */
	const char *triggers; /* "haproxy.socket haproxy.timer": units that start it */
};

/* Pure. look: look_unit of host/probe.sh as text; JSON null: no such unit, or no systemd. */
void unit_state_read(const json_t *look, struct str *buf, struct unit_state *out);

/* What unit_state_read takes, now. New reference. */
int unit_look(struct host *h, const char *unit, int64_t deadline, json_t **out, struct err *err) MUST_CHECK;

#endif
