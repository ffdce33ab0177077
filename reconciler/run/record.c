#include "run/record.h"

#include "model/ignore.h"

void record_close(struct record *r)
{
	store_close(r->store);
	json_decref(r->last);
	json_decref(r->origin);
	r->store = NULL;
	r->last = NULL;
}

/* The record is worth having and nothing depends on it. */
static void say_unrecorded(struct record *r, const struct err *err)
{
	const char *lost = r->writable ? "this run is not recorded" : "what was applied last is not known";
	_cleanup_free_ char *text = xasprintf("%s: %s", lost, err->msg);

	if (r->events->message)
		r->events->message(r->events->arg, text);
	store_close(r->store);
	r->store = NULL;
}

static void open_store(struct record *r)
{
	struct err why = {0};

	if (r->opened)
		return;
	r->opened = true;
	if ((store_open(r->dir, r->writable, &r->store, &why) < 0 || store_applied(r->store, &r->last, &why) < 0) &&
	    (why.code != ERR_NOT_FOUND || r->writable))
		say_unrecorded(r, &why);
	if (!r->last)
		r->last = json_object();
}

const json_t *record_last(struct record *r)
{
	open_store(r);
	return r->last;
}

bool record_has_spec(struct record *r)
{
	_cleanup_json_ json_t *newest = NULL;
	struct err ignored;

	open_store(r);
	return r->store && store_run_get(r->store, 0, &newest, &ignored) == 0 &&
	       json_int(newest, "exit_status", -1) == 0 &&
	       str_eq(json_str(json_object_get(newest, "origin"), "content"), json_str(r->origin, "content"));
}

void record_plan(struct record *r, const json_t *plan, int number)
{
	struct err err = {0};

	open_store(r);
	r->plan = number;
	if (!r->store)
		return;
	if ((r->run == 0 && store_run_begin(r->store, r->kind, r->source, r->commit, r->origin, &r->run, &err) < 0) ||
	    store_run_plan(r->store, r->run, number, plan, &err) < 0)
		say_unrecorded(r, &err);
}

void record_step(struct record *r, const struct change *c, const struct step_result *s)
{
	bool ok = !s->held && s->err.code == ERR_NONE;
	const char *outcome = s->held ? "held" : ok ? "done" : err_code_name(s->err.code);
	const char *message = s->held ? s->reason : ok ? NULL : s->err.msg;
	struct err err = {0};

	if (r->store && store_run_step(r->store, r->run, r->plan, c->key, action_name(c->action), outcome, message,
				       s->ms, &err) < 0)
		say_unrecorded(r, &err);
}

void record_applied(struct record *r, const char *key, const struct resource *desired)
{
	_cleanup_json_ json_t *body = desired ? resource_shown_body(desired) : NULL;
	struct err err = {0};

	if (body ? json_same(body, json_object_get(r->last, key)) : !json_object_get(r->last, key))
		return;
	if (body)
		json_set(r->last, key, json_incref(body));
	else
		json_object_del(r->last, key);
	if (r->store && store_set_applied(r->store, key, body, &err) < 0)
		say_unrecorded(r, &err);
}

void record_end(struct record *r, int exit_status, const char *message, const json_t *digests)
{
	struct err err = {0};

	if (!r->store || !r->run)
		return;
	if ((digests && store_run_digests(r->store, r->run, digests, &err) < 0) ||
	    store_run_end(r->store, r->run, exit_status, message, &err) < 0)
		say_unrecorded(r, &err);
}
