#include "spec/format.h"

#include "load.h"

struct sample {
	const char *text;
	enum format_result result;
	int64_t number;
};

static void run_samples(const char *name, const struct sample *samples, size_t n)
{
	const struct format *f = format_find(name);

	assert_non_null(f);
	for (size_t i = 0; i < n; i++) {
		int64_t number = 0;
		enum format_result result = f->parse(samples[i].text, &number);
		if (result != samples[i].result || (result == FORMAT_NUMBER && number != samples[i].number))
			fail_msg("%s '%s': result %d, number %lld", name, samples[i].text, (int)result,
				 (long long)number);
	}
}
#define RUN_SAMPLES(name, samples) run_samples(name, samples, ARRAY_SIZE(samples))

#define SECOND 1000000000LL

static void durations(void **state)
{
	static const struct sample samples[] = {
		{"0", FORMAT_NUMBER, 0},
		{"0s", FORMAT_NUMBER, 0},
		{"30s", FORMAT_NUMBER, 30 * SECOND},
		{"1m30s", FORMAT_NUMBER, 90 * SECOND},
		{"1h2m3.5s", FORMAT_NUMBER, 3723 * SECOND + SECOND / 2},
		{"1.5h", FORMAT_NUMBER, 5400 * SECOND},
		{".5s", FORMAT_NUMBER, SECOND / 2},
		{"1.s", FORMAT_NUMBER, SECOND},
		{"100ms", FORMAT_NUMBER, SECOND / 10},
		{"5us", FORMAT_NUMBER, 5000},
		{"5µs", FORMAT_NUMBER, 5000},
		{"5μs", FORMAT_NUMBER, 5000},
		{"7ns", FORMAT_NUMBER, 7},
		{"0.1s", FORMAT_NUMBER, SECOND / 10},
		{"0.3333333333333333333h", FORMAT_NUMBER, 1200 * SECOND},
		{"2562047h47m16.854775807s", FORMAT_NUMBER, INT64_MAX},
		{"2562047h47m16.854775808s", FORMAT_RANGE, 0},
		{"9223372036854775808ns", FORMAT_RANGE, 0},
		{"99999999999999999999999h", FORMAT_RANGE, 0},
		{"", FORMAT_BAD, 0},
		{"30", FORMAT_BAD, 0},
		{"-5s", FORMAT_BAD, 0},
		{"5 s", FORMAT_BAD, 0},
		{"s", FORMAT_BAD, 0},
		{".s", FORMAT_BAD, 0},
		{"1d", FORMAT_BAD, 0},
		{"1S", FORMAT_BAD, 0},
		{"1..5s", FORMAT_BAD, 0},
		{"1m30", FORMAT_BAD, 0},
	};
	(void)state;
	RUN_SAMPLES("duration", samples);
}

static void sizes(void **state)
{
	static const struct sample samples[] = {
		{"0", FORMAT_NUMBER, 0},
		{"1024", FORMAT_NUMBER, 1024},
		{"10b", FORMAT_NUMBER, 10},
		{"2k", FORMAT_NUMBER, 2048},
		{"2kb", FORMAT_NUMBER, 2048},
		{"2Ki", FORMAT_NUMBER, 2048},
		{"2KiB", FORMAT_NUMBER, 2048},
		{"512m", FORMAT_NUMBER, 512LL << 20},
		{"512MB", FORMAT_NUMBER, 512LL << 20},
		{"16G", FORMAT_NUMBER, 16LL << 30},
		{"1.5g", FORMAT_NUMBER, 3LL << 29},
		{"8 gb", FORMAT_NUMBER, 8LL << 30},
		{"2t", FORMAT_NUMBER, 2LL << 40},
		{"1p", FORMAT_NUMBER, 1LL << 50},
		{"9223372036854775807", FORMAT_NUMBER, INT64_MAX},
		{"9223372036854775808", FORMAT_RANGE, 0},
		{"8388608t", FORMAT_RANGE, 0},
		{"99999999999999999999999p", FORMAT_RANGE, 0},
		{"", FORMAT_BAD, 0},
		{"g", FORMAT_BAD, 0},
		{"-1g", FORMAT_BAD, 0},
		{"1x", FORMAT_BAD, 0},
		{"1gg", FORMAT_BAD, 0},
		{"1bb", FORMAT_BAD, 0},
		{"1  g", FORMAT_BAD, 0},
		{"1e3", FORMAT_BAD, 0},
		{"0x10", FORMAT_BAD, 0},
	};
	(void)state;
	RUN_SAMPLES("size", samples);
}

