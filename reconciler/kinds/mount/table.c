#include "kinds/mount/mounts.h"

#include <string.h>

#define TAKEN_OVER "# taken over by reconcile: "

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* A word of a table: a backslash and three octal digits are a byte (getmntent(3)). */
static char *unescape(struct arena *a, const char *word, size_t len)
{
	char *out = arena_strndup(a, word, len), *to = out;

	for (const char *p = out; *p; p++) {
		if (p[0] == '\\' && is_octal(p[1]) && p[1] <= '3' && is_octal(p[2]) && is_octal(p[3])) {
			*to++ = (char)((p[1] - '0') << 6 | (p[2] - '0') << 3 | (p[3] - '0'));
			p += 3;
		} else {
			*to++ = *p;
		}
	}
	*to = '\0';
	return out;
}

static const char *path_of(struct arena *a, const char *word)
{
	_cleanup_str_ struct str s = {0};

	mount_path(word, &s);
	return arena_strdup(a, str_cstr(&s));
}

/* The first words of a line, at most max; how many there are. */
static size_t split(struct arena *a, const char *line, size_t len, char **words, size_t max)
{
	const char *end = line + len;
	size_t n = 0;

	while (n < max) {
		while (line < end && strchr(" \t\r", *line))
			line++;
		size_t word = 0;
		while (line + word < end && !strchr(" \t\r", line[word]))
			word++;
		if (word == 0)
			break;
		words[n++] = unescape(a, line, word);
		line += word;
	}
	return n;
}

/* "36 35 98:0 /root /path flags shared:1 … - type source super" */
static bool read_mountinfo(struct arena *a, const char *line, size_t len, struct mount_entry *e)
{
	char *words[32];
	size_t n = split(a, line, len, words, ARRAY_SIZE(words)), dash = 6;

	while (dash < n && strcmp(words[dash], "-") != 0)
		dash++;
	if (dash + 3 >= n)
		return false;
	e->path = words[4];
	e->flags = words[5];
	e->type = words[dash + 1];
	e->source = words[dash + 2];
	e->super = words[dash + 3];
	return true;
}

static bool read_fstab(struct arena *a, const char *line, size_t len, struct mount_entry *e)
{
	char *words[4];
	size_t n = split(a, line, len, words, ARRAY_SIZE(words));

	if (n < 3 || words[0][0] == '#')
		return false;
	e->source = words[0];
	e->path = path_of(a, words[1]);
	e->type = words[2];
	e->flags = n > 3 ? words[3] : "defaults";
	e->super = "";
	return true;
}

static void parse(const char *text, struct mount_table *out,
		  bool (*read)(struct arena *a, const char *line, size_t len, struct mount_entry *e))
{
	size_t at = 0, line = 1;

	*out = (struct mount_table){.arena = arena_new()};
	while (text && text[at]) {
		size_t len = strcspn(text + at, "\n");
		struct mount_entry e = {.line = line, .start = at, .end = at + len};
		if (read(out->arena, text + at, len, &e))
			vec_push(&out->list, e);
		at += len + (text[at + len] == '\n');
		line++;
	}
}

void mountinfo_parse(const char *text, struct mount_table *out)
{
	parse(text, out, read_mountinfo);
}

void fstab_parse(const char *text, struct mount_table *out)
{
	parse(text, out, read_fstab);
}

void mount_table_free(struct mount_table *t)
{
	vec_free(&t->list);
	arena_free(t->arena);
	t->arena = NULL;
}

void fstab_comment_out(const char *text, const char *path, struct str *out)
{
	CLEANUP(mount_table_free) struct mount_table t;
	size_t done = 0;

	fstab_parse(text, &t);
	for (size_t i = 0; i < t.list.n; i++) {
		const struct mount_entry *e = &t.list.v[i];
		if (strcmp(e->path, path) != 0)
			continue;
		str_add(out, text + done, e->start - done);
		str_adds(out, TAKEN_OVER);
		done = e->start;
	}
	if (text)
		str_adds(out, text + done);
}
