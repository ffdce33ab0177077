/* Which engine, and with which credentials: environment, contexts, config.json, helpers. */
#include "client/engine/engine.h"
#include "client/engine/internal.h"
#include "sys/clock.h"
#include "sys/hash.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static char dir[64];

static void put(const char *path, const char *text, mode_t mode)
{
	_cleanup_free_ char *full = xasprintf("%s/%s", dir, path);
	for (char *p = full + strlen(dir) + 1; (p = strchr(p, '/')); p++) {
		*p = '\0';
		mkdir(full, 0700);
		*p = '/';
	}
	int fd = open(full, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, mode);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, text, strlen(text)), (ssize_t)strlen(text));
	close(fd);
}

static void put_context(const char *name, const char *meta)
{
	char id[HASH_HEX_SIZE];
	struct err err;
	assert_int_equal(hash_sha256_hex(name, strlen(name), id, &err), 0);
	_cleanup_free_ char *path = xasprintf("contexts/meta/%s/meta.json", id);
	put(path, meta, 0600);
}

static void put_context_tls(const char *name, const char *file)
{
	char id[HASH_HEX_SIZE];
	struct err err;
	assert_int_equal(hash_sha256_hex(name, strlen(name), id, &err), 0);
	_cleanup_free_ char *path = xasprintf("contexts/tls/%s/docker/%s", id, file);
	put(path, "PEM", 0600);
}

static int link_open(const char *user, const char *host, int port, char **socket, void **link, struct err *err)
{
	(void)user;
	(void)port;
	(void)err;
	*socket = xstrdup("/nonexistent");
	*link = xstrdup(host);
	return 0;
}

static const struct engine_ssh ssh = {.open = link_open, .close = free};

static int setup(void **state)
{
	(void)state;
	engine_use_ssh(&ssh);
	static const char *const vars[] = {"DOCKER_HOST",       "DOCKER_CONTEXT",   "DOCKER_TLS",
					   "DOCKER_TLS_VERIFY", "DOCKER_CERT_PATH", "DOCKER_CONFIG"};
	for (size_t i = 0; i < ARRAY_SIZE(vars); i++)
		unsetenv(vars[i]);
	snprintf(dir, sizeof(dir), "/tmp/engine-connect.XXXXXX");
	return mkdtemp(dir) ? 0 : -1;
}

static int teardown(void **state)
{
	(void)state;
	const char *const argv[] = {"rm", "-rf", dir, NULL};
	pid_t pid = fork();
	if (pid == 0) {
		execvp(argv[0], (char *const *)argv);
		_exit(127);
	}
	return waitpid(pid, NULL, 0) == pid ? 0 : -1;
}

/* ---- endpoints ---- */

struct where {
	const char *host, *docker_host, *docker_context, *verify, *tls;
	const char *address, *url; /* of a success */
	enum err_code code;
	const char *message;
};

static void set(const char *name, const char *value)
{
	if (value)
		setenv(name, value, 1);
	else
		unsetenv(name);
}

static void check_where(const struct where *w)
{
	struct engine_options o = {.host = w->host, .config_dir = dir};
	struct engine *e = NULL;
	struct err err = {0};

	set("DOCKER_HOST", w->docker_host);
	set("DOCKER_CONTEXT", w->docker_context);
	set("DOCKER_TLS_VERIFY", w->verify);
	set("DOCKER_TLS", w->tls);
	int r = engine_open(&o, &e, &err);
	if (err.code != w->code || (r == 0) != (w->code == ERR_NONE))
		fail_msg("%s: %s", w->address ? w->address : w->message, err.msg);
	if (e) {
		assert_string_equal(engine_address(e), w->address);
		assert_string_equal(e->at.base_url, w->url ? w->url : "http://localhost");
	} else if (w->message && !strstr(err.msg, w->message)) {
		fail_msg("%s: %s", w->message, err.msg);
	}
	engine_close(e);
}

