#include "sys/dynlib.h"

#include <dlfcn.h>
#include <string.h>

int dynlib_load(const char *soname, const char *package, const struct dynsym *syms, size_t n, struct err *err)
{
	void *lib = dlopen(soname, RTLD_LAZY | RTLD_LOCAL);

	for (size_t i = 0; lib && i < n; i++) {
		void *sym = dlsym(lib, syms[i].name);
		if (!sym)
			lib = NULL;
		/* ISO C has no conversion from void * to a function pointer; POSIX guarantees the representation. */
		memcpy(syms[i].slot, &sym, sizeof(sym));
	}
	if (!lib)
		return err_set(err, ERR_UNSUPPORTED, "%s cannot be loaded: %s; install the package %s", soname,
			       dlerror(), package);
	return 0;
}
