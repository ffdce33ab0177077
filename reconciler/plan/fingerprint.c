#include "plan/plan.h"

#include "model/ignore.h"

#include <stdio.h>

void plan_fingerprint(const struct resource *desired, void (*hash)(const json_t *body, char hex[65]), char hex[65])
{
	_cleanup_json_ json_t *own = resource_own_body(desired);
	hash(own, hex);
}

bool plan_is_of_spec(const json_t *record, const struct resource *desired,
		     void (*hash)(const json_t *body, char hex[65]))
{
	char hex[65];

	if (!json_str(record, "spec") || !desired)
		return false;
	plan_fingerprint(desired, hash, hex);
	return str_eq(json_str(record, "spec"), hex);
}

json_t *plan_report(const struct resource *desired, void (*hash)(const json_t *body, char hex[65]))
{
	_cleanup_json_ json_t *own = resource_own_body(desired);
	json_t *report = json_object(), *value;
	const char *field;

	json_object_foreach (own, field, value) {
		char hex[65];
		hash(value, hex);
		json_set_str(report, field, hex);
	}
	return report;
}

static json_t *body_of(const struct resource *r)
{
	return r && r->presence != UNKNOWN ? resource_reviewed_body(r) : json_null();
}

void plan_change_fingerprint(const struct change *c, void (*hash)(const json_t *body, char hex[65]), char hex[65])
{
	_cleanup_json_ json_t *all = json_object();

	json_set_str(all, "resource", c->key);
	json_set_str(all, "action", action_name(c->action));
	json_set(all, "desired", body_of(c->desired));
	json_set(all, "live", body_of(c->live));
	hash(all, hex);
}

void plan_value(const struct field_change *f, void (*hash)(const json_t *body, char hex[65]), char out[PLAN_VALUE_SIZE])
{
	char hex[65] = "";

	if (!f->secret) {
		_cleanup_json_ json_t *value = f->to ? json_incref((json_t *)f->to) : json_null();
		hash(value, hex);
	}
	snprintf(out, PLAN_VALUE_SIZE, "%s", hex);
}

bool plan_writes_again(const struct field_change *f, const json_t *entry,
		       void (*hash)(const json_t *body, char hex[65]))
{
	char value[PLAN_VALUE_SIZE];

	plan_value(f, hash, value);
	return str_eq(json_str(entry, "value"), value) && (!f->secret || f->why == WHY_DRIFT);
}

bool plan_only_repeats(const struct change *c, const json_t *entries, void (*hash)(const json_t *body, char hex[65]))
{
	for (size_t i = 0; i < c->fields.n; i++) {
		const struct field_change *f = &c->fields.v[i];
		if (f->why != WHY_DRIFT && !c->kind->adopts)
			return false;
		if (f->why != WHY_DRIFT && !plan_writes_again(f, json_object_get(entries, f->path), hash))
			return false;
	}
	return true;
}
