/* What is wrong with what runs, as far as the list of services tells: its tasks are only asked for to wait for them. */
#include "kinds/kinds.h"
#include "kinds/service/service.h"
#include "model/ignore.h"
#include "sys/clock.h"

#include <string.h>

/* Is it what the spec wants? */

/* Without what the spec leaves to others. */
static json_t *own_body(const struct resource *want, json_t *body)
{
	struct resource r = *want;
	r.body = body;
	return resource_own_body(&r);
}

static bool differs(const json_t *want, const json_t *live, const char *field)
{
	const struct field *f = kind_field(&kind_service, field);
	const json_t *to = json_object_get(want, field);

	return !(f && f->flags & FIELD_IF_SET && !to) && !json_same(to, json_object_get(live, field));
}

static bool is_as_wanted(const struct resource *want, const struct resource *r)
{
	_cleanup_json_ json_t *to = own_body(want, want->body), *from = own_body(want, r->body);
	_cleanup_json_ json_t *fields = json_object();
	const char *field;
	json_t *value;

	json_object_update(fields, to);
	json_object_update(fields, from);
	json_object_foreach (fields, field, value)
		if (differs(to, from, field))
			return false;
	return true;
}

/* Its last update */

static const struct {
	const char *state, *text;
	bool given_up; /* Swarm undid it or ended it halfway */
	bool matters;  /* also when the service is as the spec wants it */
	bool says_why; /* its message names the cause */
} updates[] = {
	{"paused", "its update is paused", true, true, true},
	{"rollback_completed", "Swarm rolled it back", true, false, false},
	{"rollback_paused", "Swarm paused its rollback", true, true, true},
	{"rollback_started", "Swarm is rolling it back", true, true, true},
	{"updating", "an update of it is in flight", false, true, false},
};

static void add(struct str *out, const char *text)
{
	str_addf(out, "%s%s", out->len ? "; " : "", text);
}

static void add_update(struct str *out, struct resource *r, const json_t *service, const struct resource *want)
{
	const json_t *update = json_object_get(service, "UpdateStatus");
	const char *state = json_str(update, "State"), *message = json_str(update, "Message");

	for (size_t i = 0; i < ARRAY_SIZE(updates); i++) {
		if (!str_eq(state, updates[i].state))
			continue;
		bool back = str_starts(state, "rollback_"), as_wanted = back && is_as_wanted(want, r);
		if (as_wanted && !updates[i].matters)
			continue;
		add(out, updates[i].text);
		if (updates[i].says_why && message && *message)
			str_addf(out, ": %s", message);
		/* When it was put back to what is wanted, nothing of the spec was given up. */
		r->rolled_back = updates[i].given_up && !as_wanted;
		if (r->rolled_back && !clock_parse_rfc3339(json_str(update, "StartedAt"), &r->rolled_back_at))
			r->rolled_back_at = 0;
	}
}

/* Its tasks; nobody knows how many when the engine did not say. */

static void add_tasks(struct str *out, const json_t *service)
{
	const json_t *status = json_object_get(service, "ServiceStatus"), *mode = json_path(service, "Spec.Mode");
	const json_t *job = json_object_get(mode, "ReplicatedJob");
	bool is_job = job || json_object_get(mode, "GlobalJob");
	int64_t desired = json_int(status, "DesiredTasks", 0);
	int64_t done = json_int(status, is_job ? "CompletedTasks" : "RunningTasks", 0);

	if (!status)
		return;
	if (job)
		desired = json_int(job, "TotalCompletions", 0);
	else if (is_job) /* those that have completed are not desired any more (swarmkit, ListServiceStatuses) */
		desired += done;
	if (done >= desired)
		return;
	_cleanup_free_ char *text = xasprintf("%lld of %lld tasks %s", (long long)done, (long long)desired,
					      is_job ? "have completed" : "run");
	add(out, text);
}

void service_trouble(struct observe *o, struct resource *r, const json_t *service, const struct resource *want)
{
	_cleanup_str_ struct str text = {0};

	if (!want)
		return;
	add_update(&text, r, service, want);
	add_tasks(&text, service);
	if (text.len)
		r->trouble = arena_strdup(resource_set_arena(o->out), str_cstr(&text));
}
