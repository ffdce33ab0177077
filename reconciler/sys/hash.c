#include "sys/hash.h"

#include "sys/dynlib.h"

#include "base/mem.h"

#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <pthread.h>
#include <stdio.h>

static struct {
	__typeof__(EVP_sha256) *sha256;
	__typeof__(EVP_Digest) *digest;
	__typeof__(HMAC) *hmac;
	struct err err;
} crypto;

static void load(void)
{
	const struct dynsym syms[] = {
		{"EVP_sha256", &crypto.sha256},
		{"EVP_Digest", &crypto.digest},
		{"HMAC", &crypto.hmac},
	};
	(void)!dynlib_load("libcrypto.so.3", "libssl3", syms, ARRAY_SIZE(syms), &crypto.err);
}

static int loaded(struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (crypto.err.code != ERR_NONE)
		return err_set(err, crypto.err.code, "%s", crypto.err.msg);
	return 0;
}

static int to_hex(bool ok, const unsigned char *digest, unsigned len, char *hex, struct err *err)
{
	if (!ok || len * 2 != HASH_HEX_SIZE - 1)
		return err_set(err, ERR_SYSTEM, "libcrypto refuses to compute a SHA-256");
	for (unsigned i = 0; i < len; i++)
		snprintf(hex + 2 * (size_t)i, 3, "%02x", digest[i]);
	return 0;
}

int hash_sha256_hex(const void *data, size_t n, char hex[static HASH_HEX_SIZE], struct err *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (loaded(err) < 0)
		return -1;
	bool ok = crypto.digest(data, n, digest, &len, crypto.sha256(), NULL) == 1;
	return to_hex(ok, digest, len, hex, err);
}

int hash_hmac_hex(const void *key, size_t key_len, const void *data, size_t n, char hex[static HASH_HEX_SIZE],
		  struct err *err)
{
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned len = 0;

	if (key_len > INT_MAX)
		return err_set(err, ERR_LIMIT, "a hash key of %zu bytes is too long", key_len);
	if (loaded(err) < 0)
		return -1;
	bool ok = crypto.hmac(crypto.sha256(), key, (int)key_len, data, n, digest, &len) != NULL;
	return to_hex(ok, digest, len, hex, err);
}
