#include "kinds/kinds.h"
#include "kinds/mount/view.h"
#include "kinds/mount/write.h"
#include "kinds/util.h"

#include <string.h>

/*
 * NFS mounts of the nodes, as systemd mount and automount units. The spec owns a path: lines of fstab and units of
 * others for it are taken over. Our own units say whose they are, which is how they are known when the spec forgets
 * them.
 */

static const struct field fields[] = {
	{"fstab", 0, NULL},                      /* never wanted: lines of fstab that would mount it too */
	{"options", 0, NULL}, {"path", 0, NULL}, /* identity */
	{"source", 0, NULL},  {"unit", 0, NULL},
};

static const char *const after[] = {"package", "export", "firewall", NULL};

static const struct snode *section(const struct spec *spec, const char *name)
{
	return snode_get(spec_root(spec), name);
}

static bool is_mounted_on(const struct snode *nfs, const char *node)
{
	const struct snode *nodes = snode_path(nfs, "mount.nodes");

	for (size_t i = 0; i < snode_count(nodes); i++)
		if (str_eq(snode_scalar(nodes->items[i]), node))
			return true;
	return false;
}

/* Looked at on every node: one that the spec no longer names may still have our units. */
static void need_node(const struct spec *spec, struct wants *w, const char *node)
{
	const struct snode *nfs = section(spec, "nfs");
	VEC(const char *) paths = {0};

	for (size_t i = 0; i < snode_count(nfs); i++) {
		_cleanup_str_ struct str path = {0};
		const char *at = snode_str(snode_get(nfs->items[i], "mount"), "path");
		if (!at || !is_mounted_on(nfs->items[i], node))
			continue;
		mount_path(at, &path);
		if (!mount_path_problem(str_cstr(&path)))
			vec_push(&paths, arena_strdup(w->arena, str_cstr(&path)));
	}
	if (paths.n > 0)
		want_file(w, node, FSTAB);
	_cleanup_free_ char *argument = mount_look_argument(spec_cluster(spec), paths.v, paths.n);
	want_look(w, node, "mounts", argument);
	vec_free(&paths);
}

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *nodes = section(spec, "nodes");

	for (size_t i = 0; i < snode_count(nodes); i++)
		need_node(spec, w, nodes->items[i]->key);
}

/* The answer to what need_node asked. False: it is not known, *why says why. */
static bool open_view(const struct snapshot *snap, struct arena *a, const char *node, struct mount_view *v,
		      const char **why)
{
	_cleanup_free_ char *doc = xasprintf("host/%s", node);
	const json_t *host = snapshot_get(snap, doc, why), *answer = NULL;
	const char *key;
	json_t *unused;

	mount_view_read(NULL, v);
	if (!host)
		return false;
	*why = "the probe did not look at its mounts";
	json_object_foreach (json_object_get(host, "looks"), key, unused)
		if (str_starts(key, "mounts "))
			answer = host_look(snap, a, node, "mounts", key + strlen("mounts "), why);
	if (!answer)
		return false;
	mount_view_close(v);
	mount_view_read(json_string_value(answer), v);
	return true;
}

static const json_t *fstab_of(const struct snapshot *snap, const char *node)
{
	_cleanup_free_ char *doc = xasprintf("host/%s", node);
	return json_object_get(json_object_get(snapshot_get(snap, doc, NULL), "files"), FSTAB);
}

/* Decode */

/* *m is hidden when one of them is: they are one text in the body. */
static void options_list(const struct snode *options, struct str *out, struct mark *m)
{
	for (size_t i = 0; i < snode_count(options); i++) {
		str_addf(out, "%s,", snode_scalar(options->items[i]) ? snode_scalar(options->items[i]) : "");
		m->hidden |= options->items[i]->mark.hidden;
	}
}

/* "10.0.0.80:/srv/models", as mount.nfs takes it. */
static void source_text(const struct snode *server, const char *path, struct str *out)
{
	const char *address = snode_str(server, "address");

	str_addf(out, address && strchr(address, ':') ? "[%s]:" : "%s:", address ? address : "");
	mount_path(path, out);
}

