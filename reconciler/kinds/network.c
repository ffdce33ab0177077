#include "kinds/network.h"

#include "kinds/cidr.h"
#include "kinds/container.h"
#include "kinds/kinds.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <string.h>

/*
 * Networks cannot be updated (FACTS C): a difference means removing and
 * creating, and that only when nothing uses the network. What the engine chose
 * itself (subnets, gateways, VXLAN ids) is no difference.
 */

static const struct field fields[] = {
	{"attachable", FIELD_REPLACES, NULL},  {"driver", FIELD_REPLACES, NULL},
	{"enable_ipv6", FIELD_REPLACES, NULL}, {"internal", FIELD_REPLACES, NULL},
	{"ipam_driver", FIELD_REPLACES, NULL}, {"ipam_options", FIELD_REPLACES, NULL},
	{"labels", FIELD_REPLACES, NULL},      {"name", 0, NULL}, /* identity */
	{"options", FIELD_REPLACES, NULL},     {"subnets", FIELD_REPLACES | FIELD_IF_SET, NULL},
};

static const char *const after[] = {"engine", "swarm", NULL};

/* Made by the engine itself; never created, changed or removed. */
static const char *const predefined[] = {"bridge", "docker_gwbridge", "host", "ingress", "none"};

/* Options of the driver and of IPAM that the engine adds on its own. */
static const char *const engine_options[] = {
	"com.docker.network.driver.overlay.vxlanid_list",
	"com.docker.network.enable_ipv4",
	"com.docker.network.enable_ipv6",
	"com.docker.network.ipam.serial",
};

/*
 * A manager allocates a swarm's network moments after it was made. Until then it
 * has no driver, options or subnets (moby, daemon/cluster/convert/network.go);
 * one whose subnet is another's never gets them, and tasks wait for it for ever.
 */
#define ALLOCATED_WITHIN_MS 5000
#define ASK_AGAIN_MS 100

#define NOT_ALLOCATED \
	"Swarm has not allocated network '%s', and no task starts in it: its subnet may be another network's " \
	"(docker network rm %s, and choose another)"

static bool is_allocated(const json_t *live)
{
	const char *driver = json_str(live, "Driver");

	return !str_eq(json_str(live, "Scope"), "swarm") || (driver && *driver);
}

static void needs(const struct spec *spec, struct wants *w)
{
	(void)spec; /* also without networks in the spec: owned ones are pruned */
	want_swarm_list(w, "networks");
	want_swarm_list(w, "services");
	want_engine(w, "containers");
}

static bool is_predefined(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(predefined); i++)
		if (strcmp(predefined[i], name) == 0)
			return true;
	return false;
}

/* Decode */

/* An address or network as equal ones are written; text that is neither stays what it is. */
static json_t *canonical_net(const char *text)
{
	struct cidr c;
	char buf[CIDR_TEXT_SIZE];

	if (!text || !*text)
		return NULL;
	if (!cidr_parse(text, &c))
		return json_string(text);
	cidr_format(&c, buf);
	return json_string(buf);
}

static void add_subnet(json_t *subnets, const char *subnet, const char *gateway, const char *range)
{
	json_t *entry = json_object(), *key = canonical_net(subnet);
	json_t *g = canonical_net(gateway), *r = canonical_net(range);

	if (g)
		json_set(entry, "gateway", g);
	if (r)
		json_set(entry, "ip_range", r);
	if (key)
		json_set(subnets, json_string_value(key), entry);
	else
		json_decref(entry);
	json_decref(key);
}

static void decode_map(struct decode *d, struct resource *r, const char *field, const struct snode *map)
{
	if (snode_count(map) == 0)
		return;
	resource_set_field(d->out, r, field, string_map(map), map->mark);
	mark_members(d->out, r, field, map);
}

static void decode_ipam(struct decode *d, struct resource *r, const struct snode *ipam)
{
	const struct snode *config = snode_get(ipam, "config");
	const char *driver = snode_str(ipam, "driver");
	json_t *subnets = json_object();

	if (driver && !str_eq(driver, "default"))
		resource_set_field(d->out, r, "ipam_driver", json_string(driver), snode_get(ipam, "driver")->mark);
	decode_map(d, r, "ipam_options", snode_get(ipam, "options"));
	for (size_t i = 0; i < snode_count(config); i++)
		add_subnet(subnets, snode_str(config->items[i], "subnet"), snode_str(config->items[i], "gateway"),
			   snode_str(config->items[i], "ip_range"));
	if (json_object_size(subnets) > 0)
		resource_set_field(d->out, r, "subnets", json_incref(subnets), config->mark);
	json_decref(subnets);
}

