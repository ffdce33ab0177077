/* How many replicas a service with `scale` has in a run without the scaler. */
#ifndef RECONCILE_POLICY_REPLICAS_H
#define RECONCILE_POLICY_REPLICAS_H

#include <stdint.h>

/*
 * The scaler owns the count: a service is created at min (live is NULL), later
 * the live count is kept as long as it is within min and max.
 */
int64_t replicas_kept(int64_t min, int64_t max, const int64_t *live);

#endif
