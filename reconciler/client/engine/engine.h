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
#include "sys/mutation.h"

struct engine;

struct engine_options {
	const char *host;       /* unix:///path, tcp://host:port, ssh://[user@]host[:port]; NULL: DOCKER_HOST, else the
				   current docker context, else the default socket */
	const char *config_dir; /* NULL: DOCKER_CONFIG, else ~/.docker */
	const char *called;     /* what messages call it; NULL: its address */
	/*
	 * Behind a relay, a connection that fails is only seen to close: why it did. False: not known. Called from any
	 * thread that uses the engine or a copy of it.
	 */
	bool (*why)(void *arg, struct err *err);
	void *why_arg;
};

/*
 * Connects to nothing yet. DOCKER_HOST, DOCKER_CONTEXT, DOCKER_TLS_VERIFY,
 * DOCKER_CERT_PATH and config.json's currentContext are honoured as the docker
 * client does. ssh:// hosts: ERR_UNSUPPORTED without engine_use_ssh.
 */
int engine_open(const struct engine_options *o, struct engine **out, struct err *err) MUST_CHECK;
/* Another handle to the same engine, for another thread; connects to nothing yet, and shares nothing that changes. The
 * first one is closed last. */
struct engine *engine_dup(const struct engine *e);
void engine_close(struct engine *e);
const char *engine_address(const struct engine *e); /* "unix:///run/docker.sock", for messages */

/* What opens ssh:// hosts, for the whole process: this library knows no ssh. Borrowed. */
struct engine_ssh {
	/* user NULL, port 0: as ssh decides. *socket (malloc'ed): a unix socket that leads to the engine until close.
	 */
	int (*open)(const char *user, const char *host, int port, char **socket, void **link, struct err *err);
	bool (*why)(void *link, struct err *err); /* as in engine_options */
	void (*close)(void *link);
};
void engine_use_ssh(const struct engine_ssh *ssh);

/* Nothing said which engine: neither options nor environment nor a context. */
bool engine_is_default(const struct engine *e);

/*
 * min(ours, theirs); API too old or too new for us: ERR_UNSUPPORTED naming both
 * ranges. Called by the others when it has not been yet. An engine that says
 * nothing at all is given up after 15 s, however long the caller has.
 */
int engine_negotiate(struct engine *e, int64_t deadline, struct err *err) MUST_CHECK;
const char *engine_api_version(const struct engine *e); /* "1.41"; "" before negotiation */

/*
 * One call. body may be NULL (borrowed). *out: new reference, JSON null for an
 * empty answer; out may be NULL. Errors by status and text: 404 ERR_NOT_FOUND,
 * 409 ERR_CONFLICT, 503 ERR_UNSUPPORTED ("not a manager"/"not part of a
 * swarm" keep the daemon's words), 401/403 ERR_DENIED, 500 with "update out of
 * sequence" ERR_OUT_OF_SEQUENCE, 501 ERR_UNSUPPORTED, 400 ERR_FAILED; a "port already in use" 400
 * ERR_CONFLICT; connection: ERR_UNREACHABLE, ERR_TIMEOUT. The message is
 * "METHOD /path: the daemon's message"; no body of ours is ever in it.
 * Calls that change something are not stopped by Ctrl-C once sent, and are
 * announced to the mutation hooks (engine_set_hooks).
 */
int engine_get(struct engine *e, int64_t deadline, json_t **out, struct err *err, const char *path_fmt, ...) MUST_CHECK
	__attribute__((format(printf, 5, 6)));
/* GET path?filters=…; filters: {"service": {"shop": true}} or {"service": ["shop"]}. Otherwise as engine_get. */
int engine_list(struct engine *e, int64_t deadline, const char *path, const json_t *filters, json_t **out,
		struct err *err) MUST_CHECK;
/* Of an entry of GET /tasks. */
bool engine_task_runs(const json_t *task);
/* How many tasks run of those that a filter takes: "service" or "node", and its id or name. */
int engine_count_running(struct engine *e, int64_t deadline, const char *filter, const char *value, size_t *n,
			 struct err *err) MUST_CHECK;
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

/*
 * A POST whose answer goes on for as long as something happens there: each piece goes to on_data (non-zero: stop,
 * ERR_CANCELLED). Only the deadline bounds it, and Ctrl-C ends the watching. image: its registry's credentials are
 * sent; NULL: none.
 */
int engine_stream(struct engine *e, int64_t deadline, const char *image, const json_t *body,
		  int (*on_data)(const char *bytes, size_t n, void *arg), void *arg, struct err *err,
		  const char *path_fmt, ...) MUST_CHECK __attribute__((format(printf, 8, 9)));

/*
 * Runs a program in a running container (id or name) and waits for it. Its output comes as it is written, both streams
 * in one; on_output as on_data above, may be NULL. *exit_status: the program's, 126 and 127 when it could not be
 * started. When the connection ends early, the program goes on there.
 */
int engine_exec(struct engine *e, int64_t deadline, const char *container, const char *const *argv,
		int (*on_output)(const char *bytes, size_t n, void *arg), void *arg, int *exit_status,
		struct err *err) MUST_CHECK;

/*
 * Makes sure that the engine has the image ("name[:tag][@digest]"): pulls it when it is not there. status: what is
 * going on, in the engine's words; may be NULL.
 */
int engine_ensure_image(struct engine *e, int64_t deadline, const char *image,
			void (*status)(void *arg, const char *text), void *arg, struct err *err) MUST_CHECK;

/* Several GETs at once. outs[i] is a new reference or NULL with errs[i] filled. */
void engine_get_all(struct engine *e, int64_t deadline, const char *const *paths, size_t n, json_t **outs,
		    struct err *errs);

/*
 * Around every call that changes something, with "POST /services/create": before() may refuse it (nothing is sent,
 * its error is the call's), after() is told whatever came of it, also when the answer was lost. For the lease and
 * tests. Inherited by engine_dup; must be thread-safe.
 */
void engine_set_hooks(struct engine *e, struct mutation_hooks hooks);

/* From now on this handle's reads, too, go on after Ctrl-C: for what has to be done before the program can end. */
void engine_set_uncancellable(struct engine *e);

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