static void decode_flag(struct decode *d, struct resource *r, const struct snode *section, const char *key)
{
	if (snode_bool(section, key, false))
		resource_set_field(d->out, r, key, json_true(), snode_get(section, key)->mark);
}

static void decode_network(struct decode *d, const struct snode *section)
{
	struct resource *r = resource_add(d->out, "network", section->key);
	const char *name = section_name(section), *driver = snode_str(section, "driver");

	r->mark = section->key_mark;
	resource_set_field(d->out, r, "name", json_string(name), mark_of(snode_get(section, "name"), r->mark));
	r->external = snode_bool(section, "external", false);
	if (r->external)
		return;
	driver = driver ? driver : "overlay";
	resource_set_field(d->out, r, "driver", json_string(driver), mark_of(snode_get(section, "driver"), r->mark));
	decode_flag(d, r, section, "attachable");
	decode_flag(d, r, section, "internal");
	decode_flag(d, r, section, "enable_ipv6");
	decode_map(d, r, "options", snode_get(section, "driver_opts"));
	decode_map(d, r, "labels", snode_get(section, "labels"));
	decode_ipam(d, r, snode_get(section, "ipam"));
	if (is_predefined(name))
		resource_block(d->out, r, "network '%s' is the engine's own: say 'external: true' to use it",
			       snode_shown_part(snode_get(section, "name"), name));
	if (str_eq(driver, "overlay"))
		swarm_ref(d, r);
	common_keys(d, r, section);
}

static int decode(struct decode *d, struct err *err)
{
	const struct snode *networks = snode_get(spec_root(d->spec), "networks");

	(void)err;
	for (size_t i = 0; i < snode_count(networks); i++)
		decode_network(d, networks->items[i]);
	return 0;
}

/* Observe */

json_t *network_options(const json_t *live, const json_t *wanted)
{
	json_t *options = json_object();

	json_object_update(options, (json_t *)live);
	for (size_t i = 0; i < ARRAY_SIZE(engine_options); i++)
		if (!json_object_get(wanted, engine_options[i]))
			json_object_del(options, engine_options[i]);
	if (json_object_size(options) > 0)
		return options;
	json_decref(options);
	return NULL;
}

static bool names_family(const json_t *subnets, int family)
{
	const char *key;
	json_t *value;
	struct cidr c;

	json_object_foreach ((json_t *)subnets, key, value)
		if (cidr_parse(key, &c) && c.family == family)
			return true;
	return false;
}

/* The live subnets as far as the spec chose them: the engine adds a gateway, and an IPv6 subnet of its own. */
static json_t *observe_subnets(const json_t *ipam, const json_t *wanted)
{
	json_t *subnets = json_object();
	const json_t *config;
	size_t i;

	json_array_foreach (json_object_get(ipam, "Config"), i, config) {
		struct cidr c;
		const char *subnet = json_str(config, "Subnet");
		if (!subnet || (cidr_parse(subnet, &c) && !names_family(wanted, c.family)))
			continue;
		json_t *key = canonical_net(subnet);
		bool chosen = json_object_get(json_object_get(wanted, json_string_value(key)), "gateway");
		json_decref(key);
		add_subnet(subnets, subnet, chosen ? json_str(config, "Gateway") : NULL, json_str(config, "IPRange"));
	}
	return subnets;
}

