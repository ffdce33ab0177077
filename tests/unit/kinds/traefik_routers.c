/* Which of Traefik's routers a change of its static configuration ends, and which must be there afterwards. */
#include "fixture.h"

#include "kinds/traefik/routers.h"

#include "tests/unit/quoted.h"

static const char before[] = "{'routers': {'who@docker': {'status': 'enabled'}, 'stats@file': {'status': 'enabled'}, "
			     "'web@swarm': {'status': "
			     "'enabled'}, 'bad@file': {'status': 'disabled'}},"
			     " 'tcpRouters': {'db@docker': {'status': 'enabled'}, 'stats@file': {'status': 'enabled'}},"
			     " 'udpRouters': {'dns@docker': {'status': 'enabled'}}}";

static void test_named(void **state)
{
	(void)state;
	struct snapshot *snap = snapshot_new();
	_cleanup_json_ json_t *raw = quoted(before);
	_cleanup_str_ struct str text = {0};

	assert_int_equal(traefik_container_routers(snap, "g", raw, &text), 3);
	assert_string_equal(str_cstr(&text), "who@docker, db@docker (TCP), dns@docker (UDP)");
	snapshot_free(snap);
}

static void test_missing(void **state)
{
	(void)state;
	static const struct {
		int major;
		bool is;          /* swarm mode */
		const char *body; /* of the view */
		const char *missing;
	} cases[] = {
		/* All of them gone, those that were no good apart. */
		{2, true, "{}", "stats@file, web@swarm, stats@file (TCP)"},
		{2, false, "{'swarm_mode': true, 'loaded': true}", "stats@file, web@swarm, stats@file (TCP)"},
		{2, true, "{'swarm_mode': true}", "stats@file, web@swarm, stats@file (TCP)"},
		{2, true, "{'swarm_mode': true, 'loaded': true}",
		 "stats@file, web@swarm, who@docker, db@docker (TCP), stats@file (TCP), dns@docker (UDP)"},
		{3, true, "{}",
		 "stats@file, web@swarm, who@docker, db@docker (TCP), stats@file (TCP), dns@docker (UDP)"},
		{3, false, "{'swarm_mode': true, 'loaded': true}",
		 "stats@file, who@docker, db@docker (TCP), stats@file (TCP), dns@docker (UDP)"},
	};
	_cleanup_json_ json_t *raw = quoted(before), *worse = quoted(before);

	json_set_str(json_object_get(json_object_get(worse, "tcpRouters"), "stats@file"), "status", "disabled");
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct traefik_view v = {.goal = {.major = cases[i].major, .swarm_mode = cases[i].is},
					 .body = quoted(cases[i].body)};
		_cleanup_json_ json_t *stay = traefik_routers_to_stay(&v, raw);
		_cleanup_str_ struct str gone = {0}, none = {0}, one = {0};

		traefik_routers_missing(stay, NULL, &gone);
		if (strcmp(str_cstr(&gone), cases[i].missing) != 0)
			fail_msg("%zu: %s", i, str_cstr(&gone));
		assert_int_equal(traefik_routers_missing(stay, raw, &none), 0);
		assert_int_equal(traefik_routers_missing(stay, worse, &one), 1);
		assert_string_equal(str_cstr(&one), "stats@file (TCP)");
		json_decref(v.body);
	}
}

/* Without an answer from before nothing is waited for. */
static void test_unknown_before(void **state)
{
	(void)state;
	struct traefik_view v = {.goal = {.major = 2, .swarm_mode = true}};
	_cleanup_json_ json_t *stay = traefik_routers_to_stay(&v, NULL);
	_cleanup_str_ struct str none = {0};

	assert_int_equal(traefik_routers_missing(stay, NULL, &none), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_named),
		cmocka_unit_test(test_missing),
		cmocka_unit_test(test_unknown_before),
	};

	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
