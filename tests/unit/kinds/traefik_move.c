/* keep_container_routes: additions to files of the file provider, and what is added. */
#include "fixture.h"

#include "kinds/traefik/merge.h"
#include "kinds/traefik/moved.h"

#include "tests/unit/quoted.h"

static const char addition[] = "{'http': {'routers': {'who': {'rule': 'Host(`w`)', 'tls': {}}},"
			       " 'services': {'who': {'loadBalancer': {'servers': [{'url': 'http://w:1'}]}}}}}";

#define ROUTER "who:\n      rule: \"Host(`w`)\"\n      tls: {}\n"
#define SERVICE "who:\n      loadBalancer:\n        servers:\n          - url: \"http://w:1\"\n"

struct merge_case {
	const char *name, *in, *out; /* out NULL: refused */
	const char *error;
};

static const struct merge_case cases[] = {
	{"an empty file", "", "http:\n  routers:\n    " ROUTER "  services:\n    " SERVICE, NULL},
	{"comments only, no end of line", "# a", "# a\nhttp:\n  routers:\n    " ROUTER "  services:\n    " SERVICE,
	 NULL},
	{"other protocols", "tcp:\n  routers: {}\n",
	 "tcp:\n  routers: {}\nhttp:\n  routers:\n    " ROUTER "  services:\n    " SERVICE, NULL},
	{"both sections, other names, comments",
	 "http: # web\n  routers: # r\n    a: {rule: x} # keep\n    # the end\n\n  services:\n    a: {}",
	 "http: # web\n  routers: # r\n    a: {rule: x} # keep\n    " ROUTER
	 "    # the end\n\n  services:\n    a: {}\n    " SERVICE,
	 NULL},
	{"null sections", "http:\n  routers:\n  services: # none\n",
	 "http:\n  routers:\n    " ROUTER "  services: # none\n    " SERVICE, NULL},
	{"a section is missing", "http:\n  middlewares:\n    m:\n      text: |\n        a\n",
	 "http:\n  middlewares:\n    m:\n      text: |\n        a\n  routers:\n    " ROUTER "  services:\n    " SERVICE,
	 NULL},
	{"another spelling of the section", "HTTP:\n  Routers:\n    a: {}\n  services:\n    " SERVICE,
	 "HTTP:\n  Routers:\n    a: {}\n    " ROUTER "  services:\n    " SERVICE, NULL},
	{"all of it is there", "http:\n  routers:\n    " ROUTER "  services:\n    " SERVICE,
	 "http:\n  routers:\n    " ROUTER "  services:\n    " SERVICE, NULL},
	{"something else by that name", "http:\n  routers:\n    who: {rule: y}\n", NULL,
	 "line 3: who: it is there already"},
	{"flow", "http: {routers: {}}\n", NULL, "line 1: http: it is not written as a mapping of lines"},
	{"a merge key", "x: &x {}\nhttp:\n  <<: *x\n", NULL, "line 3: http: an anchor, tag or merge key"},
	{"an anchor", "http: &h\n  tls: {}\n", NULL, "an anchor, tag or merge key"},
	{"a template", "http:\n  routers: {{ env \"x\" }}\n", NULL, "{{"},
	{"a list", "http: []\n", NULL, "not written as a mapping"},
	{"not YAML", "http: [\n", NULL, "line 2"},
};

static void test_merge(void **state)
{
	_cleanup_json_ json_t *add = quoted(addition);

	(void)state;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct merge_case *c = &cases[i];
		_cleanup_str_ struct str out = {0};
		struct err err = {0};
		int rc = traefik_merge(c->in, strlen(c->in), add, 2, &out, &err);
		if ((rc == 0) != (c->out != NULL) || (rc < 0 && !strstr(err.msg, c->error)))
			fail_msg("%s: %d %s", c->name, rc, err.msg);
		if (rc == 0 && strcmp(str_cstr(&out), c->out) != 0)
			fail_msg("%s:\n%s", c->name, str_cstr(&out));
	}
}

static void test_merge_of_a_template(void **state)
{
	_cleanup_json_ json_t *add = quoted("{'http': {'routers': {'a': {'rule': 'Path(`{{x}}`)'}}}}");
	_cleanup_str_ struct str out = {0};
	struct err err = {0};

	(void)state;
	assert_int_equal(traefik_merge("", 0, add, 2, &out, &err), -1);
	assert_non_null(strstr(err.msg, "one of the definitions has {{"));
}