static void cpus(void **state)
{
	static const struct sample samples[] = {
		{"0", FORMAT_NUMBER, 0},
		{"2", FORMAT_NUMBER, 2 * SECOND},
		{"0.5", FORMAT_NUMBER, SECOND / 2},
		{".25", FORMAT_NUMBER, SECOND / 4},
		{"1.000000001", FORMAT_NUMBER, SECOND + 1},
		{"0.1", FORMAT_NUMBER, SECOND / 10},
		{"9223372036.854775807", FORMAT_NUMBER, INT64_MAX},
		{"9223372036.854775808", FORMAT_RANGE, 0},
		{"9223372037", FORMAT_RANGE, 0},
		{"1.0000000001", FORMAT_BAD, 0},
		{"", FORMAT_BAD, 0},
		{".", FORMAT_BAD, 0},
		{"-1", FORMAT_BAD, 0},
		{"1e3", FORMAT_BAD, 0},
		{"1.5.5", FORMAT_BAD, 0},
		{"500m", FORMAT_BAD, 0},
	};
	(void)state;
	RUN_SAMPLES("cpus", samples);
}

static void numbers_and_addresses(void **state)
{
	static const struct sample ports[] = {
		{"1", FORMAT_NUMBER, 1},  {"65535", FORMAT_NUMBER, 65535}, {"0", FORMAT_BAD, 0},
		{"65536", FORMAT_BAD, 0}, {"080", FORMAT_BAD, 0},          {"-1", FORMAT_BAD, 0},
		{"", FORMAT_BAD, 0},      {"80/tcp", FORMAT_BAD, 0},       {"4294967297", FORMAT_BAD, 0},
	};
	static const struct sample cidrs[] = {
		{"10.64.0.0/14", FORMAT_OK, 0},  {"0.0.0.0/0", FORMAT_OK, 0},  {"10.0.0.1/32", FORMAT_OK, 0},
		{"10.0.0.1/24", FORMAT_BAD, 0},  {"10.0.0.0", FORMAT_BAD, 0},  {"10.0.0.0/33", FORMAT_BAD, 0},
		{"10.0.0/8", FORMAT_BAD, 0},     {"fd00::/64", FORMAT_BAD, 0}, {"10.0.0.0/", FORMAT_BAD, 0},
		{"10.0.0.0/024", FORMAT_BAD, 0}, {"", FORMAT_BAD, 0},          {"10.0.0.256/32", FORMAT_BAD, 0},
	};
	static const struct sample addresses[] = {
		{"10.0.0.84", FORMAT_OK, 0},    {"fd00::1", FORMAT_OK, 0},    {"::", FORMAT_OK, 0},
		{"10.0.0", FORMAT_BAD, 0},      {"010.0.0.1", FORMAT_BAD, 0}, {"host", FORMAT_BAD, 0},
		{"10.0.0.1/24", FORMAT_BAD, 0}, {"", FORMAT_BAD, 0},
	};
	(void)state;
	RUN_SAMPLES("port", ports);
	RUN_SAMPLES("ipv4-cidr", cidrs);
	RUN_SAMPLES("ip-address", addresses);
}

