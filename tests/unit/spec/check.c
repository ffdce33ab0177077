/*
 * The checks on trees that no schema would let pass: they run all the same, so
 * that every finding of a spec comes at once. What they say about specs that
 * are merely wrong is in tests/cases/spec.
 */
#include <stdint.h>
#include <stdlib.h>

#include "load.h"
#include "spec/check.h"
#include "spec/check_util.h"

static int read_anything(struct files *f, const char *path, size_t max, struct str *out, struct err *err)
{
	(void)f, (void)err;
	str_addf(out, "A=1\nPATH='%s'\n", path);
	return out->len > max;
}

static struct files anything = {read_anything};

/* All findings of a text, after the schema and the checks. */
static struct loaded check_text(const char *text, size_t len)
{
	const struct schema *schema;
	struct err err;
	struct loaded l = load_bytes(text, len, NULL);

	if (schema_cluster(&schema, &err) < 0)
		fail_msg("%s", err.msg);
	if (l.root) {
		schema_check(schema, l.root, l.arena, &l.diags);
		spec_checks(l.root, &anything, &l.diags);
	}
	return l;
}

static char *read_case(const char *path)
{
	struct str out = {0};
	char buf[4096];
	FILE *f = fopen(path, "re");

	if (!f)
		fail_msg("cannot open %s", path);
	for (size_t n; (n = fread(buf, 1, sizeof(buf), f)) > 0;)
		str_add(&out, buf, n);
	fclose(f);
	return str_steal(&out);
}

/* xorshift: the same everywhere, so that a failure can be seen again. */
static uint32_t random_below(uint32_t *state, uint32_t n)
{
	*state ^= *state << 13;
	*state ^= *state >> 17;
	*state ^= *state << 5;
	return *state % n;
}

/* One value of one line becomes something else, or the line goes. */
static char *mutated(const char *text, uint32_t *seed)
{
	static const char *const values[] = {
		"",     " []",  " {}",      " ~",    " 0",     " -1",       " [[]]",           " {a: {b: c}}",
		" [~]", " /:/", " a/b/c:d", " \"\"", " x==y@", " [a, [b]]", " \"${NOT_SET}\"", " 99999999999999999999",
	};
	struct str out = {0};
	uint32_t lines = 1;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	uint32_t victim = random_below(seed, lines), how = random_below(seed, ARRAY_SIZE(values) + 1);
	for (const char *p = text; *p; victim--) {
		size_t len = strcspn(p, "\n") + 1, colon = strcspn(p, ":\n");
		if (!p[len - 1])
			len--;
		if (victim != 0)
			str_add(&out, p, len);
		else if (how < ARRAY_SIZE(values) && p[colon] == ':')
			str_addf(&out, "%.*s%s\n", (int)colon + 1, p, values[how]);
		p += len;
	}
	return str_steal(&out);
}

static void test_mutations(void **state)
{
	static const char *const cases[] = {
		"tests/cases/spec/good/long-forms.yaml",
		"tests/cases/spec/good/short-forms.yaml",
		"tests/cases/spec/good/warnings.yaml",
		"tests/cases/spec/bad/61-ollama.yaml",
	};
	uint32_t seed = 2463534242;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *text = read_case(cases[i]);
		for (int n = 0; n < 250; n++) {
			_cleanup_free_ char *once = mutated(text, &seed), *twice = mutated(once, &seed);
			struct loaded first = check_text(twice, strlen(twice)),
				      again = check_text(twice, strlen(twice));
			_cleanup_free_ char *a = findings(&first), *b = findings(&again);
			assert_string_equal(a, b);
			unload(&first);
			unload(&again);
		}
	}
}

/* A thousand services are a large cluster; a quadratic check would take minutes on this. */
static void test_many(void **state)
{
	_cleanup_str_ struct str text = {0};

	(void)state;
	str_adds(&text, "version: 1\ncluster: many\nservices:\n");
	for (int i = 0; i < 5000; i++)
		str_addf(&text,
			 "  s%d: { image: \"a:1\", networks: [n%d], ports: [\"%d:80\"], after: [service/s%d] }\n", i, i,
			 1 + i % 4000, (i + 1) % 5000);
	struct loaded l = check_text(str_cstr(&text), text.len);
	/* Every network is unknown, the last thousand ports are taken, and the order is one circle. */
	assert_int_equal(l.diags.n_errors, 5000 + 1000 + 1);
	unload(&l);
}

