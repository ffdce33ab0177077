/* What only Traefik and its container tell: fetch.c. Blocking. */
#ifndef RECONCILE_KINDS_TRAEFIK_FETCH_H
#define RECONCILE_KINDS_TRAEFIK_FETCH_H

#include "client/engine/engine.h"
#include "model/kind.h"

#define STATIC_FILE_MAX (1 << 20)

int traefik_fetch(struct fetch *f, struct err *err) MUST_CHECK;

/* The file as the container is given it at its next start; *mtime may be NULL. Appends to out. */
int traefik_read_inside(struct engine *e, int64_t deadline, const char *container, const char *path, struct str *out,
			int64_t *mtime, struct err *err) MUST_CHECK;

/* "<dir>/traefik-<container>-20260105T100000Z.yml"; wall: seconds since the epoch. New string. */
char *traefik_backup_path(const char *dir, const char *container, int64_t wall);
/* The newest one there is; NULL: none. New string. */
char *traefik_newest_backup(const char *dir, const char *container);

#endif
