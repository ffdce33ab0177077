#include "kinds/route/request.h"

#include <string.h>

/* Skips blanks and, if it is there, word. */
static bool take(const char **p, const char *word)
{
	*p += strspn(*p, " \t\r\n");
	if (strncmp(*p, word, strlen(word)) != 0)
		return false;
	*p += strlen(word);
	return true;
}

/* (`value`) or ("value"), also with more values behind it; the first is taken. */
static char *take_argument(const char **p)
{
	if (!take(p, "("))
		return NULL;
	*p += strspn(*p, " \t\r\n");
	char quote = **p;
	const char *end = quote == '`' || quote == '"' ? strchr(*p + 1, quote) : NULL;
	if (!end)
		return NULL;
	char *value = xasprintf("%.*s", (int)(end - *p - 1), *p + 1);
	*p = end + 1;
	*p += strcspn(*p, ")");
	/* v2 has patterns in braces. */
	if (!strchr(value, '{') && take(p, ")"))
		return value;
	free(value);
	return NULL;
}

static bool take_matcher(const char **p, struct route_request *r)
{
	const struct {
		const char *name;
		char **value;
		bool exact;
	} matchers[] = {{"Host", &r->host, r->exact}, {"PathPrefix", &r->path, false}, {"Path", &r->path, true}};

	for (size_t i = 0; i < ARRAY_SIZE(matchers); i++) {
		const char *q = *p;
		char *value = take(&q, matchers[i].name) ? take_argument(&q) : NULL;
		if (!value)
			continue;
		free(*matchers[i].value);
		*matchers[i].value = value;
		r->exact = matchers[i].exact;
		*p = q;
		return true;
	}
	return false;
}

/* Behind the parenthesis that closes the one before p. */
static bool take_closing(const char **p)
{
	for (int depth = 1; **p; ++*p) {
		if (**p == '`' || **p == '"') {
			const char *end = strchr(*p + 1, **p);
			if (!end)
				return false;
			*p = end;
		}
		depth += (**p == '(') - (**p == ')');
		if (depth == 0) {
			++*p;
			return true;
		}
	}
	return false;
}

/* Of alternatives the first: what follows || is one more way to match, and not needed. */
static bool take_all(const char **p, char end, struct route_request *r)
{
	bool ok;

	do
		ok = take(p, "(") ? take_all(p, ')', r) && take_closing(p) : take_matcher(p, r);
	while (ok && take(p, "&&"));
	return ok && (take(p, "||") || **p == end);
}

bool route_request_of(const char *rule, const char *health_path, struct route_request *r)
{
	const char *p = rule;

	*r = (struct route_request){0};
	if (!take_all(&p, '\0', r)) {
		route_request_free(r);
		return false;
	}
	if (health_path && !r->exact && (!r->path || str_starts(health_path, r->path))) {
		free(r->path);
		r->path = xstrdup(health_path);
	}
	if (!r->path)
		r->path = xstrdup("/");
	return true;
}

void route_request_free(struct route_request *r)
{
	free(r->host);
	free(r->path);
	*r = (struct route_request){0};
}