static void observe_body(struct observe *o, struct resource *r, const json_t *live, const json_t *wanted)
{
	const json_t *ipam = json_object_get(live, "IPAM");
	const char *driver = json_str(live, "Driver"), *ipam_driver = json_str(ipam, "Driver");
	json_t *labels = r->owned ? labels_body(json_object_get(live, "Labels"))
				  : json_incref(json_object_get(wanted, "labels"));
	const struct mark none = {0};

	if (driver)
		resource_set_field(o->out, r, "driver", json_string(driver), none);
	resource_set_field(o->out, r, "attachable", json_bool(live, "Attachable") ? json_true() : NULL, none);
	resource_set_field(o->out, r, "internal", json_bool(live, "Internal") ? json_true() : NULL, none);
	resource_set_field(o->out, r, "enable_ipv6", json_bool(live, "EnableIPv6") ? json_true() : NULL, none);
	resource_set_field(o->out, r, "labels", labels, none);
	resource_set_field(o->out, r, "options",
			   network_options(json_object_get(live, "Options"), json_object_get(wanted, "options")), none);
	if (ipam_driver && *ipam_driver && !str_eq(ipam_driver, "default"))
		resource_set_field(o->out, r, "ipam_driver", json_string(ipam_driver), none);
	resource_set_field(o->out, r, "ipam_options",
			   network_options(json_object_get(ipam, "Options"), json_object_get(wanted, "ipam_options")),
			   none);
	if (json_object_get(wanted, "subnets"))
		resource_set_field(o->out, r, "subnets", observe_subnets(ipam, json_object_get(wanted, "subnets")),
				   none);
}

/* *second: another network of the same name; engines keep local networks apart by id only. */
static const json_t *find_by_name(const json_t *list, const char *name, const json_t **second)
{
	const json_t *entry, *found = NULL;
	size_t i;

	*second = NULL;
	json_array_foreach (list, i, entry) {
		if (!str_eq(json_str(entry, "Name"), name))
			continue;
		if (found)
			*second = entry;
		else
			found = entry;
	}
	return found;
}

static bool awaits_allocation(const struct fetch *f)
{
	const struct snode *networks = snode_get(spec_root(f->spec), "networks");
	const json_t *list = snapshot_get(f->snap, "engine/networks", NULL), *second, *live;

	for (size_t i = 0; i < snode_count(networks); i++) {
		live = find_by_name(list, section_name(networks->items[i]), &second);
		if (live && !is_allocated(live))
			return true;
	}
	return false;
}

static int fetch(struct fetch *f, struct err *err)
{
	int64_t until = clock_ms() + ALLOCATED_WITHIN_MS;

	(void)err;
	while (awaits_allocation(f) && clock_left(until) > 0 && clock_sleep(ASK_AGAIN_MS)) {
		json_t *list = NULL;
		struct err why;
		if (engine_get(f->cluster->engine, f->deadline, &list, &why, "/networks") < 0 || !json_is_array(list)) {
			json_decref(list);
			break;
		}
		snapshot_put(f->snap, "engine/networks", list);
	}
	return 0;
}

static void observe_network(struct observe *o, const struct resource *want, const json_t *list)
{
	struct resource *r = observe_add(o, want);
	const char *name = json_str(want->body, "name");
	const json_t *second, *live = find_by_name(list, name, &second);

	if (!live)
		return;
	if (second) {
		r->presence = UNKNOWN;
		resource_block(o->out, r, "the engine has two networks named '%s', %.12s and %.12s: remove one of them",
			       name, json_str(live, "Id"), json_str(second, "Id"));
		return;
	}
	if (!is_allocated(live)) {
		r->presence = UNKNOWN;
		resource_block(o->out, r, NOT_ALLOCATED, name, name);
		return;
	}
	r->presence = PRESENT;
	r->id = arena_strdup(resource_set_arena(o->out), json_str(live, "Id"));
	r->owned = labels_owned(json_object_get(live, "Labels"), o->cluster);
	r->ownable = false;
	json_set_str(r->body, "name", name);
	if (!want->external)
		observe_body(o, r, live, want->body);
}

static bool is_wanted(const struct observe *o, const char *name)
{
	for (size_t i = 0; i < resource_count(o->want); i++) {
		const struct resource *want = resource_at(o->want, i);
		if (str_eq(want->kind, "network") && str_eq(json_str(want->body, "name"), name))
			return true;
	}
	return false;
}

