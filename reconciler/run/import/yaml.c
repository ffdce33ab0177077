#include "run/import/import.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

/* Words that some reader of YAML takes for something else than a text. */
static bool is_special(const char *s)
{
	static const char *const words[] = {"true", "false", "yes", "no", "on", "off", "y", "n", "null"};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcasecmp(s, words[i]) == 0)
			return true;
	return false;
}

static bool is_address(const char *s)
{
	size_t dots = 0;

	for (const char *p = s; *p; p++)
		dots += *p == '.';
	return dots == 3 && s[strspn(s, "0123456789.")] == '\0';
}

/* Numbers, in any notation, times ("22:22") and dates. */
static bool is_number(const char *s)
{
	return !is_address(s) && isdigit((unsigned char)*s) && s[strspn(s, "0123456789abcdefABCDEFxX_.:+-")] == '\0';
}

/* Without quotes it is the same text to every reader. */
static bool is_plain(const char *s)
{
	static const char inside[] = "_./@%+-=!:, ";

	if (!(isalnum((unsigned char)*s) || *s == '_' || *s == '/') || is_special(s) || is_number(s))
		return false;
	for (const char *p = s; *p; p++) {
		if (!isalnum((unsigned char)*p) && !strchr(inside, *p))
			return false;
		if (*p == ':' && (p[1] == ' ' || p[1] == '\0'))
			return false;
	}
	return s[strlen(s) - 1] != ' ';
}

/* What may not stand in YAML as it is: control characters, line ends of Unicode, the byte order mark, U+FFFE and
 * U+FFFF. */
static size_t forbidden(const unsigned char *p, unsigned *code)
{
	if (p[0] < 0x20 || p[0] == 0x7f) {
		*code = p[0];
		return 1;
	}
	if (p[0] == 0xc2 && p[1] < 0xa0) {
		*code = p[1];
		return 2;
	}
	bool line_end = p[0] == 0xe2 && p[1] == 0x80 && (p[2] == 0xa8 || p[2] == 0xa9);
	bool mark = p[0] == 0xef && p[1] == 0xbb && p[2] == 0xbf, none = p[0] == 0xef && p[1] == 0xbf && p[2] >= 0xbe;
	if (!line_end && !mark && !none)
		return 0;
	*code = (p[0] & 0x0fu) << 12 | (p[1] & 0x3fu) << 6 | (p[2] & 0x3fu);
	return 3;
}

static void add_quoted(const char *s, bool dollars, struct str *out)
{
	unsigned code;
	size_t n;

	str_addc(out, '"');
	for (const unsigned char *p = (const unsigned char *)s; *p; p += n) {
		n = forbidden(p, &code);
		if (*p == '\n' || *p == '\t')
			str_adds(out, *p == '\n' ? "\\n" : "\\t");
		else if (n)
			str_addf(out, "\\u%04x", code);
		else if (*p == '"' || *p == '\\')
			str_addf(out, "\\%c", *p);
		else if (*p == '$' && dollars)
			str_adds(out, "$$");
		else
			str_addc(out, (char)*p);
		n = n ? n : 1;
	}
	str_addc(out, '"');
}

static void add_text(const char *s, bool dollars, struct str *out)
{
	if (is_plain(s))
		str_adds(out, s);
	else
		add_quoted(s, dollars, out);
}

static void add_scalar(const json_t *v, struct str *out)
{
	if (json_is_string(v)) {
		add_text(json_string_value(v), true, out);
	} else {
		char *text = json_dumps(v, JSON_ENCODE_ANY | JSON_REAL_PRECISION(9));
		str_adds(out, text);
		free(text);
	}
}

static void add_indent(int indent, struct str *out)
{
	for (int i = 0; i < indent; i++)
		str_addc(out, ' ');
}

static void add_comment(const char *text, int indent, struct str *out)
{
	for (const char *p = text; *p; p += strcspn(p, "\n"), p += *p == '\n') {
		add_indent(indent, out);
		str_adds(out, "# ");
		str_add_visible(out, p, strcspn(p, "\n"));
		str_addc(out, '\n');
	}
}

static void add_map(const json_t *map, int indent, bool begun, struct str *out);

static bool is_collection(const json_t *v)
{
	return (json_is_object(v) && json_object_size(v) > 0) || (json_is_array(v) && json_array_size(v) > 0);
}

static void add_list(const json_t *list, int indent, struct str *out)
{
	json_t *v;
	size_t i;

	json_array_foreach ((json_t *)list, i, v) {
		add_indent(indent, out);
		str_adds(out, "- ");
		if (json_is_object(v) && json_object_size(v) > 0) {
			add_map(v, indent + 2, true, out);
		} else {
			add_scalar(v, out);
			str_addc(out, '\n');
		}
	}
}

static void add_member(const char *key, const json_t *v, int indent, struct str *out)
{
	add_text(key, false, out);
	str_addc(out, ':');
	if (!is_collection(v)) {
		str_addc(out, ' ');
		add_scalar(v, out);
		str_addc(out, '\n');
		return;
	}
	str_addc(out, '\n');
	if (json_is_object(v))
		add_map(v, indent + 2, false, out);
	else
		add_list(v, indent + 2, out);
}

/* begun: the first member stands on a line that has begun. */
static void add_map(const json_t *map, int indent, bool begun, struct str *out)
{
	const char *key;
	json_t *v;

	json_object_foreach ((json_t *)map, key, v) {
		if (str_starts(key, IMPORT_COMMENT)) {
			add_comment(json_string_value(v), indent, out);
			continue;
		}
		if (!begun)
			add_indent(indent, out);
		begun = false;
		add_member(key, v, indent, out);
	}
}

void import_yaml(const json_t *tree, struct str *out)
{
	const char *key;
	json_t *v;
	bool first = true;

	json_object_foreach ((json_t *)tree, key, v) {
		bool comment = str_starts(key, IMPORT_COMMENT);
		if (!first && (comment || is_collection(v)))
			str_addc(out, '\n');
		first = comment;
		if (comment)
			add_comment(json_string_value(v), 0, out);
		else
			add_member(key, v, 0, out);
	}
}
