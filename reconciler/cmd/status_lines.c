/* The status as lines that are compared with those of the look before. */
#include "cmd/status_text.h"

#include <string.h>
#include <time.h>

__attribute__((format(printf, 4, 5))) static void put(json_t *lines, const char *kind, const char *name,
						      const char *fmt, ...)
{
	_cleanup_free_ char *key = xasprintf("%s%s%s", kind, name ? "/" : "", name ? name : "");
	_cleanup_free_ char *raw = NULL;
	_cleanup_str_ struct str text = {0};
	va_list ap;

	va_start(ap, fmt);
	if (vasprintf(&raw, fmt, ap) < 0)
		abort();
	va_end(ap);
	text_clean(raw, &text);
	json_set_str(lines, key, str_cstr(&text));
}

static const char *or_empty(const char *s)
{
	return s ? s : "";
}

static void put_service(json_t *lines, const json_t *s)
{
	const char *trouble = json_str(s, "trouble");
	json_t *task;
	size_t i;

	put(lines, "service", json_str(s, "name"), "%lld/%lld tasks, %s%s%s", (long long)json_int(s, "running", 0),
	    (long long)json_int(s, "desired", 0), or_empty(json_str(s, "state")), trouble ? ": " : "",
	    or_empty(trouble));
	json_array_foreach (json_object_get(s, "tasks"), i, task) {
		const char *node = json_str(task, "node"), *error = json_str(task, "error");
		const char *before = json_str(task, "error_before");
		_cleanup_free_ char *name =
			xasprintf("%s%s%s", or_empty(json_str(task, "name")), node ? " on " : "", or_empty(node));
		put(lines, "task", name, "%s%s%s%s%s", or_empty(json_str(task, "state")), error ? ": " : "",
		    or_empty(error), before ? ", the one before: " : "", or_empty(before));
	}
}

static void put_route(json_t *lines, const json_t *r)
{
	const char *reason = json_str(r, "reason");

	put(lines, "route", json_str(r, "name"), "%lld/%lld servers, %s%s%s", (long long)json_int(r, "up", 0),
	    (long long)json_int(r, "servers", 0), or_empty(json_str(r, "state")), reason ? ": " : "", or_empty(reason));
}

static void put_node(json_t *lines, const json_t *n)
{
	put(lines, "node", json_str(n, "name"), "%s, %s, %s", or_empty(json_str(n, "state")),
	    or_empty(json_str(n, "role")), or_empty(json_str(n, "availability")));
}

static void put_suspended(json_t *lines, const json_t *s)
{
	const char *what = json_str(s, "resource"), *reason = json_str(s, "reason");

	put(lines, "suspended", str_eq(what, "*") ? NULL : what, "by %s%s%s", or_empty(json_str(s, "by")),
	    reason ? ": " : "", or_empty(reason));
}

static void put_failed(json_t *lines, const json_t *f)
{
	put(lines, "failed", json_str(f, "resource"), "%s", or_empty(json_str(f, "reason")));
}

static void put_contested(json_t *lines, const json_t *c)
{
	put(lines, "contested", json_str(c, "resource"), "%s: somebody else keeps changing it",
	    or_empty(json_str(c, "field")));
}

static void put_waiting(json_t *lines, const json_t *w)
{
	put(lines, "waits", json_str(w, "resource"), "%s", or_empty(json_str(w, "reason")));
}

static const struct {
	const char *member;
	void (*put)(json_t *lines, const json_t *j);
} lists[] = {
	{"suspended", put_suspended}, {"failed", put_failed}, {"contested", put_contested}, {"waiting", put_waiting},
	{"services", put_service},    {"routes", put_route},  {"nodes", put_node},
};

static void put_single(json_t *lines, const json_t *doc)
{
	const json_t *lease = json_object_get(doc, "lease"), *applied = json_object_get(doc, "applied");
	const char *commit = json_str(applied, "commit");

	if (json_is_object(lease))
		put(lines, "at work", NULL, "pid %lld on %s%s", (long long)json_int(lease, "pid", 0),
		    or_empty(json_str(lease, "host")), json_bool(lease, "gone") ? ", which is gone" : "");
	if (json_str(json_object_get(doc, "window"), "reason"))
		put(lines, "window", NULL, "%s", json_str(json_object_get(doc, "window"), "reason"));
	if (json_is_object(applied))
		put(lines, "applied", NULL, commit ? "commit %.12s" : "%s",
		    commit ? commit : or_empty(json_str(applied, "source")));
}

/* Returns whether anything of the cluster is unknown. */
static bool put_unknown(json_t *lines, const json_t *doc)
{
	const json_t *unknown = json_object_get(doc, "unknown");
	const char *what, *away = json_str(unknown, "engine");
	bool any = false;
	json_t *why;

	put(lines, "engine", NULL, "%s", away ? away : "answers");
	json_object_foreach ((json_t *)unknown, what, why) {
		if (strcmp(what, "last_run") == 0)
			continue;
		any = true;
		if (!away)
			put(lines, "unknown", what, "%s", json_string_value(why));
	}
	return any;
}

json_t *status_lines(const json_t *doc, const json_t *before)
{
	json_t *lines = json_object(), *j, *text;
	const char *key;
	size_t k;

	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		json_array_foreach (json_object_get(doc, lists[i].member), k, j)
			lists[i].put(lines, j);
	put_single(lines, doc);
	if (put_unknown(lines, doc))
		json_object_foreach ((json_t *)before, key, text)
			if (!json_object_get(lines, key) && !str_starts(key, "unknown/"))
				json_object_set(lines, key, text);
	return lines;
}

static void add_line(const char *clock, const char *key, const char *text, struct str *out)
{
	str_addf(out, "%s %s: %s\n", clock, key, text);
}

/* A service that runs as it should is not asked for its tasks any more: they have not gone. */
static bool is_told_when_gone(const char *key)
{
	return !str_starts(key, "task/");
}

void status_changes(const json_t *before, const json_t *now, int64_t wall, struct str *out)
{
	time_t t = (time_t)wall;
	char clock[16] = "";
	struct tm tm;
	size_t n;

	if (localtime_r(&t, &tm))
		strftime(clock, sizeof(clock), "%H:%M:%S", &tm);
	const char **keys = json_sorted_keys(now, &n);
	for (size_t i = 0; i < n; i++)
		if (!str_eq(json_str(before, keys[i]), json_str(now, keys[i])))
			add_line(clock, keys[i], json_str(now, keys[i]), out);
	free(keys);
	keys = json_sorted_keys(before, &n);
	for (size_t i = 0; i < n; i++)
		if (!json_object_get(now, keys[i]) && is_told_when_gone(keys[i]))
			add_line(clock, keys[i], str_starts(keys[i], "unknown/") ? "known again" : "no more", out);
	free(keys);
}
