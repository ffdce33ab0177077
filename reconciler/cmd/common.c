#include "cmd/cmd.h"

#include "sys/clock.h"

#include <libgen.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define SOURCE_TIMEOUT_MS 20000

int fail_with(const struct err *err)
{
	_cleanup_str_ struct str text = {0};

	str_add_visible(&text, err->msg, strlen(err->msg));
	fprintf(stderr, "reconcile: error: %s\n", str_cstr(&text));
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
	case 'c':
		a->config = value;
		return true;
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

/* What the command line does not say: the settings' source, else the current directory. */
static int name_source(struct source_args *a)
{
	struct source_options *o = &a->options;
	const struct settings *s = a->settings;

	if (!o->path && !o->repo_url && s->repo) {
		o->repo_url = s->repo;
		o->ref = o->ref ? o->ref : s->ref;
		o->file = o->file ? o->file : s->path;
	}
	if (!o->repo_url && (o->ref || o->file)) {
		fputs("reconcile: --ref and --path go with --repo\n", stderr);
		return -1;
	}
	if (!o->repo_url && !o->path)
		o->path = s->spec ? s->spec : ".";
	return 0;
}

int source_args_finish(struct source_args *a, int argc, char **argv, int first)
{
	if (argc - first > 1 || (a->options.repo_url && argc > first)) {
		fprintf(stderr, "reconcile: unexpected argument '%s'; see reconcile help\n", argv[argc - 1]);
		return -1;
	}
	if (argc > first)
		a->options.path = argv[first];
	if (settings_read(a->config, &a->settings) < 0 || name_source(a) < 0)
		return -1;
	for (size_t i = 0; i < a->allow_env.n; i++)
		settings_allow_env(a->settings, a->allow_env.v[i]);
	a->options.helper = helper_path();
	a->options.cache_dir = geteuid() == 0 ? "/var/cache/reconcile" : NULL;
	a->options.deadline = clock_ms() + SOURCE_TIMEOUT_MS;
	return 0;
}

void source_args_free(struct source_args *a)
{
	settings_free(a->settings);
	vec_free(&a->allow_env);
}
