#include "spec/format.h"

#include "base/mem.h"
#include "base/str.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

static bool digit(char c)
{
	return c >= '0' && c <= '9';
}

/* Digits with at most one point and at least one digit: "1", "1.5", ".5", "1.". */
static size_t decimal_span(const char *s)
{
	size_t whole = strspn(s, "0123456789");
	size_t n = whole, fraction = 0;

	if (s[n] == '.') {
		fraction = strspn(s + n + 1, "0123456789");
		n += 1 + fraction;
	}
	return whole + fraction > 0 ? n : 0;
}

/* A decimal times scale, cut to an integer. Exact where a double is not: without a fraction. Returns false on overflow.
 */
static bool scaled(const char *s, size_t n, int64_t scale, int64_t *out)
{
	int64_t whole = 0;
	size_t i = 0;

	for (; i < n && s[i] != '.'; i++)
		if (__builtin_mul_overflow(whole, 10, &whole) || __builtin_add_overflow(whole, s[i] - '0', &whole))
			return false;
	if (__builtin_mul_overflow(whole, scale, &whole))
		return false;
	/* As Go's time.ParseDuration: digits that no longer fit do not change the result. */
	int64_t fraction = 0;
	double parts = 1;
	for (i++; i < n && fraction < INT64_MAX / 10; i++, parts *= 10)
		fraction = fraction * 10 + (s[i] - '0');
	return !__builtin_add_overflow(whole, (int64_t)((double)fraction * ((double)scale / parts)), out);
}

/* time.ParseDuration of Go, as Compose and the docker client read it; without a sign. */
static enum format_result duration(const char *s, int64_t *out)
{
	static const struct {
		const char *name;
		int64_t ns;
	} units[] = {
		{"ns", 1},       {"us", 1000},      {"\xc2\xb5s", 1000},      {"\xce\xbcs", 1000},
		{"ms", 1000000}, {"s", 1000000000}, {"m", 60 * 1000000000LL}, {"h", 3600 * 1000000000LL},
	};
	bool range = false;

	*out = 0;
	if (strcmp(s, "0") == 0)
		return FORMAT_NUMBER;
	if (!*s)
		return FORMAT_BAD;
	while (*s) {
		int64_t part = 0;
		size_t n = decimal_span(s), u = 0;
		while (u < ARRAY_SIZE(units) && !(n > 0 && str_starts(s + n, units[u].name)))
			u++;
		if (u == ARRAY_SIZE(units))
			return FORMAT_BAD;
		range |= !scaled(s, n, units[u].ns, &part) || __builtin_add_overflow(*out, part, out);
		s += n + strlen(units[u].name);
	}
	return range ? FORMAT_RANGE : FORMAT_NUMBER;
}

/* docker/go-units RAMInBytes, and the Ki, Mi, Gi that people bring from Kubernetes. */
static enum format_result size(const char *s, int64_t *out)
{
	static const char prefixes[] = "kmgtp", *const ends[] = {"", "b", "i", "ib"};
	size_t n = decimal_span(s), e = 0;
	const char *unit = s + n + (s[n] == ' ');
	int64_t scale = 1;

	if (n == 0)
		return FORMAT_BAD;
	if (*unit && strcasecmp(unit, "b") != 0) {
		const char *prefix = strchr(prefixes, tolower((unsigned char)*unit));
		while (e < ARRAY_SIZE(ends) && strcasecmp(unit + 1, ends[e]) != 0)
			e++;
		if (!prefix || e == ARRAY_SIZE(ends))
			return FORMAT_BAD;
		scale = (int64_t)1 << (10 * (prefix - prefixes + 1));
	}
	return scaled(s, n, scale, out) ? FORMAT_NUMBER : FORMAT_RANGE;
}

/* docker's ParseCPUs: nano CPUs, and nothing finer. */
static enum format_result cpus(const char *s, int64_t *out)
{
	size_t n = decimal_span(s);
	const char *point = strchr(s, '.');
	int64_t digits = 0;
	unsigned places = 0;

	if (n == 0 || s[n])
		return FORMAT_BAD;
	for (const char *p = s; *p; p++) {
		if (p == point)
			continue;
		if (point && p > point && ++places > 9)
			return FORMAT_BAD;
		if (__builtin_mul_overflow(digits, 10, &digits) || __builtin_add_overflow(digits, *p - '0', &digits))
			return FORMAT_RANGE;
	}
	for (; places < 9; places++)
		if (__builtin_mul_overflow(digits, 10, &digits))
			return FORMAT_RANGE;
	*out = digits;
	return FORMAT_NUMBER;
}

static bool number_up_to(const char *s, long max, int64_t *out)
{
	size_t n = strspn(s, "0123456789");

	if (n == 0 || n > 5 || s[n] || (n > 1 && s[0] == '0'))
		return false;
	*out = strtol(s, NULL, 10);
	return *out <= max;
}

