#include "cmd/text.h"

#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>

#define GAP 2
#define MIN_COLUMN 6

static const char *const codes[] = {
	[PAINT_NONE] = "\033[0m", [PAINT_GOOD] = "\033[32m", [PAINT_WARN] = "\033[33m",
	[PAINT_BAD] = "\033[31m", [PAINT_DIM] = "\033[2m",   [PAINT_BOLD] = "\033[1m",
};

struct text_style text_style_of(FILE *f)
{
	const char *term = getenv("TERM"), *columns = getenv("COLUMNS");
	struct text_style style = {0};
	struct winsize size;

	if (!isatty(fileno(f)))
		return style;
	style.color = !getenv("NO_COLOR") && !(term && strcmp(term, "dumb") == 0);
	style.width = 80;
	style.height = 24;
	if (ioctl(fileno(f), TIOCGWINSZ, &size) == 0 && size.ws_col > 0 && size.ws_row > 0) {
		style.width = size.ws_col;
		style.height = size.ws_row;
	} else if (columns && atoi(columns) > 0) {
		style.width = atoi(columns);
	}
	return style;
}

void text_paint(const struct text_style *style, enum paint p, struct str *out)
{
	if (style->color)
		str_adds(out, codes[p]);
}

/* One character of UTF-8 at s, *n bytes; what is none is one byte, and given as U+FFFD. Never past the NUL. */
static wchar_t decode(const char *s, size_t *n)
{
	static const struct {
		unsigned char mask, bits;
		int more;
	} lead[] = {{0x80, 0x00, 0}, {0xe0, 0xc0, 1}, {0xf0, 0xe0, 2}, {0xf8, 0xf0, 3}};
	unsigned char c = (unsigned char)*s;

	*n = 1;
	for (size_t i = 0; i < ARRAY_SIZE(lead); i++) {
		if ((c & lead[i].mask) != lead[i].bits)
			continue;
		wchar_t w = c & (unsigned char)~lead[i].mask;
		for (int k = 1; k <= lead[i].more; k++) {
			unsigned char next = (unsigned char)s[k];
			if ((next & 0xc0) != 0x80)
				return 0xfffd;
			w = w << 6 | (next & 0x3f);
		}
		*n = (size_t)lead[i].more + 1;
		return w;
	}
	return 0xfffd;
}

static bool is_control(wchar_t w)
{
	return w < 0x20 || (w >= 0x7f && w < 0xa0) || w == 0x2028 || w == 0x2029;
}

/* A locale without UTF-8 knows no widths: then each is one column. */
static int width_of(wchar_t w)
{
	int n = wcwidth((wint_t)w);
	return n < 0 ? 1 : n;
}

void text_clean(const char *s, struct str *out)
{
	size_t n;

	for (; *s; s += n) {
		wchar_t w = decode(s, &n);
		if (w == 0xfffd)
			str_addc(out, '?');
		else if (is_control(w))
			str_addc(out, ' ');
		else
			str_add(out, s, n);
	}
}

void text_time(int64_t wall, struct str *out)
{
	time_t t = (time_t)wall;
	struct tm tm;
	char buf[64];

	if (localtime_r(&t, &tm) && strftime(buf, sizeof(buf), "%Y-%m-%d %H:%M:%S %Z", &tm) > 0)
		str_adds(out, buf);
	else
		str_addf(out, "@%lld", (long long)wall);
}

void text_duration(int64_t s, struct str *out)
{
	if (s < 0)
		s = 0;
	if (s < 60)
		str_addf(out, "%llds", (long long)s);
	else if (s < 3600)
		str_addf(out, "%lldm%llds", (long long)(s / 60), (long long)(s % 60));
	else if (s < 86400)
		str_addf(out, "%lldh%lldm", (long long)(s / 3600), (long long)(s % 3600 / 60));
	else
		str_addf(out, "%lldd%lldh", (long long)(s / 86400), (long long)(s % 86400 / 3600));
}

/* Bytes of the escape sequence at s; 0: there is none. */
static size_t escape_length(const char *s)
{
	size_t n;

	if (s[0] != '\033' || s[1] != '[')
		return 0;
	n = 2 + strspn(s + 2, "0123456789;");
	return s[n] == 'm' ? n + 1 : 0;
}

/* Appends at most width columns of the line at s, and a sign in the last one when more would follow. */
static void cut(const char *s, size_t len, int width, struct str *out)
{
	const char *end = s + len;
	_cleanup_str_ struct str whole = {0}, head = {0};
	int column = 0;
	size_t n;

	for (; s < end; s += n) {
		size_t escape = escape_length(s);
		wchar_t w = decode(s, &n);
		n = escape ? escape : n;
		int columns = escape ? 0 : width_of(w);
		if (column + columns > width) {
			str_adds(out, str_cstr(&head));
			str_adds(out, width > 0 ? "…" : "");
			return;
		}
		column += columns;
		str_add(&whole, s, n);
		if (column < width || escape)
			str_add(&head, s, n);
	}
	str_adds(out, str_cstr(&whole));
}

