#include "cmd/history_text.h"

#include "plan/render.h"

#include <string.h>

const char *outcome_of_run(const json_t *run, bool at_work, enum paint *paint)
{
	static const struct {
		int64_t exit_status;
		const char *text;
		enum paint paint;
	} outcomes[] = {
		{0, "converged", PAINT_GOOD},
		{1, "failed", PAINT_BAD},
		{3, "not finished", PAINT_WARN},
		{5, "locked or suspended", PAINT_WARN},
	};
	int64_t status = json_int(run, "exit_status", -1);

	*paint = at_work ? PAINT_WARN : PAINT_BAD;
	if (!json_object_get(run, "ended"))
		return at_work ? "at work" : "killed";
	for (size_t i = 0; i < ARRAY_SIZE(outcomes); i++) {
		if (outcomes[i].exit_status != status)
			continue;
		*paint = outcomes[i].paint;
		return outcomes[i].text;
	}
	return "failed";
}

void outcomes_text(const json_t *run, struct str *out)
{
	static const char *const first[] = {"done"};
	const json_t *outcomes = json_object_get(run, "outcomes");
	const char *separator = "";
	size_t n;
	const char **names = json_sorted_keys(outcomes, &n);

	for (size_t i = 0; i < ARRAY_SIZE(first); i++) {
		if (!json_object_get(outcomes, first[i]))
			continue;
		str_addf(out, "%lld %s", (long long)json_int(outcomes, first[i], 0), first[i]);
		separator = ", ";
	}
	for (size_t i = 0; i < n; i++) {
		if (strcmp(names[i], first[0]) == 0)
			continue;
		str_addf(out, "%s%lld %s", separator, (long long)json_int(outcomes, names[i], 0), names[i]);
		separator = ", ";
	}
	if (n == 0)
		str_adds(out, "nothing");
	free(names);
}

static void add_took(const json_t *run, struct str *out)
{
	if (json_object_get(run, "ended"))
		text_duration(json_int(run, "ended", 0) - json_int(run, "started", 0), out);
	else
		str_adds(out, "-");
}

static const char *or_dash(const char *s)
{
	return s ? s : "-";
}

/* "<40 digits>:cluster.yaml" is shown as git shows a commit. */
static void add_source(const json_t *run, struct str *out)
{
	const char *source = or_dash(json_str(run, "source")), *commit = json_str(run, "commit");
	size_t n = commit ? strlen(commit) : 0;

	if (n > 12 && strncmp(source, commit, n) == 0)
		str_addf(out, "%.12s%s", source, source + n);
	else
		str_adds(out, source);
}

void history_text(const json_t *runs, bool at_work, const struct text_style *style, struct str *out)
{
	static const char *const heads[] = {"RUN", "STARTED", "TOOK", "KIND", "SOURCE", "STEPS", "OUTCOME"};
	CLEANUP(table_free) struct table t = TABLE(ARRAY_SIZE(heads));
	json_t *run;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(heads); i++)
		table_add(&t, PAINT_BOLD, "%s", heads[i]);
	json_array_foreach ((json_t *)runs, i, run) {
		_cleanup_str_ struct str when = {0}, took = {0}, source = {0}, did = {0};
		enum paint paint;
		const char *outcome = outcome_of_run(run, at_work && i == 0, &paint);
		text_time(json_int(run, "started", 0), &when);
		add_took(run, &took);
		add_source(run, &source);
		outcomes_text(run, &did);
		table_add(&t, PAINT_NONE, "%lld", (long long)json_int(run, "run", 0));
		table_add(&t, PAINT_NONE, "%s", str_cstr(&when));
		table_add(&t, PAINT_NONE, "%s", str_cstr(&took));
		table_add(&t, PAINT_NONE, "%s", or_dash(json_str(run, "kind")));
		table_add(&t, PAINT_NONE, "%s", str_cstr(&source));
		table_add(&t, PAINT_NONE, "%s", str_cstr(&did));
		table_add(&t, paint, "%s", outcome);
	}
	table_print(&t, style, out);
}

/* Plans as they were recorded: from JSON (docs/plan-format.md), for the kinds may have changed since. */

static const struct kind *kind_of(const char *key)
{
	const char *slash = key ? strchr(key, '/') : NULL;
	_cleanup_free_ char *name = slash ? xasprintf("%.*s", (int)(slash - key), key) : NULL;

	return name ? kind_find(name) : NULL;
}

/* A value of a kind that this version does not know is shown as JSON. */
static void add_value(const struct kind *k, const char *path, const json_t *value, struct str *out)
{
	_cleanup_str_ struct str text = {0};

	if (!value || json_is_null(value))
		str_adds(&text, "(not set)");
	else if (k)
		render_value(k, path, value, &text);
	else
		json_canonical(value, &text);
	text_clean(str_cstr(&text), out);
}

static void add_field(const json_t *change, const json_t *field, struct str *out)
{
	const char *path = or_dash(json_str(field, "path"));
	const struct kind *k = kind_of(json_str(change, "resource"));

	str_adds(out, "             ");
	text_clean(path, out);
	str_adds(out, ": ");
	if (json_bool(field, "secret")) {
		str_adds(out, "(secret)");
	} else {
		add_value(k, path, json_object_get(field, "from"), out);
		str_adds(out, " -> ");
		add_value(k, path, json_object_get(field, "to"), out);
	}
	str_addc(out, '\n');
}

