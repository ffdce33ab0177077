#include "fixture.h"

#include "kinds/cluster.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#define SPEC(settings) \
	"version: 1\ncluster: c\nnodes:\n  a: { address: 127.0.0.1, role: manager }\n  b: { address: 10.0.0.2 }\n" \
	"nfs:\n  n:\n    server: a\n    path: /srv/n\n" settings \
	"    export: {}\n    mount: { path: /srv/n, nodes: [b] }\n"
#define HOST(entry) "{'host/a': {'dirs': {'/srv/n': " entry "}}}"
#define DIR(rest) HOST("{'type': 'directory', " rest "}")

static void missing(void **state)
{
	(void)state;
	struct fixture f =
		fixture_open(&kind_directory, SPEC("    owner: '1000:ollama'\n    mode: '755'\n"), HOST("null"));
	const struct resource *want = resource_find_key(f.want, "directory/n");
	assert_string_equal(body_text(f.want, "directory/n"), "{'mode':'0755','owner':'1000:ollama','path':'/srv/n'}");
	assert_string_equal(want->node, "a");
	assert_int_equal(want->mark.line, 7);
	assert_int_equal(resource_mark_of(want, "owner").line, 10);
	assert_null(want->blocked);
	assert_int_equal(resource_find_key(f.live, "directory/n")->presence, ABSENT);
	fixture_close(&f);
}

static void same(const char *yaml, const char *snap, bool expected)
{
	struct fixture f = fixture_open(&kind_directory, yaml, snap);
	assert_int_equal(in_sync(&f, "directory/n"), expected);
	fixture_close(&f);
}

static void owners_in_any_form(void **state)
{
	(void)state;
	static const char live[] = DIR("'uid': 1000, 'gid': 50, 'mode': '0755', 'owner': 'ollama:staff'");
	static const char nameless[] = DIR("'uid': 1000, 'gid': 50, 'mode': '0755', 'owner': 'UNKNOWN:UNKNOWN'");
	same(SPEC("    owner: '1000:50'\n    mode: '0755'\n"), live, true);
	same(SPEC("    owner: 'ollama:staff'\n    mode: '755'\n"), live, true);
	same(SPEC("    owner: '01000:staff'\n    mode: '0755'\n"), live, true);
	same(SPEC("    owner: 'ollama:50'\n    mode: '0755'\n"), live, true);
	same(SPEC("    owner: 'ollama:users'\n    mode: '0755'\n"), live, false);
	same(SPEC("    owner: '1000:51'\n    mode: '0755'\n"), live, false);
	same(SPEC("    owner: '1000:50'\n    mode: '1755'\n"), live, false);
	same(SPEC("    owner: '1000:50'\n    mode: '0755'\n"), nameless, true);
	same(SPEC("    owner: 'ollama:staff'\n    mode: '0755'\n"), nameless, false);
}

static void something_in_the_way(void **state)
{
	(void)state;
	struct fixture f = fixture_open(&kind_directory, SPEC(""), HOST("{'type': 'symlink'}"));
	assert_non_null(
		strstr(resource_find_key(f.want, "directory/n")->blocked, "/srv/n on node 'a' is a symbolic link"));
	fixture_close(&f);
	f = fixture_open(&kind_directory, SPEC(""), HOST("{'type': 'file'}"));
	assert_non_null(strstr(resource_find_key(f.want, "directory/n")->blocked, "is not a directory"));
	fixture_close(&f);
}

static void unknown(void **state)
{
	(void)state;
	struct fixture f = fixture_open(&kind_directory, SPEC(""), "{'host/a': {'unknown': 'no answer within 5 s'}}");
	const struct resource *live = resource_find_key(f.live, "directory/n");
	assert_int_equal(live->presence, UNKNOWN);
	assert_string_equal(live->blocked, "no answer within 5 s");
	fixture_close(&f);
	f = fixture_open(&kind_directory, SPEC(""), HOST("{'error': 'Permission denied'}"));
	live = resource_find_key(f.live, "directory/n");
	assert_int_equal(live->presence, UNKNOWN);
	assert_string_equal(live->blocked, "/srv/n on node 'a': Permission denied");
	fixture_close(&f);
}

/* Through the real host: observed, changed, observed again. */
static void applied(void **state)
{
	(void)state;
	char base[] = "/tmp/reconcile-directory.XXXXXX";
	struct host *host;
	struct err err = {0};
	struct stat st;
	const struct kind *k = &kind_directory;

	assert_non_null(mkdtemp(base));
	assert_int_equal(host_open(&(struct host_options){.node = "a", .address = "127.0.0.1"}, &host, &err), 0);
	_cleanup_free_ char *path = xasprintf("%s/sub/it's $(here)", base);
	_cleanup_free_ char *owner = xasprintf("%u:%u", geteuid(), getegid());
	struct resource want = {.kind = "directory",
				.name = "n",
				.node = "a",
				.body = json_pack("{s:s,s:s,s:s}", "path", path, "owner", owner, "mode", "2750")};
	struct cluster c = {.name = "c", .hosts = &host, .n_hosts = 1};
	struct apply a = {.cluster = &c, .deadline = clock_ms() + 10000};
	struct change change = {.action = ACTION_CREATE, .kind = k, .desired = &want};
	for (int i = 0; i < 2; i++) {
		assert_int_equal(k->apply(&a, &change, &err), 0);
		assert_int_equal(stat(path, &st), 0);
		assert_int_equal(st.st_mode & 07777, 02750);
		assert_int_equal(chmod(path, 0700), 0);
	}
	const char *const dirs[] = {path, NULL};
	json_t *probe;
	assert_int_equal(host_probe(host, &(struct probe_request){.dirs = dirs}, clock_ms() + 10000, &probe, &err), 0);
	const json_t *dir = json_object_get(json_object_get(probe, "dirs"), path);
	assert_string_equal(json_str(dir, "mode"), "0700");
	assert_int_equal(json_int(dir, "uid", -1), geteuid());
	json_decref(probe);

	/* A link that somebody put there meanwhile is not followed. */
	_cleanup_free_ char *target = xasprintf("%s/target", base);
	assert_int_equal(mkdir(target, 0700), 0);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(symlink(target, path), 0);
	assert_int_equal(k->apply(&a, &change, &err), -1);
	assert_int_equal(stat(target, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0700);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(target), 0);
	_cleanup_free_ char *sub = xasprintf("%s/sub", base);
	assert_int_equal(rmdir(sub), 0);
	assert_int_equal(rmdir(base), 0);
	json_decref(want.body);
	host_close(host);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(missing),
		cmocka_unit_test(owners_in_any_form),
		cmocka_unit_test(something_in_the_way),
		cmocka_unit_test(unknown),
		cmocka_unit_test(applied),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
