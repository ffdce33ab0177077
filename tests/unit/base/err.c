#include "base/err.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct err e;

static void builds_from_the_inside_out(void **state)
{
	(void)state;
	assert_int_equal(err_set(&e, ERR_TIMEOUT, "no answer within %d s", 5), -1);
	assert_int_equal(err_wrap(&e, "GET /services"), -1);
	assert_int_equal(err_wrap(&e, "service '%s'", "ollama"), -1);
	assert_string_equal(e.msg, "service 'ollama': GET /services: no answer within 5 s");
	assert_int_equal(e.code, ERR_TIMEOUT);
	assert_int_equal(err_set(NULL, ERR_FAILED, "x"), -1);
	assert_int_equal(err_sys(NULL, "x"), -1);
	assert_int_equal(err_wrap(NULL, "x"), -1);
}

static void codes_follow_errno(void **state)
{
	(void)state;
	static const struct {
		int sys;
		enum err_code code;
	} table[] = {{EACCES, ERR_DENIED},
		     {EPERM, ERR_DENIED},
		     {ENOENT, ERR_NOT_FOUND},
		     {ECONNREFUSED, ERR_UNREACHABLE},
		     {EHOSTUNREACH, ERR_UNREACHABLE},
		     {ENETUNREACH, ERR_UNREACHABLE},
		     {ETIMEDOUT, ERR_TIMEOUT},
		     {EIO, ERR_SYSTEM},
		     {ENOSPC, ERR_SYSTEM}};
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		errno = table[i].sys;
		assert_int_equal(err_sys(&e, "open %s", "/x"), -1);
		assert_int_equal(e.code, table[i].code);
		assert_int_equal(e.sys, table[i].sys);
	}
	assert_string_equal(e.msg, "open /x: No space left on device");
	err_set(&e, ERR_FAILED, "later");
	assert_int_equal(e.sys, 0);
}

/* What is left after a cut is whole characters. */
static bool is_utf8(const char *s)
{
	while (*s) {
		unsigned char c = (unsigned char)*s++;
		int more = c < 0x80 ? 0 : c >= 0xf0 ? 3 : c >= 0xe0 ? 2 : c >= 0xc2 ? 1 : -1;
		for (; more > 0; more--)
			if (((unsigned char)*s++ & 0xc0) != 0x80)
				return false;
		if (more < 0)
			return false;
	}
	return true;
}

static void cuts_between_characters(void **state)
{
	(void)state;
	static const char *const characters[] = {"x", "\xc3\xbc", "\xe2\x82\xac", "\xf0\x9f\x90\xb3"};
	char text[3 * ERR_MSG_MAX];

	for (size_t i = 0; i < 4; i++) {
		size_t size = i + 1;
		for (size_t shift = 0; shift < 4; shift++) {
			size_t n = shift;
			memset(text, '-', shift);
			for (; n + size < sizeof(text) - 1; n += size)
				memcpy(text + n, characters[i], size);
			text[n] = '\0';
			err_set(&e, ERR_FAILED, "%s", text);
			assert_true(is_utf8(e.msg));
			assert_in_range(strlen(e.msg), ERR_MSG_MAX - 8, ERR_MSG_MAX - 1);
			err_wrap(&e, "wrapped %s", "once");
			assert_true(is_utf8(e.msg));
			assert_in_range(strlen(e.msg), ERR_MSG_MAX - 8, ERR_MSG_MAX - 1);
			assert_int_equal(strncmp(e.msg, "wrapped once: ", 14), 0);
			errno = ENOENT;
			err_sys(&e, "%s", text);
			assert_true(is_utf8(e.msg));
		}
	}
}

/* A message that exactly fits is not cut. */
static void keeps_what_fits(void **state)
{
	(void)state;
	char text[ERR_MSG_MAX];
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	memcpy(text + sizeof(text) - 3, "\xc3\xbc", 2);
	err_set(&e, ERR_FAILED, "%s", text);
	assert_string_equal(e.msg, text);
}

static void the_table_is_complete(void **state)
{
	(void)state;
	for (int i = 0; i < ERR_N_CODES; i++) {
		const char *name = err_code_name((enum err_code)i);
		assert_non_null(name);
		for (int k = 0; k < i; k++)
			assert_string_not_equal(name, err_code_name((enum err_code)k));
		assert_true(i == ERR_NONE || err_exit_status((enum err_code)i) != 0);
	}
	assert_int_equal(err_exit_status(ERR_USAGE), 64);
	assert_int_equal(err_exit_status(ERR_SPEC), 4);
	assert_int_equal(err_exit_status(ERR_LOCKED), 5);
	assert_int_equal(err_exit_status(ERR_SUSPENDED), 3);
	assert_int_equal(err_exit_status(ERR_UNREACHABLE), 3);
	assert_int_equal(err_exit_status(ERR_BLOCKED), 3);
	assert_int_equal(err_exit_status(ERR_FAILED), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(builds_from_the_inside_out), cmocka_unit_test(codes_follow_errno),
		cmocka_unit_test(cuts_between_characters),    cmocka_unit_test(keeps_what_fits),
		cmocka_unit_test(the_table_is_complete),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
