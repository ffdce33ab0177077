#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/window.h"

enum { SUN, MON, TUE, WED, THU, FRI, SAT };

#define AT(h, m) ((h)*60 + (m))
#define DAY(d) (1U << (d))
#define ALL 0x7fU

static struct tm local(int day, int minutes)
{
	return (struct tm){.tm_wday = day, .tm_hour = minutes / 60, .tm_min = minutes % 60};
}

static const struct {
	struct window w;
	int day, now;
	int next; /* 0: open */
} rows[] = {
	{{ALL, AT(9, 0), AT(17, 0)}, WED, AT(8, 59), 1},
	{{ALL, AT(9, 0), AT(17, 0)}, WED, AT(9, 0), 0},
	{{ALL, AT(9, 0), AT(17, 0)}, WED, AT(16, 59), 0},
	{{ALL, AT(9, 0), AT(17, 0)}, WED, AT(17, 0), 16 * 60},
	/* Over midnight: the day is the one on which it begins. */
	{{DAY(SAT), AT(22, 0), AT(4, 0)}, SAT, AT(21, 59), 1},
	{{DAY(SAT), AT(22, 0), AT(4, 0)}, SAT, AT(22, 0), 0},
	{{DAY(SAT), AT(22, 0), AT(4, 0)}, SUN, AT(3, 59), 0},
	{{DAY(SAT), AT(22, 0), AT(4, 0)}, SUN, AT(4, 0), 6 * WINDOW_DAY_MINUTES + 18 * 60},
	{{DAY(SAT), AT(22, 0), AT(4, 0)}, SAT, AT(3, 0), 19 * 60},
	{{DAY(SUN), AT(22, 0), AT(4, 0)}, MON, AT(0, 0), 0},
	/* A whole day, and one that ends with it. */
	{{DAY(MON), AT(0, 0), AT(24, 0)}, MON, AT(0, 0), 0},
	{{DAY(MON), AT(0, 0), AT(24, 0)}, MON, AT(23, 59), 0},
	{{DAY(MON), AT(0, 0), AT(24, 0)}, TUE, AT(0, 0), 6 * WINDOW_DAY_MINUTES},
	{{DAY(MON), AT(23, 0), AT(0, 0)}, MON, AT(23, 30), 0},
	{{DAY(MON), AT(23, 0), AT(0, 0)}, TUE, AT(0, 0), 6 * WINDOW_DAY_MINUTES + 23 * 60},
	/* The same day again, in a week. */
	{{DAY(FRI), AT(10, 0), AT(11, 0)}, FRI, AT(11, 0), 7 * WINDOW_DAY_MINUTES - 60},
};

static void a_window_is_open_or_opens(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		const struct tm now = local(rows[i].day, rows[i].now);
		assert_int_equal(window_is_open(&rows[i].w, 1, &now), rows[i].next == 0);
		if (rows[i].next)
			assert_int_equal(window_next(&rows[i].w, 1, &now), rows[i].next);
	}
}

static void one_of_several_is_enough(void **state)
{
	const struct window w[] = {{DAY(SAT), AT(1, 0), AT(2, 0)}, {DAY(WED) | DAY(THU), AT(22, 0), AT(23, 0)}};
	const struct tm open = local(THU, AT(22, 30)), closed = local(WED, AT(23, 0));
	(void)state;
	assert_true(window_is_open(w, 2, &open));
	assert_false(window_is_open(w, 2, &closed));
	assert_int_equal(window_next(w, 2, &closed), 23 * 60);
}

/* Every minute of a week: it is closed exactly as long as window_next said when it closed. */
static void it_opens_when_it_was_said(void **state)
{
	const struct window w[] = {{DAY(SAT), AT(22, 0), AT(4, 0)}, {DAY(MON) | DAY(SUN), AT(6, 30), AT(7, 0)}};
	int expected = -1;
	(void)state;

	for (int m = 0; m < 14 * WINDOW_DAY_MINUTES; m++) {
		const struct tm now = local(m / WINDOW_DAY_MINUTES % 7, m % WINDOW_DAY_MINUTES);
		bool open = window_is_open(w, 2, &now);
		if (expected >= 0)
			assert_int_equal(open, m == expected);
		expected = open ? -1 : m + window_next(w, 2, &now);
	}
}

static void none_never_opens(void **state)
{
	const struct tm now = local(MON, 0);
	(void)state;
	assert_false(window_is_open(NULL, 0, &now));
	assert_int_equal(window_next(NULL, 0, &now), -1);
}

static void days_and_times_are_read(void **state)
{
	(void)state;
	assert_int_equal(window_day("sun"), DAY(SUN));
	assert_int_equal(window_day("sat"), DAY(SAT));
	assert_int_equal(window_day("Sat"), 0);
	assert_int_equal(window_time("00:00"), 0);
	assert_int_equal(window_time("23:59"), AT(23, 59));
	assert_int_equal(window_time("24:00"), WINDOW_DAY_MINUTES);
	static const char *const none[] = {"24:01", "25:00", "12:60", "1:00", "1200", "", "12:0x", "-1:00", "12-00"};
	for (size_t i = 0; i < sizeof(none) / sizeof(none[0]); i++)
		assert_int_equal(window_time(none[i]), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_window_is_open_or_opens), cmocka_unit_test(one_of_several_is_enough),
		cmocka_unit_test(it_opens_when_it_was_said), cmocka_unit_test(none_never_opens),
		cmocka_unit_test(days_and_times_are_read),
	};
	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
