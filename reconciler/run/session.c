#include "run/session.h"

#include "kinds/member.h"
#include "kinds/node.h"
#include "kinds/secret/secret.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <limits.h>
#include <string.h>
#include <unistd.h>

#define MANAGER_TIMEOUT_MS 15000

int session_host(const struct spec *spec, const struct snode *node, bool accept_new, struct host **out, struct err *err)
{
	const struct snode *ssh = snode_get(spec_root(spec), "ssh");
	const struct host_options o = {
		.node = node->key,
		.address = snode_str(node, "address"),
		.shown = snode_shown(snode_get(node, "address")),
		.user = snode_str(ssh, "user"),
		.port = (int)snode_int(ssh, "port", 0),
		.host_key = snode_str(node, "host_key"),
		.accept_new = accept_new,
		.become = snode_bool(ssh, "become", false),
	};
	return host_open(&o, out, err);
}

static const struct host *local_host(const struct session *s)
{
	for (size_t i = 0; i < s->hosts.n; i++)
		if (host_is_local(s->hosts.v[i]))
			return s->hosts.v[i];
	return NULL;
}

static bool is_manager(const struct snode *node)
{
	return str_eq(snode_str(node, "role"), "manager");
}

static const struct snode *node_of(const struct spec *spec, const char *name)
{
	return snode_get(snode_get(spec_root(spec), "nodes"), name);
}

static void take_engine(struct session *s, const struct host *h, struct engine *engine, struct host_channel *channel)
{
	engine_close(s->cluster.engine);
	host_channel_close(s->channel);
	engine_set_hooks(engine, s->cluster.hooks);
	s->cluster.engine = engine;
	s->cluster.engine_node = host_node(h);
	s->channel = channel;
}

static bool answers(struct engine *e)
{
	struct err ignored;
	return engine_negotiate(e, clock_ms() + MANAGER_TIMEOUT_MS, &ignored) == 0;
}

/* The first manager but the one at hand; answering: that answers. *taken false: there is none. */
static int use_manager(struct session *s, const struct spec *spec, bool answering, bool *taken, struct err *err)
{
	*taken = false;
	for (size_t i = 0; i < s->hosts.n && !*taken; i++) {
		struct host_channel *channel;
		struct engine *engine;
		const char *node = host_node(s->hosts.v[i]);
		if (!is_manager(node_of(spec, node)) || str_eq(node, s->cluster.engine_node))
			continue;
		if (host_engine(s->hosts.v[i], &channel, &engine, err) < 0)
			return -1;
		*taken = !answering || answers(engine);
		if (*taken) {
			take_engine(s, s->hosts.v[i], engine, channel);
		} else {
			engine_close(engine);
			host_channel_close(channel);
		}
	}
	return 0;
}

static int choose_engine(struct session *s, const struct spec *spec, const char *docker_host, struct err *err)
{
	const struct engine_options eo = {.host = docker_host};
	const struct host *local = local_host(s);
	bool taken;

	if (engine_open(&eo, &s->cluster.engine, err) < 0)
		return -1;
	s->engine_given = !engine_is_default(s->cluster.engine) || s->hosts.n == 0;
	if (!s->engine_given && !(local && is_manager(node_of(spec, host_node(local))))) {
		if (use_manager(s, spec, true, &taken, err) < 0)
			return -1;
		/* What is wrong with the first is seen when it is observed; when none is declared the plan says so. */
		return taken ? 0 : use_manager(s, spec, false, &taken, err);
	}
	/* A socket may lead to another machine: session_reconsider sees that. */
	if (local && str_starts(engine_address(s->cluster.engine), "unix://"))
		s->cluster.engine_node = host_node(local);
	return 0;
}

int session_require_answer(struct session *s, const struct spec *spec, struct err *err)
{
	bool taken;
	return s->engine_given || answers(s->cluster.engine) ? 0 : use_manager(s, spec, true, &taken, err);
}

int session_open(const struct spec *spec, const char *docker_host, bool accept_new_hosts, struct session **out,
		 struct err *err)
{
	const struct snode *nodes = snode_get(spec_root(spec), "nodes");
	struct session *s = xcalloc(1, sizeof(*s));

