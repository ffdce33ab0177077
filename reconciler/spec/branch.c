/* oneOf and anyOf: which branch is meant, so that the errors shown are that branch's. */
#include "spec/rule.h"

enum fit { FIT_NOT, FIT_READABLE, FIT_NATURAL };

static enum fit fit(const struct rule *r, const struct snode *n)
{
	struct snode probe = *n;

	if (n->type == SNODE_SEQ || n->type == SNODE_MAP)
		return r->fits & TYPE(n->type) ? FIT_NATURAL : FIT_NOT;
	if (r->fits & TYPE(scalar_natural(n)))
		return FIT_NATURAL;
	return scalar_give_type(&probe, r->fits) ? FIT_READABLE : FIT_NOT;
}

static size_t trial(const struct validation *c, const struct rule *r, struct snode *n)
{
	struct validation dry = {.arena = c->arena, .diags = c->diags, .dry = true};

	validate_node(&dry, r, n);
	return dry.errors;
}

static bool has_all(const struct snode *map, const json_t *keys)
{
	for (size_t i = 0; i < json_array_size(keys); i++)
		if (!snode_written(map, json_string_value(json_array_get(keys, i))))
			return false;
	return true;
}

/* Branches of "required" alone: exactly one set of keys. */
static void check_exclusive(struct validation *c, const struct rule *r, const struct snode *n)
{
	_cleanup_json_ json_t *keys = json_array();
	size_t n_hold = 0;

	for (size_t i = 0; i < r->branches.n; i++) {
		const json_t *required = r->branches.v[i]->required;
		n_hold += has_all(n, required);
		json_array_append(keys, json_array_get(required, 0));
	}
	if (n->type != SNODE_MAP || n_hold == 1 || !fails(c))
		return;
	_cleanup_free_ char *words = words_values(keys);
	if (r->message)
		diag_add(c->diags, DIAG_ERROR, n->key_mark, "%s", r->message);
	else
		diag_add(c->diags, DIAG_ERROR, n->key_mark, "expected %s one of the keys %s",
			 n_hold ? "only" : "at least", words);
}

static void say_unfit(struct validation *c, const struct rule *r, const struct snode *n)
{
	_cleanup_free_ char *wanted = words_expected(r), *found = words_found(n);

	diag_add(c->diags, DIAG_ERROR, n->mark, "expected %s, found %s", wanted, found);
}

/*
 * Branches are ranked by how the node's own type fits, then tried in order. If
 * none holds, the errors are those of the best fit that has fewest.
 */
void validate_branches(struct validation *c, const struct rule *r, struct snode *n)
{
	const struct rule *closest = NULL, *only = NULL;
	size_t least = SIZE_MAX, n_fit = 0;

	if (r->branches_exclusive) {
		check_exclusive(c, r, n);
		return;
	}
	for (size_t i = 0; i < r->branches.n; i++)
		if (fit(r->branches.v[i], n) != FIT_NOT) {
			only = r->branches.v[i];
			n_fit++;
		}
	if (n_fit == 0 && fails(c))
		say_unfit(c, r, n);
	if (n_fit == 1)
		validate_node(c, only, n);
	if (n_fit <= 1)
		return;
	for (int rank = FIT_NATURAL; rank > FIT_NOT && least > 0; rank--)
		for (size_t i = 0; i < r->branches.n && least > 0; i++) {
			if ((int)fit(r->branches.v[i], n) != rank)
				continue;
			size_t errors = trial(c, r->branches.v[i], n);
			if (errors == 0 || (errors < least && (!closest || fit(closest, n) == (enum fit)rank))) {
				least = errors;
				closest = r->branches.v[i];
			}
		}
	if (!c->dry)
		validate_node(c, closest, n);
	else
		c->errors += least;
}
