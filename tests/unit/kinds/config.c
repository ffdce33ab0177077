/* Configs: named by their content, kept as long as a service could roll back to them. */
#include "swarmtest.h"

static const struct kind *const configs_only[] = {&kind_config, NULL};
static const char *const content[][2] = {{"a.conf", "A"}, {"b.conf", "B"}, {NULL, NULL}};

/* printf A | sha256sum */
#define A_NAME "a-559aead08264"
#define B_NAME "a-df7e70e50215"
#define OURS "'Labels':{'io.reconcile.cluster':'c'}"

static void named_by_content(void **state)
{
	_cleanup_fixture_ struct fixture f = {.content = content};

	(void)state;
	fixture_load(&f,
		     "configs:\n  a: { file: a.conf }\n  same: { name: b, content: A }\n"
		     "  templated: { content: A, template_driver: golang }\n  ext: { external: true, name: x }\n",
		     "{" MANAGER ",'engine/configs':[],'engine/services':[]}");
	fixture_run(&f, configs_only);
	expect_body(want_of(&f, "config/a"), "{'name':'" A_NAME "'}");
	assert_string_equal(want_of(&f, "config/a")->payload, "QQ==");
	expect_body(want_of(&f, "config/same"), "{'name':'b-559aead08264'}");
	assert_true(str_starts(engine_name(f.want, "config", "templated"), "templated-"));
	assert_false(str_ends(engine_name(f.want, "config", "templated"), "-559aead08264"));
	expect_body(want_of(&f, "config/ext"), "{'name':'x'}");
	assert_true(want_of(&f, "config/ext")->external);
	assert_true(has_ref(want_of(&f, "config/a"), REF_REQUIRES, "swarm/c"));
	assert_int_equal(live_of(&f, "config/a")->presence, ABSENT);
}

static void in_sync(void **state)
{
	_cleanup_fixture_ struct fixture f = {.content = content};

	(void)state;
	fixture_load(&f, "configs:\n  a: { file: a.conf, labels: { x: \"1\" } }\n  e: { external: true }\n",
		     "{" MANAGER ",'engine/configs':[{'ID':'1','Version':{'Index':9},'Spec':{'Name':'" A_NAME
		     "','Labels':{'io.reconcile.cluster':'c','x':'1'},'Data':'QQ=='}},"
		     "{'ID':'2','Spec':{'Name':'e','Labels':{'y':'z'}}}],'engine/services':[]}");
	fixture_run(&f, configs_only);
	expect_in_sync(&f, "config/a");
	expect_in_sync(&f, "config/e");
	assert_true(live_of(&f, "config/a")->owned);
	assert_true(live_of(&f, "config/a")->ownable);
	assert_int_equal(live_of(&f, "config/a")->version, 9);
}

/* Reading works while the spec is checked, and not any more when it is decoded. */
static int fail_to_read(struct files *files, const char *path, size_t max, struct str *out, struct err *err)
{
	(void)files, (void)max, (void)out;
	return err_set(err, ERR_TIMEOUT, "reading '%s': timeout", path);
}

static void source_fails_later(void **state)
{
	_cleanup_fixture_ struct fixture f = {.content = content};

	(void)state;
	fixture_load(&f, "configs: { a: { file: a.conf } }\n",
		     "{" MANAGER ",'engine/configs':[],'engine/services':[]}");
	f.files.read = fail_to_read;
	fixture_run(&f, configs_only);
	expect_text(want_of(&f, "config/a")->blocked, "content of config 'a' cannot be read: ");
	assert_int_equal(live_of(&f, "config/a")->presence, ABSENT);
}

#define DIGEST "@sha256:0000000000000000000000000000000000000000000000000000000000000000"
#define SPEC_OF(labels, id, name) \
	"{'Name':'s','Labels':{" labels "},'Mode':{'Replicated':{'Replicas':1}},'TaskTemplate':{'ContainerSpec':{" \
	"'Image':'x:1" DIGEST "','Configs':[{'File':{'Name':'/a','UID':'0','GID':'0','Mode':292},'ConfigID':'" id \
	"','ConfigName':'" name "'}]}}}"
#define MINE "'io.reconcile.cluster':'c'"
#define SERVICE(spec, previous) "[{'ID':'s','Version':{'Index':1},'Spec':" spec ",'PreviousSpec':" previous "}]"

