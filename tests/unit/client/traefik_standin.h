/*
 * A stand-in for Traefik's API and, where a test needs one, for the engine that
 * runs it: a thread that answers each request through a function of the test, on
 * a loopback port and on a unix socket. It drives the client and the steps of an
 * edit; it is no evidence for how the real ones behave.
 */
#ifndef RECONCILE_TESTS_TRAEFIK_STANDIN_H
#define RECONCILE_TESTS_TRAEFIK_STANDIN_H

#include "base/str.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct traefik_standin {
	/* request: "GET /api/version". Appends the body, and whole lines to headers; returns the status, 0: no answer.
	 */
	int (*answer)(void *arg, const char *request, struct str *headers, struct str *body);
	void *arg;
	char dir[64], url[64], engine[128];
	int tcp, local, stop[2];
	pthread_t thread;
	struct str log; /* requests, a line each; for after traefik_standin_stop */
};

static void traefik_standin_serve(struct traefik_standin *s, int fd)
{
	_cleanup_str_ struct str in = {0}, headers = {0}, body = {0}, out = {0};
	char buf[4096];
	ssize_t n;

	while (!strstr(str_cstr(&in), "\r\n\r\n") && (n = recv(fd, buf, sizeof(buf), 0)) > 0)
		str_add(&in, buf, (size_t)n);
	_cleanup_free_ char *request = xasprintf("%.*s", (int)strcspn(str_cstr(&in), "\r\n"), str_cstr(&in));
	char *end = strstr(request, " HTTP/");
	if (!end)
		return;
	*end = '\0';
	str_addf(&s->log, "%s\n", request);
	int status = s->answer(s->arg, request, &headers, &body);
	if (status == 0)
		return;
	str_addf(&out, "HTTP/1.1 %d X\r\nApi-Version: 1.41\r\nConnection: close\r\nContent-Length: %zu\r\n%s\r\n",
		 status, body.len, str_cstr(&headers));
	if (!str_starts(request, "HEAD "))
		str_add(&out, str_cstr(&body), body.len);
	for (size_t at = 0; at < out.len; at += (size_t)n)
		if ((n = send(fd, out.data + at, out.len - at, MSG_NOSIGNAL)) <= 0)
			return;
}

static void *traefik_standin_run(void *arg)
{
	struct traefik_standin *s = arg;
	struct pollfd fds[] = {{.fd = s->stop[0], .events = POLLIN},
			       {.fd = s->tcp, .events = POLLIN},
			       {.fd = s->local, .events = POLLIN}};

	while (poll(fds, 3, -1) > 0 && !fds[0].revents)
		for (int i = 1; i < 3; i++) {
			int fd = fds[i].revents ? accept(fds[i].fd, NULL, NULL) : -1;
			if (fd < 0)
				continue;
			traefik_standin_serve(s, fd);
			close(fd);
		}
	return NULL;
}

static void traefik_standin_start(struct traefik_standin *s)
{
	struct sockaddr_un local = {.sun_family = AF_UNIX};
	struct sockaddr_in tcp = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	socklen_t len = sizeof(tcp);

	snprintf(s->dir, sizeof(s->dir), "/tmp/traefik-standin.XXXXXX");
	if (!mkdtemp(s->dir) || pipe(s->stop) < 0)
		abort();
	snprintf(local.sun_path, sizeof(local.sun_path), "%s/engine.sock", s->dir);
	snprintf(s->engine, sizeof(s->engine), "unix://%s", local.sun_path);
	s->local = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	s->tcp = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->local, (struct sockaddr *)&local, sizeof(local)) < 0 || listen(s->local, 16) < 0 ||
	    bind(s->tcp, (struct sockaddr *)&tcp, sizeof(tcp)) < 0 || listen(s->tcp, 16) < 0 ||
	    getsockname(s->tcp, (struct sockaddr *)&tcp, &len) < 0)
		abort();
	snprintf(s->url, sizeof(s->url), "http://127.0.0.1:%d", ntohs(tcp.sin_port));
	if (pthread_create(&s->thread, NULL, traefik_standin_run, s) != 0)
		abort();
}

/* The log may be read afterwards; traefik_standin_free frees it. */
static void traefik_standin_stop(struct traefik_standin *s)
{
	_cleanup_free_ char *path = xasprintf("%s/engine.sock", s->dir);

	if (write(s->stop[1], "x", 1) != 1)
		abort();
	pthread_join(s->thread, NULL);
	close(s->tcp);
	close(s->local);
	close(s->stop[0]);
	close(s->stop[1]);
	unlink(path);
	rmdir(s->dir);
}

#endif
