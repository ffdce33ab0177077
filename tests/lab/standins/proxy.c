/*
 * A fault proxy for the Docker Engine API: sits on a unix socket in front of a real engine's, numbers the
 * calls, writes them down, and spoils the chosen ones. It is never evidence for how an engine behaves.
 *
 * HTTP/1.1 with keep-alive, many connections at once. A request is passed on when it is complete, and so
 * is its answer; so nothing can be upgraded or followed (attach, events). Each call gets a connection of
 * its own to the engine, which is closed when the client goes away.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <time.h>
#include <unistd.h>

enum { MAX_CONNECTIONS = 128, READ_SIZE = 65536 };

static const char usage[] =
	"usage: proxy LISTEN ENGINE [OPTION...]\n"
	"\n"
	"Passes HTTP from the unix socket LISTEN to the unix socket ENGINE until it is killed.\n"
	"\n"
	"  --log FILE        appends a line per call: number, method, path, fault or \"-\", status\n"
	"                    (0: the client got none), when it came and when it was done with (ms of\n"
	"                    the monotonic clock), with tabs between them\n"
	"  --fault FAULT     what is done to the chosen calls\n"
	"\n"
	"Which calls are chosen; without any of these all are:\n"
	"  --writes          those that are neither GET nor HEAD\n"
	"  --reads           those that are, and of those that are made again and again the first after each write\n"
	"  --match TEXT      those with TEXT in \"METHOD /path\"\n"
	"  --at N            of these, the N-th only\n"
	"  --from N          of these, the N-th and all after it\n"
	"  --chance P        of these, each with probability P (0 to 1)\n"
	"  --seed N          for --chance, default 1\n"
	"  --once            of these, the first only\n"
	"\n"
	"Faults that the engine does not hear of:\n"
	"  error[:STATUS]    answered with an error of the daemon (500)\n"
	"  refuse            the connection is closed\n"
	"  garbage           answered with something that is not HTTP\n"
	"  delay[:MS]        held so long (2000) and then passed on, even when the client has left\n"
	"  stop              the whole proxy stops (SIGSTOP) with the call in hand, and passes it on when it is\n"
	"                    continued, even when the client has left\n"
	"Faults of an answer; what was asked for is done:\n"
	"  lost              the connection is closed without a byte\n"
	"  cut[:head]        half of the body (or of the head), then closed\n"
	"  half              half of the body, and no more until the client leaves\n"
	"  broken            a whole answer with half of a JSON document\n";

enum fault_type { NO_FAULT, BROKEN, CUT_BODY, CUT_HEAD, DELAY, ERROR, GARBAGE, HALF, LOST, REFUSE, STOP };

static const struct {
	const char *name;
	enum fault_type type;
	long value; /* default of the number after the colon; 0: none is taken */
} faults[] = {
	{"broken", BROKEN, 0}, {"cut", CUT_BODY, 0},    {"cut:head", CUT_HEAD, 0}, {"delay", DELAY, 2000},
	{"error", ERROR, 500}, {"garbage", GARBAGE, 0}, {"half", HALF, 0},         {"lost", LOST, 0},
	{"refuse", REFUSE, 0}, {"stop", STOP, 0},
};
enum { N_FAULTS = sizeof faults / sizeof *faults };

static struct {
	const char *match, *chance, *log, *fault;
	enum fault_type type;
	long value, at, from, seed;
	bool writes, reads, once;
} options = {.from = 1, .seed = 1, .chance = "1"};
static struct sockaddr_un engine_address = {.sun_family = AF_UNIX};
static int log_fd = -1;

struct buffer {
	char *bytes; /* NUL-terminated when n > 0 */
	size_t n;
};

enum phase {
	READING,   /* a request */
	HELD,      /* a complete one, until `due` */
	ASKING,    /* the engine */
	ANSWERING, /* the client */
	STALLED,   /* until the client leaves */
};

struct connection {
	int client, engine; /* -1: none */
	enum phase phase;
	struct buffer in, out;
	size_t request_size, sent; /* of `in`; of what is being written */
	long number;
	char method[16], path[512];
	enum fault_type fault;
	bool closing; /* after the answer */
	int status;
	int64_t came, due;
};

static struct connection *connections[MAX_CONNECTIONS];
static size_t n_connections;

static int64_t now_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static void buffer_add(struct buffer *b, const char *bytes, size_t n)
{
	b->bytes = realloc(b->bytes, b->n + n + 1);
	if (!b->bytes)
		abort();
	memcpy(b->bytes + b->n, bytes, n);
	b->n += n;
	b->bytes[b->n] = '\0';
}

