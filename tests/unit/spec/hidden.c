/*
 * The value of a variable is in no message, whatever is wrong with it and wherever it stands: the places where messages
 * name what they found, one by one, and then every scalar of every golden spec.
 */
#include <stdlib.h>

#include "load.h"
#include "spec/check.h"

#include <glob.h>

#define NEEDLE "hunter2"
#define NUMBER "7351"

/* Knows nothing under a variable's value, and says the path in the error, as source/ does. */
static int read_most(struct files *f, const char *path, size_t max, struct str *out, struct err *err)
{
	(void)f, (void)max;
	if (strstr(path, "large"))
		return err_set(err, ERR_LIMIT, "reading '%s': it has more bytes", path);
	if (strstr(path, NEEDLE) || strstr(path, NUMBER))
		return err_set(err, ERR_NOT_FOUND, "reading '%s': no such file", path);
	str_adds(out, strstr(path, "broken") ? "A=1\nB\n" : strstr(path, "binary") ? "A=1\n\1" : "A=1\n");
	if (strstr(path, "binary"))
		out->data[out->len - 1] = '\0';
	return 0;
}

static struct files files = {read_most};

#define HEAD "version: 1\ncluster: c\n"
#define NODES "nodes: { m: { address: 192.168.7.1, role: manager, labels: { ssd: yes } } }\n"
#define SERVICE HEAD NODES "services:\n  web:\n    image: nginx:1\n"
#define TWO "networks: { n: {}, k: {} }\n"

