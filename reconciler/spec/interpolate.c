#include "spec/interpolate.h"

#include "spec/text.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NESTING_MAX 16
#define FINDINGS_MAX 10 /* in one scalar */

struct run {
	struct interpolation *ip;
	const char *text, *p;
	struct mark at;
	bool exact;
	bool failed, from_env;
	bool stop; /* what follows cannot be understood, or enough has been said */
	unsigned nesting, findings;
};

/* ${NAME op …}: what is used when the variable is set, empty or unset. */
enum use { USE_VALUE, USE_WORD, USE_NOTHING, USE_ERROR };
static const struct op {
	const char *text;
	enum use set, empty, unset;
} ops[] = {
	{":-", USE_VALUE, USE_WORD, USE_WORD},      {":?", USE_VALUE, USE_ERROR, USE_ERROR},
	{":+", USE_WORD, USE_NOTHING, USE_NOTHING}, {"-", USE_VALUE, USE_VALUE, USE_WORD},
	{"?", USE_VALUE, USE_VALUE, USE_ERROR},     {"+", USE_WORD, USE_WORD, USE_NOTHING},
	{"}", USE_VALUE, USE_VALUE, USE_NOTHING},
};

/* The position of a finding at p; the scalar's own when its text is not as written. */
static struct mark noted(struct run *r, const char *p)
{
	struct mark m = r->at;

	if (++r->findings == FINDINGS_MAX)
		r->stop = true;
	if (r->exact)
		m.col += (int)utf8_count(r->text, (size_t)(p - r->text));
	return m;
}

static struct mark wrong(struct run *r, const char *p)
{
	r->failed = true;
	return noted(r, p);
}

static struct mark senseless(struct run *r, const char *p)
{
	r->stop = true;
	return wrong(r, p);
}

static bool allowed(const struct run *r, const char *name)
{
	for (const char *const *a = r->ip->allow; a && *a; a++)
		if (strcmp(*a, name) == 0)
			return true;
	return false;
}

/* Returns false when the variable may not be used; else *value, NULL when it is unset. */
static bool look_up(struct run *r, const char *name, const char *at, const char **value)
{
	if (!allowed(r, name)) {
		diag_add(r->ip->diags, DIAG_ERROR, wrong(r, at),
			 "environment variable %s is not on the allow-list; --allow-env %s puts it there", name, name);
		return false;
	}
	*value = getenv(name);
	if (*value && !utf8_valid(*value)) {
		diag_add(r->ip->diags, DIAG_ERROR, wrong(r, at), "the value of environment variable %s is not UTF-8",
			 name);
		return false;
	}
	return true;
}

static void put_value(struct run *r, const char *name, const char *value, const char *at, struct str *out)
{
	size_t len = strlen(value);

	if (len > r->ip->room) {
		diag_add(r->ip->diags, DIAG_ERROR, senseless(r, at),
			 "with the value of %s here the spec is larger than 1 MiB", name);
		return;
	}
	r->ip->room -= len;
	r->from_env = true;
	str_add(out, value, len);
}

static void warn_unset(struct run *r, const char *name, const char *at)
{
	diag_add(r->ip->diags, DIAG_WARNING, noted(r, at),
		 "environment variable %s is not set, so nothing stands here; "
		 "write ${%s:-} if that is meant, ${%s:?} if it is not",
		 name, name, name);
}

static char *read_name(struct run *r)
{
	const char *start = r->p;

	if (*r->p == '_' || isalpha((unsigned char)*r->p))
		while (*r->p == '_' || isalnum((unsigned char)*r->p))
			r->p++;
	return r->p > start ? xasprintf("%.*s", (int)(r->p - start), start) : NULL;
}

static const struct op *read_op(struct run *r)
{
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		if (str_starts(r->p, ops[i].text)) {
			r->p += strlen(ops[i].text);
			return &ops[i];
		}
	return NULL;
}

static const char unclosed[] = "'${' has no closing '}'";

static void expand(struct run *r, bool in_word, bool live, struct str *out);

