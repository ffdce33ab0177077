/* Changes the mounts of a node. */
#ifndef RECONCILE_KINDS_MOUNT_WRITE_H
#define RECONCILE_KINDS_MOUNT_WRITE_H

#include "kinds/cluster.h"
#include "kinds/mount/view.h"

struct mount_change {
	const struct mount_wanted *want;
	/* What is only reported (`drift`) or not looked at (`ignore`) stays as it is. */
	bool keep_units, keep_fstab, keep_mounted;
	int64_t deadline;
	void (*progress)(void *arg, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
	void *progress_arg;
};

/*
 * Units, then the lines of fstab that they take over, then what is mounted: what is mounted as wanted stays so
 * throughout. Each step leaves something to see until the last one is done, so that a run that is killed is gone on
 * with. When a step fails the others stay done: units and the mount of before get along. ERR_BLOCKED: the server does
 * not answer, or the mount is in use.
 */
int mount_write(const struct cluster *c, struct host *h, const struct mount_change *x, struct err *err) MUST_CHECK;
/* Unmounts, and removes the units. ERR_BLOCKED while it is in use. */
int mount_remove(const struct cluster *c, struct host *h, const char *path, int64_t deadline,
		 struct err *err) MUST_CHECK;

#endif
