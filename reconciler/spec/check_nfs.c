/* Exports and mounts, and the services that use them. FACTS D, G16, G18, G24. */
#include "spec/check_util.h"

#include <string.h>

static bool has_option(const struct snode *options, const char *name)
{
	return list_has(options, name);
}

/* Anything but one host: a network, a wildcard or a netgroup, see exports(5). */
static bool is_many(const char *client)
{
	struct net4 net;

	return strpbrk(client, "*?@[") || (strchr(client, '/') && !(net4_parse(client, &net) && net.bits == 32));
}

static void export_clients(struct checker *c, const struct snode *nfs)
{
	const struct snode *export = snode_get(nfs, "export"), *clients = snode_get(export, "clients"),
			   *options = snode_get(export, "options");
	bool open = has_option(options, "rw") && has_option(options, "no_root_squash");

	for (size_t i = 0; i < snode_count(clients); i++) {
		const struct snode *client = clients->items[i];
		const char *text = snode_scalar(client);
		if (!text)
			continue;
		if (strpbrk(text, "() \t"))
			check_error(c, client->mark,
				    "nfs '%s': '%s' is not a client: a node, an address, a network or a host name; "
				    "options stand "
				    "under options",
				    nfs->key, snode_shown(client));
		else if (strcmp(text, "*") == 0)
			check_warn(c, client->mark,
				   "nfs '%s': '*' exports to every host that can reach the server; name the nodes",
				   nfs->key);
		else if (open && is_many(text))
			check_warn(c, client->mark,
				   "nfs '%s': with rw and no_root_squash everyone who is root on a machine of %s owns "
				   "these files; "
				   "write ro and root_squash, or name the nodes",
				   nfs->key, snode_shown(client));
	}
}

static void export_options(struct checker *c, const struct snode *nfs)
{
	static const char *const opposites[][2] = {
		{"ro", "rw"},           {"root_squash", "no_root_squash"},     {"sync", "async"},
		{"secure", "insecure"}, {"subtree_check", "no_subtree_check"},
	};
	const struct snode *options = snode_path(nfs, "export.options");

	for (size_t i = 0; i < ARRAY_SIZE(opposites); i++)
		if (has_option(options, opposites[i][0]) && has_option(options, opposites[i][1]))
			check_error(c, options->mark, "nfs '%s': the export options %s and %s contradict each other",
				    nfs->key, opposites[i][0], opposites[i][1]);
	for (size_t i = 0; i < snode_count(options); i++) {
		const char *text = snode_scalar(options->items[i]);
		if (text && strpbrk(text, ", ()"))
			check_error(c, options->items[i]->mark, "nfs '%s': '%s' is not one export option; write a list",
				    nfs->key, snode_shown(options->items[i]));
	}
}

static bool exported_ro(const struct snode *nfs)
{
	const struct snode *export = snode_get(nfs, "export");
	return export && !has_option(snode_get(export, "options"), "rw"); /* exports(5): ro unless told */
}

static void mount_options(struct checker *c, const struct snode *nfs)
{
	const struct snode *mount = snode_get(nfs, "mount"), *options = snode_get(mount, "options");

	for (size_t i = 0; i < snode_count(options); i++) {
		const char *text = snode_scalar(options->items[i]);
		if (text && strpbrk(text, ", "))
			check_error(c, options->items[i]->mark, "nfs '%s': '%s' is not one mount option; write a list",
				    nfs->key, snode_shown(options->items[i]));
		if (str_eq(text, "soft"))
			check_warn(
				c, options->items[i]->mark,
				"nfs '%s': with soft a slow server makes reads fail and can corrupt files; write hard",
				nfs->key);
	}
	if (mount && exported_ro(nfs) && !has_option(options, "ro"))
		check_warn(c, options ? options->mark : mount->key_mark,
			   "nfs '%s': the export is read-only, the mount is not: writing fails only when it happens; "
			   "add ro to the "
			   "mount options",
			   nfs->key);
}

static bool client_covers(const struct snode *client, const struct snode *node)
{
	const char *text = snode_scalar(client), *address = snode_str(node, "address");
	struct net4 net, addr;

	if (!text || strpbrk(text, "*?@[") || str_eq(text, node->key) || str_eq(text, address) ||
	    str_eq(text, snode_str(node, "hostname")))
		return true;
	if (net4_parse(text, &net))
		return address && net4_parse(address, &addr) && net4_overlap(&net, &addr);
	return strchr(text, '.') != NULL; /* a host name: whose is not known here */
}

