#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/replicas.h"

static void live_count_is_kept_within_bounds(void **state)
{
	static const struct {
		int64_t min, max, live, kept;
	} rows[] = {
		{2, 6, 2, 2}, {2, 6, 4, 4}, {2, 6, 6, 6},           {2, 6, 0, 2},
		{2, 6, 9, 6}, {1, 1, 5, 1}, {1, INT64_MAX, 50, 50},
	};
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(replicas_kept(rows[i].min, rows[i].max, &rows[i].live), rows[i].kept);
}

static void a_new_service_starts_at_min(void **state)
{
	(void)state;
	assert_int_equal(replicas_kept(2, 6, NULL), 2);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(live_count_is_kept_within_bounds),
		cmocka_unit_test(a_new_service_starts_at_min),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
