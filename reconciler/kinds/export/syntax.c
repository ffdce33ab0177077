#include "kinds/export/exports.h"

#include "kinds/cidr.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <stdio.h>
#include <string.h>

struct lexer {
	const char *text;
	size_t at, line;
};

#define NAME_COMMENT "# export/"

static bool is_octal(char c)
{
	return c >= '0' && c <= '7';
}

/* The next character; a backslash before a line's end, and the blanks after it, are one blank. 0 at the end. */
static char next(struct lexer *l)
{
	char c = l->text[l->at];

	if (c == '\0')
		return c;
	l->at++;
	l->line += c == '\n';
	if (c != '\\' || l->text[l->at] != '\n')
		return c;
	l->at++;
	l->line++;
	l->at += strspn(l->text + l->at, " \t");
	return ' ';
}

/* Skips blanks and comments; a comment ends before its line's end. The name of our own comments is kept in *name. */
static void skip(struct lexer *l, const char *blanks, struct arena *a, const char **name)
{
	for (;;) {
		struct lexer before = *l;
		char c = next(l);
		if (c == '#') {
			const char *comment = l->text + before.at;
			size_t len = strcspn(comment, "\n"), own = strlen(NAME_COMMENT);
			if (len > own && strncmp(comment, NAME_COMMENT, own) == 0)
				*name = arena_strndup(a, comment + own, len - own);
			l->at = before.at + len;
		} else if (c == '\0' || !strchr(blanks, c)) {
			*l = before;
			return;
		}
	}
}

static void unescape(struct str *tok)
{
	const char *e = tok->len >= 4 ? tok->data + tok->len - 4 : "";
	if (e[0] != '\\' || !is_octal(e[1]) || !is_octal(e[2]) || !is_octal(e[3]) || e[1] > '3')
		return;
	char c = (char)((e[1] - '0') << 6 | (e[2] - '0') << 3 | (e[3] - '0'));
	tok->len -= 4;
	str_addc(tok, c);
}

/* Up to a blank outside of quotes, which is left. Empty at the end of the line. */
static void token(struct lexer *l, struct str *tok)
{
	bool quoted = false;

	str_reset(tok);
	for (;;) {
		struct lexer before = *l;
		char c = next(l);
		if (c == '\0' || (!quoted && isspace((unsigned char)c))) {
			*l = before;
			return;
		}
		if (c == '"') {
			quoted = !quoted;
			continue;
		}
		str_addc(tok, c);
		unescape(tok);
	}
}

static const char *canonical(struct arena *a, void (*f)(const char *, struct str *), const char *text)
{
	_cleanup_str_ struct str s = {0};
	f(text, &s);
	return arena_strdup(a, str_cstr(&s));
}

/* "host(options)"; options said before it on the line hold as well, its own are stronger. */
static void add_entry(struct exports *out, struct export_entry e, const char *client, const char *defaults)
{
	size_t len = strcspn(client, "(");
	const char *options = client[len] ? client + len + 1 : "";
	char *host = arena_strndup(out->arena, client, len);
	char *all = arena_printf(out->arena, "%s,%.*s", defaults, (int)strcspn(options, ")"), options);

	e.client = canonical(out->arena, export_client, host);
	e.options = canonical(out->arena, export_options, all);
	vec_push(&out->list, e);
}

static void parse_line(struct lexer *l, struct exports *out, const char **name)
{
	CLEANUP(str_free) struct str tok = {0}, defaults = {0};
	size_t first = out->list.n, start = l->at, line = l->line;

	while (start > 0 && l->text[start - 1] != '\n')
		start--;
	token(l, &tok);
	struct export_entry e = {.path = canonical(out->arena, export_path, str_cstr(&tok)),
				 .name = *name,
				 .line = line,
				 .start = start};
	for (;;) {
		skip(l, " \t\r\v\f", out->arena, name);
		token(l, &tok);
		if (tok.len == 0)
			break;
		if (tok.data[0] == '-')
			str_addf(&defaults, ",%s", tok.data + 1);
		else
			add_entry(out, e, tok.data, str_cstr(&defaults));
	}
	if (out->list.n == first) /* no client: everybody */
		add_entry(out, e, "", str_cstr(&defaults));
	for (size_t i = first; i < out->list.n; i++)
		out->list.v[i].end = l->at;
}

