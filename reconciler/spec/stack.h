/*
 * `stacks:`: Compose stack files, read as `docker stack deploy -c a.yml -c b.yml
 * NAME` reads them (docker/cli, cli/compose; the comments name the files there).
 * What they declare becomes sections of the spec under its full name
 * (services.<stack>_web), with the member `stack` that tells the kinds whose it
 * is. Volumes become no sections: a stack's volumes are made by its tasks.
 */
#ifndef RECONCILE_SPEC_STACK_H
#define RECONCILE_SPEC_STACK_H

#include "spec/build.h"

#define STACK_NAMESPACE_LABEL "com.docker.stack.namespace"
#define STACK_IMAGE_LABEL "com.docker.stack.image"

/* Puts the stacks of a checked root into its sections. For spec.c. */
int stacks_load(struct snode *root, const struct spec_input *in, struct arena *arena, struct diags *diags,
		struct err *err) MUST_CHECK;

/* True for a section that a stack file declares. */
static inline bool stack_owns(const struct snode *section)
{
	return snode_get(section, "stack") != NULL;
}

/* The rest is shared by the files of the loader only. */

struct stack {
	const struct snode *node; /* stacks.<name>; its key is the name */
	const struct spec_input *in;
	struct arena *arena;
	struct diags *diags;
	const char *files_dir; /* of the first file, relative to the spec's, "" or with a slash at its end */
	const char *host_dir;  /* stacks.<name>.directory; NULL */
	struct snode *file;    /* all of them, merged */
	size_t n_ports;
};

#define stack_error(s, m, ...) diag_add((s)->diags, DIAG_ERROR, (m), __VA_ARGS__)
#define stack_warn(s, m, ...) diag_add((s)->diags, DIAG_WARNING, (m), __VA_ARGS__)

/* A path of a stack file, relative to the spec's directory. In the arena. */
const char *stack_path(const struct stack *s, const char *path);
/* Reads a file; what fails is a finding at n, which names it. */
bool stack_read(struct stack *s, const struct snode *n, const char *path, size_t max, struct str *out);
/* Every setting of the services in its long form (stack_forms.c, stack_ports.c, stack_env.c). */
void stack_normalize(struct stack *s, struct snode *file);
void stack_ports(struct stack *s, struct snode *service);
void stack_environment(struct stack *s, struct snode *service);
struct snode *stack_pairs(struct stack *s, const struct snode *n, bool keep_null); /* a list of a=b as a map */
const char *stack_text(struct stack *s, const struct snode *n); /* as Go prints the value; NULL for null */
/* Both normalized; what override says wins as in cli/compose/loader/merge.go. */
void stack_merge(struct stack *s, struct snode *base, struct snode *override);

#endif