/* says: a part of the message, which shows that it was reached. */
static const struct {
	const char *value, *text, *says;
} places[] = {
	/* The schema. */
	{NEEDLE, "version: ${S}\ncluster: c\n", "found the value of a variable"},
	{NEEDLE, "version: 1\ncluster: \"${S} x\"\n", "found the value of a variable"},
	{"replicatd", SERVICE "    deploy: { mode: \"${S}\" }\n", "expected 'replicated'"},
	{NEEDLE, SERVICE "    deploy: { replicas: \"${S}\" }\n", "expected a whole number"},
	{NEEDLE, SERVICE "    stop_grace_period: ${S}\n", "found the value of a variable"},
	{NEEDLE, SERVICE "    dns: [\"${S}\", \"${S}\"]\n", "found the value of a variable"},
	{NEEDLE, SERVICE "    cap_add: [\"${S}\", \"${S}\"]\n", "the value of a variable is already in this list"},
	{NEEDLE " X", HEAD "services: { web: { image: \"${S}\" } }\n", "found the value of a variable"},
	/* References. */
	{NEEDLE, SERVICE "    networks: [\"${S}\"]\n", "'(value of a variable)' is not declared under networks"},
	{"front", SERVICE "    networks: [\"${S}\"]\nnetworks: { fronts: {} }\n", "is not declared under networks\n"},
	{NEEDLE, SERVICE "    configs: [\"${S}\"]\n", "is not declared under configs"},
	{NEEDLE, SERVICE "    secrets: [{ source: \"${S}\" }]\n", "is not declared under secrets"},
	{NEEDLE, SERVICE "    volumes: [\"${S}:/data\"]\n", "'(value of a variable)' is not declared under volumes"},
	{NEEDLE, SERVICE "    volumes: [{ type: volume, source: \"${S}\", target: /x }]\n",
	 "not declared under volumes"},
	{NEEDLE, HEAD NODES "nfs: { a: { server: \"${S}\", path: /srv } }\n", "is not declared under nodes"},
	{NEEDLE, HEAD NODES "traefik: { container: t, node: \"${S}\" }\n", "is not declared under nodes"},
	{NEEDLE, HEAD NODES "traefik: { service: \"${S}\" }\n", "is not declared under services"},
	{NEEDLE, HEAD NODES "models: { store: \"${S}\", present: [a] }\n", "is not declared under nfs"},
	{NEEDLE, HEAD NODES "absent: { x: { container: c, node: \"${S}\" } }\n", "is not declared under nodes"},
	/* Order. */
	{NEEDLE, SERVICE "    after: [\"${S}\"]\n", "'(value of a variable)' is not of the form"},
	{NEEDLE, SERVICE "    after: [\"${S}/x\"]\n", "there is no kind '(value of a variable)'"},
	{NEEDLE, SERVICE "    after: [\"service/${S}\"]\n", "this spec has no (value of a variable)"},
	{"service/we", SERVICE "    after: [\"${S}\"]\n", "this spec has no (value of a variable)\n"},
	{NEEDLE, HEAD NODES "models: { store: a, present: [\"${S}\"], after: [\"model/${S}\"] }\n",
	 "wait for each other: model/(value of a variable) -> model/(value of a variable)"},
	{NEEDLE, SERVICE "    after: [container/hunter]\ntraefik: { container: \"${S}\", node: m }\n",
	 "this spec has no container/hunter\n"},
	{NEEDLE, HEAD NODES "policy: { adopt: [\"container/${S}\"] }\ntraefik: { container: \"${S}\", node: m }\n",
	 "(value of a variable) needs no adoption"},
	/* Placement. */
	{NEEDLE, SERVICE "    deploy: { placement: { constraints: [\"${S}\"] } }\n",
	 "'(value of a variable)' is not a constraint"},
	{NEEDLE, SERVICE "    deploy: { placement: { constraints: [\"${S} == 1\"] } }\n",
	 "cannot ask for '(value of a variable)'"},
	{NEEDLE, SERVICE "    deploy: { placement: { constraints: [\"node.role == ${S}\"] } }\n",
	 "never '(value of a variable)'"},
	{NEEDLE, SERVICE "    deploy: { placement: { constraints: [\"node.hostname == ${S}\"] } }\n",
	 "no node of this spec has (value of a variable)"},
	{NEEDLE, SERVICE "    deploy: { placement: { constraints: [\"node.labels.${S} == 1\"] } }\n",
	 "no node sets the label (value of a variable)"},
	{NEEDLE, SERVICE "    deploy: { placement: { constraints: [\"node.labels.ssd == ${S}\"] } }\n",
	 "with the value '(value of a variable)'"},
	{"amd64", SERVICE "    deploy: { placement: { constraints: [\"node.platform.arch == ${S}\"] } }\n",
	 "report their architecture as (value of a variable)"},
	{NEEDLE,
	 HEAD
	 "nodes: { m: { address: 192.168.7.1, role: manager, labels: { ssd: \"${S}\" } } }\n"
	 "services: { web: { image: \"nginx:1\", deploy: { placement: { constraints: [node.labels.ssd == x] } } } }\n",
	 "(it is '(value of a variable)')"},
	{NEEDLE, SERVICE "    deploy: { placement: { preferences: [{ spread: \"${S}\" }] } }\n",
	 "not '(value of a variable)'"},
	{NUMBER, SERVICE "    deploy: { replicas: \"${S}\", placement: { max_replicas_per_node: 1 } }\n",
	 "up to (value of a variable) are asked for"},
	{"3", SERVICE "    deploy: { replicas: 7, placement: { max_replicas_per_node: \"${S}\" } }\n",
	 "max_replicas_per_node (value of a variable) on 1 nodes leaves room for (value of a variable) tasks"},
	/* Rules and labels. */
	{NEEDLE, SERVICE "    route: { rule: \"${S}()\", port: 80, entrypoints: [web] }\n",
	 "no matcher '(value of a variable)'"},
	{NEEDLE, SERVICE "    route: { rule: \"${S}(x)\", port: 80, entrypoints: [web] }\n",
	 "no matcher '(value of a variable)'"},
	{NEEDLE, SERVICE "    deploy: { labels: { traefik.http.routers.a.rule: \"${S}()\" } }\n",
	 "no matcher '(value of a variable)'"},
	{NEEDLE, SERVICE "    deploy: { labels: [\"traefik.http.routers.a.rule=${S}()\"] }\n",
	 "no matcher '(value of a variable)'"},
	{NEEDLE, SERVICE "    labels: [\"${S}\"]\n", "labels: '(value of a variable)' is not of the form"},
	{NEEDLE, SERVICE "    environment: [\"${S}\"]\n", "the variable (value of a variable) has no value"},
	{NEEDLE, SERVICE "    networks: [n, \"${S}\"]\n" TWO "traefik: { service: web }\n",
	 "is not declared under networks"},
	{"k",
	 SERVICE "    networks: [n, \"${S}\"]\n    route: { rule: Host(`a`), port: 80, entrypoints: [web] }\n" TWO
		 "traefik: { container: t, node: m, networks: [n, k] }\n",
	 "shares the networks n and (value of a variable) with Traefik"},
	{"n",
	 SERVICE "    networks: [\"${S}\", k]\n    route: { rule: Host(`a`), port: 80, entrypoints: [web] }\n" TWO
		 "traefik: { container: t, node: m, networks: [n, k] }\n",
	 "shares the networks (value of a variable) and k with Traefik"},
	{"n", SERVICE TWO "traefik: { container: t, node: m, networks: [\"${S}\"] }\n",
	 "'(value of a variable)' is without"},
	{NEEDLE,
	 HEAD NODES "services: { t: { image: \"traefik:v3.1\", command: [\"--providers.docker.swarm${S}=1\"] } }\n",
	 "does not start with (value of a variable),"},
	/* Paths, mounts, ports. */
	{NEEDLE, SERVICE "    volumes: [{ type: bind, source: \"${S}\", target: /x }]\n",
	 "the bind source '(value of a variable)' must be"},
	{NEEDLE, SERVICE "    volumes: [{ type: bind, target: \"/${S}\" }]\n",
	 "mount at (value of a variable) needs a source"},
	{NEEDLE, SERVICE "    volumes: [\"/a:${S}\"]\n", "mount target '(value of a variable)' must be"},
	{NEEDLE, SERVICE "    volumes: [\"/a:/b:${S}\"]\n",
	 "'(value of a variable)': the option '(value of a variable)'"},
	{"/" NEEDLE, SERVICE "    volumes: [\"/a:${S}\", \"/b:${S}\"]\n", "has the target (value of a variable) too"},
	{"/" NEEDLE, SERVICE "    volumes: [{ type: tmpfs, target: \"${S}\", source: x }]\n",
	 "the tmpfs at (value of a variable) has no source"},
	{"tmpfs", SERVICE "    volumes: [{ type: \"${S}\", target: /x, bind: {} }]\n",
	 "to a mount of type (value of a variable)"},
	{"/" NEEDLE, SERVICE "    configs: [{ source: a, target: \"${S}\" }, { source: b, target: \"${S}\" }]\n",
	 "two configs have the target (value of a variable)"},
	{NEEDLE, SERVICE "    configs: [\"${S}\", \"${S}\"]\n", "two configs have the target (value of a variable)"},
	{NUMBER, SERVICE "    ports: [\"127.0.0.1:${S}:80\"]\n", "the port '(value of a variable)' names an address"},
	{NUMBER, SERVICE "    ports: [\"${S}:80\", \"${S}:81\"]\n", "port (value of a variable) is published twice"},
	{NUMBER, SERVICE "    ports: [{ target: 80, published: \"${S}\" }, { target: 81, published: \"${S}\" }]\n",
	 "port (value of a variable) is published twice"},
	{NUMBER, SERVICE "    ports: [\"${S}:80\"]\n  b: { image: \"a:1\", ports: [\"${S}:80\"] }\n",
	 "port (value of a variable) is published by service 'web' too"},
	{NUMBER, SERVICE "    deploy: { replicas: \"${S}\" }\n    ports: [{ target: 1, published: 1, mode: host }]\n",
	 "of up to (value of a variable) tasks"},
	{"tcp",
	 SERVICE "    ports: [{ target: 1, published: 9, protocol: \"${S}\" }, { target: 2, published: 9, protocol: "
		 "\"${S}\" }]\n",
	 "port (value of a variable) is published twice"},
	{NEEDLE, SERVICE "    healthcheck: { test: [\"${S}\", a] }\n", "not with '(value of a variable)'"},
	{"CMD-SHELL", SERVICE "    healthcheck: { test: [\"${S}\"] }\n", "no command after (value of a variable)"},
	/* deploy and scale. */
	{"global", SERVICE "    deploy: { mode: \"${S}\", replicas: 2 }\n",
	 "mode: (value of a variable), which runs one"},
	{"global", SERVICE "    deploy: { mode: \"${S}\" }\n    scale: { min: 1, max: 2 }\n",
	 "not with (value of a variable)"},
	{NUMBER, SERVICE "    scale: { min: \"${S}\", max: 2 }\n",
	 "scale.max 2 is less than scale.min (value of a variable)"},
	{"2", SERVICE "    scale: { min: 4, max: \"${S}\" }\n",
	 "scale.max (value of a variable) is less than scale.min 4"},
	{NUMBER "M",
	 SERVICE "    deploy: { resources: { limits: { memory: 9M }, reservations: { memory: \"${S}\" } } }\n",
	 "reservation (value of a variable) is more than the limit 9M"},
	{NUMBER "M",
	 SERVICE "    deploy: { resources: { limits: { memory: \"${S}\" }, reservations: { memory: 9T } } }\n",
	 "more than the limit (value of a variable)"},
	{"in_flight", SERVICE "    scale: { min: 1, max: 2, metrics: [{ type: \"${S}\", target: 1, query: x }] }\n",
	 "only; (value of a variable) has its own"},
	{"cpu", SERVICE "    scale: { min: 1, max: 2, metrics: [{ type: \"${S}\", target: 1 }] }\n",
	 "(value of a variable) is a percentage"},
	/* Addresses and names. */
	{"10.0.0.73", HEAD "nodes: { m: { address: \"${S}\", role: manager } }\n",
	 "node 'm': (value of a variable) lies in"},
	{"192.168.7.0/24", HEAD NODES "swarm: { default_addr_pool: [\"${S}\"] }\n",
	 "the pool (value of a variable) overlaps the address 192.168.7.1"},
	{"192.168.7.73",
	 HEAD "nodes: { m: { address: \"${S}\", role: manager } }\n"
	      "swarm: { default_addr_pool: [192.168.0.0/16] }\n",
	 "overlaps the address (value of a variable) of node"},
	{"10.73.0.0/16", HEAD NODES "swarm: { default_addr_pool: [\"${S}\", 10.72.0.0/13] }\n",
	 "(value of a variable) overlap"},
	{"10.73.0.0/16", HEAD NODES "swarm: { default_addr_pool: [10.72.0.0/13, \"${S}\"] }\n",
	 "(value of a variable) overlap"},
	{"10.72.0.0/13", HEAD NODES "swarm: { default_addr_pool: [10.73.0.0/16, \"${S}\"] }\n",
	 "the pools (value of a variable) and"},
	{"10.73.0.0/28", HEAD NODES "swarm: { default_addr_pool: [\"${S}\"] }\n",
	 "does not fit into the pool (value of a variable)"},
	{"192.168.7.0/24", HEAD NODES "networks: { a: { ipam: { config: [{ subnet: \"${S}\" }] } } }\n",
	 "its subnet (value of a variable) overlaps the address 192.168.7.1"},
	{"192.168.7.73",
	 HEAD "nodes: { m: { address: \"${S}\", role: manager } }\n"
	      "networks: { a: { ipam: { config: [{ subnet: 192.168.7.0/24 }] } } }\n",
	 "overlaps the address (value of a variable) of node"},
	{"17", HEAD NODES "swarm: { default_addr_pool: [10.73.0.0/20], subnet_size: \"${S}\" }\n",
	 "a subnet of size /(value of a variable) does not fit"},
	{"10.73.0.0/16",
	 HEAD NODES "networks: { a: { ipam: { config: [{ subnet: \"${S}\", gateway: 10.1.1.1 }] } },\n"
		    "  b: { ipam: { config: [{ subnet: \"${S}\", gateway: 10.73.1.1 }] } } }\n",
	 "its subnet (value of a variable) overlaps (value of a variable) of network"},
	{"10.73.0.0/16",
	 HEAD NODES "networks: { a: { ipam: { config: [{ subnet: 10.1.0.0/16, gateway: \"${S}\" }] } } }\n",
	 "gateway (value of a variable) does not lie in"},
	{"10.73.0.1",
	 HEAD NODES "networks: { a: { ipam: { config: [{ subnet: 10.1.0.0/16, gateway: \"${S}\" }] } } }\n",
	 "gateway (value of a variable) does not lie in"},
	{NEEDLE, HEAD NODES "networks: { a: { name: \"${S}\" }, b: { name: \"${S}\" } }\n",
	 "the same name '(value of a variable)' in the Engine"},
	/* NFS. */
	{NEEDLE " x",
	 HEAD NODES "nfs: { a: { server: m, path: /srv, export: { clients: [\"${S}\"], options: [ro] } } }\n",
	 "'(value of a variable)' is not a client"},
	{"*." NEEDLE,
	 HEAD NODES
	 "nfs: { a: { server: m, path: /srv, export: { clients: [\"${S}\"], options: [rw, no_root_squash] } } }\n",
	 "root on a machine of (value of a variable) owns"},
	{NEEDLE " x", HEAD NODES "nfs: { a: { server: m, path: /srv, export: { options: [\"${S}\"] } } }\n",
	 "'(value of a variable)' is not one export option"},
	{NEEDLE " x",
	 HEAD NODES "nfs: { a: { server: m, path: /srv, mount: { path: /mnt, nodes: [], options: [\"${S}\"] } } }\n",
	 "'(value of a variable)' is not one mount option"},
	{"/" NEEDLE, HEAD NODES "nfs: { a: { server: m, path: \"${S}\" }, b: { server: m, path: \"${S}\" } }\n",
	 "(value of a variable) on node 'm' is already nfs 'a'"},
	{"m",
	 HEAD NODES "nfs: { a: { server: m, path: /srv, export: { options: [ro] }, mount: { path: /mnt, options: [ro], "
		    "nodes: [\"${S}\"] } } }\n",
	 "'(value of a variable)' is the server"},
	{"w",
	 HEAD "nodes: { m: { address: 192.168.7.1, role: manager }, w: { address: 192.168.7.2 } }\n"
	      "nfs: { a: { server: m, path: /srv, export: { clients: [m], options: [ro] },\n"
	      "  mount: { path: /mnt, options: [ro], nodes: [\"${S}\"] } } }\n",
	 "'(value of a variable)' mounts it but"},
	{NEEDLE,
	 HEAD NODES "nfs: { a: { server: m, path: /srv, mount: { path: /mnt, nodes: [\"${S}\"] } },\n"
		    "  b: { server: m, path: /b, mount: { path: /mnt, nodes: [\"${S}\"] } } }\n",
	 "/mnt on node '(value of a variable)' is already nfs 'a'"},
	{"/mnt/" NEEDLE,
	 SERVICE
	 "    volumes: [\"${S}:/data\"]\nnfs: { a: { server: x, path: /srv, mount: { path: /mnt, nodes: [] } } }\n",
	 "and (value of a variable) is missing or empty"},
	/* What must not run, and files. */
	{"web", SERVICE "absent: { x: { service: \"${S}\" } }\n", "also has service '(value of a variable)'"},
	{NEEDLE,
	 HEAD NODES "traefik: { container: \"${S}\", node: m }\nabsent: { x: { container: \"${S}\", node: m } }\n",
	 "'(value of a variable)' is the Traefik of this spec"},
	{NEEDLE, HEAD "configs: { a: { file: \"${S}\" } }\n",
	 "reading '(value of a variable)': not-found; the plan blocks"},
	{NEEDLE "-large", HEAD "secrets: { a: { file: \"${S}\" } }\n", "reading '(value of a variable)': limit"},
	{NEEDLE, SERVICE "    env_file: \"${S}\"\n", "reading '(value of a variable)': not-found"},
	{"broken", SERVICE "    env_file: [\"${S}\"]\n", "(value of a variable), line 2: expected NAME=value"},
	{"binary", SERVICE "    env_file: [\"${S}\"]\n", "(value of a variable) is not a text file"},
	/* Variables themselves. */
	{NEEDLE, HEAD "x-a: \"${S:?${S} is needed}\"\nx-b: \"${T:?${S} is needed}\"\n",
	 "T is required: ${S} is needed"},
	{NEEDLE "\xff", HEAD "x-a: ${S}\n", "the value of environment variable S is not UTF-8"},
};

