/*
 * Whether a service has become what its spec says. Pure: a judge over snapshots
 * of the service, its tasks and the nodes, so that recorded ones can be replayed.
 *
 * Converged (FACTS C): the right number of tasks of the current spec version
 * run on live nodes and have done so for the update's monitor period. Which
 * tasks are of the current version only Swarm knows (it compares specs, not
 * numbers): the filter `_up-to-date`, which the docker client uses as well.
 */
#ifndef RECONCILE_KINDS_SERVICE_WAIT_H
#define RECONCILE_KINDS_SERVICE_WAIT_H

#include "base/json.h"

struct wait_snapshot {
	const json_t *service; /* GET /services/{id} */
	const json_t *tasks;   /* GET /tasks of the service, all there are */
	const json_t *current; /* ids of those that are of the current spec version */
	const json_t *nodes;   /* GET /nodes */
	int64_t now;           /* ms of any clock that does not jump */
};

/*
 * What the judge remembers from one snapshot to the next; zero it first. Set
 * looked when the write starts tasks: then tasks that already run at the first
 * look have to prove themselves as well, and those that have failed by then count.
 * Set verify when nothing was written: how an earlier update ended does not
 * matter then, only what runs; and a job that runs is not waited for.
 */
struct wait_state {
	bool looked, verify;
	int64_t steady_since; /* all is as wanted since then; 0: it is not */
	int64_t idle_since;   /* nothing is on its way since then; 0: something is */
	char *seen;           /* the tasks and their states at the last look */
	int64_t moved_at;     /* these are what they are since then */
	json_t *failed;       /* ids of the current tasks that failed */
	json_t *failures;     /* how many of each replica, while it was looked at */
	int64_t most_failures;
	char reason[512]; /* what the last failed task said */
};
void wait_state_free(struct wait_state *st);

enum wait_outcome {
	WAIT_PENDING,
	WAIT_CONVERGED,
	WAIT_FAILED,      /* it will not get better by itself */
	WAIT_PAUSED,      /* Swarm paused the update, or the rollback */
	WAIT_ROLLED_BACK, /* Swarm put the previous spec back */
	WAIT_STUCK,       /* nothing has moved for a while: it waits for something that no task of it can bring about */
};

struct wait_verdict {
	enum wait_outcome outcome;
	char text[1024]; /* "2/3 tasks running (1 preparing)" */
};
struct wait_verdict service_wait_judge(struct wait_state *st, const struct wait_snapshot *snap);

/* True while an update or a rollback is in flight: nothing may be written then, unless it has converged (FACTS C). */
bool update_in_flight(const json_t *service);

#endif
