/*
 * Traefik's static configuration, any bytes: the edit is refused, or what it
 * gives reaches the goal when it is read again, leaves every byte outside the
 * edit as it was, and needs no second edit.
 *
 *   clang -fsanitize=fuzzer,address,undefined … tests/fuzz/traefik_edit_fuzz.c
 */
#include "kinds/traefik/edit.h"
#include "kinds/traefik/static.h"
#include "kinds/traefik/yaml.h"

#include <stdlib.h>
#include <string.h>

#define CHECK(x) \
	do { \
		if (!(x)) \
			abort(); \
	} while (0)

/* Only what the edit is about may ever be taken away: a value, a member by these names, a null. */
static void check_removed(const struct static_splice *p)
{
	static const char *const words[] = {"swarm", "docker", "null", "~"};
	char start[512];
	size_t n = p->removed_len < sizeof(start) - 1 ? p->removed_len : sizeof(start) - 1;
	bool named = p->removed_len == 0;

	for (size_t i = 0; i < n; i++)
		start[i] = (char)(p->removed[i] >= 'A' && p->removed[i] <= 'Z' ? p->removed[i] + 32 : p->removed[i]);
	start[n] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		named = named || memmem(start, n, words[i], strlen(words[i]));
	CHECK(named || strcmp(p->inserted, "true") == 0 || strcmp(p->inserted, "false") == 0);
}

static void check_undo(const char *in, size_t len, const struct static_edit *e)
{
	_cleanup_str_ struct str s = {0};

	str_add(&s, str_cstr(&e->text), e->text.len);
	for (size_t i = e->splices.n; i > 0; i--) {
		const struct static_splice *p = &e->splices.v[i - 1];
		_cleanup_str_ struct str before = {0};
		CHECK(p->at + p->inserted_len <= s.len);
		CHECK(memcmp(str_cstr(&s) + p->at, p->inserted, p->inserted_len) == 0);
		check_removed(p);
		str_add(&before, str_cstr(&s), p->at);
		str_add(&before, p->removed, p->removed_len);
		str_add(&before, str_cstr(&s) + p->at + p->inserted_len, s.len - p->at - p->inserted_len);
		struct str old = s;
		s = before;
		before = old;
	}
	CHECK(s.len == len && memcmp(str_cstr(&s), in, len) == 0);
}

/* Everything but providers is the same tree as before. */
static void check_rest(const char *in, size_t len, const struct static_edit *e)
{
	struct ynode *before = NULL, *after = NULL;

	CHECK(ynode_parse(in, len, &before, NULL) == 0);
	CHECK(ynode_parse(str_cstr(&e->text), e->text.len, &after, NULL) == 0);
	_cleanup_json_ json_t *x = ynode_json(before), *y = ynode_json(after);
	int a = ynode_index(before, "providers"), b = ynode_index(after, "providers");
	if (a >= 0)
		json_object_del(x, before->keys[a]->text);
	if (b >= 0)
		json_object_del(y, after->keys[b]->text);
	CHECK(json_equal(x, y) || (!before && json_object_size(y) == 0) || ynode_is_null(before));
	ynode_free(before);
	ynode_free(after);
}

static void check(const char *in, size_t len, struct static_goal goal)
{
	struct static_edit e = {0}, again = {0};
	struct err err = {0};
	json_t *state;

	if (static_edit(in, len, &goal, &e, &err) < 0) {
		CHECK(err.msg[0]);
		CHECK(!e.text.data && !e.splices.v);
		return;
	}
	check_undo(in, len, &e);
	check_rest(in, len, &e);
	CHECK(static_read_yaml(str_cstr(&e.text), e.text.len, &state, &err) == 0);
	_cleanup_json_ json_t *body = static_body(state, goal.major);
	json_decref(state);
	CHECK(json_bool(body, "swarm_mode") == goal.swarm_mode);
	CHECK(!json_object_get(body, "v2_keys"));
	CHECK(static_edit(str_cstr(&e.text), e.text.len, &goal, &again, &err) == 0);
	CHECK(again.splices.n == 0 && again.text.len == e.text.len);
	static_edit_free(&again);
	static_edit_free(&e);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const struct static_goal goals[] = {
		{2, true, NULL}, {2, false, NULL}, {3, true, NULL}, {3, false, NULL}};

	for (size_t i = 0; i < ARRAY_SIZE(goals); i++)
		check((const char *)data, size, goals[i]);
	return 0;
}
