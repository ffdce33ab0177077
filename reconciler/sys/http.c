#include "sys/http.h"

#include "sys/clock.h"
#include "sys/dynlib.h"
#include "sys/signals.h"
#include "sys/trace.h"

/* Its type checks call libcurl's functions by name; here they are pointers. */
#define CURL_DISABLE_TYPECHECK
#include <curl/curl.h>

#include <errno.h>
#include <pthread.h>
#include <string.h>

#define DEFAULT_MAX_BODY ((size_t)64 << 20)
#define MAX_HEADERS ((size_t)256 << 10)

/* Undone so that the members below are what is called. */
#undef curl_easy_setopt
#undef curl_easy_getinfo
#undef curl_multi_setopt

#define CURL_SYMBOLS(X) \
	X(curl_global_init) \
	X(curl_easy_init) \
	X(curl_easy_cleanup) \
	X(curl_easy_reset) \
	X(curl_easy_setopt) \
	X(curl_easy_getinfo) \
	X(curl_easy_strerror) \
	X(curl_slist_append) \
	X(curl_slist_free_all) \
	X(curl_multi_init) \
	X(curl_multi_cleanup) \
	X(curl_multi_add_handle) \
	X(curl_multi_remove_handle) \
	X(curl_multi_perform) \
	X(curl_multi_poll) \
	X(curl_multi_info_read)

static struct {
#define X(f) __typeof__(f) *(f);
	CURL_SYMBOLS(X)
#undef X
	struct err err;
} lib;

struct http {
	CURLM *multi;
	VEC(CURL *) idle;
};

/* One request in flight. */
struct call {
	const struct http_request *q;
	struct http_response *r;
	struct err *err;
	CURL *easy; /* NULL: done */
	struct curl_slist *headers;
	size_t received;
	bool too_large, stopped;
	bool headers_done;
	int64_t start;
	char text[CURL_ERROR_SIZE];
};

static void load(void)
{
	const struct dynsym syms[] = {
#define X(f) {#f, &lib.f},
		CURL_SYMBOLS(X)
#undef X
	};
	signals_prepare();
	if (dynlib_load("libcurl.so.4", "libcurl4", syms, ARRAY_SIZE(syms), &lib.err) < 0)
		return;
	CURLcode rc = lib.curl_global_init(CURL_GLOBAL_NOTHING);
	if (rc != CURLE_OK)
		err_set(&lib.err, ERR_SYSTEM, "libcurl cannot be initialised: %s", lib.curl_easy_strerror(rc));
}

int http_new(struct http **out, struct err *err)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;

	pthread_once(&once, load);
	if (lib.err.code != ERR_NONE)
		return err_set(err, lib.err.code, "%s", lib.err.msg);
	struct http *h = xcalloc(1, sizeof(*h));
	h->multi = lib.curl_multi_init();
	if (!h->multi) {
		free(h);
		return err_set(err, ERR_SYSTEM, "libcurl cannot be initialised");
	}
	*out = h;
	return 0;
}

void http_free(struct http *h)
{
	if (!h)
		return;
	for (size_t i = 0; i < h->idle.n; i++)
		lib.curl_easy_cleanup(h->idle.v[i]);
	vec_free(&h->idle);
	lib.curl_multi_cleanup(h->multi);
	free(h);
}

void http_response_free(struct http_response *r)
{
	str_free(&r->body);
	str_free(&r->headers);
}

static size_t on_body(char *bytes, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t len = size * n, max = c->q->max_body ? c->q->max_body : DEFAULT_MAX_BODY;

	c->received += len;
	if (c->received > max) {
		c->too_large = true;
		return 0;
	}
	if (!c->q->on_body)
		str_add(&c->r->body, bytes, len);
	else if (c->q->on_body(bytes, len, c->q->on_body_arg) != 0)
		c->stopped = true;
	return c->stopped ? 0 : len;
}

