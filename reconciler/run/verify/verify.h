/*
 * Whether a cluster is what its spec says, and well: every resource observed and in sync, every service with all of its
 * tasks, every node ready and to be looked at, every route answering. One JSON document (docs/verify.md). Looks only.
 *
 * Fetching and asking the gates (look.c) and judging (verify_make, pure) are two things.
 */
#ifndef RECONCILE_RUN_VERIFY_VERIFY_H
#define RECONCILE_RUN_VERIFY_VERIFY_H

#include "plan/plan.h"
#include "spec/settings.h"
#include "spec/spec.h"

#define VERIFY_FORMAT 1

struct verify_facts {
	const struct spec *spec;
	const struct snapshot *snap;
	const struct resource_set *want, *live;
	const struct plan *plan;
	/*
	 * Of every resource whose kind is a gate and nothing else: {"route/web": {"met": true, "reason": what it saw,
	 * may be missing}, or {"reason": …, "waiting": true when looking again can help, "unknown": true when it could
	 * not be looked at}}
	 */
	const json_t *gates;
	const char *engine; /* its address, for the document; may be NULL */
};

/* New reference. */
json_t *verify_make(const struct verify_facts *f);

/* 1: a check failed; 3: none did, but something is not known yet or could not be looked at; 0: all is well. */
int verify_exit(const json_t *doc);
/* Something that is not well yet may be so soon: tasks start, a route waits for its first health check. */
bool verify_may_change(const json_t *doc);

struct verify_options {
	const struct spec *spec;
	const char *docker_host; /* NULL: as the docker client finds it */
	const struct settings *settings;
	int64_t timeout_ms; /* how long it looks again while verify_may_change */
};
/* New reference. Errors: no engine can be named, Ctrl-C. */
int verify_look(const struct verify_options *o, json_t **out, struct err *err) MUST_CHECK;

/*
 * A replica that is killed and comes back: what is found when it is really tried. In two steps, so that a person can
 * be asked in between.
 */
struct disrupting;
/*
 * service: NULL: the first of the spec with two or more running replicas, one with a route before others. ERR_BLOCKED:
 * there is none; ERR_LOCKED: another run is at work, or the cluster is suspended.
 */
int disruption_open(const struct verify_options *o, const char *service, struct disrupting **out,
		    struct err *err) MUST_CHECK;
void disruption_close(struct disrupting *d);
const char *disruption_text(const struct disrupting *d); /* "service/web, task abc on node gmktec" */
/*
 * Kills it and watches: {"service", "node", "back_ms" (missing: not within DISRUPT_MS), "requests", "failed",
 * "failure": the first one's reason}; requests through the service's route, 0 where it has none. New reference.
 */
#define DISRUPT_MS 120000
int disruption_run(struct disrupting *d, json_t **out, struct err *err) MUST_CHECK;

#endif
