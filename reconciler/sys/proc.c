#include "sys/proc.h"

#include "sys/clock.h"
#include "sys/signals.h"
#include "sys/trace.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#define DEFAULT_GRACE_MS 2000
#define DEFAULT_MAX_OUTPUT (1 << 20)
/* How long output of the group's other members is read after the child itself has ended. */
#define DRAIN_MS 100
/* SIGKILL waits for a system call that cannot be interrupted (a dead NFS server): so long, then the child is left. */
#define KILL_MS 5000

extern char **environ;

struct pipe_in {
	int fd; /* -1: end of file, or closed */
	struct str data;
	size_t taken; /* bytes at the start that a conversation has consumed */
};

enum stage { RUNNING, TERMINATING, KILLED };

struct proc {
	char *name;   /* argv[0] */
	char *target; /* argv in one line, for the trace */
	int64_t started, since, deadline, grace_ms;
	size_t max_output;
	bool uncancellable;
	bool keep_stdin;
	pid_t pid;
	int pidfd;
	int in; /* -1: closed */
	struct str input;
	size_t written;
	struct pipe_in out, err;
	enum stage stage;
	int64_t stage_end; /* TERMINATING, KILLED: when the next stage begins */
	bool exited;
	int64_t drain_end; /* exited: output is read until then at most */
	int64_t look_at;   /* when somebody wants to know what has come; 0: nobody does */
	siginfo_t status;
	struct err failure; /* why it is being ended; ERR_NONE: it is not */
};

