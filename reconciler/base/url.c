#include "base/url.h"

#include "base/str.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_.-"
#define ADDRESS6 "0123456789abcdefABCDEF:."

/* ":8080" up to end, or nothing. */
static bool parse_port(const char *s, const char *end, int *port)
{
	size_t digits = strspn(s + (*s == ':'), "0123456789");

	if (s == end)
		return true;
	if (*s != ':' || digits == 0 || digits > 5 || s + 1 + digits != end)
		return false;
	*port = atoi(s + 1);
	return *port > 0 && *port <= 65535;
}

bool url_parse(const char *url, struct url *out)
{
	size_t scheme = str_starts(url, "http://") ? 7 : str_starts(url, "https://") ? 8 : 0;
	const char *s = url + scheme, *end = s + strcspn(s, "/?#");
	bool six = *s == '[';
	int port = scheme == 7 ? 80 : 443;

	s += six;
	size_t n = strspn(s, six ? ADDRESS6 : NAME);
	if (scheme == 0 || n == 0 || (!six && !isalnum((unsigned char)*s)) || (six && s[n] != ']') ||
	    !parse_port(s + n + six, end, &port))
		return false;
	*out = (struct url){.host = xasprintf("%.*s", (int)n, s), .port = port};
	return true;
}

void url_free(struct url *u)
{
	free(u->host);
}
