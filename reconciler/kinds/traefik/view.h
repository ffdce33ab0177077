/*
 * What the snapshot says about a Traefik container's static configuration.
 * Pure; decode, observe and explain look at it.
 *
 * traefik/static, as fetch puts it:
 *   {"source": "file" | "toml" | "flags" | "environment" | "nothing"  (missing: file),
 *    "inside": path in the container, "content": what the container is given at its next start,
 *    "path": where that comes from on the host, null: not from the host, "single_file": bool,
 *    "host_content_differs": bool, "declared": static_config of the spec when that is another file,
 *    "mtime": seconds,
 *    "backup": {"path", "content"} of the newest backup, when there is one}
 */
#ifndef RECONCILE_KINDS_TRAEFIK_VIEW_H
#define RECONCILE_KINDS_TRAEFIK_VIEW_H

#include "kinds/traefik/edit.h"
#include "kinds/traefik/static.h"
#include "kinds/traefik/traefik.h"

struct traefik_view {
	char *unknown;           /* why the live state is not known; NULL: it is */
	const json_t *container; /* GET /containers/{id}/json; borrowed */
	const json_t *doc;       /* traefik/static; borrowed */
	enum static_source source;
	struct static_goal goal;
	json_t *body;     /* live, canonical */
	bool interrupted; /* an earlier run was stopped while it wrote the file */
};

/* node: the spec's; want: the desired body, whose swarm_mode and entrypoints are the goal; it outlives the view. */
void traefik_view_make(const struct snapshot *snap, const char *node, const char *container, const json_t *want,
		       struct traefik_view *v);
void traefik_view_free(struct traefik_view *v);

/*
 * True when the change ends Traefik 2's listing of containers: swarm mode comes, or the process has not read yet that
 * it is there. Their routes are then lost or moved (moved.h).
 */
bool traefik_view_drops(const struct traefik_view *v, const struct snapshot *snap);

/* The text to edit: the file's, or the backup's when the file is a torn write. */
const char *traefik_view_text(const struct traefik_view *v, size_t *len);

/*
 * True when text is neither old nor new but a mix of their bytes at the same
 * places: what a write in place leaves when it is cut off.
 */
bool traefik_is_torn(const char *text, size_t len, const char *old, size_t old_len, const char *edited,
		     size_t edited_len);

#endif
