/* Makes what moved.h has worked out: the file, seen by Traefik, before anything is taken away. Blocking. */
#ifndef RECONCILE_KINDS_TRAEFIK_MOVE_H
#define RECONCILE_KINDS_TRAEFIK_MOVE_H

#include "kinds/traefik/moved.h"
#include "model/kind.h"

struct move {
	struct apply *a;
	struct engine *engine; /* of the container's node */
	struct traefik_client *client;
	struct host *host;
	const char *container;
};

/*
 * Keeps a copy of the file, writes it and waits until Traefik's API has all of it; else the file is put back as it was.
 * ERR_OUT_OF_SEQUENCE when it has changed since the plan was made.
 */
int traefik_move_routes(const struct move *mv, const struct moved *m, struct err *err) MUST_CHECK;
/* The same wait alone: after the restart. */
int traefik_wait_for_moved(const struct move *mv, const struct moved *m, struct err *err) MUST_CHECK;

#endif
