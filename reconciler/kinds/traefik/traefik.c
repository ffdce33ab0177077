/*
 * traefik/<container>: what the static configuration of a standalone Traefik
 * says about Swarm. A Traefik that is one of the spec's services has its flags
 * in the spec; it gets a resource only when these cannot work.
 */
#include "kinds/kinds.h"
#include "kinds/service/service.h"
#include "kinds/traefik/fetch.h"
#include "kinds/traefik/view.h"
#include "kinds/traefik/write.h"
#include "kinds/util.h"

#include <ctype.h>
#include <string.h>

static const struct field fields[] = {
	{"interrupted", FIELD_RESTARTS, NULL}, /* live: an earlier run was cut off while it wrote the file */
	{"loaded", FIELD_RESTARTS, NULL},      /* the process has read the file as it is now */
	{"swarm_mode", FIELD_RESTARTS, NULL},
	{"v2_keys", FIELD_RESTARTS, NULL}, /* live: settings with which v3 does not start */
};

static const char *const after[] = {"service", "container", NULL};

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *traefik = snode_get(spec_root(spec), "traefik");
	const char *name = snode_str(traefik, "container");

	if (!name)
		return;
	want_container(w, name);
	want_engine(w, "info");
	want_engine(w, "containers");
	want_engine(w, "networks");
	want_engine(w, "services");
}

/* Routes that come from container labels; v2 drops them in swarm mode (FACTS A) */

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

/* A route that Traefik made by itself for a container of a service: the service takes its place. */
static bool is_task_route(const struct snapshot *snap, const char *router)
{
	json_t *c;
	size_t i;

	json_array_foreach (snapshot_get(snap, "engine/containers", NULL), i, c) {
		const char *name = json_string_value(json_array_get(json_object_get(c, "Names"), 0));
		if (!name || !json_object_get(json_object_get(c, "Labels"), "com.docker.swarm.service.id"))
			continue;
		_cleanup_free_ char *n = normalized(name);
		if (strncmp(router, n, strlen(n)) == 0 && router[strlen(n)] == '@')
			return true;
	}
	return false;
}

/* "a@docker, b@docker" into out; how many. */
static size_t container_routes(const struct snapshot *snap, struct str *out)
{
	json_t *r;
	size_t i, n = 0;

	json_array_foreach (snapshot_get(snap, "traefik/routers", NULL), i, r) {
		const char *name = json_str(r, "name");
		if (!name || !str_eq(json_str(r, "provider"), "docker") || is_task_route(snap, name))
			continue;
		str_addf(out, "%s%s", n++ ? ", " : "", name);
	}
	return n;
}

static bool drops_container_routes(const struct traefik_view *v)
{
	return v->goal.major == 2 && v->goal.swarm_mode && !v->interrupted && !json_bool(v->body, "swarm_mode");
}

static void check_container_routes(struct decode *d, struct resource *r, const struct traefik_view *v)
{
	_cleanup_str_ struct str list = {0};
	const char *why;

	if (!drops_container_routes(v))
		return;
	if (!snapshot_get(d->snap, "traefik/routers", &why))
		resource_block(
			d->out, r,
			"Traefik 2 drops every route that comes from container labels in swarm mode, and which there "
			"are is unknown (%s); 'keep_container_routes: false' accepts their loss",
			why);
	else if (container_routes(d->snap, &list) > 0)
		resource_block(
			d->out, r,
			"Traefik 2 drops every route that comes from container labels in swarm mode: %s. Moving them "
			"is "
			"not supported by this version: write them into a file that Traefik's file provider reads, or "
			"accept their loss with 'keep_container_routes: false'",
			str_cstr(&list));
}

/* Decode */

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
	_cleanup_free_ char *change = static_by_hand(v->source, v->goal.major, v->goal.swarm_mode);

	if (v->source != STATIC_FILE)
		resource_block(
			d->out, r,
			"Traefik's static configuration comes from %s%s%s, which this program does not edit: %s, "
			"and restart Traefik",
			origins[v->source], inside ? " " : "", inside ? inside : "", change);
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