	s->cluster.name = spec_cluster(spec);
	s->cluster.traefik_api = snode_str(snode_get(spec_root(spec), "traefik"), "api");
	s->cluster.traefik_node = snode_str(snode_get(spec_root(spec), "traefik"), "node");
	s->cluster.prometheus_url = snode_str(snode_get(spec_root(spec), "prometheus"), "url");
	s->cluster.prometheus_node = snode_str(snode_get(spec_root(spec), "prometheus"), "node");
	for (size_t i = 0; i < snode_count(nodes); i++) {
		struct host *h;
		if (session_host(spec, nodes->items[i], accept_new_hosts, &h, err) < 0)
			goto fail;
		vec_push(&s->hosts, h);
		vec_push(&s->silent, (struct silence){0});
	}
	s->cluster.hosts = s->hosts.v;
	s->cluster.n_hosts = s->hosts.n;
	if (choose_engine(s, spec, docker_host, err) < 0)
		goto fail;
	*out = s;
	return 0;
fail:
	session_close(s);
	return -1;
}

void session_close(struct session *s)
{
	if (!s)
		return;
	cluster_close_engines(&s->cluster);
	engine_close(s->cluster.engine);
	host_channel_close(s->channel);
	for (size_t i = 0; i < s->hosts.n; i++)
		host_close(s->hosts.v[i]);
	vec_free(&s->hosts);
	vec_free(&s->silent);
	vec_free(&s->tried);
	secret_forget(&s->cluster);
	free(s);
}

/* Whether the engine of this pass can do what a manager has to. */
static bool works(const struct snapshot *snap)
{
	const char *ignored;
	return swarm_role(snap, &ignored) == SWARM_MANAGER && snapshot_get(snap, "engine/nodes", NULL);
}

/* Without a leader an engine calls itself a manager, and says what it lacks. */
static bool lacks_nothing(const json_t *info)
{
	const char *error = json_str(json_object_get(info, "Swarm"), "Error");
	return !error || !*error;
}

static bool was_tried(const struct session *s, const char *node)
{
	for (size_t i = 0; i < s->tried.n; i++)
		if (strcmp(s->tried.v[i], node) == 0)
			return true;
	return false;
}

/* The first that calls itself a manager; best: and lacks nothing. NULL: there is none. */
static const char *other_manager(const struct session *s, const struct snode *nodes, const struct snapshot *snap,
				 bool best)
{
	for (size_t i = 0; i < snode_count(nodes); i++) {
		const json_t *info = node_info(snap, nodes->items[i]->key, NULL);
		if (is_manager(nodes->items[i]) && !was_tried(s, nodes->items[i]->key) &&
		    json_bool(json_object_get(info, "Swarm"), "ControlAvailable") && (!best || lacks_nothing(info)))
			return nodes->items[i]->key;
	}
	return NULL;
}

/* The manager that should be asked instead; NULL: none is better. */
static const char *better_manager(const struct session *s, const struct spec *spec, const struct snapshot *snap)
{
	const struct snode *nodes = snode_get(spec_root(spec), "nodes"), *founder = swarm_founder(spec);
	const char *other = other_manager(s, nodes, snap, true), *unused;
	enum swarm_role role = swarm_role(snap, &unused);

	if (!other && role != SWARM_MANAGER)
		other = other_manager(s, nodes, snap, false);
	if (other || role == SWARM_MANAGER || role == SWARM_WORKER)
		return other;
	if (s->cluster.may_init && founder && !node_has_engine(snap, founder->key) && !was_tried(s, founder->key) &&
	    strcmp(node_swarm_state(node_info(snap, founder->key, NULL)), "inactive") == 0)
		return founder->key;
	return NULL;
}

/* A local socket can be a way to another machine's engine (ssh -L): its host's name tells. */
static bool is_misplaced(const struct session *s, const struct snapshot *snap)
{
	const struct host *local = local_host(s);
	const char *name = json_str(snapshot_get(snap, "engine/info", NULL), "Name");
	char hostname[HOST_NAME_MAX + 1] = "";

	return !s->channel && local && name && str_eq(s->cluster.engine_node, host_node(local)) &&
	       gethostname(hostname, sizeof(hostname) - 1) == 0 && strcmp(hostname, name) != 0;
}

int session_reconsider(struct session *s, const struct spec *spec, const struct snapshot *snap, bool *changed,
		       struct err *err)
{
	struct host_channel *channel;
	struct engine *engine;

	*changed = is_misplaced(s, snap);
	if (*changed)
		s->cluster.engine_node = NULL;
	if (*changed || s->engine_given || works(snap))
		return 0;
	const char *node = better_manager(s, spec, snap);
	if (!node)
		return 0;
	vec_push(&s->tried, node);
	struct host *h = cluster_host(&s->cluster, node);
	if (host_engine(h, &channel, &engine, err) < 0)
		return -1;
	take_engine(s, h, engine, channel);
	*changed = true;
	return 0;
}
