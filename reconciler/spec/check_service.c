/* One service: image, environment, mounts, ports, health check. FACTS C, G14, G21, G29. */
#include "spec/check_util.h"
#include "spec/stack.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

#define NAME_MAX_LEN 63 /* swarmkit: validateAnnotations */

static void name(struct checker *c, const struct snode *service)
{
	size_t len = strlen(service->key);

	if (len > NAME_MAX_LEN)
		check_error(c, service->key_mark, "service '%s': a name has at most %d characters, this one has %zu",
			    service->key, NAME_MAX_LEN, len);
	else if (strchr(service->key, '.'))
		check_error(c, service->key_mark,
			    "service '%s': the name of a service has letters, digits, - and _, no dot", service->key);
}

static void image(struct checker *c, const struct snode *service)
{
	const struct snode *n = snode_get(service, "image");
	const char *text = snode_scalar(n), *slash = text ? strrchr(text, '/') : NULL;
	const char *last = slash ? slash + 1 : text, *tag = last ? strchr(last, ':') : NULL;

	if (!text || !*text || strchr(text, '@'))
		return;
	if (!tag || strcmp(tag, ":latest") == 0)
		check_warn(c, n->mark,
			   "service '%s': the image %s, so what runs depends on when it was pulled; pin a version",
			   service->key,
			   tag ? "has the tag latest, which moves" : "has no tag and means latest, which moves");
}

static void environment(struct checker *c, const struct snode *service)
{
	const struct snode *env = snode_get(service, "environment");
	struct pair p;

	for (size_t i = 0; !stack_owns(service) && pair_at(env, i, &p); i++) {
		bool is_map = env->type == SNODE_MAP;
		if (is_map ? env->items[i]->type != SNODE_NULL : p.value || !snode_scalar(env->items[i]))
			continue;
		_cleanup_free_ char *name = pair_name(&p);
		check_error(c, p.mark,
			    "service '%s': the variable %s has no value, and none is taken from the machine that runs "
			    "reconcile; write %s%s for an empty one",
			    service->key, name, name, is_map ? ": \"\"" : "=");
	}
}

static void pairs(struct checker *c, const struct snode *service)
{
	static const char *const paths[] = {"environment", "labels", "sysctls", "deploy.labels"};
	struct pair p;

	for (size_t k = 0; k < ARRAY_SIZE(paths); k++) {
		const struct snode *n = snode_path(service, paths[k]);
		for (size_t i = 0; n && n->type == SNODE_SEQ && pair_at(n, i, &p); i++)
			if (snode_scalar(n->items[i]) && (p.key_len == 0 || (k > 0 && !p.value)))
				check_error(c, p.mark, "service '%s': %s: '%s' is not of the form name=value",
					    service->key, paths[k], snode_shown(p.item));
	}
}

static void mount_source(struct checker *c, const struct snode *service, const struct mount_view *m)
{
	const char *source = m->source, *target = snode_shown_part(m->target_from, m->target);

	if (m->type == MOUNT_BIND && !source)
		check_error(c, m->mark, "service '%s': the bind mount at %s needs a source", service->key, target);
	else if (m->type == MOUNT_BIND && source[0] != '/')
		check_error(c, m->mark,
			    "service '%s': the bind source '%s' must be an absolute path: it is a path of the node "
			    "that runs the "
			    "task, not of this repository; for a file of the repository use configs",
			    service->key, snode_shown_part(m->source_from, source));
	else if (m->type == MOUNT_TMPFS && source)
		check_error(c, m->mark, "service '%s': the tmpfs at %s has no source", service->key, target);
	if (m->is_short && m->target[0] != '/')
		check_error(c, m->mark, "service '%s': the mount target '%s' must be an absolute path", service->key,
			    target);
}

/* The block of another type would be refused by the Engine. */
static void mount_blocks(struct checker *c, const struct snode *service)
{
	static const char *const types[] = {"bind", "volume", "tmpfs"};
	const struct snode *list = snode_get(service, "volumes");

	for (size_t i = 0; i < snode_count(list); i++)
		for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
			const struct snode *block = snode_get(list->items[i], types[t]);
			const struct snode *type = snode_get(list->items[i], "type");
			if (block && snode_scalar(type) && strcmp(type->text, types[t]) != 0)
				check_error(c, block->key_mark,
					    "service '%s': '%s' does not belong to a mount of type %s", service->key,
					    types[t], snode_shown(type));
		}
}

static const char *option_wrong(const char *option, enum mount_type type)
{
	static const char *const propagation[] = {"rprivate", "private", "rshared", "shared", "rslave", "slave"};

	if (strcmp(option, "ro") == 0 || strcmp(option, "rw") == 0)
		return NULL;
	if (strcmp(option, "nocopy") == 0)
		return type == MOUNT_VOLUME ? NULL : "goes with a volume only";
	for (size_t i = 0; i < ARRAY_SIZE(propagation); i++)
		if (strcmp(option, propagation[i]) == 0)
			return type == MOUNT_BIND ? NULL : "goes with a bind mount only";
	return "is not honoured by Swarm; remove it";
}

