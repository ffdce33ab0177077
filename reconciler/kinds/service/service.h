/*
 * Inside of the service kind. The canonical body of service/<name> has the
 * fields of the table in service.c and is reached from both sides:
 *
 *   spec tree  ── decode*.c ──┐
 *                             ├─> body_finish (defaults dropped) ─> body
 *   engine's Spec ── read.c ──┘
 *
 * write.c goes back: it overlays the changed fields, and only these, on the
 * engine's raw Spec. What both directions share for plain fields is one table
 * (table.c); what needs more than a table is in parts*.c.
 */
#ifndef RECONCILE_KINDS_SERVICE_SERVICE_H
#define RECONCILE_KINDS_SERVICE_SERVICE_H

#include "model/kind.h"
#include "spec/spec.h"

/* Plain fields */

enum row_type {
	ROW_STRING,
	ROW_INT,
	ROW_BOOL,
	ROW_TRISTATE, /* a boolean for which "not set" is a value of its own */
	ROW_LIST,     /* strings, order matters; in the spec a string or a list */
	ROW_ARGV,     /* as ROW_LIST, but a string in the spec is split into words */
	ROW_MAP,      /* strings by name; in the spec a map or a list of NAME=VALUE */
	ROW_SET,      /* the engine's list whose order means nothing: {"member": true} */
	ROW_RATIO,    /* a float32 in the engine */
};

struct row {
	const char *field, *member; /* where in the body; member NULL: the field itself */
	const char *spec;           /* path in the spec's service; NULL: a part's decoder reads it */
	const char *engine;         /* path in the engine's Spec */
	enum row_type type;
	int api_minor;        /* engines before API 1.<minor> ignore it; 0: all that are supported know it */
	int64_t def;          /* default of ROW_INT */
	const char *def_text; /* default of ROW_STRING; NULL: "" */
	const char *(*canon)(const char *text, struct str *buf); /* ROW_SET; NULL: as it is */
};
extern const struct row service_rows[];
extern const size_t service_n_rows;

/* New reference: what the engine has when the row is not set. NULL for lists, maps and sets. */
json_t *row_default(const struct row *row);
json_t *row_value(const json_t *body, const struct row *row);      /* borrowed, NULL */
void row_set(json_t *body, const struct row *row, json_t *stolen); /* NULL: nothing */
json_t *ratio_canonical(double ratio);                             /* new reference */

/* Drops what is at its default or empty, so that equal settings give equal bodies. */
void body_finish(json_t *body);

/* Lists of the engine that are objects in the body */

struct part_context {
	const char *service;    /* its name */
	const json_t *networks; /* reading: {"<id>": "<name>"} */
	const json_t *ids;      /* writing: {"config/<engine name>": "<id>", "secret/…": …} */
};

struct part {
	const char *field;
	const char *engine; /* path of the list in the engine's Spec */
	/* The member that an element is: its key, and its value (new reference). NULL: none that this version knows. */
	json_t *(*read)(const struct part_context *p, const json_t *element, struct str *key);
	/* The element for a member. old: the one it replaces, or NULL; what this version does not know of it stays. */
	json_t *(*make)(const struct part_context *p, const char *key, const json_t *value, const json_t *old);
};
extern const struct part service_parts[];
extern const size_t service_n_parts;

/* Drop the defaults of one member, on both ways into the body. Return their argument. */
json_t *mount_finish(json_t *mount);
json_t *file_finish(json_t *file);
json_t *mode_text(int64_t mode); /* new reference: "0444" */

/* Reading the engine's Spec */

/*
 * The body of an engine's Spec. networks: {"<id>": "<name>"}. New reference.
 * The ownership label is not part of it (kinds/util.h).
 */
json_t *body_read(const json_t *spec, const json_t *networks);

/*
 * Aligns with the wanted body (may be NULL) what a silent spec leaves as it is:
 * an explicit `Init: false`, the container label of `docker stack`.
 */
void body_settle(json_t *live, const json_t *wanted);

