#include "run/outcome.h"

#include "run/observe.h"

#include <stdio.h>
#include <string.h>

#define UNMET "unmet" /* in gates: to be asked again although nothing that they look at changes any more */
#define REVERTS_KEPT 3
#define KEPT "kept" /* section, and the kind that starts it again */

static bool is_gate(const struct change *c)
{
	return c->action == ACTION_VERIFY && !c->kind->apply;
}

/* A change of what runs, which can turn out not to run. */
static bool starts_something(const struct change *c)
{
	return c->kind->runs && c->desired && c->desired->presence == PRESENT && c->action != ACTION_VERIFY;
}

json_t *outcome_unmet(struct safety *s)
{
	return safety_get(s, "gates", UNMET);
}

static void set_unmet(struct safety *s, const char *key, bool unmet)
{
	json_t *all = outcome_unmet(s);

	if ((json_object_get(all, key) != NULL) == unmet) {
		json_decref(all);
		return;
	}
	all = all ? all : json_object();
	if (unmet)
		json_set_bool(all, key, true);
	else
		json_object_del(all, key);
	if (json_object_size(all) == 0) {
		json_decref(all);
		all = NULL;
	}
	safety_set(s, "gates", UNMET, all);
}

static void forget(struct safety *s, const char *section, const char *key)
{
	json_t *known = safety_get(s, section, key);
	if (known)
		safety_set(s, section, key, NULL);
	json_decref(known);
}

/* Of what is live until now, and of what is going to be. */
static void begin_hiding(struct safety *s, const struct change *c)
{
	_cleanup_json_ json_t *paths = plan_hidden(c->desired), *known = safety_get(s, "hidden", c->key);
	json_t *path;
	size_t i;

	if (!paths)
		return;
	json_array_foreach (known, i, path)
		json_array_append(paths, path);
	safety_set(s, "hidden", c->key, json_incref(paths));
}

/*
 * What it was, before it is stopped. A run that was killed in the middle of it has changed it already: the same thing's
 * first record stays.
 */
static void note_way_back(struct safety *s, const struct change *c)
{
	const char *text = c->live ? c->live->way_back : NULL;
	_cleanup_json_ json_t *known = safety_get(s, KEPT, c->key), *now = NULL;
	struct err ignored;

	if (!text || c->action != ACTION_REMOVE || json_parse(text, strlen(text), &now, &ignored) < 0)
		return;
	if (!str_eq(json_str(known, "id"), json_str(now, "id")))
		safety_set(s, KEPT, c->key, json_incref(now));
}

/* It is gone for good, or it is back. */
static void forget_way_back(struct safety *s, const struct change *c)
{
	_cleanup_free_ char *key = xasprintf("absent/%s", c->desired ? c->desired->name : "");

	if (c->action == ACTION_REMOVE ? str_eq(json_str(c->desired->body, "state"), "removed")
				       : strcmp(c->kind->name, KEPT) == 0)
		forget(s, KEPT, key);
}

/* Until a write has ended nobody knows which value was written last; a run may be killed before it can say. */
static void begin_writes(struct safety *s, const struct change *c)
{
	json_t *paths = safety_get(s, "reverts", c->key);
	bool other = false;

	for (size_t i = 0; i < c->fields.n; i++) {
		const struct field_change *f = &c->fields.v[i];
		json_t *entry = json_object_get(paths, f->path);
		if (entry && !plan_writes_again(f, entry, fingerprint) && json_object_del(entry, "value") == 0)
			other = true;
	}
	if (other)
		safety_set(s, "reverts", c->key, paths);
	else
		json_decref(paths);
}

void outcome_begun(struct safety *s, const struct plan *p, int64_t now)
{
	for (size_t i = 0; i < p->changes.n; i++) {
		const struct change *c = &p->changes.v[i];
		char hex[65];
		if (c->state != CHANGE_READY)
			continue;
		if (is_gate(c))
			set_unmet(s, c->key, true);
		note_way_back(s, c);
		begin_writes(s, c);
		if (c->desired)
			begin_hiding(s, c);
		if (!starts_something(c))
			continue;
		plan_fingerprint(c->desired, fingerprint, hex);
		safety_set(s, "attempts", c->key, json_pack("{s:s,s:I}", "spec", hex, "at", (json_int_t)now));
	}
}

static void note_hidden(struct safety *s, const struct resource *want, const char *key)
{
	_cleanup_json_ json_t *paths = plan_hidden(want), *known = safety_get(s, "hidden", key);

	if (!json_same(paths, known))
		safety_set(s, "hidden", key, json_incref(paths));
}

/*
 * What the spec changes at the same time is not fought over. A network that is missing because an earlier run was
 * killed between removing and making it is of that sort, too.
 */
static bool is_repair(const struct change *c)
{
	for (size_t i = 0; i < c->fields.n; i++)
		if (c->fields.v[i].why != WHY_DRIFT)
			return false;
	return true;
}

/*
 * A value that is written for the first time is a revert only if it is known that somebody else has taken another one
 * away. Who fights over the field does not end that by a new value.
 */
static void note_write(json_t *paths, const struct field_change *f, bool repair, bool repeat, int64_t now)
{
	json_t *entry = json_object_get(paths, f->path), *times;
	bool reverts = plan_writes_again(f, entry, fingerprint) ? repeat : repair;
	char value[PLAN_VALUE_SIZE];

	if (!json_is_array(json_object_get(entry, "at"))) {
		entry = json_pack("{s:[]}", "at");
		json_set(paths, f->path, entry);
	}
	plan_value(f, fingerprint, value);
	json_set_str(entry, "value", value);
	json_set_int(entry, "last", now);
	times = json_object_get(entry, "at");
	if (reverts)
		json_array_append_new(times, json_integer(now));
	while (json_array_size(times) > REVERTS_KEPT)
		json_array_remove(times, 0);
}

