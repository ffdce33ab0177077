#include "cmd/cmd.h"

#include "sys/clock.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* What daemons and tasks say, and the spec's words in it. */
static const char *visible(const char *text, struct str *buf)
{
	str_add_visible(buf, text, strlen(text));
	return str_cstr(buf);
}

/* The one line at the bottom of a terminal that says what is going on. */
static void clear_status(struct ui *ui)
{
	if (ui->status_shown)
		fputs("\r\033[K", stderr);
	ui->status_shown = false;
}

static void show_text(struct ui *ui, struct str *text, int number)
{
	if (strcmp(str_cstr(text), str_cstr(&ui->plan)) == 0)
		return;
	if (number > 1)
		puts("\nLooking again:\n");
	fputs(str_cstr(text), stdout);
	str_reset(&ui->plan);
	str_add(&ui->plan, text->data, text->len);
}

static void on_findings(void *arg, const struct diags *d, const char *text)
{
	clear_status(arg);
	print_diags(d, text);
}

static void on_planned(void *arg, const struct plan *p, const struct render_context *given, int number)
{
	struct ui *ui = arg;
	struct render_context ctx = *given;
	_cleanup_str_ struct str out = {0};

	clear_status(ui);
	ctx.color = ui->color;
	if (ui->output == OUTPUT_JSON) {
		_cleanup_json_ json_t *j = render_json(p, &ctx);
		char *text = json_dumps(j, JSON_INDENT(2));
		puts(text);
		free(text);
	} else if (ui->output == OUTPUT_MARKDOWN) {
		render_markdown(p, &ctx, &out);
		fputs(str_cstr(&out), stdout);
	} else {
		render_text(p, &ctx, &out);
		show_text(ui, &out, number);
	}
	fflush(stdout);
}

/* Ctrl-C is an answer, too: its handler only asks the run to stop, the read would go on. */
static bool read_answer(char *answer, int size)
{
	struct pollfd fds[] = {{.fd = STDIN_FILENO, .events = POLLIN}, {.fd = cancel_fd(), .events = POLLIN}};

	while (!cancel_requested() && poll(fds, ARRAY_SIZE(fds), -1) < 0 && errno == EINTR)
		;
	return !cancel_requested() && fgets(answer, size, stdin);
}

bool ui_ask(const char *question)
{
	char answer[16] = "";

	printf("%s [y/N] ", question);
	fflush(stdout);
	return read_answer(answer, sizeof(answer)) && (answer[0] == 'y' || answer[0] == 'Y');
}

/* "removes or replaces something, installs packages" */
static void what_is_asked(const struct plan *p, struct str *out)
{
	if (plan_is_destructive(p))
		str_adds(out, "removes or replaces something");
	for (size_t i = 0; i < p->changes.n; i++) {
		const char *asks = p->changes.v[i].asks;
		if (p->changes.v[i].state == CHANGE_READY && asks && !(out->len && strstr(out->data, asks)))
			str_addf(out, "%s%s", out->len ? ", " : "", asks);
	}
}

static bool on_confirm(void *arg, const struct plan *p)
{
	_cleanup_str_ struct str what = {0};
	struct ui *ui = arg;

	what_is_asked(p, &what);
	if (!isatty(STDIN_FILENO) || !ui->terminal) {
		fprintf(stderr, "reconcile: the plan %s; give --yes to do it without a terminal\n", str_cstr(&what));
		return false;
	}
	_cleanup_free_ char *question = xasprintf("Apply this plan? It %s.", str_cstr(&what));
	return ui_ask(question);
}

static FILE *progress_stream(const struct ui *ui)
{
	return ui->output == OUTPUT_TEXT ? stdout : stderr;
}

static void on_started(void *arg, const struct change *c)
{
	struct ui *ui = arg;
	clear_status(ui);
	fprintf(progress_stream(ui), "%s %s …\n", action_name(c->action), c->key);
	fflush(progress_stream(ui));
}

static void on_progress(void *arg, const struct change *c, const char *text)
{
	struct ui *ui = arg;
	_cleanup_str_ struct str buf = {0};

	if (str_eq(json_str(ui->progress, c->key), text))
		return;
	json_set_str(ui->progress, c->key, text);
	text = visible(text, &buf);
	if (ui->terminal) {
		fprintf(stderr, "\r\033[K  %s: %.100s", c->key, text);
		ui->status_shown = true;
	} else {
		fprintf(progress_stream(ui), "  %s: %s\n", c->key, text);
		fflush(progress_stream(ui));
	}
}

static const char *failure_word(enum err_code code)
{
	/* No failure yet: the next plan of this run goes on from what is there now. */
	if (code == ERR_OUT_OF_SEQUENCE)
		return "to be planned anew:";
	return code == ERR_CANCELLED ? "stopped" : "FAILED";
}

static void on_finished(void *arg, const struct change *c, const struct err *failure, int64_t ms)
{
	struct ui *ui = arg;
	FILE *f = progress_stream(ui);
	_cleanup_str_ struct str buf = {0};

	clear_status(ui);
	if (failure)
		fprintf(f, "  %s %s\n", failure_word(failure->code), visible(failure->msg, &buf));
	else
		fprintf(f, "  done %s (%.1f s)\n", c->key, (double)ms / 1000);
	fflush(f);
}

static void on_skipped(void *arg, const struct change *c, const char *reason)
{
	struct ui *ui = arg;
	_cleanup_str_ struct str buf = {0};

	clear_status(ui);
	fprintf(progress_stream(ui), "  not yet %s: %s\n", c->key, visible(reason, &buf));
}

static void on_message(void *arg, const char *text)
{
	_cleanup_str_ struct str buf = {0};

	clear_status(arg);
	fprintf(stderr, "reconcile: %s\n", visible(text, &buf));
}

void ui_init(struct ui *ui, enum output output)
{
	*ui = (struct ui){.output = output, .progress = json_object()};
	ui->terminal = output == OUTPUT_TEXT && isatty(STDOUT_FILENO) && isatty(STDERR_FILENO);
	const char *term = getenv("TERM");
	ui->color = ui->terminal && !getenv("NO_COLOR") && !(term && strcmp(term, "dumb") == 0);
	ui->events = (struct run_events){
		.arg = ui,
		.findings = on_findings,
		.planned = on_planned,
		.confirm = on_confirm,
		.started = on_started,
		.progress = on_progress,
		.finished = on_finished,
		.skipped = on_skipped,
		.message = on_message,
	};
}

void ui_free(struct ui *ui)
{
	str_free(&ui->plan);
	json_decref(ui->progress);
}

void ui_finish(struct ui *ui, const struct run_options *o, const struct run_result *r)
{
	FILE *f = progress_stream(ui);
	_cleanup_str_ struct str buf = {0};

	clear_status(ui);
	if (r->message)
		fprintf(stderr, "reconcile: %s\n", visible(r->message, &buf));
	if (o->dry_run)
		return;
	if (r->done + r->failed + r->interrupted + r->skipped == 0)
		return;
	fprintf(f, "\nMade %zu change%s", r->done, r->done == 1 ? "" : "s");
	const struct {
		size_t n;
		const char *what;
	} rest[] = {{r->failed, "failed"}, {r->interrupted, "interrupted"}, {r->skipped, "not started"}};
	for (size_t i = 0; i < ARRAY_SIZE(rest); i++)
		if (rest[i].n)
			fprintf(f, ", %zu %s", rest[i].n, rest[i].what);
	fputs(".\n", f);
}
