/* This machine's settings. */
#include "load.h"

#include "spec/settings.h"

static struct settings *parse(const char *text)
{
	const struct spec_input in = {.name = "s.yaml", .text = text, .len = strlen(text)};
	struct loaded l = {.arena = arena_new()};
	struct settings *s = NULL;
	struct err err = {0};

	if (settings_parse(&in, &s, &l.diags, &err) < 0) {
		_cleanup_free_ char *found = findings(&l);
		fail_msg("%s\n%s", err.msg, found);
	}
	unload(&l);
	return s;
}

static void assert_list(const char *const *list, const char *joined)
{
	_cleanup_str_ struct str s = {0};

	for (; *list; list++)
		str_addf(&s, "%s%s", s.len ? " " : "", *list);
	assert_string_equal(str_cstr(&s), joined);
}

static void everything(void **state)
{
	struct settings *s = parse("repo: https://git.example.net/infra.git\n"
				   "ref: main\n"
				   "path: shop/cluster.yaml\n"
				   "docker_host: tcp://10.0.0.84:2376\n"
				   "state_dir: /srv/state\n"
				   "allow_env: [TOKEN, TAG]\n"
				   "allow_files: [/run/keys/, /etc/token]\n"
				   "command_env: [VAULT_ADDR]\n"
				   "commands:\n"
				   "  age: [age, -d, -i, /etc/reconcile/age.key]\n"
				   "  pass: [pass, show, \"{name}\"]\n");

	(void)state;
	assert_string_equal(s->file, "s.yaml");
	assert_string_equal(s->repo, "https://git.example.net/infra.git");
	assert_string_equal(s->ref, "main");
	assert_string_equal(s->path, "shop/cluster.yaml");
	assert_null(s->spec);
	assert_string_equal(s->docker_host, "tcp://10.0.0.84:2376");
	assert_string_equal(s->state_dir, "/srv/state");
	assert_list(s->allow_files, "/run/keys/ /etc/token");
	assert_list(s->command_env, "VAULT_ADDR");
	assert_list(settings_command(s, "age")->argv, "age -d -i /etc/reconcile/age.key");
	assert_false(settings_command(s, "age")->takes_entry);
	assert_list(settings_command(s, "pass")->argv, "pass show {name}");
	assert_true(settings_command(s, "pass")->takes_entry);
	assert_null(settings_command(s, "sops"));
	settings_allow_env(s, "MORE");
	assert_list(s->allow_env, "TOKEN TAG MORE");
	assert_true(settings_allows_env(s, "MORE"));
	assert_false(settings_allows_env(s, "MOR"));
	settings_free(s);
}

static void nothing(void **state)
{
	static const char *const texts[] = {"", "\n", "# only a comment\n", "{}\n", NULL};

	(void)state;
	for (size_t i = 0; texts[i]; i++) {
		struct settings *s = parse(texts[i]);
		assert_list(s->allow_env, "");
		assert_list(s->allow_files, "");
		assert_null(settings_command(s, "age"));
		settings_free(s);
	}
	struct settings *none = settings_none();
	assert_null(none->file);
	settings_allow_env(none, "A");
	assert_true(settings_allows_env(none, "A"));
	settings_free(none);
	assert_null(settings_command(NULL, "age"));
	assert_false(settings_allows_env(NULL, "A"));
	settings_free(NULL);
}

static void broken(void **state)
{
	static const struct {
		const char *text, *findings;
	} rows[] = {
		{"repos: x\ncommand: { a: b }\n", "1:1 unknown key 'repos'; did you mean 'repo'?\n"
						  "2:1 unknown key 'command'; did you mean 'commands'?"},
		{"ref: main\n", "1:1 'ref' needs the key 'repo' beside it"},
		{"repo: x\nspec: /y\n", "2:1 write either 'spec' or 'repo'"},
		{"spec: ./here\n", "1:7 expected an absolute path such as /opt/data, without '..', found './here'"},
		{"allow_files: [/run/../etc/shadow]\n",
		 "1:15 expected an absolute path such as /opt/data, without '..', found '/run/../etc/shadow'"},
		{"allow_env: [\"A B\"]\n",
		 "1:13 expected a variable's name: letters, digits and '_', not a digit first, found 'A B'"},
		{"commands: { x: [\"{name}\", show] }\n",
		 "1:17 command 'x': a spec would choose the program: {name} stands for an argument"},
		{"commands: { x: [\"\"] }\n", "1:17 command 'x': the program has no name"},
		{"commands: { x: [] }\n", "1:16 expected at least 1 entry, found 0"},
		{"commands: { x: age -d }\n", "1:16 expected a list, found 'age -d'"},
		{"commands: [age]\n", "1:11 expected a map, found a list"},
		{"[]\n", "1:1 expected a map, found a list"},
		{"spec: /x\nspec: /y\n", "2:1 key 'spec' is already on line 1"},
	};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct spec_input in = {.name = "s.yaml", .text = rows[i].text, .len = strlen(rows[i].text)};
		struct loaded l = {.arena = arena_new()};
		struct settings *s = NULL;
		struct err err = {0};
		assert_int_equal(settings_parse(&in, &s, &l.diags, &err), -1);
		assert_int_equal(err.code, ERR_USAGE);
		assert_null(s);
		assert_findings(&l, rows[i].findings);
		unload(&l);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(everything),
		cmocka_unit_test(nothing),
		cmocka_unit_test(broken),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