/* Of what is made only its repair counts: it has as many fields as its spec. */
static void note_writes(struct safety *s, const struct change *c, int64_t now)
{
	bool repair = is_repair(c);
	json_t *paths;

	if (c->fields.n == 0 || (c->action != ACTION_UPDATE && !repair))
		return;
	paths = safety_get(s, "reverts", c->key);
	if (!json_is_object(paths)) {
		json_decref(paths);
		paths = json_object();
	}
	bool repeat = plan_only_repeats(c, paths, fingerprint);
	for (size_t i = 0; i < c->fields.n; i++)
		note_write(paths, &c->fields.v[i], repair, repeat, now);
	safety_set(s, "reverts", c->key, paths);
}

static void note_failed(struct safety *s, const struct change *c, const char *reason, int64_t now)
{
	char hex[65];

	plan_fingerprint(c->desired, fingerprint, hex);
	safety_set(s, "failed", c->key,
		   json_pack("{s:s,s:s,s:I}", "spec", hex, "reason", reason, "at", (json_int_t)now));
}

bool outcome_step(struct safety *s, const struct change *c, const struct step_result *r, int64_t now)
{
	bool ok = !r->held && r->err.code == ERR_NONE;

	if (is_gate(c)) {
		set_unmet(s, c->key, !ok);
		return false;
	}
	if (ok) {
		char approval[65];
		plan_change_fingerprint(c, fingerprint, approval);
		forget(s, "approved", approval); /* for this once */
		forget(s, "attempts", c->key);
		forget(s, "failed", c->key);
		if (!c->desired)
			forget(s, "hidden", c->key);
		note_writes(s, c, now);
		forget_way_back(s, c);
		if (c->action == ACTION_ADOPT && !c->live->ownable && c->live->id)
			safety_set(s, "adopted", c->key, json_string(c->live->id));
	}
	if (r->err.code != ERR_UNHEALTHY || !c->desired)
		return false;
	forget(s, "attempts", c->key);
	note_failed(s, c, r->err.msg, now);
	return true;
}

/*
 * It runs, and as its spec says, or is gone with its spec: whatever was known against it is over. What is known against
 * another spec of it is past and remembered: a reconciler that is on that one's commit must not try it again.
 */
static void forget_healthy(struct safety *s, const char *section, const struct plan *p, const struct resource_set *want,
			   const struct resource_set *live)
{
	_cleanup_json_ json_t *all = json_deep_copy(json_object_get(safety_sections(s), section));
	const char *key;
	json_t *record;

	json_object_foreach (all, key, record) {
		const struct resource *r = resource_find_key(live, key), *desired = resource_find_key(want, key);
		bool runs = r && r->presence == PRESENT && !r->trouble;
		if (plan_mentions(p, key) || (desired && !runs))
			continue;
		if (!desired || plan_is_of_spec(record, desired, fingerprint)) {
			safety_set(s, section, key, NULL);
		} else if (json_is_object(record) && !json_bool(record, "past")) {
			json_set_bool(record, "past", true);
			safety_set(s, section, key, json_incref(record));
		}
	}
}

/* Nothing is left but gates that hold: the next plan will not ask for them again. */
static bool all_holds(const struct plan *p)
{
	for (size_t i = 0; i < p->changes.n; i++)
		if (!is_gate(&p->changes.v[i]) || p->changes.v[i].state != CHANGE_READY)
			return false;
	return p->left_out.n == 0;
}

/* What needs nothing any more is not looked at again; a run that was killed could not say so. */
static void forget_evidence(struct safety *s, const struct plan *p)
{
	_cleanup_json_ json_t *all = json_deep_copy(json_object_get(safety_sections(s), "gates"));
	bool over = all_holds(p);
	const char *key;
	json_t *unused;

	json_object_foreach (all, key, unused)
		if (strcmp(key, UNMET) != 0 && (over || !plan_mentions(p, key)))
			safety_set(s, "gates", key, NULL);
}

/* What `drift: report` compares with later. */
static void note_report(struct safety *s, const struct resource *want, const char *key)
{
	json_t *fields = plan_report(want, fingerprint);
	_cleanup_json_ json_t *known = safety_get(s, "report", key);

	if (known && json_same(known, fields))
		json_decref(fields);
	else
		safety_set(s, "report", key, fields);
}

void outcome_settled(struct safety *s, const struct plan *p, const struct resource_set *want,
		     const struct resource_set *live)
{
	for (size_t i = 0; i < p->changes.n; i++)
		if (is_gate(&p->changes.v[i]))
			set_unmet(s, p->changes.v[i].key, p->changes.v[i].state != CHANGE_READY);
	forget_healthy(s, "failed", p, want, live);
	forget_healthy(s, "attempts", p, want, live);
	forget_evidence(s, p);
	for (size_t i = 0; i < resource_count(want); i++) {
		const struct resource *r = resource_at(want, i);
		_cleanup_free_ char *key = xasprintf("%s/%s", r->kind, r->name);
		if (!plan_mentions(p, key))
			note_hidden(s, r, key);
		if (!r->report_drift)
			forget(s, "report", key);
		else if (!plan_mentions(p, key))
			note_report(s, r, key);
	}
}
