/* What the files of the doctor share; nobody else includes this. */
#ifndef RECONCILE_RUN_DOCTOR_INTERNAL_H
#define RECONCILE_RUN_DOCTOR_INTERNAL_H

#include "run/doctor/doctor.h"

#include "kinds/traefik/traefik.h"

/* One node, as far as it was seen. */
struct place {
	const char *node;
	const json_t *probe;      /* NULL: not seen */
	const json_t *containers; /* array; NULL: not seen */
	bool here;                /* its engine is the one that is spoken to */
};

/* The Traefik that was found. */
struct traefik_seen {
	const char *container; /* its name, or */
	const char *service;   /* its name; both NULL: there is none */
	bool version_known;
	struct traefik_version version;
	const json_t *inspect; /* of the container; NULL */
	const json_t *doc;     /* traefik/static; NULL: not known */
	json_t *state;         /* what the configuration says (kinds/traefik/static.h); NULL: not known */
	bool swarm_on, v2_keys;
};

struct doctor {
	const struct doctor_facts *f;
	const struct snapshot *snap;
	const json_t *services, *nodes, *networks; /* arrays; NULL: not seen */
	VEC(struct place) places;
	struct traefik_seen traefik;
	struct arena *arena;
	json_t *findings, *unknown;
};

/* where: "service/web", "node gmktec, /etc/exports:3". */
void doctor_find(struct doctor *d, const struct trap *t, const char *where, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));
/* Once for each thing; the first reason stays. */
void doctor_unknown(struct doctor *d, const char *what, const char *why);
/* Text in the arena. */
#define where_is(d, ...) arena_printf((d)->arena, __VA_ARGS__)

/* Services */
#define each_service(d, i, s) json_array_foreach ((json_t *)(d)->services, i, s)
const char *service_name(const json_t *service);
const char *service_where(struct doctor *d, const json_t *service); /* "service/web" */
const json_t *service_container(const json_t *service);             /* ContainerSpec */
const json_t *service_labels(const json_t *service);
const char *service_image(const json_t *service); /* "" when it is not known */

/* Images: the last part of the repository is name: "ollama/ollama:0.17.0" is "ollama". */
bool image_named(const char *image, const char *name);

/* An entry of GET /containers/json. */
const char *container_name(const json_t *container); /* without the slash */
bool container_is_task(const json_t *container);
bool container_runs(const json_t *container);
/* Calls fn for every container of every place that belongs to no task. */
void each_container(struct doctor *d, const struct trap *t,
		    void (*fn)(struct doctor *d, const struct trap *t, const struct place *p, const json_t *container));
const char *container_where(struct doctor *d, const struct place *p, const json_t *container);

/* The text of a file of doctor_files; NULL: not there, or not seen. */
const char *place_file(const struct place *p, const char *path);
/* What a look of its probe printed; NULL: nothing. When it failed, "<what> of node …" is not known. */
const char *place_look(struct doctor *d, const struct place *p, const char *look, const char *what);
/* Lines of a text, one after the other: *line is in buf; false at the end. Longer ones are cut. */
#define LINE_SIZE 4096
bool next_text_line(const char **at, char line[static LINE_SIZE]);

/* NFS mounts of a place: what is mounted now, and what /etc/fstab wants. */
struct nfs_mount {
	const char *target, *options; /* in the doctor's arena */
	size_t line;                  /* of fstab; 0: mounted now */
};
struct nfs_mounts {
	VEC(struct nfs_mount) list;
};
void nfs_mounted(struct doctor *d, const struct place *p, struct nfs_mounts *out);
void nfs_in_fstab(struct doctor *d, const struct place *p, struct nfs_mounts *out);
bool option_in(const char *options, const char *name); /* "rw,hard" */
bool path_below(const char *path, const char *dir);

extern const struct trap *const traps_cluster[],
	*const traps_services[], *const traps_ollama[], *const traps_traefik[],
								*const traps_containers[],
									*const traps_nfs[]; /* NULL-terminated */

#endif
