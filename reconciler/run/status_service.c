/* Services and their tasks. Task states: the Engine API's; FACTS C. */
#include "kinds/cluster.h"
#include "run/status_internal.h"
#include "sys/clock.h"

#include <stdio.h>
#include <string.h>

#define RECENT_S 300 /* a task that failed so long ago is why its successor has yet to run */

static const char *name_of(const json_t *service)
{
	return json_string_value(json_path(service, "Spec.Name"));
}

static bool is_wanted(const struct status_options *o, const char *name)
{
	const struct resource *r = o->want ? resource_find(o->want, "service", name) : NULL;
	return r && r->presence == PRESENT;
}

static bool is_owned(const struct status_options *o, const json_t *service)
{
	return labels_owned(json_path(service, "Spec.Labels"), o->cluster);
}

bool status_is_ours(const struct status_options *o, const json_t *service)
{
	const char *name = name_of(service);
	return name && (is_owned(o, service) || is_wanted(o, name));
}

/* Mode */

static const struct mode {
	const char *member, *name;
	bool job;
} modes[] = {
	{"Global", "global", false},
	{"GlobalJob", "global-job", true},
	{"Replicated", "replicated", false},
	{"ReplicatedJob", "replicated-job", true},
};

static const struct mode *mode_of(const json_t *service)
{
	const json_t *mode = json_path(service, "Spec.Mode");

	for (size_t i = 0; i < ARRAY_SIZE(modes); i++)
		if (json_object_get(mode, modes[i].member))
			return &modes[i];
	return NULL;
}

struct counts {
	bool known;
	int64_t running, desired, completed;
};

static struct counts counts_of(const json_t *service)
{
	const json_t *status = json_object_get(service, "ServiceStatus");

	return (struct counts){
		.known = status != NULL,
		.running = json_int(status, "RunningTasks", 0),
		.desired = json_int(status, "DesiredTasks", 0),
		.completed = json_int(status, "CompletedTasks", 0),
	};
}

static bool is_complete(const json_t *service)
{
	const struct mode *mode = mode_of(service);
	struct counts n = counts_of(service);
	int64_t total = json_int(json_path(service, "Spec.Mode.ReplicatedJob"), "TotalCompletions", n.desired);

	if (!n.known)
		return false;
	return mode && mode->job ? n.completed >= total : n.running >= n.desired;
}

/* UpdateStatus.State of the engine, what it is called here, and what it means. */
static const struct update {
	const char *engine, *name, *counts;
	bool moves;
} updates[] = {
	{"completed", NULL, NULL, false},
	{"paused", "paused", "failed", false},
	{"rollback_completed", "rolled-back", NULL, false},
	{"rollback_paused", "rollback-paused", "failed", false},
	{"rollback_started", "rolling-back", "pending", true},
	{"updating", "updating", "pending", true},
};

static const struct update *update_of(const json_t *service)
{
	const char *state = json_string_value(json_path(service, "UpdateStatus.State"));

	for (size_t i = 0; state && i < ARRAY_SIZE(updates); i++)
		if (strcmp(updates[i].engine, state) == 0)
			return &updates[i];
	return &updates[0];
}

bool status_service_in_question(const json_t *service)
{
	return !is_complete(service) || update_of(service)->counts;
}

/* Tasks */

/* The tasks of one replica, or of a global service's node: the newest, and the one before it. */
struct slot {
	int64_t number;
	const char *node;
	const json_t *newest, *before;
};

struct slots {
	VEC(struct slot) list;
};

static void slots_free(struct slots *s)
{
	vec_free(&s->list);
}

/* Seconds, and what stands behind the point: engines leave out trailing zeros. */
static bool is_newer(const json_t *a, const json_t *b)
{
	const char *x = json_str(a, "CreatedAt"), *y = json_str(b, "CreatedAt");
	int64_t s = 0, t = 0;

	if (!clock_parse_rfc3339(x, &s) || !clock_parse_rfc3339(y, &t) || s != t)
		return s > t;
	const char *p = strchr(x, '.'), *q = strchr(y, '.');
	return strtod(p ? p : "0", NULL) > strtod(q ? q : "0", NULL);
}

static struct slot *slot_of(struct slots *s, const json_t *task)
{
	int64_t number = json_int(task, "Slot", 0);
	const char *node = number ? "" : json_str(task, "NodeID") ? json_str(task, "NodeID") : "";

	for (size_t i = 0; i < s->list.n; i++)
		if (s->list.v[i].number == number && strcmp(s->list.v[i].node, node) == 0)
			return &s->list.v[i];
	vec_push(&s->list, ((struct slot){.number = number, .node = node}));
	return &s->list.v[s->list.n - 1];
}

static int compare_slots(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;
	if (x->number != y->number)
		return x->number < y->number ? -1 : 1;
	return strcmp(x->node, y->node);
}

static const char *state_of(const json_t *task)
{
	const char *state = json_string_value(json_path(task, "Status.State"));
	return state ? state : "unknown";
}

