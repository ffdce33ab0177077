/* JSON in C strings, with ' for ": {'a': 1}. What cannot be parsed fails the test. */
#ifndef RECONCILE_TESTS_UNIT_QUOTED_H
#define RECONCILE_TESTS_UNIT_QUOTED_H

#include "base/json.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <string.h>

#include <cmocka.h>

/* New reference. */
static inline json_t *quoted(const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);
	struct err err = {0};
	json_t *j = NULL;

	for (char *p = copy; *p; p++)
		if (*p == '\'')
			*p = '"';
	if (json_parse(copy, strlen(copy), &j, &err) < 0)
		fail_msg("%s: %s", err.msg, text);
	return j;
}

#endif
