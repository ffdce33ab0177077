/* A spec and a snapshot as text, and what one kind makes of them. */
#ifndef TESTS_UNIT_KINDS_FIXTURE_H
#define TESTS_UNIT_KINDS_FIXTURE_H

#include "kinds/kinds.h"
#include "spec/spec.h"

#include "tests/unit/quoted.h"

#include <stdio.h>
#include <string.h>

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

struct fixture {
	struct spec *spec;
	struct snapshot *snap;
	struct resource_set *want, *live;
};

static inline struct spec *fixture_spec(const char *yaml)
{
	const struct spec_input in = {.name = "test.yaml", .text = yaml, .len = strlen(yaml)};
	struct diags diags = {0};
	struct err err = {0};
	struct str text = {0};
	struct spec *spec = NULL;

	if (spec_load(&in, &spec, &diags, &err) < 0) {
		diags_print(&diags, yaml, &text);
		fail_msg("%s\n%s", err.msg, str_cstr(&text));
	}
	diags_free(&diags);
	return spec;
}

/* snap: JSON with apostrophes for quotation marks. */
static inline struct snapshot *fixture_snapshot(const char *snap)
{
	_cleanup_json_ json_t *j = quoted(snap);
	struct snapshot *s = NULL;
	struct err err = {0};

	if (snapshot_from_json(j, &s, &err) < 0)
		fail_msg("snapshot: %s", err.msg);
	return s;
}

static inline struct fixture fixture_open(const struct kind *k, const char *yaml, const char *snap)
{
	struct fixture f = {.spec = fixture_spec(yaml),
			    .snap = fixture_snapshot(snap),
			    .want = resource_set_new(),
			    .live = resource_set_new()};
	struct decode d = {.spec = f.spec, .snap = f.snap, .out = f.want};
	struct observe o = {.cluster = spec_cluster(f.spec), .snap = f.snap, .want = f.want, .out = f.live};
	struct err err = {0};

	assert_int_equal(k->decode(&d, &err), 0);
	assert_int_equal(k->observe(&o, &err), 0);
	return f;
}

static inline void fixture_close(struct fixture *f)
{
	resource_set_free(f->want);
	resource_set_free(f->live);
	snapshot_free(f->snap);
	spec_free(f->spec);
}

/* The body as text with apostrophes; valid until the next call. */
static inline const char *body_text(const struct resource_set *set, const char *key)
{
	static char text[4096];
	const struct resource *r = resource_find_key(set, key);
	_cleanup_str_ struct str s = {0};

	assert_non_null(r);
	json_canonical(r->body, &s);
	snprintf(text, sizeof(text), "%s", str_cstr(&s));
	for (char *p = text; *p; p++)
		if (*p == '"')
			*p = '\'';
	return text;
}

static inline bool in_sync(const struct fixture *f, const char *key)
{
	const struct resource *want = resource_find_key(f->want, key), *live = resource_find_key(f->live, key);
	assert_non_null(want);
	return live && live->presence == PRESENT && json_same(want->body, live->body);
}

#endif
