/*
 * Random services for the end-to-end tests, each in two forms that must mean the
 * same: a command of the docker client, and a service of the spec. Equal
 * arguments give equal bytes.
 *
 *	gen setup                       commands that make what the services refer to
 *	gen head                        the spec's sections for these, up to "services:"
 *	gen cli|spec PREFIX COUNT SALT  services PREFIX0, PREFIX1, …
 *
 * With another SALT the same services get other settings. No task of most of
 * them ever starts; of every 20th some do, with settings that work in a lab.
 */
#include "base/json.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define RUNS_EVERY 20
#define PORTS_EACH 8
#define NOWHERE "node.platform.os != linux"

enum mode { REPLICATED = 1, GLOBAL = 2, REPLICATED_JOB = 4, GLOBAL_JOB = 8 };
#define JOBS (REPLICATED_JOB | GLOBAL_JOB)
#define SERVICES (REPLICATED | GLOBAL)

struct gen {
	uint64_t state;
	unsigned index; /* no two services publish the same port */
	enum mode mode;
	bool runs;        /* its tasks start */
	bool host_only;   /* ports: endpoint mode dnsrr has no ingress */
	json_t *spec;     /* of services.<name> */
	struct str flags; /* of docker service create */
};

/* Chance */

static uint64_t next(struct gen *g) /* splitmix64 */
{
	uint64_t z = (g->state += 0x9e3779b97f4a7c15u);
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static unsigned below(struct gen *g, unsigned n)
{
	return (unsigned)(next(g) % n);
}

static bool chance(struct gen *g, unsigned percent)
{
	return below(g, 100) < percent;
}

#define PICK(g, ...) \
	(((const char *const[]){__VA_ARGS__})[below(g, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(char *))])

/* Both sides */

static void add_quoted(struct str *s, const char *text)
{
	str_addc(s, '\'');
	for (; *text; text++)
		if (*text == '\'')
			str_adds(s, "'\\''");
		else
			str_addc(s, *text);
	str_addc(s, '\'');
}

__attribute__((format(printf, 3, 4))) static void flag(struct gen *g, const char *name, const char *fmt, ...)
{
	_cleanup_str_ struct str value = {0};
	char buf[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(buf, sizeof(buf), fmt, ap);
	va_end(ap);
	str_addf(&g->flags, " --%s=", name);
	add_quoted(&g->flags, buf);
}

static void put(struct gen *g, const char *path, json_t *stolen)
{
	json_t *at = g->spec;

	for (const char *dot; (dot = strchr(path, '.')); path = dot + 1) {
		_cleanup_free_ char *key = xasprintf("%.*s", (int)(dot - path), path);
		if (!json_object_get(at, key))
			json_set(at, key, json_object());
		at = json_object_get(at, key);
	}
	json_set(at, path, stolen);
}

static void both(struct gen *g, const char *name, const char *path, const char *value)
{
	flag(g, name, "%s", value);
	put(g, path, json_string(value));
}

static void add_text(json_t *list, const char *text)
{
	json_array_append_new(list, json_string(text));
}

static void add_number(struct gen *g, const char *name, const char *path, unsigned n)
{
	flag(g, name, "%u", n);
	put(g, path, json_integer(n));
}

/* One duration in two spellings. */
static void add_duration(struct gen *g, const char *name, const char *path)
{
	static const char *const spellings[][2] = {
		{"90s", "1m30s"}, {"1500ms", "1.5s"}, {"2m", "120s"},   {"1h", "60m0s"},           {"0.5s", "500ms"},
		{"10s", "10s"},   {"5s", "5000ms"},   {"1s", "1000ms"}, {"1h2m3.5s", "3723500ms"},
	};
	const char *const *pair = spellings[below(g, ARRAY_SIZE(spellings))];
	unsigned first = below(g, 2);

	flag(g, name, "%s", pair[first]);
	put(g, path, json_string(pair[!first]));
}

static const char *text(struct gen *g)
{
	return PICK(g, "", "plain", "two words", "a=b=c", "=", "\xc3\xbcn\xc3\xaf \xe2\x9c\x93 \xf0\x9f\x90\xb3",
		    "line one\nline two\n", "$HOME ${NO} $$ $", "it's \"quoted\"", "back\\slash \\n", "# no comment",
		    "yes", "0755", "22:22", "null", "~", "a\ttab", " around ", "{{.Node.Hostname}}",
		    "[x, y]: &a *b !c");
}

/* NAME=value settings; the spec has them as a map or as a list. */
static void add_pairs(struct gen *g, const char *name, const char *path, const char *const *keys, size_t n)
{
	bool as_list = chance(g, 50);
	json_t *out = as_list ? json_array() : json_object();

	for (size_t i = 0; i < n; i++) {
		const char *value = text(g);
		if (chance(g, 40))
			continue;
		flag(g, name, "%s=%s", keys[i], value);
		if (as_list)
			json_array_append_new(out, json_sprintf("%s=%s", keys[i], value));
		else
			json_set(out, keys[i], json_string(value));
	}
	put(g, path, out);
}

/* Some of these strings, in this order. */
static void add_some(struct gen *g, const char *name, const char *path, const char *const *items, size_t n)
{
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		if (chance(g, 40))
			continue;
		flag(g, name, "%s", items[i]);
		add_text(list, items[i]);
	}
	put(g, path, list);
}

#define KEYS(...) (const char *const[]){__VA_ARGS__}, sizeof((const char *const[]){__VA_ARGS__}) / sizeof(const char *)

/* What a service can have */

static void gen_env(struct gen *g)
{
	add_pairs(g, "env", "environment", KEYS("A", "B_2", "lower", "PATH_LIKE", "Z"));
}

static void gen_labels(struct gen *g)
{
	add_pairs(g, "label", "deploy.labels", KEYS("team", "com.example.a", "UPPER", "x-y_z"));
}

static void gen_container_labels(struct gen *g)
{
	add_pairs(g, "container-label", "labels", KEYS("inner", "com.example.b", "d.e.f"));
}

static void gen_mount_bind(struct gen *g)
{
	const char *propagation =
		g->runs ? PICK(g, "", "rprivate", "private") : PICK(g, "", "rprivate", "rslave", "shared", "private");
	bool read_only = chance(g, 50);

	if (!*propagation && chance(g, 50)) {
		flag(g, "mount", "type=bind,source=/etc,target=/host/etc%s", read_only ? ",readonly" : "");
		json_array_append_new(json_object_get(g->spec, "volumes"),
				      json_string(read_only ? "/etc:/host/etc:ro" : "/etc:/host/etc"));
		return;
	}
	flag(g, "mount", "type=bind,src=/etc,dst=/host/etc%s%s%s", *propagation ? ",bind-propagation=" : "",
	     propagation, read_only ? ",readonly" : "");
	json_t *mount = json_pack("{s:s, s:s, s:s, s:b}", "type", "bind", "source", "/etc", "target", "/host/etc",
				  "read_only", read_only);
	if (*propagation)
		json_set(mount, "bind", json_pack("{s:s}", "propagation", propagation));
	json_array_append_new(json_object_get(g->spec, "volumes"), mount);
}

static void gen_mount_volume(struct gen *g)
{
	json_t *mount = json_pack("{s:s, s:s}", "type", "volume", "target", "/data");
	const char *source = PICK(g, "vol1", "vol2", "");
	bool no_copy = chance(g, 30), read_only = *source && chance(g, 30);

	flag(g, "mount", "type=volume%s%s,target=/data%s%s", *source ? ",source=" : "", source,
	     no_copy ? ",volume-nocopy" : "", read_only ? ",readonly" : "");
	if (*source)
		json_set(mount, "source", json_string(source));
	if (no_copy)
		json_set(mount, "volume", json_pack("{s:b}", "nocopy", 1));
	if (read_only || chance(g, 20))
		json_set(mount, "read_only", json_boolean(read_only));
	json_array_append_new(json_object_get(g->spec, "volumes"), mount);
}

static void gen_mount_tmpfs(struct gen *g)
{
	json_t *mount = json_pack("{s:s, s:s}", "type", "tmpfs", "target", "/scratch"), *options = json_object();
	bool size = chance(g, 50), mode = chance(g, 50);

	flag(g, "mount", "type=tmpfs,target=/scratch%s%s", size ? ",tmpfs-size=64m" : "",
	     mode ? ",tmpfs-mode=0750" : "");
	if (size)
		json_set(options, "size", json_string(PICK(g, "64M", "65536kb", "67108864")));
	if (mode)
		json_set(options, "mode", json_string(PICK(g, "0750", "750")));
	json_set(mount, "tmpfs", options);
	json_array_append_new(json_object_get(g->spec, "volumes"), mount);
}

static void gen_mounts(struct gen *g)
{
	put(g, "volumes", json_array());
	if (chance(g, 50))
		gen_mount_bind(g);
	if (chance(g, 50))
		gen_mount_volume(g);
	if (chance(g, 50))
		gen_mount_tmpfs(g);
}

static void gen_endpoint_mode(struct gen *g)
{
	const char *mode = PICK(g, "vip", "dnsrr");

	g->host_only = strcmp(mode, "dnsrr") == 0;
	both(g, "endpoint-mode", "deploy.endpoint_mode", mode);
}

static void gen_port(struct gen *g, unsigned published, json_t *list)
{
	const char *protocol = PICK(g, "tcp", "udp", "tcp"), *mode = g->host_only || chance(g, 30) ? "host" : "ingress";
	unsigned target = 80 + published % 100;
	bool dynamic = chance(g, 20);

	if (strcmp(mode, "ingress") == 0 && chance(g, 50)) {
		_cleanup_free_ char *ports = dynamic ? xasprintf("%u", target) : xasprintf("%u:%u", published, target);
		bool said = strcmp(protocol, "udp") == 0 || chance(g, 50);
		flag(g, "publish", "%s%s%s", ports, said ? "/" : "", said ? protocol : "");
		json_array_append_new(list, json_sprintf("%s%s%s", ports, said ? "/" : "", said ? protocol : ""));
		return;
	}
	json_t *port = json_pack("{s:i, s:s, s:s}", "target", (int)target, "protocol", protocol, "mode", mode);
	if (dynamic) {
		flag(g, "publish", "target=%u,protocol=%s,mode=%s", target, protocol, mode);
	} else {
		flag(g, "publish", "published=%u,target=%u,protocol=%s,mode=%s", published, target, protocol, mode);
		json_set_int(port, "published", published);
	}
	json_array_append_new(list, port);
}

static void gen_ports(struct gen *g)
{
	unsigned first = 20000 + PORTS_EACH * g->index;
	json_t *list = json_array();

	if (!g->host_only && chance(g, 30)) {
		flag(g, "publish", "%u-%u:8000-8001", first, first + 1);
		json_array_append_new(list, json_sprintf("%u-%u:8000-8001", first, first + 1));
		first += 2;
	}
	for (unsigned i = below(g, 3); i > 0; i--)
		gen_port(g, first++, list);
	put(g, "ports", list);
}

static void gen_networks(struct gen *g)
{
	const char *first = PICK(g, "net1", "net2");
	bool second = chance(g, 40);

	if (chance(g, 50)) {
		flag(g, "network", "%s", first);
		json_t *list = json_pack("[s]", first);
		if (second) {
			flag(g, "network", "net3");
			add_text(list, "net3");
		}
		put(g, "networks", list);
		return;
	}
	flag(g, "network", "name=%s,alias=db,alias=store%s", first, second ? ",driver-opt=a.b=c" : "");
	json_t *attachment = json_pack("{s:[s, s]}", "aliases", "store", "db");
	if (second)
		json_set(attachment, "driver_opts", json_pack("{s:s}", "a.b", "c"));
	put(g, "networks", json_pack("{s:o}", first, attachment));
}

static void gen_file(struct gen *g, const char *name, const char *source, json_t *list)
{
	bool is_secret = strcmp(name, "secret") == 0;

	if (chance(g, 30)) {
		flag(g, name, "%s", source);
		add_text(list, source);
		return;
	}
	const char *target = chance(g, 50) ? "some/file" : is_secret ? "token" : "/etc/app.conf";
	const char *uid = PICK(g, "0", "1000", "65534"), *mode = PICK(g, "0444", "0400", "0640");
	flag(g, name, "source=%s,target=%s,uid=%s,gid=%s,mode=%s", source, target, uid, uid, mode);
	json_array_append_new(list, json_pack("{s:s, s:s, s:s, s:s, s:s}", "source", source, "target", target, "uid",
					      uid, "gid", uid, "mode", mode));
}

static void gen_files(struct gen *g, const char *name, const char *path, const char *first, const char *second)
{
	json_t *list = json_array();

	gen_file(g, name, first, list);
	if (chance(g, 40)) {
		flag(g, name, "source=%s,target=second", second);
		json_array_append_new(list, json_pack("{s:s, s:s}", "source", second, "target", "second"));
	}
	put(g, path, list);
}

static void gen_configs(struct gen *g)
{
	gen_files(g, "config", "configs", "conf1", "conf2");
}

static void gen_secrets(struct gen *g)
{
	gen_files(g, "secret", "secrets", "sec1", "sec2");
}

static void gen_placement(struct gen *g)
{
	add_some(g, "constraint", "deploy.placement.constraints",
		 KEYS("node.labels.disk==ssd", "node.role != worker", "node.hostname  == gmktec",
		      "node.platform.os==linux"));
	if (chance(g, 50)) {
		flag(g, "placement-pref", "spread=node.labels.rack");
		json_t *list = json_pack("[{s:s}]", "spread", "node.labels.rack");
		if (chance(g, 50)) {
			flag(g, "placement-pref", "spread=node.labels.disk");
			json_array_append_new(list, json_pack("{s:s}", "spread", "node.labels.disk"));
		}
		put(g, "deploy.placement.preferences", list);
	}
	if (g->mode == REPLICATED && chance(g, 50))
		add_number(g, "replicas-max-per-node", "deploy.placement.max_replicas_per_node", below(g, 4) + 2);
}

static void gen_limits(struct gen *g)
{
	if (chance(g, 60)) {
		flag(g, "limit-cpu", "%s", PICK(g, "0.50", ".5"));
		put(g, "deploy.resources.limits.cpus", chance(g, 50) ? json_string("0.5") : json_real(0.5));
	}
	if (chance(g, 60)) {
		flag(g, "limit-memory", "%s", PICK(g, "1g", "1024MB", "1073741824"));
		put(g, "deploy.resources.limits.memory", json_string(PICK(g, "1G", "1gb", "1048576k", "1024MiB")));
	}
	if (chance(g, 40))
		add_number(g, "limit-pids", "deploy.resources.limits.pids", below(g, 3) * 100);
}

static void gen_reservations(struct gen *g)
{
	if (chance(g, 60))
		both(g, "reserve-cpu", "deploy.resources.reservations.cpus", PICK(g, "0.25", "0.1"));
	if (chance(g, 60))
		both(g, "reserve-memory", "deploy.resources.reservations.memory", PICK(g, "16m", "10MB"));
}

static void gen_generic_resources(struct gen *g)
{
	unsigned n = 1 + below(g, 3);

	flag(g, "generic-resource", "GPU=%u", n);
	json_t *gpu = json_pack("{s:{s:s, s:i}}", "discrete_resource_spec", "kind", "GPU", "value", (int)n);
	put(g, "deploy.resources.reservations.generic_resources", json_pack("[o]", gpu));
}

/* Half of each block is left to the defaults, which then differ from those of a missing block. */
static void gen_update_block(struct gen *g, const char *command, const char *block)
{
	static const struct {
		const char *flag, *key;
	} durations[] = {{"delay", "delay"}, {"monitor", "monitor"}};
	const char *texts[][3] = {
		{"failure-action", "failure_action", PICK(g, "pause", "continue")},
		{"max-failure-ratio", "max_failure_ratio", PICK(g, "0", "0.25", "0.1", "0.333333")},
		{"order", "order", PICK(g, "start-first", "stop-first")},
		{"parallelism", "parallelism", PICK(g, "0", "1", "2")},
	};

	for (size_t i = 0; i < ARRAY_SIZE(durations); i++) {
		_cleanup_free_ char *name = xasprintf("%s-%s", command, durations[i].flag);
		_cleanup_free_ char *path = xasprintf("deploy.%s.%s", block, durations[i].key);
		if (i == 1 && (g->runs || g->mode == GLOBAL)) { /* is waited for */
			flag(g, name, "1s");
			put(g, path, json_string("1s"));
		} else if (chance(g, 40)) {
			add_duration(g, name, path);
		}
	}
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		_cleanup_free_ char *name = xasprintf("%s-%s", command, texts[i][0]);
		_cleanup_free_ char *path = xasprintf("deploy.%s.%s", block, texts[i][1]);
		if (chance(g, 60))
			continue;
		flag(g, name, "%s", texts[i][2]);
		put(g, path,
		    i == 1   ? json_real(strtod(texts[i][2], NULL))
		    : i == 3 ? json_integer(strtol(texts[i][2], NULL, 10))
			     : json_string(texts[i][2]));
	}
}

