/* Traps of exports and mounts. FACTS D; G17, G18, G23, G24. */
#include "run/doctor/internal.h"

#include "kinds/export/exports.h"
#include "kinds/mount/view.h"

#include <string.h>

static bool is_nfs(const struct mount_entry *e)
{
	return str_eq(e->type, "nfs") || str_eq(e->type, "nfs4");
}

void nfs_mounted(struct doctor *d, const struct place *p, struct nfs_mounts *out)
{
	CLEANUP(mount_table_free) struct mount_table t;

	mountinfo_parse(place_file(p, "/proc/self/mountinfo"), &t);
	for (size_t i = 0; i < t.list.n; i++)
		if (is_nfs(&t.list.v[i]))
			vec_push(&out->list, ((struct nfs_mount){.target = arena_strdup(d->arena, t.list.v[i].path),
								 .options = where_is(d, "%s,%s", t.list.v[i].flags,
										     t.list.v[i].super)}));
}

void nfs_in_fstab(struct doctor *d, const struct place *p, struct nfs_mounts *out)
{
	CLEANUP(mount_table_free) struct mount_table t;

	fstab_parse(place_file(p, "/etc/fstab"), &t);
	for (size_t i = 0; i < t.list.n; i++)
		if (is_nfs(&t.list.v[i]))
			vec_push(&out->list, ((struct nfs_mount){.target = arena_strdup(d->arena, t.list.v[i].path),
								 .options = arena_strdup(d->arena, t.list.v[i].flags),
								 .line = t.list.v[i].line}));
}

/* What the spec mounts on a node */
static bool in_list(const struct snode *list, const char *name)
{
	for (size_t i = 0; i < snode_count(list); i++)
		if (str_eq(snode_scalar(list->items[i]), name))
			return true;
	return false;
}

static const struct snode *nfs_section(struct doctor *d)
{
	return d->f->spec ? snode_get(spec_root(d->f->spec), "nfs") : NULL;
}

/* Exports */

typedef void (*entry_fn)(struct doctor *d, const struct trap *t, const struct place *p, const char *file,
			 const char *text, const struct exports *all, size_t i);

static void each_export(struct doctor *d, const struct trap *t, entry_fn fn)
{
	for (size_t k = 0; k < d->places.n; k++) {
		const json_t *exports = json_object_get(d->places.v[k].probe, "exports");
		size_t n;
		const char *error = json_str(exports, "error");
		if (error)
			doctor_unknown(d, where_is(d, "exports of node %s", d->places.v[k].node), error);
		const char **files = json_sorted_keys(json_object_get(exports, "files"), &n);
		for (size_t i = 0; i < n; i++) {
			const char *text = json_str(json_object_get(exports, "files"), files[i]);
			struct exports all = {0};
			exports_parse(text, &all);
			for (size_t e = 0; e < all.list.n; e++)
				fn(d, t, &d->places.v[k], files[i], text, &all, e);
			exports_free(&all);
		}
		free(files);
	}
}

static const char *export_where(struct doctor *d, const struct place *p, const char *file, const struct export_entry *e)
{
	return where_is(d, "node %s, %s:%zu", p->node, file, e->line);
}

static bool is_everybody(const char *client)
{
	return strcmp(client, "*") == 0;
}

/* Anything but one host: a network, a wildcard or a netgroup, see exports(5). */
static bool is_many(const char *client)
{
	return strpbrk(client, "*?@[") || strchr(client, '/');
}

static void open_export(struct doctor *d, const struct trap *t, const struct place *p, const char *file,
			const char *text, const struct exports *all, size_t i)
{
	const struct export_entry *e = &all->list.v[i];
	(void)text;
	if (option_in(e->options, "rw") && is_many(e->client) &&
	    (is_everybody(e->client) || option_in(e->options, "no_root_squash")))
		doctor_find(d, t, export_where(d, p, file, e), "%s is exported to %s with rw%s", e->path,
			    is_everybody(e->client) ? "everybody" : e->client,
			    option_in(e->options, "no_root_squash") ? " and no_root_squash" : "");
}