static void add_lines(const char *indent, const char *text, struct str *out)
{
	while (text && *text) {
		size_t n = strcspn(text, "\n");
		_cleanup_free_ char *line = xasprintf("%.*s", (int)n, text);
		str_adds(out, indent);
		text_clean(line, out);
		str_addc(out, '\n');
		text += n + (text[n] == '\n');
	}
}

static void add_change(const json_t *change, const struct text_style *style, struct str *out)
{
	const char *state = or_dash(json_str(change, "state"));
	bool ready = strcmp(state, "ready") == 0;
	json_t *field;
	size_t i;

	text_paint(style, ready ? PAINT_NONE : PAINT_WARN, out);
	str_addf(out, "    %-8s ", ready ? or_dash(json_str(change, "action")) : state);
	text_clean(or_dash(json_str(change, "resource")), out);
	text_paint(style, PAINT_NONE, out);
	str_addc(out, '\n');
	if (!ready)
		add_lines("             ", json_str(change, "reason"), out);
	add_lines("             ", json_str(change, "effect"), out);
	json_array_foreach (json_object_get(change, "fields"), i, field)
		add_field(change, field, out);
}

static void add_plans(const json_t *run, const struct text_style *style, struct str *out)
{
	const json_t *plans = json_object_get(run, "plans");
	json_t *plan, *change;
	size_t i, k;

	if (json_array_size(plans) == 0)
		str_adds(out, "\nIts plans are not kept any more.\n");
	json_array_foreach ((json_t *)plans, i, plan) {
		const json_t *changes = json_path(plan, "plan.changes");
		str_addc(out, '\n');
		text_paint(style, PAINT_BOLD, out);
		str_addf(out, "Plan %lld", (long long)json_int(plan, "number", 0));
		text_paint(style, PAINT_NONE, out);
		str_adds(out, json_array_size(changes) ? ":\n" : ": no changes\n");
		json_array_foreach ((json_t *)changes, k, change)
			add_change(change, style, out);
	}
}

static void add_step(const json_t *step, struct table *t)
{
	const char *outcome = or_dash(json_str(step, "outcome")), *message = json_str(step, "message");
	bool done = strcmp(outcome, "done") == 0;
	_cleanup_str_ struct str when = {0};

	if (json_object_get(step, "ended"))
		text_time(json_int(step, "ended", 0), &when);
	table_add(t, PAINT_NONE, "  %s", when.len ? str_cstr(&when) : "-");
	table_add(t, PAINT_NONE, "%lld.%llds", (long long)json_int(step, "ms", 0) / 1000,
		  (long long)json_int(step, "ms", 0) % 1000 / 100);
	table_add(t, PAINT_NONE, "%s", or_dash(json_str(step, "action")));
	table_add(t, PAINT_NONE, "%s", or_dash(json_str(step, "resource")));
	table_add(t, done ? PAINT_GOOD : strcmp(outcome, "held") == 0 ? PAINT_WARN : PAINT_BAD, "%s", outcome);
	if (message)
		table_note(t, PAINT_NONE, "  %s", message);
}

static void add_steps(const json_t *run, const struct text_style *style, struct str *out)
{
	CLEANUP(table_free) struct table t = TABLE(5);
	const json_t *steps = json_object_get(run, "steps");
	json_t *step;
	size_t i;

	str_addc(out, '\n');
	text_paint(style, PAINT_BOLD, out);
	str_adds(out, "Steps");
	text_paint(style, PAINT_NONE, out);
	str_adds(out, json_array_size(steps) ? ":\n" : ": none\n");
	json_array_foreach ((json_t *)steps, i, step)
		add_step(step, &t);
	table_print(&t, style, out);
}

static void add_end(const json_t *run, bool at_work, const struct text_style *style, struct str *out)
{
	_cleanup_str_ struct str when = {0};
	enum paint paint;
	const char *outcome = outcome_of_run(run, at_work, &paint);

	str_addc(out, '\n');
	text_paint(style, paint, out);
	str_adds(out, outcome);
	text_paint(style, PAINT_NONE, out);
	if (json_object_get(run, "ended")) {
		text_time(json_int(run, "ended", 0), &when);
		str_addf(out, " %s, exit status %lld", str_cstr(&when), (long long)json_int(run, "exit_status", -1));
	} else if (!at_work) {
		str_adds(out, ": it has no end; the next run goes on from what it finds");
	}
	str_addc(out, '\n');
	add_lines("  ", json_str(run, "message"), out);
}

void show_text(const json_t *run, bool at_work, const struct text_style *style, struct str *out)
{
	_cleanup_str_ struct str when = {0}, source = {0}, did = {0};

	text_time(json_int(run, "started", 0), &when);
	add_source(run, &source);
	outcomes_text(run, &did);
	text_paint(style, PAINT_BOLD, out);
	str_addf(out, "Run %lld", (long long)json_int(run, "run", 0));
	text_paint(style, PAINT_NONE, out);
	str_addf(out, " (%s) of ", or_dash(json_str(run, "kind")));
	text_clean(str_cstr(&source), out);
	str_addf(out, ", %s: %s\n", str_cstr(&when), str_cstr(&did));
	add_plans(run, style, out);
	add_steps(run, style, out);
	add_end(run, at_work, style, out);
}