int text_width(const char *s)
{
	int columns = 0;
	size_t n;

	for (; *s; s += n) {
		size_t escape = escape_length(s);
		wchar_t w = decode(s, &n);
		n = escape ? escape : n;
		columns += escape ? 0 : width_of(w);
	}
	return columns;
}

static size_t count_lines(const char *text)
{
	size_t n = 0;
	for (; *text; text++)
		n += *text == '\n';
	return n;
}

void text_fit(const char *text, const struct text_style *style, struct str *out)
{
	size_t lines = count_lines(text), room = style->height > 1 ? (size_t)style->height - 1 : lines;
	size_t shown = lines > room ? room - 1 : lines;

	for (size_t i = 0; i < shown; i++) {
		size_t n = strcspn(text, "\n");
		if (style->width)
			cut(text, n, style->width, out);
		else
			str_add(out, text, n);
		text_paint(style, PAINT_NONE, out);
		str_addc(out, '\n');
		text += n + 1;
	}
	if (shown < lines)
		str_addf(out, "… %zu more lines\n", lines - shown);
}

static char *__attribute__((format(printf, 1, 0))) format_clean(const char *fmt, va_list ap)
{
	struct str clean = {0};
	char *raw;

	if (vasprintf(&raw, fmt, ap) < 0)
		abort();
	text_clean(raw, &clean);
	free(raw);
	return clean.data ? str_steal(&clean) : xstrdup("");
}

void table_add(struct table *t, enum paint p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vec_push(&t->cells, format_clean(fmt, ap));
	va_end(ap);
	vec_push(&t->paints, p);
}

void table_note(struct table *t, enum paint p, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vec_push(&t->notes, ((struct table_note){(t->cells.n - 1) / t->columns, p, format_clean(fmt, ap)}));
	va_end(ap);
}

void table_free(struct table *t)
{
	for (size_t i = 0; i < t->cells.n; i++)
		free(t->cells.v[i]);
	for (size_t i = 0; i < t->notes.n; i++)
		free(t->notes.v[i].text);
	vec_free(&t->cells);
	vec_free(&t->paints);
	vec_free(&t->notes);
}

static int *column_widths(const struct table *t, int width)
{
	int *w = xcalloc(t->columns, sizeof(*w));
	int total = -GAP;

	for (size_t i = 0; i < t->cells.n; i++) {
		int n = text_width(t->cells.v[i]);
		if (n > w[i % t->columns])
			w[i % t->columns] = n;
	}
	for (size_t c = 0; c < t->columns; c++)
		total += w[c] + GAP;
	for (; width > 0 && total > width; total--) {
		size_t widest = 0;
		for (size_t c = 1; c < t->columns; c++)
			if (w[c] > w[widest])
				widest = c;
		if (w[widest] <= MIN_COLUMN)
			break;
		w[widest]--;
	}
	return w;
}

static void print_painted(const char *text, enum paint p, const struct text_style *style, struct str *out)
{
	if (p != PAINT_NONE)
		text_paint(style, p, out);
	str_adds(out, text);
	if (p != PAINT_NONE)
		text_paint(style, PAINT_NONE, out);
}

static void print_row(const struct table *t, size_t row, const int *widths, const struct text_style *style,
		      struct str *out)
{
	int blanks = 0; /* none at the end of a line */

	for (size_t c = 0; c < t->columns; c++) {
		const char *cell = t->cells.v[row * t->columns + c];
		_cleanup_str_ struct str text = {0};
		cut(cell, strlen(cell), widths[c], &text);
		if (text.len > 0) {
			str_addf(out, "%*s", blanks, "");
			print_painted(str_cstr(&text), t->paints.v[row * t->columns + c], style, out);
			blanks = 0;
		}
		blanks += widths[c] - text_width(str_cstr(&text)) + GAP;
	}
	str_addc(out, '\n');
}

void table_print(const struct table *t, const struct text_style *style, struct str *out)
{
	int *widths = column_widths(t, style->width);
	size_t note = 0;

	for (size_t row = 0; row < t->cells.n / t->columns; row++) {
		print_row(t, row, widths, style, out);
		for (; note < t->notes.n && t->notes.v[note].row == row; note++) {
			str_adds(out, "    ");
			print_painted(t->notes.v[note].text, t->notes.v[note].paint, style, out);
			str_addc(out, '\n');
		}
	}
	free(widths);
}
