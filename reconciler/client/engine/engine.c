/* Calls: version negotiation, requests, typed errors. */
#include "client/engine/internal.h"

#include "sys/clock.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/*
 * The API that this program is written against: Engine 20.10 speaks 1.41, 29.0
 * speaks 1.52 (moby, api/docs/CHANGELOG.md). Later engines speak older versions
 * too, down to their MinAPIVersion.
 */
#define API_MAJOR 1
#define API_MIN_MINOR 41
#define API_MAX_MINOR 52

#define DAEMON_TEXT_MAX 600
#define STREAM_HEAD 4096 /* bytes of a stream, enough for an error */
#define CALL_MS (INT64_C(60) * 1000)
#define FIRST_ANSWER_MS \
	(INT64_C(15) * 1000) /* to /_ping, which costs an engine nothing; over a new ssh connection, too */

static const struct engine_ssh *the_ssh;

void engine_use_ssh(const struct engine_ssh *ssh)
{
	the_ssh = ssh;
}

static int open_ssh(struct engine *e, struct err *err)
{
	if (!the_ssh)
		return err_set(err, ERR_UNSUPPORTED, "engine '%s': this program does not open ssh connections",
			       e->at.address);
	if (the_ssh->open(e->at.ssh_user, e->at.ssh_host, e->at.ssh_port, &e->at.unix_socket, &e->link, err) < 0)
		return err_wrap(err, "engine '%s'", e->at.address);
	e->why = the_ssh->why;
	e->why_arg = e->link;
	return 0;
}

int engine_open(const struct engine_options *o, struct engine **out, struct err *err)
{
	struct engine *e = xcalloc(1, sizeof(*e));

	e->config_dir = o && o->config_dir ? xstrdup(o->config_dir) : docker_config_dir();
	if (docker_config_read(e->config_dir, &e->config, err) < 0 ||
	    endpoint_find(o ? o->host : NULL, e->config_dir, e->config, &e->at, err) < 0) {
		engine_close(e);
		return -1;
	}
	if (o && o->called) {
		free(e->at.address);
		e->at.address = xstrdup(o->called);
	}
	if (o) {
		e->why = o->why;
		e->why_arg = o->why_arg;
	}
	if (e->at.ssh_host && open_ssh(e, err) < 0) {
		engine_close(e);
		return -1;
	}
	*out = e;
	return 0;
}

struct engine *engine_dup(const struct engine *e)
{
	struct engine *copy = xcalloc(1, sizeof(*copy));

	*copy = *e;
	copy->http = NULL;
	copy->link = NULL;
	copy->config_dir = xstrdup(e->config_dir);
	copy->config = json_deep_copy(e->config);
	endpoint_copy(&e->at, &copy->at);
	return copy;
}

void engine_close(struct engine *e)
{
	if (!e)
		return;
	http_free(e->http);
	if (e->link)
		the_ssh->close(e->link);
	json_decref(e->config);
	free(e->config_dir);
	endpoint_free(&e->at);
	free(e);
}

const char *engine_address(const struct engine *e)
{
	return e->at.address;
}

bool engine_is_default(const struct engine *e)
{
	return e->at.is_default;
}

const char *engine_api_version(const struct engine *e)
{
	return e->version;
}

void engine_set_hooks(struct engine *e, struct mutation_hooks hooks)
{
	e->hooks = hooks;
}

void engine_set_uncancellable(struct engine *e)
{
	e->uncancellable = true;
}

void engine_escape(const char *s, struct str *out)
{
	http_escape(s, out);
}

/* What a caller asks for, and what has to live as long as the request that http.h gets. */
struct call {
	const char *method;
	const char *path; /* "/services?status=true" */
	bool unversioned;
	const json_t *body;
	const char *auth; /* X-Registry-Auth, or NULL */
	size_t max;
	int64_t deadline;
	/* A stream is only watched, for as long as it goes on. */
	int (*on_body)(const char *bytes, size_t n, void *arg);
	void *on_body_arg;

	struct str url, text;
	char *auth_header;
	const char *headers[3];
	struct http_tls tls;
	struct http_request request;
};

