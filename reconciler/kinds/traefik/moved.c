#include "kinds/traefik/moved.h"

#include "kinds/node_engine.h"
#include "kinds/traefik/merge.h"
#include "kinds/traefik/yaml.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define FILE_NAME "reconcile-container-routes.yml"
#define LOST "Traefik 2 drops every route that comes from container labels in swarm mode (%s), and "
#define OR_ACCEPT "; or accept their loss with 'keep_container_routes: false'"

static const char header[] =
	"# Routes of containers, moved here when Traefik went to swarm mode (keep_container_routes),\n"
	"# in which it no longer reads the labels of containers. Nothing is removed from here by itself.\n";

/* Parts of GET /api/rawdata and where they stand in a file; services last, as the others say which are needed. */
static const struct section {
	const char *raw, *protocol, *name;
	const char *shown; /* behind the name in a plan; NULL: not shown, a router takes them along */
} sections[] = {
	{"routers", "http", "routers", ""},
	{"middlewares", "http", "middlewares", " (middleware)"},
	{"services", "http", "services", NULL},
	{"tcpRouters", "tcp", "routers", " (TCP)"},
	{"tcpMiddlewares", "tcp", "middlewares", " (TCP middleware)"},
	{"tcpServices", "tcp", "services", NULL},
	{"udpRouters", "udp", "routers", " (UDP)"},
	{"udpServices", "udp", "services", NULL},
};

/* Names */

/* As Traefik's provider.Normalize: letters and digits, everything else one dash. */
static char *normalized(const char *name)
{
	_cleanup_str_ struct str s = {0};

	for (const char *p = name; *p; p++) {
		if (isalnum((unsigned char)*p))
			str_addc(&s, *p);
		else if (s.len && s.data[s.len - 1] != '-')
			str_addc(&s, '-');
	}
	return str_steal(&s);
}

bool traefik_is_task_route(const struct snapshot *snap, const char *node, const char *router)
{
	_cleanup_free_ char *why = NULL;
	json_t *c;
	size_t i;

	json_array_foreach (node_engine_get(snap, node, "service-containers", &why), i, c) {
		const char *name = json_string_value(json_array_get(json_object_get(c, "Names"), 0));
		if (!name || !json_object_get(json_object_get(c, "Labels"), "com.docker.swarm.service.id"))
			continue;
		_cleanup_free_ char *n = normalized(name);
		if (strncmp(router, n, strlen(n)) == 0 && router[strlen(n)] == '@')
			return true;
	}
	return false;
}

static bool is_docker(const char *name)
{
	return str_ends(name, "@docker");
}

/* "a", "a@docker" as "a@file"; what another provider has stays. New string. */
static char *in_file(const char *name)
{
	const char *at = strchr(name, '@');

	if (at && !is_docker(name))
		return xstrdup(name);
	return xasprintf("%.*s@file", (int)(at ? (size_t)(at - name) : strlen(name)), name);
}

/* The file that gets them */

static void file_settings(const struct ynode *file, const struct traefik_view *v, struct moved_file *f)
{
	const struct ynode *directory = ynode_get(file, "directory"), *filename = ynode_get(file, "filename");
	const struct ynode *n = ynode_is_null(directory) ? filename : directory, *watch = ynode_get(file, "watch");
	_cleanup_free_ char *inside = NULL;
	bool single;

	if (ynode_is_null(n) || n->type != YNODE_SCALAR || *n->text != '/') {
		f->why_not = xstrdup("its file provider (providers.file) has no directory or filename with an "
				     "absolute path: give it one");
		return;
	}
	if (watch && watch->type == YNODE_SCALAR && strcasecmp(watch->text, "false") == 0) {
		f->why_not = xstrdup("its file provider does not see changes: remove providers.file.watch, restart "
				     "Traefik, then look again");
		return;
	}
	inside = n == directory ? xasprintf("%s%s" FILE_NAME, n->text, str_ends(n->text, "/") ? "" : "/")
				: xstrdup(n->text);
	if (str_ends(inside, ".toml"))
		f->why_not = xasprintf("its file provider reads %s, and TOML is not edited here: write them into it",
				       inside);
	else if (!static_host_path(v->container, inside, &f->path, &single))
		f->why_not = xasprintf("its file provider reads %s from its image or a volume, not from the host: "
				       "mount a %s of the host there",
				       n->text, n == directory ? "directory" : "file");
	else
		f->inside = xstrdup(inside);
}

