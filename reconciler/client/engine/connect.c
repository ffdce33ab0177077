/*
 * Which engine: the rules of docker/cli (cli/command/cli.go resolveContextName,
 * opts/hosts.go ParseHost, cli/context/store, cli/flags/options.go).
 */
#include "client/engine/internal.h"

#include "sys/file.h"
#include "sys/hash.h"

#include <pwd.h>
#include <string.h>
#include <unistd.h>

#define DEFAULT_SOCKET "unix:///var/run/docker.sock"
#define DEFAULT_TLS_HOST "tcp://localhost:2376"
#define CONFIG_MAX (1 << 20)

static const char *env(const char *name)
{
	const char *value = getenv(name);
	return value && *value ? value : NULL;
}

char *docker_config_dir(void)
{
	const char *dir = env("DOCKER_CONFIG"), *home = env("HOME");

	if (dir)
		return xstrdup(dir);
	if (!home) {
		const struct passwd *pw = getpwuid(getuid());
		home = pw ? pw->pw_dir : "/";
	}
	return xasprintf("%s/.docker", home);
}

/* The parser's words quote the text, and these files hold credentials: only the position is told. */
static int read_json_file(const char *path, json_t **out, struct err *err)
{
	_cleanup_str_ struct str text = {0};
	json_error_t where;

	if (file_read(path, CONFIG_MAX, &text, err) < 0)
		return -1;
	*out = json_loadb(str_cstr(&text), text.len, JSON_REJECT_DUPLICATES, &where);
	if (json_is_object(*out))
		return 0;
	json_decref(*out);
	*out = NULL;
	return err_set(err, ERR_USAGE, "read %s: line %d, column %d: it is not a JSON object", path, where.line,
		       where.column);
}

int docker_config_read(const char *config_dir, json_t **out, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("%s/config.json", config_dir);
	struct err e;

	if (read_json_file(path, out, &e) == 0)
		return 0;
	if (e.code == ERR_NOT_FOUND) {
		*out = json_object();
		return 0;
	}
	*err = e;
	return err_wrap(err, "docker's configuration");
}

void endpoint_free(struct endpoint *at)
{
	free(at->address);
	free(at->unix_socket);
	free(at->base_url);
	free(at->ca_file);
	free(at->cert_file);
	free(at->key_file);
	free(at->ssh_user);
	free(at->ssh_host);
	*at = (struct endpoint){0};
}

static char *copy(const char *s)
{
	return s ? xstrdup(s) : NULL;
}

void endpoint_copy(const struct endpoint *from, struct endpoint *to)
{
	*to = (struct endpoint){
		.address = copy(from->address),
		.unix_socket = copy(from->unix_socket),
		.base_url = copy(from->base_url),
		.tls = from->tls,
		.is_default = from->is_default,
		.insecure = from->insecure,
		.ca_file = copy(from->ca_file),
		.cert_file = copy(from->cert_file),
		.key_file = copy(from->key_file),
		.ssh_user = copy(from->ssh_user),
		.ssh_host = copy(from->ssh_host),
		.ssh_port = from->ssh_port,
	};
}

/* "host:port/path" with docker's defaults (opts.ParseTCPAddr); brackets around an IPv6 address are required. */
static int parse_tcp(const char *addr, struct endpoint *at, struct err *err)
{
	size_t len = strcspn(addr, "/"), host_len = len;
	const char *close = memchr(addr, ']', len);
	const char *colon = memrchr(addr, ':', len);

	if (colon && (!close || colon > close))
		host_len = (size_t)(colon - addr);
	const char *port = host_len < len ? addr + host_len + 1 : "";
	size_t port_len = host_len < len ? len - host_len - 1 : 0;
	if (strpbrk(addr, " \t") || strstr(addr, "://") || strspn(port, "0123456789") < port_len || port_len > 5 ||
	    strtol(port, NULL, 10) > UINT16_MAX || (*addr == '[' && !close) ||
	    (*addr != '[' && memchr(addr, ':', host_len)))
		return err_set(err, ERR_USAGE, "'tcp://%s' is not an engine's address: write tcp://host:port", addr);

	_cleanup_free_ char *authority =
		xasprintf("%.*s:%.*s", host_len ? (int)host_len : 9, host_len ? addr : "localhost",
			  port_len ? (int)port_len : 4, port_len ? port : "2375");
	const char *path = addr + len;
	size_t path_len = strlen(path);
	while (path_len > 0 && path[path_len - 1] == '/')
		path_len--;
	at->address = xasprintf("tcp://%s%.*s", authority, (int)path_len, path);
	at->base_url = xasprintf("%s://%s%.*s", at->tls ? "https" : "http", authority, (int)path_len, path);
	return 0;
}

