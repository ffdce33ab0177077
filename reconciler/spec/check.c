#include "spec/check_util.h"

static const struct check_row *const tables[] = {
	checks_refs,  checks_order,   checks_cluster, checks_service, checks_deploy, checks_ollama,
	checks_place, checks_traefik, checks_nfs,     checks_files,   checks_absent,
};

static void run(struct checker *c, const struct check_row *row)
{
	const struct snode *section = row->section ? section_of(c, row->section) : c->root;

	if (!section || section->type != SNODE_MAP)
		return;
	if (!row->each) {
		row->fn(c, section);
		return;
	}
	for (size_t i = 0; i < section->n_items; i++)
		row->fn(c, section->items[i]);
}

void spec_checks(const struct snode *root, struct files *files, struct diags *diags)
{
	struct checker c = {.root = root, .files = files, .diags = diags};

	if (!root || root->type != SNODE_MAP)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct check_row *row = tables[i]; row->fn; row++)
			run(&c, row);
}
