/*
 * The command line that leads to a host: nothing, sudo, or OpenSSH (ssh(1),
 * ssh_config(5), OpenSSH 8.4 and later).
 */
#include "host/internal.h"

#include "sys/clock.h"
#include "sys/file.h"
#include "sys/hash.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#define CONNECT_TIMEOUT_S "10"
#define PERSIST_S "300"

/* Whoever else may write there could put a socket of their own in place. */
static bool is_private_dir(const char *path)
{
	struct stat st;
	return lstat(path, &st) == 0 && S_ISDIR(st.st_mode) && st.st_uid == geteuid() && (st.st_mode & 077) == 0;
}

bool runtime_dir(char *buf, size_t size)
{
	const char *base = getenv("XDG_RUNTIME_DIR");
	int n;

	if (geteuid() == 0)
		n = snprintf(buf, size, "/run/reconcile");
	else if (base && *base == '/')
		n = snprintf(buf, size, "%s/reconcile", base);
	else
		n = snprintf(buf, size, "/tmp/reconcile-%u", (unsigned)geteuid());
	if (n < 0 || (size_t)n >= size || (mkdir(buf, 0700) < 0 && errno != EEXIST))
		return false;
	return is_private_dir(buf);
}

static void add(struct command *c, const char *constant)
{
	vec_push(&c->argv, constant);
}

__attribute__((format(printf, 2, 3))) static void add_text(struct command *c, const char *fmt, ...)
{
	va_list ap;
	char *text;

	va_start(ap, fmt);
	if (vasprintf(&text, fmt, ap) < 0)
		abort();
	va_end(ap);
	vec_push(&c->owned, text);
	vec_push(&c->argv, text);
}

static void add_option(struct command *c, const char *option)
{
	add(c, "-o");
	add(c, option);
}

/* As one word for a POSIX shell: within single quotes everything but a single quote is itself. */
static void quote(const char *word, struct str *out)
{
	str_addc(out, '\'');
	for (; *word; word++) {
		if (*word == '\'')
			str_adds(out, "'\\''");
		else
			str_addc(out, *word);
	}
	str_addc(out, '\'');
}

/* A known_hosts file of the one key that the spec says, under the node's name whatever the port. */
static int add_host_key(struct command *c, const struct host *h, const char *dir, struct err *err)
{
	_cleanup_free_ char *line = xasprintf("%s %s\n", h->node, h->host_key);
	char id[HASH_HEX_SIZE];

	if (!*dir)
		return err_set(err, ERR_SYSTEM, "there is no private directory for host keys (XDG_RUNTIME_DIR, /tmp)");
	if (hash_sha256_hex(line, strlen(line), id, err) < 0)
		return -1;
	_cleanup_free_ char *path = xasprintf("%s/key-%.16s", dir, id);
	if (access(path, F_OK) < 0 && file_write_atomic(path, line, strlen(line), 0600, err) < 0)
		return -1;
	add(c, "-o");
	add_text(c, "UserKnownHostsFile=%s", path);
	add_option(c, "GlobalKnownHostsFile=/dev/null");
	add(c, "-o");
	add_text(c, "HostKeyAlias=%s", h->node);
	return 0;
}

static uint64_t add_to_hash(uint64_t hash, const char *s) /* FNV-1a, the terminating zero included */
{
	do
		hash = (hash ^ (unsigned char)*s) * UINT64_C(1099511628211);
	while (*s++);
	return hash;
}

/*
 * Of all that says where a connection leads and who is trusted to be there: a host key that is corrected in the spec is
 * asked for again. ssh's own %C would do for ssh, but its value is not known here.
 */
static char *control_path(const struct host *h, const char *dir)
{
	uint64_t hash = UINT64_C(14695981039346656037);
	char port[16];

	snprintf(port, sizeof(port), "%d", h->port);
	const char *const parts[] = {h->node, h->address, h->user ? h->user : "", port, h->host_key ? h->host_key : ""};
	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		hash = add_to_hash(hash, parts[i]);
	return xasprintf("%s/ssh-%016llx", dir, (unsigned long long)hash);
}

bool host_is_connected(const struct host *h)
{
	struct sockaddr_un at = {.sun_family = AF_UNIX};
	char dir[64];

	if (h->local || !runtime_dir(dir, sizeof(dir)))
		return false;
	_cleanup_free_ char *path = control_path(h, dir);
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	snprintf(at.sun_path, sizeof(at.sun_path), "%s", path);
	bool connected = fd >= 0 && connect(fd, (const struct sockaddr *)(const void *)&at, sizeof(at)) == 0;
	if (fd >= 0)
		close(fd);
	return connected;
}

