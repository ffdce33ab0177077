#include "host/host.h"

#include "host/probe.h"
#include "sys/file.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <ifaddrs.h>
#include <pwd.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct host {
	char *node, *address;
	bool local;
	int (*hook)(void *arg, const char *what, struct err *err);
	void *hook_arg;
};

struct ip {
	int family;
	unsigned char bytes[16];
};

static bool parse_ip(const char *text, struct ip *out)
{
	*out = (struct ip){.family = AF_INET};
	if (inet_pton(AF_INET, text, out->bytes) == 1)
		return true;
	out->family = AF_INET6;
	return inet_pton(AF_INET6, text, out->bytes) == 1;
}

static bool is_interface_ip(const struct ip *want, const struct sockaddr *sa)
{
	if (!sa || sa->sa_family != want->family)
		return false;
	if (want->family == AF_INET)
		return memcmp(want->bytes, &((const struct sockaddr_in *)(const void *)sa)->sin_addr, 4) == 0;
	return memcmp(want->bytes, &((const struct sockaddr_in6 *)(const void *)sa)->sin6_addr, 16) == 0;
}

/* 127.0.0.0/8 is all ours, whatever of it the interface carries. */
static int is_local_ip(const struct ip *ip, bool *local, struct err *err)
{
	struct ifaddrs *list;

	*local = ip->family == AF_INET && ip->bytes[0] == 127;
	if (getifaddrs(&list) < 0)
		return err_sys(err, "list this machine's addresses");
	for (const struct ifaddrs *i = list; i && !*local; i = i->ifa_next)
		*local = is_interface_ip(ip, i->ifa_addr);
	freeifaddrs(list);
	return 0;
}

static int is_local_name(const char *name, bool *local, struct err *err)
{
	char self[256];

	if (gethostname(self, sizeof(self)) < 0)
		return err_sys(err, "read this machine's host name");
	self[sizeof(self) - 1] = '\0';
	*local = strcasecmp(name, "localhost") == 0 || strcasecmp(name, self) == 0;
	return 0;
}

int host_open(const char *node, const char *address, struct host **out, struct err *err)
{
	struct ip ip;
	bool local = false;
	int rc = parse_ip(address, &ip) ? is_local_ip(&ip, &local, err) : is_local_name(address, &local, err);

	if (rc < 0)
		return err_wrap(err, "node '%s'", node);
	struct host *h = xcalloc(1, sizeof(*h));
	h->node = xstrdup(node);
	h->address = xstrdup(address);
	h->local = local;
	*out = h;
	return 0;
}

void host_close(struct host *h)
{
	if (!h)
		return;
	free(h->node);
	free(h->address);
	free(h);
}

const char *host_node(const struct host *h)
{
	return h->node;
}

bool host_is_local(const struct host *h)
{
	return h->local;
}

void host_on_mutation(struct host *h, int (*hook)(void *arg, const char *what, struct err *err), void *arg)
{
	h->hook = hook;
	h->hook_arg = arg;
}

static int require_local(const struct host *h, struct err *err)
{
	if (h->local)
		return 0;
	return err_set(err, ERR_UNSUPPORTED,
		       "node '%s' (%s) is not this machine, and this version manages only the machine it runs on: run "
		       "reconcile on '%s' for what belongs there",
		       h->node, h->address, h->node);
}

static int announce(struct host *h, struct err *err, const char *verb, const char *what)
{
	if (require_local(h, err) < 0)
		return -1;
	if (!h->hook)
		return 0;
	_cleanup_free_ char *text = xasprintf("%s %s on %s", verb, what, h->node);
	return h->hook(h->hook_arg, text, err);
}

static int on_node(const struct host *h, int rc, struct err *err)
{
	return rc < 0 ? err_wrap(err, "node '%s'", h->node) : 0;
}

int host_probe_start(struct host *h, const struct probe_request *q, int64_t deadline, struct probe **p, struct err *err)
{
	if (require_local(h, err) < 0)
		return -1;
	return probe_start(h->node, q, deadline, p, err);
}

int host_probe_finish(struct probe *p, json_t **out, struct err *err)
{
	return probe_finish(p, out, err);
}

int host_probe(struct host *h, const struct probe_request *q, int64_t deadline, json_t **out, struct err *err)
{
	struct probe *p;

	if (host_probe_start(h, q, deadline, &p, err) < 0)
		return -1;
	return host_probe_finish(p, out, err);
}

