/*
 * Placement: constraints as swarmkit reads them (manager/constraint), against
 * the nodes that the spec declares. FACTS G15 and G16.
 */
#include "spec/check_util.h"

#include <ctype.h>
#include <string.h>
#include <strings.h>

#define LABEL "node.labels."
#define ENGINE_LABEL "engine.labels."

struct constraint {
	char key[256], value[256];
	bool equal;
};

static bool take(char *out, size_t size, const char *from, const char *end)
{
	while (from < end && isspace((unsigned char)*from))
		from++;
	while (from < end && isspace((unsigned char)end[-1]))
		end--;
	if (end == from || (size_t)(end - from) >= size)
		return false;
	memcpy(out, from, (size_t)(end - from));
	out[end - from] = '\0';
	return true;
}

static bool only(const char *s, const char *more)
{
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && !strchr(more, *s))
			return false;
	return true;
}

static bool constraint_parse(const char *text, struct constraint *out)
{
	const char *op = strstr(text, "==");

	out->equal = op != NULL;
	if (!op)
		op = strstr(text, "!=");
	return op && take(out->key, sizeof(out->key), text, op) &&
	       take(out->value, sizeof(out->value), op + 2, text + strlen(text)) && only(out->key, "-_.") &&
	       only(out->value, ":-_ .*()?+[]\\^$|/");
}

static const char *label_name(const struct constraint *k)
{
	size_t n = strlen(LABEL);
	return strncasecmp(k->key, LABEL, n) == 0 && k->key[n] ? k->key + n : NULL;
}

static const char *hostname(const struct snode *node)
{
	const char *name = snode_str(node, "hostname");
	return name ? name : node->key;
}

/* The node's value that the constraint compares with; NULL: not known from the spec. */
static const char *known_value(const struct constraint *k, const struct snode *node)
{
	const char *label = label_name(k), *value;

	if (label) {
		value = snode_str(snode_get(node, "labels"), label);
		return value ? value : "";
	}
	if (strcasecmp(k->key, "node.role") == 0) {
		value = snode_str(node, "role");
		return value ? value : "worker";
	}
	return strcasecmp(k->key, "node.hostname") == 0 ? hostname(node) : NULL;
}

static const struct snode *constraints_of(const struct snode *service)
{
	return snode_path(service, "deploy.placement.constraints");
}

bool node_may_run(const struct snode *service, const struct snode *node)
{
	const struct snode *list = constraints_of(service);
	struct constraint k;

	for (size_t i = 0; i < snode_count(list); i++) {
		const char *text = snode_scalar(list->items[i]);
		const char *value = text && constraint_parse(text, &k) ? known_value(&k, node) : NULL;
		if (value && (strcasecmp(value, k.value) == 0) != k.equal)
			return false;
	}
	return true;
}

size_t nodes_that_may_run(const struct checker *c, const struct snode *service)
{
	const struct snode *nodes = section_of(c, "nodes");
	size_t n = 0;

	if (snode_count(constraints_of(service)) == 0)
		return snode_count(nodes);
	for (size_t i = 0; i < snode_count(nodes); i++)
		n += node_may_run(service, nodes->items[i]);
	return n;
}

/* What is known about a key that is compared with ==: does any node fit? */
static bool some_node_fits(const struct checker *c, const struct constraint *k)
{
	const struct snode *nodes = section_of(c, "nodes");

	for (size_t i = 0; i < snode_count(nodes); i++) {
		const char *value = known_value(k, nodes->items[i]);
		if (!value || strcasecmp(value, k->value) == 0)
			return true;
	}
	return false;
}

static const struct snode *other_value(const struct checker *c, const char *label)
{
	const struct snode *nodes = section_of(c, "nodes"), *value = NULL;

	for (size_t i = 0; i < snode_count(nodes) && !snode_scalar(value); i++)
		value = snode_get(snode_get(nodes->items[i], "labels"), label);
	return snode_scalar(value) ? value : NULL;
}

static const char *hint_label(char hint[static HINT_SIZE], const struct checker *c, const struct snode *item,
			      const char *label)
{
	const struct snode *nodes = section_of(c, "nodes");
	VEC(const char *) names = {0};

	for (size_t i = 0; i < snode_count(nodes); i++) {
		const struct snode *labels = snode_get(nodes->items[i], "labels");
		for (size_t j = 0; j < snode_count(labels); j++)
			vec_push(&names, labels->items[j]->key);
	}
	hint_of(c, hint, item, label, names.v, names.n);
	vec_free(&names);
	return hint;
}

static void check_label(struct checker *c, const struct snode *item, const struct constraint *k, const char *who)
{
	const struct snode *other = other_value(c, label_name(k));
	const char *label = snode_shown_part(item, label_name(k)), *value = snode_shown_part(item, k->value);
	char hint[HINT_SIZE];

	if (other)
		check_error(c, item->mark,
			    "%s: no node has the label %s with the value '%s' (it is '%s'), so its tasks would stay "
			    "pending",
			    who, label, value, snode_shown(other));
	else
		check_error(
			c, item->mark,
			"%s: no node sets the label %s, so its tasks would stay pending; write labels: { %s: \"%s\" } "
			"under the nodes that are meant%s",
			who, label, label, value, hint_label(hint, c, item, label));
}

