/* SHA-256 and HMAC-SHA-256 from libcrypto, loaded at the first use. */
#ifndef RECONCILE_SYS_HASH_H
#define RECONCILE_SYS_HASH_H

#include "base/err.h"

#include <stddef.h>

#define HASH_HEX_SIZE 65

int hash_sha256_hex(const void *data, size_t n, char hex[static HASH_HEX_SIZE], struct err *err) MUST_CHECK;
int hash_hmac_hex(const void *key, size_t key_len, const void *data, size_t n, char hex[static HASH_HEX_SIZE],
		  struct err *err) MUST_CHECK;

#endif
