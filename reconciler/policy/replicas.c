#include "policy/replicas.h"

#include <stddef.h>

int64_t replicas_kept(int64_t min, int64_t max, const int64_t *live)
{
	if (!live || *live < min)
		return min;
	return *live > max ? max : *live;
}