/* {"<id>": "<name>"} of engine/networks and HIDDEN_NETWORKS. New reference. */
json_t *network_names(const struct snapshot *snap);
/* Swarm's own "host" and "bridge" are in no list: fetch looks them up by id, {"<id>": "<name>"}. */
#define HIDDEN_NETWORKS "service/networks"
/* Digests resolved anew, {"<image>": "<digest>"}; only with --refresh-images. */
#define FRESH_DIGESTS "service/digests"
/* Digests that a rollback asks for, {"service/<name>": "<digest>"}. */
#define ROLLBACK_DIGESTS "run/digests"

/*
 * What of a live service's status does not fit its spec, into r->trouble and r->rolled_back. service: of the engine's
 * list with its status. want: NULL when the spec does not name it.
 */
void service_trouble(struct observe *o, struct resource *r, const json_t *service, const struct resource *want);

/* Writing it */

struct overlay {
	const char *name;
	const char *cluster;
	const json_t *body;  /* wanted */
	const json_t *shape; /* of a stack's service: what docker would send; NULL */
	const json_t *ids, *networks;
	const char *digest;      /* of the image, when it was resolved; NULL */
	const json_t *platforms; /* of the image; NULL: not known */
};
/* Makes one field of the engine's Spec what the wanted body says; everything else stays. */
void overlay_field(json_t *spec, const struct overlay *o, const char *field);

/*
 * Services of a stack (stack.c). The shape is the desired resource's payload, as JSON text.
 * stack_overlay makes a field of the Spec what it is in the shape; false: it is none of its.
 */
struct service_decoder;
json_t *stack_shape(const struct service_decoder *s); /* new reference; before body_finish */
bool stack_overlay(json_t *spec, const json_t *shape, const json_t *ids, const char *field);

/* Names and small conversions, shared by both sides */

const char *capability_canonical(const char *text, struct str *buf);
const char *constraint_canonical(const char *text, struct str *buf);
json_t *caps_effective(json_t *body); /* borrowed body: what is added is not dropped */
const char *file_target(const char *dir, const char *name, struct str *buf); /* absolute */
const char *mount_target(const char *target, struct str *buf);               /* without a slash at its end */
json_t *object_at(json_t *obj, const char *path);                            /* borrowed; made when missing */
void path_set(json_t *obj, const char *path, json_t *stolen);                /* NULL: deleted */

/* Decoding the spec */

struct service_decoder {
	struct decode *d;
	struct resource *r;
	const struct snode *node; /* services.<name> */
	const json_t *live;       /* of the same name; NULL: none */
	json_t *body;
};
int service_decode(struct decode *d, struct err *err) MUST_CHECK;
int decode_env(struct service_decoder *s, struct err *err) MUST_CHECK;
void decode_parts(struct service_decoder *s); /* hosts, ulimits, health check, placement */
void decode_mounts(struct service_decoder *s);
void decode_ports(struct service_decoder *s);
void decode_networks(struct service_decoder *s);
void decode_files(struct service_decoder *s); /* configs and secrets */
/* Blocks the service when the engine is older than API 1.<minor>: it would drop the setting in silence. */
void decoder_needs_api(struct service_decoder *s, int minor, const char *what);
/* Marks a member as the diff names it: "env[FOO]", "limits.memory". */
void mark_member(struct service_decoder *s, const char *field, const char *key, struct mark m);
json_t *words_split(const char *text); /* new array; NULL when a quote is not closed */

/* The hooks */

int service_fetch(struct fetch *f, struct err *err) MUST_CHECK;
void service_explain(const struct observe *o, struct arena *a, struct change *c);
bool service_restarts(const struct change *c); /* its tasks, by the field table */
int64_t service_patience_ms(const struct change *c);
int service_apply(struct apply *a, const struct change *c, struct err *err) MUST_CHECK;
/* The live services of engine/services by name. New reference. */
json_t *services_by_name(const struct snapshot *snap);

#endif
