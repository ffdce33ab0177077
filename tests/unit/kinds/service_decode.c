/* The spec's notations of a service, each to the canonical body: one row a notation. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <string.h>

#include "kinds/kinds.h"
#include "kinds/service/service.h"

/* service: the lines below services.web; field: of the body; value: as JSON, "null" for none. */
static const struct row_case {
	const char *service, *field, *value;
} cases[] = {
	{"", "image", "\"nginx:1.27\""},
	{"", "replicas", "1"},
	{"", "mode", "\"replicated\""},
	{"", "labels", "null"},
	{"", "networks", "null"},
	{"image: nginx", "image", "\"nginx:latest\""},
	{"image: reg.example:5000/a/b:3", "image", "\"reg.example:5000/a/b:3\""},
	{"image: docker.io/library/nginx:1", "image", "\"nginx:1\""},
	{"image: nginx:1@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "image",
	 "\"nginx:1\""},
	{"image: nginx:1@sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae", "image_digest",
	 "\"sha256:2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae\""},

	{"command: sleep 5", "command", "[\"sleep\", \"5\"]"},
	{"command: sh -c 'a b'", "command", "[\"sh\", \"-c\", \"a b\"]"},
	{"command: [sh, -c, a b]", "command", "[\"sh\", \"-c\", \"a b\"]"},
	{"command: []", "command", "null"},
	{"entrypoint: /bin/sh -c", "entrypoint", "[\"/bin/sh\", \"-c\"]"},

	{"environment: {A: 1, B: on, C: \"\", D: 0x1}", "env",
	 "{\"A\": \"1\", \"B\": \"on\", \"C\": \"\", \"D\": \"0x1\"}"},
	{"environment: [A=1, \"B=x=y\", C=]", "env", "{\"A\": \"1\", \"B\": \"x=y\", \"C\": \"\"}"},
	{"environment: {}", "env", "null"},
	{"env_file: base.env", "env",
	 "{\"A\": \"1\", \"Q\": \"two words\", \"S\": \"$HOME 'x'\", \"N\": \"a\\nb\", \"C\": \"x#y\", \"E\": \"\", "
	 "\"U\": "
	 "\"u\", \"T\": \"tail\"}"},
	{"env_file: [base.env, {path: more.env}, {path: raw.env, format: raw}, {path: none.env, required: false}]\n    "
	 "environment: {A: 3}",
	 "env",
	 "{\"A\": \"3\", \"Q\": \"q\", \"S\": \"$HOME 'x'\", \"N\": \"a\\nb\", \"C\": \"x#y\", \"E\": \"\", \"U\": "
	 "\"u\", "
	 "\"T\": \"tail\", \"R\": \" \\\"r\\\" # r\"}"},

	{"extra_hosts: [\"a=1.2.3.4\", \"b:1.2.3.5\", \"c:[::1]\"]", "hosts",
	 "{\"a=1.2.3.4\": true, \"b=1.2.3.5\": true, \"c=::1\": true}"},
	{"extra_hosts: {a: 1.2.3.4, b: [\"1.2.3.5\", \"::1\"]}", "hosts",
	 "{\"a=1.2.3.4\": true, \"b=1.2.3.5\": true, \"b=::1\": true}"},

	{"ports: [\"80\"]", "ports", "{\"80/tcp\": \"ingress\"}"},
	{"ports: [80]", "ports", "{\"80/tcp\": \"ingress\"}"},
	{"ports: [\"8080:80\", \"53:53/udp\"]", "ports", "{\"8080:80/tcp\": \"ingress\", \"53:53/udp\": \"ingress\"}"},
	{"ports: [\"8000-8002:80-82\"]", "ports",
	 "{\"8000:80/tcp\": \"ingress\", \"8001:81/tcp\": \"ingress\", \"8002:82/tcp\": \"ingress\"}"},
	{"ports: [\"80-81\"]", "ports", "{\"80/tcp\": \"ingress\", \"81/tcp\": \"ingress\"}"},
	{"ports: [{target: 80, published: 8080, mode: host}]", "ports", "{\"8080:80/tcp\": \"host\"}"},
	{"ports: [{target: 53, protocol: udp}]", "ports", "{\"53/udp\": \"ingress\"}"},

	{"volumes: [\"/a:/b\"]", "mounts", "{\"/b\": {\"type\": \"bind\", \"source\": \"/a\"}}"},
	{"volumes: [\"/a:/b/:ro,rslave\"]", "mounts",
	 "{\"/b\": {\"type\": \"bind\", \"source\": \"/a\", \"read_only\": true, \"propagation\": \"rslave\"}}"},
	{"volumes: [\"/a:/b:rw,rprivate\"]", "mounts", "{\"/b\": {\"type\": \"bind\", \"source\": \"/a\"}}"},
	{"volumes: [\"data:/b:nocopy\"]", "mounts",
	 "{\"/b\": {\"type\": \"volume\", \"source\": \"data\", \"no_copy\": true}}"},
	{"volumes: [/b]", "mounts", "{\"/b\": {\"type\": \"volume\"}}"},
	{"volumes: [\"ext:/b\"]", "mounts", "{\"/b\": {\"type\": \"volume\", \"source\": \"outside\"}}"},
	{"volumes: [\"opts:/b\"]", "mounts",
	 "{\"/b\": {\"type\": \"volume\", \"source\": \"opts-0fe94b36\", \"driver_opts\": {\"type\": \"tmpfs\", "
	 "\"device\": "
	 "\"tmpfs\"}}}"},
	{"volumes: [{type: bind, source: /a, target: /b, read_only: false, bind: {propagation: rprivate}}]", "mounts",
	 "{\"/b\": {\"type\": \"bind\", \"source\": \"/a\"}}"},
	{"volumes: [{type: volume, source: data, target: /b, volume: {nocopy: true}}]", "mounts",
	 "{\"/b\": {\"type\": \"volume\", \"source\": \"data\", \"no_copy\": true}}"},
	{"volumes: [{type: tmpfs, target: /b, tmpfs: {size: 1M, mode: \"1770\"}}]", "mounts",
	 "{\"/b\": {\"type\": \"tmpfs\", \"size\": 1048576, \"mode\": \"1770\"}}"},
	{"volumes: [{type: tmpfs, target: /b}]", "mounts", "{\"/b\": {\"type\": \"tmpfs\"}}"},

	{"configs: [page]", "configs", "{\"/page\": {\"source\": \"page-2d711642b726\"}}"},
	{"configs: [{source: page, target: etc/p, uid: \"5\", gid: \"0\", mode: 0440}]", "configs",
	 "{\"/etc/p\": {\"source\": \"page-2d711642b726\", \"uid\": \"5\", \"mode\": \"0440\"}}"},
	{"configs: [{source: extc, target: /p, mode: \"0444\"}]", "configs",
	 "{\"/p\": {\"source\": \"their-config\"}}"},
	{"secrets: [exts]", "secrets", "{\"/run/secrets/exts\": {\"source\": \"their-secret\"}}"},
	{"secrets: [{source: exts, target: /key, mode: \"400\"}]", "secrets",
	 "{\"/key\": {\"source\": \"their-secret\", \"mode\": \"0400\"}}"},

	{"networks: [front]", "networks", "{\"front\": {}}"},
	{"networks: {front: null, extn: {aliases: [www, web]}}", "networks",
	 "{\"front\": {}, \"their-net\": {\"aliases\": {\"www\": true}}}"},
	{"networks: {front: {driver_opts: {a: b}}}", "networks", "{\"front\": {\"driver_opts\": {\"a\": \"b\"}}}"},

	{"healthcheck: {test: curl -f x, interval: 30s}", "healthcheck",
	 "{\"test\": [\"CMD-SHELL\", \"curl -f x\"], \"interval\": 30000000000}"},
	{"healthcheck: {test: [CMD, a, b], timeout: 1m30s, retries: 3, start_period: 500ms}", "healthcheck",
	 "{\"test\": [\"CMD\", \"a\", \"b\"], \"timeout\": 90000000000, \"retries\": 3, \"start_period\": 500000000}"},
	{"healthcheck: {disable: true}", "healthcheck", "{\"test\": [\"NONE\"]}"},
	{"healthcheck: {disable: false}", "healthcheck", "null"},

	{"ulimits: {nproc: 5, nofile: {soft: 10, hard: 20}}", "ulimits",
	 "{\"nproc\": {\"soft\": 5, \"hard\": 5}, \"nofile\": {\"soft\": 10, \"hard\": 20}}"},
	{"sysctls: {net.core.somaxconn: 1024}", "sysctls", "{\"net.core.somaxconn\": \"1024\"}"},
	{"sysctls: [net.core.somaxconn=1024]", "sysctls", "{\"net.core.somaxconn\": \"1024\"}"},
	{"cap_add: [net_admin, CAP_KILL]\n    cap_drop: [ALL]", "cap_add",
	 "{\"CAP_NET_ADMIN\": true, \"CAP_KILL\": true}"},
	{"cap_add: [net_admin]\n    cap_drop: [NET_ADMIN]", "cap_drop", "null"},
	{"dns: 1.1.1.1", "dns", "[\"1.1.1.1\"]"},
	{"dns: [2.2.2.2, 1.1.1.1]", "dns", "[\"2.2.2.2\", \"1.1.1.1\"]"},
	{"dns_search: a.b", "dns_search", "[\"a.b\"]"},
	{"dns_opt: [\"ndots:1\"]", "dns_options", "[\"ndots:1\"]"},
	{"group_add: [5, 6]", "groups", "{\"5\": true, \"6\": true}"},
	{"hostname: '{{.Node.Hostname}}'", "hostname", "\"{{.Node.Hostname}}\""},
	{"user: 1000:1000", "user", "\"1000:1000\""},
	{"working_dir: /w", "working_dir", "\"/w\""},
	{"stop_signal: SIGUSR1", "stop_signal", "\"SIGUSR1\""},
	{"stop_grace_period: 10s", "stop_grace_period", "null"},
	{"stop_grace_period: 2m", "stop_grace_period", "120000000000"},
	{"init: true", "init", "true"},
	{"init: false", "init", "false"},
	{"tty: true\n    stdin_open: true\n    read_only: true", "stdin_open", "true"},
	{"tty: false", "tty", "null"},
	{"isolation: default", "isolation", "null"},
	{"labels: {a: b}", "container_labels", "{\"a\": \"b\"}"},
	{"labels: [a=b]", "container_labels", "{\"a\": \"b\"}"},
	{"logging: {driver: json-file, options: {max-size: 10m}}", "log_options", "{\"max-size\": \"10m\"}"},
	{"logging: {driver: journald}", "log_driver", "\"journald\""},

	{"deploy: {mode: global}", "replicas", "null"},
	{"deploy: {mode: global}", "mode", "\"global\""},
	{"deploy: {mode: replicated-job, replicas: 3}", "replicas", "3"},
	{"deploy: {replicas: 0}", "replicas", "0"},
	{"deploy: {labels: {a: b}}", "labels", "{\"a\": \"b\"}"},
	{"deploy: {labels: [a=b]}", "labels", "{\"a\": \"b\"}"},
	{"deploy: {endpoint_mode: dnsrr}", "endpoint_mode", "\"dnsrr\""},
	{"deploy: {endpoint_mode: vip}", "endpoint_mode", "null"},
	{"deploy: {resources: {limits: {cpus: 0.5, memory: 64M, pids: 9}}}", "limits",
	 "{\"cpus\": 500000000, \"memory\": 67108864, \"pids\": 9}"},
	{"deploy: {resources: {reservations: {cpus: \"1.5\", memory: 1g}}}", "reservations",
	 "{\"cpus\": 1500000000, \"memory\": 1073741824}"},
	{"deploy: {resources: {reservations: {generic_resources: [{discrete_resource_spec: {kind: gpu, value: 2}}]}}}",
	 "generic_resources", "{\"gpu\": 2}"},
	{"deploy: {placement: {constraints: [\"node.role==manager\", \"node.id   != x\"]}}", "constraints",
	 "{\"node.role == manager\": true, \"node.id != x\": true}"},
	{"deploy: {placement: {preferences: [{spread: node.labels.dc}], max_replicas_per_node: 2}}", "preferences",
	 "[\"node.labels.dc\"]"},
	{"deploy: {placement: {max_replicas_per_node: 2}}", "max_replicas", "2"},
	{"deploy: {update_config: {parallelism: 1, delay: 0s, failure_action: pause, monitor: 5s, order: stop-first}}",
	 "update_config", "null"},
	{"deploy: {update_config: {parallelism: 0, delay: 10s, failure_action: rollback, monitor: 30s, "
	 "max_failure_ratio: "
	 "0.25, order: start-first}}",
	 "update_config",
	 "{\"parallelism\": 0, \"delay\": 10000000000, \"failure_action\": \"rollback\", \"monitor\": 30000000000, "
	 "\"max_failure_ratio\": \"0.25\", \"order\": \"start-first\"}"},
	{"deploy: {rollback_config: {parallelism: 2}}", "rollback_config", "{\"parallelism\": 2}"},
	{"deploy: {restart_policy: {condition: any, delay: 5s}}", "restart_policy", "null"},
	{"deploy: {restart_policy: {condition: on-failure, delay: 0s, max_attempts: 3, window: 1m}}", "restart_policy",
	 "{\"condition\": \"on-failure\", \"delay\": 0, \"max_attempts\": 3, \"window\": 60000000000}"},

	{"scale: {min: 2, max: 6, metrics: [{type: cpu, target: 50}]}\n"
	 "    deploy: {resources: {reservations: {cpus: 1}}}",
	 "replicas", "2"},
};

