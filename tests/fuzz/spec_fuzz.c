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

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char *const allow[] = {"HOME", "UNSET_VARIABLE", NULL};
	_cleanup_free_ char *text = xcalloc(1, size + 1);
	_cleanup_str_ struct str printed = {0};
	struct diags diags = {0};
	struct spec *spec = NULL;
	struct err err;

	if (size > 0)
		memcpy(text, data, size);
	struct spec_input in = {.name = "fuzz", .text = text, .len = size, .allow_env = allow};
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
	return 0;
}
