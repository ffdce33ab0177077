#include "kinds/traefik/move.h"

#include "kinds/cluster.h"
#include "kinds/container.h"
#include "kinds/traefik/fetch.h"
#include "sys/clock.h"

#include <string.h>

#define SEEN_TIMEOUT_MS 20000 /* providersThrottleDuration is 2 s */
#define POLL_MS 250
#define API_CALL_MS 2000

#define tell(mv, ...) (mv)->a->progress((mv)->a->progress_arg, __VA_ARGS__)

int traefik_wait_for_moved(const struct move *mv, const struct moved *m, struct err *err)
{
	int64_t limit = clock_ms() + SEEN_TIMEOUT_MS;
	_cleanup_free_ char *missing = NULL;

	if (limit > mv->a->deadline)
		limit = mv->a->deadline;
	tell(mv, "waiting until Traefik has the routes of %s", m->file.inside);
	for (;;) {
		_cleanup_json_ json_t *raw = NULL;
		struct err why = {0};
		free(missing);
		missing = traefik_get(mv->client, clock_ms() + API_CALL_MS, "/api/rawdata", &raw, &why) == 0
				  ? moved_missing(m, raw)
				  : xstrdup(why.msg);
		if (!missing)
			return 0;
		if (!clock_sleep(POLL_MS))
			return err_set(err, ERR_CANCELLED, "interrupted before Traefik was seen to have its routes");
		if (clock_left(limit) == 0)
			return err_set(err, ERR_FAILED,
				       "Traefik does not take the routes of containers from %s: after %d s %s",
				       m->file.inside, SEEN_TIMEOUT_MS / 1000, missing);
	}
}

/* The file must be the one that the plan was made of. */
static int check_unchanged(const struct move *mv, const struct moved *m, struct err *err)
{
	_cleanup_str_ struct str now = {0};
	struct err why = {0};
	int rc = traefik_read_inside(mv->engine, mv->a->deadline, mv->container, m->file.inside, &now, NULL, &why);

	if (rc < 0 && why.code != ERR_NOT_FOUND)
		return err_set(err, why.code, "%s", why.msg);
	if ((rc == 0) != m->exists ||
	    (m->exists && (now.len != json_string_length(m->content) ||
			   memcmp(str_cstr(&now), json_string_value(m->content), now.len) != 0)))
		return err_set(err, ERR_OUT_OF_SEQUENCE, "%s in container '%s' has changed since the plan was made",
			       m->file.inside, mv->container);
	return 0;
}

/* It may hold passwords of basicAuth: for root alone, when Traefik is root. */
static mode_t mode_of(const struct move *mv)
{
	_cleanup_free_ char *why = NULL;
	const json_t *container = NULL;

	(void)container_find(mv->a->snap, mv->a->cluster->traefik_node, mv->container, &container, &why);
	const char *user = json_str(json_object_get(container, "Config"), "User");
	return !user || !*user || str_eq(user, "root") || str_eq(user, "0") || str_starts(user, "0:") ? 0600 : 0644;
}

static int write_file(const struct move *mv, const struct moved *m, struct err *err)
{
	tell(mv, "writing %s", m->file.path);
	if (m->exists) /* it may be mounted by itself: FACTS A */
		return host_write_inplace(mv->host, m->file.path, str_cstr(&m->after), m->after.len, err);
	return host_write(mv->host, m->file.path, str_cstr(&m->after), m->after.len, mode_of(mv), err);
}

static int put_back(const struct move *mv, const struct moved *m, const char *backup, const struct err *cause,
		    struct err *err)
{
	const char *const argv[] = {"rm", "-f", m->file.path, NULL};
	struct err why = {0};
	int rc = m->exists ? host_write_inplace(mv->host, m->file.path, json_string_value(m->content),
						json_string_length(m->content), &why)
			   : host_run(mv->host, argv, mv->a->deadline, NULL, &why);

	if (rc < 0)
		return err_set(err, ERR_FAILED, "%s; %s could not be put back as it was%s%s: %s", cause->msg,
			       m->file.path, backup ? ", which is " : "", backup ? backup : "", why.msg);
	return err_set(err, ERR_FAILED, "%s; %s is as it was, and Traefik's static configuration was not touched",
		       cause->msg, m->file.path);
}

int traefik_move_routes(const struct move *mv, const struct moved *m, struct err *err)
{
	_cleanup_free_ char *backup = NULL;
	struct err cause = {0};

	if (check_unchanged(mv, m, err) < 0)
		return -1;
	if (m->changes && m->exists &&
	    traefik_back_up(mv->a->cluster->backup_dir, "dynamic", mv->container, json_string_value(m->content),
			    json_string_length(m->content), &backup, err) < 0)
		return err_wrap(err, "back up %s before routes are added", m->file.path);
	if (m->changes && write_file(mv, m, err) < 0)
		return -1;
	if (traefik_wait_for_moved(mv, m, &cause) == 0)
		return 0;
	/* Without the lease, or suspended, nothing may be put back either; what is there is only more than before. */
	if (!m->changes || cause.code != ERR_FAILED)
		return err_set(err, cause.code, "%s", cause.msg);
	return put_back(mv, m, backup, &cause, err);
}
