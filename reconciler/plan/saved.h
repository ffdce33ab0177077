/*
 * Saved plans: what `apply --dry-run --out FILE` writes and `apply FILE`
 * applies, and nothing but that. docs/plan-format.md describes the file.
 *
 *   saving:    _cleanup_json_ json_t *s = saved_plan_make(&(struct saved_view){…}, origin_reference(origin), …);
 *              then written as saved_plan_text gives it, mode 0600, atomically
 *   applying:  saved_plan_is(text, len), saved_plan_read(text, len, &saved, &err), then a pass with
 *              run_options.saved = saved: its spec is origin_open(o, saved_plan_origin(saved), …);
 *              images are resolved again when saved_plan_refreshes(saved);
 *              after each plan_make, before the gates are asked: saved_plan_narrow(saved, plan), then
 *              saved_plan_check(saved, &view, nothing was done yet, &err)
 *              negative: nothing (more) is changed, exit 1, err.msg names every resource and what changed
 *
 * The file is bound to the canonical bodies, desired and live, of what the plan
 * uses: its changes and everything that they require, directly or not. Version
 * indexes, which heartbeats move, do not count; nor do fields that the scaler
 * or `ignore` own. Gates are looked at again anyway: of those only what the
 * spec says is bound.
 *
 * Bodies can hold values of environment variables, so their hashes are keyed
 * with the swarm's id, as the names of secrets are: without the key, whoever
 * reads the file (it is passed around for review) could test guesses.
 */
#ifndef RECONCILE_PLAN_SAVED_H
#define RECONCILE_PLAN_SAVED_H

#include "base/str.h"
#include "plan/plan.h"

#define SAVED_PLAN_FORMAT 1
#define SAVED_PLAN_MAX ((size_t)64 << 20) /* bytes of a file */

/* A plan and what it was made from; everything borrowed. */
struct saved_view {
	const struct plan *plan;
	const struct resource_set *want, *live;
	const struct snapshot *snap; /* for the swarm's id */
	const struct kind *const *kinds;
	size_t n_kinds;
	const char *cluster;
	void (*fingerprint)(const json_t *body, char hex[65]); /* as plan_input's */
};

struct saved_source {
	json_t *plan;     /* render_json; stolen */
	json_t *origin;   /* origin_reference; stolen */
	const char *spec; /* SHA-256 of the spec's text */
	int64_t now;
	bool refresh_images; /* tags were resolved again for it */
};
json_t *saved_plan_make(const struct saved_view *v, const struct saved_source *src); /* new reference */
void saved_plan_text(const json_t *saved, struct str *out);                          /* the file; appends */

/* True for the beginning of a file (or all of it) that claims to be a saved plan, of whatever format. */
bool saved_plan_is(const char *text, size_t len);
/*
 * ERR_PROTOCOL: damaged; ERR_UNSUPPORTED: of a newer format. New reference.
 */
int saved_plan_read(const char *text, size_t len, json_t **out, struct err *err) MUST_CHECK;

const char *saved_plan_cluster(const json_t *saved);  /* borrowed; never NULL */
const json_t *saved_plan_origin(const json_t *saved); /* borrowed; never NULL */
bool saved_plan_refreshes(const json_t *saved);       /* it was made with --refresh-images */

/* Leaves only the changes of what the saved plan changes, and what those require. */
void saved_plan_narrow(const json_t *saved, struct plan *p);

/*
 * Compares a plan that was just made with the saved one. first: nothing was changed yet: everything that the saved plan
 * uses must be as it was. Later, what this run changed itself differs of course: then every change of the plan must be
 * one of the saved plan, with the desired and live bodies of that time. Ready or not does not count: what was blocked
 * may be ready now (approved, a window that opened). ERR_FAILED.
 */
int saved_plan_check(const json_t *saved, const struct saved_view *v, bool first, struct err *err) MUST_CHECK;

#endif
