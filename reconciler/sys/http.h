/*
 * HTTP over libcurl, which is loaded (dlopen) at the first use: commands that
 * talk to nothing do not pay for it. One struct http belongs to one thread and
 * keeps its connections open between requests. Proxies from the environment
 * are ignored for unix sockets and loopback.
 */
#ifndef RECONCILE_SYS_HTTP_H
#define RECONCILE_SYS_HTTP_H

#include "base/err.h"
#include "base/str.h"

struct http;
int http_new(struct http **h, struct err *err) MUST_CHECK;
void http_free(struct http *h);

struct http_tls {
	const char *ca_file, *cert_file, *key_file; /* PEM paths; NULL: system defaults, no client certificate */
	bool insecure;                              /* do not verify the peer */
};

struct http_request {
	const char *method;         /* "GET" … */
	const char *url;            /* http://, https:// */
	const char *traced;         /* what a trace says in place of where the URL leads; NULL: that */
	const char *unix_socket;    /* path, or NULL for TCP */
	const char *const *headers; /* "Name: value", NULL-terminated; may be NULL */
	const char *body;           /* NULL: none */
	size_t body_len;
	const struct http_tls *tls;  /* NULL: defaults */
	const char *user, *password; /* basic authentication; NULL: none */
	int64_t deadline;            /* clock.h, for the whole exchange; required */
	size_t max_body;             /* 0: 64 MiB; more: ERR_LIMIT */
	bool uncancellable;          /* goes on after Ctrl-C */
	bool follow;                 /* follow up to 5 redirects */
	bool direct;                 /* not through a proxy of the environment */
	/* Streams the body to the callback instead of keeping it; non-zero stops (ERR_CANCELLED). */
	int (*on_body)(const char *bytes, size_t n, void *arg);
	void *on_body_arg;
};

struct http_response {
	int status;
	struct str body;
	struct str headers; /* raw, as received, of the last response */
};
void http_response_free(struct http_response *r);
#define _cleanup_http_response_ __attribute__((cleanup(http_response_free)))

/* Value of a header, case-insensitive, in buf; false when it is missing or longer. */
bool http_header(const struct http_response *r, const char *name, char *buf, size_t size);

/*
 * 0 means that an HTTP response came, whatever its status. ERR_UNREACHABLE
 * (refused, no such socket, no route, name not found), ERR_DENIED (socket
 * permission, TLS handshake refused), ERR_TIMEOUT, ERR_PROTOCOL, ERR_LIMIT, ERR_CANCELLED.
 */
int http_do(struct http *h, const struct http_request *q, struct http_response *r, struct err *err) MUST_CHECK;

/* All at once, on parallel connections. Each has its own outcome: errs[i].code == ERR_NONE is success. */
void http_do_all(struct http *h, const struct http_request *q, size_t n, struct http_response *r, struct err *errs);

/* Percent-encodes a path segment or query value (RFC 3986 unreserved stay). Appends. */
void http_escape(const char *s, struct str *out);

#endif
