#include "kinds/package.h"

#include "kinds/kinds.h"
#include "kinds/util.h"

#include <string.h>

/*
 * The packages that a node needs for what the spec wants of it, by their names in Debian, and those that the spec adds.
 * One resource for each node. What is there in another form counts as there: an Engine from docker-ce or a static
 * binary is never replaced. Nothing is removed, and only `reconcile bootstrap` installs.
 */

#define INSTALL_MS (INT64_C(20) * 60 * 1000)
#define LOCK_TIMEOUT "DPkg::Lock::Timeout=300" /* s; another apt, such as unattended-upgrades */

static const struct field fields[] = {
	{"packages", FIELD_MERGE, NULL},
};

/* What Fedora and RHEL call them. */
static const struct {
	const char *deb, *rpm;
} names[] = {
	{"docker.io", "moby-engine"},
	{"nfs-common", "nfs-utils"},
	{"nfs-kernel-server", "nfs-utils"},
};

static const char *rpm_name(const char *deb)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		if (strcmp(names[i].deb, deb) == 0)
			return names[i].rpm;
	return deb;
}

static bool has_item(const struct snode *list, const char *text)
{
	for (size_t i = 0; i < snode_count(list); i++)
		if (str_eq(snode_scalar(list->items[i]), text))
			return true;
	return false;
}

/* The packages of a node as they are collected: {"docker.io": true, …}. */
struct collected {
	json_t *packages;
	struct resource_set *set; /* NULL: the places in the spec are not asked for */
	struct resource *resource;
};

static void add(struct collected *c, const char *name, struct mark m)
{
	if (json_object_get(c->packages, name))
		return;
	json_set_bool(c->packages, name, true);
	_cleanup_free_ char *path = member_path("packages", name);
	if (c->set)
		resource_mark(c->set, c->resource, path, m);
}

static void collect(struct collected *c, const struct spec *spec, const struct snode *node)
{
	const struct snode *nfs = snode_get(spec_root(spec), "nfs"), *own = snode_get(node, "packages");

	if (spec_wants_swarm(spec)) {
		add(c, "docker.io", node->key_mark);
		add(c, "apparmor", node->key_mark);
	}
	for (size_t i = 0; i < snode_count(nfs); i++) {
		const struct snode *n = nfs->items[i], *export = snode_get(n, "export");
		if (export && str_eq(snode_str(n, "server"), node->key))
			add(c, "nfs-kernel-server", export->key_mark);
		if (has_item(snode_path(n, "mount.nodes"), node->key))
			add(c, "nfs-common", n->key_mark);
	}
	for (size_t i = 0; i < snode_count(own); i++)
		if (snode_scalar(own->items[i]))
			add(c, own->items[i]->text, own->items[i]->mark);
}

/* New reference. */
static json_t *wanted(const struct spec *spec, const struct snode *node)
{
	struct collected c = {.packages = json_object()};

	collect(&c, spec, node);
	return c.packages;
}

/* The look's argument: "docker.io=moby-engine nfs-common=nfs-utils". */
static void look_argument(const json_t *packages, struct str *out)
{
	size_t n;
	const char **keys = json_sorted_keys(packages, &n);

	for (size_t i = 0; i < n; i++)
		str_addf(out, "%s%s=%s", i ? " " : "", keys[i], rpm_name(keys[i]));
	free(keys);
}

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *nodes = snode_get(spec_root(spec), "nodes");

	for (size_t i = 0; i < snode_count(nodes); i++) {
		_cleanup_json_ json_t *packages = wanted(spec, nodes->items[i]);
		_cleanup_str_ struct str argument = {0};
		look_argument(packages, &argument);
		if (argument.len)
			want_look(w, nodes->items[i]->key, "package", str_cstr(&argument));
	}
}

/* What the probe saw */

struct seen {
	enum { MANAGER_NONE, MANAGER_APT, MANAGER_RPM } manager;
	bool engine;    /* dockerd or its socket, in whatever form */
	bool no_parser; /* of AppArmor, which the kernel has switched on: no container starts (seen with docker.io) */
	json_t *installed; /* by name; true: whole, false: unpacked, half configured, … */
};

static void seen_free(struct seen *s)
{
	json_decref(s->installed);
}

/* "Status: install ok installed"; with "config-files" or "not-installed" it is as good as not there. */
static void see_status(struct seen *s, const char *name, const char *status)
{
	if (str_ends(status, " ok installed"))
		json_set_bool(s->installed, name, true);
	else if (*name && !str_ends(status, " config-files") && !str_ends(status, " not-installed") &&
		 !json_object_get(s->installed, name))
		json_set_bool(s->installed, name, false);
}

