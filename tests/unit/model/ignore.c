#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "model/ignore.h"

#include <string.h>

static json_t *parse(const char *text)
{
	json_t *j = json_loads(text, JSON_DECODE_ANY, NULL);
	assert_non_null(j);
	return j;
}

static void assert_body(const json_t *body, const char *expected)
{
	_cleanup_str_ struct str got = {0};
	json_canonical(body, &got);
	assert_string_equal(str_cstr(&got), expected);
}

/* live: NULL: does not exist. */
static const struct {
	const char *path, *want, *live, *settled, *own;
} rows[] = {
	/* A whole field takes the live value, or goes. */
	{"replicas", "{'replicas':2}", "{'replicas':5}", "{'replicas':5}", "{}"},
	{"replicas", "{}", "{'replicas':5}", "{'replicas':5}", "{}"},
	{"replicas", "{'replicas':2}", "{}", "{}", "{}"},
	/* On creation the spec's value is used. */
	{"replicas", "{'replicas':2}", NULL, "{'replicas':2}", "{}"},
	/* A member, with dots in its name; the others stay the spec's. */
	{"labels[a.b]", "{'labels':{'a.b':'1','c':'1'}}", "{'labels':{'a.b':'2','c':'2'}}",
	 "{'labels':{'a.b':'2','c':'1'}}", "{'labels':{'c':'1'}}"},
	{"labels[a.b]", "{'labels':{'c':'1'}}", "{'labels':{'a.b':'2'}}", "{'labels':{'a.b':'2','c':'1'}}",
	 "{'labels':{'c':'1'}}"},
	/* The field comes and goes with its only member. */
	{"labels[a.b]", "{}", "{'labels':{'a.b':'2','x':'1'}}", "{'labels':{'a.b':'2'}}", "{}"},
	{"labels[a.b]", "{'labels':{'a.b':'1'}}", "{}", "{}", "{}"},
	{"labels[a.b]", "{}", "{'labels':{'x':'1'}}", "{}", "{}"},
	{"labels[a.b]", "{'labels':{'a.b':'1'}}", "{'labels':{}}", "{'labels':{}}", "{}"},
	{"labels", "{'labels':{'a.b':'1'}}", "{'labels':{}}", "{'labels':{}}", "{}"},
	/* Both ways to write a member. */
	{"labels.c", "{'labels':{'c':'1'}}", "{'labels':{'c':'2'}}", "{'labels':{'c':'2'}}", "{}"},
	{"update_config.delay", "{'update_config':{'delay':1,'order':'x'}}", "{'update_config':{'delay':9}}",
	 "{'update_config':{'delay':9,'order':'x'}}", "{'update_config':{'order':'x'}}"},
	{"update_config[delay]", "{'update_config':{'delay':1}}", "{'update_config':{'delay':9}}",
	 "{'update_config':{'delay':9}}", "{}"},
	/* Deeper; a member that the spec does not have is not brought in for something inside it. */
	{"networks[web].aliases", "{'networks':{'web':{'aliases':['a']}}}", "{'networks':{'web':{'aliases':['b']}}}",
	 "{'networks':{'web':{'aliases':['b']}}}", "{'networks':{'web':{}}}"},
	{"networks[web].aliases", "{'networks':{'web':{}}}", "{'networks':{'web':{}}}", "{'networks':{'web':{}}}",
	 "{'networks':{'web':{}}}"},
	{"networks[web].aliases", "{'networks':{'db':{}}}", "{'networks':{'web':{'aliases':['b']}}}",
	 "{'networks':{'db':{}}}", "{'networks':{'db':{}}}"},
	/* A key with a bracket in it. */
	{"env[A[0]]", "{'env':{'A[0]':'1','B':'1'}}", "{'env':{'A[0]':'2'}}", "{'env':{'A[0]':'2','B':'1'}}",
	 "{'env':{'B':'1'}}"},
	{"ports[80/tcp].mode", "{'ports':{'80/tcp':{'mode':'host'}}}", "{'ports':{'80/tcp':{'mode':'ingress'}}}",
	 "{'ports':{'80/tcp':{'mode':'ingress'}}}", "{'ports':{'80/tcp':{}}}"},
	/* What is no object has no members. */
	{"image.tag", "{'image':'a:1'}", "{'image':'a:2'}", "{'image':'a:1'}", "{'image':'a:1'}"},
	{"labels[a]", "{'labels':{'a':'1'}}", "{'labels':'odd'}", "{}", "{}"},
};