static void gen_update_config(struct gen *g)
{
	gen_update_block(g, "update", "update_config");
	if (chance(g, 20))
		both(g, "update-failure-action", "deploy.update_config.failure_action", "rollback");
}

static void gen_rollback_config(struct gen *g)
{
	gen_update_block(g, "rollback", "rollback_config");
}

static void gen_restart_policy(struct gen *g)
{
	if (g->mode & JOBS)
		both(g, "restart-condition", "deploy.restart_policy.condition", PICK(g, "none", "on-failure"));
	else if (chance(g, 50))
		both(g, "restart-condition", "deploy.restart_policy.condition", PICK(g, "none", "on-failure", "any"));
	if (chance(g, 40))
		add_duration(g, "restart-delay", "deploy.restart_policy.delay");
	if (chance(g, 40))
		add_number(g, "restart-max-attempts", "deploy.restart_policy.max_attempts", below(g, 4));
	if (chance(g, 40))
		add_duration(g, "restart-window", "deploy.restart_policy.window");
}

static void gen_healthcheck(struct gen *g)
{
	unsigned kind = below(g, 3);

	if (kind == 0) {
		str_adds(&g->flags, " --no-healthcheck");
		if (chance(g, 50))
			put(g, "healthcheck.disable", json_true());
		else
			put(g, "healthcheck.test", json_pack("[s]", "NONE"));
		return;
	}
	if (kind == 1) {
		const char *command = PICK(g, "true", "test -e /bin || exit 1", "true \"two words\" # $HOME");
		flag(g, "health-cmd", "%s", command);
		put(g, "healthcheck.test",
		    chance(g, 50) ? json_string(command) : json_pack("[s, s]", "CMD-SHELL", command));
	}
	if (chance(g, 50))
		add_duration(g, "health-interval", "healthcheck.interval");
	if (chance(g, 50))
		add_duration(g, "health-timeout", "healthcheck.timeout");
	if (chance(g, 50))
		add_duration(g, "health-start-period", "healthcheck.start_period");
	if (chance(g, 50) || kind == 2)
		add_number(g, "health-retries", "healthcheck.retries", 1 + below(g, 5));
}

