#include "kinds/cluster.h"

#include <string.h>

#define LOCAL_ENGINE "unix:///var/run/docker.sock"

struct node_engine {
	struct node_engine *next;
	char *node;
	struct host_channel *channel; /* NULL: the local socket */
	struct engine *engine;
};

static bool why_closed(void *channel, struct err *err)
{
	return host_channel_error(channel, err);
}

int host_engine(struct host *h, struct host_channel **channel, struct engine **out, struct err *err)
{
	_cleanup_free_ char *called = xasprintf("node %s", host_node(h)), *url = NULL;
	struct engine_options o = {.host = LOCAL_ENGINE, .called = called};

	*channel = NULL;
	if (!host_is_local(h)) {
		if (host_channel_open(h, channel, err) < 0)
			return -1;
		url = xasprintf("unix://%s", host_channel_socket(*channel));
		o.host = url;
		o.why = why_closed;
		o.why_arg = *channel;
	}
	if (engine_open(&o, out, err) == 0)
		return 0;
	host_channel_close(*channel);
	return -1;
}

/* DOCKER_HOST=ssh://…, as `docker` takes it: that user's login there may talk to the engine. */

struct link {
	struct host *host;
	struct host_channel *channel;
};

static void close_link(void *arg)
{
	struct link *l = arg;

	host_channel_close(l->channel);
	host_close(l->host);
	free(l);
}

static int open_link(const char *user, const char *host, int port, char **socket, void **link, struct err *err)
{
	const struct host_options o = {.node = host, .address = host, .user = user, .port = port};
	struct link *l = xcalloc(1, sizeof(*l));

	if (host_open(&o, &l->host, err) < 0 || host_channel_open(l->host, &l->channel, err) < 0) {
		close_link(l);
		return -1;
	}
	*socket = xstrdup(host_channel_socket(l->channel));
	*link = l;
	return 0;
}

static bool why_link_closed(void *arg, struct err *err)
{
	const struct link *l = arg;
	return host_channel_error(l->channel, err);
}

const struct engine_ssh host_ssh = {.open = open_link, .why = why_link_closed, .close = close_link};

static void close_engine(struct node_engine *n)
{
	engine_close(n->engine);
	host_channel_close(n->channel);
	free(n->node);
	free(n);
}

int cluster_engine(struct cluster *c, const char *node, struct engine **out, struct err *err)
{
	if (!node || (c->engine_node && strcmp(node, c->engine_node) == 0)) {
		*out = c->engine;
		return 0;
	}
	for (struct node_engine *n = c->node_engines; n; n = n->next) {
		if (strcmp(n->node, node) == 0) {
			*out = n->engine;
			return 0;
		}
	}
	struct host *h = cluster_host(c, node);
	if (!h)
		return err_set(err, ERR_NOT_FOUND, "node '%s' is not in the spec", node);
	struct node_engine *n = xcalloc(1, sizeof(*n));
	if (host_engine(h, &n->channel, &n->engine, err) < 0) {
		free(n);
		return -1;
	}
	n->node = xstrdup(node);
	engine_set_hooks(n->engine, c->hooks);
	n->next = c->node_engines;
	c->node_engines = n;
	*out = n->engine;
	return 0;
}

void cluster_close_engines(struct cluster *c)
{
	while (c->node_engines) {
		struct node_engine *n = c->node_engines;
		c->node_engines = n->next;
		close_engine(n);
	}
}