static char *findings_of(const char *text, struct files *f)
{
	static const char *const allow[] = {"S", "T", NULL};
	struct spec_input in = {.name = "t", .text = text, .len = strlen(text), .files = f, .allow_env = allow};
	CLEANUP(diags_free) struct diags diags = {0};
	struct spec *spec = NULL;
	struct str out = {0};
	struct err err = {0};

	if (spec_load(&in, &spec, &diags, &err) < 0)
		str_addf(&out, "%s\n", err.msg);
	spec_free(spec);
	diags_print(&diags, text, &out);
	return str_steal(&out);
}

/* Values that are words of the program or of the text besides may be in a message on their own account. */
static void no_message_has_it(void **state)
{
	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		setenv("S", places[i].value, 1);
		_cleanup_free_ char *out = findings_of(places[i].text, &files);
		if (!strstr(out, places[i].says))
			fail_msg("place %zu: no '%s' for\n%s\nbut\n%s", i, places[i].says, places[i].text, out);
		if (strpbrk(places[i].value, "0123456789/") && !strstr(places[i].text, places[i].value) &&
		    strstr(out, places[i].value))
			fail_msg("place %zu: '%s' is in\n%s", i, places[i].value, out);
		if (strstr(out, NEEDLE) || strstr(out, NUMBER))
			fail_msg("place %zu: the value is in\n%s", i, out);
	}
	unsetenv("S");
}

