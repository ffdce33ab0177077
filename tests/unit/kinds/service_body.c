/*
 * The way between the canonical body and the engine's Spec, in both directions,
 * over random services. A failing case prints its seed; SEED=n runs that one.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdio.h>
#include <string.h>

#include "kinds/service/service.h"
#include "kinds/util.h"

#define CASES 3000

static uint64_t rng;

static unsigned roll(unsigned n)
{
	rng = rng * 6364136223846793005ULL + 1442695040888963407ULL;
	return (unsigned)(rng >> 33) % n;
}

static const char *const words[] = {"a", "b", "node.x == y", "CAP_KILL", "d=e", "", "/f/g", "ü h"};

static const char *word(void)
{
	return words[roll(ARRAY_SIZE(words))];
}

static json_t *random_map(void)
{
	json_t *map = json_object();
	for (unsigned n = roll(4); n > 0; n--)
		json_set_str(map, word(), word());
	return map;
}

static json_t *random_list(void)
{
	json_t *list = json_array();
	for (unsigned n = roll(4); n > 0; n--)
		json_array_append_new(list, json_string(word()));
	return list;
}

static json_t *random_set(const struct row *row)
{
	_cleanup_str_ struct str buf = {0};
	json_t *set = json_object();
	for (unsigned n = roll(4); n > 0; n--)
		json_set_bool(set, row->canon ? row->canon(word(), &buf) : word(), true);
	return set;
}

static json_t *random_row(const struct row *row)
{
	switch (row->type) {
	case ROW_STRING:
		return json_string(words[roll(2)]);
	case ROW_INT:
		return json_integer(roll(2) ? roll(5) : row->def);
	case ROW_BOOL:
	case ROW_TRISTATE:
		return json_boolean(roll(2));
	case ROW_RATIO:
		return ratio_canonical(roll(100) / 100.0);
	case ROW_MAP:
		return random_map();
	case ROW_SET:
		return random_set(row);
	default:
		return random_list();
	}
}

/* Members of parts, by key and value as JSON. */
static const struct {
	const char *field, *key, *value;
} members[] = {
	{"configs", "/a", "{\"source\": \"c1\"}"},
	{"configs", "/a", "{\"source\": \"c2\", \"uid\": \"5\", \"mode\": \"0400\"}"},
	{"configs", "/b/c", "{\"source\": \"c1\", \"gid\": \"5\"}"},
	{"env", "A", "\"1\""},
	{"env", "A", "\"\""},
	{"env", "A", "null"},
	{"env", "B", "\"x=y\""},
	{"env", "C", "\"2\""},
	{"generic_resources", "gpu", "1"},
	{"generic_resources", "gpu", "2"},
	{"hosts", "a=1.2.3.4", "true"},
	{"hosts", "a=::1", "true"},
	{"hosts", "b=1.2.3.4", "true"},
	{"mounts", "/a", "{\"type\": \"bind\", \"source\": \"/x\"}"},
	{"mounts", "/a", "{\"type\": \"bind\", \"source\": \"/x\", \"read_only\": true, \"propagation\": \"rslave\"}"},
	{"mounts", "/a", "{\"type\": \"volume\", \"source\": \"v\", \"no_copy\": true}"},
	{"mounts", "/b",
	 "{\"type\": \"volume\", \"source\": \"v\", \"driver\": \"d\", \"driver_opts\": {\"o\": \"p\"}}"},
	{"mounts", "/b", "{\"type\": \"volume\"}"},
	{"mounts", "/c", "{\"type\": \"tmpfs\", \"size\": 1048576, \"mode\": \"0777\"}"},
	{"networks", "n1", "{}"},
	{"networks", "n1", "{\"aliases\": {\"x\": true, \"y\": true}}"},
	{"networks", "n2", "{\"driver_opts\": {\"o\": \"p\"}}"},
	{"ports", "80/tcp", "\"ingress\""},
	{"ports", "8080:80/tcp", "\"ingress\""},
	{"ports", "8080:80/tcp", "\"host\""},
	{"ports", "53:53/udp", "\"ingress\""},
	{"secrets", "/run/secrets/s", "{\"source\": \"s1\"}"},
	{"secrets", "/x", "{\"source\": \"s2\", \"mode\": \"0400\"}"},
	{"ulimits", "nofile", "{\"soft\": 1, \"hard\": 2}"},
	{"ulimits", "nofile", "{\"soft\": -1, \"hard\": -1}"},
	{"ulimits", "nproc", "{\"soft\": 5, \"hard\": 5}"},
};

