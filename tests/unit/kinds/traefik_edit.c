#include "kinds/traefik/edit.h"
#include "kinds/traefik/static.h"
#include "sys/file.h"

#include <glob.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static const struct static_goal v2_on = {2, true, NULL}, v2_off = {2, false, NULL}, v3_on = {3, true, NULL},
				v3_off = {3, false, NULL};

struct edit_case {
	const char *name;
	const struct static_goal *goal;
	const char *in, *out; /* out NULL: refused, in is kept */
	const char *error;    /* part of the refusal */
};

static const struct edit_case cases[] = {
	{"v2: false becomes true", &v2_on, "providers:\n  docker:\n    swarmMode: false # off\n",
	 "providers:\n  docker:\n    swarmMode: true # off\n", NULL},
	{"v2: true becomes false", &v2_off, "providers: {docker: {swarmMode: True}}\n",
	 "providers: {docker: {swarmMode: false}}\n", NULL},
	{"v2: already true", &v2_on, "providers:\n  docker:\n    swarmMode: T",
	 "providers:\n  docker:\n    swarmMode: T", NULL},
	{"v2: off and never mentioned", &v2_off, "log: {}\n", "log: {}\n", NULL},
	{"v2: quoted", &v2_on, "providers: {docker: {\"swarmMode\":\"false\"}}",
	 "providers: {docker: {\"swarmMode\":true}}", NULL},
	{"v2: a word Traefik cannot read", &v2_on, "providers:\n  docker:\n    swarmMode: \"no\"\n",
	 "providers:\n  docker:\n    swarmMode: true\n", NULL},
	{"v2: null value", &v2_on, "providers:\n  docker:\n    swarmMode:\n    watch: true\n",
	 "providers:\n  docker:\n    swarmMode: true\n    watch: true\n", NULL},
	{"v2: after the line of docker, before the comment of its first key", &v2_on,
	 "# static\nproviders:\n  docker: # local\n    # where\n    endpoint: unix:///x\n\n  file: {}\n",
	 "# static\nproviders:\n  docker: # local\n    swarmMode: true\n    # where\n    endpoint: unix:///x\n\n  "
	 "file: {}\n",
	 NULL},
	{"v2: four spaces, CRLF", &v2_on, "providers:\r\n    docker:\r\n        watch: true\r\n",
	 "providers:\r\n    docker:\r\n        swarmMode: true\r\n        watch: true\r\n", NULL},
	{"v2: BOM and emoji", &v2_on,
	 "\xef\xbb\xbf# \xf0\x9f\x90\x8b\nproviders:\n  docker: # \xf0\x9f\x90\x8b\xf0\x9f\x90\x8b\n    network: "
	 "\xf0\x9f\x90\x8b\n    swarmMode: false\n",
	 "\xef\xbb\xbf# \xf0\x9f\x90\x8b\nproviders:\n  docker: # \xf0\x9f\x90\x8b\xf0\x9f\x90\x8b\n    network: "
	 "\xf0\x9f\x90\x8b\n    swarmMode: true\n",
	 NULL},
	{"v2: BOM, first line is the place", &v2_on, "\xef\xbb\xbfproviders: {}\n",
	 "\xef\xbb\xbfproviders: {docker: {exposedByDefault: false, swarmMode: true}}\n", NULL},
	{"v2: empty flow mapping", &v2_on, "providers:\n  docker: {}\n", "providers:\n  docker: {swarmMode: true}\n",
	 NULL},
	{"v2: flow with members", &v2_on, "providers: {docker: {endpoint: x}, file: {}}\n",
	 "providers: {docker: {swarmMode: true, endpoint: x}, file: {}}\n", NULL},
	{"v2: flow over lines", &v2_on, "providers:\n  docker: {\n    endpoint: x,\n  }\n",
	 "providers:\n  docker: {swarmMode: true,\n    endpoint: x,\n  }\n", NULL},
	{"v2: JSON", &v2_on, "{\"providers\": {\"docker\": {\"watch\": true}}}",
	 "{\"providers\": {\"docker\": {\"swarmMode\": true, \"watch\": true}}}", NULL},
	{"v2: docker without a value", &v2_on, "providers:\n  docker:\n  file: {}\n",
	 "providers:\n  docker:\n    exposedByDefault: false\n    swarmMode: true\n  file: {}\n", NULL},
	{"v2: docker is ~", &v2_on, "providers:\n  docker: ~\n",
	 "providers:\n  docker: {exposedByDefault: false, swarmMode: true}\n", NULL},
	{"v2: docker missing", &v2_on, "providers:\n  file: {}\napi: {}\n",
	 "providers:\n  docker:\n    exposedByDefault: false\n    swarmMode: true\n  file: {}\napi: {}\n", NULL},
	{"v2: providers without a value", &v2_on, "api: {}\nproviders:",
	 "api: {}\nproviders:\n  docker:\n    exposedByDefault: false\n    swarmMode: true\n", NULL},
	{"v2: providers missing, no last line break", &v2_on, "api: {}",
	 "api: {}\nproviders:\n  docker:\n    exposedByDefault: false\n    swarmMode: true\n", NULL},
	{"v2: providers missing, document ended", &v2_on, "---\napi: {}\n...\n",
	 "---\nproviders:\n  docker:\n    exposedByDefault: false\n    swarmMode: true\napi: {}\n...\n", NULL},
	{"v2: providers missing, last value is a block scalar", &v2_on, "log:\n  format: |\n    x",
	 "providers:\n  docker:\n    exposedByDefault: false\n    swarmMode: true\nlog:\n  format: |\n    x", NULL},
	{"v2: empty file", &v2_on, "", "providers:\n  docker:\n    exposedByDefault: false\n    swarmMode: true\n",
	 NULL},
	{"v2: comments only", &v2_on, "# nothing\n",
	 "# nothing\nproviders:\n  docker:\n    exposedByDefault: false\n    swarmMode: true\n", NULL},
	{"v2: spelling is Traefik's, case does not count", &v2_on, "Providers:\n DOCKER:\n  swarmmode: FALSE\n",
	 "Providers:\n DOCKER:\n  swarmmode: true\n", NULL},
	{"v2: tab after the colon", &v2_on, "providers:\n  docker:\t# x\n    swarmMode:\tfalse\t# y\n",
	 "providers:\n  docker:\t# x\n    swarmMode:\ttrue\t# y\n", NULL},
	{"v2: anchor on docker", &v2_on, "providers:\n  docker: &d\n    watch: true\nx: *d\n", NULL, "line 2"},
	{"v2: alias for docker", &v2_on, "x: &d {watch: true}\nproviders:\n  docker: *d\n", NULL, "line 3"},
	{"v2: merge key in docker", &v2_on, "x: &d {a: b}\nproviders:\n  docker:\n    <<: *d\n", NULL, "merge key"},
	{"v2: merge key at the top", &v2_on, "x: &d {a: b}\n<<: *d\n", NULL, "merge key"},
	{"v2: alias for the value", &v2_on, "x: &t true\nproviders: {docker: {swarmMode: *t}}\n", NULL, "line 2"},
	{"v2: anchor elsewhere", &v2_on, "x: &t true\ny: *t\nproviders: {docker: {}}\n",
	 "x: &t true\ny: *t\nproviders: {docker: {swarmMode: true}}\n", NULL},
	{"v2: tag", &v2_on, "providers: !!map\n  docker: {}\n", NULL, "line 1"},
	{"v2: docker is a scalar", &v2_on, "providers:\n  docker: true\n", NULL, "not a mapping"},
	{"v2: duplicate key", &v2_on, "providers:\n  docker: {}\n  docker: {}\n", NULL, "line 3: duplicate"},
	{"v2: two spellings", &v2_on, "providers:\n  docker: {}\n  Docker: {}\n", NULL, "spelling"},
	{"v2: second document", &v2_on, "api: {}\n---\napi: {}\n", NULL, "line 3"},
	{"v2: tab as indentation", &v2_on, "providers:\n\tdocker: {}\n", NULL, "line 2"},
	{"v2: UTF-16", &v2_on,
	 "\xff\xfe"
	 "a",
	 NULL, ""},

	{"v3: beside a docker provider", &v3_on,
	 "providers:\n  docker:\n    endpoint: \"tcp://proxy:2375\"\n    exposedByDefault: true\n    network: web\n",
	 "providers:\n  swarm:\n    endpoint: \"tcp://proxy:2375\"\n    exposedByDefault: true\n  docker:\n    "
	 "endpoint: \"tcp://proxy:2375\"\n    exposedByDefault: true\n    network: web\n",
	 NULL},
	{"v3: swarmMode false is removed", &v3_on,
	 "providers:\n  docker:\n    swarmMode: false # v2\n    watch: true\n",
	 "providers:\n  swarm:\n    exposedByDefault: false\n  docker:\n    watch: true\n", NULL},
	{"v3: swarmMode false was all", &v3_on, "providers:\n  docker: # local\n    swarmMode: false\n",
	 "providers:\n  swarm:\n    exposedByDefault: false\n  docker: {} # local\n", NULL},
	{"v3: a docker provider in swarm mode becomes swarm", &v3_on,
	 "providers:\n  docker:\n    swarmMode: true\n    swarmModeRefreshSeconds: 5\n    network: web # overlay\n",
	 "providers:\n  swarm:\n    refreshSeconds: 5\n    network: web # overlay\n", NULL},
	{"v3: the same in flow style", &v3_on, "{providers: {\"docker\": {network: web, swarmMode: true}}}",
	 "{providers: {\"swarm\": {network: web}}}", NULL},
	{"v3: the same, nothing else", &v3_on, "providers: {docker: {swarmMode: true}}", "providers: {swarm: {}}",
	 NULL},
	{"v3: swarm is there, v2 keys left", &v3_on,
	 "providers:\n  swarm: {}\n  docker: {swarmMode: false, swarmModeRefreshSeconds: 5, watch: true}\n",
	 "providers:\n  swarm: {}\n  docker: {watch: true}\n", NULL},
	{"v3: swarm without a value", &v3_on, "providers:\n  swarm:\n",
	 "providers:\n  swarm:\n    exposedByDefault: false\n", NULL},
	{"v3: in sync", &v3_on, "providers:\n  swarm:\n    network: a\n", "providers:\n  swarm:\n    network: a\n",
	 NULL},
	{"v3: nothing there", &v3_on, "api: {}\n", "api: {}\nproviders:\n  swarm:\n    exposedByDefault: false\n",
	 NULL},
	{"v3: credentials", &v3_on, "providers:\n  docker:\n    endpoint: tcp://x\n    tls: {ca: x}\n", NULL, "line 4"},
	{"v3: off removes what v3 refuses", &v3_off, "providers:\n  docker:\n    swarmMode: false\n    watch: true\n",
	 "providers:\n  docker:\n    watch: true\n", NULL},
	{"v3: off with a provider", &v3_off, "providers:\n  swarm: {}\n", NULL, "by hand"},
	{"v3: off as it was added", &v3_off,
	 "providers:\n  swarm:\n    endpoint: \"tcp://proxy:2375\"\n    exposedByDefault: true\n  docker:\n    "
	 "endpoint: \"tcp://proxy:2375\"\n    exposedByDefault: true\n    network: web\n",
	 "providers:\n  docker:\n    endpoint: \"tcp://proxy:2375\"\n    exposedByDefault: true\n    network: web\n",
	 NULL},
	{"v3: off as it was added, last", &v3_off,
	 "providers:\n  docker: {} # all\n  # more\n  swarm:\n    exposedByDefault: false\n\nlog: {}\n",
	 "providers:\n  docker: {} # all\n  # more\n\nlog: {}\n", NULL},
	{"v3: off in flow style", &v3_off, "providers: {docker: {watch: true}, swarm: {exposedByDefault: false}}\n",
	 "providers: {docker: {watch: true}}\n", NULL},
	{"v3: off with a network of its own", &v3_off,
	 "providers:\n  docker:\n    network: a\n  swarm:\n    network: b\n", NULL, "its settings would be lost"},
	{"v3: off with a comment", &v3_off, "providers:\n  docker: {}\n  swarm: # mine\n    exposedByDefault: false\n",
	 NULL, "do it by hand"},
};

