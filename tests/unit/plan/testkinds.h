/* Three made-up kinds for tests of the planner, which knows none. */
#ifndef TESTKINDS_H
#define TESTKINDS_H

#include "plan/plan.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/json.h"

static int test_decode(struct decode *d, struct err *err)
{
	(void)d;
	(void)err;
	return 0;
}

static int test_observe(struct observe *o, struct err *err)
{
	(void)o;
	(void)err;
	return 0;
}

static int test_apply(struct apply *a, const struct change *c, struct err *err)
{
	(void)a;
	(void)c;
	(void)err;
	return 0;
}

static int test_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err)
{
	(void)a;
	(void)c;
	(void)dry;
	(void)err;
	g->met = true;
	return 0;
}

static const struct field test_fields[] = {
	{"env", FIELD_RESTARTS, NULL},
	{"labels", 0, NULL},
	{"merged", FIELD_MERGE, NULL},
	{"mode", FIELD_REPLACES, NULL},
	{"pinned", FIELD_IF_SET, NULL},
	{"place", FIELD_EVICTS, NULL},
	{"pool", FIELD_CREATE_ONLY, NULL},
	{"token", FIELD_SECRET, NULL},
	{"wait", 0, "ns"},
};

static const char *const after_net[] = {"net", NULL};
static const char *const after_all[] = {"net", "svc", NULL};

static const struct kind kind_net = {
	.name = "net",
	.fields = test_fields,
	.n_fields = ARRAY_SIZE(test_fields),
	.prunes = true,
	.decode = test_decode,
	.observe = test_observe,
	.apply = test_apply,
};
static const struct kind kind_svc = {
	.name = "svc",
	.after = after_net,
	.fields = test_fields,
	.n_fields = ARRAY_SIZE(test_fields),
	.runs = "tasks",
	.prunes = true,
	.adopts = true,
	.decode = test_decode,
	.observe = test_observe,
	.apply = test_apply,
};
static const struct kind kind_check = {
	.name = "check",
	.after = after_all,
	.fields = test_fields,
	.n_fields = ARRAY_SIZE(test_fields),
	.decode = test_decode,
	.observe = test_observe,
	.gate = test_gate,
};
static const struct kind *const test_kinds[] = {&kind_net, &kind_svc, &kind_check};

static inline struct plan_input test_input(const struct resource_set *want, const struct resource_set *live)
{
	return (struct plan_input){
		.kinds = test_kinds,
		.n_kinds = ARRAY_SIZE(test_kinds),
		.cluster = "test",
		.want = want,
		.live = live,
		.prune = true,
		.max_deletions = 1000,
	};
}

static inline const struct change *find_change(const struct plan *p, const char *key)
{
	for (size_t i = 0; i < p->changes.n; i++)
		if (strcmp(p->changes.v[i].key, key) == 0)
			return &p->changes.v[i];
	return NULL;
}

static inline struct resource *add(struct resource_set *s, const char *kind, const char *name, json_t *body)
{
	struct resource *r = resource_add(s, kind, name);
	json_decref(r->body);
	r->body = body;
	r->owned = true;
	r->ownable = true;
	return r;
}

#endif
