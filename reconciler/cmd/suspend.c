/* suspend: nothing is changed any more, in the whole cluster or of one resource, until its time is over or `resume`. */
#include "cmd/target.h"

#include "run/shared.h"
#include "run/suspension.h"
#include "sys/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define DEADLINE_MS 30000

struct suspend_args {
	struct target_args target;
	const char *key;    /* SUSPEND_ALL, or "kind/name" */
	const char *reason; /* NULL: none */
	int64_t for_s;      /* 0: until `resume` */
};

static bool take_option(struct suspend_args *a, int opt)
{
	switch (opt) {
	case 'f':
		return duration_option("--for", optarg, &a->for_s);
	case 'm':
		a->reason = optarg;
		return true;
	default:
		return target_args_take(&a->target, opt, optarg);
	}
}

static int parse(struct suspend_args *a, int argc, char **argv)
{
	static const struct option options[] = {
		TARGET_OPTIONS, {"for", required_argument, NULL, 'f'}, {"reason", required_argument, NULL, 'm'}, {0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "m:", options, NULL)) != -1)
		if (!take_option(a, opt))
			return -1;
	a->key = SUSPEND_ALL;
	if (optind < argc && target_is_resource(argv[optind]))
		a->key = argv[optind++];
	return target_args_finish(&a->target, argc, argv, optind);
}

struct edit {
	const char *key;
	json_t *entry;
	json_t *before; /* {key: entry}: what this takes the place of */
	bool lease;     /* a run is at work, or was killed a moment ago */
};

static int set_entry(void *arg, json_t *sections, struct err *err)
{
	struct edit *e = arg;
	json_t *all = json_object_get(sections, "suspended");

	(void)err;
	if (!all) {
		all = json_object();
		json_set(sections, "suspended", all);
	}
	json_t *old = json_object_get(all, e->key);
	if (old && !json_same(old, e->entry))
		json_object_set(e->before, e->key, old);
	json_object_set(all, e->key, e->entry);
	e->lease = json_object_size(json_object_get(sections, "lease")) > 0;
	return 0;
}

static void tell(const struct suspend_args *a, const struct target *t, const struct edit *e)
{
	const json_t *before = json_object_get(e->before, e->key);
	_cleanup_str_ struct str text = {0}, old = {0};
	bool all = strcmp(a->key, SUSPEND_ALL) == 0;

	suspension_text(e->entry, &text);
	printf("%s %s is %s\n", all ? "cluster" : "resource", all ? t->cluster : a->key, str_cstr(&text));
	if (before) {
		suspension_text(before, &old);
		printf("This takes the place of: %s\n", str_cstr(&old));
	}
	if (all)
		puts("Nothing is changed in it: a pass shows its plan and exits 5; dry runs go on working.");
	else
		puts("It is not changed, nor what requires it; everything else is.");
	if (e->lease)
		printf("A run is at work: it stops before its next change%s.\n", all ? "" : " of this");
	printf("`reconcile resume%s%s` lifts it.\n", all ? "" : " ", all ? "" : a->key);
}

static int suspend(const struct suspend_args *a, struct err *err)
{
	CLEANUP(target_close) struct target t = {0};
	_cleanup_free_ char *by = suspension_by();
	int64_t deadline = clock_ms() + DEADLINE_MS, now;

	if (target_open(&a->target, &t, err) < 0 ||
	    (strcmp(a->key, SUSPEND_ALL) != 0 && target_check_resource(&t, "suspend", a->key, err) < 0) ||
	    target_now(&t, deadline, &now, err) < 0)
		return -1;
	const struct suspension s = {
		.reason = a->reason, .by = by, .since = now, .until = a->for_s ? now + a->for_s : 0};
	_cleanup_json_ json_t *entry = suspension_json(&s), *before = json_object();
	struct edit e = {.key = a->key, .entry = entry, .before = before};
	if (shared_update(t.engine, t.cluster, deadline, set_entry, &e, err) < 0)
		return err_wrap(err, "suspending: nothing was recorded");
	tell(a, &t, &e);
	return 0;
}

static void args_free(struct suspend_args *a)
{
	target_args_free(&a->target);
}

int cmd_suspend(int argc, char **argv)
{
	CLEANUP(args_free) struct suspend_args a = {0};
	struct err err = {0};

	if (parse(&a, argc, argv) < 0)
		return 64;
	cancel_install();
	return suspend(&a, &err) < 0 ? fail_with(&err) : 0;
}
