/*
 * Whoever changes something outside this process announces it: the lease is
 * checked before, and tests end the process before or after the n-th one.
 */
#ifndef RECONCILE_SYS_MUTATION_H
#define RECONCILE_SYS_MUTATION_H

#include "base/err.h"

/* Both are called from any thread. what: "POST /services/create", "write /etc/x on gmktec"; never a value. */
struct mutation_hooks {
	int (*before)(void *arg, const char *what,
		      struct err *err);             /* negative: it is not made, err is filled; NULL: none */
	void (*after)(void *arg, const char *what); /* it may have taken effect; NULL: none */
	void *arg;
};

/*
 * The resource that this thread changes from now on, "service/web", for the hooks to ask; NULL: none. Borrowed. Host
 * handles are shared by the workers, so that the hooks' own arg cannot tell.
 */
void mutation_set_subject(const char *key);
const char *mutation_subject(void);

/*
 * RECONCILE_KILL_AT, for tests: "7" ends the process with SIGKILL before its 7th mutation, "7+" right after it (of the
 * whole process, all threads, the shared state's own writes included); "7s" stops it with SIGSTOP before its 7th, and
 * it goes on at SIGCONT. Every client calls these two by itself, around its own hooks, in the thread that makes the
 * change; no effect when unset.
 */
void mutation_kill_before(void);
void mutation_kill_after(void);

/* ERR_USAGE when RECONCILE_KILL_AT is malformed, which otherwise has no effect. For main. */
int mutation_check_env(struct err *err) MUST_CHECK;

#endif