static int parse_unix(const char *path, struct endpoint *at, struct err *err)
{
	if (*path == '\0')
		path = &DEFAULT_SOCKET[strlen("unix://")];
	if (*path != '/')
		return err_set(err, ERR_USAGE, "'unix://%s' is not an engine's address: write unix:///path", path);
	at->address = xasprintf("unix://%s", path);
	at->unix_socket = xstrdup(path);
	at->base_url = xstrdup("http://localhost");
	return 0;
}

/* "[user@]host[:port]". What ssh could take for an option is none. */
static int parse_ssh(const char *rest, struct endpoint *at, struct err *err)
{
	static const char words[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-";
	const char *sign = strchr(rest, '@'), *host = sign ? sign + 1 : rest;
	bool v6 = *host == '[';
	const char *name = host + v6;
	size_t n = v6 ? strspn(name, "0123456789abcdefABCDEF:.") : strspn(name, words);
	const char *end = name + n + (v6 && name[n] == ']'), *port = *end == ':' ? end + 1 : "";

	if (n == 0 || *name == '-' || (v6 && name[n] != ']') || (*end != ':' && *end != '\0') ||
	    (*end == ':' && (*port == '\0' || strspn(port, "0123456789") != strlen(port) || strlen(port) > 5)) ||
	    (sign && (sign == rest || *rest == '-' || strspn(rest, words) != (size_t)(sign - rest))))
		return err_set(err, ERR_USAGE, /* it may have a password in it */
			       "what begins with 'ssh://' is not an engine's address: write ssh://user@host or "
			       "ssh://user@host:port, without a password or a path");
	at->address = xasprintf("ssh://%s", rest);
	at->ssh_user = sign ? xasprintf("%.*s", (int)(sign - rest), rest) : NULL;
	at->ssh_host = xasprintf("%.*s", (int)n, name);
	at->ssh_port = (int)strtol(port, NULL, 10);
	at->base_url = xstrdup("http://localhost");
	return 0;
}

static const struct {
	const char *prefix;
	int (*parse)(const char *rest, struct endpoint *at, struct err *err);
} schemes[] = {
	{"unix://", parse_unix},
	{"tcp://", parse_tcp},
	{"ssh://", parse_ssh},
};

/* at->tls is set before: it decides between http and https. */
static int parse_host(const char *host, struct endpoint *at, struct err *err)
{
	_cleanup_free_ char *trimmed = xstrdup(host + strspn(host, " \t\r\n"));
	size_t n = strlen(trimmed);

	while (n > 0 && strchr(" \t\r\n", trimmed[n - 1]))
		trimmed[--n] = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(schemes); i++)
		if (str_starts(trimmed, schemes[i].prefix))
			return schemes[i].parse(trimmed + strlen(schemes[i].prefix), at, err);
	if (strstr(trimmed, "://"))
		return err_set(err, ERR_UNSUPPORTED, "engine '%s': only unix://, tcp:// and ssh:// are supported",
			       trimmed);
	return parse_tcp(trimmed, at, err);
}

static char *existing_file(const char *dir, const char *name)
{
	char *path = xasprintf("%s/%s", dir, name);
	if (access(path, F_OK) == 0)
		return path;
	free(path);
	return NULL;
}

