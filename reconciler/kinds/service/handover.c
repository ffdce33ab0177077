#include "kinds/service/handover.h"

#include "kinds/absent/absent.h"
#include "kinds/route/gate.h"
#include "kinds/traefik/traefik.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <string.h>

/* The service gets it, and who has it is to end. */
static bool is_handed_over(const struct snapshot *snap, const struct resource_set *want, const struct change *c,
			   const char *port, struct absent_holder *from)
{
	const json_t *before = c->live ? json_object_get(c->live->body, "ports") : NULL;
	_cleanup_free_ char *published = port_published(port);

	return !json_object_get(before, port) && absent_port_holder(snap, want, published, from);
}

/* Whether requests to the port are this route's: it names the entrypoint, or none, which are all. */
static bool listens(const struct resource *route, const struct resource *traefik, const char *entrypoint)
{
	const json_t *names = json_object_get(route->body, "entrypoints"), *name;
	size_t i;

	if (strcmp(route->kind, "route") != 0 || !entrypoint ||
	    !str_eq(json_str(route->body, "traefik_service"), traefik->name))
		return false;
	json_array_foreach (names, i, name)
		if (strcasecmp(json_string_value(name), entrypoint) == 0)
			return true;
	return !names;
}

/* "route/a, route/b"; "": none. */
static void list_routes(const struct resource_set *want, const struct resource *traefik, const char *port,
			struct str *out)
{
	_cleanup_free_ char *entrypoint = traefik_entrypoint_of_port(traefik->body, port);

	for (size_t i = 0; i < resource_count(want); i++)
		if (listens(resource_at(want, i), traefik, entrypoint))
			str_addf(out, "%sroute/%s", out->len ? ", " : "", resource_at(want, i)->name);
}

/* In Swarm's load balancer, for the routes of list_routes. */
static bool comes_with_routes(const json_t *mode, const struct str *routes)
{
	return routes->len && str_eq(json_string_value(mode), "ingress");
}

/* "port 11434 of container 'haproxy'" */
static const char *shown(struct arena *a, const char *port, const struct absent_holder *from)
{
	return arena_printf(a, from->known ? "port %.*s of %s '%s'" : "port %.*s, which %s '%s' may have,",
			    (int)strcspn(port, ":"), port, from->what, from->name);
}

static const char *why_blocked(struct arena *a, const struct change *c, const char *port,
			       const struct absent_holder *from, const struct str *routes)
{
	const char *what = shown(a, port, from), *entry = from->absent->name;
	bool updates = c->action == ACTION_UPDATE || c->action == ACTION_ADOPT;
	bool on_its_node = str_eq(json_str(json_object_get(c->desired->body, "ports"), port), "host");

	if (from->for_good)
		return arena_printf(a,
				    "Swarm gives a port to one service, and %s stays its own as long as that exists, "
				    "stopped or not: first absent/%s without 'keep', then, in a later commit, the port",
				    what, entry);
	if (!from->known || (updates && routes->len && !on_its_node))
		return NULL;
	if (on_its_node)
		return arena_printf(a,
				    "%s is to be published on the task's own node (mode: host), where no task could "
				    "start beside it: first absent/%s, then, in a later commit, the port; in mode "
				    "ingress one commit does both",
				    what, entry);
	return arena_printf(
		a, "Swarm would take %s at once, %s: %sfirst absent/%s, then, in a later commit, the port", what,
		updates ? "and no route of the spec listens there" : "before anything is seen to work behind it",
		updates ? "add its entrypoint to the route that serves it, or " : "", entry);
}

void handover_explain(const struct observe *o, struct arena *a, struct change *c)
{
	const char *port;
	json_t *mode;

	json_object_foreach (json_object_get(c->desired->body, "ports"), port, mode) {
		_cleanup_str_ struct str routes = {0};
		struct absent_holder from;
		if (c->state == CHANGE_BLOCKED || !is_handed_over(o->snap, o->want, c, port, &from))
			continue;
		list_routes(o->want, c->desired, port, &routes);
		c->reason = why_blocked(a, c, port, &from, &routes);
		if (c->reason)
			c->state = CHANGE_BLOCKED;
		else if (comes_with_routes(mode, &routes))
			c->effect = arena_printf(
				a,
				"%s%s%s comes to it, once %s is seen to work: connections made while Docker "
				"sets up its load balancer wait for it (iptables on %s drops their refusals)",
				c->effect ? c->effect : "", c->effect ? "; " : "", shown(a, port, &from),
				str_cstr(&routes), from.absent->node);
	}
}

