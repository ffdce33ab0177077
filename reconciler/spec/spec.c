#include "spec/spec.h"

#include "spec/check.h"
#include "spec/schema.h"
#include "spec/stack.h"
#include "spec/yaml.h"

struct spec {
	struct arena *arena;
	struct snode *root;
	struct files *files;
};

/* The checks also see a tree with schema errors, so that all findings come at once. */
static int read_and_check(struct spec *s, const struct spec_input *in, struct diags *diags, struct err *err)
{
	const struct schema *schema;

	if (schema_cluster(&schema, err) < 0)
		return -1;
	s->root = yaml_read(in, s->arena, diags);
	if (s->root) {
		schema_check(schema, s->root, s->arena, diags);
		if (stacks_load(s->root, in, s->arena, diags, err) < 0)
			return -1;
		spec_checks(s->root, in->files, diags);
	}
	diags_sort(diags);
	if (diags->n_errors > 0)
		return err_set(err, ERR_SPEC, "%s: %zu error%s", in->name, diags->n_errors,
			       diags->n_errors == 1 ? "" : "s");
	return 0;
}

int spec_load(const struct spec_input *in, struct spec **out, struct diags *diags, struct err *err)
{
	struct spec *s = xcalloc(1, sizeof(*s));

	s->arena = arena_new();
	s->files = in->files;
	if (read_and_check(s, in, diags, err) < 0) {
		spec_free(s);
		return -1;
	}
	*out = s;
	return 0;
}

void spec_free(struct spec *s)
{
	if (!s)
		return;
	arena_free(s->arena);
	free(s);
}

const struct snode *spec_root(const struct spec *s)
{
	return s->root;
}

const char *spec_cluster(const struct spec *s)
{
	return snode_str(s->root, "cluster");
}

/* Some text with a variable's value is just this. */
static bool holds_value(const struct snode *n, const char *text)
{
	bool found = n->from_env && str_eq(n->text, text);

	for (size_t i = 0; i < n->n_items && !found; i++)
		found = holds_value(n->items[i], text);
	return found;
}

int spec_read_file(const struct spec *s, const char *path, size_t max, struct str *out, struct err *err)
{
	struct err why = {0};

	if (!s->files)
		err_set(&why, ERR_NOT_FOUND, "reading '%s': the spec came without its files", path);
	else if (s->files->read(s->files, path, max, out, &why) == 0)
		return 0;
	if (holds_value(s->root, path))
		return err_set(err, why.code, "reading a file that the value of a variable names: %s",
			       err_code_name(why.code));
	return err_set(err, why.code, "%s", why.msg);
}