static void gen_user(struct gen *g)
{
	both(g, "user", "user", PICK(g, "nobody", "1000:1000", "0"));
	if (chance(g, 50))
		add_some(g, "group", "group_add", KEYS("nogroup", "5000"));
}

static void gen_process(struct gen *g)
{
	bool init = chance(g, 50);

	if (chance(g, 40))
		both(g, "workdir", "working_dir", PICK(g, "/", "/tmp"));
	if (chance(g, 40))
		both(g, "hostname", "hostname", PICK(g, "web", "{{.Service.Name}}-{{.Task.Slot}}"));
	if (chance(g, 40)) {
		flag(g, "init", "%s", init ? "true" : "false");
		put(g, "init", json_boolean(init));
	}
	if (chance(g, 30)) {
		flag(g, "tty", "true");
		put(g, "tty", json_true());
	}
	if (chance(g, 30)) {
		flag(g, "read-only", "true");
		put(g, "read_only", json_true());
	}
	if (chance(g, 40))
		both(g, "stop-signal", "stop_signal", PICK(g, "SIGUSR1", "SIGTERM", "INT", "9"));
	if (!g->runs && chance(g, 40))
		add_duration(g, "stop-grace-period", "stop_grace_period");
}

static void gen_hosts(struct gen *g)
{
	flag(g, "host", "db.lan:10.0.0.5");
	flag(g, "host", "six:2001:db8::1");
	if (chance(g, 50))
		put(g, "extra_hosts",
		    json_pack("[s, s]", "six:2001:db8::1", PICK(g, "db.lan:10.0.0.5", "db.lan=10.0.0.5")));
	else
		put(g, "extra_hosts", json_pack("{s:s, s:s}", "six", "2001:db8::1", "db.lan", "10.0.0.5"));
}

