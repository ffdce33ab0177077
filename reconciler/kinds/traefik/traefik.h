/* What other kinds ask about Traefik. Pure. */
#ifndef RECONCILE_KINDS_TRAEFIK_TRAEFIK_H
#define RECONCILE_KINDS_TRAEFIK_TRAEFIK_H

#include "client/traefik/traefik.h"
#include "model/kind.h"
#include "spec/spec.h"

/* The version in the snapshot; false when it is not known, then *why says why. */
bool traefik_version_known(const struct snapshot *snap, struct traefik_version *out, const char **why);

/*
 * The entrypoints that the static configuration file has, without a file those of Traefik's API, and those that the
 * spec adds, as members of an object; NULL: not known. New reference.
 */
json_t *traefik_entrypoints_known(const struct spec *spec, const struct snapshot *snap);
/* What the spec's traefik.entrypoints adds: {"ollama": ":11434"}. New reference. */
json_t *traefik_entrypoints_added(const struct snode *traefik);
/*
 * Adds traefik.entrypoints to the body of the service that is the spec's Traefik: flags to its command, and their ports
 * where it publishes none for them. Any other service is left.
 */
void traefik_own_entrypoints(struct decode *d, const char *service, struct resource *r, json_t *body);
/* The file says core.defaultRuleSyntax: rules are not those of the version. */
bool traefik_rule_syntax_is_set(const struct snapshot *snap);

#endif