static void buffer_drop(struct buffer *b, size_t n) /* from the front */
{
	memmove(b->bytes, b->bytes + n, b->n - n + 1);
	b->n -= n;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* HTTP's framing, RFC 9112 section 6. */

static size_t head_size(const struct buffer *b)
{
	const char *end = b->n ? strstr(b->bytes, "\r\n\r\n") : NULL;
	return end ? (size_t)(end - b->bytes) + 4 : 0;
}

static const char *header(const struct buffer *b, const char *name)
{
	size_t n = strlen(name);

	for (const char *line = strstr(b->bytes, "\r\n"); line && line[2] != '\r'; line = strstr(line + 2, "\r\n"))
		if (strncasecmp(line + 2, name, n) == 0 && line[2 + n] == ':')
			return line + 3 + n + strspn(line + 3 + n, " ");
	return NULL;
}

/* 0: not all of it is there yet. */
static size_t chunked_size(const struct buffer *b, size_t at)
{
	for (;;) {
		const char *line = b->bytes + at, *end = memmem(line, b->n - at, "\r\n", 2);
		if (!end)
			return 0;
		size_t chunk = strtoul(line, NULL, 16);
		at = (size_t)(end - b->bytes) + 2 + chunk + 2; /* trailers are not expected */
		if (at > b->n)
			return 0;
		if (chunk == 0)
			return at;
	}
}

/* 0: not all of it is there yet; without_length is what a message has that names no length. */
static size_t message_size(const struct buffer *b, size_t without_length)
{
	size_t head = head_size(b), size;

	if (head == 0)
		return 0;
	const char *encoding = header(b, "Transfer-Encoding"), *length = header(b, "Content-Length");
	if (encoding && strncasecmp(encoding, "chunked", 7) == 0)
		return chunked_size(b, head);
	size = length ? head + strtoul(length, NULL, 10) : without_length;
	return size <= b->n ? size : 0;
}

static size_t answer_size(const struct connection *c, bool ended)
{
	size_t head = head_size(&c->out);
	int status = 0;

	if (head == 0 || sscanf(c->out.bytes, "HTTP/%*s %d", &status) != 1)
		return ended ? c->out.n : 0;
	if (strcmp(c->method, "HEAD") == 0 || status == 204 || status == 304)
		return head;
	return message_size(&c->out, ended ? c->out.n : SIZE_MAX);
}

static void log_call(const struct connection *c)
{
	char line[1024];
	int n = snprintf(line, sizeof line, "%ld\t%s\t%s\t%s\t%d\t%lld\t%lld\n", c->number, c->method, c->path,
			 c->fault ? options.fault : "-", c->status, (long long)c->came, (long long)now_ms());

	if (log_fd >= 0 && write(log_fd, line, (size_t)n) != n)
		die("the log");
}

/* The first of its kind since the last call that was no read. */
static bool new_read(const char *call, bool read_only)
{
	static char *seen[1024];
	static size_t n;

	if (!read_only) {
		while (n > 0)
			free(seen[--n]);
		return false;
	}
	for (size_t i = 0; i < n; i++)
		if (strcmp(seen[i], call) == 0)
			return false;
	if (n < sizeof seen / sizeof *seen)
		seen[n++] = strdup(call);
	return true;
}

static bool chosen(const struct connection *c)
{
	static long matching, spoiled;
	char call[sizeof c->method + sizeof c->path];
	bool read_only = strcmp(c->method, "GET") == 0 || strcmp(c->method, "HEAD") == 0;

	snprintf(call, sizeof call, "%s %s", c->method, c->path);
	if ((options.writes && read_only) || (options.reads && !new_read(call, read_only)) ||
	    (options.match && !strstr(call, options.match)))
		return false;
	matching++;
	if (matching < options.from || (options.at && matching != options.at) || drand48() >= atof(options.chance))
		return false;
	return ++spoiled == 1 || !options.once;
}

static void drop(struct connection *c)
{
	for (size_t i = 0; i < n_connections; i++)
		if (connections[i] == c)
			connections[i] = connections[--n_connections];
	close(c->client);
	if (c->engine >= 0)
		close(c->engine);
	free(c->in.bytes);
	free(c->out.bytes);
	free(c);
}

static void drop_logged(struct connection *c)
{
	log_call(c);
	drop(c);
}

static void ask_engine(struct connection *c)
{
	c->engine = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (connect(c->engine, (struct sockaddr *)&engine_address, sizeof engine_address) < 0) {
		c->status = 0; /* it does not run: as if there were no proxy either */
		drop_logged(c);
		return;
	}
	fcntl(c->engine, F_SETFL, O_NONBLOCK);
	c->phase = ASKING;
	c->sent = 0;
}

static void answer(struct connection *c)
{
	c->phase = ANSWERING;
	c->sent = 0;
}

static void answer_error(struct connection *c)
{
	static const char body[] = "{\"message\":\"the proxy was told to fail\"}\n";
	char head[256];

	c->status = (int)options.value;
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %d Fault\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
			 c->status, sizeof body - 1);
	buffer_add(&c->out, head, (size_t)n);
	buffer_add(&c->out, body, sizeof body - 1);
	answer(c);
}

