/*
 * Memory. Out of memory ends the program in one place (mem.c), so no caller
 * checks for NULL; in exchange every input has a size limit.
 */
#ifndef RECONCILE_BASE_MEM_H
#define RECONCILE_BASE_MEM_H

#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>

void *xmalloc(size_t size) __attribute__((malloc, returns_nonnull));
void *xcalloc(size_t n, size_t size) __attribute__((malloc, returns_nonnull));
void *xrealloc(void *p, size_t size) __attribute__((returns_nonnull));
char *xstrdup(const char *s) __attribute__((malloc, returns_nonnull));
char *xasprintf(const char *fmt, ...) __attribute__((malloc, returns_nonnull, format(printf, 1, 2)));

static inline void free_charp(char **p)
{
	free(*p);
}
#define _cleanup_free_ __attribute__((cleanup(free_charp)))
#define CLEANUP(f) __attribute__((cleanup(f)))

/*
 * A growing array of any type:
 *   VEC(struct change) changes = {0};
 *   vec_push(&changes, c);  for (size_t i = 0; i < changes.n; i++) changes.v[i]…
 *   vec_free(&changes);     frees the array, not what its elements own
 */
#define VEC(T) \
	struct { \
		T *v; \
		size_t n, cap; \
	}
#define vec_push(a, x) \
	do { \
		if ((a)->n == (a)->cap) \
			(a)->v = vec_grow_((a)->v, &(a)->cap, sizeof(*(a)->v)); \
		(a)->v[(a)->n++] = (x); \
	} while (0)
#define vec_free(a) (free((a)->v), (a)->v = NULL, (a)->n = (a)->cap = 0)

void *vec_grow_(void *v, size_t *cap, size_t elem) __attribute__((returns_nonnull));

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/*
 * One arena holds one generation (a spec, a plan): everything in it is freed
 * at once. Nothing in it is freed alone. NULL is a valid argument of free.
 */
struct arena;
struct arena *arena_new(void) __attribute__((malloc, returns_nonnull));
void arena_free(struct arena *a);
void *arena_alloc(struct arena *a, size_t size) __attribute__((returns_nonnull)); /* zeroed, aligned */
char *arena_strdup(struct arena *a, const char *s) __attribute__((returns_nonnull));
char *arena_strndup(struct arena *a, const char *s, size_t n) __attribute__((returns_nonnull));
char *arena_printf(struct arena *a, const char *fmt, ...) __attribute__((returns_nonnull, format(printf, 2, 3)));

#endif
