#include "model/kind.h"

#include <string.h>

const struct field *kind_field(const struct kind *k, const char *name)
{
	size_t lo = 0, hi = k->n_fields;

	while (lo < hi) {
		size_t mid = (lo + hi) / 2;
		int c = strcmp(name, k->fields[mid].name);
		if (c == 0)
			return &k->fields[mid];
		if (c < 0)
			hi = mid;
		else
			lo = mid + 1;
	}
	return NULL;
}

bool change_has_field(const struct change *c, const char *field)
{
	for (size_t i = 0; i < c->fields.n; i++)
		if (strcmp(c->fields.v[i].field, field) == 0)
			return true;
	return false;
}
