/*
 * A subset of JSON Schema 2020-12, checked over the YAML tree. The schema also
 * decides the type of every scalar, so there is no typing before it.
 *
 * What no rule speaks of keeps its text.
 *
 * Where it differs from the standard, because scalars have no type of their own:
 * - oneOf takes the first branch that fits, like anyOf; branches made of
 *   "required" alone are an exception: exactly one must hold.
 * - "pattern" applies to the text of numbers too.
 * - "format" is an assertion, and gives durations, sizes and CPUs their number.
 * - patterns are POSIX extended regular expressions (of the common subset).
 *
 * Own keywords: "x-error" on a property makes the key's presence an error with
 * that text, "x-warning" a warning; "x-message" is the text when "pattern", "not" or the branches
 * fail. Other x- keywords are for documentation. A keyword that is not known
 * is an error of the schema, never skipped.
 */
#ifndef RECONCILE_SPEC_SCHEMA_H
#define RECONCILE_SPEC_SCHEMA_H

#include "spec/spec.h"

struct schema;

int schema_parse(const char *json, size_t len, struct schema **out, struct err *err) MUST_CHECK;
void schema_free(struct schema *s);
/* The embedded schema/cluster.schema.json, parsed at first use; not for several threads at once. */
int schema_cluster(const struct schema **out, struct err *err) MUST_CHECK;
int schema_settings(const struct schema **out, struct err *err) MUST_CHECK; /* schema/settings.schema.json, likewise */
int schema_stack(const struct schema **out, struct err *err) MUST_CHECK;    /* schema/stack.schema.json */

/* Checks and types root in place and puts defaults in, from arena. A scalar without text is skipped (yaml.h). */
void schema_check(const struct schema *s, struct snode *root, struct arena *arena, struct diags *diags);

#endif
