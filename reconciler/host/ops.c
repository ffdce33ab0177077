/* What is done on a host: constant scripts with the values as their arguments, whether it is this machine or another.
 */
#include "host/internal.h"

#include "sys/clock.h"
#include "sys/trace.h"

#include <stdio.h>
#include <string.h>

#define FILE_TIMEOUT_MS 30000

/* Arguments: path, size, mode (0: as it was). Needs GNU coreutils. */
static const char write_script[] =
	"set -eu; umask 077\n"
	"p=$(readlink -f -- \"$1\" && echo .) && p=${p%??} || p=$1\n"
	"if [ -d \"$p\" ]; then echo \"$1: it is a directory\" >&2; exit 1; fi\n"
	"t=$(mktemp -- \"${p%/*}/.${p##*/}.XXXXXX\")\n"
	"trap 'rm -f -- \"$t\"' EXIT; trap 'exit 1' HUP INT TERM\n"
	"cat >\"$t\"\n"
	"if [ \"$(stat -c %s -- \"$t\")\" != \"$2\" ]; then echo 'the data did not arrive whole' >&2; exit 1; fi\n"
	"m=644\n"
	"if [ -e \"$p\" ]; then m=$(stat -c %a -- \"$p\"); chown -- \"$(stat -c %u:%g -- \"$p\")\" \"$t\"; fi\n"
	"[ \"$3\" = 0 ] || m=$3\n"
	"chmod -- \"$m\" \"$t\"\n"
	"sync -- \"$t\"\n"
	"mv -fT -- \"$t\" \"$p\"\n"
	"sync -- \"${p%/*}/\"\n";

/* Arguments: path, size. A file system that cannot reserve space is written to without. */
static const char inplace_script[] =
	"set -eu; umask 077\n"
	"if [ ! -f \"$1\" ]; then [ ! -e \"$1\" ] || echo \"$1: not a regular file\" >&2\n"
	"[ -e \"$1\" ] || echo \"$1: No such file or directory\" >&2; exit 1; fi\n"
	"t=$(mktemp)\n"
	"trap 'rm -f -- \"$t\"' EXIT; trap 'exit 1' HUP INT TERM\n"
	"cat >\"$t\"\n"
	"if [ \"$(stat -c %s -- \"$t\")\" != \"$2\" ]; then echo 'the data did not arrive whole' >&2; exit 1; fi\n"
	"if [ \"$2\" != 0 ] && ! e=$(fallocate -n -l \"$2\" -- \"$1\" 2>&1); then case $e in *'not supported'*) ;;\n"
	"*) echo \"${e:-fallocate failed}; nothing was changed\" >&2; exit 1 ;; esac; fi\n"
	"dd if=\"$t\" of=\"$1\" bs=1M conv=notrunc,fsync status=none\n"
	"truncate -s \"$2\" -- \"$1\"\n"
	"sync -- \"$1\"\n";

/* Arguments: path, owner or nothing, mode or nothing. By the directory itself: not through a link put there meanwhile.
 */
static const char mkdir_script[] = "set -eu; umask 022\n"
				   "mkdir -p -- \"$1\"\n"
				   "cd -- \"$1\"\n"
				   "if [ \"$(stat -c %d:%i -- \"$1\")\" != \"$(stat -c %d:%i .)\" ]; then\n"
				   "echo \"$1: it is a symbolic link\" >&2; exit 1; fi\n"
				   "[ -z \"$2\" ] || chown -- \"$2\" .\n"
				   "[ -z \"$3\" ] || chmod -- \"$3\" .\n";

/* Arguments: path, number of bytes. Opening a named pipe would wait for its writer. */
static const char read_script[] =
	"if [ -e \"$1\" ] && [ ! -f \"$1\" ]; then echo \"$1: not a regular file\" >&2; exit 1; "
	"fi\nexec head -c \"$2\" -- \"$1\"\n";

struct task {
	const char *const *argv;
	const char *input; /* NULL: none */
	size_t input_len, max_output;
	int64_t deadline;
	bool changes; /* goes on after Ctrl-C */
	bool script;  /* one of the above: its tools say what failed */
};

static int execute(const struct host *h, const struct task *t, struct proc_result *r, struct err *err)
{
	CLEANUP(command_free) struct command c = {0};
	int64_t left = clock_left(t->deadline);
	VEC(const char *) argv = {0};

	vec_push(&argv, "env");
	vec_push(&argv, ENGLISH);
	for (size_t i = 0; t->argv[i]; i++)
		vec_push(&argv, t->argv[i]);
	vec_push(&argv, NULL);
	int rc = command_build(&c, h, argv.v, left > 0 ? left : 1, true, err);
	vec_free(&argv);
	if (rc < 0)
		return -1;
	const struct proc_options o = {
		.argv = c.argv.v,
		.input = t->input,
		.input_len = t->input_len,
		.deadline = t->deadline,
		.max_output = t->max_output,
		.uncancellable = t->changes,
	};
	if (proc_run(&o, r, err) < 0)
		return -1;
	if (r->exit_status == 0)
		return 0;
	return command_error(h, t->script ? NULL : t->argv[0], r->exit_status, r->signal, &r->err, err);
}

