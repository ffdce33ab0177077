#include "kinds/backup.h"

#include "sys/clock.h"
#include "sys/file.h"

#include <string.h>

int backup_keep(const struct cluster *c, const struct host *h, const char *path, const char *text, struct err *err)
{
	char stamp[32];

	if (!c->backup_dir)
		return err_set(err, ERR_BLOCKED, "there is no directory for the backup of %s", path);
	clock_rfc3339(clock_wall(), stamp);
	_cleanup_free_ char *copy = xasprintf("%s/%s%s.%s", c->backup_dir, host_node(h), path, stamp);
	for (char *p = copy + strlen(c->backup_dir) + 1; *p; p++)
		if (*p == '/')
			*p = '_';
	if (file_write_atomic(copy, text, strlen(text), 0600, err) < 0)
		return err_wrap(err, "back up %s", path);
	return 0;
}
