#include "client/engine/engine.h"
#include "sys/clock.h"

#include "engine_standin.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#define HEX32 "0123456789abcdef0123456789abcdef"
#define SHA256 "sha256:" HEX32 HEX32
#define SHA512 "sha512:" HEX32 HEX32 HEX32 HEX32
#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define A128 A50 A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaa"

/* From distribution/reference's own reference_test.go and normalize_test.go. */
static const struct {
	const char *in, *familiar, *domain, *path, *tag, *digest;
} good[] = {
	{"nginx", "nginx:latest", "docker.io", "library/nginx", "latest", NULL},
	{"nginx:1.25", "nginx:1.25", "docker.io", "library/nginx", "1.25", NULL},
	{"library/nginx", "nginx:latest", "docker.io", "library/nginx", "latest", NULL},
	{"docker.io/nginx", "nginx:latest", "docker.io", "library/nginx", "latest", NULL},
	{"docker.io/library/nginx", "nginx:latest", "docker.io", "library/nginx", "latest", NULL},
	{"index.docker.io/nginx:1", "nginx:1", "docker.io", "library/nginx", "1", NULL},
	{"index.docker.io/library/nginx", "nginx:latest", "docker.io", "library/nginx", "latest", NULL},
	{"ollama/ollama:0.17.0", "ollama/ollama:0.17.0", "docker.io", "ollama/ollama", "0.17.0", NULL},
	{"library/distros/ubuntu", "library/distros/ubuntu:latest", "docker.io", "library/distros/ubuntu", "latest",
	 NULL},
	{"nginx@" SHA256, "nginx", "docker.io", "library/nginx", NULL, SHA256},
	{"nginx:1.25@" SHA256, "nginx:1.25", "docker.io", "library/nginx", "1.25", SHA256},
	{"xn--7o8h.com/myimage:xn--7o8h.com@" SHA512, "xn--7o8h.com/myimage:xn--7o8h.com", "xn--7o8h.com", "myimage",
	 "xn--7o8h.com", SHA512},
	{"localhost/x", "localhost/x:latest", "localhost", "x", "latest", NULL},
	{"localhost:5000/x", "localhost:5000/x:latest", "localhost:5000", "x", "latest", NULL},
	{"localhost:5000", "localhost:5000", "docker.io", "library/localhost", "5000", NULL},
	{"registry.example.com/a/b/c:v1", "registry.example.com/a/b/c:v1", "registry.example.com", "a/b/c", "v1", NULL},
	{"10.99.0.1:5000/app", "10.99.0.1:5000/app:latest", "10.99.0.1:5000", "app", "latest", NULL},
	{"[2001:db8::1]:5000/app:1", "[2001:db8::1]:5000/app:1", "[2001:db8::1]:5000", "app", "1", NULL},
	{"[::1]/app", "[::1]/app:latest", "[::1]", "app", "latest", NULL},
	{"UPPER/lower:tag", "UPPER/lower:tag", "UPPER", "lower", "tag", NULL},
	{"Example.COM/x", "Example.COM/x:latest", "Example.COM", "x", "latest", NULL},
	{"a-b--c_d__e/g.h_i", "a-b--c_d__e/g.h_i:latest", "docker.io", "a-b--c_d__e/g.h_i", "latest", NULL},
	{"0", "0:latest", "docker.io", "library/0", "latest", NULL},
	{"x:UPPER_Tag.1-2", "x:UPPER_Tag.1-2", "docker.io", "library/x", "UPPER_Tag.1-2", NULL},
	{"x:" A128, "x:" A128, "docker.io", "library/x", A128, NULL},
	{"a/" A50 A50 A50 A50 A50 "aaa", "a/" A50 A50 A50 A50 A50 "aaa:latest", "docker.io",
	 "a/" A50 A50 A50 A50 A50 "aaa", "latest", NULL},
};

static const struct {
	const char *in, *message;
} bad[] = {
	{"", "empty"},
	{":tag", "is not a repository name"},
	{"@" SHA256, "is not a repository name"},
	{HEX32 HEX32, "an image id is not a name"},
	{"Nginx", "repository name 'library/Nginx' must be lowercase"},
	{"docker.io/Nginx:1", "must be lowercase"},
	{"a/B", "must be lowercase"},
	{"a/b/C:1", "repository name 'a/b/C' must be lowercase"},
	{"nginx:", "'' is not a tag"},
	{"nginx:.a", "'.a' is not a tag"},
	{"nginx:-a", "'-a' is not a tag"},
	{"nginx:a b", "'a b' is not a tag"},
	{"nginx:a:b", "'a:b' is not a tag"},
	{"nginx:a/b", "is not a"},
	{"x:_" A128, "is not a tag"},
	{"nginx@", "'' is not a digest"},
	{"nginx@sha256:" HEX32, "is not a digest"},
	{"nginx@sha256:" HEX32 "0123456789ABCDEF0123456789ABCDEF", "is not a digest"},
	{"nginx@md5:" HEX32, "is not a digest"},
	{"nginx@" SHA256 "0", "is not a digest"},
	{"nginx@" SHA256 ":tag", "is not a digest"},
	{"a//b", "is not a repository name"},
	{"a/b/", "is not a repository name"},
	{"/a", "is not a repository name"},
	{"a..b", "is not a repository name"},
	{"a___b", "is not a repository name"},
	{"-a", "is not a repository name"},
	{"a-", "is not a repository name"},
	{"a-/b", "is not a repository name"},
	{"a.b-.c/x", "'a.b-.c' is not a registry's name"},
	{"a_b.c/x", "'a_b.c' is not a registry's name"},
	{"example.com:port/x", "'example.com:port' is not a registry's name"},
	{"example.com:/x", "is not a registry's name"},
	{"[fe80::1%25eth0]:5000/x", "is not a registry's name"},
	{"[::1/x", "is not a registry's name"},
	{"[]/x", "is not a re"},
	{"https://example.com/x", "is not a registry's name"},
	{"a/" A50 A50 A50 A50 A50 "aaaa", "at most 255 characters"},
	{"nginx\n", "is not a repository name"},
	{"ngin\xc3\xa4", "is not a repository name"},
};

