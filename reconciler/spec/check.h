/*
 * Checks that a JSON Schema cannot express: references between sections, sense
 * (min ≤ max, reservation ≤ limit, pools that overlap node addresses) and the
 * known traps of Swarm, Traefik, Ollama and NFS that need no live cluster.
 * A table of functions in check.c; each reads the typed tree and adds findings.
 */
#ifndef RECONCILE_SPEC_CHECK_H
#define RECONCILE_SPEC_CHECK_H

#include "spec/spec.h"

void spec_checks(const struct snode *root, struct files *files, struct diags *diags);

#endif