/*
 * What the units say is made once, and kept beside the body: the body only says whether they are so. As is what an
 * ignored field hides in it, and what messages may show.
 */
static void set_payload(struct decode *d, struct resource *r, const struct mount_options *o, const char *server,
			const char *shown)
{
	const struct mount_unit u = {
		.cluster = spec_cluster(d->spec),
		.name = r->name,
		.source = json_str(r->body, "source"),
		.path = json_str(r->body, "path"),
		.options = o,
	};
	_cleanup_str_ struct str mount = {0}, automount = {0}, text = {0};

	mount_unit_text(&u, &mount);
	automount_unit_text(&u, &automount);
	_cleanup_json_ json_t *payload =
		json_pack("{s:s,s:s,s:s,s:s,s:s,s:s}", "mount", str_cstr(&mount), "automount", str_cstr(&automount),
			  "source", u.source, "options", o->kernel, "server", server, "shown", shown);
	json_canonical(payload, &text);
	r->payload = arena_strdup(resource_set_arena(d->out), str_cstr(&text));
}

static void block_by_spec(struct decode *d, struct resource *r, const struct snode *mount,
			  const struct mount_options *o)
{
	const char *problem = mount_path_problem(json_str(r->body, "path"));

	if (problem)
		resource_block(d->out, r, "mount.path: %s", problem);
	if (o->wrong)
		resource_block(d->out, r,
			       "the mount option '%s' cannot be in a unit: leave it out; of systemd's there are "
			       "x-systemd.idle-timeout and x-systemd.mount-timeout",
			       snode_shown_part(snode_get(mount, "options"), o->wrong));
}

/* A desired resource as the view takes it. */
struct wanted {
	json_t *payload;
	struct mount_wanted want;
};

static void wanted_close(struct wanted *w)
{
	json_decref(w->payload);
}

static void wanted_open(const char *cluster, const struct resource *r, struct wanted *w)
{
	struct err unused;

	w->payload = NULL;
	if (json_parse(r->payload, strlen(r->payload), &w->payload, &unused) < 0)
		w->payload = json_object();
	const char *options = json_str(r->body, "options");
	w->want = (struct mount_wanted){
		.cluster = cluster,
		.path = json_str(r->body, "path"),
		.source = json_str(w->payload, "source"),
		.options = options ? options : json_str(w->payload, "options"),
		.server = json_str(w->payload, "server"),
		.shown = json_str(w->payload, "shown"),
		.mount_text = json_str(w->payload, "mount"),
		.automount_text = json_str(w->payload, "automount"),
	};
}

static void block_by_node(struct decode *d, struct resource *r)
{
	CLEANUP(mount_view_close) struct mount_view v;
	CLEANUP(wanted_close) struct wanted w = {0};
	const char *why;

	if (!open_view(d->snap, resource_set_arena(d->out), r->node, &v, &why))
		return; /* observe says so */
	if (!v.systemd) {
		resource_block(d->out, r,
			       "node '%s' does not run systemd: mounts are made as its units, so that Docker starts "
			       "after them; mount it by other means there, and leave the node out of mount.nodes",
			       r->node);
		return;
	}
	if (!v.helper && !resource_find(d->out, "package", r->node))
		resource_block(d->out, r,
			       "node '%s' cannot mount NFS: install nfs-common there, for example with 'apt install "
			       "nfs-common'",
			       r->node);
	wanted_open(spec_cluster(d->spec), r, &w);
	_cleanup_free_ char *obstacle =
		mount_view_obstacle(&v, json_str(fstab_of(d->snap, r->node), "content"), &w.want);
	if (obstacle)
		resource_block(d->out, r, "node '%s': %s", r->node, obstacle);
}

