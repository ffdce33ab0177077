#include "spec/check_util.h"
#include "spec/stack.h"

/* advice: what Swarm runs all the same is a warning for the service of a stack, which may be running for long. */
static const struct {
	const struct check_row *rows;
	bool advice;
} tables[] = {
	{checks_refs, false},   {checks_order, false}, {checks_cluster, false}, {checks_service, false},
	{checks_deploy, false}, {checks_ollama, true}, {checks_place, true},    {checks_policy, false},
	{checks_traefik, true}, {checks_nfs, true},    {checks_files, false},   {checks_absent, false},
	{checks_checks, false},
};

static void soften(struct diags *d, size_t first)
{
	for (size_t i = first; i < d->list.n; i++) {
		d->n_errors -= d->list.v[i].severity == DIAG_ERROR;
		d->list.v[i].severity = DIAG_WARNING;
	}
}

static void run(struct checker *c, const struct check_row *row, bool advice)
{
	const struct snode *section = row->section ? section_of(c, row->section) : c->root;

	if (!section || section->type != SNODE_MAP)
		return;
	if (!row->each) {
		row->fn(c, section);
		return;
	}
	for (size_t i = 0; i < section->n_items; i++) {
		size_t first = c->diags->list.n;
		row->fn(c, section->items[i]);
		if (advice && stack_owns(section->items[i]))
			soften(c->diags, first);
	}
}

void spec_checks(const struct snode *root, struct files *files, struct diags *diags)
{
	struct checker c = {.root = root, .files = files, .diags = diags};

	if (!root || root->type != SNODE_MAP)
		return;
	for (size_t i = 0; i < ARRAY_SIZE(tables); i++)
		for (const struct check_row *row = tables[i].rows; row->fn; row++)
			run(&c, row, tables[i].advice);
}
