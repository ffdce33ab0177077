#include "kinds/traefik/reach.h"

#include <string.h>

static bool why_closed(void *channel, struct err *err)
{
	return host_channel_error(channel, err);
}

static void close_channel(void *channel)
{
	host_channel_close(channel);
}

int traefik_reach(struct host *node, const char *url, struct traefik_client **out, struct err *err)
{
	_cleanup_str_ struct str target = {0};
	struct host_channel *channel;
	struct traefik_client *t;

	if (traefik_open(url, &t, err) < 0)
		return -1;
	if (node && !host_is_local(node)) {
		traefik_url_target(url, &target);
		if (host_forward_open(node, str_cstr(&target), &channel, err) < 0) {
			traefik_close(t);
			return -1;
		}
		const struct traefik_relay relay = {host_channel_socket(channel), why_closed, close_channel, channel};
		traefik_use_relay(t, &relay);
	}
	*out = t;
	return 0;
}

int cluster_traefik(const struct cluster *c, struct traefik_client **out, struct err *err)
{
	if (!c->traefik_api)
		return err_set(err, ERR_BLOCKED, "the spec does not say where Traefik's API is (traefik.api)");
	return traefik_reach(cluster_host(c, c->traefik_node), c->traefik_api, out, err);
}

struct host *traefik_far_host(const struct cluster *c)
{
	struct host *h = cluster_host(c, c->traefik_node);
	return h && !host_is_local(h) ? h : NULL;
}
