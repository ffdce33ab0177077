/*
 * Text for people: tables, times in local time, durations, and what keeps a
 * terminal whole: foreign text (errors of tasks, names) has its control
 * characters replaced, lines are cut to the width by columns, not bytes. Pure
 * but for text_style_of.
 */
#ifndef RECONCILE_CMD_TEXT_H
#define RECONCILE_CMD_TEXT_H

#include "base/json.h"

#include <stdio.h>

enum paint { PAINT_NONE, PAINT_GOOD, PAINT_WARN, PAINT_BAD, PAINT_DIM, PAINT_BOLD };

struct text_style {
	bool color;
	int width;  /* columns; 0: as wide as it gets */
	int height; /* lines; 0: not a terminal */
};
/* Of a stream, as it is now: NO_COLOR, TERM, and the terminal's size. */
struct text_style text_style_of(FILE *f);

/* Appends. */
void text_paint(const struct text_style *style, enum paint p, struct str *out); /* PAINT_NONE ends one */
void text_clean(const char *s, struct str *out);                                /* control characters as blanks */
void text_time(int64_t wall, struct str *out);                                  /* "2026-11-21 14:03:22 CET" */
void text_duration(int64_t seconds, struct str *out);                           /* "4s", "3m12s", "2h5m", "3d4h" */

/* Columns that s takes; escape sequences of text_paint take none. */
int text_width(const char *s);

/*
 * Each line cut to the style's width, and not more than its height less one
 * (for the cursor's); a line instead of the rest says how many are missing.
 */
void text_fit(const char *text, const struct text_style *style, struct str *out);

/* Rows of n columns. When they are too wide for the style, the widest columns are cut first. */
struct table_note {
	size_t row; /* after this one */
	enum paint paint;
	char *text;
};
struct table {
	size_t columns;
	VEC(char *) cells;
	VEC(enum paint) paints;
	VEC(struct table_note) notes;
};
#define TABLE(n) \
	{ \
		.columns = (n) \
	}
void table_add(struct table *t, enum paint p, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
/* A line of its own, indented, below the row that was last begun; as long as it is. */
void table_note(struct table *t, enum paint p, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
void table_print(const struct table *t, const struct text_style *style, struct str *out);
void table_free(struct table *t);

#endif
