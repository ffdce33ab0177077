/*
 * One pass: read the spec, observe, plan, ask the gates, apply, look again.
 *
 *   observe.h  everything the kinds of a spec need, fetched at once -> snapshot
 *   apply.h    asks the gates of a plan; worker threads that make its changes
 *   safety.h   the shared state and the lease of a pass (shared.h, lease.h)
 *   record.h   the local history
 *   outcome.h  what a finished step means for both
 *   run.h      puts these together, bounded
 */
#ifndef RECONCILE_RUN_RUN_H
#define RECONCILE_RUN_RUN_H

#include "plan/plan.h"
#include "plan/render.h"
#include "source/source.h"
#include "spec/spec.h"

#define STATE_ROOT "/var/lib/reconcile"

/* What the edge is told, always on the main thread. */
struct run_events {
	void *arg;
	/* What was found in the spec, errors or warnings; text is its source. Once, when there is anything. */
	void (*findings)(void *arg, const struct diags *d, const char *text);
	/* A plan was made: number 1, 2, … of this run. Before anything is changed. */
	void (*planned)(void *arg, const struct plan *p, const struct render_context *ctx, int number);
	/* Asked once for a plan with destructive steps, or of kinds that ask (model/kind.h), unless options say yes;
	 * false refuses. NULL: refuses. */
	bool (*confirm)(void *arg, const struct plan *p);
	void (*started)(void *arg, const struct change *c);
	void (*progress)(void *arg, const struct change *c, const char *text);
	void (*finished)(void *arg, const struct change *c, const struct err *failure, int64_t ms); /* NULL: done */
	void (*skipped)(void *arg, const struct change *c, const char *reason);
	/* Something worth a line: a stale source, a gate that is waited for. */
	void (*message)(void *arg, const char *text);
};

struct run_options {
	struct source_options source;
	const char *docker_host; /* NULL: as the docker client finds it */
	const char *state_dir;   /* NULL: /var/lib/reconcile/<cluster> */
	const char *const *allow_env;
	bool dry_run;
	bool bootstrap;        /* a swarm may be created, packages may be installed */
	bool accept_new_hosts; /* hosts that are in no known_hosts are trusted and remembered */
	bool wait;             /* block until the gates hold */
	bool yes;              /* do not ask */
	bool refresh_images;
	int64_t timeout_ms;              /* for the whole pass; 0: 30 minutes */
	const struct settings *settings; /* this machine's; NULL: none */
	const char *const *only;         /* "kind/name", NULL-terminated; NULL: everything */
	const char *const *retry;        /* failed or contested ones to try again, NULL-terminated; NULL: none */
	bool retry_all;
	const char *plan_out;  /* dry run: the plan is saved there */
	const json_t *saved;   /* a saved plan: nothing but that is applied; the source is the one it names */
	const json_t *origin;  /* run/origin.h: apply this instead of the source (a rollback) */
	const json_t *digests; /* {"service/x": "sha256:…"} for a rollback */
	/* A rollback: the entry of suspended["*"] (state/shared.h) to be there before the first change; NULL: none. */
	const json_t *hold;
};

struct run_result {
	int exit_status; /* as the README's table: 0, 1, 2 (pending, dry run only), 3, 5 (locked, suspended, lease lost)
			  */
	int plans;       /* how many were made */
	size_t done, failed, interrupted, skipped;
	char *message; /* malloc'ed; what an operator has to know at the end; NULL: nothing */
};
void run_result_free(struct run_result *r);

/*
 * Returns 0 when the pass took place, whatever came of it (result). Negative
 * when it could not be started: ERR_SPEC, ERR_LOCKED, source and usage errors.
 */
int run_pass(const struct run_options *o, const struct run_events *ev, struct run_result *result,
	     struct err *err) MUST_CHECK;

#endif
