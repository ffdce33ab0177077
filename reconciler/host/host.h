/*
 * A node as a host: this machine, or one behind OpenSSH. Everything that is read
 * comes from one probe a pass; everything that is written goes through the
 * functions below, which run constant scripts. No value ever reaches a shell
 * unquoted: programs get argument vectors (quoted word by word where ssh hands
 * them to the user's login shell, which must be a POSIX one), the probe's script
 * gets its requests on stdin.
 *
 * ssh is the system's, called with the node's name and HostName = address, so that
 * ~/.ssh/config, known_hosts, agents and ProxyJump work. It never asks: what it
 * would ask for is an error. Connections are shared between the calls of one run
 * and, for five minutes, between runs (ControlMaster), below /run/reconcile or
 * $XDG_RUNTIME_DIR/reconcile. What does not answer over one is asked over another
 * after four seconds (the probe), or given up by ssh after twenty.
 *
 * Messages begin with "node 'hpr' (10.0.0.82): ". Codes: ERR_UNREACHABLE (refused, no
 * route, connection lost), ERR_TIMEOUT (it does not answer), ERR_DENIED (host key,
 * login, sudo), ERR_FAILED (the program there failed; its last line of stderr).
 */
#ifndef RECONCILE_HOST_HOST_H
#define RECONCILE_HOST_HOST_H

#include "base/err.h"
#include "base/json.h"
#include "sys/mutation.h"
#include "sys/proc.h"

struct host;

/* Borrowed during the call. */
struct host_options {
	const char *node;     /* its name in the spec: what ssh is called with */
	const char *address;  /* IP address or host name */
	const char *shown;    /* the address in messages, ssh's own words included; NULL: as it is */
	const char *user;     /* to log in as; NULL: as ssh decides */
	int port;             /* of sshd; 0: as ssh decides */
	const char *host_key; /* "ssh-ed25519 AAAA…": this one and no other; NULL: known_hosts decides */
	bool accept_new;      /* a host that is in no known_hosts is trusted and remembered */
	bool become;          /* `sudo -n` unless the user is root already */
};

/*
 * Connects to nothing yet. Local: loopback, an address of one of this machine's
 * interfaces, or this machine's host name.
 */
int host_open(const struct host_options *o, struct host **out, struct err *err) MUST_CHECK;
void host_close(struct host *h);
const char *host_node(const struct host *h);
const char *host_address(const struct host *h); /* as in host_options */
bool host_is_local(const struct host *h);

/* What a probe should look at. Arrays are NULL-terminated, borrowed during the call. */
struct probe_request {
	const char *const *dirs;  /* stat only */
	const char *const *files; /* content, at most 1 MiB each */
	const char *const *looks; /* "NAME" or "NAME ARGUMENT": functions of probe.sh */
	bool exports;             /* exportfs -s, /etc/exports, /etc/exports.d/ *.exports, etab */
};

/*
 * One round trip. *out: new reference:
 *   {"hostname": …,
 *    "dirs":  {"/opt/x": {"type":"directory|file|symlink|other","uid":0,"gid":0,"owner":"root:root","mode":"0755",
 *                         "real":"/data/x" when the path leads elsewhere} | null (not there) | {"error": "…"}},
 *    "files": {"/etc/x": {"content": "…", "mode": "0644"} | null | {"error": "…"}},
 *    "looks": {"mounts": "what it printed" | null (not there) | {"error": "…"}},
 *    "exports": {"tool": true (exportfs is installed), "etab": "…", "active": "…exportfs -s…, when etab cannot be
 * read", "files": {"/etc/exports": "…"}} | {"error": "…"}} An empty object when nothing is asked: then nothing is
 * started.
 */
int host_probe(struct host *h, const struct probe_request *q, int64_t deadline, json_t **out,
	       struct err *err) MUST_CHECK;
/*
 * In two halves, so that probes and Engine calls run side by side; finish also ends the probe. listen, called for each
 * of several probes before any is finished, lets those that hear nothing over the connection that there is ask again
 * over a new one side by side, too; else finish does it.
 */
