#include "plan/render.h"

#include <string.h>

#define COMMENT_MAX_FIELDS 40 /* a review comment stays readable, and below the forges' size limits */

/* Inside a table cell and code span: no pipes, no backticks, no line ends. */
static void add_cell(struct str *s, const char *text)
{
	for (; *text; text++) {
		if (*text == '|')
			str_adds(s, "\\|");
		else if (*text == '`')
			str_addc(s, '\'');
		else if (*text == '\n')
			str_adds(s, "; ");
		else
			str_addc(s, *text);
	}
}

static void add_code(struct str *s, const char *text)
{
	str_addc(s, '`');
	add_cell(s, text);
	str_addc(s, '`');
}

static void add_fields(struct str *s, const struct change *c)
{
	for (size_t i = 0; i < c->fields.n && i < COMMENT_MAX_FIELDS; i++) {
		const struct field_change *f = &c->fields.v[i];
		_cleanup_str_ struct str from = {0}, to = {0};

		str_adds(s, "  - ");
		add_code(s, f->path);
		if (f->secret) {
			str_adds(s, " (secret)\n");
			continue;
		}
		render_value(c->kind, f->path, f->from, &from);
		render_value(c->kind, f->path, f->to, &to);
		str_adds(s, ": ");
		if (c->live && c->live->presence == PRESENT) {
			add_code(s, str_cstr(&from));
			str_adds(s, " → ");
		}
		add_code(s, str_cstr(&to));
		if (f->why == WHY_DRIFT)
			str_adds(s, " *(drift)*");
		str_addc(s, '\n');
	}
	if (c->fields.n > COMMENT_MAX_FIELDS)
		str_addf(s, "  - … and %zu more\n", c->fields.n - COMMENT_MAX_FIELDS);
}

static const char *restarts_cell(const struct change *c)
{
	if (!c->kind->runs || c->action == ACTION_CREATE || c->action == ACTION_VERIFY)
		return "";
	return c->disruption == DISRUPTS_NOTHING ? "no" : c->disruption == DISRUPTS_EVICT ? "may move" : "**yes**";
}

void render_markdown(const struct plan *p, const struct render_context *ctx, struct str *out)
{
	_cleanup_str_ struct str text = {0};
	struct str *s = &text;

	str_addf(s, "### reconcile: cluster ");
	add_code(s, ctx->cluster);
	str_adds(s, "\n\n");
	render_summary(p, s);
	str_adds(s, "\n");
	for (size_t i = 0; i < p->held.n; i++) {
		str_adds(s, "\n> ⚠️ ");
		add_cell(s, p->held.v[i].text);
		str_adds(s, "\n");
	}
	if (p->changes.n)
		str_adds(s, "\n| | resource | action | restarts | remarks |\n|---|---|---|---|---|\n");
	for (size_t i = 0; i < p->changes.n; i++) {
		const struct change *c = &p->changes.v[i];
		bool held = c->state != CHANGE_READY;
		const char *remark = i && render_same_reason(c - 1, c) ? "as above"
				     : held                            ? render_reason(p, c)
								       : c->effect;
		str_addf(s, "| %s | ",
			 c->state == CHANGE_FAILED          ? "❌"
			 : held                             ? "⚠️"
			 : c->disruption == DISRUPTS_REMOVE ? "🗑"
							    : "");
		add_code(s, c->key);
		str_addf(s, " | %s | %s | ", held ? change_state_name(c->state) : action_name(c->action),
			 restarts_cell(c));
		add_cell(s, remark ? remark : "");
		str_adds(s, " |\n");
	}
	bool any = false;
	for (size_t i = 0; i < p->changes.n; i++)
		any |= p->changes.v[i].fields.n > 0;
	if (any)
		str_adds(s, "\n<details><summary>Fields</summary>\n\n");
	for (size_t i = 0; any && i < p->changes.n; i++) {
		if (p->changes.v[i].fields.n == 0)
			continue;
		str_adds(s, "- ");
		add_code(s, p->changes.v[i].key);
		str_addc(s, '\n');
		add_fields(s, &p->changes.v[i]);
	}
	if (any)
		str_adds(s, "\n</details>\n");
	for (size_t i = 0; i < p->notes.n; i++) {
		str_adds(s, i ? "- " : "\n**Notes**\n\n- ");
		add_code(s, p->notes.v[i].key);
		str_adds(s, ": ");
		add_cell(s, p->notes.v[i].text);
		str_addc(s, '\n');
	}
	str_add_visible(out, str_cstr(s), s->len);
}
