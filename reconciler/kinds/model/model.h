/* What the files of the kind `model` share. */
#ifndef RECONCILE_KINDS_MODEL_MODEL_H
#define RECONCILE_KINDS_MODEL_MODEL_H

#include "kinds/model/state.h"
#include "model/kind.h"

#define MODEL_LABEL "io.reconcile.model" /* of the container that pulls: the resource's name */

/* Where the models of a store are: its directory's folder models. New string. */
char *model_directory(const char *store_path);
/* The argument of look_model for a name of the spec. New string. */
char *model_look(const char *name, const char *directory);
/* The name of the cluster's container that pulls. New string. */
char *model_container(const char *cluster);

/*
 * The image of the service that uses the store, with the digest that it runs with when that is known; new string.
 * NULL: none of the spec's services uses it.
 */
char *model_image(const struct resource_set *want, const struct snapshot *snap, const char *model);

/*
 * The last thing that `ollama pull` has to say, for people: its terminal's sequences and bars are left out
 * ("pulling ff82381e2bea: 45% 1.9 GB/4.1 GB"). text: what it wrote last, from the beginning of a line. New string.
 */
char *model_progress(const char *text, size_t n);

int model_apply(struct apply *a, const struct change *c, struct err *err) MUST_CHECK;

#endif