static void look_open(struct doctor *d, const struct trap *t)
{
	each_export(d, t, open_export);
}

static const struct trap trap_open = {
	.id = "export-open",
	.severity = TRAP_ERROR,
	.why = "whoever is root on any machine of that network can change and delete everything in it",
	.mend = "export it with ro,root_squash to single hosts; nfs.*.export in the spec does, without a gap",
	.look = look_open,
};

/* "host (rw)": the host gets the defaults, the world the options. */
static void blank(struct doctor *d, const struct trap *t, const struct place *p, const char *file, const char *text,
		  const struct exports *all, size_t i)
{
	const struct export_entry *e = &all->list.v[i];

	if (!is_everybody(e->client))
		return;
	for (size_t k = e->start; k + 1 < e->end; k++)
		if ((text[k] == ' ' || text[k] == '\t') && text[k + 1] == '(') {
			doctor_find(d, t, export_where(d, p, file, e),
				    "a blank before the parenthesis: the options of %s are those of the whole world",
				    e->path);
			return;
		}
}

static void look_blank(struct doctor *d, const struct trap *t)
{
	each_export(d, t, blank);
}

static const struct trap trap_blank = {
	.id = "export-blank",
	.severity = TRAP_ERROR,
	.why = "`host (rw)` exports to host with the defaults, and to everybody with rw",
	.mend = "write host(rw), without the blank",
	.look = look_blank,
};

struct exported {
	const char *node, *file, *path, *client;
	size_t line;
};
struct exported_list {
	VEC(struct exported) list;
};

static void collect_exports(struct doctor *d, const struct place *p, struct exported_list *out)
{
	const json_t *files = json_object_get(json_object_get(p->probe, "exports"), "files");
	size_t n;
	const char **names = json_sorted_keys(files, &n);

	for (size_t i = 0; i < n; i++) {
		struct exports all = {0};
		exports_parse(json_str(files, names[i]), &all);
		for (size_t k = 0; k < all.list.n; k++)
			vec_push(&out->list,
				 ((struct exported){p->node, names[i], arena_strdup(d->arena, all.list.v[k].path),
						    arena_strdup(d->arena, all.list.v[k].client), all.list.v[k].line}));
		exports_free(&all);
	}
	free(names);
}

static void double_exports(struct doctor *d, const struct trap *t)
{
	for (size_t k = 0; k < d->places.n; k++) {
		struct exported_list all = {0};
		collect_exports(d, &d->places.v[k], &all);
		for (size_t i = 0; i < all.list.n; i++)
			for (size_t j = 0; j < i; j++) {
				const struct exported *a = &all.list.v[i], *b = &all.list.v[j];
				if (!str_eq(a->path, b->path) || !str_eq(a->client, b->client))
					continue;
				doctor_find(d, t, where_is(d, "node %s, %s:%zu", a->node, a->file, a->line),
					    "%s is exported to %s already by %s:%zu", a->path, a->client, b->file,
					    b->line);
				break;
			}
		vec_free(&all.list);
	}
}

static const struct trap trap_double = {
	.id = "export-twice",
	.severity = TRAP_ERROR,
	.why = "exportfs -ra complains and ends with an error, and the first line wins: what was added last has no "
	       "effect",
	.mend = "remove all but one (appending with tee -a makes one more each time); this program takes them over",
	.look = double_exports,
};

/* Mounts */

static void double_mounts(struct doctor *d, const struct trap *t)
{
	for (size_t k = 0; k < d->places.n; k++) {
		struct nfs_mounts all = {0};
		nfs_in_fstab(d, &d->places.v[k], &all);
		for (size_t i = 0; i < all.list.n; i++)
			for (size_t j = 0; j < i; j++) {
				if (!str_eq(all.list.v[i].target, all.list.v[j].target))
					continue;
				doctor_find(
					d, t,
					where_is(d, "node %s, /etc/fstab:%zu", d->places.v[k].node, all.list.v[i].line),
					"%s is mounted already by line %zu", all.list.v[i].target, all.list.v[j].line);
				break;
			}
		vec_free(&all.list);
	}
}

