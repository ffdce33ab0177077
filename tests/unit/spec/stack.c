/* Stack files as sections of the spec: one row a notation, and what several files make of each other. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "spec/spec.h"

/* Files in memory: a list of path and text, ended by NULL. */
struct memory {
	struct files files; /* first */
	const char *const *list;
};

static int read_memory(struct files *f, const char *path, size_t max, struct str *out, struct err *err)
{
	for (const char *const *p = ((struct memory *)f)->list; *p; p += 2)
		if (strcmp(p[0], path) == 0) {
			assert_true(strlen(p[1]) <= max);
			str_adds(out, p[1]);
			return 0;
		}
	return err_set(err, ERR_NOT_FOUND, "reading '%s': there is no such file", path);
}

struct loaded {
	struct spec *spec; /* NULL: it has errors */
	char *findings;
};

static const char *const allowed[] = {"TAG", "SET", "UNSET", NULL};

static struct loaded load(const char *text, const char *const *list)
{
	CLEANUP(diags_free) struct diags diags = {0};
	struct memory m = {{read_memory}, list};
	struct spec_input in = {.name = "infra/cluster.yaml",
				.text = text,
				.len = strlen(text),
				.files = &m.files,
				.allow_env = allowed};
	struct loaded l = {0};
	struct str out = {0};
	struct err err = {0};

	if (spec_load(&in, &l.spec, &diags, &err) < 0)
		assert_int_equal(err.code, ERR_SPEC);
	for (size_t i = 0; i < diags.list.n; i++) {
		const struct diag *d = &diags.list.v[i];
		str_addf(&out, "%s:%d:%d %s%s\n", d->mark.file, d->mark.line, d->mark.col,
			 d->severity == DIAG_WARNING ? "warning: " : "", d->message);
	}
	l.findings = xstrdup(str_cstr(&out));
	str_free(&out);
	return l;
}

static void unload(struct loaded *l)
{
	spec_free(l->spec);
	free(l->findings);
}

static char *json_at(const struct loaded *l, const char *path)
{
	_cleanup_json_ json_t *j = snode_json(snode_path(spec_root(l->spec), path));
	struct str out = {0};

	json_canonical(j, &out);
	for (size_t i = 0; i < out.len; i++)
		if (out.data[i] == '"')
			out.data[i] = '\'';
	return str_steal(&out);
}

static void check(const char *spec, const char *const *list, const char *path, const char *expected)
{
	struct loaded l = load(spec, list);

	if (!l.spec)
		fail_msg("%s", l.findings);
	_cleanup_free_ char *got = json_at(&l, path);
	if (strcmp(got, expected) != 0)
		fail_msg("%s\n%s: %s\nwanted: %s\n%s", list[1], path, got, expected, l.findings);
	unload(&l);
}

#define SPEC "version: 1\ncluster: c\nstacks: {s: {file: dir/s.yml, directory: /srv/s}}\n"
#define NS "'com.docker.stack.namespace':'s'"

