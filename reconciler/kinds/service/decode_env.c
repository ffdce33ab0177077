/* environment and env_file. */
#include "kinds/service/service.h"
#include "kinds/util.h"

#include <ctype.h>
#include <string.h>

#define ENV_FILE_MAX (1 << 20)

/* Environment */

static void set_variable(json_t *env, const char *name, size_t len, json_t *value)
{
	_cleanup_free_ char *key = xasprintf("%.*s", (int)len, name);
	json_set(env, key, value);
}

static void decode_environment(struct service_decoder *s, json_t *env, const struct snode *n)
{
	for (size_t i = 0; i < snode_count(n); i++) {
		const struct snode *item = n->items[i];
		const char *text = snode_scalar(item);
		if (n->type == SNODE_MAP) {
			json_set(env, item->key, text && item->type != SNODE_NULL ? json_string(text) : json_null());
		} else if (text) {
			const char *eq = strchr(text, '=');
			set_variable(env, text, strcspn(text, "="), eq ? json_string(eq + 1) : json_null());
		}
	}
	mark_members(s->d->out, s->r, "env", n);
}

/* A value in double quotes: \n and the like become what they mean, other backslashes only protect. */
static const char *take_double_quoted(const char *p, struct str *value)
{
	static const char from[] = "nrt", to[] = "\n\r\t";

	for (; *p && *p != '"'; p++) {
		const char *escape = *p == '\\' && p[1] ? strchr(from, p[1]) : NULL;
		if (*p == '\\' && p[1])
			p++;
		str_addc(value, escape ? to[escape - from] : *p);
	}
	return *p ? p + 1 : NULL;
}

static const char *take_single_quoted(const char *p, struct str *value)
{
	size_t n = strcspn(p, "'");
	str_add(value, p, n);
	return p[n] ? p + n + 1 : NULL;
}

/* To the end of the line; " #" begins a comment. */
static const char *take_bare(const char *p, struct str *value)
{
	size_t n = strcspn(p, "\n"), len = 0;

	while (len < n && !(p[len] == '#' && len > 0 && isblank((unsigned char)p[len - 1])))
		len++;
	while (len > 0 && isspace((unsigned char)p[len - 1]))
		len--;
	str_add(value, p, len);
	return p + n;
}

static const char *take_value(const char *p, bool raw, struct str *value)
{
	size_t n = strcspn(p, "\n");

	if (raw) {
		str_add(value, p, n > 0 && p[n - 1] == '\r' ? n - 1 : n);
		return p + n;
	}
	p += strspn(p, " \t");
	if (*p == '"')
		return take_double_quoted(p + 1, value);
	return *p == '\'' ? take_single_quoted(p + 1, value) : take_bare(p, value);
}

/*
 * One "NAME=value" of an env_file; NULL when a quote is not closed. Without
 * "format: raw" quotes and comments are those of the Compose Specification. A
 * "$" stays as it is: files read no variables.
 */
static const char *take_variable(const char *p, bool raw, json_t *env)
{
	_cleanup_str_ struct str value = {0};

	if (str_starts(p, "export "))
		p += strlen("export ");
	const char *name = p;
	size_t to_eq = strcspn(p, "=\n"), len = to_eq;
	while (len > 0 && isspace((unsigned char)p[len - 1]))
		len--;
	if (p[to_eq] != '=')
		return p + to_eq;
	p = take_value(p + to_eq + 1, raw, &value);
	set_variable(env, name, len, json_string(str_cstr(&value)));
	return p ? p + strcspn(p, "\n") : NULL;
}

static int line_of(const char *text, const char *at)
{
	int line = 1;
	for (; text < at; text++)
		line += *text == '\n';
	return line;
}

static int read_env_file(struct service_decoder *s, json_t *env, const struct snode *path, bool raw, struct err *err)
{
	_cleanup_str_ struct str content = {0};

	if (spec_read_file(s->d->spec, path->text, ENV_FILE_MAX, &content, err) < 0)
		return err_wrap(err, "env_file");
	for (const char *p = str_cstr(&content), *start; *p; p += *p == '\n') {
		p += strspn(p, " \t\r");
		start = p;
		if (*p == '#')
			p += strcspn(p, "\n");
		else if (*p && *p != '\n')
			p = take_variable(p, raw, env);
		if (!p)
			return err_set(err, ERR_SPEC, "env_file %s: line %d: a quote is not closed", snode_shown(path),
				       line_of(str_cstr(&content), start));
	}
	return 0;
}

static int decode_env_file(struct service_decoder *s, json_t *env, const struct snode *n, struct err *err)
{
	const struct snode *path = n->type == SNODE_MAP ? snode_get(n, "path") : n;
	struct err why = {0};

	if (!snode_scalar(path) || read_env_file(s, env, path, str_eq(snode_str(n, "format"), "raw"), &why) == 0)
		return 0;
	if (why.code == ERR_NOT_FOUND && n->type == SNODE_MAP && !snode_bool(n, "required", true))
		return 0;
	*err = why;
	return -1;
}

int decode_env(struct service_decoder *s, struct err *err)
{
	const struct snode *files = snode_get(s->node, "env_file"), *n = snode_get(s->node, "environment");
	json_t *env = json_object();

	json_set(s->body, "env", env);
	if (files && files->type != SNODE_SEQ && decode_env_file(s, env, files, err) < 0)
		return -1;
	for (size_t i = 0; files && files->type == SNODE_SEQ && i < files->n_items; i++)
		if (decode_env_file(s, env, files->items[i], err) < 0)
			return -1;
	if (files)
		resource_mark(s->d->out, s->r, "env", files->key_mark);
	if (n)
		resource_mark(s->d->out, s->r, "env", n->key_mark);
	decode_environment(s, env, n);
	return 0;
}
