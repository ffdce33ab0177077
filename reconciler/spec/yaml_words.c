#include "spec/yaml_words.h"

#include <string.h>

enum where {
	AT_PROBLEM,   /* where it broke */
	AT_CONTEXT,   /* where the construct began: says more when it was never closed */
	OPENED_ABOVE, /* as AT_CONTEXT; the row fits only when that is another line */
};

/* The first row that fits wins. */
static const struct translation {
	const char *problem; /* start of libyaml's problem */
	const char *context; /* in libyaml's context; "" for any */
	char at;             /* the character at the problem; 0 for any */
	enum where where;
	const char *words;
} translations[] = {
	{"found character that cannot start any token", "", '\t', AT_PROBLEM, "a tab cannot indent YAML: use spaces"},
	{"found character that cannot start any token", "", '%', AT_PROBLEM,
	 "a value cannot start with '%': put it in quotes"},
	{"found character that cannot start any token", "", '`', AT_PROBLEM,
	 "a value cannot start with '`': put it in quotes"},
	{"found character that cannot start any token", "", '@', AT_PROBLEM,
	 "a value cannot start with '@': put it in quotes"},
	{"found a tab character", "", 0, AT_PROBLEM, "a tab cannot indent YAML: use spaces"},
	{"found unexpected end of stream", "quoted scalar", 0, AT_CONTEXT, "this quote is never closed"},
	{"found unexpected document indicator", "quoted scalar", 0, AT_CONTEXT, "this quote is never closed"},
	{"mapping values are not allowed", "", 0, AT_PROBLEM,
	 "': ' starts a second value on this line: put the text in quotes, or indent the key as its siblings are"},
	{"mapping keys are not allowed", "", 0, AT_PROBLEM, "a '?' key cannot stand here"},
	{"block sequence entries are not allowed", "", 0, AT_PROBLEM,
	 "a list entry cannot stand here: put '- ' on a line of its own"},
	{"could not find expected ':'", "", 0, AT_CONTEXT,
	 "this is no 'key: value': a ':' is missing, or the text before it goes over the line's end"},
	{"did not find expected '-' indicator", "", 0, AT_PROBLEM,
	 "this is neither a list entry ('- ') nor indented as the lines above it"},
	{"did not find expected key", "", 0, AT_PROBLEM, "this fits neither the key above it nor its indentation"},
	{"did not find expected ',' or ']'", "", 0, OPENED_ABOVE,
	 "this list is not closed by ']', or a ',' is missing in it"},
	{"did not find expected ',' or '}'", "", 0, OPENED_ABOVE,
	 "this map is not closed by '}', or a ',' is missing in it"},
	{"did not find expected ',' or ']'", "", 0, AT_PROBLEM, "expected ',' or the ']' that closes the list"},
	{"did not find expected ',' or '}'", "", 0, AT_PROBLEM, "expected ',' or the '}' that closes the map"},
	{"did not find expected node content", "", 0, AT_PROBLEM, "expected a value"},
	{"did not find expected <document start>", "", 0, AT_PROBLEM,
	 "this is outside the document: is it indented as the keys above it?"},
	{"found unknown escape character", "", 0, AT_PROBLEM,
	 "an unknown escape in double quotes: write '\\\\' for a backslash, or use single quotes"},
	{"did not find expected hexdecimal number", "", 0, AT_PROBLEM, "expected hexadecimal digits after this escape"},
	{"found invalid Unicode character escape code", "", 0, AT_PROBLEM, "this escape is not a Unicode character"},
	{"found undefined tag handle", "", 0, AT_PROBLEM, "tags ('!…') are not supported: put the text in quotes"},
	{"did not find expected whitespace or line break", "tag", 0, AT_CONTEXT,
	 "tags ('!…') are not supported: put the text in quotes"},
	{"did not find expected alphabetic or numeric character", "", 0, AT_CONTEXT,
	 "a value that starts with '&' or '*' is an anchor or alias and needs a name: put a text in quotes"},
	{"did not find expected comment or line break", "block scalar", 0, AT_PROBLEM,
	 "nothing may follow '|' or '>' on its line: put the text on the next line"},
	{"found unexpected ':'", "", 0, AT_PROBLEM, "an unexpected ':': put the text in quotes"},
	{"Exceeded maximum depth", "", 0, AT_PROBLEM, "nested too deep; the limit is 64 levels"},
};

static char char_at(const struct text *t, size_t index)
{
	const char *s = t->bytes;
	size_t len = t->len, n;
	uint32_t cp;

	for (; index > 0 && len > 0 && (n = utf8_next(s, len, &cp)) > 0; index--, s += n, len -= n)
		;
	return len > 0 ? *s : '\0';
}

static const struct translation *translate(const yaml_parser_t *p, char at)
{
	for (size_t i = 0; i < ARRAY_SIZE(translations); i++) {
		const struct translation *t = &translations[i];
		if (str_starts(p->problem, t->problem) && strstr(p->context ? p->context : "", t->context) &&
		    (t->at == 0 || t->at == at) &&
		    (t->where != OPENED_ABOVE || p->context_mark.line < p->problem_mark.line))
			return t;
	}
	return NULL;
}

void yaml_add_error(const yaml_parser_t *p, const struct text *t, struct diags *diags)
{
	if (!p->problem || (p->error != YAML_SCANNER_ERROR && p->error != YAML_PARSER_ERROR)) {
		diag_add(diags, DIAG_ERROR, (struct mark){.file = t->file, .line = 0, .col = 0},
			 "the YAML reader failed: %s", p->problem ? p->problem : "out of memory");
		return;
	}
	const struct translation *tr = translate(p, char_at(t, p->problem_mark.index));
	size_t index = tr && tr->where != AT_PROBLEM && p->context ? p->context_mark.index : p->problem_mark.index;
	if (tr)
		diag_add(diags, DIAG_ERROR, text_mark(t, index), "%s", tr->words);
	else
		diag_add(diags, DIAG_ERROR, text_mark(t, index), "not YAML: %s%s%s", p->context ? p->context : "",
			 p->context ? ", " : "", p->problem);
}
