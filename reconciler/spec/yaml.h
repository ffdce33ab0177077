/*
 * YAML into a tree, by libyaml's events only (its document API accepts cycles
 * and has no limits). What is in the text is what the tree has: no types yet,
 * anchors expanded into copies, merge keys merged, variables replaced.
 */
#ifndef RECONCILE_SPEC_YAML_H
#define RECONCILE_SPEC_YAML_H

#include "spec/spec.h"

#define YAML_DEPTH_MAX 64
#define YAML_ALIAS_NODES_MAX 100000 /* nodes that aliases may add to the tree */

/*
 * NULL when no tree could be read; findings say why. Otherwise the tree is
 * whole, also beside errors: a scalar that could not be read has no text, and
 * whoever walks the tree leaves it alone. Nodes live in arena, marks in in->name.
 */
struct snode *yaml_read(const struct spec_input *in, struct arena *arena, struct diags *diags);

#endif
