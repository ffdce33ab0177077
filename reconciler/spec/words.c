/* How the checker says what it expected and what it found. */
#include "spec/rule.h"

#include <string.h>

#define QUOTE_MAX 40

static void put_joined(struct str *out, const char *word, size_t i, size_t n)
{
	if (i > 0)
		str_adds(out, i + 1 == n ? " or " : ", ");
	str_adds(out, word);
}

static char *type_words(unsigned types)
{
	static const struct {
		enum snode_type type;
		const char *word;
	} words[] = {
		{SNODE_BOOL, "true or false"}, {SNODE_INT, "a whole number"}, {SNODE_NUMBER, "a number"},
		{SNODE_STRING, "a text"},      {SNODE_SEQ, "a list"},         {SNODE_MAP, "a map"},
	};
	struct str out = {0};
	size_t n = 0, i = 0;

	if (types & TYPE(SNODE_NUMBER))
		types &= ~TYPE(SNODE_INT);
	for (size_t w = 0; w < ARRAY_SIZE(words); w++)
		n += (types & TYPE(words[w].type)) != 0;
	for (size_t w = 0; w < ARRAY_SIZE(words); w++)
		if (types & TYPE(words[w].type))
			put_joined(&out, words[w].word, i++, n);
	if (n == 0)
		str_adds(&out, "nothing");
	return str_steal(&out);
}

char *words_values(const json_t *values)
{
	struct str out = {0};
	size_t n = json_array_size(values);

	for (size_t i = 0; i < n; i++) {
		_cleanup_str_ struct str word = {0};
		const json_t *v = json_array_get(values, i);
		if (json_is_string(v))
			str_addf(&word, "'%s'", json_string_value(v));
		else
			json_canonical(v, &word);
		put_joined(&out, str_cstr(&word), i, n);
	}
	return str_steal(&out);
}

char *words_expected(const struct rule *r)
{
	if (r->format)
		return xstrdup(r->format->expected);
	if (r->values)
		return words_values(r->values);
	if (r->ref && !r->types && r->branches.n == 0)
		return words_expected(r->ref);
	return type_words(r->fits);
}

/* The text of a scalar as the user wrote it; a variable's value is never shown. */
char *words_found(const struct snode *n)
{
	if (n->type == SNODE_SEQ)
		return xstrdup("a list");
	if (n->type == SNODE_MAP)
		return xstrdup("a map");
	if (n->from_env)
		return xstrdup("the value of a variable");
	if (scalar_natural(n) == SNODE_NULL)
		return xstrdup("nothing");
	size_t len = strlen(n->text), cut = len;
	if (len > QUOTE_MAX)
		for (cut = QUOTE_MAX; cut > 0 && ((unsigned char)n->text[cut] & 0xc0) == 0x80;)
			cut--;
	return xasprintf("'%.*s%s'", (int)cut, n->text, cut < len ? "…" : "");
}
