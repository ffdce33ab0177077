/*
 * Pulling a model: a container of the service's own image runs on the server for as long as it takes, with the store as
 * the only place it writes to and no port, and `ollama pull` runs in it. Ollama goes on where a pull that was cut off
 * has stopped, so what a killed run leaves is one container, which the next one removes.
 */
#include "kinds/model/model.h"

#include "kinds/cluster.h"
#include "kinds/model/name.h"
#include "kinds/traefik/write.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <string.h>

#define READY_MS 60000
#define POLL_MS 250
#define TELL_MS 1000
#define PROBE_MS 25000
#define REMOVE_MS 30000                    /* also when the time of the run is over */
#define STALL_MS (INT64_C(10) * 60 * 1000) /* without a sign of progress */
#define TEXT_MAX 16384                     /* of a command's output; the last of it counts */
#define LOGS_MAX 65536

struct pulling {
	struct apply *a;
	struct host *host;
	struct engine *engine; /* of the server */
	const char *model;     /* as the spec says it */
	char *directory;       /* the store's models */
	char *container;
	struct str text;  /* what the running command has written */
	char *told;       /* the last progress */
	int64_t told_at;  /* clock_ms */
	int64_t moved_at; /* when it last was another one */
	bool stalled;
};

#define tell(p, ...) (p)->a->progress((p)->a->progress_arg, __VA_ARGS__)

static void pulling_free(struct pulling *p)
{
	free(p->directory);
	free(p->container);
	free(p->told);
	str_free(&p->text);
}

/* The store */

/* As it is now. *there: the model's manifest is. */
static int look(struct pulling *p, bool *there, struct model_state *s, struct err *err)
{
	_cleanup_free_ char *argument = model_look(p->model, p->directory), *name = xasprintf("model %s", argument);
	const char *const looks[] = {name, NULL};
	_cleanup_json_ json_t *seen = NULL;
	int64_t limit = clock_ms() + PROBE_MS;

	if (host_probe(p->host, &(struct probe_request){.looks = looks},
		       limit < p->a->deadline ? limit : p->a->deadline, &seen, err) < 0)
		return -1;
	const json_t *answer = json_object_get(json_object_get(seen, "looks"), name);
	const char *why = json_str(answer, "error");
	if (why)
		return err_set(err, ERR_FAILED, "node '%s': %s", host_node(p->host), why);
	*there = json_is_string(answer);
	return *there ? model_state_parse(json_string_value(answer), s, err) : 0;
}

/* A blob of the right name and the wrong size is good enough for `ollama pull`: it would stay so. */
static int remove_wrong_blobs(struct pulling *p, const struct model_state *s, struct err *err)
{
	const char *blob;
	json_t *value;

	json_object_foreach (s->wrong, blob, value) {
		_cleanup_free_ char *path = xasprintf("%s/blobs/%s", p->directory, blob);
		const char *const argv[] = {"rm", "-f", "--", path, NULL};
		if (host_run(p->host, argv, clock_ms() + PROBE_MS, NULL, err) < 0)
			return err_wrap(err, "remove a blob of the wrong size");
	}
	return 0;
}

/* The container */

/* 1: there is one, and it is ours. 0: there is none. */
static int find_container(struct pulling *p, json_t **inspect, struct err *err)
{
	struct err e;

	if (engine_get(p->engine, p->a->deadline, inspect, &e, "/containers/%s/json", p->container) < 0) {
		if (e.code == ERR_NOT_FOUND)
			return 0;
		*err = e;
		return -1;
	}
	if (labels_owned(json_path(*inspect, "Config.Labels"), p->a->cluster->name))
		return 1;
	return err_set(err, ERR_CONFLICT, "there is a container '%s' that this program did not make: rename it",
		       p->container);
}

/* Gracefully: Ollama finishes what it writes. Goes on after Ctrl-C. */
static int remove_container(struct pulling *p, struct err *err)
{
	int64_t limit = clock_ms() + REMOVE_MS;
	struct err e;

	if (engine_post(p->engine, limit, NULL, NULL, &e, "/containers/%s/stop?t=5", p->container) < 0 &&
	    e.code != ERR_NOT_FOUND)
		goto failed;
	/* Its anonymous volumes, if the image has any, go with it; the store is none. */
	if (engine_delete(p->engine, limit, &e, "/containers/%s?force=1&v=1", p->container) == 0 ||
	    e.code == ERR_NOT_FOUND || e.code == ERR_CONFLICT)
		return 0;
failed:
	*err = e;
	return err_wrap(err, "remove the container '%s'", p->container);
}

static int remove_leftover(struct pulling *p, struct err *err)
{
	for (int64_t end = clock_ms() + READY_MS;;) {
		_cleanup_json_ json_t *inspect = NULL;
		int rc = find_container(p, &inspect, err);
		if (rc <= 0)
			return rc;
		tell(p, "removing the container of a pull that was cut off");
		if (remove_container(p, err) < 0)
			return -1;
		if (clock_left(end) == 0)
			return err_set(err, ERR_TIMEOUT, "the container '%s' does not go away", p->container);
		if (!clock_sleep(POLL_MS))
			return err_set(err, ERR_CANCELLED, "cancelled");
	}
}