static const char top[] = "version: 1\ncluster: test\n"
			  "networks: {front: {}, extn: {external: true, name: their-net}}\n"
			  "volumes: {data: {}, ext: {external: true, name: outside}, "
			  "opts: {driver_opts: {type: tmpfs, device: tmpfs}}}\n"
			  "configs: {page: {content: x}, extc: {external: true, name: their-config}}\n"
			  "secrets: {exts: {external: true, name: their-secret}}\n"
			  "services:\n  web:\n";

static int read_env_file(struct files *f, const char *path, size_t max, struct str *out, struct err *err)
{
	static const struct {
		const char *path, *content;
	} files[] = {
		{"base.env",
		 "# comment\n\nA=1\n  Q=\"two words\" # why\nS='$HOME '\"'\"x\nS=$HOME 'x'\nN=\"a\\nb\"\nC=x#y  # z\n"
		 "E=\nexport U=u\r\nT=tail"},
		{"more.env", "A=2\nQ='q'\n"},
		{"raw.env", "R= \"r\" # r\r\n"},
	};
	(void)f;
	(void)max;
	for (size_t i = 0; i < ARRAY_SIZE(files); i++) {
		if (strcmp(files[i].path, path) == 0) {
			str_adds(out, files[i].content);
			return 0;
		}
	}
	return err_set(err, ERR_NOT_FOUND, "%s: no such file", path);
}

