/* Volumes: other options are another volume, and none is ever removed. */
#include "swarmtest.h"

static const struct kind *const volumes_only[] = {&kind_volume, NULL};

#define NFS "{ driver_opts: { type: nfs, o: \"addr=10.0.0.80,ro\", device: \":/models\" } }"

static char *name_of(const char *yaml)
{
	_cleanup_fixture_ struct fixture f = {0};
	_cleanup_free_ char *text = xasprintf("volumes:\n  v: %s\n", yaml);
	fixture_load(&f, text, "{'engine/volumes':{'Volumes':null,'Warnings':null}}");
	fixture_run(&f, volumes_only);
	assert_int_equal(live_of(&f, "volume/v")->presence, ABSENT);
	return xstrdup(engine_name(f.want, "volume", "v"));
}

static void names(void **state)
{
	_cleanup_free_ char *plain = name_of("{}"), *null = name_of(""), *nfs = name_of(NFS);
	_cleanup_free_ char *other =
		name_of("{ driver_opts: { type: nfs, o: \"addr=10.0.0.80,rw\", device: \":/models\" } }");
	_cleanup_free_ char *ordered =
		name_of("{ driver_opts: { device: \":/models\", o: \"addr=10.0.0.80,ro\", type: nfs } }");
	_cleanup_free_ char *named = name_of("{ name: data }"), *external = name_of("{ name: data, external: true }");

	(void)state;
	assert_string_equal(plain, "v");
	assert_string_equal(null, "v");
	/* sha256 of {"device":":/models","o":"addr=10.0.0.80,ro","type":"nfs"} */
	assert_string_equal(nfs, "v-6a73fe9f");
	assert_string_equal(ordered, nfs);
	assert_string_not_equal(other, nfs);
	assert_int_equal(strlen(other), strlen(nfs));
	assert_string_equal(named, "data");
	assert_string_equal(external, "data");
}

static void in_sync(void **state)
{
	static const char *const cases[][2] = {
		{"{}", "{'Name':'v','Driver':'local','Options':null,'Labels':{'io.reconcile.cluster':'c'}}"},
		{"{}", "{'Name':'v','Driver':'local','Options':{},'Labels':null}"},
		{"{ labels: { a: b } }",
		 "{'Name':'v','Driver':'local','Options':null,'Labels':{'io.reconcile.cluster':'c','a':'b'}}"},
		{"{ labels: { a: b } }", "{'Name':'v','Driver':'local','Labels':{'other':'x'}}"}, /* adopted */
		{NFS, "{'Name':'v-6a73fe9f','Driver':'local','Options':{'device':':/models','o':'addr=10.0.0.80,ro',"
		      "'type':'nfs'},'Labels':{'io.reconcile.cluster':'c'}}"},
		{"{ driver: special }", "{'Name':'v','Driver':'special','Labels':{'io.reconcile.cluster':'c'}}"},
		{"{ external: true }", "{'Name':'v','Driver':'special','Options':{'a':'b'},'Labels':{}}"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_fixture_ struct fixture f = {0};
		_cleanup_free_ char *yaml = xasprintf("volumes:\n  v: %s\n", cases[i][0]);
		_cleanup_free_ char *docs = xasprintf("{'engine/volumes':{'Volumes':[%s]}}", cases[i][1]);
		fixture_load(&f, yaml, docs);
		fixture_run(&f, volumes_only);
		expect_in_sync(&f, "volume/v");
	}
}

static void never_replaced_or_pruned(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};
	struct change c;

	(void)state;
	fixture_load(&f, "volumes: { v: {} }\n",
		     "{'engine/volumes':{'Volumes':[{'Name':'v','Driver':'local','Options':{'type':'tmpfs'},"
		     "'Labels':{'io.reconcile.cluster':'c'}},"
		     "{'Name':'old','Driver':'local','Labels':{'io.reconcile.cluster':'c'}}]}}");
	fixture_run(&f, volumes_only);
	explain(&f, &kind_volume, "volume/v", ACTION_UPDATE, "options", &c);
	assert_int_equal(c.state, CHANGE_BLOCKED);
	expect_text(c.reason, "volume 'v' exists with another driver or options");
	assert_null(resource_find_key(f.live, "volume/old"));
	assert_false(kind_volume.prunes);
	for (size_t i = 0; i < kind_volume.n_fields; i++)
		assert_false(kind_volume.fields[i].flags & FIELD_REPLACES);
}

static void unknown(void **state)
{
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f, "volumes: { v: {} }\n", "{'engine/volumes':{'unknown':'GET /volumes: timeout'}}");
	fixture_run(&f, volumes_only);
	assert_int_equal(live_of(&f, "volume/v")->presence, UNKNOWN);
	expect_text(live_of(&f, "volume/v")->blocked, "GET /volumes: timeout");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names),
		cmocka_unit_test(in_sync),
		cmocka_unit_test(never_replaced_or_pruned),
		cmocka_unit_test(unknown),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