/* Everything that changes the host stands between these two. what is freed by the second one, or when it is refused. */
static int begin(struct host *h, char **what, struct err *err, const char *verb, const char *object)
{
	*what = xasprintf("%s %s on %s", verb, object, h->node);
	mutation_kill_before();
	if (!h->hooks.before || h->hooks.before(h->hooks.arg, *what, err) == 0)
		return 0;
	free(*what);
	return -1;
}

static void end(struct host *h, char *what)
{
	if (h->hooks.after)
		h->hooks.after(h->hooks.arg, what);
	mutation_kill_after();
	free(what);
}

int host_run(struct host *h, const char *const *argv, int64_t deadline, struct str *out, struct err *err)
{
	_cleanup_proc_result_ struct proc_result r = {0};
	_cleanup_str_ struct str words = {0};
	const struct task t = {.argv = argv, .deadline = deadline, .changes = true};
	char *what;

	for (size_t i = 0; argv[i]; i++)
		str_addf(&words, "%s%s", i ? " " : "", argv[i]);
	if (begin(h, &what, err, "run", str_cstr(&words)) < 0)
		return -1;
	int rc = execute(h, &t, &r, err);
	end(h, what);
	if (rc == 0 && out)
		str_add(out, r.out.data, r.out.len);
	return on_node(h, rc, err);
}

/* Errors of a script are the last words of its tools, which name the path. */
static int change(struct host *h, const char *verb, const char *path, const struct task *t, struct err *err)
{
	_cleanup_proc_result_ struct proc_result r = {0};
	_cleanup_free_ char *target = xasprintf("%s on %s", path, h->node);
	int64_t start = clock_ms();
	char *what;

	if (begin(h, &what, err, verb, path) < 0)
		return -1;
	int rc = execute(h, t, &r, err);
	trace_event("write", target, rc, (double)(clock_ms() - start));
	end(h, what);
	return rc < 0 ? on_node(h, err_wrap(err, "%s %s", verb, path), err) : 0;
}

int host_script(struct host *h, const char *verb, const char *object, const char *script, const char *const *args,
		int64_t deadline, struct err *err)
{
	VEC(const char *) argv = {0};

	vec_push(&argv, "sh");
	vec_push(&argv, "-c");
	vec_push(&argv, script);
	vec_push(&argv, "script");
	for (; *args; args++)
		vec_push(&argv, *args);
	vec_push(&argv, NULL);
	const struct task t = {.argv = argv.v, .deadline = deadline, .changes = true, .script = true};
	int rc = change(h, verb, object, &t, err);
	vec_free(&argv);
	return rc;
}

int host_write(struct host *h, const char *path, const void *data, size_t n, mode_t mode, struct err *err)
{
	char size[24], octal[16];
	const char *const argv[] = {"sh", "-c", write_script, "write", path, size, octal, NULL};
	const struct task t = {
		.argv = argv,
		.input = n ? data : "",
		.input_len = n,
		.deadline = clock_ms() + FILE_TIMEOUT_MS,
		.changes = true,
		.script = true,
	};

	snprintf(size, sizeof(size), "%zu", n);
	snprintf(octal, sizeof(octal), "%o", (unsigned)mode);
	return change(h, "write", path, &t, err);
}

int host_write_inplace(struct host *h, const char *path, const void *data, size_t n, struct err *err)
{
	char size[24];
	const char *const argv[] = {"sh", "-c", inplace_script, "write", path, size, NULL};
	const struct task t = {
		.argv = argv,
		.input = n ? data : "",
		.input_len = n,
		.deadline = clock_ms() + FILE_TIMEOUT_MS,
		.changes = true,
		.script = true,
	};

	snprintf(size, sizeof(size), "%zu", n);
	return change(h, "write", path, &t, err);
}

int host_mkdir(struct host *h, const char *path, const char *owner, const char *mode, struct err *err)
{
	const char *const argv[] = {"sh", "-c", mkdir_script, "mkdir", path, owner ? owner : "", mode ? mode : "",
				    NULL};
	const struct task t = {.argv = argv, .deadline = clock_ms() + FILE_TIMEOUT_MS, .changes = true, .script = true};

	return change(h, "make directory", path, &t, err);
}

int host_read(struct host *h, const char *path, size_t max, struct str *out, struct err *err)
{
	_cleanup_proc_result_ struct proc_result r = {0};
	char count[24];
	const char *const argv[] = {"sh", "-c", read_script, "read", path, count, NULL};
	const struct task t = {
		.argv = argv,
		.deadline = clock_ms() + FILE_TIMEOUT_MS,
		.max_output = max + 65536,
		.script = true,
	};

	snprintf(count, sizeof(count), "%zu", max + 1);
	if (execute(h, &t, &r, err) < 0)
		return on_node(h, err_wrap(err, "read %s", path), err);
	if (r.out.len > max)
		return on_node(h, err_set(err, ERR_LIMIT, "%s: larger than the limit of %zu bytes", path, max), err);
	str_add(out, r.out.data, r.out.len);
	return 0;
}
