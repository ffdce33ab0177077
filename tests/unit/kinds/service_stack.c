/*
 * What would be sent for the services of a stack, against what docker sent for
 * the same file: tests/cases/stack/adopt, recorded on a real engine.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "kinds/kinds.h"
#include "kinds/service/service.h"
#include "kinds/util.h"
#include "sys/file.h"

#define DIR "tests/cases/stack/adopt/"

static int read_beside(struct files *f, const char *path, size_t max, struct str *out, struct err *err)
{
	_cleanup_free_ char *full = xasprintf(DIR "%s", path);
	(void)f;

	return file_read(full, max, out, err);
}

struct recorded {
	struct spec *spec;
	struct snapshot *snap;
	struct resource_set *want;
};

static struct files beside = {read_beside};

static void open_recorded(struct recorded *r)
{
	CLEANUP(diags_free) struct diags diags = {0};
	_cleanup_str_ struct str text = {0}, live = {0};
	_cleanup_json_ json_t *j = NULL;
	struct err err = {0};
	size_t n;

	if (file_read(DIR "spec.yaml", 1 << 20, &text, &err) < 0 ||
	    file_read(DIR "live.json", 1 << 20, &live, &err) < 0 ||
	    json_parse(str_cstr(&live), live.len, &j, &err) < 0 || snapshot_from_json(j, &r->snap, &err) < 0)
		fail_msg("%s", err.msg);
	struct spec_input in = {.name = "spec.yaml", .text = str_cstr(&text), .len = text.len, .files = &beside};
	if (spec_load(&in, &r->spec, &diags, &err) < 0)
		fail_msg("%s", err.msg);
	const struct kind *const *kinds = kinds_all(&n);
	r->want = resource_set_new();
	struct decode d = {.spec = r->spec, .snap = r->snap, .out = r->want};
	for (size_t i = 0; i < n; i++)
		assert_int_equal(kinds[i]->decode(&d, &err), 0);
}

static void close_recorded(struct recorded *r)
{
	resource_set_free(r->want);
	snapshot_free(r->snap);
	spec_free(r->spec);
}

static json_t *shape_of(const struct resource *r)
{
	json_t *shape;
	struct err err = {0};

	assert_non_null(r->payload);
	if (json_parse(r->payload, strlen(r->payload), &shape, &err) < 0)
		fail_msg("%s", err.msg);
	return shape;
}

/* The engine's own additions, and what is only known when it is written. */
static bool is_added(const char *key)
{
	static const char *const keys[] = {"ConfigID", "FailureAction", "ForceUpdate",     "Image",       "Isolation",
					   "Labels",   "Mode",          "MaxFailureRatio", "Name",        "Order",
					   "Runtime",  "SecretID",      "Target",          "MaxAttempts", "Config",
					   "Registry", "Protocol",      "Preferences"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcmp(keys[i], key) == 0)
			return true;
	return false;
}

/* What a request may leave out or spell out alike. */
static bool is_zero(const json_t *v)
{
	return !v || json_is_null(v) || json_is_false(v) || (json_is_integer(v) && json_integer_value(v) == 0) ||
	       (json_is_array(v) && json_array_size(v) == 0) || (json_is_string(v) && json_string_length(v) == 0);
}

static void compare(const json_t *ours, const json_t *dockers, const char *path);

static void compare_objects(const json_t *ours, const json_t *dockers, const char *path)
{
	_cleanup_json_ json_t *keys = json_object();
	const char *key;
	json_t *value;

	json_object_update(keys, (json_t *)ours);
	json_object_update(keys, (json_t *)dockers);
	json_object_foreach (keys, key, value) {
		const json_t *x = json_object_get(ours, key), *y = json_object_get(dockers, key);
		_cleanup_free_ char *at = xasprintf("%s.%s", path, key);
		if (is_zero(x) && is_zero(y))
			continue;
		if (is_added(key) && (!x || strcmp(key, "Target") == 0))
			continue;
		compare(x, y, at);
	}
}

static void compare(const json_t *ours, const json_t *dockers, const char *path)
{
	_cleanup_str_ struct str x = {0}, y = {0};

	if (json_is_object(ours) && json_is_object(dockers)) {
		compare_objects(ours, dockers, path);
		return;
	}
	if (json_is_array(ours) && json_array_size(ours) == json_array_size(dockers)) {
		for (size_t i = 0; i < json_array_size(ours); i++)
			compare(json_array_get(ours, i), json_array_get(dockers, i), path);
		return;
	}
	if (ours)
		json_canonical(ours, &x);
	if (dockers)
		json_canonical(dockers, &y);
	/* Consistency is in no answer of engines that ignore it. */
	if (strcmp(str_cstr(&x), str_cstr(&y)) != 0 && !str_ends(path, ".Consistency"))
		fail_msg("%s: ours is %s, docker's %s", path, str_cstr(&x), str_cstr(&y));
}

