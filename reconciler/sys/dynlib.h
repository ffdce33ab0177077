/* Shared libraries that are loaded at their first use, so that commands that do not need them start fast. */
#ifndef RECONCILE_SYS_DYNLIB_H
#define RECONCILE_SYS_DYNLIB_H

#include "base/err.h"

#include <stddef.h>

struct dynsym {
	const char *name;
	void *slot; /* address of a function pointer */
};

/* Fills every slot, or ERR_UNSUPPORTED naming the library, what is wrong and the Debian package. Never unloaded. */
int dynlib_load(const char *soname, const char *package, const struct dynsym *syms, size_t n,
		struct err *err) MUST_CHECK;

#endif
