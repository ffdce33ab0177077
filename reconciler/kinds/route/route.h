/* The service labels that a `route` stands for. */
#ifndef RECONCILE_KINDS_ROUTE_ROUTE_H
#define RECONCILE_KINDS_ROUTE_ROUTE_H

#include "model/kind.h"
#include "spec/spec.h"

/*
 * Adds to labels (an object: label -> value, with the service's own labels
 * already in it) those that its `route` becomes, and marks them in r. Nothing
 * happens without a route. What the snapshot does not tell, and labels of the
 * service's own that contradict the route, are resource_block.
 */
int route_labels(const struct decode *d, const struct snode *service, const char *name, json_t *labels,
		 struct resource_set *s, struct resource *r, struct err *err) MUST_CHECK;

/* Appends ns as a duration that Go reads: "10s", "1m30s", "1500ms". Not negative. */
void route_duration(int64_t ns, struct str *out);

#endif
