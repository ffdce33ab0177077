#include "spec/settings.h"

#include "spec/schema.h"
#include "spec/yaml.h"

#include <string.h>

#define ENTRY "{name}"

static const char *const nothing[] = {NULL};

struct settings *settings_none(void)
{
	struct settings *s = xcalloc(1, sizeof(*s));

	s->arena = arena_new();
	s->allow_env = s->allow_files = s->command_env = nothing;
	return s;
}

void settings_free(struct settings *s)
{
	if (!s)
		return;
	arena_free(s->arena);
	free(s);
}

/* What no schema can say. */
static void check(const struct snode *root, struct diags *diags)
{
	const struct snode *spec = snode_get(root, "spec"), *commands = snode_get(root, "commands");

	if (spec && snode_get(root, "repo"))
		diag_add(diags, DIAG_ERROR, spec->key_mark, "write either 'spec' or 'repo'");
	for (size_t i = 0; i < snode_count(commands); i++) {
		const struct snode *argv = commands->items[i];
		const char *program = snode_count(argv) > 0 ? snode_scalar(argv->items[0]) : NULL;
		if (program && *program == '\0')
			diag_add(diags, DIAG_ERROR, argv->items[0]->mark, "command '%s': the program has no name",
				 argv->key);
		if (program && strstr(program, ENTRY))
			diag_add(diags, DIAG_ERROR, argv->items[0]->mark,
				 "command '%s': a spec would choose the program: " ENTRY " stands for an argument",
				 argv->key);
	}
}

static const char *text_of(struct settings *s, const struct snode *root, const char *key)
{
	const char *text = snode_str(root, key);
	return text ? arena_strdup(s->arena, text) : NULL;
}

static const char *const *list_of(struct settings *s, const struct snode *list)
{
	size_t n = snode_count(list);
	const char **out = arena_alloc(s->arena, (n + 1) * sizeof(*out));

	for (size_t i = 0; i < n; i++)
		out[i] = arena_strdup(s->arena, list->items[i]->text);
	return out;
}

static void take_commands(struct settings *s, const struct snode *commands)
{
	struct settings_command *all = arena_alloc(s->arena, (snode_count(commands) + 1) * sizeof(*all));

	for (size_t i = 0; i < snode_count(commands); i++) {
		const struct snode *argv = commands->items[i];
		struct settings_command *c = &all[i];
		c->name = arena_strdup(s->arena, argv->key);
		c->argv = list_of(s, argv);
		for (size_t k = 0; c->argv[k]; k++)
			c->takes_entry |= strstr(c->argv[k], ENTRY) != NULL;
	}
	s->commands = all;
	s->n_commands = snode_count(commands);
}

static void take(struct settings *s, const struct snode *root)
{
	s->repo = text_of(s, root, "repo");
	s->ref = text_of(s, root, "ref");
	s->path = text_of(s, root, "path");
	s->spec = text_of(s, root, "spec");
	s->docker_host = text_of(s, root, "docker_host");
	s->state_dir = text_of(s, root, "state_dir");
	s->allow_env = list_of(s, snode_get(root, "allow_env"));
	s->allow_files = list_of(s, snode_get(root, "allow_files"));
	s->command_env = list_of(s, snode_get(root, "command_env"));
	take_commands(s, snode_get(root, "commands"));
}

int settings_parse(const struct spec_input *in, struct settings **out, struct diags *diags, struct err *err)
{
	const struct schema *schema;
	struct spec_input input = *in;

	if (schema_settings(&schema, err) < 0)
		return -1;
	input.may_be_empty = true;
	struct settings *s = settings_none();
	struct snode *root = yaml_read(&input, s->arena, diags);
	if (root) {
		schema_check(schema, root, s->arena, diags);
		check(root, diags);
	}
	diags_sort(diags);
	if (diags->n_errors > 0) {
		settings_free(s);
		return err_set(err, ERR_USAGE, "%s: %zu error%s", in->name, diags->n_errors,
			       diags->n_errors == 1 ? "" : "s");
	}
	s->file = arena_strdup(s->arena, in->name);
	if (root)
		take(s, root);
	*out = s;
	return 0;
}

static size_t length(const char *const *list)
{
	size_t n = 0;

	while (list[n])
		n++;
	return n;
}

void settings_allow_env(struct settings *s, const char *name)
{
	size_t n = length(s->allow_env);
	const char **more = arena_alloc(s->arena, (n + 2) * sizeof(*more));

	memcpy(more, s->allow_env, n * sizeof(*more));
	more[n] = arena_strdup(s->arena, name);
	s->allow_env = more;
}

const struct settings_command *settings_command(const struct settings *s, const char *name)
{
	for (size_t i = 0; s && i < s->n_commands; i++)
		if (strcmp(s->commands[i].name, name) == 0)
			return &s->commands[i];
	return NULL;
}

bool settings_allows_env(const struct settings *s, const char *name)
{
	for (const char *const *p = s ? s->allow_env : nothing; *p; p++)
		if (strcmp(*p, name) == 0)
			return true;
	return false;
}
