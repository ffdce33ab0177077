/* Where a spec's files come from: a directory, or the tree of a commit. Implemented by source/. */
#ifndef RECONCILE_BASE_FILES_H
#define RECONCILE_BASE_FILES_H

#include "base/err.h"
#include "base/str.h"

struct files {
	/*
	 * Appends the file's content, at most max bytes. path is relative to the
	 * spec's own directory; nothing outside the tree is read, also not through
	 * a symbolic link. ERR_NOT_FOUND, ERR_DENIED (leads out), ERR_LIMIT, ERR_TIMEOUT;
	 * the message begins with "reading '<path>'".
	 */
	int (*read)(struct files *f, const char *path, size_t max, struct str *out, struct err *err);
};

#endif
