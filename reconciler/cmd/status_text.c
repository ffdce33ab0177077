#include "cmd/status_text.h"

#include "cmd/history_text.h"

#include <string.h>

#define MAX_TASKS 5 /* of a service that are told one by one */

struct view {
	const json_t *doc;
	const struct text_style *style;
	struct str *out;
	int64_t now;
};

/* How states are painted; what is none of these is neither good nor bad. */
static const struct {
	const char *state;
	enum paint paint;
} paints[] = {
	{"absent", PAINT_WARN},      {"completed", PAINT_GOOD},
	{"disconnected", PAINT_BAD}, {"down", PAINT_BAD},
	{"failing", PAINT_BAD},      {"not-adopted", PAINT_WARN},
	{"partial", PAINT_WARN},     {"paused", PAINT_BAD},
	{"ready", PAINT_GOOD},       {"rollback-paused", PAINT_BAD},
	{"rolled-back", PAINT_WARN}, {"rolling-back", PAINT_WARN},
	{"running", PAINT_GOOD},     {"starting", PAINT_WARN},
	{"unknown", PAINT_WARN},     {"up", PAINT_GOOD},
	{"updating", PAINT_WARN},
};

static enum paint paint_of(const char *state)
{
	for (size_t i = 0; i < ARRAY_SIZE(paints); i++)
		if (strcmp(paints[i].state, state) == 0)
			return paints[i].paint;
	return PAINT_NONE;
}

static const char *or_dash(const char *s)
{
	return s && *s ? s : "-";
}

static const char *state_of(const json_t *j)
{
	return or_dash(json_str(j, "state"));
}

/* Headline and what holds of the whole cluster */

__attribute__((format(printf, 4, 5))) static void add_line(struct view *v, const char *what, enum paint p,
							   const char *fmt, ...)
{
	_cleanup_free_ char *text = NULL;
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	text_paint(v->style, p, v->out);
	str_addf(v->out, "  %-10s ", what);
	if (p != PAINT_NONE)
		text_paint(v->style, PAINT_NONE, v->out);
	text_clean(text, v->out);
	str_addc(v->out, '\n');
}

static void add_ago(const struct view *v, int64_t at, struct str *out)
{
	text_time(at, out);
	str_adds(out, " (");
	text_duration(v->now - at, out);
	str_adds(out, " ago)");
}

static void add_headline(struct view *v)
{
	static const struct {
		const char *member, *text;
	} parts[] = {{"failed", "failed"}, {"pending", "not ready"}, {"unknown", "unknown"}};
	const json_t *summary = json_object_get(v->doc, "summary");
	bool ok = str_eq(json_str(v->doc, "health"), "ok"), failed = json_int(summary, "failed", 0) > 0;
	const char *separator = "";

	text_paint(v->style, PAINT_BOLD, v->out);
	str_adds(v->out, "Cluster ");
	text_clean(or_dash(json_str(v->doc, "cluster")), v->out);
	text_paint(v->style, PAINT_NONE, v->out);
	str_adds(v->out, ": ");
	text_paint(v->style, ok ? PAINT_GOOD : failed ? PAINT_BAD : PAINT_WARN, v->out);
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		int64_t n = json_int(summary, parts[i].member, 0);
		if (n == 0)
			continue;
		str_addf(v->out, "%s%lld %s", separator, (long long)n, parts[i].text);
		separator = ", ";
	}
	str_adds(v->out, ok ? "all is well" : "");
	text_paint(v->style, PAINT_NONE, v->out);
	if (json_str(v->doc, "engine")) {
		str_adds(v->out, ", at ");
		text_clean(json_str(v->doc, "engine"), v->out);
	}
	str_addc(v->out, '\n');
}

