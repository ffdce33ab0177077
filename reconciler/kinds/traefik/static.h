/*
 * Traefik's static configuration: where it comes from and what it says about
 * Swarm. Pure. Sources: pkg/cli of v2.11 and v3.7 (a file wins over flags,
 * flags over the environment), paerser's file finder and parsers.
 */
#ifndef RECONCILE_KINDS_TRAEFIK_STATIC_H
#define RECONCILE_KINDS_TRAEFIK_STATIC_H

#include "base/err.h"
#include "base/json.h"

/* As Go's strconv.ParseBool, by which Traefik reads swarmMode; text may be NULL. */
bool static_is_true(const char *text);

/*
 * What a configuration says, as an object of strings (new reference):
 * "docker", "swarm" (the provider is there), "swarmMode",
 * "swarmModeRefreshSeconds", "swarm.swarmMode", "swarm.swarmModeRefreshSeconds",
 * "docker.network", "swarm.network", "docker.endpoint", "swarm.endpoint", "entrypoints.<name in lower case>" (its
 * address).
 */
int static_read_yaml(const char *text, size_t len, json_t **out, struct err *err) MUST_CHECK;
json_t *static_read_flags(const json_t *args); /* array of strings */
json_t *static_read_env(const json_t *env);    /* array of "NAME=value" */
json_t *static_read_toml(const char *text);    /* tables and plain assignments only */

/* The address of an entrypoint; NULL: there is none by that name. Borrowed from the state. */
const char *static_entrypoint(const json_t *state, const char *name);

/* A resource's body from what a configuration says to this major version: swarm_mode, v2_keys. New reference. */
json_t *static_body(const json_t *state, int major);

enum static_source {
	STATIC_FILE, /* path is a YAML file inside the container */
	STATIC_TOML, /* path is a TOML file */
	STATIC_FLAGS,
	STATIC_ENV,
	STATIC_NOTHING,
	STATIC_N_SOURCES
};
const char *static_source_name(enum static_source s); /* "file", "toml", … */

/*
 * From GET /containers/{id}/json. exists tells whether a path is there inside
 * the container; it is asked in Traefik's order. *path: malloc'ed, for files.
 */
int static_locate(const json_t *container, int (*exists)(void *arg, const char *path, bool *yes, struct err *err),
		  void *arg, enum static_source *source, char **path, struct err *err) MUST_CHECK;

/* The change that a person has to make where this program makes none. New string. */
char *static_by_hand(enum static_source s, int major, bool swarm_mode);
char *static_entrypoint_by_hand(enum static_source s, const char *name, const char *address);

/*
 * Where a path inside the container comes from: the host's path (malloc'ed),
 * and whether the file itself is what is mounted. false: from no bind mount.
 */
bool static_host_path(const json_t *container, const char *inside, char **path, bool *single_file);

#endif
