/* Asking: from this machine, from a host, or from within the networks of a container there. */
#include "kinds/check/check.h"

#include "base/url.h"
#include "kinds/cluster.h"
#include "kinds/route/route.h"
#include "sys/clock.h"
#include "sys/http.h"

#include <string.h>

#define RETRY_S 5
#define CALL_MS 10000

struct asking {
	struct apply *a;
	const struct resource *check;
	const char *node;    /* from which it is asked; NULL: this machine */
	const char *network; /* in the Engine; NULL: none */
	const char *url;
	struct host *host;          /* NULL: this machine, which is none of the spec's */
	struct host_channel *relay; /* leads there; NULL: the request is sent from here */
	int64_t deadline;
	struct gate *g;
	struct err *err;
};

/* "GET http://…, from node gmktec, network front" */
static void describe(const struct asking *k, struct str *out)
{
	str_addf(out, "%s %s", json_str(k->check->body, "method"),
		 resource_mark_of(k->check, "url").hidden ? HIDDEN_VALUE : k->url);
	if (k->node)
		str_addf(out, ", from node %s", k->node);
	if (k->network)
		str_addf(out, ", network %s", resource_mark_of(k->check, "network").hidden ? HIDDEN_VALUE : k->network);
}

enum outcome {
	WRONG,  /* it was asked, and not answered as it should be */
	UNSEEN, /* it could not be asked */
};

/* Not met. 0, so that callers return it. */
__attribute__((format(printf, 4, 5))) static int hold(struct asking *k, enum outcome o, bool waiting, const char *fmt,
						      ...)
{
	struct str text = {0};
	va_list ap;
	char *why;

	va_start(ap, fmt);
	if (vasprintf(&why, fmt, ap) < 0)
		abort();
	va_end(ap);
	describe(k, &text);
	str_addf(&text, ": %s", why);
	free(why);
	*k->g = (struct gate){.waiting = waiting,
			      .unknown = o == UNSEEN,
			      .reason = str_steal(&text),
			      .retry_after_s = waiting ? RETRY_S : 0};
	return 0;
}

/*
 * Only a cancelled pass is an error: all else may be better next time. What libraries say names what they were given,
 * which may be a variable's value.
 */
static int hold_error(struct asking *k, enum outcome o, const struct err *why)
{
	bool away = why->code == ERR_UNREACHABLE || why->code == ERR_DENIED || why->code == ERR_TIMEOUT;

	if (why->code == ERR_CANCELLED)
		return err_set(k->err, why->code, "%s", why->msg);
	if (resource_mark_of(k->check, "url").hidden || resource_mark_of(k->check, "network").hidden)
		return hold(k, o, o == WRONG || !away, "the request failed (%s)", err_code_name(why->code));
	return hold(k, o, o == WRONG || !away, "%s", why->msg);
}

/* Getting there; each returns 1 to go on */

static int find_host(struct asking *k)
{
	_cleanup_free_ char *doc = k->node ? xasprintf("host/%s", k->node) : NULL;
	const char *why = NULL;

	k->host = k->node ? cluster_host(k->a->cluster, k->node) : NULL;
	if (k->node && !k->host)
		return hold(k, UNSEEN, false, "node '%s' is not in the spec", k->node);
	if (k->node && !snapshot_get(k->a->snap, doc, &why) && why)
		return hold(k, UNSEEN, false, "the node cannot be reached: %s", why);
	if (k->network && !k->host)
		return hold(k, UNSEEN, false,
			    "the Docker Engine in use belongs to no node of the spec that is known: say with `node` "
			    "from which one it is asked");
	return 1;
}

/* The one that has been there for longest. */
static const json_t *choose_container(const json_t *list, const char *network)
{
	const json_t *oldest = NULL;
	json_t *c;
	size_t i;

	json_array_foreach ((json_t *)list, i, c) {
		const json_t *networks = json_path(c, "NetworkSettings.Networks");
		if (!json_object_get(networks, network) || !json_str(c, "Id"))
			continue;
		if (!oldest || json_int(c, "Created", 0) < json_int(oldest, "Created", 0))
			oldest = c;
	}
	return oldest;
}

static int list_containers(struct engine *e, const char *network, json_t **out, struct err *err)
{
	_cleanup_json_ json_t *filters = json_pack("{s:[s], s:[s]}", "network", network, "status", "running");

	return engine_list(e, clock_ms() + CALL_MS, "/containers/json", filters, out, err);
}

static int find_container(struct asking *k, json_t **inspect)
{
	_cleanup_json_ json_t *list = NULL;
	struct engine *e;
	struct err why = {0};

	if (cluster_engine(k->a->cluster, k->node, &e, &why) < 0 || list_containers(e, k->network, &list, &why) < 0)
		return hold_error(k, UNSEEN, &why);
	const json_t *chosen = choose_container(list, k->network);
	if (!chosen)
		return hold(k, UNSEEN, true,
			    "no container of this network runs there, from within which it could be asked: name a node "
			    "that has one (`node`), or drop `network`");
	if (engine_get(e, clock_ms() + CALL_MS, inspect, &why, "/containers/%s/json", json_str(chosen, "Id")) < 0)
		return hold_error(k, UNSEEN, &why);
	return 1;
}

