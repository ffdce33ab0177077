/*
 * Traefik's rules, as far as a spec can be wrong about them without knowing
 * Traefik's version: quotes, the grammar (that of Go's expressions), matchers
 * with too few values, paths without a slash, and alternatives that take every
 * host (FACTS A, G8, G10). Sources: pkg/rules and pkg/muxer/http of v2.11 and v3.7.
 */
#include "spec/check_util.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

struct alternative {
	bool path, host; /* has a matcher of that sort */
};

struct lexer {
	struct checker *c;
	struct mark mark;
	const char *who;
	const struct snode *from;
	const char *p;
	int depth;
	bool joined; /* a matcher is due: at the beginning and behind an operator */
	bool wrong;
	struct alternative now;
	bool bare_path;
};

static const struct matcher {
	const char *name;
	size_t min; /* values */
} matchers[] = {
	/* Those of v2 and v3; which has which is told once Traefik's version is known (kinds/route/syntax.c). */
	{"ClientIP", 1},   {"Header", 2},     {"HeaderRegexp", 2}, {"Headers", 2},     {"HeadersRegexp", 2},
	{"Host", 1},       {"HostHeader", 1}, {"HostRegexp", 1},   {"Method", 1},      {"Path", 1},
	{"PathPrefix", 1}, {"PathRegexp", 1}, {"Query", 1},        {"QueryRegexp", 1},
};

static void wrong(struct lexer *l, const char *what)
{
	if (!l->wrong)
		check_error(l->c, l->mark, "%s: %s", l->who, what);
	l->wrong = true;
}

static void no_rule(struct lexer *l)
{
	wrong(l, "the rule must be made of matchers such as Host(`app.lan`) joined by && and ||");
}

/* A value in backticks or double quotes; returns false at the end of the rule. */
static bool quoted(struct lexer *l)
{
	char quote = *l->p++;

	while (*l->p && *l->p != quote)
		l->p += quote == '"' && *l->p == '\\' && l->p[1] ? 2 : 1;
	if (!*l->p)
		return false;
	l->p++;
	return true;
}

static void blanks(struct lexer *l)
{
	l->p += strspn(l->p, " \t\r\n");
}

static void no_value(struct lexer *l, const char *name)
{
	if (!l->wrong)
		check_error(l->c, l->mark,
			    "%s: the rule has %s() without a value; backticks inside double quotes run a command in "
			    "a shell, and "
			    "that is how the value gets lost; write %s(`…`)",
			    l->who, name, name);
	l->wrong = true;
}

static void no_slash(struct lexer *l, const char *name)
{
	if (!l->wrong)
		check_error(l->c, l->mark, "%s: the value of %s must begin with /", l->who, name);
	l->wrong = true;
}

/* The values of a matcher, whose name is for messages; p is behind its opening parenthesis. How many. */
static size_t values(struct lexer *l, const char *name, bool paths)
{
	size_t n = 0;

	blanks(l);
	if (*l->p == ')') {
		no_value(l, name);
		l->p++;
		return 0;
	}
	for (;;) {
		blanks(l);
		bool empty = (*l->p == '`' && l->p[1] == '`') || (*l->p == '"' && l->p[1] == '"');
		if (empty)
			no_value(l, name);
		if (*l->p != '`' && *l->p != '"') {
			if (!l->wrong)
				check_error(l->c, l->mark, "%s: the value of %s must stand in backticks: %s(`…`)",
					    l->who, name, name);
			l->wrong = true;
			return n;
		}
		bool slash = l->p[1] == '/';
		if (!quoted(l)) {
			wrong(l, "a backtick or quote of the rule is not closed");
			return n;
		}
		n++;
		blanks(l);
		if (*l->p != ')' && *l->p != ',') {
			wrong(l, "the rule has a matcher whose parenthesis is not closed");
			return n;
		}
		if (paths && !slash)
			no_slash(l, name);
		if (*l->p++ == ')')
			return n;
	}
}

