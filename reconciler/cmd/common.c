#include "cmd/cmd.h"

#include "sys/clock.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOURCE_TIMEOUT_MS 20000

int fail_with(const struct err *err)
{
	fprintf(stderr, "reconcile: error: %s\n", err->msg);
	return err_exit_status(err->code);
}

void print_diags(const struct diags *d, const char *text)
{
	_cleanup_str_ struct str out = {0};
	diags_print(d, text, &out);
	fputs(str_cstr(&out), stderr);
}

bool source_args_take(struct source_args *a, int opt, const char *value)
{
	switch (opt) {
	case 'r':
		a->options.repo_url = value;
		return true;
	case 'R':
		a->options.ref = value;
		return true;
	case 'p':
		a->options.file = value;
		return true;
	case 'e':
		vec_push(&a->allow_env, value);
		return true;
	default:
		fputs("reconcile: see reconcile help\n", stderr);
		return false;
	}
}

/* The helper is installed, and built, beside this program. */
static const char *helper_path(void)
{
	static char path[4096];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 32);
	if (n < 0)
		return "reconcile-source";
	path[n] = '\0';
	char *slash = strrchr(path, '/');
	strncpy(slash + 1, "reconcile-source", 32);
	return path;
}

int source_args_finish(struct source_args *a, int argc, char **argv, int first)
{
	if (argc - first > 1 || (a->options.repo_url && argc > first)) {
		fprintf(stderr, "reconcile: unexpected argument '%s'; see reconcile help\n", argv[argc - 1]);
		return -1;
	}
	if (!a->options.repo_url && (a->options.ref || a->options.file)) {
		fputs("reconcile: --ref and --path go with --repo\n", stderr);
		return -1;
	}
	if (!a->options.repo_url)
		a->options.path = argc > first ? argv[first] : ".";
	vec_push(&a->allow_env, NULL);
	a->options.helper = helper_path();
	a->options.cache_dir = geteuid() == 0 ? "/var/cache/reconcile" : NULL;
	a->options.deadline = clock_ms() + SOURCE_TIMEOUT_MS;
	return 0;
}

void source_args_free(struct source_args *a)
{
	vec_free(&a->allow_env);
}
