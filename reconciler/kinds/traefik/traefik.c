/*
 * traefik/<container>: what the static configuration of a standalone Traefik
 * says about Swarm. A Traefik that is one of the spec's services has its flags
 * in the spec; it gets a resource only when these cannot work.
 */
#include "kinds/container.h"
#include "kinds/kinds.h"
#include "kinds/node_engine.h"
#include "kinds/route/request.h"
#include "kinds/service/service.h"
#include "kinds/traefik/fetch.h"
#include "kinds/traefik/moved.h"
#include "kinds/traefik/routers.h"
#include "kinds/traefik/view.h"
#include "kinds/traefik/write.h"
#include "kinds/util.h"

#include <string.h>

static const struct field fields[] = {
	{"container_routes", 0, NULL}, /* moved to a file that Traefik reads, before anything else */
	{"entrypoints", FIELD_RESTARTS, NULL},
	{"interrupted", FIELD_RESTARTS, NULL}, /* live: an earlier run was cut off while it wrote the file */
	{"loaded", FIELD_RESTARTS, NULL},      /* the process has read the file as it is now */
	{"swarm_mode", FIELD_RESTARTS, NULL},
	{"v2_keys", FIELD_RESTARTS, NULL}, /* live: settings with which v3 does not start */
};

static const char *const after[] = {"engine", "service", "container", NULL};

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *traefik = snode_get(spec_root(spec), "traefik");
	const char *name = snode_str(traefik, "container"), *node = snode_str(traefik, "node");

	if (!name)
		return;
	want_container_of(w, node, name);
	want_node_engine(w, node, "service-containers");
	want_node_engine(w, node, "networks");
	want_engine(w, "services");
}

/*
 * Routes that come from container labels, which v2 drops in swarm mode (FACTS A). moved.h: they are moved before the
 * change that drops them, or it is blocked.
 */
static void keep_container_routes(struct decode *d, struct resource *r, const struct traefik_view *v)
{
	struct moved m;

	if (!traefik_view_drops(v, d->snap))
		return;
	moved_make(d->snap, r->node, v, &m);
	if (m.blocked)
		resource_block(d->out, r, "%s", m.blocked);
	if (json_object_size(m.names) > 0)
		resource_set_field(d->out, r, "container_routes", json_incref(m.names), r->mark);
	moved_free(&m);
}

/* Decode */

/* What a person has to change where this program does not. New string. */
static char *by_hand(const struct decode *d, const struct traefik_view *v)
{
	const struct snode *map = snode_path(spec_root(d->spec), "traefik.entrypoints");
	bool on = json_bool(v->body, "swarm_mode"), refused = json_object_get(v->body, "v2_keys");
	const json_t *have = json_object_get(v->body, "entrypoints");
	_cleanup_str_ struct str s = {0};

	for (size_t i = 0; i < snode_count(map); i++) {
		const char *name = map->items[i]->key;
		if (json_object_get(have, name))
			continue;
		_cleanup_free_ char *change =
			static_entrypoint_by_hand(v->source, name, snode_shown(snode_get(map->items[i], "address")));
		str_addf(&s, "%s%s", s.len ? ", " : "", change);
	}
	if (on != v->goal.swarm_mode || refused || s.len == 0) {
		_cleanup_free_ char *change = static_by_hand(v->source, v->goal.major, v->goal.swarm_mode);
		str_addf(&s, "%s%s", s.len ? ", " : "", change);
	}
	return str_steal(&s);
}