/* forward: what -W takes; NULL: none. */
static int add_ssh(struct command *c, const struct host *h, const char *forward, bool shared, struct err *err)
{
	char dir[64];

	if (!runtime_dir(dir, sizeof(dir)))
		*dir = '\0';
	add(c, "ssh");
	add(c, "-aTx");
	add_option(c, "BatchMode=yes");
	add_option(c, "LogLevel=ERROR");
	add_option(c, "ClearAllForwardings=yes");
	add_option(c, "PermitLocalCommand=no");
	add_option(c, "ConnectTimeout=" CONNECT_TIMEOUT_S);
	add_option(c, "ServerAliveInterval=5");
	add_option(c, "ServerAliveCountMax=3");
	if (*dir && shared) {
		_cleanup_free_ char *path = control_path(h, dir);
		add_option(c, "ControlMaster=auto");
		add_option(c, "ControlPersist=" PERSIST_S);
		add(c, "-o");
		add_text(c, "ControlPath=%s", path);
	} else {
		add_option(c, "ControlPath=none");
	}
	add(c, "-o");
	add_text(c, "HostName=%s", h->address);
	add_option(c, h->accept_new ? "StrictHostKeyChecking=accept-new" : "StrictHostKeyChecking=yes");
	if (h->host_key && add_host_key(c, h, dir, err) < 0)
		return -1;
	if (h->user) {
		add(c, "-l");
		add(c, h->user);
	}
	if (h->port) {
		add(c, "-p");
		add_text(c, "%d", h->port);
	}
	if (forward) {
		add(c, "-W");
		add_text(c, "%s", forward);
	}
	add(c, "--");
	add(c, h->node);
	return 0;
}

/* What ssh hands to the login shell there. */
static void add_remote(struct command *c, const struct host *h, const char *const *argv, int64_t time_limit_ms)
{
	struct str line = {0};

	str_adds(&line, ENGLISH "; export LC_ALL; ");
	if (h->become)
		str_adds(&line, "s='sudo -n'; [ \"$(id -u)\" != 0 ] || s=; exec $s");
	else
		str_adds(&line, "exec");
	if (time_limit_ms > 0)
		str_addf(&line, " timeout -k 5 %lld", (long long)(time_limit_ms + 999) / 1000);
	for (size_t i = 0; argv[i]; i++) {
		str_addc(&line, ' ');
		quote(argv[i], &line);
	}
	char *text = str_steal(&line);
	vec_push(&c->owned, text);
	vec_push(&c->argv, text);
}

int command_build(struct command *c, const struct host *h, const char *const *argv, int64_t time_limit_ms, bool shared,
		  struct err *err)
{
	*c = (struct command){0};
	if (!h->local) {
		if (add_ssh(c, h, NULL, shared, err) < 0) {
			command_free(c);
			return -1;
		}
		add_remote(c, h, argv, time_limit_ms);
	} else {
		if (h->become && geteuid() != 0) {
			static const char *const sudo[] = {"env", ENGLISH, "sudo", "-n", "--"};
			for (size_t i = 0; i < ARRAY_SIZE(sudo); i++)
				add(c, sudo[i]);
		}
		for (size_t i = 0; argv[i]; i++)
			add(c, argv[i]);
	}
	add(c, NULL);
	return 0;
}

int command_forward(struct command *c, const struct host *h, const char *target, struct err *err)
{
	*c = (struct command){0};
	if (add_ssh(c, h, target, true, err) < 0) {
		command_free(c);
		return -1;
	}
	add(c, NULL);
	return 0;
}

void command_free(struct command *c)
{
	for (size_t i = 0; i < c->owned.n; i++)
		free(c->owned.v[i]);
	vec_free(&c->owned);
	vec_free(&c->argv);
}

/* ssh names the address in what it says. */
static void hide_address(const struct host *h, struct err *err)
{
	_cleanup_free_ char *msg = xstrdup(err->msg);
	_cleanup_str_ struct str text = {0};
	const char *at = msg, *next;

	if (strcmp(h->shown, h->address) == 0)
		return;
	for (; (next = strstr(at, h->address)); at = next + strlen(h->address))
		str_addf(&text, "%.*s%s", (int)(next - at), at, h->shown);
	str_adds(&text, at);
	snprintf(err->msg, sizeof(err->msg), "%s", str_cstr(&text));
}

