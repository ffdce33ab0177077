/*
 * rollback: the spec of an earlier run again, with the digests that it left, by
 * an ordinary pass; and the cluster held there until `resume`, so that the next
 * pass does not undo it.
 */
#include "cmd/target.h"

#include "run/rollback.h"
#include "run/shared.h"
#include "run/suspension.h"
#include "state/store.h"
#include "sys/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 30000

struct rollback_args {
	struct target_args target;
	enum output output;
	int64_t run;        /* 0: the one before */
	const char *commit; /* --to: without the history of this machine */
	int64_t timeout_ms; /* 0: the pass's own */
	bool dry_run, yes, wait;
};

static bool take_option(struct rollback_args *a, int opt)
{
	switch (opt) {
	case 'n':
		return a->dry_run = true;
	case 'y':
		return a->yes = true;
	case 'w':
		return a->wait = true;
	case 'j':
		a->output = OUTPUT_JSON;
		return true;
	case 'm':
		a->output = OUTPUT_MARKDOWN;
		return true;
	case 't':
		a->commit = optarg;
		return true;
	case 'T':
		return timeout_option(optarg, &a->timeout_ms);
	default:
		return target_args_take(&a->target, opt, optarg);
	}
}

/* A number is a run, anything else a spec, as for `apply`. */
static bool take_run(struct rollback_args *a, const char *arg)
{
	char *end;
	long long run = *arg >= '0' && *arg <= '9' ? strtoll(arg, &end, 10) : 0;

	if (run <= 0 || *end != '\0')
		return false;
	a->run = run;
	return true;
}

static int check(const struct rollback_args *a)
{
	const struct source_options *o = &a->target.source.options;

	if (a->commit && a->run) {
		fputs("reconcile: a run or --to COMMIT, not both\n", stderr);
		return -1;
	}
	if (a->commit && a->target.cluster) {
		fputs("reconcile: --to COMMIT reads the spec, and --cluster does without: name one or the other\n",
		      stderr);
		return -1;
	}
	if (a->commit && !o->repo_url) {
		fputs("reconcile: --to COMMIT needs the repository: --repo URL, or repo in this machine's settings\n",
		      stderr);
		return -1;
	}
	return 0;
}

static int parse(struct rollback_args *a, int argc, char **argv)
{
	static const struct option options[] = {TARGET_OPTIONS,
						{"dry-run", no_argument, NULL, 'n'},
						{"yes", no_argument, NULL, 'y'},
						{"wait", no_argument, NULL, 'w'},
						{"json", no_argument, NULL, 'j'},
						{"markdown", no_argument, NULL, 'm'},
						{"to", required_argument, NULL, 't'},
						{"timeout", required_argument, NULL, 'T'},
						{0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "nyw", options, NULL)) != -1)
		if (!take_option(a, opt))
			return -1;
	if (optind < argc && take_run(a, argv[optind]))
		optind++;
	if (target_args_finish(&a->target, argc, argv, optind) < 0)
		return -1;
	if (a->commit)
		a->target.source.options.ref = a->commit;
	return check(a);
}

/* What is applied again. */
struct goal {
	json_t *origin, *digests; /* digests: NULL: not known */
	int64_t run;              /* 0: a commit */
	int64_t now;
};

static void goal_free(struct goal *g)
{
	json_decref(g->origin);
	json_decref(g->digests);
}

static int find_run(struct target *t, int64_t run, int64_t deadline, struct goal *g, struct err *err)
{
	_cleanup_json_ json_t *sections = NULL, *record = NULL;
	struct shared_at at;
	struct store *store;

	if (run == 0 && shared_read(t->engine, t->cluster, deadline, &at, &sections, err) < 0)
		return -1;
	if (store_open(t->state_dir, false, &store, err) < 0) {
		if (err->code == ERR_NOT_FOUND)
			err_set(err, ERR_NOT_FOUND,
				"there is no history of cluster %s in %s: name a commit with --to COMMIT", t->cluster,
				t->state_dir);
		return -1;
	}
	int rc = rollback_find(store, run, json_object_get(sections, "applied"), &record, err);
	store_close(store);
	if (rc < 0)
		return -1;
	g->origin = rollback_origin(record);
	g->digests = json_incref(json_object_get(record, "digests"));
	g->run = json_int(record, "run", 0);
	return 0;
}

static int find_goal(const struct rollback_args *a, struct target *t, struct goal *g, struct err *err)
{
	int64_t deadline = clock_ms() + DEADLINE_MS;

	if (target_open(&a->target, t, err) < 0 || target_now(t, deadline, &g->now, err) < 0)
		return -1;
	if (!a->commit)
		return find_run(t, a->run, deadline, g, err);
	g->origin = origin_reference(t->origin);
	fputs("reconcile: the image digests of that time are not known here: tags may mean other images by now\n",
	      stderr);
	return 0;
}

static json_t *hold_of(const struct goal *g)
{
	const char *commit = json_str(g->origin, "commit");
	_cleanup_free_ char *reason = rollback_text(g->run, commit), *by = suspension_by();
	const struct suspension s = {.reason = reason, .by = by, .since = g->now, .run = g->run, .commit = commit};

	return suspension_json(&s);
}

static void tell(const struct rollback_args *a, const json_t *hold, int status, bool begun)
{
	if (a->dry_run)
		fprintf(stderr, "reconcile: afterwards the cluster would be held: %s\n", json_str(hold, "reason"));
	else if (status == 0)
		fprintf(stderr,
			"reconcile: %s. The cluster is held there: other passes change nothing until `reconcile "
			"resume`\n",
			json_str(hold, "reason"));
	else if (begun || status == 3)
		fputs("reconcile: the rollback is not complete; run the same command again to go on. `reconcile "
		      "resume` gives it "
		      "up and lets other passes go on with the newest spec\n",
		      stderr);
}

static int run(const struct rollback_args *a, struct err *err)
{
	CLEANUP(target_close) struct target t = {0};
	CLEANUP(goal_free) struct goal g = {0};
	CLEANUP(run_result_free) struct run_result result = {0};
	struct ui ui;

	if (find_goal(a, &t, &g, err) < 0)
		return -1;
	_cleanup_json_ json_t *hold = hold_of(&g);
	const struct settings *settings = a->target.source.settings;
	const struct run_options o = {
		.source = a->target.source.options,
		.docker_host = a->target.host,
		.state_dir = t.state_dir,
		.allow_env = settings->allow_env,
		.settings = settings,
		.dry_run = a->dry_run,
		.yes = a->yes,
		.wait = a->wait,
		.timeout_ms = a->timeout_ms,
		.origin = g.origin,
		.digests = g.digests,
		.hold = hold,
	};
	ui_init(&ui, a->output);
	int rc = run_pass(&o, &ui.events, &result, err);
	int status = rc < 0 ? fail_with(err) : result.exit_status;
	ui_finish(&ui, &o, &result);
	ui_free(&ui);
	bool begun = result.done + result.failed + result.interrupted > 0;
	if (rc == 0 || begun)
		tell(a, hold, status, begun);
	return status == 2 ? 0 : status;
}

static void args_free(struct rollback_args *a)
{
	target_args_free(&a->target);
}

int cmd_rollback(int argc, char **argv)
{
	CLEANUP(args_free) struct rollback_args a = {0};
	struct err err = {0};

	if (parse(&a, argc, argv) < 0)
		return 64;
	cancel_install();
	int status = run(&a, &err);
	return status < 0 ? fail_with(&err) : status;
}