/* The lines below services.w; what is in services.s_w at that path. */
static const struct {
	const char *service, *path, *expected;
} notations[] = {
	{"", "stack", "'s'"},
	{"", "labels", "{" NS "}"},
	{"", "deploy.labels", "{'com.docker.stack.image':'i:1'," NS "}"},
	{"", "networks", "{'s_default':{'aliases':['w']}}"},
	{"image: i:${TAG:-2}", "deploy.labels", "{'com.docker.stack.image':'i:2'," NS "}"},
	{"labels: [a=1, b]", "labels", "{'a':'1','b':''," NS "}"},
	{"labels: {a: 1.10, b: , c: 010, d: 1e3}", "labels", "{'a':'1.1','b':'','c':'8'," NS ",'d':'1000'}"},
	{"deploy: {labels: [a=b]}", "deploy.labels", "{'a':'b','com.docker.stack.image':'i:1'," NS "}"},
	{"deploy: ", "deploy.labels", "{'com.docker.stack.image':'i:1'," NS "}"},

	/* Numbers without quotes, as Go prints them: measured with docker stack config 28.2.2. */
	{"environment: {A: 1.10, B: 1000000.0, C: 123456789.5, D: 010, E: 1_000, F: 0x1F, G: 1e3, J: +5, K: 08}",
	 "environment",
	 "{'A':'1.1','B':'1e+06','C':'1.234567895e+08','D':'8','E':'1000','F':'31','G':'1000','J':'5','K':'8'}"},
	{"environment: {L: 0.00001, M: 1e21, N: 22:22, O: 1., P: .5, R: 0o17, I: yes, Q: '1.10', S: -0x10, T: 0b11}",
	 "environment",
	 "{'I':'yes','L':'1e-05','M':'1e+21','N':'22:22','O':'1','P':'0.5','Q':'1.10','R':'15','S':'-16','T':'3'}"},
	{"environment: [A=1, A=2, B, 'C=x=y']", "environment", "{'A':'2','B':null,'C':'x=y'}"},
	{"environment: {SET: , UNSET: , NOT_ALLOWED: }", "environment",
	 "{'NOT_ALLOWED':null,'SET':'a value','UNSET':null}"},
	{"environment: {SET: '', UNSET: ''}", "environment", "{'SET':'a value','UNSET':''}"},
	{"environment: {A: \"${SET:-$$2y$05$x}\", B: \"${UNSET:-$2y$05$x}\", C: $$5}", "environment",
	 "{'A':'a value','B':'$2y$05$x','C':'$5'}"},
	{"env_file: a.env\n    environment: {B: last}", "environment",
	 "{'A':'1 # all of it','B':'last','Q':''q'','SET':'a value'}"},
	{"env_file: [a.env, ../b.env]", "environment", "{'A':'later','B':'b','Q':''q'','SET':'a value'}"},

	{"ports: ['8080:80']", "ports", "[{'mode':'ingress','protocol':'tcp','published':8080,'target':80}]"},
	{"ports: [80/UDP]", "ports", "[{'mode':'ingress','protocol':'udp','target':80}]"},
	{"ports: ['127.0.0.1:81:80']", "ports", "[{'mode':'ingress','protocol':'tcp','published':81,'target':80}]"},
	{"ports: ['81-82:80']", "ports",
	 "[{'mode':'ingress','protocol':'tcp','published':81,'target':80},"
	 "{'mode':'ingress','protocol':'tcp','published':82,'target':80}]"},
	{"ports: ['81-82:90-91']", "ports",
	 "[{'mode':'ingress','protocol':'tcp','published':81,'target':90},"
	 "{'mode':'ingress','protocol':'tcp','published':82,'target':91}]"},
	{"ports: [{target: 80, published: 0, mode: host}]", "ports", "[{'mode':'host','target':80}]"},

	{"volumes: ['data:/d']", "volumes",
	 "[{'source':'s_data','target':'/d','type':'volume','volume':{'labels':{" NS "}}}]"},
	{"volumes: ['other:/d:ro,nocopy']", "volumes",
	 "[{'read_only':true,'source':'name','target':'/d','type':'volume','volume':{'driver':'d',"
	 "'driver_opts':{'k':'1'},'labels':{" NS ",'l':'v'},'nocopy':true}}]"},
	{"volumes: ['there:/d']", "volumes", "[{'source':'there','target':'/d','type':'volume','volume':{}}]"},
	{"volumes: ['old:/d']", "volumes", "[{'source':'older','target':'/d','type':'volume','volume':{}}]"},
	{"volumes: [/d]", "volumes", "[{'target':'/d','type':'volume'}]"},
	{"volumes: [./x:/d, ../y:/e:rw, /z/:/f:rshared]", "volumes",
	 "[{'source':'/srv/s/x','target':'/d','type':'bind'},"
	 "{'read_only':false,'source':'/srv/y','target':'/e','type':'bind'},"
	 "{'bind':{'propagation':'rshared'},'source':'/z/','target':'/f','type':'bind'}]"},
	{"volumes: [{type: tmpfs, target: /t, tmpfs: {size: 10, mode: 7}}]", "volumes",
	 "[{'target':'/t','tmpfs':{'size':10},'type':'tmpfs'}]"},

	{"configs: [c]", "configs", "[{'source':'s_c','target':'c'}]"},
	{"configs: [{source: c, mode: 0440}]", "configs", "[{'mode':'0440','source':'s_c','target':'c'}]"},
	{"configs: [{source: c, mode: 444, target: /x}]", "configs", "[{'mode':'0674','source':'s_c','target':'/x'}]"},
	{"configs: [{source: c, mode: 0o440}]", "configs", "[{'mode':'0440','source':'s_c','target':'c'}]"},
	{"secrets: [p]", "secrets", "[{'source':'s_p','target':'p'}]"},

	{"networks: [n]", "networks", "{'s_n':{'aliases':['w']}}"},
	{"networks: {n: {aliases: [x, w]}, e: }", "networks",
	 "{'s_e':{'aliases':['w']},'s_n':{'aliases':['x','w','w']}}"},
	{"networks: [h]", "networks", "{'s_h':{'aliases':[]}}"},
	{"networks: [default, default]", "networks", "{'s_default':{'aliases':['w']}}"},

	{"healthcheck: {test: a b}", "healthcheck.test", "['CMD-SHELL','a b']"},
	{"dns: 1.1.1.1", "dns", "['1.1.1.1']"},
	{"extra_hosts: {b: 1.1.1.1, a: '::1'}", "extra_hosts", "['a:::1','b:1.1.1.1']"},
	{"extra_hosts: ['b:1.1.1.1', 'a:1.1.1.2']", "extra_hosts", "['b:1.1.1.1','a:1.1.1.2']"},
	{"deploy: {endpoint_mode: DNSRR}", "deploy.endpoint_mode", "'dnsrr'"},
	{"restart: always", "deploy.restart_policy", "{'condition':'any'}"},
	{"restart: unless-stopped", "deploy.restart_policy", "{'condition':'any'}"},
	{"restart: on-failure", "deploy.restart_policy", "{'condition':'on-failure'}"},
	{"restart: on-failure:3", "deploy.restart_policy", "{'condition':'on-failure','max_attempts':3}"},
	{"restart: 'no'", "deploy.restart_policy", "null"},
	{"restart: always\n    deploy: {restart_policy: {delay: 1s}}", "deploy.restart_policy", "{'delay':1000000000}"},
	{"x-own: 1\n    build: .", "x-own", "null"},
};

