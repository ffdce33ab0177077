/*
 * Traefik's rules, as far as a spec can be wrong about them without knowing
 * Traefik's version: quotes, parentheses, matchers without a value, and
 * alternatives that take every host (FACTS A, G8, G10).
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
	bool wrong;
	struct alternative now;
	bool bare_path;
};

static void wrong(struct lexer *l, const char *what)
{
	if (!l->wrong)
		check_error(l->c, l->mark, "%s: %s", l->who, what);
	l->wrong = true;
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

/* The values of a matcher, whose name is for messages; p is behind its opening parenthesis. */
static void values(struct lexer *l, const char *name)
{
	blanks(l);
	if (*l->p == ')') {
		no_value(l, name);
		l->p++;
		return;
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
			return;
		}
		if (!quoted(l)) {
			wrong(l, "a backtick or quote of the rule is not closed");
			return;
		}
		blanks(l);
		if (*l->p == ')') {
			l->p++;
			return;
		}
		if (*l->p++ != ',') {
			wrong(l, "the rule has a matcher whose parenthesis is not closed");
			return;
		}
	}
}

static bool starts_with_word(const char *name, size_t len, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (len >= strlen(words[i]) && strncmp(name, words[i], strlen(words[i])) == 0)
			return true;
	return false;
}

/* Those of v2 and v3; which has which is told once Traefik's version is known (kinds/route/syntax.c). */
static void check_matcher(struct lexer *l, const char *name, size_t len)
{
	static const char *const names[] = {"ClientIP",   "Header",     "HeaderRegexp", "Headers", "HeadersRegexp",
					    "Host",       "HostRegexp", "Method",       "Path",    "PathPrefix",
					    "PathRegexp", "Query",      "QueryRegexp"};
	_cleanup_free_ char *copy = xasprintf("%.*s", (int)len, name);
	char hint[HINT_SIZE];

	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcasecmp(names[i], copy) == 0)
			return;
	if (!l->wrong)
		check_error(l->c, l->mark, "%s: Traefik has no matcher '%s'%s", l->who, snode_shown_part(l->from, copy),
			    hint_of(l->c, hint, l->from, copy, names, ARRAY_SIZE(names)));
	l->wrong = true;
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
		wrong(l, "the rule must be made of matchers such as Host(`app.lan`) joined by && and ||");
		return;
	}
	l->p++;
	check_matcher(l, name, len);
	l->now.path |= starts_with_word(name, len, paths, ARRAY_SIZE(paths));
	l->now.host |= starts_with_word(name, len, hosts, ARRAY_SIZE(hosts));
	_cleanup_free_ char *copy = xasprintf("%.*s", (int)len, name);
	values(l, snode_shown_part(l->from, copy));
}

static void end_alternative(struct lexer *l)
{
	l->bare_path |= l->now.path && !l->now.host;
	l->now = (struct alternative){0};
}

static void step(struct lexer *l)
{
	if (isalpha((unsigned char)*l->p)) {
		matcher(l);
		return;
	}
	if (str_starts(l->p, "||") || str_starts(l->p, "&&")) {
		if (l->depth == 0 && *l->p == '|')
			end_alternative(l);
		l->p += 2;
		return;
	}
	if (!strchr("()! \t\r\n", *l->p)) {
		wrong(l, "the rule must be made of matchers such as Host(`app.lan`) joined by && and ||");
		return;
	}
	l->depth += (*l->p == '(') - (*l->p == ')');
	l->p++;
	if (l->depth < 0)
		wrong(l, "the rule closes a parenthesis that was not opened");
}

void check_rule(struct checker *c, struct mark m, const char *who, const struct snode *from, const char *rule,
		bool guarded)
{
	struct lexer l = {.c = c, .mark = m, .who = who, .from = from, .p = rule};

	while (*l.p && !l.wrong)
		step(&l);
	end_alternative(&l);
	if (l.depth > 0)
		wrong(&l, "the rule opens a parenthesis that is not closed");
	if (!l.wrong && l.bare_path && !guarded)
		check_warn(c, m,
			   "%s: the rule takes that path on every host name, so whoever reaches Traefik reaches all of "
			   "the service "
			   "below it, what deletes included; write Host(`…`) && Path…",
			   who);
}