static struct files files = {.read = read_env_file};

static struct spec *load(const char *service)
{
	_cleanup_str_ struct str text = {0};
	CLEANUP(diags_free) struct diags diags = {0};
	struct spec *spec;
	struct err err = {0};

	str_adds(&text, top);
	if (!str_starts(service, "image:"))
		str_adds(&text, "    image: nginx:1.27\n");
	str_addf(&text, "    %s\n", service);
	struct spec_input in = {.name = "spec", .text = text.data, .len = text.len, .files = &files};
	if (spec_load(&in, &spec, &diags, &err) == 0)
		return spec;
	_cleanup_str_ struct str out = {0};
	diags_print(&diags, text.data, &out);
	fail_msg("%s", str_cstr(&out));
	return NULL;
}

static struct resource_set *decode(const struct spec *spec, const struct snapshot *snap)
{
	struct decode d = {.spec = spec, .snap = snap, .out = resource_set_new()};
	struct err err = {0};
	size_t n;
	const struct kind *const *kinds = kinds_all(&n);

	for (size_t i = 0; i < n; i++)
		if (kinds[i]->decode(&d, &err) < 0)
			fail_msg("%s: %s", kinds[i]->name, err.msg);
	return d.out;
}

static json_t *parse(const char *text)
{
	struct err err = {0};
	json_t *j;
	if (json_parse(text, strlen(text), &j, &err) < 0)
		fail_msg("%s: %s", text, err.msg);
	return j;
}

