/*
 * keep_container_routes: Traefik 2 lists services or containers, so in swarm
 * mode the routes of container labels vanish (pkg/provider/docker of v2.11).
 * Here they are as definitions of the file provider, made from what Traefik's
 * API says of them; containers are addressed by their names, which outlive
 * their addresses. Pure.
 *
 * Documents, as fetch puts them where routes would be dropped:
 *   traefik/rawdata     GET /api/rawdata
 *   traefik/neighbours  GET /containers/json of Traefik's node
 *   traefik/dynamic     {"content": the file that gets them, null: there is none yet, "host_content_differs": bool}
 */
#ifndef RECONCILE_KINDS_TRAEFIK_MOVED_H
#define RECONCILE_KINDS_TRAEFIK_MOVED_H

#include "kinds/traefik/view.h"

/* Where the file provider reads. */
struct moved_file {
	char *inside; /* in the container; NULL: why_not says why there is none */
	char *path;   /* on the host */
	char *why_not;
};
void moved_file_make(const struct traefik_view *v, struct moved_file *f);
void moved_file_free(struct moved_file *f);

struct moved {
	struct moved_file file;
	json_t *names;    /* what is kept: {"whoami@docker": "whoami@file in <path>"}; empty: nothing is lost */
	json_t *have;     /* those of names that Traefik has from its files already */
	json_t *status;   /* {"routers": {"whoami@file": "enabled"}} that Traefik's API must say then */
	struct str after; /* the file with all of them */
	bool exists, changes;
	const json_t *content; /* as it is; borrowed */
	char *blocked;         /* why it cannot be done, and what to do; NULL: it can */
};
/* v is one for which traefik_view_drops holds. */
void moved_make(const struct snapshot *snap, const char *node, const struct traefik_view *v, struct moved *m);
void moved_free(struct moved *m);

/* The first of status that GET /api/rawdata does not say, and what it says of it; NULL: all is as it must be. */
char *moved_missing(const struct moved *m, const json_t *rawdata);

/* A router that Traefik made by itself for a container of a service, which takes its place. */
bool traefik_is_task_route(const struct snapshot *snap, const char *node, const char *router);

#endif