/* What stands between the operator and the brace, which it passes. */
static void read_word(struct run *r, const char *start, bool live, struct str *word)
{
	if (r->nesting == NESTING_MAX) {
		diag_add(r->ip->diags, DIAG_ERROR, senseless(r, start), "variables are nested more than %d levels deep",
			 NESTING_MAX);
		return;
	}
	if (r->ip->stack_file) {
		size_t n = strcspn(r->p, "}");
		str_add(word, r->p, n);
		r->p += n;
	} else {
		r->nesting++;
		expand(r, true, live, word);
		r->nesting--;
	}
	if (r->stop)
		return;
	if (*r->p == '}')
		r->p++;
	else
		diag_add(r->ip->diags, DIAG_ERROR, senseless(r, start), "%s", unclosed);
}

static void say_required(struct run *r, const char *name, const char *at, const char *message, size_t len)
{
	if (len == 0)
		diag_add(r->ip->diags, DIAG_ERROR, wrong(r, at), "environment variable %s is required and has no value",
			 name);
	else
		diag_add(r->ip->diags, DIAG_ERROR, wrong(r, at), "environment variable %s is required: %.*s", name,
			 (int)len, message);
}

/*
 * A word that is not used (live is false) is checked all the same: a mistake
 * must show on every machine, not only where the variable happens to be unset.
 */
static void braced(struct run *r, const char *start, bool live, struct str *out)
{
	_cleanup_str_ struct str word = {0};
	_cleanup_free_ char *name = read_name(r);
	const struct op *op = name ? read_op(r) : NULL;
	const char *value = NULL;

	if (name && *r->p == '\0' && !op) {
		diag_add(r->ip->diags, DIAG_ERROR, senseless(r, start), "%s", unclosed);
		return;
	}
	if (!op || (r->ip->stack_file && strchr(op->text, '+'))) {
		diag_add(r->ip->diags, DIAG_ERROR, senseless(r, start), "'${' must be followed by %s; %s",
			 r->ip->stack_file ? "NAME}, NAME:-default or NAME:?message in a stack file"
					   : "NAME}, NAME:-default, NAME:?message or NAME:+other",
			 "a dollar sign alone is written '$$'");
		return;
	}
	live = look_up(r, name, start, &value) && live;
	enum use use = !value ? op->unset : *value ? op->set : op->empty;
	const char *word_start = r->p, *word_end = r->p;
	if (*op->text != '}') {
		read_word(r, start, live && use == USE_WORD, &word);
		word_end = r->p - 1;
	}
	if (r->stop || !live)
		return;
	if (use == USE_ERROR)
		say_required(r, name, start, word_start, (size_t)(word_end - word_start));
	else if (use == USE_VALUE)
		put_value(r, name, value, start, out);
	else if (use == USE_WORD)
		str_add(out, str_cstr(&word), word.len);
	else if (*op->text == '}')
		warn_unset(r, name, start);
}

static void bare(struct run *r, const char *start, bool live, struct str *out)
{
	_cleanup_free_ char *name = read_name(r);
	const char *value = NULL;

	if (!name) {
		diag_add(r->ip->diags, DIAG_ERROR, senseless(r, start),
			 "'$' must be followed by a name or '{'; a dollar sign alone is written '$$'");
		return;
	}
	if (!look_up(r, name, start, &value) || !live)
		return;
	if (value)
		put_value(r, name, value, start, out);
	else
		warn_unset(r, name, start);
}

static void dollar(struct run *r, bool live, struct str *out)
{
	const char *start = r->p++;

	if (*r->p == '$') {
		r->p++;
		if (live)
			str_addc(out, '$');
	} else if (*r->p == '{') {
		r->p++;
		braced(r, start, live, out);
	} else {
		bare(r, start, live, out);
	}
}

/* Up to the end, or in a word up to the brace that closes it. */
static void expand(struct run *r, bool in_word, bool live, struct str *out)
{
	size_t open = 0;

	while (*r->p && !r->stop) {
		if (*r->p == '$') {
			dollar(r, live, out);
			continue;
		}
		if (in_word && *r->p == '}' && open-- == 0)
			return;
		open += in_word && *r->p == '{';
		size_t n = 1 + strcspn(r->p + 1, in_word ? "${}" : "$");
		if (live)
			str_add(out, r->p, n);
		r->p += n;
	}
}

bool interpolate(struct interpolation *ip, const char *text, struct mark at, bool exact, struct str *out,
		 bool *from_env)
{
	struct run r = {.ip = ip, .text = text, .p = text, .at = at, .exact = exact};

	expand(&r, false, true, out);
	*from_env = r.from_env;
	return !r.failed;
}