static enum format_result port(const char *s, int64_t *out)
{
	return number_up_to(s, 65535, out) && *out > 0 ? FORMAT_NUMBER : FORMAT_BAD;
}

/* The network's own address: with host bits set the engine would store another text than the spec has. */
static enum format_result ipv4_cidr(const char *s, int64_t *unused)
{
	char address[INET_ADDRSTRLEN];
	const char *slash = strchr(s, '/');
	struct in_addr in;
	int64_t bits;

	(void)unused;
	if (!slash || (size_t)(slash - s) >= sizeof(address) || !number_up_to(slash + 1, 32, &bits))
		return FORMAT_BAD;
	memcpy(address, s, (size_t)(slash - s));
	address[slash - s] = '\0';
	if (inet_pton(AF_INET, address, &in) != 1)
		return FORMAT_BAD;
	uint32_t host_bits = bits == 32 ? 0 : UINT32_MAX >> bits;
	return ntohl(in.s_addr) & host_bits ? FORMAT_BAD : FORMAT_OK;
}

static enum format_result ip_address(const char *s, int64_t *unused)
{
	unsigned char in[sizeof(struct in6_addr)];

	(void)unused;
	return inet_pton(AF_INET, s, in) == 1 || inet_pton(AF_INET6, s, in) == 1 ? FORMAT_OK : FORMAT_BAD;
}

static enum format_result uri_http(const char *s, int64_t *unused)
{
	size_t n = str_starts(s, "http://") ? 7 : str_starts(s, "https://") ? 8 : 0;

	(void)unused;
	if (n == 0 || !(isalnum((unsigned char)s[n]) || s[n] == '['))
		return FORMAT_BAD;
	for (const char *p = s; *p; p++)
		if ((unsigned char)*p <= ' ' || *p == 0x7f || strchr("\"<>\\^`{|}", *p))
			return FORMAT_BAD;
	return FORMAT_OK;
}

/* Without "..": what a path means must be readable from the spec alone. */
static enum format_result absolute_path(const char *s, int64_t *unused)
{
	(void)unused;
	if (*s != '/')
		return FORMAT_BAD;
	for (const char *p = s; *p; p += strcspn(p, "/")) {
		p++;
		if (str_starts(p, "..") && (p[2] == '/' || p[2] == '\0'))
			return FORMAT_BAD;
	}
	return FORMAT_OK;
}

static enum format_result mode(const char *s, int64_t *unused)
{
	size_t n = strspn(s, "01234567");

	(void)unused;
	return s[n] == '\0' && (n == 3 || n == 4) ? FORMAT_OK : FORMAT_BAD;
}

static size_t span(const char *s, const char *more)
{
	size_t n = 0;

	while (s[n] && (isalnum((unsigned char)s[n]) || strchr(more, s[n])))
		n++;
	return n;
}

static enum format_result name(const char *s, int64_t *unused)
{
	(void)unused;
	return isalnum((unsigned char)*s) && s[span(s, "_.-")] == '\0' ? FORMAT_OK : FORMAT_BAD;
}

static enum format_result env_name(const char *s, int64_t *unused)
{
	(void)unused;
	return *s && !digit(*s) && s[span(s, "_")] == '\0' ? FORMAT_OK : FORMAT_BAD;
}

const struct format *format_find(const char *wanted)
{
	static const struct format formats[] = {
		{"absolute-path", "an absolute path such as /opt/data, without '..'", absolute_path},
		{"cpus", "a number of CPUs such as 0.5 or 2, with at most nine decimals", cpus},
		{"duration", "a duration such as 30s or 1m30s (units h, m, s, ms, us, ns)", duration},
		{"env-name", "a variable's name: letters, digits and '_', not a digit first", env_name},
		{"image", "an image reference such as nginx:1.27.2 or registry.lan:5000/team/app@sha256:…",
		 format_image},
		{"ip-address", "an IPv4 or IPv6 address", ip_address},
		{"ipv4-cidr", "an IPv4 network such as 10.64.0.0/14, with no bits set after the prefix", ipv4_cidr},
		{"mode", "an octal mode such as 0755", mode},
		{"name", "a name: letters, digits, '_', '.' and '-', starting with a letter or digit", name},
		{"port", "a port from 1 to 65535", port},
		{"size", "a size such as 512M or 16G (b, k, m, g, t; powers of 1024)", size},
		{"uri-http", "a URL that starts with http:// or https://", uri_http},
	};
	for (size_t i = 0; i < ARRAY_SIZE(formats); i++)
		if (strcmp(formats[i].name, wanted) == 0)
			return &formats[i];
	return NULL;
}
