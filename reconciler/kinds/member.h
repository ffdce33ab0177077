/*
 * Membership of the swarm: a resource "<cluster>@<node>" of kind swarm for each node of the spec that is no member yet,
 * cannot be one, or has left entries of former installations in the managers' list. Its creation is joining; its
 * update removes such entries. Who is in another swarm stays there.
 */
#ifndef RECONCILE_KINDS_MEMBER_H
#define RECONCILE_KINDS_MEMBER_H

#include "model/kind.h"
#include "spec/spec.h"

/* The manager of the spec that creates the swarm: the first that is not optional. NULL: the spec names no manager. */
const struct snode *swarm_founder(const struct spec *spec);

/* FACTS C */
#define SWARM_PORTS_ADVICE \
	"look whether 2377/tcp to the managers and 7946/tcp, 7946/udp and 4789/udp between all nodes are open " \
	"(firewalls)"

/* As the hooks of a kind. founds: the swarm is to be created, its founder does not join; swarm takes notes. */
void member_decode(struct decode *d, bool founds, struct resource *swarm);
/* True for a node that is a member without a doubt. */
bool member_is_in(const struct decode *d, const char *node);
void member_observe(struct observe *o);
void member_explain(const struct observe *o, struct arena *a, struct change *c);
int member_apply(struct apply *a, const struct change *c, struct err *err) MUST_CHECK;

#endif
