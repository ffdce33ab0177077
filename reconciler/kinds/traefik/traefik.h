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
 * where it publishes none for them. A port that what `absent` ends has now follows when the service is there
 * (kinds/service/handover.h). Any other service is left.
 */
void traefik_own_entrypoints(struct decode *d, const char *service, struct resource *r, json_t *body);
/*
 * The name, in lower case, of the entrypoint that the service listens with at the published port ("11434:11434/tcp"),
 * as the flags of its body say; NULL: none that they say. malloc'ed.
 */
char *traefik_entrypoint_of_port(const json_t *body, const char *port);
/* The flags of the service's body have an entrypoint of that name. */
bool traefik_has_entrypoint(const json_t *body, const char *name);
/* The file says core.defaultRuleSyntax: rules are not those of the version. */
bool traefik_rule_syntax_is_set(const struct snapshot *snap);

#endif