/* docker/cli ignores options that it does not know, and so would the task. */
static void short_options(struct checker *c, const struct snode *service, const struct snode *item)
{
	const char *source_end = strchr(item->text, ':'), *end = source_end ? strchr(source_end + 1, ':') : NULL;
	enum mount_type type = strchr("./~", item->text[0]) ? MOUNT_BIND : MOUNT_VOLUME;
	_cleanup_free_ char *options = end ? xstrdup(end + 1) : NULL;
	char *rest = options, *option;

	while (rest && (option = strsep(&rest, ","))) {
		const char *wrong = option_wrong(option, type);
		if (wrong)
			check_error(c, item->mark, "service '%s': '%s': the option '%s' %s", service->key,
				    snode_shown(item), snode_shown_part(item, option), wrong);
	}
}

static void short_mounts(struct checker *c, const struct snode *service)
{
	const struct snode *list = snode_get(service, "volumes");

	for (size_t i = 0; i < snode_count(list); i++)
		if (snode_scalar(list->items[i]) && list->items[i]->text[0])
			short_options(c, service, list->items[i]);
}

static void mounts(struct checker *c, const struct snode *service)
{
	struct mounts m = {0};
	VEC(struct named) targets = {0};

	mounts_read(service, &m);
	for (size_t i = 0; i < m.list.n; i++) {
		mount_source(c, service, &m.list.v[i]);
		vec_push(&targets,
			 ((struct named){.name = m.list.v[i].target,
					 .shown = snode_shown_part(m.list.v[i].target_from, m.list.v[i].target),
					 .item = service,
					 .mark = m.list.v[i].mark}));
	}
	named_sort(targets.v, targets.n);
	for (size_t i = 1; i < targets.n; i++)
		if (strcmp(targets.v[i - 1].name, targets.v[i].name) == 0)
			check_error(c, targets.v[i].mark, "service '%s': the mount in line %d has the target %s too",
				    service->key, targets.v[i - 1].mark.line, targets.v[i].shown);
	vec_free(&targets);
	mounts_free(&m);
	mount_blocks(c, service);
}

static const struct snode *file_target(const struct snode *item)
{
	const struct snode *target = snode_get(item, "target");
	return snode_scalar(target) ? target : item->type == SNODE_MAP ? snode_get(item, "source") : item;
}

static void file_targets_of(struct checker *c, const struct snode *service, const char *section)
{
	const struct snode *list = snode_get(service, section);
	VEC(struct named) targets = {0};

	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *target = file_target(list->items[i]);
		if (snode_scalar(target))
			vec_push(&targets, ((struct named){.name = target->text,
							   .shown = snode_shown(target),
							   .item = service,
							   .mark = list->items[i]->mark}));
	}
	named_sort(targets.v, targets.n);
	for (size_t i = 1; i < targets.n; i++)
		if (strcmp(targets.v[i - 1].name, targets.v[i].name) == 0)
			check_error(c, targets.v[i].mark, "service '%s': two %s have the target %s", service->key,
				    section, targets.v[i].shown);
	vec_free(&targets);
}

static void file_targets(struct checker *c, const struct snode *service)
{
	file_targets_of(c, service, "configs");
	file_targets_of(c, service, "secrets");
}

static void port_forms(struct checker *c, const struct snode *service)
{
	const struct snode *list = snode_get(service, "ports");
	struct port_view p;

	for (size_t i = 0; i < snode_count(list); i++) {
		const char *text = snode_scalar(list->items[i]);
		const char *wrong = text ? port_parse(text, &p) : NULL;
		if (wrong && *wrong)
			check_error(c, list->items[i]->mark, "service '%s': the port '%s' %s", service->key,
				    snode_shown(list->items[i]), wrong);
	}
}

static void port_modes(struct checker *c, const struct snode *service)
{
	bool dnsrr = str_eq(snode_str(snode_get(service, "deploy"), "endpoint_mode"), "dnsrr");
	struct ports ports = {0};

	ports_read(service, &ports);
	size_t nodes = nodes_that_may_run(c, service);
	for (size_t i = 0; i < ports.list.n; i++) {
		const struct port_view *p = &ports.list.v[i];
		char shown[NUMBER_SIZE];
		if (dnsrr && !p->host)
			check_error(c, p->mark,
				    "service '%s': with endpoint_mode dnsrr a port must be published with mode: host",
				    service->key);
		if (p->host && p->published && nodes > 0 && !service_is_global(service) &&
		    replicas_max(service) > (int64_t)nodes)
			check_warn(c, p->mark,
				   "service '%s': a port in host mode takes one task per node; of up to %s tasks "
				   "only %zu find a "
				   "node",
				   service->key, replicas_shown(shown, service), nodes);
		else if (p->host && p->published && service_starts_first(service) &&
			 (service_is_global(service) || (nodes > 0 && replicas_max(service) == (int64_t)nodes)))
			check_warn(
				c, p->mark,
				"service '%s': an update with order start-first needs a node on which no task of it "
				"has the port yet, and there is none: it would not move; write stop-first, or publish "
				"without mode: host",
				service->key);
	}
	ports_free(&ports);
}

struct claim {
	struct port_view port;
	const struct snode *service;
};

