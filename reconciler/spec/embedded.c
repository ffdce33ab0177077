#include "spec/schema.h"

/* schema_data.S */
extern const char schema_cluster_text[], schema_cluster_end[];

int schema_cluster(const struct schema **out, struct err *err)
{
	static struct schema *parsed;
	size_t len = (size_t)(schema_cluster_end - schema_cluster_text);

	if (!parsed && schema_parse(schema_cluster_text, len, &parsed, err) < 0)
		return -1;
	*out = parsed;
	return 0;
}
