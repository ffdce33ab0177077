#include "kinds/kinds.h"

#include <string.h>

/*
 * In decode order: a kind is decoded after those whose desired resources it
 * looks up. The order of changes comes from each kind's `after` column, from
 * references and from the spec's `after`. What asks an Engine to change something has
 * `engine` in it: a dockerd that restarts answers nobody.
 */
static const struct kind *const table[] = {
	&kind_package, &kind_engine,    &kind_swarm,   &kind_directory, &kind_export, &kind_firewall, &kind_mount,
	&kind_model,   &kind_node,      &kind_network, &kind_volume,    &kind_config, &kind_secret,   &kind_absent,
	&kind_service, &kind_container, &kind_traefik, &kind_route,     &kind_check,  &kind_kept,
};

const struct kind *const *kinds_all(size_t *n)
{
	*n = ARRAY_SIZE(table);
	return table;
}

const struct kind *kind_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(table); i++)
		if (strcmp(table[i]->name, name) == 0)
			return table[i];
	return NULL;
}
