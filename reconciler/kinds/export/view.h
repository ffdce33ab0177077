/* The exports of one node as its probe saw them, and a resource's body out of it. Pure. */
#ifndef RECONCILE_KINDS_EXPORT_VIEW_H
#define RECONCILE_KINDS_EXPORT_VIEW_H

#include "kinds/export/exports.h"

#include "base/json.h"

struct export_table {
	const char *file; /* borrowed from the probe */
	const char *text;
	struct exports exports;
};

struct export_view {
	const json_t *host;      /* the probe; borrowed */
	struct exports active;   /* what is exported now */
	struct export_table own; /* our file; text "" when it is not there */
	VEC(struct export_table) others;
};

/* "/etc/exports.d/reconcile-<cluster>.exports"; the caller frees it. */
char *export_own_file(const char *cluster);

/*
 * host: the document host/<node>, which outlives the view. False when it does not
 * say what is exported; *why (malloc'ed) says why. The own table is there also
 * when only the file was asked for.
 */
bool export_view_open(const json_t *host, const char *own_file, struct export_view *v, char **why);
void export_view_close(struct export_view *v);

/* A path and, when the probe found another one, where it leads to: NULL-terminated. */
void export_view_paths(const struct export_view *v, const char *path, const char *paths[static 3]);

/*
 * The live `clients` of a path: canonical client -> options. A client that is
 * not simply exported by our file and nothing else has words behind its options that
 * say what is different: equal to the desired body exactly when nothing is to be
 * done. New reference, empty when nobody exports the path.
 */
json_t *export_view_clients(const struct export_view *v, const char *path);

#endif
