/* Files of this machine, by the allow-list of its settings. */
#include "kinds/secret/secret.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* Where the file really is cannot be known without looking; that there is no list can. */
int host_file_allowed(const struct settings *s, const struct snode *section, struct err *err)
{
	char buf[512];

	if (s && s->allow_files[0])
		return 0;
	return err_set(err, ERR_DENIED, "the file '%s' of this machine is not allowed: name it in allow_files of %s",
		       snode_shown(snode_get(section, "host_file")), settings_named(s, buf));
}

/* Both without symbolic links. */
static bool lies_in(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	return strncmp(path, dir, n) == 0 && (dir[n - 1] == '/' || path[n] == '/');
}

/* path: without symbolic links, as what is open is called now. */
static bool is_allowed(const struct settings *s, const char *path)
{
	bool found = false;

	for (const char *const *p = s->allow_files; *p && !found; p++) {
		_cleanup_free_ char *real = realpath(*p, NULL);
		if (real)
			found = str_ends(*p, "/") ? lies_in(path, real) : strcmp(path, real) == 0;
	}
	return found;
}

static int read_all(int fd, const char *shown, struct str *out, struct err *err)
{
	char buf[65536];
	ssize_t n;

	while (out->len <= SECRET_LIMIT && (n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno != EINTR)
			return err_sys(err, "reading '%s'", shown);
		if (n > 0)
			str_add(out, buf, (size_t)n);
	}
	explicit_bzero(buf, sizeof(buf));
	return 0;
}

/* at: opened for nothing but its identity, so that a device or pipe that is not allowed notices nothing. */
static int read_opened(const struct reading *r, int at, const char *shown, struct str *out, struct err *err)
{
	const struct settings *s = r->fetch->cluster->settings;
	_cleanup_free_ char *self = xasprintf("/proc/self/fd/%d", at);
	char path[PATH_MAX], buf[512];
	struct stat st;
	ssize_t n = readlink(self, path, sizeof(path) - 1);

	if (n < 0 || fstat(at, &st) < 0)
		return err_sys(err, "looking at '%s'", shown);
	path[n] = '\0';
	if (!is_allowed(s, path))
		return err_set(err, ERR_DENIED,
			       "the file '%s' is not, or does not lead to, one that allow_files of %s names", shown,
			       settings_named(s, buf));
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_DENIED, "'%s' is no regular file", shown);
	int fd = open(self, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd < 0)
		return err_sys(err, "reading '%s'", shown);
	int rc = read_all(fd, shown, out, err);
	close(fd);
	return rc;
}

void host_file_read(struct reading *r)
{
	const struct snode *file = snode_get(r->section, "host_file");
	int at = open(file->text, O_PATH | O_CLOEXEC);

	if (at < 0) {
		err_sys(&r->err, "reading '%s' of this machine", snode_shown(file));
		return;
	}
	(void)read_opened(r, at, snode_shown(file), &r->content, &r->err);
	close(at);
}
