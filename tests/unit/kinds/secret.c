/* Secrets: configs whose name tells nothing about the content. */
#include "swarmtest.h"

static const struct kind *const secrets_only[] = {&kind_secret, NULL};
static const char *const content[][2] = {{"token", "hunter22"}, {NULL, NULL}};

/* printf hunter22 | openssl dgst -sha256 -hmac swarmid */
#define NAME "t-7e9d4993d81c"

static void name_is_keyed(void **state)
{
	_cleanup_fixture_ struct fixture f = {.content = content};

	(void)state;
	fixture_load(&f, "secrets: { t: { file: token } }\n",
		     "{" MANAGER ",'engine/secrets':[{'ID':'1','Spec':{'Name':'" NAME
		     "','Labels':{'io.reconcile.cluster':'c'}}}],'engine/services':[]}");
	fixture_run(&f, secrets_only);
	expect_in_sync(&f, "secret/t");
	expect_body(want_of(&f, "secret/t"), "{'name':'" NAME "'}");
	assert_string_equal(want_of(&f, "secret/t")->payload, "aHVudGVyMjI=");
}

static void another_swarm_another_name(void **state)
{
	_cleanup_fixture_ struct fixture f = {.content = content};

	(void)state;
	fixture_load(
		&f, "secrets: { t: { file: token } }\n",
		"{'engine/info':{'Swarm':{'LocalNodeState':'active','ControlAvailable':true,'Cluster':{'ID':'other'}}},"
		"'engine/secrets':[],'engine/services':[]}");
	fixture_run(&f, secrets_only);
	assert_string_not_equal(engine_name(f.want, "secret", "t"), NAME);
}

static void name_needs_the_swarm(void **state)
{
	static const char *const cases[][2] = {
		{NO_SWARM, "the name of secret 't' is not known yet: it is keyed with the swarm's ID"},
		{WORKER, "this engine is a worker"},
		{"'engine/info':{'unknown':'GET /info: refused'}", "GET /info: refused"},
		{"'engine/info':{'Swarm':{'LocalNodeState':'active','ControlAvailable':true}}",
		 "does not tell the swarm's ID"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {.content = content};
		_cleanup_free_ char *docs = xasprintf("{%s,'engine/secrets':[],'engine/services':[]}", cases[i][0]);
		fixture_load(&f, "secrets: { t: { file: token } }\n", docs);
		fixture_run(&f, secrets_only);
		expect_text(want_of(&f, "secret/t")->blocked, cases[i][1]);
		assert_null(engine_name(f.want, "secret", "t"));
	}
}

static void content_is_nowhere(void **state)
{
	_cleanup_fixture_ struct fixture f = {.content = content};
	_cleanup_str_ struct str dump = {0};

	(void)state;
	fixture_load(&f, "secrets: { t: { file: token, labels: { a: b } } }\n",
		     "{" MANAGER ",'engine/secrets':[],'engine/services':[]}");
	fixture_run(&f, secrets_only);
	json_canonical(want_of(&f, "secret/t")->body, &dump);
	assert_null(strstr(str_cstr(&dump), "hunter22"));
	assert_null(strstr(str_cstr(&dump), "aHVudGVyMjI"));
	/* sha256 of the content alone: whoever has a list of guesses could test them */
	assert_null(strstr(str_cstr(&dump), "20d2fe5e369d"));
}

static void leftovers(void **state)
{
	_cleanup_fixture_ struct fixture f = {.content = content};

	(void)state;
	fixture_load(&f, "secrets: { t: { file: token } }\n",
		     "{" MANAGER
		     ",'engine/secrets':[{'ID':'1','Spec':{'Name':'t-1','Labels':{'io.reconcile.cluster':'c'}}},"
		     "{'ID':'2','Spec':{'Name':'t-2','Labels':{'io.reconcile.cluster':'c'}}}],"
		     "'engine/services':[{'Spec':{'Name':'s','TaskTemplate':{'ContainerSpec':{'Secrets':["
		     "{'SecretID':'2','SecretName':'t-2'}]}}}}]}");
	fixture_run(&f, secrets_only);
	assert_non_null(resource_find_key(f.live, "secret/t-1"));
	assert_null(resource_find_key(f.live, "secret/t-2"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_is_keyed),
		cmocka_unit_test(another_swarm_another_name),
		cmocka_unit_test(name_needs_the_swarm),
		cmocka_unit_test(content_is_nowhere),
		cmocka_unit_test(leftovers),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
