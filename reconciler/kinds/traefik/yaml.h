/*
 * A YAML text as a tree whose nodes know the bytes they come from, for edits
 * that keep every other byte. Nothing is resolved: an alias stays an alias and
 * a merge key a key, so that an edit cannot change what it did not see.
 */
#ifndef RECONCILE_KINDS_TRAEFIK_YAML_H
#define RECONCILE_KINDS_TRAEFIK_YAML_H

#include "base/err.h"
#include "base/json.h"

#define YAML_TEXT_MAX (1 << 20)

enum ynode_type { YNODE_SCALAR, YNODE_SEQ, YNODE_MAP, YNODE_ALIAS };

struct ynode {
	enum ynode_type type;
	bool flow;  /* {} or [] */
	bool plain; /* a scalar without quotes */
	bool tagged, anchored;
	size_t start, end;    /* bytes; end of a block collection: of its last member */
	int column;           /* of start, in characters from 0 */
	char *text;           /* scalars; the name of an alias */
	struct ynode **items; /* values, in the order written */
	struct ynode **keys;  /* of a map, parallel to items */
	size_t n;
};

/*
 * The one document of a text; *out is NULL for a text without any. More than
 * one document, duplicate keys, UTF-16 and more than 64 levels are errors: the
 * message has the line.
 */
int ynode_parse(const char *text, size_t len, struct ynode **out, struct err *err) MUST_CHECK;
void ynode_free(struct ynode *n);

/*
 * The index of a key of a map, compared without case as Traefik does
 * (paerser's strings.EqualFold); -1 when it is missing or n is no map.
 */
int ynode_index(const struct ynode *n, const char *key);
struct ynode *ynode_get(const struct ynode *n, const char *key); /* NULL */

/* Nothing, ~ or null, unquoted. NULL is null. */
bool ynode_is_null(const struct ynode *n);

/* The tree as JSON in which two texts are equal exactly when they say the same. New reference. */
json_t *ynode_json(const struct ynode *n);

#endif