static const char world[] =
	"{'host/g': {'hostname': 'g'}, 'engine/info': {'Name': 'g'}, 'run/options': {'engine_node': 'g'},"
	" 'engine/container/traefik': {'Name': '/traefik', 'State': {'Running': true},"
	"   'NetworkSettings': {'Networks': {'bridge': {}, 'net': {}}},"
	"   'Mounts': [{'Source': '/opt/dyn', 'Destination': '/dyn'}]},"
	" 'traefik/version': {'Version': '2.11.53'}, 'traefik/routers': [],"
	" 'traefik/static': {'source': 'file', 'inside': '/t.yml', 'path': '/opt/t.yml',"
	"   'content': 'providers: {docker: {}, file: {directory: /dyn}}'},"
	" 'traefik/dynamic': {'content': null},"
	" 'traefik/neighbours': [{'Names': ['/w_1'], 'NetworkSettings': {'Networks': {'net': {'IPAddress': "
	"'172.18.0.5'}}}}],"
	" 'traefik/rawdata': {"
	"   'routers': {'w@docker': {'rule': 'Host(`w`)', 'service': 'w', 'middlewares': ['c@docker', 'x@file'],"
	"      'status': 'enabled', 'using': ['web'], 'entryPoints': ['web']}},"
	"   'middlewares': {'c@docker': {'chain': {'middlewares': ['h']}, 'status': 'enabled', 'usedBy': ['w@docker']},"
	"      'h@docker': {'headers': {'customRequestHeaders': {'X-A': 'true'}}, 'status': 'enabled'},"
	"      'e@docker': {'errors': {'service': 'other', 'query': '/'}, 'status': 'enabled'}},"
	"   'services': {'w@docker': {'loadBalancer': {'servers': [{'url': 'http://172.18.0.5:80'}]}, 'status': "
	"'enabled',"
	"      'serverStatus': {'http://172.18.0.5:80': 'UP'}},"
	"      'other@docker': {'loadBalancer': {'servers': [{'url': 'http://127.0.0.1:81'}]}, 'status': 'enabled'},"
	"      'unused@docker': {'loadBalancer': {'servers': [{'url': 'http://172.18.0.9:81'}]}, 'status': "
	"'enabled'}}}}";

static const char file[] =
	"# Routes of containers, moved here when Traefik went to swarm mode (keep_container_routes),\n"
	"# in which it no longer reads the labels of containers. Nothing is removed from here by itself.\n"
	"http:\n"
	"  middlewares:\n"
	"    c:\n"
	"      chain:\n"
	"        middlewares:\n"
	"          - \"h@file\"\n"
	"    e:\n"
	"      errors:\n"
	"        query: \"/\"\n"
	"        service: \"other@file\"\n"
	"    h:\n"
	"      headers:\n"
	"        customRequestHeaders:\n"
	"          X-A: \"true\"\n"
	"  routers:\n"
	"    w:\n"
	"      entryPoints:\n"
	"        - \"web\"\n"
	"      middlewares:\n"
	"        - \"c@file\"\n"
	"        - \"x@file\"\n"
	"      rule: \"Host(`w`)\"\n"
	"      service: \"w@file\"\n"
	"  services:\n"
	"    other:\n"
	"      loadBalancer:\n"
	"        servers:\n"
	"          - url: \"http://127.0.0.1:81\"\n"
	"    w:\n"
	"      loadBalancer:\n"
	"        servers:\n"
	"          - url: \"http://w_1:80\"\n";

static void test_moved(void **state)
{
	_cleanup_json_ json_t *want = json_pack("{s:b}", "swarm_mode", 1);
	struct snapshot *snap = fixture_snapshot(world);
	struct traefik_view v;
	struct moved m;

	(void)state;
	traefik_view_make(snap, "g", "traefik", want, &v);
	assert_null(v.unknown);
	assert_true(traefik_view_drops(&v, snap));
	moved_make(snap, "g", &v, &m);
	if (m.blocked)
		fail_msg("%s", m.blocked);
	assert_string_equal(m.file.path, "/opt/dyn/reconcile-container-routes.yml");
	assert_true(m.changes && !m.exists);
	if (strcmp(str_cstr(&m.after), file) != 0)
		fail_msg("%s", str_cstr(&m.after));
	moved_free(&m);
	traefik_view_free(&v);
	snapshot_free(snap);
}

static void test_missing(void **state)
{
	_cleanup_json_ json_t *want = json_pack("{s:b}", "swarm_mode", 1);
	struct snapshot *snap = fixture_snapshot(world);
	struct traefik_view v;
	struct moved m;

	(void)state;
	traefik_view_make(snap, "g", "traefik", want, &v);
	moved_make(snap, "g", &v, &m);
	_cleanup_free_ char *none = moved_missing(&m, snapshot_get(snap, "traefik/rawdata", NULL));
	assert_string_equal(none, "it has 'w@file' not at all");
	_cleanup_json_ json_t *all =
		quoted("{'routers': {'w@file': {'status': 'disabled', 'error': ['no such service']}}}");
	_cleanup_free_ char *wrong = moved_missing(&m, all);
	assert_string_equal(wrong, "it has 'w@file' as disabled: no such service");
	json_t *done =
		quoted("{'routers': {'w@file': {'status': 'enabled'}}, 'middlewares': {'c@file': {'status': 'enabled'},"
		       " 'h@file': {'status': 'enabled'}, 'e@file': {'status': 'enabled'}},"
		       " 'services': {'w@file': {'status': 'enabled'}, 'other@file': {'status': 'enabled'}}}");
	assert_null(moved_missing(&m, done));
	json_decref(done);
	moved_free(&m);
	traefik_view_free(&v);
	snapshot_free(snap);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_merge_of_a_template),
		cmocka_unit_test(test_moved),
		cmocka_unit_test(test_missing),
	};

	json_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