/* The spec wants a (content B) for service s; the engine has object 1, a with content A, and object 2 with content B.
 */
static void leftovers(void **state)
{
	static const char with_service[] = "configs: { a: { file: b.conf } }\nservices:\n"
					   "  s: { image: 'x:1" DIGEST "', configs: [{ source: a, target: /a }] }\n";
	static const char without[] = "configs: { a: { file: b.conf } }\n";
	static const struct {
		const char *what, *yaml, *services;
		bool pruned;
		const char *after; /* the service whose change lets go of it */
	} cases[] = {
		{"used by nobody", without, "[]", true, NULL},
		{"in use, and the rollback target soon", with_service, SERVICE(SPEC_OF(MINE, "1", A_NAME), "null"),
		 false, NULL},
		{"in use by a service of somebody else", without, SERVICE(SPEC_OF("", "1", A_NAME), "null"), false,
		 NULL},
		{"the rollback target", with_service, SERVICE(SPEC_OF(MINE, "2", B_NAME), SPEC_OF(MINE, "1", A_NAME)),
		 false, NULL},
		{"the rollback target of a service that this pass updates", with_service,
		 SERVICE(SPEC_OF(MINE, "3", "a-000000000000"), SPEC_OF(MINE, "1", A_NAME)), true, "service/s"},
		{"the same, for another reason", with_service,
		 SERVICE(SPEC_OF(MINE ",'old':'label'", "2", B_NAME), SPEC_OF(MINE, "1", A_NAME)), true, "service/s"},
		{"of a service that is not ours to update", with_service,
		 SERVICE(SPEC_OF("'old':'label'", "2", B_NAME), SPEC_OF("", "1", A_NAME)), false, NULL},
		{"in use by a service that this pass removes", without, SERVICE(SPEC_OF(MINE, "1", A_NAME), "null"),
		 true, "service/s"},
		{"a credential spec", without,
		 "[{'Spec':{'Name':'w','TaskTemplate':{'ContainerSpec':{'Privileges':{'CredentialSpec':{'Config':'1'}}}"
		 "}}}]",
		 false, NULL},
		{"who uses it is not known", without, "{'unknown':'timeout'}", false, NULL},
	};
	static const struct kind *const kinds[] = {&kind_config, &kind_service, NULL};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {.content = content};
		_cleanup_free_ char *docs = xasprintf(
			"{" MANAGER ",'engine/networks':[],'engine/configs':[{'ID':'1','Spec':{'Name':'" A_NAME
			"'," OURS "}},{'ID':'2','Spec':{'Name':'" B_NAME "'," OURS "}},"
			"{'ID':'8','Spec':{'Name':'theirs','Labels':{}}}],'engine/services':%s}",
			cases[i].services);

		fixture_load(&f, cases[i].yaml, docs);
		fixture_run(&f, kinds);
		expect_in_sync(&f, "config/a");
		const struct resource *old = resource_find_key(f.live, "config/" A_NAME);
		if ((old != NULL) != cases[i].pruned)
			fail_msg("%s", cases[i].what);
		if (old) {
			assert_true(old->owned && old->presence == PRESENT && str_eq(old->id, "1"));
			assert_int_equal(old->refs.n, cases[i].after ? 1 : 0);
			if (cases[i].after)
				assert_string_equal(old->refs.v[0].target, cases[i].after);
		}
		assert_null(resource_find_key(f.live, "config/theirs"));
	}
}

static void unknown(void **state)
{
	_cleanup_fixture_ struct fixture f = {.content = content};

	(void)state;
	fixture_load(&f, "configs: { a: { file: a.conf } }\n",
		     "{" MANAGER ",'engine/configs':{'unknown':'GET /configs: timeout'},'engine/services':[]}");
	fixture_run(&f, configs_only);
	assert_int_equal(live_of(&f, "config/a")->presence, UNKNOWN);
	expect_text(live_of(&f, "config/a")->blocked, "GET /configs: timeout");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(named_by_content), cmocka_unit_test(in_sync), cmocka_unit_test(source_fails_later),
		cmocka_unit_test(leftovers),        cmocka_unit_test(unknown),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
