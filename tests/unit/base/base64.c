#include "base/base64.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

/* RFC 4648 section 10, and bytes that show which alphabet it is. */
static const struct {
	const char *data;
	size_t n;
	const char *standard, *url_safe;
} vectors[] = {
	{"", 0, "", ""},
	{"f", 1, "Zg==", "Zg=="},
	{"fo", 2, "Zm8=", "Zm8="},
	{"foo", 3, "Zm9v", "Zm9v"},
	{"foob", 4, "Zm9vYg==", "Zm9vYg=="},
	{"fooba", 5, "Zm9vYmE=", "Zm9vYmE="},
	{"foobar", 6, "Zm9vYmFy", "Zm9vYmFy"},
	{"\xff\xfe\xfd", 3, "//79", "__79"},
	{"\xfb\xef\xbe\x00\xff", 5, "++++AP8=", "----AP8="},
};

static void vectors_both_ways(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(vectors); i++) {
		_cleanup_str_ struct str encoded = {0}, url = {0}, decoded = {0};
		base64_encode(vectors[i].data, vectors[i].n, &encoded);
		assert_string_equal(str_cstr(&encoded), vectors[i].standard);
		base64url_encode(vectors[i].data, vectors[i].n, &url);
		assert_string_equal(str_cstr(&url), vectors[i].url_safe);
		assert_true(base64_decode(vectors[i].standard, strlen(vectors[i].standard), &decoded));
		assert_int_equal(decoded.len, vectors[i].n);
		assert_memory_equal(str_cstr(&decoded), vectors[i].data, vectors[i].n);
	}
}

static void every_byte(void **state)
{
	char data[256 + 2];

	(void)state;
	for (size_t i = 0; i < sizeof(data); i++)
		data[i] = (char)i;
	for (size_t n = 0; n <= sizeof(data); n++) {
		_cleanup_str_ struct str encoded = {0}, decoded = {0};
		base64_encode(data, n, &encoded);
		assert_int_equal(encoded.len, (n + 2) / 3 * 4);
		assert_true(base64_decode(encoded.data, encoded.len, &decoded));
		assert_int_equal(decoded.len, n);
		assert_memory_equal(str_cstr(&decoded), data, n);
	}
}

static void not_base64(void **state)
{
	static const char *const wrong[] = {"Z",    "Zg",    "Zg=",  "Zm9vY", "====", "Z===",     "=Zg=",
					    "Zg=a", "Zm9\n", "Zm 9", "Zm-_",  "Zm9!", "Zg==Zg==", "\xc3\xa4Zg"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		_cleanup_str_ struct str out = {0};
		str_adds(&out, "before");
		if (base64_decode(wrong[i], strlen(wrong[i]), &out))
			fail_msg("'%s' was decoded", wrong[i]);
		assert_string_equal(str_cstr(&out), "before");
	}
	_cleanup_str_ struct str out = {0};
	assert_false(base64_decode("Zm\0v", 4, &out));
	assert_null(out.data);
}

static void appends(void **state)
{
	_cleanup_str_ struct str out = {0};

	(void)state;
	str_adds(&out, "a:");
	assert_true(base64_decode("Zm9v", 4, &out));
	base64_encode("f", 1, &out);
	assert_string_equal(str_cstr(&out), "a:fooZg==");
	/* The bits that padding leaves over: docker's own decoder takes them too. */
	str_reset(&out);
	assert_true(base64_decode("Zh==", 4, &out));
	assert_string_equal(str_cstr(&out), "f");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(vectors_both_ways),
		cmocka_unit_test(every_byte),
		cmocka_unit_test(not_base64),
		cmocka_unit_test(appends),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
