/* What other kinds ask about Traefik. Pure. */
#ifndef RECONCILE_KINDS_TRAEFIK_TRAEFIK_H
#define RECONCILE_KINDS_TRAEFIK_TRAEFIK_H

#include "client/traefik/traefik.h"
#include "model/snapshot.h"

/* The version in the snapshot; false when it is not known, then *why says why. */
bool traefik_version_known(const struct snapshot *snap, struct traefik_version *out, const char **why);

#endif