/* 1: all that listen there work. */
static int ask_routes(struct apply *a, const struct change *c, const char *port, struct gate *g, struct err *err)
{
	_cleanup_free_ char *entrypoint = traefik_entrypoint_of_port(c->desired->body, port);

	for (size_t i = 0; i < resource_count(a->want); i++) {
		const struct resource *route = resource_at(a->want, i);
		if (!listens(route, c->desired, entrypoint))
			continue;
		if (route_gate_before(a, route, entrypoint, g, err) < 0)
			return -1;
		_cleanup_free_ char *why = g->reason;
		g->reason = NULL;
		if (g->met)
			continue;
		g->reason = xasprintf("port %.*s comes to it when route/%s works, and that does not yet: %s",
				      (int)strcspn(port, ":"), port, route->name, why ? why : "?");
		return 0;
	}
	return 1;
}

int handover_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err)
{
	struct absent_holder from;
	const char *port;
	json_t *mode;
	int rc = 1;

	(void)dry;
	if (c->desired)
		json_object_foreach (json_object_get(c->desired->body, "ports"), port, mode)
			if (rc > 0 && is_handed_over(a->snap, a->want, c, port, &from))
				rc = ask_routes(a, c, port, g, err);
	if (rc > 0)
		*g = (struct gate){.met = true};
	return rc < 0 ? -1 : 0;
}

/*
 * Docker directs connections to its load balancer some rules before that knows the task (libnetwork, addLBBackend), and
 * until then they are refused. Without the refusal a client sends its SYN again, a second later. What is dropped comes
 * from that load balancer alone, not from who has the port before. $1: the port; $2: for how many seconds at most, for
 * a run that is killed before release_script.
 */
static const char hold_script[] =
	"set -e\n"
	"chain=RECONCILE-$1\n"
	"until=$(date -u -d \"@$(($(date +%s) + $2))\" +%Y-%m-%dT%H:%M:%S)\n"
	"iptables -w -t raw -N $chain 2>/dev/null || iptables -w -t raw -F $chain\n"
	"iptables -w -t raw -A $chain -p tcp --sport $1 --tcp-flags RST RST -m time --datestop $until -j DROP\n"
	"iptables -w -t raw -C PREROUTING -i docker_gwbridge -j $chain 2>/dev/null ||\n"
	"	iptables -w -t raw -I PREROUTING -i docker_gwbridge -j $chain\n";
static const char release_script[] = "set -e\n"
				     "iptables -w -t raw -D PREROUTING -i docker_gwbridge -j RECONCILE-$1\n"
				     "iptables -w -t raw -F RECONCILE-$1\n"
				     "iptables -w -t raw -X RECONCILE-$1\n";

#define SCRIPT_MS 30000

/* Without it some connections are refused, which is no reason to leave the port where it is. */
static void run_script(struct apply *a, const char *node, const char *verb, const char *script, const char *port)
{
	_cleanup_free_ char *number = xasprintf("%.*s", (int)strcspn(port, ":/"), port);
	_cleanup_free_ char *seconds = xasprintf("%lld", (long long)clock_left(a->deadline) / 1000 + 1);
	const char *const args[] = {number, seconds, NULL};
	struct host *h = cluster_host(a->cluster, node);
	struct err err = {0};

	if (h && host_script(h, verb, "rules of iptables", script, args, clock_ms() + SCRIPT_MS, &err) < 0)
		a->progress(a->progress_arg, "connections to port %s may be refused for a moment: %s", number, err.msg);
}

/* What handover_explain tells of: a service that is not the spec's Traefik gets a port without it. */
static void run_for_ports(struct apply *a, const struct change *c, const char *verb, const char *script)
{
	const char *port;
	json_t *mode;

	json_object_foreach (json_object_get(c->desired->body, "ports"), port, mode) {
		_cleanup_str_ struct str routes = {0};
		struct absent_holder from;
		if (!is_handed_over(a->snap, a->want, c, port, &from))
			continue;
		list_routes(a->want, c->desired, port, &routes);
		if (comes_with_routes(mode, &routes))
			run_script(a, from.absent->node, verb, script, port);
	}
}

void handover_hold(struct apply *a, const struct change *c)
{
	run_for_ports(a, c, "add", hold_script);
}

void handover_release(struct apply *a, const struct change *c)
{
	run_for_ports(a, c, "remove", release_script);
}