static void gen_dns(struct gen *g)
{
	if (chance(g, 60))
		add_some(g, "dns", "dns", KEYS("10.0.0.53", "192.0.2.1"));
	if (chance(g, 60))
		add_some(g, "dns-search", "dns_search", KEYS("example.org", "lan"));
	if (chance(g, 60))
		add_some(g, "dns-option", "dns_opt", KEYS("ndots:2", "timeout:3"));
}

static void gen_capabilities(struct gen *g)
{
	if (chance(g, 50)) {
		flag(g, "cap-drop", "ALL");
		put(g, "cap_drop", json_pack("[s]", PICK(g, "ALL", "all")));
	} else {
		flag(g, "cap-drop", "CAP_MKNOD");
		flag(g, "cap-drop", "cap_chown");
		put(g, "cap_drop", json_pack("[s, s]", "CHOWN", "MKNOD"));
	}
	if (chance(g, 50)) {
		flag(g, "cap-add", "%s", PICK(g, "NET_ADMIN", "CAP_NET_ADMIN", "net_admin"));
		flag(g, "cap-add", "SYS_TIME");
		put(g, "cap_add", json_pack("[s, s]", "SYS_TIME", PICK(g, "NET_ADMIN", "cap_net_admin")));
	}
}

static void gen_sysctls(struct gen *g)
{
	flag(g, "sysctl", "net.core.somaxconn=1024");
	if (chance(g, 50)) {
		flag(g, "sysctl", "net.ipv4.ip_local_port_range=1024 65000");
		put(g, "sysctls",
		    json_pack("[s, s]", "net.ipv4.ip_local_port_range=1024 65000", "net.core.somaxconn=1024"));
	} else {
		put(g, "sysctls", json_pack("{s:i}", "net.core.somaxconn", 1024));
	}
}

