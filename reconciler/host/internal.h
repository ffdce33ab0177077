/* What the files of host/ share; nobody else includes this. */
#ifndef RECONCILE_HOST_INTERNAL_H
#define RECONCILE_HOST_INTERNAL_H

#include "host/host.h"

struct host {
	char *node, *address, *shown, *user, *host_key;
	int port;
	bool local, accept_new, become;
	struct mutation_hooks hooks;
};

/* A program and its arguments as a command line of this machine that runs them on the host. */
struct command {
	VEC(const char *) argv; /* NULL-terminated */
	VEC(char *) owned;
};
/* What failed is told by words. For sudo and ssh; the program itself has to be told again, as sudo may reset it. */
#define ENGLISH "LC_ALL=C"

/*
 * shared: over the connection that is there, or one that stays for the next call; else over one of its own.
 * time_limit_ms > 0: on another host the program is ended after that, for nobody there notices that ours has
 * given up. 0: it ends by itself when its input does.
 */
int command_build(struct command *c, const struct host *h, const char *const *argv, int64_t time_limit_ms, bool shared,
		  struct err *err) MUST_CHECK;
/* For another host: an ssh whose standard input and output are a connection from there to "host:port". */
int command_forward(struct command *c, const struct host *h, const char *target, struct err *err) MUST_CHECK;
void command_free(struct command *c);

/*
 * After a command of command_build ended with a status other than 0: the error it stands for. Whether ssh or sudo
 * failed, or the program itself, is told by their words. program: named in the message; NULL: its last line says it.
 */
int command_error(const struct host *h, const char *program, int exit_status, int signal, const struct str *err_out,
		  struct err *err);

/* "node 'hpr' (10.0.0.82): " before the message, once: the functions above leave it to their callers. Returns rc. */
int on_node(const struct host *h, int rc, struct err *err);

/* Whether there is a connection to it that calls share. That its other end is alive is not known. */
bool host_is_connected(const struct host *h);

/* A directory of this user alone for sockets, made when it is missing. False: there is none. */
bool runtime_dir(char *buf, size_t size);

#endif
