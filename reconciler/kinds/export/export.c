#include "kinds/export/view.h"
#include "kinds/export/write.h"
#include "kinds/kinds.h"
#include "kinds/util.h"

#include <string.h>

/*
 * NFS exports of a server. The spec owns a path: whoever else exports it, by
 * hand or twice, is taken over. Exports of other paths are not looked at. Our own
 * are in a file of our own, which is how they are known when the spec forgets them.
 */

static const struct field fields[] = {
	{"clients", 0, NULL}, {"path", 0, NULL}, /* identity */
};

static const char *const after[] = {"package", "directory", NULL};

static const struct snode *section(const struct spec *spec, const char *name)
{
	return snode_get(spec_root(spec), name);
}

/* Our file is asked for on every node: a server that the spec no longer names may still have one. */
static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *nfs = section(spec, "nfs"), *nodes = section(spec, "nodes");
	_cleanup_free_ char *own = export_own_file(spec_cluster(spec));

	for (size_t i = 0; i < snode_count(nodes); i++)
		want_file(w, nodes->items[i]->key, own);
	for (size_t i = 0; i < snode_count(nfs); i++) {
		const char *server = snode_str(nfs->items[i], "server");
		if (!snode_get(nfs->items[i], "export"))
			continue;
		want_dir(w, server, snode_str(nfs->items[i], "path"));
		want_exports(w, server);
	}
}

static json_t *options_text(struct decode *d, struct resource *r, const struct snode *options)
{
	_cleanup_str_ struct str list = {0}, text = {0};

	for (size_t i = 0; i < snode_count(options); i++) {
		const char *o = snode_scalar(options->items[i]);
		if (!o || !export_option_is_valid(o))
			resource_block(d->out, r, "'%s' is no option of exports(5): correct export.options",
				       snode_shown(options->items[i]));
		else
			str_addf(&list, "%s,", o);
	}
	export_options(str_cstr(&list), &text);
	return json_string(str_cstr(&text));
}

/* A node stands for its address. */
static void add_client(struct decode *d, struct resource *r, json_t *clients, const struct snode *who,
		       const json_t *options)
{
	const char *name = snode_scalar(who);
	const struct snode *address = snode_get(snode_get(section(d->spec, "nodes"), name), "address");
	_cleanup_str_ struct str client = {0};

	export_client(address ? address->text : name, &client);
	if (!export_client_is_valid(str_cstr(&client))) {
		resource_block(d->out, r,
			       "'%s' is no client of exports(5): a node, an address, a network or a host name",
			       snode_shown_part(address ? address : who, str_cstr(&client)));
		return;
	}
	json_set(clients, str_cstr(&client), json_incref((json_t *)options));
	_cleanup_free_ char *path = xasprintf("clients[%s]", str_cstr(&client));
	resource_mark(d->out, r, path, who->mark);
}

static void set_clients(struct decode *d, struct resource *r, const struct snode *nfs)
{
	const struct snode *export = snode_get(nfs, "export"), *named = snode_get(export, "clients");
	const struct snode *who = named ? named : snode_path(nfs, "mount.nodes");
	_cleanup_json_ json_t *options = options_text(d, r, snode_get(export, "options"));
	json_t *clients = json_object();

	for (size_t i = 0; i < snode_count(who); i++)
		add_client(d, r, clients, who->items[i], options);
	if (json_object_size(clients) == 0)
		resource_block(d->out, r, "nobody would be served: name export.clients or mount.nodes");
	resource_set_field(d->out, r, "clients", clients, export->mark);
}

/* Two of one path would undo each other. */
static void block_second(struct decode *d, struct resource *r, const struct snode *path)
{
	for (size_t i = 0; i < resource_count(d->out); i++) {
		const struct resource *x = resource_at(d->out, i);
		if (x != r && str_eq(x->kind, "export") && str_eq(x->node, r->node) &&
		    str_eq(json_str(x->body, "path"), json_str(r->body, "path")))
			resource_block(d->out, r, "node '%s' exports %s as export/%s already: give it one section",
				       r->node, snode_shown_part(path, json_str(r->body, "path")), x->name);
	}
}

static const json_t *probe_of(const struct snapshot *snap, const char *node, const char **why)
{
	_cleanup_free_ char *doc = xasprintf("host/%s", node);
	return snapshot_get(snap, doc, why);
}

static void block_without_tool(struct decode *d, struct resource *r)
{
	const json_t *exports = json_object_get(probe_of(d->snap, r->node, NULL), "exports");

	if (!json_is_false(json_object_get(exports, "tool")))
		return;
	if (json_bool(snapshot_get(d->snap, "run/options", NULL), "may_init"))
		resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "package/%s", r->node);
	else
		resource_block(d->out, r,
			       "nfs-kernel-server is not installed on node '%s' (there is no exportfs): run `reconcile "
			       "bootstrap`, or install it, for example with 'apt install nfs-kernel-server'",
			       r->node);
}