static void gen_ulimits(struct gen *g)
{
	flag(g, "ulimit", "nofile=1024:2048");
	put(g, "ulimits.nofile", json_pack("{s:i, s:i}", "soft", 1024, "hard", 2048));
	if (chance(g, 50)) {
		flag(g, "ulimit", "core=0");
		put(g, "ulimits.core", json_integer(0));
	}
	if (chance(g, 50)) {
		flag(g, "ulimit", "memlock=-1:-1");
		put(g, "ulimits.memlock",
		    chance(g, 50) ? json_integer(-1) : json_pack("{s:i, s:i}", "soft", -1, "hard", -1));
	}
}

static void gen_logging(struct gen *g)
{
	both(g, "log-driver", "logging.driver", "json-file");
	if (chance(g, 50)) {
		flag(g, "log-opt", "max-size=10m");
		flag(g, "log-opt", "max-file=3");
		put(g, "logging.options", json_pack("{s:s, s:i}", "max-size", "10m", "max-file", 3));
	}
}

static void gen_entrypoint(struct gen *g)
{
	flag(g, "entrypoint", "/bin/sh -c 'echo \"a  b\" $0'");
	if (chance(g, 50))
		put(g, "entrypoint", json_string("/bin/sh -c 'echo \"a  b\" $0'"));
	else
		put(g, "entrypoint", json_pack("[s, s, s]", "/bin/sh", "-c", "echo \"a  b\" $0"));
}

