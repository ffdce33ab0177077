/*
 * The local history of one pass: what was applied last (explains only), the
 * plans and steps of this run. It is opened when it is needed; failing to write
 * it is said, never fatal. Main thread.
 */
#ifndef RECONCILE_RUN_RECORD_H
#define RECONCILE_RUN_RECORD_H

#include "run/apply.h"
#include "state/store.h"

struct record {
	const char *dir;
	bool writable;
	const struct run_events *events; /* message: when something is not recorded */
	/* Of the run's row. */
	const char *kind, *source, *commit; /* "apply", "1a2b3c4:cluster.yaml" */
	json_t *origin;                     /* how to get the spec again; owned */
	/* Its own. */
	bool opened;
	struct store *store; /* NULL: none (a dry run on a machine without one, a broken one) */
	json_t *last;        /* {"kind/name": body} as last applied */
	int64_t run;         /* 0: nothing recorded yet */
	int plan;
};

void record_close(struct record *r);
const json_t *record_last(struct record *r); /* opens; never NULL */
/* Whether the newest run applied what r->origin is, and ended well. */
bool record_has_spec(struct record *r);
void record_plan(struct record *r, const json_t *plan, int number);
void record_step(struct record *r, const struct change *c, const struct step_result *s);
/* What is applied now, without variables' values; NULL forgets it. Writes only when it is news. */
void record_applied(struct record *r, const char *key, const struct resource *desired);
void record_end(struct record *r, int exit_status, const char *message, const json_t *digests);

#endif
