/* Children that misbehave: the caller gets a clear error in time, and nothing is left running. */
#include "sys/proc.h"

#include "sys/clock.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

static struct err err;
static struct proc_result res;

static int setup(void **state)
{
	(void)state;
	err = (struct err){0};
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	proc_result_free(&res);
	res = (struct proc_result){0};
	return 0;
}

#define SH(script) \
	(const char *const[]) \
	{ \
		"sh", "-c", (script), NULL \
	}

static struct proc_options options(const char *const *argv, int64_t ms)
{
	return (struct proc_options){.argv = argv, .deadline = clock_ms() + ms, .grace_ms = 200};
}

/* A process that is a zombie of somebody else's or not there is gone. */
static bool is_gone(pid_t pid)
{
	char path[64], state = 'Z';
	snprintf(path, sizeof(path), "/proc/%d/stat", (int)pid);
	for (int i = 0; i < 100; i++) {
		FILE *f = fopen(path, "re");
		if (!f)
			return true;
		if (fscanf(f, "%*d (%*[^)]) %c", &state) != 1)
			state = 'Z';
		fclose(f);
		if (state == 'Z')
			return true;
		clock_sleep(10);
	}
	return false;
}

static size_t open_fds(void)
{
	size_t n = 0;
	DIR *d = opendir("/proc/self/fd");
	assert_non_null(d);
	while (readdir(d))
		n++;
	closedir(d);
	return n;
}

/* Runs a script that writes its pids to a file first; the error, and how long it took. */
static int64_t run_and_fail(const char *script, struct proc_options o, enum err_code code, pid_t *pid)
{
	char path[] = "/tmp/reconcile-proc.XXXXXX", line[32];
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	const char *const argv[] = {"sh", "-c", script, "sh", path, NULL};
	o.argv = argv;
	int64_t start = clock_ms();
	assert_int_equal(proc_run(&o, &res, &err), -1);
	int64_t took = clock_ms() - start;
	assert_int_equal(err.code, code);
	ssize_t n = read(fd, line, sizeof(line) - 1);
	close(fd);
	unlink(path);
	assert_true(n > 0);
	line[n] = '\0';
	*pid = (pid_t)strtol(line, NULL, 10);
	assert_true(*pid > 1);
	return took;
}

static void output_status_and_stderr(void **state)
{
	(void)state;
	struct proc_options o = options(SH("echo out; echo err >&2; exit 7"), 5000);
	assert_int_equal(proc_run(&o, &res, &err), 0);
	assert_string_equal(str_cstr(&res.out), "out\n");
	assert_string_equal(str_cstr(&res.err), "err\n");
	assert_int_equal(res.exit_status, 7);
	assert_int_equal(res.signal, 0);
	assert_int_equal(err.code, ERR_NONE);
}

