/* Wanted and live resources and the shared state of one test of the planner. */
#ifndef SETS_H
#define SETS_H

#include <stdio.h>
#include <string.h>

#include "testkinds.h"

#define NOW 1800000000 /* 2027-01-15 08:00 UTC */

struct sets {
	struct resource_set *want, *live;
	json_t *shared;
	struct plan_input in;
	struct plan *plan;
};

/* Not SHA-256, but as long and as different. */
static inline void test_fingerprint(const json_t *body, char hex[65])
{
	_cleanup_str_ struct str text = {0};
	uint64_t h = 0xcbf29ce484222325;

	json_canonical(body, &text);
	for (size_t i = 0; i < text.len; i++)
		h = (h ^ (unsigned char)text.data[i]) * 0x100000001b3;
	snprintf(hex, 65, "%016llx%016llx%016llx%016llx", (unsigned long long)h, (unsigned long long)~h,
		 (unsigned long long)(h * 3), (unsigned long long)(h * 5));
}

static inline int setup(void **state)
{
	struct sets *s = xcalloc(1, sizeof(*s));
	s->want = resource_set_new();
	s->live = resource_set_new();
	s->shared = json_object();
	s->in = test_input(s->want, s->live);
	s->in.shared = s->shared;
	s->in.now = NOW;
	s->in.fingerprint = test_fingerprint;
	*state = s;
	return 0;
}

static inline int teardown(void **state)
{
	struct sets *s = *state;
	plan_free(s->plan);
	resource_set_free(s->want);
	resource_set_free(s->live);
	json_decref(s->shared);
	free(s);
	return 0;
}

static inline struct plan *make(struct sets *s)
{
	plan_free(s->plan);
	return s->plan = plan_make(&s->in);
}

static inline const struct change *plan_of(struct sets *s, const char *key)
{
	return find_change(make(s), key);
}

/* A live one that is not there. */
static inline struct resource *add_absent(struct sets *s, const char *kind, const char *name)
{
	struct resource *r = add(s->live, kind, name, json_object());
	r->presence = ABSENT;
	return r;
}

/* Both sides with a field that differs. */
static inline struct resource *add_differing(struct sets *s, const char *name, const char *field)
{
	add(s->live, "svc", name, json_pack("{s:{s:s}}", field, "A", "live"));
	return add(s->want, "svc", name, json_pack("{s:{s:s}}", field, "A", "spec"));
}

static inline void record(struct sets *s, const char *section, const char *key, json_t *value)
{
	json_t *members = json_object_get(s->shared, section);
	if (!members) {
		members = json_object();
		json_set(s->shared, section, members);
	}
	json_set(members, key, value);
}

static inline json_t *spec_record(const struct resource *want, const char *reason)
{
	char hex[65];
	plan_fingerprint(want, test_fingerprint, hex);
	json_t *r = json_pack("{s:s,s:i}", "spec", hex, "at", NOW - 600);
	json_set_str(r, "reason", reason);
	return r;
}

#define assert_has(text, word) \
	do { \
		if (!(text) || !strstr((text), (word))) \
			fail_msg("'%s' is not in '%s'", (word), (text) ? (text) : "(null)"); \
	} while (0)

#endif
