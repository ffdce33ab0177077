/* See rule.h. Part of the stand-in for Traefik, no evidence for how the real one reads a rule. */
#include "rule.h"

#include <string.h>
#include <strings.h>

struct parser {
	const char *at; /* NULL after a syntax error */
	const char *host;
	const char *path;
};

static bool accept_token(struct parser *parser, const char *token)
{
	if (!parser->at)
		return false;
	parser->at += strspn(parser->at, " ");
	if (strncmp(parser->at, token, strlen(token)) != 0)
		return false;
	parser->at += strlen(token);
	return true;
}

static bool value_matches(const struct parser *parser, const char *matcher, const char *value, size_t length)
{
	if (strncmp(matcher, "Host(", 5) == 0)
		return strlen(parser->host) == length && strncasecmp(parser->host, value, length) == 0;
	if (strncmp(matcher, "PathPrefix(", 11) == 0)
		return strncmp(parser->path, value, length) == 0;
	if (strncmp(matcher, "Path(", 5) == 0)
		return strcspn(parser->path, "?") == length && strncmp(parser->path, value, length) == 0;
	return false;
}

/* Matcher(`value`, `value`): any of the values. */
static bool matcher(struct parser *parser)
{
	const char *name = parser->at ? parser->at + strspn(parser->at, " ") : NULL;
	const char *open = name ? strchr(name, '(') : NULL;
	bool matched = false;

	parser->at = open ? open + 1 : NULL;
	do {
		char quote = accept_token(parser, "`") ? '`' : '"';
		const char *end;

		if (quote == '"' && !accept_token(parser, "\""))
			parser->at = NULL;
		end = parser->at ? strchr(parser->at, quote) : NULL;
		if (end && value_matches(parser, name, parser->at, (size_t)(end - parser->at)))
			matched = true;
		parser->at = end ? end + 1 : NULL;
	} while (accept_token(parser, ","));
	if (!accept_token(parser, ")"))
		parser->at = NULL;
	return matched;
}

static bool any(struct parser *parser);

static bool term(struct parser *parser)
{
	bool result;

	if (accept_token(parser, "!"))
		return !term(parser);
	if (!accept_token(parser, "("))
		return matcher(parser);
	result = any(parser);
	if (!accept_token(parser, ")"))
		parser->at = NULL;
	return result;
}

static bool all(struct parser *parser)
{
	bool result = term(parser);

	while (accept_token(parser, "&&"))
		result = term(parser) && result;
	return result;
}

static bool any(struct parser *parser)
{
	bool result = all(parser);

	while (accept_token(parser, "||"))
		result = all(parser) || result;
	return result;
}

bool rule_matches(const char *rule, const char *host, const char *path)
{
	struct parser parser = {rule, host, path};
	bool result = any(&parser);

	return result && parser.at && parser.at[strspn(parser.at, " ")] == '\0';
}