static char *slurp(const char *path)
{
	struct str out = {0};
	char buf[4096];
	FILE *f = fopen(path, "re");

	assert_non_null(f);
	for (size_t n; (n = fread(buf, 1, sizeof(buf), f)) > 0;)
		str_add(&out, buf, n);
	fclose(f);
	return str_steal(&out);
}

/* The n-th scalar of the tree; *n counts down. */
static struct snode *scalar_at(struct snode *node, size_t *n)
{
	struct snode *found = NULL;

	if (node->type != SNODE_SEQ && node->type != SNODE_MAP)
		return node->text && (*n)-- == 0 ? node : NULL;
	for (size_t i = 0; i < node->n_items && !found; i++)
		found = scalar_at(node->items[i], n);
	return found;
}

struct tally {
	size_t shown, hidden; /* messages with the value; with the words instead of it */
};

/* False: there is no such scalar. */
static bool with_scalar(const char *text, size_t n, const char *form, bool from_env, struct tally *t)
{
	struct loaded l = load(text);
	struct snode *victim = l.root ? scalar_at(l.root, &n) : NULL;
	const struct schema *schema;
	struct err err;

	if (victim) {
		const char *at = strchr(form, '%');
		victim->text = at ? arena_printf(l.arena, "%.*s%s%s", (int)(at - form), form, victim->text, at + 1)
				  : arena_strdup(l.arena, form);
		victim->from_env = from_env;
		assert_int_equal(schema_cluster(&schema, &err), 0);
		schema_check(schema, l.root, l.arena, &l.diags);
		spec_checks(l.root, &files, &l.diags);
		_cleanup_free_ char *out = findings(&l);
		t->shown += strstr(out, NEEDLE) || strstr(out, NUMBER);
		t->hidden += strstr(out, "value of a variable") != NULL;
		if (from_env && t->shown > 0)
			fail_msg("scalar with '%s' of\n%s\nis in\n%s", victim->text, text, out);
	}
	unload(&l);
	return victim != NULL;
}

