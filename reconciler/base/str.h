/* A growing byte string, always NUL-terminated once it is non-empty; and small string helpers. */
#ifndef RECONCILE_BASE_STR_H
#define RECONCILE_BASE_STR_H

#include "base/mem.h"

#include <stdbool.h>
#include <stdint.h>

struct str {
	char *data; /* NULL when empty; use str_cstr for a C string */
	size_t len, cap;
};

void str_add(struct str *s, const char *bytes, size_t n);
void str_adds(struct str *s, const char *text);
void str_addc(struct str *s, char c);
void str_addf(struct str *s, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/*
 * Text of others for people to read: what a terminal would obey (control characters but newline and tab, in both of
 * Unicode's ranges) or show in another order (the marks of bidirectional text) is written out, as "\u001b".
 */
void str_add_visible(struct str *s, const char *text, size_t n);
void str_reset(struct str *s);             /* empties, keeps the memory */
void str_free(struct str *s);              /* NULL-safe, leaves an empty string */
const char *str_cstr(const struct str *s); /* never NULL; valid until the next change */
char *str_steal(struct str *s);            /* a malloc'ed C string the caller frees; s is empty then */
#define _cleanup_str_ __attribute__((cleanup(str_free)))

bool str_starts(const char *s, const char *prefix);
bool str_ends(const char *s, const char *suffix);
bool str_eq(const char *a, const char *b); /* NULL equals NULL only */

/* Edit distance (optimal string alignment), for suggestions; cost of inputs over 64 bytes: UINT32_MAX. */
uint32_t str_distance(const char *a, const char *b);

#endif
