#include "kinds/absent/absent.h"

#include "kinds/absent/phase.h"
#include "kinds/kinds.h"
#include "kinds/node_engine.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <string.h>

/*
 * What must not run any more. It is stopped, kept for a while as a way back, then
 * removed; a systemd unit is stopped and disabled, and stays. Volumes are never
 * removed, and what starts a thing from elsewhere (Compose) is named, not edited.
 *
 * All fields but restart and state are the spec's parameters, equal on both sides.
 */
static const struct field fields[] = {
	{"accept", 0, NULL},   {"backends", 0, NULL}, {"compose", 0, NULL},      {"container", 0, NULL},
	{"keep", 0, "ns"},     {"quiet", 0, "ns"},    {"restart", 0, NULL},      {"service", 0, NULL},
	{"services", 0, NULL}, {"state", 0, NULL},    {"stop_timeout", 0, "ns"}, {"unit", 0, NULL},
};

static const char *const after[] = {"engine", "service", "container", "traefik", "route", "check", NULL};

static const struct absent_form *const forms[] = {&absent_container, &absent_compose, &absent_service, &absent_unit};

#define WAIT_MS 200
#define PATIENCE_MS (INT64_C(2) * 60 * 1000) /* beside the time that it may take to stop */

static const struct absent_form *form_in(const struct snode *n)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (snode_str(n, forms[i]->key))
			return forms[i];
	return NULL;
}

const struct absent_form *absent_form_of(const json_t *body)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (json_str(body, forms[i]->key))
			return forms[i];
	return NULL;
}

static void needs(const struct spec *spec, struct wants *w)
{
	const struct snode *absent = snode_get(spec_root(spec), "absent");

	for (size_t i = 0; i < snode_count(absent); i++) {
		const struct absent_form *form = form_in(absent->items[i]);
		want_engine(w, "info");
		if (form)
			form->needs(w, absent->items[i]);
	}
}

static int fetch(struct fetch *f, struct err *err)
{
	const struct snode *absent = snode_get(spec_root(f->spec), "absent");

	(void)err;
	node_engine_fetch(f);
	for (size_t i = 0; i < snode_count(absent); i++) {
		const struct absent_form *form = form_in(absent->items[i]);
		if (form && form->fetch)
			form->fetch(f, absent->items[i]);
	}
	return 0;
}

/* ---- decode ---- */

static void set_duration(struct decode *d, struct resource *r, const struct snode *n, const char *key, int64_t value)
{
	if (value > 0)
		resource_set_field(d->out, r, key, json_integer(value), mark_of(snode_get(n, key), r->mark));
}

void absent_decode_times(struct decode *d, struct resource *r, const struct snode *n, int64_t stop_timeout)
{
	set_duration(d, r, n, "keep", snode_int(n, "keep", 0));
	set_duration(d, r, n, "quiet", snode_int(n, "quiet", 0));
	set_duration(d, r, n, "stop_timeout", stop_timeout);
	resource_mark(d->out, r, "restart", r->mark);
}

/* A list of names, or a map of texts, as an object. */
static void decode_names(struct decode *d, struct resource *r, const struct snode *n, const char *key)
{
	const struct snode *names = snode_get(n, key);
	json_t *all = json_object();

	for (size_t i = 0; i < snode_count(names); i++) {
		const struct snode *one = names->items[i];
		if (one->key)
			json_set_str(all, one->key, snode_scalar(one));
		else
			json_set_bool(all, snode_scalar(one), true);
	}
	if (names)
		resource_set_field(d->out, r, key, all, names->mark);
	else
		json_decref(all);
}

static void decode_entry(struct decode *d, const struct snode *n)
{
	struct resource *r = resource_add(d->out, "absent", n->key);
	const struct absent_form *form = form_in(n);
	const char *node = snode_str(n, "node");

	r->mark = n->key_mark;
	r->presence = ABSENT;
	r->node = node && form != &absent_service ? arena_strdup(resource_set_arena(d->out), node) : NULL;
	if (form) {
		resource_set_field(d->out, r, form->key, json_string(snode_str(n, form->key)),
				   snode_get(n, form->key)->mark);
		decode_names(d, r, n, "services");
		decode_names(d, r, n, "backends");
		decode_names(d, r, n, "accept");
		form->decode(d, r, n);
	}
	common_keys(d, r, n);
}

/* By its name, as people call it: "autoscaler", "haproxy-scaler". */
static bool is_called(const struct resource *r, const char *word)
{
	const struct absent_form *form = absent_form_of(r->body);
	const char *target = form ? json_str(r->body, form->key) : NULL;

	return strcasestr(r->name, word) || (target && strcasestr(target, word));
}

