/*
 * Who is who: which entry of a manager's list a node of the spec is. A node's own engine says its NodeID; where the
 * host cannot be asked, the address that it joined with has to do.
 */
#ifndef RECONCILE_KINDS_NODE_H
#define RECONCILE_KINDS_NODE_H

#include "model/kind.h"
#include "spec/spec.h"

struct node_id {
	const char *name; /* the spec's */
	const char *address;
	const char *hostname; /* NULL: any */
	const char *shown;    /* the address in messages: not the value of a variable */
};

enum node_found {
	NODE_FOUND,
	NODE_NOT_FOUND, /* is not in the swarm: it has not joined, or is in another one */
	NODE_AMBIGUOUS, /* several entries fit, and the host cannot be asked */
	NODE_UNSEEN,    /* the list is not known */
};

/*
 * *entry (borrowed) is set for NODE_FOUND, *why (malloc'ed, for the operator)
 * for NODE_AMBIGUOUS and NODE_UNSEEN. Needs engine/info, engine/nodes, info/<node>.
 */
enum node_found node_find(const struct snapshot *snap, const struct node_id *want, const json_t **entry, char **why);
const char *node_address(const json_t *entry); /* that it joined with; "" when not known */
/* Whether the entry joined with the address; also that of a manager which listens on all. */
bool node_has_address(const json_t *entry, const char *address);
const char *node_hostname(const json_t *entry); /* "" when not known */
/* "down", "ready", … of an entry; "" when not known. */
const char *node_state(const json_t *entry);
struct node_id node_id_of(const struct snode *node);
struct node_id node_id_of_resource(const struct resource *node); /* of a desired one of kind node */

/*
 * What the node's own engine says (GET /info). NULL: not known, *why (may be NULL) says why. JSON null: no engine runs
 * there. Borrowed.
 */
const json_t *node_info(const struct snapshot *snap, const char *node, const char **why);
/* LocalNodeState of such a document: "inactive", "active", "pending", "error", "locked"; "" when it does not say. */
const char *node_swarm_state(const json_t *info);
/* The NodeID that the engine says it has; NULL: none. */
const char *node_own_id(const json_t *info);

/* The spec's host whose engine says that it has this NodeID (may be NULL); NULL: none that could be looked at. */
struct host *node_host(const struct apply *a, const char *id);

/* True when the engine of this pass (engine/info) is the node's. */
bool node_has_engine(const struct snapshot *snap, const char *node);

/* Fills info/<node> from the hosts' probes. */
void node_fetch_infos(struct fetch *f);
void node_want_infos(const struct spec *spec, struct wants *w);

#endif
