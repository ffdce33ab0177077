/* Base64 (RFC 4648), padded, without line breaks. */
#ifndef RECONCILE_BASE_BASE64_H
#define RECONCILE_BASE_BASE64_H

#include "base/err.h"
#include "base/str.h"

void base64_encode(const void *data, size_t n, struct str *out);    /* §4: with + and /; appends */
void base64url_encode(const void *data, size_t n, struct str *out); /* §5: with - and _; appends */
/* The inverse of base64_encode. Appends; false: it is not base64, and out is as it was. */
bool base64_decode(const char *text, size_t n, struct str *out) MUST_CHECK;

#endif
