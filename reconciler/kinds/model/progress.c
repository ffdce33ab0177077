#include "kinds/model/model.h"

#include <string.h>

/* What `ollama pull` draws: lines that end with "erase to the end of the line", or with a newline when they stay. */
struct screen {
	struct str line, last;
};

static void end_line(struct screen *s)
{
	while (s->line.len > 0 && s->line.data[s->line.len - 1] == ' ')
		s->line.data[--s->line.len] = '\0';
	if (s->line.len > 0) {
		str_reset(&s->last);
		str_add(&s->last, s->line.data, s->line.len);
	}
	str_reset(&s->line);
}

/* Bars and spinners are not ASCII; what they leave is blanks. */
static void add_char(struct str *line, char c)
{
	if (c < ' ' || c == 0x7f)
		return;
	if (c != ' ' || (line->len > 0 && line->data[line->len - 1] != ' '))
		str_addc(line, c);
}

/* "\033[…X": ends with its letter; returns how many bytes it has. */
static size_t take_sequence(struct screen *s, const char *text, size_t n)
{
	size_t i = 2;

	if (n < 2 || text[1] != '[')
		return 1;
	while (i < n && (unsigned char)text[i] >= 0x20 && (unsigned char)text[i] < 0x40)
		i++;
	if (i == n)
		return n;
	if (text[i] == 'K')
		end_line(s);
	else if (text[i] == 'G' || text[i] == 'A')
		str_reset(&s->line);
	return i + 1;
}

char *model_progress(const char *text, size_t n)
{
	struct screen s = {0};

	for (size_t i = 0; i < n;) {
		if (text[i] == '\033') {
			i += take_sequence(&s, text + i, n - i);
			continue;
		}
		if (text[i] == '\n' || text[i] == '\r')
			end_line(&s);
		else
			add_char(&s.line, text[i]);
		i++;
	}
	str_free(&s.line);
	return str_steal(&s.last);
}