/* The file must be one that this program can edit where the container reads it. */
static void check_file(struct decode *d, struct resource *r, const struct traefik_view *v)
{
	const char *path = json_str(v->doc, "path"), *inside = json_str(v->doc, "inside");
	const char *declared = json_str(v->doc, "declared");
	static const char *const origins[STATIC_N_SOURCES] = {
		[STATIC_TOML] = "the TOML file",
		[STATIC_FLAGS] = "its flags",
		[STATIC_ENV] = "its environment",
		[STATIC_NOTHING] = "nowhere (it runs with defaults)",
	};
	_cleanup_free_ char *change = by_hand(d, v);

	if (v->source != STATIC_FILE)
		resource_block(
			d->out, r,
			"Traefik's static configuration comes from %s%s%s, which this program does not edit: %s, "
			"and %s",
			origins[v->source], inside ? " " : "", inside ? inside : "", change,
			inside ? "restart Traefik"
			       : "start its container anew, as what it was started with cannot be changed (in Compose: "
				 "change its file, then docker compose up -d)");
	else if (!path)
		resource_block(
			d->out, r,
			"Traefik reads %s from its image or a copy, not from a file of the host: mount the file, or %s "
			"there and restart Traefik",
			inside, change);
	else if (declared)
		resource_block(
			d->out, r,
			"static_config is %s, but Traefik reads %s, which is %s on the host: correct static_config, or "
			"the container's mount",
			snode_shown_part(snode_path(spec_root(d->spec), "traefik.static_config"), declared), inside,
			path);
	else if (json_bool(v->doc, "host_content_differs"))
		resource_block(
			d->out, r,
			"%s in the container and %s on the host differ: the file was replaced after the container was "
			"started; restart Traefik first, then look again",
			inside, path);
}

/* A container's ports are as it was started. */
static void check_ports(struct decode *d, struct resource *r, const struct traefik_view *v)
{
	const struct snode *map = snode_path(spec_root(d->spec), "traefik.entrypoints");

	for (size_t i = 0; i < snode_count(map) && json_path(v->container, "NetworkSettings.Ports"); i++) {
		const struct snode *address = snode_get(map->items[i], "address");
		const char *port = strrchr(address->text, ':');
		_cleanup_str_ struct str where = {0};
		if (!port || route_entrypoint_address(port, v->container, NULL, "127.0.0.1", &where))
			continue;
		_cleanup_free_ char *number = xasprintf("%.*s", (int)strcspn(port + 1, "/"), port + 1);
		const char *shown = snode_shown_part(address, number);
		resource_block(d->out, r,
			       "container '%s' does not publish port %s, on which the entrypoint '%s' listens, and the "
			       "ports of a container cannot be changed: start it anew with -p %s:%s (in Compose, "
			       "ports: [\"%s:%s\"]), then look again",
			       r->name, shown, map->items[i]->key, shown, shown, shown, shown);
	}
}

/* Labels name the network; this default only counts for services without the label (FACTS G7). */
static void note_network(struct decode *d, struct resource *r, const char *network)
{
	const json_t *networks, *found = NULL;
	_cleanup_free_ char *why = NULL;
	json_t *n;
	size_t i;

	networks = node_engine_get(d->snap, r->node, "networks", &why);
	json_array_foreach ((json_t *)networks, i, n)
		if (str_eq(json_str(n, "Name"), network))
			found = n;
	bool declared = snode_get(snode_get(spec_root(d->spec), "networks"), network) != NULL;
	if (networks && !declared && (!found || str_eq(json_str(found, "Driver"), "bridge")))
		resource_note(d->out, r,
			      "Traefik's default network '%s' %s: services without a network label of their own are "
			      "not reached",
			      network, found ? "is a bridge, which no service is on" : "does not exist");
}

/* In images /var/run is /run. */
static const char *socket_name(const char *path)
{
	return str_starts(path, "/var/run/") ? path + strlen("/var") : path;
}

/* The socket itself, or a directory that it is in. */
static bool has_socket(const json_t *container, const char *path)
{
	json_t *mount;
	size_t i;

	path = socket_name(path);
	json_array_foreach (json_object_get(container, "Mounts"), i, mount) {
		const char *destination = json_str(mount, "Destination");
		_cleanup_free_ char *at = xasprintf("%s/", destination ? destination : "");
		const char *inside = socket_name(at);
		if (strncmp(inside, path, strlen(inside) - 1) == 0 && strchr("/", path[strlen(inside) - 1]))
			return true;
	}
	return false;
}

