/* The formats of the schema: what they accept, and the number they stand for. */
#ifndef RECONCILE_SPEC_FORMAT_H
#define RECONCILE_SPEC_FORMAT_H

#include <stdbool.h>
#include <stdint.h>

enum format_result {
	FORMAT_OK,     /* the text stays a text */
	FORMAT_NUMBER, /* it is *number */
	FORMAT_BAD,
	FORMAT_RANGE, /* of the right form, but too large */
};

struct format {
	const char *name;
	const char *expected; /* "a duration such as 30s or 1m30s" */
	enum format_result (*parse)(const char *text, int64_t *number);
};

enum format_result format_image(const char *text, int64_t *unused); /* image.c */

const struct format *format_find(const char *name); /* NULL: unknown */

#endif
