#include "base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static _Noreturn void out_of_memory(void)
{
	static const char msg[] = "reconcile: out of memory\n";
	ssize_t n = write(STDERR_FILENO, msg, sizeof(msg) - 1);
	(void)n;
	_exit(1);
}

void *xmalloc(size_t size)
{
	void *p = malloc(size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *xcalloc(size_t n, size_t size)
{
	void *p = calloc(n ? n : 1, size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

void *xrealloc(void *old, size_t size)
{
	void *p = realloc(old, size ? size : 1);
	if (!p)
		out_of_memory();
	return p;
}

char *xstrdup(const char *s)
{
	size_t len = strlen(s) + 1;
	return memcpy(xmalloc(len), s, len);
}

__attribute__((format(printf, 1, 0))) static char *vasprintf_or_die(const char *fmt, va_list ap)
{
	char *s;
	if (vasprintf(&s, fmt, ap) < 0)
		out_of_memory();
	return s;
}

char *xasprintf(const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *s = vasprintf_or_die(fmt, ap);
	va_end(ap);
	return s;
}

void *vec_grow_(void *v, size_t *cap, size_t elem)
{
	size_t want = *cap ? *cap * 2 : 8;
	if (want > SIZE_MAX / elem)
		out_of_memory();
	v = xrealloc(v, want * elem);
	*cap = want;
	return v;
}

#define BLOCK_SIZE 16384

struct block {
	struct block *next;
	size_t used, size;
	_Alignas(max_align_t) char data[];
};

struct arena {
	struct block *head;
};

struct arena *arena_new(void)
{
	return xcalloc(1, sizeof(struct arena));
}

void arena_free(struct arena *a)
{
	if (!a)
		return;
	for (struct block *b = a->head, *next; b; b = next) {
		next = b->next;
		free(b);
	}
	free(a);
}

void *arena_alloc(struct arena *a, size_t size)
{
	const size_t align = _Alignof(max_align_t);
	if (size > SIZE_MAX - align - sizeof(struct block))
		out_of_memory();
	size = (size + align - 1) / align * align;
	if (!a->head || a->head->size - a->head->used < size) {
		size_t room = size > BLOCK_SIZE ? size : BLOCK_SIZE;
		struct block *b = xmalloc(sizeof(*b) + room);
		*b = (struct block){.next = a->head, .size = room};
		a->head = b;
	}
	void *p = a->head->data + a->head->used;
	a->head->used += size;
	return memset(p, 0, size);
}

char *arena_strndup(struct arena *a, const char *s, size_t n)
{
	char *p = arena_alloc(a, n + 1);
	memcpy(p, s, n);
	return p;
}

char *arena_strdup(struct arena *a, const char *s)
{
	return arena_strndup(a, s, strlen(s));
}

char *arena_printf(struct arena *a, const char *fmt, ...)
{
	va_list ap;
	va_start(ap, fmt);
	char *s = vasprintf_or_die(fmt, ap);
	va_end(ap);
	char *copy = arena_strdup(a, s);
	free(s);
	return copy;
}
