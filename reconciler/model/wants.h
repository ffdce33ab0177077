/* What the kinds of a spec need to observe; collected before anything is fetched, so that all of it is fetched at once.
 */
#ifndef RECONCILE_MODEL_WANTS_H
#define RECONCILE_MODEL_WANTS_H

#include "base/mem.h"

#include <stdbool.h>

struct host_wants {
	const char *node;
	VEC(const char *) dirs, files; /* without duplicates, NULL-terminated by wants_finish */
	VEC(const char *) looks;       /* "NAME" or "NAME ARGUMENT"; as above */
	bool exports;
};

struct wants {
	struct arena *arena;
	const char *engine_node;  /* whose engine `engine` and `containers` are asked of; NULL: none of the spec's */
	VEC(const char *) engine; /* list documents: "services", "networks", … */
	VEC(const char *) containers; /* names to inspect */
	VEC(struct host_wants) hosts;
};

struct wants *wants_new(void);
void wants_free(struct wants *w);
void want_engine(struct wants *w, const char *list);
void want_container(struct wants *w, const char *name);
void want_dir(struct wants *w, const char *node, const char *path);
void want_file(struct wants *w, const char *node, const char *path);
/* A look_NAME of host/probe.sh; argument may be NULL. Its answer: kinds/util.h, host_look. */
void want_look(struct wants *w, const char *node, const char *name, const char *argument);
/* Takes it back: it is known from elsewhere. */
void unwant_look(struct wants *w, const char *node, const char *name, const char *argument);
void want_exports(struct wants *w, const char *node);
void wants_finish(struct wants *w);

#endif
