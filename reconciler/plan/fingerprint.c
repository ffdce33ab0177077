#include "plan/plan.h"

#include "model/ignore.h"

void plan_fingerprint(const struct resource *desired, void (*hash)(const json_t *body, char hex[65]), char hex[65])
{
	_cleanup_json_ json_t *own = resource_own_body(desired);
	hash(own, hex);
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
	return r && r->presence != UNKNOWN ? json_incref(r->body) : json_null();
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
