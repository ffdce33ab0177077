/* What others ask of a node's packages. Pure. */
#ifndef RECONCILE_KINDS_PACKAGE_H
#define RECONCILE_KINDS_PACKAGE_H

#include "model/snapshot.h"

/* True when the node was looked at and has no Docker Engine in any form; false when it has, or is not known. */
bool package_engine_is_missing(const struct snapshot *snap, const char *node);

#endif