static const struct where hosts[] = {
	{.address = "unix:///var/run/docker.sock"},
	{.docker_host = "", .address = "unix:///var/run/docker.sock"},
	{.docker_host = "unix:///run/x.sock", .address = "unix:///run/x.sock"},
	{.docker_host = " unix:// ", .address = "unix:///var/run/docker.sock"},
	{.host = "unix:///a", .docker_host = "unix:///b", .docker_context = "c", .address = "unix:///a"},
	{.docker_host = "unix:///b", .docker_context = "missing", .address = "unix:///b"},
	{.docker_host = "tcp://10.0.0.84:2375", .address = "tcp://10.0.0.84:2375", .url = "http://10.0.0.84:2375"},
	{.docker_host = "tcp://node", .address = "tcp://node:2375", .url = "http://node:2375"},
	{.docker_host = "node:1234", .address = "tcp://node:1234", .url = "http://node:1234"},
	{.docker_host = "tcp://", .address = "tcp://localhost:2375", .url = "http://localhost:2375"},
	{.docker_host = "tcp://:7777", .address = "tcp://localhost:7777", .url = "http://localhost:7777"},
	{.docker_host = "tcp://[::1]", .address = "tcp://[::1]:2375", .url = "http://[::1]:2375"},
	{.docker_host = "tcp://[::1]:99/base/", .address = "tcp://[::1]:99/base", .url = "http://[::1]:99/base"},
	{.docker_host = "tcp://::1:99", .code = ERR_USAGE, .message = "tcp://host:port"},
	{.docker_host = "tcp://node:http", .code = ERR_USAGE, .message = "tcp://host:port"},
	{.docker_host = "tcp://tcp://node", .code = ERR_USAGE, .message = "tcp://host:port"},
	{.docker_host = "unix://relative", .code = ERR_USAGE, .message = "unix:///path"},
	{.docker_host = "ssh://ops@node", .address = "ssh://ops@node"},
	{.docker_host = "ssh://node:2222", .address = "ssh://node:2222"},
	{.docker_host = "ssh://[fd00::1]:2222", .address = "ssh://[fd00::1]:2222"},
	{.docker_host = "ssh://", .code = ERR_USAGE, .message = "write ssh://user@host"},
	{.docker_host = "ssh://ops:secret@node", .code = ERR_USAGE, .message = "write ssh://user@host"},
	{.docker_host = "ssh://-oProxyCommand=x", .code = ERR_USAGE, .message = "write ssh://user@host"},
	{.docker_host = "ssh://-lx@node", .code = ERR_USAGE, .message = "write ssh://user@host"},
	{.docker_host = "ssh://node:", .code = ERR_USAGE, .message = "write ssh://user@host"},
	{.docker_host = "ssh://node/path", .code = ERR_USAGE, .message = "write ssh://user@host"},
	{.docker_host = "ssh://[fd00::1", .code = ERR_USAGE, .message = "write ssh://user@host"},
	{.docker_host = "npipe:////./pipe/docker",
	 .code = ERR_UNSUPPORTED,
	 .message = "only unix://, tcp:// and ssh://"},
	{.docker_host = "fd://3", .code = ERR_UNSUPPORTED, .message = "only unix://, tcp:// and ssh://"},
	{.docker_context = "default", .address = "unix:///var/run/docker.sock"},
	{.docker_context = "missing", .code = ERR_USAGE, .message = "docker context 'missing': there is none"},
	{.docker_host = "tcp://node:2376", .verify = "1", .code = ERR_USAGE, .message = "/ca.pem is not there"},
	{.docker_host = "unix:///a", .verify = "1", .address = "unix:///a"},
	{.docker_host = "tcp://node:2376", .tls = "1", .address = "tcp://node:2376", .url = "https://node:2376"},
	{.tls = "1", .address = "tcp://localhost:2376", .url = "https://localhost:2376"},
};

static void test_hosts(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(hosts); i++)
		check_where(&hosts[i]);
}