#define REST \
	"networks: {n: {attachable: true}, e: {external: true, name: web}, h: {external: {name: host}}, unused: {}}\n" \
	"volumes:\n  data:\n  other: {name: name, driver: d, driver_opts: {k: 1}, labels: [l=v]}\n" \
	"  there: {external: true}\n  old: {external: {name: older}}\n" \
	"configs: {c: {file: ./c.txt}}\nsecrets: {p: {file: ../p.txt, name: plain}}\n"

static void notation_rows(void **state)
{
	(void)state;
	setenv("SET", "a value", 1);
	for (size_t i = 0; i < ARRAY_SIZE(notations); i++) {
		bool has_image = str_starts(notations[i].service, "image:");
		_cleanup_free_ char *file = xasprintf("services:\n  w:\n    %s\n    %s\n" REST,
						      has_image ? "x-a: 1" : "image: i:1", notations[i].service);
		const char *const list[] = {
			"dir/s.yml", file,
			"dir/a.env", "\xef\xbb\xbf# comment\n  A=1 # all of it\nB=\r\nQ='q'\nSET\nUNSET\nSET=\n",
			"b.env",     "A=later\nB=b",
			"dir/c.txt", "c",
			"p.txt",     "p",
			NULL};
		_cleanup_free_ char *path = xasprintf("services.s_w.%s", notations[i].path);
		check(SPEC, list, path, notations[i].expected);
	}
}

static void sections(void **state)
{
	static const char *const list[] = {
		"dir/s.yml", "services: {w: {image: 'i:1', networks: [n, e, h, default]}}\n" REST,
		"dir/c.txt", "c",
		"p.txt",     "p",
		NULL};
	(void)state;

	check(SPEC, list, "networks",
	      "{'s_default':{'labels':{" NS "},'stack':'s'},'s_e':{'external':true,'name':'web'},"
	      "'s_h':{'external':true,'name':'host'},'s_n':{'attachable':true,'labels':{" NS "},'stack':'s'}}");
	check(SPEC, list, "configs", "{'s_c':{'file':'dir/c.txt','labels':{" NS "},'stack':'s'}}");
	check(SPEC, list, "secrets", "{'s_p':{'file':'p.txt','labels':{" NS "},'name':'plain','stack':'s'}}");
	check(SPEC, list, "volumes", "null");
}