static int observe(struct observe *o, struct err *err)
{
	const char *why;
	const json_t *list = snapshot_get(o->snap, "engine/networks", &why), *entry;
	enum swarm_role role = swarm_role(o->snap, &why);
	size_t i;

	(void)err;
	/* A worker lists only the overlay networks that its own tasks use. */
	if (!list || role == SWARM_UNKNOWN || role == SWARM_WORKER) {
		if (!list)
			snapshot_get(o->snap, "engine/networks", &why);
		observe_unknown(o, "network", why);
		return 0;
	}
	for (i = 0; i < resource_count(o->want); i++)
		if (str_eq(resource_at(o->want, i)->kind, "network"))
			observe_network(o, resource_at(o->want, i), list);
	json_array_foreach (list, i, entry) {
		const char *name = json_str(entry, "Name");
		if (labels_owned(json_object_get(entry, "Labels"), o->cluster) && !is_predefined(name) &&
		    !is_wanted(o, name))
			observe_extra(o, "network", name, json_str(entry, "Id"));
	}
	return 0;
}

/* Explain */

static bool attaches(const json_t *networks, const char *id, const char *name)
{
	const json_t *n;
	size_t i;

	json_array_foreach (networks, i, n) {
		const char *target = json_str(n, "Target");
		if (str_eq(target, id) || str_eq(target, name))
			return true;
	}
	return false;
}

static void add_user(struct str *users, const char *what, const char *name)
{
	str_addf(users, "%s%s '%s'", users->len ? ", " : "", what, name);
}

/* Services and standalone containers that use the network; the containers of tasks are their service's. */
static void list_users(const struct snapshot *snap, const char *id, const char *name, struct str *users)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (snapshot_get(snap, "engine/services", NULL), i, entry)
		if (attaches(json_path(entry, "Spec.TaskTemplate.Networks"), id, name) ||
		    attaches(json_path(entry, "Spec.Networks"), id, name))
			add_user(users, "service", json_str(json_object_get(entry, "Spec"), "Name"));
	json_array_foreach (snapshot_get(snap, "engine/containers", NULL), i, entry) {
		const json_t *networks = json_path(entry, "NetworkSettings.Networks");
		const char *full = json_string_value(json_array_get(json_object_get(entry, "Names"), 0));
		if (json_object_get(networks, name) && full &&
		    !json_object_get(json_object_get(entry, "Labels"), "com.docker.swarm.task.id"))
			add_user(users, "container", full + (*full == '/'));
	}
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	_cleanup_str_ struct str users = {0}, ours = {0};
	const char *why;

	if (c->action == ACTION_DELETE && container_list_users(o, json_str(c->live->body, "name"), &ours) > 0)
		c->effect = arena_printf(a, "container %s is disconnected from it", str_cstr(&ours));
	if (c->action != ACTION_REPLACE || c->state == CHANGE_BLOCKED)
		return;
	if (!swarm_list(o->snap, "engine/services", &why) || !snapshot_get(o->snap, "engine/containers", &why)) {
		c->state = CHANGE_BLOCKED;
		c->reason =
			arena_printf(a, "a network cannot be changed in place, and who uses it is not known: %s", why);
		return;
	}
	list_users(o->snap, c->live->id, json_str(c->live->body, "name"), &users);
	if (users.len == 0) {
		c->disruption = DISRUPTS_NOTHING;
		c->effect = "nothing uses it: it is removed and created again";
		return;
	}
	c->state = CHANGE_BLOCKED;
	c->reason =
		arena_printf(a,
			     "a network cannot be changed in place, and %s use it: declare a network of another name "
			     "with these settings, move them to it, then drop this one",
			     str_cstr(&users));
}

/* Apply */

static json_t *ipam_of(const json_t *body)
{
	json_t *ipam = json_object(), *config = json_array();
	const char *subnet;
	json_t *entry;

	json_set_str(ipam, "Driver", json_str(body, "ipam_driver") ? json_str(body, "ipam_driver") : "default");
	if (json_object_get(body, "ipam_options"))
		json_set(ipam, "Options", json_incref(json_object_get(body, "ipam_options")));
	json_object_foreach (json_object_get(body, "subnets"), subnet, entry) {
		json_t *c = json_object();
		json_set_str(c, "Subnet", subnet);
		json_set_str(c, "Gateway", json_str(entry, "gateway"));
		json_set_str(c, "IPRange", json_str(entry, "ip_range"));
		json_array_append_new(config, c);
	}
	json_set(ipam, "Config", config);
	return ipam;
}

