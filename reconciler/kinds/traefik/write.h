/* Makes Traefik's static configuration what the spec wants: backup, edit, restart, wait, put back. */
#ifndef RECONCILE_KINDS_TRAEFIK_WRITE_H
#define RECONCILE_KINDS_TRAEFIK_WRITE_H

#include "model/kind.h"

int traefik_apply(struct apply *a, const struct change *c, struct err *err) MUST_CHECK;

/*
 * The last line with anything in it of GET /containers/{id}/logs: the frames of
 * containers without a terminal and colours are taken away. New string.
 */
char *traefik_last_log_line(const char *logs, size_t n);

#endif