static void default_network_of_a_stack(void **state)
{
	static const char *const list[] = {
		"dir/s.yml", "services: {w: {image: 'i:1'}}\nnetworks: {default: {external: true, name: web}}\n", NULL};
	(void)state;

	check(SPEC, list, "networks", "{'s_default':{'external':true,'name':'web'}}");
}

/* What is external to a stack and made by this spec is that: the order of changes follows. */
static void networks_of_the_spec_and_of_others(void **state)
{
	static const char *const list[] = {
		"a.yml",
		"services: {w: {image: 'i:1', networks: [x, y, z]}}\n"
		"networks: {x: {external: true, name: front}, y: {external: true, name: b_n}, z: {external: true}}\n",
		"b.yml", "services: {w: {image: 'i:1', networks: [n]}}\nnetworks: {n: {}}\n", NULL};
	static const char spec[] = "version: 1\ncluster: c\nstacks: {a: {file: a.yml}, b: {file: b.yml}}\n"
				   "networks: {lan: {name: front}}\n";
	(void)state;

	check(spec, list, "services.a_w.networks",
	      "{'a_z':{'aliases':['w']},'b_n':{'aliases':['w']},'lan':{'aliases':['w']}}");
}

static void adopt_and_after_name_stacks(void **state)
{
	static const char *const list[] = {"a.yml",
					   "services: {w: {image: 'i:1'}}\nconfigs: {c: {file: c}, e: {external: "
					   "true}}\nsecrets: {p: {file: c}}\n",
					   "b.yml",
					   "services: {v: {image: 'i:1'}, w: {image: 'i:1'}}\n",
					   "c",
					   "c",
					   NULL};
	static const char spec[] =
		"version: 1\ncluster: c\nstacks: {a: {file: a.yml, after: [stack/b, service/own]}, b: {file: b.yml}}\n"
		"services: {own: {image: 'i:1', after: [stack/b]}}\npolicy: {adopt: [stack/a, service/own]}\n";
	(void)state;

	check(spec, list, "policy.adopt",
	      "['network/a_default','config/a_c','secret/a_p','service/a_w','service/own']");
	check(spec, list, "services.a_w.after", "['service/b_v','service/b_w','service/own']");
	check(spec, list, "services.own.after", "['service/b_v','service/b_w']");
}

