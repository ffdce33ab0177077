/* What several kinds share: labels, references, and what a swarm's lists mean. All of it pure. */
#ifndef RECONCILE_KINDS_UTIL_H
#define RECONCILE_KINDS_UTIL_H

#include "kinds/cluster.h"
#include "model/kind.h"
#include "spec/spec.h"

/*
 * The keys that every section has, for the resource r made of section n: `after: [kind/name, …]` as REF_REQUIRES with
 * its marks, `ignore` as far as r's kind knows the fields, and `drift`. Every kind's decode calls it.
 */
void common_keys(struct decode *d, struct resource *r, const struct snode *n);

/* REF_REQUIRES on swarm/<cluster>, when the spec wants a swarm at all; for what can only be made in one. */
void swarm_ref(struct decode *d, struct resource *r);
/* True when something in the spec needs a swarm; then swarm/<cluster> is a desired resource. */
bool spec_wants_swarm(const struct spec *spec);

/* What the engine is, by engine/info (needs: want_engine(w, "info")). */
enum swarm_role {
	SWARM_UNKNOWN, /* not observed, or a state that only a person can end (locked, error) */
	SWARM_NONE,    /* in no swarm: observed to have no nodes, services, configs, secrets, overlay networks */
	SWARM_WORKER,  /* cannot tell anything about the swarm */
	SWARM_MANAGER,
};
/* *why (never NULL): for UNKNOWN and WORKER a message that says what to do. Borrowed from the snapshot. */
enum swarm_role swarm_role(const struct snapshot *snap, const char **why);

/*
 * A list that only a manager answers ("engine/configs"). NULL: unknown, *why
 * says why. JSON null (iterates as an empty array) when there is no swarm.
 * Borrowed.
 */
const json_t *swarm_list(const struct snapshot *snap, const char *doc, const char **why);
void want_swarm_list(struct wants *w, const char *list); /* "configs", and what swarm_role needs */

/*
 * What a host's probe saw: the answer to want_look(w, node, name, argument). NULL: unknown, *why (never NULL; in the
 * arena) says why. JSON null: there is no such thing. Else a string. Borrowed.
 */
const json_t *host_look(const struct snapshot *snap, struct arena *a, const char *node, const char *name,
			const char *argument, const char **why);

/*
 * Whether what a host would only be asked about (packages, a firewall that may not be there) is a resource of this
 * pass: when the look has an answer; and in a bootstrap, which prepares hosts, also when it should have one and could
 * not be had. In a plain pass whatever is wanted of such a host says that it does not answer.
 */
bool host_look_counts(const struct snapshot *snap, const char *node, const char *name, const char *argument);

/* Live resource beside the wanted one, body empty, ABSENT and ownable until the caller knows better. */
struct resource *observe_add(struct observe *o, const struct resource *want);
/* All wanted resources of the kind are live as they are wanted: what is never written, a gate. */
void observe_as_wanted(struct observe *o, const char *kind);
/* All wanted resources of the kind become UNKNOWN live ones. */
void observe_unknown(struct observe *o, const char *kind, const char *why);
/* Every node of the spec, and those of the wanted resources of the kind: {"gmktec": true}. New reference. */
json_t *observed_nodes(const struct observe *o, const char *kind);
/*
 * A live resource that the spec does not name, PRESENT and owned, named by its
 * name in the engine, or by that and the id when a wanted one has this name.
 */
struct resource *observe_extra(struct observe *o, const char *kind, const char *engine_name, const char *id);

/* A map of scalars, or a list of "KEY=VALUE", as an object of strings; NULL when there is none. New reference. */
json_t *string_map(const struct snode *n);
/* Labels for a body: without those of ours; NULL when none is left. New reference. */
json_t *labels_body(const json_t *labels);
/* Labels for the engine: the body's (may be NULL) and the ownership label. New reference. */
json_t *labels_with_owner(const json_t *labels, const char *cluster);
/* "labels.a" or "labels[a.b]": the path of a member, as the diff writes it. malloc'ed. */
char *member_path(const char *field, const char *key);
/* resource_mark for every member of map: "labels[a.b]", as the diff writes paths. */
void mark_members(struct resource_set *s, struct resource *r, const char *field, const struct snode *map);

/*
 * After a creation that the engine refused: when the name is taken although nothing was there, somebody made it since
 * it was observed, or this program did in a call whose answer was lost. The error then asks for a new plan, which finds
 * out.
 */
void made_meanwhile(struct err *err);

/*
 * The name in the engine of a network, volume, config or secret that the spec
 * calls name: the desired body's "name"; NULL when it is not declared or not known yet.
 */
const char *engine_name(const struct resource_set *want, const char *kind, const char *name);
/* Where the spec says it; what a default of the schema says is said where the section begins. */
struct mark mark_of(const struct snode *n, struct mark section);
/* The section's `name`, else its key. */
const char *section_name(const struct snode *section);

#endif
