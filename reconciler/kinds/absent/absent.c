#include "kinds/absent/absent.h"

#include "kinds/absent/phase.h"
#include "kinds/absent/quiet.h"
#include "kinds/container.h"
#include "kinds/kinds.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <string.h>

/*
 * What must not run any more. A container is stopped, kept for a while as a way
 * back, then removed; a service is removed. Volumes are never removed, and what
 * starts a thing from elsewhere (Compose) is named, not edited.
 *
 * All fields but restart and state are the spec's parameters, equal on both sides.
 */
static const struct field fields[] = {
	{"compose", 0, NULL}, {"container", 0, NULL},    {"keep", 0, "ns"},
	{"quiet", 0, "ns"},   {"restart", 0, NULL},      {"service", 0, NULL},
	{"state", 0, NULL},   {"stop_timeout", 0, "ns"}, {"unit", 0, NULL},
};

static const char *const after[] = {"service", "container", "traefik", "route", NULL};

#define NS_PER_S 1000000000

/* The engine's own clock, which also wrote when a container ended; ours only when it does not say. */
static int64_t now_of(const struct snapshot *snap)
{
	int64_t now;
	if (parse_rfc3339(json_str(snapshot_get(snap, "engine/info", NULL), "SystemTime"), &now))
		return now;
	return clock_wall();
}

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *absent = snode_get(spec_root(spec), "absent");

	for (size_t i = 0; i < snode_count(absent); i++) {
		const char *container = snode_str(absent->items[i], "container");
		want_engine(w, "info");
		if (container)
			want_container(w, container);
		if (snode_str(absent->items[i], "service"))
			want_swarm_list(w, "services");
	}
}

/* ---- decode ---- */

static void set_duration(struct decode *d, struct resource *r, const struct snode *n, const char *key, int64_t value)
{
	if (value > 0)
		resource_set_field(d->out, r, key, json_integer(value), mark_of(snode_get(n, key), r->mark));
}

/* The container's own timeout counts when it asks for more than our default and the spec asks for nothing. */
static int64_t stop_timeout(const struct snode *n, const json_t *inspect)
{
	const struct snode *given = snode_get(n, "stop_timeout");
	int64_t own = json_int(json_object_get(inspect, "Config"), "StopTimeout", 0) * NS_PER_S;
	int64_t spec = snode_int(n, "stop_timeout", 0);

	return (!given || given->is_default) && own > spec ? own : spec;
}

static void decode_container(struct decode *d, struct resource *r, const struct snode *n, const char *container)
{
	const json_t *inspect = NULL;
	_cleanup_free_ char *why = NULL;
	int64_t keep = snode_int(n, "keep", 0);
	struct absent_phase p = {.wanted = "removed"};

	if (container_find(d->snap, r->node, container, &inspect, &why) == PRESENT)
		p = absent_phase(inspect, now_of(d->snap), keep / NS_PER_S);
	resource_set_field(d->out, r, "container", json_string(container), snode_get(n, "container")->mark);
	resource_set_field(d->out, r, "state", json_string(p.wanted), r->mark);
	set_duration(d, r, n, "keep", keep);
	set_duration(d, r, n, "quiet", snode_int(n, "quiet", 0));
	set_duration(d, r, n, "stop_timeout", stop_timeout(n, inspect));
	resource_mark(d->out, r, "restart", r->mark);
}

static void decode_service(struct decode *d, struct resource *r, const struct snode *n, const char *service)
{
	resource_set_field(d->out, r, "service", json_string(service), snode_get(n, "service")->mark);
	resource_set_field(d->out, r, "state", json_string("removed"), r->mark);
	if (snode_int(n, "quiet", 0) > 0)
		resource_block(d->out, r,
			       "service %s: 'quiet' can be judged for containers only; give it `after` the route that "
			       "replaces it",
			       snode_shown(snode_get(n, "service")));
}

static void decode_unsupported(struct decode *d, struct resource *r, const struct snode *n, const char *field,
			       const char *what)
{
	const struct snode *name = snode_get(n, field);

	if (!snode_scalar(name))
		return;
	resource_set_field(d->out, r, field, json_string(name->text), name->mark);
	resource_set_field(d->out, r, "state", json_string("removed"), r->mark);
	resource_block(d->out, r, "removing %s '%s' is not supported by this version", what, snode_shown(name));
}