static void add_applied(struct view *v)
{
	const json_t *applied = json_object_get(v->doc, "applied");
	const char *source = json_str(applied, "source"), *commit = json_str(applied, "commit");
	_cleanup_str_ struct str text = {0};

	if (!json_is_object(applied))
		return;
	if (commit)
		str_addf(&text, "commit %.12s", commit);
	else
		str_adds(&text, or_dash(source));
	str_adds(&text, ", ");
	add_ago(v, json_int(applied, "at", 0), &text);
	if (json_object_get(applied, "complete") && !json_bool(applied, "complete"))
		str_adds(&text, ", not to its end");
	add_line(v, "applied", PAINT_NONE, "%s", str_cstr(&text));
}

static void add_last_run(struct view *v)
{
	const json_t *run = json_object_get(v->doc, "last_run");
	_cleanup_str_ struct str text = {0};
	enum paint paint;

	if (!json_is_object(run))
		return;
	str_addf(&text, "%lld (%s), ", (long long)json_int(run, "run", 0), or_dash(json_str(run, "kind")));
	add_ago(v, json_int(run, "started", 0), &text);
	str_addf(&text, ": %s, ", json_object_get(run, "ended") ? outcome_of_run(run, false, &paint) : "no end yet");
	outcomes_text(run, &text);
	add_line(v, "last run", PAINT_NONE, "%s", str_cstr(&text));
}

static void add_suspended(struct view *v)
{
	json_t *s;
	size_t i;

	json_array_foreach (json_object_get(v->doc, "suspended"), i, s) {
		const char *what = or_dash(json_str(s, "resource"));
		_cleanup_str_ struct str text = {0};
		if (strcmp(what, "*") != 0)
			str_addf(&text, "%s ", what);
		str_addf(&text, "by %s since ", or_dash(json_str(s, "by")));
		text_time(json_int(s, "since", 0), &text);
		if (json_object_get(s, "until")) {
			str_adds(&text, " until ");
			text_time(json_int(s, "until", 0), &text);
		}
		if (json_object_get(s, "run"))
			str_addf(&text, ", after a rollback to run %lld", (long long)json_int(s, "run", 0));
		if (json_str(s, "reason"))
			str_addf(&text, ": %s", json_str(s, "reason"));
		add_line(v, "suspended", PAINT_WARN, "%s", str_cstr(&text));
	}
}

static void add_lease(struct view *v)
{
	const json_t *lease = json_object_get(v->doc, "lease");
	int64_t renewed = json_int(lease, "renewed", 0), ttl = json_int(lease, "ttl_s", 0);
	_cleanup_str_ struct str text = {0};

	if (!json_is_object(lease))
		return;
	str_addf(&text, "pid %lld on %s", (long long)json_int(lease, "pid", 0), or_dash(json_str(lease, "host")));
	if (json_bool(lease, "gone"))
		str_adds(&text, ", which is gone: the next run takes over");
	else if (renewed && ttl && v->now - renewed > ttl)
		str_addf(&text, ", not heard of for %lld s: the next run takes over once it has seen that too",
			 (long long)(v->now - renewed));
	add_line(v, "at work", PAINT_WARN, "%s", str_cstr(&text));
}

static void add_failed(struct view *v)
{
	json_t *f;
	size_t i;

	json_array_foreach (json_object_get(v->doc, "failed"), i, f) {
		_cleanup_str_ struct str when = {0};
		add_ago(v, json_int(f, "at", 0), &when);
		add_line(v, "failed", PAINT_BAD,
			 "%s %s: %s; it is not tried again until its spec changes, or with --retry",
			 or_dash(json_str(f, "resource")), str_cstr(&when), or_dash(json_str(f, "reason")));
	}
	json_array_foreach (json_object_get(v->doc, "contested"), i, f) {
		_cleanup_str_ struct str when = {0};
		add_ago(v, json_int(f, "at", 0), &when);
		add_line(v, "contested", PAINT_BAD,
			 "%s %s: somebody else keeps changing it, last put back %s; `resume` or --retry goes on",
			 or_dash(json_str(f, "resource")), or_dash(json_str(f, "field")), str_cstr(&when));
	}
}

