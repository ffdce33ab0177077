/* Traps of what runs Ollama, as a service or as a container. FACTS B; G11, G13, G17 to G22. */
#include "run/doctor/internal.h"

#include <string.h>

#define HOME "/root/.ollama"
#define MODELS HOME "/models"

/* A service and a container in one form. */
struct ollama {
	const char *where;
	const json_t *env;    /* "NAME=value" */
	const json_t *test;   /* of the health check */
	const json_t *mounts; /* {"Target" or "Destination", "Source", "ReadOnly" or "RW"} */
};

typedef void (*look_fn)(struct doctor *d, const struct trap *t, const struct ollama *o);

static void each_ollama(struct doctor *d, const struct trap *t, look_fn look)
{
	json_t *s, *c;
	size_t i, k;

	each_service(d, i, s)
	{
		const json_t *spec = service_container(s);
		const struct ollama o = {
			.where = service_where(d, s),
			.env = json_object_get(spec, "Env"),
			.test = json_path(spec, "Healthcheck.Test"),
			.mounts = json_object_get(spec, "Mounts"),
		};
		if (image_named(service_image(s), "ollama"))
			look(d, t, &o);
	}
	for (i = 0; i < d->places.n; i++)
		json_array_foreach ((json_t *)d->places.v[i].containers, k, c) {
			const json_t *inspect =
				d->places.v[i].here
					? snapshot_get(d->snap, where_is(d, "engine/container/%s", container_name(c)),
						       NULL)
					: NULL;
			const struct ollama o = {
				.where = container_where(d, &d->places.v[i], c),
				.env = json_path(inspect, "Config.Env"),
				.test = json_path(inspect, "Config.Healthcheck.Test"),
				.mounts = json_object_get(c, "Mounts"),
			};
			if (!container_is_task(c) && image_named(json_str(c, "Image"), "ollama"))
				look(d, t, &o);
		}
}

static const char *variable(const struct ollama *o, const char *name)
{
	size_t n = strlen(name), i;
	json_t *e;

	json_array_foreach ((json_t *)o->env, i, e) {
		const char *text = json_string_value(e);
		if (text && strncmp(text, name, n) == 0 && text[n] == '=')
			return text + n + 1;
	}
	return NULL;
}

static bool is_dir(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	return path && strncmp(path, dir, n) == 0 && path[n + strspn(path + n, "/")] == '\0';
}

static const char *target_of(const json_t *mount)
{
	const char *target = json_str(mount, "Target");
	return target ? target : json_str(mount, "Destination");
}

static bool is_read_only(const json_t *mount)
{
	return json_bool(mount, "ReadOnly") || json_is_false(json_object_get(mount, "RW"));
}

static void models_dir(struct doctor *d, const struct trap *t, const struct ollama *o)
{
	const char *dir = variable(o, "OLLAMA_MODELS");
	if (is_dir(dir, HOME))
		doctor_find(d, t, o->where, "OLLAMA_MODELS is %s", dir);
}

static void look_models(struct doctor *d, const struct trap *t)
{
	each_ollama(d, t, models_dir);
}

static const struct trap trap_models = {
	.id = "ollama-models-dir",
	.severity = TRAP_ERROR,
	.why = "the variable is the directory of the models itself: no model is found, and the server says that it is "
	       "well",
	.mend = "remove the variable: the default is " MODELS,
	.look = look_models,
};

static void read_only_home(struct doctor *d, const struct trap *t, const struct ollama *o)
{
	json_t *m;
	size_t i;

	json_array_foreach ((json_t *)o->mounts, i, m)
		if (is_dir(target_of(m), HOME) && is_read_only(m))
			doctor_find(d, t, o->where, HOME " is mounted read-only");
}

static void look_home(struct doctor *d, const struct trap *t)
{
	each_ollama(d, t, read_only_home);
}

static const struct trap trap_home = {
	.id = "ollama-read-only-home",
	.severity = TRAP_ERROR,
	.why = "the server writes its key there when it starts, fails and is started again, for ever",
	.mend = "mount only " MODELS " read-only, and leave " HOME " to the container",
	.look = look_home,
};

static void prunes(struct doctor *d, const struct trap *t, const struct ollama *o)
{
	json_t *m;
	size_t i;

	json_array_foreach ((json_t *)o->mounts, i, m)
		if (path_below(target_of(m), MODELS) && is_read_only(m) && o->env && !variable(o, "OLLAMA_NOPRUNE"))
			doctor_find(d, t, o->where, "%s is read-only and OLLAMA_NOPRUNE is not set", target_of(m));
}

static void look_prunes(struct doctor *d, const struct trap *t)
{
	each_ollama(d, t, prunes);
}

static const struct trap trap_prunes = {
	.id = "ollama-prunes",
	.severity = TRAP_WARNING,
	.why = "at its start the server removes what it takes for unused, and ends where it may not",
	.mend = "environment: OLLAMA_NOPRUNE: \"1\"",
	.look = look_prunes,
};