static void check_edit(struct decode *d, struct resource *r, const struct traefik_view *v)
{
	struct static_edit e = {0};
	struct err why = {0};
	size_t len;
	const char *text = traefik_view_text(v, &len);

	if (v->source != STATIC_FILE)
		return;
	if (static_edit(text, len, &v->goal, &e, &why) < 0) {
		_cleanup_free_ char *change = static_by_hand(v->source, v->goal.major, v->goal.swarm_mode);
		resource_block(d->out, r, "%s: %s. By hand: %s, and restart Traefik", json_str(v->doc, "inside"),
			       why.msg, change);
		return;
	}
	static_edit_free(&e);
}

/* Labels name the network; this default only counts for services without the label (FACTS G7). */
static void note_bridge(struct decode *d, struct resource *r, const struct traefik_view *v)
{
	const json_t *content = json_object_get(v->doc, "content");
	_cleanup_json_ json_t *state = NULL;
	json_t *n;
	size_t i;

	if (v->source != STATIC_FILE ||
	    static_read_yaml(json_string_value(content), json_string_length(content), &state, NULL) < 0)
		return;
	const char *network = json_str(state, v->goal.major >= 3 ? "swarm.network" : "docker.network");
	json_array_foreach (snapshot_get(d->snap, "engine/networks", NULL), i, n)
		if (network && str_eq(json_str(n, "Name"), network) && str_eq(json_str(n, "Driver"), "bridge"))
			resource_note(d->out, r,
				      "Traefik's default network '%s' is a bridge, which no service is on: services "
				      "without a "
				      "network label of their own are not reached",
				      network);
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
	resource_set_field(d->out, r, "loaded", json_true(), mode->key_mark);
	if (resource_find(d->out, "container", name))
		resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "container/%s", name);
	after_refs(d, r, traefik);

	traefik_view_make(d->snap, node, name, mode->boolean, &v);
	if (v.body && !json_same(v.body, r->body)) {
		check_file(d, r, &v);
		if (snode_bool(traefik, "keep_container_routes", false))
			check_container_routes(d, r, &v);
		check_edit(d, r, &v);
		note_bridge(d, r, &v);
	}
	traefik_view_free(&v);
}

/* Flags of a service of this spec: nothing to write, but a start that must fail can be told before. */
static void decode_service(struct decode *d, const struct snode *traefik)
{
	const char *name = snode_str(traefik, "service"), *why;
	const struct snode *service = snode_get(snode_get(spec_root(d->spec), "services"), name);
	const struct snode *command = snode_get(service, "command");
	_cleanup_json_ json_t *args =
		command && command->type == SNODE_STRING ? words_split(command->text) : snode_json(command);
	_cleanup_json_ json_t *state = static_read_flags(args);
	struct traefik_version v;

	if (!command || !traefik_version_known(d->snap, &v, &why) || v.major < 3)
		return;
	_cleanup_json_ json_t *live = static_body(state, v.major);
	json_t *keys = json_object_get(live, "v2_keys");
	if (!keys)
		return;
	struct resource *r = resource_add(d->out, "traefik", name);
	r->mark = command->key_mark;
	resource_set_field(d->out, r, "swarm_mode", json_true(), command->key_mark);
	resource_block(d->out, r,
		       "service '%s' has --providers.%s, with which Traefik %d does not start: use --providers.swarm.…",
		       name, json_object_iter_key(json_object_iter(keys)), v.major);
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
		traefik_view_make(o->snap, want->node, want->name, json_bool(want->body, "swarm_mode"), &v);
		if (v.body) {
			json_object_update(r->body, v.body);
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
		 "Traefik restarts: about 1 s without its entrypoints%s%s%s, up to 10 s more while open requests end",
		 entrypoints.len ? " (" : "", str_cstr(&entrypoints), entrypoints.len ? ")" : "");
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	_cleanup_str_ struct str effect = {0}, lost = {0};
	struct traefik_view v;

	if (c->state != CHANGE_READY || !c->desired->node)
		return;
	traefik_view_make(o->snap, c->desired->node, c->desired->name, json_bool(c->desired->body, "swarm_mode"), &v);
	if (v.interrupted)
		str_adds(&effect,
			 "an earlier run was cut off while it wrote the file: it is put right from its backup; ");
	else if (v.body && !json_bool(v.body, "loaded") && c->fields.n == 1)
		str_adds(&effect, "the file is right, but Traefik has not read it yet; ");
	say_restart(o->snap, &v, &effect);
	if (drops_container_routes(&v) && container_routes(o->snap, &lost) > 0)
		str_addf(&effect, "; routes from container labels that vanish: %s", str_cstr(&lost));
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
