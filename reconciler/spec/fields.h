/*
 * The fields of each kind's canonical body by name. The spec lib knows no kind, and `ignore` names fields: a test of
 * kinds/ asserts that these are the names of the kinds' tables.
 */
#ifndef RECONCILE_SPEC_FIELDS_H
#define RECONCILE_SPEC_FIELDS_H

#include <stddef.h>

/* Sorted; NULL and 0 for a kind that no section with `ignore` is. */
const char *const *spec_kind_fields(const char *kind, size_t *n);

#endif