static void checked_gives_the_last_line(void **state)
{
	(void)state;
	struct proc_options o = options(SH("echo first >&2; echo 'the reason' >&2; echo >&2; exit 3"), 5000);
	assert_int_equal(proc_run_checked(&o, &res, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	assert_string_equal(err.msg, "sh: exit status 3: the reason");
	assert_int_equal(res.exit_status, 3);
}

static void killed_by_a_signal(void **state)
{
	(void)state;
	struct proc_options o = options(SH("kill -9 $$"), 5000);
	assert_int_equal(proc_run_checked(&o, &res, &err), -1);
	assert_int_equal(res.exit_status, -1);
	assert_int_equal(res.signal, SIGKILL);
	assert_string_equal(err.msg, "sh: killed by signal 9 (Killed)");
}

static void missing_program(void **state)
{
	(void)state;
	size_t fds = open_fds();
	setenv("PATH", "/usr/bin:/bin", 1); /* a directory that may not be searched would be "permission denied" */
	struct proc_options o = options((const char *const[]){"reconcile-no-such-program", NULL}, 5000);
	assert_int_equal(proc_run(&o, &res, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.msg, "start reconcile-no-such-program: no such program in PATH");
	o.argv = (const char *const[]){"/etc/passwd", NULL};
	assert_int_equal(proc_run(&o, &res, &err), -1);
	assert_int_equal(err.code, ERR_DENIED);
	o = options(SH(":"), 5000);
	o.cwd = "/no/such/place";
	assert_int_equal(proc_run(&o, &res, &err), -1);
	assert_non_null(strstr(err.msg, "/no/such/place"));
	assert_int_equal(open_fds(), fds);
}

static void environment_and_directory(void **state)
{
	(void)state;
	struct proc_options o = options((const char *const[]){"/bin/sh", "-c", "echo $A-$HOME; pwd", NULL}, 5000);
	o.env = (const char *const[]){"A=b c", NULL};
	o.cwd = "/usr";
	assert_int_equal(proc_run(&o, &res, &err), 0);
	assert_string_equal(str_cstr(&res.out), "b c-\n/usr\n");
}

static void no_stdin_is_empty(void **state)
{
	(void)state;
	struct proc_options o = options((const char *const[]){"cat", NULL}, 5000);
	assert_int_equal(proc_run(&o, &res, &err), 0);
	assert_int_equal(res.out.len, 0);
}

/* More than two pipes hold, both ways at once. */
static void big_input(void **state)
{
	(void)state;
	size_t n = 8 << 20;
	char *data = xmalloc(n);
	for (size_t i = 0; i < n; i++)
		data[i] = (char)(i * 2654435761u >> 13);
	struct proc_options o = options((const char *const[]){"cat", NULL}, 20000);
	o.input = data;
	o.input_len = n;
	o.max_output = n;
	assert_int_equal(proc_run(&o, &res, &err), 0);
	assert_int_equal(res.out.len, n);
	assert_memory_equal(res.out.data, data, n);
	free(data);
}

static void stdin_closed_early(void **state)
{
	(void)state;
	size_t n = 4 << 20;
	char *data = xcalloc(1, n);
	struct proc_options o = options(SH("exec <&-; sleep 0.05; echo done"), 5000);
	o.input = data;
	o.input_len = n;
	assert_int_equal(proc_run(&o, &res, &err), 0);
	assert_string_equal(str_cstr(&res.out), "done\n");
	free(data);
}

static void ends_at_the_deadline(void **state)
{
	(void)state;
	pid_t pid;
	int64_t took = run_and_fail("echo $$ >$1; exec sleep 60", options(NULL, 150), ERR_TIMEOUT, &pid);
	assert_in_range(took, 100, 2000);
	assert_true(is_gone(pid));
	assert_int_equal(strncmp(err.msg, "sh: still running at its deadline", 33), 0);
}

static void ignores_sigterm(void **state)
{
	(void)state;
	pid_t pid;
	int64_t took = run_and_fail("trap '' TERM; echo $$ >$1; while :; do sleep 0.1; done", options(NULL, 150),
				    ERR_TIMEOUT, &pid);
	assert_in_range(took, 300, 3000); /* deadline and grace */
	assert_true(is_gone(pid));
}

/* Whether it has begun to talk, or ended; what it says is there in the end. */
static void its_first_words(void **state)
{
	(void)state;
	static const struct {
		const char *script;
		bool heard;
	} cases[] = {
		{"echo words; exec sleep 100", true},
		{"exit 3", true},
		{"echo complaint >&2; exec sleep 100", false},
	};
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct proc_options o = options(SH(cases[i].script), 9000);
		struct proc *p;
		int64_t start = clock_ms();
		assert_int_equal(proc_start(&o, &p, &err), 0);
		assert_int_equal(proc_wait_output(p, start + (cases[i].heard ? 8000 : 300)), cases[i].heard);
		assert_true(clock_ms() - start < 8000);
		proc_kill(p);
	}
	struct proc_options o = options(SH("echo first; read gone; echo second"), 9000);
	struct proc *p;
	assert_int_equal(proc_start(&o, &p, &err), 0);
	assert_true(proc_wait_output(p, clock_ms() + 8000));
	assert_int_equal(proc_finish(p, &res, &err), 0);
	assert_string_equal(str_cstr(&res.out), "first\nsecond\n");
}

static void gets_its_grace(void **state)
{
	(void)state;
	char path[] = "/tmp/reconcile-grace.XXXXXX", text[16] = "";
	int fd = mkstemp(path);
	assert_true(fd >= 0);
	const char *const argv[] = {"sh", "-c", "trap 'echo cleaned >$1; exit' TERM; while :; do sleep 0.02; done",
				    "sh", path, NULL};
	struct proc_options o = options(argv, 200);
	o.grace_ms = 5000;
	int64_t start = clock_ms();
	assert_int_equal(proc_run(&o, &res, &err), -1);
	assert_in_range(clock_ms() - start, 200, 3000);
	assert_int_equal(read(fd, text, sizeof(text) - 1), 8);
	assert_string_equal(text, "cleaned\n");
	close(fd);
	unlink(path);
}

static void stopped_child(void **state)
{
	(void)state;
	pid_t pid;
	int64_t took = run_and_fail("echo $$ >$1; kill -STOP $$; sleep 60", options(NULL, 150), ERR_TIMEOUT, &pid);
	assert_in_range(took, 100, 3000);
	assert_true(is_gone(pid));
}

static void floods_its_output(void **state)
{
	(void)state;
	pid_t pid;
	struct proc_options o = options(NULL, 20000);
	o.max_output = 100000;
	int64_t took = run_and_fail("echo $$ >$1; exec yes", o, ERR_LIMIT, &pid);
	assert_true(took < 5000);
	assert_true(is_gone(pid));
	assert_string_equal(err.msg, "sh: more than 100000 bytes on stdout; it was ended");
	o.deadline = clock_ms() + 20000;
	run_and_fail("echo $$ >$1; exec yes >&2", o, ERR_LIMIT, &pid);
	assert_non_null(strstr(err.msg, "stderr"));
	assert_true(is_gone(pid));
}

static void exactly_the_cap_is_no_error(void **state)
{
	(void)state;
	struct proc_options o = options(SH("head -c 70000 /dev/zero"), 5000);
	o.max_output = 70000;
	assert_int_equal(proc_run(&o, &res, &err), 0);
	assert_int_equal(res.out.len, 70000);
}

/* The pipe stays open after the child: its end counts, and what it left in its group ends with it. */
static void grandchild_keeps_the_pipe(void **state)
{
	(void)state;
	struct proc_options o = options(SH("sleep 60 & echo $!"), 20000);
	int64_t start = clock_ms();
	assert_int_equal(proc_run(&o, &res, &err), 0);
	assert_true(clock_ms() - start < 3000);
	assert_true(is_gone((pid_t)strtol(str_cstr(&res.out), NULL, 10)));
}

static void the_whole_group_ends(void **state)
{
	(void)state;
	pid_t pid;
	run_and_fail("sleep 60 & echo $! >$1; wait", options(NULL, 150), ERR_TIMEOUT, &pid);
	assert_true(is_gone(pid));
}

static void inherits_only_three_fds(void **state)
{
	(void)state;
	int leak = open("/dev/null", O_RDONLY); /* without O_CLOEXEC, on purpose */
	assert_true(leak > 2);
	struct proc_options o = options((const char *const[]){"ls", "/proc/self/fd", NULL}, 5000);
	assert_int_equal(proc_run(&o, &res, &err), 0);
	close(leak);
	assert_string_equal(str_cstr(&res.out), "0\n1\n2\n3\n"); /* 3: ls itself reads the directory */
}

static void no_fd_is_left(void **state)
{
	(void)state;
	size_t fds = open_fds();
	struct proc_options o = options(SH("cat"), 5000);
	o.input = "x";
	o.input_len = 1;
	assert_int_equal(proc_run(&o, &res, &err), 0);
	assert_int_equal(open_fds(), fds);
}

static void side_by_side(void **state)
{
	(void)state;
	struct proc *p[4];
	struct proc_options o = options(SH("sleep 0.3; echo x"), 10000);
	int64_t start = clock_ms();
	for (size_t i = 0; i < ARRAY_SIZE(p); i++)
		assert_int_equal(proc_start(&o, &p[i], &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(p); i++) {
		assert_int_equal(proc_finish(p[i], &res, &err), 0);
		assert_string_equal(str_cstr(&res.out), "x\n");
		proc_result_free(&res);
	}
	assert_in_range(clock_ms() - start, 300, 1100);
}

static void given_up(void **state)
{
	(void)state;
	struct proc *p;
	char line[32] = "";
	struct proc_options o = options(SH("trap '' TERM; echo $$; sleep 60"), 20000);
	o.keep_stdin = true;
	struct str s = {0};
	assert_int_equal(proc_start(&o, &p, &err), 0);
	assert_int_equal(proc_read_line(p, &s, sizeof(line), &err), 0);
	int64_t start = clock_ms();
	proc_kill(p);
	assert_true(clock_ms() - start < 2000);
	assert_true(is_gone((pid_t)strtol(str_cstr(&s), NULL, 10)));
	str_free(&s);
	proc_kill(NULL);
}

static struct proc *conversation(const char *script, int64_t ms)
{
	struct proc *p;
	struct proc_options o = options(SH(script), ms);
	o.keep_stdin = true;
	o.max_output = 4096;
	assert_int_equal(proc_start(&o, &p, &err), 0);
	return p;
}

static void talks(void **state)
{
	(void)state;
	struct str line = {0};
	char buf[5];
	struct proc *p = conversation("while read -r l; do printf 'got %s\\nrest!' \"$l\"; done; echo bye", 10000);
	for (int i = 0; i < 50; i++) {
		assert_int_equal(proc_write(p, "hello\n", 6, &err), 0);
		str_reset(&line);
		assert_int_equal(proc_read_line(p, &line, 100, &err), 0);
		assert_string_equal(str_cstr(&line), "got hello");
		assert_int_equal(proc_read_exact(p, buf, sizeof(buf), &err), 0);
		assert_memory_equal(buf, "rest!", 5);
	}
	assert_int_equal(proc_finish(p, &res, &err), 0);
	assert_string_equal(str_cstr(&res.out), "bye\n");
	str_free(&line);
}

/* More than max_output in one answer: the reader's need counts, and the pipe holds the child back meanwhile. */
static void reads_more_than_the_cap(void **state)
{
	(void)state;
	size_t n = 300000;
	char *buf = xmalloc(n);
	struct proc *p = conversation("head -c 600000 /dev/zero; read -r x", 10000);
	clock_sleep(50);
	assert_int_equal(proc_read_exact(p, buf, n, &err), 0);
	assert_int_equal(proc_read_exact(p, buf, n, &err), 0);
	assert_int_equal(proc_finish(p, &res, &err), 0);
	free(buf);
}

static void line_too_long(void **state)
{
	(void)state;
	struct str line = {0};
	struct proc *p = conversation("head -c 5000 /dev/zero; sleep 60", 10000);
	assert_int_equal(proc_read_line(p, &line, 100, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	proc_kill(p);
}

static void partner_dies(void **state)
{
	(void)state;
	struct str line = {0};
	struct proc *p = conversation("read -r l; echo 'no disk' >&2; exit 4", 10000);
	assert_int_equal(proc_write(p, "a\n", 2, &err), 0);
	assert_int_equal(proc_read_line(p, &line, 100, &err), -1);
	assert_int_equal(err.code, ERR_FAILED);
	assert_string_equal(err.msg, "sh: ended in the middle of the conversation: no disk");
	char big[300000] = {0};
	assert_int_equal(proc_write(p, big, sizeof(big), &err), -1);
	assert_int_equal(proc_finish(p, &res, &err), 0);
	assert_int_equal(res.exit_status, 4);
	str_free(&line);
}

static void conversation_ends_at_the_deadline(void **state)
{
	(void)state;
	struct str line = {0};
	int64_t start = clock_ms();
	struct proc *p = conversation("sleep 60", 150);
	assert_int_equal(proc_read_line(p, &line, 100, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_in_range(clock_ms() - start, 150, 2000);
	err = (struct err){0};
	assert_int_equal(proc_finish(p, &res, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
}

/* Last: the process stays cancelled. */
static void cancelled(void **state)
{
	(void)state;
	struct proc_options o = options(SH("sleep 60"), 20000);
	cancel_install();
	assert_false(cancel_requested());
	struct proc *p;
	assert_int_equal(proc_start(&o, &p, &err), 0);
	kill(getpid(), SIGTERM);
	int64_t start = clock_ms();
	assert_int_equal(proc_finish(p, &res, &err), -1);
	assert_int_equal(err.code, ERR_CANCELLED);
	assert_true(clock_ms() - start < 2000);
	assert_true(cancel_requested());
	assert_false(clock_sleep(5000));
	assert_true(clock_ms() - start < 2000);

	o = options(SH("sleep 0.2; echo done"), 5000);
	o.uncancellable = true;
	assert_int_equal(proc_run(&o, &res, &err), 0);
	assert_string_equal(str_cstr(&res.out), "done\n");
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(output_status_and_stderr),
		TEST(checked_gives_the_last_line),
		TEST(killed_by_a_signal),
		TEST(missing_program),
		TEST(environment_and_directory),
		TEST(no_stdin_is_empty),
		TEST(big_input),
		TEST(stdin_closed_early),
		TEST(ends_at_the_deadline),
		TEST(ignores_sigterm),
		TEST(its_first_words),
		TEST(gets_its_grace),
		TEST(stopped_child),
		TEST(floods_its_output),
		TEST(exactly_the_cap_is_no_error),
		TEST(grandchild_keeps_the_pipe),
		TEST(the_whole_group_ends),
		TEST(inherits_only_three_fds),
		TEST(no_fd_is_left),
		TEST(side_by_side),
		TEST(given_up),
		TEST(talks),
		TEST(reads_more_than_the_cap),
		TEST(line_too_long),
		TEST(partner_dies),
		TEST(conversation_ends_at_the_deadline),
		TEST(cancelled),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