/* A peer verified against the system's authorities would not be the one that was meant. */
static int require_files(const struct endpoint *at, const char *dir, const char *variable, struct err *err)
{
	if (!at->insecure && !at->ca_file)
		return err_set(err, ERR_USAGE, "TLS to the engine (%s): %s/ca.pem is not there", variable, dir);
	if (!at->cert_file != !at->key_file)
		return err_set(err, ERR_USAGE, "TLS to the engine (%s): %s/%s.pem is not there", variable, dir,
			       at->cert_file ? "key" : "cert");
	return 0;
}

/* The default context: DOCKER_HOST with DOCKER_TLS_VERIFY, DOCKER_TLS and DOCKER_CERT_PATH. */
static int default_endpoint(const char *host, const char *config_dir, struct endpoint *at, struct err *err)
{
	const char *verify = env("DOCKER_TLS_VERIFY"), *tls = env("DOCKER_TLS"), *dir = env("DOCKER_CERT_PATH");

	at->tls = verify || tls;
	at->insecure = !verify;
	at->is_default = !host && !at->tls;
	if (!host)
		host = at->tls ? DEFAULT_TLS_HOST : DEFAULT_SOCKET;
	if (parse_host(host, at, err) < 0)
		return -1;
	if (!at->tls || at->unix_socket || at->ssh_host)
		return 0;
	dir = dir ? dir : config_dir;
	at->ca_file = at->insecure ? NULL : existing_file(dir, "ca.pem");
	at->cert_file = existing_file(dir, "cert.pem");
	at->key_file = existing_file(dir, "key.pem");
	return require_files(at, dir, verify ? "DOCKER_TLS_VERIFY" : "DOCKER_TLS", err);
}

/* Contexts live in directories named by the SHA-256 of their name (cli/context/store). */
static int context_endpoint(const char *name, const char *config_dir, struct endpoint *at, struct err *err)
{
	char id[HASH_HEX_SIZE];
	_cleanup_json_ json_t *meta = NULL;

	if (hash_sha256_hex(name, strlen(name), id, err) < 0)
		return -1;
	_cleanup_free_ char *path = xasprintf("%s/contexts/meta/%s/meta.json", config_dir, id);
	_cleanup_free_ char *dir = xasprintf("%s/contexts/tls/%s/docker", config_dir, id);
	if (read_json_file(path, &meta, err) < 0) {
		if (err->code == ERR_NOT_FOUND)
			return err_set(err, ERR_USAGE, "docker context '%s': there is none of this name in %s/contexts",
				       name, config_dir);
		return err_wrap(err, "docker context '%s'", name);
	}
	const json_t *docker = json_path(meta, "Endpoints.docker");
	if (!docker)
		return err_set(err, ERR_USAGE, "docker context '%s': it has no docker endpoint", name);
	const char *host = json_str(docker, "Host");
	at->insecure = json_bool(docker, "SkipTLSVerify");
	at->ca_file = existing_file(dir, "ca.pem");
	at->cert_file = existing_file(dir, "cert.pem");
	at->key_file = existing_file(dir, "key.pem");
	at->tls = at->insecure || at->ca_file || at->cert_file || at->key_file;
	if (parse_host(host && *host ? host : DEFAULT_SOCKET, at, err) < 0)
		return err_wrap(err, "docker context '%s'", name);
	return 0;
}

int endpoint_find(const char *host, const char *config_dir, const json_t *config, struct endpoint *out, struct err *err)
{
	const char *docker_host = host && *host ? host : env("DOCKER_HOST");
	const char *context = docker_host ? NULL : env("DOCKER_CONTEXT");
	struct endpoint at = {0};

	if (!docker_host && !context)
		context = json_str(config, "currentContext");
	bool named = context && *context && strcmp(context, "default") != 0;
	int r = named ? context_endpoint(context, config_dir, &at, err)
		      : default_endpoint(docker_host, config_dir, &at, err);
	if (r < 0)
		endpoint_free(&at);
	else
		*out = at;
	return r;
}