static void call_free(struct call *c)
{
	str_free(&c->url);
	str_free(&c->text);
	free(c->auth_header);
}
#define _cleanup_call_ CLEANUP(call_free)

static bool call_mutates(const struct call *c)
{
	return strcmp(c->method, "GET") != 0 && strcmp(c->method, "HEAD") != 0;
}

/* "POST /services/create": what a call is named in messages; filters would only hide it. */
static char *call_name(const struct call *c)
{
	return xasprintf("%s %.*s", c->method, (int)strcspn(c->path, "?"), c->path);
}

/* An engine that stalls must not cost a whole step's time; stop and restart answer when the time they give is over. */
static int64_t call_deadline(const struct call *c)
{
	const char *grace = strstr(c->path, "?t=");
	int64_t limit = clock_ms() + CALL_MS + (grace ? strtoll(grace + 3, NULL, 10) * 1000 : 0);

	return limit < c->deadline ? limit : c->deadline;
}

static void call_prepare(const struct engine *e, struct call *c)
{
	size_t n = 0;

	str_adds(&c->url, e->at.base_url);
	if (!c->unversioned)
		str_addf(&c->url, "/v%s", e->version);
	str_adds(&c->url, c->path);
	if (c->body) {
		json_canonical(c->body, &c->text);
		c->headers[n++] = "Content-Type: application/json";
	}
	if (c->auth) {
		c->auth_header = xasprintf("X-Registry-Auth: %s", c->auth);
		c->headers[n++] = c->auth_header;
	}
	c->tls = (struct http_tls){e->at.ca_file, e->at.cert_file, e->at.key_file, e->at.insecure};
	c->request = (struct http_request){
		.method = c->method,
		.url = str_cstr(&c->url),
		.unix_socket = e->at.unix_socket,
		.headers = c->headers,
		.body = c->body ? str_cstr(&c->text) : NULL,
		.body_len = c->text.len,
		.tls = e->at.tls ? &c->tls : NULL,
		.deadline = c->on_body ? c->deadline : call_deadline(c),
		.max_body = c->max,
		.uncancellable = e->uncancellable || (call_mutates(c) && !c->on_body),
		.on_body = c->on_body,
		.on_body_arg = c->on_body_arg,
	};
}

static int connection_failed(const struct engine *e, const struct call *c, struct err *err)
{
	_cleanup_free_ char *name = call_name(c);

	if (e->why && err->code != ERR_CANCELLED && e->why(e->why_arg, err))
		return err_wrap(err, "%s", name);
	if (err->code == ERR_UNREACHABLE)
		err_wrap(err, "no Docker engine answers at %s (--host, DOCKER_HOST or a docker context names another)",
			 e->at.address);
	else if (err->code == ERR_TIMEOUT)
		err_wrap(err, "the Docker engine at %s does not answer (see `systemctl status docker` there)",
			 e->at.address);
	else if (err->code == ERR_PROTOCOL)
		err_wrap(err, "what answers at %s is not a Docker engine", e->at.address);
	else if (err->code == ERR_DENIED)
		err_wrap(err, e->at.unix_socket ? "%s may be used by root and its group only" : "TLS with %s",
			 e->at.address);
	return err_wrap(err, "%s", name);
}

/*
 * What the daemon answered, as an error code; the first row that fits. status 0: any.
 * Texts: moby daemon/, swarmkit manager/controlapi and manager/state/raft.
 */
static const struct {
	int status;
	enum err_code code;
	const char *text;
} outcomes[] = {
	{0, ERR_OUT_OF_SEQUENCE, "update out of sequence"},
	{0, ERR_UNREACHABLE, "swarm does not have a leader"},
	{0, ERR_TIMEOUT, "code = DeadlineExceeded"},
	{400, ERR_CONFLICT, "is already in use"},
	{400, ERR_UNSUPPORTED, "client version"},
	{400, ERR_FAILED, ""},
	{401, ERR_DENIED, ""},
	{403, ERR_DENIED, ""},
	{404, ERR_NOT_FOUND, ""},
	{409, ERR_CONFLICT, ""},
	{500, ERR_CONFLICT, "port is already allocated"},
	{500, ERR_FAILED, ""},
	{501, ERR_UNSUPPORTED, ""},
	{503, ERR_UNSUPPORTED, ""},
};