static char *json_text(const char *text)
{
	char *s = xstrdup(text);
	for (char *c = s; *c; c++)
		*c = *c == '\'' ? '"' : *c;
	return s;
}

static void ignored_paths_take_the_live_value(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct resource_set *want = resource_set_new(), *live = resource_set_new();
		_cleanup_free_ char *wanted = json_text(rows[i].want), *settled = json_text(rows[i].settled),
				    *own = json_text(rows[i].own);
		struct resource *w = resource_add(want, "service", "a"), *l = resource_add(live, "service", "a");

		json_decref(w->body);
		w->body = parse(wanted);
		vec_push(&w->ignore, rows[i].path);
		l->presence = rows[i].live ? PRESENT : ABSENT;
		if (rows[i].live) {
			_cleanup_free_ char *text = json_text(rows[i].live);
			json_decref(l->body);
			l->body = parse(text);
		}
		_cleanup_json_ json_t *before = resource_own_body(w);
		assert_body(before, own);
		resources_settle(want, live);
		assert_body(w->body, settled);
		_cleanup_json_ json_t *after = resource_own_body(w);
		assert_body(after, own);
		resources_settle(want, live);
		assert_body(w->body, settled);
		resource_set_free(want);
		resource_set_free(live);
	}
}

static void what_was_not_observed_is_left(void **state)
{
	struct resource_set *want = resource_set_new(), *live = resource_set_new();
	struct resource *w = resource_add(want, "service", "a"), *l = resource_add(live, "service", "a");
	(void)state;

	json_set_int(w->body, "replicas", 2);
	vec_push(&w->ignore, "replicas");
	l->presence = UNKNOWN;
	resources_settle(want, live);
	assert_body(w->body, "{\"replicas\":2}");
	resource_set_free(want);
	resource_set_free(live);
}

static void the_live_value_is_a_copy(void **state)
{
	struct resource_set *want = resource_set_new(), *live = resource_set_new();
	struct resource *w = resource_add(want, "service", "a"), *l = resource_add(live, "service", "a");
	(void)state;

	json_set(l->body, "labels", json_pack("{s:s}", "a", "1"));
	vec_push(&w->ignore, "labels");
	resources_settle(want, live);
	json_set_str(json_object_get(l->body, "labels"), "a", "2");
	assert_body(w->body, "{\"labels\":{\"a\":\"1\"}}");
	resource_set_free(want);
	resource_set_free(live);
}

static void floating_fields_are_not_own(void **state)
{
	struct resource_set *want = resource_set_new();
	struct resource *w = resource_add(want, "service", "a");
	(void)state;

	json_set_int(w->body, "replicas", 2);
	json_set_str(w->body, "image", "a");
	vec_push(&w->floating, "replicas");
	_cleanup_json_ json_t *own = resource_own_body(w);
	assert_body(own, "{\"image\":\"a\"}");
	assert_body(w->body, "{\"image\":\"a\",\"replicas\":2}");
	resource_set_free(want);
}

static void a_path_begins_with_its_field(void **state)
{
	static const char *const paths[][2] = {{"replicas", "replicas"},
					       {"labels[a.b]", "labels"},
					       {"update_config.delay", "update_config"},
					       {"", ""}};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		_cleanup_free_ char *field = path_field(paths[i][0]);
		assert_string_equal(field, paths[i][1]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ignored_paths_take_the_live_value), cmocka_unit_test(what_was_not_observed_is_left),
		cmocka_unit_test(the_live_value_is_a_copy),          cmocka_unit_test(floating_fields_are_not_own),
		cmocka_unit_test(a_path_begins_with_its_field),
	};
	json_init();
	return cmocka_run_group_tests_name("ignore", tests, NULL, NULL);
}
