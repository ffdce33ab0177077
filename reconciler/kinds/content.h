/*
 * Configs and secrets: the same object in Swarm, immutable but for labels. The
 * engine's name is the spec's and a hash of the content, so new content is a
 * new object that services are repointed to, and the old one stays as long as
 * a service could roll back to it.
 */
#ifndef RECONCILE_KINDS_CONTENT_H
#define RECONCILE_KINDS_CONTENT_H

#include "kinds/kinds.h"
#include "kinds/util.h"
#include "sys/hash.h"

/*
 * A dash and so many digits of the hash come after the name, which leaves 51 of
 * Swarm's 64 characters for it; spec/check_files.c checks that, and sizes.
 */
#define CONTENT_HASH_LEN 12
#define CONTENT_BASE_MAX ((size_t)51)
#define CONTENT_UNKNOWN "(unknown)" /* in place of a hash that is not known; no name in Swarm has it */

struct content_kind {
	const char *kind;    /* "config" */
	const char *section; /* the spec's, and the Engine's list: "configs" */
	const char *doc;     /* "engine/configs" */
	const char *in_spec; /* of a service's container: "Configs" */
	const char *id_key;  /* there: "ConfigID" */
	size_t limit;        /* bytes; Swarm takes less than that */
	bool readable;       /* the Engine tells the content */
	/* Hexadecimal, of what makes two objects different. 1 when it cannot be known yet, *why says why. */
	int (*hash)(const struct snapshot *snap, const struct str *data, char hex[static HASH_HEX_SIZE],
		    const char **why, struct err *err);
	/* The content is not in the spec: the kind's fetch hook leaves it in the snapshot. NULL: it always is. */
	bool (*is_fetched)(const struct snode *section);
};

extern const char *const content_after[];
void content_needs(const struct content_kind *k, struct wants *w);
int content_decode(const struct content_kind *k, struct decode *d, struct err *err) MUST_CHECK;
int content_observe(const struct content_kind *k, struct observe *o, struct err *err) MUST_CHECK;
int content_apply(const struct content_kind *k, struct apply *a, const struct change *c, struct err *err) MUST_CHECK;

/*
 * content_stack.c. Names what a stack file declares; the hash of a secret that keeps docker's name is its field
 * "content" and its label. New reference.
 */
struct content_seen {
	const struct str *content;
	const char *driver; /* NULL: none */
	const char *hex;
};
json_t *content_stack_name(const struct content_kind *k, struct decode *d, struct resource *r, const char *base,
			   const struct content_seen *seen);
void content_stack_observe(const struct observe *o, const struct resource *want, struct resource *live,
			   const json_t *labels);

/* content_use.c */
bool content_is_used(const struct content_kind *k, const json_t *service_spec, const char *id);
/* wanted: an object of engine names. */
void content_leftovers(const struct content_kind *k, struct observe *o, const json_t *list, const json_t *wanted);
/*
 * The owned object of this base name that services use now, else the newest; NULL: there is none. Borrowed from the
 * snapshot.
 */
const char *content_in_use(const struct content_kind *k, const struct snapshot *snap, const char *cluster,
			   const char *base);

/*
 * The kind of a row: struct content_kind NAME and its NAME_fields make kind_NAME.
 * FETCH is its fetch hook or NULL. A hook is not told whose it is, so each kind has its own, all alike.
 */
#define CONTENT_KIND(NAME, FETCH) \
	static void needs(const struct spec *spec, struct wants *w) \
	{ \
		(void)spec; /* also without any in the spec: owned ones are pruned */ \
		content_needs(&(NAME), w); \
	} \
	static int decode(struct decode *d, struct err *err) \
	{ \
		return content_decode(&(NAME), d, err); \
	} \
	static int observe(struct observe *o, struct err *err) \
	{ \
		return content_observe(&(NAME), o, err); \
	} \
	static int apply(struct apply *a, const struct change *c, struct err *err) \
	{ \
		return content_apply(&(NAME), a, c, err); \
	} \
	const struct kind kind_##NAME = { \
		.name = #NAME, \
		.after = content_after, \
		.fields = NAME##_fields, \
		.n_fields = ARRAY_SIZE(NAME##_fields), \
		.prunes = true, \
		.adopts = true, \
		.needs = needs, \
		.fetch = (FETCH), \
		.decode = decode, \
		.observe = observe, \
		.apply = apply, \
	}

#endif
