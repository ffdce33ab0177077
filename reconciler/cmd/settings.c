/* Where this machine's settings are, and who may have written them. */
#include "cmd/cmd.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define SETTINGS_MAX ((size_t)1 << 20)

/* Who can write it can have any command run as the caller: as sudo's and ssh's own files. */
static int refuse_writable(const struct stat *st, const char *what, const char *path, struct err *err)
{
	bool sticky = S_ISDIR(st->st_mode) && st->st_mode & S_ISVTX;

	if (st->st_uid != 0 && st->st_uid != geteuid())
		return err_set(err, ERR_USAGE, "%s %s belongs to user %u, who is neither root nor the caller", what,
			       path, (unsigned)st->st_uid);
	if (st->st_mode & (S_IWGRP | S_IWOTH) && !sticky)
		return err_set(err, ERR_USAGE, "%s %s may be written by others: chmod go-w %s", what, path, path);
	return 0;
}

/* The directories on the way: whoever may rename in one of them may put another file there. path is resolved. */
static int check_directories(const char *path, struct err *err)
{
	_cleanup_free_ char *dir = xstrdup(path);
	struct stat st;

	for (char *slash = strrchr(dir, '/'); slash; slash = strrchr(dir, '/')) {
		*slash = '\0';
		if (stat(*dir ? dir : "/", &st) < 0)
			return err_sys(err, "looking at directory %s", *dir ? dir : "/");
		if (refuse_writable(&st, "directory", *dir ? dir : "/", err) < 0)
			return -1;
	}
	return 0;
}

static int read_open(int fd, const char *file, struct str *text, struct err *err)
{
	char buf[65536];
	struct stat st;
	ssize_t n;

	if (fstat(fd, &st) < 0)
		return err_sys(err, "looking at %s", file);
	if (!S_ISREG(st.st_mode))
		return err_set(err, ERR_USAGE, "%s is not a file", file);
	if (refuse_writable(&st, "file", file, err) < 0)
		return -1;
	while ((n = read(fd, buf, sizeof(buf))) != 0) {
		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return err_sys(err, "reading %s", file);
		str_add(text, buf, (size_t)n);
		if (text->len > SETTINGS_MAX)
			return err_set(err, ERR_USAGE, "%s is larger than 1 MiB", file);
	}
	return 0;
}

/* 1: there is none, and none was asked for. */
static int read_text(const char *file, bool asked_for, struct str *text, struct err *err)
{
	_cleanup_free_ char *path = realpath(file, NULL);

	if (!path && errno == ENOENT && !asked_for)
		return 1;
	if (!path)
		return err_sys(err, "opening %s", file);
	if (check_directories(path, err) < 0)
		return -1;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW);
	if (fd < 0)
		return err_sys(err, "opening %s", path);
	int rc = read_open(fd, path, text, err);
	close(fd);
	return rc;
}

int settings_read(const char *file, struct settings **out)
{
	CLEANUP(diags_free) struct diags diags = {0};
	_cleanup_str_ struct str text = {0};
	struct err err = {0};
	const char *env = getenv("RECONCILE_CONFIG");
	const char *asked_for = file ? file : env && *env ? env : NULL, *name = asked_for ? asked_for : SETTINGS_FILE;

	int rc = read_text(name, asked_for != NULL, &text, &err);
	if (rc < 0)
		err_wrap(&err, "this machine's settings");
	if (rc > 0) {
		*out = settings_none();
		return 0;
	}
	const struct spec_input in = {.name = name, .text = str_cstr(&text), .len = text.len};
	if (rc == 0)
		rc = settings_parse(&in, out, &diags, &err);
	print_diags(&diags, str_cstr(&text));
	if (rc < 0)
		fail_with(&err);
	return rc;
}