static void test_ports(void **state)
{
	static const struct {
		const char *text;
		long published, target, count;
		const char *wrong; /* its first word */
	} rows[] = {
		{"80", 0, 80, 1, NULL},
		{"8080:80", 8080, 80, 1, NULL},
		{"1-3:11-13", 1, 11, 3, NULL},
		{"53:53/udp", 53, 53, 1, NULL},
		{"7-9", 0, 7, 3, NULL},
		{"0:80", 0, 0, 0, "is"},
		{"80:65536", 0, 0, 0, "is"},
		{"3-1", 0, 0, 0, "is"},
		{"1-2:1-3", 0, 0, 0, "has"},
		{"127.0.0.1:80:80", 0, 0, 0, "names"},
		{"[::1]:80:80", 0, 0, 0, "names"},
		{"", 0, 0, 0, ""},
		{"a:80", 0, 0, 0, ""},
		{"80:", 0, 0, 0, ""},
		{"80/icmp", 0, 0, 0, ""},
		{"80-", 0, 0, 0, ""},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct port_view p = {0};
		const char *wrong = port_parse(rows[i].text, &p);
		if (rows[i].wrong) {
			assert_non_null(wrong);
			assert_true(str_starts(wrong, rows[i].wrong) && (*rows[i].wrong || !*wrong));
			continue;
		}
		assert_null(wrong);
		assert_int_equal(p.published, rows[i].published);
		assert_int_equal(p.target, rows[i].target);
		assert_int_equal(p.count, rows[i].count);
	}
}

static void test_networks(void **state)
{
	static const struct {
		const char *a, *b;
		bool overlap;
	} rows[] = {
		{"10.0.0.0/8", "10.0.0.84", true},
		{"10.64.0.0/14", "10.0.0.84", false},
		{"10.0.0.0/24", "10.0.1.0/24", false},
		{"0.0.0.0/0", "255.255.255.255", true},
		{"192.168.1.0/25", "192.168.1.128/25", false},
		{"10.1.2.3", "10.1.2.3/32", true},
	};
	static const char *const wrong[] = {"",    "10.0.0", "10.0.0.0/33", "10.0.0.0/",
					    "::1", "host",   "10.0.0.0/8x", "1000.1000.1000.1000.1000.1000/8"};
	struct net4 a, b;

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		assert_true(net4_parse(rows[i].a, &a) && net4_parse(rows[i].b, &b));
		assert_int_equal(net4_overlap(&a, &b), rows[i].overlap);
		assert_int_equal(net4_overlap(&b, &a), rows[i].overlap);
	}
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_false(net4_parse(wrong[i], &a));
}

static int fail_to_read(struct files *f, const char *path, size_t max, struct str *out, struct err *err)
{
	static const struct {
		const char *path;
		enum err_code code;
	} rows[] = {{"gone", ERR_NOT_FOUND}, {"leads-out", ERR_DENIED}, {"large", ERR_LIMIT}, {"slow", ERR_TIMEOUT}};

	(void)f, (void)max, (void)out;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (strcmp(rows[i].path, path) == 0)
			return err_set(err, rows[i].code, "reading '%s': no", path);
	fail_msg("who asked for %s?", path);
	return -1;
}

/* Only what the plan can go on without may be missing, and nothing may be wrong in another way. */
static void test_files(void **state)
{
	static const char *const paths[] = {"gone", "leads-out", "large", "slow"};
	static const struct {
		const char *form;
		bool may_be_gone;
		const char *gone_says;
	} uses[] = {
		{"configs: { x: { file: %s } }\n", true,
		 "warning: config 'x': reading 'gone': no; the plan blocks what uses it until the file is there"},
		{"secrets: { x: { file: %s } }\n", true,
		 "warning: secret 'x': reading 'gone': no; the plan blocks what uses it until the file is there"},
		{"services: { x: { image: 'a:1', env_file: %s } }\n", false, "service 'x': reading 'gone': no"},
		{"services: { x: { image: 'a:1', env_file: [{ path: %s, required: false }] } }\n", true, ""},
	};
	struct files files = {fail_to_read};
	const struct schema *schema;
	struct err err;

	(void)state;
	assert_int_equal(schema_cluster(&schema, &err), 0);
	for (size_t i = 0; i < ARRAY_SIZE(uses) * ARRAY_SIZE(paths); i++) {
		const char *form = uses[i / ARRAY_SIZE(paths)].form, *path = paths[i % ARRAY_SIZE(paths)];
		const char *at = strstr(form, "%s");
		bool gone = strcmp(path, "gone") == 0;
		_cleanup_free_ char *text =
			xasprintf("version: 1\ncluster: c\n%.*s%s%s", (int)(at - form), form, path, at + 2);
		struct loaded l = load(text);
		schema_check(schema, l.root, l.arena, &l.diags);
		spec_checks(l.root, &files, &l.diags);
		_cleanup_free_ char *out = findings(&l);
		assert_int_equal(l.diags.n_errors, gone && uses[i / ARRAY_SIZE(paths)].may_be_gone ? 0 : 1);
		if (gone && !str_ends(out, uses[i / ARRAY_SIZE(paths)].gone_says))
			fail_msg("%s", out);
		unload(&l);
	}
}

static void test_paths(void **state)
{
	(void)state;
	assert_true(path_under("/opt/models", "/opt/models"));
	assert_true(path_under("/opt/models/a", "/opt/models/"));
	assert_true(path_under("/anything", "/"));
	assert_false(path_under("/opt/models-old", "/opt/models"));
	assert_false(path_under("/opt", "/opt/models"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_mutations), cmocka_unit_test(test_many),  cmocka_unit_test(test_ports),
		cmocka_unit_test(test_networks),  cmocka_unit_test(test_paths), cmocka_unit_test(test_files),
	};

	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
