/*
 * dockerd's configuration file on a node, and what the running dockerd has of it. Pure.
 * Source of names and of what can be reloaded: dockerd's reference, "Daemon configuration file".
 */
#ifndef RECONCILE_KINDS_ENGINE_DAEMON_H
#define RECONCILE_KINDS_ENGINE_DAEMON_H

#include "base/mem.h"
#include "model/snapshot.h"

#define DAEMON_FILE "/etc/docker/daemon.json"
/*
 * Written before the file is replaced, with "reload" or "restart" as its content, removed once dockerd has done that:
 * a run that is killed in between leaves what is still to be done. On a tmpfs, for a reboot does it, too.
 */
#define DAEMON_MARK "/run/reconcile/daemon.json.pending"

struct daemon_view {
	bool installed, systemd, running;
	const char *pending;     /* of DAEMON_MARK; NULL: nothing. In the arena */
	const char *config_file; /* that dockerd was told to read; NULL: none was said. In the arena */
	bool has_file;
	json_t *file; /* an object, empty without the file; owned */
	json_t *info; /* GET /info of this node's engine; NULL: it does not answer. Owned */
};

/* False: not known, or the file is no JSON object; *why (in the arena) says why. Free it in any case. */
bool daemon_view(const struct snapshot *snap, struct arena *a, const char *node, struct daemon_view *v,
		 const char **why);
void daemon_view_free(struct daemon_view *v);

/* An empty text is an empty object. New reference; NULL: no JSON object, *why (in the arena) says where. */
json_t *daemon_parse(const char *text, size_t len, struct arena *a, const char **why);

/* What of file the wanted keys are, members of objects as well. New reference. */
json_t *daemon_pick(const json_t *file, const json_t *wanted);
/* The file with the wanted keys, all others and their order as they were. New reference. */
json_t *daemon_overlay(const json_t *file, const json_t *wanted);

/* The first wanted key of which /info says something else; NULL: none, as far as /info tells. */
const char *daemon_not_loaded(const json_t *info, const json_t *wanted);
/* Whether what differs, in the file or in /info (NULL: do not look), is read at a start only. */
bool daemon_needs_restart(const json_t *file, const json_t *info, const json_t *wanted);

#endif