static void decode_entry(struct decode *d, const struct snode *n)
{
	struct resource *r = resource_add(d->out, "absent", n->key);
	const char *container = snode_str(n, "container"), *service = snode_str(n, "service"),
		   *node = snode_str(n, "node");

	r->mark = n->key_mark;
	r->presence = ABSENT;
	r->node = node && !service ? arena_strdup(resource_set_arena(d->out), node) : NULL;
	if (container)
		decode_container(d, r, n, container);
	else if (service)
		decode_service(d, r, n, service);
	decode_unsupported(d, r, n, "compose", "Compose project");
	decode_unsupported(d, r, n, "unit", "systemd unit");
	after_refs(d, r, n);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *absent = snode_get(spec_root(d->spec), "absent");

	(void)err;
	for (size_t i = 0; i < snode_count(absent); i++)
		decode_entry(d, absent->items[i]);
	return 0;
}

/* ---- observe ---- */

static const char *compose_of(const json_t *inspect, const char *what)
{
	_cleanup_free_ char *label = xasprintf("com.docker.compose.project%s", what);
	return json_str(json_path(inspect, "Config.Labels"), label);
}

/* "" when no Compose project made it. */
static const char *compose_warning(struct arena *a, const json_t *inspect)
{
	const char *project = compose_of(inspect, ""), *dir = compose_of(inspect, ".working_dir"),
		   *files = compose_of(inspect, ".config_files");
	const char *where = !dir || (files && *files == '/') ? files : dir; /* Compose v1 wrote relative files */

	if (!project)
		return "";
	return arena_printf(a, "; Compose project '%s'%s%s%s still lists it: remove it there too, or it comes back",
			    project, where ? " (" : "", where ? where : "", where ? ")" : "");
}

static void set_state(struct observe *o, struct resource *r, const struct resource *want, const char *state)
{
	json_object_update(r->body, want->body);
	json_object_del(r->body, "restart");
	resource_set_field(o->out, r, "state", json_string(state), (struct mark){0});
	r->presence = PRESENT; /* the entry is; what it names has the state */
}

static void observe_container(struct observe *o, struct resource *r, const struct resource *want)
{
	const char *container = json_str(want->body, "container");
	const json_t *inspect = NULL;
	_cleanup_free_ char *why = NULL;

	if (container_find(o->snap, want->node, container, &inspect, &why) == UNKNOWN) {
		r->presence = UNKNOWN;
		resource_block(o->out, r, "%s", why);
		return;
	}
	struct absent_phase p = absent_phase(inspect, now_of(o->snap), json_int(want->body, "keep", 0) / NS_PER_S);
	set_state(o, r, want, p.live);
	r->id = json_str(inspect, "Id");
	resource_set_field(o->out, r, "restart", p.restart ? json_string(p.restart) : NULL, (struct mark){0});
	if (p.kept_until) {
		char until[32];
		clock_rfc3339(p.kept_until, until);
		resource_note(o->out, r, "container %s is stopped and kept until %s, then removed%s", container, until,
			      compose_warning(resource_set_arena(o->out), inspect));
	}
}

static const json_t *find_service(const json_t *services, const char *name)
{
	const json_t *service;
	size_t i;

	json_array_foreach (services, i, service)
		if (str_eq(json_str(json_object_get(service, "Spec"), "Name"), name))
			return service;
	return NULL;
}

static void observe_service(struct observe *o, struct resource *r, const struct resource *want)
{
	const char *why;
	const json_t *services = swarm_list(o->snap, "engine/services", &why);

	if (!services) {
		r->presence = UNKNOWN;
		resource_block(o->out, r, "%s", why);
		return;
	}
	const json_t *service = find_service(services, json_str(want->body, "service"));
	set_state(o, r, want, service ? "running" : "removed");
	r->id = json_str(service, "ID");
}

static int observe(struct observe *o, struct err *err)
{
	(void)err;
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		if (strcmp(want->kind, "absent") != 0)
			continue;
		struct resource *r = observe_add(o, want);
		r->ownable = false;
		if (json_str(want->body, "container")) {
			observe_container(o, r, want);
		} else if (json_str(want->body, "service")) {
			observe_service(o, r, want);
		} else {
			r->presence = UNKNOWN;
			resource_block(o->out, r, "it is not looked at by this version");
		}
	}
	return 0;
}