struct probe;
int host_probe_start(struct host *h, const struct probe_request *q, int64_t deadline, struct probe **p,
		     struct err *err) MUST_CHECK;
void host_probe_listen(struct probe *p);
int host_probe_finish(struct probe *p, json_t **out, struct err *err) MUST_CHECK;

/*
 * Runs a program there that changes something (what only looks belongs into the
 * probe); not stopped by Ctrl-C. What runs on another host ends at the deadline, too. out may be NULL.
 */
int host_run(struct host *h, const char *const *argv, int64_t deadline, struct str *out, struct err *err) MUST_CHECK;
/*
 * The same for a constant shell script that has args (NULL-terminated) as $1, …; called "<verb> <object> on <node>".
 * Its error is the last line of its stderr.
 */
int host_script(struct host *h, const char *verb, const char *object, const char *script, const char *const *args,
		int64_t deadline, struct err *err) MUST_CHECK;
/* At most max bytes, else ERR_LIMIT; appended. ERR_NOT_FOUND when there is no such file. */
int host_read(struct host *h, const char *path, size_t max, struct str *out, struct err *err) MUST_CHECK;
/*
 * A new file beside it, renamed; owner as of the file that it replaces, and so is the mode when mode is 0 (0644 for a
 * new file). A symbolic link is followed. Data that does not arrive whole changes nothing.
 */
int host_write(struct host *h, const char *path, const void *data, size_t n, mode_t mode, struct err *err) MUST_CHECK;
/*
 * Same inode, for files that are bind-mounted one by one (FACTS A). Not atomic; the data is there whole, and the space
 * for it reserved, before the first byte is changed.
 */
int host_write_inplace(struct host *h, const char *path, const void *data, size_t n, struct err *err) MUST_CHECK;
/* mkdir -p; then owner ("user:group", names or numbers) and mode (octal) of the last one, also when it is there. NULL:
 * left. */
int host_mkdir(struct host *h, const char *path, const char *owner, const char *mode, struct err *err) MUST_CHECK;

/*
 * A unix socket on this machine that leads to the host's Engine: every connection is a `docker system dial-stdio`
 * there. For another host, or where this user may not open the local socket. Not in the way of Ctrl-C.
 */
struct host_channel;
int host_channel_open(struct host *h, struct host_channel **out, struct err *err) MUST_CHECK;
/*
 * The same for a TCP port as another host sees it ("127.0.0.1:8080"): every connection is an `ssh -W`, which sshd there
 * must allow (AllowTcpForwarding). ERR_USAGE for this machine, which needs none.
 */
int host_forward_open(struct host *h, const char *target, struct host_channel **out, struct err *err) MUST_CHECK;
/*
 * The same for a TCP port as a program of the host, this one or another, would see it; a name is resolved there. in:
 * from within the networks of one of its containers, which takes root there, and with the names that Docker gives them;
 * NULL: from the host itself. Connections end at the deadline. host_channel_error: ERR_FAILED when the host has tried
 * to connect and could not, any other code when it could not even try. It needs Perl there (part of every Debian), and
 * nsenter.
 */
struct host_container {
	const char *id;
	int64_t pid; /* of its first process, as its engine says */
};
int host_relay_open(struct host *h, const struct host_container *in, const char *name, int port, int64_t deadline,
		    struct host_channel **out, struct err *err) MUST_CHECK;
const char *host_channel_socket(const struct host_channel *c); /* path */
/* Why the last connection that failed did; false when none did. The engine's client sees only a closed connection. */
bool host_channel_error(struct host_channel *c, struct err *err);
void host_channel_close(struct host_channel *c); /* ends its connections; NULL-safe */

/* As engine_set_hooks: around everything above that changes the host, with "write /etc/x on gmktec". */
void host_set_hooks(struct host *h, struct mutation_hooks hooks);

#endif
