#include "plan/render.h"

static void set_mark(json_t *obj, struct mark m)
{
	if (m.line)
		json_set(obj, "at", json_pack("{s:s,s:i,s:i}", "file", m.file, "line", m.line, "column", m.col));
}

static json_t *field_json(const struct field_change *f)
{
	json_t *j = json_object();
	json_set_str(j, "path", f->path);
	if (f->secret) {
		json_set_bool(j, "secret", true);
	} else {
		json_set(j, "from", f->from ? json_deep_copy(f->from) : json_null());
		json_set(j, "to", f->to ? json_deep_copy(f->to) : json_null());
	}
	json_set_str(j, "why", why_name(f->why));
	set_mark(j, f->mark);
	return j;
}

static json_t *keys_json(const struct plan *p, const size_t *v, size_t n)
{
	json_t *j = json_array();
	for (size_t i = 0; i < n; i++)
		json_array_append_new(j, json_string(p->changes.v[v[i]].key));
	return j;
}

static json_t *change_json(const struct plan *p, const struct change *c)
{
	json_t *j = json_object(), *fields = json_array();

	json_set_str(j, "resource", c->key);
	json_set_str(j, "action", action_name(c->action));
	json_set_str(j, "state", change_state_name(c->state));
	json_set_str(j, "reason", c->state == CHANGE_READY ? NULL : c->reason);
	if (c->state == CHANGE_WAITING && c->retry_after_s)
		json_set_int(j, "retry_after_s", c->retry_after_s);
	json_set_str(j, "why", why_name(c->why));
	json_set_str(j, "disruption", disruption_name(c->disruption));
	json_set_bool(j, "restarts", c->disruption == DISRUPTS_RESTART);
	json_set_str(j, "effect", c->effect);
	if (c->desired)
		set_mark(j, c->desired->mark);
	for (size_t i = 0; i < c->fields.n; i++)
		json_array_append_new(fields, field_json(&c->fields.v[i]));
	json_set(j, "fields", fields);
	json_set(j, "after", keys_json(p, c->after.v, c->after.n));
	json_set(j, "requires", keys_json(p, c->requires.v, c->requires.n));
	return j;
}

json_t *render_json(const struct plan *p, const struct render_context *ctx)
{
	const struct plan_summary s = plan_summarize(p);
	json_t *j = json_object(), *held = json_array(), *changes = json_array(), *notes = json_array();

	json_set_int(j, "format", PLAN_FORMAT);
	json_set_str(j, "cluster", ctx->cluster);
	json_set_str(j, "source", ctx->source);
	json_set_str(j, "commit", ctx->commit);
	json_set_str(j, "engine", ctx->engine);
	for (size_t i = 0; i < p->held.n; i++)
		json_array_append_new(held, json_string(p->held.v[i].text));
	json_set(j, "held", held);
	for (size_t i = 0; i < p->changes.n; i++)
		json_array_append_new(changes, change_json(p, &p->changes.v[i]));
	json_set(j, "changes", changes);
	for (size_t i = 0; i < p->notes.n; i++) {
		json_t *n = json_pack("{s:s,s:s}", "resource", p->notes.v[i].key, "text", p->notes.v[i].text);
		set_mark(n, p->notes.v[i].mark);
		json_array_append_new(notes, n);
	}
	json_set(j, "notes", notes);
	json_set(j, "summary",
		 json_pack("{s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I,s:I}", "create", (json_int_t)s.create, "adopt",
			   (json_int_t)s.adopt, "update", (json_int_t)s.update, "replace", (json_int_t)s.replace,
			   "remove", (json_int_t)s.remove, "verify", (json_int_t)s.verify, "blocked",
			   (json_int_t)s.blocked, "waiting", (json_int_t)s.waiting, "failed", (json_int_t)s.failed,
			   "in_sync", (json_int_t)p->in_sync));
	return j;
}
