#include "kinds/traefik/write.h"

#include "base/str.h"

#include <string.h>

#define FRAME 8 /* stream, three zeros, length (big endian): docs of POST /containers/{id}/attach */
#define LINE_MAX_LEN 400

static bool is_frame(const unsigned char *p, size_t n)
{
	return n >= FRAME && p[0] <= 2 && p[1] == 0 && p[2] == 0 && p[3] == 0;
}

static void without_frames(const char *logs, size_t n, struct str *out)
{
	const unsigned char *p = (const unsigned char *)logs;

	while (is_frame(p, n)) {
		size_t len = (size_t)p[4] << 24 | (size_t)p[5] << 16 | (size_t)p[6] << 8 | p[7];
		p += FRAME;
		n -= FRAME;
		len = len < n ? len : n;
		str_add(out, (const char *)p, len);
		p += len;
		n -= len;
	}
	str_add(out, (const char *)p, n);
}

/* ESC [ … letter, and control characters. */
static void add_printable(struct str *out, const char *line, size_t n)
{
	for (size_t i = 0; i < n && out->len < LINE_MAX_LEN; i++) {
		if (line[i] == '\033' && i + 1 < n && line[i + 1] == '[') {
			for (i += 2; i < n && (line[i] < '@' || line[i] > '~'); i++)
				;
		} else if ((unsigned char)line[i] >= ' ' && line[i] != 0x7f) {
			str_addc(out, line[i]);
		}
	}
}

char *traefik_last_log_line(const char *logs, size_t n)
{
	_cleanup_str_ struct str text = {0}, line = {0};

	without_frames(logs, n, &text);
	for (size_t end = text.len; end > 0 && line.len == 0;) {
		size_t start = end;
		while (start > 0 && text.data[start - 1] != '\n')
			start--;
		add_printable(&line, text.data + start, end - start);
		end = start > 0 ? start - 1 : 0;
	}
	return str_steal(&line);
}
