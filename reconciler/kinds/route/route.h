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

/* The names of its middlewares, in order: those of its own are "web-retry", others as they are written. New reference.
 */
json_t *route_middlewares(const struct snode *route, const char *service);

/* Where a secret is in Traefik's service: *path (malloc'ed, also returned); NULL: it has none of that name. */
const char *route_secret_file(const struct spec *spec, const char *secret, char **path);

/*
 * Why Traefik of this major version does not take the rule, or takes it for something else, and what to write instead;
 * NULL: nothing that can be seen here. malloc'ed. Pure. Sources: pkg/muxer/http of v2.11 and v3.7, the migration guide.
 */
char *route_rule_misfit(const char *rule, int major);

/* Appends ns as a duration that Go reads: "10s", "1m30s", "1500ms". Not negative. */
void route_duration(int64_t ns, struct str *out);

#endif
