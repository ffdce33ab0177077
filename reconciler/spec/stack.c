#include "spec/stack.h"

#include "spec/schema.h"
#include "spec/stack_scope.h"
#include "spec/yaml.h"

#include <string.h>

#define FILE_MAX_LEN ((size_t)1 << 20)

/* Paths */

/* a/./b/../c is a/c; what leads above the beginning keeps its "..", and reading it fails. */
static char *clean_path(const char *path)
{
	_cleanup_free_ char *copy = xstrdup(path);
	VEC(const char *) parts = {0};
	struct str out = {0};
	char *rest = copy;

	for (char *part; (part = strsep(&rest, "/"));) {
		if (!*part || strcmp(part, ".") == 0)
			continue;
		if (strcmp(part, "..") == 0 && parts.n > 0 && strcmp(parts.v[parts.n - 1], "..") != 0)
			parts.n--;
		else
			vec_push(&parts, part);
	}
	if (*path == '/')
		str_addc(&out, '/');
	for (size_t i = 0; i < parts.n; i++)
		str_addf(&out, "%s%s", i > 0 ? "/" : "", parts.v[i]);
	vec_free(&parts);
	if (out.len == 0)
		str_addc(&out, '.');
	return str_steal(&out);
}

const char *stack_path(const struct stack *s, const char *path)
{
	_cleanup_free_ char *joined = *path == '/' ? xstrdup(path) : xasprintf("%s%s", s->files_dir, path);
	_cleanup_free_ char *clean = clean_path(joined);

	return arena_strdup(s->arena, clean);
}

/* As diagnostics and plans name it: beside the spec's own name, "<commit>:infra/cluster.yaml". */
static const char *shown_name(const struct stack *s, const char *path)
{
	const char *name = s->in->name, *slash = strrchr(name, '/'), *colon = strrchr(name, ':');
	const char *end = slash ? slash + 1 : colon ? colon + 1 : name;

	return arena_printf(s->arena, "%.*s%s", (int)(end - name), name, path);
}

bool stack_read(struct stack *s, const struct snode *n, const char *path, size_t max, struct str *out)
{
	struct err why = {0};

	if (!s->in->files)
		stack_error(s, n->mark,
			    "stack '%s': the file '%s' cannot be read, because the spec does not come from a "
			    "directory or a repository",
			    s->node->key, snode_shown(n));
	else if (s->in->files->read(s->in->files, path, max, out, &why) == 0)
		return true;
	else if (n->from_env)
		stack_error(s, n->mark, "stack '%s': reading '%s': %s", s->node->key, snode_shown(n),
			    err_code_name(why.code));
	else
		stack_error(s, n->mark, "stack '%s': %s", s->node->key, why.msg);
	return false;
}

/* Files */

static void drop_extensions(struct snode *map)
{
	size_t kept = 0;

	for (size_t i = 0; i < snode_count(map) && map->type == SNODE_MAP; i++)
		if (!str_starts(map->items[i]->key, "x-"))
			map->items[kept++] = map->items[i];
	if (map && map->type == SNODE_MAP)
		map->n_items = kept;
}

/* NULL: findings say why. */
static struct snode *load_file(struct stack *s, const struct schema *schema, const struct snode *named)
{
	_cleanup_str_ struct str text = {0};
	const char *path = snode_scalar(named);
	size_t errors = s->diags->n_errors;

	if (!path || !stack_read(s, named, path, FILE_MAX_LEN, &text))
		return NULL;
	struct spec_input in = {
		.name = diags_source(s->diags, shown_name(s, snode_shown(named)), str_cstr(&text)),
		.text = str_cstr(&text),
		.len = text.len,
		.allow_env = s->in->allow_env,
		.may_be_empty = true,
		.stack_file = true,
	};
	in.name = arena_strdup(s->arena, in.name); /* marks outlive the findings */
	struct snode *file = yaml_read(&in, s->arena, s->diags);
	if (!file) {
		if (s->diags->n_errors == errors)
			stack_error(s, named->mark, "stack '%s': the file has nothing in it", s->node->key);
		return NULL;
	}
	schema_check(schema, file, s->arena, s->diags);
	if (s->diags->n_errors > errors)
		return NULL;
	drop_extensions(file);
	const struct snode *services = snode_get(file, "services");
	for (size_t i = 0; i < snode_count(services); i++)
		drop_extensions(services->items[i]);
	stack_normalize(s, file);
	return s->diags->n_errors > errors ? NULL : file;
}

/* "3" is the newest 3.x to docker/cli, as no version is (schema.go). */
static const char *version_of(const struct snode *file)
{
	const char *version = snode_str(file, "version");

	return !version || !*version || strcmp(version, "3") == 0 ? "3.13" : version;
}

static void add_file(struct stack *s, const struct schema *schema, const struct snode *named)
{
	struct snode *file = load_file(s, schema, named);
	const struct snode *version = snode_get(file, "version");

	if (!file)
		return;
	if (!s->file) {
		s->file = file;
		return;
	}
	if (strcmp(version_of(s->file), version_of(file)) != 0)
		stack_error(s, version ? version->mark : named->mark,
			    "docker stack deploy refuses files of different versions: this one has %s, the first %s",
			    version_of(file), version_of(s->file));
	stack_merge(s, s->file, file);
}

static const char *directory_of(struct arena *a, const char *path)
{
	const char *slash = path ? strrchr(path, '/') : NULL;

	return slash ? arena_strndup(a, path, (size_t)(slash - path) + 1) : "";
}

static void load_stack(struct stack *s, const struct schema *schema)
{
	const struct snode *one = snode_get(s->node, "file"), *list = snode_get(s->node, "files");
	size_t errors = s->diags->n_errors;

	s->host_dir = snode_str(s->node, "directory");
	s->files_dir = directory_of(s->arena, one                     ? snode_scalar(one)
					      : snode_count(list) > 0 ? snode_scalar(list->items[0])
								      : NULL);
	if (one)
		add_file(s, schema, one);
	for (size_t i = 0; i < snode_count(list); i++)
		add_file(s, schema, list->items[i]);
	if (s->diags->n_errors > errors)
		s->file = NULL; /* a half of a stack would only give more findings */
}

int stacks_load(struct snode *root, const struct spec_input *in, struct arena *arena, struct diags *diags,
		struct err *err)
{
	const struct snode *map = snode_get(root, "stacks");
	const struct schema *schema;
	VEC(struct stack) stacks = {0};

	if (!map || map->type != SNODE_MAP || map->n_items == 0)
		return 0;
	if (schema_stack(&schema, err) < 0)
		return -1;
	for (size_t i = 0; i < map->n_items; i++) {
		struct stack s = {.node = map->items[i], .in = in, .arena = arena, .diags = diags};
		if (s.node->type == SNODE_MAP)
			load_stack(&s, schema);
		vec_push(&stacks, s);
	}
	stacks_splice(root, stacks.v, stacks.n);
	vec_free(&stacks);
	return 0;
}
