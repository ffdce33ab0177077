/* doctor: known traps, seen in what runs. Changes nothing. */
#include "cmd/cmd.h"
#include "cmd/doctor_text.h"
#include "run/doctor/doctor.h"
#include "run/origin.h"
#include "sys/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define LOOK_MS 60000

struct doctor_args {
	struct source_args source;
	const char *host;
	bool json, no_spec;
};

static void doctor_args_free(struct doctor_args *a)
{
	source_args_free(&a->source);
}

enum { OPT_HOST = 256, OPT_JSON, OPT_NO_SPEC };

static int parse(struct doctor_args *a, int argc, char **argv)
{
	static const struct option options[] = {SOURCE_OPTIONS,
						{"host", required_argument, NULL, OPT_HOST},
						{"json", no_argument, NULL, OPT_JSON},
						{"no-spec", no_argument, NULL, OPT_NO_SPEC},
						{0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == OPT_HOST)
			a->host = optarg;
		else if (opt == OPT_JSON)
			a->json = true;
		else if (opt == OPT_NO_SPEC)
			a->no_spec = true;
		else if (!source_args_take(&a->source, opt, optarg))
			return -1;
	}
	bool named = argc > optind || a->source.options.repo_url;
	if (a->no_spec && named) {
		fputs("reconcile: --no-spec goes without a spec\n", stderr);
		return -1;
	}
	if (source_args_finish(&a->source, argc, argv, optind) < 0)
		return -1;
	/* Nobody named a spec, and there is none: what runs can be looked at all the same. */
	if (!named && !a->source.options.repo_url && str_eq(a->source.options.path, ".") &&
	    access("cluster.yaml", F_OK) < 0)
		a->no_spec = true;
	a->host = a->host ? a->host : a->source.settings->docker_host;
	return 0;
}

struct loaded {
	struct origin *origin;
	struct spec *spec;
	struct diags diags;
};

static void loaded_free(struct loaded *l)
{
	spec_free(l->spec);
	origin_close(l->origin);
	diags_free(&l->diags);
}

static int load_spec(const struct doctor_args *a, struct loaded *l, struct err *err)
{
	if (a->no_spec)
		return 0;
	if (origin_open(&a->source.options, NULL, &l->origin, err) < 0)
		return err_wrap(err, "reading the spec (--no-spec does without it)");
	const struct spec_input in = origin_input(l->origin, a->source.settings->allow_env);
	int rc = spec_load(&in, &l->spec, &l->diags, err);
	if (rc < 0)
		print_diags(&l->diags, in.text);
	return rc;
}

static int examine(const struct doctor_args *a, struct err *err)
{
	CLEANUP(loaded_free) struct loaded l = {0};
	_cleanup_str_ struct str out = {0};
	_cleanup_free_ char *engine = NULL;
	struct snapshot *snap;

	if (load_spec(a, &l, err) < 0)
		return -1;
	const struct doctor_options o = {.spec = l.spec, .docker_host = a->host};
	if (doctor_look(&o, clock_ms() + LOOK_MS, &snap, &engine, err) < 0)
		return -1;
	const struct doctor_facts f = {.spec = l.spec, .diags = &l.diags, .engine = engine, .snap = snap};
	_cleanup_json_ json_t *doc = doctor_make(&f);
	if (a->json) {
		json_dumpf(doc, stdout, JSON_INDENT(2));
		putchar('\n');
	} else {
		const struct text_style style = text_style_of(stdout);
		doctor_text(doc, &style, &out);
		fputs(str_cstr(&out), stdout);
	}
	snapshot_free(snap);
	return doctor_exit(doc);
}

int cmd_doctor(int argc, char **argv)
{
	CLEANUP(doctor_args_free) struct doctor_args a = {0};
	struct err err = {0};

	if (parse(&a, argc, argv) < 0)
		return 64;
	cancel_install();
	int rc = examine(&a, &err);
	return rc < 0 ? fail_with(&err) : rc;
}
