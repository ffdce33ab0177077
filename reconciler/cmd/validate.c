#include "cmd/cmd.h"

#include "sys/clock.h"

#include <getopt.h>
#include <stdio.h>

static void print_json(const struct diags *d, bool ok)
{
	_cleanup_json_ json_t *out = json_object();
	json_t *findings = json_array();

	json_set_bool(out, "valid", ok);
	for (size_t i = 0; i < d->list.n; i++) {
		const struct diag *x = &d->list.v[i];
		json_array_append_new(findings, json_pack("{s:s,s:s,s:i,s:i,s:s}", "severity",
							  x->severity == DIAG_ERROR ? "error" : "warning", "file",
							  x->mark.file ? x->mark.file : "", "line", x->mark.line,
							  "column", x->mark.col, "message", x->message));
	}
	json_set(out, "findings", findings);
	json_dumpf(out, stdout, JSON_INDENT(2));
	putchar('\n');
}

static int validate(const struct source_args *a, bool as_json, struct err *err)
{
	CLEANUP(diags_free) struct diags diags = {0};
	struct source *source;
	struct spec *spec = NULL;

	if (source_open(&a->options, &source, err) < 0)
		return -1;
	struct spec_input in = {
		.name = source_name(source),
		.text = str_cstr(source_text(source)),
		.len = source_text(source)->len,
		.files = source_files(source),
		.allow_env = a->settings->allow_env,
	};
	int rc = spec_load(&in, &spec, &diags, err);
	if (as_json)
		print_json(&diags, rc == 0);
	else
		print_diags(&diags, in.text);
	if (rc == 0 && !as_json)
		printf("%s: cluster %s is valid\n", source_name(source), spec_cluster(spec));
	spec_free(spec);
	source_close(source);
	return rc;
}

int cmd_validate(int argc, char **argv)
{
	static const struct option options[] = {SOURCE_OPTIONS, {"json", no_argument, NULL, 'j'}, {0}};
	struct source_args a = {0};
	bool as_json = false;
	struct err err = {0};
	int opt, rc = 64;

	while ((opt = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (opt == 'j')
			as_json = true;
		else if (!source_args_take(&a, opt, optarg))
			goto out;
	}
	if (source_args_finish(&a, argc, argv, optind) < 0)
		goto out;
	cancel_install();
	rc = validate(&a, as_json, &err) < 0 ? fail_with(&err) : 0;
out:
	source_args_free(&a);
	return rc;
}