/* services.s_w at path after both files. */
static const struct {
	const char *first, *second, *path, *expected;
} merged[] = {
	{"environment: {A: 1, B: 2}", "environment: {A: '', B: 3, C: 4}", "environment", "{'A':'1','B':'3','C':'4'}"},
	{"labels: {a: 1}", "labels: {a: ''}", "labels", "{'a':''," NS "}"},
	{"command: a b", "command: [c]", "command", "['c']"},
	{"command: a b", "command: []", "command", "'a b'"},
	{"cap_add: [A]", "cap_add: [B]", "cap_add", "['A','B']"},
	{"dns: 1.1.1.1", "dns: [1.1.1.2]", "dns", "['1.1.1.1','1.1.1.2']"},
	{"hostname: a", "hostname: ''", "hostname", "'a'"},
	{"init: true", "init: false", "init", "true"},
	{"deploy: {replicas: 2, mode: replicated}", "deploy: {replicas: 0}", "deploy.replicas", "0"},
	{"deploy: {update_config: {parallelism: 2, delay: 1s}}", "deploy: {update_config: {delay: 0s}}",
	 "deploy.update_config", "{'delay':1000000000,'parallelism':2}"},
	{"ports: ['80:80', '81:81']", "ports: ['80:90']", "ports",
	 "[{'mode':'ingress','protocol':'tcp','published':80,'target':90},"
	 "{'mode':'ingress','protocol':'tcp','published':81,'target':81}]"},
	{"ports: ['90:80', '81:81']", "ports: ['82:90']", "ports",
	 "[{'mode':'ingress','protocol':'tcp','published':81,'target':81},"
	 "{'mode':'ingress','protocol':'tcp','published':82,'target':90},"
	 "{'mode':'ingress','protocol':'tcp','published':90,'target':80}]"},
	{"volumes: [/z:/z, /a:/b]", "volumes: ['/c:/b:ro']", "volumes",
	 "[{'read_only':true,'source':'/c','target':'/b','type':'bind'},{'source':'/z','target':'/z','type':'bind'}]"},
	{"ports: [80, 81]", "", "ports", "[{'mode':'ingress','protocol':'tcp','target':81}]"},
	{"configs: [{source: c, target: a}, {source: c, target: d}, b]", "", "configs",
	 "[{'source':'s_b','target':'b'},{'source':'s_c','target':'d'}]"},
	{"networks: [default]", "networks: {default: {aliases: [x]}}", "networks",
	 "{'s_default':{'aliases':['x','w']}}"},
	{"networks: {default: {aliases: [x]}}", "networks: [default]", "networks", "{'s_default':{'aliases':['w']}}"},
	{"ulimits: {nofile: {soft: 1, hard: 2}, nproc: 3}", "ulimits: {nofile: 5}", "ulimits",
	 "{'nofile':5,'nproc':3}"},
	{"logging: {driver: a, options: {x: 1}}", "logging: {options: {y: 2}}", "logging",
	 "{'driver':'a','options':{'x':'1','y':'2'}}"},
	{"logging: {driver: a, options: {x: 1}}", "logging: {driver: b}", "logging", "{'driver':'b'}"},
	{"healthcheck: {test: [CMD, a], retries: 3}", "healthcheck: {test: [CMD, b], interval: 1s}", "healthcheck",
	 "{'interval':1000000000,'retries':3,'test':['CMD','a','CMD','b']}"},
	{"restart: always", "deploy: {restart_policy: {condition: none}}", "deploy.restart_policy",
	 "{'condition':'none'}"},
	{"env_file: one.env", "environment: {A: 2}", "environment", "{'A':'2'}"},
	{"environment: {A: 2}", "env_file: one.env", "environment", "{'A':'1'}"},
};

static void merged_rows(void **state)
{
	static const char spec[] = "version: 1\ncluster: c\nstacks: {s: {files: [a.yml, b.yml]}}\n";
	(void)state;

	for (size_t i = 0; i < ARRAY_SIZE(merged); i++) {
		_cleanup_free_ char *first =
			xasprintf("services:\n  w:\n    image: i:1\n    %s\nconfigs: {b: {file: f}, c: {file: f}}\n",
				  merged[i].first);
		_cleanup_free_ char *second =
			xasprintf("services:\n  w:\n    x-a: 1\n    %s\n  v: {image: 'i:2'}\n", merged[i].second);
		_cleanup_free_ char *path = xasprintf("services.s_w.%s", merged[i].path);
		const char *const list[] = {"a.yml", first, "b.yml", second, "one.env", "A=1", "f", "f", NULL};
		check(spec, list, path, merged[i].expected);
		check(spec, list, "services.s_v.image", "'i:2'");
	}
}

