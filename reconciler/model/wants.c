#include "model/wants.h"

#include <string.h>

struct wants *wants_new(void)
{
	struct wants *w = xcalloc(1, sizeof(*w));
	w->arena = arena_new();
	return w;
}

void wants_free(struct wants *w)
{
	if (!w)
		return;
	for (size_t i = 0; i < w->hosts.n; i++) {
		vec_free(&w->hosts.v[i].dirs);
		vec_free(&w->hosts.v[i].files);
		vec_free(&w->hosts.v[i].looks);
	}
	vec_free(&w->hosts);
	vec_free(&w->engine);
	vec_free(&w->containers);
	arena_free(w->arena);
	free(w);
}

#define add_once(w, list, text) \
	do { \
		bool known_ = false; \
		for (size_t i_ = 0; i_ < (list)->n; i_++) \
			known_ = known_ || strcmp((list)->v[i_], (text)) == 0; \
		if (!known_) \
			vec_push((list), arena_strdup((w)->arena, (text))); \
	} while (0)

void want_engine(struct wants *w, const char *list)
{
	add_once(w, &w->engine, list);
}

void want_container(struct wants *w, const char *name)
{
	add_once(w, &w->containers, name);
}

static struct host_wants *host_of(struct wants *w, const char *node)
{
	for (size_t i = 0; i < w->hosts.n; i++)
		if (strcmp(w->hosts.v[i].node, node) == 0)
			return &w->hosts.v[i];
	vec_push(&w->hosts, ((struct host_wants){.node = arena_strdup(w->arena, node)}));
	return &w->hosts.v[w->hosts.n - 1];
}

void want_dir(struct wants *w, const char *node, const char *path)
{
	struct host_wants *h = host_of(w, node);
	add_once(w, &h->dirs, path);
}

void want_file(struct wants *w, const char *node, const char *path)
{
	struct host_wants *h = host_of(w, node);
	add_once(w, &h->files, path);
}

static char *look_text(const char *name, const char *argument)
{
	return argument ? xasprintf("%s %s", name, argument) : xstrdup(name);
}

void want_look(struct wants *w, const char *node, const char *name, const char *argument)
{
	struct host_wants *h = host_of(w, node);
	_cleanup_free_ char *look = look_text(name, argument);
	add_once(w, &h->looks, look);
}

void unwant_look(struct wants *w, const char *node, const char *name, const char *argument)
{
	struct host_wants *h = host_of(w, node);
	_cleanup_free_ char *look = look_text(name, argument);
	size_t n = 0;

	for (size_t i = 0; i < h->looks.n; i++)
		if (strcmp(h->looks.v[i], look) != 0)
			h->looks.v[n++] = h->looks.v[i];
	h->looks.n = n;
}

void want_exports(struct wants *w, const char *node)
{
	host_of(w, node)->exports = true;
}

void wants_finish(struct wants *w)
{
	for (size_t i = 0; i < w->hosts.n; i++) {
		vec_push(&w->hosts.v[i].dirs, NULL);
		vec_push(&w->hosts.v[i].files, NULL);
		vec_push(&w->hosts.v[i].looks, NULL);
	}
}