static void decode_mount(struct decode *d, const struct snode *nfs, const struct snode *client)
{
	const struct snode *mount = snode_get(nfs, "mount"), *options = snode_get(mount, "options");
	const struct snode *nodes = section(d->spec, "nodes"), *server = snode_get(nodes, snode_str(nfs, "server"));
	_cleanup_free_ char *name = xasprintf("%s@%s", nfs->key, snode_scalar(client));
	_cleanup_str_ struct str path = {0}, source = {0}, list = {0};
	CLEANUP(mount_options_free) struct mount_options o;
	struct resource *r = resource_add(d->out, "mount", name);

	r->mark = client->mark;
	r->node = arena_strdup(resource_set_arena(d->out), snode_scalar(client));
	mount_path(snode_str(mount, "path"), &path);
	source_text(server, snode_str(nfs, "path"), &source);
	struct mark options_mark = mark_of(options, mount->key_mark);
	options_list(options, &list, &options_mark);
	mount_options_read(str_cstr(&list), &o);
	struct mark from = snode_get(nfs, "path")->mark;
	from.hidden |= snode_get(nfs, "server")->mark.hidden || snode_get(server, "address")->mark.hidden;
	_cleanup_free_ char *unit = mount_unit_name(str_cstr(&path), ".automount");
	struct mark at = snode_get(mount, "path")->mark, unit_mark = r->mark;
	unit_mark.hidden |= at.hidden;
	resource_set_field(d->out, r, "path", json_string(str_cstr(&path)), at);
	resource_set_field(d->out, r, "source", json_string(str_cstr(&source)), from);
	resource_set_field(d->out, r, "options", json_string(o.kernel), options_mark);
	resource_set_field(d->out, r, "unit", json_string(unit), unit_mark);
	set_payload(d, r, &o, snode_shown(snode_get(nfs, "server")), snode_shown(snode_get(mount, "path")));
	resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "export/%s", nfs->key);
	resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "package/%s", r->node);
	common_keys(d, r, mount);
	block_by_spec(d, r, mount, &o);
	block_by_node(d, r);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *nfs = section(d->spec, "nfs");

	(void)err;
	for (size_t i = 0; i < snode_count(nfs); i++) {
		const struct snode *nodes = snode_path(nfs->items[i], "mount.nodes");
		for (size_t k = 0; k < snode_count(nodes); k++)
			decode_mount(d, nfs->items[i], nodes->items[k]);
	}
	return 0;
}

/* Observe */

static void set_unknown(struct observe *o, struct resource *r, const char *why)
{
	r->presence = UNKNOWN;
	resource_block(o->out, r, "%s", why);
}

static void observe_wanted(struct observe *o, const struct resource *want, const struct mount_view *v)
{
	CLEANUP(wanted_close) struct wanted w = {0};
	struct resource *r = observe_add(o, want);
	const json_t *fstab = fstab_of(o->snap, want->node);

	wanted_open(o->cluster, want, &w);
	_cleanup_free_ char *unknown = mount_view_unknown(v, &w.want), *failure = mount_view_failure(v, &w.want);

	if (json_str(fstab, "error")) {
		_cleanup_free_ char *why = xasprintf(FSTAB ": %s", json_str(fstab, "error"));
		set_unknown(o, r, why);
		return;
	}
	if (unknown) {
		set_unknown(o, r, unknown);
		return;
	}
	if (failure)
		resource_note(o->out, r, "%s", failure);
	json_t *body = mount_view_body(v, json_str(fstab, "content"), &w.want);
	if (!body)
		return;
	r->presence = PRESENT;
	r->owned = true; /* the spec owns the path, whoever mounts on it */
	json_decref(r->body);
	r->body = body;
}

static bool is_wanted_path(const struct observe *o, const char *node, const char *path)
{
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *w = resource_at(o->want, i);
		if (str_eq(w->kind, "mount") && str_eq(w->node, node) && str_eq(json_str(w->body, "path"), path))
			return true;
	}
	return false;
}

/* Our units that the spec has no mount for: named as it was, or by its place when that name is used again. */
static void observe_extras(struct observe *o, const char *node, const struct mount_view *v)
{
	size_t n;
	const char **units = json_sorted_keys(v->units, &n);

	for (size_t i = 0; i < n; i++) {
		const char *text = json_str(v->units, units[i]);
		_cleanup_free_ char *where = mount_unit_where(text), *name = mount_unit_resource(text);
		if (!where || !str_ends(units[i], ".mount") || !mount_unit_is_ours(text, o->cluster) ||
		    is_wanted_path(o, node, where))
			continue;
		bool taken = !name || resource_find(o->want, "mount", name);
		_cleanup_free_ char *place = xasprintf("%s:%s", node, where);
		struct resource *r = resource_add(o->out, "mount", taken ? place : name);
		r->node = arena_strdup(resource_set_arena(o->out), node);
		r->presence = PRESENT;
		r->owned = r->ownable = true;
		json_set_str(r->body, "path", where);
	}
	free(units);
}

