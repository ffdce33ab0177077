#include "kinds/absent/phase.h"
#include "kinds/absent/quiet.h"
#include "sys/clock.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

/* ---- times ---- */

static void test_rfc3339(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int64_t seconds; /* -1: refused */
	} times[] = {
		{"1970-01-01T00:00:00Z", 0},
		{"2026-11-20T22:14:24.617243086Z", 1795212864},
		{"2026-11-20T22:14:24Z", 1795212864},
		{"2026-11-20T23:14:24.6+01:00", 1795212864},
		{"2026-11-20T16:44:24.6-05:30", 1795212864},
		{"0001-01-01T00:00:00Z", -1},
		{"2026-11-20", -1},
		{"2026-11-20T22:14:24", -1},
		{"2026-11-20T22:14:24 UTC", -1},
		{"", -1},
		{NULL, -1},
	};
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		int64_t got = -1;
		bool ok = clock_parse_rfc3339(times[i].text, &got);
		if (ok != (times[i].seconds >= 0) || got != times[i].seconds)
			fail_msg("%s: %lld", times[i].text, (long long)got);
	}
}

static void test_duration(void **state)
{
	(void)state;
	static const struct {
		int64_t seconds;
		const char *text;
	} durations[] = {{0, "0s"},    {7, "7s"},      {60, "1m"},         {192, "3m12s"},
			 {600, "10m"}, {86400, "24h"}, {90061, "25h1m1s"}, {3605, "1h5s"}};
	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		_cleanup_str_ struct str s = {0};
		format_duration(durations[i].seconds, &s);
		assert_string_equal(str_cstr(&s), durations[i].text);
	}
}

/* ---- phases ---- */

#define T 1795212864 /* 2026-11-20T22:14:24Z */
#define ENDED "\"FinishedAt\":\"2026-11-20T22:14:24.617243086Z\""
#define RUNS "\"Running\":true"
#define ALWAYS ",\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"always\"}}"
#define NEVER ",\"HostConfig\":{\"RestartPolicy\":{\"Name\":\"no\"}}"

static const struct {
	const char *what, *inspect;
	int64_t now, keep;
	struct absent_phase want;
} phases[] = {
	{"gone", "null", T, 60, {.live = "removed", .wanted = "removed"}},
	{"running",
	 "{\"State\":{\"Status\":\"running\"," RUNS "}" NEVER "}",
	 T,
	 60,
	 {.live = "running", .wanted = "stopped"}},
	{"running, comes back",
	 "{\"State\":{\"Status\":\"running\"," RUNS "}" ALWAYS "}",
	 T,
	 60,
	 {.live = "running", .wanted = "stopped", .restart = "always"}},
	{"running, nothing to keep",
	 "{\"State\":{\"Status\":\"running\"," RUNS "}" ALWAYS "}",
	 T,
	 0,
	 {.live = "running", .wanted = "removed"}},
	{"running again: FinishedAt is of the run before",
	 "{\"State\":{\"Status\":\"running\"," RUNS "," ENDED "}}",
	 T + 999,
	 60,
	 {.live = "running", .wanted = "stopped"}},
	{"crash loop",
	 "{\"State\":{\"Status\":\"restarting\"," RUNS ",\"Restarting\":true," ENDED "}" ALWAYS "}",
	 T,
	 60,
	 {.live = "running", .wanted = "stopped", .restart = "always"}},
	{"paused",
	 "{\"State\":{\"Status\":\"paused\"," RUNS ",\"Paused\":true}}",
	 T,
	 60,
	 {.live = "running", .wanted = "stopped"}},
	{"just stopped",
	 "{\"State\":{\"Status\":\"exited\"," ENDED "}" NEVER "}",
	 T,
	 60,
	 {.live = "stopped", .wanted = "stopped", .stopped_at = T, .kept_until = T + 60}},
	{"last second of keep",
	 "{\"State\":{\"Status\":\"exited\"," ENDED "}" NEVER "}",
	 T + 59,
	 60,
	 {.live = "stopped", .wanted = "stopped", .stopped_at = T, .kept_until = T + 60}},
	{"kept long enough",
	 "{\"State\":{\"Status\":\"exited\"," ENDED "}" NEVER "}",
	 T + 60,
	 60,
	 {.live = "stopped", .wanted = "removed", .stopped_at = T}},
	{"stopped, would come back",
	 "{\"State\":{\"Status\":\"exited\"," ENDED "}" ALWAYS "}",
	 T,
	 60,
	 {.live = "stopped", .wanted = "stopped", .restart = "always", .stopped_at = T, .kept_until = T + 60}},
	{"kept long enough, its policy no longer matters",
	 "{\"State\":{\"Status\":\"exited\"," ENDED "}" ALWAYS "}",
	 T + 60,
	 60,
	 {.live = "stopped", .wanted = "removed", .stopped_at = T}},
	{"keep 0",
	 "{\"State\":{\"Status\":\"exited\"," ENDED "}" NEVER "}",
	 T,
	 0,
	 {.live = "stopped", .wanted = "removed", .stopped_at = T}},
	{"never started",
	 "{\"Created\":\"2026-11-20T22:14:24Z\",\"State\":{\"Status\":\"created\",\"FinishedAt\":\"0001-01-01T00:00:"
	 "00Z\"}}",
	 T + 10,
	 60,
	 {.live = "stopped", .wanted = "stopped", .stopped_at = T, .kept_until = T + 60}},
	{"the engine's clock went back",
	 "{\"State\":{\"Status\":\"exited\"," ENDED "}}",
	 T - 5000,
	 60,
	 {.live = "stopped", .wanted = "stopped", .stopped_at = T, .kept_until = T + 60}},
	{"dead",
	 "{\"State\":{\"Status\":\"dead\",\"Dead\":true," ENDED "}" ALWAYS "}",
	 T,
	 60,
	 {.live = "stopped", .wanted = "removed", .stopped_at = T}},
	{"on its way",
	 "{\"State\":{\"Status\":\"removing\",\"Dead\":true," ENDED "}}",
	 T,
	 60,
	 {.live = "removed", .wanted = "removed"}},
};