static bool has_ended_badly(const json_t *task)
{
	const char *state = state_of(task);
	return strcmp(state, "failed") == 0 || strcmp(state, "rejected") == 0 || strcmp(state, "orphaned") == 0;
}

/* Replicas that the service has no more leave tasks that were shut down. */
static bool is_over(const struct slot *s)
{
	const char *desired = json_str(s->newest, "DesiredState");
	return !has_ended_badly(s->newest) && (str_eq(desired, "shutdown") || str_eq(desired, "remove"));
}

static void collect_slots(const json_t *tasks, const char *id, struct slots *s)
{
	json_t *task;
	size_t i, kept = 0;

	json_array_foreach ((json_t *)tasks, i, task) {
		if (!str_eq(json_str(task, "ServiceID"), id))
			continue;
		struct slot *slot = slot_of(s, task);
		if (!slot->newest || is_newer(task, slot->newest)) {
			slot->before = slot->newest;
			slot->newest = task;
		} else if (!slot->before || is_newer(task, slot->before)) {
			slot->before = task;
		}
	}
	for (i = 0; i < s->list.n; i++)
		if (!is_over(&s->list.v[i]))
			s->list.v[kept++] = s->list.v[i];
	s->list.n = kept;
	if (kept)
		qsort(s->list.v, kept, sizeof(*s->list.v), compare_slots);
}

static const char *host_name(const struct status_view *v, const json_t *task)
{
	const char *id = json_str(task, "NodeID");
	json_t *node;
	size_t i;

	json_array_foreach (snapshot_get(v->snap, "engine/nodes", NULL), i, node)
		if (id && str_eq(json_str(node, "ID"), id))
			return json_string_value(json_path(node, "Description.Hostname"));
	return NULL;
}

static const char *error_of(const json_t *task)
{
	const char *error = json_string_value(json_path(task, "Status.Err"));
	return error && *error ? error : NULL;
}

static int64_t changed_at(const json_t *task)
{
	int64_t at;
	return clock_parse_rfc3339(json_string_value(json_path(task, "Status.Timestamp")), &at) ? at : 0;
}

/* Why this replica does not run, in the task's own words; NULL: nothing is known against it. */
static const char *error_of_slot(const struct slot *s)
{
	const char *error = error_of(s->newest);

	return error || !has_ended_badly(s->newest) ? error : state_of(s->newest);
}

/* The task before it failed just now, and this one has yet to show that it does better. */
static const char *error_before(const struct status_view *v, const struct slot *s)
{
	static const char *const settled[] = {"running", "complete"};

	if (!s->before || !has_ended_badly(s->before) || changed_at(s->before) + RECENT_S < v->now)
		return NULL;
	for (size_t i = 0; i < ARRAY_SIZE(settled); i++)
		if (strcmp(state_of(s->newest), settled[i]) == 0)
			return NULL;
	const char *error = error_of(s->before);
	return error ? error : state_of(s->before);
}

/* "web.2"; a global service's tasks have no number. */
static char *task_name(const char *service, const struct slot *s)
{
	return s->number ? xasprintf("%s.%lld", service, (long long)s->number) : xstrdup(service);
}

static json_t *task_json(const struct status_view *v, const char *service, const struct slot *s)
{
	_cleanup_free_ char *name = task_name(service, s);
	json_t *j = json_object();

	json_set_str(j, "name", name);
	json_set_str(j, "node", host_name(v, s->newest));
	json_set_str(j, "state", state_of(s->newest));
	json_set_str(j, "error", error_of_slot(s));
	if (!error_of_slot(s))
		json_set_str(j, "error_before", error_before(v, s));
	if (changed_at(s->newest))
		json_set_int(j, "since", changed_at(s->newest));
	return j;
}

/* "web.2 on gmktec: No such image: x (and 1 more)"; NULL: no task failed. malloc'ed. */
static char *tasks_trouble(const struct status_view *v, const char *service, const struct slots *s)
{
	char *text = NULL;
	size_t more = 0;

	for (size_t i = 0; i < s->list.n; i++) {
		const struct slot *slot = &s->list.v[i];
		const char *own = error_of_slot(slot), *error = own ? own : error_before(v, slot);
		if (error && text)
			more++;
		if (!error || text)
			continue;
		_cleanup_free_ char *name = task_name(service, slot);
		const char *host = host_name(v, slot->newest);
		text = xasprintf("%s%s%s: %s%s", name, host ? " on " : "", host ? host : "",
				 own ? "" : "starts again after: ", error);
	}
	if (more == 0)
		return text;
	char *all = xasprintf("%s (and %zu more)", text, more);
	free(text);
	return all;
}

/* What state a service is in */

struct verdict {
	const char *state, *counts;
};

static struct verdict judge(const json_t *service, const char *trouble)
{
	const struct update *update = update_of(service);
	const struct mode *mode = mode_of(service);

