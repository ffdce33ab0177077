#include "kinds/traefik/write.h"

#include "kinds/traefik/fetch.h"
#include "kinds/traefik/move.h"
#include "kinds/traefik/reach.h"
#include "kinds/traefik/routers.h"
#include "kinds/traefik/view.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <string.h>

#define UP_TIMEOUT_MS 60000
#define ROUTERS_TIMEOUT_MS 20000                /* providersThrottleDuration is 2 s, the http provider asks every 5 s */
#define UNDO_TIMEOUT_MS (UP_TIMEOUT_MS + 20000) /* with the restart */
#define STABLE_MS 2000                          /* the API answers for so long with the same process */
#define STABLE_WITHOUT_API_MS 5000
#define POLL_MS 250
#define API_CALL_MS 2000
#define LOGS_MAX 65536

struct work {
	struct apply *a;
	struct engine *engine;         /* of the container's node */
	struct traefik_client *client; /* NULL: the spec does not say where the API is */
	int64_t deadline;              /* of the pass; later while something is put back */
	const char *container, *path, *inside;
	struct host *host;
	struct str id;     /* the container's name for a URL */
	struct str before; /* what is put back when Traefik does not come up */
	struct str after;
	char *backup; /* NULL: there is nothing to put back */
};

static void work_free(struct work *w)
{
	traefik_close(w->client);
	str_free(&w->id);
	str_free(&w->before);
	str_free(&w->after);
	free(w->backup);
}

#define tell(w, ...) (w)->a->progress((w)->a->progress_arg, __VA_ARGS__)

static bool is_same(const struct str *a, const struct str *b)
{
	return a->len == b->len && memcmp(str_cstr(a), str_cstr(b), a->len) == 0;
}

/* Files */

static int read_now(struct work *w, struct str *out, struct err *err)
{
	str_reset(out);
	return traefik_read_inside(w->engine, w->deadline, w->container, w->inside, out, NULL, err);
}

/* Complete and on disk before the first byte of the original is touched. */
static int back_up(struct work *w, struct err *err)
{
	free(w->backup);
	w->backup = NULL;
	if (traefik_back_up(w->a->cluster->backup_dir, "traefik", w->container, str_cstr(&w->before), w->before.len,
			    &w->backup, err) < 0)
		return err_wrap(err, "back up %s before it is edited", w->path);
	return 0;
}

/*
 * In place, whatever is mounted: a file that is mounted by itself must keep its
 * inode (FACTS A), any other its owner and mode, or Traefik cannot read it any
 * more. A write that is cut off is found and put right by the next run (view.h).
 */
static int write_file(struct work *w, const struct str *text, struct err *err)
{
	return host_write_inplace(w->host, w->path, str_cstr(text), text->len, err);
}

static int write_and_check(struct work *w, struct err *err)
{
	_cleanup_str_ struct str seen = {0};

	tell(w, "writing %s", w->path);
	if (write_file(w, &w->after, err) < 0)
		return -1;
	if (read_now(w, &seen, err) < 0)
		return err_wrap(err, "look at the edited file");
	if (!is_same(&seen, &w->after))
		return err_set(err, ERR_FAILED, "%s was written, but %s in container '%s' does not show the edit",
			       w->path, w->inside, w->container);
	return 0;
}

/* Is it up? */

struct pulse {
	char *started_at;
	int64_t restarts; /* -1: not looked at yet */
	int64_t since;    /* clock_ms when it was first seen well in this life; 0: not */
};

static bool api_answers(struct work *w)
{
	_cleanup_json_ json_t *version = NULL;

	return !w->client || traefik_get(w->client, clock_ms() + API_CALL_MS, "/api/version", &version, NULL) == 0;
}

/* 1: up for long enough. 0: look again. Negative: it will not come up. */
static int check_pulse(struct work *w, struct pulse *p, struct err *err)
{
	_cleanup_json_ json_t *j = NULL;
	int64_t needed = w->client ? STABLE_MS : STABLE_WITHOUT_API_MS;

	if (engine_get(w->engine, w->deadline, &j, err, "/containers/%s/json", str_cstr(&w->id)) < 0)
		return -1;
	const json_t *state = json_object_get(j, "State");
	const char *started = json_str(state, "StartedAt");
	int64_t restarts = json_int(j, "RestartCount", 0);
	if (p->restarts >= 0 && restarts > p->restarts)
		return err_set(err, ERR_FAILED, "it restarts again and again");
	p->restarts = restarts;
	if (!json_bool(state, "Running") && !json_bool(state, "Restarting"))
		return err_set(err, ERR_FAILED, "it exited with code %lld", (long long)json_int(state, "ExitCode", 0));
	if (!str_eq(started, p->started_at) || json_bool(state, "Restarting")) {
		free(p->started_at);
		p->started_at = started ? xstrdup(started) : NULL;
		p->since = 0;
	}
	if (!api_answers(w)) {
		p->since = 0;
		return 0;
	}
	if (p->since == 0)
		p->since = clock_ms();
	return clock_ms() - p->since >= needed;
}

