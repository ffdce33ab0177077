/* Rules of firewalls as their tools write them, and which of them are ours. */
#include "fixture.h"

#include "kinds/firewall/rules.h"

#include <stdlib.h>

static struct arena *arena;

static struct firewall parse(const char *text)
{
	struct firewall f;

	assert_true(firewall_parse(text, arena, &f));
	return f;
}

static int setup(void **state)
{
	(void)state;
	arena = arena_new();
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	arena_free(arena);
	return 0;
}

static void keys(void **state)
{
	struct firewall_rule r;
	char key[FIREWALL_KEY_SIZE];

	(void)state;
	assert_true(firewall_rule_of("2049/tcp from fd00::1", &r));
	assert_int_equal(r.port, 2049);
	assert_string_equal(r.protocol, "tcp");
	assert_string_equal(r.source, "fd00::1");
	firewall_key(&r, key);
	assert_string_equal(key, "2049/tcp from fd00::1");
	assert_false(firewall_rule_of("2049 from 10.0.0.1", &r));
}

/* Lines of ufw 0.36 for what stands beside them; the rule in question: 2049/tcp from 10.0.0.84. */
static void ufw_allows(void **state)
{
	static const struct {
		const char *tuple;
		bool allows;
	} cases[] = {
		{"allow tcp 2049 0.0.0.0/0 any 10.0.0.84 in", true},
		{"allow tcp 2049 0.0.0.0/0 any 10.0.0.84 in comment=6d65", true},
		{"allow any any 0.0.0.0/0 any 10.0.0.0/24 in", true},
		{"allow any 2049 0.0.0.0/0 any 0.0.0.0/0 in", true},
		{"allow tcp 111,2049 0.0.0.0/0 any 10.0.0.84 in", true},
		{"allow tcp 2000:2100 0.0.0.0/0 any 10.0.0.84 in", true},
		{"allow tcp 2049 0.0.0.0/0 any 10.0.0.84 NFS - in", true},
		{"allow tcp 20490 0.0.0.0/0 any 10.0.0.84 in", false},
		{"allow tcp 2050:2100 0.0.0.0/0 any 10.0.0.84 in", false},
		{"allow udp 2049 0.0.0.0/0 any 10.0.0.84 in", false},
		{"allow tcp 2049 0.0.0.0/0 any 10.0.0.8 in", false},
		{"allow tcp 2049 10.0.0.80 any 10.0.0.84 in", false},
		{"allow tcp 2049 0.0.0.0/0 1024 10.0.0.84 in", false},
		{"allow tcp 2049 0.0.0.0/0 any 10.0.0.84 in_eth0", false},
		{"allow tcp 2049 0.0.0.0/0 any 10.0.0.84 out", false},
		{"limit tcp 2049 0.0.0.0/0 any 10.0.0.84 in", false},
		{"deny tcp 2049 0.0.0.0/0 any 10.0.0.84 in", false},
		{"route:allow tcp 2049 0.0.0.0/0 any 10.0.0.84 in", false},
		{"allow any any ::/0 any ::/0 in", false},
		{"allow tcp", false},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = xasprintf("ufw\n### tuple ### %s\n", cases[i].tuple);
		struct firewall f = parse(text);
		if (firewall_allows(&f, "2049/tcp from 10.0.0.84", "lab") != cases[i].allows)
			fail_msg("%s: not %s", cases[i].tuple, cases[i].allows ? "allowed" : "refused");
		firewall_free(&f);
	}
}

static void expect_own(const char *text, const char *expected)
{
	_cleanup_str_ struct str got = {0};
	struct firewall f = parse(text);
	_cleanup_json_ json_t *own = firewall_own(&f, "lab");

	json_canonical(own, &got);
	assert_string_equal(str_cstr(&got), expected);
	firewall_free(&f);
}

static void own_rules(void **state)
{
	(void)state;
	/* "reconcile lab", "reconcile labor", "me" */
	expect_own("ufw\n### tuple ### allow udp 4789 ::/0 any fd00::1 in comment=7265636f6e63696c65206c6162\n"
		   "### tuple ### allow tcp 2049 0.0.0.0/0 any 10.0.0.1 in comment=7265636f6e63696c65206c61626f72\n"
		   "### tuple ### allow tcp 2049 0.0.0.0/0 any 10.0.0.2 in comment=6d65\n"
		   "### tuple ### allow tcp 2049 0.0.0.0/0 any 10.0.0.3 in\n"
		   "### tuple ### allow tcp 1,2 0.0.0.0/0 any 10.0.0.4 in comment=7265636f6e63696c65206c6162\n",
		   "{\"4789/udp from fd00::1\":true}");
	_cleanup_free_ char *rich = xasprintf(
		"firewalld\n"
		"rule priority=\"%d\" family=\"ipv4\" source address=\"10.0.0.1\" port port=\"2049\" protocol=\"tcp\" "
		"accept\n"
		"rule priority=\"%d\" family=\"ipv4\" source address=\"10.0.0.2\" port port=\"2049\" protocol=\"tcp\" "
		"accept\n"
		"rule priority=\"%d\" family=\"ipv4\" source address=\"10.0.0.3\" port port=\"2049\" protocol=\"tcp\" "
		"drop\n"
		"rule family=\"ipv4\" source address=\"10.0.0.4\" port port=\"2049\" protocol=\"tcp\" accept\ndone\n",
		firewall_priority("lab"), firewall_priority("lab") + 1, firewall_priority("lab"));
	expect_own(rich, "{\"2049/tcp from 10.0.0.1\":true}");
	expect_own("nftables\nchain ip filter INPUT\n"
		   "rule ip saddr 10.0.0.1 tcp dport 2049 accept comment \"reconcile lab\"\n",
		   "{}");
}

static void priorities_stay_in_their_range(void **state)
{
	static const char *const names[] = {"", "a", "lab", "prod", "a-much-longer-name-of-a-cluster"};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		assert_in_range(-firewall_priority(names[i]), 1000, 31000);
	assert_int_not_equal(firewall_priority("lab"), firewall_priority("prod"));
}

static void rules_of_nftables(void **state)
{
	struct firewall f = parse("nftables\nchain inet site input\nchain ip filter INPUT\n"
				  "rule ip6 saddr fd00::1 udp dport 7946 accept comment \"reconcile lab\"\n");
	_cleanup_str_ struct str advice = {0};

	(void)state;
	assert_true(firewall_allows(&f, "7946/udp from fd00::1", "lab"));
	assert_false(firewall_allows(&f, "7946/udp from fd00::1", "other"));
	assert_false(firewall_allows(&f, "7946/tcp from fd00::1", "lab"));
	firewall_advice(&f, "2377/tcp from 10.0.0.1", "lab", &advice);
	assert_string_equal(str_cstr(&advice),
			    "nft add rule inet site input 'ip saddr 10.0.0.1 tcp dport 2377 accept comment "
			    "\"reconcile lab\"'");
	firewall_free(&f);
}

static void other_words_are_no_firewall(void **state)
{
	static const char *const texts[] = {"", "\n", "shorewall\n", "UFW\n", "chain x\n"};
	struct firewall f;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
		assert_false(firewall_parse(texts[i], arena, &f));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(keys),
		cmocka_unit_test(ufw_allows),
		cmocka_unit_test(own_rules),
		cmocka_unit_test(priorities_stay_in_their_range),
		cmocka_unit_test(rules_of_nftables),
		cmocka_unit_test(other_words_are_no_firewall),
	};
	json_init();
	return cmocka_run_group_tests_name("firewall", tests, setup, teardown);
}