static void test_contexts(void **state)
{
	(void)state;
	put_context("lab", "{\"Name\":\"lab\",\"Endpoints\":{\"docker\":{\"Host\":\"unix:///lab.sock\"}}}");
	put_context(
		"far",
		"{\"Name\":\"far\",\"Endpoints\":{\"docker\":{\"Host\":\"tcp://far:2376\",\"SkipTLSVerify\":false}}}");
	put_context_tls("far", "ca.pem");
	put_context_tls("far", "cert.pem");
	put_context_tls("far", "key.pem");
	put_context(
		"lax",
		"{\"Name\":\"lax\",\"Endpoints\":{\"docker\":{\"Host\":\"tcp://lax:2376\",\"SkipTLSVerify\":true}}}");
	put_context("ssh", "{\"Name\":\"ssh\",\"Endpoints\":{\"docker\":{\"Host\":\"ssh://a@b\"}}}");
	put_context("kube", "{\"Name\":\"kube\",\"Endpoints\":{\"kubernetes\":{}}}");
	put_context("broken", "{\"Name\":");
	put("config.json", "{\"currentContext\":\"lab\"}", 0600);
	const struct where contexts[] = {
		{.address = "unix:///lab.sock"},
		{.docker_context = "far", .address = "tcp://far:2376", .url = "https://far:2376"},
		{.docker_context = "lax", .address = "tcp://lax:2376", .url = "https://lax:2376"},
		{.docker_context = "default", .address = "unix:///var/run/docker.sock"},
		{.docker_host = "unix:///x", .address = "unix:///x"},
		{.docker_context = "ssh", .address = "ssh://a@b"},
		{.docker_context = "kube", .code = ERR_USAGE, .message = "it has no docker endpoint"},
		{.docker_context = "broken", .code = ERR_USAGE, .message = "docker context 'broken': read "},
	};
	for (size_t i = 0; i < ARRAY_SIZE(contexts); i++)
		check_where(&contexts[i]);

	struct engine *e;
	struct err err;
	struct engine_options o = {.config_dir = dir};
	set("DOCKER_CONTEXT", "far");
	set("DOCKER_HOST", NULL);
	assert_int_equal(engine_open(&o, &e, &err), 0);
	assert_true(e->at.tls && !e->at.insecure);
	assert_non_null(strstr(e->at.ca_file, "/docker/ca.pem"));
	assert_non_null(strstr(e->at.cert_file, "/docker/cert.pem"));
	assert_non_null(strstr(e->at.key_file, "/docker/key.pem"));
	engine_close(e);
}

static void test_cert_path(void **state)
{
	(void)state;
	put("certs/ca.pem", "PEM", 0600);
	_cleanup_free_ char *certs = xasprintf("%s/certs", dir);
	set("DOCKER_CERT_PATH", certs);
	check_where(&(struct where){.docker_host = "tcp://node:2376",
				    .verify = "1",
				    .address = "tcp://node:2376",
				    .url = "https://node:2376"});
	put("certs/cert.pem", "PEM", 0600);
	check_where(&(struct where){.docker_host = "tcp://node:2376",
				    .verify = "1",
				    .code = ERR_USAGE,
				    .message = "certs/key.pem is not there"});
}

static void test_broken_config(void **state)
{
	(void)state;
	static const char *const texts[] = {"", "[]", "{\"auths\":{\"x\":{\"auth\":\"c2VjcmV0\" c2VjcmV0",
					    "{\"a\":1,\"a\":2}"};
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		put("config.json", texts[i], 0600);
		check_where(&(struct where){.code = ERR_USAGE, .message = "/config.json: line "});
		struct engine *e;
		struct err err;
		struct engine_options o = {.config_dir = dir};
		assert_int_equal(engine_open(&o, &e, &err), -1);
		assert_null(strstr(err.msg, "c2VjcmV0"));
	}
}

static void test_config_dir(void **state)
{
	(void)state;
	struct engine *e;
	struct err err;
	put("config.json", "{\"currentContext\":\"nowhere\"}", 0600);
	set("DOCKER_CONFIG", dir);
	assert_int_equal(engine_open(NULL, &e, &err), -1);
	assert_non_null(strstr(err.msg, "'nowhere'"));
	set("DOCKER_CONFIG", NULL);
	_cleanup_free_ char *home = xstrdup(getenv("HOME") ? getenv("HOME") : "/");
	put(".docker/config.json", "{\"currentContext\":\"elsewhere\"}", 0600);
	set("HOME", dir);
	assert_int_equal(engine_open(NULL, &e, &err), -1);
	assert_non_null(strstr(err.msg, "'elsewhere'"));
	set("HOME", home);
}

