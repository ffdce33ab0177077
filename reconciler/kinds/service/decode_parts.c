/* Fields of the spec with more than one notation: hosts, ulimits, health check, placement. */
#include "kinds/service/service.h"
#include "kinds/util.h"

#include <string.h>

/* extra_hosts: "name=ip", "name:ip", or a map to one or more addresses */

static void add_host(struct service_decoder *s, const char *name, size_t len, const char *ip, struct mark m)
{
	size_t n = strlen(ip);
	bool bracketed = n > 1 && ip[0] == '[' && ip[n - 1] == ']';
	_cleanup_free_ char *key = bracketed ? xasprintf("%.*s=%.*s", (int)len, name, (int)n - 2, ip + 1)
					     : xasprintf("%.*s=%s", (int)len, name, ip);
	json_set_bool(object_at(s->body, "hosts"), key, true);
	mark_member(s, "hosts", key, m);
}

static void decode_hosts(struct service_decoder *s)
{
	const struct snode *n = snode_get(s->node, "extra_hosts");

	for (size_t i = 0; i < snode_count(n); i++) {
		const struct snode *item = n->items[i];
		const char *text = snode_scalar(item);
		if (n->type == SNODE_MAP) {
			if (text)
				add_host(s, item->key, strlen(item->key), text, item->key_mark);
			for (size_t k = 0; k < snode_count(item); k++)
				add_host(s, item->key, strlen(item->key), snode_scalar(item->items[k]),
					 item->items[k]->mark);
		} else if (text) {
			size_t len = strcspn(text, strchr(text, '=') ? "=" : ":");
			if (text[len])
				add_host(s, text, len, text + len + 1, item->mark);
		}
	}
	if (n)
		resource_mark(s->d->out, s->r, "hosts", n->key_mark);
}

/* ulimits: one number, or soft and hard */

static void decode_ulimits(struct service_decoder *s)
{
	const struct snode *n = snode_get(s->node, "ulimits");

	for (size_t i = 0; i < snode_count(n); i++) {
		const struct snode *item = n->items[i];
		bool pair = item->type == SNODE_MAP;
		json_t *limit = json_object();
		json_set_int(limit, "soft", pair ? snode_int(item, "soft", 0) : item->integer);
		json_set_int(limit, "hard", pair ? snode_int(item, "hard", 0) : item->integer);
		json_set(object_at(s->body, "ulimits"), item->key, limit);
		mark_member(s, "ulimits", item->key, item->key_mark);
		_cleanup_free_ char *path = xasprintf("ulimits[%s]", item->key);
		mark_members(s->d->out, s->r, path, item);
	}
	if (n)
		resource_mark(s->d->out, s->r, "ulimits", n->key_mark);
}

/* healthcheck.test */

static void decode_health_test(struct service_decoder *s)
{
	const struct snode *check = snode_get(s->node, "healthcheck"), *test = snode_get(check, "test");

	if (!check)
		return;
	resource_mark(s->d->out, s->r, "healthcheck", check->key_mark);
	if (test)
		mark_member(s, "healthcheck", "test", test->key_mark);
	json_t *list = json_array();
	if (snode_bool(check, "disable", false)) {
		json_object_del(s->body, "healthcheck");
		json_array_append_new(list, json_string("NONE"));
	} else if (snode_scalar(test)) {
		json_array_append_new(list, json_string("CMD-SHELL"));
		json_array_append_new(list, json_string(snode_scalar(test)));
	} else {
		for (size_t i = 0; i < snode_count(test); i++)
			json_array_append_new(list, json_string(snode_scalar(test->items[i])));
	}
	json_set(object_at(s->body, "healthcheck"), "test", list);
}

/* Placement and resources */

static void decode_preferences(struct service_decoder *s)
{
	const struct snode *n = snode_path(s->node, "deploy.placement.preferences");
	json_t *list = json_array();

	for (size_t i = 0; i < snode_count(n); i++)
		if (snode_str(n->items[i], "spread"))
			json_array_append_new(list, json_string(snode_str(n->items[i], "spread")));
	json_set(s->body, "preferences", list);
	if (n)
		resource_mark(s->d->out, s->r, "preferences", n->key_mark);
}

static void decode_generic_resources(struct service_decoder *s)
{
	const struct snode *n = snode_path(s->node, "deploy.resources.reservations.generic_resources");

	for (size_t i = 0; i < snode_count(n); i++) {
		const struct snode *spec = snode_get(n->items[i], "discrete_resource_spec");
		const char *kind = snode_str(spec, "kind"), *value = snode_str(spec, "value");
		if (!kind || !value)
			continue;
		json_set_int(object_at(s->body, "generic_resources"), kind, strtoll(value, NULL, 10));
		mark_member(s, "generic_resources", kind, n->items[i]->mark);
	}
}

void decode_parts(struct service_decoder *s)
{
	decode_hosts(s);
	decode_ulimits(s);
	decode_health_test(s);
	decode_preferences(s);
	decode_generic_resources(s);
}