#define ALWAYS 100
#define IDLE false
#define ANY true

static const struct feature {
	void (*add)(struct gen *g);
	unsigned percent;
	unsigned modes;
	bool can_run; /* also where its tasks start */
} features[] = {
	{gen_env, 50, JOBS | SERVICES, ANY},
	{gen_labels, 50, JOBS | SERVICES, ANY},
	{gen_container_labels, 40, JOBS | SERVICES, ANY},
	{gen_mounts, 50, JOBS | SERVICES, ANY},
	{gen_endpoint_mode, 40, SERVICES, IDLE},
	{gen_ports, 40, SERVICES, IDLE},
	{gen_networks, 40, JOBS | SERVICES, IDLE},
	{gen_configs, 40, JOBS | SERVICES, ANY},
	{gen_secrets, 40, JOBS | SERVICES, ANY},
	{gen_placement, 40, JOBS | SERVICES, ANY},
	{gen_limits, 40, JOBS | SERVICES, ANY},
	{gen_reservations, 40, JOBS | SERVICES, ANY},
	{gen_generic_resources, 20, JOBS | SERVICES, IDLE},
	{gen_update_config, 50, SERVICES, ANY},
	{gen_rollback_config, 40, SERVICES, ANY},
	{gen_restart_policy, 50, SERVICES, IDLE},
	{gen_restart_policy, ALWAYS, JOBS, ANY},
	{gen_healthcheck, 50, JOBS | SERVICES, IDLE},
	{gen_user, 40, JOBS | SERVICES, ANY},
	{gen_process, 60, JOBS | SERVICES, ANY},
	{gen_hosts, 30, JOBS | SERVICES, ANY},
	{gen_dns, 40, JOBS | SERVICES, ANY},
	{gen_capabilities, 30, JOBS | SERVICES, IDLE},
	{gen_sysctls, 30, JOBS | SERVICES, IDLE},
	{gen_ulimits, 30, JOBS | SERVICES, IDLE},
	{gen_logging, 30, JOBS | SERVICES, ANY},
	{gen_entrypoint, 20, JOBS | SERVICES, IDLE},
};