	if (update->counts && !update->moves)
		return (struct verdict){update->name, update->counts};
	if (trouble && !is_complete(service))
		return (struct verdict){"failing", "failed"};
	if (update->name && update->moves)
		return (struct verdict){update->name, update->counts};
	if (!counts_of(service).known)
		return (struct verdict){"unknown", "pending"};
	if (!is_complete(service))
		return (struct verdict){"starting", "pending"};
	if (update->name)
		return (struct verdict){update->name, update->counts};
	return (struct verdict){mode && mode->job ? "completed" : "running", NULL};
}

static void set_image(json_t *j, const json_t *service)
{
	const char *image = json_string_value(json_path(service, "Spec.TaskTemplate.ContainerSpec.Image"));
	const char *at = image ? strchr(image, '@') : NULL;

	if (!image)
		return;
	_cleanup_free_ char *name = xasprintf("%.*s", (int)(at ? at - image : (ptrdiff_t)strlen(image)), image);
	json_set_str(j, "image", name);
	json_set_str(j, "digest", at ? at + 1 : NULL);
}

static void set_update(json_t *j, const json_t *service)
{
	const json_t *status = json_object_get(service, "UpdateStatus");
	const char *state = json_str(status, "State");
	json_t *update;
	int64_t at;

	if (!state || !*state)
		return;
	update = json_object();
	json_set_str(update, "state", state);
	json_set_str(update, "message", json_str(status, "Message"));
	if (clock_parse_rfc3339(json_str(status, "StartedAt"), &at))
		json_set_int(update, "started", at);
	if (clock_parse_rfc3339(json_str(status, "CompletedAt"), &at))
		json_set_int(update, "ended", at);
	json_set(j, "update", update);
}

static void set_tasks(const struct status_view *v, json_t *j, const char *service, const struct slots *slots)
{
	json_t *tasks = json_array();

	for (size_t i = 0; i < slots->list.n; i++)
		json_array_append_new(tasks, task_json(v, service, &slots->list.v[i]));
	json_set(j, "tasks", tasks);
}

/* What Swarm says of a paused update names the task; the task says what is wrong with it. */
static char *trouble_of(const struct status_view *v, const json_t *service, const struct slots *slots)
{
	char *trouble = tasks_trouble(v, name_of(service), slots);
	const char *message = json_string_value(json_path(service, "UpdateStatus.Message"));

	if (!trouble && update_of(service)->counts && !update_of(service)->moves && message)
		return xstrdup(message);
	return trouble;
}

static json_t *service_json(struct status_view *v, const json_t *service)
{
	CLEANUP(slots_free) struct slots slots = {0};
	const struct mode *mode = mode_of(service);
	struct counts n = counts_of(service);
	const json_t *tasks = snapshot_get(v->snap, "engine/tasks", NULL);
	json_t *j = json_object();

	bool asked = tasks && status_service_in_question(service);
	if (asked)
		collect_slots(tasks, json_str(service, "ID"), &slots);
	_cleanup_free_ char *trouble = trouble_of(v, service, &slots);
	struct verdict verdict = judge(service, trouble);
	json_set_str(j, "name", name_of(service));
	json_set_str(j, "mode", mode ? mode->name : NULL);
	if (n.known) {
		json_set_int(j, "running", n.running);
		json_set_int(j, "desired", n.desired);
	}
	if (mode && mode->job)
		json_set_int(j, "completed", n.completed);
	set_image(j, service);
	set_update(j, service);
	if (asked)
		set_tasks(v, j, name_of(service), &slots);
	if (is_owned(v->o, service)) {
		json_set_str(j, "state", verdict.state);
		json_set_str(j, "trouble", trouble);
		status_count(v, verdict.counts);
	} else {
		json_set_str(j, "state", "not-adopted");
		status_count(v, "pending");
	}
	return j;
}

static bool is_live(const json_t *services, const char *name)
{
	json_t *s;
	size_t i;

	json_array_foreach ((json_t *)services, i, s)
		if (str_eq(name_of(s), name))
			return true;
	return false;
}

static void add_absent(struct status_view *v, const json_t *live, json_t *by_name)
{
	for (size_t i = 0; v->o->want && i < resource_count(v->o->want); i++) {
		const struct resource *r = resource_at(v->o->want, i);
		if (strcmp(r->kind, "service") != 0 || r->presence != PRESENT || is_live(live, r->name))
			continue;
		json_set(by_name, r->name, json_pack("{s:s, s:s}", "name", r->name, "state", "absent"));
		status_count(v, "pending");
	}
}

void status_services(struct status_view *v)
{
	_cleanup_json_ json_t *by_name = json_object();
	const char *why = NULL;
	const json_t *live = snapshot_get(v->snap, "engine/services", &why);
	json_t *services = json_array(), *s;
	size_t i, n;

	if (!json_is_array(live)) {
		status_unknown(v, "services", why);
		json_decref(services);
		return;
	}
	json_array_foreach ((json_t *)live, i, s)
		if (status_is_ours(v->o, s))
			json_set(by_name, name_of(s), service_json(v, s));
	add_absent(v, live, by_name);
	const char **names = json_sorted_keys(by_name, &n);
	for (i = 0; i < n; i++)
		json_array_append(services, json_object_get(by_name, names[i]));
	free(names);
	json_set(v->doc, "services", services);
}
