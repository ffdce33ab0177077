/* What the files of client/engine share; nobody else includes this. */
#ifndef RECONCILE_CLIENT_ENGINE_INTERNAL_H
#define RECONCILE_CLIENT_ENGINE_INTERNAL_H

#include "client/engine/engine.h"
#include "sys/http.h"

/* Where an engine listens: the outcome of host, DOCKER_HOST and contexts. All strings malloc'ed. */
struct endpoint {
	char *address;     /* as an operator writes it: "unix:///run/docker.sock", "tcp://10.0.0.84:2376" */
	char *unix_socket; /* path; NULL for TCP */
	char *base_url;    /* "http://localhost", "https://10.0.0.84:2376" */
	bool tls;
	bool insecure;
	bool is_default;                      /* nothing said which */
	char *ssh_user, *ssh_host;            /* of ssh://; host NULL: it is none */
	int ssh_port;                         /* 0: ssh's */
	char *ca_file, *cert_file, *key_file; /* NULL: none */
};

struct engine {
	struct endpoint at;
	char *config_dir;
	json_t *config; /* config.json; an empty object when there is none */
	struct http *http;
	int major, minor; /* 0 before negotiation */
	char version[16];
	struct mutation_hooks hooks;
	bool uncancellable; /* also its reads */
	bool (*why)(void *arg, struct err *err);
	void *why_arg;
	void *link; /* of ssh; NULL: none, or another handle's */
};

/* connect.c */
int endpoint_find(const char *host, const char *config_dir, const json_t *config, struct endpoint *out,
		  struct err *err) MUST_CHECK;
void endpoint_copy(const struct endpoint *from, struct endpoint *to);
void endpoint_free(struct endpoint *at);
char *docker_config_dir(void);
/* An empty object when there is no config.json. */
int docker_config_read(const char *config_dir, json_t **out, struct err *err) MUST_CHECK;

/*
 * auth.c: the value of X-Registry-Auth for a registry domain, malloc'ed; NULL
 * when nothing is known about it. What it is must reach no message and no trace.
 */
int registry_auth(const struct engine *e, const char *domain, int64_t deadline, char **out, struct err *err) MUST_CHECK;
/* registry_auth for the image's registry. */
int registry_auth_for_image(const struct engine *e, const char *image, int64_t deadline, char **out,
			    struct err *err) MUST_CHECK;

/* engine.c: a GET with X-Registry-Auth; auth may be NULL. */
int engine_get_with_auth(struct engine *e, int64_t deadline, const char *auth, json_t **out, struct err *err,
			 const char *path) MUST_CHECK;

#endif
