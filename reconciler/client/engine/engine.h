/*
 * The Docker Engine API, 1.41 (Engine 20.10) to what 29 speaks: connection,
 * version negotiation, typed errors, registry credentials, image digests.
 * Paths are without the version prefix: "/services". Sources: the API's own
 * documentation; docker/cli for contexts, credentials and digest resolution.
 */
#ifndef RECONCILE_CLIENT_ENGINE_H
#define RECONCILE_CLIENT_ENGINE_H

#include "base/err.h"
#include "base/json.h"

struct engine;

struct engine_options {
	const char *host; /* unix:///path, tcp://host:port; NULL: DOCKER_HOST, else the current docker context, else the
			     default socket */
	const char *config_dir; /* NULL: DOCKER_CONFIG, else ~/.docker */
};

/*
 * Connects to nothing yet. DOCKER_HOST, DOCKER_CONTEXT, DOCKER_TLS_VERIFY,
 * DOCKER_CERT_PATH and config.json's currentContext are honoured as the docker
 * client does. ssh:// hosts: ERR_UNSUPPORTED with what to do instead.
 */
int engine_open(const struct engine_options *o, struct engine **out, struct err *err) MUST_CHECK;
/* Another handle to the same engine, for another thread; shares nothing that changes. */
int engine_dup(const struct engine *e, struct engine **out, struct err *err) MUST_CHECK;
void engine_close(struct engine *e);
const char *engine_address(const struct engine *e); /* "unix:///run/docker.sock", for messages */

/*
 * min(ours, theirs); API too old or too new for us: ERR_UNSUPPORTED naming both
 * ranges. Called by the others when it has not been yet.
 */
int engine_negotiate(struct engine *e, int64_t deadline, struct err *err) MUST_CHECK;
const char *engine_api_version(const struct engine *e); /* "1.41"; "" before negotiation */
bool engine_api_at_least(const struct engine *e, int major, int minor);

/*
 * One call. body may be NULL (borrowed). *out: new reference, JSON null for an
 * empty answer; out may be NULL. Errors by status and text: 404 ERR_NOT_FOUND,
 * 409 ERR_CONFLICT, 503 ERR_UNSUPPORTED ("not a manager"/"not part of a
 * swarm" keep the daemon's words), 401/403 ERR_DENIED, 500 with "update out of
 * sequence" ERR_OUT_OF_SEQUENCE, 501 ERR_UNSUPPORTED, 400 ERR_FAILED; a "port already in use" 400
 * ERR_CONFLICT; connection: ERR_UNREACHABLE, ERR_TIMEOUT. The message is
 * "METHOD /path: the daemon's message"; no body of ours is ever in it.
 * Calls that change something are not stopped by Ctrl-C once sent, and are
 * announced to the mutation hook before they are sent.
 */
int engine_get(struct engine *e, int64_t deadline, json_t **out, struct err *err, const char *path_fmt, ...) MUST_CHECK
	__attribute__((format(printf, 5, 6)));
int engine_post(struct engine *e, int64_t deadline, const json_t *body, json_t **out, struct err *err,
		const char *path_fmt, ...) MUST_CHECK __attribute__((format(printf, 6, 7)));
int engine_delete(struct engine *e, int64_t deadline, struct err *err, const char *path_fmt, ...) MUST_CHECK
	__attribute__((format(printf, 4, 5)));
/* POST /services/create and /services/{id}/update with X-Registry-Auth for image. */
int engine_post_service(struct engine *e, int64_t deadline, const char *image, const json_t *body, json_t **out,
			struct err *err, const char *path_fmt, ...) MUST_CHECK __attribute__((format(printf, 7, 8)));
/* Raw body, for archives and logs; at most max bytes. */
int engine_get_raw(struct engine *e, int64_t deadline, size_t max, struct str *out, struct err *err,
		   const char *path_fmt, ...) MUST_CHECK __attribute__((format(printf, 6, 7)));

/* Several GETs at once. outs[i] is a new reference or NULL with errs[i] filled. */
void engine_get_all(struct engine *e, int64_t deadline, const char *const *paths, size_t n, json_t **outs,
		    struct err *errs);

/*
 * Called before every call that changes something, with "POST /services/create";
 * a negative return stops it (error filled). For the lease, the kill harness and
 * tests. Inherited by engine_dup; must be thread-safe.
 */
void engine_on_mutation(struct engine *e, int (*hook)(void *arg, const char *call, struct err *err), void *arg);

/* URL helpers: appends the value, percent-encoded, for path segments and query values. */
void engine_escape(const char *s, struct str *out);

/*
 * An image reference in its parts, as distribution/reference parses it.
 * familiar: "nginx:1.25" (tag "latest" filled in unless there is a digest),
 * digest: "sha256:…" or NULL. Everything malloc'ed; image_ref_free.
 */
struct image_ref {
	char *familiar; /* name:tag without the digest */
	char *domain;   /* "docker.io" */
	char *path;     /* "library/nginx" */
	char *tag;      /* NULL when only a digest was given */
	char *digest;   /* NULL when none */
};
int image_ref_parse(const char *s, struct image_ref *out, struct err *err) MUST_CHECK;
void image_ref_free(struct image_ref *r);

/*
 * Digest and platforms of an image through GET /distribution/{name}/json, as the
 * docker client resolves a service's image. *platforms: new array of
 * {"Architecture","OS"} as the service spec wants them (may be empty).
 */
int engine_resolve_image(struct engine *e, int64_t deadline, const struct image_ref *ref, char **digest,
			 json_t **platforms, struct err *err) MUST_CHECK;

#endif
