#include "kinds/traefik/fetch.h"

#include "sys/clock.h"
#include "sys/file.h"

#include <dirent.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define STAMP "00000000T000000Z"

char *traefik_backup_path(const char *dir, const char *what, const char *container, int64_t wall)
{
	time_t t = (time_t)wall;
	struct tm tm;
	char stamp[sizeof(STAMP) + 8];

	gmtime_r(&t, &tm);
	strftime(stamp, sizeof(stamp), "%Y%m%dT%H%M%SZ", &tm);
	return xasprintf("%s/%s-%s-%s.yml", dir, what, container, stamp);
}

int traefik_back_up(const char *dir, const char *what, const char *container, const char *text, size_t len, char **path,
		    struct err *err)
{
	int64_t wall = clock_wall();

	if (!dir)
		return err_set(err, ERR_BLOCKED, "there is no directory for backups");
	char *p = traefik_backup_path(dir, what, container, wall);
	while (access(p, F_OK) == 0) {
		free(p);
		p = traefik_backup_path(dir, what, container, ++wall);
	}
	if (file_write_atomic(p, text, len, 0600, err) < 0) {
		free(p);
		return -1;
	}
	*path = p;
	return 0;
}

/* "traefik-a-<stamp>.yml" is no backup of the container "a-b". */
static bool is_backup(const char *name, const char *prefix)
{
	if (!str_starts(name, prefix))
		return false;
	name += strlen(prefix);
	for (const char *s = STAMP; *s; s++, name++)
		if (*s == '0' ? *name < '0' || *name > '9' : *name != *s)
			return false;
	return strcmp(name, ".yml") == 0;
}

char *traefik_newest_backup(const char *dir, const char *container)
{
	_cleanup_free_ char *prefix = xasprintf("traefik-%s-", container);
	DIR *d = dir ? opendir(dir) : NULL;
	_cleanup_free_ char *newest = NULL;

	for (struct dirent *e = d ? readdir(d) : NULL; e; e = readdir(d)) {
		if (!is_backup(e->d_name, prefix) || (newest && strcmp(e->d_name, newest) < 0))
			continue;
		free(newest);
		newest = xstrdup(e->d_name);
	}
	if (d)
		closedir(d);
	return newest ? xasprintf("%s/%s", dir, newest) : NULL;
}
