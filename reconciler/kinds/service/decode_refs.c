/* What a service uses of others: volumes and bind sources, ports, networks, configs, secrets. */
#include "kinds/service/service.h"
#include "kinds/util.h"

#include <string.h>

#define block(s, ...) resource_block((s)->d->out, (s)->r, __VA_ARGS__)

/* Bind sources below an NFS path need its mounts */

static bool is_under(const char *path, const char *dir)
{
	size_t n = dir ? strlen(dir) : 0;
	while (n > 1 && dir[n - 1] == '/')
		n--;
	return n > 0 && strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

static void mount_refs(struct service_decoder *s, const struct snode *nfs, struct mark m)
{
	const struct snode *nodes = snode_path(nfs, "mount.nodes");
	const struct snode *all = snode_get(spec_root(s->d->spec), "nodes");

	for (size_t i = 0; i < snode_count(nodes); i++) {
		const char *node = snode_scalar(nodes->items[i]);
		bool optional = node && snode_bool(snode_get(all, node), "optional", false);
		if (node)
			resource_ref(s->d->out, s->r, optional ? REF_ORDER : REF_REQUIRES, m, "mount/%s@%s", nfs->key,
				     node);
	}
}

static void model_refs(struct service_decoder *s, const struct snode *nfs, struct mark m)
{
	const struct snode *root = spec_root(s->d->spec), *models = snode_get(root, "models"),
			   *present = snode_get(models, "present");
	const struct snode *server = snode_get(snode_get(root, "nodes"), snode_str(nfs, "server"));
	bool optional = snode_bool(server, "optional", false);

	if (!str_eq(snode_str(models, "store"), nfs->key))
		return;
	/* Without its models the service does not become healthy, and would be remembered as one that fails. */
	for (size_t i = 0; i < snode_count(present); i++)
		if (snode_scalar(present->items[i]))
			resource_ref(s->d->out, s->r, optional ? REF_ORDER : REF_REQUIRES, m, "model/%s",
				     snode_scalar(present->items[i]));
}

static void bind_refs(struct service_decoder *s, const char *source, struct mark m)
{
	const struct snode *all = snode_get(spec_root(s->d->spec), "nfs");

	for (size_t i = 0; i < snode_count(all); i++) {
		const struct snode *nfs = all->items[i], *mount = snode_get(nfs, "mount");
		bool mounted = is_under(source, snode_str(mount, "path"));
		if (!mounted && !is_under(source, snode_str(nfs, "path")))
			continue;
		resource_ref(s->d->out, s->r, REF_ORDER, m, "directory/%s", nfs->key);
		resource_ref(s->d->out, s->r, REF_ORDER, m, "export/%s", nfs->key);
		if (mounted)
			mount_refs(s, nfs, m);
		model_refs(s, nfs, m);
	}
}

/* Volumes */

static bool holds_variable(const struct resource *r)
{
	for (size_t i = 0; i < r->marks.n; i++)
		if (r->marks.v[i].mark.hidden)
			return true;
	return false;
}

/*
 * A declared volume is described in the mount as well: volumes belong to a
 * node, and a task on another node makes its own from this.
 */
static void use_volume(struct service_decoder *s, json_t *mount, struct mark *m)
{
	const char *source = json_str(mount, "source");
	const struct resource *volume = source ? resource_find(s->d->out, "volume", source) : NULL;
	const char *name = source ? engine_name(s->d->out, "volume", source) : NULL;

	if (!volume)
		return;
	resource_ref(s->d->out, s->r, REF_REQUIRES, *m, "volume/%s", source);
	m->hidden |= holds_variable(volume);
	if (!volume->external) {
		json_set_str(mount, "driver", json_str(volume->body, "driver"));
		json_t *options = json_object_get(volume->body, "options");
		if (options)
			json_set(mount, "driver_opts", json_deep_copy(options));
	}
	json_set_str(mount, "source", name);
}

static void add_mount(struct service_decoder *s, const struct snode *n, const char *target, json_t *mount)
{
	const struct snode *named = n->type == SNODE_MAP ? snode_get(n, "target") : n;
	const char *source = json_str(mount, "source"), *type = json_str(mount, "type");
	json_t *mounts = object_at(s->body, "mounts");
	_cleanup_str_ struct str buf = {0};
	const char *clean = mount_target(target, &buf);
	struct mark m = n->mark;

	if (json_object_get(mounts, clean))
		block(s, "volumes: two mounts at %s", snode_shown_part(named, clean));
	if (str_eq(type, "volume"))
		use_volume(s, mount, &m);
	else if (source && str_eq(type, "bind"))
		bind_refs(s, source, m);
	json_set(mounts, clean, mount_finish(mount));
	mark_member(s, "mounts", clean, m);
}

static const struct {
	const char *option, *member, *text; /* text NULL: true */
} mount_options[] = {
	{"nocopy", "no_copy", NULL},         {"private", "propagation", "private"}, {"ro", "read_only", NULL},
	{"rprivate", "propagation", NULL},   {"rshared", "propagation", "rshared"}, {"rslave", "propagation", "rslave"},
	{"shared", "propagation", "shared"}, {"slave", "propagation", "slave"},
};

static void set_mount_option(json_t *mount, const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(mount_options); i++) {
		if (strcmp(mount_options[i].option, option) != 0)
			continue;
		if (mount_options[i].text)
			json_set_str(mount, mount_options[i].member, mount_options[i].text);
		else
			json_set_bool(mount, mount_options[i].member, true);
	}
}

