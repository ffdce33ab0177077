#include "cmd/cmd.h"

#include "run/planfile.h"
#include "sys/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum {
	OPT_DETAILED = 256,
	OPT_JSON,
	OPT_MARKDOWN,
	OPT_TIMEOUT,
	OPT_REFRESH,
	OPT_HOST,
	OPT_STATE,
	OPT_ONLY,
	OPT_RETRY,
	OPT_OUT,
	OPT_ACCEPT_NEW,
};

static const struct option long_options[] = {
	SOURCE_OPTIONS,
	{"dry-run", no_argument, NULL, 'n'},
	{"detailed-exitcode", no_argument, NULL, OPT_DETAILED},
	{"json", no_argument, NULL, OPT_JSON},
	{"markdown", no_argument, NULL, OPT_MARKDOWN},
	{"yes", no_argument, NULL, 'y'},
	{"wait", no_argument, NULL, 'w'},
	{"timeout", required_argument, NULL, OPT_TIMEOUT},
	{"refresh-images", no_argument, NULL, OPT_REFRESH},
	{"host", required_argument, NULL, OPT_HOST},
	{"state-dir", required_argument, NULL, OPT_STATE},
	{"only", required_argument, NULL, OPT_ONLY},
	{"retry", optional_argument, NULL, OPT_RETRY},
	{"out", required_argument, NULL, OPT_OUT},
	{"accept-new-host-keys", no_argument, NULL, OPT_ACCEPT_NEW},
	{0},
};

struct apply_args {
	struct source_args source;
	struct run_options run;
	enum output output;
	bool detailed_exitcode;
	VEC(const char *) only, retry; /* NULL-terminated by parse */
};

static bool take_option(struct apply_args *a, int opt)
{
	switch (opt) {
	case 'n':
		return a->run.dry_run = true;
	case 'y':
		return a->run.yes = true;
	case 'w':
		return a->run.wait = true;
	case OPT_DETAILED:
		return a->detailed_exitcode = true;
	case OPT_JSON:
		a->output = OUTPUT_JSON;
		return true;
	case OPT_MARKDOWN:
		a->output = OUTPUT_MARKDOWN;
		return true;
	case OPT_REFRESH:
		return a->run.refresh_images = true;
	case OPT_HOST:
		a->run.docker_host = optarg;
		return true;
	case OPT_STATE:
		a->run.state_dir = optarg;
		return true;
	case OPT_ONLY:
		vec_push(&a->only, optarg);
		return true;
	case OPT_RETRY:
		if (!optarg)
			return a->run.retry_all = true;
		vec_push(&a->retry, optarg);
		return true;
	case OPT_ACCEPT_NEW:
		return a->run.accept_new_hosts = true;
	case OPT_OUT:
		a->run.plan_out = optarg;
		return true;
	case OPT_TIMEOUT:
		return timeout_option(optarg, &a->run.timeout_ms);
	default:
		return source_args_take(&a->source, opt, optarg);
	}
}

static int parse(struct apply_args *a, int argc, char **argv)
{
	int opt;

	while ((opt = getopt_long(argc, argv, "nyw", long_options, NULL)) != -1)
		if (!take_option(a, opt))
			return -1;
	if (source_args_finish(&a->source, argc, argv, optind) < 0)
		return -1;
	if (a->detailed_exitcode && !a->run.dry_run) {
		fputs("reconcile: --detailed-exitcode goes with --dry-run\n", stderr);
		return -1;
	}
	if (a->run.plan_out && !a->run.dry_run) {
		fputs("reconcile: --out goes with --dry-run: it saves the plan for `reconcile apply FILE`\n", stderr);
		return -1;
	}
	if (a->run.accept_new_hosts && !a->run.bootstrap) {
		fputs("reconcile: --accept-new-host-keys goes with bootstrap: later a host proves itself with the key "
		      "it had\n",
		      stderr);
		return -1;
	}
	if (a->only.n) {
		vec_push(&a->only, NULL);
		a->run.only = a->only.v;
	}
	if (a->retry.n) {
		vec_push(&a->retry, NULL);
		a->run.retry = a->retry.v;
	}
	a->run.source = a->source.options;
	const struct settings *settings = a->source.settings;
	a->run.settings = settings;
	a->run.allow_env = settings->allow_env;
	a->run.docker_host = a->run.docker_host ? a->run.docker_host : settings->docker_host;
	a->run.state_dir = a->run.state_dir ? a->run.state_dir : settings->state_dir;
	return 0;
}

/* SPEC may be a saved plan: it names its spec itself. Of a repository the settings may know the password. */
static int read_saved(struct apply_args *a, json_t **saved, struct err *err)
{
	const char *path = a->run.source.path;

	*saved = NULL;
	if (path && planfile_read(path, saved, err) < 0)
		return -1;
	a->run.saved = *saved;
	if (*saved)
		a->run.source.repo_url = a->source.settings->repo;
	return 0;
}

static int run(const struct apply_args *a)
{
	CLEANUP(run_result_free) struct run_result result = {0};
	struct err err = {0};
	struct ui ui;

	cancel_install();
	ui_init(&ui, a->output);
	int rc = run_pass(&a->run, &ui.events, &result, &err);
	int status = rc < 0 ? fail_with(&err) : result.exit_status;
	ui_finish(&ui, &a->run, &result);
	ui_free(&ui);
	return status == 2 && !a->detailed_exitcode ? 0 : status;
}

static int apply_main(int argc, char **argv, bool bootstrap)
{
	struct apply_args a = {.run.bootstrap = bootstrap};
	_cleanup_json_ json_t *saved = NULL;
	struct err err = {0};
	int rc = 64;

	if (parse(&a, argc, argv) == 0)
		rc = read_saved(&a, &saved, &err) < 0 ? fail_with(&err) : run(&a);
	source_args_free(&a.source);
	vec_free(&a.only);
	vec_free(&a.retry);
	return rc;
}

int cmd_apply(int argc, char **argv)
{
	return apply_main(argc, argv, false);
}

int cmd_bootstrap(int argc, char **argv)
{
	return apply_main(argc, argv, true);
}
