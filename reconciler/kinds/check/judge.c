#include "kinds/check/check.h"

#include <string.h>

#define EXCERPT 80 /* bytes of an answer that are told */

bool check_hides(const struct resource *check)
{
	for (size_t i = 0; i < check->marks.n; i++)
		if (check->marks.v[i].mark.hidden)
			return true;
	return false;
}

/* One line, and valid UTF-8, of what somebody else has sent. */
static void add_excerpt(const char *text, size_t len, const char *quote, struct str *out)
{
	size_t n = len < EXCERPT ? len : EXCERPT;

	while (n < len && n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80)
		n--;
	json_t *whole = json_stringn(text, n);
	str_adds(out, quote);
	for (size_t i = 0; i < n; i++) {
		unsigned char c = (unsigned char)text[i];
		if (c == '\n')
			str_adds(out, "\\n");
		else if (c < ' ' || c == 0x7f || (c >= 0x80 && !whole))
			str_addf(out, "\\x%02x", c);
		else
			str_addc(out, (char)c);
	}
	str_addf(out, "%s%s", n < len ? "…" : "", quote);
	json_decref(whole);
}

static void add_answer(const struct resource *check, const struct check_answer *answer, struct str *out)
{
	if (answer->len == 0) {
		str_adds(out, ", without a body");
	} else if (!check_hides(check)) {
		str_adds(out, ": ");
		add_excerpt(answer->body, answer->len, "\"", out);
	}
}

/* Status */

static bool is_expected_status(const json_t *expected, int status)
{
	json_t *one;
	size_t i;

	if (json_is_integer(expected))
		return json_integer_value(expected) == status;
	json_array_foreach ((json_t *)expected, i, one)
		if (json_integer_value(one) == status)
			return true;
	return !expected && status >= 200 && status < 300;
}

static void add_expected_status(const struct resource *check, struct str *out)
{
	const json_t *expected = json_object_get(check->body, "expect_status");
	json_t *one;
	size_t i;

	if (resource_mark_of(check, "expect_status").hidden) {
		str_adds(out, HIDDEN_VALUE);
	} else if (json_is_integer(expected)) {
		str_addf(out, "%d", (int)json_integer_value(expected));
	} else if (expected) {
		json_array_foreach ((json_t *)expected, i, one)
			str_addf(out, "%s%d", i ? " or " : "", (int)json_integer_value(one));
	} else {
		str_adds(out, "2xx");
	}
}

/* JSON */

/* The member or item that one part of a pointer names (RFC 6901); NULL: there is none. */
static const json_t *step(const json_t *j, const char *part, size_t len)
{
	_cleanup_str_ struct str key = {0};
	char *end;

	for (size_t i = 0; i < len; i++) {
		bool escaped = part[i] == '~' && i + 1 < len;
		str_addc(&key, !escaped ? part[i] : part[i + 1] == '1' ? '/' : '~');
		i += escaped;
	}
	if (!json_is_array(j))
		return json_object_get(j, str_cstr(&key));
	unsigned long at = strtoul(str_cstr(&key), &end, 10);
	bool number = key.len > 0 && key.len < 10 && strspn(str_cstr(&key), "0123456789") == key.len &&
		      (key.len == 1 || *str_cstr(&key) != '0');
	return number ? json_array_get(j, at) : NULL;
}

static const json_t *resolve(const json_t *j, const char *pointer)
{
	while (j && *pointer == '/') {
		size_t len = strcspn(pointer + 1, "/");
		j = step(j, pointer + 1, len);
		pointer += 1 + len;
	}
	return j;
}

static void add_value(const json_t *j, struct str *out)
{
	char *text = json_dumps(j, JSON_ENCODE_ANY | JSON_COMPACT | JSON_SORT_KEYS);

	add_excerpt(text ? text : "", text ? strlen(text) : 0, "", out);
	free(text);
}

static void compare_json(const struct resource *check, const json_t *body, struct str *out)
{
	const json_t *all = json_object_get(check->body, "expect_json");
	size_t n = 0;
	const char **pointers = json_sorted_keys(all, &n);

	for (size_t i = 0; i < n && out->len == 0; i++) {
		const json_t *found = resolve(body, pointers[i]), *expected = json_object_get(all, pointers[i]);
		if (found && json_same(found, expected))
			continue;
		str_addf(out, "%s in the body is ", pointers[i]);
		if (!found)
			str_adds(out, "not there");
		else if (check_hides(check))
			str_adds(out, "not as expected");
		else
			add_value(found, out);
		if (!check_hides(check)) {
			str_adds(out, ", expected ");
			add_value(expected, out);
		}
	}
	free(pointers);
}

static void judge_json(const struct resource *check, const struct check_answer *answer, struct str *out)
{
	_cleanup_json_ json_t *body = NULL;
	struct err unused = {0};

	if (!json_object_get(check->body, "expect_json"))
		return;
	if (json_parse(answer->body, answer->len, &body, &unused) == 0) {
		compare_json(check, body, out);
		return;
	}
	str_adds(out, "the body is not JSON");
	add_answer(check, answer, out);
}

/* Text */

static void judge_text(const struct resource *check, const struct check_answer *answer, struct str *out)
{
	const json_t *expected = json_object_get(check->body, "expect_body");
	const char *text = json_string_value(expected);
	size_t n = json_string_length(expected);

	if (!text || memmem(answer->body, answer->len, text, n))
		return;
	str_adds(out, "the body has no ");
	if (resource_mark_of(check, "expect_body").hidden)
		str_adds(out, HIDDEN_VALUE);
	else
		add_excerpt(text, n, "\"", out);
	add_answer(check, answer, out);
}

char *check_judge(const struct resource *check, const struct check_answer *answer)
{
	struct str out = {0};

	if (!is_expected_status(json_object_get(check->body, "expect_status"), answer->status)) {
		str_addf(&out, "HTTP %d, expected ", answer->status);
		add_expected_status(check, &out);
		add_answer(check, answer, &out);
		return str_steal(&out);
	}
	judge_text(check, answer, &out);
	if (out.len == 0)
		judge_json(check, answer, &out);
	return out.len ? str_steal(&out) : NULL;
}