static void names_and_paths(void **state)
{
	static const struct sample uris[] = {
		{"http://127.0.0.1:8080", FORMAT_OK, 0},
		{"https://a.lan/x?y=%20", FORMAT_OK, 0},
		{"http://[::1]:80/", FORMAT_OK, 0},
		{"ftp://x", FORMAT_BAD, 0},
		{"http://", FORMAT_BAD, 0},
		{"http:///x", FORMAT_BAD, 0},
		{"http://a b", FORMAT_BAD, 0},
		{"a.lan", FORMAT_BAD, 0},
	};
	static const struct sample paths[] = {
		{"/", FORMAT_OK, 0},        {"/opt/a b/..c", FORMAT_OK, 0}, {"opt", FORMAT_BAD, 0},
		{"/a/../b", FORMAT_BAD, 0}, {"/a/..", FORMAT_BAD, 0},       {"", FORMAT_BAD, 0},
		{"~/x", FORMAT_BAD, 0},
	};
	static const struct sample modes[] = {
		{"0755", FORMAT_OK, 0},   {"755", FORMAT_OK, 0},   {"1777", FORMAT_OK, 0},
		{"0o755", FORMAT_BAD, 0}, {"493", FORMAT_BAD, 0},  {"00755", FORMAT_BAD, 0},
		{"75", FORMAT_BAD, 0},    {"u=rw", FORMAT_BAD, 0}, {"", FORMAT_BAD, 0},
	};
	static const struct sample names[] = {
		{"ollama-network", FORMAT_OK, 0},
		{"a", FORMAT_OK, 0},
		{"9.x_y-z", FORMAT_OK, 0},
		{"-a", FORMAT_BAD, 0},
		{"a b", FORMAT_BAD, 0},
		{"é", FORMAT_BAD, 0},
		{"", FORMAT_BAD, 0},
		{"a/b", FORMAT_BAD, 0},
	};
	static const struct sample variables[] = {
		{"PATH", FORMAT_OK, 0}, {"_a1", FORMAT_OK, 0},  {"1a", FORMAT_BAD, 0},
		{"A-B", FORMAT_BAD, 0}, {"A=B", FORMAT_BAD, 0}, {"", FORMAT_BAD, 0},
	};
	(void)state;
	RUN_SAMPLES("uri-http", uris);
	RUN_SAMPLES("absolute-path", paths);
	RUN_SAMPLES("mode", modes);
	RUN_SAMPLES("name", names);
	RUN_SAMPLES("env-name", variables);
}

#define HEX16 "0123456789abcdef"
#define HEX64 HEX16 HEX16 HEX16 HEX16

/* The cases of distribution/reference (reference_test.go), and the traps around them. */
static void images(void **state)
{
	static const struct sample samples[] = {
		{"nginx", FORMAT_OK, 0},
		{"nginx:1.27.2", FORMAT_OK, 0},
		{"ollama/ollama:0.17.0", FORMAT_OK, 0},
		{"test.com:tag", FORMAT_OK, 0},
		{"test:5000", FORMAT_OK, 0},
		{"test.com/repo:tag", FORMAT_OK, 0},
		{"test:5000/repo", FORMAT_OK, 0},
		{"test:5000/repo:tag@sha256:" HEX64, FORMAT_OK, 0},
		{"localhost/a__b/c--d.e_f", FORMAT_OK, 0},
		{"[2001:db8::1]:5000/repo", FORMAT_OK, 0},
		{"[2001:db8::1]/repo:tag", FORMAT_OK, 0},
		{"Registry.Lan/repo", FORMAT_OK, 0},
		{"a@sha512:" HEX64 HEX64, FORMAT_OK, 0},
		{"" HEX64 ":t", FORMAT_BAD, 0},
		{HEX64, FORMAT_BAD, 0},
		{"", FORMAT_BAD, 0},
		{":justtag", FORMAT_BAD, 0},
		{"@sha256:" HEX64, FORMAT_BAD, 0},
		{"repo@sha256:ffff", FORMAT_BAD, 0},
		{"repo@md5:" HEX16 HEX16, FORMAT_BAD, 0},
		{"Uppercase:tag", FORMAT_BAD, 0},
		{"test:5000/Uppercase/lowercase:tag", FORMAT_BAD, 0},
		{"a/../b", FORMAT_BAD, 0},
		{"a//b", FORMAT_BAD, 0},
		{"a/", FORMAT_BAD, 0},
		{"/a", FORMAT_BAD, 0},
		{"-a", FORMAT_BAD, 0},
		{"a-", FORMAT_BAD, 0},
		{"a___b", FORMAT_BAD, 0},
		{"a..b", FORMAT_BAD, 0},
		{"a:", FORMAT_BAD, 0},
		{"a:-t", FORMAT_BAD, 0},
		{"a:t t", FORMAT_BAD, 0},
		{"a b", FORMAT_BAD, 0},
		{"-x.com/a", FORMAT_BAD, 0},
		{"x.com:/a", FORMAT_BAD, 0},
		{"x.com:port/a", FORMAT_BAD, 0},
		{"x..com/a", FORMAT_BAD, 0},
		{"[fe80::1%eth0]:5000/repo", FORMAT_BAD, 0},
		{"[]/a", FORMAT_BAD, 0},
		{"a:" HEX64 HEX64, FORMAT_OK, 0},
		{"a:" HEX64 HEX64 "x", FORMAT_BAD, 0},
		{"x/" HEX64 HEX64 HEX64 HEX16 HEX16 HEX16 "0123456789abc", FORMAT_OK, 0},
		{"x/" HEX64 HEX64 HEX64 HEX16 HEX16 HEX16 "0123456789abcd", FORMAT_BAD, 0},
	};
	(void)state;
	RUN_SAMPLES("image", samples);
}