static void is_what_docker_sends(void **state)
{
	struct recorded r;
	const json_t *service;
	size_t i, compared = 0;

	(void)state;
	open_recorded(&r);
	json_array_foreach (snapshot_get(r.snap, "engine/services", NULL), i, service) {
		const json_t *spec = json_object_get(service, "Spec");
		const struct resource *want = resource_find(r.want, "service", json_str(spec, "Name"));
		assert_non_null(want);
		_cleanup_json_ json_t *shape = shape_of(want);
		compare(shape, spec, want->name);
		compared++;
	}
	assert_int_equal(compared, 3);
	close_recorded(&r);
}

/* Both ways from the file say the same, but for what the shape leaves to the writer. */
static void means_what_the_body_says(void **state)
{
	static const char *const elsewhere[] = {"image", "labels", "mode", "preferences", "replicas"};
	struct recorded r;

	(void)state;
	open_recorded(&r);
	for (size_t i = 0; i < resource_count(r.want); i++) {
		const struct resource *want = resource_at(r.want, i);
		if (strcmp(want->kind, "service") != 0)
			continue;
		_cleanup_json_ json_t *shape = shape_of(want), *body = json_deep_copy(want->body);
		json_set_str(shape, "Name", want->name);
		_cleanup_json_ json_t *read = body_read(shape, NULL);
		_cleanup_str_ struct str x = {0}, y = {0};
		body_settle(read, body);
		for (size_t k = 0; k < ARRAY_SIZE(elsewhere); k++) {
			json_object_del(body, elsewhere[k]);
			json_object_del(read, elsewhere[k]);
		}
		json_canonical(body, &x);
		json_canonical(read, &y);
		assert_string_equal(str_cstr(&y), str_cstr(&x));
	}
	close_recorded(&r);
}

/* A field that changes is written as docker writes it, and takes nothing else with it. */
static void overlays_one_field(void **state)
{
	static const struct {
		const char *field, *live, *expected;
	} rows[] = {
		{"env", "{\"TaskTemplate\":{\"ContainerSpec\":{\"Env\":[\"B=1\"]}}}",
		 "{\"TaskTemplate\":{\"ContainerSpec\":{\"Env\":[\"A1=\",\"A=\"]}}}"},
		{"restart_policy", "{\"TaskTemplate\":{\"RestartPolicy\":{\"Delay\":1}}}",
		 "{\"TaskTemplate\":{\"RestartPolicy\":{\"Condition\":\"any\"}}}"},
		{"log_driver", "{\"TaskTemplate\":{\"LogDriver\":{\"Name\":\"x\"}}}", "{\"TaskTemplate\":{}}"},
		{"user", "{\"TaskTemplate\":{\"ContainerSpec\":{\"User\":\"x\",\"TTY\":true}}}",
		 "{\"TaskTemplate\":{\"ContainerSpec\":{\"TTY\":true}}}"},
		{"configs", "{}",
		 "{\"TaskTemplate\":{\"ContainerSpec\":{\"Configs\":[{\"ConfigID\":\"id\",\"ConfigName\":\"c\"}]}}}"},
		{"replicas", NULL, NULL},
	};
	static const char shape_text[] = "{\"TaskTemplate\":{\"RestartPolicy\":{\"Condition\":\"any\"},"
					 "\"ContainerSpec\":{\"Env\":[\"A1=\",\"A=\"],"
					 "\"Configs\":[{\"ConfigName\":\"c\"}]}}}";
	_cleanup_json_ json_t *shape = json_loads(shape_text, 0, NULL), *ids = json_pack("{s:s}", "config/c", "id");

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ json_t *spec = rows[i].live ? json_loads(rows[i].live, 0, NULL) : json_object();
		_cleanup_str_ struct str got = {0};
		assert_int_equal(stack_overlay(spec, shape, ids, rows[i].field), rows[i].expected != NULL);
		json_canonical(spec, &got);
		if (rows[i].expected)
			assert_string_equal(str_cstr(&got), rows[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(is_what_docker_sends),
		cmocka_unit_test(means_what_the_body_says),
		cmocka_unit_test(overlays_one_field),
	};

	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
