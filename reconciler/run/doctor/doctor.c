/* The document of the doctor: the table of traps, and what they share. */
#include "run/doctor/internal.h"

#include "kinds/traefik/static.h"

#include <stdio.h>
#include <string.h>

const char *const doctor_files[] = {
	"/etc/fstab", "/etc/ufw/ufw.conf", "/etc/ufw/user.rules", "/proc/net/route", "/proc/self/mountinfo", NULL,
};

static const struct trap *const *const groups[] = {
	traps_cluster, traps_nfs, traps_containers, traps_traefik, traps_services, traps_ollama,
};

const struct trap *const *doctor_traps(size_t *n)
{
	static const struct trap *all[64];
	size_t count = 0;

	for (size_t g = 0; g < ARRAY_SIZE(groups); g++)
		for (size_t i = 0; groups[g][i] && count < ARRAY_SIZE(all); i++)
			all[count++] = groups[g][i];
	*n = count;
	return all;
}

static const char *severity_name(enum trap_severity s)
{
	return s == TRAP_ERROR ? "error" : "warning";
}

void doctor_find(struct doctor *d, const struct trap *t, const char *where, const char *fmt, ...)
{
	json_t *j = json_object();
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	json_set_str(j, "id", t->id);
	json_set_str(j, "severity", severity_name(t->severity));
	json_set_str(j, "where", where);
	json_set_str(j, "what", text);
	json_set_str(j, "why", t->why);
	json_set_str(j, "mend", t->mend);
	json_array_append_new(d->findings, j);
	free(text);
}

void doctor_unknown(struct doctor *d, const char *what, const char *why)
{
	json_t *j;
	size_t i;

	json_array_foreach (d->unknown, i, j)
		if (str_eq(json_str(j, "what"), what))
			return;
	json_array_append_new(d->unknown, json_pack("{s:s, s:s}", "what", what, "why", why ? why : "it was not asked"));
}

/* What traps share */

const char *service_name(const json_t *service)
{
	const char *name = json_str(json_object_get(service, "Spec"), "Name");
	return name ? name : "?";
}

const char *service_where(struct doctor *d, const json_t *service)
{
	return where_is(d, "service/%s", service_name(service));
}

const json_t *service_container(const json_t *service)
{
	return json_path(service, "Spec.TaskTemplate.ContainerSpec");
}

const json_t *service_labels(const json_t *service)
{
	return json_path(service, "Spec.Labels");
}

const char *service_image(const json_t *service)
{
	const char *image = json_str(service_container(service), "Image");
	return image ? image : "";
}

bool image_named(const char *image, const char *name)
{
	size_t len = image ? strcspn(image, "@") : 0, from = len, n = strlen(name);

	while (from > 0 && image[from - 1] != '/')
		from--;
	return len - from >= n && strncmp(image + from, name, n) == 0 && (len - from == n || image[from + n] == ':');
}

const char *container_name(const json_t *container)
{
	const char *name = json_string_value(json_array_get(json_object_get(container, "Names"), 0));
	return name ? name + (*name == '/') : "?";
}

bool container_is_task(const json_t *container)
{
	return json_object_get(json_object_get(container, "Labels"), "com.docker.swarm.task.id") != NULL;
}

bool container_runs(const json_t *container)
{
	const char *state = json_str(container, "State");
	return str_eq(state, "running") || str_eq(state, "restarting") || str_eq(state, "paused");
}

void each_container(struct doctor *d, const struct trap *t,
		    void (*fn)(struct doctor *d, const struct trap *t, const struct place *p, const json_t *container))
{
	json_t *c;
	size_t i;

	for (size_t k = 0; k < d->places.n; k++)
		json_array_foreach ((json_t *)d->places.v[k].containers, i, c)
			if (!container_is_task(c))
				fn(d, t, &d->places.v[k], c);
}

const char *container_where(struct doctor *d, const struct place *p, const json_t *container)
{
	return where_is(d, "container %s on node %s", container_name(container), p->node);
}

const char *place_file(const struct place *p, const char *path)
{
	const json_t *file = json_object_get(json_object_get(p->probe, "files"), path);
	return json_str(file, "content");
}

