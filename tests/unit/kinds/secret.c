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
		assert_string_equal(engine_name(f.want, "secret", "t"), "t-(unknown)");
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

#define OWNED(ID, INDEX, NAME) \
	"{'ID':'" ID "','Version':{'Index':" INDEX "},'Spec':{'Name':'" NAME "','Labels':{'io.reconcile.cluster':'c'}" \
	"}}"
#define SECRETS \
	"'engine/secrets':[" OWNED("1", "5", "t-000000000001") "," OWNED("2", "7", "t-000000000002") "," OWNED( \
		"3", "9", "t-00000000000x") "," OWNED("4", "9", "u-000000000004") "," OWNED("5", "9", "t") "]"
#define USES(ID) \
	"'engine/services':[{'Spec':{'Name':'s','TaskTemplate':{'ContainerSpec':{'Secrets':[{'SecretID':'" ID "'}]}}}" \
	"}]"
static const char from_command[] = "secrets: { t: { command: pass, entry: a/b } }\n";

/* What a dry run may not look at is taken to be what services use, else the newest. */
static void unseen(void **state)
{
	static const struct {
		const char *secrets, *services, *name, *note;
	} cases[] = {
		{"'engine/secrets':[]", "'engine/services':[]", "t-(unknown)",
		 "its content is not looked at in a dry run"},
		{SECRETS, "'engine/services':[]", "t-000000000002",
		 "its content is not looked at in a dry run\nit is taken to be what is there"},
		{SECRETS, USES("1"), "t-000000000001",
		 "its content is not looked at in a dry run\nit is taken to be what is there"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {0};
		_cleanup_free_ char *docs =
			xasprintf("{" MANAGER ",'secret/t':null,%s,%s}", cases[i].secrets, cases[i].services);
		fixture_load(&f, from_command, docs);
		fixture_run(&f, secrets_only);
		assert_string_equal(engine_name(f.want, "secret", "t"), cases[i].name);
		assert_string_equal(want_of(&f, "secret/t")->note, cases[i].note);
		assert_null(want_of(&f, "secret/t")->blocked);
		assert_null(want_of(&f, "secret/t")->payload);
	}
}

static void refused_in_a_dry_run(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, from_command,
		     "{" MANAGER ",'secret/t':{'refused':'no such command'}," SECRETS "," USES("1") "}");
	fixture_run(&f, secrets_only);
	assert_null(want_of(&f, "secret/t")->blocked);
	expect_text(want_of(&f, "secret/t")->note, "an apply on this machine would not read it: no such command");
	expect_in_sync(&f, "secret/t");
}

/* Any of them may be the one that is wanted. */
static void unknown_content_prunes_nothing_of_its_name(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, from_command,
		     "{" MANAGER ",'secret/t':{'unknown':'exit status 1'}," SECRETS ",'engine/services':[]}");
	fixture_run(&f, secrets_only);
	expect_text(want_of(&f, "secret/t")->blocked, "the content of secret 't' cannot be read: exit status 1");
	assert_null(resource_find_key(f.live, "secret/t-000000000001"));
	assert_null(resource_find_key(f.live, "secret/t-000000000002"));
	assert_null(resource_find_key(f.live, "secret/t (5)"));
	assert_non_null(resource_find_key(f.live, "secret/t-00000000000x"));
	assert_non_null(resource_find_key(f.live, "secret/u-000000000004"));
}

/* base64 of "two\n\0": every byte of it, also the last ones. */
static void fetched(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, from_command, "{" MANAGER ",'secret/t':'dHdvCgA='," SECRETS ",'engine/services':[]}");
	fixture_run(&f, secrets_only);
	assert_null(want_of(&f, "secret/t")->note);
	assert_non_null(resource_find_key(f.live, "secret/t (5)"));
	assert_string_equal(want_of(&f, "secret/t")->payload, "dHdvCgA=");
	assert_non_null(resource_find_key(f.live, "secret/t-000000000001"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(name_is_keyed),
		cmocka_unit_test(another_swarm_another_name),
		cmocka_unit_test(name_needs_the_swarm),
		cmocka_unit_test(content_is_nowhere),
		cmocka_unit_test(leftovers),
		cmocka_unit_test(unseen),
		cmocka_unit_test(refused_in_a_dry_run),
		cmocka_unit_test(unknown_content_prunes_nothing_of_its_name),
		cmocka_unit_test(fetched),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