static struct snapshot *snapshot_of(const char *text)
{
	_cleanup_json_ json_t *j = parse(text);
	struct snapshot *snap;
	struct err err = {0};
	if (snapshot_from_json(j, &snap, &err) < 0)
		fail_msg("%s", err.msg);
	return snap;
}

static void check_field(const struct row_case *c, const struct resource *r)
{
	_cleanup_json_ json_t *want = parse(c->value);
	const json_t *got = json_object_get(r->body, c->field);
	_cleanup_str_ struct str text = {0};

	if (r->blocked)
		fail_msg("%s: blocked: %s", c->service, r->blocked);
	if (json_same(got ? got : json_null(), want))
		return;
	json_canonical(got ? got : json_null(), &text);
	fail_msg("%s\n%s is %s, expected %s", c->service, c->field, str_cstr(&text), c->value);
}

static void notations(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct spec *spec = load(cases[i].service);
		struct snapshot *snap = snapshot_new();
		struct resource_set *set = decode(spec, snap);

		check_field(&cases[i], resource_find(set, "service", "web"));
		resource_set_free(set);
		snapshot_free(snap);
		spec_free(spec);
	}
}

/* What the field table does not know could never be written. */
static void every_field_is_in_the_table(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_non_null(kind_field(&kind_service, cases[i].field));
	for (size_t i = 0; i < service_n_rows; i++)
		assert_non_null(kind_field(&kind_service, service_rows[i].field));
	for (size_t i = 0; i < service_n_parts; i++)
		assert_non_null(kind_field(&kind_service, service_parts[i].field));
	for (size_t i = 1; i < kind_service.n_fields; i++)
		assert_true(strcmp(kind_service.fields[i - 1].name, kind_service.fields[i].name) < 0);
}