void moved_file_make(const struct traefik_view *v, struct moved_file *f)
{
	const char *inside = json_str(v->doc, "inside");
	struct ynode *root = NULL;
	size_t len;

	*f = (struct moved_file){0};
	const char *text = traefik_view_text(v, &len);
	if (v->source != STATIC_FILE || !text || ynode_parse(text, len, &root, NULL) < 0) {
		f->why_not = xstrdup("its static configuration cannot be read");
		return;
	}
	const struct ynode *file = ynode_get(ynode_get(root, "providers"), "file");
	if (file && file->type == YNODE_MAP)
		file_settings(file, v, f);
	else
		f->why_not = xasprintf("it has no file provider that could keep them: mount a directory of the host at "
				       "/etc/traefik/dynamic, add providers.file.directory: /etc/traefik/dynamic to "
				       "%s, and restart Traefik",
				       inside ? inside : "it");
	ynode_free(root);
}

void moved_file_free(struct moved_file *f)
{
	free(f->inside);
	free(f->path);
	free(f->why_not);
}

/* Definitions */

struct mover {
	struct moved *m;
	const json_t *raw, *neighbours;
	const char *why;        /* no neighbours */
	const json_t *networks; /* Traefik's own, by name */
	json_t *lacking;        /* {"http": {"routers": {…}}}: what Traefik does not have from a file yet */
	json_t *needed;         /* {"services": {"whoami@docker": true}} */
};

__attribute__((format(printf, 2, 3))) static void block(struct mover *o, const char *fmt, ...)
{
	va_list ap;
	char *text;

	if (o->m->blocked)
		return;
	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	o->m->blocked = text;
}

/* Without what the API tells beyond the configuration (pkg/config/runtime). */
static json_t *definition(const json_t *raw)
{
	static const char *const runtime[] = {"error", "serverStatus", "status", "usedBy", "using"};
	json_t *d = json_deep_copy(raw);

	for (size_t i = 0; i < ARRAY_SIZE(runtime); i++)
		json_object_del(d, runtime[i]);
	return d;
}

static json_t *member(json_t *obj, const char *key)
{
	if (!json_object_get(obj, key))
		json_set(obj, key, json_object());
	return json_object_get(obj, key);
}

static void rename_ref(json_t *obj, const char *key)
{
	const char *name = json_str(obj, key);
	_cleanup_free_ char *renamed = name ? in_file(name) : NULL;

	json_set_str(obj, key, renamed);
}

static void rename_refs(json_t *obj, const char *key)
{
	json_t *list = json_object_get(obj, key), *name;
	size_t i;

	json_array_foreach (list, i, name) {
		_cleanup_free_ char *renamed = in_file(json_string_value(name));
		json_array_set_new(list, i, json_string(renamed));
	}
}

/* "whoami" and "whoami@docker" are the docker provider's. */
static void need_service(struct mover *o, const struct section *s, const char *name)
{
	_cleanup_free_ char *key = xasprintf("%s%s", strcmp(s->protocol, "http") == 0 ? "" : s->protocol,
					     strcmp(s->protocol, "http") == 0 ? "services" : "Services");
	_cleanup_free_ char *full = NULL;

	if (!name || (strchr(name, '@') && !is_docker(name)))
		return;
	full = xasprintf("%s%s", name, is_docker(name) ? "" : "@docker");
	json_set_bool(member(o->needed, key), full, true);
}

/* Servers */

struct neighbour {
	const char *name;
	bool reachable; /* by its name: on a network of Traefik's that has one */
	bool task;
};

/* Docker's DNS answers on every network but the default bridge. */
static bool has_names(const struct mover *o, const char *network)
{
	return strcmp(network, "bridge") != 0 && json_object_get(o->networks, network);
}

