/* What others ask of a network. Pure. */
#ifndef RECONCILE_KINDS_NETWORK_H
#define RECONCILE_KINDS_NETWORK_H

#include "base/json.h"

/*
 * A live network's options (of its driver, or of IPAM) without those that the engine adds on its own, but for what
 * wanted (may be NULL) names. New; NULL: none.
 */
json_t *network_options(const json_t *live, const json_t *wanted);

#endif