static enum err_code outcome_of(int status, const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++)
		if ((outcomes[i].status == 0 || outcomes[i].status == status) && strstr(text, outcomes[i].text))
			return outcomes[i].code;
	return ERR_PROTOCOL;
}

/* Its "message", else what it sent, one line, readable. gRPC's own prefix says nothing to an operator. */
static char *daemon_text(const struct http_response *r)
{
	_cleanup_json_ json_t *j = json_loadb(str_cstr(&r->body), r->body.len, 0, NULL);
	const char *text = json_str(j, "message"), *description;

	if (!text)
		text = str_cstr(&r->body);
	if (str_starts(text, "rpc error: code = ") && (description = strstr(text, " desc = ")))
		text = description + strlen(" desc = ");
	char *out = xasprintf("%.*s", DAEMON_TEXT_MAX, text);
	for (char *p = out; *p; p++)
		if (iscntrl((unsigned char)*p))
			*p = ' ';
	for (size_t n = strlen(out); n > 0 && out[n - 1] == ' '; n--)
		out[n - 1] = '\0';
	return out;
}

/* 304: a container that is already stopped or started. */
static bool is_success(int status)
{
	return (status >= 200 && status < 300) || status == 304;
}

static int check_status(const struct call *c, const struct http_response *r, struct err *err)
{
	if (is_success(r->status))
		return 0;
	_cleanup_free_ char *name = call_name(c), *text = daemon_text(r);
	enum err_code code = outcome_of(r->status, str_cstr(&r->body));
	return err_set(err, code, "%s: %s%s(status %d)", name, text, *text ? " " : "", r->status);
}

static int parse_body(const struct call *c, const struct http_response *r, json_t **out, struct err *err)
{
	if (!out)
		return 0;
	if (r->body.len == 0) {
		*out = json_null();
		return 0;
	}
	if (json_parse(str_cstr(&r->body), r->body.len, out, err) == 0)
		return 0;
	_cleanup_free_ char *name = call_name(c);
	return err_wrap(err, "%s: the engine's answer is not JSON", name);
}

static int ensure_http(struct engine *e, struct err *err)
{
	return e->http ? 0 : http_new(&e->http, err);
}

static int exchange(struct engine *e, struct call *c, struct http_response *r, struct err *err)
{
	struct err e2;

	call_prepare(e, c);
	if (http_do(e->http, &c->request, r, &e2) == 0)
		return 0;
	if (err)
		*err = e2;
	return connection_failed(e, c, err ? err : &e2);
}

static int exchange_mutation(struct engine *e, struct call *c, struct http_response *r, struct err *err)
{
	const struct mutation_hooks *h = &e->hooks;
	_cleanup_free_ char *name = call_name(c);

	mutation_kill_before();
	if (h->before && h->before(h->arg, name, err) < 0)
		return -1;
	int rc = exchange(e, c, r, err);
	if (h->after)
		h->after(h->arg, name);
	mutation_kill_after();
	return rc;
}

static int send_call(struct engine *e, struct call *c, struct http_response *r, struct err *err)
{
	if (ensure_http(e, err) < 0)
		return -1;
	return call_mutates(c) ? exchange_mutation(e, c, r, err) : exchange(e, c, r, err);
}

/* ---- negotiation ---- */

static int ping(struct engine *e, const char *method, int64_t deadline, struct http_response *r, struct err *err)
{
	_cleanup_call_ struct call c = {
		.method = method, .path = "/_ping", .unversioned = true, .deadline = deadline, .max = 65536};
	return send_call(e, &c, r, err);
}

