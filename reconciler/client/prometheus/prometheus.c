#include "client/prometheus/prometheus.h"

#include "sys/http.h"

#include <string.h>

#define BODY_MAX (16 << 20)
#define TARGETS "/api/v1/targets?state=active"

static int get(const char *url, const char *unix_socket, int64_t deadline, json_t **out, struct err *err)
{
	const struct http_request q = {
		.method = "GET",
		.url = url,
		.unix_socket = unix_socket,
		.deadline = deadline,
		.max_body = BODY_MAX,
	};
	_cleanup_http_response_ struct http_response r = {0};
	struct http *http;

	if (http_new(&http, err) < 0)
		return -1;
	int rc = http_do(http, &q, &r, err);
	http_free(http);
	if (rc < 0)
		return -1;
	if (r.status != 200)
		return err_set(err, ERR_FAILED, "HTTP %d", r.status);
	return json_parse(str_cstr(&r.body), r.body.len, out, err);
}

int prometheus_targets(const char *url, const char *unix_socket, int64_t deadline, json_t **out, struct err *err)
{
	size_t n = strlen(url);
	_cleanup_json_ json_t *answer = NULL;
	json_t *target, *list = json_array();
	size_t i;

	while (n && url[n - 1] == '/')
		n--;
	_cleanup_free_ char *full = xasprintf("%.*s" TARGETS, (int)n, url);
	int rc = get(full, unix_socket, deadline, &answer, err);
	if (rc == 0 && !json_is_array(json_path(answer, "data.activeTargets")))
		rc = err_set(err, ERR_PROTOCOL, "it is not Prometheus' answer");
	json_array_foreach (json_path(answer, "data.activeTargets"), i, target) {
		json_t *one = json_object();
		json_set_str(one, "job", json_str(json_object_get(target, "labels"), "job"));
		json_set_str(one, "url", json_str(target, "scrapeUrl"));
		json_array_append_new(list, one);
	}
	if (rc < 0) {
		json_decref(list);
		return err_wrap(err, "GET %s", full);
	}
	*out = list;
	return 0;
}