/* Returns at once for a connection that has no complete request. */
static void begin_call(struct connection *c)
{
	static long calls;

	c->request_size = message_size(&c->in, head_size(&c->in));
	if (c->request_size == 0)
		return;
	c->number = ++calls;
	c->came = now_ms();
	c->out.n = 0;
	c->closing = false;
	c->status = 0;
	if (sscanf(c->in.bytes, "%15s %511s", c->method, c->path) != 2) {
		drop(c);
		return;
	}
	c->fault = options.type && chosen(c) ? options.type : NO_FAULT;
	switch (c->fault) {
	case ERROR:
		answer_error(c);
		break;
	case REFUSE:
		drop_logged(c);
		break;
	case GARBAGE:
		buffer_add(&c->out, "SSH-2.0-OpenSSH_9.2\r\n", 21);
		c->closing = true;
		answer(c);
		break;
	case DELAY:
		c->phase = HELD;
		c->due = now_ms() + options.value;
		break;
	case STOP:
		raise(SIGSTOP);
		ask_engine(c);
		break;
	default:
		ask_engine(c);
	}
}

/* A whole answer whose JSON is not: the length is right. */
static void break_answer(struct connection *c)
{
	static const char body[] = "[{\"ID\":\"x\",";
	char head[256];
	int n = snprintf(head, sizeof head,
			 "HTTP/1.1 %d Fault\r\nContent-Type: application/json\r\nContent-Length: %zu\r\n\r\n",
			 c->status, sizeof body - 1);

	c->out.n = 0;
	buffer_add(&c->out, head, (size_t)n);
	buffer_add(&c->out, body, sizeof body - 1);
}

static void answer_came(struct connection *c)
{
	size_t head = head_size(&c->out), body = c->out.n - head;

	close(c->engine);
	c->engine = -1;
	if (head == 0 || c->fault == LOST) {
		drop_logged(c);
		return;
	}
	sscanf(c->out.bytes, "HTTP/%*s %d", &c->status);
	if (c->fault == BROKEN)
		break_answer(c);
	else if (c->fault == CUT_HEAD || (body == 0 && (c->fault == CUT_BODY || c->fault == HALF)))
		c->out.n = head / 2;
	else if (c->fault == CUT_BODY || c->fault == HALF)
		c->out.n = head + body / 2;
	c->closing = c->fault == CUT_HEAD || c->fault == CUT_BODY;
	answer(c);
}

static void answer_sent(struct connection *c)
{
	log_call(c);
	if (c->closing) {
		drop(c);
	} else if (c->fault == HALF) {
		c->phase = STALLED;
	} else {
		c->phase = READING;
		buffer_drop(&c->in, c->request_size);
		begin_call(c);
	}
}

/* False at the end, which a reset is as well. */
static bool receive(int fd, struct buffer *b)
{
	static char bytes[READ_SIZE];
	ssize_t n = read(fd, bytes, sizeof bytes);

	if (n > 0)
		buffer_add(b, bytes, (size_t)n);
	return n > 0 || (n < 0 && errno == EAGAIN);
}

static bool send_some(struct connection *c, int fd, const struct buffer *b, size_t size)
{
	ssize_t n = send(fd, b->bytes + c->sent, size - c->sent, MSG_NOSIGNAL);

	if (n < 0)
		return errno == EAGAIN;
	c->sent += (size_t)n;
	return true;
}

static void on_client(struct connection *c, short events)
{
	if (c->phase == ANSWERING) {
		if (!send_some(c, c->client, &c->out, c->out.n))
			drop_logged(c);
		else if (c->sent == c->out.n)
			answer_sent(c);
	} else if (c->phase == READING) {
		if (receive(c->client, &c->in))
			begin_call(c);
		else
			drop(c);
	} else if (events & (POLLHUP | POLLRDHUP | POLLERR)) {
		c->status = 0;
		if (c->phase == STALLED)
			drop(c);
		else
			drop_logged(c);
	}
}

static void on_engine(struct connection *c, short events)
{
	if ((events & POLLOUT) && !send_some(c, c->engine, &c->in, c->request_size))
		drop_logged(c);
	else if (events & (POLLIN | POLLHUP | POLLERR)) {
		bool more = receive(c->engine, &c->out);
		if (!more || answer_size(c, false) > 0)
			answer_came(c);
	}
}

static void accept_client(int listener)
{
	struct connection *c = calloc(1, sizeof *c);

	if (!c)
		abort();
	*c = (struct connection){.client = accept4(listener, NULL, NULL, SOCK_NONBLOCK | SOCK_CLOEXEC), .engine = -1};
	if (c->client < 0)
		free(c);
	else
		connections[n_connections++] = c;
}