static void test_phases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(phases); i++) {
		struct err err;
		_cleanup_json_ json_t *inspect = NULL;
		const struct absent_phase *want = &phases[i].want;
		if (json_parse(phases[i].inspect, strlen(phases[i].inspect), &inspect, &err) < 0)
			fail_msg("%s: %s", phases[i].what, err.msg);
		struct absent_phase p = absent_phase(inspect, phases[i].now, phases[i].keep);
		if (!str_eq(p.live, want->live) || !str_eq(p.wanted, want->wanted) ||
		    !str_eq(p.restart, want->restart) || p.stopped_at != want->stopped_at ||
		    p.kept_until != want->kept_until)
			fail_msg("%s: %s %s %s %lld %lld", phases[i].what, p.live, p.wanted,
				 p.restart ? p.restart : "-", (long long)p.stopped_at, (long long)p.kept_until);
	}
	assert_string_equal(absent_phase(NULL, T, 1).live, "removed");
}

/* ---- counters ---- */

/* Read off a container's /proc/<pid>/net/snmp (Linux 6.1), IP and ICMP cut. */
static const char snmp[] = "Ip: Forwarding DefaultTTL\nIp: 1 64\nIcmpMsg: InType3\nIcmpMsg: 4\n"
			   "Tcp: RtoAlgorithm RtoMin RtoMax MaxConn ActiveOpens PassiveOpens AttemptFails EstabResets "
			   "CurrEstab InSegs OutSegs "
			   "RetransSegs InErrs OutRsts InCsumErrors\n"
			   "Tcp: 1 200 120000 -1 7 42 0 1 3 1000 900 0 0 2 0\n"
			   "Udp: InDatagrams NoPorts\nUdp: 0 0\n";

static void test_counters(void **state)
{
	(void)state;
	static const char *const broken[] = {
		"",
		"Udp: InDatagrams\nUdp: 0\n",
		"Tcp: PassiveOpens CurrEstab\n",
		"Tcp: PassiveOpens CurrEstab\nUdp: 1 2\n",
		"Tcp: PassiveOpens CurrEstab\nTcp: 1\n",
		"Tcp: PassiveOpens CurrEstab\nTcp: 1 x\n",
		"Tcp: PassiveOpensX CurrEstab\nTcp: 1 2\n",
	};
	struct tcp_counters c = {0};
	assert_true(tcp_counters_parse(snmp, &c));
	assert_int_equal(c.accepted, 42);
	assert_int_equal(c.open, 3);
	assert_true(tcp_counters_parse("Tcp: CurrEstab PassiveOpens\nTcp: 1 2", &c));
	assert_int_equal(c.accepted, 2);
	for (size_t i = 0; i < ARRAY_SIZE(broken); i++)
		if (tcp_counters_parse(broken[i], &c))
			fail_msg("accepted: %s", broken[i]);
}

/* ---- quiet ---- */

#define S INT64_C(1000)
#define QUIET (600 * S)

/* Looks, one after the other, at the same evidence. */
struct look {
	const char *what;
	struct quiet_reading now;
	bool met;
	int64_t retry_s;
	const char *reason;
};

#define READING(at, n, conns) \
	{ \
		.container = "abc", .started_at = "t0", .boot_id = "b0", .uptime_ms = (at), .tcp = {(n), (conns) } \
	}

