#include "kinds/traefik/archive.h"
#include "kinds/traefik/fetch.h"
#include "kinds/traefik/static.h"
#include "kinds/traefik/write.h"
#include "sys/file.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static json_t *parse(const char *text)
{
	json_t *j;
	struct err err;

	if (json_parse(text, strlen(text), &j, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static void assert_body(json_t *state, int major, const char *expected)
{
	_cleanup_json_ json_t *body = static_body(state, major), *want = parse(expected);

	json_decref(state);
	if (!json_same(body, want)) {
		_cleanup_str_ struct str s = {0};
		json_canonical(body, &s);
		fail_msg("%s instead of %s", str_cstr(&s), expected);
	}
}

static void test_flags(void **state)
{
	(void)state;
	static const struct {
		const char *args;
		int major;
		const char *body;
	} cases[] = {
		{"[]", 2, "{}"},
		{"[\"--providers.docker.swarmMode=true\"]", 2, "{\"swarm_mode\": true}"},
		{"[\"--providers.docker.swarmmode\"]", 2, "{\"swarm_mode\": true}"},
		{"[\"-Providers.Docker.swarmMode=1\"]", 2, "{\"swarm_mode\": true}"},
		{"[\"--providers.docker.swarmMode=false\"]", 2, "{}"},
		{"[\"--providers.docker.swarmModeRefreshSeconds=5\"]", 2, "{}"},
		{"[\"--providers.swarm\"]", 2, "{}"},
		{"[\"--providers.swarm\"]", 3, "{\"swarm_mode\": true}"},
		{"[\"--providers.swarm.network=edge\"]", 3, "{\"swarm_mode\": true}"},
		{"[\"--providers.swarm=false\"]", 3, "{}"},
		{"[\"--providers.docker.swarmMode=false\"]", 3, "{\"v2_keys\": {\"docker.swarmMode\": \"false\"}}"},
		{"[\"traefik\", \"--providersx.swarm=true\", \"-\", \"--\", 7]", 3, "{}"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *args = parse(cases[i].args);
		assert_body(static_read_flags(args), cases[i].major, cases[i].body);
	}
}

static void test_environment(void **state)
{
	(void)state;
	_cleanup_json_ json_t *env =
		parse("[\"PATH=/bin\", \"TRAEFIK_PROVIDERS_DOCKER_SWARMMODE=true\", \"TRAEFIK_PILOT\"]");
	assert_body(static_read_env(env), 2, "{\"swarm_mode\": true}");
	assert_body(static_read_env(env), 3, "{\"v2_keys\": {\"docker.swarmMode\": \"true\"}}");
}

static void test_toml(void **state)
{
	(void)state;
	static const char on[] = "# x\n[api]\n  swarmMode = true\n\n[providers]\n  [providers.docker] # y\r\n    "
				 "swarmMode = true # z\r\n";
	assert_body(static_read_toml(on), 2, "{\"swarm_mode\": true}");
	assert_body(static_read_toml("[providers.docker]\n# swarmMode = true\nnetwork = \"a=b\""), 2, "{}");
	assert_body(static_read_toml("providers.swarm.network = 'edge'\n"), 3, "{\"swarm_mode\": true}");
	assert_body(static_read_toml("[[x]]\n[providers.swarm]"), 3, "{\"swarm_mode\": true}");
}

static void test_yaml(void **state)
{
	(void)state;
	static const struct {
		const char *text;
		int major;
		const char *body; /* NULL: refused */
	} cases[] = {
		{"providers: {docker: {swarmMode: \"true\"}}", 2, "{\"swarm_mode\": true}"},
		{"providers: {docker: {swarmMode: yes}}", 2, "{}"},
		{"providers: {docker: {swarmMode: }}", 3, "{}"},
		{"providers: {docker: , swarm: }", 3, "{}"},
		{"providers: {swarm: {}}", 3, "{\"swarm_mode\": true}"},
		{"providers: {swarm: {swarmModeRefreshSeconds: 5}}", 3,
		 "{\"swarm_mode\": true, \"v2_keys\": {\"swarm.swarmModeRefreshSeconds\": \"5\"}}"},
		{"", 3, "{}"},
		{"a: &x true\nproviders: {docker: {swarmMode: *x}}", 2, NULL},
		{"a: &x {docker: {}}\nproviders: *x", 2, NULL},
		{"a: &x {docker: {}}\nproviders: {<<: *x}", 2, NULL},
		{"providers: {docker: true}", 2, NULL},
		{"providers: [", 2, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct err err = {0};
		json_t *s = NULL;
		int rc = static_read_yaml(cases[i].text, strlen(cases[i].text), &s, &err);
		assert_int_equal(rc, cases[i].body ? 0 : -1);
		if (rc == 0)
			assert_body(s, cases[i].major, cases[i].body);
		else
			assert_true(err.msg[0] != '\0');
	}
}

/* Where */

struct container_files {
	const char *present[3];
	struct str asked;
};

static int exists(void *arg, const char *path, bool *yes, struct err *err)
{
	struct container_files *f = arg;

	(void)err;
	str_addf(&f->asked, "%s ", path);
	*yes = false;
	for (size_t i = 0; i < ARRAY_SIZE(f->present); i++)
		*yes = *yes || str_eq(f->present[i], path);
	return 0;
}

static void test_locate(void **state)
{
	(void)state;
	static const struct {
		const char *container, *present;
		enum static_source source;
		const char *path;
	} cases[] = {
		{"{\"Args\": [\"--configFile=/a.yml\"]}", "/a.yml", STATIC_FILE, "/a.yml"},
		{"{\"Args\": [\"--configfile\", \"conf/a.yml\"], \"Config\": {\"WorkingDir\": \"/w\"}}",
		 "/w/conf/a.yml", STATIC_FILE, "/w/conf/a.yml"},
		{"{\"Args\": [\"--configFile=./a.toml\"]}", "/a.toml", STATIC_TOML, "/a.toml"},
		{"{\"Args\": [\"--configFile=/gone.yml\"]}", "/etc/traefik/traefik.yaml", STATIC_FILE,
		 "/etc/traefik/traefik.yaml"},
		/* A file wins over flags, which are then not read at all. */
		{"{\"Args\": [\"--providers.docker=true\"]}", "/etc/traefik/traefik.yml", STATIC_FILE,
		 "/etc/traefik/traefik.yml"},
		{"{\"Config\": {\"Env\": [\"HOME=/home/t\"]}}", "/home/t/.config/traefik.yml", STATIC_FILE,
		 "/home/t/.config/traefik.yml"},
		{"{\"Config\": {\"Env\": [\"XDG_CONFIG_HOME=/x\"]}}", "/x/traefik.toml", STATIC_TOML,
		 "/x/traefik.toml"},
		{"{\"Config\": {\"WorkingDir\": \"/srv\"}}", "/srv/traefik.yml", STATIC_FILE, "/srv/traefik.yml"},
		{"{\"Args\": [\"--api\"], \"Config\": {\"Env\": [\"TRAEFIK_API=true\"]}}", NULL, STATIC_FLAGS, NULL},
		{"{\"Args\": [], \"Config\": {\"Env\": [\"TRAEFIK_API=true\"]}}", NULL, STATIC_ENV, NULL},
		{"{\"Args\": [\"traefik\"], \"Config\": {\"Env\": [\"PATH=/bin\"]}}", NULL, STATIC_NOTHING, NULL},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_json_ json_t *container = parse(cases[i].container);
		struct container_files f = {.present = {cases[i].present}};
		_cleanup_free_ char *path = NULL;
		enum static_source source;
		struct err err;
		assert_int_equal(static_locate(container, exists, &f, &source, &path, &err), 0);
		assert_int_equal(source, cases[i].source);
		if (!str_eq(path, cases[i].path))
			fail_msg("%s: %s, asked for %s", cases[i].container, path, str_cstr(&f.asked));
		str_free(&f.asked);
	}
}

static void test_host_path(void **state)
{
	(void)state;
	_cleanup_json_ json_t *c =
		parse("{\"Mounts\": ["
		      "{\"Source\": \"/opt/t\", \"Destination\": \"/etc/traefik/\"},"
		      "{\"Source\": \"/opt/one.yml\", \"Destination\": \"/etc/traefik/traefik.yml\"},"
		      "{\"Source\": \"\", \"Destination\": \"/tmp\"},"
		      "{\"Source\": \"/opt/e\", \"Destination\": \"/etc\"}]}");
	static const struct {
		const char *inside, *path;
		bool single;
	} cases[] = {
		{"/etc/traefik/traefik.yml", "/opt/one.yml", true},
		{"/etc/traefik/other.yml", "/opt/t/other.yml", false},
		{"/etc/traefikx/a.yml", "/opt/e/traefikx/a.yml", false},
		{"/tmp/a.yml", NULL, false},
		{"/a.yml", NULL, false},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		_cleanup_free_ char *path = NULL;
		bool single = false;
		assert_int_equal(static_host_path(c, cases[i].inside, &path, &single), cases[i].path != NULL);
		assert_true(str_eq(path, cases[i].path));
		assert_int_equal(single, cases[i].single);
	}
}

static void test_by_hand_is_complete(void **state)
{
	(void)state;
	for (int s = 0; s < STATIC_N_SOURCES; s++)
		for (int major = 2; major <= 4; major++)
			for (int on = 0; on < 2; on++) {
				_cleanup_free_ char *text = static_by_hand((enum static_source)s, major, on);
				assert_true(strlen(text) > 10);
			}
}

/* Archives */

static size_t add_member(char *tar, char type, const char *size, const char *content)
{
	memset(tar, 0, 1024);
	snprintf(tar, 100, "traefik.yml");
	snprintf(tar + 124, 12, "%s", size);
	snprintf(tar + 136, 12, "%s", "15300143455");
	tar[156] = type;
	memcpy(tar + 257, "ustar", 5);
	memcpy(tar + 512, content, strlen(content));
	return 1024;
}

static void test_archive(void **state)
{
	(void)state;
	char tar[4096] = {0};
	struct archive_file f;
	struct err err;

	size_t n = add_member(tar, '0', "00000000005", "hello");
	assert_int_equal(archive_read(tar, n, &f, &err), 0);
	assert_int_equal(f.len, 5);
	assert_memory_equal(f.data, "hello", 5);
	assert_int_equal(f.mtime, 015300143455);

	n = add_member(tar, 'x', "00000000012", "10 a=b\n\n");
	n += add_member(tar + n, '0', "00000000002", "ok");
	assert_int_equal(archive_read(tar, n, &f, &err), 0);
	assert_memory_equal(f.data, "ok", 2);

	n = add_member(tar, '2', "00000000000", "");
	assert_int_equal(archive_read(tar, n, &f, &err), -1);
	assert_non_null(strstr(err.msg, "symbolic link"));
	n = add_member(tar, '5', "00000000000", "");
	assert_int_equal(archive_read(tar, n, &f, &err), -1);
	assert_non_null(strstr(err.msg, "directory"));
	n = add_member(tar, '0', "00000002000", "cut off");
	assert_int_equal(archive_read(tar, n, &f, &err), -1);
	n = add_member(tar, '0', "0000000000x", "");
	assert_int_equal(archive_read(tar, n, &f, &err), -1);
	assert_int_equal(archive_read(tar, 0, &f, &err), -1);
	assert_int_equal(archive_read("{\"message\":\"no\"}", 16, &f, &err), -1);
}

/* Logs and backups */

static void assert_last_line(const char *logs, size_t n, const char *expected)
{
	_cleanup_free_ char *line = traefik_last_log_line(logs, n);
	assert_string_equal(line, expected);
}

static void test_last_log_line(void **state)
{
	(void)state;
	static const char framed[] = "\1\0\0\0\0\0\0\6first\n\2\0\0\0\0\0\0\12"
				     "boom: bad\n";
	static const char cut[] = "\2\0\0\0\0\0\1\0"
				  "half";
	static const char tty[] = "one\r\n\033[90mtwo\033[0m \033[31mERR\033[0m three\r\n\r\n\n";

	assert_last_line(framed, sizeof(framed) - 1, "boom: bad");
	assert_last_line(cut, sizeof(cut) - 1, "half");
	assert_last_line(tty, sizeof(tty) - 1, "two ERR three");
	assert_last_line("", 0, "");
	assert_last_line("\n\n", 2, "");
}

static void test_backups(void **state)
{
	(void)state;
	static const char *const names[] = {
		"traefik-edge-20260105T100000Z.yml",   "traefik-edge-20260105T100001Z.yml",
		"traefik-edge-2-20270105T100000Z.yml", "traefik-edge-20290105T100000Z.yml.tmp",
		"traefik-edge-2028010.T100000Z.yml",   "notes"};
	char dir[] = "/tmp/traefik-backups.XXXXXX";
	struct err err;

	assert_non_null(mkdtemp(dir));
	assert_null(traefik_newest_backup(dir, "edge"));
	assert_null(traefik_newest_backup("/nonexistent", "edge"));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, names[i]);
		assert_int_equal(file_write_atomic(path, "x", 1, 0600, &err), 0);
	}
	_cleanup_free_ char *newest = traefik_newest_backup(dir, "edge"), *other = traefik_newest_backup(dir, "edge-2");
	_cleanup_free_ char *expected = xasprintf("%s/%s", dir, names[1]);
	_cleanup_free_ char *made = traefik_backup_path(dir, "traefik", "edge", 1767607201);
	assert_string_equal(newest, expected);
	assert_string_equal(made, expected);
	assert_non_null(strstr(other, names[2]));
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, names[i]);
		unlink(path);
	}
	assert_int_equal(rmdir(dir), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_flags),
		cmocka_unit_test(test_environment),
		cmocka_unit_test(test_toml),
		cmocka_unit_test(test_yaml),
		cmocka_unit_test(test_locate),
		cmocka_unit_test(test_host_path),
		cmocka_unit_test(test_by_hand_is_complete),
		cmocka_unit_test(test_archive),
		cmocka_unit_test(test_last_log_line),
		cmocka_unit_test(test_backups),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
