/*
 * The cluster spec as a tree: YAML read by events, checked and typed by the
 * JSON Schema, every node with its position. This module knows no kind.
 *
 * Everything a struct spec hands out is borrowed from it and lives as long.
 */
#ifndef RECONCILE_SPEC_SPEC_H
#define RECONCILE_SPEC_SPEC_H

#include "base/err.h"
#include "base/files.h"
#include "base/json.h"
#include "base/mark.h"

enum snode_type { SNODE_NULL, SNODE_STRING, SNODE_INT, SNODE_NUMBER, SNODE_BOOL, SNODE_SEQ, SNODE_MAP };

/*
 * One node. The schema decides the type of a scalar (never YAML's guess), and
 * by "format": "duration" gives SNODE_INT nanoseconds, "size" SNODE_INT bytes.
 * text stays what was written (after interpolation), for messages.
 */
struct snode {
	enum snode_type type;
	struct mark mark;     /* of the value */
	struct mark key_mark; /* of the key; of the value in a sequence */
	bool is_default;      /* put there by the schema's "default" */
	bool quoted;          /* a text for sure: quotes, block scalar, !!str */
	bool from_env;        /* holds a variable's value: see snode_shown */
	const char *key;      /* in a map */
	const char *text;     /* scalars */
	int64_t integer;
	double number; /* also set for SNODE_INT */
	bool boolean;
	struct snode **items; /* SEQ and MAP, in the order written, defaults last */
	size_t n_items;
};

enum diag_severity { DIAG_ERROR, DIAG_WARNING };

struct diag {
	enum diag_severity severity;
	struct mark mark;
	char *message; /* "unknown key 'imagee'; did you mean 'image'?" */
	size_t source; /* 0: the spec's own text; else that of diags.sources[source - 1] */
};

/* A file that the spec names and that findings point into. */
struct diag_source {
	char *name, *text;
};

/* All findings of a load, sorted by position. */
struct diags {
	VEC(struct diag) list;
	VEC(struct diag_source) sources;
	size_t n_errors;
};
/* Makes another file known, before findings in it are added; marks have the name that this returns, or an equal one. */
const char *diags_source(struct diags *d, const char *name, const char *text);
void diag_add(struct diags *d, enum diag_severity s, struct mark m, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
void diags_free(struct diags *d);
void diags_sort(struct diags *d); /* by position; identical ones are dropped */
/*
 * Appends sorted findings as compilers print them: "file:line:col: error: message", the source line, a caret.
 * At most 100, errors before warnings. source may be NULL.
 */
void diags_print(const struct diags *d, const char *source, struct str *out);

struct spec_input {
	const char *name; /* for messages: path as the user gave it, or "<commit>:path"; outlives spec and diags */
	const char *text; /* at most 1 MiB */
	size_t len;
	struct files *files; /* NULL: references to files are errors; outlives the spec */
	/* Environment variables that ${…} may use; NULL-terminated names, or NULL for none. */
	const char *const *allow_env;
	bool may_be_empty; /* a text without anything in it gives no tree, and no finding */
	bool stack_file;   /* variables as docker stack deploy reads them: interpolate.h */
};

struct spec;
/*
 * Reads, checks against the schema, then runs the checks in spec_checks.
 * Returns 0 and a spec when there is no DIAG_ERROR (warnings may be there);
 * else ERR_SPEC, *err says how many, and diags has them all.
 */
int spec_load(const struct spec_input *in, struct spec **out, struct diags *diags, struct err *err) MUST_CHECK;
void spec_free(struct spec *s);

const struct snode *spec_root(const struct spec *s);
const char *spec_cluster(const struct spec *s);
/* Reads a file the spec names (config, secret, env_file); NUL-terminated in out. */
int spec_read_file(const struct spec *s, const char *path, size_t max, struct str *out, struct err *err) MUST_CHECK;

/* Access. Every function takes NULL for the node and then answers as if the key were missing. */
const struct snode *snode_get(const struct snode *map, const char *key);
const struct snode *snode_path(const struct snode *map, const char *path); /* "deploy.placement.constraints" */
const char *snode_str(const struct snode *map, const char *key); /* text of a scalar; NULL when missing or null */
int64_t snode_int(const struct snode *map, const char *key, int64_t fallback);
bool snode_bool(const struct snode *map, const char *key, bool fallback);
const char *snode_scalar(const struct snode *n);        /* text of a scalar node; NULL for others */
static inline size_t snode_count(const struct snode *n) /* items; 0 for scalars and NULL */
{
	return n ? n->n_items : 0;
}
json_t *snode_json(const struct snode *n); /* new reference: the typed value */

/*
 * How a scalar's text stands in a message. A variable's value may be a secret, so a text that holds one is shown as
 * "(value of a variable)". Everybody who puts text of the spec into a message, kinds too, takes it from here:
 * what was read from a node's text (a number, the part before the colon) with snode_shown_part, which takes NULL
 * for a text of the program's own. Keys of maps are never a variable's value.
 */
const char *snode_shown(const struct snode *n);
const char *snode_shown_part(const struct snode *n, const char *part);

#endif
