/*
 * Configs and secrets: the same object in Swarm, immutable but for labels. The
 * engine's name is the spec's and a hash of the content, so new content is a
 * new object that services are repointed to, and the old one stays as long as
 * a service could roll back to it.
 */
#ifndef RECONCILE_KINDS_CONTENT_H
#define RECONCILE_KINDS_CONTENT_H

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

void content_needs(const struct content_kind *k, struct wants *w);
int content_decode(const struct content_kind *k, struct decode *d, struct err *err) MUST_CHECK;
int content_observe(const struct content_kind *k, struct observe *o, struct err *err) MUST_CHECK;
int content_apply(const struct content_kind *k, struct apply *a, const struct change *c, struct err *err) MUST_CHECK;

#endif
