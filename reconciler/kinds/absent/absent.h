/* What the files of the kind `absent` share. */
#ifndef RECONCILE_KINDS_ABSENT_ABSENT_H
#define RECONCILE_KINDS_ABSENT_ABSENT_H

#include "kinds/cluster.h"
#include "model/kind.h"

/* GET of a container now; JSON null when it is gone. New reference. */
int absent_inspect(struct apply *a, const char *container, json_t **out, struct err *err) MUST_CHECK;

int absent_apply(struct apply *a, const struct change *c, struct err *err) MUST_CHECK;

#endif
