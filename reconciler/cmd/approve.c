/*
 * approve: lets the destructive changes of a saved plan be made where the
 * policy asks for it. What is approved is what the plan is now, made again from
 * its spec and the cluster, not what its file shows.
 */
#include "cmd/target.h"

#include "run/observe.h"
#include "run/planfile.h"
#include "run/shared.h"
#include "run/suspension.h"
#include "sys/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define DEADLINE_MS 30000

struct approve_args {
	struct target_args target;
	const char *file;
	bool yes;
};

static int parse(struct approve_args *a, int argc, char **argv)
{
	static const struct option options[] = {TARGET_OPTIONS, {"yes", no_argument, NULL, 'y'}, {0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "y", options, NULL)) != -1) {
		if (opt == 'y')
			a->yes = true;
		else if (!target_args_take(&a->target, opt, optarg))
			return -1;
	}
	if (optind == argc || a->target.source.options.repo_url) {
		fputs("reconcile: approve wants the file of a saved plan, which names its spec itself\n", stderr);
		return -1;
	}
	a->file = argv[optind];
	return target_args_finish(&a->target, argc, argv, optind);
}

/* What the pass's plan asks to be approved. */
struct approval {
	json_t *changes; /* {fingerprint: {"resource": …}} */
	size_t others, ready;
};

static void on_findings(void *arg, const struct diags *d, const char *text)
{
	(void)arg;
	print_diags(d, text);
}

static void on_message(void *arg, const char *text)
{
	_cleanup_str_ struct str shown = {0};

	(void)arg;
	str_add_visible(&shown, text, strlen(text));
	fprintf(stderr, "reconcile: %s\n", str_cstr(&shown));
}

static void take_change(struct approval *ap, const struct change *c)
{
	_cleanup_str_ struct str effect = {0};
	char hex[65];

	plan_change_fingerprint(c, fingerprint, hex);
	json_set(ap->changes, hex, json_pack("{s:s}", "resource", c->key));
	ap->ready += c->state == CHANGE_READY;
	printf("  %-8s %s\n", action_name(c->action), c->key);
	if (c->effect)
		str_add_visible(&effect, c->effect, strlen(c->effect));
	if (c->effect)
		printf("           %s\n", str_cstr(&effect));
}

static void on_planned(void *arg, const struct plan *p, const struct render_context *ctx, int number)
{
	struct approval *ap = arg;

	(void)number;
	printf("cluster %s, %s%s%.12s\n", ctx->cluster, ctx->source, ctx->commit ? ", commit " : "",
	       ctx->commit ? ctx->commit : "");
	for (size_t i = 0; i < p->changes.n; i++) {
		if (change_is_destructive(&p->changes.v[i]))
			take_change(ap, &p->changes.v[i]);
		else
			ap->others += p->changes.v[i].action != ACTION_VERIFY;
	}
	if (ap->others)
		printf("  %zu other change%s destroy%s nothing and need%s no approval\n", ap->others,
		       ap->others == 1 ? "" : "s", ap->others == 1 ? "s" : "", ap->others == 1 ? "s" : "");
}

static int plan_again(const struct approve_args *a, const json_t *saved, struct approval *ap, struct err *err)
{
	CLEANUP(run_result_free) struct run_result result = {0};
	const struct settings *settings = a->target.source.settings;
	struct run_options o = {
		.source = a->target.source.options,
		.docker_host = a->target.host,
		.state_dir = a->target.state_dir,
		.allow_env = settings->allow_env,
		.settings = settings,
		.dry_run = true,
		.saved = saved,
	};
	const struct run_events events = {
		.arg = ap, .findings = on_findings, .planned = on_planned, .message = on_message};

	o.source.repo_url = settings->repo;
	return run_pass(&o, &events, &result, err);
}

static int record(void *arg, json_t *sections, struct err *err)
{
	json_t *all = json_object_get(sections, "approved");

	(void)err;
	if (!all) {
		all = json_object();
		json_set(sections, "approved", all);
	}
	json_object_update(all, arg);
	return 0;
}

static int approve_changes(struct target *t, json_t *changes, struct err *err)
{
	_cleanup_free_ char *by = suspension_by();
	int64_t deadline = clock_ms() + DEADLINE_MS, now;
	const char *hex;
	json_t *entry;

	if (target_now(t, deadline, &now, err) < 0)
		return -1;
	json_object_foreach (changes, hex, entry) {
		json_set_str(entry, "by", by);
		json_set_int(entry, "at", now);
	}
	if (shared_update(t->engine, t->cluster, deadline, record, changes, err) < 0)
		return err_wrap(err, "approving: nothing was recorded");
	return 0;
}

static int approve(const struct approve_args *a, struct err *err)
{
	CLEANUP(target_close) struct target t = {.args = &a->target};
	_cleanup_json_ json_t *saved = NULL, *changes = json_object();
	struct approval ap = {.changes = changes};

	if (planfile_read(a->file, &saved, err) < 0)
		return -1;
	if (!saved)
		return err_set(err, ERR_USAGE, "%s is no saved plan; one is written by reconcile --dry-run --out FILE",
			       a->file);
	if (plan_again(a, saved, &ap, err) < 0)
		return -1;
	size_t n = json_object_size(changes);
	if (n == 0 || ap.ready == n) {
		puts(n == 0 ? "Nothing in this plan is destructive: it needs no approval."
			    : "All of this can be applied already: it is approved, or the policy asks for no "
			      "approval.");
		return 0;
	}
	if (!a->yes && (!isatty(STDIN_FILENO) || !isatty(STDOUT_FILENO)))
		return err_set(err, ERR_CANCELLED, "nothing is approved: give --yes to do it without a terminal");
	if (!a->yes && !ui_ask("Approve these changes?"))
		return err_set(err, ERR_CANCELLED, "not confirmed: nothing is approved");
	t.cluster = xstrdup(saved_plan_cluster(saved));
	if (approve_changes(&t, changes, err) < 0)
		return -1;
	printf("Approved: `reconcile apply %s`, or any pass whose plan has the same change%s.\n", a->file,
	       n == 1 ? "" : "s");
	return 0;
}

static void args_free(struct approve_args *a)
{
	target_args_free(&a->target);
}

int cmd_approve(int argc, char **argv)
{
	CLEANUP(args_free) struct approve_args a = {0};
	struct err err = {0};

	if (parse(&a, argc, argv) < 0)
		return 64;
	cancel_install();
	return approve(&a, &err) < 0 ? fail_with(&err) : 0;
}