/* A service */

static void gen_mode(struct gen *g)
{
	static const struct {
		enum mode mode;
		const char *name;
	} modes[] = {{GLOBAL, "global"}, {REPLICATED_JOB, "replicated-job"}, {GLOBAL_JOB, "global-job"}};
	unsigned dice = below(g, 20);
	unsigned replicas = g->runs ? 1 + below(g, 2) : 0;

	g->mode = REPLICATED;
	if (dice < ARRAY_SIZE(modes)) {
		g->mode = modes[dice].mode;
		both(g, "mode", "deploy.mode", modes[dice].name);
	}
	if (g->mode & (REPLICATED | REPLICATED_JOB))
		add_number(g, "replicas", "deploy.replicas", replicas);
}

/* A global service stands idle only where no node fits. */
static void gen_nowhere(struct gen *g)
{
	json_t *placement = json_object_get(json_object_get(g->spec, "deploy"), "placement");
	json_t *constraints = json_object_get(placement, "constraints");

	flag(g, "constraint", "%s", NOWHERE);
	if (constraints)
		add_text(constraints, NOWHERE);
	else
		put(g, "deploy.placement.constraints", json_pack("[s]", NOWHERE));
}

static void gen_image(struct gen *g, struct str *command_line)
{
	static const char *const images[][2] = {
		{"nginx", "nginx:latest"},
		{"nginx:1.27.2", "docker.io/library/nginx:1.27.2"},
		{"registry.example.org:5000/team/app:v1.2_3", "registry.example.org:5000/team/app:v1.2_3"},
		{"lab/busybox:1", "docker.io/lab/busybox:1"},
		{"busybox:1@sha256:8d2f3ac1b6f4ea3f0cbb4f4d0f0bb2a2b4ee3cb7a58dca0ec41d1e9ae3dd1f0e",
		 "busybox:1@sha256:8d2f3ac1b6f4ea3f0cbb4f4d0f0bb2a2b4ee3cb7a58dca0ec41d1e9ae3dd1f0e"},
	};
	const char *const *pair = images[g->runs ? 3 : below(g, ARRAY_SIZE(images))];
	unsigned first = below(g, 2);

	str_addc(command_line, ' ');
	str_adds(command_line, pair[first]);
	put(g, "image", json_string(pair[!first]));
}

static void gen_command(struct gen *g, struct str *command_line)
{
	static const char *const quirky[] = {"echo", "two words", "", "-x", "$HOME", "it's"};
	json_t *list = json_array();

	if (g->runs) {
		add_text(list, g->mode & JOBS ? "true" : "sleep");
		if (!(g->mode & JOBS))
			add_text(list, "1000");
	} else if (chance(g, 50)) {
		for (size_t i = 0, n = 1 + below(g, ARRAY_SIZE(quirky)); i < n; i++)
			add_text(list, quirky[i]);
	}
	json_t *word;
	size_t i;
	json_array_foreach (list, i, word) {
		str_addc(command_line, ' ');
		add_quoted(command_line, json_string_value(word));
	}
	put(g, "command", list);
}

