#include "plan/diff.h"

#include "base/str.h"

#include <string.h>

struct diff {
	struct arena *arena;
	const struct resource *desired;
	const struct field *field;
	const char *field_name;
	struct change *change;
	const json_t *hidden; /* paths */
	bool has_last;        /* an earlier run applied this resource */
};

static void diff_values(struct diff *d, const char *path, const json_t *from, const json_t *to, const json_t *last);

/* Names of struct members read better with a dot, user-chosen keys in brackets. */
static bool is_plain_name(const char *key)
{
	return *key != '\0' && key[strspn(key, "abcdefghijklmnopqrstuvwxyz_")] == '\0';
}

static const char *member_path(struct diff *d, const char *path, const char *key)
{
	return arena_printf(d->arena, is_plain_name(key) ? "%s.%s" : "%s[%s]", path, key);
}

static enum disruption disruption_of(const struct field *f)
{
	if (!f)
		return DISRUPTS_NOTHING;
	if (f->flags & FIELD_EVICTS)
		return DISRUPTS_EVICT;
	return f->flags & (FIELD_RESTARTS | FIELD_REPLACES) ? DISRUPTS_RESTART : DISRUPTS_NOTHING;
}

/* "env" and "env[A]", in either order, speak of the same place. */
static bool is_same_place(const char *a, const char *b)
{
	size_t i = 0;

	while (a[i] && a[i] == b[i])
		i++;
	if (!a[i] || !b[i])
		return a[i] == b[i] || strchr("[.", a[i] ? a[i] : b[i]);
	return false;
}

static bool was_hidden(const struct diff *d, const char *path)
{
	const json_t *hidden;
	size_t i;

	json_array_foreach ((json_t *)d->hidden, i, hidden)
		if (is_same_place(json_string_value(hidden), path))
			return true;
	return false;
}

static void add(struct diff *d, const char *path, const json_t *from, const json_t *to, const json_t *last)
{
	struct field_change fc = {
		.path = path,
		.field = d->field_name,
		.from = from,
		.to = to,
		.why = !d->has_last          ? WHY_SPEC
		       : json_same(last, to) ? WHY_DRIFT
					     : WHY_INTENT,
		.mark = to ? resource_mark_of(d->desired, path) : (struct mark){0},
	};
	bool was = from && was_hidden(d, path);
	/* In a set the key is the value. */
	if ((fc.mark.hidden && json_is_true(to)) || (was && json_is_true(from) && strchr(path, '[')))
		fc.path = arena_printf(d->arena, "%s[(value of a variable)]", d->field_name);
	if (fc.mark.hidden && !last) /* the local history has no variable's value */
		fc.why = WHY_SPEC;
	fc.secret = fc.mark.hidden || was || (d->field && d->field->flags & FIELD_SECRET);
	vec_push(&d->change->fields, fc);
	if (disruption_of(d->field) > d->change->disruption)
		d->change->disruption = disruption_of(d->field);
}

static void diff_objects(struct diff *d, const char *path, const json_t *from, const json_t *to, const json_t *last)
{
	bool merge = d->field && d->field->flags & FIELD_MERGE;
	json_t *names = json_object();
	size_t n;

	json_object_update_missing(names, (json_t *)to);
	if (!merge)
		json_object_update_missing(names, (json_t *)from);
	const char **keys = json_sorted_keys(names, &n);
	for (size_t i = 0; i < n; i++) {
		const json_t *a = json_object_get(from, keys[i]), *b = json_object_get(to, keys[i]);
		if (!json_same(a, b))
			diff_values(d, member_path(d, path, keys[i]), a, b, json_object_get(last, keys[i]));
	}
	free(keys);
	json_decref(names);
}

/* An object that comes or goes as a whole is shown by its members too; an empty one is a value. */
static void diff_values(struct diff *d, const char *path, const json_t *from, const json_t *to, const json_t *last)
{
	bool both = json_is_object(from) && json_is_object(to);
	bool comes_or_goes = (!from && json_object_size(to) > 0) || (!to && json_object_size(from) > 0);

	if (both || comes_or_goes)
		diff_objects(d, path, from, to, last);
	else
		add(d, path, from, to, last);
}

/* Whether a variable's value stands anywhere in a field. */
static bool holds_variable(const struct resource *r, const char *field)
{
	size_t len = strlen(field);

	for (size_t i = 0; i < r->marks.n; i++) {
		const struct field_mark *m = &r->marks.v[i];
		if (m->mark.hidden && strncmp(m->path, field, len) == 0 &&
		    (m->path[len] == '\0' || strchr(".[", m->path[len])))
			return true;
	}
	return false;
}

static void note_create_only(struct diff *d, const json_t *from, const json_t *to, struct str *note)
{
	_cleanup_str_ struct str a = {0}, b = {0};

	if (holds_variable(d->desired, d->field_name) || was_hidden(d, d->field_name)) {
		str_addf(note, "%s%s differs from the spec: it is used at creation only", note->len ? "; " : "",
			 d->field_name);
		return;
	}
	if (from)
		json_canonical(from, &a);
	json_canonical(to, &b);
	str_addf(note, "%s%s is %s, the spec says %s: it is used at creation only", note->len ? "; " : "",
		 d->field_name, from ? str_cstr(&a) : "at its default", str_cstr(&b));
}

bool diff_bodies(struct arena *a, const struct kind *k, const struct resource *desired, const struct resource *live,
		 const json_t *last, const json_t *hidden, struct change *c, const char **create_only)
{
	struct diff d = {.arena = a, .desired = desired, .change = c, .hidden = hidden, .has_last = last != NULL};
	_cleanup_str_ struct str note = {0};
	bool replaces = false;
	json_t *names = json_object();
	size_t n;

	json_object_update_missing(names, desired->body);
	if (live)
		json_object_update_missing(names, live->body);
	const char **keys = json_sorted_keys(names, &n);
	for (size_t i = 0; i < n; i++) {
		const json_t *to = json_object_get(desired->body, keys[i]);
		const json_t *from = live ? json_object_get(live->body, keys[i]) : NULL;

		d.field = kind_field(k, keys[i]);
		d.field_name = d.field ? d.field->name : arena_strdup(a, keys[i]);
		unsigned flags = d.field ? d.field->flags : 0;
		if (json_same(from, to) || (!to && flags & (FIELD_IF_SET | FIELD_CREATE_ONLY | FIELD_MERGE)))
			continue;
		if (live && flags & FIELD_CREATE_ONLY) {
			note_create_only(&d, from, to, &note);
			continue;
		}
		size_t before = c->fields.n;
		diff_values(&d, d.field_name, from, to, json_object_get(last, keys[i]));
		replaces |= live && flags & FIELD_REPLACES && c->fields.n > before;
	}
	free(keys);
	json_decref(names);
	*create_only = arena_strdup(a, str_cstr(&note));
	return replaces;
}
