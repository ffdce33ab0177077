#include "plan/schedule.h"

#include <string.h>

struct schedule {
	const struct plan *plan;
	enum outcome *outcome;
	size_t running;
	bool failed, stopped;
};

struct schedule *schedule_new(const struct plan *p)
{
	struct schedule *s = xcalloc(1, sizeof(*s));
	s->plan = p;
	s->outcome = xcalloc(p->changes.n, sizeof(*s->outcome));
	for (size_t i = 0; i < p->changes.n; i++)
		if (p->changes.v[i].state != CHANGE_READY)
			s->outcome[i] = OUTCOME_SKIPPED;
	return s;
}

void schedule_free(struct schedule *s)
{
	if (!s)
		return;
	free(s->outcome);
	free(s);
}

static bool is_finished(enum outcome o)
{
	return o != OUTCOME_PENDING && o != OUTCOME_RUNNING;
}

static bool kind_comes_after(const struct kind *k, const char *other)
{
	for (const char *const *a = k->after; a && *a; a++)
		if (strcmp(*a, other) == 0)
			return true;
	return false;
}

/* Kinds with an unfinished change before the one that is looked at; a handful, so a list. */
struct open_kinds {
	struct {
		const struct kind *kind;
		bool deletes;
	} v[64];
	size_t n;
	bool any_write; /* something that is no pruning */
};

static void open_kinds_add(struct open_kinds *o, const struct change *c)
{
	bool deletes = c->action == ACTION_DELETE;
	o->any_write |= !deletes;
	for (size_t i = 0; i < o->n; i++)
		if (o->v[i].kind == c->kind && o->v[i].deletes == deletes)
			return;
	if (o->n < ARRAY_SIZE(o->v)) {
		o->v[o->n].kind = c->kind;
		o->v[o->n++].deletes = deletes;
	}
}

/* Creating goes along the `after` columns, pruning against them. */
static bool is_held_by_kind(const struct open_kinds *o, const struct change *c)
{
	bool deletes = c->action == ACTION_DELETE;
	if (deletes && o->any_write)
		return true;
	for (size_t i = 0; i < o->n; i++) {
		if (o->v[i].deletes != deletes)
			continue;
		if (deletes ? kind_comes_after(o->v[i].kind, c->kind->name)
			    : kind_comes_after(c->kind, o->v[i].kind->name))
			return true;
	}
	return false;
}

static bool is_held_by_change(const struct schedule *s, const struct change *c)
{
	for (size_t k = 0; k < c->after.n; k++)
		if (!is_finished(s->outcome[c->after.v[k]]))
			return true;
	return false;
}

static bool lacks_requirement(const struct schedule *s, const struct change *c)
{
	if (s->stopped || (s->failed && c->action == ACTION_DELETE))
		return true;
	for (size_t k = 0; k < c->requires.n; k++)
		if (is_finished(s->outcome[c->requires.v[k]]) && s->outcome[c->requires.v[k]] != OUTCOME_DONE)
			return true;
	return false;
}

bool schedule_next(struct schedule *s, size_t *next)
{
	struct open_kinds open = {0};

	for (size_t i = 0; i < s->plan->changes.n; i++) {
		const struct change *c = &s->plan->changes.v[i];
		if (s->outcome[i] == OUTCOME_PENDING && lacks_requirement(s, c))
			s->outcome[i] = OUTCOME_SKIPPED;
		if (is_finished(s->outcome[i]))
			continue;
		if (s->outcome[i] == OUTCOME_PENDING && !is_held_by_change(s, c) && !is_held_by_kind(&open, c)) {
			s->outcome[i] = OUTCOME_RUNNING;
			s->running++;
			*next = i;
			return true;
		}
		open_kinds_add(&open, c);
	}
	return false;
}

void schedule_finish(struct schedule *s, size_t i, bool success)
{
	s->outcome[i] = success ? OUTCOME_DONE : OUTCOME_FAILED;
	s->failed |= !success;
	s->running--;
}

void schedule_stop(struct schedule *s)
{
	s->stopped = true;
}

bool schedule_is_over(const struct schedule *s)
{
	if (s->running)
		return false;
	for (size_t i = 0; i < s->plan->changes.n; i++)
		if (s->outcome[i] == OUTCOME_PENDING)
			return false;
	return true;
}

enum outcome schedule_outcome(const struct schedule *s, size_t i)
{
	return s->outcome[i];
}
