/* Names, what a store has, and what a pull says: the pure parts. Plans are in tests/cases/model. */
#include "kinds/model/model.h"
#include "kinds/model/name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include <string.h>

static const struct {
	const char *text;
	const char *short_name; /* NULL: Ollama does not take it */
	const char *manifests;
} names[] = {
	{"mistral:7b", "mistral:7b",
	 "manifests-v2/ollama.com/library/mistral/7b manifests/registry.ollama.ai/library/mistral/7b "
	 "manifests/ollama.com/library/mistral/7b "},
	{"mistral", "mistral:latest", NULL},
	{"user/m_1.5:q4_K-M", "user/m_1.5:q4_K-M", NULL},
	{"registry.ollama.ai/library/phi3", "phi3:latest", NULL},
	{"hf.co/bartowski/Llama-3.2-3B-GGUF:Q4_K_M", "hf.co/bartowski/Llama-3.2-3B-GGUF:Q4_K_M",
	 "manifests-v2/hf.co/bartowski/Llama-3.2-3B-GGUF/Q4_K_M manifests/hf.co/bartowski/Llama-3.2-3B-GGUF/Q4_K_M "},
	{"10.0.0.1:5000/library/mistral", "10.0.0.1:5000/library/mistral:latest",
	 "manifests-v2/10.0.0.1:5000/library/mistral/latest manifests/10.0.0.1:5000/library/mistral/latest "},
	{"http://10.0.0.1:5000/a/b:c", "10.0.0.1:5000/a/b:c", NULL},
	{"https://reg.lan/a/b:c", "reg.lan/a/b:c", NULL},
	{"", NULL, NULL},
	{":7b", NULL, NULL},
	{"mistral:", NULL, NULL},
	{"/mistral", NULL, NULL},
	{"a//b", NULL, NULL},
	{"-rf", NULL, NULL},
	{"../../etc/passwd", NULL, NULL},
	{"a/../b:c", NULL, NULL},
	{"mistral:7b extra", NULL, NULL},
	{"mistral:$(id)", NULL, NULL},
	{"us.er/model", NULL, NULL},
	{"model@sha256:ab", NULL, NULL},
};

static void test_names(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		struct model_name n;
		_cleanup_str_ struct str manifests = {0};
		bool ok = model_name_parse(names[i].text, &n);
		if (ok != (names[i].short_name != NULL))
			fail_msg("'%s': %d", names[i].text, ok);
		if (!ok)
			continue;
		_cleanup_free_ char *text = model_name_short(&n);
		assert_string_equal(text, names[i].short_name);
		assert_int_equal(n.insecure, str_starts(names[i].text, "http://"));
		model_name_manifests(&n, &manifests);
		if (names[i].manifests)
			assert_string_equal(str_cstr(&manifests), names[i].manifests);
		model_name_free(&n);
	}
}

/* ---- what a store has ---- */

#define A "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define B "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
#define LOOK(lines, manifest) A "  -\nmanifests/h/l/m/t\n" lines ".\n" manifest
#define LAYER(hex, size) "{\"digest\":\"sha256:" hex "\",\"size\":" size "}"
#define TWO "{\"config\":" LAYER(A, "10") ",\"layers\":[" LAYER(B, "4100000000") "]}"

