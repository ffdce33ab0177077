/* The spec lib names the fields of kinds that it does not know (spec/fields.h): the same as the kinds' tables. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "model/kind.h"
#include "spec/fields.h"

static bool knows(const char *const *fields, size_t n, const char *name)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i], name) == 0)
			return true;
	return false;
}

static void the_spec_knows_the_kinds_fields(void **state)
{
	size_t n_kinds, n_checked = 0;
	const struct kind *const *kinds = kinds_all(&n_kinds);
	(void)state;

	for (size_t i = 0; i < n_kinds; i++) {
		const struct kind *k = kinds[i];
		size_t n;
		const char *const *fields = spec_kind_fields(k->name, &n);
		n_checked += fields != NULL;
		for (size_t f = 0; f < n; f++)
			if (!kind_field(k, fields[f]))
				fail_msg("spec/fields.c: a %s has no field '%s'", k->name, fields[f]);
		for (size_t f = 0; fields && f < k->n_fields; f++)
			if (!strchr(k->fields[f].name, '.') && !knows(fields, n, k->fields[f].name))
				fail_msg("spec/fields.c: field '%s' of a %s is missing", k->fields[f].name, k->name);
	}
	/* A route, the swarm itself, packages, firewalls and what is kept are made of other sections; a check is never
	 * written. */
	assert_int_equal(n_checked, n_kinds - 6);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(the_spec_knows_the_kinds_fields)};
	return cmocka_run_group_tests_name("fields", tests, NULL, NULL);
}
