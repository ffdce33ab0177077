/* Commands that print a secret: named in the settings, run without a shell, their words kept to themselves. */
#include "kinds/secret/secret.h"
#include "sys/clock.h"

#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS (INT64_C(30) * 1000)
#define ENCRYPTED_MAX ((size_t)4 << 20) /* as spec/check_files.c */
#define ENTRY "{name}"

int command_allowed(const struct settings *s, const struct snode *section, struct err *err)
{
	const struct snode *name = snode_get(section, "command");
	const struct settings_command *c = settings_command(s, name->text);
	bool asks_entry = snode_get(section, "entry") != NULL;
	char buf[512];

	if (!c)
		return err_set(err, ERR_DENIED, "there is no command '%s': name it under 'commands' in %s",
			       snode_shown(name), settings_named(s, buf));
	if (c->takes_entry && !asks_entry)
		return err_set(err, ERR_DENIED, "the command '%s' takes an 'entry', not a file", snode_shown(name));
	if (!c->takes_entry && asks_entry)
		return err_set(err, ERR_DENIED,
			       "the command '%s' takes a 'file', not an entry: it has no " ENTRY " in %s",
			       snode_shown(name), settings_named(s, buf));
	return 0;
}

static char *replace_entry(const char *arg, const char *entry)
{
	struct str s = {0};

	for (const char *at; (at = strstr(arg, ENTRY)); arg = at + strlen(ENTRY)) {
		str_add(&s, arg, (size_t)(at - arg));
		str_adds(&s, entry);
	}
	str_adds(&s, arg);
	return str_steal(&s);
}

/* A list of strings of its own, NULL-terminated. */
struct strings {
	VEC(char *) list;
};

static void strings_free(struct strings *s)
{
	for (size_t i = 0; i < s->list.n; i++)
		free(s->list.v[i]);
	vec_free(&s->list);
}

static void make_argv(const struct settings_command *c, const char *entry, struct strings *out)
{
	for (size_t i = 0; c->argv[i]; i++)
		vec_push(&out->list, replace_entry(c->argv[i], entry));
	vec_push(&out->list, NULL);
}

static bool is_named(const char *variable, size_t len, const char *const *names)
{
	for (; *names; names++) {
		size_t n = strlen(*names);
		if (str_ends(*names, "*") ? len >= n - 1 && strncmp(variable, *names, n - 1) == 0
					  : len == n && strncmp(variable, *names, n) == 0)
			return true;
	}
	return false;
}

/* What such programs find their keys by, and nothing else of what this process knows. */
static void make_env(const struct settings *s, struct strings *out)
{
	static const char *const usual[] = {"PATH",   "HOME",  "LANG", "GNUPGHOME", "PASSWORD_STORE_DIR",
					    "SOPS_*", "AGE_*", NULL};

	for (char **e = environ; e && *e; e++) {
		size_t len = strcspn(*e, "=");
		if (is_named(*e, len, usual) || is_named(*e, len, s->command_env))
			vec_push(&out->list, xstrdup(*e));
	}
	vec_push(&out->list, NULL);
}

static void add_word(struct str *s, const char *word)
{
	static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=./:,@%";

	if (*word && word[strspn(word, plain)] == '\0') {
		str_adds(s, word);
		return;
	}
	str_addc(s, '\'');
	for (; *word; word++)
		str_adds(s, *word == '\'' ? "'\\''" : (char[]){*word, '\0'});
	str_addc(s, '\'');
}

/* As a shell takes it. A variable's value is not shown, so its place is. */
static char *by_hand(const struct settings_command *c, const struct snode *entry, const struct snode *file)
{
	struct str s = {0};

	for (size_t i = 0; c->argv[i]; i++) {
		_cleanup_free_ char *arg = replace_entry(c->argv[i], entry && !entry->from_env ? entry->text : ENTRY);
		str_adds(&s, i ? " " : "");
		add_word(&s, arg);
	}
	if (file) {
		str_adds(&s, " < ");
		add_word(&s, file->from_env ? "FILE" : file->text);
	}
	return str_steal(&s);
}

void command_start(struct reading *r)
{
	const struct settings *settings = r->fetch->cluster->settings;
	const struct settings_command *c = settings_command(settings, snode_str(r->section, "command"));
	const struct snode *file = snode_get(r->section, "file"), *entry = snode_get(r->section, "entry");
	CLEANUP(strings_free) struct strings argv = {0}, env = {0};
	_cleanup_str_ struct str input = {0};
	int64_t limit = clock_ms() + TIMEOUT_MS;

	if (file && spec_read_file(r->fetch->spec, file->text, ENCRYPTED_MAX, &input, &r->err) < 0)
		return;
	make_argv(c, entry ? entry->text : "", &argv);
	make_env(settings, &env);
	const struct proc_options o = {
		.argv = (const char *const *)argv.list.v,
		.env = (const char *const *)env.list.v,
		.cwd = "/", /* a checkout under review may have files that such programs read by themselves */
		.input = file ? str_cstr(&input) : NULL,
		.input_len = input.len,
		.deadline = limit < r->fetch->deadline ? limit : r->fetch->deadline,
		.max_output = SECRET_LIMIT - 1,
	};
	if (proc_start(&o, &r->proc, &r->err) < 0)
		err_wrap(&r->err, "command '%s'", snode_shown(snode_get(r->section, "command")));
	else
		r->by_hand = by_hand(c, entry, file);
}

static void take_result(struct reading *r, struct proc_result *p)
{
	const char *name = snode_shown(snode_get(r->section, "command"));

	if (p->exit_status == 0) {
		r->content = p->out;
		p->out = (struct str){0};
		return;
	}
	_cleanup_free_ char *how = p->signal ? xasprintf("was ended by signal %d", p->signal)
					     : xasprintf("failed with exit status %d", p->exit_status);
	err_set(&r->err, ERR_FAILED,
		"the command '%s' %s; what it wrote is not shown, for it may be the secret: try it by hand: %s", name,
		how, r->by_hand);
}

void command_finish(struct reading *r)
{
	_cleanup_proc_result_ struct proc_result p = {0};

	if (proc_finish(r->proc, &p, &r->err) < 0) {
		err_wrap(&r->err, "command '%s'", snode_shown(snode_get(r->section, "command")));
		return;
	}
	take_result(r, &p);
	if (p.out.data)
		explicit_bzero(p.out.data, p.out.cap);
	if (p.err.data)
		explicit_bzero(p.err.data, p.err.cap);
}