const char *place_look(struct doctor *d, const struct place *p, const char *look, const char *what)
{
	const json_t *answer = json_object_get(json_object_get(p->probe, "looks"), look);
	const char *error = json_str(answer, "error");

	if (error)
		doctor_unknown(d, where_is(d, "%s of node %s", what, p->node), error);
	return json_string_value(answer);
}

bool next_text_line(const char **at, char line[static LINE_SIZE])
{
	if (!*at || !**at)
		return false;
	size_t n = strcspn(*at, "\n");
	snprintf(line, LINE_SIZE, "%.*s", (int)n, *at);
	*at += n + ((*at)[n] == '\n');
	return true;
}

bool option_in(const char *options, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = options; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (strcspn(p, ",") == n && strncmp(p, name, n) == 0)
			return true;
	return false;
}

bool path_below(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	return path && strncmp(path, dir, n) == 0 && (path[n] == '/' || path[n] == '\0');
}

/* Reading the snapshot */

static const json_t *list_of(struct doctor *d, const char *doc, const char *what)
{
	const char *why = NULL;
	const json_t *list = snapshot_get(d->snap, doc, &why);

	if (json_is_array(list))
		return list;
	doctor_unknown(d, what, why);
	return NULL;
}

static const json_t *remote_containers(struct doctor *d, struct place *p)
{
	const json_t *look = json_object_get(json_object_get(p->probe, "looks"), DOCTOR_CONTAINERS);
	const char *why = json_str(look, "error"), *text = json_string_value(look);
	json_t *list = NULL;
	struct err err = {0};

	if (text && json_parse(text, strlen(text), &list, &err) == 0 && json_is_array(list)) {
		/* Lives as long as the probe. */
		json_object_set_new(json_object_get((json_t *)p->probe, "looks"), "containers", list);
		return list;
	}
	json_decref(list);
	if (!why)
		why = err.code != ERR_NONE ? err.msg : "the engine there was not asked, or there is none";
	doctor_unknown(d, where_is(d, "containers of node %s", p->node), why);
	return NULL;
}

static void add_place(struct doctor *d, const json_t *entry)
{
	struct place p = {.node = json_str(entry, "node"), .here = json_bool(entry, "here")};
	const char *doc = where_is(d, "host/%s", p.node), *why = NULL;

	p.probe = snapshot_get(d->snap, doc, &why);
	if (!json_is_object(p.probe)) {
		p.probe = NULL;
		doctor_unknown(d, where_is(d, "node %s", p.node), why);
	}
	if (p.here)
		p.containers = list_of(d, "engine/containers", where_is(d, "containers of node %s", p.node));
	else if (p.probe)
		p.containers = remote_containers(d, &p);
	vec_push(&d->places, p);
}

static void read_traefik_state(struct doctor *d, struct traefik_seen *t)
{
	const char *source = json_str(t->doc, "source"), *content = json_str(t->doc, "content");
	struct err err = {0};

	if (!t->doc)
		return;
	if (str_eq(source, "flags"))
		t->state = static_read_flags(json_object_get(t->inspect, "Args"));
	else if (str_eq(source, "environment"))
		t->state = static_read_env(json_path(t->inspect, "Config.Env"));
	else if (str_eq(source, "toml"))
		t->state = static_read_toml(content ? content : "");
	else if (str_eq(source, "nothing"))
		t->state = json_object();
	else if (!content || static_read_yaml(content, strlen(content), &t->state, &err) < 0)
		doctor_unknown(d, "Traefik's static configuration", content ? err.msg : "it was not read");
}

