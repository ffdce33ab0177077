/* Secrets from commands, files and variables of this machine: what is read, what is refused, what is said. */
#include "kinds/secret/secret.h"
#include "swarmtest.h"

#include "base/base64.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <sys/stat.h>
#include <unistd.h>

static const char *const content[][2] = {{"db.enc", "TOP-MARKER\n"}, {NULL, NULL}};
static char dir[] = "/tmp/secret-fetch.XXXXXX";

struct run {
	struct fixture f;
	struct settings *settings;
	struct cluster cluster;
};

static void run_free(struct run *r)
{
	secret_forget(&r->cluster);
	settings_free(r->settings);
	fixture_free(&r->f);
}

/* %s in settings: the directory of the test. */
static void run(struct run *r, const char *settings, const char *secret, const char *docs)
{
	_cleanup_free_ char *spec = xasprintf("secrets: { t: { %s } }\n", secret);
	_cleanup_str_ struct str text = {0};
	CLEANUP(diags_free) struct diags diags = {0};
	struct err err = {0};

	for (const char *p = settings, *at;; p = at + 2) {
		at = strstr(p, "%s");
		str_add(&text, p, at ? (size_t)(at - p) : strlen(p));
		if (!at)
			break;
		str_adds(&text, dir);
	}
	const struct spec_input in = {.name = "s.yaml", .text = str_cstr(&text), .len = text.len};
	if (settings_parse(&in, &r->settings, &diags, &err) < 0)
		fail_msg("%s: %s", str_cstr(&text), diags.list.v[0].message);
	r->f.content = content;
	fixture_load(&r->f, spec, docs ? docs : "{" MANAGER "}");
	r->cluster.settings = r->settings;
	struct fetch f = {.spec = r->f.spec, .cluster = &r->cluster, .snap = r->f.snap, .deadline = clock_ms() + 20000};
	assert_int_equal(secret_fetch(&f, &err), 0);
}

static void expect_content(struct run *r, const char *expected, size_t len)
{
	const char *why = "";
	const json_t *doc = snapshot_get(r->f.snap, "secret/t", &why);
	_cleanup_str_ struct str got = {0};

	if (!json_is_string(doc))
		fail_msg("not read: %s", why);
	assert_true(base64_decode(json_string_value(doc), json_string_length(doc), &got));
	assert_int_equal(got.len, len);
	assert_memory_equal(str_cstr(&got), expected, len);
}

static void expect_refusal(struct run *r, const char *expected)
{
	const char *why = "";

	assert_null(snapshot_get(r->f.snap, "secret/t", &why));
	expect_text(why, expected);
	/* Neither what the test files have in them, nor what its variables have. */
	assert_null(strstr(why, "MARKER"));
}

static void contents(void **state)
{
	static const struct {
		const char *settings, *secret, *content;
		size_t len;
	} cases[] = {
		{"commands: { x: [cat] }", "command: x, file: db.enc", "TOP-MARKER\n", 11},
		{"commands: { x: [printf, 'a\\0\\377\\n\\n'] }", "command: x, file: db.enc", "a\0\377\n\n", 5},
		{"commands: { x: [echo, 'p-{name}-{name}', '$$HOME'] }", "command: x, entry: a", "p-a-a $HOME\n", 12},
		/* Words on stderr are not part of it. */
		{"commands: { x: [sh, -c, 'echo warning >&2; echo s'] }", "command: x, file: db.enc", "s\n", 2},
		{"commands: { x: [pwd] }", "command: x, file: db.enc", "/\n", 2},
		/* A command that does not care for the file. */
		{"commands: { x: [sh, -c, 'exec <&-; echo s'] }", "command: x, file: db.enc", "s\n", 2},
		{"allow_env: [FETCH_A]", "environment: FETCH_A", "of A", 4},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys/db", "db\n", 3},
		{"allow_files: ['%s/keys/db']", "host_file: %s/keys/db", "db\n", 3},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys/sub/deep", "deep\n", 5},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys/inner", "db\n", 3},
		/* Another way to the same file; an entry that is itself a link. */
		{"allow_files: ['%s/keys/']", "host_file: %s/way/db", "db\n", 3},
		{"allow_files: ['%s/way/']", "host_file: %s/keys/db", "db\n", 3},
		{"allow_files: ['/nothing/there/', '%s/keys/']", "host_file: %s/keys/db", "db\n", 3},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(run_free) struct run r = {0};
		const char *at = strstr(cases[i].secret, "%s");
		_cleanup_free_ char *secret =
			at ? xasprintf("%.*s%s%s", (int)(at - cases[i].secret), cases[i].secret, dir, at + 2)
			   : xstrdup(cases[i].secret);
		run(&r, cases[i].settings, secret, NULL);
		expect_content(&r, cases[i].content, cases[i].len);
	}
}