static void scale_keeps_the_live_count(void **state)
{
	static const struct {
		const char *live;
		int replicas;
	} rows[] = {
		{"{}", 2},
		{"{\"engine/services\": []}", 2},
		{"{\"engine/services\": [{\"Spec\": {\"Name\": \"web\", \"Mode\": {\"Replicated\": {\"Replicas\": "
		 "5}}}}]}",
		 5},
		{"{\"engine/services\": [{\"Spec\": {\"Name\": \"web\", \"Mode\": {\"Replicated\": {\"Replicas\": "
		 "0}}}}]}",
		 2},
		{"{\"engine/services\": [{\"Spec\": {\"Name\": \"web\", \"Mode\": {\"Replicated\": {\"Replicas\": "
		 "50}}}}]}",
		 6},
		{"{\"engine/services\": [{\"Spec\": {\"Name\": \"web\", \"Mode\": {\"Global\": {}}}}]}", 2},
	};
	struct spec *spec = load("scale: {min: 2, max: 6, metrics: [{type: cpu, target: 50}]}\n"
				 "    deploy: {resources: {reservations: {cpus: 1}}}");
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct snapshot *snap = snapshot_of(rows[i].live);
		struct resource_set *set = decode(spec, snap);
		const struct resource *r = resource_find(set, "service", "web");
		assert_int_equal(json_int(r->body, "replicas", -1), rows[i].replicas);
		assert_int_equal(r->floating.n, 1);
		assert_string_equal(r->floating.v[0], "replicas");
		resource_set_free(set);
		snapshot_free(snap);
	}
	spec_free(spec);
}

