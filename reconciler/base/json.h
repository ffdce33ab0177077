/*
 * Helpers over jansson. Ownership words are jansson's: "new" references are
 * the caller's to json_decref, "borrowed" ones live as long as their container,
 * "stolen" arguments belong to the callee even when it fails.
 */
#ifndef RECONCILE_BASE_JSON_H
#define RECONCILE_BASE_JSON_H

#include "base/err.h"
#include "base/str.h"

#include <jansson.h>

static inline void json_unref(json_t **j)
{
	json_decref(*j);
}
#define _cleanup_json_ __attribute__((cleanup(json_unref)))

/* jansson allocates through mem.h, so its setters cannot fail for want of memory. Call once, first. */
void json_init(void);

/* New reference. At most max bytes; what is cut from an error: its text. */
int json_parse(const char *text, size_t len, json_t **out, struct err *err) MUST_CHECK;

/* Members by name; a missing or null member, or a member of another type, gives the fallback. Borrowed. */
const char *json_str(const json_t *obj, const char *key); /* NULL */
int64_t json_int(const json_t *obj, const char *key, int64_t fallback);
bool json_bool(const json_t *obj, const char *key);   /* false */
json_t *json_path(const json_t *j, const char *path); /* "Spec.TaskTemplate.ContainerSpec"; NULL */

/* Setters that drop nothing silently: key is set to a new value. */
void json_set_str(json_t *obj, const char *key, const char *value); /* no-op when value is NULL */
void json_set_int(json_t *obj, const char *key, int64_t value);
void json_set_bool(json_t *obj, const char *key, bool value);
void json_set(json_t *obj, const char *key, json_t *stolen);

/* Keys sorted, no blanks: equal values give equal bytes. Appends. */
void json_canonical(const json_t *j, struct str *out);

/* As json_equal, but 1 equals 1.0 (FACTS I). */
bool json_same(const json_t *a, const json_t *b);

/* The keys of an object in strcmp order; a malloc'ed array of borrowed strings, *n of them. */
const char **json_sorted_keys(const json_t *obj, size_t *n);

#endif
