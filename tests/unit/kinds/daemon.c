/* daemon.json: what of it is ours, what is left, what a running dockerd has, and what it takes to change it. */
#include "fixture.h"

#include "kinds/engine/daemon.h"

#include "tests/unit/quoted.h"

/* In the order of the members, with apostrophes. */
static void expect_text(json_t *j, const char *expected)
{
	char *text = json_dumps(j, JSON_COMPACT);

	for (char *p = text; *p; p++)
		if (*p == '"')
			*p = '\'';
	assert_string_equal(text, expected);
	free(text);
	json_decref(j);
}

static void other_keys_and_their_order_stay(void **state)
{
	_cleanup_json_ json_t *file =
		quoted("{'mtu':1400,'log-opts':{'tag':'x','max-size':'1m'},'debug':true,'dns':['a']}");
	_cleanup_json_ json_t *wanted =
		quoted("{'dns':['b','c'],'log-opts':{'max-size':'9m','max-file':'3'},'icc':false}");

	(void)state;
	expect_text(daemon_overlay(file, wanted), "{'mtu':1400,'log-opts':{'tag':'x','max-size':'9m','max-file':'3'},"
						  "'debug':true,'dns':['b','c'],'icc':false}");
	expect_text(daemon_pick(file, wanted), "{'dns':['a'],'log-opts':{'max-size':'1m'}}");
	/* An object takes the place of something else, and the other way round. */
	_cleanup_json_ json_t *odd = quoted("{'dns':{'a':1},'log-opts':'none'}");
	expect_text(daemon_overlay(odd, wanted),
		    "{'dns':['b','c'],'log-opts':{'max-size':'9m','max-file':'3'},'icc':false}");
}

static void files(void **state)
{
	struct arena *a = arena_new();
	const char *why = NULL;

	(void)state;
	expect_text(daemon_parse("", 0, a, &why), "{}");
	expect_text(daemon_parse(" \n", 2, a, &why), "{}");
	assert_null(why);
	assert_null(daemon_parse("[]", 2, a, &why));
	assert_string_equal(why, "it is no JSON object");
	assert_null(daemon_parse("{\"a\":", 5, a, &why));
	assert_non_null(strstr(why, "line 1"));
	arena_free(a);
}

static void what_info_tells(void **state)
{
	static const struct {
		const char *info, *wanted, *differs;
	} cases[] = {
		{"{'Debug':false}", "{'debug':true}", "debug"},
		{"{'Debug':true}", "{'debug':true}", NULL},
		{"{}", "{'debug':true}", NULL}, /* this version does not tell */
		{"{'Labels':['b','a']}", "{'labels':['a','b']}", NULL},
		{"{'Labels':['a']}", "{'labels':['a','b']}", "labels"},
		{"{'Labels':['a','b','c']}", "{'labels':['a','b']}", "labels"},
		{"{'Labels':null}", "{'labels':['a']}", "labels"},
		{"{'Labels':null}", "{'labels':[]}", NULL},
		{"{'LoggingDriver':'json-file'}", "{'log-driver':'local'}", "log-driver"},
		{"{'RegistryConfig':{'Mirrors':['https://m/']}}", "{'registry-mirrors':['https://m']}", NULL},
		{"{'RegistryConfig':{'Mirrors':['https://mm/']}}", "{'registry-mirrors':['https://m']}",
		 "registry-mirrors"},
		{"{'RegistryConfig':{'InsecureRegistryCIDRs':['127.0.0.0/8','10.0.0.0/24'],'IndexConfigs':{'r:5':{"
		 "'Secure':false},'docker.io':{'Secure':true}}}}",
		 "{'insecure-registries':['r:5','10.0.0.0/24','http://odd']}", NULL},
		{"{'RegistryConfig':{'InsecureRegistryCIDRs':['127.0.0.0/8'],'IndexConfigs':{}}}",
		 "{'insecure-registries':['r:5']}", "insecure-registries"},
		{"{}", "{'mtu':1400}", NULL},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *info = quoted(cases[i].info), *wanted = quoted(cases[i].wanted);
		const char *got = daemon_not_loaded(info, wanted);
		if (!str_eq(got, cases[i].differs) && (got || cases[i].differs))
			fail_msg("%s beside %s: %s", cases[i].info, cases[i].wanted, got ? got : "equal");
	}
}

static void what_needs_a_restart(void **state)
{
	static const struct {
		const char *file, *info, *wanted;
		bool restart;
	} cases[] = {
		{"{}", "{}", "{'labels':['a'],'debug':true,'registry-mirrors':[],'shutdown-timeout':9}", false},
		{"{}", "{}", "{'labels':['a'],'mtu':1400}", true},
		{"{'mtu':1400}", "{}", "{'labels':['a'],'mtu':1400}", false},
		{"{'log-opts':{'tag':'x','max-size':'1m'}}", "{}", "{'log-opts':{'max-size':'1m'}}", false},
		{"{'log-opts':{'max-size':'2m'}}", "{}", "{'log-opts':{'max-size':'1m'}}", true},
		/* In the file, and not in what runs. */
		{"{'log-driver':'local'}", "{'LoggingDriver':'json-file'}", "{'log-driver':'local'}", true},
		{"{'debug':true}", "{'Debug':false}", "{'debug':true}", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *file = quoted(cases[i].file), *info = quoted(cases[i].info),
				      *wanted = quoted(cases[i].wanted);
		if (daemon_needs_restart(file, info, wanted) != cases[i].restart)
			fail_msg("%s, %s, %s", cases[i].file, cases[i].info, cases[i].wanted);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(other_keys_and_their_order_stay),
		cmocka_unit_test(files),
		cmocka_unit_test(what_info_tells),
		cmocka_unit_test(what_needs_a_restart),
	};
	json_init();
	return cmocka_run_group_tests_name("daemon", tests, NULL, NULL);
}
