#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "run/suspension.h"

static json_t *sections(const char *key, int64_t until)
{
	const struct suspension s = {.reason = "night work", .by = "ann@gmktec", .since = 1000, .until = until};
	json_t *all = json_object();

	json_set(all, key, suspension_json(&s));
	return json_pack("{s:o}", "suspended", all);
}

static void one_key_holds_that_alone(void **state)
{
	(void)state;
	_cleanup_json_ json_t *s = sections("service/web", 0);

	assert_non_null(suspension_of(s, "service/web", 5000));
	assert_null(suspension_of(s, "service/db", 5000));
	assert_null(suspension_of(s, SUSPEND_ALL, 5000));
	assert_null(suspension_of(NULL, SUSPEND_ALL, 5000));
}

static void it_ends_at_its_time(void **state)
{
	(void)state;
	_cleanup_json_ json_t *s = sections(SUSPEND_ALL, 2000);

	assert_non_null(suspension_of(s, SUSPEND_ALL, 1999));
	assert_null(suspension_of(s, SUSPEND_ALL, 2000));
}

static void its_text_says_everything(void **state)
{
	(void)state;
	_cleanup_json_ json_t *s = sections(SUSPEND_ALL, 90061), *least = json_object();
	_cleanup_str_ struct str text = {0}, short_text = {0};

	suspension_text(suspension_of(s, SUSPEND_ALL, 1000), &text);
	assert_string_equal(str_cstr(&text), "suspended since 1970-01-01T00:16:40Z by ann@gmktec until "
					     "1970-01-02T01:01:01Z: night work");
	suspension_text(least, &short_text);
	assert_string_equal(str_cstr(&short_text), "suspended");
}

static void a_run_at_work_is_stopped(void **state)
{
	(void)state;
	_cleanup_json_ json_t *all = sections(SUSPEND_ALL, 2000), *one = sections("service/web", 0);
	const json_t *own = suspension_of(all, SUSPEND_ALL, 1000);
	struct err err = {0};

	assert_int_equal(suspension_check(all, NULL, "service/web", 1500, &err), -1);
	assert_int_equal(err.code, ERR_LOCKED);
	assert_non_null(strstr(err.msg, "ann@gmktec"));
	assert_non_null(strstr(err.msg, "night work"));
	assert_int_equal(suspension_check(all, NULL, NULL, 2000, &err), 0);
	assert_int_equal(suspension_check(one, NULL, NULL, 1500, &err), 0);
	assert_int_equal(suspension_check(all, own, NULL, 1500, &err), 0);

	/* Another one in the place of the rollback's own. */
	_cleanup_json_ json_t *other = json_deep_copy(all);
	json_set_int(json_object_get(json_object_get(other, "suspended"), SUSPEND_ALL), "since", 1200);
	assert_int_equal(suspension_check(other, own, NULL, 1500, &err), -1);
}

static void only_what_is_suspended_is_stopped(void **state)
{
	(void)state;
	_cleanup_json_ json_t *one = sections("service/web", 2000), *all = sections(SUSPEND_ALL, 0);
	const json_t *own = suspension_of(all, SUSPEND_ALL, 1000);
	struct err err = {0};

	assert_int_equal(suspension_check(one, NULL, "service/db", 1500, &err), 0);
	assert_int_equal(suspension_check(one, NULL, "service/web", 2000, &err), 0);
	assert_int_equal(suspension_check(one, NULL, "service/web", 1500, &err), -1);
	assert_int_equal(err.code, ERR_SUSPENDED);
	assert_non_null(strstr(err.msg, "ann@gmktec"));

	/* Also in a rollback, which has suspended the cluster itself. */
	json_object_update(json_object_get(all, "suspended"), json_object_get(one, "suspended"));
	assert_int_equal(suspension_check(all, own, "service/db", 1500, &err), 0);
	assert_int_equal(suspension_check(all, own, "service/web", 1500, &err), -1);
}

static void who_it_was(void **state)
{
	(void)state;
	setenv("SUDO_USER", "ann", 1);
	_cleanup_free_ char *sudo = suspension_by();
	unsetenv("SUDO_USER");
	_cleanup_free_ char *plain = suspension_by();

	assert_non_null(strchr(plain, '@'));
	assert_int_equal(geteuid() == 0, str_starts(sudo, "ann@"));
	assert_false(str_starts(plain, "ann@"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_key_holds_that_alone),          cmocka_unit_test(it_ends_at_its_time),
		cmocka_unit_test(its_text_says_everything),          cmocka_unit_test(a_run_at_work_is_stopped),
		cmocka_unit_test(only_what_is_suspended_is_stopped), cmocka_unit_test(who_it_was),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
