/*
 * The section `suspended` of the shared state (state/shared.h): "*" holds the
 * whole cluster, "kind/name" one resource, until its time is over by the
 * manager's clock or `resume` lifts it. Pure, but for suspension_by.
 */
#ifndef RECONCILE_RUN_SUSPENSION_H
#define RECONCILE_RUN_SUSPENSION_H

#include "base/json.h"

#define SUSPEND_ALL "*"

/* What holds key (SUSPEND_ALL: the cluster) at now; borrowed; NULL: nothing, or its time is over. */
const json_t *suspension_of(const json_t *sections, const char *key, int64_t now);

struct suspension {
	const char *reason; /* NULL: none given */
	const char *by;
	int64_t since;
	int64_t until;      /* 0: until `resume` */
	int64_t run;        /* a rollback holds: of that run; 0: none */
	const char *commit; /* and its commit; NULL: none */
};
json_t *suspension_json(const struct suspension *s); /* new reference */

/* "suspended since 2026-01-05T10:00:00Z by root@gmktec until …: reason". Appends. */
void suspension_text(const json_t *entry, struct str *out);

/*
 * A run at work asks before each change, with the sections as they are now: somebody may have suspended the cluster
 * meanwhile, or key, the resource that is being changed (NULL: none). own: the entry that this run itself set for the
 * cluster (a rollback); NULL: none. ERR_LOCKED, or ERR_SUSPENDED when it is that resource, with who and why.
 */
int suspension_check(const json_t *sections, const json_t *own, const char *key, int64_t now,
		     struct err *err) MUST_CHECK;

/* "user@host" of the caller; the one behind sudo. malloc'ed. */
char *suspension_by(void);

#endif
