#include "spec/spec.h"

#include "spec/check.h"
#include "spec/schema.h"
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

int spec_read_file(const struct spec *s, const char *path, size_t max, struct str *out, struct err *err)
{
	if (!s->files)
		return err_set(err, ERR_NOT_FOUND, "read file '%s': the spec came without its files", path);
	if (s->files->read(s->files, path, max, out, err) < 0)
		return err_wrap(err, "read file '%s'", path);
	return 0;
}