static const struct trap trap_double_mounts = {
	.id = "fstab-twice",
	.severity = TRAP_WARNING,
	.why = "mount -a puts one file system over the other, and only one of them is unmounted",
	.mend = "remove all but one line",
	.look = double_mounts,
};

/* Also when systemd waits there for somebody to use it. */
static bool mounted_at(const struct mount_table *t, const char *path)
{
	for (size_t i = 0; i < t->list.n; i++)
		if (str_eq(t->list.v[i].path, path) && (is_nfs(&t->list.v[i]) || str_eq(t->list.v[i].type, "autofs")))
			return true;
	return false;
}

/* x-systemd.automount: mounted when it is used. */
static bool comes_later(const struct mount_entry *e)
{
	return option_in(e->flags, "noauto") || option_in(e->flags, "x-systemd.automount");
}

static void missing_mounts(struct doctor *d, const struct trap *t)
{
	const struct snode *nfs = nfs_section(d);

	for (size_t k = 0; k < d->places.n; k++) {
		const struct place *p = &d->places.v[k];
		const char *mountinfo = place_file(p, "/proc/self/mountinfo");
		CLEANUP(mount_table_free) struct mount_table live, wanted;
		mountinfo_parse(mountinfo, &live);
		fstab_parse(place_file(p, "/etc/fstab"), &wanted);
		for (size_t i = 0; mountinfo && i < wanted.list.n; i++) {
			const struct mount_entry *e = &wanted.list.v[i];
			if (is_nfs(e) && !mounted_at(&live, e->path) && !comes_later(e))
				doctor_find(d, t, where_is(d, "node %s, /etc/fstab:%zu", p->node, e->line),
					    "%s is not mounted", e->path);
		}
		for (size_t i = 0; mountinfo && i < snode_count(nfs); i++) {
			const struct snode *mount = snode_get(nfs->items[i], "mount");
			const char *path = snode_str(mount, "path");
			if (in_list(snode_get(mount, "nodes"), p->node) && !mounted_at(&live, path) &&
			    !mounted_at(&wanted, path))
				doctor_find(d, t, where_is(d, "node %s", p->node),
					    "%s is not mounted, and the spec wants nfs '%s' there", path,
					    nfs->items[i]->key);
		}
	}
}

static const struct trap trap_missing = {
	.id = "mount-missing",
	.severity = TRAP_ERROR,
	.why = "an empty directory is there instead: containers start on it and look well, without any model",
	.mend = "mount it (nfs.*.mount in the spec), then restart the tasks: a running container does not see a later "
		"mount",
	.look = missing_mounts,
};

/* Tells of those that are stale, or of those whose server does not answer. */
static void dead_mounts(struct doctor *d, const struct trap *t, bool stale)
{
	for (size_t k = 0; k < d->places.n; k++) {
		const struct place *p = &d->places.v[k];
		CLEANUP(mount_view_close) struct mount_view v;
		struct mount_place at;
		mount_view_read(place_look(d, p, DOCTOR_MOUNTS, "mounts"), &v);
		for (size_t i = 0; i < v.mounts.list.n; i++) {
			const struct mount_entry *e = &v.mounts.list.v[i];
			mount_view_place(&v, e->path, &at);
			if (e == at.nfs && (stale ? at.stale : at.hung))
				doctor_find(d, t, where_is(d, "node %s", p->node), "%s (%s) %s", e->path, e->source,
					    stale ? "is a stale file handle"
						  : "is mounted, and its server does not answer");
		}
	}
}

static void hung_mounts(struct doctor *d, const struct trap *t)
{
	dead_mounts(d, t, false);
}

static const struct trap trap_hung = {
	.id = "mount-hung",
	.severity = TRAP_ERROR,
	.why = "whatever reads there waits, without an error and without an end: containers on it neither answer nor "
	       "stop",
	.mend = "look at the server (`systemctl status nfs-server`) and the network between: a hard mount goes on by "
		"itself when the server is back",
	.look = hung_mounts,
};