/* Whom it asks about Swarm: a socket that is not there, or a worker's, can tell it nothing. */
static void check_socket(struct decode *d, struct resource *r, const struct traefik_view *v, const json_t *state)
{
	const char *provider = v->goal.major >= 3 ? "swarm" : "docker";
	_cleanup_free_ char *key = xasprintf("%s.endpoint", provider);
	const char *endpoint = json_str(state, key), *path;
	const struct snode *node = snode_get(snode_get(spec_root(d->spec), "nodes"), r->node);

	endpoint = endpoint ? endpoint : "unix:///var/run/docker.sock";
	if (!v->goal.swarm_mode || !str_starts(endpoint, "unix://"))
		return;
	path = endpoint + strlen("unix://");
	if (!has_socket(v->container, path))
		resource_block(d->out, r,
			       "Traefik asks Docker at %s, which container '%s' does not have: start it anew with -v "
			       "/var/run/docker.sock:%s:ro, or set providers.%s.endpoint, then look again",
			       endpoint, r->name, path, provider);
	else if (!str_eq(snode_str(node, "role"), "manager"))
		resource_block(d->out, r,
			       "Traefik asks the Docker Engine of node '%s', which is a worker, and only managers can "
			       "tell what services there are: run Traefik on a manager, or let providers.%s.endpoint "
			       "lead to one",
			       r->node, provider);
}

/* edited: what Traefik will read. */
static void check_provider(struct decode *d, struct resource *r, const struct traefik_view *v, const struct str *edited)
{
	_cleanup_json_ json_t *state = NULL;

	if (static_read_yaml(str_cstr(edited), edited->len, &state, NULL) < 0)
		return;
	const char *network = json_str(state, v->goal.major >= 3 ? "swarm.network" : "docker.network");
	if (network)
		note_network(d, r, network);
	check_socket(d, r, v, state);
}

static void check_edit(struct decode *d, struct resource *r, const struct traefik_view *v)
{
	struct static_edit e = {0};
	struct err why = {0};
	size_t len;
	const char *text = traefik_view_text(v, &len);

	if (v->source != STATIC_FILE)
		return;
	if (static_edit(text, len, &v->goal, &e, &why) < 0) {
		_cleanup_free_ char *change = by_hand(d, v);
		resource_block(d->out, r, "%s: %s. By hand: %s, and restart Traefik", json_str(v->doc, "inside"),
			       why.msg, change);
		return;
	}
	check_provider(d, r, v, &e.text);
	static_edit_free(&e);
}

static void decode_container(struct decode *d, const struct snode *traefik, const struct snode *mode)
{
	const char *name = snode_str(traefik, "container"), *node = snode_str(traefik, "node");
	struct resource *r = resource_add(d->out, "traefik", name);
	struct traefik_view v;

	r->mark = mode->key_mark;
	r->node = node ? arena_strdup(resource_set_arena(d->out), node) : NULL;
	if (mode->boolean)
		resource_set_field(d->out, r, "swarm_mode", json_true(), mode->key_mark);
	if (snode_count(snode_get(traefik, "entrypoints")) > 0)
		resource_set_field(d->out, r, "entrypoints", traefik_entrypoints_added(traefik),
				   snode_get(traefik, "entrypoints")->key_mark);
	resource_set_field(d->out, r, "loaded", json_true(), mode->key_mark);
	if (resource_find(d->out, "container", name))
		resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "container/%s", name);
	common_keys(d, r, traefik);

	traefik_view_make(d->snap, node, name, r->body, &v);
	if (v.body && !json_same(v.body, r->body)) {
		check_file(d, r, &v);
		if (snode_bool(traefik, "keep_container_routes", false))
			keep_container_routes(d, r, &v);
		check_edit(d, r, &v);
	}
	check_ports(d, r, &v);
	traefik_view_free(&v);
}