static void formats_type_the_tree(void **state)
{
	static const char schema[] =
		"{'properties': {'d': {'type': 'string', 'format': 'duration'}, 's': {'type': ['string', 'integer'],"
		"'format': 'size'}, 'c': {'type': ['string', 'number'], 'format': 'cpus'}, 'p': {'type': 'integer',"
		"'format': 'port'}, 'm': {'type': 'string', 'format': 'mode'}}}";
	static const struct row rows[] = {
		{"d: 1m30s", "{\"d\":90000000000}", ""},
		{"d: 0", "{\"d\":0}", ""},
		{"s: 16G", "{\"s\":17179869184}", ""},
		{"s: 16", "{\"s\":16}", ""},
		{"c: 0.5", "{\"c\":500000000}", ""},
		{"c: '2'", "{\"c\":2000000000}", ""},
		{"p: 80", "{\"p\":80}", ""},
		{"m: 0755", "{\"m\":\"0755\"}", ""},
		{"d: 30", NULL, "1:4 expected a duration such as 30s or 1m30s (units h, m, s, ms, us, ns), found '30'"},
		{"d: 9999999999h", NULL,
		 "1:4 expected a duration such as 30s or 1m30s (units h, m, s, ms, us, ns), found '9999999999h', which "
		 "is too large"},
		{"d: [5s]", NULL,
		 "1:4 expected a duration such as 30s or 1m30s (units h, m, s, ms, us, ns), found a list"},
		{"d:", NULL, "1:3 expected a duration such as 30s or 1m30s (units h, m, s, ms, us, ns), found nothing"},
		{"p: x", NULL, "1:4 expected a port from 1 to 65535, found 'x'"},
		{"p: 65536", NULL, "1:4 expected a port from 1 to 65535, found '65536'"},
	};
	struct loaded l = load_with(schema, "d: 1m30s");

	(void)state;
	RUN_ROWS(schema, rows);
	assert_int_equal(snode_int(l.root, "d", 0), 90 * SECOND);
	assert_string_equal(snode_str(l.root, "d"), "1m30s");
	unload(&l);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(durations),
		cmocka_unit_test(sizes),
		cmocka_unit_test(cpus),
		cmocka_unit_test(numbers_and_addresses),
		cmocka_unit_test(names_and_paths),
		cmocka_unit_test(images),
		cmocka_unit_test(formats_type_the_tree),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
