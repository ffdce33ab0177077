/* Makes the changes of a plan on worker threads, in the plan's order. */
#ifndef RECONCILE_RUN_APPLY_H
#define RECONCILE_RUN_APPLY_H

#include "kinds/cluster.h"
#include "plan/schedule.h"
#include "run/run.h"

struct step_result {
	struct err err; /* code ERR_NONE: done */
	bool held;      /* a gate did not hold: neither done nor failed */
	char *reason;   /* of held; malloc'ed */
	int64_t retry_after_s;
	int64_t ms;
};

struct apply_options {
	const struct cluster *cluster; /* each worker gets a copy with its own engine handle */
	const struct snapshot *snap;
	const struct resource_set *want;
	size_t workers;
	int64_t deadline;
	int64_t disrupts_until; /* clock_ms: from then on nothing is begun that waits for a maintenance window; 0: no
				   end */
	const struct run_events *events;
	/* After each step, on the main thread, before the next one is handed out: for the record. */
	void (*recorded)(void *arg, const struct change *c, const struct step_result *r);
	void *recorded_arg;
};

struct apply_result {
	size_t done, failed, held, skipped;
	size_t interrupted;   /* sent, but not waited for: neither done nor failed */
	enum err_code worst;  /* of the failed steps: what decides the exit status */
	bool out_of_sequence; /* every failure was one: a new plan can help */
	bool disconnected;    /* every failure was that, or a connection that broke: looking again can help */
	bool cancelled;
};

int apply_plan(const struct plan *p, const struct apply_options *o, struct apply_result *r, struct err *err) MUST_CHECK;

/*
 * Asks the gates of changes that nothing earlier in the plan still has to
 * prepare, and holds the changes whose gate does not hold. Changes nothing.
 */
int ask_gates(struct plan *p, struct apply *a, struct err *err) MUST_CHECK;

#endif