static bool find_neighbour(const struct mover *o, const char *address, struct neighbour *n)
{
	const char *network;
	json_t *c, *end;
	size_t i;

	*n = (struct neighbour){0};
	json_array_foreach ((json_t *)o->neighbours, i, c)
		json_object_foreach (json_path(c, "NetworkSettings.Networks"), network, end) {
			const char *name = json_string_value(json_array_get(json_object_get(c, "Names"), 0));
			if (!name || !str_eq(json_str(end, "IPAddress"), address))
				continue;
			n->name = name + (*name == '/');
			n->reachable = has_names(o, network);
			n->task = json_object_get(json_object_get(c, "Labels"), "com.docker.swarm.service.id");
			return true;
		}
	return false;
}

static bool is_address(const char *host)
{
	return host[strspn(host, "0123456789.")] == '\0' || *host == '[';
}

/* "http://172.18.0.5:8000" as "http://whoami:8000". New string; NULL: blocked. */
static char *by_name(struct mover *o, const char *service, const char *server)
{
	const char *scheme = strstr(server, "://"), *start = scheme ? scheme + 3 : server;
	size_t len = strcspn(start, *start == '[' ? "]" : ":/") + (*start == '[');
	_cleanup_free_ char *host = xasprintf("%.*s", (int)len, start);
	struct neighbour n;

	if (!is_address(host) || str_starts(host, "127."))
		return xstrdup(server);
	if (!o->neighbours) {
		block(o, "which container has the address %s of service '%s' is unknown: %s", host, service, o->why);
		return NULL;
	}
	if (!find_neighbour(o, host, &n)) {
		block(o, "service '%s' leads to %s, which is the address of no container that runs", service, server);
		return NULL;
	}
	if (n.task) {
		block(o,
		      "'%s' leads to container '%s', a task of a service, whose name and address do not last: write a "
		      "route for the service, and take the traefik.* labels from its containers",
		      service, n.name);
		return NULL;
	}
	if (!n.reachable) {
		block(o,
		      "Traefik knows container '%s' by an address (%s) that does not last, and shares no network with "
		      "it that has names: connect both to one (docker network create NAME; docker network connect NAME "
		      "%s; the same for Traefik's container), and look again",
		      n.name, host, n.name);
		return NULL;
	}
	return xasprintf("%.*s%s%s", (int)(start - server), server, n.name, start + len);
}

static void name_servers(struct mover *o, const char *service, json_t *definition)
{
	json_t *server;
	size_t i;

	json_array_foreach (json_path(definition, "loadBalancer.servers"), i, server) {
		const char *key = json_str(server, "url") ? "url" : "address", *value = json_str(server, key);
		_cleanup_free_ char *named = value ? by_name(o, service, value) : NULL;
		json_set_str(server, key, named);
	}
}

/* Collecting */

/* What a definition refers to is in the same file then. */
static void rename_all(struct mover *o, const struct section *s, json_t *d)
{
	json_t *chain = json_object_get(d, "chain"), *errors = json_object_get(d, "errors");

	need_service(o, s, json_str(d, "service"));
	rename_ref(d, "service");
	rename_refs(d, "middlewares");
	rename_refs(chain, "middlewares");
	if (errors) {
		need_service(o, s, json_str(errors, "service"));
		rename_ref(errors, "service");
	}
}

static bool is_moved(const struct mover *o, const struct section *s, const struct snapshot *snap, const char *node,
		     const char *name, const json_t *raw)
{
	if (!is_docker(name) || str_eq(json_str(raw, "status"), "disabled"))
		return false;
	if (strcmp(s->name, "services") == 0)
		return json_object_get(json_object_get(o->needed, s->raw), name);
	return strcmp(s->name, "routers") != 0 || !traefik_is_task_route(snap, node, name);
}

static int by_text(const void *a, const void *b)
{
	_cleanup_str_ struct str x = {0}, y = {0};

	json_canonical(*(json_t *const *)a, &x);
	json_canonical(*(json_t *const *)b, &y);
	return strcmp(str_cstr(&x), str_cstr(&y));
}

/* Traefik lists a service's containers in any order. */
static void sort_servers(json_t *definition)
{
	json_t *list = json_path(definition, "loadBalancer.servers");
	size_t n = json_array_size(list);
	json_t **servers = xcalloc(n + 1, sizeof(json_t *));

	for (size_t i = 0; i < n; i++)
		servers[i] = json_incref(json_array_get(list, i));
	qsort(servers, n, sizeof(json_t *), by_text);
	for (size_t i = 0; i < n; i++)
		json_array_set_new(list, i, servers[i]);
	free(servers);
}

