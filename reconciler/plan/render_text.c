#include "plan/render.h"

#include <string.h>

enum color { PLAIN, GREEN, YELLOW, RED, CYAN, DIM, BOLD };
static const char *const codes[] = {
	[PLAIN] = "\033[0m", [GREEN] = "\033[32m", [YELLOW] = "\033[33m", [RED] = "\033[31m",
	[CYAN] = "\033[36m", [DIM] = "\033[2m",    [BOLD] = "\033[1m",
};

static const struct {
	char sign;
	enum color color;
} style[] = {
	[ACTION_NONE] = {' ', PLAIN},  [ACTION_CREATE] = {'+', GREEN}, [ACTION_UPDATE] = {'~', YELLOW},
	[ACTION_REPLACE] = {'-', RED}, [ACTION_ADOPT] = {'~', CYAN},   [ACTION_DELETE] = {'-', RED},
	[ACTION_REMOVE] = {'-', RED},  [ACTION_VERIFY] = {'?', CYAN},
};

static const char *const why_text[] = {
	[WHY_SPEC] = "",
	[WHY_INTENT] = "the spec changed",
	[WHY_DRIFT] = "changed outside (drift)",
	[WHY_DEPENDENCY] = "follows from another change",
};

struct out {
	struct str *s;
	bool color;
};

/* Text of others must not paint: a colour is a byte that UTF-8 never has and its number until all is written. */
#define PAINT '\xff'

static void paint(struct out *o, enum color c)
{
	if (!o->color)
		return;
	str_addc(o->s, PAINT);
	str_addc(o->s, (char)('0' + c));
}

static void show(const struct str *painted, struct str *out)
{
	const char *at = str_cstr(painted), *end = at + painted->len;

	while (at < end) {
		const char *next = memchr(at, PAINT, (size_t)(end - at));
		str_add_visible(out, at, (size_t)((next ? next : end) - at));
		if (!next)
			return;
		size_t c = next + 1 < end ? (size_t)(next[1] - '0') : ARRAY_SIZE(codes);
		if (c < ARRAY_SIZE(codes))
			str_adds(out, codes[c]);
		at = next + 1 + (c < ARRAY_SIZE(codes));
	}
}

static void add_mark(struct out *o, struct mark m)
{
	if (m.line == 0)
		return;
	paint(o, DIM);
	str_addf(o->s, "  %s:%d", m.file, m.line);
	paint(o, PLAIN);
}

#define INDENT "             "

static void add_lines(struct out *o, const char *indent, const char *text)
{
	while (*text) {
		size_t n = strcspn(text, "\n");
		str_adds(o->s, indent);
		str_add(o->s, text, n);
		str_addc(o->s, '\n');
		text += n + (text[n] == '\n');
	}
}

/* Where the spec says it, beside what is said of the resource: another file of its stack, or another line. */
static void put_place(struct out *o, struct mark m, const struct resource *desired)
{
	if (!m.line || !desired || (m.line == desired->mark.line && (!m.file || str_eq(m.file, desired->mark.file))))
		return;
	paint(o, DIM);
	if (!m.file || str_eq(m.file, desired->mark.file))
		str_addf(o->s, "  line %d", m.line);
	else
		str_addf(o->s, "  %s:%d", m.file, m.line);
	paint(o, PLAIN);
}

static void add_field(struct out *o, const struct change *c, const struct field_change *f)
{
	str_addf(o->s, INDENT "%s: ", f->path);
	if (f->secret) {
		str_adds(o->s, f->to ? "(secret)" : "(removed)");
	} else if (c->live && c->live->presence == PRESENT) {
		render_value(c->kind, f->path, f->from, o->s);
		str_adds(o->s, " -> ");
		if (f->to)
			render_value(c->kind, f->path, f->to, o->s);
		else
			str_adds(o->s, "(removed)");
	} else {
		render_value(c->kind, f->path, f->to, o->s);
	}
	if (*why_text[f->why]) {
		paint(o, DIM);
		str_addf(o->s, "  %s", why_text[f->why]);
		paint(o, PLAIN);
	}
	put_place(o, f->mark, c->desired);
	str_addc(o->s, '\n');
}

static bool restarts(const struct change *c)
{
	return c->disruption == DISRUPTS_RESTART || c->disruption == DISRUPTS_REMOVE;
}

static bool may_restart(const struct change *c)
{
	return c->kind->runs &&
	       (c->action == ACTION_UPDATE || c->action == ACTION_REPLACE || c->action == ACTION_ADOPT);
}

static bool says_only_why(const struct change *c)
{
	return c->state != CHANGE_READY && c->fields.n == 0 && !c->effect;
}

