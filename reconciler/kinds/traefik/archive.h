/* The tar that GET /containers/{id}/archive gives for one file (POSIX ustar, pax records skipped). */
#ifndef RECONCILE_KINDS_TRAEFIK_ARCHIVE_H
#define RECONCILE_KINDS_TRAEFIK_ARCHIVE_H

#include "base/err.h"

#include <stddef.h>
#include <stdint.h>

struct archive_file {
	const char *data; /* borrowed from the tar */
	size_t len;
	int64_t mtime; /* seconds since the epoch */
};

/* The first member. What is not a regular file: ERR_FAILED saying what it is. */
int archive_read(const char *tar, size_t n, struct archive_file *out, struct err *err) MUST_CHECK;

#endif