/* Undoing the recorded splices from the last to the first gives the original: nothing else was touched. */
static void check_undo(const char *in, size_t len, const struct static_edit *e)
{
	_cleanup_str_ struct str s = {0};

	str_add(&s, str_cstr(&e->text), e->text.len);
	for (size_t i = e->splices.n; i > 0; i--) {
		const struct static_splice *p = &e->splices.v[i - 1];
		_cleanup_str_ struct str before = {0};
		assert_true(p->at + p->inserted_len <= s.len);
		assert_memory_equal(str_cstr(&s) + p->at, p->inserted, p->inserted_len);
		str_add(&before, str_cstr(&s), p->at);
		str_add(&before, p->removed, p->removed_len);
		str_add(&before, str_cstr(&s) + p->at + p->inserted_len, s.len - p->at - p->inserted_len);
		struct str old = s;
		s = before;
		before = old;
	}
	assert_int_equal(s.len, len);
	assert_memory_equal(str_cstr(&s), in, len);
}

/* Read again by another path than the edit's own check, the goal is reached, and there is nothing left to do. */
static void check_result(const char *in, size_t len, const struct static_goal *goal, const struct static_edit *e)
{
	struct static_edit again = {0};
	struct err err = {0};
	json_t *state;

	check_undo(in, len, e);
	assert_int_equal(static_read_yaml(str_cstr(&e->text), e->text.len, &state, &err), 0);
	_cleanup_json_ json_t *body = static_body(state, goal->major);
	json_decref(state);
	assert_int_equal(json_bool(body, "swarm_mode"), goal->swarm_mode);
	assert_null(json_object_get(body, "v2_keys"));
	assert_int_equal(static_edit(str_cstr(&e->text), e->text.len, goal, &again, &err), 0);
	assert_int_equal(again.splices.n, 0);
	static_edit_free(&again);
}