static void move(struct mover *o, const struct section *s, const char *name, const json_t *raw)
{
	_cleanup_free_ char *there = in_file(name);
	_cleanup_free_ char *bare = xasprintf("%.*s", (int)(strchr(name, '@') - name), name);
	_cleanup_json_ json_t *d = definition(raw);
	const json_t *other = json_object_get(json_object_get(o->raw, s->raw), there);

	rename_all(o, s, d);
	if (strcmp(s->name, "services") == 0)
		name_servers(o, name, d);
	sort_servers(d);
	json_set_str(member(o->m->status, s->raw), there, json_str(raw, "status"));
	_cleanup_json_ json_t *same = other ? definition(other) : NULL;
	if (same)
		sort_servers(same);
	if (!other)
		json_set(member(member(o->lacking, s->protocol), s->name), bare, json_incref(d));
	else if (!json_same(same, d))
		block(o,
		      "'%s' must become '%s', and Traefik's files have one that says something else: make the two say "
		      "the same, or rename one",
		      name, there);
	if (!s->shown)
		return;
	_cleanup_free_ char *shown = xasprintf("%s%s", name, s->shown);
	_cleanup_free_ char *value = o->m->file.path ? xasprintf("%s in %s", there, o->m->file.path) : xstrdup(there);
	json_set_str(o->m->names, shown, value);
	if (other)
		json_set_str(o->m->have, shown, value);
}

static void collect(struct mover *o, const struct snapshot *snap, const char *node)
{
	const char *name;
	json_t *raw;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		json_object_foreach (json_object_get(o->raw, sections[i].raw), name, raw)
			if (is_moved(o, &sections[i], snap, node, name, raw))
				move(o, &sections[i], name, raw);
	/* Routers without their services are not there. */
	if (json_object_size(o->lacking) > 0 && json_path(o->lacking, "http.services"))
		json_object_clear(o->m->have);
}

/* What stays behind */

static bool defined_by_a_service(const struct snapshot *snap, const char *name)
{
	_cleanup_free_ char *prefix =
		xasprintf("traefik.http.middlewares.%.*s.", (int)(strchr(name, '@') - name), name);
	json_t *service, *value;
	const char *label;
	size_t i;

	json_array_foreach (snapshot_get(snap, "engine/services", NULL), i, service)
		json_object_foreach (json_path(service, "Spec.Labels"), label, value)
			if (strncasecmp(label, prefix, strlen(prefix)) == 0)
				return true;
	return false;
}

/* The first text in j that names something which vanishes. */
static const char *refers_to_lost(const struct mover *o, const struct snapshot *snap, const json_t *j)
{
	const char *found = NULL, *key, *text = json_string_value(j);
	json_t *item;
	size_t i;

	if (text)
		return is_docker(text) && !defined_by_a_service(snap, text) &&
				       (json_object_get(json_object_get(o->raw, "middlewares"), text) ||
					json_object_get(json_object_get(o->raw, "services"), text))
			       ? text
			       : NULL;
	json_object_foreach ((json_t *)j, key, item)
		if (!found && strcmp(key, "usedBy") != 0)
			found = refers_to_lost(o, snap, item);
	json_array_foreach ((json_t *)j, i, item)
		found = found ? found : refers_to_lost(o, snap, item);
	return found;
}

/* Routes of files that use what only a container's labels define would break, and nobody else edits those files. */
static void check_others(struct mover *o, const struct snapshot *snap)
{
	const char *name;
	json_t *raw;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		json_object_foreach (json_object_get(o->raw, sections[i].raw), name, raw) {
			const char *lost = is_docker(name) ? NULL : refers_to_lost(o, snap, raw);
			if (lost)
				block(o,
				      "'%s' uses '%s', which vanishes with the labels of its container: define it in "
				      "the file of '%s', and use it as '%.*s@file'",
				      name, lost, name, (int)(strchr(lost, '@') - lost), lost);
		}
}