/* "curl -f …", "/usr/bin/wget", "sh -c 'curl …'" */
static bool names_program(const char *text, const char *program)
{
	size_t n = strlen(program);

	for (const char *p = text; p && (p = strstr(p, program)); p += n) {
		bool begins = p == text || strchr("/ '\"(;&|", p[-1]);
		if (begins && (p[n] == '\0' || strchr(" '\";)&|", p[n])))
			return true;
	}
	return false;
}

static void health(struct doctor *d, const struct trap *t, const struct ollama *o)
{
	static const char *const programs[] = {"curl", "wget"};
	json_t *word;
	size_t i;

	for (size_t k = 0; k < ARRAY_SIZE(programs); k++)
		json_array_foreach ((json_t *)o->test, i, word)
			if (names_program(json_string_value(word), programs[k])) {
				doctor_find(d, t, o->where, "its health check runs %s", programs[k]);
				break;
			}
}

static void look_health(struct doctor *d, const struct trap *t)
{
	each_ollama(d, t, health);
}

static const struct trap trap_health = {
	.id = "ollama-health-check",
	.severity = TRAP_ERROR,
	.why = "the image of Ollama has neither curl nor wget: the check always fails, and Swarm kills task after task",
	.mend = "healthcheck.test: [CMD, ollama, list]",
	.look = look_health,
};

/* Whom it lets in */

static void open_service(struct doctor *d, const struct trap *t, const json_t *service)
{
	json_t *p;
	size_t i;

	json_array_foreach (json_path(service, "Endpoint.Ports"), i, p)
		if (json_int(p, "TargetPort", 0) == 11434 && json_int(p, "PublishedPort", 0))
			doctor_find(d, t, service_where(d, service),
				    "port %lld leads to its API on every node%s; it does not lead to Traefik",
				    (long long)json_int(p, "PublishedPort", 0),
				    str_eq(json_str(p, "PublishMode"), "host") ? " where a task runs"
									       : " (the ingress mesh)");
}

static void open_container(struct doctor *d, const struct trap *t, const struct place *p, const json_t *container)
{
	json_t *port;
	size_t i;

	if (!image_named(json_str(container, "Image"), "ollama"))
		return;
	json_array_foreach (json_object_get(container, "Ports"), i, port) {
		const char *ip = json_str(port, "IP");
		if (json_int(port, "PrivatePort", 0) == 11434 && json_int(port, "PublicPort", 0) && !str_eq(ip, "::") &&
		    !(ip && str_starts(ip, "127.")))
			doctor_find(d, t, container_where(d, p, container), "port %lld leads to its API",
				    (long long)json_int(port, "PublicPort", 0));
	}
}

static void look_open(struct doctor *d, const struct trap *t)
{
	json_t *s;
	size_t i;

	each_service(d, i, s) if (image_named(service_image(s), "ollama")) open_service(d, t, s);
	each_container(d, t, open_container);
}

static const struct trap trap_open = {
	.id = "ollama-open",
	.severity = TRAP_ERROR,
	.why = "Ollama has no authentication: whoever reaches the port can pull and delete models; it passes Traefik "
	       "by, with "
	       "its checks and metrics, the mesh keeps a connection on one replica, and ufw does not see published "
	       "ports",
	.mend = "take the published port away and write a route, with a middleware where not everybody may come in",
	.look = look_open,
};

/* Several that write one directory */

struct writer {
	const char *source, *where;
};

static void writers(struct doctor *d, const struct trap *t)
{
	VEC(struct writer) all = {0};
	json_t *s, *c, *m;
	size_t i, k, n;

	each_service(d, i, s)
		json_array_foreach (json_object_get(service_container(s), "Mounts"), k,
				    m) if (image_named(service_image(s), "ollama") &&
					   str_eq(json_str(m, "Type"), "bind") && path_below(target_of(m), HOME) &&
					   !is_read_only(m) && json_str(m, "Source"))
			vec_push(&all, ((struct writer){json_str(m, "Source"), service_where(d, s)}));
	for (n = 0; n < d->places.n; n++)
		json_array_foreach ((json_t *)d->places.v[n].containers, i, c)
			json_array_foreach (json_object_get(c, "Mounts"), k, m)
				if (!container_is_task(c) && container_runs(c) &&
				    image_named(json_str(c, "Image"), "ollama") &&
				    str_eq(json_str(m, "Type"), "bind") && path_below(target_of(m), HOME) &&
				    !is_read_only(m) && json_str(m, "Source"))
					vec_push(&all, ((struct writer){json_str(m, "Source"),
									container_where(d, &d->places.v[n], c)}));
	for (i = 0; i < all.n; i++)
		for (k = 0; k < i; k++)
			if (path_below(all.v[i].source, all.v[k].source) ||
			    path_below(all.v[k].source, all.v[i].source))
				doctor_find(d, t, all.v[i].where, "it writes to %s, and so does %s", all.v[i].source,
					    all.v[k].where);
	vec_free(&all);
}

static const struct trap trap_writers = {
	.id = "ollama-writers",
	.severity = TRAP_WARNING,
	.why = "each prunes at its start what another is just pulling",
	.mend = "one writer (models in the spec pulls by itself); mount the models read-only everywhere else",
	.look = writers,
};

const struct trap *const traps_ollama[] = {
	&trap_open, &trap_models, &trap_home, &trap_health, &trap_prunes, &trap_writers, NULL,
};
