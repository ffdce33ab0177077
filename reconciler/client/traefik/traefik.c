#include "client/traefik/traefik.h"

#include "sys/http.h"

#include <string.h>

/* A list of 100 pages of 100 is more than any Traefik of this size has. */
#define PAGES_MAX 100
#define BODY_MAX (16 << 20)

struct traefik_client {
	struct http *http;
	char *url; /* without a slash at the end */
	struct traefik_relay relay;
};

int traefik_open(const char *api_url, struct traefik_client **out, struct err *err)
{
	if (!str_starts(api_url, "http://") && !str_starts(api_url, "https://"))
		return err_set(err, ERR_USAGE, "Traefik's API '%s': not an http:// or https:// URL", api_url);
	struct traefik_client *t = xcalloc(1, sizeof(*t));
	t->url = xstrdup(api_url);
	size_t n = strlen(t->url);
	while (n && t->url[n - 1] == '/')
		t->url[--n] = '\0';
	/* People write the API's own path as well. */
	if (str_ends(t->url, "/api"))
		t->url[n - 4] = '\0';
	if (http_new(&t->http, err) < 0) {
		traefik_close(t);
		return -1;
	}
	*out = t;
	return 0;
}

void traefik_close(struct traefik_client *t)
{
	if (!t)
		return;
	http_free(t->http);
	if (t->relay.close)
		t->relay.close(t->relay.arg);
	free(t->url);
	free(t);
}

void traefik_use_relay(struct traefik_client *t, const struct traefik_relay *r)
{
	t->relay = *r;
}

void traefik_url_target(const char *api_url, struct str *out)
{
	const char *host = strstr(api_url, "://");

	host = host ? host + 3 : api_url;
	size_t n = strcspn(host, "/?#");
	const char *at = memrchr(host, '@', n), *colon = memrchr(host, ':', n), *bracket = memrchr(host, ']', n);
	if (at) {
		n -= (size_t)(at + 1 - host);
		host = at + 1;
	}
	str_add(out, host, n);
	if (!colon || (bracket && bracket > colon) || colon < host)
		str_adds(out, str_starts(api_url, "https://") ? ":443" : ":80");
}

static const struct {
	int status;
	enum err_code code;
	const char *hint;
} statuses[] = {
	{401, ERR_DENIED, ": the API asks for a password; give reconcile an address without one"},
	{403, ERR_DENIED, ": the API is not open to this host"},
	{404, ERR_NOT_FOUND, ": no such object, or no API there: that is api.insecure, or a router of api@internal"},
};

static int status_error(const struct http_response *r, const char *url, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(statuses); i++)
		if (r->status == statuses[i].status)
			return err_set(err, statuses[i].code, "GET %s: HTTP %d%s", url, r->status, statuses[i].hint);
	return err_set(err, ERR_FAILED, "GET %s: HTTP %d", url, r->status);
}

/* One page. *next: the number of the page after it, 0 when this is the last. */
static int get_page(struct traefik_client *t, int64_t deadline, const char *url, int *next, json_t **out,
		    struct err *err)
{
	const struct http_request q = {
		.method = "GET",
		.url = url,
		.unix_socket = t->relay.unix_socket,
		.deadline = deadline,
		.max_body = BODY_MAX,
	};
	_cleanup_http_response_ struct http_response r = {0};
	struct err why = {0};
	char page[16];

	if (http_do(t->http, &q, &r, &why) < 0) {
		if (t->relay.why && (why.code == ERR_UNREACHABLE || why.code == ERR_PROTOCOL))
			t->relay.why(t->relay.arg, &why);
		return err_set(err, why.code, "GET %s: %s", url, why.msg);
	}
	if (r.status != 200)
		return status_error(&r, url, err);
	if (json_parse(str_cstr(&r.body), r.body.len, out, err) < 0)
		return err_wrap(err, "GET %s: the answer is not Traefik's", url);
	*next = http_header(&r, "X-Next-Page", page, sizeof(page)) ? atoi(page) : 0;
	return 0;
}

/* Lists come in pages of 100; on the last one X-Next-Page is 1 (pkg/api/criterion.go). */
int traefik_get(struct traefik_client *t, int64_t deadline, const char *path, json_t **out, struct err *err)
{
	_cleanup_json_ json_t *all = NULL;
	int page = 1, next = 0;

	do {
		_cleanup_free_ char *url =
			page == 1 ? xasprintf("%s%s", t->url, path) : xasprintf("%s%s?page=%d", t->url, path, page);
		_cleanup_json_ json_t *part = NULL;
		if (get_page(t, deadline, url, &next, &part, err) < 0)
			return -1;
		if (!all)
			all = json_incref(part);
		else if (!json_is_array(part) || json_array_extend(all, part) < 0)
			return err_set(err, ERR_PROTOCOL, "GET %s: the answer is not a list", url);
		page = next > page ? next : 0;
	} while (page > 0 && page <= PAGES_MAX);
	*out = json_incref(all);
	return 0;
}
