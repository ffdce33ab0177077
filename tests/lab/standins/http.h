/*
 * The little HTTP that the stand-ins of this directory share: one request per connection,
 * IPv4 only, bodies up to 1 MiB.
 */
#ifndef STANDINS_HTTP_H
#define STANDINS_HTTP_H

#include <stdbool.h>
#include <stddef.h>

struct request {
	char method[16];
	char path[1024]; /* with the query */
	char host[256];  /* the Host header without its port, "" if there is none */
	char *raw;       /* head and body as received, NUL-terminated */
	size_t raw_size;
	const char *body; /* within raw */
};

/* Both return a descriptor, or -1 with errno. A host of NULL means all addresses. */
int listen_on(const char *host, int port);
int connect_to(const char *host, int port);

/* False if the peer sent no complete request within ten seconds. Free with request_free. */
bool request_read(int fd, struct request *request);
void request_free(struct request *request);

void write_all(int fd, const char *data, size_t size);
void respond_head(int fd, int status, const char *type);
void respond(int fd, int status, const char *type, const char *body);

/* Sends a request and returns the response's body, malloc'ed, or NULL. *status gets the code. */
char *call(int fd, const char *method, const char *path, const char *body, int *status);

#endif
