#include "source/internal.h"

#include <string.h>

static const struct {
	const char *scheme;
	enum url_type type;
} schemes[] = {
	{"file://", URL_LIBGIT2},
	{"http://", URL_LIBGIT2},
	{"https://", URL_LIBGIT2},
	{"ssh://", URL_SSH},
};

/* git's rule (git-fetch(1)): host:path is ssh unless a slash comes before the first colon. */
static bool is_scp_like(const char *url)
{
	const char *colon = strchr(url, ':'), *slash = strchr(url, '/');
	return colon && colon != url && colon[1] != ':' && (!slash || colon < slash);
}

enum url_type url_classify(const char *url)
{
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_starts(url, schemes[i].scheme))
			return schemes[i].type;
	if (strstr(url, "://") || (strstr(url, "::") && strcspn(url, "/") > strcspn(url, ":")))
		return URL_UNSUPPORTED;
	return is_scp_like(url) ? URL_SSH : URL_PATH;
}

/*
 * The part of "scheme://user:password@host/…" that is nobody's business. A user
 * alone can be a token (https://<token>@host), except where ssh wants a user.
 */
static bool secret_part(const char *url, const char **start, size_t *len)
{
	const char *authority = strstr(url, "://");
	if (!authority)
		return false;
	authority += 3;
	const char *at = memrchr(authority, '@', strcspn(authority, "/?#"));
	if (!at)
		return false;
	*start = authority;
	*len = (size_t)(at - authority);
	return url_classify(url) != URL_SSH || memchr(*start, ':', *len);
}

void url_shown(const char *url, struct str *out)
{
	const char *secret;
	size_t len;

	if (!secret_part(url, &secret, &len)) {
		str_adds(out, url);
		return;
	}
	str_add(out, url, (size_t)(secret - url));
	str_adds(out, "***");
	str_adds(out, secret + len);
}

static void replace(const char *text, const char *secret, size_t len, struct str *out)
{
	while (*text) {
		if (strncmp(text, secret, len) == 0) {
			str_adds(out, "***");
			text += len;
		} else {
			str_addc(out, *text++);
		}
	}
}

/* Shorter ones would also be found in ordinary words, and protect nothing. */
#define PASSWORD_MIN 4

void url_scrub(const char *url, const char *text, struct str *out)
{
	_cleanup_str_ struct str once = {0};
	const char *secret;
	size_t len;

	if (!secret_part(url, &secret, &len) || len == 0) {
		str_adds(out, text);
		return;
	}
	replace(text, secret, len, &once);
	const char *colon = memchr(secret, ':', len);
	size_t password = colon ? len - (size_t)(colon + 1 - secret) : 0;
	if (password >= PASSWORD_MIN) /* a library may print it alone */
		replace(str_cstr(&once), colon + 1, password, out);
	else
		str_adds(out, str_cstr(&once));
}