int on_node(const struct host *h, int rc, struct err *err)
{
	if (rc < 0 && err) {
		hide_address(h, err);
		err_wrap(err, h->local ? "node '%s'" : "node '%s' (%s)", h->node, h->shown);
	}
	return rc < 0 ? -1 : 0;
}

/* OpenSSH and sudo tell their failures in words only. */
static const struct {
	const char *words;
	enum err_code code;
	const char *advice; /* %s: the address */
} failures[] = {
	{"REMOTE HOST IDENTIFICATION HAS CHANGED", ERR_DENIED,
	 "its host key is not the one that is known. Unless the host was installed anew this is another machine; if it "
	 "was, correct `host_key` in the spec, or remove the old key with `ssh-keygen -R %s`"},
	{"Host key verification failed", ERR_DENIED,
	 "its host key is not known here: compare it on the host (`ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub`) "
	 "and "
	 "add it to known_hosts (`ssh %s`), or write it as the node's `host_key`"},
	{"Too many authentication failures", ERR_DENIED, "ssh to %s: too many keys were tried"},
	{"Permission denied", ERR_DENIED,
	 "ssh to %s: the user is not let in with the keys that this user's ssh has (agent, ~/.ssh)"},
	{"a password is required", ERR_DENIED,
	 "sudo on %s asks for a password: allow the user of `ssh` to run commands with `sudo -n` (NOPASSWD in "
	 "sudoers), "
	 "or log in as root"},
	{"a terminal is required", ERR_DENIED, "sudo on %s asks for a password: allow `sudo -n` (NOPASSWD in sudoers)"},
	{"is not in the sudoers file", ERR_DENIED, "sudo on %s: the user of `ssh` may not use it"},
	{"is not allowed to", ERR_DENIED, "sudo on %s: the user of `ssh` may not run this with it"},
	{"sudo: not found", ERR_NOT_FOUND, "there is no sudo on %s: log in as root, or install sudo"},
	{"during banner exchange", ERR_UNREACHABLE,
	 "sshd on %s takes the connection and says nothing: it hangs, or the host is too busy"},
	{"Could not resolve hostname", ERR_UNREACHABLE, "%s: the host name cannot be resolved"},
};

/* The last line, which is where programs say why they failed. */
static void add_last_line(const struct str *text, struct str *out)
{
	size_t end = text->len, start;

	while (end > 0 && strchr(" \r\n", text->data[end - 1]))
		end--;
	for (start = end; start > 0 && text->data[start - 1] != '\n';)
		start--;
	str_add_visible(out, end ? text->data + start : "", end - start);
}

int command_error(const struct host *h, const char *program, int exit_status, int signal, const struct str *err_out,
		  struct err *err)
{
	const char *text = str_cstr(err_out);
	_cleanup_str_ struct str last = {0};
	/* ssh ends with 255 for its own failures; sudo's begin with its name. */
	bool by_ssh = !h->local && exit_status == 255, by_sudo = h->become && strstr(text, "sudo:");

	for (size_t i = 0; (by_ssh || by_sudo) && i < ARRAY_SIZE(failures); i++) {
		if (!strstr(text, failures[i].words))
			continue;
		_cleanup_str_ struct str advice = {0};
		const char *at = strstr(failures[i].advice, "%s");
		str_addf(&advice, "%.*s%s%s", (int)(at ? at - failures[i].advice : 0), failures[i].advice,
			 at ? h->address : "", at ? at + 2 : failures[i].advice);
		return err_set(err, failures[i].code, "%s", str_cstr(&advice));
	}
	add_last_line(err_out, &last);
	if (by_ssh)
		return err_set(err, ERR_UNREACHABLE, "%s", last.len ? str_cstr(&last) : "ssh: the connection was lost");
	if (!h->local && exit_status == 124)
		return err_set(err, ERR_TIMEOUT, "still running at its deadline; it was ended");
	enum err_code code = strstr(text, ": No such file or directory") ? ERR_NOT_FOUND : ERR_FAILED;
	if (!program && last.len)
		return err_set(err, code, "%s", str_cstr(&last));
	_cleanup_free_ char *how =
		signal ? xasprintf("ended by signal %d", signal) : xasprintf("exit status %d", exit_status);
	return err_set(err, code, "%s%s%s%s%s", program ? program : "", program ? ": " : "", how, last.len ? ": " : "",
		       str_cstr(&last));
}