/* ---- credentials ---- */

static char *decode_url(const char *s)
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	struct str out = {0};
	uint32_t v = 0, bits = 0;
	assert_int_equal(strlen(s) % 4, 0);
	for (; *s && *s != '='; s++) {
		const char *at = strchr(digits, *s);
		assert_non_null(at);
		v = v << 6 | (uint32_t)(at - digits);
		bits += 6;
		if (bits >= 8)
			str_addc(&out, (char)(v >> (bits -= 8)));
	}
	return str_steal(&out);
}

static const struct {
	const char *config, *image;
	const char *json; /* of the header; NULL: none is sent */
	const char *message;
} auths[] = {
	{"{}", "nginx", NULL, NULL},
	/* user:pä?>~ → every digit that differs between the two alphabets */
	{"{\"auths\":{\"https://index.docker.io/v1/\":{\"auth\":\"dXNlcjpww6Q/Pn4=\"}}}", "nginx",
	 "{\"password\":\"p\xc3\xa4?>~\",\"serveraddress\":\"https://index.docker.io/v1/\",\"username\":\"user\"}",
	 NULL},
	{"{\"auths\":{\"reg.lan:5000\":{\"auth\":\"dTpwOnc=\"}}}", "reg.lan:5000/a/b:1",
	 "{\"password\":\"p:w\",\"serveraddress\":\"reg.lan:5000\",\"username\":\"u\"}", NULL},
	{"{\"auths\":{\"https://reg.lan:5000/v1/\":{\"auth\":\"dTpw\"}}}", "reg.lan:5000/a",
	 "{\"password\":\"p\",\"serveraddress\":\"https://reg.lan:5000/v1/\",\"username\":\"u\"}", NULL},
	{"{\"auths\":{\"reg.lan\":{\"identitytoken\":\"tok\",\"auth\":\"dTo=\"}}}", "reg.lan/a",
	 "{\"identitytoken\":\"tok\",\"password\":\"\",\"serveraddress\":\"reg.lan\",\"username\":\"u\"}", NULL},
	{"{\"auths\":{\"reg.lan\":{\"auth\":\"dTpw\"}}}", "reg.lan:5000/a", NULL, NULL},
	{"{\"auths\":{\"reg.lan\":{}}}", "reg.lan/a", NULL, NULL},
	{"{\"auths\":{\"reg.lan\":{\"auth\":\"c2VjcmV0\"}}}", "reg.lan/a", NULL,
	 "the 'auth' of 'reg.lan' is not base64 of user:password"},
	{"{\"auths\":{\"reg.lan\":{\"auth\":\"s!crets!\"}}}", "reg.lan/a", NULL, "is not base64"},
	{"{\"auths\":{\"reg.lan\":{\"auth\":\"OnBhc3M=\"}}}", "reg.lan/a", NULL, "is not base64"},
	{"{\"credsStore\":\"fake\"}", "nginx",
	 "{\"password\":\"s for "
	 "https://index.docker.io/v1/\",\"serveraddress\":\"https://index.docker.io/v1/\",\"username\":\"u\"}",
	 NULL},
	{"{\"credsStore\":\"missing\",\"credHelpers\":{\"reg.lan\":\"fake\"},\"auths\":{\"reg.lan\":{\"auth\":\"eDp5\"}"
	 "}}",
	 "reg.lan/a", "{\"password\":\"s for reg.lan\",\"serveraddress\":\"reg.lan\",\"username\":\"u\"}", NULL},
	{"{\"credHelpers\":{\"reg.lan\":\"fake\"}}", "other.lan/a", NULL, NULL},
	{"{\"credsStore\":\"token\"}", "reg.lan/a", "{\"identitytoken\":\"idt\",\"serveraddress\":\"reg.lan\"}", NULL},
	{"{\"credsStore\":\"none\"}", "reg.lan/a", NULL, NULL},
	{"{\"credsStore\":\"missing\"}", "reg.lan/a", NULL, "docker-credential-missing"},
	{"{\"credsStore\":\"fails\"}", "reg.lan/a", NULL, "docker-credential-fails failed with status 3"},
	{"{\"credsStore\":\"garbage\"}", "reg.lan/a", NULL, "its answer is not the helper protocol's JSON"},
	{"{\"credsStore\":\"../fake\"}", "reg.lan/a", NULL, "is not the name of a credential helper"},
};

