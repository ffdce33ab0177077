/* What stacks declare, under full names, in the sections of the spec (cli/compose/convert). */
#ifndef RECONCILE_SPEC_STACK_SCOPE_H
#define RECONCILE_SPEC_STACK_SCOPE_H

#include "spec/stack.h"

/* stacks whose file could not be loaded have none, and are known by name only. */
void stacks_splice(struct snode *root, struct stack *stacks, size_t n);

#endif