/* HEAD, then GET when that fails in whatever way (moby client/ping.go), unless the time is up. */
static int ask_version(struct engine *e, int64_t deadline, char *version, size_t size, struct err *err)
{
	_cleanup_http_response_ struct http_response head = {0}, get = {0};
	struct err first = {0};

	if (ping(e, "HEAD", deadline, &head, &first) == 0 && head.status == 200 &&
	    http_header(&head, "Api-Version", version, size))
		return 0;
	if (first.code == ERR_TIMEOUT || first.code == ERR_CANCELLED) {
		*err = first;
		return -1;
	}
	if (ping(e, "GET", deadline, &get, err) < 0)
		return -1;
	if (http_header(&get, "Api-Version", version, size))
		return 0;
	return err_set(err, ERR_PROTOCOL,
		       "GET /_ping: what answers at %s (status %d) is not a Docker engine, or not a healthy one",
		       e->at.address, get.status);
}

static bool parse_version(const char *s, int *major, int *minor)
{
	char rest;
	return sscanf(s, "%3d.%4d%c", major, minor, &rest) == 2;
}

/* GET /version tells the range and the engine's name; NULL when even that fails. */
static json_t *ask_details(struct engine *e, int64_t deadline)
{
	_cleanup_call_ struct call c = {
		.method = "GET", .path = "/version", .unversioned = true, .deadline = deadline, .max = 1 << 20};
	_cleanup_http_response_ struct http_response r = {0};
	json_t *out = NULL;
	struct err ignored;

	if (send_call(e, &c, &r, &ignored) < 0 || r.status != 200 || parse_body(&c, &r, &out, &ignored) < 0)
		return NULL;
	return out;
}

static int out_of_range(const struct engine *e, const json_t *details, const char *theirs, const char *advice,
			struct err *err)
{
	const char *engine = json_str(details, "Version"), *min = json_str(details, "MinAPIVersion");
	return err_set(err, ERR_UNSUPPORTED,
		       "the Docker engine at %s (version %s) speaks API %s%s%s, this program %d.%d to %d.%d: %s",
		       e->at.address, engine ? engine : "unknown", min ? min : "", min ? " to " : "", theirs, API_MAJOR,
		       API_MIN_MINOR, API_MAJOR, API_MAX_MINOR, advice);
}

static int compare(int a_major, int a_minor, int b_major, int b_minor)
{
	return a_major != b_major ? a_major - b_major : a_minor - b_minor;
}

/* An engine newer than this program still speaks our version unless its minimum is above it. */
static int check_minimum(struct engine *e, int64_t deadline, const char *theirs, struct err *err)
{
	_cleanup_json_ json_t *details = ask_details(e, deadline);
	const char *min = json_str(details, "MinAPIVersion");
	int major, minor;

	if (min && parse_version(min, &major, &minor) && compare(major, minor, API_MAJOR, API_MAX_MINOR) > 0)
		return out_of_range(e, details, theirs, "a newer version of this program is needed", err);
	return 0;
}

int engine_negotiate(struct engine *e, int64_t deadline, struct err *err)
{
	char theirs[16];
	int major, minor;
	struct err e2;

	if (e->major)
		return 0;
	if (!err)
		err = &e2;
	int64_t limit = clock_ms() + FIRST_ANSWER_MS;
	if (ask_version(e, limit < deadline ? limit : deadline, theirs, sizeof(theirs), err) < 0)
		return -1;
	if (!parse_version(theirs, &major, &minor))
		return err_set(err, ERR_PROTOCOL, "GET /_ping: the engine at %s calls its API version '%s'",
			       e->at.address, theirs);
	if (compare(major, minor, API_MAJOR, API_MIN_MINOR) < 0) {
		_cleanup_json_ json_t *details = ask_details(e, deadline);
		return out_of_range(e, details, theirs, "Docker Engine 20.10 or later is needed", err);
	}
	if (compare(major, minor, API_MAJOR, API_MAX_MINOR) > 0) {
		if (check_minimum(e, deadline, theirs, err) < 0)
			return -1;
		major = API_MAJOR;
		minor = API_MAX_MINOR;
	}
	e->major = major;
	e->minor = minor;
	snprintf(e->version, sizeof(e->version), "%d.%d", major, minor);
	return 0;
}