static void add_waiting(struct view *v)
{
	json_t *w;
	size_t i;

	json_array_foreach (json_object_get(v->doc, "waiting"), i, w)
		add_line(v, "waits", PAINT_WARN, "%s: %s", or_dash(json_str(w, "resource")),
			 or_dash(json_str(w, "reason")));
}

static void add_window(struct view *v)
{
	const json_t *window = json_object_get(v->doc, "window");

	if (json_str(window, "reason"))
		add_line(v, "window", PAINT_WARN, "%s", json_str(window, "reason"));
}

/* An engine that is away is one reason for everything. */
static void add_unknown(struct view *v)
{
	const json_t *unknown = json_object_get(v->doc, "unknown");
	bool away = json_str(unknown, "engine") != NULL;
	size_t n;
	const char **names = json_sorted_keys(unknown, &n);

	for (size_t i = 0; i < n; i++)
		if (!away || strcmp(names[i], "engine") == 0 || strcmp(names[i], "last_run") == 0)
			add_line(v, "unknown", PAINT_WARN, "%s: %s",
				 strcmp(names[i], "last_run") ? names[i] : "last run",
				 or_dash(json_str(unknown, names[i])));
	free(names);
}

/* Tables */

static void add_heads(struct table *t, const char *const *heads)
{
	for (size_t i = 0; i < t->columns; i++)
		table_add(t, PAINT_BOLD, "%s", heads[i]);
}

static void finish_table(struct view *v, const struct table *t)
{
	if (t->cells.n <= t->columns)
		return;
	str_addc(v->out, '\n');
	table_print(t, v->style, v->out);
}

/* Every member of the list, those in trouble first. */
static void add_rows(const json_t *list, struct table *t, void (*add)(struct table *t, const json_t *j))
{
	static const enum paint order[] = {PAINT_BAD, PAINT_WARN, PAINT_NONE, PAINT_GOOD};
	json_t *j;
	size_t i;

	for (size_t k = 0; k < ARRAY_SIZE(order); k++)
		json_array_foreach ((json_t *)list, i, j)
			if (paint_of(state_of(j)) == order[k])
				add(t, j);
}

static char *task_line(const json_t *task)
{
	const char *node = json_str(task, "node"), *error = json_str(task, "error");
	const char *before = json_str(task, "error_before");

	return xasprintf("%s%s%s: %s%s%s%s", or_dash(json_str(task, "name")), node ? " on " : "", node ? node : "",
			 state_of(task), before ? ", the one before: " : "", error ? ": " : "",
			 error    ? error
			 : before ? before
				  : "");
}

static bool is_worth_a_line(const json_t *task)
{
	return json_str(task, "error") || strcmp(state_of(task), "running") != 0;
}

static void add_tasks(struct table *t, const json_t *service)
{
	const char *trouble = json_str(service, "trouble");
	bool moves = strcmp(state_of(service), "running") != 0;
	size_t i, told = 0, more = 0;
	json_t *task;

	json_array_foreach (json_object_get(service, "tasks"), i, task) {
		if (!moves || !is_worth_a_line(task))
			continue;
		if (told == MAX_TASKS) {
			more++;
			continue;
		}
		_cleanup_free_ char *line = task_line(task);
		table_note(t, json_str(task, "error") || json_str(task, "error_before") ? PAINT_BAD : PAINT_WARN, "%s",
			   line);
		told++;
	}
	if (more)
		table_note(t, PAINT_DIM, "and %zu more", more);
	if (trouble && told == 0)
		table_note(t, PAINT_BAD, "%s", trouble);
}

/* "2/3", "0/1 (4 done)" */
static void add_counts(const json_t *service, struct str *out)
{
	if (!json_object_get(service, "running")) {
		str_addc(out, '-');
		return;
	}
	str_addf(out, "%lld/%lld", (long long)json_int(service, "running", 0),
		 (long long)json_int(service, "desired", 0));
	if (json_object_get(service, "completed"))
		str_addf(out, " (%lld done)", (long long)json_int(service, "completed", 0));
}