static void see(struct seen *s, const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);
	const char *name = "";

	*s = (struct seen){.installed = json_object()};
	for (char *save, *line = strtok_r(copy, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		if (strcmp(line, "apt") == 0)
			s->manager = MANAGER_APT;
		else if (strcmp(line, "rpm") == 0)
			s->manager = MANAGER_RPM;
		else if (strcmp(line, "dockerd") == 0)
			s->engine = true;
		else if (strcmp(line, "no apparmor_parser") == 0)
			s->no_parser = true;
		else if (str_starts(line, "Package: "))
			name = line + strlen("Package: ");
		else if (str_starts(line, "Status: "))
			see_status(s, name, line + strlen("Status: "));
	}
}

static bool is_there(const struct seen *s, const char *package)
{
	const json_t *known = json_object_get(s->installed, s->manager == MANAGER_RPM ? rpm_name(package) : package);

	if (strcmp(package, "apparmor") == 0)
		return !s->no_parser;
	/* Debian's own, not whole: not there. Another one's engine is in no list. */
	return known ? json_is_true(known) : s->engine && strcmp(package, "docker.io") == 0;
}

static const json_t *answer_of(const struct snapshot *snap, struct arena *a, const char *node, const json_t *packages,
			       const char **why)
{
	_cleanup_str_ struct str argument = {0};

	look_argument(packages, &argument);
	return host_look(snap, a, node, "package", str_cstr(&argument), why);
}

bool package_engine_is_missing(const struct snapshot *snap, const char *node)
{
	_cleanup_free_ char *doc = xasprintf("host/%s", node);
	json_t *looks = json_object_get(snapshot_get(snap, doc, NULL), "looks"), *answer;
	const char *look;

	json_object_foreach (looks, look, answer) {
		if (!str_starts(look, "package ") || !json_is_string(answer))
			continue;
		CLEANUP(seen_free) struct seen s;
		see(&s, json_string_value(answer));
		return !s.engine;
	}
	return false;
}

static void decode_node(struct decode *d, const struct snode *node)
{
	_cleanup_json_ json_t *packages = wanted(d->spec, node);
	_cleanup_str_ struct str argument = {0};

	look_argument(packages, &argument);
	if (argument.len == 0 || !host_look_counts(d->snap, node->key, "package", str_cstr(&argument)))
		return;
	struct resource *r = resource_add(d->out, "package", node->key);
	struct collected c = {.packages = json_object(), .set = d->out, .resource = r};
	r->node = r->name;
	r->mark = node->key_mark;
	collect(&c, d->spec, node);
	resource_set_field(d->out, r, "packages", c.packages, node->key_mark);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *nodes = snode_get(spec_root(d->spec), "nodes");

	(void)err;
	for (size_t i = 0; i < snode_count(nodes); i++)
		decode_node(d, nodes->items[i]);
	return 0;
}

static void observe_node(struct observe *o, const struct resource *want)
{
	struct resource *r = observe_add(o, want);
	const char *why = "", *name;
	const json_t *packages = json_object_get(want->body, "packages");
	const json_t *answer = answer_of(o->snap, resource_set_arena(o->out), want->node, packages, &why);
	json_t *there = json_object(), *value;
	CLEANUP(seen_free) struct seen s;

	json_set(r->body, "packages", there);
	r->owned = true; /* a node's packages are nobody else's to mark */
	if (!json_is_string(answer)) {
		r->presence = UNKNOWN;
		resource_block(o->out, r, "%s", why);
	}
	see(&s, json_is_string(answer) ? json_string_value(answer) : "");
	if (r->presence == UNKNOWN)
		return;
	r->presence = PRESENT;
	json_object_foreach ((json_t *)packages, name, value)
		if (is_there(&s, name))
			json_set_bool(there, name, true);
}

static int observe(struct observe *o, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < resource_count(o->want); i++)
		if (str_eq(resource_at(o->want, i)->kind, "package"))
			observe_node(o, resource_at(o->want, i));
	return 0;
}

/* Explain */

/* "docker.io, nfs-common": what the change brings; shown: for people. */
static void missing(const struct change *c, const char *separator, bool shown, struct str *out)
{
	const json_t *there = c->live ? json_object_get(c->live->body, "packages") : NULL;
	size_t n;
	const char **keys = json_sorted_keys(json_object_get(c->desired->body, "packages"), &n);

	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *path = member_path("packages", keys[i]);
		bool hidden = shown && resource_mark_of(c->desired, path).hidden;
		if (!json_object_get(there, keys[i]))
			str_addf(out, "%s%s", out->len ? separator : "", hidden ? "(value of a variable)" : keys[i]);
	}
	free(keys);
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	_cleanup_str_ struct str list = {0};
	const char *why;
	CLEANUP(seen_free) struct seen s;
	const json_t *answer =
		answer_of(o->snap, a, c->desired->node, json_object_get(c->desired->body, "packages"), &why);

	see(&s, json_is_string(answer) ? json_string_value(answer) : "");
	missing(c, ", ", true, &list);
	if (c->state == CHANGE_BLOCKED || list.len == 0)
		return;
	if (s.manager == MANAGER_NONE)
		c->reason = arena_printf(a,
					 "%s: not installed on node '%s', which has neither dpkg nor rpm: install it "
					 "there as its system does",
					 str_cstr(&list), c->desired->node);
	else if (!json_bool(snapshot_get(o->snap, "run/options", NULL), "may_init"))
		c->reason = arena_printf(a, "%s: not installed on node '%s': run `reconcile bootstrap`",
					 str_cstr(&list), c->desired->node);
	if (c->reason) {
		c->state = CHANGE_BLOCKED;
		return;
	}
	c->effect = "their services are started by the package manager where systemd runs; nothing is removed";
	c->asks = "installs packages";
}

