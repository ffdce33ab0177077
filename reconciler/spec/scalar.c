/* Scalars: their type, which the schema decides, and their limits. */
#include "spec/rule.h"

#include "spec/text.h"

#include <errno.h>
#include <math.h>
#include <string.h>
#include <strings.h>

static bool one_of(const char *s, const char *const *words, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(s, words[i]) == 0)
			return true;
	return false;
}

static bool is_null(const char *s)
{
	static const char *const words[] = {"", "~", "null", "Null", "NULL"};
	return one_of(s, words, ARRAY_SIZE(words));
}

static bool read_bool(const char *s, bool *out)
{
	static const char *const yes[] = {"true", "True", "TRUE"}, *const no[] = {"false", "False", "FALSE"};

	*out = one_of(s, yes, ARRAY_SIZE(yes));
	return *out || one_of(s, no, ARRAY_SIZE(no));
}

/* JSON's grammar: 0755 is octal to some readers and decimal to others, so it is neither here. */
static const char *skip_integer(const char *s)
{
	size_t n;

	s += *s == '-';
	n = strspn(s, "0123456789");
	return n == 0 || (n > 1 && *s == '0') ? NULL : s + n;
}

static bool read_integer(const char *s, int64_t *out)
{
	const char *end = skip_integer(s);

	if (!end || *end)
		return false;
	errno = 0;
	*out = strtoll(s, NULL, 10);
	return errno == 0;
}

static bool read_number(const char *s, double *out)
{
	const char *p = skip_integer(s);

	if (!p)
		return false;
	if (*p == '.') {
		size_t n = strspn(p + 1, "0123456789");
		if (n == 0)
			return false;
		p += 1 + n;
	}
	if (*p == 'e' || *p == 'E') {
		p += 1 + (p[1] == '+' || p[1] == '-');
		size_t n = strspn(p, "0123456789");
		if (n == 0)
			return false;
		p += n;
	}
	*out = *p ? 0 : strtod(s, NULL);
	return !*p && isfinite(*out);
}

static bool read_as(struct snode *n, enum snode_type type)
{
	switch (type) {
	case SNODE_BOOL:
		return read_bool(n->text, &n->boolean);
	case SNODE_INT:
		if (!read_integer(n->text, &n->integer))
			return false;
		n->number = (double)n->integer;
		return true;
	case SNODE_NUMBER:
		return read_number(n->text, &n->number);
	default:
		return type == SNODE_STRING;
	}
}

enum snode_type scalar_natural(const struct snode *n)
{
	static const enum snode_type order[] = {SNODE_BOOL, SNODE_INT, SNODE_NUMBER};
	struct snode probe = *n;

	if (n->quoted || n->from_env)
		return SNODE_STRING;
	if (is_null(n->text))
		return SNODE_NULL;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if (read_as(&probe, order[i]))
			return order[i];
	return SNODE_STRING;
}

/* The natural type if it is wanted, else the first that the text can be read as: "80" is a port, and 80 a label's text.
 */
bool scalar_give_type(struct snode *n, unsigned types)
{
	static const enum snode_type order[] = {SNODE_BOOL, SNODE_INT, SNODE_NUMBER, SNODE_STRING};
	enum snode_type natural = scalar_natural(n);

	if (types & TYPE(natural)) {
		n->type = natural;
		return natural == SNODE_NULL || read_as(n, natural);
	}
	if (natural == SNODE_NULL)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(order); i++)
		if ((types & TYPE(order[i])) && read_as(n, order[i])) {
			n->type = order[i];
			return true;
		}
	return false;
}

static bool same_value(const struct snode *n, const json_t *v)
{
	struct snode probe = *n;

	if (json_is_string(v))
		return strcmp(n->text, json_string_value(v)) == 0;
	if (!scalar_give_type(&probe, TYPES_SCALAR & ~TYPE(SNODE_STRING)))
		return false;
	_cleanup_json_ json_t *mine = snode_json(&probe);
	return json_same(mine, v);
}

static const char *nearest(const char *text, const json_t *values)
{
	const char *best = NULL;
	uint32_t least = UINT32_MAX;

	for (size_t i = 0; i < json_array_size(values); i++) {
		const char *v = json_string_value(json_array_get(values, i));
		uint32_t d = v ? str_distance(text, v) : UINT32_MAX;
		if (d < least && (d <= 2 || d <= strlen(v) / 3)) {
			least = d;
			best = v;
		}
	}
	return best;
}