void proc_result_free(struct proc_result *r)
{
	str_free(&r->out);
	str_free(&r->err);
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

static void proc_free(struct proc *p)
{
	close_fd(&p->in);
	close_fd(&p->out.fd);
	close_fd(&p->err.fd);
	close_fd(&p->pidfd);
	str_free(&p->input);
	str_free(&p->out.data);
	str_free(&p->err.data);
	free(p->name);
	free(p->target);
	free(p);
}

/* For the trace: of a script its first line says enough. */
static char *join_argv(const char *const *argv)
{
	struct str s = {0};
	for (size_t i = 0; argv[i]; i++) {
		size_t len = strcspn(argv[i], "\n");
		str_addf(&s, "%s%.*s%s", i ? " " : "", (int)len, argv[i], argv[i][len] ? " …" : "");
	}
	return str_steal(&s);
}

/* ours: the end that stays here. Both are close-on-exec; dup2 in the child makes its copy inheritable. */
static int open_pipe(bool writable, int *ours, int *theirs)
{
	int fds[2];

	if (pipe2(fds, O_CLOEXEC) < 0)
		return -1;
	*ours = fds[writable ? 1 : 0];
	*theirs = fds[writable ? 0 : 1];
	return fcntl(*ours, F_SETFL, O_NONBLOCK);
}

/* A session of its own: its process group is killable as one, and no terminal can stop it by asking for a password. */
static int set_attributes(posix_spawnattr_t *attr)
{
	sigset_t none, all;

	sigemptyset(&none);
	sigfillset(&all);
	posix_spawnattr_setsigmask(attr, &none);
	posix_spawnattr_setsigdefault(attr, &all);
	return posix_spawnattr_setflags(attr, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
}

static int set_files(posix_spawn_file_actions_t *fa, const struct proc_options *o, const int fds[static 3])
{
	int rc = 0;

	if (fds[0] >= 0)
		rc = posix_spawn_file_actions_adddup2(fa, fds[0], STDIN_FILENO);
	else
		rc = posix_spawn_file_actions_addopen(fa, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
	rc = rc ? rc : posix_spawn_file_actions_adddup2(fa, fds[1], STDOUT_FILENO);
	rc = rc ? rc : posix_spawn_file_actions_adddup2(fa, fds[2], STDERR_FILENO);
	rc = rc ? rc : posix_spawn_file_actions_addclosefrom_np(fa, STDERR_FILENO + 1);
	if (!rc && o->cwd)
		rc = posix_spawn_file_actions_addchdir_np(fa, o->cwd);
	return rc;
}

static int spawn(const struct proc_options *o, const int fds[static 3], pid_t *pid)
{
	posix_spawn_file_actions_t fa;
	posix_spawnattr_t attr;

	posix_spawn_file_actions_init(&fa);
	posix_spawnattr_init(&attr);
	int rc = set_files(&fa, o, fds);
	rc = rc ? rc : set_attributes(&attr);
	if (!rc)
		rc = posix_spawnp(pid, o->argv[0], &fa, &attr, (char *const *)o->argv,
				  o->env ? (char *const *)o->env : environ);
	posix_spawnattr_destroy(&attr);
	posix_spawn_file_actions_destroy(&fa);
	return rc;
}

static int start_error(const struct proc_options *o, int rc, struct err *err)
{
	if (o->cwd && access(o->cwd, X_OK) < 0)
		return err_sys(err, "start %s in %s", o->argv[0], o->cwd);
	if (rc == ENOENT)
		return err_set(err, ERR_NOT_FOUND, "start %s: no such program%s", o->argv[0],
			       strchr(o->argv[0], '/') ? "" : " in PATH");
	errno = rc;
	return err_sys(err, "start %s", o->argv[0]);
}

/* A child that cannot be watched is ended. */
static int watch(const char *name, pid_t pid, int *pidfd, struct err *err)
{
	*pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (*pidfd >= 0)
		return 0;
	err_sys(err, "watch %s", name);
	kill(-pid, SIGKILL);
	waitpid(pid, NULL, 0);
	return -1;
}

static int launch(struct proc *p, const struct proc_options *o, struct err *err)
{
	int theirs[3] = {-1, -1, -1};
	bool has_stdin = o->input || o->keep_stdin;
	int rc;

	if ((has_stdin && open_pipe(true, &p->in, &theirs[0]) < 0) || open_pipe(false, &p->out.fd, &theirs[1]) < 0 ||
	    open_pipe(false, &p->err.fd, &theirs[2]) < 0)
		rc = errno;
	else
		rc = spawn(o, theirs, &p->pid);
	for (size_t i = 0; i < ARRAY_SIZE(theirs); i++)
		close_fd(&theirs[i]);
	if (rc)
		return start_error(o, rc, err);
	return watch(o->argv[0], p->pid, &p->pidfd, err);
}

int proc_spawn(const char *const *argv, const int fds[static 3], pid_t *pid, int *pidfd, struct err *err)
{
	const struct proc_options o = {.argv = argv};

	signals_prepare();
	int rc = spawn(&o, fds, pid);
	return rc ? start_error(&o, rc, err) : watch(argv[0], *pid, pidfd, err);
}

/* The child may close its stdin early: that is its right, the rest of the input is dropped. */
static void write_input(struct proc *p)
{
	ssize_t n = write(p->in, p->input.data + p->written, p->input.len - p->written);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		p->written += (size_t)n;
	if (n < 0 || (p->written == p->input.len && !p->keep_stdin))
		close_fd(&p->in);
	if (n < 0 || p->written == p->input.len) {
		str_reset(&p->input);
		p->written = 0;
	}
}

static bool has_input(const struct proc *p)
{
	return p->in >= 0 && p->written < p->input.len;
}

int proc_start(const struct proc_options *o, struct proc **out, struct err *err)
{
	struct proc *p = xcalloc(1, sizeof(*p));

	signals_prepare();
	p->name = xstrdup(o->argv[0]);
	p->target = join_argv(o->argv);
	p->started = clock_ms();
	p->since = o->since ? o->since : p->started;
	p->deadline = o->deadline;
	p->grace_ms = o->grace_ms ? o->grace_ms : DEFAULT_GRACE_MS;
	p->max_output = o->max_output ? o->max_output : DEFAULT_MAX_OUTPUT;
	p->uncancellable = o->uncancellable;
	p->keep_stdin = o->keep_stdin;
	p->in = p->out.fd = p->err.fd = p->pidfd = -1;
	if (o->input)
		str_add(&p->input, o->input, o->input_len);
	if (launch(p, o, err) < 0) {
		proc_free(p);
		return -1;
	}
	/* What the pipe holds is written now, so that the child works while nobody waits for it. */
	if (has_input(p))
		write_input(p);
	*out = p;
	return 0;
}

static void enter_stage(struct proc *p, enum stage stage, int64_t duration)
{
	p->stage = stage;
	p->stage_end = clock_ms() + duration;
}

/* A stopped process takes no signal but SIGKILL until it is continued. */
static void terminate(struct proc *p)
{
	if (p->stage != RUNNING)
		return;
	kill(-p->pid, SIGCONT);
	kill(-p->pid, SIGTERM);
	enter_stage(p, TERMINATING, p->grace_ms);
}

static void kill_group(struct proc *p)
{
	kill(-p->pid, SIGKILL);
	enter_stage(p, KILLED, KILL_MS);
}

/* The child is a zombie until it is reaped, so its group's number cannot be another's yet. */
static void reap(struct proc *p)
{
	kill(-p->pid, SIGKILL);
	while (waitid(P_PIDFD, (id_t)p->pidfd, &p->status, WEXITED) < 0 && errno == EINTR)
		;
}

static size_t available(const struct pipe_in *in)
{
	return in->data.len - in->taken;
}

static void fail_limit(struct proc *p, const char *which)
{
	if (p->failure.code != ERR_NONE)
		return;
	err_set(&p->failure, ERR_LIMIT, "%s: more than %zu bytes on %s; it was ended", p->name, p->max_output, which);
	terminate(p);
}

/* Reads what is there, at most one buffer. What comes after a failure is thrown away, so that the child can end. */
static void read_pipe(struct proc *p, struct pipe_in *in, bool capped, const char *which)
{
	char buf[65536];
	ssize_t n = read(in->fd, buf, sizeof(buf));

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		close_fd(&in->fd);
		return;
	}
	size_t keep = (size_t)n;
	if (capped) {
		size_t room = p->max_output > available(in) ? p->max_output - available(in) : 0;
		if (keep > room) {
			keep = room;
			fail_limit(p, which);
		}
	}
	if (p->failure.code == ERR_NONE)
		str_add(&in->data, buf, keep);
}

static bool watches_cancel(const struct proc *p)
{
	return !p->uncancellable && p->stage == RUNNING && p->failure.code == ERR_NONE;
}

static void check_end(struct proc *p)
{
	if (p->stage == RUNNING && p->failure.code == ERR_NONE) {
		if (clock_left(p->deadline) == 0)
			err_set(&p->failure, ERR_TIMEOUT,
				"%s: still running at its deadline, after %.1f s; it was ended", p->name,
				(double)(clock_ms() - p->since) / 1000);
		else if (watches_cancel(p) && cancel_requested())
			err_set(&p->failure, ERR_CANCELLED, "%s: ended because the run was cancelled", p->name);
		else
			return;
		terminate(p);
	} else if (p->stage == TERMINATING && clock_left(p->stage_end) == 0) {
		kill_group(p);
	}
}

static int poll_timeout(const struct proc *p)
{
	int64_t end = p->exited ? p->drain_end : p->stage == RUNNING ? p->deadline : p->stage_end;
	int64_t left = clock_left(p->look_at && p->look_at < end ? p->look_at : end);

	return left < INT_MAX ? (int)left : INT_MAX;
}

/*
 * One round: waits until something happens and deals with it. need is how much
 * a conversation waits for on stdout: beyond that and the cap the pipe's own
 * limit holds the child back. Without a conversation the cap is an error.
 */
static void pump(struct proc *p, bool conversation, size_t need)
{
	size_t limit = need > p->max_output ? need : p->max_output;
	bool read_out = !conversation || available(&p->out) < limit;
	enum { IN, OUT, ERR, EXIT, CANCEL, N };
	struct pollfd fds[N] = {
		[IN] = {.fd = has_input(p) ? p->in : -1, .events = POLLOUT},
		[OUT] = {.fd = read_out ? p->out.fd : -1, .events = POLLIN},
		[ERR] = {.fd = p->err.fd, .events = POLLIN},
		[EXIT] = {.fd = p->exited ? -1 : p->pidfd, .events = POLLIN},
		[CANCEL] = {.fd = watches_cancel(p) ? cancel_fd() : -1, .events = POLLIN},
	};

	if (poll(fds, N, poll_timeout(p)) > 0) {
		if (fds[IN].revents)
			write_input(p);
		if (fds[OUT].revents)
			read_pipe(p, &p->out, !conversation, "stdout");
		if (fds[ERR].revents)
			read_pipe(p, &p->err, true, "stderr");
		if (fds[EXIT].revents) {
			p->exited = true;
			p->drain_end = clock_ms() + DRAIN_MS;
		}
	}
	if (!p->exited)
		check_end(p);
}

/* Runs the child to its end. False: it could not be killed and is left behind. */
static bool finish(struct proc *p)
{
	p->keep_stdin = false;
	if (!has_input(p))
		close_fd(&p->in);
	while (!p->exited) {
		pump(p, false, 0);
		if (p->stage == KILLED && !p->exited && clock_left(p->stage_end) == 0)
			return false;
	}
	close_fd(&p->in);
	while ((p->out.fd >= 0 || p->err.fd >= 0) && clock_left(p->drain_end) > 0)
		pump(p, false, 0);
	reap(p);
	return true;
}

static void fill_result(struct proc *p, struct proc_result *r)
{
	bool exited = p->status.si_code == CLD_EXITED;

	*r = (struct proc_result){
		.exit_status = exited ? p->status.si_status : -1,
		.signal = exited ? 0 : p->status.si_status,
		.err = p->err.data,
	};
	if (p->out.taken)
		str_add(&r->out, p->out.data.data + p->out.taken, available(&p->out));
	else
		r->out = p->out.data, p->out.data = (struct str){0};
	p->err.data = (struct str){0};
}

bool proc_wait_output(struct proc *p, int64_t until)
{
	p->look_at = until;
	while (available(&p->out) == 0 && p->out.fd >= 0 && !p->exited && p->stage == RUNNING && clock_left(until) > 0)
		pump(p, false, 0);
	p->look_at = 0;
	return available(&p->out) > 0 || p->out.fd < 0 || p->exited || p->stage != RUNNING;
}

int proc_finish(struct proc *p, struct proc_result *r, struct err *err)
{
	bool dead = finish(p);
	int rc = 0;

	trace_event("exec", p->target, dead && p->status.si_code == CLD_EXITED ? p->status.si_status : -1,
		    (double)(clock_ms() - p->started));
	if (p->failure.code == ERR_NONE)
		fill_result(p, r);
	else if (dead)
		rc = err_set(err, p->failure.code, "%s", p->failure.msg);
	else
		rc = err_set(err, p->failure.code, "%s, but not even SIGKILL ends process %d (it hangs in the kernel)",
			     p->failure.msg, (int)p->pid);
	proc_free(p);
	return rc;
}

void proc_kill(struct proc *p)
{
	if (!p)
		return;
	if (!p->exited)
		kill_group(p);
	err_set(&p->failure, ERR_CANCELLED, "%s: given up", p->name);
	finish(p);
	proc_free(p);
}

int proc_run(const struct proc_options *o, struct proc_result *r, struct err *err)
{
	struct proc *p;

	if (proc_start(o, &p, err) < 0)
		return -1;
	return proc_finish(p, r, err);
}

/* The last line that is not blank; *len excludes the line's end. */
static const char *last_line(const struct str *s, size_t *len)
{
	const char *text = str_cstr(s), *end = text + s->len;

	while (end > text && strchr(" \t\r\n", end[-1]))
		end--;
	const char *start = end;
	while (start > text && start[-1] != '\n')
		start--;
	*len = (size_t)(end - start);
	return start;
}

static int exit_error(const char *name, const struct proc_result *r, struct err *err)
{
	size_t len;
	const char *line = last_line(&r->err, &len);
	_cleanup_free_ char *how = r->signal ? xasprintf("killed by signal %d (%s)", r->signal, strsignal(r->signal))
					     : xasprintf("exit status %d", r->exit_status);

	if (len == 0)
		return err_set(err, ERR_FAILED, "%s: %s", name, how);
	return err_set(err, ERR_FAILED, "%s: %s: %.*s", name, how, len < 500 ? (int)len : 500, line);
}

int proc_run_checked(const struct proc_options *o, struct proc_result *r, struct err *err)
{
	if (proc_run(o, r, err) < 0)
		return -1;
	return r->exit_status == 0 ? 0 : exit_error(o->argv[0], r, err);
}

/* The conversation is over: by a failure of ours, or because the child closed its stdout. */
static int conversation_error(struct proc *p, struct err *err)
{
	size_t len;

	if (p->failure.code == ERR_NONE && !p->exited) { /* its last words */
		int64_t end = clock_ms() + DRAIN_MS;
		while (!p->exited && clock_left(end) > 0 && p->failure.code == ERR_NONE)
			pump(p, true, 0);
	}
	if (p->failure.code != ERR_NONE)
		return err_set(err, p->failure.code, "%s", p->failure.msg);
	const char *line = last_line(&p->err.data, &len);
	return err_set(err, ERR_FAILED, "%s: ended in the middle of the conversation%s%.*s", p->name, len ? ": " : "",
		       len < 500 ? (int)len : 500, line);
}

int proc_write(struct proc *p, const void *buf, size_t n, struct err *err)
{
	str_add(&p->input, buf, n);
	while (has_input(p) && !p->exited && p->failure.code == ERR_NONE)
		pump(p, true, 0);
	if (p->in < 0 || p->exited || p->failure.code != ERR_NONE)
		return conversation_error(p, err);
	return 0;
}

static bool wait_output(struct proc *p, size_t need)
{
	while (available(&p->out) < need && p->out.fd >= 0 && p->failure.code == ERR_NONE &&
	       !(p->exited && clock_left(p->drain_end) == 0))
		pump(p, true, need);
	return available(&p->out) >= need && p->failure.code == ERR_NONE;
}

static void consume(struct proc *p, size_t n)
{
	p->out.taken += n;
	if (available(&p->out) == 0) {
		str_reset(&p->out.data);
		p->out.taken = 0;
	}
}

int proc_read_exact(struct proc *p, void *buf, size_t n, struct err *err)
{
	if (!wait_output(p, n))
		return conversation_error(p, err);
	if (n)
		memcpy(buf, p->out.data.data + p->out.taken, n);
	consume(p, n);
	return 0;
}

int proc_read_line(struct proc *p, struct str *line, size_t max, struct err *err)
{
	size_t seen = 0;

	for (;;) {
		const char *start = str_cstr(&p->out.data) + p->out.taken;
		const char *nl = memchr(start + seen, '\n', available(&p->out) - seen);
		size_t len = nl ? (size_t)(nl - start) : available(&p->out);
		if (len > max)
			return err_set(err, ERR_LIMIT, "%s: a line of more than %zu bytes", p->name, max);
		if (nl) {
			str_add(line, start, len);
			consume(p, len + 1);
			return 0;
		}
		seen = len;
		if (!wait_output(p, seen + 1))
			return conversation_error(p, err);
	}
}
