/* `drift: report`: what somebody else changed is told and left alone. */
#include "plan/diff.h"
#include "plan/hold.h"
#include "plan/render.h"

#include <string.h>

/*
 * What was applied last, {"<field>": "<fingerprint>"}; NULL: drift is to be repaired, or nothing is known and every
 * difference is meant.
 */
static const json_t *reported(struct plan *p, const struct plan_input *in, const struct resource *desired,
			      const char **key)
{
	if (!desired->report_drift)
		return NULL;
	*key = arena_printf(p->arena, "%s/%s", desired->kind, desired->name);
	return json_object_get(json_object_get(in->shared, "report"), *key);
}

static void note(struct plan *p, const char *key, const char *text, const struct resource *desired)
{
	vec_push(&p->notes, ((struct plan_note){.key = key, .text = text, .mark = desired->mark}));
}

static void describe(const struct kind *k, const struct field_change *f, struct str *out)
{
	str_addf(out, "%sdrift, not repaired: %s ", out->len ? "\n" : "", f->path);
	if (f->secret) {
		str_adds(out, "differs from the spec");
		return;
	}
	str_adds(out, "is ");
	render_value(k, f->path, f->from, out);
	str_adds(out, ", the spec says ");
	render_value(k, f->path, f->to, out);
}

/* The desired resource with its drifted fields as they are live. */
static struct resource *with_live_fields(struct plan *p, const struct resource *desired, const struct resource *live,
					 const json_t *drifted)
{
	struct resource *r = arena_alloc(p->arena, sizeof(*r));
	const char *field;
	json_t *unused;

	*r = *desired;
	r->body = json_copy(desired->body);
	vec_push(&p->bodies, r->body);
	json_object_foreach ((json_t *)drifted, field, unused) {
		json_t *value = json_object_get(live->body, field);
		if (value)
			json_set(r->body, field, json_incref(value));
		else
			json_object_del(r->body, field);
	}
	return r;
}

const struct resource *hold_drift(struct plan *p, const struct plan_input *in, const struct kind *k,
				  const struct resource *desired, const struct resource *live)
{
	const char *key, *create_only;
	const json_t *known = reported(p, in, desired, &key);
	_cleanup_json_ json_t *drifted = json_object();
	_cleanup_str_ struct str text = {0};
	struct change c = {.kind = k, .desired = desired, .live = live};

	if (!known)
		return desired;
	_cleanup_json_ json_t *now = plan_report(desired, in->fingerprint), *hidden = hold_hidden(in, desired->kind);
	diff_bodies(p->arena, k, desired, live, NULL, hidden, &c, &create_only);
	for (size_t i = 0; i < c.fields.n; i++) {
		const struct field_change *f = &c.fields.v[i];
		if (!json_same(json_object_get(now, f->field), json_object_get(known, f->field)))
			continue;
		json_set_bool(drifted, f->field, true);
		describe(k, f, &text);
	}
	vec_free(&c.fields);
	if (!text.len)
		return desired;
	note(p, key, arena_strdup(p->arena, str_cstr(&text)), desired);
	return with_live_fields(p, desired, live, drifted);
}

bool hold_is_gone(struct plan *p, const struct plan_input *in, const struct resource *desired)
{
	const char *key;
	const json_t *known = reported(p, in, desired, &key);

	if (!known)
		return false;
	_cleanup_json_ json_t *now = plan_report(desired, in->fingerprint);
	if (!json_same(now, known))
		return false;
	note(p, key, "drift, not repaired: it was removed; write 'drift: repair' to have it made again", desired);
	return true;
}
