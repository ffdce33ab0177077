#include "spec/spec.h"

#include "spec/text.h"

#include <stdio.h>
#include <string.h>

#define SHOWN_MAX 100
#define WINDOW 100 /* cells of a source line that are shown */
#define BEFORE 60  /* of them, at most so many before the caret */
#define TAB 8

static size_t min(size_t a, size_t b)
{
	return a < b ? a : b;
}

static size_t source_of(const struct diags *d, const char *file)
{
	for (size_t i = d->sources.n; file && i > 0; i--)
		if (strcmp(d->sources.v[i - 1].name, file) == 0)
			return i;
	return 0;
}

const char *diags_source(struct diags *d, const char *name, const char *text)
{
	size_t known = source_of(d, name);

	if (known > 0)
		return d->sources.v[known - 1].name;
	vec_push(&d->sources, ((struct diag_source){xstrdup(name), xstrdup(text)}));
	return d->sources.v[d->sources.n - 1].name;
}

void diag_add(struct diags *d, enum diag_severity severity, struct mark m, const char *fmt, ...)
{
	struct diag diag = {.severity = severity, .mark = m, .source = source_of(d, m.file)};
	va_list ap;

	if (diag.source > 0)
		diag.mark.file = d->sources.v[diag.source - 1].name; /* the mark's may live shorter */

	va_start(ap, fmt);
	int n = vsnprintf(NULL, 0, fmt, ap);
	va_end(ap);
	size_t size = n < 0 ? 1 : (size_t)n + 1;
	diag.message = xcalloc(1, size);
	va_start(ap, fmt);
	vsnprintf(diag.message, size, fmt, ap);
	va_end(ap);
	vec_push(&d->list, diag);
	d->n_errors += severity == DIAG_ERROR;
}

void diags_free(struct diags *d)
{
	for (size_t i = 0; i < d->list.n; i++)
		free(d->list.v[i].message);
	for (size_t i = 0; i < d->sources.n; i++) {
		free(d->sources.v[i].name);
		free(d->sources.v[i].text);
	}
	vec_free(&d->list);
	vec_free(&d->sources);
	d->n_errors = 0;
}

static int compare(const void *a, const void *b)
{
	const struct diag *x = a, *y = b;

	if (x->source != y->source)
		return x->source < y->source ? -1 : 1;
	if (x->mark.line != y->mark.line)
		return x->mark.line < y->mark.line ? -1 : 1;
	if (x->mark.col != y->mark.col)
		return x->mark.col < y->mark.col ? -1 : 1;
	if (x->severity != y->severity)
		return x->severity < y->severity ? -1 : 1;
	return strcmp(x->message, y->message);
}

void diags_sort(struct diags *d)
{
	size_t kept = 0;

	if (d->list.n == 0)
		return;
	qsort(d->list.v, d->list.n, sizeof(*d->list.v), compare);
	d->n_errors = 0;
	for (size_t i = 0; i < d->list.n; i++) {
		struct diag *diag = &d->list.v[i];
		if (kept > 0 && compare(&d->list.v[kept - 1], diag) == 0) {
			free(diag->message);
			continue;
		}
		d->n_errors += diag->severity == DIAG_ERROR;
		d->list.v[kept++] = *diag;
	}
	d->list.n = kept;
}

/* Cells of a terminal. East Asian Width W and F, and emoji, by block: a caret need not be better. */
static int width(uint32_t cp)
{
	static const struct {
		uint32_t first, last;
		int width;
	} ranges[] = {
		{0x0300, 0x036f, 0}, {0x1100, 0x115f, 2}, {0x200c, 0x200d, 0},   {0x2e80, 0xa4cf, 2},
		{0xac00, 0xd7a3, 2}, {0xf900, 0xfaff, 2}, {0xfe00, 0xfe0f, 0},   {0xfe30, 0xfe6f, 2},
		{0xff00, 0xff60, 2}, {0xffe0, 0xffe6, 2}, {0x1f300, 0x1faff, 2}, {0x20000, 0x3fffd, 2},
	};
	for (size_t i = 0; i < ARRAY_SIZE(ranges); i++)
		if (cp >= ranges[i].first && cp <= ranges[i].last)
			return ranges[i].width;
	return 1;
}

/* What a terminal would obey instead of show: escapes, and the marks that turn the reading direction. */
static bool is_dangerous(uint32_t cp)
{
	return cp < 0x20 || (cp >= 0x7f && cp < 0xa0) || cp == 0x2028 || cp == 0x2029 || cp == 0x200b || cp == 0x200e ||
	       cp == 0x200f || cp == 0xfeff || (cp >= 0x202a && cp <= 0x202e) || (cp >= 0x2066 && cp <= 0x2069);
}

