/* verify: is the cluster what its spec says, and well? Changes nothing, unless it is told to kill a replica. */
#include "cmd/cmd.h"
#include "cmd/text.h"
#include "run/origin.h"
#include "run/verify/verify.h"
#include "sys/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TIMEOUT_MS 60000

struct verify_args {
	struct source_args source;
	const char *host;
	int64_t timeout_ms;
	const char *service; /* --disrupt=SERVICE; NULL: the program chooses */
	bool json, disrupt, yes;
};

static void verify_args_free(struct verify_args *a)
{
	source_args_free(&a->source);
}

enum { OPT_DISRUPT = 256, OPT_HOST, OPT_JSON, OPT_TIMEOUT };

static bool take_option(struct verify_args *a, int opt)
{
	switch (opt) {
	case 'y':
		return a->yes = true;
	case OPT_DISRUPT:
		a->service = optarg;
		return a->disrupt = true;
	case OPT_HOST:
		a->host = optarg;
		return true;
	case OPT_JSON:
		return a->json = true;
	case OPT_TIMEOUT:
		a->timeout_ms = 0;
		return strcmp(optarg, "0") == 0 || timeout_option(optarg, &a->timeout_ms);
	default:
		return source_args_take(&a->source, opt, optarg);
	}
}

static int parse(struct verify_args *a, int argc, char **argv)
{
	static const struct option options[] = {SOURCE_OPTIONS,
						{"disrupt", optional_argument, NULL, OPT_DISRUPT},
						{"yes", no_argument, NULL, 'y'},
						{"host", required_argument, NULL, OPT_HOST},
						{"json", no_argument, NULL, OPT_JSON},
						{"timeout", required_argument, NULL, OPT_TIMEOUT},
						{0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "y", options, NULL)) != -1)
		if (!take_option(a, opt))
			return -1;
	if (source_args_finish(&a->source, argc, argv, optind) < 0)
		return -1;
	if (a->disrupt && !a->yes && !isatty(STDIN_FILENO)) {
		fputs("reconcile: --disrupt asks before it kills a replica: without a terminal it needs --yes\n",
		      stderr);
		return -1;
	}
	a->host = a->host ? a->host : a->source.settings->docker_host;
	return 0;
}

static enum paint paint_of(const char *state)
{
	return str_eq(state, "ok") ? PAINT_GOOD : str_eq(state, "failed") ? PAINT_BAD : PAINT_WARN;
}

static void print_text(const json_t *doc)
{
	const struct text_style style = text_style_of(stdout);
	const json_t *summary = json_object_get(doc, "summary");
	_cleanup_str_ struct str out = {0};
	json_t *j;
	size_t i;

	json_array_foreach (json_object_get(doc, "checks"), i, j) {
		const char *state = json_str(j, "state"), *what = json_str(j, "what");
		text_paint(&style, paint_of(state), &out);
		str_addf(&out, "%-7s", state);
		text_paint(&style, PAINT_NONE, &out);
		_cleanup_free_ char *line = xasprintf("  %s: %s", json_str(j, "check"), what);
		str_add_visible(&out, line, strlen(line));
		str_addc(&out, '\n');
	}
	str_addf(&out, "\n%lld ok, %lld failed, %lld unknown", (long long)json_int(summary, "ok", 0),
		 (long long)json_int(summary, "failed", 0), (long long)json_int(summary, "unknown", 0));
	if (json_int(summary, "skipped", 0))
		str_addf(&out, ", %lld skipped", (long long)json_int(summary, "skipped", 0));
	str_adds(&out, ".\n");
	fputs(str_cstr(&out), stdout);
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

static void print_disruption(const json_t *d)
{
	const json_t *back = json_object_get(d, "back_ms");
	const char *failure = json_str(d, "failure");

	if (back)
		printf("ok       service/%s: back after %.1f s\n", json_str(d, "service"),
		       (double)json_integer_value(back) / 1000);
	else
		printf("failed   service/%s: not back after %d s\n", json_str(d, "service"), DISRUPT_MS / 1000);
	if (json_int(d, "requests", 0)) {
		_cleanup_str_ struct str text = {0};
		str_add_visible(&text, failure ? failure : "", failure ? strlen(failure) : 0);
		printf("         %lld requests through its route meanwhile, %lld failed%s%s\n",
		       (long long)json_int(d, "requests", 0), (long long)json_int(d, "failed", 0), failure ? ": " : "",
		       str_cstr(&text));
	}
}

/* Only of a cluster that is well: else nobody could say what came of it. The exit status, or negative. */
static int disrupt(const struct verify_args *a, const struct verify_options *o, json_t *doc, struct err *err)
{
	struct disrupting *d;
	json_t *result = NULL;

	if (disruption_open(o, a->service, &d, err) < 0)
		return -1;
	_cleanup_free_ char *question = xasprintf("Kill %s?", disruption_text(d));
	int rc = 0;
	if (!a->yes && !ui_ask(question))
		rc = err_set(err, ERR_FAILED, "not confirmed: nothing was killed");
	if (rc == 0 && !a->json)
		printf("killing %s …\n", disruption_text(d));
	fflush(stdout);
	if (rc == 0)
		rc = disruption_run(d, &result, err);
	disruption_close(d);
	if (rc < 0)
		return -1;
	if (!a->json)
		print_disruption(result);
	rc = json_object_get(result, "back_ms") ? 0 : 1;
	json_set(doc, "disruption", result);
	return rc;
}

static int verify(const struct verify_args *a, struct err *err)
{
	CLEANUP(loaded_free) struct loaded l = {0};
	_cleanup_json_ json_t *doc = NULL;

	if (origin_open(&a->source.options, NULL, &l.origin, err) < 0)
		return -1;
	const struct spec_input in = origin_input(l.origin, a->source.settings->allow_env);
	if (spec_load(&in, &l.spec, &l.diags, err) < 0) {
		print_diags(&l.diags, in.text);
		return -1;
	}
	const struct verify_options o = {
		.spec = l.spec, .docker_host = a->host, .settings = a->source.settings, .timeout_ms = a->timeout_ms};
	if (verify_look(&o, &doc, err) < 0)
		return -1;
	if (!a->json)
		print_text(doc);
	int rc = verify_exit(doc);
	if (rc == 0 && a->disrupt)
		rc = disrupt(a, &o, doc, err);
	if (rc < 0)
		return -1;
	if (a->json) {
		json_dumpf(doc, stdout, JSON_INDENT(2));
		putchar('\n');
	}
	return rc;
}

int cmd_verify(int argc, char **argv)
{
	CLEANUP(verify_args_free) struct verify_args a = {.timeout_ms = TIMEOUT_MS};
	struct err err = {0};

	if (parse(&a, argc, argv) < 0)
		return 64;
	cancel_install();
	int rc = verify(&a, &err);
	return rc < 0 ? fail_with(&err) : rc;
}
