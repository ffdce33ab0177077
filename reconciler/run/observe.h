/* Observation: what the kinds need, fetched side by side, into a snapshot; then both sides as resources. */
#ifndef RECONCILE_RUN_OBSERVE_H
#define RECONCILE_RUN_OBSERVE_H

#include "kinds/cluster.h"
#include "model/kind.h"
#include "spec/spec.h"

/* The connections of one pass. */
struct session {
	struct cluster cluster; /* the main thread's */
	VEC(struct host *) hosts;
};

/* Opens a host per node of the spec, and the engine. */
int session_open(const struct spec *spec, const char *docker_host, struct session **out, struct err *err) MUST_CHECK;
void session_close(struct session *s);

/*
 * Fetches everything; what cannot be had is unknown in the snapshot with its
 * reason. Fails only when the pass was cancelled.
 */
int observe_cluster(struct session *s, const struct spec *spec, int64_t deadline, struct snapshot **out,
		    struct err *err) MUST_CHECK;

/* Decodes the spec and the snapshot. Pure; also used by the golden cases. */
int build_resources(const struct spec *spec, const struct snapshot *snap, struct resource_set **want,
		    struct resource_set **live, struct err *err) MUST_CHECK;

/* The plan of the spec's policy; adopt list and limits come from the spec; last and unmet as in plan.h. Pure. */
struct plan *build_plan(const struct spec *spec, const struct snapshot *snap, const struct resource_set *want,
			const struct resource_set *live, const json_t *last, const json_t *unmet);

#endif