static void check_values(struct validation *c, const struct rule *r, const struct snode *n)
{
	if (r->constant && !same_value(n, r->constant) && fails(c)) {
		_cleanup_json_ json_t *one = json_pack("[O]", r->constant);
		_cleanup_free_ char *wanted = words_values(one), *found = words_found(n);
		diag_add(c->diags, DIAG_ERROR, n->mark, "expected %s, found %s", wanted, found);
	}
	for (size_t i = 0; i < json_array_size(r->values); i++)
		if (same_value(n, json_array_get(r->values, i)))
			return;
	if (!r->values || !fails(c))
		return;
	_cleanup_free_ char *wanted = words_values(r->values), *found = words_found(n);
	const char *near = n->from_env ? NULL : nearest(n->text, r->values);
	if (near)
		diag_add(c->diags, DIAG_ERROR, n->mark, "expected %s, found %s; did you mean '%s'?", wanted, found,
			 near);
	else
		diag_add(c->diags, DIAG_ERROR, n->mark, "expected %s, found %s", wanted, found);
}

static void check_length(struct validation *c, const struct rule *r, const struct snode *n)
{
	size_t length = utf8_count(n->text, strlen(n->text));

	if (r->min_length.set && length < r->min_length.value && fails(c)) {
		if (length == 0)
			diag_add(c->diags, DIAG_ERROR, n->mark, "this must not be empty");
		else
			diag_add(c->diags, DIAG_ERROR, n->mark, "expected at least %zu characters, found %zu",
				 r->min_length.value, length);
	}
	if (r->max_length.set && length > r->max_length.value && fails(c))
		diag_add(c->diags, DIAG_ERROR, n->mark, "expected at most %zu characters, found %zu",
			 r->max_length.value, length);
}

static void check_pattern(struct validation *c, const struct rule *r, const struct snode *n)
{
	if (!r->pattern || regex_matches(r->pattern, n->text) || !fails(c))
		return;
	_cleanup_free_ char *found = words_found(n);
	if (r->message)
		diag_add(c->diags, DIAG_ERROR, n->mark, "%s (found %s)", r->message, found);
	else
		diag_add(c->diags, DIAG_ERROR, n->mark, "%s does not have the form %s", found, r->pattern->pattern);
}

/* Limits are meant for the number as written: of a format's number nobody knows the unit. */
static void check_limits(struct validation *c, const struct rule *r, const struct snode *n)
{
	const struct {
		const struct limit *limit;
		const char *words;
		int sign;
		bool touch;
	} limits[] = {
		{&r->min, "at least", 1, true},
		{&r->max, "at most", -1, true},
		{&r->above, "more than", 1, false},
		{&r->below, "less than", -1, false},
	};
	double v;

	if (!read_number(n->text, &v))
		return;
	for (size_t i = 0; i < ARRAY_SIZE(limits); i++) {
		double over = (v - limits[i].limit->value) * limits[i].sign;
		if (!limits[i].limit->set || over > 0 || (over >= 0 && limits[i].touch) || !fails(c))
			continue;
		_cleanup_free_ char *found = words_found(n);
		diag_add(c->diags, DIAG_ERROR, n->mark, "expected a number of %s %g, found %s", limits[i].words,
			 limits[i].limit->value, found);
	}
}

static void check_format(struct validation *c, const struct rule *r, struct snode *n)
{
	int64_t number = 0;
	enum format_result result = r->format->parse(n->text, &number);

	if (result == FORMAT_NUMBER) {
		n->type = SNODE_INT;
		n->integer = number;
		n->number = (double)number;
	} else if (result != FORMAT_OK && fails(c)) {
		_cleanup_free_ char *found = words_found(n);
		diag_add(c->diags, DIAG_ERROR, n->mark, "expected %s, found %s%s", r->format->expected, found,
			 result == FORMAT_RANGE ? ", which is too large" : "");
	}
}

static void say_type(struct validation *c, const struct rule *r, const struct snode *n)
{
	static const char *const words[] = {"no", "yes", "off", "on", "n", "y"}; /* false, true, … */
	_cleanup_free_ char *wanted = words_expected(r), *found = words_found(n);
	double number;
	_cleanup_str_ struct str hint = {0};

	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if ((r->types & TYPE(SNODE_BOOL)) && !n->from_env && strcasecmp(n->text, words[i]) == 0)
			str_addf(&hint, ": write %s", i % 2 ? "true" : "false");
	if ((r->types & TYPE(SNODE_STRING)) && !r->min_length.set && !r->format)
		str_adds(&hint, "; write \"\" for an empty text");
	if ((r->types & TYPE(SNODE_INT)) && read_number(n->text, &number) && fabs(number) > 1e18)
		str_adds(&hint, ", which is too large");
	diag_add(c->diags, DIAG_ERROR, n->mark, "expected %s, found %s%s", wanted, found, str_cstr(&hint));
}

void scalar_check(struct validation *c, const struct rule *r, struct snode *n)
{
	if (r->types && !scalar_give_type(n, r->types)) {
		if (fails(c))
			say_type(c, r, n);
		return;
	}
	check_values(c, r, n);
	if (n->type == SNODE_NULL)
		return;
	size_t before = c->errors;
	check_length(c, r, n);
	if (c->errors == before)
		check_pattern(c, r, n);
	check_limits(c, r, n);
	if (r->format && n->type != SNODE_BOOL && c->errors == before)
		check_format(c, r, n);
}