static int wait_until_up(struct work *w, struct err *err)
{
	int64_t limit = clock_ms() + UP_TIMEOUT_MS;
	struct pulse p = {.restarts = -1};
	int rc;

	if (limit > w->deadline)
		limit = w->deadline;
	tell(w, "waiting until Traefik answers");
	while ((rc = check_pulse(w, &p, err)) == 0) {
		if (!clock_sleep(POLL_MS)) {
			rc = err_set(err, ERR_CANCELLED, "interrupted before Traefik was seen to answer");
			break;
		}
		if (clock_left(limit) == 0) {
			rc = err_set(err, ERR_FAILED, "its API did not answer within %d s", UP_TIMEOUT_MS / 1000);
			break;
		}
	}
	free(p.started_at);
	return rc < 0 ? -1 : 0;
}

static int restart(struct work *w, struct err *err)
{
	tell(w, "restarting container '%s'", w->container);
	if (engine_post(w->engine, w->deadline, NULL, NULL, err, "/containers/%s/restart?t=10", str_cstr(&w->id)) < 0)
		return -1;
	return wait_until_up(w, err);
}

/* Its routers */

static json_t *rawdata_now(struct work *w)
{
	json_t *raw = NULL;

	return w->client && traefik_get(w->client, clock_ms() + API_CALL_MS, "/api/rawdata", &raw, NULL) == 0 ? raw
													      : NULL;
}

/* Those that worked before and that the change does not end are there again. */
static int wait_for_routers(struct work *w, const json_t *stay, struct err *err)
{
	int64_t limit = clock_ms() + ROUTERS_TIMEOUT_MS;

	if (limit > w->deadline)
		limit = w->deadline;
	for (;;) {
		_cleanup_json_ json_t *now = rawdata_now(w);
		_cleanup_str_ struct str missing = {0};
		if (traefik_routers_missing(stay, now, &missing) == 0)
			return 0;
		tell(w, "waiting for Traefik's routers %s", str_cstr(&missing));
		if (!clock_sleep(POLL_MS))
			return err_set(err, ERR_CANCELLED, "interrupted before Traefik had its routers again");
		if (clock_left(limit) == 0)
			return err_set(err, ERR_FAILED, "it has lost routers that it had before: %s",
				       str_cstr(&missing));
	}
}

/* Putting back */

static char *last_words(struct work *w)
{
	_cleanup_str_ struct str logs = {0};

	if (engine_get_raw(w->engine, w->deadline, LOGS_MAX, &logs, NULL,
			   "/containers/%s/logs?stdout=1&stderr=1&tail=20", str_cstr(&w->id)) < 0)
		return xstrdup("");
	return traefik_last_log_line(str_cstr(&logs), logs.len);
}

static int put_back(struct work *w, const struct err *cause, struct err *err)
{
	struct err why = {0};

	/* The pass may be out of time just because Traefik was not heard of. */
	if (w->deadline < clock_ms() + UNDO_TIMEOUT_MS)
		w->deadline = clock_ms() + UNDO_TIMEOUT_MS;
	_cleanup_free_ char *words = last_words(w);
	_cleanup_free_ char *failure = xasprintf("Traefik does not work with the edited %s: %s%s%s", w->inside,
						 cause->msg, *words ? "; it said: " : "", words);
	tell(w, "putting %s back", w->path);
	if (write_file(w, &w->before, &why) < 0)
		return err_set(err, ERR_FAILED,
			       "%s; it could not be put back (%s): copy %s over %s and restart Traefik", failure,
			       why.msg, w->backup, w->path);
	if (restart(w, &why) < 0)
		return err_set(err, ERR_FAILED,
			       "%s; %s was put back from %s, and Traefik does not come up with that either: %s",
			       failure, w->path, w->backup, why.msg);
	return err_set(err, ERR_FAILED, "%s; %s was put back from %s and Traefik runs again", failure, w->path,
		       w->backup);
}

/* Everything together */

/* The file in the container must be the one that the plan was made of. */
static int check_unchanged(struct work *w, const struct traefik_view *v, struct err *err)
{
	const json_t *planned = json_object_get(v->doc, "content");
	_cleanup_str_ struct str now = {0};

	if (read_now(w, &now, err) < 0)
		return -1;
	if (now.len != json_string_length(planned) || memcmp(str_cstr(&now), json_string_value(planned), now.len) != 0)
		return err_set(err, ERR_OUT_OF_SEQUENCE, "%s in container '%s' has changed since the plan was made",
			       w->inside, w->container);
	return 0;
}

static void use_backup(struct work *w, const json_t *backup)
{
	const json_t *content = json_object_get(backup, "content");

	w->backup = xstrdup(json_str(backup, "path"));
	str_reset(&w->before);
	str_add(&w->before, json_string_value(content), json_string_length(content));
}