static void see_traefik(struct doctor *d)
{
	struct traefik_seen *t = &d->traefik;
	const json_t *found = snapshot_get(d->snap, "traefik/container", NULL);
	const char *why = NULL;
	json_t *s;
	size_t i;

	t->container = json_str(found, "name");
	each_service(d, i, s) if (!t->container && !t->service && image_named(service_image(s), "traefik")) t->service =
		service_name(s);
	if (!t->container && !t->service)
		return;
	t->version_known = traefik_version_known(d->snap, &t->version, &why);
	if (!t->version_known)
		doctor_unknown(d, "Traefik's version", why);
	if (t->container) {
		t->inspect = snapshot_get(d->snap, where_is(d, "engine/container/%s", t->container), NULL);
		t->doc = snapshot_get(d->snap, "traefik/static", &why);
		if (!t->doc)
			doctor_unknown(d, "Traefik's static configuration", why);
		read_traefik_state(d, t);
	} else {
		each_service(d, i, s) if (str_eq(service_name(s), t->service)) t->state =
			static_read_flags(json_object_get(service_container(s), "Args"));
	}
	if (t->state && t->version_known) {
		_cleanup_json_ json_t *body = static_body(t->state, t->version.major);
		t->swarm_on = json_bool(body, "swarm_mode");
		t->v2_keys = json_object_get(body, "v2_keys") != NULL;
	}
}

static void look_around(struct doctor *d)
{
	const json_t *places = snapshot_get(d->snap, "doctor/places", NULL);
	json_t *p;
	size_t i;

	d->services = list_of(d, "engine/services", "services");
	d->nodes = list_of(d, "engine/nodes", "nodes of the swarm");
	d->networks = list_of(d, "engine/networks", "networks");
	json_array_foreach ((json_t *)places, i, p)
		add_place(d, p);
	see_traefik(d);
}

/* What validate says of the spec is worth knowing here too. */
static void add_diags(struct doctor *d)
{
	const struct diags *all = d->f->diags;

	for (size_t i = 0; all && i < all->list.n; i++) {
		const struct diag *x = &all->list.v[i];
		json_t *j = json_object();
		json_set_str(j, "id", "spec");
		json_set_str(j, "severity", x->severity == DIAG_ERROR ? "error" : "warning");
		json_set_str(j, "where",
			     where_is(d, "%s:%d:%d", x->mark.file ? x->mark.file : "spec", x->mark.line, x->mark.col));
		json_set_str(j, "what", x->message);
		json_array_append_new(d->findings, j);
	}
}

/* Errors before warnings, else as they were found. */
static json_t *sorted(json_t *findings, size_t *errors)
{
	static const char *const severities[] = {"error", "warning"};
	json_t *out = json_array(), *j;
	size_t i;

	for (size_t s = 0; s < ARRAY_SIZE(severities); s++) {
		json_array_foreach (findings, i, j)
			if (str_eq(json_str(j, "severity"), severities[s]))
				json_array_append(out, j);
		if (s == 0)
			*errors = json_array_size(out);
	}
	json_decref(findings);
	return out;
}

json_t *doctor_make(const struct doctor_facts *f)
{
	struct doctor d = {
		.f = f, .snap = f->snap, .arena = arena_new(), .findings = json_array(), .unknown = json_array()};
	json_t *doc = json_object();
	size_t n, errors = 0;
	const struct trap *const *traps = doctor_traps(&n);

	look_around(&d);
	for (size_t i = 0; i < n; i++)
		traps[i]->look(&d, traps[i]);
	add_diags(&d);
	d.findings = sorted(d.findings, &errors);
	json_set_int(doc, "format", DOCTOR_FORMAT);
	json_set_str(doc, "cluster", f->spec ? spec_cluster(f->spec) : NULL);
	json_set_str(doc, "engine", f->engine);
	json_set(doc, "summary",
		 json_pack("{s:I, s:I, s:I, s:I}", "errors", (json_int_t)errors, "warnings",
			   (json_int_t)(json_array_size(d.findings) - errors), "unknown",
			   (json_int_t)json_array_size(d.unknown), "traps", (json_int_t)n));
	json_set(doc, "findings", d.findings);
	json_set(doc, "unknown", d.unknown);
	json_decref(d.traefik.state);
	vec_free(&d.places);
	arena_free(d.arena);
	return doc;
}

int doctor_exit(const json_t *doc)
{
	const json_t *summary = json_object_get(doc, "summary");
	return json_int(summary, "errors", 0) ? 1 : json_int(summary, "unknown", 0) ? 3 : 0;
}
