/* Copies of files of others on this machine, made before they are changed on a node. */
#ifndef RECONCILE_KINDS_BACKUP_H
#define RECONCILE_KINDS_BACKUP_H

#include "kinds/cluster.h"

/* text, which path had on the host, as a new file in c->backup_dir: "<node>_etc_fstab.<time>". */
int backup_keep(const struct cluster *c, const struct host *h, const char *path, const char *text,
		struct err *err) MUST_CHECK;

#endif
