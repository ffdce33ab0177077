/* libyaml's errors in the words of somebody who edits a spec. */
#ifndef RECONCILE_SPEC_YAML_WORDS_H
#define RECONCILE_SPEC_YAML_WORDS_H

#include "spec/text.h"

#include <yaml.h>

/* Adds the finding for the parser's error. */
void yaml_add_error(const yaml_parser_t *p, const struct text *t, struct diags *diags);

#endif
