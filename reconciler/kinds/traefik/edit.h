/*
 * The change of Traefik's static configuration that makes it serve Swarm
 * services: bytes in, bytes out. Sources: docs of v2.11 and v3 (providers,
 * migration), pkg/cli/deprecation.go: v3 does not start as long as
 * providers.docker.swarmMode is there.
 */
#ifndef RECONCILE_KINDS_TRAEFIK_EDIT_H
#define RECONCILE_KINDS_TRAEFIK_EDIT_H

#include "base/err.h"
#include "base/json.h"
#include "base/str.h"

struct static_goal {
	int major;                 /* Traefik's: 2, or 3 and later */
	bool swarm_mode;           /* what the spec wants */
	const json_t *entrypoints; /* and these: {"ollama": ":11434"}; borrowed, NULL: none */
};

/* What was replaced, in the order in which it was done: text[at .. at+removed) became inserted. */
struct static_splice {
	size_t at;
	char *removed, *inserted; /* removed: the bytes that were there */
	size_t removed_len, inserted_len;
};

struct static_edit {
	struct str text;                   /* the whole file afterwards */
	VEC(struct static_splice) splices; /* none: nothing had to be done */
};
void static_edit_free(struct static_edit *e);

/*
 * The smallest edit of a YAML file that reaches the goal. v2 sets
 * providers.docker.swarmMode. v3 renames a docker provider that was in swarm
 * mode to swarm, as the migration guide does, else adds providers.swarm (a
 * new provider exposes nothing by default, and speaks to the endpoint of the
 * docker one) and removes what v3 refuses. Entrypoints are added first, and
 * with the first ones that which Traefik has by itself as long as there are none.
 *
 * Before it returns, the result is parsed again and compared with the intended
 * tree. What cannot be edited without guessing (anchors, aliases, merge keys
 * and tags on the way, text that does not parse) is ERR_FAILED with the line
 * and nothing is done.
 */
int static_edit(const char *text, size_t len, const struct static_goal *goal, struct static_edit *out,
		struct err *err) MUST_CHECK;

#endif