static void test_cases(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct edit_case *c = &cases[i];
		struct static_edit e = {0};
		struct err err = {0};
		int rc = static_edit(c->in, strlen(c->in), c->goal, &e, &err);
		if ((rc == 0) != (c->out != NULL) || (c->out && strcmp(str_cstr(&e.text), c->out) != 0) ||
		    (c->error && !strstr(err.msg, c->error)))
			fail_msg("%s: gave %d (%s)\n%s", c->name, rc, err.msg, str_cstr(&e.text));
		if (rc == 0)
			check_result(c->in, strlen(c->in), c->goal, &e);
		static_edit_free(&e);
	}
}

/* The files that the fuzzer starts from (tests/fuzz): realistic ones, all goals. */
static void test_corpus(void **state)
{
	static const struct static_goal *const goals[] = {&v2_on, &v2_off, &v3_on, &v3_off};
	size_t edited = 0;
	glob_t g;

	(void)state;
	assert_int_equal(glob("tests/fuzz/corpus/traefik_edit/*", 0, NULL, &g), 0);
	assert_true(g.gl_pathc >= 30);
	for (size_t i = 0; i < g.gl_pathc * ARRAY_SIZE(goals); i++) {
		_cleanup_str_ struct str text = {0};
		struct static_edit e = {0};
		struct err err = {0};
		assert_int_equal(file_read(g.gl_pathv[i / ARRAY_SIZE(goals)], 65536, &text, &err), 0);
		if (static_edit(str_cstr(&text), text.len, goals[i % ARRAY_SIZE(goals)], &e, &err) < 0)
			continue;
		edited += e.splices.n > 0;
		check_result(str_cstr(&text), text.len, goals[i % ARRAY_SIZE(goals)], &e);
		static_edit_free(&e);
	}
	assert_true(edited >= 50);
	globfree(&g);
}

