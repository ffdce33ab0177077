/* import: what runs, as a spec. Changes nothing. */
#include "cmd/cmd.h"
#include "run/import/import.h"
#include "source/source.h"
#include "sys/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOOK_MS 60000

struct import_args {
	struct import_options o;
	VEC(struct import_stack) stacks;
	VEC(char *) texts;        /* what the stacks point into, */
	VEC(const char **) lists; /* and their lists of files */
	VEC(const char *) allow_env;
	const char *config;
	bool no_cluster;
	struct settings *settings;
	struct source *source;
};

static void import_args_free(struct import_args *a)
{
	for (size_t i = 0; i < a->texts.n; i++)
		free(a->texts.v[i]);
	for (size_t i = 0; i < a->lists.n; i++)
		free((void *)a->lists.v[i]);
	vec_free(&a->texts);
	vec_free(&a->lists);
	vec_free(&a->stacks);
	vec_free(&a->allow_env);
	source_close(a->source);
	settings_free(a->settings);
}

/* NAME=FILE[,FILE…] */
static bool take_stack(struct import_args *a, const char *value)
{
	VEC(const char *) files = {0};
	char *text = xstrdup(value), *rest = text, *file;
	const char *name = strsep(&rest, "=");

	vec_push(&a->texts, text);
	while (rest && (file = strsep(&rest, ",")))
		if (*file)
			vec_push(&files, file);
	if (!*name || files.n == 0) {
		vec_free(&files);
		fprintf(stderr,
			"reconcile: --stack wants NAME=FILE[,FILE…], as docker stack deploy has them, not '%s'\n",
			value);
		return false;
	}
	vec_push(&files, NULL);
	vec_push(&a->lists, files.v);
	vec_push(&a->stacks, ((struct import_stack){.name = name, .files = files.v}));
	return true;
}

enum { OPT_CLUSTER = 256, OPT_HOST, OPT_NO_CLUSTER, OPT_STACK };

static bool take_option(struct import_args *a, int opt)
{
	switch (opt) {
	case OPT_CLUSTER:
		a->o.cluster = optarg;
		return true;
	case OPT_HOST:
		a->o.docker_host = optarg;
		return true;
	case OPT_NO_CLUSTER:
		return a->no_cluster = true;
	case OPT_STACK:
		return take_stack(a, optarg);
	case 'c':
		a->config = optarg;
		return true;
	case 'e':
		vec_push(&a->allow_env, optarg);
		return true;
	default:
		fputs("reconcile: see reconcile help\n", stderr);
		return false;
	}
}

static int parse(struct import_args *a, int argc, char **argv)
{
	static const struct option options[] = {SETTINGS_OPTION,
						{"allow-env", required_argument, NULL, 'e'},
						{"cluster", required_argument, NULL, OPT_CLUSTER},
						{"host", required_argument, NULL, OPT_HOST},
						{"no-cluster", no_argument, NULL, OPT_NO_CLUSTER},
						{"stack", required_argument, NULL, OPT_STACK},
						{0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1)
		if (!take_option(a, opt))
			return -1;
	if (argc > optind) {
		fprintf(stderr, "reconcile: import makes a spec, it reads none: unexpected argument '%s'\n",
			argv[optind]);
		return -1;
	}
	if (a->no_cluster && a->stacks.n == 0) {
		fputs("reconcile: --no-cluster goes with --stack: else there is nothing to import\n", stderr);
		return -1;
	}
	if (settings_read(a->config, &a->settings) < 0)
		return -1;
	for (size_t i = 0; i < a->allow_env.n; i++)
		settings_allow_env(a->settings, a->allow_env.v[i]);
	a->o.allow_env = a->settings->allow_env;
	a->o.docker_host = a->o.docker_host ? a->o.docker_host : a->settings->docker_host;
	a->o.stacks = a->stacks.v;
	a->o.n_stacks = a->stacks.n;
	return 0;
}

/* What a person has to know stands on stderr: stdout is the spec. */
static int tell(const struct import *i)
{
	json_t *text;
	size_t k;

	if (i->diags.n_errors)
		print_diags(&i->diags, str_cstr(&i->text));
	json_array_foreach (i->needs, k, text) {
		_cleanup_str_ struct str shown = {0};
		str_add_visible(&shown, json_string_value(text), json_string_length(text));
		fprintf(stderr, "reconcile: %s\n", str_cstr(&shown));
	}
	bool open = i->diags.n_errors || json_array_size(i->needs);
	fprintf(stderr, "reconcile: %zu service%s%s\n", i->services, i->services == 1 ? "" : "s",
		open ? "; its plan is not empty yet, see above" : "; its plan adopts what runs as it is");
	if (i->ignored)
		fprintf(stderr,
			"reconcile: %zu field%s of services stand%s under `ignore`: the spec has no words for %s\n",
			i->ignored, i->ignored == 1 ? "" : "s", i->ignored == 1 ? "s" : "",
			i->ignored == 1 ? "it" : "them");
	return open ? 3 : 0;
}

static int import(struct import_args *a, struct err *err)
{
	struct snapshot *snap = NULL;
	struct import result;

	if (source_open_directory(".", &a->source, err) < 0)
		return -1;
	a->o.files = source_files(a->source);
	if (!a->no_cluster && import_fetch(&a->o, clock_ms() + LOOK_MS, &snap, err) < 0)
		return -1;
	int rc = import_make(&a->o, snap, &result, err);
	snapshot_free(snap);
	if (rc < 0)
		return -1;
	fputs(str_cstr(&result.text), stdout);
	rc = tell(&result);
	import_free(&result);
	return rc;
}

int cmd_import(int argc, char **argv)
{
	CLEANUP(import_args_free) struct import_args a = {0};
	struct err err = {0};

	if (parse(&a, argc, argv) < 0)
		return 64;
	cancel_install();
	int rc = import(&a, &err);
	return rc < 0 ? fail_with(&err) : rc;
}
