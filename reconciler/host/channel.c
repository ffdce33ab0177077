/*
 * What listens on a host, behind a unix socket of this machine. A thread accepts connections and gives each to a
 * `docker system dial-stdio` there, to an `ssh -W`, or to a relay there, as its standard input and output, so that no
 * byte is copied here.
 */
#include "host/internal.h"

#include "sys/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#define MAX_WORDS 4096 /* of what a child said */
#define REAP_MS 500    /* in which a child whose connection was closed ends */
#define NOBODY 69      /* how relay.pl ends when there is nobody to connect to (EX_UNAVAILABLE, sysexits.h) */

extern const char host_relay_script[]; /* relay.pl */

/* Arguments: process, container, relay.pl, and the relay's own. A process id may be another's by now. */
static const char enter_script[] = "pid=$1 id=$2 relay=$3; shift 3; PATH=$PATH:/usr/sbin:/sbin\n"
				   "case $(cat -- \"/proc/$pid/cgroup\") in *\"$id\"*) ;; *)\n"
				   "echo \"process $pid is not the container's: it has just restarted, or the node's "
				   "processes cannot be seen\" >&2\n"
				   "exit 1 ;; esac\n"
				   "exec nsenter --net=\"/proc/$pid/ns/net\" perl -e \"$relay\" -- inside \"$@\"\n";

struct relay {
	pid_t pid;
	int pidfd;
	int words; /* its standard error, a memory file */
};

struct host_channel {
	const struct host *host;
	struct command command;
	const char *program; /* as messages call it; NULL: its own words are enough */
	bool relay;
	struct sockaddr_un at;
	int listener;
	int closing; /* a pipe whose other end is closed to end the thread */
	int closer;
	pthread_t thread;
	VEC(struct relay) relays; /* the thread's */
	pthread_mutex_t lock;
	struct err failure;
};

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void note_failure(struct host_channel *c, const struct err *err)
{
	pthread_mutex_lock(&c->lock);
	c->failure = *err;
	pthread_mutex_unlock(&c->lock);
}

static void accept_one(struct host_channel *c)
{
	struct relay r = {.words = -1};
	struct err err = {0};
	int fd = accept4(c->listener, NULL, NULL, SOCK_CLOEXEC);

	if (fd < 0)
		return;
	r.words = memfd_create("reconcile-ssh", MFD_CLOEXEC);
	const int fds[3] = {fd, fd, r.words};
	if (r.words < 0 ? err_sys(&err, "start a connection")
			: proc_spawn(c->command.argv.v, fds, &r.pid, &r.pidfd, &err)) {
		on_node(c->host, -1, &err);
		note_failure(c, &err);
		close_fd(&r.words);
	} else {
		vec_push(&c->relays, r);
	}
	close(fd);
}

static void take_failure(struct host_channel *c, const struct relay *r, const siginfo_t *how)
{
	char words[MAX_WORDS];
	struct err err = {0};
	ssize_t n = pread(r->words, words, sizeof(words), 0);
	struct str text = {.data = words, .len = n > 0 ? (size_t)n : 0};

	if (text.len == sizeof(words))
		text.len--;
	words[text.len] = '\0';
	bool exited = how->si_code == CLD_EXITED;
	command_error(c->host, c->program, exited ? how->si_status : -1, exited ? 0 : how->si_status, &text, &err);
	if (c->relay && exited && how->si_status == NOBODY)
		err.code = ERR_FAILED;
	else if (c->relay && err.code == ERR_FAILED)
		err.code = ERR_BLOCKED;
	on_node(c->host, -1, &err);
	note_failure(c, &err);
}

static void reap(struct host_channel *c, size_t i, bool ended_by_us)
{
	struct relay r = c->relays.v[i];
	siginfo_t how = {0};

	while (waitid(P_PIDFD, (id_t)r.pidfd, &how, WEXITED) < 0 && errno == EINTR)
		;
	if (!ended_by_us && (how.si_code != CLD_EXITED || how.si_status != 0))
		take_failure(c, &r, &how);
	else if (!ended_by_us)
		note_failure(c, &(struct err){0}); /* what was wrong before is so no longer */
	close(r.pidfd);
	close(r.words);
	c->relays.v[i] = c->relays.v[--c->relays.n];
}

static void serve_until_closed(struct host_channel *c)
{
	for (;;) {
		size_t n = c->relays.n;
		struct pollfd *fds = xcalloc(n + 2, sizeof(*fds));
		fds[n] = (struct pollfd){.fd = c->listener, .events = POLLIN};
		fds[n + 1] = (struct pollfd){.fd = c->closing, .events = POLLIN};
		for (size_t i = 0; i < n; i++)
			fds[i] = (struct pollfd){.fd = c->relays.v[i].pidfd, .events = POLLIN};
		int rc = poll(fds, n + 2, -1);
		bool closed = rc > 0 && fds[n + 1].revents, connects = rc > 0 && fds[n].revents;
		for (size_t i = n; rc > 0 && i-- > 0;)
			if (fds[i].revents)
				reap(c, i, false);
		free(fds);
		if (closed)
			return;
		if (connects)
			accept_one(c);
	}
}

static void *serve(void *arg)
{
	struct host_channel *c = arg;

	serve_until_closed(c);
	while (c->relays.n > 0) {
		kill(-c->relays.v[0].pid, SIGKILL);
		reap(c, 0, true);
	}
	return NULL;
}

