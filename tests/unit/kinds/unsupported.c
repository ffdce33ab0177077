/* Sections whose kind is not built yet are shown, never dropped. */
#include "swarmtest.h"

static void blocked_one_by_one(void **state)
{
	static const struct kind *const kinds[] = {&kind_mount, &kind_model, NULL};
	_cleanup_fixture_ struct fixture f = {0};

	(void)state;
	fixture_load(&f,
		     "swarm: { default_addr_pool: [10.64.0.0/14] }\n"
		     "nodes:\n  m1: { address: 10.9.0.1, role: manager }\n  w1: { address: 10.9.0.2 }\n"
		     "  w2: { address: 10.9.0.3 }\n"
		     "nfs:\n  d:\n    server: m1\n    path: /srv/d\n"
		     "    mount: { path: /mnt/d, nodes: [w1, w2], options: [ro], after: [directory/d] }\n"
		     "models: { store: d, present: [\"mistral:7b\", phi] }\n",
		     "{}");
	fixture_run(&f, kinds);
	assert_int_equal(resource_count(f.want), 4);
	assert_int_equal(resource_count(f.live), 4);
	for (size_t i = 0; i < resource_count(f.want); i++) {
		expect_text(resource_at(f.want, i)->blocked, "is not supported by this version");
		assert_int_equal(resource_at(f.live, i)->presence, UNKNOWN);
	}
	expect_body(want_of(&f, "mount/d@w1"), "{'options':['ro'],'path':'/mnt/d','source':'m1:/srv/d'}");
	assert_string_equal(want_of(&f, "mount/d@w2")->node, "w2");
	assert_true(has_ref(want_of(&f, "mount/d@w1"), REF_REQUIRES, "directory/d"));
	expect_body(want_of(&f, "model/mistral:7b"), "{'store':'d'}");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(blocked_one_by_one),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