/* "source:target:options", "source:target", "target" */
static void decode_short_mount(struct service_decoder *s, const struct snode *n)
{
	_cleanup_free_ char *copy = xstrdup(n->text);
	char *rest = copy;
	const char *source = strsep(&rest, ":"), *target = strsep(&rest, ":"), *options = rest;
	json_t *mount = json_object();

	if (!target) {
		target = source;
		source = NULL;
	}
	json_set_str(mount, "type", source && *source == '/' ? "bind" : "volume");
	json_set_str(mount, "source", source);
	for (char *o; options && (o = strsep(&rest, ","));)
		set_mount_option(mount, o);
	if (source && (*source == '.' || *source == '~'))
		block(s, "volumes: '%s' is relative: a path on the nodes must be absolute",
		      snode_shown_part(n, source));
	add_mount(s, n, target, mount);
}

static void set_from(json_t *mount, const char *member, const struct snode *n)
{
	if (n && n->type != SNODE_NULL)
		json_set(mount, member, snode_json(n));
}

/* Permissions are octal, however they are written. */
static void set_mode(json_t *obj, const struct snode *n)
{
	const char *text = snode_scalar(n);
	if (text)
		json_set(obj, "mode", mode_text(strtoll(text, NULL, 8)));
}

static void decode_long_mount(struct service_decoder *s, const struct snode *n)
{
	const char *type = snode_str(n, "type"), *target = snode_str(n, "target");
	json_t *mount = json_object();

	json_set_str(mount, "type", type ? type : "volume");
	set_from(mount, "source", snode_get(n, "source"));
	set_from(mount, "read_only", snode_get(n, "read_only"));
	set_from(mount, "propagation", snode_path(n, "bind.propagation"));
	set_from(mount, "no_copy", snode_path(n, "volume.nocopy"));
	set_from(mount, "driver", snode_path(n, "volume.driver")); /* these three: a stack's, spec/stack_scope.c */
	set_from(mount, "driver_opts", snode_path(n, "volume.driver_opts"));
	set_from(mount, "labels", snode_path(n, "volume.labels"));
	set_from(mount, "size", snode_path(n, "tmpfs.size"));
	set_mode(mount, snode_path(n, "tmpfs.mode"));
	add_mount(s, n, target, mount);
}

void decode_mounts(struct service_decoder *s)
{
	const struct snode *n = snode_get(s->node, "volumes");

	if (n)
		resource_mark(s->d->out, s->r, "mounts", n->key_mark);
	for (size_t i = 0; i < snode_count(n); i++) {
		if (n->items[i]->type == SNODE_MAP)
			decode_long_mount(s, n->items[i]);
		else if (snode_scalar(n->items[i]))
			decode_short_mount(s, n->items[i]);
	}
}

/* Ports */

struct port_range {
	long first, last;
};

static bool parse_range(const char *text, struct port_range *r)
{
	char *end;
	r->first = r->last = strtol(text, &end, 10);
	if (*end == '-')
		r->last = strtol(end + 1, &end, 10);
	return *end == '\0' && end != text && r->first >= 0 && r->first <= r->last && r->last <= 65535;
}

static void add_port(struct service_decoder *s, long published, long target, const char *protocol, const char *mode,
		     struct mark m)
{
	_cleanup_free_ char *key = published ? xasprintf("%ld:%ld/%s", published, target, protocol)
					     : xasprintf("%ld/%s", target, protocol);
	json_set_str(object_at(s->body, "ports"), key, mode);
	mark_member(s, "ports", key, m);
}

/* Ranges of equal length go pairwise. */
static bool add_ports(struct service_decoder *s, const char *published, const char *target, const char *protocol,
		      const char *mode, struct mark m)
{
	struct port_range from = {0}, to;

	if (!parse_range(target, &to) || (published && !parse_range(published, &from)))
		return false;
	if (published && from.last - from.first != to.last - to.first)
		return false;
	for (long i = 0; i <= to.last - to.first; i++)
		add_port(s, published ? from.first + i : 0, to.first + i, protocol, mode, m);
	return true;
}

/* "[published:]target[/protocol]", either side a range */
static bool decode_short_port(struct service_decoder *s, const char *text, struct mark m)
{
	_cleanup_free_ char *copy = xstrdup(text);
	char *slash = strchr(copy, '/'), *colon = strrchr(copy, ':');

	if (slash)
		*slash = '\0';
	if (colon && slash && colon > slash)
		return false;
	if (colon)
		*colon = '\0';
	return add_ports(s, colon ? copy : NULL, colon ? colon + 1 : copy, slash ? slash + 1 : "tcp", "ingress", m);
}

