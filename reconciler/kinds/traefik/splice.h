/*
 * One step of an edit: a change of the tree and the splices that make it in the
 * text. The functions fill intent and splices of a step; edit.c applies them
 * and checks that the text then says what was intended.
 */
#ifndef RECONCILE_KINDS_TRAEFIK_SPLICE_H
#define RECONCILE_KINDS_TRAEFIK_SPLICE_H

#include "base/str.h"
#include "kinds/traefik/yaml.h"

#define PATH_MAX_KEYS 3
#define PAIRS_MAX 4

struct pair {
	const char *key;
	char *value; /* as it is written */
};

/* What is added to a mapping: keys, each in the one before, and scalars in the innermost. */
struct addition {
	const char *keys[PATH_MAX_KEYS];
	size_t n_keys;
	struct pair pairs[PAIRS_MAX];
	size_t n_pairs;
};

struct splice {
	size_t at, len;
	struct str text;
};

/* One verified step. variant: which of the places for an insertion is tried. */
struct step {
	const char *text;
	size_t len;
	struct ynode *root;
	const struct ynode *providers, *docker, *swarm; /* of root; NULL: missing or null */
	int variant;
	json_t *intent; /* the tree that the step must give */
	VEC(struct splice) splices;
	struct err *err; /* filled by what is refused */
};

void step_free(struct step *s);

/* The key node of a member; NULL when it is missing. */
const struct ynode *step_key(const struct ynode *map, const char *name);

/* Negative: err says in which line and what. n may be NULL. */
int step_refuse(struct step *s, const struct ynode *n, const char *what);
int step_not_editable(struct step *s, const struct ynode *n);

/* Adds the pairs to providers.<provider>, of which any part may be missing; node: that provider, or NULL. */
void step_add_below(struct step *s, const char *provider, const struct ynode *node, const struct addition *pairs);
/*
 * A scalar, or a mapping of scalars without comments. map is providers, docker or swarm, key its key. The last member
 * gone, the mapping stays, as {}.
 */
int step_remove(struct step *s, const struct ynode *map, const struct ynode *key, const char *name) MUST_CHECK;
/* map is providers, docker or swarm. */
void step_rename(struct step *s, const struct ynode *map, const char *from, const char *to);
int step_set(struct step *s, const struct ynode *map, const char *name, const char *value) MUST_CHECK;

#endif
