#include "cmd/cmd.h"

#include "sys/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { OPT_DETAILED = 256, OPT_JSON, OPT_MARKDOWN, OPT_TIMEOUT, OPT_REFRESH, OPT_HOST, OPT_STATE };

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
	{0},
};

struct apply_args {
	struct source_args source;
	struct run_options run;
	enum output output;
	bool detailed_exitcode;
};

/* "90s", "30m", "2h" */
static bool parse_timeout(const char *s, int64_t *ms)
{
	static const struct {
		const char *suffix;
		int64_t ms;
	} units[] = {{"s", 1000}, {"m", 60000}, {"h", 3600000}};
	char *end;
	long n = strtol(s, &end, 10);

	if (end == s || n <= 0 || n > 100000)
		return false;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++) {
		if (strcmp(end, units[i].suffix) == 0) {
			*ms = n * units[i].ms;
			return true;
		}
	}
	return false;
}

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
	case OPT_TIMEOUT:
		if (parse_timeout(optarg, &a->run.timeout_ms))
			return true;
		fprintf(stderr, "reconcile: --timeout wants a duration such as 90s or 30m, not '%s'\n", optarg);
		return false;
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
	a->run.source = a->source.options;
	a->run.allow_env = a->source.allow_env.v;
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
	int rc = parse(&a, argc, argv) < 0 ? 64 : run(&a);
	source_args_free(&a.source);
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
