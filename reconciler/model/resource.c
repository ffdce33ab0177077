#include "model/resource.h"

#include "base/mem.h"

#include <stdio.h>
#include <string.h>

struct resource_set {
	struct arena *arena;
	VEC(struct resource *) list; /* sorted by kind, then name, once `sorted` */
	json_t *index;               /* "kind/name" -> position in `added` */
	VEC(struct resource *) added;
};

struct resource_set *resource_set_new(void)
{
	struct resource_set *s = xcalloc(1, sizeof(*s));
	s->arena = arena_new();
	s->index = json_object();
	return s;
}

void resource_set_free(struct resource_set *s)
{
	if (!s)
		return;
	for (size_t i = 0; i < s->added.n; i++) {
		struct resource *r = s->added.v[i];
		json_decref(r->body);
		vec_free(&r->refs);
		vec_free(&r->marks);
		vec_free(&r->ignore);
		vec_free(&r->floating);
		vec_free(&r->unreviewed);
	}
	vec_free(&s->added);
	vec_free(&s->list);
	json_decref(s->index);
	arena_free(s->arena);
	free(s);
}

struct arena *resource_set_arena(struct resource_set *s)
{
	return s->arena;
}

struct resource *resource_find_key(const struct resource_set *s, const char *key)
{
	const json_t *i = json_object_get(s->index, key);
	return i ? s->added.v[json_integer_value(i)] : NULL;
}

struct resource *resource_find(const struct resource_set *s, const char *kind, const char *name)
{
	_cleanup_free_ char *key = xasprintf("%s/%s", kind, name);
	return resource_find_key(s, key);
}

struct resource *resource_add(struct resource_set *s, const char *kind, const char *name)
{
	_cleanup_free_ char *key = xasprintf("%s/%s", kind, name);
	struct resource *r = resource_find_key(s, key);
	if (r)
		return r;
	r = arena_alloc(s->arena, sizeof(*r));
	r->kind = arena_strdup(s->arena, kind);
	r->name = arena_strdup(s->arena, name);
	r->body = json_object();
	json_set_int(s->index, key, (int64_t)s->added.n);
	vec_push(&s->added, r);
	return r;
}

size_t resource_count(const struct resource_set *s)
{
	return s->added.n;
}

static int compare(const void *a, const void *b)
{
	const struct resource *x = *(struct resource *const *)a, *y = *(struct resource *const *)b;
	int c = strcmp(x->kind, y->kind);
	return c ? c : strcmp(x->name, y->name);
}

struct resource *resource_at(const struct resource_set *set, size_t i)
{
	struct resource_set *s = (struct resource_set *)set; /* the sorted view is a cache */
	if (s->list.n != s->added.n) {
		s->list.n = 0;
		for (size_t k = 0; k < s->added.n; k++)
			vec_push(&s->list, s->added.v[k]);
		qsort(s->list.v, s->list.n, sizeof(*s->list.v), compare);
	}
	return s->list.v[i];
}

void resource_mark(struct resource_set *s, struct resource *r, const char *path, struct mark m)
{
	vec_push(&r->marks, ((struct field_mark){.path = arena_strdup(s->arena, path), .mark = m}));
}

void resource_set_field(struct resource_set *s, struct resource *r, const char *field, json_t *value, struct mark m)
{
	if (!value || json_is_null(value)) {
		json_decref(value);
		return;
	}
	json_set(r->body, field, value);
	resource_mark(s, r, field, m);
}

/* Members are written "env[A]" or "driver.name" by taste of the renderer: both separate. */
static bool is_separator(char c)
{
	return c == '[' || c == '.';
}

/* "env" is a prefix of "env[A]" and of "env.x", not of "environment". */
static bool is_prefix_path(const char *prefix, const char *path)
{
	for (;; prefix++, path++) {
		while (*prefix == ']')
			prefix++;
		while (*path == ']')
			path++;
		if (*prefix == '\0')
			return *path == '\0' || is_separator(*path);
		if (*prefix != *path && !(is_separator(*prefix) && is_separator(*path)))
			return false;
	}
}

struct mark resource_mark_of(const struct resource *r, const char *path)
{
	struct mark best = r->mark;
	size_t best_len = 0;

	for (size_t i = 0; i < r->marks.n; i++) {
		size_t len = strlen(r->marks.v[i].path);
		if (len >= best_len && is_prefix_path(r->marks.v[i].path, path)) {
			best = r->marks.v[i].mark;
			best_len = len;
		}
	}
	return best;
}

__attribute__((format(printf, 2, 0))) static char *vformat(struct arena *a, const char *fmt, va_list ap)
{
	char *s;
	if (vasprintf(&s, fmt, ap) < 0)
		abort();
	char *copy = arena_strdup(a, s);
	free(s);
	return copy;
}

void resource_ref(struct resource_set *s, struct resource *r, enum ref_type t, struct mark m, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *target = vformat(s->arena, fmt, ap);
	va_end(ap);
	vec_push(&r->refs, ((struct ref){.type = t, .target = target, .mark = m}));
}

void resource_note(struct resource_set *s, struct resource *r, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *line = vformat(s->arena, fmt, ap);
	va_end(ap);
	r->note = r->note ? arena_printf(s->arena, "%s\n%s", r->note, line) : line;
}

void resource_block(struct resource_set *s, struct resource *r, const char *fmt, ...)
{
	va_list ap;
	if (r->blocked)
		return;
	va_start(ap, fmt);
	r->blocked = vformat(s->arena, fmt, ap);
	va_end(ap);
}
