/*
 * Errors. A function that can fail returns a negative int and fills *err with
 * "what was attempted: what failed"; success leaves *err untouched. Library
 * code neither logs errors nor exits: the edge (cmd/) does, once.
 *
 * The code, not the message, decides what happens next; err.c has its exit
 * status.
 */
#ifndef RECONCILE_BASE_ERR_H
#define RECONCILE_BASE_ERR_H

#include <stdbool.h>

#define ERR_MSG_MAX 2048

#define MUST_CHECK __attribute__((warn_unused_result))

enum err_code {
	ERR_NONE,
	ERR_BLOCKED,         /* something this needs is not there yet */
	ERR_CANCELLED,       /* the user or a signal ended it */
	ERR_CONFLICT,        /* the name or port is taken, the object is in use */
	ERR_DENIED,          /* authentication or permission */
	ERR_FAILED,          /* it was tried and did not work */
	ERR_LIMIT,           /* an input is larger than a stated limit */
	ERR_LOCKED,          /* another run holds the lock */
	ERR_NOT_FOUND,       /* the named object does not exist */
	ERR_OUT_OF_SEQUENCE, /* Swarm: the object changed since it was read */
	ERR_PROTOCOL,        /* the peer answered something that is not its protocol */
	ERR_SPEC,            /* the cluster spec is wrong */
	ERR_SUSPENDED,       /* somebody suspended this one resource while it was being changed */
	ERR_SYSTEM,          /* an operating system call failed */
	ERR_TIMEOUT,         /* a deadline passed */
	ERR_UNHEALTHY,       /* it was accepted, and what runs by it fails: this spec is not tried again by itself */
	ERR_UNREACHABLE,     /* no connection */
	ERR_UNSUPPORTED,     /* this version or that peer cannot do it */
	ERR_USAGE,           /* command line or configuration */
	ERR_N_CODES
};

struct err {
	enum err_code code;
	int sys;               /* errno, 0 when none */
	char msg[ERR_MSG_MAX]; /* one line or a few; cut at a character boundary */
};

/* Fill *err and return -1, so that callers write: return err_set(...). err may be NULL. */
int err_set(struct err *err, enum err_code code, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* As err_set with errno's text appended; the code follows from errno. */
int err_sys(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* Put "fmt: " before the message; keeps the code. */
int err_wrap(struct err *err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

const char *err_code_name(enum err_code code); /* "timeout", for JSON and traces */
int err_exit_status(enum err_code code);       /* the table in DESIGN: 64, 4, 1, 5, 3 */

#endif