static bool decode_long_port(struct service_decoder *s, const struct snode *n)
{
	const char *published = snode_str(n, "published"), *target = snode_str(n, "target");
	const char *protocol = snode_str(n, "protocol"), *mode = snode_str(n, "mode");

	if (!target)
		return false;
	return add_ports(s, published && *published ? published : NULL, target, protocol ? protocol : "tcp",
			 mode ? mode : "ingress", n->mark);
}

void decode_ports(struct service_decoder *s)
{
	const struct snode *n = snode_get(s->node, "ports");

	if (n)
		resource_mark(s->d->out, s->r, "ports", n->key_mark);
	for (size_t i = 0; i < snode_count(n); i++) {
		const struct snode *item = n->items[i];
		bool ok = item->type == SNODE_MAP ? decode_long_port(s, item)
						  : decode_short_port(s, snode_scalar(item), item->mark);
		if (!ok)
			block(s,
			      "ports: line %d: Swarm publishes [published:]target[/protocol], with ranges of equal "
			      "length, and on no particular address",
			      item->mark.line);
	}
}

/* Networks */

static void mark_network(struct service_decoder *s, const char *name, const struct snode *item)
{
	const struct snode *aliases = snode_get(item, "aliases");
	_cleanup_free_ char *as = xasprintf("networks[%s].aliases", name);
	_cleanup_free_ char *options = xasprintf("networks[%s].driver_opts", name);

	if (aliases)
		resource_mark(s->d->out, s->r, as, aliases->key_mark);
	mark_members(s->d->out, s->r, options, snode_get(item, "driver_opts"));
}

void decode_networks(struct service_decoder *s)
{
	const struct snode *n = snode_get(s->node, "networks");
	json_t *networks = object_at(s->body, "networks");

	if (n)
		resource_mark(s->d->out, s->r, "networks", n->key_mark);
	for (size_t i = 0; i < snode_count(n); i++) {
		const struct snode *item = n->items[i], *aliases = snode_get(item, "aliases");
		const char *key = n->type == SNODE_MAP ? item->key : snode_scalar(item);
		const char *name = engine_name(s->d->out, "network", key);
		json_t *attachment = json_object();

		for (size_t k = 0; k < snode_count(aliases); k++)
			if (!str_eq(snode_scalar(aliases->items[k]), s->r->name))
				json_set_bool(object_at(attachment, "aliases"), snode_scalar(aliases->items[k]), true);
		json_t *options = string_map(snode_get(item, "driver_opts"));
		if (options)
			json_set(attachment, "driver_opts", options);
		json_set(networks, name ? name : key, attachment);
		mark_member(s, "networks", name ? name : key, item->key_mark);
		mark_network(s, name ? name : key, item);
		if (resource_find(s->d->out, "network", key))
			resource_ref(s->d->out, s->r, REF_REQUIRES, item->key_mark, "network/%s", key);
	}
}

/* Configs and secrets */

struct file_kind {
	const char *field, *kind, *dir;
};

static void decode_file(struct service_decoder *s, const struct file_kind *k, const struct snode *item)
{
	bool is_long = item->type == SNODE_MAP;
	const struct snode *named = is_long ? snode_get(item, "source") : item;
	const char *source = snode_scalar(named), *target = is_long ? snode_str(item, "target") : NULL;
	const struct resource *object = source ? resource_find(s->d->out, k->kind, source) : NULL;
	const char *name = source ? engine_name(s->d->out, k->kind, source) : NULL;
	_cleanup_str_ struct str path = {0};

	if (!source)
		return;
	if (!object) {
		block(s, "%s '%s' is not declared in the spec", k->kind, snode_shown(named));
		return;
	}
	resource_ref(s->d->out, s->r, REF_REQUIRES, item->mark, "%s/%s", k->kind, source);
	if (!name || object->blocked)
		block(s, "%s '%s': %s", k->kind, snode_shown(named),
		      object->blocked ? object->blocked : "its name is not known yet");

	json_t *file = json_object();
	json_set_str(file, "source", name ? name : source);
	json_set_str(file, "uid", snode_str(item, "uid"));
	json_set_str(file, "gid", snode_str(item, "gid"));
	set_mode(file, snode_get(item, "mode"));
	file_target(k->dir, target ? target : source, &path);
	json_set(object_at(s->body, k->field), str_cstr(&path), file_finish(file));
	if (object->unreviewed.n > 0)
		vec_push(&s->r->unreviewed,
			 arena_printf(resource_set_arena(s->d->out), "%s[%s].source", k->field, str_cstr(&path)));
	struct mark m = item->mark;
	m.hidden |= resource_mark_of(object, "name").hidden;
	mark_member(s, k->field, str_cstr(&path), m);
}

void decode_files(struct service_decoder *s)
{
	static const struct file_kind kinds[] = {{"configs", "config", ""}, {"secrets", "secret", "/run/secrets"}};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const struct snode *n = snode_get(s->node, kinds[i].field);
		if (n)
			resource_mark(s->d->out, s->r, kinds[i].field, n->key_mark);
		for (size_t k = 0; k < snode_count(n); k++)
			decode_file(s, &kinds[i], n->items[k]);
	}
}
