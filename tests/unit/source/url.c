/* What a repository argument is, and that a password in it is never shown. */
#include "source/internal.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void classified(void **state)
{
	static const struct {
		const char *url;
		enum url_type type;
	} cases[] = {
		{".", URL_PATH},
		{"../x", URL_PATH},
		{"/srv/git/x.git", URL_PATH},
		{"./a:b", URL_PATH},
		{"/a:b", URL_PATH},
		{"https://host/x", URL_LIBGIT2},
		{"http://u:p@host/x", URL_LIBGIT2},
		{"file:///srv/x", URL_LIBGIT2},
		{"ssh://git@host:2222/x", URL_SSH},
		{"git@host:x.git", URL_SSH},
		{"host:x", URL_SSH},
		{"host:/abs/x", URL_SSH},
		{"git://host/x", URL_UNSUPPORTED},
		{"ftp://host/x", URL_UNSUPPORTED},
		{"ext::sh -c id", URL_UNSUPPORTED},
		{"ext::ssh://host/x", URL_UNSUPPORTED},
		{"fd::3", URL_UNSUPPORTED},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		if (url_classify(cases[i].url) != cases[i].type)
			fail_msg("%s: %d", cases[i].url, url_classify(cases[i].url));
}

static void shown_without_password(void **state)
{
	static const char *const cases[][2] = {
		{"https://host/x", "https://host/x"},
		{"https://me:hunter22@host:8443/x", "https://***@host:8443/x"},
		{"https://token@host/x", "https://***@host/x"},
		{"https://me:p@ss@host/x", "https://***@host/x"},
		{"https://host/x@y", "https://host/x@y"},
		{"https://host?a=b@c", "https://host?a=b@c"},
		{"ssh://git@host/x", "ssh://git@host/x"},
		{"ssh://git:hunter22@host/x", "ssh://***@host/x"},
		{"git@host:x", "git@host:x"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_str_ struct str out = {0};
		url_shown(cases[i][0], &out);
		assert_string_equal(str_cstr(&out), cases[i][1]);
	}
}

static void scrubbed_from_messages(void **state)
{
	static const char *const cases[][3] = {
		{"https://me:hunter22@host/x", "cannot read https://me:hunter22@host/x: hunter22 is wrong",
		 "cannot read https://***@host/x: *** is wrong"},
		{"https://token123@host/x", "bad token123", "bad ***"},
		{"https://me:a@host/x", "a banana", "a banana"}, /* one letter is in every message */
		{"https://@host/x", "a@b", "a@b"},
		{"ssh://git@host/x", "git failed", "git failed"},
		{"https://host/x", "text", "text"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_str_ struct str out = {0};
		url_scrub(cases[i][0], cases[i][1], &out);
		assert_string_equal(str_cstr(&out), cases[i][2]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(classified),
		cmocka_unit_test(shown_without_password),
		cmocka_unit_test(scrubbed_from_messages),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
