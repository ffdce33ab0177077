/* Maintenance windows in real time zones, clock changes included. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "run/window.h"

#include <stdlib.h>
#include <string.h>

#define HEAD "version: 1\ncluster: test\n"

static struct spec *load(const char *text)
{
	CLEANUP(diags_free) struct diags diags = {0};
	const struct spec_input in = {.name = "spec.yaml", .text = text, .len = strlen(text)};
	struct err err = {0};
	struct spec *spec;

	if (spec_load(&in, &spec, &diags, &err) < 0)
		fail_msg("%s", diags.list.n ? diags.list.v[0].message : err.msg);
	return spec;
}

static struct spec *spec_of(const char *zone, const char *window)
{
	_cleanup_free_ char *text =
		xasprintf(HEAD "policy: {maintenance: {timezone: %s, windows: [%s]}}\n", zone, window);
	return load(text);
}

#define BERLIN "Europe/Berlin"
#define NIGHT "{days: [sat], from: \"22:00\", to: \"04:00\"}"
#define EARLY "{from: \"02:30\", to: \"03:30\"}"

/* In 2026 Berlin's clocks go from 02:00 to 03:00 on 29 March (01:00 UTC), and back on 25 October (01:00 UTC). */
static const struct {
	const char *zone, *window;
	int64_t now;     /* UTC */
	int64_t turns_s; /* opens, and without when: closes */
	const char *when;
} rows[] = {
	/* Sat 2026-01-10 21:00 UTC is 22:00 in Berlin. */
	{BERLIN, NIGHT, 1768078800, 6 * 3600, NULL},
	{BERLIN, NIGHT, 1768078799, 1, "Sat 2026-01-10 22:00 (Europe/Berlin)"},
	{"UTC", NIGHT, 1768078800, 3600, "Sat 2026-01-10 22:00 (UTC)"},
	/* Summer: Sat 2026-07-11 20:00 UTC. */
	{BERLIN, NIGHT, 1783800000, 6 * 3600, NULL},
	{"UTC", "{from: \"00:00\", to: \"24:00\"}", 1783800000, 0, NULL},
	/* Over the change to summer: Thu 2026-03-26 12:00 UTC, opens Sat 28 22:00 CET; closes Sun 04:00 CEST, 02:00
	   UTC. */
	{BERLIN, NIGHT, 1774526400, 2 * 86400 + 9 * 3600, "Sat 2026-03-28 22:00 (Europe/Berlin)"},
	{BERLIN, NIGHT, 1774749599, 1, NULL},
	{BERLIN, NIGHT, 1774749600, 7 * 86400 - 6 * 3600, "Sat 2026-04-04 22:00 (Europe/Berlin)"},
	/* 02:30 is skipped on 29 March: the window opens at 03:00 CEST, 01:00 UTC. At 00:00 UTC: */
	{BERLIN, EARLY, 1774742400, 3600, "Sun 2026-03-29 03:00 (Europe/Berlin)"},
	{BERLIN, EARLY, 1774746000, 1800, NULL},
	/* 02:30 comes twice on 25 October, first at 00:30 UTC. At 00:00 UTC: */
	{BERLIN, EARLY, 1792886400, 1800, "Sun 2026-10-25 02:30 (Europe/Berlin)"},
	{BERLIN, EARLY, 1792888200, 1800, NULL},
};

static void windows_follow_the_zones_clocks(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec *spec = spec_of(rows[i].zone, rows[i].window);
		_cleanup_free_ char *why = NULL;
		struct err err = {0};
		int64_t turns_s = -1;

		assert_int_equal(window_state(spec, rows[i].now, &why, &turns_s, &err), 0);
		assert_int_equal(turns_s, rows[i].turns_s);
		if (rows[i].when) {
			assert_non_null(why);
			assert_non_null(strstr(why, rows[i].when));
		} else {
			assert_null(why);
		}
		spec_free(spec);
	}
}

static void no_windows_are_always_open(void **state)
{
	static const char *const specs[] = {HEAD, HEAD "policy: {prune: never}\n"};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(specs); i++) {
		struct spec *spec = load(specs[i]);
		char *why = "set";
		int64_t turns_s = -1;
		struct err err = {0};
		assert_int_equal(window_state(spec, 0, &why, &turns_s, &err), 0);
		assert_null(why);
		assert_int_equal(turns_s, 0);
		spec_free(spec);
	}
}

static void an_unknown_zone_is_refused(void **state)
{
	static const char *const zones[] = {"Europe/Berln", "Europe"};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(zones); i++) {
		struct spec *spec = spec_of(zones[i], NIGHT);
		struct err err = {0};
		char *why;
		int64_t turns_s;
		assert_int_equal(window_state(spec, 0, &why, &turns_s, &err), -1);
		assert_int_equal(err.code, ERR_SPEC);
		assert_non_null(strstr(err.msg, zones[i]));
		spec_free(spec);
	}
}

static void the_process_keeps_its_own_zone(void **state)
{
	struct spec *spec = spec_of(BERLIN, NIGHT);
	static const char *const own[] = {"Asia/Tokyo", NULL};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(own); i++) {
		_cleanup_free_ char *why = NULL;
		struct err err = {0};
		int64_t turns_s;
		if (own[i])
			setenv("TZ", own[i], 1);
		else
			unsetenv("TZ");
		assert_int_equal(window_state(spec, 0, &why, &turns_s, &err), 0);
		assert_true(str_eq(getenv("TZ"), own[i]));
	}
	spec_free(spec);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(windows_follow_the_zones_clocks),
		cmocka_unit_test(no_windows_are_always_open),
		cmocka_unit_test(an_unknown_zone_is_refused),
		cmocka_unit_test(the_process_keeps_its_own_zone),
	};
	json_init();
	return cmocka_run_group_tests_name("window", tests, NULL, NULL);
}