static bool has_ref(const struct resource *r, enum ref_type type, const char *target)
{
	for (size_t i = 0; i < r->refs.n; i++)
		if (r->refs.v[i].type == type && strcmp(r->refs.v[i].target, target) == 0)
			return true;
	return false;
}

static void references(void **state)
{
	struct spec *spec = load("networks: [front, extn]\n    volumes: [\"data:/d\"]\n    configs: [page]\n"
				 "    secrets: [exts]\n    after: [network/front]");
	struct snapshot *snap = snapshot_new();
	struct resource_set *set = decode(spec, snap);
	const struct resource *r = resource_find(set, "service", "web");
	static const char *const targets[] = {"network/front", "network/extn", "volume/data",
					      "config/page",   "secret/exts",  "swarm/test"};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(targets); i++)
		assert_true(has_ref(r, REF_REQUIRES, targets[i]));
	resource_set_free(set);
	snapshot_free(snap);
	spec_free(spec);
}

static const char nfs_spec[] =
	"version: 1\ncluster: test\n"
	"nodes:\n  one: {address: 10.9.0.1, role: manager}\n  two: {address: 10.9.0.2, optional: true}\n"
	"  three: {address: 10.9.0.3}\n"
	"nfs:\n  store:\n    server: one\n    path: /srv/store\n    export: {}\n"
	"    mount: {path: /mnt/store, nodes: [two, three]}\n"
	"models: {store: store, present: [\"m:1\"]}\n"
	"services:\n"
	"  below: {image: \"a/b:1\", volumes: [\"/mnt/store/x:/x\"]}\n"
	"  server: {image: \"a/b:1\", volumes: [\"/srv/store:/x\"]}\n"
	"  beside: {image: \"a/b:1\", volumes: [\"/mnt/store2:/x\"]}\n";

static struct spec *load_text(const char *text)
{
	CLEANUP(diags_free) struct diags diags = {0};
	struct spec_input in = {.name = "spec", .text = text, .len = strlen(text), .files = &files};
	struct spec *spec;
	struct err err = {0};
	_cleanup_str_ struct str out = {0};

	if (spec_load(&in, &spec, &diags, &err) == 0)
		return spec;
	diags_print(&diags, text, &out);
	fail_msg("%s", str_cstr(&out));
	return NULL;
}

static void bind_sources_below_nfs(void **state)
{
	struct spec *spec = load_text(nfs_spec);
	struct snapshot *snap = snapshot_new();
	struct resource_set *set = decode(spec, snap);
	const struct resource *below = resource_find(set, "service", "below"),
			      *server = resource_find(set, "service", "server"),
			      *beside = resource_find(set, "service", "beside");
	(void)state;

	assert_true(has_ref(below, REF_REQUIRES, "mount/store@three"));
	assert_true(has_ref(below, REF_ORDER, "mount/store@two"));
	assert_true(has_ref(below, REF_ORDER, "directory/store"));
	assert_true(has_ref(below, REF_ORDER, "export/store"));
	assert_true(has_ref(below, REF_REQUIRES, "model/m:1"));
	assert_true(has_ref(server, REF_ORDER, "directory/store"));
	assert_false(has_ref(server, REF_REQUIRES, "mount/store@three"));
	assert_int_equal(beside->refs.n, 1); /* the swarm */
	resource_set_free(set);
	snapshot_free(snap);
	spec_free(spec);
}

