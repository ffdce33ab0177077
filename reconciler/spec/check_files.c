/* Configs, secrets and env files: that they can be read, and what Swarm accepts of them. FACTS C. */
#include "spec/check_util.h"
#include "spec/stack.h"

#include <ctype.h>
#include <string.h>

#define OBJECT_NAME_MAX 64 /* swarmkit: validateConfigOrSecretAnnotations */
#define HASH_SUFFIX 13     /* a dash and what tells contents apart: kinds/content.c */
#define CONFIG_MAX 1024000 /* swarmkit: MaxConfigSize; this many are refused */
#define SECRET_MAX 512000  /* swarmkit: MaxSecretSize */
#define ENV_FILE_MAX ((size_t)1 << 20)
#define ENCRYPTED_MAX ((size_t)4 << 20) /* a secret of the largest size, armored */

/* A new string. The path stands in err's message too. */
static char *reading_failed(const struct snode *path, const struct err *err)
{
	if (!path->from_env)
		return xstrdup(err->msg);
	return xasprintf("reading '%s': %s", snode_shown(path), err_code_name(err->code));
}

/*
 * Reads the file that n names; what fails is a finding at n. Returns false then. A file that does not exist is a
 * warning when what it is for can wait for it.
 */
static bool read_named(struct checker *c, const struct snode *n, const char *what, bool can_wait, size_t max,
		       struct str *out)
{
	struct err err = {0};

	if (!c->files) {
		check_error(c, n->mark,
			    "%s: the file '%s' cannot be read, because the spec does not come from a directory or "
			    "a repository",
			    what, snode_shown(n));
		return false;
	}
	if (c->files->read(c->files, n->text, max, out, &err) == 0)
		return true;
	_cleanup_free_ char *why = reading_failed(n, &err);
	if (can_wait && err.code == ERR_NOT_FOUND)
		check_warn(c, n->mark, "%s: %s; the plan blocks what uses it until the file is there", what, why);
	else
		check_error(c, n->mark, "%s: %s", what, why);
	return false;
}

static void content_size(struct checker *c, const struct snode *n, const char *who, size_t len, size_t max)
{
	if (len == 0)
		check_error(c, n->mark, "%s: it is empty, and Swarm refuses that", who);
	else if (len >= max)
		check_error(c, n->mark, "%s: Swarm takes less than %zu bytes, this has %zu", who, max, len);
}

static void object_name(struct checker *c, const struct snode *item, const char *who)
{
	const struct snode *own = snode_get(item, "name");
	const char *name = own && snode_scalar(own) ? own->text : item->key;
	size_t max = OBJECT_NAME_MAX - (snode_bool(item, "external", false) || stack_owns(item) ? 0 : HASH_SUFFIX);

	if (strlen(name) > max)
		check_error(c, own ? own->mark : item->key_mark,
			    "%s: the name has %zu characters; at most %zu leave room for the hash of the content in "
			    "Swarm's 64",
			    who, strlen(name), max);
}

static void object(struct checker *c, const struct snode *item, const char *kind, size_t max)
{
	const struct snode *file = snode_get(item, "file"), *content = snode_get(item, "content");
	_cleanup_str_ struct str text = {0};
	char who[WHO_SIZE];

	who_is(who, kind, item);
	object_name(c, item, who);
	if (snode_scalar(file) && read_named(c, file, who, true, max, &text))
		content_size(c, file, who, text.len, max);
	if (snode_scalar(content))
		content_size(c, content, who, strlen(content->text), max);
}

static void config(struct checker *c, const struct snode *item)
{
	object(c, item, "config", CONFIG_MAX);
}