/* One character made visible, appended; returns its bytes in the text and its cells. */
static size_t put_visible(struct str *out, const char *s, size_t len, int *cells)
{
	uint32_t cp;
	size_t n = utf8_next(s, len, &cp);

	*cells = 1;
	if (n == 0 || (is_dangerous(cp) && cp >= 0x80)) {
		str_adds(out, "\xef\xbf\xbd"); /* U+FFFD */
	} else if (is_dangerous(cp)) {
		char picture[] = "\xe2\x90\x80"; /* U+2400 and on: control pictures */
		picture[2] = (char)(0x80 + (cp == 0x7f ? 0x21 : cp));
		str_adds(out, picture);
	} else {
		*cells = width(cp);
		str_add(out, s, n);
	}
	return n ? n : 1;
}

static void put_text(struct str *out, const char *s)
{
	size_t len = strlen(s);
	int cells;

	for (size_t n; len > 0; s += n, len -= n)
		n = put_visible(out, s, len, &cells);
}

/* A line as shown: tabs expanded, and where the character col stands. */
struct shown {
	struct str text;
	VEC(size_t) cell_at; /* byte in text where each cell begins */
	size_t caret;
};

static void lay_out(struct shown *s, const char *line, size_t len, int col)
{
	int at = 1, cells;

	for (size_t n, i = 0; i < len; i += n, at++) {
		size_t begin = s->text.len;
		if (at == col)
			s->caret = s->cell_at.n;
		if (line[i] == '\t') {
			n = 1;
			do {
				vec_push(&s->cell_at, s->text.len);
				str_addc(&s->text, ' ');
			} while (s->cell_at.n % TAB != 0);
			continue;
		}
		n = put_visible(&s->text, line + i, len - i, &cells);
		while (cells-- > 0)
			vec_push(&s->cell_at, begin);
	}
	if (col >= at)
		s->caret = s->cell_at.n;
	vec_push(&s->cell_at, s->text.len);
}

static void put_excerpt(struct str *out, const struct shown *s)
{
	size_t cells = s->cell_at.n - 1, from = 0, to = cells;

	if (cells > WINDOW) {
		from = s->caret > BEFORE ? s->caret - BEFORE : 0;
		to = from + WINDOW < cells ? from + WINDOW : cells;
	}
	str_addf(out, "  %s", from > 0 ? "…" : "");
	str_add(out, str_cstr(&s->text) + s->cell_at.v[from], s->cell_at.v[to] - s->cell_at.v[from]);
	str_addf(out, "%s\n  %s%*s^\n", to < cells ? "…" : "", from > 0 ? " " : "", (int)(s->caret - from), "");
}

/* Lines are visited in order, so that a thousand findings read the source once. */
struct cursor {
	const char *p;
	int line;
};

static struct cursor at_start(const char *text)
{
	return (struct cursor){text && str_starts(text, "\xef\xbb\xbf") ? text + 3 : text, 1};
}

static const char *seek(struct cursor *c, int line)
{
	while (c->p && c->line < line) {
		c->p = strchr(c->p, '\n');
		if (!c->p)
			return NULL;
		c->p++;
		c->line++;
	}
	return c->p;
}

/* Far more than the window is not laid out: a line can be as long as the spec. Returns the new col. */
static int narrow(const char **line, size_t *len, int col)
{
	size_t n;
	uint32_t cp;

	while (col > 2 * WINDOW && *len > 0) {
		n = utf8_next(*line, *len, &cp);
		n = n ? n : 1;
		*line += n;
		*len -= n;
		col--;
	}
	*len = min(*len, (size_t)16 * WINDOW);
	return col;
}

static void put_source(struct str *out, struct cursor *c, struct mark m)
{
	struct shown s = {0};
	const char *line = m.line > 0 ? seek(c, m.line) : NULL;
	size_t len = line ? strcspn(line, "\n") : 0;

	if (len > 0 && line[len - 1] == '\r')
		len--;
	if (len == 0)
		return;
	int col = narrow(&line, &len, m.col);
	lay_out(&s, line, len, col);
	put_excerpt(out, &s);
	str_free(&s.text);
	vec_free(&s.cell_at);
}

static void put_one(struct str *out, const struct diag *d)
{
	put_text(out, d->mark.file ? d->mark.file : "spec");
	if (d->mark.line > 0)
		str_addf(out, ":%d:%d", d->mark.line, d->mark.col);
	str_adds(out, d->severity == DIAG_ERROR ? ": error: " : ": warning: ");
	put_text(out, d->message);
	str_addc(out, '\n');
}

void diags_print(const struct diags *d, const char *source, struct str *out)
{
	size_t room[] = {
		[DIAG_ERROR] = min(d->n_errors, SHOWN_MAX),
		[DIAG_WARNING] = SHOWN_MAX - min(d->n_errors, SHOWN_MAX),
	};
	struct cursor cursor = at_start(source);
	size_t shown = 0, current = 0;

	for (size_t i = 0; i < d->list.n; i++) {
		const struct diag *diag = &d->list.v[i];
		if (room[diag->severity] == 0)
			continue;
		room[diag->severity]--;
		shown++;
		put_one(out, diag);
		if (diag->source != current)
			cursor = at_start(d->sources.v[diag->source - 1].text);
		current = diag->source;
		put_source(out, &cursor, diag->mark);
	}
	if (shown < d->list.n)
		str_addf(out, "and %zu more\n", d->list.n - shown);
}
