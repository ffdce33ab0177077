/* history and show: what runs on this machine have done. Needs no cluster, and no more than to read the state. */
#include "cmd/history_text.h"
#include "cmd/target.h"
#include "state/store.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define LIMIT 20
#define HISTORY_FORMAT 1

struct history_args {
	struct target_args target;
	int64_t limit, run;
	bool json;
};

static void history_args_free(struct history_args *a)
{
	target_args_free(&a->target);
}

static bool parse_number(const char *s, int64_t *n)
{
	char *end;
	long value = strtol(s, &end, 10);

	*n = value;
	return end != s && *end == '\0' && value > 0 && value <= INT32_MAX && *s >= '0' && *s <= '9';
}

static bool take_option(struct history_args *a, int opt)
{
	switch (opt) {
	case 'j':
		return a->json = true;
	case 'n':
		if (parse_number(optarg, &a->limit))
			return true;
		fprintf(stderr, "reconcile: --limit wants a number of runs, not '%s'\n", optarg);
		return false;
	default:
		return target_args_take(&a->target, opt, optarg);
	}
}

static int parse_options(struct history_args *a, int argc, char **argv, bool one)
{
	static const struct option list[] = {
		TARGET_OPTIONS, {"json", no_argument, NULL, 'j'}, {"limit", required_argument, NULL, 'n'}, {0}};
	static const struct option single[] = {TARGET_OPTIONS, {"json", no_argument, NULL, 'j'}, {0}};
	int opt;

	while ((opt = getopt_long(argc, argv, one ? "" : "n:", one ? single : list, NULL)) != -1)
		if (!take_option(a, opt))
			return -1;
	if (one && optind < argc && parse_number(argv[optind], &a->run))
		optind++;
	return target_args_finish(&a->target, argc, argv, optind);
}

/* A directory that is named needs no spec to find it. malloc'ed; NULL: err is filled. */
static char *state_dir(const struct history_args *a, struct err *err)
{
	CLEANUP(target_close) struct target t = {0};

	if (a->target.state_dir)
		return xstrdup(a->target.state_dir);
	return target_open(&a->target, &t, err) < 0 ? NULL : xstrdup(t.state_dir);
}

static void print_json(json_t *j)
{
	char *text = json_dumps(j, JSON_INDENT(2));
	puts(text);
	free(text);
}

/* A run that is at work has made no row yet when the newest one has ended. */
static void mark_at_work(json_t *run, bool at_work)
{
	if (run && at_work && !json_object_get(run, "ended"))
		json_set_bool(run, "at_work", true);
}

/* A machine on which nothing has run yet has an empty history. */
static int read_runs(const char *dir, int64_t limit, json_t **runs, struct err *err)
{
	struct store *s = NULL;
	int rc = store_open(dir, false, &s, err);

	if (rc == 0)
		rc = store_runs(s, (int)limit, runs, err);
	else if (err->code == ERR_NOT_FOUND)
		*runs = json_array();
	store_close(s);
	return *runs ? 0 : rc;
}

static int list_runs(const struct history_args *a, struct err *err)
{
	_cleanup_free_ char *dir = state_dir(a, err);
	_cleanup_json_ json_t *runs = NULL;
	_cleanup_str_ struct str out = {0};
	const struct text_style style = text_style_of(stdout);

	if (!dir || read_runs(dir, a->limit, &runs, err) < 0)
		return -1;
	bool at_work = store_lock_holder(dir) != 0;
	if (a->json) {
		mark_at_work(json_array_get(runs, 0), at_work);
		_cleanup_json_ json_t *doc = json_pack("{s:i, s:O}", "format", HISTORY_FORMAT, "runs", runs);
		print_json(doc);
	} else if (json_array_size(runs) == 0) {
		printf("No run has changed anything yet: %s has no record.\n", dir);
	} else {
		history_text(runs, at_work, &style, &out);
		fputs(str_cstr(&out), stdout);
	}
	return 0;
}

static int read_run(const char *dir, int64_t id, json_t **run, struct err *err)
{
	struct store *s = NULL;
	int rc = store_open(dir, false, &s, err);

	if (rc == 0)
		rc = store_run_get(s, id, run, err);
	store_close(s);
	return rc;
}

static int show_run(const struct history_args *a, struct err *err)
{
	_cleanup_free_ char *dir = state_dir(a, err);
	_cleanup_json_ json_t *run = NULL;
	_cleanup_str_ struct str out = {0};
	const struct text_style style = text_style_of(stdout);

	if (!dir || read_run(dir, a->run, &run, err) < 0)
		return -1;
	bool at_work = store_lock_holder(dir) != 0;
	mark_at_work(run, at_work);
	if (a->json) {
		json_set_int(run, "format", HISTORY_FORMAT);
		print_json(run);
	} else {
		show_text(run, at_work, &style, &out);
		fputs(str_cstr(&out), stdout);
	}
	return 0;
}

int cmd_history(int argc, char **argv)
{
	CLEANUP(history_args_free) struct history_args a = {.limit = LIMIT};
	struct err err = {0};

	if (parse_options(&a, argc, argv, false) < 0)
		return 64;
	return list_runs(&a, &err) < 0 ? fail_with(&err) : 0;
}

int cmd_show(int argc, char **argv)
{
	CLEANUP(history_args_free) struct history_args a = {0};
	struct err err = {0};

	if (parse_options(&a, argc, argv, true) < 0)
		return 64;
	return show_run(&a, &err) < 0 ? fail_with(&err) : 0;
}