/* A status line begins a new response: of a redirect, or after 100 Continue. */
static size_t on_header(char *bytes, size_t size, size_t n, void *arg)
{
	struct call *c = arg;
	size_t len = size * n;

	if (len >= 5 && memcmp(bytes, "HTTP/", 5) == 0) {
		str_reset(&c->r->headers);
		c->headers_done = false;
	}
	c->headers_done |= *bytes == '\r' || *bytes == '\n';
	if (c->r->headers.len + len > MAX_HEADERS) {
		c->too_large = true;
		return 0;
	}
	str_add(&c->r->headers, bytes, len);
	return len;
}

/* The host part of a URL, without user, port and brackets. */
static void url_host(const char *url, const char **host, size_t *len)
{
	const char *s = strstr(url, "://");
	s = s ? s + 3 : url;
	const char *end = s + strcspn(s, "/?#");
	const char *at = memchr(s, '@', (size_t)(end - s));
	s = at ? at + 1 : s;
	*host = *s == '[' ? s + 1 : s;
	*len = *s == '[' ? strcspn(*host, "]") : strcspn(s, ":/?#");
}

static bool is_loopback(const char *url)
{
	const char *host;
	size_t len;

	url_host(url, &host, &len);
	return (len == 9 && strncasecmp(host, "localhost", len) == 0) || (len == 3 && memcmp(host, "::1", len) == 0) ||
	       (len > 4 && memcmp(host, "127.", 4) == 0);
}

static bool has_header(const struct http_request *q, const char *name)
{
	size_t len = strlen(name);

	for (size_t i = 0; q->headers && q->headers[i]; i++)
		if (strncasecmp(q->headers[i], name, len) == 0 && q->headers[i][len] == ':')
			return true;
	return false;
}

static bool is_read(const struct http_request *q)
{
	return str_eq(q->method, "GET") || str_eq(q->method, "HEAD");
}

/* libcurl's own additions are switched off: Expect costs a round trip, form encoding is never meant. */
static struct curl_slist *header_list(const struct http_request *q)
{
	struct curl_slist *list = lib.curl_slist_append(NULL, "Expect:");

	if (!has_header(q, "Content-Type"))
		list = lib.curl_slist_append(list, "Content-Type:");
	for (size_t i = 0; q->headers && q->headers[i]; i++)
		list = lib.curl_slist_append(list, q->headers[i]);
	return list;
}

static void set_method(CURL *e, const struct http_request *q)
{
	if (str_eq(q->method, "HEAD")) {
		lib.curl_easy_setopt(e, CURLOPT_NOBODY, 1L);
		return;
	}
	if (q->body || str_eq(q->method, "POST")) {
		lib.curl_easy_setopt(e, CURLOPT_POST, 1L);
		lib.curl_easy_setopt(e, CURLOPT_POSTFIELDSIZE_LARGE, (curl_off_t)(q->body ? q->body_len : 0));
		lib.curl_easy_setopt(e, CURLOPT_POSTFIELDS, q->body ? q->body : "");
	}
	lib.curl_easy_setopt(e, CURLOPT_CUSTOMREQUEST, q->method);
	/*
	 * libcurl sends a request again when a kept connection was closed before any
	 * answer. What changes something may have been done by then: a new
	 * connection, for which it does not.
	 */
	if (!is_read(q))
		lib.curl_easy_setopt(e, CURLOPT_FRESH_CONNECT, 1L);
}

static void set_tls(CURL *e, const struct http_tls *tls)
{
	if (!tls)
		return;
	const struct {
		CURLoption option;
		const char *value;
	} paths[] = {
		{CURLOPT_CAINFO, tls->ca_file},
		{CURLOPT_SSLCERT, tls->cert_file},
		{CURLOPT_SSLKEY, tls->key_file},
	};
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++)
		if (paths[i].value)
			lib.curl_easy_setopt(e, paths[i].option, paths[i].value);
	if (tls->insecure) {
		lib.curl_easy_setopt(e, CURLOPT_SSL_VERIFYPEER, 0L);
		lib.curl_easy_setopt(e, CURLOPT_SSL_VERIFYHOST, 0L);
	}
}

