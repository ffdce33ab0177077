#include "spec/schema.h"

/* schema_data.S */
extern const char schema_cluster_text[], schema_cluster_end[], schema_settings_text[], schema_settings_end[],
	schema_stack_text[], schema_stack_end[];

static int embedded(struct schema **parsed, const char *text, const char *end, const struct schema **out,
		    struct err *err)
{
	if (!*parsed && schema_parse(text, (size_t)(end - text), parsed, err) < 0)
		return -1;
	*out = *parsed;
	return 0;
}

int schema_cluster(const struct schema **out, struct err *err)
{
	static struct schema *parsed;
	return embedded(&parsed, schema_cluster_text, schema_cluster_end, out, err);
}

int schema_settings(const struct schema **out, struct err *err)
{
	static struct schema *parsed;
	return embedded(&parsed, schema_settings_text, schema_settings_end, out, err);
}

int schema_stack(const struct schema **out, struct err *err)
{
	static struct schema *parsed;
	return embedded(&parsed, schema_stack_text, schema_stack_end, out, err);
}
