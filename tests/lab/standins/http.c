/* See http.h. Part of the stand-ins, no evidence for how a real server behaves. */
#define _GNU_SOURCE
#include "http.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

enum { MAX_SIZE = 1 << 20, MAX_RESPONSE = 64 << 20, TIMEOUT = 10 };

static int close_failed(int fd)
{
	int saved = errno;

	close(fd);
	errno = saved;
	return -1;
}

static struct addrinfo *look_up(const char *host, int port)
{
	struct addrinfo hints = {.ai_family = AF_INET, .ai_socktype = SOCK_STREAM, .ai_flags = AI_PASSIVE};
	struct addrinfo *addresses = NULL;
	char service[16];

	snprintf(service, sizeof service, "%d", port);
	if (getaddrinfo(host, service, &hints, &addresses) != 0) {
		errno = EADDRNOTAVAIL;
		return NULL;
	}
	return addresses;
}

int listen_on(const char *host, int port)
{
	struct addrinfo *name = look_up(host, port);
	int fd = name ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &(int){1}, sizeof(int));
		if (bind(fd, name->ai_addr, name->ai_addrlen) < 0 || listen(fd, 128) < 0)
			fd = close_failed(fd);
	}
	if (name)
		freeaddrinfo(name);
	return fd;
}

int connect_to(const char *host, int port)
{
	struct timeval timeout = {.tv_sec = TIMEOUT};
	struct addrinfo *name = look_up(host, port);
	int fd = name ? socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0) : -1;

	if (fd >= 0) {
		setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &timeout, sizeof timeout);
		if (connect(fd, name->ai_addr, name->ai_addrlen) < 0)
			fd = close_failed(fd);
	}
	if (name)
		freeaddrinfo(name);
	return fd;
}

static size_t content_length(const char *head)
{
	const char *field = strcasestr(head, "\r\nContent-Length:");
	long length = field ? strtol(field + strlen("\r\nContent-Length:"), NULL, 10) : 0;

	return length < 0 || length > MAX_SIZE ? MAX_SIZE : (size_t)length;
}

static void read_host(struct request *request)
{
	const char *field = strcasestr(request->raw, "\r\nHost:");

	if (field)
		sscanf(field + strlen("\r\nHost:"), " %255[^:\r\n]", request->host);
}

bool request_read(int fd, struct request *request)
{
	struct timeval timeout = {.tv_sec = TIMEOUT};
	size_t wanted = 0;
	char *end = NULL;

	*request = (struct request){.raw = malloc(MAX_SIZE + 1)};
	if (!request->raw)
		return false;
	setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
	while (!end || request->raw_size < wanted) {
		ssize_t got = read(fd, request->raw + request->raw_size, MAX_SIZE - request->raw_size);

		if (got <= 0)
			return false;
		request->raw_size += (size_t)got;
		request->raw[request->raw_size] = '\0';
		if (!end && (end = strstr(request->raw, "\r\n\r\n")))
			wanted = (size_t)(end + 4 - request->raw) + content_length(request->raw);
	}
	request->body = end + 4;
	read_host(request);
	return sscanf(request->raw, "%15s %1023s", request->method, request->path) == 2;
}

void request_free(struct request *request)
{
	free(request->raw);
}

void write_all(int fd, const char *data, size_t size)
{
	while (size > 0) {
		ssize_t put = send(fd, data, size, MSG_NOSIGNAL);

		if (put <= 0)
			return;
		data += put;
		size -= (size_t)put;
	}
}

static const char *reason(int status)
{
	switch (status) {
	case 200:
		return "OK";
	case 404:
		return "Not Found";
	case 502:
		return "Bad Gateway";
	case 503:
		return "Service Unavailable";
	default:
		return "Error";
	}
}

void respond_head(int fd, int status, const char *type)
{
	char head[512];
	char replica[128] = "";
	int size;

	gethostname(replica, sizeof replica - 1);
	size = snprintf(head, sizeof head,
			"HTTP/1.1 %d %s\r\nContent-Type: %s\r\nX-Standin-Host: %s\r\nConnection: close\r\n\r\n", status,
			reason(status), type, replica);
	write_all(fd, head, (size_t)size);
}

void respond(int fd, int status, const char *type, const char *body)
{
	respond_head(fd, status, type);
	write_all(fd, body, strlen(body));
}

/* Joins the chunks in place. */
static void dechunk(char *body)
{
	char *to = body, *from = body;
	size_t size;

	while ((size = strtoul(from, &from, 16)) > 0 && (from = strstr(from, "\r\n"))) {
		if (size > strlen(from + 2))
			break;
		memmove(to, from + 2, size);
		to += size;
		from += 2 + size;
	}
	*to = '\0';
}

char *call(int fd, const char *method, const char *path, const char *body, int *status)
{
	size_t size = 0, room = 4096;
	char *response = malloc(room + 1), *text, *head;
	ssize_t got;
	int length =
		asprintf(&text, "%s %s HTTP/1.1\r\nHost: standin\r\nConnection: close\r\nContent-Length: %zu\r\n\r\n%s",
			 method, path, strlen(body), body);

	if (length < 0 || !response)
		abort();
	write_all(fd, text, (size_t)length);
	free(text);
	while ((got = read(fd, response + size, room - size)) > 0) {
		size += (size_t)got;
		if (size == room && (room *= 2) <= MAX_RESPONSE && !(response = realloc(response, room + 1)))
			abort();
	}
	response[size] = '\0';
	head = strstr(response, "\r\n\r\n");
	if (!head || sscanf(response, "HTTP/%*s %d", status) != 1) {
		free(response);
		return NULL;
	}
	*head = '\0';
	text = strdup(head + 4);
	if (text && strcasestr(response, "\r\nTransfer-Encoding: chunked"))
		dechunk(text);
	free(response);
	return text;
}
