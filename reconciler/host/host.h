/*
 * A node as a host: local, or (not in this version) over ssh. Everything that
 * is read comes from one probe a pass; everything that is written goes through
 * host_run and host_write. Values never reach a shell: programs get argument
 * vectors, the probe's script gets its parameters on stdin.
 */
#ifndef RECONCILE_HOST_HOST_H
#define RECONCILE_HOST_HOST_H

#include "base/err.h"
#include "base/json.h"
#include "sys/proc.h"

struct host;

/*
 * address as in the spec. Local: loopback, an address of one of this machine's
 * interfaces, or this machine's host name. Else the host is remote, and every
 * operation is ERR_UNSUPPORTED with "node 'x' (10.0.0.80) is not this machine…".
 */
int host_open(const char *node, const char *address, struct host **out, struct err *err) MUST_CHECK;
void host_close(struct host *h);
const char *host_node(const struct host *h);
bool host_is_local(const struct host *h);

/* What a probe should look at. Arrays are NULL-terminated, borrowed during the call. */
struct probe_request {
	const char *const *dirs;  /* stat only */
	const char *const *files; /* content, at most 1 MiB each */
	bool exports;             /* exportfs -s, /etc/exports, /etc/exports.d/ *.exports, etab */
};

/*
 * One round trip. *out: new reference:
 *   {"hostname": …,
 *    "dirs":  {"/opt/x": {"type":"directory|file|symlink|other","uid":0,"gid":0,"owner":"root:root","mode":"0755",
 *                         "real":"/data/x" when the path leads elsewhere} | null (not there) | {"error": "…"}},
 *    "files": {"/etc/x": {"content": "…", "mode": "0644"} | null | {"error": "…"}},
 *    "exports": {"tool": true (exportfs is installed), "etab": "…", "active": "…exportfs -s…, when etab cannot be
 * read", "files": {"/etc/exports": "…"}} | {"error": "…"}} An empty object when nothing is asked: then nothing is
 * started.
 */
int host_probe(struct host *h, const struct probe_request *q, int64_t deadline, json_t **out,
	       struct err *err) MUST_CHECK;
/* In two halves, so that probes and Engine calls run side by side; finish also ends the probe. */
struct probe;
int host_probe_start(struct host *h, const struct probe_request *q, int64_t deadline, struct probe **p,
		     struct err *err) MUST_CHECK;
int host_probe_finish(struct probe *p, json_t **out, struct err *err) MUST_CHECK;

/*
 * Runs a program there that changes something (what only looks belongs into the
 * probe); not stopped by Ctrl-C. A non-zero exit is ERR_FAILED with its last line of stderr. out may be NULL.
 */
int host_run(struct host *h, const char *const *argv, int64_t deadline, struct str *out, struct err *err) MUST_CHECK;
int host_read(struct host *h, const char *path, size_t max, struct str *out, struct err *err) MUST_CHECK;
int host_write(struct host *h, const char *path, const void *data, size_t n, mode_t mode, struct err *err) MUST_CHECK;
int host_write_inplace(struct host *h, const char *path, const void *data, size_t n, struct err *err) MUST_CHECK;
/* mkdir -p; then owner ("user:group", names or numbers) and mode (octal) of the last one, also when it is there. NULL:
 * left. */
int host_mkdir(struct host *h, const char *path, const char *owner, const char *mode, struct err *err) MUST_CHECK;

/* As engine_on_mutation: called before everything above that changes the host, with "write /etc/x on gmktec". */
void host_on_mutation(struct host *h, int (*hook)(void *arg, const char *what, struct err *err), void *arg);

#endif