static json_t *parse(const char *text)
{
	struct err err = {0};
	json_t *j;
	if (json_parse(text, strlen(text), &j, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static void random_mode(json_t *body, const char *mode)
{
	json_set_str(body, "mode", mode);
	if (strncmp(mode, "replicated", strlen("replicated")) == 0)
		json_set_int(body, "replicas", 1 + roll(3));
	if (strcmp(mode, "replicated-job") == 0 && roll(2))
		json_set_int(body, "max_concurrent", 7);
}

static json_t *random_body(const char *mode)
{
	json_t *body = json_object();

	for (size_t i = 0; i < service_n_rows; i++)
		if (roll(3) == 0)
			row_set(body, &service_rows[i], random_row(&service_rows[i]));
	for (size_t i = 0; i < ARRAY_SIZE(members); i++)
		if (roll(3) == 0)
			json_set(object_at(body, members[i].field), members[i].key, parse(members[i].value));
	if (roll(3) == 0)
		json_set(body, "preferences", random_list());
	json_set_str(body, "image", roll(2) ? "nginx:1" : "reg.example:5000/x/y:2");
	if (roll(2))
		json_set_str(body, "image_digest",
			     "sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae");
	random_mode(body, mode);
	body_finish(body);
	return body;
}

/* The ids that lists of the engine would tell. */
#define NETWORKS "{\"id1\": \"n1\", \"id2\": \"n2\"}"
#define IDS "{\"config/c1\": \"i1\", \"config/c2\": \"i2\", \"secret/s1\": \"i3\", \"secret/s2\": \"i4\"}"

static json_t *write_body(json_t *spec, const json_t *body, const json_t *only)
{
	_cleanup_json_ json_t *ids = parse(IDS), *networks = parse(NETWORKS);
	struct overlay o = {.name = "svc", .cluster = "test", .body = body, .ids = ids, .networks = networks};
	const char *field;
	json_t *value;

	json_object_foreach ((json_t *)only, field, value)
		overlay_field(spec, &o, field);
	return spec;
}

static json_t *create_spec(const json_t *body)
{
	json_t *spec = json_object();
	json_set_str(spec, "Name", "svc");
	return write_body(spec, body, body);
}

static json_t *read_spec(const json_t *spec)
{
	_cleanup_json_ json_t *networks = parse(NETWORKS);
	return body_read(spec, networks);
}

static void expect_same(const json_t *a, const json_t *b, uint64_t seed)
{
	_cleanup_str_ struct str x = {0}, y = {0};

	if (json_same(a, b))
		return;
	json_canonical(a, &x);
	json_canonical(b, &y);
	fail_msg("SEED=%llu\n%s\n%s", (unsigned long long)seed, str_cstr(&x), str_cstr(&y));
}

static const char *const modes[] = {"replicated", "global", "replicated-job", "global-job"};

static void each_seed(void (*check)(uint64_t seed))
{
	const char *one = getenv("SEED");
	for (uint64_t seed = one ? strtoull(one, NULL, 10) : 1; seed <= CASES; seed++) {
		rng = seed * 7919;
		check(seed);
		if (one)
			return;
	}
}

static void check_round_trip(uint64_t seed)
{
	_cleanup_json_ json_t *body = random_body(modes[roll(4)]);
	_cleanup_json_ json_t *spec = create_spec(body);
	_cleanup_json_ json_t *again = read_spec(spec);

	expect_same(body, again, seed);
}

static void what_is_written_is_read_back(void **state)
{
	(void)state;
	each_seed(check_round_trip);
}

/* Names of fields that differ, as an object. */
static json_t *difference(const json_t *a, const json_t *b)
{
	_cleanup_json_ json_t *all = json_copy((json_t *)a);
	json_t *out = json_object(), *value;
	const char *field;

	json_object_update_missing(all, (json_t *)b);
	json_object_foreach (all, field, value)
		if (!json_same(json_object_get(a, field), json_object_get(b, field)))
			json_set_bool(out, field, true);
	return out;
}

/* Puts in what this version does not know, or what swarmkit writes for nothing. */
static void disguise(json_t *spec)
{
	path_set(spec, "TaskTemplate.ForceUpdate", json_integer(3));
	path_set(spec, "TaskTemplate.ContainerSpec.Privileges.NoNewPrivileges", json_true());
	path_set(spec, "TaskTemplate.Resources.SwapBytes", json_integer(5));
	path_set(spec, "Future.Setting", json_string("kept"));
	if (roll(2) && !json_path(spec, "TaskTemplate.Placement"))
		path_set(spec, "TaskTemplate.Placement", json_object());
	if (roll(2) && !json_path(spec, "TaskTemplate.ContainerSpec.DNSConfig"))
		path_set(spec, "TaskTemplate.ContainerSpec.DNSConfig", json_object());
	if (roll(2) && !json_path(spec, "EndpointSpec"))
		path_set(spec, "EndpointSpec.Mode", json_string("vip"));
}

static void expect_untouched(const json_t *before, const json_t *after, const json_t *changed, uint64_t seed)
{
	for (size_t i = 0; i < service_n_rows; i++)
		if (!json_object_get(changed, service_rows[i].field))
			expect_same(json_path(before, service_rows[i].engine), json_path(after, service_rows[i].engine),
				    seed);
	for (size_t i = 0; i < service_n_parts; i++)
		if (!json_object_get(changed, service_parts[i].field))
			expect_same(json_path(before, service_parts[i].engine),
				    json_path(after, service_parts[i].engine), seed);
	static const char *const unknown[] = {"TaskTemplate.ForceUpdate",
					      "TaskTemplate.ContainerSpec.Privileges.NoNewPrivileges",
					      "TaskTemplate.Resources.SwapBytes", "Future", "Name"};
	for (size_t i = 0; i < ARRAY_SIZE(unknown); i++)
		expect_same(json_path(before, unknown[i]), json_path(after, unknown[i]), seed);
}

static void check_update(uint64_t seed)
{
	const char *mode = modes[roll(4)];
	_cleanup_json_ json_t *from = random_body(mode), *to = random_body(mode);
	_cleanup_json_ json_t *spec = create_spec(from);

	disguise(spec);
	_cleanup_json_ json_t *disguised = read_spec(spec);
	expect_same(from, disguised, seed);

	_cleanup_json_ json_t *before = json_deep_copy(spec), *changed = difference(from, to);
	if (json_object_get(to, "image") && !json_object_get(to, "image_digest"))
		json_object_del(changed, "image_digest"); /* as the plan has it: FIELD_IF_SET */
	write_body(spec, to, changed);
	_cleanup_json_ json_t *after = read_spec(spec);
	if (!json_object_get(changed, "image_digest") && !json_object_get(changed, "image"))
		json_object_set(to, "image_digest", json_object_get(from, "image_digest"));
	expect_same(to, after, seed);
	expect_untouched(before, spec, changed, seed);
}

static void an_update_changes_only_what_differs(void **state)
{
	(void)state;
	each_seed(check_update);
}

/* Elements of lists that stay keep their order and their bytes; new ones come last. */
static void lists_keep_their_order(void **state)
{
	_cleanup_json_ json_t *spec =
		parse("{\"Name\": \"svc\", \"TaskTemplate\": {\"ContainerSpec\": {\"Image\": \"x\","
		      "\"Env\": [\"C=3\", \"A=1\", \"B=2\"],"
		      "\"CapabilityAdd\": [\"net_admin\", \"CAP_KILL\"],"
		      "\"Mounts\": [{\"Type\": \"bind\", \"Source\": \"/x\", \"Target\": \"/z\", \"New\": 1}, "
		      "{\"Type\": \"volume\", "
		      "\"Target\": \"/a\"}]}, \"Placement\": {\"Constraints\": [\"node.role==manager\", \"node.id != "
		      "x\"]}}}");
	_cleanup_json_ json_t *body = read_spec(spec);
	(void)state;

	json_object_del(json_object_get(body, "env"), "A");
	json_set_str(json_object_get(body, "env"), "0", "new");
	json_set_str(json_object_get(body, "env"), "B", "changed");
	json_set_bool(json_object_get(body, "cap_add"), "CAP_CHOWN", true);
	json_object_del(json_object_get(body, "constraints"), "node.id != x");
	json_set_bool(json_path(body, "mounts./z"), "read_only", true);
	_cleanup_json_ json_t *fields = parse("{\"env\": 1, \"cap_add\": 1, \"constraints\": 1, \"mounts\": 1}");
	write_body(spec, body, fields);

	_cleanup_json_ json_t *expected =
		parse("{\"Name\": \"svc\", \"TaskTemplate\": {\"ContainerSpec\": {\"Image\": \"x\","
		      "\"Env\": [\"C=3\", \"B=changed\", \"0=new\"],"
		      "\"CapabilityAdd\": [\"net_admin\", \"CAP_KILL\", \"CAP_CHOWN\"],"
		      "\"Mounts\": [{\"Type\": \"bind\", \"Source\": \"/x\", \"Target\": \"/z\", \"New\": 1, "
		      "\"ReadOnly\": true}, "
		      "{\"Type\": \"volume\", \"Target\": \"/a\"}]}, \"Placement\": {\"Constraints\": "
		      "[\"node.role==manager\"]}}}");
	expect_same(expected, spec, 0);
}

/* Unset, and set to the default, are the same; a default that is not Go's zero value is not confused with it. */
static void defaults_are_left_out(void **state)
{
	static const struct {
		const char *task, *body;
	} rows[] = {
		{"{}", "{}"},
		{"{\"RestartPolicy\": {\"Condition\": \"any\", \"Delay\": 5000000000, \"MaxAttempts\": 0}}", "{}"},
		{"{\"RestartPolicy\": {\"Condition\": \"any\", \"Delay\": 0, \"MaxAttempts\": 0}}",
		 "{\"restart_policy\": {\"delay\": 0}}"},
		{"{\"Resources\": {\"Limits\": {}, \"Reservations\": {}}, \"Placement\": {}}", "{}"},
		{"{\"ContainerSpec\": {\"StopGracePeriod\": 10000000000, \"Isolation\": \"default\", \"DNSConfig\": "
		 "{}}}",
		 "{}"},
		{"{\"ContainerSpec\": {\"StopGracePeriod\": 0}}", "{\"stop_grace_period\": 0}"},
		{"{\"ContainerSpec\": {\"Healthcheck\": {}}}", "{}"},
		{"{\"ContainerSpec\": {\"CapabilityAdd\": [\"ALL\", \"CAP_KILL\"], \"CapabilityDrop\": [\"all\", "
		 "\"chown\"]}}",
		 "{\"cap_add\": {\"ALL\": true}}"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ json_t *spec = json_object(), *want = parse(rows[i].body);
		json_set(spec, "TaskTemplate", parse(rows[i].task));
		_cleanup_json_ json_t *body = read_spec(spec);
		json_object_del(body, "mode");
		json_object_del(body, "replicas");
		expect_same(want, body, i);
	}
}

static void update_config_of_the_engine(void **state)
{
	static const struct {
		const char *config, *body;
	} rows[] = {
		{"null", "null"},
		{"{\"Parallelism\": 1, \"FailureAction\": \"pause\", \"Monitor\": 5000000000, \"MaxFailureRatio\": 0, "
		 "\"Order\": \"stop-first\"}",
		 "null"},
		{"{\"Parallelism\": 0, \"FailureAction\": \"pause\", \"MaxFailureRatio\": 0, \"Order\": "
		 "\"start-first\"}",
		 "{\"parallelism\": 0, \"order\": \"start-first\"}"},
		{"{\"FailureAction\": \"pause\"}", "{\"parallelism\": 0}"},
		{"{\"Parallelism\": 1, \"MaxFailureRatio\": 0.1}", "{\"max_failure_ratio\": \"0.1\"}"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ json_t *spec = json_object(), *want = parse(rows[i].body);
		json_set(spec, "UpdateConfig", parse(rows[i].config));
		_cleanup_json_ json_t *body = read_spec(spec);
		const json_t *got = json_object_get(body, "update_config");
		expect_same(want, got ? got : json_null(), i);
	}
}

/* A partial block would mean "all at once" to Swarm (FACTS C). */
static void blocks_are_written_whole(void **state)
{
	_cleanup_json_ json_t *body = parse("{\"update_config\": {\"order\": \"start-first\"}, \"image\": \"x:1\"}");
	_cleanup_json_ json_t *spec = create_spec(body);
	_cleanup_json_ json_t *want = parse("{\"Order\": \"start-first\", \"Parallelism\": 1, \"FailureAction\": "
					    "\"pause\", \"Monitor\": 5000000000}");
	(void)state;
	expect_same(want, json_object_get(spec, "UpdateConfig"), 0);
	assert_null(json_object_get(spec, "RollbackConfig"));
	assert_null(json_path(spec, "TaskTemplate.RestartPolicy"));
}

static void old_networks_move(void **state)
{
	_cleanup_json_ json_t *spec = parse("{\"Name\": \"svc\", \"Networks\": [{\"Target\": \"id1\"}]}");
	_cleanup_json_ json_t *body = read_spec(spec);
	_cleanup_json_ json_t *want = parse("[{\"Target\": \"id1\"}, {\"Target\": \"n2\", \"Aliases\": []}]");
	(void)state;

	assert_non_null(json_path(body, "networks.n1"));
	json_set(json_object_get(body, "networks"), "n2", json_object());
	_cleanup_json_ json_t *fields = parse("{\"networks\": 1}");
	write_body(spec, body, fields);
	expect_same(want, json_path(spec, "TaskTemplate.Networks"), 0);
	assert_null(json_object_get(spec, "Networks"));
}

static void silence_of_the_spec(void **state)
{
	static const struct {
		const char *live, *wanted, *settled;
	} rows[] = {
		{"{\"init\": false}", "{}", "{}"},
		{"{\"init\": false}", "{\"init\": false}", "{\"init\": false}"},
		{"{}", "{\"init\": false}", "{\"init\": false}"},
		{"{}", "{\"init\": true}", "{}"},
		{"{\"init\": true}", "{}", "{\"init\": true}"},
		{"{\"container_labels\": {\"com.docker.stack.namespace\": \"s\"}}", "{}", "{}"},
		{"{\"container_labels\": {\"com.docker.stack.namespace\": \"s\", \"a\": \"b\"}}", "{}",
		 "{\"container_labels\": {\"a\": \"b\"}}"},
		{"{\"container_labels\": {\"com.docker.stack.namespace\": \"s\"}}",
		 "{\"container_labels\": {\"com.docker.stack.namespace\": \"t\"}}",
		 "{\"container_labels\": {\"com.docker.stack.namespace\": \"s\"}}"},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ json_t *live = parse(rows[i].live), *wanted = parse(rows[i].wanted),
				      *settled = parse(rows[i].settled);
		body_settle(live, wanted);
		expect_same(settled, live, i);
	}
}

static void spellings(void **state)
{
	_cleanup_str_ struct str buf = {0};
	(void)state;

	assert_string_equal(capability_canonical(" net_admin ", &buf), "CAP_NET_ADMIN");
	assert_string_equal(capability_canonical("cap_kill", &buf), "CAP_KILL");
	assert_string_equal(capability_canonical("all", &buf), "ALL");
	assert_string_equal(constraint_canonical("node.labels.a==b", &buf), "node.labels.a == b");
	assert_string_equal(constraint_canonical(" node.role  !=   manager ", &buf), "node.role != manager");
	assert_string_equal(file_target("", "a", &buf), "/a");
	assert_string_equal(file_target("/run/secrets", "a", &buf), "/run/secrets/a");
	assert_string_equal(file_target("/run/secrets", "/a", &buf), "/a");
	_cleanup_json_ json_t *ratio = ratio_canonical(0.12345679104328156), *tenth = ratio_canonical(0.1f);
	assert_string_equal(json_string_value(ratio), "0.123457");
	assert_string_equal(json_string_value(tenth), "0.1");
}

static void command_lines(void **state)
{
	static const struct {
		const char *text, *words;
	} rows[] = {
		{"", "[]"},
		{"  a  b ", "[\"a\", \"b\"]"},
		{"sh -c 'echo \"x y\"; exit 1'", "[\"sh\", \"-c\", \"echo \\\"x y\\\"; exit 1\"]"},
		{"a\"b c\"d", "[\"ab cd\"]"},
		{"\"\" ''", "[\"\", \"\"]"},
		{"a\\ b \"c\\\"d\" 'e\\f'", "[\"a b\", \"c\\\"d\", \"e\\\\f\"]"},
		{"a # comment\nb c#d", "[\"a\", \"b\", \"c#d\"]"},
		{"'open", NULL},
		{"a \"open", NULL},
	};
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		_cleanup_json_ json_t *got = words_split(rows[i].text);
		if (!rows[i].words) {
			assert_null(got);
			continue;
		}
		_cleanup_json_ json_t *want = parse(rows[i].words);
		expect_same(want, got, i);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(an_update_changes_only_what_differs),
		cmocka_unit_test(lists_keep_their_order),
		cmocka_unit_test(defaults_are_left_out),
		cmocka_unit_test(update_config_of_the_engine),
		cmocka_unit_test(blocks_are_written_whole),
		cmocka_unit_test(old_networks_move),
		cmocka_unit_test(silence_of_the_spec),
		cmocka_unit_test(spellings),
		cmocka_unit_test(command_lines),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