int host_run(struct host *h, const char *const *argv, int64_t deadline, struct str *out, struct err *err)
{
	_cleanup_proc_result_ struct proc_result r = {0};
	_cleanup_str_ struct str command = {0};
	const struct proc_options o = {.argv = argv, .deadline = deadline, .uncancellable = true};

	for (size_t i = 0; argv[i]; i++)
		str_addf(&command, "%s%s", i ? " " : "", argv[i]);
	if (announce(h, err, "run", str_cstr(&command)) < 0)
		return -1;
	if (proc_run_checked(&o, &r, err) < 0)
		return on_node(h, -1, err);
	if (out)
		str_add(out, r.out.data, r.out.len);
	return 0;
}

int host_read(struct host *h, const char *path, size_t max, struct str *out, struct err *err)
{
	if (require_local(h, err) < 0)
		return -1;
	return on_node(h, file_read(path, max, out, err), err);
}

int host_write(struct host *h, const char *path, const void *data, size_t n, mode_t mode, struct err *err)
{
	if (announce(h, err, "write", path) < 0)
		return -1;
	return on_node(h, file_write_atomic(path, data, n, mode, err), err);
}

int host_write_inplace(struct host *h, const char *path, const void *data, size_t n, struct err *err)
{
	if (announce(h, err, "write", path) < 0)
		return -1;
	return on_node(h, file_write_inplace(path, data, n, err), err);
}

static int parse_id(const char *text, unsigned *id)
{
	char *end;

	errno = 0;
	unsigned long v = strtoul(text, &end, 10);
	if (*text < '0' || *text > '9' || *end || errno || v >= UINT32_MAX)
		return -1;
	*id = (unsigned)v;
	return 0;
}

static int find_user(const char *name, uid_t *uid, struct err *err)
{
	char buf[16384];
	struct passwd pw, *found = NULL;

	if (parse_id(name, uid) == 0)
		return 0;
	getpwnam_r(name, &pw, buf, sizeof(buf), &found);
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "no such user: %s", name);
	*uid = pw.pw_uid;
	return 0;
}

static int find_group(const char *name, gid_t *gid, struct err *err)
{
	char buf[65536];
	struct group gr, *found = NULL;

	if (parse_id(name, gid) == 0)
		return 0;
	getgrnam_r(name, &gr, buf, sizeof(buf), &found);
	if (!found)
		return err_set(err, ERR_NOT_FOUND, "no such group: %s", name);
	*gid = gr.gr_gid;
	return 0;
}

/* "user", "user:group", ":group"; names or numbers, as chown takes them. NULL: both stay. */
static int parse_owner(const char *owner, uid_t *uid, gid_t *gid, struct err *err)
{
	*uid = (uid_t)-1;
	*gid = (gid_t)-1;
	if (!owner)
		return 0;
	size_t len = strcspn(owner, ":");
	_cleanup_free_ char *user = xasprintf("%.*s", (int)len, owner);
	if (*user && find_user(user, uid, err) < 0)
		return -1;
	return owner[len] && owner[len + 1] ? find_group(owner + len + 1, gid, err) : 0;
}

static int parse_mode(const char *text, mode_t *mode, struct err *err)
{
	char *end;
	unsigned long v = strtoul(text, &end, 8);

	if (!*text || *end || v > 07777)
		return err_set(err, ERR_USAGE, "'%s' is no octal mode", text);
	*mode = (mode_t)v;
	return 0;
}

/* By descriptor, and not through a symbolic link that somebody put there meanwhile. chown first: it may clear mode
 * bits. */
static int dress_dir(const char *path, uid_t uid, gid_t gid, const mode_t *mode, struct err *err)
{
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC), rc = 0;

	if (fd < 0)
		return err_sys(err, "%s", path);
	if ((uid != (uid_t)-1 || gid != (gid_t)-1) && fchown(fd, uid, gid) < 0)
		rc = err_sys(err, "change the owner of %s", path);
	else if (mode && fchmod(fd, *mode) < 0)
		rc = err_sys(err, "change the mode of %s", path);
	close(fd);
	return rc;
}

static int make_dir(const char *path, const char *owner, const char *mode, struct err *err)
{
	uid_t uid;
	gid_t gid;
	mode_t bits = 0755;

	if (parse_owner(owner, &uid, &gid, err) < 0 || (mode && parse_mode(mode, &bits, err) < 0) ||
	    file_mkdirs(path, 0755, err) < 0)
		return -1;
	return dress_dir(path, uid, gid, mode ? &bits : NULL, err);
}

int host_mkdir(struct host *h, const char *path, const char *owner, const char *mode, struct err *err)
{
	if (announce(h, err, "make directory", path) < 0)
		return -1;
	return on_node(h, make_dir(path, owner, mode, err), err);
}
