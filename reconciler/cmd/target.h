/*
 * Which cluster a command is about that makes no pass (status, history, show,
 * suspend, resume, …): `--cluster NAME`, for which no spec has to be readable,
 * else the cluster of the spec that `apply` would take; and where its engine
 * and its local state are.
 *
 *   static const struct option options[] = {TARGET_OPTIONS, {"json", no_argument, NULL, 'j'}, {0}};
 *   CLEANUP(target_args_free) struct target_args a = {0};
 *   CLEANUP(target_close) struct target t = {0};
 *   … getopt_long: what is not the command's own goes to target_args_take: false is a usage error
 *   target_args_finish(&a, argc, argv, optind)  after the command's own positional arguments: one more is SPEC
 *   target_open(&a, &t, &err)                   t.cluster, t.state_dir
 *   target_engine(&t, &err)                     t.engine, when it is needed
 */
#ifndef RECONCILE_CMD_TARGET_H
#define RECONCILE_CMD_TARGET_H

#include "client/engine/engine.h"
#include "cmd/cmd.h"
#include "run/origin.h"
#include "run/session.h"

struct target_args {
	struct source_args source;
	const char *cluster;   /* --cluster: no spec is read */
	const char *host;      /* --host; NULL: of the settings, else as the docker client finds it */
	const char *state_dir; /* --state-dir; NULL: of the settings, else /var/lib/reconcile/CLUSTER */
};

enum { TARGET_CLUSTER = 512, TARGET_HOST, TARGET_STATE };
#define TARGET_OPTIONS \
	SOURCE_OPTIONS, {"cluster", required_argument, NULL, TARGET_CLUSTER}, \
		{"host", required_argument, NULL, TARGET_HOST}, \
	{ \
		"state-dir", required_argument, NULL, TARGET_STATE \
	}
/* True when opt is one of them. */
bool target_args_take(struct target_args *a, int opt, const char *value);
/* As source_args_finish. -1 after a message on stderr: usage error. */
int target_args_finish(struct target_args *a, int argc, char **argv, int first);
void target_args_free(struct target_args *a);

struct target {
	const struct target_args *args;
	char *cluster;
	char *state_dir;
	struct origin *origin;   /* NULL with --cluster */
	struct spec *spec;       /* NULL with --cluster */
	struct session *session; /* what leads to the spec's nodes, after target_engine; NULL with --cluster */
	struct engine *engine;   /* after target_engine */
};

/* Reads the spec unless there is --cluster; its errors are printed, and the message says that --cluster does without.
 */
int target_open(const struct target_args *a, struct target *t, struct err *err) MUST_CHECK;
void target_close(struct target *t);

/*
 * Opens the engine; nothing when it is open. Of a spec it is that which `apply` would take, or, when that does not
 * answer and nobody said which one, the first manager's that does; with --cluster what docker would take.
 */
int target_engine(struct target *t, struct err *err) MUST_CHECK;
/* Seconds since the epoch by the manager's clock, by which suspensions end. Opens the engine. */
int target_now(struct target *t, int64_t deadline, int64_t *now, struct err *err) MUST_CHECK;

/* "KIND/NAME" of a kind that there is; a path of a spec that begins like that is written ./KIND/NAME. */
bool target_is_resource(const char *arg);
/*
 * ERR_USAGE with a suggestion when the spec names no such resource. With --cluster nothing is known, and any name is
 * taken.
 */
int target_check_resource(const struct target *t, const char *command, const char *key, struct err *err) MUST_CHECK;

#endif
