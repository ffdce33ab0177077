/*
 * Where a run's spec comes from, in a form that brings it back later: for
 * `rollback` it is recorded with each run, for a saved plan it is in its file.
 *
 *   {"repo": URL, "file": …, "commit": …}            a repository; the URL without its password
 *   {"name": …, "text": …, "files": {path: base64}}  a plain file or directory: the spec and what it read, but no
 * secret
 *   {"path": …}                                      a plain file or directory, by name only
 *
 * A recorded one has besides "spec", the SHA-256 of the spec's text, "content", the same of that and all that it read,
 * but for secrets, of a rollback "rollback_of", the run whose spec it is, and "partial" when --only or a saved plan
 * left some of it out.
 *
 * A pass gets its spec from here in every case:
 *   origin_open(&source_options, NULL or recorded, &origin, err)
 *   spec_load with origin_input(origin, allow_env), later decode
 *   origin_record(origin, spec, want) goes into the record of the run; origin_reference(origin) into a saved plan
 */
#ifndef RECONCILE_RUN_ORIGIN_H
#define RECONCILE_RUN_ORIGIN_H

#include "base/json.h"
#include "model/resource.h"
#include "model/snapshot.h"
#include "source/source.h"
#include "spec/spec.h"

struct origin;

/*
 * recorded NULL: the spec that o names. Else the recorded one (borrowed, outlives the origin): of o then only helper,
 * cache_dir and deadline are used, and repo_url when it is the recorded repository, for its password. What is gone
 * since is ERR_NOT_FOUND with what to do.
 */
int origin_open(const struct source_options *o, const json_t *recorded, struct origin **out,
		struct err *err) MUST_CHECK;
void origin_close(struct origin *g); /* NULL-safe */

const char *origin_name(const struct origin *g);   /* as source_name */
const char *origin_commit(const struct origin *g); /* as source_commit: NULL: of no repository */
const char *origin_stale(const struct origin *g);  /* as source_stale */
const struct str *origin_text(const struct origin *g);
/* For spec_load; what the spec reads by it is kept for origin_record. The origin outlives the spec. */
struct spec_input origin_input(struct origin *g, const char *const *allow_env);

/* SHA-256 of the spec's text; "" without libcrypto. */
const char *origin_sha256(struct origin *g);

/* True when the spec was read from nothing but its text: no stack, config or environment file, so far. */
bool origin_is_text_alone(const struct origin *g);

/*
 * For the record of the run, after the spec was decoded; new reference. Files that secrets read are left out: those
 * that the spec names for one, and those whose content is the payload of one in want.
 */
json_t *origin_record(struct origin *g, const struct spec *spec, const struct resource_set *want);
/* For a saved plan: nothing of the spec's content; paths made absolute. New reference. */
json_t *origin_reference(const struct origin *g);

/* {"service/x": "sha256:…"}: the digests that the services of this cluster are pinned to, for the record; new
 * reference. */
json_t *digests_of(const struct snapshot *snap, const char *cluster);

#endif
