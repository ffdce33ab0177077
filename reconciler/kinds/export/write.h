/* Changes the exports of a node. */
#ifndef RECONCILE_KINDS_EXPORT_WRITE_H
#define RECONCILE_KINDS_EXPORT_WRITE_H

#include "kinds/cluster.h"

struct export_change {
	const char *name, *path;
	const json_t *clients; /* NULL: the path is no longer ours */
	int64_t deadline;
	void (*progress)(void *arg, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
	void *progress_arg;
};

/*
 * Our file first, then the lines of others that it takes over, then exportfs,
 * then a look whether it is so now: at no moment is the export missing. When it
 * fails, the files are as they were before.
 */
int export_write(struct cluster *c, struct host *h, const struct export_change *x, struct err *err) MUST_CHECK;

#endif
