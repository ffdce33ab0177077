/* Spellings that mean the same, brought to one. */
#include "kinds/service/service.h"

#include <ctype.h>
#include <string.h>

/* As the docker client does it (cli/opts/capabilities.go). */
const char *capability_canonical(const char *text, struct str *buf)
{
	str_reset(buf);
	while (isspace((unsigned char)*text))
		text++;
	for (; *text && !isspace((unsigned char)*text); text++)
		str_addc(buf, (char)toupper((unsigned char)*text));
	if (strcmp(str_cstr(buf), "ALL") == 0 || str_starts(str_cstr(buf), "CAP_"))
		return str_cstr(buf);
	char *bare = str_steal(buf);
	str_addf(buf, "CAP_%s", bare);
	free(bare);
	return str_cstr(buf);
}

static void keep_only_all(json_t *set)
{
	if (!json_object_get(set, "ALL"))
		return;
	json_object_clear(set);
	json_set_bool(set, "ALL", true);
}

json_t *caps_effective(json_t *body)
{
	json_t *add = json_object_get(body, "cap_add"), *drop = json_object_get(body, "cap_drop");
	const char *cap;
	json_t *value;

	keep_only_all(add);
	keep_only_all(drop);
	json_object_foreach (add, cap, value)
		json_object_del(drop, cap);
	return body;
}

static void add_trimmed(struct str *buf, const char *s, size_t n)
{
	while (n > 0 && isspace((unsigned char)*s))
		s++, n--;
	while (n > 0 && isspace((unsigned char)s[n - 1]))
		n--;
	str_add(buf, s, n);
}

/* Swarm splits at the operator and trims both sides (swarmkit, manager/constraint). */
const char *constraint_canonical(const char *text, struct str *buf)
{
	const char *eq = strstr(text, "=="), *ne = strstr(text, "!=");
	const char *op = eq ? eq : ne; /* in swarmkit's order */

	str_reset(buf);
	if (!op) {
		str_adds(buf, text);
		return str_cstr(buf);
	}
	add_trimmed(buf, text, (size_t)(op - text));
	str_addf(buf, " %.2s ", op);
	add_trimmed(buf, op + 2, strlen(op + 2));
	return str_cstr(buf);
}

/* Where the engine puts a relative target: configs in "/", secrets in "/run/secrets". */
const char *file_target(const char *dir, const char *name, struct str *buf)
{
	str_reset(buf);
	if (*name != '/')
		str_addf(buf, "%s/", dir);
	str_adds(buf, name);
	return str_cstr(buf);
}

const char *mount_target(const char *target, struct str *buf)
{
	size_t n = strlen(target);

	while (n > 1 && target[n - 1] == '/')
		n--;
	str_reset(buf);
	str_add(buf, target, n);
	return str_cstr(buf);
}

/*
 * A command line as `docker stack` splits it (github.com/google/shlex): blanks
 * separate, '…' is literal, "…" knows the backslash, # begins a comment where a
 * word would begin.
 */
struct splitter {
	const char *p;
	struct str word;
	bool has_word;
	json_t *words;
};

static void end_word(struct splitter *s)
{
	if (s->has_word)
		json_array_append_new(s->words, json_string(str_cstr(&s->word)));
	str_reset(&s->word);
	s->has_word = false;
}

static bool take_quoted(struct splitter *s)
{
	char quote = *s->p++;

	s->has_word = true;
	for (; *s->p && *s->p != quote; s->p++) {
		if (quote == '"' && *s->p == '\\' && s->p[1])
			s->p++;
		str_addc(&s->word, *s->p);
	}
	return *s->p == quote;
}

json_t *words_split(const char *text)
{
	struct splitter s = {.p = text, .words = json_array()};
	bool ok = true;

	for (; ok && *s.p; s.p += *s.p != '\0') {
		if (isspace((unsigned char)*s.p)) {
			end_word(&s);
		} else if (*s.p == '#' && !s.has_word) {
			s.p += strcspn(s.p, "\n");
		} else if (*s.p == '\'' || *s.p == '"') {
			ok = take_quoted(&s);
		} else {
			if (*s.p == '\\' && s.p[1])
				s.p++;
			s.has_word = true;
			str_addc(&s.word, *s.p);
		}
	}
	end_word(&s);
	str_free(&s.word);
	if (ok)
		return s.words;
	json_decref(s.words);
	return NULL;
}