static void mount_nodes(struct checker *c, const struct snode *nfs)
{
	const struct snode *list = snode_path(nfs, "mount.nodes"), *clients = snode_path(nfs, "export.clients");
	const char *server = snode_str(nfs, "server");

	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *node = member_of(c, "nodes", snode_scalar(list->items[i]));
		bool covered = snode_count(clients) == 0;
		if (!node)
			continue;
		if (str_eq(node->key, server))
			check_error(c, list->items[i]->mark,
				    "nfs '%s': '%s' is the server and has the directory already; leave it out of "
				    "mount.nodes",
				    nfs->key, snode_shown(list->items[i]));
		for (size_t k = 0; k < snode_count(clients) && !covered; k++)
			covered = client_covers(clients->items[k], node);
		if (!covered)
			check_error(c, list->items[i]->mark,
				    "nfs '%s': '%s' mounts it but is not among export.clients, so the server would "
				    "refuse it",
				    nfs->key, snode_shown(list->items[i]));
	}
}

static struct named place(struct arena *a, const struct snode *nfs, const struct snode *path, const struct snode *node)
{
	return (struct named){
		.name = arena_printf(a, "%s on node '%s'", path->text, node->text),
		.shown = arena_printf(a, "%s on node '%s'", snode_shown(path), snode_shown(node)),
		.item = nfs,
		.mark = path->mark,
	};
}

/* One path can hold one file system. */
static void places(struct checker *c, const struct snode *section)
{
	VEC(struct named) list = {0};
	struct arena *a = arena_new();

	for (size_t i = 0; i < section->n_items; i++) {
		const struct snode *nfs = section->items[i], *mount = snode_get(nfs, "mount"),
				   *nodes = snode_get(mount, "nodes"), *server = snode_get(nfs, "server"),
				   *path = snode_get(nfs, "path"), *at = snode_get(mount, "path");
		if (snode_scalar(server) && snode_scalar(path))
			vec_push(&list, place(a, nfs, path, server));
		for (size_t k = 0; snode_scalar(at) && k < snode_count(nodes); k++)
			if (snode_scalar(nodes->items[k]) && !str_eq(nodes->items[k]->text, snode_scalar(server)))
				vec_push(&list, place(a, nfs, at, nodes->items[k]));
	}
	named_sort(list.v, list.n);
	for (size_t i = 1; i < list.n; i++)
		if (strcmp(list.v[i - 1].name, list.v[i].name) == 0 && list.v[i - 1].item != list.v[i].item)
			check_error(c, list.v[i].mark, "nfs '%s': %s is already nfs '%s'", list.v[i].item->key,
				    list.v[i].shown, list.v[i - 1].item->key);
	vec_free(&list);
	arena_free(a);
}

/* Whether the path lies in the exported directory on this node: as server, or through the mount. */
static bool node_has(const struct snode *nfs, const struct snode *node, const char *path)
{
	const struct snode *mount = snode_get(nfs, "mount");
	const char *dir = snode_str(nfs, "path"), *at = snode_str(mount, "path");

	if (str_eq(snode_str(nfs, "server"), node->key))
		return dir && path_under(path, dir);
	return at && path_under(path, at) && list_has(snode_get(mount, "nodes"), node->key);
}

static const struct snode *nfs_of(const struct checker *c, const char *path)
{
	const struct snode *section = section_of(c, "nfs");

	for (size_t i = 0; i < snode_count(section); i++) {
		const char *at = snode_str(snode_get(section->items[i], "mount"), "path");
		if (at && path_under(path, at))
			return section->items[i];
	}
	return NULL;
}

static void bind_source(struct checker *c, const struct snode *service, const struct mount_view *m)
{
	const struct snode *nfs = nfs_of(c, m->source), *nodes = section_of(c, "nodes");

	for (size_t i = 0; nfs && i < snode_count(nodes); i++)
		if (node_may_run(service, nodes->items[i]) && !node_has(nfs, nodes->items[i], m->source)) {
			check_warn(c, m->mark,
				   "service '%s': it may run on node '%s', where nfs '%s' is not mounted and %s is "
				   "missing or empty; "
				   "mount it there, or add a placement constraint",
				   service->key, nodes->items[i]->key, nfs->key,
				   snode_shown_part(m->source_from, m->source));
			return;
		}
}

static void binds(struct checker *c, const struct snode *service)
{
	struct mounts m = {0};

	mounts_read(service, &m);
	for (size_t i = 0; i < m.list.n; i++)
		if (m.list.v[i].type == MOUNT_BIND && m.list.v[i].source)
			bind_source(c, service, &m.list.v[i]);
	mounts_free(&m);
}

const struct check_row checks_nfs[] = {
	{"nfs", true, export_clients}, {"nfs", true, export_options}, {"nfs", true, mount_options},
	{"nfs", true, mount_nodes},    {"nfs", false, places},        {"services", true, binds},
	{NULL, false, NULL},
};
