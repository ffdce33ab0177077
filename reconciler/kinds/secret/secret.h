/*
 * Where the content of a secret comes from when it is neither in the spec nor
 * in its commit: a command, a file or a variable of the machine that applies
 * the spec. All three are refused unless the machine's settings allow them
 * (DESIGN §5). What was read is the snapshot's document secret/<name>: a
 * string in base64, null when it was not looked at, or {"refused": why} when it
 * was not looked at and could not be.
 */
#ifndef RECONCILE_KINDS_SECRET_SECRET_H
#define RECONCILE_KINDS_SECRET_SECRET_H

#include "kinds/cluster.h"
#include "kinds/kinds.h"
#include "spec/settings.h"
#include "sys/proc.h"

#define SECRET_LIMIT ((size_t)512000) /* swarmkit api/validation/secrets.go: MaxSecretSize; this many are refused */

/* One secret on its way. */
struct reading {
	const struct fetch *fetch;
	const struct snode *section;
	struct proc *proc; /* a command under way, which by_hand repeats; else content or err is there */
	char *by_hand;
	struct str content;
	struct err err;
};

bool secret_is_fetched(const struct snode *section);
/* The kind's hook. Runs nothing and reads nothing in a dry run, and each secret once in a pass. */
int secret_fetch(struct fetch *f, struct err *err) MUST_CHECK;
/* Forgets what was read in a pass. */
void secret_forget(struct cluster *c);

/* command.c. Returns -1 and err when it is not this machine's. */
int command_allowed(const struct settings *s, const struct snode *section, struct err *err) MUST_CHECK;
void command_start(struct reading *r);
void command_finish(struct reading *r);

/* host_file.c */
int host_file_allowed(const struct settings *s, const struct snode *section, struct err *err) MUST_CHECK;
void host_file_read(struct reading *r);

/* "this machine's settings (/etc/…)" */
const char *settings_named(const struct settings *s, char buf[static 512]);

#endif
