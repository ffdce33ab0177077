/* Names that one section uses and another declares. */
#include "spec/check_util.h"
#include "spec/stack.h"

static void nfs_nodes(struct checker *c, const struct snode *nfs)
{
	char who[WHO_SIZE];

	who_is(who, "nfs", nfs);
	check_name(c, snode_get(nfs, "server"), "nodes", who);
	check_names(c, snode_path(nfs, "mount.nodes"), "nodes", who);
}

static void service_networks(struct checker *c, const struct snode *service)
{
	const struct snode *list = snode_get(service, "networks"), *declared = section_of(c, "networks");
	char who[WHO_SIZE], hint[HINT_SIZE];

	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *item = list->items[i];
		const char *name = item_name(item);
		if (name && !snode_get(declared, name))
			check_error(c, item->key ? item->key_mark : item->mark,
				    "%s: '%s' is not declared under networks%s", who_is(who, "service", service),
				    item_shown(item), hint_in(c, hint, item, name, declared));
	}
}

static void service_files(struct checker *c, const struct snode *service, const char *section)
{
	const struct snode *list = snode_get(service, section);
	char who[WHO_SIZE];

	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *item = list->items[i];
		check_name(c, item->type == SNODE_MAP ? snode_get(item, "source") : item, section,
			   who_is(who, "service", service));
	}
}

static void service_volumes(struct checker *c, const struct snode *service)
{
	const struct snode *declared = section_of(c, "volumes");
	struct mounts mounts = {0};
	char hint[HINT_SIZE];

	mounts_read(service, &mounts);
	for (size_t i = 0; i < mounts.list.n; i++) {
		const struct mount_view *m = &mounts.list.v[i];
		if (m->type == MOUNT_VOLUME && m->source && !snode_get(declared, m->source))
			check_error(c, m->mark, "service '%s': volume '%s' is not declared under volumes%s",
				    service->key, snode_shown_part(m->source_from, m->source),
				    hint_in(c, hint, m->source_from, m->source, declared));
	}
	mounts_free(&mounts);
}

static void service_names(struct checker *c, const struct snode *service)
{
	service_networks(c, service);
	service_files(c, service, "configs");
	service_files(c, service, "secrets");
	if (!stack_owns(service)) /* its mounts say all of a volume */
		service_volumes(c, service);
}

static void models_store(struct checker *c, const struct snode *models)
{
	check_name(c, snode_get(models, "store"), "nfs", "models");
}

static void traefik_names(struct checker *c, const struct snode *traefik)
{
	check_name(c, snode_get(traefik, "node"), "nodes", "traefik");
	check_name(c, snode_get(traefik, "service"), "services", "traefik");
	check_names(c, snode_get(traefik, "networks"), "networks", "traefik");
}

static void prometheus_names(struct checker *c, const struct snode *prometheus)
{
	check_name(c, snode_get(prometheus, "node"), "nodes", "prometheus");
	check_name(c, snode_get(prometheus, "service"), "services", "prometheus");
}

static void absent_node(struct checker *c, const struct snode *absent)
{
	char who[WHO_SIZE];

	check_name(c, snode_get(absent, "node"), "nodes", who_is(who, "absent", absent));
}

const struct check_row checks_refs[] = {
	{"nfs", true, nfs_nodes},
	{"services", true, service_names},
	{"models", false, models_store},
	{"traefik", false, traefik_names},
	{"prometheus", false, prometheus_names},
	{"absent", true, absent_node},
	{NULL, false, NULL},
};
