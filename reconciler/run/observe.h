/* Observation: what the kinds need, fetched side by side, into a snapshot; then both sides as resources. */
#ifndef RECONCILE_RUN_OBSERVE_H
#define RECONCILE_RUN_OBSERVE_H

#include "model/kind.h"
#include "run/session.h"

/*
 * Fetches everything; what cannot be had is unknown in the snapshot with its
 * reason. Fails only when the pass was cancelled.
 */
int observe_cluster(struct session *s, const struct spec *spec, int64_t deadline, struct snapshot **out,
		    struct err *err) MUST_CHECK;

/* Decodes the spec and the snapshot. Pure; also used by the golden cases. */
int build_resources(const struct spec *spec, const struct snapshot *snap, struct resource_set **want,
		    struct resource_set **live, struct err *err) MUST_CHECK;

/* What a plan depends on besides the spec and the cluster; everything as in plan.h. */
struct plan_facts {
	const json_t *last, *unmet, *shared;
	int64_t now;
	bool same_spec;
	const char *const *only, *const *retry;
	bool retry_all;
	const char *window;
	int64_t window_opens_s;
};

/* The plan of the spec's policy; adopt list and limits come from the spec. Pure. */
struct plan *build_plan(const struct spec *spec, const struct snapshot *snap, const struct resource_set *want,
			const struct resource_set *live, const struct plan_facts *f);

/* Seconds since the epoch by the manager's clock (GET /info), else by this machine's. */
int64_t manager_time(const struct snapshot *snap);

/* As plan_input.fingerprint. */
void fingerprint(const json_t *body, char hex[65]);

#endif
