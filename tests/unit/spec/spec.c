#include "load.h"

#include <time.h>

static const char small[] = "version: 1\n"
			    "cluster: demo\n"
			    "nodes:\n"
			    "  one: { address: 10.0.0.1, role: manager }\n"
			    "networks:\n"
			    "  web: { driver: overlay, attachable: true }\n"
			    "services:\n"
			    "  site:\n"
			    "    image: nginx:1.27.2\n"
			    "    networks: [web]\n"
			    "    stop_grace_period: 20s\n"
			    "    deploy:\n"
			    "      replicas: 2\n"
			    "      resources: { limits: { memory: 64M, cpus: 0.5 } }\n";

static int load_spec(const char *text, struct files *files, struct spec **out, struct diags *d, struct err *err)
{
	struct spec_input in = {.name = "demo.yaml", .text = text, .len = strlen(text), .files = files};

	return spec_load(&in, out, d, err);
}

static void a_good_spec_loads(void **state)
{
	struct diags d = {0};
	struct spec *s = NULL;
	struct err err = {0};

	(void)state;
	if (load_spec(small, NULL, &s, &d, &err) < 0)
		fail_msg("%s: %s", err.msg, d.list.v[0].message);
	assert_int_equal(d.n_errors, 0);
	assert_string_equal(spec_cluster(s), "demo");
	const struct snode *site = snode_path(spec_root(s), "services.site");
	assert_string_equal(snode_str(site, "image"), "nginx:1.27.2");
	assert_int_equal(snode_int(snode_path(site, "deploy"), "replicas", 0), 2);
	assert_int_equal(snode_int(site, "stop_grace_period", 0), 20000000000);
	assert_int_equal(snode_int(snode_path(site, "deploy.resources.limits"), "memory", 0), 64 << 20);
	assert_int_equal(snode_int(snode_path(site, "deploy.resources.limits"), "cpus", 0), 500000000);
	assert_true(snode_bool(snode_path(spec_root(s), "networks.web"), "attachable", false));
	assert_string_equal(site->key, "site");
	assert_int_equal(site->key_mark.line, 8);
	assert_string_equal(site->key_mark.file, "demo.yaml");
	spec_free(s);
	diags_free(&d);
}

static void a_bad_spec_gives_all_its_errors(void **state)
{
	struct diags d = {0};
	struct spec *s = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(load_spec("version: 1\nclustr: x\nnodes: []\nnodes: {}\n", NULL, &s, &d, &err), -1);
	assert_null(s);
	assert_int_equal(err.code, ERR_SPEC);
	assert_true(d.n_errors >= 4);
	_cleanup_free_ char *expected = xasprintf("demo.yaml: %zu errors", d.n_errors);
	assert_string_equal(err.msg, expected);
	for (size_t i = 1; i < d.list.n; i++)
		assert_true(d.list.v[i - 1].mark.line <= d.list.v[i].mark.line);
	diags_free(&d);
	assert_int_equal(load_spec("a: [\n", NULL, &s, &d, &err), -1);
	assert_string_equal(err.msg, "demo.yaml: 1 error");
	diags_free(&d);
}