/* ---- explain ---- */

static const char *duration(struct arena *a, int64_t ns)
{
	_cleanup_str_ struct str text = {0};
	format_duration(ns / NS_PER_S, &text);
	return arena_strdup(a, str_cstr(&text));
}

static const char *stop_signal(const json_t *inspect)
{
	const char *signal = json_str(json_object_get(inspect, "Config"), "StopSignal");
	return signal && *signal ? signal : "SIGTERM";
}

/* What becomes of it once it is stopped. */
static const char *afterwards(struct arena *a, const json_t *body, const json_t *inspect)
{
	if (json_is_true(json_path(inspect, "HostConfig.AutoRemove")))
		return "; it was started with --rm, so the engine removes it at once, with its anonymous volumes";
	if (str_eq(json_str(body, "state"), "removed"))
		return " and removes it; its volumes stay";
	return arena_printf(a, ", keeps it for %s; its volumes stay", duration(a, json_int(body, "keep", 0)));
}

static const char *container_effect(struct arena *a, const json_t *body, const json_t *inspect,
				    const struct absent_phase *p)
{
	const char *name = json_str(body, "container");
	char since[32];

	if (strcmp(p->live, "running") == 0)
		return arena_printf(a, "stops container %s with %s (killed after %s)%s%s", name, stop_signal(inspect),
				    duration(a, json_int(body, "stop_timeout", 0)), afterwards(a, body, inspect),
				    compose_warning(a, inspect));
	if (p->restart)
		return arena_printf(a,
				    "sets the restart policy of the stopped container %s from '%s' to 'no', so that it "
				    "stays stopped",
				    name, p->restart);
	clock_rfc3339(p->stopped_at, since);
	return arena_printf(a, "removes container %s, stopped since %s; its volumes stay%s", name, since,
			    compose_warning(a, inspect));
}

static void explain_container(const struct observe *o, struct arena *a, struct change *c)
{
	const json_t *body = c->desired->body, *inspect = NULL;
	_cleanup_free_ char *unused = NULL;

	container_find(o->snap, c->desired->node, json_str(body, "container"), &inspect, &unused);
	struct absent_phase p = absent_phase(inspect, now_of(o->snap), json_int(body, "keep", 0) / NS_PER_S);
	const json_t *labels = json_path(inspect, "Config.Labels");
	if (json_str(labels, "com.docker.swarm.task.id")) {
		const char *service = json_str(labels, "com.docker.swarm.service.name");
		c->state = CHANGE_BLOCKED;
		c->reason = arena_printf(
			a,
			"container %s is a task of service %s, which would start another one: write 'service: %s' "
			"instead of 'container'",
			json_str(body, "container"), service ? service : "?", service ? service : "?");
		return;
	}
	c->effect = container_effect(a, body, inspect, &p);
	if (strcmp(p.live, "stopped") == 0) {
		/* Time has passed: neither the spec nor the container was changed by anybody. */
		c->disruption = DISRUPTS_NOTHING;
		c->why = WHY_SPEC;
		for (size_t i = 0; i < c->fields.n; i++)
			c->fields.v[i].why = WHY_SPEC;
	}
}

/* The number of tasks as the list tells it (?status=true), else as many as are wanted; -1: a global service. */
static int64_t task_count(const json_t *service)
{
	const json_t *running = json_path(service, "ServiceStatus.RunningTasks");
	if (json_is_integer(running))
		return json_integer_value(running);
	return json_int(json_path(service, "Spec.Mode.Replicated"), "Replicas", -1);
}

static void explain_service(const struct observe *o, struct arena *a, struct change *c)
{
	const char *name = json_str(c->desired->body, "service");
	const json_t *service = find_service(snapshot_get(o->snap, "engine/services", NULL), name);
	int64_t n = task_count(service);

	c->effect = n < 0 ? arena_printf(a, "removes service %s: all its tasks end; volumes stay", name)
			  : arena_printf(a, "removes service %s: %lld task%s end%s; volumes stay", name, (long long)n,
					 n == 1 ? "" : "s", n == 1 ? "s" : "");
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	if (json_str(c->desired->body, "container"))
		explain_container(o, a, c);
	else if (json_str(c->desired->body, "service"))
		explain_service(o, a, c);
}

const struct kind kind_absent = {
	.name = "absent",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = absent_apply,
	.gate = absent_gate,
};
