#include "sys/hash.h"

#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct err err;
static char hex[HASH_HEX_SIZE];

/* FIPS 180-4 examples. */
static void sha256(void **state)
{
	(void)state;
	assert_int_equal(hash_sha256_hex("", 0, hex, &err), 0);
	assert_string_equal(hex, "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
	assert_int_equal(hash_sha256_hex("abc", 3, hex, &err), 0);
	assert_string_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
	assert_int_equal(hash_sha256_hex("a\0b", 3, hex, &err), 0);
	assert_string_not_equal(hex, "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

/* RFC 4231, test cases 2 and 6 (a key longer than a block). */
static void hmac(void **state)
{
	(void)state;
	static const char text[] = "what do ya want for nothing?";
	static const char long_text[] = "Test Using Larger Than Block-Size Key - Hash Key First";
	char key[131];

	assert_int_equal(hash_hmac_hex("Jefe", 4, text, strlen(text), hex, &err), 0);
	assert_string_equal(hex, "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
	memset(key, 0xaa, sizeof(key));
	assert_int_equal(hash_hmac_hex(key, sizeof(key), long_text, strlen(long_text), hex, &err), 0);
	assert_string_equal(hex, "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(sha256),
		cmocka_unit_test(hmac),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
