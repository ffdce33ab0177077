/* What the files of the kind `absent` share. */
#ifndef RECONCILE_KINDS_ABSENT_ABSENT_H
#define RECONCILE_KINDS_ABSENT_ABSENT_H

#include "kinds/cluster.h"
#include "model/kind.h"
#include "spec/spec.h"

#define NS_PER_S 1000000000

/* Who has a published port now. */
struct absent_holder {
	const struct resource *absent; /* the entry that is to end it */
	const char *what, *name;       /* "container", "haproxy"; borrowed */
	bool known;    /* false: it may have it, an HAProxy whose ports are its own matter, or not seen */
	bool for_good; /* a service of Swarm: it has the port as long as it exists */
};

/* One sort of thing that an entry can name. */
struct absent_form {
	const char *key; /* in the spec, and the field of the body that has its name */
	void (*needs)(struct wants *w, const struct snode *n);
	void (*fetch)(struct fetch *f, const struct snode *n); /* optional */
	void (*decode)(struct decode *d, struct resource *r, const struct snode *n);
	void (*observe)(struct observe *o, struct resource *r, const struct resource *want);
	void (*explain)(const struct observe *o, struct arena *a, struct change *c);
	int (*apply)(struct apply *a, const struct change *c, struct err *err) MUST_CHECK;
	/* Fills what, name, known and for_good; false: it has not the port, "11434/tcp". */
	bool (*holds)(const struct snapshot *snap, const struct resource *want, const char *port,
		      struct absent_holder *out);
};
extern const struct absent_form absent_container, absent_compose, absent_service, absent_unit;
const struct absent_form *absent_form_of(const json_t *body);

/* Every form's decode: name, state and, in seconds there and nanoseconds here, the times of the entry. */
void absent_decode_times(struct decode *d, struct resource *r, const struct snode *n, int64_t stop_timeout);
/* Every form's observe: the live body is the wanted one but for state and restart. */
void absent_set_live(struct observe *o, struct resource *r, const struct resource *want, const char *state,
		     const char *restart);
/* What time brings, a removal after `keep`, nobody has changed. */
void absent_is_no_drift(struct change *c);
const char *absent_duration(struct arena *a, int64_t ns);
int64_t absent_timeout_s(const json_t *body);

/* How the name of what an entry names stands in a message: a variable's value may be a secret. Borrowed. */
const char *absent_shown(const struct resource *want, const char *key);

/* GET of a container now, from its node's engine; JSON null when it is gone. New reference. */
int absent_inspect(struct engine *e, int64_t deadline, const char *container, json_t **out, struct err *err) MUST_CHECK;
/* One turn of waiting; an error when the time is up. */
int absent_wait(struct apply *a, const char *for_what, struct err *err) MUST_CHECK;

/*
 * What an entry's containers are now, GET /containers/{id}/json of each, in the order in which they are stopped; those
 * that are gone are left out. target: {"container": …} or {"compose": …, "services": {…}}, as a body. New reference.
 */
int absent_containers(struct engine *e, int64_t deadline, const json_t *target, json_t **out,
		      struct err *err) MUST_CHECK;
/* The same as it was observed; NULL: unknown, *why (malloc'ed) says why. New reference. */
json_t *absent_observed(const struct snapshot *snap, const struct resource *want, char **why);
const char *absent_container_name(const json_t *inspect); /* "?" */
/* Its process is HAProxy's, as far as its command tells. */
bool absent_is_haproxy(const json_t *inspect);

/* "11434/tcp" of "11434:80/tcp", a key of a service's ports. malloc'ed. */
char *port_published(const char *key);
/* The same of a member of a live service's Endpoint.Ports. malloc'ed; NULL: it is not in Swarm's load balancer. */
char *port_of_ingress(const json_t *port);
/* Adds a container's, {"80/tcp": [{"HostPort": "11434"}]}, to {"11434/tcp": true}. */
void ports_add_bindings(const json_t *bindings, json_t *ports);
/* An HAProxy on its host's network: what it listens on is in its own configuration. */
bool absent_listens_itself(const json_t *inspect);
/* The hook holds of containers. */
bool absent_containers_hold(const struct snapshot *snap, const struct resource *want, const char *port,
			    struct absent_holder *out);
/*
 * Which of the entries in want has the published port ("11434/tcp"). false: none of which it is known. What it points
 * to is the snapshot's and the set's.
 */
bool absent_port_holder(const struct snapshot *snap, const struct resource_set *want, const char *port,
			struct absent_holder *out);

/* policy: RestartPolicy of HostConfig. */
int absent_set_restart(struct apply *a, struct engine *e, const char *container, const json_t *policy,
		       struct err *err) MUST_CHECK;
/* A service as `absent` stops it, and started again: replicas 0: it has none. */
bool absent_service_is_stopped(const json_t *service);
int absent_service_start(struct apply *a, const char *id, int64_t replicas, struct err *err) MUST_CHECK;

/* The gate before it is stopped: what would be lost, and whether it is quiet; hook of the kind. */
int absent_gate(struct apply *a, const struct change *c, bool dry, struct gate *g, struct err *err) MUST_CHECK;

/* Tasks that still run, of a list: {"id": true, …}; new reference. */
json_t *absent_running_tasks(const json_t *tasks);

#endif