static const struct {
	const char *look;
	enum err_code code;
	const char *damage;
	size_t wrong;
} stores[] = {
	{LOOK("10 blobs/sha256-" A "\n4100000000 blobs/sha256-" B "\n", TWO), ERR_NONE, NULL, 0},
	{LOOK("10 blobs/sha256-" A "\n", TWO), ERR_NONE, "blob bbbbbbbbbbbb (4.1 GB) is missing", 0},
	{LOOK("10 blobs/sha256-" A "\nstat: cannot statx 'blobs/sha256-" B "': No such file or directory\n", TWO),
	 ERR_NONE, "blob bbbbbbbbbbbb (4.1 GB) is missing", 0},
	{LOOK("0 blobs/sha256-" A "\n1234567 blobs/sha256-" B "\n", TWO), ERR_NONE,
	 "blob bbbbbbbbbbbb has 1.2 MB instead of 4.1 GB, and 1 more", 2},
	{LOOK("stat: cannot statx 'blobs/sha256-" B "': Permission denied\n", TWO), ERR_FAILED, NULL, 0},
	/* What cannot be told is not whole. */
	{LOOK("", "{\"schemaVersion\":2"), ERR_NONE, "its manifest is broken", 0},
	{LOOK("", "[]"), ERR_NONE, "its manifest is broken", 0},
	{LOOK("", "{\"layers\":[" LAYER("zz", "1") "]}"), ERR_NONE, "blob zz (1 B) is missing", 0},
	{LOOK("", "{\"layers\":[{\"digest\":\"md5:1\"}]}"), ERR_NONE, "blob md5:1 (-1 B) is missing", 0},
	{LOOK("10 blobs/sha256-" A "\n", "{\"config\":{\"digest\":\"\"},\"layers\":[" LAYER(A, "10") "]}"), ERR_NONE,
	 NULL, 0},
	{A "  -\nmanifests/h/l/m/t\n10 blobs/sha256-" A "\n", ERR_PROTOCOL, NULL, 0},
	{"nonsense", ERR_PROTOCOL, NULL, 0},
	{"", ERR_PROTOCOL, NULL, 0},
};

static void test_stores(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(stores); i++) {
		struct model_state s = {0};
		struct err err = {0};
		int rc = model_state_parse(stores[i].look, &s, &err);
		if ((rc < 0) != (stores[i].code != ERR_NONE) || err.code != stores[i].code)
			fail_msg("%zu: %d %s", i, rc, err.msg);
		if (rc < 0)
			continue;
		if (!str_eq(s.damage, stores[i].damage))
			fail_msg("%zu: %s", i, s.damage ? s.damage : "whole");
		assert_string_equal(s.digest, "sha256:" A);
		assert_string_equal(s.manifest, "manifests/h/l/m/t");
		assert_int_equal(json_object_size(s.wrong), stores[i].wrong);
		model_state_free(&s);
	}
}

static void test_sizes(void **state)
{
	(void)state;
	static const struct {
		int64_t bytes;
		const char *text;
	} sizes[] = {
		{0, "0 B"},         {999, "999 B"},         {1000, "1.0 KB"},
		{999499, "999 KB"}, {999500, "1.0 MB"},     {9949999, "9.9 MB"},
		{9950000, "10 MB"}, {4109853248, "4.1 GB"}, {INT64_C(1500000000000000), "1500 TB"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		_cleanup_str_ struct str s = {0};
		model_size(sizes[i].bytes, &s);
		assert_string_equal(str_cstr(&s), sizes[i].text);
	}
}

/* ---- what a pull says ---- */

#define BEGIN "\033[?2026h\033[?25l\033[1G"
#define UP "\033[?2026h\033[?25l\033[A\033[1G"
#define END "\033[K\033[?25h\033[?2026l"

static const struct {
	const char *text, *progress;
} sayings[] = {
	{"", ""},
	{BEGIN "pulling manifest \xe2\xa0\x8b " END, "pulling manifest"},
	{BEGIN "pulling manifest \xe2\xa0\x8b " END UP "pulling manifest\033[K\npulling ff82381e2bea:  45% "
	       "\xe2\x96\x95\xe2\x96\x88\xe2\x96\x88   \xe2\x96\x8f 1.9 GB/4.1 GB   20 MB/s   1m3s" END,
	 "pulling ff82381e2bea: 45% 1.9 GB/4.1 GB 20 MB/s 1m3s"},
	/* Cut off in the middle of a frame: the last whole line counts. */
	{BEGIN "pulling a: 45% 1 B/2 B" END UP "pulling a: 5", "pulling a: 45% 1 B/2 B"},
	{BEGIN "pulling a: 45% 1 B/2 B" END "\033[?20", "pulling a: 45% 1 B/2 B"},
	{BEGIN "pulling manifest" END "\nError: pull model manifest: file does not exist\n",
	 "Error: pull model manifest: file does not exist"},
	{"Error: a\tb\033]0;title\007\n", "Error: ab]0;title"},
};

static void test_progress(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(sayings); i++) {
		_cleanup_free_ char *text = model_progress(sayings[i].text, strlen(sayings[i].text));
		assert_string_equal(text, sayings[i].progress);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_stores),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_progress),
	};
	json_init();
	return cmocka_run_group_tests_name("kinds/model", tests, NULL, NULL);
}