/*
 * The newest backup serves when it is what an interrupted run saved, when it is
 * the file as it is now, and when the file is that run's edit, which nobody has
 * seen come up: then it is what is put back.
 */
static void adopt_backup(struct work *w, const struct traefik_view *v)
{
	const json_t *backup = json_object_get(v->doc, "backup"), *content = json_object_get(backup, "content");
	struct str saved = {.data = (char *)json_string_value(content), .len = json_string_length(content)};
	struct static_edit e = {0};

	if (!content)
		return;
	if (v->interrupted || is_same(&saved, &w->before)) {
		use_backup(w, backup);
	} else if (is_same(&w->before, &w->after) && static_edit(saved.data, saved.len, &v->goal, &e, NULL) == 0) {
		if (is_same(&e.text, &w->after))
			use_backup(w, backup);
		static_edit_free(&e);
	}
}

static int prepare(struct work *w, const struct traefik_view *v, struct err *err)
{
	struct static_edit e = {0};
	size_t len;
	const char *text = traefik_view_text(v, &len);

	if (!text || v->source != STATIC_FILE || !w->path || !w->host)
		return err_set(err, ERR_BLOCKED, "Traefik's static configuration is not a file that can be edited");
	if (check_unchanged(w, v, err) < 0)
		return -1;
	if (static_edit(text, len, &v->goal, &e, err) < 0)
		return err_wrap(err, "edit %s", w->inside);
	str_add(&w->before, text, len);
	str_add(&w->after, str_cstr(&e.text), e.text.len);
	static_edit_free(&e);
	return 0;
}

/* moved: routes that the restart would lose without their file; NULL: none. */
static int make_change(struct work *w, const struct traefik_view *v, const struct moved *moved, struct err *err)
{
	const struct move mv = {w->a, w->engine, w->client, w->host, w->container};
	bool writes = v->interrupted || !is_same(&w->before, &w->after);
	_cleanup_json_ json_t *raw = rawdata_now(w), *stay = traefik_routers_to_stay(v, raw);
	struct err cause = {0};
	int rc = 0;

	adopt_backup(w, v);
	if (writes && !w->backup && back_up(w, err) < 0)
		return -1;
	if (writes)
		rc = write_and_check(w, &cause);
	if (rc == 0)
		rc = restart(w, &cause);
	if (rc == 0 && moved)
		rc = traefik_wait_for_moved(&mv, moved, &cause);
	if (rc == 0)
		rc = wait_for_routers(w, stay, &cause);
	if (rc == 0)
		return 0;
	/* Without the lease, or suspended, nothing may be put back either; the next run finds the edit and its backup.
	 */
	if (cause.code == ERR_CANCELLED || cause.code == ERR_LOCKED || cause.code == ERR_SUSPENDED || !w->backup)
		return err_set(err, cause.code, "%s%s%s", cause.msg, w->backup ? "; the file as it was: " : "",
			       w->backup ? w->backup : "");
	return put_back(w, &cause, err);
}

/* First the routes that would be lost, then the change that loses them. */
static int keep_and_change(struct work *w, const struct change *c, const struct traefik_view *v, struct err *err)
{
	const struct move mv = {w->a, w->engine, w->client, w->host, w->container};
	struct moved m;
	int rc;

	if (!json_object_get(c->desired->body, "container_routes") || !traefik_view_drops(v, w->a->snap))
		return make_change(w, v, NULL, err);
	moved_make(w->a->snap, c->desired->node, v, &m);
	rc = m.blocked || !w->client ? err_set(err, ERR_BLOCKED, "%s", m.blocked ? m.blocked : "Traefik has no API")
				     : traefik_move_routes(&mv, &m, err);
	if (rc == 0)
		rc = make_change(w, v, &m, err);
	moved_free(&m);
	return rc;
}

static int open_both(struct work *w, const char *node, struct err *err)
{
	struct cluster *c = w->a->cluster;

	if (cluster_engine(c, node, &w->engine, err) < 0)
		return -1;
	return c->traefik_api ? cluster_traefik(c, &w->client, err) : 0;
}

int traefik_apply(struct apply *a, const struct change *c, struct err *err)
{
	struct work w = {.a = a,
			 .deadline = a->deadline,
			 .container = c->desired->name,
			 .host = cluster_host(a->cluster, c->desired->node)};
	struct traefik_view v;
	int rc;

	traefik_view_make(a->snap, c->desired->node, c->desired->name, c->desired->body, &v);
	engine_escape(w.container, &w.id);
	w.path = json_str(v.doc, "path");
	w.inside = json_str(v.doc, "inside");
	rc = v.unknown ? err_set(err, ERR_BLOCKED, "%s", v.unknown) : open_both(&w, c->desired->node, err);
	if (rc == 0)
		rc = prepare(&w, &v, err);
	if (rc == 0)
		rc = keep_and_change(&w, c, &v, err);
	work_free(&w);
	traefik_view_free(&v);
	return rc;
}
