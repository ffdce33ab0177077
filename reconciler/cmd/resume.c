/* resume: lifts what `suspend` and `rollback` hold, and lets contested fields be repaired again. */
#include "cmd/target.h"

#include "run/shared.h"
#include "run/suspension.h"
#include "sys/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define DEADLINE_MS 30000

struct resume_args {
	struct target_args target;
	const char *key; /* SUSPEND_ALL, or "kind/name" */
	bool all;        /* --all: everything, of every resource */
};

static int parse(struct resume_args *a, int argc, char **argv)
{
	static const struct option options[] = {TARGET_OPTIONS, {"all", no_argument, NULL, 'a'}, {0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'a')
			a->all = true;
		else if (!target_args_take(&a->target, opt, optarg))
			return -1;
	}
	a->key = SUSPEND_ALL;
	if (optind < argc && target_is_resource(argv[optind]))
		a->key = argv[optind++];
	if (a->all && strcmp(a->key, SUSPEND_ALL) != 0) {
		fputs("reconcile: --all lifts everything: name no resource with it\n", stderr);
		return -1;
	}
	return target_args_finish(&a->target, argc, argv, optind);
}

/* What an edit did and left, for the message; as of its last call. */
struct edit {
	const char *key;
	bool all;
	json_t *lifted;    /* {key: entry} of suspended */
	json_t *contested; /* {"kind/name": …} of reverts */
	json_t *left;      /* suspended ones that stay */
};

/* Moves key, or everything, from a section to a result, which keeps what an earlier try moved. */
static void lift(json_t *sections, const char *section, const struct edit *e, json_t *into)
{
	json_t *entries = json_object_get(sections, section), *entry = json_object_get(entries, e->key);

	if (e->all) {
		json_object_update(into, entries);
		json_object_clear(entries);
	} else if (entry) {
		json_object_set(into, e->key, entry);
		json_object_del(entries, e->key);
	}
	if (entries && json_object_size(entries) == 0)
		json_object_del(sections, section);
}

static int lift_entries(void *arg, json_t *sections, struct err *err)
{
	struct edit *e = arg;

	(void)err;
	lift(sections, "suspended", e, e->lifted);
	lift(sections, "reverts", e, e->contested);
	json_object_clear(e->left);
	json_object_update(e->left, json_object_get(sections, "suspended"));
	return 0;
}

static bool is_over(const json_t *entry, int64_t now)
{
	int64_t until = json_int(entry, "until", 0);
	return until != 0 && until <= now;
}

static const char *subject(const struct target *t, const char *key, const char **name)
{
	bool all = strcmp(key, SUSPEND_ALL) == 0;

	*name = all ? t->cluster : key;
	return all ? "cluster" : "resource";
}

static void tell_lifted(const struct target *t, const char *key, const json_t *entry)
{
	_cleanup_str_ struct str text = {0};
	const char *name, *what = subject(t, key, &name);

	suspension_text(entry, &text);
	printf("%s %s goes on; it was %s\n", what, name, str_cstr(&text));
	if (json_int(entry, "run", 0) || json_str(entry, "commit"))
		puts("The next pass applies the newest spec again: what the rollback undid comes back unless it was "
		     "reverted there.");
}

static void tell(const struct target *t, const struct edit *e, int64_t now)
{
	const char *key, *name, *what = subject(t, e->key, &name);
	size_t lifted = 0;
	json_t *entry;

	json_object_foreach (e->lifted, key, entry) {
		if (is_over(entry, now))
			continue;
		tell_lifted(t, key, entry);
		lifted++;
	}
	if (lifted == 0)
		printf("%s %s was not suspended\n", what, name);
	json_object_foreach (e->contested, key, entry)
		printf("resource %s: repairs of its drift are counted anew\n", key);
	json_object_foreach (e->left, key, entry) {
		_cleanup_str_ struct str text = {0};
		bool all = strcmp(key, SUSPEND_ALL) == 0;
		if (is_over(entry, now))
			continue;
		suspension_text(entry, &text);
		printf("still: %s is %s (`reconcile resume%s%s`)\n", all ? "the whole cluster" : key, str_cstr(&text),
		       all ? "" : " ", all ? "" : key);
	}
}

static int check_key(const struct target *t, const char *key, int64_t deadline, struct err *err)
{
	_cleanup_json_ json_t *sections = NULL;
	struct shared_at at;

	if (strcmp(key, SUSPEND_ALL) == 0)
		return 0;
	if (shared_read(t->engine, t->cluster, deadline, &at, &sections, err) < 0)
		return -1;
	/* What has left the spec meanwhile can be held all the same. */
	if (json_object_get(json_object_get(sections, "suspended"), key) ||
	    json_object_get(json_object_get(sections, "reverts"), key))
		return 0;
	return target_check_resource(t, "resume", key, err);
}

static int resume(const struct resume_args *a, struct err *err)
{
	CLEANUP(target_close) struct target t = {0};
	_cleanup_json_ json_t *lifted = json_object(), *contested = json_object(), *left = json_object();
	struct edit e = {.key = a->key, .all = a->all, .lifted = lifted, .contested = contested, .left = left};
	int64_t deadline = clock_ms() + DEADLINE_MS, now;

	if (target_open(&a->target, &t, err) < 0 || target_now(&t, deadline, &now, err) < 0 ||
	    check_key(&t, a->key, deadline, err) < 0)
		return -1;
	if (shared_update(t.engine, t.cluster, deadline, lift_entries, &e, err) < 0)
		return err_wrap(err, "resuming: nothing was recorded");
	tell(&t, &e, now);
	return 0;
}

static void args_free(struct resume_args *a)
{
	target_args_free(&a->target);
}

int cmd_resume(int argc, char **argv)
{
	CLEANUP(args_free) struct resume_args a = {0};
	struct err err = {0};

	if (parse(&a, argc, argv) < 0)
		return 64;
	cancel_install();
	return resume(&a, &err) < 0 ? fail_with(&err) : 0;
}
