/* Ports of a service in a stack file, each as a map of its own (go-connections/nat, ParsePortSpec). */
#include "spec/stack.h"

#include <string.h>

#define PORTS_MAX 10000 /* of all services of a stack */

struct range {
	long first, last;
};

static bool parse_range(const char *text, struct range *r)
{
	char *end;

	if (strspn(text, "0123456789-") != strlen(text) || !*text || *text == '-')
		return false;
	r->first = r->last = strtol(text, &end, 10);
	if (*end == '-' && end[1])
		r->last = strtol(end + 1, &end, 10);
	return *end == '\0' && r->first <= r->last && r->last <= 65535;
}

struct short_port {
	struct range target, published;
	bool is_published, has_address;
	const char *protocol;
};

static const char *protocol_of(const char *text)
{
	static const char *const known[] = {"tcp", "udp", "sctp"};

	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (strcasecmp(text, known[i]) == 0)
			return known[i];
	return NULL;
}

/* "[[ADDRESS:]PUBLISHED:]TARGET[/PROTOCOL]" */
static bool parse(char *text, struct short_port *p)
{
	char *slash = strchr(text, '/');

	*p = (struct short_port){.protocol = slash ? protocol_of(slash + 1) : "tcp"};
	if (slash)
		*slash = '\0';
	char *colon = strrchr(text, ':');
	if (!p->protocol || !parse_range(colon ? colon + 1 : text, &p->target) || p->target.first == 0)
		return false;
	if (!colon)
		return true;
	*colon = '\0';
	char *address_end = strrchr(text, ':');
	const char *published = address_end ? address_end + 1 : text;
	p->has_address = address_end && strncmp(text, "0.0.0.0:", strlen("0.0.0.0:")) != 0;
	p->is_published = *published != '\0';
	if (!p->is_published)
		return true;
	return parse_range(published, &p->published) &&
	       (p->target.first == p->target.last ||
		p->published.last - p->published.first == p->target.last - p->target.first);
}

static void push(struct stack *s, struct snode_list *out, const struct snode *item, const struct short_port *p,
		 long published, long target)
{
	struct snode *port = build_map(s->arena, NULL, item);

	s->n_ports++;
	build_put(s->arena, port, build_text(s->arena, "mode", "ingress", item));
	build_put(s->arena, port, build_int(s->arena, "target", target, item));
	if (published)
		build_put(s->arena, port, build_int(s->arena, "published", published, item));
	build_put(s->arena, port, build_text(s->arena, "protocol", p->protocol, item));
	vec_push(out, port);
}

/* A range may be published for one port of the container: each of it leads there. */
static void add_short(struct stack *s, struct snode_list *out, const struct snode *item)
{
	_cleanup_free_ char *text = xstrdup(item->text);
	struct short_port p;

	if (!parse(text, &p)) {
		stack_error(s, item->mark,
			    "'%s' is not of the form [PUBLISHED:]TARGET[/PROTOCOL], with ranges of equal length",
			    snode_shown(item));
		return;
	}
	if (p.has_address)
		stack_warn(s, item->mark,
			   "docker stack deploy ignores the address: Swarm publishes on every address of the node");
	bool one_target = p.target.first == p.target.last;
	const struct range *r = p.is_published && one_target ? &p.published : &p.target;
	for (long i = 0; i <= r->last - r->first && s->n_ports <= PORTS_MAX; i++)
		push(s, out, item, &p, p.is_published ? p.published.first + i : 0,
		     p.target.first + (one_target ? 0 : i));
}

void stack_ports(struct stack *s, struct snode *service)
{
	struct snode *list = build_at(service, "ports");
	struct snode_list out = {0};

	if (!list || list->type != SNODE_SEQ)
		return;
	for (size_t i = 0; i < list->n_items && s->n_ports <= PORTS_MAX; i++) {
		struct snode *item = list->items[i];
		if (snode_scalar(item)) {
			add_short(s, &out, item);
		} else if (item->type == SNODE_MAP) {
			if (snode_int(item, "published", 1) == 0)
				build_drop(item, "published");
			s->n_ports++;
			vec_push(&out, item);
		}
	}
	if (s->n_ports > PORTS_MAX)
		stack_error(s, list->mark, "a stack publishes at most %d ports", PORTS_MAX);
	build_items(s->arena, list, &out);
}
