/* Which entry of the Engine's node list a node of the spec is. */
#ifndef RECONCILE_KINDS_NODE_H
#define RECONCILE_KINDS_NODE_H

#include "model/snapshot.h"
#include "spec/spec.h"

struct node_id {
	const char *name; /* the spec's */
	const char *address;
	const char *hostname; /* NULL: any */
};

enum node_found {
	NODE_FOUND,
	NODE_NOT_FOUND, /* has not joined */
	NODE_AMBIGUOUS, /* several entries fit: one machine that joined twice, or two with one address */
	NODE_UNSEEN,    /* the list is not known */
};

/*
 * *entry (borrowed) is set for NODE_FOUND, *why (malloc'ed, for the operator)
 * for NODE_AMBIGUOUS and NODE_UNSEEN. The machine that the engine runs on is
 * known by its NodeID, every other by the address it joined with.
 */
enum node_found node_find(const struct snapshot *snap, const struct node_id *want, const json_t **entry, char **why);
const char *node_address(const json_t *entry); /* that it joined with; "" when not known */
struct node_id node_id_of(const struct snode *node);

/* True when the spec's node is the machine that both this program and the engine run on. */
bool node_is_here(const struct snapshot *snap, const struct node_id *want);

#endif