static int open_relay(struct asking *k, const struct host_container *in)
{
	struct url at;
	struct err why = {0};

	if (!url_parse(k->url, &at))
		return hold(k, UNSEEN, false, "the URL does not say whom to ask");
	int rc = host_relay_open(k->host, in, at.host, at.port, k->deadline, &k->relay, &why);
	url_free(&at);
	return rc < 0 ? hold_error(k, UNSEEN, &why) : 1;
}

static int reach(struct asking *k)
{
	_cleanup_json_ json_t *inspect = NULL;
	int64_t timeout = json_int(k->check->body, "timeout", 0) / 1000000;
	int rc = find_host(k);

	if (rc > 0 && k->network)
		rc = find_container(k, &inspect);
	if (rc <= 0)
		return rc;
	k->deadline = clock_ms() + (timeout > 0 ? timeout : 1);
	if (k->deadline > k->a->deadline)
		return hold(k, UNSEEN, true, "it was not asked: the time of this run is over");
	if (k->network) {
		const struct host_container in = {json_str(inspect, "Id"),
						  json_int(json_object_get(inspect, "State"), "Pid", 0)};
		return open_relay(k, &in);
	}
	return k->host && !host_is_local(k->host) ? open_relay(k, NULL) : 1;
}

/* Asking */

/* The HTTP client names whom it talks to, which is a socket of our own. */
static void drop_socket(const struct asking *k, struct err *why)
{
	const char *socket = k->relay ? host_channel_socket(k->relay) : "";
	size_t n = strlen(socket) + strlen(": ");

	if (*socket && str_starts(why->msg, socket) && strlen(why->msg) > n)
		memmove(why->msg, why->msg + n, strlen(why->msg + n) + 1);
}

static int failed(struct asking *k, struct err *why)
{
	enum outcome o = WRONG;

	if (why->code == ERR_TIMEOUT) {
		_cleanup_str_ struct str limit = {0};
		route_duration(json_int(k->check->body, "timeout", 0), &limit);
		return hold(k, o, true, "no complete answer within %s", str_cstr(&limit));
	}
	if (why->code == ERR_LIMIT)
		return hold(k, o, true, "the body is larger than %zu bytes", CHECK_BODY_MAX);
	if (k->relay && why->code == ERR_UNREACHABLE && host_channel_error(k->relay, why))
		o = why->code == ERR_FAILED ? WRONG : UNSEEN;
	drop_socket(k, why);
	return hold_error(k, o, why);
}

static int judge(struct asking *k, const struct http_response *r, int64_t ms)
{
	const struct check_answer answer = {r->status, str_cstr(&r->body), r->body.len};
	_cleanup_free_ char *wrong = check_judge(k->check, &answer);
	struct str seen = {0};

	if (wrong)
		return hold(k, WRONG, true, "%s", wrong);
	describe(k, &seen);
	str_addf(&seen, ": HTTP %d in %lld ms", r->status, (long long)ms);
	*k->g = (struct gate){.met = true, .reason = str_steal(&seen)};
	return 0;
}

static int send_request(struct asking *k, struct http *http, const char *const *headers)
{
	const json_t *body = k->check->body;
	const struct http_tls tls = {.insecure = json_bool(body, "insecure")};
	const struct http_request q = {
		.method = json_str(body, "method"),
		.url = k->url,
		.traced = resource_mark_of(k->check, "url").hidden ? HIDDEN_VALUE : k->url,
		.unix_socket = k->relay ? host_channel_socket(k->relay) : NULL,
		.headers = headers,
		.body = json_str(body, "body"),
		.body_len = json_string_length(json_object_get(body, "body")),
		.tls = &tls,
		.deadline = k->deadline,
		.max_body = CHECK_BODY_MAX,
		.direct = true,
	};
	_cleanup_http_response_ struct http_response r = {0};
	struct err why = {0};
	int64_t start = clock_ms();

	if (http_do(http, &q, &r, &why) < 0)
		return failed(k, &why);
	return judge(k, &r, clock_ms() - start);
}

static int ask(struct asking *k)
{
	VEC(char *) headers = {0};
	struct http *http;
	const char *name;
	json_t *value;

	if (http_new(&http, k->err) < 0)
		return -1;
	json_object_foreach (json_object_get(k->check->body, "headers"), name, value)
		/* "name;" is libcurl's way to say that it is there and empty. */
		vec_push(&headers, json_string_length(value) ? xasprintf("%s: %s", name, json_string_value(value))
							     : xasprintf("%s;", name));
	vec_push(&headers, NULL);
	int rc = send_request(k, http, (const char *const *)headers.v);
	for (size_t i = 0; i < headers.n; i++)
		free(headers.v[i]);
	vec_free(&headers);
	http_free(http);
	return rc;
}

int check_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err)
{
	struct asking k = {
		.a = a,
		.check = c->desired,
		.node = c->desired->node ? c->desired->node : a->cluster->engine_node,
		.network = json_str(c->desired->body, "network"),
		.url = json_str(c->desired->body, "url"),
		.g = g,
		.err = err,
	};

	(void)dry;
	int rc = reach(&k);
	if (rc > 0)
		rc = ask(&k);
	host_channel_close(k.relay);
	return rc;
}