static void decode_export(struct decode *d, const struct snode *nfs)
{
	struct resource *r = resource_add(d->out, "export", nfs->key);
	const struct snode *export = snode_get(nfs, "export");
	_cleanup_str_ struct str path = {0};

	export_path(snode_str(nfs, "path"), &path);
	r->mark = export->key_mark;
	r->node = arena_strdup(resource_set_arena(d->out), snode_str(nfs, "server"));
	resource_set_field(d->out, r, "path", json_string(str_cstr(&path)), snode_get(nfs, "path")->mark);
	set_clients(d, r, nfs);
	resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "directory/%s", nfs->key);
	common_keys(d, r, export);
	block_second(d, r, snode_get(nfs, "path"));
	block_without_tool(d, r);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *nfs = section(d->spec, "nfs");

	(void)err;
	for (size_t i = 0; i < snode_count(nfs); i++)
		if (snode_get(nfs->items[i], "export"))
			decode_export(d, nfs->items[i]);
	return 0;
}

static void observe_wanted(struct observe *o, const struct resource *want, const struct export_view *v)
{
	struct resource *r = observe_add(o, want);
	json_t *clients = export_view_clients(v, json_str(want->body, "path"));

	if (json_object_size(clients) == 0) {
		json_decref(clients);
		return;
	}
	r->presence = PRESENT;
	r->owned = true; /* the spec owns the path, whoever exports it */
	json_set_str(r->body, "path", json_str(want->body, "path"));
	json_set(r->body, "clients", clients);
}

static bool is_wanted_path(const struct observe *o, const char *node, const char *path)
{
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *w = resource_at(o->want, i);
		if (str_eq(w->kind, "export") && str_eq(w->node, node) && str_eq(json_str(w->body, "path"), path))
			return true;
	}
	return false;
}

/* What our file has and the spec has not: named as it was, or by its place when that name is used again. */
static void observe_extras(struct observe *o, const char *node, const struct export_view *v)
{
	for (size_t i = 0; i < v->own.exports.list.n; i++) {
		const struct export_entry *e = &v->own.exports.list.v[i];
		if (is_wanted_path(o, node, e->path))
			continue;
		bool taken = !e->name || resource_find(o->want, "export", e->name);
		_cleanup_free_ char *name = taken ? xasprintf("%s:%s", node, e->path) : xstrdup(e->name);
		struct resource *r = resource_add(o->out, "export", name);
		if (json_object_size(r->body) == 0) {
			r->node = arena_strdup(resource_set_arena(o->out), node);
			r->presence = PRESENT;
			r->owned = r->ownable = true;
			json_set_str(r->body, "path", e->path);
			json_set(r->body, "clients", json_object());
		}
		json_set_str(json_object_get(r->body, "clients"), e->client, e->options);
	}
}

static void observe_node(struct observe *o, const char *node, const char *own_file)
{
	_cleanup_free_ char *problem = NULL;
	struct export_view v = {0};
	const char *why;
	const json_t *host = probe_of(o->snap, node, &why);
	bool seen = false;

	if (host) {
		seen = export_view_open(host, own_file, &v, &problem);
		why = problem;
	}
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		if (!str_eq(want->kind, "export") || !str_eq(want->node, node))
			continue;
		if (seen) {
			observe_wanted(o, want, &v);
			continue;
		}
		struct resource *r = observe_add(o, want);
		r->presence = UNKNOWN;
		r->blocked = arena_strdup(resource_set_arena(o->out), why);
	}
	if (host) {
		observe_extras(o, node, &v);
		export_view_close(&v);
	}
}

static int observe(struct observe *o, struct err *err)
{
	_cleanup_free_ char *own_file = export_own_file(o->cluster);
	/* A server that the spec no longer names may still have our file. */
	_cleanup_json_ json_t *nodes = observed_nodes(o, "export");
	size_t n;

	(void)err;
	const char **names = json_sorted_keys(nodes, &n);
	for (size_t i = 0; i < n; i++)
		observe_node(o, names[i], own_file);
	free(names);
	return 0;
}

static bool is_elsewhere(const char *options)
{
	return strstr(options, "by /") || strstr(options, "(in /");
}

/* What clients notice, and what happens to files that are not ours. */
static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	_cleanup_str_ struct str losing = {0}, effect = {0};
	const json_t *live = c->live ? json_object_get(c->live->body, "clients") : NULL;
	const json_t *kept = c->desired ? json_object_get(c->desired->body, "clients") : NULL;
	bool takes_over = false;
	size_t n;
	const char **clients = json_sorted_keys(live, &n);

	(void)o;
	for (size_t i = 0; i < n; i++) {
		takes_over |= c->desired && is_elsewhere(json_str(live, clients[i]));
		if (!json_object_get(kept, clients[i]))
			str_addf(&losing, "%s%s", losing.len ? ", " : "", clients[i]);
	}
	free(clients);
	if (losing.len)
		str_addf(&effect,
			 "loses access: %s; mounts of clients without another entry fail with 'stale file handle'",
			 str_cstr(&losing));
	if (takes_over)
		str_addf(&effect, "%slines of other files are commented out, a copy of each file is kept",
			 effect.len ? "; " : "");
	if (effect.len)
		c->effect = arena_strdup(a, str_cstr(&effect));
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	const struct resource *r = c->desired ? c->desired : c->live;
	const struct export_change x = {
		.name = r->name,
		.path = json_str(r->body, "path"),
		.clients = c->desired ? json_object_get(r->body, "clients") : NULL,
		.deadline = a->deadline,
		.progress = a->progress,
		.progress_arg = a->progress_arg,
	};

	return export_write(a->cluster, cluster_host(a->cluster, r->node), &x, err);
}

const struct kind kind_export = {
	.name = "export",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.prunes = true,
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
};
