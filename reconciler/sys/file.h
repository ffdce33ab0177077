/* Whole files. */
#ifndef RECONCILE_SYS_FILE_H
#define RECONCILE_SYS_FILE_H

#include "base/err.h"
#include "base/str.h"

#include <sys/types.h>

/* Appends the content; more than max bytes: ERR_LIMIT. Refuses what is not a regular file. */
int file_read(const char *path, size_t max, struct str *out, struct err *err) MUST_CHECK;

/*
 * New file beside it, fsync, rename, fsync of the directory. Owner is that of the
 * file it replaces; so is the mode when mode is 0 (0644 for a new file). A symbolic link is followed.
 */
int file_write_atomic(const char *path, const void *data, size_t n, mode_t mode, struct err *err) MUST_CHECK;

/* mkdir -p with mode for what it makes. */
int file_mkdirs(const char *path, mode_t mode, struct err *err) MUST_CHECK;

#endif