static void access_takes_what_is_missing(void **state)
{
	struct loaded l = load_with("{'properties': {'i': {'type': 'integer'}, 'b': {'type': 'boolean'},"
				    "'z': {'type': 'null'}, 'n': {'type': 'number'}}}",
				    "i: 5\nb: true\nz: ~\ns: x\nm: {k: {l: v}, kk: w}\nq: [a, b]\nn: 1.5\nu: *x\n");
	const struct snode *r = l.root;
	_cleanup_json_ json_t *nothing = snode_json(NULL);

	(void)state;
	assert_null(snode_get(NULL, "a"));
	assert_null(snode_get(snode_get(r, "q"), "a"));
	assert_null(snode_path(NULL, "a.b"));
	assert_null(snode_path(r, "m.k.l.x"));
	assert_null(snode_path(r, "m.x.l"));
	assert_string_equal(snode_path(r, "m.k.l")->text, "v");
	assert_string_equal(snode_path(r, "m.kk")->text, "w");
	assert_null(snode_path(r, "m.kkk"));
	assert_null(snode_str(NULL, "s"));
	assert_null(snode_str(r, "z"));
	assert_null(snode_str(r, "m"));
	assert_null(snode_str(r, "u"));
	assert_string_equal(snode_str(r, "s"), "x");
	assert_string_equal(snode_str(r, "i"), "5");
	assert_int_equal(snode_int(r, "i", 7), 5);
	assert_int_equal(snode_int(r, "s", 7), 7);
	assert_int_equal(snode_int(NULL, "i", 7), 7);
	assert_true(snode_bool(r, "b", false));
	assert_true(snode_bool(r, "s", true));
	assert_int_equal(snode_count(snode_get(r, "q")), 2);
	assert_int_equal(snode_count(snode_get(r, "m")), 2);
	assert_int_equal(snode_count(snode_get(r, "s")), 0);
	assert_int_equal(snode_count(NULL), 0);
	assert_null(snode_scalar(snode_get(r, "q")));
	assert_null(snode_scalar(NULL));
	assert_true(json_is_null(nothing));
	assert_tree(&l, "{\"b\":true,\"i\":5,\"m\":{\"k\":{\"l\":\"v\"},\"kk\":\"w\"},\"n\":1.5,\"q\":[\"a\",\"b\"],"
			"\"s\":\"x\",\"u\":null,\"z\":null}");
	unload(&l);
}

static int read_one(struct files *f, const char *path, size_t max, struct str *out, struct err *err)
{
	(void)f;
	if (strcmp(path, "a.conf") != 0)
		return err_set(err, ERR_NOT_FOUND, "reading '%s': no such file", path);
	if (max < 5)
		return err_set(err, ERR_LIMIT, "more than %zu bytes", max);
	str_add(out, "hello", 5);
	return 0;
}

static void files_come_with_the_spec(void **state)
{
	struct files files = {read_one};
	_cleanup_str_ struct str out = {0};
	struct diags d = {0};
	struct spec *s = NULL;
	struct err err = {0};

	(void)state;
	assert_int_equal(load_spec(small, &files, &s, &d, &err), 0);
	assert_int_equal(spec_read_file(s, "a.conf", 100, &out, &err), 0);
	assert_string_equal(str_cstr(&out), "hello");
	assert_int_equal(spec_read_file(s, "b.conf", 100, &out, &err), -1);
	assert_string_equal(err.msg, "reading 'b.conf': no such file");
	assert_int_equal(spec_read_file(s, "a.conf", 4, &out, &err), -1);
	assert_int_equal(err.code, ERR_LIMIT);
	spec_free(s);
	diags_free(&d);
	assert_int_equal(load_spec(small, NULL, &s, &d, &err), 0);
	assert_int_equal(spec_read_file(s, "a.conf", 100, &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	spec_free(s);
	diags_free(&d);
}

/* Twenty times the size must not cost much more than twenty times the time; the bound leaves room for a busy machine.
 */
static void loading_is_linear(void **state)
{
	_cleanup_str_ struct str text = {0};
	struct diags d = {0};
	struct spec *s = NULL;
	struct err err = {0};

	(void)state;
	str_adds(&text, "version: 1\ncluster: demo\nnodes:\n  one: { address: 10.0.0.1, role: manager }\nservices:\n");
	for (int i = 0; text.len < 1000000; i++)
		str_addf(&text, "  s%d: { image: 'nginx:1.27.2', deploy: { replicas: 2 } }\n", i);
	clock_t start = clock();
	if (load_spec(str_cstr(&text), NULL, &s, &d, &err) < 0)
		fail_msg("%s: %s", err.msg, d.list.v[0].message);
	assert_true(clock() - start < 5 * CLOCKS_PER_SEC);
	spec_free(s);
	diags_free(&d);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_good_spec_loads),
		cmocka_unit_test(a_bad_spec_gives_all_its_errors),
		cmocka_unit_test(access_takes_what_is_missing),
		cmocka_unit_test(files_come_with_the_spec),
		cmocka_unit_test(loading_is_linear),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
