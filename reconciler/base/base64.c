#include "base/base64.h"

#include <string.h>

#define COMMON "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
#define N_DIGITS 64

static const char standard[] = COMMON "+/", url_safe[] = COMMON "-_";

static void encode(const char *digits, const unsigned char *p, size_t n, struct str *out)
{
	for (size_t i = 0; i < n; i += 3) {
		size_t left = n - i;
		uint32_t v =
			(uint32_t)p[i] << 16 | (left > 1 ? (uint32_t)p[i + 1] << 8 : 0) | (left > 2 ? p[i + 2] : 0);
		char quad[] = {digits[v >> 18], digits[v >> 12 & 63], left > 1 ? digits[v >> 6 & 63] : '=',
			       left > 2 ? digits[v & 63] : '='};
		str_add(out, quad, sizeof(quad));
	}
}

void base64_encode(const void *data, size_t n, struct str *out)
{
	encode(standard, data, n, out);
}

void base64url_encode(const void *data, size_t n, struct str *out)
{
	encode(url_safe, data, n, out);
}

static uint32_t value(char digit)
{
	const char *at = digit ? strchr(standard, digit) : NULL;
	return at ? (uint32_t)(at - standard) : N_DIGITS;
}

/* Bits that padding leaves over may be anything, as in Go's decoder: docker reads the same files with it. */
bool base64_decode(const char *text, size_t n, struct str *out)
{
	size_t digits = n;
	uint32_t v = 0;

	while (digits > 0 && n - digits < 2 && text[digits - 1] == '=')
		digits--;
	for (size_t i = 0; i < digits; i++)
		if (value(text[i]) == N_DIGITS)
			return false;
	if (n % 4)
		return false;
	for (size_t i = 0; i < digits; i++) {
		v = v << 6 | value(text[i]);
		if (i % 4 != 0) /* each digit but the first of four completes a byte */
			str_addc(out, (char)(v >> (6 - i % 4 * 2)));
	}
	return true;
}