static int start_container(struct pulling *p, const char *image, struct err *err)
{
	_cleanup_json_ json_t *body = json_pack(
		"{s:s, s:[s, s, s], s:{s:s, s:s}, s:{s:[{s:s, s:s, s:s}], s:{s:s}}}", "Image", image, "Env",
		"OLLAMA_NOPRUNE=1", "OLLAMA_HOST=127.0.0.1:11434", "OLLAMA_MODELS=/root/.ollama/models", "Labels",
		OWNER_LABEL, p->a->cluster->name, MODEL_LABEL, p->model, "HostConfig", "Mounts", "Type", "bind",
		"Source", p->directory, "Target", "/root/.ollama/models", "RestartPolicy", "Name", "no");

	tell(p, "starting a container of %s", image);
	if (engine_post(p->engine, p->a->deadline, body, NULL, err, "/containers/create?name=%s", p->container) < 0) {
		if (err->code == ERR_CONFLICT)
			err->code = ERR_OUT_OF_SEQUENCE;
		return err_wrap(err, "create the container that pulls");
	}
	if (engine_post(p->engine, p->a->deadline, NULL, NULL, err, "/containers/%s/start", p->container) < 0)
		return err_wrap(err, "start the container that pulls");
	return 0;
}

/* Commands in it */

static void tell_progress(struct pulling *p)
{
	int64_t now = clock_ms();

	if (now - p->told_at < TELL_MS)
		return;
	char *text = model_progress(str_cstr(&p->text), p->text.len);
	if (!p->told || strcmp(text, p->told) != 0) {
		if (*text)
			tell(p, "%s", text);
		free(p->told);
		p->told = text;
		p->moved_at = now;
	} else {
		free(text);
	}
	p->told_at = now;
	p->stalled = now - p->moved_at > STALL_MS;
}

static int on_output(const char *bytes, size_t n, void *arg)
{
	struct pulling *p = arg;

	str_add(&p->text, bytes, n);
	if (p->text.len > TEXT_MAX) {
		size_t kept = TEXT_MAX / 2;
		memmove(p->text.data, p->text.data + p->text.len - kept, kept + 1);
		p->text.len = kept;
	}
	tell_progress(p);
	return p->stalled;
}

static int run(struct pulling *p, int64_t deadline, const char *const *argv, int *status, struct err *err)
{
	str_reset(&p->text);
	p->told_at = p->moved_at = clock_ms();
	return engine_exec(p->engine, deadline, p->container, argv, on_output, p, status, err);
}

static int exited(struct pulling *p, struct err *err)
{
	_cleanup_str_ struct str logs = {0};
	struct err ignored;

	if (engine_get_raw(p->engine, p->a->deadline, LOGS_MAX, &logs, &ignored,
			   "/containers/%s/logs?stdout=1&stderr=1&tail=20", p->container) < 0)
		str_reset(&logs);
	_cleanup_free_ char *words = traefik_last_log_line(str_cstr(&logs), logs.len);
	return err_set(err, ERR_FAILED, "the container that pulls has exited%s%s", *words ? ": " : "", words);
}

/* Until the server in it answers. */
static int wait_until_ready(struct pulling *p, struct err *err)
{
	static const char *const argv[] = {"ollama", "list", NULL};
	int64_t limit = clock_ms() + READY_MS;

	for (;;) {
		_cleanup_json_ json_t *inspect = NULL;
		int status = -1;
		struct err why = {0};
		if (run(p, limit, argv, &status, &why) == 0 && status == 0)
			return 0;
		if (why.code == ERR_CANCELLED || why.code == ERR_LOCKED || why.code == ERR_UNREACHABLE) {
			*err = why;
			return -1;
		}
		if (engine_get(p->engine, p->a->deadline, &inspect, err, "/containers/%s/json", p->container) < 0)
			return -1;
		if (!json_is_true(json_path(inspect, "State.Running")))
			return exited(p, err);
		if (clock_left(limit) == 0)
			return err_set(err, ERR_TIMEOUT, "Ollama in the container does not answer: %s",
				       why.code != ERR_NONE ? why.msg : str_cstr(&p->text));
		if (!clock_sleep(POLL_MS))
			return err_set(err, ERR_CANCELLED, "cancelled");
	}
}

static int pull_failed(struct pulling *p, struct err *err)
{
	_cleanup_free_ char *text = model_progress(str_cstr(&p->text), p->text.len);
	const char *words = str_starts(text, "Error: ") ? text + strlen("Error: ") : text;

	if (strstr(words, "no space left on device"))
		return err_set(
			err, ERR_FAILED,
			"the disk of %s on node '%s' is full; what was pulled stays, and a pull goes on from there "
			"once there is room (%s)",
			p->directory, host_node(p->host), words);
	if (strstr(words, "file does not exist"))
		return err_set(err, ERR_FAILED, "its registry has no such model (%s)", words);
	return err_set(err, ERR_FAILED, "%s", *words ? words : "`ollama pull` failed without a word");
}

