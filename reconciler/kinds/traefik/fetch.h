/* What only Traefik and its container tell: fetch.c. Blocking. */
#ifndef RECONCILE_KINDS_TRAEFIK_FETCH_H
#define RECONCILE_KINDS_TRAEFIK_FETCH_H

#include "client/engine/engine.h"
#include "model/kind.h"
#include "spec/spec.h"

#define STATIC_FILE_MAX (1 << 20)

int traefik_fetch(struct fetch *f, struct err *err) MUST_CHECK;

/* The same in two parts, for who found the container without a spec; view.h has the documents. */
void traefik_fetch_api(struct fetch *f);
/* traefik: the spec's section; NULL: none. */
void traefik_fetch_container(struct fetch *f, const char *name, const json_t *container, const struct snode *traefik);

/* The file as the container is given it at its next start; *mtime may be NULL. Appends to out. */
int traefik_read_inside(struct engine *e, int64_t deadline, const char *container, const char *path, struct str *out,
			int64_t *mtime, struct err *err) MUST_CHECK;

/*
 * Copies: "<dir>/<what>-<container>-20260105T100000Z.yml"; what is "traefik" (the static configuration) or "dynamic";
 * wall: seconds since the epoch. New string.
 */
char *traefik_backup_path(const char *dir, const char *what, const char *container, int64_t wall);
/* A new one, complete and on disk. *path: new string. dir may be NULL: ERR_BLOCKED. */
int traefik_back_up(const char *dir, const char *what, const char *container, const char *text, size_t len, char **path,
		    struct err *err) MUST_CHECK;
/* The newest one of the static configuration; NULL: none. New string. */
char *traefik_newest_backup(const char *dir, const char *container);

#endif