/* A held call is passed on even without its client; nobody hears the answer then. */
static short client_events(const struct connection *c)
{
	static const short events[] = {
		[READING] = POLLIN, [ASKING] = POLLRDHUP, [ANSWERING] = POLLOUT, [STALLED] = POLLRDHUP};
	bool alone = c->fault == DELAY || c->fault == STOP;
	return c->phase == ASKING && alone ? 0 : events[c->phase];
}

static void serve(int listener)
{
	struct pollfd fds[1 + 2 * MAX_CONNECTIONS];
	struct connection *of[1 + 2 * MAX_CONNECTIONS];

	for (;;) {
		int64_t wait = -1;
		nfds_t n = 1;
		fds[0] = (struct pollfd){n_connections < MAX_CONNECTIONS ? listener : -1, POLLIN, 0};
		for (size_t i = 0; i < n_connections; i++) {
			struct connection *c = connections[i];
			if (c->phase == HELD) {
				int64_t left = c->due > now_ms() ? c->due - now_ms() : 0;
				wait = wait < 0 || left < wait ? left : wait;
			}
			of[n] = c;
			fds[n++] = (struct pollfd){client_events(c) ? c->client : -1, client_events(c), 0};
			of[n] = c;
			fds[n++] = (struct pollfd){c->engine,
						   (short)(POLLIN | (c->sent < c->request_size ? POLLOUT : 0)), 0};
		}
		if (poll(fds, n, (int)wait) < 0)
			die("poll");
		for (nfds_t i = 1; i < n; i += 2) {
			if (of[i]->phase == HELD && of[i]->due <= now_ms())
				ask_engine(of[i]);
			else if (fds[i + 1].revents)
				on_engine(of[i], fds[i + 1].revents);
			else if (fds[i].revents)
				on_client(of[i], fds[i].revents);
		}
		if (fds[0].revents)
			accept_client(listener);
	}
}

static void refuse_options(const char *why, const char *what)
{
	fprintf(stderr, "proxy: %s %s\n\n%s", why, what, usage);
	exit(64);
}

static void set_fault(const char *text)
{
	size_t name = strcspn(text, ":"), i = 0;

	while (i < N_FAULTS && strcmp(text, faults[i].name) != 0 &&
	       (faults[i].value == 0 || strncmp(text, faults[i].name, name) != 0 || faults[i].name[name]))
		i++;
	if (i == N_FAULTS)
		refuse_options("no such fault:", text);
	options.type = faults[i].type;
	options.value = text[name] ? atol(text + name + 1) : faults[i].value;
}

static void read_options(int argc, char **argv)
{
	static const struct {
		const char *name;
		bool *flag;
		long *number;
		const char **text;
	} table[] = {
		{"--writes", &options.writes, NULL, NULL}, {"--reads", &options.reads, NULL, NULL},
		{"--once", &options.once, NULL, NULL},     {"--at", NULL, &options.at, NULL},
		{"--from", NULL, &options.from, NULL},     {"--seed", NULL, &options.seed, NULL},
		{"--match", NULL, NULL, &options.match},   {"--fault", NULL, NULL, &options.fault},
		{"--chance", NULL, NULL, &options.chance}, {"--log", NULL, NULL, &options.log},
	};
	const size_t n = sizeof table / sizeof *table;

	for (int i = 3; i < argc; i++) {
		size_t k = 0;
		while (k < n && strcmp(argv[i], table[k].name) != 0)
			k++;
		if (k == n || (!table[k].flag && !argv[i + 1]))
			refuse_options(k == n ? "no such option:" : "a value is missing after", argv[i]);
		if (table[k].flag)
			*table[k].flag = true;
		else if (table[k].number)
			*table[k].number = atol(argv[++i]);
		else
			*table[k].text = argv[++i];
	}
	if (options.fault)
		set_fault(options.fault);
	srand48(options.seed);
	if (options.log && (log_fd = open(options.log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
		die(options.log);
}

int main(int argc, char **argv)
{
	struct sockaddr_un address = {.sun_family = AF_UNIX};

	if (argc == 2 && strcmp(argv[1], "--help") == 0) {
		fputs(usage, stdout);
		return 0;
	}
	if (argc < 3)
		refuse_options("give the socket to make and the engine's", "");
	read_options(argc, argv);
	snprintf(address.sun_path, sizeof address.sun_path, "%s", argv[1]);
	snprintf(engine_address.sun_path, sizeof engine_address.sun_path, "%s", argv[2]);
	signal(SIGPIPE, SIG_IGN);
	unlink(address.sun_path);
	int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (bind(listener, (struct sockaddr *)&address, sizeof address) < 0 || listen(listener, 64) < 0)
		die(address.sun_path);
	serve(listener);
}
