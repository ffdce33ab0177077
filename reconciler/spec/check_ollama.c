/* Services that run Ollama. FACTS B, G13, G17 to G21. */
#include "spec/check_util.h"

#include <string.h>

#define HOME "/root/.ollama"
#define MODELS HOME "/models"

static bool is_dir(const char *path, const char *dir)
{
	size_t n = strlen(dir);
	return path && strncmp(path, dir, n) == 0 && path[n + strspn(path + n, "/")] == '\0';
}

static void models_dir(struct checker *c, const struct snode *service)
{
	struct pair p;

	if (image_is(service, "ollama") && pair_find(snode_get(service, "environment"), "OLLAMA_MODELS", &p) &&
	    is_dir(p.value, HOME))
		check_error(c, p.mark,
			    "service '%s': OLLAMA_MODELS is the directory of the models itself, and with " HOME
			    " no model is found; they lie in " MODELS ", which is the default, so remove the variable",
			    service->key);
}

static bool may_set(const struct snode *service, const char *variable)
{
	struct pair p;
	return pair_find(snode_get(service, "environment"), variable, &p) || snode_get(service, "env_file");
}

static void mount_of(struct checker *c, const struct snode *service, const struct mount_view *m)
{
	if (m->read_only && is_dir(m->target, HOME))
		check_error(c, m->mark,
			    "service '%s': with " HOME
			    " read-only the server cannot write its key and exits again and again; "
			    "mount only " MODELS " read-only",
			    service->key);
	else if (m->read_only && path_under(m->target, MODELS) && !may_set(service, "OLLAMA_NOPRUNE"))
		check_warn(c, m->mark,
			   "service '%s': without OLLAMA_NOPRUNE: \"1\" the server prunes its models when it starts, "
			   "which fails "
			   "on a read-only mount when a manifest directory is empty",
			   service->key);
}

/* On shared storage every writer prunes what another is just pulling. */
static void shared_writer(struct checker *c, const struct snode *service, const struct mount_view *m)
{
	const struct snode *nfs = section_of(c, "nfs");

	if (m->read_only || m->type != MOUNT_BIND || !m->source || !path_under(m->target, HOME))
		return;
	for (size_t i = 0; i < snode_count(nfs); i++) {
		const char *path = snode_str(snode_get(nfs->items[i], "mount"), "path");
		if (path && path_under(m->source, path)) {
			check_warn(c, m->mark,
				   "service '%s': its tasks would all write to the models in nfs '%s', and each prunes "
				   "at its start "
				   "what another is pulling; mount " MODELS " with read_only: true",
				   service->key, nfs->items[i]->key);
			return;
		}
	}
}

static void ollama_mounts(struct checker *c, const struct snode *service)
{
	struct mounts m = {0};

	if (!image_is(service, "ollama"))
		return;
	mounts_read(service, &m);
	for (size_t i = 0; i < m.list.n; i++) {
		mount_of(c, service, &m.list.v[i]);
		shared_writer(c, service, &m.list.v[i]);
	}
	mounts_free(&m);
}

/* "curl -f …", "/usr/bin/wget", "sh -c 'curl …'" */
static bool names_program(const char *text, const char *program)
{
	size_t n = strlen(program);

	for (const char *p = text; (p = strstr(p, program)); p += n) {
		bool begins = p == text || strchr("/ '\"(;&|", p[-1]);
		if (begins && (p[n] == '\0' || strchr(" '\";)&|", p[n])))
			return true;
	}
	return false;
}

static void ollama_health(struct checker *c, const struct snode *service)
{
	static const char *const programs[] = {"curl", "wget"};
	const struct snode *test = snode_path(service, "healthcheck.test");

	if (!test || !image_is(service, "ollama"))
		return;
	for (size_t k = 0; k < ARRAY_SIZE(programs); k++) {
		bool found = snode_scalar(test) && names_program(test->text, programs[k]);
		for (size_t i = 0; i < snode_count(test); i++)
			found |= snode_scalar(test->items[i]) && names_program(test->items[i]->text, programs[k]);
		if (found)
			check_error(c, test->mark,
				    "service '%s': the image of Ollama has no %s, so this health check always fails "
				    "and Swarm "
				    "replaces the tasks for ever; write test: [CMD, ollama, list]",
				    service->key, programs[k]);
	}
}

static void ollama_port(struct checker *c, const struct snode *service)
{
	struct ports ports = {0};

	if (!image_is(service, "ollama"))
		return;
	ports_read(service, &ports);
	for (size_t i = 0; i < ports.list.n; i++) {
		const struct port_view *p = &ports.list.v[i];
		if (!p->host && p->target <= 11434 && p->target + p->count > 11434)
			check_warn(c, p->mark,
				   "service '%s': this opens Ollama on every node without authentication, pull and "
				   "delete included, "
				   "and past Traefik with its checks and metrics; remove it and write a route",
				   service->key);
	}
	ports_free(&ports);
}

const struct check_row checks_ollama[] = {
	{"services", true, models_dir},
	{"services", true, ollama_mounts},
	{"services", true, ollama_health},
	{"services", true, ollama_port},
	{NULL, false, NULL},
};
