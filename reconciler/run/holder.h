/* Who holds a lease: one process of one boot of one machine. The JSON is the section `lease` of state/shared.h. */
#ifndef RECONCILE_RUN_HOLDER_H
#define RECONCILE_RUN_HOLDER_H

#include "base/err.h"
#include "base/json.h"

/* This process under a new random name. New reference. */
int holder_self(json_t **out, struct err *err) MUST_CHECK;

/*
 * It was a process of this boot and is gone, for certain: nothing of it can
 * write any more. A stopped one is not gone. Any doubt (another boot, another
 * pid or time namespace, a /proc that is not ours): false.
 */
bool holder_is_gone(const json_t *holder);

/* "pid 412 on gmktec"; malloc'ed. */
char *holder_text(const json_t *holder);

#endif
