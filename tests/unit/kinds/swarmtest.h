/* A spec and a snapshot in, desired and live resources out; shared by the tests of the Swarm kinds. */
#ifndef TESTS_UNIT_KINDS_SWARMTEST_H
#define TESTS_UNIT_KINDS_SWARMTEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "kinds/kinds.h"
#include "kinds/util.h"

struct fixture {
	struct files files;
	const char *const (*content)[2]; /* {path, content}, ends with {NULL} */
	const char *const *allow_env;    /* as of struct spec_input */
	struct spec *spec;
	struct snapshot *snap;
	struct resource_set *want, *live;
	struct arena *arena;
};

static inline int fixture_read(struct files *files, const char *path, size_t max, struct str *out, struct err *err)
{
	struct fixture *f = (struct fixture *)files;

	for (size_t i = 0; f->content && f->content[i][0]; i++) {
		if (strcmp(f->content[i][0], path) != 0)
			continue;
		if (strlen(f->content[i][1]) > max)
			return err_set(err, ERR_LIMIT, "reading '%s': too long", path);
		str_adds(out, f->content[i][1]);
		return 0;
	}
	return err_set(err, ERR_NOT_FOUND, "reading '%s': no such file", path);
}

/* JSON with ' for ", so that it can be read in a C string. New reference. */
static inline json_t *json_of(const char *text)
{
	_cleanup_free_ char *copy = xstrdup(text);
	struct err err = {0};
	json_t *j = NULL;

	for (char *p = copy; *p; p++)
		*p = *p == '\'' ? '"' : *p;
	if (json_parse(copy, strlen(copy), &j, &err) < 0)
		fail_msg("%s in %s", err.msg, copy);
	return j;
}

/* The header of every spec of the tests is put before yaml. */
static inline void fixture_load(struct fixture *f, const char *yaml, const char *snapshot)
{
	_cleanup_free_ char *text = xasprintf("version: 1\ncluster: c\n%s", yaml);
	CLEANUP(diags_free) struct diags diags = {0};
	_cleanup_json_ json_t *docs = json_of(snapshot);
	struct err err = {0};

	f->files.read = fixture_read;
	struct spec_input in = {
		.name = "spec.yaml", .text = text, .len = strlen(text), .files = &f->files, .allow_env = f->allow_env};
	if (spec_load(&in, &f->spec, &diags, &err) < 0) {
		_cleanup_str_ struct str out = {0};
		diags_print(&diags, text, &out);
		fail_msg("%s\n%s", err.msg, str_cstr(&out));
	}
	if (snapshot_from_json(docs, &f->snap, &err) < 0)
		fail_msg("%s", err.msg);
	f->want = resource_set_new();
	f->live = resource_set_new();
	f->arena = arena_new();
}

static inline void fixture_free(struct fixture *f)
{
	resource_set_free(f->want);
	resource_set_free(f->live);
	snapshot_free(f->snap);
	spec_free(f->spec);
	arena_free(f->arena);
}
#define _cleanup_fixture_ CLEANUP(fixture_free)

static inline struct observe fixture_observe(struct fixture *f)
{
	return (struct observe){.cluster = "c", .snap = f->snap, .want = f->want, .out = f->live};
}

/* Decodes and then observes the kinds, in the order given; the list ends with NULL. */
static inline void fixture_run(struct fixture *f, const struct kind *const *kinds)
{
	struct decode d = {.spec = f->spec, .snap = f->snap, .out = f->want};
	struct observe o = fixture_observe(f);
	struct err err = {0};

	for (size_t i = 0; kinds[i]; i++)
		if (kinds[i]->decode(&d, &err) < 0)
			fail_msg("%s: %s", kinds[i]->name, err.msg);
	for (size_t i = 0; kinds[i]; i++)
		if (kinds[i]->observe(&o, &err) < 0)
			fail_msg("%s: %s", kinds[i]->name, err.msg);
}

static inline struct resource *want_of(struct fixture *f, const char *key)
{
	struct resource *r = resource_find_key(f->want, key);
	if (!r)
		fail_msg("nobody wants %s", key);
	return r;
}

static inline struct resource *live_of(struct fixture *f, const char *key)
{
	struct resource *r = resource_find_key(f->live, key);
	if (!r)
		fail_msg("%s was not observed", key);
	return r;
}

static inline void expect_body(const struct resource *r, const char *expected)
{
	_cleanup_json_ json_t *e = json_of(expected);
	_cleanup_str_ struct str got = {0}, wanted = {0};

	json_canonical(r->body, &got);
	json_canonical(e, &wanted);
	assert_string_equal(str_cstr(&got), str_cstr(&wanted));
}

/* Nothing is to be done: the one property that every kind must have. */
static inline void expect_in_sync(struct fixture *f, const char *key)
{
	const struct resource *want = want_of(f, key), *live = live_of(f, key);
	_cleanup_str_ struct str a = {0}, b = {0};

	assert_int_equal(live->presence, PRESENT);
	json_canonical(want->body, &a);
	json_canonical(live->body, &b);
	if (!json_same(want->body, live->body))
		fail_msg("%s differs:\nwant %s\nlive %s", key, str_cstr(&a), str_cstr(&b));
}

static inline void expect_text(const char *text, const char *part)
{
	if (!text || !strstr(text, part))
		fail_msg("'%s' is not in: %s", part, text ? text : "(nothing)");
}

static inline bool has_ref(const struct resource *r, enum ref_type type, const char *target)
{
	for (size_t i = 0; i < r->refs.n; i++)
		if (r->refs.v[i].type == type && strcmp(r->refs.v[i].target, target) == 0)
			return true;
	return false;
}

/* The change as the planner would show it to the kind's explain. */
static inline void explain(struct fixture *f, const struct kind *k, const char *key, enum action action,
			   const char *field, struct change *c)
{
	struct observe o = fixture_observe(f);

	*c = (struct change){.action = action, .kind = k, .key = key};
	c->desired = resource_find_key(f->want, key);
	c->live = resource_find_key(f->live, key);
	vec_push(&c->fields, ((struct field_change){.path = field, .field = field}));
	k->explain(&o, f->arena, c);
	vec_free(&c->fields);
}

/* An engine that is a manager, for snapshots. */
#define MANAGER \
	"'engine/info':{'Name':'m1','Swarm':{'NodeID':'n1','NodeAddr':'10.9.0.1','LocalNodeState':'active'," \
	"'ControlAvailable':true,'Cluster':{'ID':'swarmid','DefaultAddrPool':['10.0.0.0/8'],'SubnetSize':24}}}"
#define NO_SWARM \
	"'engine/info':{'Name':'m1','Swarm':{'NodeID':'','NodeAddr':'','LocalNodeState':'inactive'," \
	"'ControlAvailable':false}}"
#define WORKER \
	"'engine/info':{'Name':'m1','Swarm':{'NodeID':'n1','NodeAddr':'10.9.0.1','LocalNodeState':'active'," \
	"'ControlAvailable':false}}"

#endif
