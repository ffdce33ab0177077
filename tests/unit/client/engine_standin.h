/*
 * A stand-in for a Docker engine: a thread that answers on a unix socket from a
 * table, word for word. It shows how the client takes answers that a healthy
 * engine never gives; it is no evidence for how a real one behaves.
 */
#ifndef RECONCILE_TESTS_ENGINE_STANDIN_H
#define RECONCILE_TESTS_ENGINE_STANDIN_H

#include "base/str.h"

#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

struct standin_rule {
	const char *request; /* prefix of "GET /v1.41/info" */
	const char *status;  /* with body: "200 OK", a JSON response */
	const char *body;
	const char *answer; /* else the whole response; both NULL: accept the request and never answer */
	size_t filler;      /* this many 'x' after it */
	bool close;         /* close the connection after it */
};

#define STANDIN_CONNECTIONS 32

struct standin {
	char dir[64], path[96], host[112];
	const struct standin_rule *rules; /* up to one without a request */
	/* Asked first, with the whole request; false: the rules. It writes an answer to fd and tells whether to go on.
	 */
	bool (*answer)(void *arg, const char *request, int fd, bool *goes_on);
	void *arg;
	int listener, stop[2];
	pthread_t thread;
	struct str log; /* requests as received, for after standin_stop */
};

static const struct standin_rule *standin_match(const struct standin *s, const char *request)
{
	const struct standin_rule *r = s->rules;
	while (r->request && !str_starts(request, r->request))
		r++;
	return r->request ? r : NULL;
}

static void standin_write(int fd, const char *data, size_t n)
{
	while (n > 0) {
		ssize_t w = send(fd, data, n, MSG_NOSIGNAL);
		if (w <= 0)
			return;
		data += w;
		n -= (size_t)w;
	}
}

static bool standin_answer(struct standin *s, int fd, const char *request)
{
	static const char missing[] = "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n";
	const struct standin_rule *r = standin_match(s, request);
	bool goes_on;

	if (s->answer && s->answer(s->arg, request, fd, &goes_on))
		return goes_on;
	if (!r) {
		standin_write(fd, missing, sizeof(missing) - 1);
		return true;
	}
	if (r->status) {
		_cleanup_free_ char *text = xasprintf("HTTP/1.1 %s\r\nContent-Type: application/json\r\n"
						      "Content-Length: %zu\r\n\r\n%s",
						      r->status, strlen(r->body), r->body);
		standin_write(fd, text, strlen(text));
		return true;
	}
	if (!r->answer)
		return true;
	standin_write(fd, r->answer, strlen(r->answer));
	char block[4096];
	memset(block, 'x', sizeof(block));
	for (size_t left = r->filler; left > 0;) {
		size_t n = left < sizeof(block) ? left : sizeof(block);
		standin_write(fd, block, n);
		left -= n;
	}
	return !r->close;
}

/* Returns false when the connection is over. */
static bool standin_serve(struct standin *s, int fd, struct str *in)
{
	char buf[4096];
	ssize_t n = recv(fd, buf, sizeof(buf), 0);
	if (n <= 0)
		return false;
	str_add(in, buf, (size_t)n);
	for (;;) {
		const char *head = str_cstr(in), *end = strstr(head, "\r\n\r\n");
		if (!end)
			return true;
		const char *len = strcasestr(head, "Content-Length: ");
		size_t need = (size_t)(end + 4 - head);
		if (len && len < end)
			need += strtoul(len + strlen("Content-Length: "), NULL, 10);
		if (in->len < need)
			return true;
		str_add(&s->log, head, need);
		str_addc(&s->log, '\n');
		bool goes_on = standin_answer(s, fd, head);
		memmove(in->data, in->data + need, in->len - need + 1);
		in->len -= need;
		if (!goes_on)
			return false;
	}
}

static void *standin_run(void *arg)
{
	struct standin *s = arg;
	struct pollfd fds[2 + STANDIN_CONNECTIONS] = {{.fd = s->stop[0], .events = POLLIN},
						      {.fd = s->listener, .events = POLLIN}};
	struct str in[2 + STANDIN_CONNECTIONS] = {0};
	nfds_t n = 2;

	while (poll(fds, n, -1) > 0 && !fds[0].revents) {
		for (nfds_t i = 2; i < n; i++) {
			if (!fds[i].revents || standin_serve(s, fds[i].fd, &in[i]))
				continue;
			close(fds[i].fd);
			str_free(&in[i]);
			n--;
			fds[i] = fds[n];
			in[i] = in[n];
			in[n] = (struct str){0};
			i--;
		}
		if (fds[1].revents && n < 2 + STANDIN_CONNECTIONS)
			fds[n++] = (struct pollfd){.fd = accept(s->listener, NULL, NULL), .events = POLLIN};
	}
	for (nfds_t i = 2; i < n; i++) {
		close(fds[i].fd);
		str_free(&in[i]);
	}
	return NULL;
}

static void standin_run_in_thread(struct standin *s)
{
	struct sockaddr_un a = {.sun_family = AF_UNIX};

	snprintf(s->dir, sizeof(s->dir), "/tmp/standin.XXXXXX");
	if (!mkdtemp(s->dir) || pipe(s->stop) < 0)
		abort();
	snprintf(s->path, sizeof(s->path), "%s/engine.sock", s->dir);
	snprintf(s->host, sizeof(s->host), "unix://%s", s->path);
	snprintf(a.sun_path, sizeof(a.sun_path), "%s", s->path);
	s->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(s->listener, (struct sockaddr *)&a, sizeof(a)) < 0 || listen(s->listener, 16) < 0)
		abort();
	if (pthread_create(&s->thread, NULL, standin_run, s) != 0)
		abort();
}

static inline void standin_start(struct standin *s, const struct standin_rule *rules)
{
	*s = (struct standin){.rules = rules};
	standin_run_in_thread(s);
}

static void standin_stop(struct standin *s)
{
	if (s->listener < 0)
		return;
	if (write(s->stop[1], "x", 1) != 1)
		abort();
	pthread_join(s->thread, NULL);
	close(s->listener);
	close(s->stop[0]);
	close(s->stop[1]);
	unlink(s->path);
	rmdir(s->dir);
	s->listener = -1;
}

static void standin_free(struct standin *s)
{
	standin_stop(s);
	str_free(&s->log);
}

#define PING_ANSWER(version) "HTTP/1.1 200 OK\r\nApi-Version: " version "\r\nContent-Length: 0\r\n\r\n"
#define PING_RULE \
	{ \
		.request = "HEAD /_ping", .answer = PING_ANSWER("1.41") \
	}

#endif
