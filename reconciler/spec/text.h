/*
 * The spec's text: encoding, size, and positions as an editor shows them.
 *
 * libyaml ends a line also at NEL, LS, PS and a lone CR, and its column starts
 * anew there; git, grep and editors count LF only. So positions come from
 * mark.index alone, which counts code points after the byte order mark (and a
 * CRLF as two), and from a table of where lines begin.
 */
#ifndef RECONCILE_SPEC_TEXT_H
#define RECONCILE_SPEC_TEXT_H

#include "spec/spec.h"

#define TEXT_MAX ((size_t)1 << 20)

struct text {
	const char *file;
	const char *bytes; /* after the byte order mark */
	size_t len;
	VEC(size_t) lines; /* index of each line's first character */
};

/* Returns false after adding a finding: too large, NUL, not UTF-8, control characters. */
bool text_init(struct text *t, const char *file, const char *bytes, size_t len, struct diags *diags);
void text_free(struct text *t);
struct mark text_mark(const struct text *t, size_t index);

/* Length of the character at s (0: not UTF-8), and its code point. */
size_t utf8_next(const char *s, size_t len, uint32_t *cp);
bool utf8_valid(const char *s);
size_t utf8_count(const char *s, size_t len); /* characters */

#endif