/* One finding of each spec and its files. */
static const struct {
	const char *spec, *first, *second, *finding;
} wrong[] = {
	{SPEC, NULL, NULL, "infra/cluster.yaml:3:20 stack 's': reading 'dir/s.yml': there is no such file\n"},
	{SPEC, "", NULL, "infra/cluster.yaml:3:20 stack 's': the file has nothing in it\n"},
	{SPEC, "services: {w: {}}", NULL,
	 "infra/dir/s.yml:1:12 stack 's': service 'w' has no image, and Swarm builds none\n"},
	{SPEC, "version: '2.4'\nservices: {}", NULL,
	 "infra/dir/s.yml:1:10 docker stack deploy reads the versions 3, 3.0 to 3.13, or none (found '2.4')\n"},
	{SPEC, "services: {w: {image: 'i:1', networks: [x]}}", NULL,
	 "infra/dir/s.yml:1:41 stack 's': network 'x' is not declared under networks\n"},
	{SPEC, "services: {w: {image: 'i:1', volumes: ['xx:/y']}}", NULL,
	 "infra/dir/s.yml:1:40 stack 's': volume 'xx' is not declared under volumes\n"},
	{SPEC, "services: {w: {image: 'i:1', volumes: ['x:/y']}}", NULL,
	 "infra/dir/s.yml:1:40 'x:/y': docker stack deploy reads one letter and a colon as a drive of Windows; give "
	 "the "
	 "volume a longer name, or write the mount as a map\n"},
	{SPEC, "services: {w: {image: 'i:1', secrets: [x]}}", NULL,
	 "infra/dir/s.yml:1:40 stack 's': secret 'x' is not declared under secrets\n"},
	{SPEC, "configs: {c: {}}", NULL,
	 "infra/dir/s.yml:1:11 stack 's': config 'c' has neither file nor external: true\n"},
	{SPEC, "services: {w: {image: 'i:1', environment: {A: \"${SECRET:-x}\"}}}", NULL,
	 "infra/dir/s.yml:1:48 environment variable SECRET is not on the allow-list; --allow-env SECRET puts it "
	 "there\n"},
	{SPEC, "services: {w: {image: 'i:1', volumes: ['~/x:/y']}}", NULL,
	 "infra/dir/s.yml:1:40 stack 's': '~/x': docker stack deploy puts the home of whoever runs it in place of '~'; "
	 "write the absolute path\n"},
	{"version: 1\ncluster: c\nstacks: {s: {file: a.yml}}\n", "services: {w: {image: 'i:1', volumes: ['./x:/y']}}",
	 NULL,
	 "infra/a.yml:1:40 stack 's': './x' is relative: docker stack deploy takes it from the directory that the "
	 "first "
	 "file is in; write stacks.s.directory: /that/directory, or the absolute path\n"},
	{"version: 1\ncluster: c\nstacks: {s: {file: a.yml}}\nservices: {s_w: {image: 'i:1'}}\n",
	 "services: {w: {image: 'i:1'}}", NULL,
	 "infra/a.yml:1:12 stack 's': service 's_w' is declared in infra/cluster.yaml, line 4 too\n"},
	{"version: 1\ncluster: c\nstacks: {s: {file: a.yml}}\nnetworks: {n: {name: s_default}}\n",
	 "services: {w: {image: 'i:1'}}", NULL,
	 "infra/a.yml:1:12 stack 's': network 's_default' is declared in infra/cluster.yaml, line 4 too\n"},
	{"version: 1\ncluster: c\nstacks: {s: {files: [a.yml, b.yml]}}\n", "version: '3.7'\nservices: {}",
	 "version: '3.8'\nservices: {}",
	 "infra/b.yml:1:10 docker stack deploy refuses files of different versions: this one has 3.8, the first 3.7\n"},
	{"version: 1\ncluster: c\nstacks: {s: {file: a.yml}}\npolicy: {adopt: [stack/x]}\n", "services: {}", NULL,
	 "infra/cluster.yaml:4:18 adopt: this spec has no stack/x\n"},
};

static void findings(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++) {
		bool in_dir = strstr(wrong[i].spec, "dir/") != NULL;
		const char *const list[] = {wrong[i].first ? (in_dir ? "dir/s.yml" : "a.yml") : "none", wrong[i].first,
					    wrong[i].second ? "b.yml" : NULL, wrong[i].second, NULL};
		const char *const none[] = {NULL};
		struct loaded l = load(wrong[i].spec, wrong[i].first ? list : none);
		assert_null(l.spec);
		assert_string_equal(l.findings, wrong[i].finding);
		unload(&l);
	}
}

static void ports_are_limited(void **state)
{
	struct str file = {0};
	(void)state;

	str_adds(&file, "services:\n  w:\n    image: i:1\n    ports:\n");
	for (int i = 0; i < 20000; i++)
		str_adds(&file, "      - '1-65535:1-65535'\n");
	const char *const list[] = {"dir/s.yml", str_cstr(&file), NULL};
	struct loaded l = load(SPEC, list);
	assert_null(l.spec);
	assert_string_equal(l.findings, "infra/dir/s.yml:5:7 a stack publishes at most 10000 ports\n");
	unload(&l);
	str_free(&file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(notation_rows),
		cmocka_unit_test(sections),
		cmocka_unit_test(default_network_of_a_stack),
		cmocka_unit_test(networks_of_the_spec_and_of_others),
		cmocka_unit_test(adopt_and_after_name_stacks),
		cmocka_unit_test(merged_rows),
		cmocka_unit_test(findings),
		cmocka_unit_test(ports_are_limited),
	};

	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
