#include "cmd/doctor_text.h"

#include <string.h>

#define INDENT "         "

static void add_visible(struct str *out, const char *text)
{
	str_add_visible(out, text, strlen(text));
}

static void add_word(const char *word, enum paint p, const struct text_style *style, struct str *out)
{
	text_paint(style, p, out);
	str_addf(out, "%-7s", word);
	text_paint(style, PAINT_NONE, out);
	str_adds(out, "  ");
}

static void add_line(const char *label, const char *text, struct str *out)
{
	if (!text)
		return;
	str_addf(out, INDENT "%s", label);
	add_visible(out, text);
	str_addc(out, '\n');
}

/* Findings of one trap stand together: why and how to mend is told once, after the last of them. */
static void add_findings(const json_t *findings, const struct text_style *style, struct str *out)
{
	const json_t *last = NULL;
	json_t *j;
	size_t i;

	json_array_foreach ((json_t *)findings, i, j) {
		const json_t *next = json_array_get(findings, i + 1);
		const char *severity = json_str(j, "severity"), *id = json_str(j, "id");
		bool begins =
			!last || !str_eq(json_str(last, "id"), id) || !str_eq(json_str(last, "severity"), severity);
		bool ends = !next || !str_eq(json_str(next, "id"), id) || !str_eq(json_str(next, "severity"), severity);

		if (begins) {
			add_word(severity, str_eq(severity, "error") ? PAINT_BAD : PAINT_WARN, style, out);
			text_paint(style, PAINT_BOLD, out);
			str_adds(out, id);
			text_paint(style, PAINT_NONE, out);
			str_addc(out, '\n');
		}
		_cleanup_free_ char *line = xasprintf("%s: %s", json_str(j, "where"), json_str(j, "what"));
		add_line("", line, out);
		if (ends) {
			add_line("why:  ", json_str(j, "why"), out);
			add_line("mend: ", json_str(j, "mend"), out);
			str_addc(out, '\n');
		}
		last = j;
	}
}

static void add_unknown(const json_t *unknown, const struct text_style *style, struct str *out)
{
	json_t *j;
	size_t i;

	if (json_array_size(unknown) == 0)
		return;
	add_word("unknown", PAINT_WARN, style, out);
	str_adds(out, "could not be looked at\n");
	json_array_foreach ((json_t *)unknown, i, j) {
		_cleanup_free_ char *line = xasprintf("%s: %s", json_str(j, "what"), json_str(j, "why"));
		add_line("", line, out);
	}
	str_addc(out, '\n');
}

static void add_count(int64_t n, const char *one, const char *many, struct str *out)
{
	str_addf(out, "%lld %s", (long long)n, n == 1 ? one : many);
}

void doctor_text(const json_t *doc, const struct text_style *style, struct str *out)
{
	const json_t *summary = json_object_get(doc, "summary");
	int64_t errors = json_int(summary, "errors", 0), warnings = json_int(summary, "warnings", 0);
	int64_t unknown = json_int(summary, "unknown", 0);

	add_findings(json_object_get(doc, "findings"), style, out);
	add_unknown(json_object_get(doc, "unknown"), style, out);
	str_addf(out, "%lld traps looked for: ", (long long)json_int(summary, "traps", 0));
	if (errors + warnings == 0)
		str_adds(out, "none found");
	if (errors)
		add_count(errors, "error", "errors", out);
	if (warnings) {
		str_adds(out, errors ? ", " : "");
		add_count(warnings, "warning", "warnings", out);
	}
	if (unknown) {
		str_adds(out, "; ");
		add_count(unknown, "thing", "things", out);
		str_adds(out, " could not be looked at");
	}
	str_adds(out, ".\n");
}