/* What is decrypted later: that the file is there can be seen now. */
static void encrypted(struct checker *c, const struct snode *item, const struct snode *command)
{
	static const char *const others[] = {"content", "environment", "external", "host_file"};
	const struct snode *file = snode_get(item, "file");
	_cleanup_str_ struct str text = {0};
	char who[WHO_SIZE];

	who_is(who, "secret", item);
	object_name(c, item, who);
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		if (snode_get(item, others[i]))
			check_error(c, command->key_mark,
				    "%s: 'command' goes with 'file', the encrypted file beside the spec, or with "
				    "'entry', not with '%s'",
				    who, others[i]);
	if (snode_scalar(file) && read_named(c, file, who, true, ENCRYPTED_MAX, &text) && text.len == 0)
		check_error(c, file->mark, "%s: %s is empty, there is nothing to decrypt", who, snode_shown(file));
}

static void secret(struct checker *c, const struct snode *item)
{
	const struct snode *command = snode_get(item, "command");

	if (command)
		encrypted(c, item, command);
	else
		object(c, item, "secret", SECRET_MAX);
}

/* Behind the closing quote; NULL: there is none. */
static const char *skip_quoted(const char *p)
{
	char quote = *p++;

	while (*p && *p != quote)
		p += quote == '"' && *p == '\\' && p[1] ? 2 : 1;
	return *p ? p + 1 : NULL;
}

struct env_file {
	struct checker *c;
	const struct snode *node; /* names the file */
	const char *who, *path;   /* for messages */
	bool raw;
};

/* One NAME=value at p; returns the end of its last line, NULL after adding an error. */
static const char *variable(const struct env_file *f, const char *p, int line)
{
	if (str_starts(p, "export "))
		p += strlen("export ");
	size_t name = strcspn(p, "=\n");

	if (p[name] != '=' || name == 0 || isspace((unsigned char)*p)) {
		check_error(f->c, f->node->mark, "%s: %s, line %d: expected NAME=value", f->who, f->path, line);
		return NULL;
	}
	p += name + 1;
	while (!f->raw && isblank((unsigned char)*p))
		p++;
	if (!f->raw && (*p == '"' || *p == '\'')) {
		p = skip_quoted(p);
		if (!p) {
			check_error(f->c, f->node->mark, "%s: %s, line %d: a quote is not closed", f->who, f->path,
				    line);
			return NULL;
		}
	}
	return p + strcspn(p, "\n");
}

static void variables(const struct env_file *f, const char *text)
{
	int line = 1;

	for (const char *p = text; p && *p;) {
		const char *start = p;
		p += strspn(p, " \t\r");
		p = *p == '\n' || *p == '#' || !*p ? p + strcspn(p, "\n") : variable(f, p, line);
		if (p && *p == '\n')
			p++;
		for (; p && start < p; start++)
			line += *start == '\n';
	}
}

static void env_file(struct checker *c, const struct snode *service, const struct snode *item)
{
	const struct snode *path = item->type == SNODE_MAP ? snode_get(item, "path") : item;
	_cleanup_str_ struct str text = {0};
	struct err err = {0};
	char who[WHO_SIZE];

	if (!snode_scalar(path))
		return;
	who_is(who, "service", service);
	if (c->files && !snode_bool(item, "required", true) &&
	    c->files->read(c->files, path->text, ENV_FILE_MAX, &text, &err) < 0 && err.code == ERR_NOT_FOUND)
		return;
	str_reset(&text);
	if (!read_named(c, path, who, false, ENV_FILE_MAX, &text))
		return;
	struct env_file f = {c, path, who, snode_shown(path), str_eq(snode_str(item, "format"), "raw")};
	if (memchr(str_cstr(&text), '\0', text.len))
		check_error(c, path->mark, "%s: %s is not a text file", who, f.path);
	else
		variables(&f, str_cstr(&text));
}

static void env_files(struct checker *c, const struct snode *service)
{
	const struct snode *list = snode_get(service, "env_file");

	if (snode_scalar(list))
		env_file(c, service, list);
	for (size_t i = 0; i < snode_count(list); i++)
		env_file(c, service, list->items[i]);
}

const struct check_row checks_files[] = {
	{"configs", true, config},
	{"secrets", true, secret},
	{"services", true, env_files},
	{NULL, false, NULL},
};