/* Of a service of this spec */

/* A configuration file, which flags and variables do not count beside; its content is not looked at. */
static bool may_have_file(const struct snode *service, const json_t *args)
{
	static const char *const keys[] = {"configs", "secrets", "volumes"};
	json_t *arg;
	size_t i;

	json_array_foreach ((json_t *)args, i, arg) {
		const char *text = json_string_value(arg);
		if (text && strcasestr(text, "configFile"))
			return true;
	}
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		_cleanup_json_ json_t *mounted = snode_json(snode_get(service, keys[i]));
		_cleanup_free_ char *text = json_dumps(mounted, JSON_ENCODE_ANY | JSON_COMPACT);
		if (text && strstr(text, "/etc/traefik"))
			return true;
	}
	return false;
}

/* Flags, or without any the environment. New reference; *source says which. */
static json_t *state_of_service(const struct snode *service, const json_t *args, enum static_source *source)
{
	_cleanup_json_ json_t *map = string_map(snode_get(service, "environment")), *env = json_array();
	const char *name;
	json_t *value, *arg;
	size_t i;

	*source = STATIC_FLAGS;
	json_array_foreach ((json_t *)args, i, arg)
		if (json_is_string(arg) && *json_string_value(arg) == '-')
			return static_read_flags(args);
	json_object_foreach (map, name, value) {
		_cleanup_free_ char *pair = xasprintf("%s=%s", name, json_string_value(value));
		json_array_append_new(env, json_string(json_is_string(value) ? pair : name));
	}
	if (json_array_size(env) > 0)
		*source = STATIC_ENV;
	return static_read_env(env);
}

/*
 * Nothing to write: the spec says it all. But a start that must fail, and a Traefik that never sees a service, can be
 * told before.
 */
static void decode_service(struct decode *d, const struct snode *traefik)
{
	const char *name = snode_str(traefik, "service"), *why;
	const struct snode *service = snode_get(snode_get(spec_root(d->spec), "services"), name);
	const struct snode *command = snode_get(service, "command");
	_cleanup_json_ json_t *args =
		command && command->type == SNODE_STRING ? words_split(command->text) : snode_json(command);
	enum static_source source;
	struct traefik_version v;

	if (!traefik_version_known(d->snap, &v, &why) || may_have_file(service, args))
		return;
	_cleanup_json_ json_t *state = state_of_service(service, args, &source);
	_cleanup_json_ json_t *live = static_body(state, v.major);
	json_t *keys = json_object_get(live, "v2_keys");
	struct mark mark = command ? command->key_mark : service->key_mark;
	if (!keys && json_bool(live, "swarm_mode"))
		return;
	struct resource *r = resource_add(d->out, "traefik", name);
	r->mark = mark;
	resource_set_field(d->out, r, "swarm_mode", json_true(), mark);
	_cleanup_free_ char *change = static_by_hand(source, v.major, true);
	if (!keys)
		resource_block(d->out, r,
			       "service '%s' does not look at Swarm's services, so no route of this spec works: %s",
			       name, change);
	else
		resource_block(d->out, r, "service '%s' has providers.%s, with which Traefik %d does not start: %s",
			       name, json_object_iter_key(json_object_iter(keys)), v.major, change);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *traefik = snode_get(spec_root(d->spec), "traefik");
	const struct snode *mode = snode_get(traefik, "swarm_mode");

	(void)err;
	if (snode_str(traefik, "service"))
		decode_service(d, traefik);
	else if (snode_str(traefik, "container") && mode && mode->type == SNODE_BOOL)
		decode_container(d, traefik, mode);
	return 0;
}

/* Observe */

static void observe_moved(struct observe *o, const struct resource *want, const struct traefik_view *v,
			  struct resource *r)
{
	struct moved m;

