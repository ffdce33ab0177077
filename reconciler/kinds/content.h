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

struct content_kind {
	const char *kind;    /* "config" */
	const char *section; /* the spec's, and the Engine's list: "configs" */
	const char *doc;     /* "engine/configs" */
	const char *in_spec; /* of a service's container: "Configs" */
	const char *id_key;  /* there: "ConfigID" */
	size_t limit;        /* bytes; Swarm takes less than that */
	/* Hexadecimal, of what makes two objects different. 1 when it cannot be known yet, *why says why. */
	int (*hash)(const struct snapshot *snap, const struct str *data, char hex[static HASH_HEX_SIZE],
		    const char **why, struct err *err);
};

extern const char *const content_after[];
void content_needs(const struct content_kind *k, struct wants *w);
int content_decode(const struct content_kind *k, struct decode *d, struct err *err) MUST_CHECK;
int content_observe(const struct content_kind *k, struct observe *o, struct err *err) MUST_CHECK;
int content_apply(const struct content_kind *k, struct apply *a, const struct change *c, struct err *err) MUST_CHECK;

/*
 * The kind of a row: struct content_kind NAME and its NAME_fields make kind_NAME.
 * A hook is not told whose it is, so each kind has its own, all alike.
 */
#define CONTENT_KIND(NAME) \
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
		.decode = decode, \
		.observe = observe, \
		.apply = apply, \
	}

#endif
