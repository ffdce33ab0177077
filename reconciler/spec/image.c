/* Image references: the grammar of distribution/reference (reference.go, regexp.go). */
#include "spec/format.h"

#include "base/str.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_LENGTH 255
#define TAG_MAX_LENGTH 128
#define ID_LENGTH 64

static const char lower_or_digit[] = "abcdefghijklmnopqrstuvwxyz0123456789";
static const char hex[] = "0123456789abcdef";

/* '.', '_', '__' or any number of '-'. */
static size_t separator(const char *s)
{
	if (*s == '-')
		return strspn(s, "-");
	if (*s == '_')
		return s[1] == '_' ? 2 : 1;
	return *s == '.';
}

/* path-component: [a-z0-9]+ (separator [a-z0-9]+)*; the length of what matches, 0 for none. */
static size_t component(const char *s)
{
	size_t n = strspn(s, lower_or_digit), more;

	while (n > 0 && (more = separator(s + n)) > 0) {
		size_t word = strspn(s + n + more, lower_or_digit);
		if (word == 0)
			break;
		n += more + word;
	}
	return n;
}

static size_t path(const char *s)
{
	size_t n = component(s), more;

	while (n > 0 && s[n] == '/') {
		more = component(s + n + 1);
		if (more == 0)
			return 0;
		n += 1 + more;
	}
	return n;
}

static bool label_char(char c)
{
	return isalnum((unsigned char)c) || c == '-';
}

/* domain: dot-separated labels or [IPv6], and a port. */
static bool is_domain(const char *s, size_t len)
{
	size_t i = 0;

	if (len > 0 && s[0] == '[') {
		i = 1 + strspn(s + 1, "0123456789abcdefABCDEF:");
		if (i == 1 || s[i++] != ']')
			return false;
	} else {
		for (size_t start = 0; i <= len; i++) {
			if (i < len && label_char(s[i]))
				continue;
			if (i == start || s[start] == '-' || s[i - 1] == '-')
				return false;
			start = i + 1;
			if (i == len || s[i] != '.')
				break;
		}
	}
	if (i == len)
		return true;
	return s[i] == ':' && i + 1 < len && i + 1 + strspn(s + i + 1, "0123456789") == len;
}

/* A first component is a domain if it could not be a path: reference.splitDockerDomain. */
static bool looks_like_domain(const char *s, size_t len)
{
	if (len == 9 && memcmp(s, "localhost", 9) == 0)
		return true;
	for (size_t i = 0; i < len; i++)
		if (s[i] == '.' || s[i] == ':' || isupper((unsigned char)s[i]))
			return true;
	return false;
}

static bool is_tag(const char *s, size_t len)
{
	if (len == 0 || len > TAG_MAX_LENGTH || !(isalnum((unsigned char)*s) || *s == '_'))
		return false;
	for (size_t i = 0; i < len; i++)
		if (!isalnum((unsigned char)s[i]) && !strchr("_.-", s[i]))
			return false;
	return true;
}

/* The algorithms that go-digest knows. */
static bool is_digest(const char *s)
{
	static const struct {
		const char *prefix;
		size_t length;
	} algorithms[] = {{"sha256:", 64}, {"sha384:", 96}, {"sha512:", 128}};

	for (size_t i = 0; i < sizeof(algorithms) / sizeof(algorithms[0]); i++)
		if (str_starts(s, algorithms[i].prefix)) {
			s += strlen(algorithms[i].prefix);
			return strlen(s) == algorithms[i].length && strspn(s, hex) == algorithms[i].length;
		}
	return false;
}

enum format_result format_image(const char *s, int64_t *unused)
{
	const char *slash = strchr(s, '/'), *rest = s;

	(void)unused;
	if (slash && looks_like_domain(s, (size_t)(slash - s))) {
		if (!is_domain(s, (size_t)(slash - s)))
			return FORMAT_BAD;
		rest = slash + 1;
	}
	size_t n = path(rest);
	if (n == 0 || (size_t)(rest - s) + n > NAME_MAX_LENGTH)
		return FORMAT_BAD;
	if (rest == s && n == ID_LENGTH && strspn(s, hex) >= ID_LENGTH)
		return FORMAT_BAD; /* an image ID: another engine has no such image */
	rest += n;
	if (*rest == ':') {
		n = strcspn(rest + 1, "@");
		if (!is_tag(rest + 1, n))
			return FORMAT_BAD;
		rest += 1 + n;
	}
	if (*rest == '@')
		return is_digest(rest + 1) ? FORMAT_OK : FORMAT_BAD;
	return *rest == '\0' ? FORMAT_OK : FORMAT_BAD;
}