static void refusals(void **state)
{
	static const struct {
		const char *settings, *secret, *why;
	} cases[] = {
		{"", "command: sops, file: db.enc",
		 "there is no command 'sops': name it under 'commands' in this machine's settings (s.yaml)"},
		{"commands: { x: [cat] }", "command: x, entry: a", "the command 'x' takes a 'file', not an entry"},
		{"commands: { x: [echo, '{name}'] }", "command: x, file: db.enc", "takes an 'entry', not a file"},
		{"commands: { x: [cat] }", "command: x, file: other", "reading 'other'"},
		{"commands: { x: [no-such-program-here] }", "command: x, file: db.enc",
		 "command 'x': start no-such-program-here: no such program in PATH"},
		{"commands: { x: [sh, -c, 'cat; cat >&2; exit 7', 'it''s'] }", "command: x, file: db.enc",
		 "the command 'x' failed with exit status 7; what it wrote is not shown, for it may be the secret: try "
		 "it by hand: sh -c 'cat; cat >&2; exit 7' 'it'\\''s' < db.enc"},
		{"commands: { x: [sh, -c, 'cat >&2; kill -9 $$$$'] }", "command: x, file: db.enc",
		 "the command 'x' was ended by signal 9"},
		{"commands: { x: ['true'] }", "command: x, file: db.enc", "it is empty, and Swarm refuses that"},
		{"commands: { x: [head, -c, '512000', /dev/zero] }", "command: x, file: db.enc",
		 "command 'x': head: more than 511999 bytes on stdout"},
		{"commands: { x: [head, -c, '10000000', /dev/zero] }", "command: x, file: db.enc",
		 "command 'x': head: more than 511999 bytes on stdout"},
		{"allow_env: [FETCH_A]", "environment: FETCH_B",
		 "the variable 'FETCH_B' is not allowed: name it in allow_env of this machine's settings (s.yaml), or "
		 "with --allow-env"},
		{"allow_env: [FETCH_C]", "environment: FETCH_C", "the environment variable 'FETCH_C' is not set"},
		{"allow_env: [FETCH_D]", "environment: FETCH_D", "it is empty"},
		{"", "host_file: %s/keys/db", "is not allowed: name it in allow_files of this machine's settings"},
		{"allow_files: ['%s/keys/']", "host_file: /etc/passwd", "is not, or does not lead to"},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys2/db", "is not, or does not lead to"},
		{"allow_files: ['%s/keys/d']", "host_file: %s/keys/db", "is not, or does not lead to"},
		{"allow_files: ['%s/keys']", "host_file: %s/keys/db", "is not, or does not lead to"},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys/out", "is not, or does not lead to"},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys/outdir/db", "is not, or does not lead to"},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys/sub", "is no regular file"},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys/", "is not, or does not lead to"},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys/pipe", "is no regular file"},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys/none", "No such file or directory"},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys/circle", "Too many levels of symbolic links"},
		{"allow_files: ['%s/keys/']", "host_file: %s/keys/large", "Swarm takes less than 512000 bytes"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(run_free) struct run r = {0};
		const char *at = strstr(cases[i].secret, "%s");
		_cleanup_free_ char *secret =
			at ? xasprintf("%.*s%s%s", (int)(at - cases[i].secret), cases[i].secret, dir, at + 2)
			   : xstrdup(cases[i].secret);
		run(&r, cases[i].settings, secret, NULL);
		expect_refusal(&r, cases[i].why);
	}
}

