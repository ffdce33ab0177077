#include "source/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

struct plain {
	int dir;
};

static bool is_directory(const char *path)
{
	struct stat st;
	return stat(path, &st) == 0 && S_ISDIR(st.st_mode);
}

static char *directory_of(const char *path)
{
	const char *slash = strrchr(path, '/');
	if (!slash)
		return xstrdup(".");
	return slash == path ? xstrdup("/") : xasprintf("%.*s", (int)(slash - path), path);
}

void plain_close(struct plain *p)
{
	if (!p)
		return;
	close(p->dir);
	free(p);
}

/* A file in review must not lead to others of this machine: no "..", no symbolic link out, no /proc magic. */
static int open_beneath(const struct plain *p, const char *path, struct err *err)
{
	struct open_how how = {
		.flags = O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY,
		.resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
	};
	int fd = (int)syscall(SYS_openat2, p->dir, path, &how, sizeof(how));

	if (fd >= 0)
		return fd;
	if (errno == EXDEV)
		return err_set(err, ERR_DENIED, "reading '%s': it leads out of the spec's directory", path);
	if (errno == ELOOP)
		return err_set(err, ERR_DENIED, "reading '%s': its symbolic links lead in a circle, or into /proc",
			       path);
	return err_sys(err, "reading '%s' (relative to the spec)", path);
}

static int read_fd(int fd, const char *path, size_t max, struct str *out, struct err *err)
{
	char buf[65536];
	size_t before = out->len;
	struct stat st;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "reading '%s'", path);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_DENIED, "reading '%s': it is %s, not a file", path,
			       S_ISDIR(st.st_mode) ? "a directory" : "a device or pipe");
	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "reading '%s'", path);
		if (n == 0)
			return 0;
		if (out->len - before + (size_t)n > max)
			return err_set(err, ERR_LIMIT, "reading '%s': it is larger than the limit of %zu bytes", path,
				       max);
		str_add(out, buf, (size_t)n);
	}
}

int plain_read(struct plain *p, const char *path, size_t max, struct str *out, struct err *err)
{
	size_t before = out->len;
	int fd = open_beneath(p, path, err);

	if (fd < 0)
		return -1;
	int r = read_fd(fd, path, max, out, err);
	close(fd);
	if (r < 0 && out->data) {
		out->len = before;
		out->data[before] = '\0';
	}
	return r;
}

int plain_open_directory(const char *dir, struct plain **out, struct err *err)
{
	int fd = open(dir, O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (fd < 0)
		return err_sys(err, "reading the spec: opening directory %s", dir);
	*out = xcalloc(1, sizeof(**out));
	(*out)->dir = fd;
	return 0;
}

/*
 * The spec itself must be in its directory too: in a checkout under review it
 * could be a symbolic link, and its text is shown beside errors.
 */
int plain_open(const char *path, struct plain **out, char **name, struct str *text, struct err *err)
{
	bool is_dir = is_directory(path);
	const char *slash = strrchr(path, '/'), *base = is_dir ? SOURCE_FILE : slash ? slash + 1 : path;
	const char *separator = str_ends(path, "/") ? "" : "/";
	_cleanup_free_ char *file = str_eq(path, ".") ? xstrdup(SOURCE_FILE)
				    : is_dir          ? xasprintf("%s%s%s", path, separator, SOURCE_FILE)
						      : xstrdup(path);
	_cleanup_free_ char *dir = is_dir ? xstrdup(path) : directory_of(path);

	struct plain *p = NULL;
	if (plain_open_directory(dir, &p, err) < 0)
		return -1;
	if (plain_read(p, base, SPEC_MAX, text, err) < 0) {
		plain_close(p);
		if (err->code != ERR_NOT_FOUND)
			return err_wrap(err, "reading the spec %s", file);
		return err_set(err, ERR_NOT_FOUND, "there is no %s: name the spec, or the directory it is in", file);
	}
	*out = p;
	*name = file;
	file = NULL;
	return 0;
}
