#include "base/str.h"

#include <stdio.h>
#include <string.h>

static void reserve(struct str *s, size_t more)
{
	if (s->len + more + 1 <= s->cap)
		return;
	size_t cap = s->cap ? s->cap * 2 : 64;
	while (cap < s->len + more + 1)
		cap *= 2;
	s->data = xrealloc(s->data, cap);
	s->cap = cap;
}

void str_add(struct str *s, const char *bytes, size_t n)
{
	if (n == 0)
		return;
	reserve(s, n);
	memcpy(s->data + s->len, bytes, n);
	s->len += n;
	s->data[s->len] = '\0';
}

void str_adds(struct str *s, const char *text)
{
	str_add(s, text, strlen(text));
}

void str_addc(struct str *s, char c)
{
	str_add(s, &c, 1);
}

void str_addf(struct str *s, const char *fmt, ...)
{
	va_list ap, again;
	va_start(ap, fmt);
	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	if (n > 0) {
		reserve(s, (size_t)n);
		vsnprintf(s->data + s->len, (size_t)n + 1, fmt, again);
		s->len += (size_t)n;
	}
	va_end(again);
}

/* The code point at text if it is one of those, and its length in UTF-8; 0: it may be shown. */
static unsigned hidden_at(const unsigned char *text, size_t n, size_t *len)
{
	static const struct {
		unsigned first, last;
	} ranges[] = {{0x80, 0x9f}, {0x200e, 0x200f}, {0x202a, 0x202e}, {0x2066, 0x2069}};
	unsigned c = 0;

	*len = 1;
	if (text[0] < 0x20 || text[0] == 0x7f)
		return text[0] == '\n' || text[0] == '\t' ? 0 : text[0];
	if (n >= 2 && text[0] == 0xc2)
		c = text[1];
	else if (n >= 3 && text[0] == 0xe2)
		c = 0x2000u | (text[1] & 0x3fu) << 6 | (text[2] & 0x3fu);
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (c >= ranges[i].first && c <= ranges[i].last) {
			*len = c < 0x100 ? 2 : 3;
			return c;
		}
	return 0;
}

void str_add_visible(struct str *s, const char *text, size_t n)
{
	size_t len;

	for (size_t i = 0; i < n; i += len) {
		unsigned c = hidden_at((const unsigned char *)text + i, n - i, &len);
		if (c)
			str_addf(s, "\\u%04x", c);
		else
			str_add(s, text + i, len);
	}
}

void str_reset(struct str *s)
{
	s->len = 0;
	if (s->data)
		s->data[0] = '\0';
}

void str_free(struct str *s)
{
	if (!s)
		return;
	free(s->data);
	*s = (struct str){0};
}

const char *str_cstr(const struct str *s)
{
	return s->data ? s->data : "";
}

char *str_steal(struct str *s)
{
	char *p = s->data ? s->data : xstrdup("");
	*s = (struct str){0};
	return p;
}

bool str_starts(const char *s, const char *prefix)
{
	return strncmp(s, prefix, strlen(prefix)) == 0;
}

bool str_ends(const char *s, const char *suffix)
{
	size_t n = strlen(s), m = strlen(suffix);
	return n >= m && memcmp(s + n - m, suffix, m) == 0;
}

bool str_eq(const char *a, const char *b)
{
	return a == b || (a && b && strcmp(a, b) == 0);
}

#define DISTANCE_MAX 64

static uint32_t min3(uint32_t a, uint32_t b, uint32_t c)
{
	uint32_t m = a < b ? a : b;
	return m < c ? m : c;
}

uint32_t str_distance(const char *a, const char *b)
{
	uint32_t rows[3][DISTANCE_MAX + 1];
	size_t n = strlen(a), m = strlen(b);

	if (n > DISTANCE_MAX || m > DISTANCE_MAX)
		return UINT32_MAX;
	for (size_t j = 0; j <= m; j++)
		rows[0][j] = (uint32_t)j;
	for (size_t i = 1; i <= n; i++) {
		uint32_t *cur = rows[i % 3], *prev = rows[(i - 1) % 3], *before = rows[(i + 1) % 3];
		cur[0] = (uint32_t)i;
		for (size_t j = 1; j <= m; j++) {
			bool same = a[i - 1] == b[j - 1];
			cur[j] = min3(prev[j] + 1, cur[j - 1] + 1, prev[j - 1] + !same);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < cur[j])
				cur[j] = before[j - 2] + 1;
		}
	}
	return rows[n % 3][m];
}
