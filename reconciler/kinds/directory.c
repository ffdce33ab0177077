#include "kinds/kinds.h"
#include "kinds/util.h"

#include <stdlib.h>
#include <string.h>

/*
 * The directory that an `nfs:` section shares, on its server. Only the
 * directory itself: what is in it is the writer's, and a recursive chown fights
 * with containers that run as root (FACTS G 25).
 */

static const struct field fields[] = {
	{"mode", FIELD_IF_SET, NULL}, {"owner", FIELD_IF_SET, NULL}, {"path", FIELD_CREATE_ONLY, NULL}, /* identity */
};

static const struct snode *sections(const struct spec *spec)
{
	return snode_get(spec_root(spec), "nfs");
}

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *nfs = sections(spec);

	for (size_t i = 0; i < snode_count(nfs); i++)
		want_dir(w, snode_str(nfs->items[i], "server"), snode_str(nfs->items[i], "path"));
}

/* What the probe says of the path; NULL: unknown, *why (in the arena) says why. JSON null: nothing is there. */
static const json_t *probed(const struct snapshot *snap, const struct resource *want, struct arena *a, const char **why)
{
	_cleanup_free_ char *doc = xasprintf("host/%s", want->node);
	const json_t *host = snapshot_get(snap, doc, why);
	const char *path = json_str(want->body, "path");
	const json_t *dir = json_object_get(json_object_get(host, "dirs"), path);
	const char *error = json_str(dir, "error");

	if (host && !dir)
		*why = "the probe did not look at it";
	else if (error)
		*why = arena_printf(a, "%s on node '%s': %s", path, want->node, error);
	return error ? NULL : dir;
}

/* "01000:ollama" and "1000:ollama" are the same owner. */
static json_t *canonical_owner(const char *owner)
{
	struct str s = {0};

	while (*owner) {
		size_t len = strcspn(owner, ":");
		if (strspn(owner, "0123456789") == len)
			str_addf(&s, "%lu", strtoul(owner, NULL, 10));
		else
			str_add(&s, owner, len);
		owner += len;
		if (*owner == ':')
			str_addc(&s, *owner++);
	}
	json_t *j = json_string(str_cstr(&s));
	str_free(&s);
	return j;
}

static json_t *canonical_mode(const char *mode)
{
	_cleanup_free_ char *text = xasprintf("%04lo", strtoul(mode, NULL, 8));
	return json_string(text);
}

static void block_what_is_in_the_way(struct decode *d, struct resource *r, const struct snode *path)
{
	const char *why;
	const json_t *dir = probed(d->snap, r, resource_set_arena(d->out), &why);
	const char *type = json_str(dir, "type");

	if (str_eq(type, "symlink"))
		resource_block(
			d->out, r,
			"%s on node '%s' is a symbolic link, not a directory: name the directory that it leads to",
			snode_shown(path), r->node);
	else if (type && !str_eq(type, "directory"))
		resource_block(d->out, r, "%s on node '%s' is not a directory: move what is there out of the way",
			       snode_shown(path), r->node);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *nfs = sections(d->spec);

	(void)err;
	for (size_t i = 0; i < snode_count(nfs); i++) {
		const struct snode *n = nfs->items[i], *owner = snode_get(n, "owner"), *mode = snode_get(n, "mode");
		struct resource *r = resource_add(d->out, "directory", n->key);
		const struct snode *path = snode_get(n, "path");

		r->mark = n->key_mark;
		r->node = arena_strdup(resource_set_arena(d->out), snode_str(n, "server"));
		resource_set_field(d->out, r, "path", json_string(path->text), path->mark);
		if (snode_scalar(owner))
			resource_set_field(d->out, r, "owner", canonical_owner(snode_scalar(owner)), owner->mark);
		if (snode_scalar(mode))
			resource_set_field(d->out, r, "mode", canonical_mode(snode_scalar(mode)), mode->mark);
		common_keys(d, r, n);
		block_what_is_in_the_way(d, r, path);
	}
	return 0;
}

/* The same way of saying it as the spec's: a name where the spec has a name, when the node knows one. */
static void add_part(struct str *out, const char *want, size_t want_len, const char *name, size_t name_len,
		     int64_t number)
{
	bool by_number = strspn(want, "0123456789") == want_len;

	if (by_number || name_len == 0 || strncmp(name, "UNKNOWN", name_len) == 0)
		str_addf(out, "%lld", (long long)number);
	else
		str_add(out, name, name_len);
}

static json_t *live_owner(const json_t *dir, const char *want)
{
	const char *names = json_str(dir, "owner") ? json_str(dir, "owner") : ":";
	size_t want_len = strcspn(want, ":"), names_len = strcspn(names, ":");
	const char *want_group = want[want_len] ? want + want_len + 1 : "";
	const char *group = names[names_len] ? names + names_len + 1 : "";
	struct str s = {0};

	add_part(&s, want, want_len, names, names_len, json_int(dir, "uid", -1));
	str_addc(&s, ':');
	add_part(&s, want_group, strlen(want_group), group, strlen(group), json_int(dir, "gid", -1));
	json_t *j = json_string(str_cstr(&s));
	str_free(&s);
	return j;
}

static void observe_directory(struct observe *o, const struct resource *want)
{
	struct resource *r = observe_add(o, want);
	const char *why, *owner = json_str(want->body, "owner");
	const json_t *dir = probed(o->snap, want, resource_set_arena(o->out), &why);

	if (!dir) {
		r->presence = UNKNOWN;
		r->blocked = arena_strdup(resource_set_arena(o->out), why);
		return;
	}
	if (!str_eq(json_str(dir, "type"), "directory"))
		return;
	r->presence = PRESENT;
	json_set_str(r->body, "path", json_str(want->body, "path"));
	json_set_str(r->body, "mode", json_str(dir, "mode"));
	json_set(r->body, "owner", live_owner(dir, owner ? owner : ""));
}

static int observe(struct observe *o, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < resource_count(o->want); i++)
		if (str_eq(resource_at(o->want, i)->kind, "directory"))
			observe_directory(o, resource_at(o->want, i));
	return 0;
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	const json_t *body = c->desired->body;

	return host_mkdir(cluster_host(a->cluster, c->desired->node), json_str(body, "path"), json_str(body, "owner"),
			  json_str(body, "mode"), err);
}

const struct kind kind_directory = {
	.name = "directory",
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.apply = apply,
};
