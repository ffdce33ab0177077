#include "kinds/route/replicas.h"

#include "base/url.h"
#include "kinds/cluster.h"
#include "kinds/node.h"
#include "sys/clock.h"
#include "sys/http.h"

#include <string.h>

#define ANSWER_MS 10000

void route_replicas_free(struct route_replicas *r)
{
	free(r->wrong);
	free(r->unseen);
}

/* Where it is */

static bool has_server(const json_t *balancer, const char *address)
{
	const char *server;
	json_t *status;
	bool found = false;

	json_object_foreach (json_object_get(balancer, "serverStatus"), server, status) {
		struct url at;
		if (!url_parse(server, &at))
			continue;
		found |= strcmp(at.host, address) == 0;
		url_free(&at);
	}
	return found;
}

/* "10.64.1.3/24" */
char *route_replica_address(const json_t *task, const json_t *balancer)
{
	json_t *attachment, *address;
	size_t i, k, n = 0;

	json_array_foreach (json_object_get(task, "NetworksAttachments"), i, attachment)
		json_array_foreach (json_object_get(attachment, "Addresses"), k, address) {
			const char *text = json_string_value(address);
			char *plain = xasprintf("%.*s", (int)strcspn(text, "/"), text);
			if (has_server(balancer, plain))
				return plain;
			free(plain);
			n++;
		}
	return n ? NULL : xstrdup("127.0.0.1");
}

/* Asking */

struct replica {
	const struct resource *route;
	const json_t *task;
	const char *address;
	struct host *host;
	struct host_channel *channel;
	int64_t deadline;
};

static char *replica_url(const struct replica *r)
{
	const char *path = json_str(r->route->body, "health_path");
	bool v6 = strchr(r->address, ':') != NULL;

	return xasprintf(v6 ? "http://[%s]:%d%s" : "http://%s:%d%s", r->address,
			 (int)json_int(r->route->body, "port", 0), path ? path : "/");
}

static bool is_good(const struct replica *r, int status)
{
	return !json_str(r->route->body, "health_path") || (status >= 200 && status < 400);
}

static void set_once(char **text, const struct replica *r, const char *why)
{
	if (!*text)
		*text = xasprintf("the replica on node '%s': %s", host_node(r->host), why);
}

/* It could not be asked, or gave no answer. */
static void no_answer(struct replica *r, const struct err *why, struct route_replicas *out)
{
	struct err from_there = {0};
	bool tried = !host_channel_error(r->channel, &from_there) || from_there.code == ERR_FAILED;
	_cleanup_free_ char *url = replica_url(r);
	_cleanup_free_ char *text = xasprintf("GET %s from within its own network: %s", url,
					      *from_there.msg            ? from_there.msg
					      : why->code == ERR_TIMEOUT ? "no complete answer within 10 s"
									 : "the connection ended without an answer");

	set_once(tried ? &out->wrong : &out->unseen, r, text);
}

static int send_request(struct replica *r, struct http *http, struct route_replicas *out, struct err *err)
{
	_cleanup_free_ char *url = replica_url(r);
	const struct http_request q = {
		.method = "GET",
		.url = url,
		.unix_socket = host_channel_socket(r->channel),
		.deadline = r->deadline,
		.max_body = 1 << 20,
		.direct = true,
	};
	_cleanup_http_response_ struct http_response answer = {0};
	struct err why = {0};

	int rc = http_do(http, &q, &answer, &why);
	if (rc < 0 && why.code == ERR_CANCELLED)
		return err_set(err, why.code, "%s", why.msg);
	if (rc < 0 && why.code != ERR_LIMIT) {
		no_answer(r, &why, out);
	} else if (rc == 0 && !is_good(r, answer.status)) {
		_cleanup_free_ char *text =
			xasprintf("GET %s from within its own network: HTTP %d", url, answer.status);
		set_once(&out->wrong, r, text);
	} else {
		out->answered++;
	}
	return 0;
}

static int ask(struct replica *r, struct http *http, struct route_replicas *out, struct err *err)
{
	const json_t *container = json_path(r->task, "Status.ContainerStatus");
	const struct host_container in = {json_str(container, "ContainerID"), json_int(container, "PID", 0)};
	struct err why = {0};

	r->deadline = clock_ms() + ANSWER_MS;
	if (!in.id || in.pid <= 0) {
		set_once(&out->unseen, r, "the engine does not say which container it is");
		return 0;
	}
	if (host_relay_open(r->host, &in, r->address, (int)json_int(r->route->body, "port", 0), r->deadline,
			    &r->channel, &why) < 0) {
		if (why.code == ERR_CANCELLED)
			return err_set(err, why.code, "%s", why.msg);
		set_once(&out->unseen, r, why.msg);
		return 0;
	}
	int rc = send_request(r, http, out, err);
	host_channel_close(r->channel);
	return rc;
}

static int find_and_ask(struct apply *a, const struct resource *route, const json_t *task, const json_t *balancer,
			struct http *http, struct route_replicas *out, struct err *err)
{
	_cleanup_free_ char *address = route_replica_address(task, balancer);
	struct replica r = {
		.route = route, .task = task, .address = address, .host = node_host(a, json_str(task, "NodeID"))};

	if (r.host && address)
		return ask(&r, http, out, err);
	if (!out->unseen)
		out->unseen = xasprintf("the replica on swarm node %s: %s", json_str(task, "NodeID"),
					r.host ? "Traefik has no server of its address"
					       : "that is no node of the spec that could be looked at");
	return 0;
}

int route_ask_replicas(struct apply *a, const struct resource *route, const json_t *tasks, const json_t *balancer,
		       struct route_replicas *r, struct err *err)
{
	struct http *http;
	json_t *task;
	size_t i;
	int rc = 0;

	*r = (struct route_replicas){0};
	if (http_new(&http, err) < 0)
		return -1;
	json_array_foreach ((json_t *)tasks, i, task) {
		if (rc < 0 || !engine_task_runs(task))
			continue;
		r->running++;
		rc = find_and_ask(a, route, task, balancer, http, r, err);
	}
	http_free(http);
	return rc;
}