static void an_old_engine_blocks_what_it_would_ignore(void **state)
{
	struct spec *spec = load("healthcheck: {test: x, start_period: 1m, start_interval: 1s}");
	(void)state;
	for (int minor = 43; minor <= 44; minor++) {
		_cleanup_free_ char *doc = xasprintf("{\"engine/version\": {\"ApiVersion\": \"1.%d\"}}", minor);
		struct snapshot *snap = snapshot_of(doc);
		struct resource_set *set = decode(spec, snap);
		const struct resource *r = resource_find(set, "service", "web");
		if (minor < 44)
			assert_non_null(strstr(r->blocked, "healthcheck.start_interval needs an Engine with API 1.44"));
		else
			assert_null(r->blocked);
		resource_set_free(set);
		snapshot_free(snap);
	}
	spec_free(spec);
}

static void marks_name_the_line(void **state)
{
	struct spec *spec = load("environment:\n      A: 1\n      lower: 2\n    deploy:\n      resources:\n"
				 "        limits: {memory: 64M}");
	struct snapshot *snap = snapshot_new();
	struct resource_set *set = decode(spec, snap);
	const struct resource *r = resource_find(set, "service", "web");
	int first = r->mark.line;
	(void)state;

	assert_int_equal(resource_mark_of(r, "image").line, first + 1);
	assert_int_equal(resource_mark_of(r, "env").line, first + 2);
	assert_int_equal(resource_mark_of(r, "env[A]").line, first + 3);
	assert_int_equal(resource_mark_of(r, "env.lower").line, first + 4);
	assert_int_equal(resource_mark_of(r, "limits.memory").line, first + 7);
	assert_int_equal(resource_mark_of(r, "replicas").line, first);
	resource_set_free(set);
	snapshot_free(snap);
	spec_free(spec);
}

#define D1 "sha256:1111111111111111111111111111111111111111111111111111111111111111"

/* By the tag, as long as the spec does not say otherwise: what a rollback asks for, else what was resolved anew. */
static void digests_that_are_asked_for(void **state)
{
	static const char d1[] = D1;
	static const char d2[] = "sha256:2222222222222222222222222222222222222222222222222222222222222222";
	static const char *const rows[][5] = {
		/* the spec's, a rollback's, fresh; the image, its digest */
		{"", NULL, NULL, "nginx:1.27", NULL},
		{"", "nginx:1.27@" D1, NULL, "nginx:1.27", d1},
		{"", "nginx:1.26@" D1, NULL, "nginx:1.27", NULL},
		{"", "nginx:1.26@" D1, d2, "nginx:1.27", d2},
		{"", NULL, d2, "nginx:1.27", d2},
		{"", "nginx:1.27@" D1, d2, "nginx:1.27", d1},
		{"image: \"nginx:1@" D1 "\"", "nginx:1@" D1, d2, "nginx:1", d1},
	};
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct spec *spec = load(rows[i][0]);
		struct snapshot *snap = snapshot_new();
		if (rows[i][1])
			snapshot_put(snap, ROLLBACK_DIGESTS, json_pack("{s:s}", "service/web", rows[i][1]));
		if (rows[i][2])
			snapshot_put(snap, FRESH_DIGESTS,
				     json_pack("{s:s,s:s}", "nginx:1.27", rows[i][2], "nginx:1", rows[i][2]));
		struct resource_set *set = decode(spec, snap);
		const struct resource *r = resource_find(set, "service", "web");
		assert_string_equal(json_str(r->body, "image"), rows[i][3]);
		if (!str_eq(json_str(r->body, "image_digest"), rows[i][4]))
			fail_msg("case %zu: %s", i, json_str(r->body, "image_digest"));
		assert_int_equal(r->floating.n, 0);
		resource_set_free(set);
		snapshot_free(snap);
		spec_free(spec);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(digests_that_are_asked_for),
		cmocka_unit_test(notations),
		cmocka_unit_test(every_field_is_in_the_table),
		cmocka_unit_test(scale_keeps_the_live_count),
		cmocka_unit_test(references),
		cmocka_unit_test(bind_sources_below_nfs),
		cmocka_unit_test(an_old_engine_blocks_what_it_would_ignore),
		cmocka_unit_test(marks_name_the_line),
	};
	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
