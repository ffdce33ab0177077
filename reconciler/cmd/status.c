/* status: what there is to see of a cluster. Changes nothing. */
#include "cmd/status_text.h"
#include "cmd/target.h"
#include "run/status.h"
#include "sys/clock.h"

#include <getopt.h>
#include <stdio.h>
#include <string.h>

#define LOOK_MS 10000
#define WATCH_MS 2000

struct status_args {
	struct target_args target;
	bool watch, json;
};

static void status_args_free(struct status_args *a)
{
	target_args_free(&a->target);
}

static int parse(struct status_args *a, int argc, char **argv)
{
	static const struct option options[] = {
		TARGET_OPTIONS, {"watch", no_argument, NULL, 'w'}, {"json", no_argument, NULL, 'j'}, {0}};
	int opt;

	while ((opt = getopt_long(argc, argv, "w", options, NULL)) != -1) {
		if (opt == 'w')
			a->watch = true;
		else if (opt == 'j')
			a->json = true;
		else if (!target_args_take(&a->target, opt, optarg))
			return -1;
	}
	return target_args_finish(&a->target, argc, argv, optind);
}

static void print_json(const json_t *doc, size_t flags)
{
	char *text = json_dumps(doc, flags);
	puts(text);
	free(text);
}

static int look_once(struct status *s, bool json, struct err *err)
{
	_cleanup_json_ json_t *doc = status_look(s, clock_ms() + LOOK_MS);
	_cleanup_str_ struct str out = {0};
	const struct text_style style = text_style_of(stdout);

	if (cancel_requested())
		return err_set(err, ERR_CANCELLED, "looking at the cluster: interrupted");
	if (json) {
		print_json(doc, JSON_INDENT(2));
	} else {
		status_text(doc, &style, &out);
		fputs(str_cstr(&out), stdout);
	}
	return status_exit(doc);
}

/* Watching. What was shown last decides what is shown next. */

struct watch {
	json_t *lines; /* in a pipe */
	json_t *last;  /* with --json: without what changes by itself */
	bool drawn;    /* on a terminal */
};

static void watch_free(struct watch *w)
{
	json_decref(w->lines);
	json_decref(w->last);
}

/* Each line is cleared behind its end, and the screen below the last one: no flicker, nothing is left over. */
static void draw(struct watch *w, const json_t *doc)
{
	const struct text_style style = text_style_of(stdout);
	_cleanup_str_ struct str text = {0}, fit = {0}, out = {0};

	text_time(clock_wall(), &text);
	str_adds(&text, ", every 2 s until Ctrl-C\n");
	status_text(doc, &style, &text);
	text_fit(str_cstr(&text), &style, &fit);
	str_adds(&out, w->drawn ? "\033[H" : "\033[2J\033[H");
	for (const char *p = str_cstr(&fit); *p; p++) {
		if (*p == '\n')
			str_adds(&out, "\033[K");
		str_addc(&out, *p);
	}
	str_adds(&out, "\033[J");
	fputs(str_cstr(&out), stdout);
	w->drawn = true;
}

static void tell_changes(struct watch *w, const json_t *doc)
{
	json_t *lines = status_lines(doc, w->lines);
	_cleanup_str_ struct str out = {0};

	status_changes(w->lines, lines, clock_wall(), &out);
	fputs(str_cstr(&out), stdout);
	json_decref(w->lines);
	w->lines = lines;
}

static void print_changed(struct watch *w, const json_t *doc)
{
	json_t *plain = json_deep_copy(doc);

	json_object_del(plain, "at");
	json_object_del(json_object_get(plain, "lease"), "renewed");
	if (!json_same(plain, w->last))
		print_json(doc, JSON_COMPACT);
	json_decref(w->last);
	w->last = plain;
}

static int watch(struct status *s, bool json)
{
	CLEANUP(watch_free) struct watch w = {0};
	const char *term = getenv("TERM");
	bool terminal = text_style_of(stdout).height > 0 && term && strcmp(term, "dumb") != 0;

	for (;;) {
		int64_t next = clock_ms() + WATCH_MS;
		_cleanup_json_ json_t *doc = status_look(s, clock_ms() + LOOK_MS);
		if (cancel_requested())
			break;
		if (json)
			print_changed(&w, doc);
		else if (terminal)
			draw(&w, doc);
		else
			tell_changes(&w, doc);
		if (fflush(stdout) != 0 || !clock_sleep(clock_left(next)))
			break;
	}
	if (w.drawn)
		putchar('\n');
	return 0;
}

static int status(const struct status_args *a, struct err *err)
{
	CLEANUP(target_close) struct target t = {0};

	if (target_open(&a->target, &t, err) < 0 || target_engine(&t, err) < 0)
		return -1;
	const struct status_options o = {
		.cluster = t.cluster, .spec = t.spec, .engine = t.engine, .state_dir = t.state_dir};
	struct status *s = status_new(&o);
	int rc = a->watch ? watch(s, a->json) : look_once(s, a->json, err);
	status_free(s);
	return rc;
}

int cmd_status(int argc, char **argv)
{
	CLEANUP(status_args_free) struct status_args a = {0};
	struct err err = {0};

	if (parse(&a, argc, argv) < 0)
		return 64;
	cancel_install();
	int rc = status(&a, &err);
	return rc < 0 ? fail_with(&err) : rc;
}