static void write_out(struct mover *o, const struct snapshot *snap)
{
	const char *why = NULL;
	const json_t *doc = snapshot_get(snap, "traefik/dynamic", &why), *content = json_object_get(doc, "content");
	struct moved *m = o->m;
	struct err err = {0};
	const char *text = header;
	size_t len = strlen(header);

	if (!content) {
		block(o, "the file that could keep them, %s, cannot be read: %s", m->file.path, why);
		return;
	}
	if (json_bool(doc, "host_content_differs")) {
		block(o,
		      "%s in the container and %s on the host differ: the file was replaced after the container was "
		      "started; restart Traefik first, then look again",
		      m->file.inside, m->file.path);
		return;
	}
	m->content = content;
	m->exists = json_is_string(content);
	if (m->exists) {
		text = json_string_value(content);
		len = json_string_length(content);
	}
	m->changes = !m->exists;
	if (traefik_merge(text, len, o->lacking, 2, &m->after, &err) < 0)
		block(o, "they cannot be added to %s (%s): write them into it by hand", m->file.path, err.msg);
	else if (m->exists)
		m->changes = m->after.len != len || memcmp(m->after.data, text, len) != 0;
}

static void list_names(const json_t *names, struct str *out)
{
	size_t n;
	const char **keys = json_sorted_keys(names, &n);

	for (size_t i = 0; i < n; i++)
		str_addf(out, "%s%s", i ? ", " : "", keys[i]);
	free(keys);
}

static void say_what_is_lost(struct moved *m)
{
	_cleanup_str_ struct str list = {0};
	_cleanup_free_ char *why = m->blocked;

	list_names(m->names, &list);
	m->blocked = xasprintf(LOST "%s" OR_ACCEPT, str_cstr(&list), why);
}

void moved_make(const struct snapshot *snap, const char *node, const struct traefik_view *v, struct moved *m)
{
	const char *why = NULL;
	struct mover o = {.m = m,
			  .raw = snapshot_get(snap, "traefik/rawdata", &why),
			  .networks = json_path(v->container, "NetworkSettings.Networks"),
			  .lacking = json_object(),
			  .needed = json_object()};

	o.neighbours = snapshot_get(snap, "traefik/neighbours", &o.why);
	*m = (struct moved){.names = json_object(), .have = json_object(), .status = json_object()};
	if (!o.raw) {
		m->blocked = xasprintf("Traefik 2 drops every route that comes from container labels in swarm mode, "
				       "and which there are is unknown (%s); 'keep_container_routes: false' accepts "
				       "their loss",
				       why);
	} else {
		moved_file_make(v, &m->file);
		collect(&o, snap, node);
		if (json_object_size(m->names) > 0) {
			if (m->file.why_not)
				block(&o, "%s", m->file.why_not);
			check_others(&o, snap);
			if (!m->blocked)
				write_out(&o, snap);
			if (m->blocked)
				say_what_is_lost(m);
		} else {
			free(m->blocked);
			m->blocked = NULL;
		}
	}
	json_decref(o.lacking);
	json_decref(o.needed);
}

void moved_free(struct moved *m)
{
	moved_file_free(&m->file);
	json_decref(m->names);
	json_decref(m->have);
	json_decref(m->status);
	str_free(&m->after);
	free(m->blocked);
}

/* Looking */

static void add_errors(const json_t *object, struct str *out)
{
	const json_t *error = json_object_get(object, "error");
	json_t *e;
	size_t i;

	if (json_is_string(error))
		str_addf(out, ": %s", json_string_value(error));
	json_array_foreach ((json_t *)error, i, e)
		str_addf(out, ": %s", json_string_value(e));
}

char *moved_missing(const struct moved *m, const json_t *rawdata)
{
	const char *name;
	json_t *want;

	for (size_t i = 0; i < ARRAY_SIZE(sections); i++)
		json_object_foreach (json_object_get(m->status, sections[i].raw), name, want) {
			const json_t *have = json_object_get(json_object_get(rawdata, sections[i].raw), name);
			const char *status = json_str(have, "status");
			_cleanup_str_ struct str errors = {0};
			if (str_eq(status, json_string_value(want)))
				continue;
			add_errors(have, &errors);
			return xasprintf("it has '%s' %s%s%s", name, have ? "as " : "not at all",
					 have ? (status ? status : "unknown") : "", str_cstr(&errors));
		}
	return NULL;
}