static void no_scalar_of_any_spec(void **state)
{
	static const char *const forms[] = {NEEDLE, NUMBER, NEEDLE "%", "%" NEEDLE, "/" NEEDLE, "%:" NEEDLE};
	struct tally hidden = {0}, shown = {0};
	glob_t found = {0};

	(void)state;
	assert_int_equal(glob("tests/cases/spec/*/*.yaml", 0, NULL, &found), 0);
	for (size_t i = 0; i < found.gl_pathc; i++) {
		_cleanup_free_ char *text = slurp(found.gl_pathv[i]);
		if (strlen(text) > 16384)
			continue;
		assert_null(strstr(text, NEEDLE));
		assert_null(strstr(text, NUMBER));
		for (size_t f = 0; f < ARRAY_SIZE(forms); f++)
			for (size_t n = 0; with_scalar(text, n, forms[f], true, &hidden); n++)
				with_scalar(text, n, forms[f], false, &shown);
	}
	/* The same texts without a variable do stand in messages, or this would prove nothing. */
	assert_true(shown.shown > 1000);
	assert_true(hidden.hidden > 1000);
	globfree(&found);
}

static void nor_a_file_that_cannot_be_read(void **state)
{
	static const char *const allow[] = {"S", NULL};
	static const char text[] = HEAD "configs: { a: { file: \"${S}\" }, b: { file: other-" NEEDLE " } }\n";
	struct spec_input in = {.name = "t", .text = text, .len = strlen(text), .files = &files, .allow_env = allow};
	CLEANUP(diags_free) struct diags diags = {0};
	_cleanup_str_ struct str out = {0};
	struct spec *spec = NULL;
	struct err err = {0};

	(void)state;
	setenv("S", NEEDLE, 1);
	assert_int_equal(spec_load(&in, &spec, &diags, &err), 0);
	assert_int_equal(spec_read_file(spec, NEEDLE, 100, &out, &err), -1);
	assert_int_equal(err.code, ERR_NOT_FOUND);
	assert_string_equal(err.msg, "reading a file that the value of a variable names: not-found");
	assert_int_equal(spec_read_file(spec, "other-" NEEDLE, 100, &out, &err), -1);
	assert_string_equal(err.msg, "reading 'other-" NEEDLE "': no such file");
	spec_free(spec);
	_cleanup_free_ char *without = findings_of(text, NULL);
	assert_non_null(strstr(without, "config 'a': the file '(value of a variable)' cannot be read, because"));
	unsetenv("S");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_message_has_it),
		cmocka_unit_test(no_scalar_of_any_spec),
		cmocka_unit_test(nor_a_file_that_cannot_be_read),
	};

	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
