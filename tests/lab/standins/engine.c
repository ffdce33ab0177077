/*
 * A STAND-IN for a broken Docker engine, for tests: a listener in front of a real engine, or of
 * none, that spoils chosen answers. It is never evidence for how a real engine behaves.
 *
 *   engine SOCKET UPSTREAM [PATH=FAULT]...
 *
 * UPSTREAM is the real engine's socket, or "-". A request whose path contains PATH gets FAULT:
 *   silent       accepted and never answered     garbage      something that is not HTTP
 *   cut          closed without an answer        half         half of the real answer, then closed
 *   status:CODE  an error of the daemon          truncated    a whole answer, half of its JSON
 *   api:VERSION  a ping that says so             body:TEXT    200 and TEXT
 * The first that fits counts; the others are passed on, without an upstream they are 404.
 */
#define _GNU_SOURCE
#include "http.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

enum { MAX_ANSWER = 16 << 20 };

static int unix_socket(const char *path, int (*attach)(int, const struct sockaddr *, socklen_t))
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	snprintf(address.sun_path, sizeof address.sun_path, "%s", path);
	if (fd < 0 || attach(fd, (struct sockaddr *)&address, sizeof address) < 0) {
		perror(path);
		exit(1);
	}
	return fd;
}

/* The upstream's whole answer, malloc'ed. It is asked to close the connection after it. */
static char *ask_upstream(const char *upstream, const struct request *request, size_t *size)
{
	static const char close_it[] = "Connection: close\r\n";
	const char *rest = strstr(request->raw, "\r\n") + 2;
	int fd = unix_socket(upstream, connect);
	char *answer = malloc(MAX_ANSWER);
	ssize_t got;

	if (!answer)
		abort();
	write_all(fd, request->raw, (size_t)(rest - request->raw));
	write_all(fd, close_it, strlen(close_it));
	write_all(fd, rest, request->raw_size - (size_t)(rest - request->raw));
	*size = 0;
	while ((got = read(fd, answer + *size, MAX_ANSWER - *size)) > 0)
		*size += (size_t)got;
	close(fd);
	return answer;
}

static void answer(int fd, int status, const char *headers, const char *body, size_t size)
{
	char head[512];
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %d Standin\r\nContent-Type: application/json\r\n%sConnection: close\r\n"
			 "Content-Length: %zu\r\n\r\n",
			 status, headers, size);

	write_all(fd, head, (size_t)n);
	write_all(fd, body, size);
}

static void half(int fd, const char *upstream, const struct request *request)
{
	size_t size;
	char *whole = ask_upstream(upstream, request, &size);

	write_all(fd, whole, size / 2);
	free(whole);
}

static void truncated(int fd, const char *upstream, const struct request *request)
{
	int upstream_fd = unix_socket(upstream, connect), status;
	char *body = call(upstream_fd, request->method, request->path, "", &status);

	answer(fd, status, "", body ? body : "", body ? strlen(body) / 2 : 0);
	close(upstream_fd);
	free(body);
}

static void spoil(int fd, const char *fault, const char *upstream, const struct request *request)
{
	static const char words[] = "{\"message\": \"the stand-in was told to fail\"}\n";
	const char *value = strchr(fault, ':') ? strchr(fault, ':') + 1 : "";
	char version[128], ignored[256];

	if (strcmp(fault, "silent") == 0)
		while (read(fd, ignored, sizeof ignored) > 0)
			;
	else if (strcmp(fault, "garbage") == 0)
		write_all(fd, "SSH-2.0-OpenSSH_9.2\r\n", 21);
	else if (strcmp(fault, "half") == 0)
		half(fd, upstream, request);
	else if (strcmp(fault, "truncated") == 0)
		truncated(fd, upstream, request);
	else if (strncmp(fault, "status:", 7) == 0)
		answer(fd, atoi(value), "", words, strlen(words));
	else if (strncmp(fault, "body:", 5) == 0)
		answer(fd, 200, "", value, strlen(value));
	else if (strncmp(fault, "api:", 4) == 0) {
		snprintf(version, sizeof version, "Api-Version: %s\r\n", value);
		answer(fd, 200, version, "", 0);
	}
}

static void serve(int fd, const char *upstream, char **rules)
{
	struct request request;
	size_t size;

	if (!request_read(fd, &request))
		return;
	for (; *rules; rules++) {
		const char *fault = strchr(*rules, '=');
		char path[1024];

		snprintf(path, sizeof path, "%.*s", (int)(fault - *rules), *rules);
		if (!strstr(request.path, path))
			continue;
		spoil(fd, fault + 1, upstream, &request);
		return;
	}
	if (strcmp(upstream, "-") == 0) {
		answer(fd, 404, "", "{}", 2);
		return;
	}
	char *whole = ask_upstream(upstream, &request, &size);
	write_all(fd, whole, size);
}

int main(int argc, char **argv)
{
	if (argc < 3)
		return 64;
	for (int i = 3; i < argc; i++)
		if (!strchr(argv[i], '='))
			return 64;
	signal(SIGCHLD, SIG_IGN);
	unlink(argv[1]);
	int listener = unix_socket(argv[1], bind);
	if (listen(listener, 64) < 0)
		return 1;
	for (;;) {
		int fd = accept(listener, NULL, NULL);
		if (fork() == 0) {
			serve(fd, argv[2], argv + 3);
			_exit(0);
		}
		close(fd);
	}
}
