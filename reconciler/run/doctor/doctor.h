/*
 * Known traps that can be seen in a running cluster: what is wrong, where, why it matters, how to mend it, as one JSON
 * document (docs/doctor.md). Looks only.
 *
 * Fetching (fetch.c) and judging (doctor_make, pure: a snapshot of documents and a spec give a document) are two
 * things, so that each trap is a test case made of files. What could not be looked at is in the member "unknown" with
 * the reason: a cluster of which nothing was seen is not a healthy one.
 */
#ifndef RECONCILE_RUN_DOCTOR_DOCTOR_H
#define RECONCILE_RUN_DOCTOR_DOCTOR_H

#include "model/snapshot.h"
#include "spec/spec.h"

#define DOCTOR_FORMAT 1

enum trap_severity { TRAP_ERROR, TRAP_WARNING };

struct doctor;
struct trap {
	const char *id; /* in findings; also the name of its test case */
	enum trap_severity severity;
	const char *why;  /* why it matters */
	const char *mend; /* what to do */
	/* Adds a finding for each place where it is so. Pure. */
	void (*look)(struct doctor *d, const struct trap *t);
};
/* All of them, in the order of findings of one severity. */
const struct trap *const *doctor_traps(size_t *n);

struct doctor_facts {
	const struct spec *spec;   /* NULL: none was read, what it wants is not known */
	const struct diags *diags; /* what loading it found: warnings are findings too; NULL: nothing */
	const char *engine;        /* its address, for the document; may be NULL */
	/*
	 * engine/info engine/nodes engine/networks engine/services   as the engine lists them
	 * engine/containers          GET /containers/json?all=1 of the engine that is spoken to
	 * engine/container/<name>    GET /containers/<name>/json of those of them that belong to no task
	 * host/<node>                the probe of a node (host/host.h) with doctor_files, DOCTOR_MOUNTS, the exports,
	 *                            and where the node's engine is another one, DOCTOR_CONTAINERS
	 * doctor/places              [{"node", "here": true where the node's engine is the one that is spoken to}]
	 * traefik/container          {"name"} of the Traefik that was found; JSON null: none
	 * traefik/version traefik/static traefik/routers             kinds/traefik/view.h
	 */
	const struct snapshot *snap;
};
#define DOCTOR_CONTAINERS "engine /containers/json?all=1"
#define DOCTOR_MOUNTS "mounts \n"
extern const char *const doctor_files[]; /* NULL-terminated paths that are looked at on every node */

json_t *doctor_make(const struct doctor_facts *f); /* new reference */

/* 1: a finding of severity error; 3: none, but something could not be looked at; 0: neither. Warnings alone are 0. */
int doctor_exit(const json_t *doc);

struct doctor_options {
	const struct spec *spec; /* NULL: the engine alone, and this machine where the engine is its own */
	const char *docker_host; /* NULL: as the docker client finds it */
};
/*
 * One look. *engine (malloc'ed): its address. Only a spec whose hosts cannot be opened, no engine at all, and Ctrl-C
 * are errors.
 */
int doctor_look(const struct doctor_options *o, int64_t deadline, struct snapshot **out, char **engine,
		struct err *err) MUST_CHECK;

#endif
