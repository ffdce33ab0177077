/* /etc and /var/lib/nfs of this process alone, so that the real exportfs can run on what a test writes there. */
#ifndef TESTS_UNIT_KINDS_NFS_SANDBOX_H
#define TESTS_UNIT_KINDS_NFS_SANDBOX_H

#include "sys/file.h"

#include <sched.h>
#include <stdbool.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#define NFS_SANDBOX_SKIP "needs root, nfs-kernel-server, mount namespaces and overlayfs"

/* Once per process. /etc is what it was, without exports; what is written goes when the process ends. */
static bool nfs_sandbox(void)
{
	struct err err = {0};

	return access("/usr/sbin/exportfs", X_OK) == 0 && unshare(CLONE_NEWNS) == 0 &&
	       mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) == 0 &&
	       mount("tmpfs", "/var/lib/nfs", "tmpfs", 0, "size=8m") == 0 && mkdir("/var/lib/nfs/upper", 0755) == 0 &&
	       mkdir("/var/lib/nfs/work", 0755) == 0 &&
	       mount("overlay", "/etc", "overlay", 0,
		     "lowerdir=/etc,upperdir=/var/lib/nfs/upper,workdir=/var/lib/nfs/work") == 0 &&
	       file_write_atomic("/var/lib/nfs/etab", "", 0, 0644, &err) == 0 &&
	       file_write_atomic("/etc/exports", "", 0, 0644, &err) == 0;
}

#endif