/* ---- calls ---- */

static int do_call(struct engine *e, struct call *c, json_t **out, struct err *err)
{
	_cleanup_http_response_ struct http_response r = {0};

	if (engine_negotiate(e, c->deadline, err) < 0 || send_call(e, c, &r, err) < 0 || check_status(c, &r, err) < 0)
		return -1;
	return parse_body(c, &r, out, err);
}

static char *__attribute__((format(printf, 1, 0))) format_path(const char *fmt, va_list ap)
{
	char *path;
	if (vasprintf(&path, fmt, ap) < 0)
		abort();
	return path;
}

int engine_get(struct engine *e, int64_t deadline, json_t **out, struct err *err, const char *path_fmt, ...)
{
	va_list ap;
	va_start(ap, path_fmt);
	_cleanup_free_ char *path = format_path(path_fmt, ap);
	va_end(ap);
	_cleanup_call_ struct call c = {.method = "GET", .path = path, .deadline = deadline};
	return do_call(e, &c, out, err);
}

int engine_list(struct engine *e, int64_t deadline, const char *path, const json_t *filters, json_t **out,
		struct err *err)
{
	_cleanup_str_ struct str text = {0}, query = {0};

	json_canonical(filters, &text);
	engine_escape(str_cstr(&text), &query);
	return engine_get(e, deadline, out, err, "%s?filters=%s", path, str_cstr(&query));
}

bool engine_task_runs(const json_t *task)
{
	return str_eq(json_str(json_object_get(task, "Status"), "State"), "running");
}

int engine_count_running(struct engine *e, int64_t deadline, const char *filter, const char *value, size_t *n,
			 struct err *err)
{
	_cleanup_json_ json_t *filters = json_pack("{s:{s:b}}", filter, value, 1), *tasks = NULL;
	json_t *task;
	size_t i;

	if (engine_list(e, deadline, "/tasks", filters, &tasks, err) < 0)
		return -1;
	*n = 0;
	json_array_foreach (tasks, i, task)
		*n += engine_task_runs(task);
	return 0;
}

int engine_get_with_auth(struct engine *e, int64_t deadline, const char *auth, json_t **out, struct err *err,
			 const char *path)
{
	_cleanup_call_ struct call c = {.method = "GET", .path = path, .deadline = deadline, .auth = auth};
	return do_call(e, &c, out, err);
}

int engine_post(struct engine *e, int64_t deadline, const json_t *body, json_t **out, struct err *err,
		const char *path_fmt, ...)
{
	va_list ap;
	va_start(ap, path_fmt);
	_cleanup_free_ char *path = format_path(path_fmt, ap);
	va_end(ap);
	_cleanup_call_ struct call c = {.method = "POST", .path = path, .deadline = deadline, .body = body};
	return do_call(e, &c, out, err);
}

int engine_delete(struct engine *e, int64_t deadline, struct err *err, const char *path_fmt, ...)
{
	va_list ap;
	va_start(ap, path_fmt);
	_cleanup_free_ char *path = format_path(path_fmt, ap);
	va_end(ap);
	_cleanup_call_ struct call c = {.method = "DELETE", .path = path, .deadline = deadline};
	return do_call(e, &c, NULL, err);
}

int engine_post_service(struct engine *e, int64_t deadline, const char *image, const json_t *body, json_t **out,
			struct err *err, const char *path_fmt, ...)
{
	va_list ap;
	va_start(ap, path_fmt);
	_cleanup_free_ char *path = format_path(path_fmt, ap);
	va_end(ap);
	_cleanup_free_ char *auth = NULL;

	if (registry_auth_for_image(e, image, deadline, &auth, err) < 0)
		return -1;
	_cleanup_call_ struct call c = {
		.method = "POST", .path = path, .deadline = deadline, .body = body, .auth = auth};
	return do_call(e, &c, out, err);
}

