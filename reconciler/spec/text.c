#include "spec/text.h"

#include <string.h>

static bool is_tail(unsigned char c)
{
	return (c & 0xc0) == 0x80;
}

/* RFC 3629: no overlong forms, no surrogates, nothing above U+10FFFF. */
size_t utf8_next(const char *s, size_t len, uint32_t *cp)
{
	static const uint32_t smallest[] = {0, 0, 0x80, 0x800, 0x10000};
	const unsigned char *u = (const unsigned char *)s;
	size_t n;

	if (len == 0)
		return 0;
	if (u[0] < 0x80) {
		*cp = u[0];
		return 1;
	}
	n = u[0] >= 0xf0 ? 4 : u[0] >= 0xe0 ? 3 : 2;
	if (u[0] < 0xc2 || u[0] > 0xf4 || len < n)
		return 0;
	*cp = u[0] & (0xffu >> (n + 1));
	for (size_t i = 1; i < n; i++) {
		if (!is_tail(u[i]))
			return 0;
		*cp = *cp << 6 | (u[i] & 0x3f);
	}
	if (*cp < smallest[n] || *cp > 0x10ffff || (*cp >= 0xd800 && *cp <= 0xdfff))
		return 0;
	return n;
}

bool utf8_valid(const char *s)
{
	uint32_t cp;
	size_t len = strlen(s), n;

	for (; len > 0; s += n, len -= n)
		if ((n = utf8_next(s, len, &cp)) == 0)
			return false;
	return true;
}

size_t utf8_count(const char *s, size_t len)
{
	size_t n = 0;

	for (size_t i = 0; i < len; i++)
		n += !is_tail((unsigned char)s[i]);
	return n;
}

/* What libyaml's reader refuses (YAML 1.1, 5.1), so that it never meets it. */
static bool is_control(uint32_t cp)
{
	if (cp < 0x20)
		return cp != '\t' && cp != '\n' && cp != '\r';
	return (cp >= 0x7f && cp < 0xa0 && cp != 0x85) || cp == 0xfeff || cp == 0xfffe || cp == 0xffff;
}

static const char *why_bad(size_t n, uint32_t cp)
{
	if (n == 0)
		return "this byte is not UTF-8: save the file as UTF-8";
	if (cp == 0)
		return "a NUL byte: this is not a text file";
	if (cp == 0xfeff)
		return "a byte order mark inside the text: remove it";
	return "a control character: remove it, or write it as an escape in double quotes";
}

static bool is_utf16(const char *s, size_t len)
{
	return len >= 2 && (memcmp(s, "\xff\xfe", 2) == 0 || memcmp(s, "\xfe\xff", 2) == 0);
}

static bool scan(struct text *t, struct diags *diags)
{
	size_t index = 0, n;

	vec_push(&t->lines, 0);
	for (size_t i = 0; i < t->len; i += n, index++) {
		uint32_t cp = 0;
		n = utf8_next(t->bytes + i, t->len - i, &cp);
		if (n == 0 || is_control(cp)) {
			diag_add(diags, DIAG_ERROR, text_mark(t, index), "%s", why_bad(n, cp));
			return false;
		}
		if (cp == '\n')
			vec_push(&t->lines, index + 1);
	}
	return true;
}

bool text_init(struct text *t, const char *file, const char *bytes, size_t len, struct diags *diags)
{
	struct mark start = {.file = file, .line = 1, .col = 1};

	*t = (struct text){.file = file};
	if (len > TEXT_MAX) {
		diag_add(diags, DIAG_ERROR, start, "the spec has %zu bytes; the limit is %zu (1 MiB)", len, TEXT_MAX);
		return false;
	}
	if (is_utf16(bytes, len)) {
		diag_add(diags, DIAG_ERROR, start, "the text is UTF-16: save the file as UTF-8");
		return false;
	}
	size_t bom = len >= 3 && memcmp(bytes, "\xef\xbb\xbf", 3) == 0 ? 3 : 0;
	t->bytes = bytes + bom;
	t->len = len - bom;
	return scan(t, diags);
}

void text_free(struct text *t)
{
	vec_free(&t->lines);
}

struct mark text_mark(const struct text *t, size_t index)
{
	size_t low = 0, high = t->lines.n;

	while (high - low > 1) {
		size_t mid = low + (high - low) / 2;
		if (t->lines.v[mid] <= index)
			low = mid;
		else
			high = mid;
	}
	return (struct mark){.file = t->file, .line = (int)low + 1, .col = (int)(index - t->lines.v[low]) + 1};
}