	if (!json_object_get(want->body, "container_routes") || !traefik_view_drops(v, o->snap))
		return;
	moved_make(o->snap, want->node, v, &m);
	if (json_object_size(m.have) > 0)
		json_set(r->body, "container_routes", json_incref(m.have));
	moved_free(&m);
}

static int observe(struct observe *o, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		struct traefik_view v;
		if (strcmp(want->kind, "traefik") != 0)
			continue;
		struct resource *r = observe_add(o, want);
		r->ownable = false;
		r->presence = PRESENT;
		if (!want->node)
			continue;
		traefik_view_make(o->snap, want->node, want->name, want->body, &v);
		if (v.body) {
			json_object_update(r->body, v.body);
			observe_moved(o, want, &v, r);
		} else {
			r->presence = UNKNOWN;
			resource_block(o->out, r, "%s", v.unknown);
		}
		traefik_view_free(&v);
	}
	return 0;
}

/* Explain */

static void list_entrypoints(const struct snapshot *snap, struct str *out)
{
	_cleanup_json_ json_t *seen = json_object();
	json_t *r, *e;
	size_t i, k;

	json_array_foreach (snapshot_get(snap, "traefik/routers", NULL), i, r)
		json_array_foreach (json_object_get(r, "entryPoints"), k, e)
			json_set_bool(seen, json_string_value(e), true);
	size_t n;
	const char **names = json_sorted_keys(seen, &n);
	for (i = 0; i < n; i++)
		str_addf(out, "%s%s", i ? ", " : "", names[i]);
	free(names);
}

static void say_restart(const struct snapshot *snap, const struct traefik_view *v, struct str *out)
{
	const json_t *state = json_object_get(v->container, "State");
	_cleanup_str_ struct str entrypoints = {0};

	if (!json_bool(state, "Running") || json_bool(state, "Restarting")) {
		str_adds(out, "Traefik, which is not up now, is started anew");
		return;
	}
	list_entrypoints(snap, &entrypoints);
	str_addf(out,
		 "Traefik restarts: 2 to 5 s without its entrypoints%s%s%s, up to 10 s more while open requests end",
		 entrypoints.len ? " (" : "", str_cstr(&entrypoints), entrypoints.len ? ")" : "");
}

static void say_lost(const struct snapshot *snap, const char *node, struct str *out)
{
	const char *why = NULL;
	const json_t *rawdata = snapshot_get(snap, "traefik/rawdata", &why);
	_cleanup_str_ struct str lost = {0};

	if (!rawdata)
		str_addf(out, "; routes from container labels vanish, and which those are is not known: %s", why);
	else if (traefik_container_routers(snap, node, rawdata, &lost) > 0)
		str_addf(out, "; routes from container labels that vanish: %s", str_cstr(&lost));
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	_cleanup_str_ struct str effect = {0};
	struct traefik_view v;

	if (c->state != CHANGE_READY || !c->desired->node)
		return;
	traefik_view_make(o->snap, c->desired->node, c->desired->name, c->desired->body, &v);
	if (v.interrupted)
		str_adds(&effect,
			 "an earlier run was cut off while it wrote the file: it is put right from its backup; ");
	else if (v.body && !json_bool(v.body, "loaded") && c->fields.n == 1)
		str_adds(&effect, "the file is right, but Traefik has not read it yet; ");
	say_restart(o->snap, &v, &effect);
	if (json_object_get(c->desired->body, "container_routes"))
		str_adds(&effect, "; before that, the routes of containers are seen to work from their file");
	else if (traefik_view_drops(&v, o->snap))
		say_lost(o->snap, c->desired->node, &effect);
	c->effect = arena_strdup(a, str_cstr(&effect));
	traefik_view_free(&v);
}

const struct kind kind_traefik = {
	.name = "traefik",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.runs = "container",
	.needs = needs,
	.fetch = traefik_fetch,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = traefik_apply,
};
