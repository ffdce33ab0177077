#include "run/import/import.h"

#include "plan/plan.h"
#include "run/observe.h"

#include <string.h>

#define MAX_PASSES 5 /* paths of `ignore` have no more parts */

void import_free(struct import *i)
{
	str_free(&i->text);
	json_decref(i->needs);
	diags_free(&i->diags);
	*i = (struct import){0};
}

__attribute__((format(printf, 2, 3))) static void need(struct import *out, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	json_array_append_new(out->needs, json_string(text));
	free(text);
}

/* "mounts[/data].labels" of "mounts[/data].labels[a.b]"; NULL: nothing is left. A new string. */
static char *outer_path(const char *path)
{
	size_t n = strlen(path), at = 0;

	for (size_t i = 0, depth = 0; i < n; i++) {
		if (depth == 0 && (path[i] == '.' || path[i] == '['))
			at = i;
		depth += path[i] == '[';
		depth -= depth && path[i] == ']';
	}
	return at ? xasprintf("%.*s", (int)at, path) : NULL;
}

/* The index of a text in a list; its size when it is not there. */
static size_t index_of(const json_t *list, const char *text)
{
	json_t *known;
	size_t i;

	json_array_foreach ((json_t *)list, i, known)
		if (str_eq(json_string_value(known), text))
			break;
	return i;
}

/*
 * A path for the service's `ignore`. One that did not help is a member of something that the spec does not have:
 * the whole of that is left then.
 */
static void leave_to_others(json_t *tree, const char *service, const char *path)
{
	json_t *s = json_object_get(json_object_get(tree, "services"), service), *ignore = json_object_get(s, "ignore");
	_cleanup_free_ char *leave = xstrdup(path);

	if (!ignore) {
		json_set_str(s, IMPORT_COMMENT "ignore", IMPORT_IGNORED);
		ignore = json_array();
		json_set(s, "ignore", ignore);
	}
	for (size_t at; (at = index_of(ignore, leave)) < json_array_size(ignore);) {
		char *outer = outer_path(leave);
		if (!outer)
			return;
		json_array_remove(ignore, at);
		free(leave);
		leave = outer;
		if (index_of(ignore, leave) < json_array_size(ignore))
			return;
	}
	json_array_append_new(ignore, json_string(leave));
}

/* What has no words in the spec is taken out of the comparison; all else is for a person. */
static bool settle_change(struct import *out, json_t *tree, const struct change *c)
{
	bool is_service = strcmp(c->kind->name, "service") == 0 &&
			  json_object_get(json_object_get(tree, "services"), c->live ? c->live->name : "");

	if (c->action == ACTION_VERIFY || (c->action == ACTION_ADOPT && c->fields.n == 0 && c->state == CHANGE_READY))
		return false;
	if (!is_service || c->fields.n == 0 || (c->action != ACTION_ADOPT && c->action != ACTION_UPDATE)) {
		need(out, "%s: its plan says %s%s%s", c->key, action_name(c->action), c->reason ? ": " : "",
		     c->reason ? c->reason : "");
		return false;
	}
	for (size_t i = 0; i < c->fields.n; i++)
		leave_to_others(tree, c->live->name, c->fields.v[i].path);
	return true;
}

static int compare(const struct import_options *o, const struct snapshot *snap, struct import *out, json_t *tree,
		   bool *changed, struct err *err)
{
	const struct spec_input in = {
		.name = "the imported spec",
		.text = str_cstr(&out->text),
		.len = out->text.len,
		.files = o->files,
		.allow_env = o->allow_env,
	};
	struct resource_set *want = NULL, *live = NULL;
	_cleanup_json_ json_t *shared = json_object();
	struct spec *spec = NULL;

	diags_free(&out->diags);
	out->diags = (struct diags){0};
	if (spec_load(&in, &spec, &out->diags, err) < 0)
		return err->code == ERR_SPEC ? 0 : -1;
	if (!snap) {
		spec_free(spec);
		return 0;
	}
	if (build_resources(spec, snap, &want, &live, err) < 0) {
		spec_free(spec);
		return -1;
	}
	const struct plan_facts facts = {.shared = shared, .now = manager_time(snap)};
	struct plan *plan = build_plan(spec, snap, want, live, &facts);
	for (size_t i = 0; i < plan->changes.n; i++)
		*changed |= settle_change(out, tree, &plan->changes.v[i]);
	plan_free(plan);
	resource_set_free(want);
	resource_set_free(live);
	spec_free(spec);
	return 0;
}

static size_t count_ignored(const json_t *tree)
{
	const char *name;
	json_t *service;
	size_t n = 0;

	json_object_foreach (json_object_get(tree, "services"), name, service)
		n += json_array_size(json_object_get(service, "ignore"));
	return n;
}

int import_make(const struct import_options *o, const struct snapshot *snap, struct import *out, struct err *err)
{
	_cleanup_json_ json_t *tree = import_sections(o, snap);
	bool changed = true;

	*out = (struct import){.needs = json_array(), .services = json_object_size(json_object_get(tree, "services"))};
	for (int pass = 0; changed && pass < MAX_PASSES; pass++) {
		changed = false;
		json_array_clear(out->needs);
		str_reset(&out->text);
		import_yaml(tree, &out->text);
		if (compare(o, snap, out, tree, &changed, err) < 0) {
			import_free(out);
			return -1;
		}
	}
	out->ignored = count_ignored(tree);
	if (changed)
		need(out, "its plan is not empty, and leaving its fields to others does not make it so");
	return 0;
}