static const struct look looks[] = {
	{"first", READING(1000 * S, 5, 0), false, 600, "container haproxy: watched since now; quiet for 0s of 10m"},
	{"traffic", READING(1045 * S, 17, 2), false, 600,
	 "container haproxy accepted 12 connections in the last 45s; quiet for 0s of 10m; 2 open connections"},
	{"one more", READING(1050 * S, 18, 0), false, 600,
	 "container haproxy accepted 1 connection in the last 5s; quiet for 0s of 10m"},
	{"silence", READING(1242 * S, 18, 0), false, 408,
	 "container haproxy accepted no connection; quiet for 3m12s of 10m"},
	{"rounding", READING(1650 * S - 1, 18, 0), false, 1,
	 "container haproxy accepted no connection; quiet for 9m59s of 10m"},
	{"long enough, one left", READING(1700 * S, 18, 1), false, 30,
	 "container haproxy accepted no connection; quiet for 10m50s of 10m; 1 open connection"},
	{"over", READING(1730 * S, 18, 0), true, 0, NULL},
	{"traffic again", READING(1731 * S, 19, 0), false, 600,
	 "container haproxy accepted 1 connection in the last 1s; quiet for 0s of 10m"},
	{"quiet again", READING(2331 * S, 19, 0), true, 0, NULL},
	{"restarted with the same count",
	 {.container = "abc", .started_at = "t1", .boot_id = "b0", .uptime_ms = 9000 * S, .tcp = {19, 0}},
	 false,
	 600,
	 "container haproxy: watched since now; quiet for 0s of 10m"},
	{"replaced",
	 {.container = "def", .started_at = "t1", .boot_id = "b0", .uptime_ms = 9700 * S, .tcp = {19, 0}},
	 false,
	 600,
	 "container haproxy: watched since now; quiet for 0s of 10m"},
	{"rebooted: the uptime is of another boot",
	 {.container = "def", .started_at = "t1", .boot_id = "b1", .uptime_ms = 20000 * S, .tcp = {19, 0}},
	 false,
	 600,
	 "container haproxy: watched since now; quiet for 0s of 10m"},
	{"counters went back",
	 {.container = "def", .started_at = "t1", .boot_id = "b1", .uptime_ms = 30000 * S, .tcp = {18, 0}},
	 false,
	 600,
	 "container haproxy: watched since now; quiet for 0s of 10m"},
	{"uptime went back",
	 {.container = "def", .started_at = "t1", .boot_id = "b1", .uptime_ms = 100 * S, .tcp = {18, 0}},
	 false,
	 600,
	 "container haproxy: watched since now; quiet for 0s of 10m"},
};

static void test_quiet(void **state)
{
	(void)state;
	json_t *evidence = NULL;
	for (size_t i = 0; i < ARRAY_SIZE(looks); i++) {
		struct gate g;
		json_t *next = quiet_judge("container haproxy", evidence, &looks[i].now, QUIET, &g);
		if (g.met != looks[i].met || g.retry_after_s != looks[i].retry_s || !str_eq(g.reason, looks[i].reason))
			fail_msg("%s: %d %lld %s", looks[i].what, g.met, (long long)g.retry_after_s,
				 g.reason ? g.reason : "-");
		assert_true(g.met || g.waiting);
		free(g.reason);
		json_decref(evidence);
		evidence = next;
	}
	json_decref(evidence);
}

/* A wall clock that jumps by a day between two looks opens nothing. */
static void test_quiet_ignores_the_wall_clock(void **state)
{
	(void)state;
	struct quiet_reading now = READING(1000 * S, 5, 0);
	struct gate g;
	_cleanup_json_ json_t *first = quiet_judge("x", NULL, &now, QUIET, &g);
	free(g.reason);
	now.wall += 86400;
	now.uptime_ms += S;
	_cleanup_json_ json_t *second = quiet_judge("x", first, &now, QUIET, &g);
	assert_false(g.met);
	assert_string_equal(json_str(first, "since"), json_str(second, "since"));
	free(g.reason);
}

static void test_quiet_survives_bad_evidence(void **state)
{
	(void)state;
	static const char *const texts[] = {"null", "[]", "{}",
					    "{\"container\":\"abc\",\"started_at\":\"t0\",\"boot_id\":\"b0\"}",
					    "{\"container\":1,\"accepted\":\"5\"}"};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		struct quiet_reading now = READING(1000 * S, 5, 0);
		struct gate g;
		struct err err;
		_cleanup_json_ json_t *evidence = NULL;
		assert_int_equal(json_parse(texts[i], strlen(texts[i]), &evidence, &err), 0);
		_cleanup_json_ json_t *next = quiet_judge("x", evidence, &now, QUIET, &g);
		assert_false(g.met);
		assert_int_equal(g.retry_after_s, 600);
		assert_int_equal(json_int(next, "since_ms", 0), now.uptime_ms);
		free(g.reason);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rfc3339),
		cmocka_unit_test(test_duration),
		cmocka_unit_test(test_phases),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_quiet),
		cmocka_unit_test(test_quiet_ignores_the_wall_clock),
		cmocka_unit_test(test_quiet_survives_bad_evidence),
	};
	json_init();
	return cmocka_run_group_tests_name("kinds/absent", tests, NULL, NULL);
}
