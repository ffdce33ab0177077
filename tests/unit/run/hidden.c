/*
 * The value of a variable is in no plan, as text, JSON or Markdown, wherever the spec says it: of every kind that can
 * hold one, when the things are created and when they differ from what is there.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <stdlib.h>
#include <string.h>

#include "plan/render.h"
#include "run/observe.h"

#include "tests/unit/quoted.h"

#define NEEDLE "hunter2"

/* ${S} is the value of a variable; every other text is in clear. */
static const char things[] =
	"version: 1\n"
	"cluster: lab\n"
	"nodes:\n"
	"  m: { address: 10.0.0.1, role: manager, labels: { rack: '${S}' } }\n"
	"networks:\n"
	"  plain: { driver_opts: { net.opt: '${S}' }, labels: { net.label: '${S}' } }\n"
	"  renamed: { name: '${S}', ipam: { options: { ipam.opt: '${S}' } } }\n"
	"volumes:\n"
	"  disk: { driver_opts: { type: cifs, o: 'password=${S}' }, labels: { volume.label: '${S}' } }\n"
	"  moved: { name: 'v-${S}' }\n"
	"  theirs: { name: 'e-${S}', external: true }\n"
	"configs:\n"
	"  c: { content: 'x=${S}', labels: { config.label: '${S}' } }\n"
	"  d: { content: 'x', name: '${S}' }\n"
	"services:\n"
	"  web:\n"
	"    image: 'registry.lan/${S}:1'\n"
	"    command: [serve, '--token=${S}']\n"
	"    entrypoint: 'run ${S}'\n"
	"    environment: { PASSWORD: '${S}' }\n"
	"    labels: ['container.label=${S}']\n"
	"    hostname: '${S}'\n"
	"    dns_search: ['${S}']\n"
	"    sysctls: { net.core.x: '${S}' }\n"
	"    healthcheck: { test: 'probe ${S}', interval: 7s }\n"
	"    logging: { driver: syslog, options: { syslog-address: 'udp://${S}' } }\n"
	"    volumes:\n"
	"      - '/srv/${S}:/short'\n"
	"      - { type: bind, source: '/srv/${S}', target: /long }\n"
	"      - 'disk:/disk'\n"
	"      - 'moved:/moved'\n"
	"      - 'theirs:/theirs'\n"
	"    configs: [{ source: d, target: /etc/d }]\n"
	"    networks: { plain: { driver_opts: { endpoint.opt: '${S}' } } }\n"
	"    deploy: { labels: { service.label: '${S}' } }\n"
	"  list:\n"
	"    image: busybox:1\n"
	"    environment: ['PASSWORD=${S}']\n"
	"    healthcheck: { test: [CMD, probe, '${S}'] }\n"
	"    deploy:\n"
	"      labels: ['service.label=${S}']\n"
	"      placement: { preferences: [{ spread: 'node.labels.${S}' }] }\n";

/* What kinds say of it when they cannot go on. */
static const char troubles[] = "version: 1\n"
			       "cluster: lab\n"
			       "nodes:\n"
			       "  m: { address: 10.0.0.1, role: manager }\n"
			       "  w: { address: '${S}.lan' }\n"
			       "nfs:\n"
			       "  share: { server: m, path: '/srv/${S}', export: { clients: [m] } }\n"
			       "absent:\n"
			       "  project: { compose: '${S}', node: m }\n"
			       "  unit: { unit: '${S}.service', node: m }\n"
			       "  service: { service: '${S}', quiet: 1h }\n"
			       "services: { web: { image: busybox:1 } }\n";
static const char *const said[] = {"will know node 'w' by its address", "symbolic link", "it was not looked at",
				   "systemd unit"};

/* Fields that hold one. */
static const char *const web[] = {
	"image",
	"command",
	"entrypoint",
	"env[PASSWORD]",
	"container_labels[container.label]",
	"hostname",
	"dns_search",
	"sysctls[net.core.x]",
	"healthcheck.test",
	"log_options[syslog-address]",
	"mounts[/short].source",
	"mounts[/long].source",
	"mounts[/disk].driver_opts.o",
	"mounts[/moved].source",
	"mounts[/theirs].source",
	"configs[/etc/d].source",
	"networks.plain.driver_opts[endpoint.opt]",
	"labels[service.label]",
};
static const char *const list[] = {"env[PASSWORD]", "healthcheck.test", "labels[service.label]", "preferences"};
static const char *const others[] = {
	"options[net.opt]",     "labels[net.label]",    "name", "ipam_options[ipam.opt]", "options.o",
	"labels[volume.label]", "labels[config.label]",
};

/* What is shown of every service, so that hiding everything is no way out. */
static const char *const shown[] = {"syslog", "cifs", "/etc/d"};

#define HEAD \
	"{'engine/info': {'Name': 'm', 'Swarm': {'NodeID': 'n1', 'NodeAddr': '10.0.0.1', 'LocalNodeState': 'active'," \
	" 'ControlAvailable': true, 'Cluster': {'ID': 'swarm'}}}," \
	" 'engine/version': {'ApiVersion': '1.51'}," \
	" 'engine/nodes': [{'ID': 'n1', 'Spec': {'Role': 'manager', 'Availability': 'active', 'Labels': {'rack': " \
	"'1'}}," \
	"  'Description': {'Hostname': 'm'}, 'Status': {'State': 'ready', 'Addr': '10.0.0.1'}}]," \
	" 'engine/networks': [], 'engine/volumes': {'Volumes': []}, 'engine/configs': [], 'engine/secrets': []," \
	" 'engine/containers': [], 'service/networks': {}, 'run/options': {'may_init': false}," \
	" 'host/m': {'hostname': 'm', 'dirs': {'/srv/" NEEDLE "': {'type': 'symlink'}}}, 'engine/services': ["

