#include "kinds/traefik/view.h"

#include "kinds/container.h"

#include <string.h>
#include <strings.h>
#include <time.h>

#define PAGE 4096 /* the unit in which a cut-off write or a crash leaves old and new data */

/* Torn writes */

static bool same_or_zero(char have, const char *text, size_t len, size_t i)
{
	return have == '\0' || (i < len && text[i] == have);
}

/* One page: the first part from one text, the rest from the other. */
static bool page_is_mix(const char *text, size_t from, size_t to, const char *a, size_t a_len, const char *b,
			size_t b_len)
{
	size_t i = from;

	while (i < to && same_or_zero(text[i], a, a_len, i))
		i++;
	while (i < to && same_or_zero(text[i], b, b_len, i))
		i++;
	return i == to;
}

static bool same_bytes(const char *a, size_t a_len, const char *b, size_t b_len)
{
	return a_len == b_len && memcmp(a, b, a_len) == 0;
}

bool traefik_is_torn(const char *text, size_t len, const char *old, size_t old_len, const char *edited,
		     size_t edited_len)
{
	size_t shorter = old_len < edited_len ? old_len : edited_len;
	size_t longer = old_len < edited_len ? edited_len : old_len;

	if (len < shorter || len > longer)
		return false;
	if (same_bytes(text, len, old, old_len) || same_bytes(text, len, edited, edited_len))
		return false;
	for (size_t at = 0; at < len; at += PAGE) {
		size_t end = at + PAGE < len ? at + PAGE : len;
		if (!page_is_mix(text, at, end, edited, edited_len, old, old_len))
			return false;
	}
	return true;
}

/* What the interrupted run wanted may not be what is wanted now. */
static bool is_interrupted(const struct traefik_view *v)
{
	const json_t *content = json_object_get(v->doc, "content");
	const json_t *old = json_path(v->doc, "backup.content");
	bool torn = false;

	for (int i = 0; old && !torn && i < 4; i++) {
		const struct static_goal goal = {v->goal.major, i % 2, i < 2 ? v->goal.entrypoints : NULL};
		struct static_edit e = {0};
		if (static_edit(json_string_value(old), json_string_length(old), &goal, &e, NULL) < 0)
			continue;
		torn = traefik_is_torn(json_string_value(content), json_string_length(content), json_string_value(old),
				       json_string_length(old), str_cstr(&e.text), e.text.len);
		static_edit_free(&e);
	}
	return torn;
}

const char *traefik_view_text(const struct traefik_view *v, size_t *len)
{
	const json_t *text = v->interrupted ? json_path(v->doc, "backup.content") : json_object_get(v->doc, "content");

	*len = json_string_length(text);
	return json_string_value(text);
}

bool traefik_view_drops(const struct traefik_view *v, const struct snapshot *snap)
{
	if (!v->body || v->goal.major != 2 || !v->goal.swarm_mode || v->interrupted)
		return false;
	if (!json_bool(v->body, "swarm_mode"))
		return true;
	return !json_bool(v->body, "loaded") && snapshot_get(snap, "traefik/routers", NULL);
}

/* Has the process read the file? */

static int64_t epoch(const char *rfc3339)
{
	struct tm tm = {0};
	if (!rfc3339 || !strptime(rfc3339, "%Y-%m-%dT%H:%M:%S", &tm))
		return 0;
	return (int64_t)timegm(&tm);
}

/* "traefik.http.routers.x.rule" as "x"; malloc'ed, NULL for other labels. */
static char *router_of_label(const char *label)
{
	static const char prefix[] = "traefik.http.routers.", suffix[] = ".rule";
	size_t n = strlen(label), fixed = strlen(prefix) + strlen(suffix);

	if (n <= fixed || strncasecmp(label, prefix, strlen(prefix)) != 0 ||
	    strcasecmp(label + n - strlen(suffix), suffix) != 0)
		return NULL;
	return xasprintf("%.*s", (int)(n - fixed), label + strlen(prefix));
}

static bool has_router(const json_t *routers, const char *name)
{
	_cleanup_free_ char *full = xasprintf("%s@docker", name);
	json_t *r;
	size_t i;

	json_array_foreach ((json_t *)routers, i, r)
		if (str_eq(json_str(r, "name"), full))
			return true;
	return false;
}

/* v2 names no provider's settings in its API. Evidence that it lists services: one of their routers is there. */
static bool lists_services(const struct snapshot *snap)
{
	const json_t *routers = snapshot_get(snap, "traefik/routers", NULL);
	json_t *service, *value;
	const char *label;
	size_t i;
	bool expected = false;

	json_array_foreach (snapshot_get(snap, "engine/services", NULL), i, service) {
		json_object_foreach (json_path(service, "Spec.Labels"), label, value) {
			_cleanup_free_ char *name = router_of_label(label);
			if (name && has_router(routers, name))
				return true;
			expected = expected || name;
		}
	}
	return !expected;
}