static bool comes_after(const struct resource *r, const struct resource *other)
{
	for (size_t i = 0; i < r->refs.n; i++)
		if (str_starts(r->refs.v[i].target, "absent/") &&
		    strcmp(r->refs.v[i].target + strlen("absent/"), other->name) == 0)
			return true;
	return false;
}

/* Whatever drives HAProxy goes before it, or it starts it again and changes it while it drains (FACTS E). */
static void order_scalers(struct decode *d, const struct snode *absent)
{
	for (size_t i = 0; i < snode_count(absent); i++) {
		struct resource *proxy = resource_find(d->out, "absent", absent->items[i]->key);
		for (size_t k = 0; k < snode_count(absent); k++) {
			const struct resource *scaler = resource_find(d->out, "absent", absent->items[k]->key);
			if (is_called(proxy, "haproxy") && !is_called(proxy, "scale") && is_called(scaler, "scale") &&
			    !comes_after(scaler, proxy) && !comes_after(proxy, scaler))
				resource_ref(d->out, proxy, REF_REQUIRES, (struct mark){0}, "absent/%s", scaler->name);
		}
	}
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *absent = snode_get(spec_root(d->spec), "absent");

	(void)err;
	for (size_t i = 0; i < snode_count(absent); i++)
		decode_entry(d, absent->items[i]);
	order_scalers(d, absent);
	return 0;
}

/* ---- observe ---- */

void absent_set_live(struct observe *o, struct resource *r, const struct resource *want, const char *state,
		     const char *restart)
{
	json_object_update(r->body, want->body);
	json_object_del(r->body, "restart");
	resource_set_field(o->out, r, "state", json_string(state), (struct mark){0});
	resource_set_field(o->out, r, "restart", restart ? json_string(restart) : NULL, (struct mark){0});
	r->presence = PRESENT; /* the entry is; what it names has the state */
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
		absent_form_of(want->body)->observe(o, r, want);
	}
	return 0;
}

/* ---- explain ---- */

const char *absent_shown(const struct resource *want, const char *key)
{
	return resource_mark_of(want, key).hidden ? "(value of a variable)" : json_str(want->body, key);
}

const char *absent_duration(struct arena *a, int64_t ns)
{
	_cleanup_str_ struct str text = {0};
	format_duration(ns / NS_PER_S, &text);
	return arena_strdup(a, str_cstr(&text));
}

int64_t absent_timeout_s(const json_t *body)
{
	return (json_int(body, "stop_timeout", 0) + NS_PER_S - 1) / NS_PER_S;
}

void absent_is_no_drift(struct change *c)
{
	c->disruption = DISRUPTS_NOTHING;
	c->why = WHY_SPEC;
	for (size_t i = 0; i < c->fields.n; i++)
		c->fields.v[i].why = WHY_SPEC;
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	absent_form_of(c->desired->body)->explain(o, a, c);
}

/* ---- apply ---- */

int absent_inspect(struct engine *engine, int64_t deadline, const char *container, json_t **out, struct err *err)
{
	_cleanup_str_ struct str path = {0};
	struct err e;

	engine_escape(container, &path);
	if (engine_get(engine, deadline, out, &e, "/containers/%s/json", str_cstr(&path)) == 0)
		return 0;
	if (e.code == ERR_NOT_FOUND) {
		*out = json_null();
		return 0;
	}
	*err = e;
	return err_wrap(err, "container %s", container);
}

int absent_wait(struct apply *a, const char *for_what, struct err *err)
{
	if (clock_left(a->deadline) == 0)
		return err_set(err, ERR_TIMEOUT, "wait for %s: it has not happened in time", for_what);
	if (!clock_sleep(WAIT_MS))
		return err_set(err, ERR_CANCELLED, "wait for %s: cancelled", for_what);
	return 0;
}

static int64_t patience_ms(const struct change *c)
{
	return json_int(c->desired->body, "stop_timeout", 0) / 1000000 + PATIENCE_MS;
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	if (absent_form_of(c->desired->body)->apply(a, c, err) < 0)
		return -1;
	if (json_int(c->desired->body, "quiet", 0) > 0)
		a->cluster->evidence_put(a->cluster->evidence_arg, c->key, NULL);
	return 0;
}

const struct kind kind_absent = {
	.name = "absent",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.needs = needs,
	.fetch = fetch,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
	.patience_ms = patience_ms,
	.gate = absent_gate,
};
