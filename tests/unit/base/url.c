#include "base/url.h"

#include "base/str.h"

#include <stdlib.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static void test_urls(void **state)
{
	static const struct {
		const char *url, *host; /* host NULL: refused */
		int port;
	} table[] = {
		{"http://web", "web", 80},
		{"https://web", "web", 443},
		{"http://tasks.my_web:11434/api?x=http://y:1/", "tasks.my_web", 11434},
		{"http://web?a@b", "web", 80},
		{"http://[::1]:8080/", "::1", 8080},
		{"https://[fe80::1]", "fe80::1", 443},
		{"http://10.0.0.84:65535#x", "10.0.0.84", 65535},
		{"ftp://web", NULL, 0},
		{"http://", NULL, 0},
		{"http:///x", NULL, 0},
		{"http://web:", NULL, 0},
		{"http://web:0", NULL, 0},
		{"http://web:65536", NULL, 0},
		{"http://web:000080", NULL, 0},
		{"http://web:80x", NULL, 0},
		{"http://-web", NULL, 0},
		{"http://web$(id)", NULL, 0},
		{"http://web'/", NULL, 0},
		{"http://user@web/", NULL, 0},
		{"http://user:secret@web/", NULL, 0},
		{"http://[::1", NULL, 0},
		{"http://[web]/", NULL, 0},
		{"http://[::1]x/", NULL, 0},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(table); i++) {
		struct url u = {0};
		bool ok = url_parse(table[i].url, &u);
		if (ok != (table[i].host != NULL) || !str_eq(u.host, table[i].host) || u.port != table[i].port)
			fail_msg("%s: %d %s %d", table[i].url, ok, u.host ? u.host : "(none)", u.port);
		url_free(&u);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(test_urls)};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
