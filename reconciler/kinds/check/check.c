#include "kinds/check/check.h"

#include "base/url.h"
#include "kinds/kinds.h"
#include "kinds/util.h"

#include <string.h>

/* All of them are the spec's parameters, equal on both sides. */
static const struct field fields[] = {
	{"body", 0, NULL},    {"expect_body", 0, NULL}, {"expect_json", 0, NULL}, {"expect_status", 0, NULL},
	{"headers", 0, NULL}, {"insecure", 0, NULL},    {"method", 0, NULL},      {"network", 0, NULL},
	{"timeout", 0, "ns"}, {"url", 0, NULL},
};

static const char *const after[] = {"engine", "service", "container", "traefik", "route", NULL};

static void take(struct decode *d, struct resource *r, const struct snode *map, const char *key, const char *field)
{
	const struct snode *n = snode_get(map, key);

	if (n)
		resource_set_field(d->out, r, field, snode_json(n), n->is_default ? r->mark : n->mark);
	if (n && n->type == SNODE_MAP)
		mark_members(d->out, r, field, n);
}

static void require(struct decode *d, struct resource *r, const char *kind, const char *name)
{
	if (resource_find(d->out, kind, name))
		resource_ref(d->out, r, REF_REQUIRES, (struct mark){0}, "%s/%s", kind, name);
}

/* What it asks in a network is something of the spec, when the names say so. */
static void refer(struct decode *d, struct resource *r, const struct snode *network, const char *url)
{
	struct url at = {0};

	if (!network)
		return;
	require(d, r, "network", network->text);
	if (url_parse(url, &at))
		require(d, r, "service", at.host + (str_starts(at.host, "tasks.") ? strlen("tasks.") : 0));
	url_free(&at);
}

static void decode_check(struct decode *d, const struct snode *check)
{
	const struct snode *request = snode_get(check, "request"), *expect = snode_get(check, "expect"),
			   *network = snode_get(check, "network");
	const char *node = snode_str(check, "node");
	struct resource *r = resource_add(d->out, "check", check->key);

	r->mark = check->key_mark;
	r->node = node ? arena_strdup(resource_set_arena(d->out), node) : NULL;
	take(d, r, request, "url", "url");
	take(d, r, request, "method", "method");
	take(d, r, request, "headers", "headers");
	take(d, r, request, "body", "body");
	if (snode_bool(request, "insecure", false))
		take(d, r, request, "insecure", "insecure");
	take(d, r, expect, "status", "expect_status");
	take(d, r, expect, "body", "expect_body");
	take(d, r, expect, "json", "expect_json");
	take(d, r, check, "timeout", "timeout");
	if (network) {
		const char *name = engine_name(d->out, "network", network->text);
		resource_set_field(d->out, r, "network", json_string(name ? name : network->text), network->mark);
	}
	refer(d, r, network, snode_str(request, "url"));
	common_keys(d, r, check);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *checks = snode_get(spec_root(d->spec), "checks");

	(void)err;
	for (size_t i = 0; i < snode_count(checks); i++)
		decode_check(d, checks->items[i]);
	return 0;
}

static int observe(struct observe *o, struct err *err)
{
	(void)err;
	observe_as_wanted(o, "check");
	return 0;
}

const struct kind kind_check = {
	.name = "check",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.decode = decode,
	.observe = observe,
	.gate = check_gate,
};
