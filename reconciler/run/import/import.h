/*
 * A running cluster as a spec, whose plan changes nothing: every service and overlay network is adopted as it is, and
 * what the spec has no words for is left to others (`ignore`). Stack files as a section `stacks`.
 *
 *   fetch.c      what it is made from
 *   sections.c   snapshot -> the spec as a tree (pure)
 *   yaml.c       the tree as text (pure)
 *   import.c     reads the text back, compares its plan with what runs, and completes the tree (pure)
 */
#ifndef RECONCILE_RUN_IMPORT_IMPORT_H
#define RECONCILE_RUN_IMPORT_IMPORT_H

#include "base/files.h"
#include "base/json.h"
#include "model/snapshot.h"
#include "spec/spec.h"

struct import_stack {
	const char *name;
	const char *const *files; /* NULL-terminated */
};

struct import_options {
	const char *cluster;               /* the name in the spec; NULL: of what runs, else "swarm" */
	const struct import_stack *stacks; /* taken over from files */
	size_t n_stacks;
	const char *docker_host; /* NULL: as the docker client finds it */
	const char *const *allow_env;
	struct files *files; /* where the stacks' files are read; may be NULL without stacks */
};

/* The documents of model/snapshot.h that services, networks and nodes are made of. A manager must answer. */
int import_fetch(const struct import_options *o, int64_t deadline, struct snapshot **out, struct err *err) MUST_CHECK;

struct import {
	struct str text;    /* the spec */
	json_t *needs;      /* array of texts: what a person has to decide before its plan changes nothing */
	size_t services;    /* taken over one by one */
	size_t ignored;     /* fields that the spec leaves to others because it has no words for them */
	struct diags diags; /* of the spec, when it has errors; the text is text */
};
void import_free(struct import *i);

/* snap: NULL: no cluster was asked, the spec has the stacks alone. */
int import_make(const struct import_options *o, const struct snapshot *snap, struct import *out,
		struct err *err) MUST_CHECK;

/*
 * The spec as an ordered object. A key that begins with IMPORT_COMMENT is a comment: its value is the text, one line or
 * several. Texts are as the engine has them. New reference.
 */
#define IMPORT_COMMENT "\001"
#define IMPORT_IGNORED "the spec has no words for these, or they are not to be seen from here: they stay as they are"
json_t *import_sections(const struct import_options *o, const struct snapshot *snap);

/* Appends. Dollar signs are doubled: in a spec one begins a variable. */
void import_yaml(const json_t *tree, struct str *out);

#endif
