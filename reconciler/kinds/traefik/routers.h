/* Traefik's routers before and after the change of its static configuration: none may be missing that was not meant to.
 */
#ifndef RECONCILE_KINDS_TRAEFIK_ROUTERS_H
#define RECONCILE_KINDS_TRAEFIK_ROUTERS_H

#include "kinds/traefik/view.h"

/* "a@docker, b@docker (TCP)" into out, in the order of their names: the routers from container labels. How many. */
size_t traefik_container_routers(const struct snapshot *snap, const char *node, const json_t *rawdata, struct str *out);

/*
 * The routers of GET /api/rawdata that work and must still be there after the change: those of providers that it does
 * not end. By section: {"routers": ["whoami@file"], "tcpRouters": []}; new reference.
 */
json_t *traefik_routers_to_stay(const struct traefik_view *v, const json_t *rawdata);
/* Those that rawdata has not, or not enabled: "a@file, b@http (TCP)" into out. How many. */
size_t traefik_routers_missing(const json_t *stay, const json_t *rawdata, struct str *out);

#endif