static void set_target(CURL *e, const struct http_request *q)
{
	int64_t left = clock_left(q->deadline);

	lib.curl_easy_setopt(e, CURLOPT_URL, q->url);
	lib.curl_easy_setopt(e, CURLOPT_PROTOCOLS_STR, "http,https");
	lib.curl_easy_setopt(e, CURLOPT_HTTP_VERSION, (long)CURL_HTTP_VERSION_1_1);
	if (q->unix_socket)
		lib.curl_easy_setopt(e, CURLOPT_UNIX_SOCKET_PATH, q->unix_socket);
	if (q->unix_socket || q->direct || is_loopback(q->url))
		lib.curl_easy_setopt(e, CURLOPT_PROXY, "");
	if (q->follow) {
		lib.curl_easy_setopt(e, CURLOPT_FOLLOWLOCATION, 1L);
		lib.curl_easy_setopt(e, CURLOPT_MAXREDIRS, 5L);
		lib.curl_easy_setopt(e, CURLOPT_REDIR_PROTOCOLS_STR, "http,https");
	}
	if (q->user) {
		lib.curl_easy_setopt(e, CURLOPT_HTTPAUTH, (long)CURLAUTH_BASIC);
		lib.curl_easy_setopt(e, CURLOPT_USERNAME, q->user);
		lib.curl_easy_setopt(e, CURLOPT_PASSWORD, q->password ? q->password : "");
	}
	lib.curl_easy_setopt(e, CURLOPT_TIMEOUT_MS, left > 0 ? (long)left : 1L);
	/* The resolver's thread is left to itself at the deadline; waiting for it would pass it. */
	lib.curl_easy_setopt(e, CURLOPT_QUICK_EXIT, 1L);
	lib.curl_easy_setopt(e, CURLOPT_NOSIGNAL, 1L);
}

static void set_callbacks(CURL *e, struct call *c)
{
	lib.curl_easy_setopt(e, CURLOPT_PRIVATE, c);
	lib.curl_easy_setopt(e, CURLOPT_ERRORBUFFER, c->text);
	lib.curl_easy_setopt(e, CURLOPT_HTTPHEADER, c->headers);
	lib.curl_easy_setopt(e, CURLOPT_WRITEFUNCTION, on_body);
	lib.curl_easy_setopt(e, CURLOPT_WRITEDATA, c);
	lib.curl_easy_setopt(e, CURLOPT_HEADERFUNCTION, on_header);
	lib.curl_easy_setopt(e, CURLOPT_HEADERDATA, c);
}

static bool call_start(struct http *h, struct call *c)
{
	c->start = clock_ms();
	c->easy = h->idle.n ? h->idle.v[--h->idle.n] : lib.curl_easy_init();
	if (!c->easy) {
		err_set(c->err, ERR_SYSTEM, "libcurl cannot be initialised");
		return false;
	}
	c->headers = header_list(c->q);
	set_target(c->easy, c->q);
	set_method(c->easy, c->q);
	set_tls(c->easy, c->q->tls);
	set_callbacks(c->easy, c);
	lib.curl_multi_add_handle(h->multi, c->easy);
	return true;
}

/* For a unix socket the URL's host means nothing: the path is what is traced. User and password never are. */
static char *trace_target(const struct http_request *q)
{
	const char *host;
	size_t len;

	url_host(q->url, &host, &len);
	const char *path = host + strcspn(host, "/?#");
	if (q->traced)
		return xasprintf("%s %s", q->method, q->traced);
	if (q->unix_socket)
		return xasprintf("%s %s", q->method, path);
	const char *port = host + len;
	return xasprintf("%s %.*s%s", q->method, (int)len, host, port);
}

