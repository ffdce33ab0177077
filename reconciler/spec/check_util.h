/* Shared by the files of the checks (check.h) only. */
#ifndef RECONCILE_SPEC_CHECK_UTIL_H
#define RECONCILE_SPEC_CHECK_UTIL_H

#include "spec/check.h"

struct checker {
	const struct snode *root;
	struct files *files; /* may be NULL */
	struct diags *diags;
};

#define check_error(c, m, ...) diag_add((c)->diags, DIAG_ERROR, (m), __VA_ARGS__)
#define check_warn(c, m, ...) diag_add((c)->diags, DIAG_WARNING, (m), __VA_ARGS__)

/* The checks run also on a tree in which the schema found errors: nodes may be missing or of another type. */

/* root.section, and its member name; NULL when there is none. */
const struct snode *section_of(const struct checker *c, const char *section);
const struct snode *member_of(const struct checker *c, const char *section, const char *name);

/*
 * "" or "; did you mean 'x'?", in buf, for a name read from a node. None after many findings, as a spec can be all
 * names and no match; and none for a variable's value, which it would tell.
 */
#define HINT_SIZE 160
const char *hint_of(const struct checker *c, char buf[static HINT_SIZE], const struct snode *from, const char *name,
		    const char *const *candidates, size_t n);
const char *hint_in(const struct checker *c, char buf[static HINT_SIZE], const struct snode *from, const char *name,
		    const struct snode *map);

/* snode_shown_part of a number, in buf; n may be NULL. */
#define NUMBER_SIZE 24
const char *number_shown(char buf[static NUMBER_SIZE], const struct snode *n, int64_t value);

/* Things by a name of which each should have its own: sorted, equal names stand side by side in the spec's order. */
struct named {
	const char *name, *shown; /* shown: in messages */
	const struct snode *item;
	struct mark mark;
};
void named_sort(struct named *v, size_t n);

/*
 * The scalar use names a member of root.section; else an error that begins
 * with who ("service 'web'"). Returns the member.
 */
const struct snode *check_name(struct checker *c, const struct snode *use, const char *section, const char *who);
/* As check_name for every item of a list. */
void check_names(struct checker *c, const struct snode *list, const char *section, const char *who);

/* "service 'web'", in buf. */
#define WHO_SIZE 200
const char *who_is(char buf[static WHO_SIZE], const char *kind, const struct snode *item);

/* A map of scalars, or a list of NAME=value, in one form. */
struct pair {
	const char *key;
	size_t key_len;
	const char *value; /* NULL: NAME alone, or null */
	struct mark mark;
	const struct snode *item;
};
bool pair_at(const struct snode *n, size_t i, struct pair *out);
bool pair_is(const struct pair *p, const char *key);
bool pair_starts(const struct pair *p, const char *prefix);
bool pair_find(const struct snode *n, const char *key, struct pair *out);
char *pair_name(const struct pair *p); /* the key in messages; a new string */

/* What is in a list or map of names: the text of an item, or its key. */
const char *item_name(const struct snode *item);
const char *item_shown(const struct snode *item); /* in messages */
bool list_has(const struct snode *list, const char *name);
struct mark mark_or(const struct snode *n, const struct snode *otherwise);

/* Mounts and ports of a service, short and long forms in one. What is malformed is left out: see check_forms. */
enum mount_type { MOUNT_BIND, MOUNT_VOLUME, MOUNT_TMPFS };
struct mount_view {
	enum mount_type type;
	char *source;                                  /* NULL: none */
	char *target;                                  /* without a slash at the end */
	const struct snode *source_from, *target_from; /* for snode_shown_part */
	bool read_only;
	bool is_short; /* written as one text */
	struct mark mark;
};
struct mounts {
	VEC(struct mount_view) list;
};
void mounts_read(const struct snode *service, struct mounts *out);
void mounts_free(struct mounts *m);

struct port_view {
	long published; /* 0: Swarm picks one */
	long target;
	long count; /* of a range */
	bool host;
	const char *protocol;
	struct mark mark;
	const struct snode *from; /* for snode_shown_part */
};
struct ports {
	VEC(struct port_view) list;
};
void ports_read(const struct snode *service, struct ports *out);
void ports_free(struct ports *p);
/* What is wrong with the short form of a port; NULL: nothing, "": the schema's pattern says it. */
const char *port_parse(const char *text, struct port_view *out);

/* path is dir or lies in it. */
bool path_under(const char *path, const char *dir);

/* The last part of the image's repository is name: "ollama/ollama:0.17.0" is "ollama". */
bool image_is(const struct snode *service, const char *name);

/* Placement (check_place.c): false when a constraint surely keeps the service off the node. */
bool node_may_run(const struct snode *service, const struct snode *node);
size_t nodes_that_may_run(const struct checker *c, const struct snode *service);
bool service_is_global(const struct snode *service);
/* Updates start a new task before the old one stops. */
bool service_starts_first(const struct snode *service);
/* The most tasks the spec can ask for: scale.max, else deploy.replicas, else 1. */
int64_t replicas_max(const struct snode *service);
const char *replicas_shown(char buf[static NUMBER_SIZE], const struct snode *service);

/* Traefik rules (check_rule.c); the rule was read from a node. guarded: a password is asked for. */
void check_rule(struct checker *c, struct mark m, const char *who, const struct snode *from, const char *rule,
		bool guarded);

/* An IPv4 network; an address alone is a network of one. False: it is neither. */
struct net4 {
	uint32_t addr;
	unsigned bits;
};
bool net4_parse(const char *text, struct net4 *out);
bool net4_overlap(const struct net4 *a, const struct net4 *b);

/*
 * One check: called with root.section, or with each of its members, in the
 * order of the tables. who is the kind's name in messages.
 */
struct check_row {
	const char *section; /* NULL: with the root */
	bool each;
	void (*fn)(struct checker *c, const struct snode *item);
};
/* One table per theme, each ends with a row whose fn is NULL. */
extern const struct check_row checks_refs[], checks_order[], checks_cluster[], checks_service[], checks_deploy[],
	checks_ollama[], checks_place[], checks_policy[], checks_traefik[], checks_nfs[], checks_files[],
	checks_absent[], checks_checks[];

#endif