static int pull(struct pulling *p, struct err *err)
{
	struct model_name n;
	int status = -1;

	if (!model_name_parse(p->model, &n))
		return err_set(err, ERR_BLOCKED, "'%s' is not the name of a model", p->model);
	_cleanup_free_ char *name = model_name_short(&n);
	const char *const argv[] = {"ollama", "pull", n.insecure ? "--insecure" : name, n.insecure ? name : NULL, NULL};
	int rc = run(p, p->a->deadline, argv, &status, err);
	model_name_free(&n);
	if (rc < 0 && p->stalled)
		return err_set(err, ERR_TIMEOUT, "nothing has come for %d min: %s", (int)(STALL_MS / 60000),
			       p->told ? p->told : "");
	if (rc < 0 && err->code == ERR_TIMEOUT)
		return err_set(
			err, ERR_TIMEOUT,
			"the time of this run is over (--timeout gives it more); the next one goes on from there%s%s",
			p->told ? ": " : "", p->told ? p->told : "");
	if (rc < 0)
		return -1;
	return status == 0 ? 0 : pull_failed(p, err);
}

/* On disk, and as Ollama sees it: its list shows the first digits of the digests. */
static int verify(struct pulling *p, struct err *err)
{
	static const char *const argv[] = {"ollama", "list", NULL};
	struct model_state s = {0};
	bool there = false;
	int status = -1;

	if (look(p, &there, &s, err) < 0)
		return -1;
	if (!there || s.damage) {
		err_set(err, ERR_FAILED, "it was pulled, but in %s %s", p->directory,
			there ? s.damage : "there is no manifest of it");
		model_state_free(&s);
		return -1;
	}
	_cleanup_free_ char *digest = xstrdup(s.digest), *id = xasprintf("%.12s", s.digest + strlen("sha256:"));
	_cleanup_str_ struct str size = {0};
	model_size(s.size, &size);
	model_state_free(&s);
	if (run(p, clock_ms() + READY_MS, argv, &status, err) < 0)
		return -1;
	if (status != 0 || !strstr(str_cstr(&p->text), id))
		return err_set(err, ERR_FAILED,
			       "it was pulled, but Ollama does not list the digest of its manifest, %s", digest);
	tell(p, "it is %s (%s)", digest, str_cstr(&size));
	return 0;
}

/* Everything together */

static void on_image(void *arg, const char *text)
{
	struct pulling *p = arg;
	int64_t now = clock_ms();

	if (now - p->told_at < TELL_MS)
		return;
	p->told_at = now;
	tell(p, "%s", text);
}

static int pull_in_container(struct pulling *p, const char *image, struct err *err)
{
	struct err why = {0};
	int rc = start_container(p, image, err);

	if (rc == 0)
		rc = wait_until_ready(p, err);
	if (rc == 0)
		rc = pull(p, err);
	if (rc == 0)
		rc = verify(p, err);
	/* Without the lease nothing may be removed either; the next run does. */
	if (rc < 0 && err->code == ERR_LOCKED)
		return -1;
	if (remove_container(p, &why) < 0 && rc == 0) {
		*err = why;
		return -1;
	}
	return rc;
}

static int make_whole(struct pulling *p, const struct model_state *s, struct err *err)
{
	_cleanup_free_ char *image = model_image(p->a->want, p->a->snap, p->model);

	if (!image)
		return err_set(err, ERR_BLOCKED, "no service uses its store");
	if (s && remove_wrong_blobs(p, s, err) < 0)
		return -1;
	if (host_mkdir(p->host, p->directory, NULL, NULL, err) < 0 ||
	    engine_ensure_image(p->engine, p->a->deadline, image, on_image, p, err) < 0)
		return -1;
	return pull_in_container(p, image, err);
}

int model_apply(struct apply *a, const struct change *c, struct err *err)
{
	const struct resource *r = c->desired, *store = resource_find(a->want, "directory", json_str(r->body, "store"));
	struct pulling p = {.a = a, .host = cluster_host(a->cluster, r->node), .model = r->name};
	struct model_state s = {0};
	bool there = false;
	int rc;

	if (!p.host || !store)
		return err_set(err, ERR_BLOCKED, "its store is not in the spec");
	p.directory = model_directory(json_str(store->body, "path"));
	p.container = model_container(a->cluster->name);
	rc = cluster_engine(a->cluster, r->node, &p.engine, err);
	if (rc == 0)
		rc = remove_leftover(&p, err);
	if (rc == 0)
		rc = look(&p, &there, &s, err);
	if (rc == 0 && (!there || s.damage))
		rc = make_whole(&p, there ? &s : NULL, err);
	model_state_free(&s);
	pulling_free(&p);
	return rc;
}