static void call_end(struct http *h, struct call *c, long status)
{
	lib.curl_multi_remove_handle(h->multi, c->easy);
	lib.curl_easy_reset(c->easy);
	vec_push(&h->idle, c->easy);
	c->easy = NULL;
	lib.curl_slist_free_all(c->headers);
	if (c->err->code != ERR_NONE)
		http_response_free(c->r);
	if (trace_enabled()) {
		_cleanup_free_ char *target = trace_target(c->q);
		trace_event("http", target, status, (double)(clock_ms() - c->start));
	}
}

static const struct {
	CURLcode curl;
	enum err_code code;
} error_codes[] = {
	{CURLE_COULDNT_CONNECT, ERR_UNREACHABLE},
	{CURLE_COULDNT_RESOLVE_HOST, ERR_UNREACHABLE},
	{CURLE_COULDNT_RESOLVE_PROXY, ERR_UNREACHABLE},
	{CURLE_GOT_NOTHING, ERR_UNREACHABLE}, /* the connection was cut: the peer died or restarts */
	{CURLE_PARTIAL_FILE, ERR_UNREACHABLE},
	{CURLE_RECV_ERROR, ERR_UNREACHABLE},
	{CURLE_SEND_ERROR, ERR_UNREACHABLE},
	{CURLE_OPERATION_TIMEDOUT, ERR_TIMEOUT},
	{CURLE_PEER_FAILED_VERIFICATION, ERR_DENIED},
	{CURLE_SSL_CACERT_BADFILE, ERR_DENIED},
	{CURLE_SSL_CERTPROBLEM, ERR_DENIED},
	{CURLE_SSL_CIPHER, ERR_DENIED},
	{CURLE_SSL_CONNECT_ERROR, ERR_DENIED},
	{CURLE_TOO_MANY_REDIRECTS, ERR_PROTOCOL},
	{CURLE_UNSUPPORTED_PROTOCOL, ERR_PROTOCOL},
	{CURLE_URL_MALFORMAT, ERR_USAGE},
	{CURLE_WEIRD_SERVER_REPLY, ERR_PROTOCOL},
};

static enum err_code code_of(CURLcode rc)
{
	for (size_t i = 0; i < ARRAY_SIZE(error_codes); i++)
		if (error_codes[i].curl == rc)
			return error_codes[i].code;
	return ERR_FAILED;
}

static int fail(struct call *c, CURLcode rc)
{
	const char *host, *what = c->text[0] ? c->text : lib.curl_easy_strerror(rc);
	size_t len;
	long sys = 0;

	url_host(c->q->url, &host, &len);
	_cleanup_free_ char *peer = c->q->unix_socket ? xstrdup(c->q->unix_socket) : xasprintf("%.*s", (int)len, host);
	if (c->too_large)
		return err_set(c->err, ERR_LIMIT, "%s: the answer is larger than the limit of %zu bytes", peer,
			       c->q->max_body ? c->q->max_body : DEFAULT_MAX_BODY);
	if (c->stopped)
		return err_set(c->err, ERR_CANCELLED, "%s: stopped while the answer was read", peer);
	if (rc == CURLE_OPERATION_TIMEDOUT)
		return err_set(c->err, ERR_TIMEOUT, "%s: no complete answer within %.1f s", peer,
			       (double)(clock_ms() - c->start) / 1000);
	lib.curl_easy_getinfo(c->easy, CURLINFO_OS_ERRNO, &sys);
	if (rc != CURLE_COULDNT_CONNECT || sys == 0)
		return err_set(c->err, code_of(rc), "%s: %s", peer, what);
	err_set(c->err, sys == EACCES || sys == EPERM ? ERR_DENIED : ERR_UNREACHABLE, "connect to %s: %s", peer,
		strerror((int)sys));
	c->err->sys = (int)sys;
	return -1;
}