void exports_parse(const char *text, struct exports *out)
{
	struct lexer l = {.text = text ? text : "", .line = 1};
	const char *name = NULL;

	*out = (struct exports){.arena = arena_new()};
	for (;;) {
		skip(&l, " \t\r\v\f\n", out->arena, &name);
		if (!l.text[l.at])
			return;
		parse_line(&l, out, &name);
	}
}

void exports_free(struct exports *e)
{
	vec_free(&e->list);
	arena_free(e->arena);
	e->arena = NULL;
}

void export_path(const char *path, struct str *out)
{
	size_t start = out->len;

	for (; *path; path++)
		if (path[0] != '/' || (path[1] != '/' && (path[1] != '\0' || out->len == start)))
			str_addc(out, *path);
}

/* "10.0.0.0/255.255.255.0" as "10.0.0.0/24"; false when the mask is none. */
static bool with_bits(const char *client, char *text, size_t size)
{
	struct in_addr mask;
	const char *slash = strchr(client, '/');
	unsigned bits = 0;

	if (!slash || inet_pton(AF_INET, slash + 1, &mask) != 1)
		return false;
	uint32_t m = ntohl(mask.s_addr);
	while (bits < 32 && m & (1u << (31 - bits)))
		bits++;
	if (bits < 32 && m << bits)
		return false;
	snprintf(text, size, "%.*s/%u", (int)(slash - client), client, bits);
	return true;
}

void export_client(const char *client, struct str *out)
{
	struct cidr net;
	char text[CIDR_TEXT_SIZE];

	if (!*client) {
		str_adds(out, "*");
		return;
	}
	if (cidr_parse(with_bits(client, text, sizeof(text)) ? text : client, &net)) {
		cidr_format(&net, text);
		str_adds(out, text);
		return;
	}
	bool case_counts = *client == '@' || str_starts(client, "gss/");
	for (; *client; client++)
		str_addc(out, (char)(case_counts ? *client : tolower((unsigned char)*client)));
}

bool export_client_is_host_name(const char *client)
{
	struct cidr net;
	return *client != '@' && !strpbrk(client, "*?[/") && !cidr_parse(client, &net);
}

static bool consists_of(const char *s, const char *marks)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(marks, *s))
			return false;
	return true;
}

bool export_client_is_valid(const char *client)
{
	return *client != '-' && consists_of(client, "-._:/*?[]!@");
}

bool export_option_is_valid(const char *option)
{
	return consists_of(option, "-._:/=@+");
}

void export_line(const char *path, const char *client, const char *options, struct str *out)
{
	for (; *path; path++) {
		unsigned char c = (unsigned char)*path;
		if (iscntrl(c) || isspace(c) || strchr("\"\\#", c))
			str_addf(out, "\\%03o", c);
		else
			str_addc(out, *path);
	}
	str_addf(out, " %s(%s)\n", client, options);
}

static bool is_one_of(const char *path, const char *const *paths)
{
	for (; *paths; paths++)
		if (strcmp(path, *paths) == 0)
			return true;
	return false;
}

/* Every physical line: a comment does not go on after a backslash. */
static void comment_out(const char *text, size_t start, size_t end, struct str *out)
{
	while (start < end) {
		size_t len = strcspn(text + start, "\n");
		len = start + len < end ? len + 1 : end - start;
		str_adds(out, "# taken over by reconcile: ");
		str_add(out, text + start, len);
		start += len;
	}
}

void exports_comment_out(const char *text, const char *const *paths, struct str *out)
{
	CLEANUP(exports_free) struct exports e;
	size_t done = 0;

	exports_parse(text, &e);
	for (size_t i = 0; i < e.list.n; i++) {
		const struct export_entry *x = &e.list.v[i];
		if (x->start < done || !is_one_of(x->path, paths))
			continue;
		str_add(out, text + done, x->start - done);
		comment_out(text, x->start, x->end, out);
		done = x->end;
	}
	str_adds(out, text + done);
}
