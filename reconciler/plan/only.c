/* --only: the part of a plan that a few resources and what they require need. */
#include "plan/hold.h"

#include "base/str.h"

#include <string.h>

static bool is_named(const char *const *names, const char *key)
{
	for (; *names; names++)
		if (strcmp(*names, key) == 0)
			return true;
	return false;
}

/* Requirements point backwards: one walk from the end reaches all of them. */
static bool *mark_kept(const struct plan *p, const char *const *only)
{
	bool *kept = xcalloc(p->changes.n, sizeof(*kept));

	for (size_t i = p->changes.n; i-- > 0;) {
		const struct change *c = &p->changes.v[i];
		kept[i] |= is_named(only, c->key);
		kept[i] &= c->action != ACTION_DELETE;
		for (size_t k = 0; kept[i] && k < c->requires.n; k++)
			kept[c->requires.v[k]] = true;
	}
	return kept;
}

static void add_once(struct change *c, size_t i)
{
	for (size_t k = 0; k < c->after.n; k++)
		if (c->after.v[k] == i)
			return;
	vec_push(&c->after, i);
}

/* What comes after something that is left out comes after what that comes after. */
static void inherit_order(struct plan *p, const bool *kept)
{
	for (size_t i = 0; i < p->changes.n; i++) {
		struct change *c = &p->changes.v[i];
		size_t n = c->after.n;
		for (size_t k = 0; k < n; k++) {
			const struct change *before = &p->changes.v[c->after.v[k]];
			for (size_t b = 0; !kept[c->after.v[k]] && b < before->after.n; b++)
				add_once(c, before->after.v[b]);
		}
	}
}

/* The kept ones of a list of indices, as indices in the smaller plan. */
static size_t renumber(size_t *v, size_t n, const bool *kept, const size_t *number)
{
	size_t left = 0;
	for (size_t i = 0; i < n; i++)
		if (kept[v[i]])
			v[left++] = number[v[i]];
	return left;
}

size_t hold_keep(struct plan *p, const bool *kept)
{
	size_t *number = xcalloc(p->changes.n, sizeof(*number));
	size_t left = 0, dropped;

	inherit_order(p, kept);
	for (size_t i = 0; i < p->changes.n; i++) {
		struct change *c = &p->changes.v[i];
		if (!kept[i]) {
			vec_push(&p->left_out, c->key);
			vec_free(&c->fields);
			vec_free(&c->after);
			vec_free(&c->requires);
			continue;
		}
		number[i] = left;
		c->after.n = renumber(c->after.v, c->after.n, kept, number);
		c->requires.n = renumber(c->requires.v, c->requires.n, kept, number);
		p->changes.v[left++] = *c;
	}
	dropped = p->changes.n - left;
	p->changes.n = left;
	free(number);
	return dropped;
}

static void drop_notes(struct plan *p, const char *const *only)
{
	size_t left = 0;

	for (size_t i = 0; i < p->notes.n; i++) {
		bool kept = is_named(only, p->notes.v[i].key);
		for (size_t k = 0; !kept && k < p->changes.n; k++)
			kept = strcmp(p->changes.v[k].key, p->notes.v[i].key) == 0;
		if (kept)
			p->notes.v[left++] = p->notes.v[i];
	}
	p->notes.n = left;
}

void hold_others(struct plan *p, const struct plan_input *in)
{
	_cleanup_str_ struct str names = {0};

	if (!in->only)
		return;
	for (const char *const *n = in->only; *n; n++)
		str_addf(&names, "%s%s", names.len ? ", " : "", *n);
	bool *kept = mark_kept(p, in->only);
	size_t dropped = hold_keep(p, kept);
	free(kept);
	drop_notes(p, in->only);
	vec_push(&p->held,
		 ((struct plan_held){.text = arena_printf(p->arena,
							  "only %s and what it requires: %zu other change%s left out, "
							  "nothing is pruned",
							  str_cstr(&names), dropped, dropped == 1 ? " is" : "s are")}));
}

#define SLIP_MAX 3 /* more is another word, not a slip */

/* "kind/name" of the resource that was probably meant; malloc'ed, NULL: none. A name without its kind is no distance.
 */
static char *nearest_key(const struct resource_set *want, const char *name)
{
	char *nearest = NULL;
	uint32_t best = SLIP_MAX + 1;

	for (size_t i = 0; i < resource_count(want); i++) {
		const struct resource *r = resource_at(want, i);
		char *key = xasprintf("%s/%s", r->kind, r->name);
		uint32_t d = strcmp(name, r->name) == 0 ? 0 : str_distance(name, key);
		if (d < best) {
			best = d;
			free(nearest);
			nearest = key;
		} else {
			free(key);
		}
	}
	return nearest;
}

int plan_check_names(const struct resource_set *want, const char *option, const char *const *names, struct err *err)
{
	for (; names && *names; names++) {
		if (resource_find_key(want, *names))
			continue;
		_cleanup_free_ char *nearest = nearest_key(want, *names);
		return err_set(err, ERR_USAGE, "%s %s: this spec has no such resource%s%s%s", option, *names,
			       nearest               ? "; did you mean '"
			       : strchr(*names, '/') ? ""
						     : "; write kind/name",
			       nearest ? nearest : "", nearest ? "'?" : "");
	}
	return 0;
}