/* As far as it was asked; not without need. */
static bool has_entrypoints(const struct snapshot *snap, const json_t *body)
{
	const json_t *list = snapshot_get(snap, "traefik/entrypoints", NULL);
	const char *name;
	json_t *address, *e;
	size_t i;

	json_object_foreach (json_object_get(body, "entrypoints"), name, address) {
		bool found = !list;
		json_array_foreach ((json_t *)list, i, e)
			found = found || (str_eq(json_str(e, "name"), name) &&
					  str_eq(json_str(e, "address"), json_string_value(address)));
		if (!found)
			return false;
	}
	return true;
}

/* A process that started before the file's last change may still have the old settings. */
static bool is_loaded(const struct snapshot *snap, const struct traefik_view *v)
{
	const json_t *providers = json_path(snapshot_get(snap, "traefik/overview", NULL), "providers");
	const json_t *state = json_object_get(v->container, "State");
	bool on = json_bool(v->body, "swarm_mode");
	json_t *name;
	size_t i;

	if (!json_bool(state, "Running") || json_bool(state, "Restarting") || !has_entrypoints(snap, v->body))
		return false;
	if (v->goal.major >= 3 && json_is_array(providers)) {
		bool has = false;
		json_array_foreach ((json_t *)providers, i, name)
			has = has || str_eq(json_string_value(name), "Swarm");
		return has == on;
	}
	if (json_int(v->doc, "mtime", 0) <= epoch(json_str(state, "StartedAt")))
		return true;
	return !on || lists_services(snap);
}

/* The view */

static enum static_source source_of(const json_t *doc)
{
	const char *name = json_str(doc, "source");

	for (int s = 0; name && s < STATIC_N_SOURCES; s++)
		if (strcmp(name, static_source_name((enum static_source)s)) == 0)
			return (enum static_source)s;
	return STATIC_FILE;
}

static int read_state(const struct traefik_view *v, json_t **state, struct err *err)
{
	const json_t *content = json_object_get(v->doc, "content");
	const char *text = json_string_value(content);

	switch (v->source) {
	case STATIC_FLAGS:
		*state = static_read_flags(json_object_get(v->container, "Args"));
		return 0;
	case STATIC_ENV:
		*state = static_read_env(json_path(v->container, "Config.Env"));
		return 0;
	case STATIC_TOML:
		*state = static_read_toml(text ? text : "");
		return 0;
	case STATIC_FILE:
		if (!text)
			return err_set(err, ERR_FAILED, "it was not read");
		return static_read_yaml(text, json_string_length(content), state, err);
	default:
		*state = json_object();
		return 0;
	}
}

static void unparsable(struct traefik_view *v, const struct err *why)
{
	const char *inside = json_str(v->doc, "inside"), *backup = json_str(json_object_get(v->doc, "backup"), "path");

	v->unknown = xasprintf("Traefik's static configuration %s cannot be understood: %s%s%s", inside ? inside : "",
			       why->msg, backup ? "; the newest backup is " : "", backup ? backup : "");
}

/* Those of the goal that the configuration has, word for word. */
static void read_entrypoints(struct traefik_view *v, const json_t *state)
{
	_cleanup_json_ json_t *have = json_object();
	const char *name;
	json_t *address;

	json_object_foreach ((json_t *)v->goal.entrypoints, name, address)
		if (str_eq(static_entrypoint(state, name), json_string_value(address)))
			json_set(have, name, json_incref(address));
	if (json_object_size(have) > 0)
		json_set(v->body, "entrypoints", json_incref(have));
}

static void read_body(const struct snapshot *snap, struct traefik_view *v)
{
	json_t *state = NULL;
	struct err why = {0};

	v->source = source_of(v->doc);
	v->interrupted =
		v->source == STATIC_FILE && json_is_string(json_object_get(v->doc, "content")) && is_interrupted(v);
	if (v->interrupted) {
		v->body = json_object();
		json_set_bool(v->body, "interrupted", true);
		return;
	}
	if (read_state(v, &state, &why) < 0) {
		unparsable(v, &why);
		return;
	}
	v->body = static_body(state, v->goal.major);
	read_entrypoints(v, state);
	json_decref(state);
	if (is_loaded(snap, v))
		json_set_bool(v->body, "loaded", true);
}

void traefik_view_make(const struct snapshot *snap, const char *node, const char *container, const json_t *want,
		       struct traefik_view *v)
{
	struct traefik_version version;
	const char *why = NULL;

	*v = (struct traefik_view){.goal = {.swarm_mode = json_bool(want, "swarm_mode"),
					    .entrypoints = json_object_get(want, "entrypoints")}};
	enum presence p = container_find(snap, node, container, &v->container, &v->unknown);
	if (p == ABSENT)
		v->unknown = xasprintf("there is no container '%s' on node '%s': start it, then look again", container,
				       node ? node : "?");
	if (p != PRESENT)
		return;
	v->doc = snapshot_get(snap, "traefik/static", &why);
	if (!v->doc) {
		v->unknown = xasprintf("Traefik's static configuration is unknown: %s", why);
		return;
	}
	if (!traefik_version_known(snap, &version, &why)) {
		v->unknown =
			xasprintf("Traefik's version is unknown, and what its static configuration must say depends on "
				  "it: %s",
				  why);
		return;
	}
	v->goal.major = version.major;
	read_body(snap, v);
}

void traefik_view_free(struct traefik_view *v)
{
	free(v->unknown);
	json_decref(v->body);
}
