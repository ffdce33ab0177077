/* A plan as text for a terminal or a pipe, as JSON (docs/plan-format.md), as Markdown for a review. Pure. */
#ifndef RECONCILE_PLAN_RENDER_H
#define RECONCILE_PLAN_RENDER_H

#include "base/str.h"
#include "plan/plan.h"

struct render_context {
	const char *cluster;
	const char *source; /* "cluster.yaml" or "1a2b3c4d:cluster.yaml" */
	const char *commit; /* 40 hex digits, or NULL */
	const char *engine; /* "unix:///run/docker.sock" */
	bool color;
};

#define PLAN_FORMAT 1

void render_text(const struct plan *p, const struct render_context *ctx, struct str *out);
void render_markdown(const struct plan *p, const struct render_context *ctx, struct str *out);
json_t *render_json(const struct plan *p, const struct render_context *ctx); /* new reference */

/* "2 to create, 1 to update; 1 blocked; 12 in sync", or that there is nothing to do. */
void render_summary(const struct plan *p, struct str *out);

/* A field's value for people: "30s", "16 GiB", "\"text\""; long ones are cut. NULL: "(not set)". */
void render_value(const struct kind *k, const char *path, const json_t *value, struct str *out);

/* The change's reason; in brief when it is told above the plan already (plan.held). */
const char *render_reason(const struct plan *p, const struct change *c);

/*
 * True when change b is held for the very reason of a, and nothing else is known of either, as when nothing could be
 * observed: told once, it stands for both.
 */
bool render_same_reason(const struct change *a, const struct change *b);

#endif
