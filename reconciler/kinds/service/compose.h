/* The way back: a running service as the section of a spec that decodes to its body. Pure. */
#ifndef RECONCILE_KINDS_SERVICE_COMPOSE_H
#define RECONCILE_KINDS_SERVICE_COMPOSE_H

#include "model/snapshot.h"

/*
 * A service of engine/services as an object in Compose's keys, in the order in which people write them; every name in
 * it (networks, volumes, configs, secrets) is the engine's. Texts are as the engine has them: whoever writes the spec
 * escapes what means something there. What the spec has no words for is left out: comparing the spec's plan with what
 * runs shows it. New reference.
 */
json_t *service_compose(const json_t *service, const struct snapshot *snap);

#endif