static void take_result(struct http *h, struct call *c, CURLcode rc)
{
	long status = 0;

	if (rc == CURLE_OK && !c->headers_done) { /* to libcurl that is an answer with an empty body */
		rc = CURLE_PARTIAL_FILE;
		snprintf(c->text, sizeof(c->text), "the connection was closed within the answer");
	}
	if (rc == CURLE_OK) {
		lib.curl_easy_getinfo(c->easy, CURLINFO_RESPONSE_CODE, &status);
		c->r->status = (int)status;
	} else {
		fail(c, rc);
	}
	call_end(h, c, status);
}

static size_t take_results(struct http *h)
{
	CURLMsg *m;
	size_t n = 0;
	int left;

	while ((m = lib.curl_multi_info_read(h->multi, &left))) {
		char *c;
		if (m->msg != CURLMSG_DONE)
			continue;
		CURLcode rc = m->data.result;
		lib.curl_easy_getinfo(m->easy_handle, CURLINFO_PRIVATE, &c);
		take_result(h, (struct call *)(void *)c, rc);
		n++;
	}
	return n;
}

static size_t cancel_calls(struct http *h, struct call *calls, size_t n)
{
	size_t ended = 0;

	for (size_t i = 0; i < n; i++) {
		if (!calls[i].easy || calls[i].q->uncancellable)
			continue;
		err_set(calls[i].err, ERR_CANCELLED, "cancelled while waiting for an answer");
		call_end(h, &calls[i], 0);
		ended++;
	}
	return ended;
}

static bool any_cancellable(const struct call *calls, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (calls[i].easy && !calls[i].q->uncancellable)
			return true;
	return false;
}

void http_do_all(struct http *h, const struct http_request *q, size_t n, struct http_response *r, struct err *errs)
{
	struct call *calls = xcalloc(n, sizeof(*calls));
	size_t left = 0;
	int running;

	for (size_t i = 0; i < n; i++) {
		r[i] = (struct http_response){0};
		errs[i] = (struct err){0};
		calls[i] = (struct call){.q = &q[i], .r = &r[i], .err = &errs[i]};
		left += call_start(h, &calls[i]);
	}
	while (left > 0) {
		lib.curl_multi_perform(h->multi, &running);
		left -= take_results(h);
		bool cancellable = any_cancellable(calls, n);
		if (cancellable && cancel_requested())
			left -= cancel_calls(h, calls, n);
		if (left == 0)
			break;
		struct curl_waitfd cancel = {.fd = cancel_fd(), .events = CURL_WAIT_POLLIN};
		lib.curl_multi_poll(h->multi, &cancel, cancellable && cancel.fd >= 0, 1000, NULL);
	}
	free(calls);
}

int http_do(struct http *h, const struct http_request *q, struct http_response *r, struct err *err)
{
	struct err e;

	http_do_all(h, q, 1, r, &e);
	if (e.code == ERR_NONE)
		return 0;
	if (err)
		*err = e;
	return -1;
}

bool http_header(const struct http_response *r, const char *name, char *buf, size_t size)
{
	size_t name_len = strlen(name);

	for (const char *line = str_cstr(&r->headers); *line; line += strcspn(line, "\n"), line += *line == '\n') {
		if (strncasecmp(line, name, name_len) != 0 || line[name_len] != ':')
			continue;
		const char *value = line + name_len + 1;
		value += strspn(value, " \t");
		size_t len = strcspn(value, "\r\n");
		while (len > 0 && strchr(" \t", value[len - 1]))
			len--;
		if (len >= size)
			return false;
		memcpy(buf, value, len);
		buf[len] = '\0';
		return true;
	}
	return false;
}

void http_escape(const char *s, struct str *out)
{
	static const char unreserved[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~";

	for (; *s; s++) {
		if (strchr(unreserved, *s))
			str_addc(out, *s);
		else
			str_addf(out, "%%%02X", (unsigned char)*s);
	}
}