static void put_helpers(void)
{
	put("bin/docker-credential-fake",
	    "#!/bin/sh\n[ \"$1\" = get ] || exit 9\nprintf '{\"ServerURL\":\"x\",\"Username\":\"u\",\"Secret\":\"s for "
	    "%s\"}' \"$(cat)\"\n",
	    0700);
	put("bin/docker-credential-token", "#!/bin/sh\necho '{\"Username\":\"<token>\",\"Secret\":\"idt\"}'\n", 0700);
	put("bin/docker-credential-none", "#!/bin/sh\necho 'credentials not found in native keychain'\nexit 1\n", 0700);
	put("bin/docker-credential-fails", "#!/bin/sh\necho 'hunter2'\necho 'hunter2' >&2\nexit 3\n", 0700);
	put("bin/docker-credential-garbage", "#!/bin/sh\necho 'hunter2'\n", 0700);
	put("bin/docker-credential-slow", "#!/bin/sh\nexec sleep 30\n", 0700);
}

static void check_auth(size_t i)
{
	struct engine_options o = {.host = "unix:///nonexistent", .config_dir = dir};
	struct engine *e;
	struct err err = {0};
	_cleanup_free_ char *header = NULL;

	put("config.json", auths[i].config, 0600);
	assert_int_equal(engine_open(&o, &e, &err), 0);
	int r = registry_auth_for_image(e, auths[i].image, clock_ms() + 5000, &header, &err);
	engine_close(e);
	if ((r < 0) != (auths[i].message != NULL))
		fail_msg("%s: %s", auths[i].config, err.msg);
	if (r < 0 && auths[i].message) {
		if (!strstr(err.msg, auths[i].message) || strstr(err.msg, "hunter2"))
			fail_msg("%s: %s", auths[i].config, err.msg);
		return;
	}
	if (!header != !auths[i].json)
		fail_msg("%s: %s", auths[i].config, header ? header : "nothing");
	if (!header)
		return;
	_cleanup_free_ char *text = decode_url(header);
	assert_string_equal(text, auths[i].json);
}

static void with_helpers(void)
{
	put_helpers();
	_cleanup_free_ char *path = xasprintf("%s/bin:/usr/bin:/bin", dir);
	setenv("PATH", path, 1);
}

static void test_auth(void **state)
{
	(void)state;
	with_helpers();
	for (size_t i = 0; i < ARRAY_SIZE(auths); i++)
		check_auth(i);
}

static void test_slow_helper(void **state)
{
	(void)state;
	struct engine_options o = {.host = "unix:///nonexistent", .config_dir = dir};
	struct engine *e;
	struct err err = {0};
	char *header = NULL;
	with_helpers();
	put("config.json", "{\"credsStore\":\"slow\"}", 0600);
	assert_int_equal(engine_open(&o, &e, &err), 0);
	int64_t start = clock_ms();
	assert_int_equal(registry_auth(e, "docker.io", start + 300, &header, &err), -1);
	assert_int_equal(err.code, ERR_TIMEOUT);
	assert_true(clock_ms() - start < 5000);
	assert_null(header);
	engine_close(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_hosts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_contexts, setup, teardown),
		cmocka_unit_test_setup_teardown(test_cert_path, setup, teardown),
		cmocka_unit_test_setup_teardown(test_broken_config, setup, teardown),
		cmocka_unit_test_setup_teardown(test_config_dir, setup, teardown),
		cmocka_unit_test_setup_teardown(test_auth, setup, teardown),
		cmocka_unit_test_setup_teardown(test_slow_helper, setup, teardown),
	};
	json_init();
	return cmocka_run_group_tests_name("client/engine connect", tests, NULL, NULL);
}