static void a_dry_run_looks_at_nothing(void **state)
{
	static const struct {
		const char *settings, *secret, *refused;
	} cases[] = {
		{"commands: { x: [touch, '%s/touched'] }", "command: x, file: db.enc", NULL},
		{"", "command: x, file: db.enc", "there is no command 'x'"},
		{"allow_env: [FETCH_A]", "environment: FETCH_A", NULL},
		{"", "environment: FETCH_A", "the variable 'FETCH_A' is not allowed"},
		{"allow_files: ['/nothing/']", "host_file: /somewhere/else", NULL},
		{"", "host_file: /somewhere/else", "'/somewhere/else' of this machine is not allowed"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		CLEANUP(run_free) struct run r = {.cluster.dry_run = true};
		run(&r, cases[i].settings, cases[i].secret, NULL);
		const json_t *doc = snapshot_get(r.f.snap, "secret/t", NULL);
		if (cases[i].refused)
			expect_text(json_str(doc, "refused"), cases[i].refused);
		else
			assert_true(json_is_null(doc));
	}
	_cleanup_free_ char *touched = xasprintf("%s/touched", dir);
	assert_int_equal(access(touched, F_OK), -1);
}

/* The name is keyed with the swarm's ID: without it the content would be asked for in vain. */
static void nothing_is_run_without_a_swarm(void **state)
{
	CLEANUP(run_free) struct run r = {0};
	_cleanup_free_ char *touched = xasprintf("%s/touched", dir);

	(void)state;
	run(&r, "commands: { x: [touch, '%s/touched'] }", "command: x, file: db.enc", "{" NO_SWARM "}");
	assert_int_equal(access(touched, F_OK), -1);
}

static void read_once_in_a_pass(void **state)
{
	CLEANUP(run_free) struct run r = {0};
	struct err err = {0};

	(void)state;
	run(&r, "commands: { x: [sh, -c, 'echo . >> %s/count; cat %s/count'] }", "command: x, file: db.enc", NULL);
	expect_content(&r, ".\n", 2);
	struct fetch f = {.spec = r.f.spec, .cluster = &r.cluster, .snap = r.f.snap, .deadline = clock_ms() + 20000};
	snapshot_put(r.f.snap, "secret/t", json_null());
	assert_int_equal(secret_fetch(&f, &err), 0);
	expect_content(&r, ".\n", 2);
	secret_forget(&r.cluster);
	assert_int_equal(secret_fetch(&f, &err), 0);
	expect_content(&r, ".\n.\n", 4);
}

static void environment_of_commands(void **state)
{
	CLEANUP(run_free) struct run r = {0};
	_cleanup_str_ struct str got = {0};
	const char *why;

	(void)state;
	run(&r, "commands: { x: [env] }\ncommand_env: [FETCH_B]", "command: x, file: db.enc", NULL);
	const json_t *doc = snapshot_get(r.f.snap, "secret/t", &why);
	assert_true(base64_decode(json_string_value(doc), json_string_length(doc), &got));
	assert_non_null(strstr(str_cstr(&got), "PATH="));
	assert_non_null(strstr(str_cstr(&got), "SOPS_X=1"));
	assert_non_null(strstr(str_cstr(&got), "FETCH_B=of B"));
	assert_null(strstr(str_cstr(&got), "FETCH_A"));
	assert_null(strstr(str_cstr(&got), "SOPSY"));
	assert_null(strstr(str_cstr(&got), "HOMER"));
}

static void write_file(const char *name, const char *text, size_t len)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	struct err err = {0};

	if (file_write_atomic(path, text, len, 0600, &err) < 0)
		fail_msg("%s", err.msg);
}

static void link_to(const char *target, const char *name)
{
	_cleanup_free_ char *path = xasprintf("%s/%s", dir, name);
	assert_int_equal(symlink(target, path), 0);
}

static int make_files(void **state)
{
	static const char *const dirs[] = {"keys", "keys2", "keys/sub"};
	_cleanup_free_ char *large = xcalloc(1, SECRET_LIMIT), *pipe = NULL;

	(void)state;
	assert_non_null(mkdtemp(dir));
	pipe = xasprintf("%s/keys/pipe", dir);
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		_cleanup_free_ char *path = xasprintf("%s/%s", dir, dirs[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	write_file("keys/db", "db\n", 3);
	write_file("keys2/db", "MARKER\n", 7);
	write_file("keys/sub/deep", "deep\n", 5);
	write_file("keys/large", large, SECRET_LIMIT);
	link_to("db", "keys/inner");
	link_to("../keys2/db", "keys/out");
	link_to("../keys2", "keys/outdir");
	link_to("circle", "keys/circle");
	link_to("keys", "way");
	assert_int_equal(mkfifo(pipe, 0600), 0);
	setenv("FETCH_A", "of A", 1);
	setenv("FETCH_B", "of B", 1);
	setenv("FETCH_D", "", 1);
	setenv("SOPS_X", "1", 1);
	setenv("SOPSY", "1", 1);
	setenv("HOMER", "1", 1);
	unsetenv("FETCH_C");
	return 0;
}

static int remove_files(void **state)
{
	_cleanup_proc_result_ struct proc_result r = {0};
	const struct proc_options o = {.argv = (const char *const[]){"rm", "-r", dir, NULL},
				       .deadline = clock_ms() + 5000};
	struct err err = {0};

	(void)state;
	return proc_run_checked(&o, &r, &err);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(contents),
		cmocka_unit_test(refusals),
		cmocka_unit_test(a_dry_run_looks_at_nothing),
		cmocka_unit_test(nothing_is_run_without_a_swarm),
		cmocka_unit_test(read_once_in_a_pass),
		cmocka_unit_test(environment_of_commands),
	};
	json_init();
	return cmocka_run_group_tests(tests, make_files, remove_files);
}
