/* The environment of a service in a stack file: env_file and environment as one map (loader.go, resolveEnvironment). */
#include "spec/stack.h"

#include <ctype.h>
#include <string.h>

#define ENV_FILE_MAX ((size_t)1 << 20)

struct variables {
	struct stack *stack;
	struct snode_list items;
	json_t *index; /* of items, by name */
};

static void set(struct variables *v, struct snode *n)
{
	size_t at = (size_t)json_int(v->index, n->key, (int64_t)v->items.n);

	if (at < v->items.n) {
		v->items.v[at] = n;
		return;
	}
	json_set_int(v->index, n->key, (int64_t)v->items.n);
	vec_push(&v->items, n);
}

/* What the machine has for the name, if the allow-list has it; NULL. */
static const char *look_up(const struct stack *s, const char *name)
{
	for (const char *const *a = s->in->allow_env; a && *a; a++)
		if (strcmp(*a, name) == 0)
			return getenv(name);
	return NULL;
}

/* A variable without a value, or with an empty one, has that of the machine that deploys (updateEnvironment). */
static struct snode *resolve(struct stack *s, struct snode *n)
{
	const char *value = n->text && *n->text ? NULL : look_up(s, n->key);

	if (value) {
		struct snode *found = build_text(s->arena, n->key, value, n);
		found->from_env = found->mark.hidden = found->key_mark.hidden = true;
		return found;
	}
	if (n->type == SNODE_NULL)
		stack_warn(s, n->key_mark,
			   "the variable %s has no value here: docker stack deploy takes it from the machine it runs "
			   "on; --allow-env %s lets reconcile do so, %s=value settles it",
			   n->key, n->key, n->key);
	return n;
}

static void add_map(struct variables *v, const struct snode *map)
{
	for (size_t i = 0; i < snode_count(map); i++)
		set(v, resolve(v->stack, map->items[i]));
}

/* One line (kvfile.go); returns false after adding an error. */
static bool add_line(struct variables *v, char *line, int number, const struct snode *file)
{
	struct stack *s = v->stack;
	char *value = strchr(line, '=');

	if (value)
		*value++ = '\0';
	if (!*line || strpbrk(line, " \t")) {
		stack_error(s, file->mark, "stack '%s': %s, line %d: expected NAME=value", s->node->key,
			    snode_shown(file), number);
		return false;
	}
	if (value)
		set(v, resolve(s, build_text(s->arena, line, value, file)));
	else if (look_up(s, line))
		set(v, resolve(s, build_text(s->arena, line, "", file)));
	return true;
}

static void add_file(struct variables *v, const struct snode *file)
{
	_cleanup_str_ struct str text = {0};
	int number = 0;

	const char *path = file ? snode_scalar(file) : NULL;

	if (!path || !stack_read(v->stack, file, stack_path(v->stack, path), ENV_FILE_MAX, &text))
		return;
	_cleanup_free_ char *copy = xstrdup(str_cstr(&text));
	char *rest = copy + (str_starts(copy, "\xef\xbb\xbf") ? 3 : 0);
	for (char *line; (line = strsep(&rest, "\n"));) {
		size_t len = strlen(line);
		number++;
		if (len > 0 && line[len - 1] == '\r')
			line[len - 1] = '\0';
		while (isspace((unsigned char)*line))
			line++;
		if (*line && *line != '#' && !add_line(v, line, number, file))
			return;
	}
}

void stack_environment(struct stack *s, struct snode *service)
{
	const struct snode *files = snode_get(service, "env_file"), *n = snode_get(service, "environment");
	struct variables v = {.stack = s, .index = json_object()};

	if (files || n) {
		struct snode *map = build_map(s->arena, "environment", n ? n : files);
		if (snode_scalar(files))
			add_file(&v, files);
		for (size_t i = 0; i < snode_count(files); i++)
			add_file(&v, files->items[i]);
		if (n && (n->type == SNODE_SEQ || n->type == SNODE_MAP))
			add_map(&v, stack_pairs(s, n, true));
		build_items(s->arena, map, &v.items);
		build_put(s->arena, service, map);
		build_drop(service, "env_file");
	}
	json_decref(v.index);
}