static void check_value(struct checker *c, const struct snode *item, const struct constraint *k, const char *who)
{
	const char *shown = snode_shown_part(item, k->value);
	char hint[HINT_SIZE];

	if (strcasecmp(k->key, "node.role") == 0 && strcasecmp(k->value, "manager") != 0 &&
	    strcasecmp(k->value, "worker") != 0)
		check_error(c, item->mark, "%s: node.role is manager or worker, never '%s'", who, shown);
	else if (strcasecmp(k->key, "node.platform.arch") == 0 &&
		 (strcasecmp(k->value, "amd64") == 0 || strcasecmp(k->value, "arm64") == 0))
		check_warn(c, item->mark, "%s: nodes report their architecture as %s, not as '%s'", who,
			   snode_shown_part(item, strcasecmp(k->value, "amd64") == 0 ? "x86_64" : "aarch64"), shown);
	else if (!k->equal || snode_count(section_of(c, "nodes")) == 0 || some_node_fits(c, k))
		return;
	else if (label_name(k))
		check_label(c, item, k, who);
	else
		check_error(c, item->mark, "%s: no node of this spec has %s '%s', so its tasks would stay pending%s",
			    who, snode_shown_part(item, k->key), shown,
			    hint_in(c, hint, item, k->value, section_of(c, "nodes")));
}

static bool key_is_known(const char *key)
{
	static const char *const keys[] = {"node.id",   "node.hostname",    "node.ip",
					   "node.role", "node.platform.os", "node.platform.arch"};

	for (size_t i = 0; i < ARRAY_SIZE(keys); i++)
		if (strcasecmp(key, keys[i]) == 0)
			return true;
	return (strncasecmp(key, LABEL, strlen(LABEL)) == 0 && key[strlen(LABEL)]) ||
	       (strncasecmp(key, ENGINE_LABEL, strlen(ENGINE_LABEL)) == 0 && key[strlen(ENGINE_LABEL)]);
}

static void check_constraint(struct checker *c, const struct snode *item, const char *who)
{
	struct constraint k;

	if (!snode_scalar(item))
		return;
	if (!constraint_parse(item->text, &k))
		check_error(c, item->mark,
			    "%s: '%s' is not a constraint; write a key, == or !=, and a value, for example "
			    "node.labels.ssd == true",
			    who, snode_shown(item));
	else if (!key_is_known(k.key))
		check_error(c, item->mark,
			    "%s: a constraint cannot ask for '%s'; it can for node.labels.<name>, node.role, "
			    "node.hostname, node.id, node.ip, node.platform.os, node.platform.arch and "
			    "engine.labels.<name>",
			    who, snode_shown_part(item, k.key));
	else
		check_value(c, item, &k, who);
}

static void constraints(struct checker *c, const struct snode *service)
{
	const struct snode *list = constraints_of(service);
	size_t errors = c->diags->n_errors;
	char who[WHO_SIZE];

	who_is(who, "service", service);
	for (size_t i = 0; i < snode_count(list); i++)
		check_constraint(c, list->items[i], who);
	if (c->diags->n_errors == errors && snode_count(list) > 1 && snode_count(section_of(c, "nodes")) > 0 &&
	    nodes_that_may_run(c, service) == 0)
		check_error(c, list->mark,
			    "%s: no node of this spec fits all of these constraints, so its tasks would stay pending",
			    who);
}

static void preferences(struct checker *c, const struct snode *service)
{
	const struct snode *list = snode_path(service, "deploy.placement.preferences");

	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *spread = snode_get(list->items[i], "spread");
		const char *text = snode_scalar(spread);
		if (text && !str_starts(text, LABEL) && !str_starts(text, ENGINE_LABEL))
			check_error(c, spread->mark,
				    "service '%s': tasks can be spread over node.labels.<name> or "
				    "engine.labels.<name>, not '%s'",
				    service->key, snode_shown(spread));
	}
}

/* Tasks that cannot all be placed on the nodes that the spec declares. */
static void room(struct checker *c, const struct snode *service)
{
	const struct snode *most = snode_path(service, "deploy.placement.max_replicas_per_node");
	int64_t per_node = most && most->type == SNODE_INT ? most->integer : 0;
	int64_t replicas = replicas_max(service);
	size_t nodes = nodes_that_may_run(c, service);
	int64_t slots = (int64_t)nodes * (per_node > 0 && per_node < INT32_MAX ? per_node : 0); /* 0: no bound */
	char shown[3][NUMBER_SIZE];

	if (snode_count(section_of(c, "nodes")) == 0 || service_is_global(service) || slots == 0)
		return;
	if (slots == replicas && service_starts_first(service))
		check_warn(
			c, most->mark,
			"service '%s': an update with order start-first needs room for one task more than the %s that "
			"max_replicas_per_node %s on %zu nodes allows, and would not move (moby/moby#40797); allow "
			"more, or write stop-first",
			service->key, replicas_shown(shown[2], service), number_shown(shown[0], most, per_node), nodes);
	if (slots < replicas)
		check_warn(c, most->mark,
			   "service '%s': max_replicas_per_node %s on %zu nodes leaves room for %s tasks, but up to %s "
			   "are asked for: the rest would stay pending",
			   service->key, number_shown(shown[0], most, per_node), nodes,
			   number_shown(shown[1], most, slots), replicas_shown(shown[2], service));
}

const struct check_row checks_place[] = {
	{"services", true, constraints},
	{"services", true, preferences},
	{"services", true, room},
	{NULL, false, NULL},
};
