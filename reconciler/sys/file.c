#include "sys/file.h"

#include "sys/clock.h"
#include "sys/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
}
#define _cleanup_fd_ CLEANUP(close_fd)

/* O_NONBLOCK: opening a named pipe or a device must not hang before it is refused. */
static int open_regular(const char *path, int flags, struct stat *st, struct err *err)
{
	int fd = open(path, flags | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);

	if (fd < 0)
		return err_sys(err, "%s", path);
	if (fstat(fd, st) == 0 && S_ISREG(st->st_mode))
		return fd;
	close(fd);
	return err_set(err, ERR_FAILED, "%s: not a regular file", path);
}

static int read_all(int fd, size_t max, struct str *out, const char *path, struct err *err)
{
	char buf[16384];
	size_t total = 0;

	for (;;) {
		ssize_t n = read(fd, buf, sizeof(buf));
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "%s", path);
		if (n == 0)
			return 0;
		total += (size_t)n;
		if (total > max)
			return err_set(err, ERR_LIMIT, "%s: larger than the limit of %zu bytes", path, max);
		str_add(out, buf, (size_t)n);
	}
}

int file_read(const char *path, size_t max, struct str *out, struct err *err)
{
	_cleanup_str_ struct str content = {0};
	struct stat st;
	_cleanup_fd_ int fd = open_regular(path, O_RDONLY, &st, err);

	if (fd < 0 || read_all(fd, max, &content, path, err) < 0)
		return -1;
	str_add(out, content.data, content.len);
	return 0;
}

static int pwrite_all(int fd, const char *data, size_t n)
{
	size_t done = 0;

	while (done < n) {
		ssize_t k = pwrite(fd, data + done, n - done, (off_t)done);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		done += (size_t)k;
	}
	return 0;
}

static int fsync_dir(const char *dir)
{
	_cleanup_fd_ int fd = open(dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return fd < 0 ? -1 : fsync(fd);
}

/* The new file takes owner and, with mode 0, mode of the one it replaces. */
static int dress(int fd, const char *target, mode_t mode)
{
	struct stat old;
	bool replaces = stat(target, &old) == 0;

	if (mode == 0)
		mode = replaces ? old.st_mode & 07777 : 0644;
	if (replaces && (old.st_uid != geteuid() || old.st_gid != getegid()) && fchown(fd, old.st_uid, old.st_gid) < 0)
		return -1;
	return fchmod(fd, mode);
}

static int write_beside(const char *target, const void *data, size_t n, mode_t mode)
{
	const char *slash = strrchr(target, '/');
	size_t dir_len = slash ? (size_t)(slash - target) : 0;
	_cleanup_free_ char *dir = slash ? xasprintf("%.*s/", (int)dir_len, target) : xstrdup("./");
	_cleanup_free_ char *tmp = xasprintf("%s.%s.XXXXXX", dir, slash ? slash + 1 : target);
	_cleanup_fd_ int fd = mkostemp(tmp, O_CLOEXEC);

	if (fd < 0)
		return -1;
	if (pwrite_all(fd, data, n) < 0 || dress(fd, target, mode) < 0 || fsync(fd) < 0 || rename(tmp, target) < 0) {
		int saved = errno;
		unlink(tmp);
		errno = saved;
		return -1;
	}
	return fsync_dir(dir);
}

int file_write_atomic(const char *path, const void *data, size_t n, mode_t mode, struct err *err)
{
	int64_t start = clock_ms();
	/* A rename onto a symbolic link would replace the link: write where it leads. */
	_cleanup_free_ char *real = realpath(path, NULL);

	if (write_beside(real ? real : path, data, n, mode) < 0)
		return err_sys(err, "write %s", path);
	trace_event("write", path, 0, (double)(clock_ms() - start));
	return 0;
}

/* chmod: mkdir's mode is subject to the umask. */
static int make_dir(const char *path, mode_t mode)
{
	struct stat st;

	if (mkdir(path, mode) == 0)
		return chmod(path, mode);
	if (errno != EEXIST)
		return -1;
	if (stat(path, &st) < 0)
		return -1;
	errno = ENOTDIR;
	return S_ISDIR(st.st_mode) ? 0 : -1;
}

int file_mkdirs(const char *path, mode_t mode, struct err *err)
{
	_cleanup_free_ char *copy = xstrdup(path);

	for (char *p = copy + 1; *copy && *p; p++) {
		if (*p != '/')
			continue;
		*p = '\0';
		if (make_dir(copy, mode) < 0)
			return err_sys(err, "create directory %s", copy);
		*p = '/';
	}
	if (make_dir(copy, mode) < 0)
		return err_sys(err, "create directory %s", path);
	return 0;
}
