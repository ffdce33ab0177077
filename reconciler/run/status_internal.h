/* What the files of the status share; nobody else includes this. */
#ifndef RECONCILE_RUN_STATUS_INTERNAL_H
#define RECONCILE_RUN_STATUS_INTERNAL_H

#include "run/status.h"

struct status_view {
	const struct status_options *o;
	const struct snapshot *snap;
	int64_t now; /* by the manager's clock; ours when it is not known */
	json_t *doc;
};

/* "service/web" is counted where it stands: "failed", "pending"; NULL: all is well. */
void status_count(struct status_view *v, const char *where);
void status_unknown(struct status_view *v, const char *what, const char *why);

/* True for those of the cluster, and those of the spec that nobody has adopted. */
bool status_is_ours(const struct status_options *o, const json_t *service);
/* The member "services". */
void status_services(struct status_view *v);
/* True when there is more to say than how many run. */
bool status_service_in_question(const json_t *service);

/* The member "routes". */
void status_routes(struct status_view *v);

#endif