const char *render_reason(const struct plan *p, const struct change *c)
{
	for (size_t i = 0; i < p->held.n; i++)
		if (p->held.v[i].brief && strcmp(p->held.v[i].text, c->reason) == 0)
			return p->held.v[i].brief;
	return c->reason;
}

bool render_same_reason(const struct change *a, const struct change *b)
{
	return a->state == b->state && says_only_why(a) && says_only_why(b) && strcmp(a->reason, b->reason) == 0;
}

static bool is_told(const struct plan *p, size_t i)
{
	for (size_t k = 0; k < i; k++)
		if (render_same_reason(&p->changes.v[k], &p->changes.v[i]))
			return true;
	return false;
}

static void add_headline(struct out *o, const struct change *c)
{
	bool held = c->state != CHANGE_READY;

	paint(o, c->state == CHANGE_FAILED ? RED : held ? BOLD : style[c->action].color);
	str_addf(o->s, "  %c %-8s ", held ? '!' : style[c->action].sign,
		 held ? change_state_name(c->state) : action_name(c->action));
	str_adds(o->s, c->key);
	paint(o, PLAIN);
	if (c->desired)
		add_mark(o, c->desired->mark);
	str_addc(o->s, '\n');
}

static void add_change(struct out *o, const struct plan *p, size_t index)
{
	const struct change *c = &p->changes.v[index];
	bool held = c->state != CHANGE_READY;

	add_headline(o, c);
	for (size_t i = index + 1; i < p->changes.n; i++)
		if (render_same_reason(c, &p->changes.v[i]))
			add_headline(o, &p->changes.v[i]);
	if (held)
		add_lines(o, INDENT, render_reason(p, c));
	if (may_restart(c) && !held)
		str_addf(o->s, INDENT "restarts %s: %s\n", c->kind->runs, restarts(c) ? "yes" : "no");
	if (c->effect)
		add_lines(o, INDENT, c->effect);
	for (size_t i = 0; i < c->fields.n && c->action != ACTION_REMOVE; i++)
		add_field(o, c, &c->fields.v[i]);
	if (c->requires.n == 0 || held)
		return;
	paint(o, DIM);
	str_adds(o->s, INDENT "needs ");
	for (size_t i = 0; i < c->requires.n; i++)
		str_addf(o->s, "%s%s", i ? ", " : "", p->changes.v[c->requires.v[i]].key);
	paint(o, PLAIN);
	str_addc(o->s, '\n');
}

void render_summary(const struct plan *p, struct str *out)
{
	const struct plan_summary s = plan_summarize(p);
	const struct {
		size_t n;
		const char *text;
	} parts[] = {
		{s.create, "to create"},   {s.adopt, "to adopt"},   {s.update, "to update"},
		{s.replace, "to replace"}, {s.remove, "to remove"}, {s.verify, "to verify"},
		{s.waiting, "waiting"},    {s.blocked, "blocked"},  {s.failed, "failed"},
	};
	const char *separator = "";

	if (plan_is_empty(p))
		str_adds(out, "No changes");
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++) {
		if (parts[i].n == 0)
			continue;
		str_addf(out, "%s%zu %s", separator, parts[i].n, parts[i].text);
		separator = ", ";
	}
	str_addf(out, "; %zu in sync.", p->in_sync);
}

void render_text(const struct plan *p, const struct render_context *ctx, struct str *out)
{
	_cleanup_str_ struct str painted = {0};
	struct str *s = &painted;
	struct out o = {.s = s, .color = ctx->color};

	str_addf(s, "Cluster %s: %s", ctx->cluster, ctx->source);
	if (ctx->commit)
		str_addf(s, " (commit %.12s)", ctx->commit);
	str_addf(s, " against %s\n\n", ctx->engine);
	for (size_t i = 0; i < p->held.n; i++) {
		paint(&o, BOLD);
		str_addf(s, "  ! %s", p->held.v[i].text);
		paint(&o, PLAIN);
		str_addc(s, '\n');
	}
	if (p->held.n)
		str_addc(s, '\n');
	for (size_t i = 0; i < p->changes.n; i++)
		if (!is_told(p, i))
			add_change(&o, p, i);
	if (p->changes.n)
		str_addc(s, '\n');
	for (size_t i = 0; i < p->notes.n; i++) {
		str_addf(s, "  note: %s", p->notes.v[i].key);
		add_mark(&o, p->notes.v[i].mark);
		str_addc(s, '\n');
		add_lines(&o, INDENT, p->notes.v[i].text);
	}
	if (p->notes.n)
		str_addc(s, '\n');
	paint(&o, BOLD);
	render_summary(p, s);
	paint(&o, PLAIN);
	str_addc(s, '\n');
	show(s, out);
}