static uint32_t next_random(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void mutate(struct str *s, uint32_t *seed)
{
	static const char *const bits[] = {"\n",
					   "\r\n",
					   "  ",
					   ": ",
					   "{",
					   "}",
					   "#",
					   "'",
					   "\"",
					   "- ",
					   "&a ",
					   "*a",
					   "swarmMode: true",
					   "docker:",
					   "providers:",
					   "swarm:",
					   "\t",
					   ",",
					   "|\n",
					   "\xf0\x9f\x90\x8b",
					   "~",
					   "---\n",
					   "<<"};
	_cleanup_str_ struct str out = {0};
	size_t at = s->len ? next_random(seed) % s->len : 0, cut = next_random(seed) % 4;
	const char *bit = bits[next_random(seed) % ARRAY_SIZE(bits)];

	if (next_random(seed) % 3 == 0)
		bit = "";
	cut = at + cut > s->len ? s->len - at : cut;
	str_add(&out, str_cstr(s), at);
	str_adds(&out, bit);
	str_add(&out, str_cstr(s) + at + cut, s->len - at - cut);
	struct str old = *s;
	*s = out;
	out = old;
}

/* Damaged variants of the cases: refused, or right; never half right. */
static void test_mutations(void **state)
{
	static const struct static_goal *const goals[] = {&v2_on, &v2_off, &v3_on, &v3_off};
	uint32_t seed = 20260105;
	size_t edited = 0, refused = 0;

	(void)state;
	for (size_t round = 0; round < 6000; round++) {
		_cleanup_str_ struct str s = {0};
		struct static_edit e = {0};
		struct err err = {0};
		const struct static_goal *goal = goals[next_random(&seed) % ARRAY_SIZE(goals)];
		str_adds(&s, cases[round % ARRAY_SIZE(cases)].in);
		for (size_t n = 1 + next_random(&seed) % 3; n > 0; n--)
			mutate(&s, &seed);
		if (static_edit(str_cstr(&s), s.len, goal, &e, &err) == 0) {
			edited += e.splices.n > 0;
			check_result(str_cstr(&s), s.len, goal, &e);
		} else {
			refused++;
			assert_true(err.msg[0] != '\0');
		}
		static_edit_free(&e);
	}
	/* The mutations are worth something only when both outcomes are common. */
	assert_true(edited > 500);
	assert_true(refused > 500);
}

static void test_entrypoints(void **state)
{
	static const struct {
		const char *in, *out, *error;
	} edits[] = {
		{"entryPoints:\n  web:\n    address: :80 # all\nproviders: {docker: {swarmMode: true}}\n",
		 "entryPoints:\n  web:\n    address: :80 # all\n  ollama:\n    address: \":11434\"\n"
		 "providers: {docker: {swarmMode: true}}\n",
		 NULL},
		{"entrypoints: {Ollama: {address: ':11434'}}\nproviders: {docker: {swarmMode: true}}\n",
		 "entrypoints: {Ollama: {address: ':11434'}}\nproviders: {docker: {swarmMode: true}}\n", NULL},
		/* The one that Traefik has by itself stays. */
		{"providers: {docker: {swarmMode: false}}",
		 "providers: {docker: {swarmMode: true}}\nentryPoints:\n  http:\n    address: \":80\"\n  ollama:\n"
		 "    address: \":11434\"\n",
		 NULL},
		{"entryPoints:\nproviders: {docker: {swarmMode: true}}\n",
		 "entryPoints:\n  http:\n    address: \":80\"\n  ollama:\n    address: \":11434\"\n"
		 "providers: {docker: {swarmMode: true}}\n",
		 NULL},
		{"entryPoints: {ollama: {address: ':1'}}\n", NULL, "with another address"},
		{"entryPoints: {ollama: {}}\n", NULL, "with another address"},
		{"entryPoints: {web: {address: ':80'}}\n", NULL, "not written as a mapping of lines"},
	};
	_cleanup_json_ json_t *entrypoints = json_pack("{s:s}", "ollama", ":11434");
	const struct static_goal goal = {2, true, entrypoints};

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(edits); i++) {
		struct static_edit e = {0};
		struct err err = {0};
		int rc = static_edit(edits[i].in, strlen(edits[i].in), &goal, &e, &err);
		if ((rc == 0) != (edits[i].out != NULL) || (rc < 0 && !strstr(err.msg, edits[i].error)))
			fail_msg("%zu: %d %s", i, rc, err.msg);
		if (rc < 0)
			continue;
		if (strcmp(str_cstr(&e.text), edits[i].out) != 0)
			fail_msg("%zu:\n%s", i, str_cstr(&e.text));
		check_result(edits[i].in, strlen(edits[i].in), &goal, &e);
		static_edit_free(&e);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_entrypoints),
		cmocka_unit_test(test_cases),
		cmocka_unit_test(test_corpus),
		cmocka_unit_test(test_mutations),
	};
	return cmocka_run_group_tests(tests, NULL, NULL);
}
