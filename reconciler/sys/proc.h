/*
 * Child processes: no shell, own process group, a deadline, capped output. At
 * the deadline or on cancellation the whole group gets SIGTERM, then after
 * grace_ms SIGKILL; stopped children are continued first so that they can die.
 * Every child is reaped (pidfd). Pipes are close-on-exec; the child inherits
 * only stdin, stdout, stderr.
 */
#ifndef RECONCILE_SYS_PROC_H
#define RECONCILE_SYS_PROC_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

struct proc_options {
	const char *const *argv; /* argv[0] looked up in PATH; NULL-terminated */
	const char *const *env;  /* "NAME=value" list, NULL-terminated; NULL: inherit */
	const char *cwd;         /* NULL: inherit */
	const char *input;       /* written to stdin, then end of file; may be NULL */
	size_t input_len;
	int64_t deadline;   /* clock.h; required */
	int64_t since;      /* what the time in a message is counted from; 0: the start */
	int64_t grace_ms;   /* between SIGTERM and SIGKILL; 0: 2000 */
	size_t max_output;  /* bytes kept of stdout and of stderr each; 0: 1 MiB. More: ERR_LIMIT, group killed */
	bool uncancellable; /* goes on after Ctrl-C (a step in flight) */
	bool keep_stdin;    /* for a conversation: stdin stays open for proc_write */
};

struct proc_result {
	int exit_status; /* 0–255; -1 when a signal ended it */
	int signal;      /* 0 when it exited */
	struct str out, err;
};
void proc_result_free(struct proc_result *r);
#define _cleanup_proc_result_ __attribute__((cleanup(proc_result_free)))

/*
 * Runs to the end. 0 means that it ran and was waited for, whatever its exit
 * status; the result is filled. Errors: ERR_NOT_FOUND (no such program),
 * ERR_TIMEOUT, ERR_CANCELLED, ERR_LIMIT, ERR_SYSTEM; nothing is left running.
 */
int proc_run(const struct proc_options *o, struct proc_result *r, struct err *err) MUST_CHECK;

/* proc_run, and a non-zero exit is ERR_FAILED with the last line of stderr. */
int proc_run_checked(const struct proc_options *o, struct proc_result *r, struct err *err) MUST_CHECK;

/* The same in two halves, so that several run side by side. finish also frees p, in every case. */
struct proc;
int proc_start(const struct proc_options *o, struct proc **p, struct err *err) MUST_CHECK;
int proc_finish(struct proc *p, struct proc_result *r, struct err *err) MUST_CHECK;
/* Waits for its first output or its end. False: neither has come by then (clock.h). */
bool proc_wait_output(struct proc *p, int64_t until);
void proc_kill(struct proc *p); /* gives up: kills the group, reaps, frees; NULL-safe */

/*
 * For relays: a child on the caller's descriptors (stdin, stdout, stderr), in a process group of its own, without
 * deadline. The caller waits for *pidfd to be readable, reaps with waitid(P_PIDFD) and closes it.
 */
int proc_spawn(const char *const *argv, const int fds[static 3], pid_t *pid, int *pidfd, struct err *err) MUST_CHECK;

/* A conversation with a child started with keep_stdin. Both end at the options' deadline. */
int proc_write(struct proc *p, const void *buf, size_t n, struct err *err) MUST_CHECK;
int proc_read_exact(struct proc *p, void *buf, size_t n, struct err *err) MUST_CHECK;
int proc_read_line(struct proc *p, struct str *line, size_t max, struct err *err) MUST_CHECK; /* without '\n' */

#endif