/* Apply */

/*
 * Arguments: packages. Nothing can ask; configuration files that somebody changed stay, and so does every package. Of
 * what apt and dpkg say, the lines that tell why it failed, also that a disk is full: what they say goes into a file in
 * /run, for what packages start may hold a pipe open.
 */
static const char apt_script[] =
	"export DEBIAN_FRONTEND=noninteractive; log=$(mktemp /run/reconcile-apt.XXXXXX)\n"
	"trap 'rm -f -- \"$log\"' EXIT; trap 'exit 1' HUP INT TERM\n"
	"apt-get -q -y -o " LOCK_TIMEOUT
	" -o Dpkg::Use-Pty=0 -o Dpkg::Options::=--force-confdef -o Dpkg::Options::=--force-confold "
	"--no-install-recommends --no-remove install -- \"$@\" </dev/null >\"$log\" 2>&1 && exit 0\n"
	"grep -E '^E: |^dpkg: error|Depends: |exit status|No space left' \"$log\" | tail -n 4 | "
	"awk '{ $1 = $1; printf \"%s%s\", n++ ? \"; \" : \"\", $0 }' >&2; exit 1\n";
/* An installation that was cut off. */
static const char configure_script[] = "export DEBIAN_FRONTEND=noninteractive\n"
				       "exec dpkg --force-confdef --force-confold --configure -a </dev/null\n";
static const char update_script[] = "exec apt-get -q -o " LOCK_TIMEOUT " update </dev/null\n";
static const char dnf_script[] = "exec dnf -q -y --setopt=install_weak_deps=False install -- \"$@\" </dev/null\n";

struct installation {
	struct apply *a;
	struct host *host;
	const char *const *packages; /* by the names of the node's manager */
	const char *shown;
};

static int run(const struct installation *i, const char *verb, const char *object, const char *script,
	       const char *const *args, struct err *err)
{
	i->a->progress(i->a->progress_arg, "%s %s", verb, object);
	return host_script(i->host, verb, object, script, args, i->a->deadline, err);
}

/* What failed once is repaired as far as that is certain (a cut-off installation, missing or old lists), and tried
 * again. */
static int apt_install(const struct installation *i, struct err *err)
{
	static const char *const none[] = {NULL};
	struct err first = {0}, e = {0};

	if (run(i, "install", i->shown, apt_script, i->packages, &first) == 0)
		return 0;
	if (first.code != ERR_FAILED) {
		*err = first;
		return -1;
	}
	if (strstr(first.msg, "dpkg --configure -a") &&
	    run(i, "configure", "unfinished packages", configure_script, none, err) < 0)
		return -1;
	/* What cannot be fetched may not be needed: the installation says so. */
	int updated = run(i, "update", "the lists of packages", update_script, none, &e);
	if (run(i, "install", i->shown, apt_script, i->packages, err) == 0)
		return 0;
	return updated < 0 ? err_wrap(err, "after `apt-get update` failed (%s)", e.msg) : -1;
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	_cleanup_str_ struct str list = {0}, shown = {0};
	const char *node = c->desired->node, *why;
	struct arena *arena = arena_new();
	VEC(const char *) packages = {0};
	CLEANUP(seen_free) struct seen s;
	const json_t *answer = answer_of(a->snap, arena, node, json_object_get(c->desired->body, "packages"), &why);
	int rc;

	see(&s, json_is_string(answer) ? json_string_value(answer) : "");
	missing(c, " ", false, &list);
	missing(c, ", ", true, &shown);
	_cleanup_free_ char *copy = xstrdup(str_cstr(&list));
	for (char *save, *w = strtok_r(copy, " ", &save); w; w = strtok_r(NULL, " ", &save))
		vec_push(&packages, s.manager == MANAGER_RPM ? rpm_name(w) : w);
	vec_push(&packages, NULL);
	const struct installation i = {
		.a = a, .host = cluster_host(a->cluster, node), .packages = packages.v, .shown = str_cstr(&shown)};
	if (!a->cluster->may_init)
		rc = err_set(err, ERR_BLOCKED, "only `reconcile bootstrap` installs packages");
	else
		rc = s.manager == MANAGER_RPM ? run(&i, "install", i.shown, dnf_script, i.packages, err)
					      : apt_install(&i, err);
	vec_free(&packages);
	arena_free(arena);
	return rc;
}

static int64_t patience_ms(const struct change *c)
{
	(void)c;
	return INSTALL_MS;
}

const struct kind kind_package = {
	.name = "package",
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
	.patience_ms = patience_ms,
};
