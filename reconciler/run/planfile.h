/* The file of a saved plan (plan/saved.h). */
#ifndef RECONCILE_RUN_PLANFILE_H
#define RECONCILE_RUN_PLANFILE_H

#include "plan/saved.h"

/*
 * What `apply ARG` and `approve ARG` were given. *saved is NULL when it is no saved plan (a spec, a directory, nothing
 * there): its content decides, not its name. A plan that cannot be used is an error that names the file.
 */
int planfile_read(const char *path, json_t **saved, struct err *err) MUST_CHECK;

/* 0600, atomic. Only another saved plan is overwritten: a spec named by mistake is refused. */
int planfile_write(const char *path, const json_t *saved, struct err *err) MUST_CHECK;

#endif
