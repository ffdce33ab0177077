/* A schema object, compiled. Shared by the files of the checker only. */
#ifndef RECONCILE_SPEC_RULE_H
#define RECONCILE_SPEC_RULE_H

#include "spec/format.h"
#include "spec/schema.h"

#include <regex.h>

#define TYPE(t) (1u << (t))
#define TYPES_SCALAR (TYPE(SNODE_NULL) | TYPE(SNODE_STRING) | TYPE(SNODE_INT) | TYPE(SNODE_NUMBER) | TYPE(SNODE_BOOL))
#define TYPES_ANY (TYPES_SCALAR | TYPE(SNODE_SEQ) | TYPE(SNODE_MAP))

struct rule;

struct property {
	const char *name;
	struct rule *rule;
};

struct pattern_property {
	struct regex *regex;
	struct rule *rule;
};

struct dependency {
	const char *key;
	const json_t *needs; /* array of strings */
};

/* Named, not VEC in place: the compiler of keywords reaches them by their offset. */
struct property_list {
	struct property *v;
	size_t n, cap;
};
struct pattern_list {
	struct pattern_property *v;
	size_t n, cap;
};
struct dependency_list {
	struct dependency *v;
	size_t n, cap;
};
struct rule_list {
	struct rule **v;
	size_t n, cap;
};

struct limit {
	bool set;
	double value;
};

struct count {
	bool set;
	size_t value;
};

struct regex {
	const char *pattern;
	regex_t compiled;
};
bool regex_matches(const struct regex *r, const char *text);

struct rule {
	unsigned types; /* 0: any */
	unsigned fits;  /* with the reference and the branches */
	enum { RULE_NEW, RULE_VISITED, RULE_SETTLED } state;
	struct property_list properties; /* sorted by name */
	struct pattern_list patterns;
	struct dependency_list dependencies;
	struct rule_list branches; /* oneOf, anyOf */
	struct rule *additional, *names, *items, *banned;
	struct rule *ref;
	const char *ref_name;
	const json_t *required, *values, *constant, *fallback; /* required, enum, const, default */
	struct regex *pattern;
	const struct format *format;
	struct limit min, max, above, below;
	struct count min_length, max_length, min_items, max_items, min_properties;
	bool unique, deprecated, never, branches_exclusive;
	const char *error, *warning, *message;
};

struct rule *schema_root(const struct schema *s);
struct rule *rule_property(const struct rule *r, const char *name); /* NULL: none of that name */

/* One walk over the tree. A dry one changes nothing and only counts, to choose among branches. */
struct validation {
	struct arena *arena;
	struct diags *diags;
	bool dry;
	size_t errors;
};

/* Counts an error; true when it is also to be said. */
static inline bool fails(struct validation *c)
{
	c->errors++;
	return !c->dry;
}

void validate_node(struct validation *c, const struct rule *r, struct snode *n);     /* validate.c */
const struct snode *snode_written(const struct snode *map, const char *key);         /* not a default */
void validate_branches(struct validation *c, const struct rule *r, struct snode *n); /* branch.c */
bool scalar_give_type(struct snode *n, unsigned types);                              /* scalar.c */
enum snode_type scalar_natural(const struct snode *n); /* what YAML 1.2 would say, for a tie */
void scalar_check(struct validation *c, const struct rule *r, struct snode *n);

/* Words for messages (words.c); new strings. */
char *words_expected(const struct rule *r);
char *words_found(const struct snode *n);
char *words_values(const json_t *strings); /* "'a', 'b' or 'c'" */

#endif
