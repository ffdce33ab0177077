/* The connections of one pass, and which engine it works with. */
#ifndef RECONCILE_RUN_SESSION_H
#define RECONCILE_RUN_SESSION_H

#include "kinds/cluster.h"
#include "model/snapshot.h"
#include "spec/spec.h"

/* Why a host did not answer, and until when this is taken for its answer. */
struct silence {
	struct err why;
	int64_t until; /* clock.h; 0: it was not silent */
};

struct session {
	struct cluster cluster; /* the main thread's */
	VEC(struct host *) hosts;
	VEC(struct silence) silent;   /* in the order of hosts */
	struct host_channel *channel; /* to the engine, when it is another machine's; NULL: none */
	bool engine_given;            /* somebody said which engine: no other one is taken */
	VEC(const char *) tried;      /* managers whose engines were taken by session_reconsider; the spec's strings */
};

/* The host of one node (a member of nodes), for who needs no session. host_close. */
int session_host(const struct spec *spec, const struct snode *node, bool accept_new, struct host **out,
		 struct err *err) MUST_CHECK;

/*
 * Opens a host per node of the spec, and the engine: the one that is said by docker_host, DOCKER_HOST or a docker
 * context; else this machine's if it is a manager of the spec (or the spec names no nodes), else that of the first
 * manager that answers.
 */
int session_open(const struct spec *spec, const char *docker_host, bool accept_new_hosts, struct session **out,
		 struct err *err) MUST_CHECK;
void session_close(struct session *s);

/*
 * For who makes no observation: when the engine says nothing and nobody said that it has to be this one, the first
 * manager's that answers is taken; when none does, it stays.
 */
int session_require_answer(struct session *s, const struct spec *spec, struct err *err) MUST_CHECK;

/*
 * After an observation, which cost nothing more: when the engine turns out not to be a manager's that works, but that
 * of another manager of the spec is, or a swarm is to be created and another node is to do it, the session takes that
 * one. *changed: what was observed is to be observed again. Each manager is taken once.
 */
int session_reconsider(struct session *s, const struct spec *spec, const struct snapshot *snap, bool *changed,
		       struct err *err) MUST_CHECK;

#endif
