#include "kinds/route/route.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define ANY 99 /* values */

/* What a matcher takes in each version; max 0: that version has none of the name. */
static const struct matcher {
	const char *name;
	int v2_max, v3_max;
	const char *instead; /* in the version that has none */
} matchers[] = {
	{"ClientIP", ANY, 1, NULL},
	{"Header", 0, 2, "Headers(`name`, `value`)"},
	{"HeaderRegexp", 0, 2, "HeadersRegexp(`name`, `regexp`)"},
	{"Headers", 2, 0, "Header(`name`, `value`)"},
	{"HeadersRegexp", 2, 0, "HeaderRegexp(`name`, `regexp`)"},
	{"Host", ANY, 1, NULL},
	{"HostHeader", ANY, 0, "Host(`name`)"},
	{"HostRegexp", ANY, 1, NULL},
	{"Method", ANY, 1, NULL},
	{"Path", ANY, 1, NULL},
	{"PathPrefix", ANY, 1, NULL},
	{"PathRegexp", 0, 1, "Path(`/{name:regexp}`)"},
	{"Query", ANY, 2, NULL},
	{"QueryRegexp", 0, 2, "Query(`name={value:regexp}`)"},
};

struct call {
	const struct matcher *matcher; /* NULL: unknown */
	int values;
	bool named; /* a value has "{name:", a pattern of v2 */
	bool braces;
};

/* The values behind "Name("; p is then behind the last of them. */
static void read_values(const char **p, struct call *c)
{
	for (;;) {
		*p += strspn(*p, " \t\r\n,");
		char quote = **p;
		const char *end = quote == '`' || quote == '"' ? strchr(*p + 1, quote) : NULL;
		if (!end)
			return;
		const char *brace = memchr(*p + 1, '{', (size_t)(end - *p - 1));
		c->values++;
		if (brace) {
			size_t name = 1 + strspn(brace + 1, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_");
			c->braces = true;
			c->named |= name > 1 && (brace[name] == ':' || brace[name] == '}');
		}
		*p = end + 1;
	}
}

/* The next matcher of a rule whose quotes and parentheses the spec's checks have seen. */
static bool next_call(const char **p, struct call *c)
{
	while (**p && !isalpha((unsigned char)**p))
		++*p;
	size_t n = 0;
	while (isalnum((unsigned char)(*p)[n]))
		n++;
	*c = (struct call){0};
	for (size_t i = 0; i < ARRAY_SIZE(matchers); i++)
		if (strlen(matchers[i].name) == n && strncasecmp(matchers[i].name, *p, n) == 0)
			c->matcher = &matchers[i];
	*p += n;
	*p += strspn(*p, " \t\r\n(");
	read_values(p, c);
	return n > 0;
}

static char *misfit(const struct call *c, int major)
{
	const struct matcher *m = c->matcher;
	int max = major >= 3 ? m->v3_max : m->v2_max;

	if (max == 0)
		return xasprintf("Traefik %d has no %s: write %s", major, m->name, m->instead);
	if (c->values > max)
		return xasprintf("in Traefik %d %s takes %d value%s, not %d: write %s(…) || %s(…)", major, m->name, max,
				 max == 1 ? "" : "s", c->values, m->name, m->name);
	if (major >= 3 && c->named && (str_starts(m->name, "Host") || str_starts(m->name, "Path")))
		return xasprintf("Traefik 3 takes the {…} in %s for text, it is a pattern of Traefik 2: write %s with "
				 "a Go regular expression",
				 m->name, str_starts(m->name, "Host") ? "HostRegexp" : "PathRegexp");
	if (major < 3 && strcmp(m->name, "HostRegexp") == 0 && !c->braces)
		return xasprintf("Traefik 2 takes a HostRegexp without {name:…} for a name: write "
				 "HostRegexp(`{name:regexp}`)");
	return NULL;
}

char *route_rule_misfit(const char *rule, int major)
{
	struct call c;
	char *what = NULL;

	while (!what && next_call(&rule, &c))
		if (c.matcher)
			what = misfit(&c, major);
	return what;
}
