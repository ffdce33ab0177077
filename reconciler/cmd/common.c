#include "cmd/cmd.h"

#include "sys/clock.h"

#include <libgen.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define SOURCE_TIMEOUT_MS 20000
#define LONGEST_S (INT64_C(366) * 86400) /* of a duration */

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

static bool parse_duration(const char *s, int64_t *seconds)
{
	static const struct {
		char unit;
		int64_t s;
	} units[] = {{'s', 1}, {'m', 60}, {'h', 3600}, {'d', 86400}};
	int64_t sum = 0;

	if (*s == '\0')
		return false;
	while (*s) {
		char *end;
		long n = *s >= '0' && *s <= '9' ? strtol(s, &end, 10) : -1;
		size_t i = 0;
		while (n >= 0 && i < ARRAY_SIZE(units) && units[i].unit != *end)
			i++;
		if (n < 0 || n > LONGEST_S || i == ARRAY_SIZE(units))
			return false;
		sum += n * units[i].s;
		if (sum > LONGEST_S)
			return false;
		s = end + 1;
	}
	*seconds = sum;
	return sum > 0;
}

bool duration_option(const char *option, const char *value, int64_t *seconds)
{
	if (parse_duration(value, seconds))
		return true;
	fprintf(stderr, "reconcile: %s wants a duration of at most a year such as 90s, 2h or 1h30m, not '%s'\n", option,
		value);
	return false;
}

bool timeout_option(const char *value, int64_t *ms)
{
	int64_t s;

	if (!duration_option("--timeout", value, &s))
		return false;
	*ms = s * 1000;
	return true;
}