static void stale_mounts(struct doctor *d, const struct trap *t)
{
	dead_mounts(d, t, true);
}

static const struct trap trap_stale = {
	.id = "mount-stale",
	.severity = TRAP_ERROR,
	.why = "the directory was removed, replaced or taken out of the exports of its server: all that is read there "
	       "fails until it is mounted anew",
	.mend = "`umount -l` and mount it again (where nfs.*.mount in the spec has it, `reconcile apply` does), then "
		"restart the tasks: a running container keeps the dead mount",
	.look = stale_mounts,
};

static bool is_read_only(const struct nfs_mount *m)
{
	return option_in(m->options, "ro");
}

static bool spec_says_ro(const struct snode *nfs, const char *node, const char *target)
{
	for (size_t i = 0; i < snode_count(nfs); i++) {
		const struct snode *mount = snode_get(nfs->items[i], "mount"), *options = snode_get(mount, "options");
		if (str_eq(snode_str(mount, "path"), target) && in_list(snode_get(mount, "nodes"), node))
			return in_list(options, "ro");
	}
	return false;
}

/* A service that runs Ollama only reads its models. */
static bool is_models(struct doctor *d, const char *target)
{
	json_t *s, *m;
	size_t i, k;

	each_service(d, i, s) json_array_foreach (json_object_get(service_container(s), "Mounts"), k,
						  m) if (image_named(service_image(s), "ollama") &&
							 str_eq(json_str(m, "Type"), "bind") &&
							 path_below(json_str(m, "Source"), target)) return true;
	return false;
}

static void writable_mounts(struct doctor *d, const struct trap *t)
{
	for (size_t k = 0; k < d->places.n; k++) {
		const struct place *p = &d->places.v[k];
		struct nfs_mounts all = {0};
		nfs_mounted(d, p, &all);
		nfs_in_fstab(d, p, &all);
		for (size_t i = 0; i < all.list.n; i++) {
			const struct nfs_mount *m = &all.list.v[i];
			bool ro_meant = spec_says_ro(nfs_section(d), p->node, m->target);
			if (is_read_only(m) || !(ro_meant || is_models(d, m->target)))
				continue;
			if (m->line)
				doctor_find(d, t, where_is(d, "node %s, /etc/fstab:%zu", p->node, m->line),
					    "%s is to be mounted with %s", m->target, m->options);
			else
				doctor_find(d, t, where_is(d, "node %s", p->node), "%s is mounted read-write",
					    m->target);
		}
		vec_free(&all.list);
	}
}

static const struct trap trap_writable = {
	.id = "mount-writable",
	.severity = TRAP_WARNING,
	.why = "every node can write to the models, and each Ollama prunes what another pulls; `defaults` is "
	       "read-write",
	.mend = "mount it with ro on all nodes but the server",
	.look = writable_mounts,
};

static void soft_mounts(struct doctor *d, const struct trap *t)
{
	for (size_t k = 0; k < d->places.n; k++) {
		const struct place *p = &d->places.v[k];
		struct nfs_mounts all = {0};
		nfs_mounted(d, p, &all);
		for (size_t i = 0; i < all.list.n; i++)
			if (option_in(all.list.v[i].options, "soft"))
				doctor_find(d, t, where_is(d, "node %s", p->node), "%s is mounted soft",
					    all.list.v[i].target);
		vec_free(&all.list);
	}
}

static const struct trap trap_soft = {
	.id = "mount-soft",
	.severity = TRAP_WARNING,
	.why = "a slow server then makes reads fail, and files can be damaged",
	.mend = "mount it with hard",
	.look = soft_mounts,
};

const struct trap *const traps_nfs[] = {
	&trap_open,  &trap_blank,         &trap_double,   &trap_missing, &trap_hung,
	&trap_stale, &trap_double_mounts, &trap_writable, &trap_soft,    NULL,
};