static void assert_same(const char *a, const char *b, const char *in)
{
	if (!str_eq(a, b))
		fail_msg("%s: '%s' instead of '%s'", in, a ? a : "(null)", b ? b : "(null)");
}

static void test_good_references(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(good); i++) {
		struct image_ref r;
		struct err err;
		if (image_ref_parse(good[i].in, &r, &err) < 0)
			fail_msg("%s: %s", good[i].in, err.msg);
		assert_same(r.familiar, good[i].familiar, good[i].in);
		assert_same(r.domain, good[i].domain, good[i].in);
		assert_same(r.path, good[i].path, good[i].in);
		assert_same(r.tag, good[i].tag, good[i].in);
		assert_same(r.digest, good[i].digest, good[i].in);
		image_ref_free(&r);
	}
}

static void test_bad_references(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++) {
		struct image_ref r;
		struct err err = {0};
		if (image_ref_parse(bad[i].in, &r, &err) == 0)
			fail_msg("%s was accepted", bad[i].in);
		if (err.code != ERR_SPEC || !strstr(err.msg, bad[i].message))
			fail_msg("%s: %s", bad[i].in, err.msg);
	}
}

/* ---- digests ---- */

#define PLATFORMS \
	"{\"Descriptor\":{\"digest\":\"" SHA256 "\"},\"Platforms\":[" \
	"{\"architecture\":\"amd64\",\"os\":\"linux\"},{\"architecture\":\"arm\",\"os\":\"linux\",\"variant\":\"v5\"}" \
	"," \
	"{\"architecture\":\"ARM\",\"os\":\"linux\",\"variant\":\"v7\"}," \
	"{\"architecture\":\"arm64\",\"os\":\"linux\",\"variant\":\"v8\"}," \
	"{\"architecture\":\"unknown\",\"os\":\"unknown\"},{\"architecture\":\"amd64\",\"os\":\"linux\"}]}"

static const struct {
	const char *image, *request, *status, *body;
	enum err_code code;
	const char *digest, *platforms, *message;
} resolutions[] = {
	{"nginx:1.25", "GET /v1.41/distribution/nginx:1.25/json ", "200 OK", PLATFORMS, ERR_NONE, SHA256,
	 "[{\"Architecture\":\"amd64\",\"OS\":\"linux\"},{\"OS\":\"linux\"},{\"Architecture\":\"arm64\",\"OS\":"
	 "\"linux\"}]",
	 NULL},
	{"nginx", "GET /v1.41/distribution/nginx:latest/json ", "200 OK",
	 "{\"Descriptor\":{\"digest\":\"" SHA256 "\"}}", ERR_NONE, SHA256, "[]", NULL},
	{"10.99.0.1:5000/a/b@" SHA512, "GET /v1.41/distribution/10.99.0.1:5000/a/b@" SHA512 "/json ", "200 OK",
	 "{\"Descriptor\":{\"digest\":\"" SHA256 "\"},\"Platforms\":null}", ERR_NONE, SHA512, "[]", NULL},
	{"nginx", "GET /v1.41/distribution/nginx:latest/json ", "401 Unauthorized",
	 "{\"message\":\"pull access denied\"}", ERR_DENIED, NULL, NULL,
	 "resolve image 'nginx:latest': GET /distribution/nginx:latest/json: pull access denied (status 401)"},
	{"nginx", "GET /v1.41/distribution/nginx:latest/json ", "200 OK", "{\"Descriptor\":{\"digest\":\"latest\"}}",
	 ERR_PROTOCOL, NULL, NULL, "has no digest"},
	{"nginx", "GET /v1.41/distribution/nginx:latest/json ", "200 OK", "[]", ERR_PROTOCOL, NULL, NULL,
	 "has no digest"},
};

static void test_resolve(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(resolutions); i++) {
		struct standin s;
		struct engine *e;
		struct image_ref ref;
		struct err err = {0};
		char *digest = NULL;
		json_t *platforms = NULL;
		standin_start(&s, (const struct standin_rule[]){PING_RULE,
								{.request = resolutions[i].request,
								 .status = resolutions[i].status,
								 .body = resolutions[i].body},
								{0}});
		struct engine_options o = {.host = s.host, .config_dir = "/nonexistent"};
		assert_int_equal(engine_open(&o, &e, &err), 0);
		assert_int_equal(image_ref_parse(resolutions[i].image, &ref, &err), 0);
		int r = engine_resolve_image(e, clock_ms() + 5000, &ref, &digest, &platforms, &err);
		if (err.code != resolutions[i].code)
			fail_msg("%s: %s", resolutions[i].image, err.msg);
		if (r == 0) {
			_cleanup_str_ struct str text = {0};
			json_canonical(platforms, &text);
			assert_same(digest, resolutions[i].digest, resolutions[i].image);
			assert_same(str_cstr(&text), resolutions[i].platforms, resolutions[i].image);
		} else {
			assert_null(digest);
			assert_null(platforms);
			assert_non_null(strstr(err.msg, resolutions[i].message));
		}
		free(digest);
		json_decref(platforms);
		image_ref_free(&ref);
		engine_close(e);
		standin_free(&s);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good_references),
		cmocka_unit_test(test_bad_references),
		cmocka_unit_test(test_resolve),
	};
	json_init();
	return cmocka_run_group_tests_name("client/engine image", tests, NULL, NULL);
}
