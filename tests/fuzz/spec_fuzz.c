/*
 * The loader of specs: any bytes give a spec or findings, and both can be
 * printed. clang -fsanitize=fuzzer,address,undefined; replay.c runs a corpus.
 */
#include "spec/spec.h"

#include <assert.h>
#include <string.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What every tree promises (spec.h), also to who reads it without looking twice. */
static void walk(const struct snode *n, int depth)
{
	assert(depth <= 64 + 8); /* defaults may stand below the deepest map */
	assert(n->mark.line > 0 && n->mark.col > 0 && n->key_mark.line > 0);
	bool container = n->type == SNODE_SEQ || n->type == SNODE_MAP;
	assert(container || (n->text && n->n_items == 0));
	for (size_t i = 0; i < n->n_items; i++) {
		assert((n->items[i]->key != NULL) == (n->type == SNODE_MAP));
		walk(n->items[i], depth + 1);
	}
}

/* The input, as whatever file the spec names. */
struct one_file {
	struct files files; /* first */
	const char *text;
	size_t len;
};

static int read_one(struct files *f, const char *path, size_t max, struct str *out, struct err *err)
{
	const struct one_file *one = (const struct one_file *)f;

	if (one->len > max)
		return err_set(err, ERR_LIMIT, "reading '%s': it is too large", path);
	str_add(out, one->text, one->len);
	return 0;
}

static void load(const char *text, size_t size, struct files *files)
{
	static const char *const allow[] = {"HOME", "UNSET_VARIABLE", NULL};
	_cleanup_str_ struct str printed = {0};
	struct diags diags = {0};
	struct spec *spec = NULL;
	struct err err;
	struct spec_input in = {.name = "fuzz", .text = text, .len = size, .files = files, .allow_env = allow};

	int loaded = spec_load(&in, &spec, &diags, &err);
	assert((loaded == 0) == (diags.n_errors == 0) && (loaded == 0) == (spec != NULL));
	assert(loaded == 0 || err.code == ERR_SPEC);
	diags_print(&diags, text, &printed);
	if (spec) {
		walk(spec_root(spec), 1);
		json_decref(snode_json(spec_root(spec)));
	}
	spec_free(spec);
	diags_free(&diags);
}

/* As a spec, as a stack file and as one that overrides it, and as what those name. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char stacks[] = "version: 1\ncluster: c\npolicy: {adopt: [stack/s]}\n"
				     "stacks: {s: {files: [a, b], directory: /srv}, t: {file: a, after: [stack/s]}}\n";
	_cleanup_free_ char *text = xcalloc(1, size + 1);

	if (size > 0)
		memcpy(text, data, size);
	struct one_file one = {{read_one}, text, size};
	load(text, size, NULL);
	load(stacks, strlen(stacks), &one.files);
	return 0;
}