static bool starts_with_word(const char *name, size_t len, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (len >= strlen(words[i]) && strncmp(name, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

static const struct matcher *find_matcher(struct lexer *l, const char *name)
{
	const char *names[ARRAY_SIZE(matchers)];
	char hint[HINT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(matchers); i++) {
		names[i] = matchers[i].name;
		if (strcasecmp(names[i], name) == 0)
			return &matchers[i];
	}
	if (!l->wrong)
		check_error(l->c, l->mark, "%s: Traefik has no matcher '%s'%s", l->who, snode_shown_part(l->from, name),
			    hint_of(l->c, hint, l->from, name, names, ARRAY_SIZE(names)));
	l->wrong = true;
	return NULL;
}

static void matcher(struct lexer *l)
{
	static const char *const paths[] = {"Path"}, *const hosts[] = {"Host", "Header", "Client", "Query"};
	const char *name = l->p;
	size_t len = 0;

	while (isalnum((unsigned char)l->p[len]))
		len++;
	l->p += len;
	blanks(l);
	if (*l->p != '(') {
		no_rule(l);
		return;
	}
	l->p++;
	_cleanup_free_ char *copy = xasprintf("%.*s", (int)len, name);
	const struct matcher *m = find_matcher(l, copy);
	if (!m)
		return;
	l->now.path |= starts_with_word(m->name, strlen(m->name), paths, ARRAY_SIZE(paths));
	l->now.host |= starts_with_word(m->name, strlen(m->name), hosts, ARRAY_SIZE(hosts));
	size_t n = values(l, snode_shown_part(l->from, copy),
			  strcmp(m->name, "Path") == 0 || strcmp(m->name, "PathPrefix") == 0);
	if (n > 0 && n < m->min)
		wrong(l, "a matcher of headers takes two values: the name and the value, such as Header(`X-App`, `a`)");
}

static void end_alternative(struct lexer *l)
{
	l->bare_path |= l->now.path && !l->now.host;
	l->now = (struct alternative){0};
}

static void operator(struct lexer *l)
{
	if (l->joined)
		wrong(l, "the rule has && or || with no matcher before it");
	if (l->depth == 0 && *l->p == '|')
		end_alternative(l);
	l->joined = true;
	l->p += 2;
}

static void closing(struct lexer *l)
{
	if (--l->depth < 0)
		wrong(l, "the rule closes a parenthesis that was not opened");
	if (l->joined)
		wrong(l, "the rule closes a parenthesis where a matcher must stand");
	l->p++;
}

static void step(struct lexer *l)
{
	if (l->joined && isalpha((unsigned char)*l->p)) {
		matcher(l);
		l->joined = false;
	} else if (l->joined && (*l->p == '(' || *l->p == '!')) {
		l->depth += *l->p++ == '(';
	} else if (str_starts(l->p, "||") || str_starts(l->p, "&&")) {
		operator(l);
	} else if (*l->p == ')') {
		closing(l);
	} else {
		no_rule(l);
	}
	blanks(l);
}

void check_rule(struct checker *c, struct mark m, const char *who, const struct snode *from, const char *rule,
		bool guarded)
{
	struct lexer l = {.c = c, .mark = m, .who = who, .from = from, .p = rule, .joined = true};

	blanks(&l);
	while (*l.p && !l.wrong)
		step(&l);
	end_alternative(&l);
	if (l.joined && l.p > rule)
		wrong(&l, "the rule ends where a matcher must stand");
	if (l.depth > 0)
		wrong(&l, "the rule opens a parenthesis that is not closed");
	if (!l.wrong && l.bare_path && !guarded)
		check_warn(c, m,
			   "%s: the rule takes that path on every host name, so whoever reaches Traefik reaches all of "
			   "the service "
			   "below it, what deletes included; write Host(`…`) && Path…",
			   who);
}