/* "$" begins a variable of the spec. */
static json_t *escape_dollars(json_t *j)
{
	const char *key;
	json_t *v;
	size_t i;

	if (json_is_string(j)) {
		_cleanup_str_ struct str s = {0};
		for (const char *p = json_string_value(j); *p; p++)
			str_addf(&s, *p == '$' ? "$$" : "%c", *p);
		return json_string(str_cstr(&s));
	}
	json_object_foreach (j, key, v)
		json_set(j, key, escape_dollars(v));
	if (json_is_array(j))
		json_array_foreach (j, i, v)
			json_array_set_new(j, i, escape_dollars(v));
	return json_incref(j);
}

static void print_service(const char *prefix, unsigned index, uint64_t salt, bool as_command)
{
	struct gen g = {.state = salt * 1000003u + index, .index = index, .spec = json_object()};
	_cleanup_str_ struct str command_line = {0};

	g.runs = index % RUNS_EVERY == RUNS_EVERY / 2;
	gen_mode(&g);
	if (g.runs)
		both(&g, "stop-grace-period", "stop_grace_period", "1s");
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		const struct feature *f = &features[i];
		if ((f->modes & g.mode) && (f->can_run || !g.runs) && chance(&g, f->percent))
			f->add(&g);
	}
	gen_image(&g, &command_line);
	gen_command(&g, &command_line);
	if ((g.mode & (GLOBAL | GLOBAL_JOB)) && !g.runs)
		gen_nowhere(&g);
	if (as_command) {
		printf("docker service create --quiet --detach --no-resolve-image --name %s%u%s%s\n", prefix, index,
		       str_cstr(&g.flags), str_cstr(&command_line));
	} else {
		_cleanup_json_ json_t *spec = escape_dollars(g.spec);
		_cleanup_free_ char *line = json_dumps(spec, JSON_PRESERVE_ORDER | JSON_REAL_PRECISION(9));
		printf("  %s%u: %s\n", prefix, index, line);
	}
	json_decref(g.spec);
	str_free(&g.flags);
}

static const char setup[] = "docker node update --label-add disk=ssd --label-add rack=a gmktec\n"
			    "for n in net1 net2 net3; do docker network create --driver overlay $n; done\n"
			    "for n in conf1 conf2; do echo $n | docker config create $n -; done\n"
			    "for n in sec1 sec2; do echo $n | docker secret create $n -; done\n"
			    "for n in vol1 vol2; do docker volume create $n; done\n";

static const char head[] =
	"version: 1\n"
	"cluster: lab\n"
	"nodes: { gmktec: { address: 10.99.0.1, role: manager, labels: { disk: ssd, rack: a } } }\n"
	"networks: { net1: { external: true }, net2: { external: true }, net3: { external: true } }\n"
	"configs: { conf1: { external: true }, conf2: { external: true } }\n"
	"secrets: { sec1: { external: true }, sec2: { external: true } }\n"
	"volumes: { vol1: { external: true }, vol2: { external: true } }\n"
	"services:\n";

int main(int argc, char **argv)
{
	json_init();
	if (argc == 2 && strcmp(argv[1], "setup") == 0)
		return fputs(setup, stdout) < 0;
	if (argc == 2 && strcmp(argv[1], "head") == 0)
		return fputs(head, stdout) < 0;
	if (argc != 5 || (strcmp(argv[1], "cli") != 0 && strcmp(argv[1], "spec") != 0)) {
		fputs("usage: gen setup | gen head | gen cli|spec PREFIX COUNT SALT\n", stderr);
		return 64;
	}
	unsigned count = (unsigned)strtoul(argv[3], NULL, 10);
	for (unsigned i = 0; i < count; i++)
		print_service(argv[2], i, strtoull(argv[4], NULL, 10), strcmp(argv[1], "cli") == 0);
	return 0;
}