static int wait_until_allocated(struct apply *a, const char *id, const char *name, struct err *err)
{
	int64_t until = clock_ms() + ALLOCATED_WITHIN_MS;

	for (;;) {
		_cleanup_json_ json_t *live = NULL;
		if (engine_get(a->cluster->engine, a->deadline, &live, err, "/networks/%s", id ? id : name) < 0)
			return err_wrap(err, "looking at the new network '%s'", name);
		if (is_allocated(live))
			return 0;
		if (clock_left(until) == 0)
			return err_set(err, ERR_FAILED, NOT_ALLOCATED, name, name);
		if (!clock_sleep(ASK_AGAIN_MS))
			return err_set(err, ERR_CANCELLED, "network '%s' is made; stopped before Swarm allocated it",
				       name);
	}
}

static int create(struct apply *a, const json_t *body, struct err *err)
{
	_cleanup_json_ json_t *q = json_object(), *made = NULL;
	const char *driver = json_str(body, "driver"), *name = json_str(body, "name");
	struct err why;

	json_set_str(q, "Name", name);
	json_set_bool(q, "CheckDuplicate", true);
	json_set_str(q, "Driver", driver);
	if (str_eq(driver, "overlay"))
		json_set_str(q, "Scope", "swarm");
	json_set_bool(q, "Attachable", json_bool(body, "attachable"));
	json_set_bool(q, "Internal", json_bool(body, "internal"));
	json_set_bool(q, "EnableIPv6", json_bool(body, "enable_ipv6"));
	json_set(q, "IPAM", ipam_of(body));
	json_set(q, "Labels", labels_with_owner(json_object_get(body, "labels"), a->cluster->name));
	if (json_object_get(body, "options"))
		json_set(q, "Options", json_incref(json_object_get(body, "options")));
	if (engine_post(a->cluster->engine, a->deadline, q, &made, &why, "/networks/create") < 0) {
		*err = why;
		made_meanwhile(err);
		return err_wrap(err, "creating network '%s'", name);
	}
	return wait_until_allocated(a, json_str(made, "Id"), name, err);
}

/* The engine says so with different statuses: 403 for endpoints on this host, 400 for tasks of the swarm. */
static bool is_in_use(const struct err *err)
{
	return strstr(err->msg, "active endpoints") || strstr(err->msg, "in use");
}

#define UNUSED_WITHIN_MS 60000

/* A network that has left the swarm and is still listed for this host: its removal is a 500 "not found". */
static bool is_gone(const struct err *err)
{
	return err->code == ERR_NOT_FOUND || strstr(err->msg, "not found");
}

/* The engine lists it, and keeps its name, until the last task on this host has let go of it. */
static int look_for_removed(struct apply *a, const char *id, struct err *err)
{
	if (engine_get(a->cluster->engine, a->deadline, NULL, err, "/networks/%s", id) < 0)
		return is_gone(err) ? 0 : -1;
	return err_set(err, ERR_TIMEOUT, "it has left the swarm, and this host's engine still lists it as in use");
}

/* Tasks of a removed service let go of their network some seconds later. */
static int delete (struct apply *a, const char *id, const char *name, struct err *err)
{
	int64_t until = clock_ms() + UNUSED_WITHIN_MS;

	if (until > a->deadline)
		until = a->deadline;
	if (container_leave_network(a, name, err) < 0)
		return -1;
	for (;;) {
		struct err why = {0};
		bool removed =
			engine_delete(a->cluster->engine, a->deadline, &why, "/networks/%s", id) == 0 || is_gone(&why);
		if (removed && look_for_removed(a, id, &why) == 0)
			return 0;
		if (!is_in_use(&why) || clock_left(until) == 0) {
			*err = why;
			return err_wrap(err, "removing network '%s'", name);
		}
		a->progress(a->progress_arg, "waiting until nothing uses it");
		if (!clock_sleep(1000))
			return err_set(err, ERR_CANCELLED, "removing network '%s': stopped while it was still in use",
				       name);
	}
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	if ((c->action == ACTION_DELETE || c->action == ACTION_REPLACE) &&
	    delete (a, c->live->id, json_str(c->live->body, "name"), err) < 0)
		return -1;
	if (c->action == ACTION_CREATE || c->action == ACTION_REPLACE)
		return create(a, c->desired->body, err);
	return 0;
}

const struct kind kind_network = {
	.name = "network",
	.after = after,
	.fields = fields,
	.n_fields = ARRAY_SIZE(fields),
	.prunes = true,
	.adopts = true,
	.needs = needs,
	.fetch = fetch,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
};