static int listen_at(struct host_channel *c, struct err *err)
{
	static atomic_uint number;
	char dir[64];

	if (!runtime_dir(dir, sizeof(dir)))
		return err_set(err, ERR_SYSTEM, "there is no private directory for a socket (XDG_RUNTIME_DIR, /tmp)");
	c->at.sun_family = AF_UNIX;
	snprintf(c->at.sun_path, sizeof(c->at.sun_path), "%s/socket-%d-%u", dir, (int)getpid(), ++number);
	c->listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	unlink(c->at.sun_path); /* of a process of this number that was killed */
	if (c->listener < 0 || bind(c->listener, (const struct sockaddr *)(const void *)&c->at, sizeof(c->at)) < 0 ||
	    listen(c->listener, 16) < 0)
		return err_sys(err, "listen at %s", c->at.sun_path);
	return 0;
}

static int start(struct host_channel *c, struct err *err)
{
	int fds[2];

	if (listen_at(c, err) < 0)
		return -1;
	if (pipe2(fds, O_CLOEXEC) < 0)
		return err_sys(err, "open a connection");
	c->closing = fds[0];
	c->closer = fds[1];
	int rc = pthread_create(&c->thread, NULL, serve, c);
	if (rc == 0)
		return 0;
	close_fd(&c->closer);
	errno = rc;
	return err_sys(err, "open a connection");
}

static struct host_channel *new_channel(struct host *h, const char *program)
{
	struct host_channel *c = xcalloc(1, sizeof(*c));

	c->host = h;
	c->program = program;
	c->listener = c->closing = c->closer = -1;
	pthread_mutex_init(&c->lock, NULL);
	return c;
}

/* rc: how building its command ended. */
static int finish_opening(struct host_channel *c, int rc, struct host_channel **out, struct err *err)
{
	if (rc == 0 && start(c, err) == 0) {
		*out = c;
		return 0;
	}
	on_node(c->host, -1, err);
	host_channel_close(c);
	return -1;
}

int host_channel_open(struct host *h, struct host_channel **out, struct err *err)
{
	static const char *const argv[] = {"docker", "system", "dial-stdio", NULL};
	struct host_channel *c = new_channel(h, "docker system dial-stdio");

	return finish_opening(c, command_build(&c->command, h, argv, 0, true, err), out, err);
}

int host_forward_open(struct host *h, const char *target, struct host_channel **out, struct err *err)
{
	if (h->local)
		return err_set(err, ERR_USAGE, "%s on this machine needs no forwarding", target);
	struct host_channel *c = new_channel(h, "ssh -W");
	return finish_opening(c, command_forward(&c->command, h, target, err), out, err);
}

/* A word of the command that lives as long as the channel. */
static const char *keep(struct command *c, char *word)
{
	vec_push(&c->owned, word);
	return word;
}

int host_relay_open(struct host *h, const struct host_container *in, const char *name, int port, int64_t deadline,
		    struct host_channel **out, struct err *err)
{
	struct host_channel *c = new_channel(h, NULL);
	int64_t left = clock_left(deadline);
	struct command words = {0};
	VEC(const char *) argv = {0};

	static const char *const inside[] = {"env", ENGLISH, "sh", "-c", enter_script, "relay"},
				 *const outside[] = {"env", ENGLISH, "perl", "-e", host_relay_script, "--", "outside"};
	for (size_t i = 0; i < (in ? ARRAY_SIZE(inside) : ARRAY_SIZE(outside)); i++)
		vec_push(&argv, in ? inside[i] : outside[i]);
	if (in) {
		vec_push(&argv, keep(&words, xasprintf("%lld", (long long)in->pid)));
		vec_push(&argv, keep(&words, xstrdup(in->id)));
		vec_push(&argv, host_relay_script);
	}
	vec_push(&argv, keep(&words, xstrdup(name)));
	vec_push(&argv, keep(&words, xasprintf("%d", port)));
	vec_push(&argv, keep(&words, xasprintf("%lld", (long long)left)));
	vec_push(&argv, NULL);
	int rc = command_build(&c->command, h, argv.v, left > 0 ? left : 1, true, err);
	for (size_t i = 0; i < words.owned.n; i++)
		keep(&c->command, words.owned.v[i]);
	vec_free(&words.owned);
	vec_free(&argv);
	c->relay = true;
	return finish_opening(c, rc, out, err);
}

const char *host_channel_socket(const struct host_channel *c)
{
	return c->at.sun_path;
}

/* The connection closes a moment before its child has ended. */
bool host_channel_error(struct host_channel *c, struct err *err)
{
	int64_t end = clock_ms() + REAP_MS;

	for (;;) {
		pthread_mutex_lock(&c->lock);
		bool failed = c->failure.code != ERR_NONE;
		if (failed)
			*err = c->failure;
		pthread_mutex_unlock(&c->lock);
		if (failed || clock_left(end) == 0 || !clock_sleep(10))
			return failed;
	}
}

void host_channel_close(struct host_channel *c)
{
	if (!c)
		return;
	if (c->closer >= 0) {
		close_fd(&c->closer);
		pthread_join(c->thread, NULL);
	}
	if (*c->at.sun_path)
		unlink(c->at.sun_path);
	close_fd(&c->listener);
	close_fd(&c->closing);
	vec_free(&c->relays);
	command_free(&c->command);
	pthread_mutex_destroy(&c->lock);
	free(c);
}