static int compare_claims(const void *a, const void *b)
{
	const struct claim *x = a, *y = b;
	int order = strcmp(x->port.protocol, y->port.protocol);

	if (order)
		return order;
	if (x->port.published != y->port.published)
		return x->port.published < y->port.published ? -1 : 1;
	return x->port.mark.line != y->port.mark.line ? (x->port.mark.line < y->port.mark.line ? -1 : 1)
						      : x->port.mark.col - y->port.mark.col;
}

static void report_claims(struct checker *c, const struct claim *first, const struct claim *second)
{
	_cleanup_free_ char *port = xasprintf("%ld/%s", second->port.published, second->port.protocol);
	const char *shown = snode_shown_part(second->port.from, port);

	if (first->service == second->service)
		check_error(c, second->port.mark, "service '%s': port %s is published twice", second->service->key,
			    shown);
	else
		check_error(c, second->port.mark,
			    "service '%s': port %s is published by service '%s' too, and in ingress mode a port "
			    "belongs to "
			    "one service on every node",
			    second->service->key, shown, first->service->key);
}

static bool reaches(const struct claim *first, const struct claim *second)
{
	return first && strcmp(first->port.protocol, second->port.protocol) == 0 &&
	       first->port.published + first->port.count > second->port.published;
}

/*
 * In the order of their first ports. Two services may share a port in host
 * mode: the scheduler keeps them on different nodes (swarmkit: checkPortConflicts).
 */
static void compare_neighbours(struct checker *c, const struct claim *v, size_t n)
{
	const struct claim *ingress = NULL, *host = NULL; /* those that reach furthest */

	for (size_t i = 0; i < n; i++) {
		const struct claim *claim = &v[i], **own = claim->port.host ? &host : &ingress;
		if (reaches(ingress, claim))
			report_claims(c, ingress, claim);
		else if (reaches(host, claim) && (!claim->port.host || host->service == claim->service))
			report_claims(c, host, claim);
		if (!reaches(*own, claim) ||
		    (*own)->port.published + (*own)->port.count < claim->port.published + claim->port.count)
			*own = claim;
	}
}

static void published_twice(struct checker *c, const struct snode *services)
{
	VEC(struct claim) list = {0};

	for (size_t i = 0; i < services->n_items; i++) {
		struct ports ports = {0};
		ports_read(services->items[i], &ports);
		for (size_t k = 0; k < ports.list.n; k++)
			if (ports.list.v[k].published)
				vec_push(&list, ((struct claim){ports.list.v[k], services->items[i]}));
		ports_free(&ports);
	}
	if (list.n > 0)
		qsort(list.v, list.n, sizeof(*list.v), compare_claims);
	compare_neighbours(c, list.v, list.n);
	vec_free(&list);
}

static void health(struct checker *c, const struct snode *service)
{
	static const char *const times[] = {"interval", "timeout", "start_period", "start_interval"};
	const struct snode *h = snode_get(service, "healthcheck"), *test = snode_get(h, "test");
	const char *how = snode_count(test) ? snode_scalar(test->items[0]) : NULL;

	if (snode_bool(h, "disable", false) && test)
		check_error(c, test->mark, "service '%s': healthcheck has both test and disable: true; remove one",
			    service->key);
	if (how && strcmp(how, "CMD") != 0 && strcmp(how, "CMD-SHELL") != 0 && strcmp(how, "NONE") != 0)
		check_error(
			c, test->items[0]->mark,
			"service '%s': a health check in list form begins with CMD, CMD-SHELL or NONE, not with '%s'",
			service->key, snode_shown(test->items[0]));
	if (how && test->n_items == 1 && strcmp(how, "NONE") != 0)
		check_error(c, test->mark, "service '%s': the health check has no command after %s", service->key,
			    snode_shown(test->items[0]));
	/* swarmkit: validateHealthCheck */
	for (size_t i = 0; i < ARRAY_SIZE(times); i++) {
		const struct snode *n = snode_get(h, times[i]);
		if (n && n->type == SNODE_INT && n->integer > 0 && n->integer < 1000000)
			check_error(c, n->mark, "service '%s': %s must be at least 1ms, or 0 for the image's",
				    service->key, times[i]);
	}
}

static void ulimits(struct checker *c, const struct snode *service)
{
	const struct snode *list = snode_get(service, "ulimits");

	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *soft = snode_get(list->items[i], "soft");
		int64_t hard = snode_int(list->items[i], "hard", -1);
		if (soft && hard >= 0 && (soft->integer > hard || soft->integer < 0))
			check_error(c, soft->mark, "service '%s': ulimit %s: soft is higher than hard", service->key,
				    list->items[i]->key);
	}
}

const struct check_row checks_service[] = {
	{"services", true, name},
	{"services", true, image},
	{"services", true, environment},
	{"services", true, pairs},
	{"services", true, mounts},
	{"services", true, short_mounts},
	{"services", true, file_targets},
	{"services", true, port_forms},
	{"services", true, port_modes},
	{"services", true, health},
	{"services", true, ulimits},
	{"services", false, published_twice},
	{NULL, false, NULL},
};