int engine_get_raw(struct engine *e, int64_t deadline, size_t max, struct str *out, struct err *err,
		   const char *path_fmt, ...)
{
	va_list ap;
	va_start(ap, path_fmt);
	_cleanup_free_ char *path = format_path(path_fmt, ap);
	va_end(ap);
	_cleanup_call_ struct call c = {.method = "GET", .path = path, .deadline = deadline, .max = max};
	_cleanup_http_response_ struct http_response r = {0};

	if (engine_negotiate(e, deadline, err) < 0 || send_call(e, &c, &r, err) < 0 || check_status(&c, &r, err) < 0)
		return -1;
	str_add(out, r.body.data, r.body.len);
	return 0;
}

/* The first bytes are also kept: they are the daemon's words when the answer is an error. */
struct stream {
	int (*on_data)(const char *bytes, size_t n, void *arg);
	void *arg;
	struct str head;
};

static int on_stream(const char *bytes, size_t n, void *arg)
{
	struct stream *s = arg;

	if (s->head.len < STREAM_HEAD)
		str_add(&s->head, bytes, n < STREAM_HEAD ? n : STREAM_HEAD);
	return s->on_data(bytes, n, s->arg);
}

int engine_stream(struct engine *e, int64_t deadline, const char *image, const json_t *body,
		  int (*on_data)(const char *bytes, size_t n, void *arg), void *arg, struct err *err,
		  const char *path_fmt, ...)
{
	va_list ap;
	va_start(ap, path_fmt);
	_cleanup_free_ char *path = format_path(path_fmt, ap);
	va_end(ap);
	_cleanup_free_ char *auth = NULL;
	_cleanup_http_response_ struct http_response r = {0};
	struct stream s = {.on_data = on_data, .arg = arg};

	if (image && registry_auth_for_image(e, image, deadline, &auth, err) < 0)
		return -1;
	_cleanup_call_ struct call c = {
		.method = "POST",
		.path = path,
		.deadline = deadline,
		.body = body,
		.auth = auth,
		.max = SIZE_MAX,
		.on_body = on_stream,
		.on_body_arg = &s,
	};
	int rc = engine_negotiate(e, deadline, err);
	if (rc == 0)
		rc = send_call(e, &c, &r, err);
	if (rc == 0) {
		str_add(&r.body, s.head.data, s.head.len);
		rc = check_status(&c, &r, err);
	}
	str_free(&s.head);
	return rc;
}

/* The same failure for each, when nothing could be sent. */
static void fail_all(const struct err *why, size_t n, struct err *errs)
{
	for (size_t i = 0; i < n; i++)
		errs[i] = *why;
}

static void finish_one(const struct engine *e, const struct call *c, const struct http_response *r, json_t **out,
		       struct err *err)
{
	if (err->code != ERR_NONE)
		connection_failed(e, c, err);
	else if (check_status(c, r, err) == 0 && parse_body(c, r, out, err) < 0)
		*out = NULL;
}

void engine_get_all(struct engine *e, int64_t deadline, const char *const *paths, size_t n, json_t **outs,
		    struct err *errs)
{
	struct err why = {0};

	for (size_t i = 0; i < n; i++) {
		outs[i] = NULL;
		errs[i] = (struct err){0};
	}
	if (n == 0)
		return;
	if (engine_negotiate(e, deadline, &why) < 0 || ensure_http(e, &why) < 0) {
		fail_all(&why, n, errs);
		return;
	}
	struct call *calls = xcalloc(n, sizeof(*calls));
	struct http_request *requests = xcalloc(n, sizeof(*requests));
	struct http_response *responses = xcalloc(n, sizeof(*responses));
	for (size_t i = 0; i < n; i++) {
		calls[i] = (struct call){.method = "GET", .path = paths[i], .deadline = deadline};
		call_prepare(e, &calls[i]);
		requests[i] = calls[i].request;
	}
	http_do_all(e->http, requests, n, responses, errs);
	for (size_t i = 0; i < n; i++) {
		finish_one(e, &calls[i], &responses[i], &outs[i], &errs[i]);
		http_response_free(&responses[i]);
		call_free(&calls[i]);
	}
	free(calls);
	free(requests);
	free(responses);
}