#define LIVE(name) \
	"{'ID': 'id-" name "', 'Version': {'Index': 3}, 'Spec': {'Name': '" name "'," \
	" 'Labels': {'io.reconcile.cluster': 'lab', 'service.label': 'old'}," \
	" 'TaskTemplate': {'ContainerSpec': {'Image': 'old:1', 'Args': ['old'], 'Command': ['old']," \
	"  'Env': ['PASSWORD=old'], 'Hostname': 'old', 'Labels': {'container.label': 'old'}," \
	"  'Sysctls': {'net.core.x': 'old'}, 'Healthcheck': {'Test': ['CMD', 'old']}," \
	"  'Mounts': [{'Type': 'bind', 'Source': '/old', 'Target': '/short'}]}," \
	"  'LogDriver': {'Name': 'syslog', 'Options': {'syslog-address': 'old'}}}," \
	" 'Mode': {'Replicated': {'Replicas': 1}}, 'EndpointSpec': {'Mode': 'vip'}}}"

struct built {
	struct spec *spec;
	struct snapshot *snap;
	struct resource_set *want, *live;
	struct plan *plan;
	json_t *last;
};

static struct snapshot *snapshot_of(const char *services)
{
	_cleanup_free_ char *text = xasprintf(HEAD "%s]}", services);
	_cleanup_json_ json_t *j = quoted(text);
	struct snapshot *snap = NULL;
	struct err err = {0};

	if (snapshot_from_json(j, &snap, &err) < 0)
		fail_msg("%s", err.msg);
	return snap;
}

static struct built build(const char *spec, const char *services)
{
	static const char *const allowed[] = {"S", NULL};
	const struct spec_input in = {.name = "spec.yaml", .text = spec, .len = strlen(spec), .allow_env = allowed};
	CLEANUP(diags_free) struct diags diags = {0};
	_cleanup_str_ struct str found = {0};
	struct built b = {.snap = snapshot_of(services), .last = json_object()};
	struct err err = {0};

	setenv("S", NEEDLE, 1);
	if (spec_load(&in, &b.spec, &diags, &err) < 0) {
		diags_print(&diags, in.text, &found);
		fail_msg("%s\n%s", err.msg, str_cstr(&found));
	}
	if (build_resources(b.spec, b.snap, &b.want, &b.live, &err) < 0)
		fail_msg("%s", err.msg);
	b.plan = build_plan(b.spec, b.snap, b.want, b.live, &(struct plan_facts){.last = b.last});
	return b;
}

static void built_free(struct built *b)
{
	plan_free(b->plan);
	resource_set_free(b->want);
	resource_set_free(b->live);
	snapshot_free(b->snap);
	spec_free(b->spec);
	json_decref(b->last);
}

static void check_text(const char *form, const char *text, const char *const *says, size_t n)
{
	const char *at = strstr(text, NEEDLE);

	if (at)
		fail_msg("the plan as %s says the value: …%.*s", form, 120, at - text > 80 ? at - 80 : text);
	for (size_t i = 0; i < n; i++)
		if (!strstr(text, says[i]))
			fail_msg("the plan as %s does not say '%s': %s", form, says[i], text);
}

static void check_forms(const struct plan *p, const char *const *says, size_t n)
{
	const struct render_context ctx = {.cluster = "lab", .source = "spec.yaml", .engine = "test"};
	_cleanup_str_ struct str text = {0}, markdown = {0}, json = {0};
	_cleanup_json_ json_t *j = render_json(p, &ctx);

	render_text(p, &ctx, &text);
	render_markdown(p, &ctx, &markdown);
	json_canonical(j, &json);
	check_text("text", str_cstr(&text), says, n);
	check_text("Markdown", str_cstr(&markdown), says, n);
	check_text("JSON", str_cstr(&json), says, n);
}

/* The field is in the plan, and hidden; key NULL: of any change. */
static void assert_hidden(const struct plan *p, const char *key, const char *path)
{
	for (size_t i = 0; i < p->changes.n; i++) {
		const struct change *c = &p->changes.v[i];
		for (size_t k = 0; k < c->fields.n; k++)
			if ((!key || str_eq(c->key, key)) && str_eq(c->fields.v[k].path, path) && c->fields.v[k].secret)
				return;
	}
	fail_msg("%s of %s is not hidden in the plan", path, key ? key : "any");
}

static void check_services(const struct plan *p)
{
	for (size_t i = 0; i < ARRAY_SIZE(web); i++)
		assert_hidden(p, "service/web", web[i]);
	for (size_t i = 0; i < ARRAY_SIZE(list); i++)
		assert_hidden(p, "service/list", list[i]);
}

static void test_create(void **state)
{
	struct built b = build(things, "");

	(void)state;
	check_forms(b.plan, shown, ARRAY_SIZE(shown));
	check_services(b.plan);
	assert_hidden(b.plan, "node/m", "labels.rack");
	for (size_t i = 0; i < ARRAY_SIZE(others); i++)
		assert_hidden(b.plan, NULL, others[i]);
	built_free(&b);
}

static void test_update(void **state)
{
	struct built b = build(things, LIVE("web") "," LIVE("list"));

	(void)state;
	check_forms(b.plan, shown, ARRAY_SIZE(shown));
	check_services(b.plan);
	built_free(&b);
}

static void test_messages(void **state)
{
	struct built b = build(troubles, "");

	(void)state;
	check_forms(b.plan, said, ARRAY_SIZE(said));
	built_free(&b);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_create),
		cmocka_unit_test(test_update),
		cmocka_unit_test(test_messages),
	};

	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