static void observe_node(struct observe *o, const char *node)
{
	CLEANUP(mount_view_close) struct mount_view v;
	const char *why;
	bool seen = open_view(o->snap, resource_set_arena(o->out), node, &v, &why);

	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		if (!str_eq(want->kind, "mount") || !str_eq(want->node, node))
			continue;
		if (seen)
			observe_wanted(o, want, &v);
		else
			set_unknown(o, observe_add(o, want), why);
	}
	if (seen)
		observe_extras(o, node, &v);
}

static int observe(struct observe *o, struct err *err)
{
	_cleanup_json_ json_t *nodes = observed_nodes(o, "mount");
	size_t n;

	(void)err;
	const char **names = json_sorted_keys(nodes, &n);
	for (size_t i = 0; i < n; i++)
		observe_node(o, names[i]);
	free(names);
	return 0;
}

/* Explain */

static void say(struct str *effect, const char *text)
{
	str_addf(effect, "%s%s", effect->len ? "\n" : "", text);
}

/* What becomes of what is mounted. live has a source. */
static void explain_mounted(struct change *c, struct str *effect)
{
	const char *from = json_str(c->live->body, "source"), *to = json_str(c->desired->body, "source");
	const char *options = json_str(c->live->body, "options"), *wanted = json_str(c->desired->body, "options");
	enum mount_step step = mount_options_step(options ? options : "", wanted);

	if (strstr(from, "stale file handle")) {
		say(effect, "the dead mount is taken away and mounted again; containers that have it keep the dead one "
			    "until they are restarted");
		c->disruption = DISRUPTS_RESTART;
	} else if (step == MOUNT_AGAIN || strcmp(from, to) != 0) {
		say(effect, "it is unmounted and mounted again, but not while something on the node has it in use; "
			    "containers keep "
			    "the old mount until they are restarted");
		c->disruption = DISRUPTS_RESTART;
	} else if (step == MOUNT_REMOUNT) {
		say(effect, "it is remounted in place: the new options hold at once, also in containers that run");
		c->disruption = DISRUPTS_RESTART;
	}
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	_cleanup_str_ struct str effect = {0};

	(void)o;
	if (!c->desired) {
		c->effect = "it is unmounted, unless it is in use, and its units are removed";
		return;
	}
	if (c->desired->blocked || !c->live)
		return;
	if (json_str(c->live->body, "source"))
		explain_mounted(c, &effect);
	const char *unit = json_str(c->live->body, "unit");
	if (unit && strstr(unit, "not written by reconcile"))
		say(&effect, "the unit files are written anew, a copy of each is kept");
	if (json_str(c->live->body, "fstab"))
		say(&effect, "the lines of " FSTAB " are commented out, a copy of the file is kept");
	if (effect.len)
		c->effect = arena_strdup(a, str_cstr(&effect));
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	const struct resource *r = c->desired ? c->desired : c->live;
	struct host *h = cluster_host(a->cluster, r->node);

	if (!c->desired)
		return mount_remove(a->cluster, h, json_str(r->body, "path"), a->deadline, err);
	CLEANUP(wanted_close) struct wanted w = {0};
	_cleanup_free_ char *unit = mount_unit_name(json_str(r->body, "path"), ".automount");
	wanted_open(a->cluster->name, r, &w);
	const struct mount_change x = {
		.want = &w.want,
		.keep_units = !str_eq(json_str(r->body, "unit"), unit),
		.keep_fstab = json_str(r->body, "fstab") != NULL,
		.keep_mounted = !str_eq(json_str(r->body, "source"), w.want.source),
		.deadline = a->deadline,
		.progress = a->progress,
		.progress_arg = a->progress_arg,
	};
	return mount_write(a->cluster, h, &x, err);
}

const struct kind kind_mount = {
	.name = "mount",
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