static void add_service(struct table *t, const json_t *s)
{
	_cleanup_str_ struct str counts = {0};

	add_counts(s, &counts);
	table_add(t, PAINT_NONE, "%s", or_dash(json_str(s, "name")));
	table_add(t, paint_of(state_of(s)), "%s", state_of(s));
	table_add(t, PAINT_NONE, "%s", str_cstr(&counts));
	table_add(t, PAINT_NONE, "%s", or_dash(json_str(s, "mode")));
	table_add(t, PAINT_NONE, "%s", or_dash(json_str(s, "image")));
	add_tasks(t, s);
}

static void add_services(struct view *v)
{
	static const char *const heads[] = {"SERVICE", "STATE", "TASKS", "MODE", "IMAGE"};
	CLEANUP(table_free) struct table t = TABLE(ARRAY_SIZE(heads));

	add_heads(&t, heads);
	add_rows(json_object_get(v->doc, "services"), &t, add_service);
	finish_table(v, &t);
}

static void add_route(struct table *t, const json_t *r)
{
	table_add(t, PAINT_NONE, "%s", or_dash(json_str(r, "name")));
	table_add(t, paint_of(state_of(r)), "%s", state_of(r));
	if (json_object_get(r, "servers"))
		table_add(t, PAINT_NONE, "%lld/%lld", (long long)json_int(r, "up", 0),
			  (long long)json_int(r, "servers", 0));
	else
		table_add(t, PAINT_NONE, "-");
	table_add(t, PAINT_NONE, "%s", or_dash(json_str(r, "rule")));
	if (json_str(r, "reason"))
		table_note(t, PAINT_DIM, "%s", json_str(r, "reason"));
}

static void add_routes(struct view *v)
{
	static const char *const heads[] = {"ROUTE", "STATE", "SERVERS", "RULE"};
	CLEANUP(table_free) struct table t = TABLE(ARRAY_SIZE(heads));

	add_heads(&t, heads);
	add_rows(json_object_get(v->doc, "routes"), &t, add_route);
	finish_table(v, &t);
}

static void add_node(struct table *t, const json_t *n)
{
	const char *manager = json_str(n, "manager");

	table_add(t, PAINT_NONE, "%s", or_dash(json_str(n, "name")));
	table_add(t, paint_of(state_of(n)), "%s%s", state_of(n), json_bool(n, "optional") ? " (optional)" : "");
	table_add(t, PAINT_NONE, "%s%s", or_dash(json_str(n, "role")),
		  json_bool(n, "leader")                         ? " (leader)"
		  : manager && strcmp(manager, "reachable") != 0 ? " (unreachable)"
								 : "");
	table_add(t, PAINT_NONE, "%s", or_dash(json_str(n, "availability")));
	table_add(t, PAINT_NONE, "%s", or_dash(json_str(n, "address")));
	if (json_str(n, "message") && *json_str(n, "message"))
		table_note(t, PAINT_DIM, "%s", json_str(n, "message"));
}

static void add_nodes(struct view *v)
{
	static const char *const heads[] = {"NODE", "STATE", "ROLE", "AVAILABILITY", "ADDRESS"};
	CLEANUP(table_free) struct table t = TABLE(ARRAY_SIZE(heads));

	add_heads(&t, heads);
	add_rows(json_object_get(v->doc, "nodes"), &t, add_node);
	finish_table(v, &t);
}

void status_text(const json_t *doc, const struct text_style *style, struct str *out)
{
	struct view v = {.doc = doc, .style = style, .out = out, .now = json_int(doc, "at", 0)};

	add_headline(&v);
	add_applied(&v);
	add_last_run(&v);
	add_suspended(&v);
	add_lease(&v);
	add_failed(&v);
	add_waiting(&v);
	add_window(&v);
	add_unknown(&v);
	add_services(&v);
	add_routes(&v);
	add_nodes(&v);
}
