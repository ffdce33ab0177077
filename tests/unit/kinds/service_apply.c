/*
 * What the steps of a service ask the engine for, and what they make of its
 * answers: an engine that is played scene by scene, one for each time that the
 * service is looked at. How a real one behaves is in tests/cases/wait and tests/e2e.
 */
#include "fixture.h"

#include "client/engine/engine.h"
#include "kinds/cluster.h"
#include "kinds/service/service.h"
#include "sys/clock.h"

#include "tests/unit/client/traefik_standin.h"

#define SPEC(a, n) \
	"{'Name':'web','Labels':{'io.reconcile.cluster':'c'},'TaskTemplate':{'ContainerSpec':{'Image':'a:1'," \
	"'Env':['A=" a "']}},'Mode':{'Replicated':{'Replicas':" n "}},'UpdateConfig':{'Parallelism':1,'Monitor':" \
	"100000000}}"
#define SERVICE(version, a, n, update) \
	"{'ID':'s1','Version':{'Index':" version "},'Spec':" SPEC(a, n) ",'UpdateStatus':" update "}"
#define UPDATE(state) "{'State':'" state "','Message':'m','StartedAt':'2026-11-20T10:00:00Z'}"
#define TASK(id, state) \
	"{'ID':'" id "','ServiceID':'s1','Slot':1,'NodeID':'n1','DesiredState':'running','Status':{'State':'" state \
	"','Err':'boom " id "','Timestamp':'2026-11-20T10:00:0" id "Z'}}"
#define ENDED(id, state) \
	"{'ID':'" id "','ServiceID':'s1','Slot':1,'NodeID':'n1','DesiredState':'shutdown','Status':{'State':'" state \
	"','Err':'boom " id "','Timestamp':'2026-11-20T10:00:0" id "Z'}}"

struct scene {
	const char *service;       /* NULL: there is none */
	const char *current, *old; /* tasks, of its spec and of others */
};

/* A service that the spec wants with A=1 and one replica. */
#define GOOD SERVICE("5", "1", "1", "{}")
#define RUNS \
	{ \
		GOOD, TASK("1", "running"), "" \
	}

struct world {
	const struct scene *scenes; /* the last one stays */
	size_t at, last;
	const char *refuses; /* a prefix of calls that are answered with status and text */
	int status;          /* 0: not answered at all */
	const char *text;
};

static void add_json(struct str *body, const char *text)
{
	for (; *text; text++)
		str_addc(body, *text == '\'' ? '"' : *text);
}

static int answer(void *arg, const char *request, struct str *headers, struct str *body)
{
	struct world *w = arg;
	const struct scene *s = &w->scenes[w->at];

	(void)headers;
	if (w->refuses && str_starts(request, w->refuses)) {
		str_addf(body, "{\"message\":\"%s\"}", w->text);
		return w->status;
	}
	if (str_starts(request, "GET /v1.41/services/")) {
		w->at += w->at < w->last;
		if (!s->service)
			return 404;
		add_json(body, s->service);
	} else if (str_starts(request, "GET /v1.41/tasks") && strstr(request, "_up-to-date")) {
		str_adds(body, "[");
		add_json(body, s->current);
		str_adds(body, "]");
	} else if (str_starts(request, "GET /v1.41/tasks")) {
		str_adds(body, "[");
		add_json(body, s->current);
		str_adds(body, *s->current && *s->old ? "," : "");
		add_json(body, s->old);
		str_adds(body, "]");
	} else if (str_starts(request, "GET /v1.41/nodes")) {
		add_json(body, "[{'ID':'n1','Status':{'State':'ready'}}]");
	} else if (str_starts(request, "POST /v1.41/services/create")) {
		add_json(body, "{'ID':'s1'}");
	} else if (str_starts(request, "POST /v1.41/services/s1/update")) {
		add_json(body, "{}");
	} else if (!strstr(request, "/_ping")) {
		return 404;
	}
	return 200;
}

static void ignore_progress(void *arg, const char *fmt, ...)
{
	(void)arg, (void)fmt;
}

#define YAML \
	"version: 1\ncluster: c\nservices:\n  web: { image: 'a:1', environment: { A: '1' }, deploy: { replicas: 1, " \
	"update_config: { monitor: 100ms } } }\n"
#define MANAGER \
	"'engine/info':{'Name':'m','Swarm':{'NodeID':'n1','LocalNodeState':'active','ControlAvailable':true," \
	"'Cluster':{'ID':'x'}}},'engine/networks':[]"

struct apply_case {
	const char *name;
	enum action action;
	const char *field;   /* that changes; NULL: none */
	const char *planned; /* the live service as it was planned with; NULL: none */
	struct scene scenes[6];
	const char *refuses;
	int status;
	const char *text;
	/* Expected */
	enum err_code code;
	const char *message;
	const char *writes; /* the calls that change something */
};

#define UPDATE_CALL(version) "POST /v1.41/services/s1/update?version=" version "\n"
#define CREATE_CALL "POST /v1.41/services/create\n"

static const struct apply_case cases[] = {
	/* Only waiting */
	{"it runs", ACTION_VERIFY, NULL, GOOD, {RUNS}, NULL, 0, NULL, ERR_NONE, "", ""},
	{"it comes",
	 ACTION_VERIFY,
	 NULL,
	 GOOD,
	 {{GOOD, TASK("1", "starting"), ""}, RUNS},
	 NULL,
	 0,
	 NULL,
	 ERR_NONE,
	 "",
	 ""},
	{"an update is in flight",
	 ACTION_VERIFY,
	 NULL,
	 SERVICE("5", "1", "1", UPDATE("updating")),
	 {{SERVICE("5", "1", "1", UPDATE("updating")), TASK("1", "running"), ""},
	  {SERVICE("5", "1", "1", UPDATE("updating")), TASK("1", "running"), ""},
	  {SERVICE("5", "1", "1", UPDATE("completed")), TASK("1", "running"), ""}},
	 NULL,
	 0,
	 NULL,
	 ERR_NONE,
	 "",
	 ""},
	{"paused, and all of it runs",
	 ACTION_VERIFY,
	 NULL,
	 SERVICE("5", "1", "1", UPDATE("paused")),
	 {{SERVICE("5", "1", "1", UPDATE("paused")), TASK("1", "running"), ""}},
	 NULL,
	 0,
	 NULL,
	 ERR_NONE,
	 "",
	 ""},
	{"paused halfway",
	 ACTION_VERIFY,
	 NULL,
	 SERVICE("5", "1", "1", UPDATE("paused")),
	 {{SERVICE("5", "1", "1", UPDATE("paused")), ENDED("2", "failed"), TASK("1", "running")}},
	 NULL,
	 0,
	 NULL,
	 ERR_UNHEALTHY,
	 "Swarm paused the update: boom 2",
	 ""},
	{"rolled back to what is wanted",
	 ACTION_VERIFY,
	 NULL,
	 SERVICE("5", "1", "1", UPDATE("rollback_completed")),
	 {{SERVICE("5", "1", "1", UPDATE("rollback_completed")), TASK("1", "running"), ENDED("2", "failed")}},
	 NULL,
	 0,
	 NULL,
	 ERR_NONE,
	 "",
	 ""},
	{"rolled back while it is waited for",
	 ACTION_VERIFY,
	 NULL,
	 SERVICE("5", "1", "1", UPDATE("updating")),
	 {{SERVICE("5", "1", "1", UPDATE("updating")), TASK("1", "starting"), ""},
	  {SERVICE("6", "0", "1", UPDATE("rollback_started")), TASK("3", "starting"), ENDED("1", "failed")},
	  {SERVICE("7", "0", "1", UPDATE("rollback_completed")), TASK("3", "running"), ENDED("1", "failed")}},
	 NULL,
	 0,
	 NULL,
	 ERR_UNHEALTHY,
	 "Swarm rolled the update back: boom 1",
	 ""},
	{"rolled back before",
	 ACTION_VERIFY,
	 NULL,
	 SERVICE("7", "0", "1", UPDATE("rollback_completed")),
	 {{SERVICE("7", "0", "1", UPDATE("rollback_completed")), TASK("3", "running"), ENDED("1", "failed")}},
	 NULL,
	 0,
	 NULL,
	 ERR_UNHEALTHY,
	 "Swarm rolled the update back: boom 1",
	 ""},
	{"changed meanwhile",
	 ACTION_VERIFY,
	 NULL,
	 GOOD,
	 {{SERVICE("6", "9", "1", "{}"), TASK("1", "starting"), ""}},
	 NULL,
	 0,
	 NULL,
	 ERR_OUT_OF_SEQUENCE,
	 "somebody changed it",
	 ""},
	{"gone meanwhile", ACTION_VERIFY, NULL, GOOD, {{0}}, NULL, 0, NULL, ERR_OUT_OF_SEQUENCE, "404", ""},

	/* Creating */
	{"created", ACTION_CREATE, NULL, NULL, {RUNS}, NULL, 0, NULL, ERR_NONE, "", CREATE_CALL},
	{"created, and it fails",
	 ACTION_CREATE,
	 NULL,
	 NULL,
	 {{GOOD, TASK("1", "failed"), ""},
	  {GOOD, ENDED("1", "failed") "," TASK("2", "failed"), ""},
	  {GOOD, ENDED("1", "failed") "," ENDED("2", "failed") "," TASK("3", "failed"), ""}},
	 NULL,
	 0,
	 NULL,
	 ERR_UNHEALTHY,
	 "its tasks keep failing: boom 3",
	 CREATE_CALL},
	{"somebody was faster",
	 ACTION_CREATE,
	 NULL,
	 NULL,
	 {RUNS},
	 "POST",
	 409,
	 "name conflicts with an existing object: service web already exists",
	 ERR_OUT_OF_SEQUENCE,
	 "already exists",
	 CREATE_CALL},
	{"refused",
	 ACTION_CREATE,
	 NULL,
	 NULL,
	 {RUNS},
	 "POST",
	 400,
	 "invalid reference",
	 ERR_FAILED,
	 "invalid reference",
	 CREATE_CALL},
	{"the answer is lost", ACTION_CREATE, NULL, NULL, {RUNS}, "POST", 0, "", ERR_UNREACHABLE, "", CREATE_CALL},

	/* Updating */
	{"updated",
	 ACTION_UPDATE,
	 "env",
	 SERVICE("4", "0", "1", "{}"),
	 {{SERVICE("4", "0", "1", "{}"), TASK("1", "running"), ""}, {GOOD, TASK("2", "starting"), ""}, RUNS},
	 NULL,
	 0,
	 NULL,
	 ERR_NONE,
	 "",
	 UPDATE_CALL("4")},
	{"updated once what is in flight has arrived",
	 ACTION_UPDATE,
	 "env",
	 SERVICE("4", "0", "1", UPDATE("updating")),
	 {{SERVICE("4", "0", "1", UPDATE("updating")), TASK("1", "running"), ""},
	  {SERVICE("4", "0", "1", UPDATE("updating")), TASK("1", "starting"), ""},
	  {SERVICE("6", "0", "1", UPDATE("completed")), TASK("1", "running"), ""},
	  RUNS},
	 NULL,
	 0,
	 NULL,
	 ERR_NONE,
	 "",
	 UPDATE_CALL("6")},
	{"updated, and rolled back",
	 ACTION_UPDATE,
	 "env",
	 SERVICE("4", "0", "1", "{}"),
	 {{SERVICE("4", "0", "1", "{}"), TASK("1", "running"), ""},
	  {SERVICE("6", "0", "1", UPDATE("rollback_completed")), TASK("1", "running"), ENDED("2", "failed")}},
	 NULL,
	 0,
	 NULL,
	 ERR_UNHEALTHY,
	 "Swarm rolled the update back: boom 2",
	 UPDATE_CALL("4")},
	{"the answer to an update is lost",
	 ACTION_UPDATE,
	 "env",
	 SERVICE("4", "0", "1", "{}"),
	 {{SERVICE("4", "0", "1", "{}"), TASK("1", "running"), ""}},
	 "POST",
	 0,
	 "",
	 ERR_UNREACHABLE,
	 "",
	 UPDATE_CALL("4")},
	{"somebody has written the same",
	 ACTION_UPDATE,
	 "env",
	 SERVICE("4", "0", "1", "{}"),
	 {RUNS},
	 NULL,
	 0,
	 NULL,
	 ERR_OUT_OF_SEQUENCE,
	 "somebody changed it",
	 ""},
	{"a paused update goes on",
	 ACTION_UPDATE,
	 NULL,
	 SERVICE("5", "1", "1", UPDATE("paused")),
	 {{SERVICE("5", "1", "1", UPDATE("paused")), TASK("2", "running"), TASK("1", "running")},
	  {SERVICE("6", "1", "1", UPDATE("updating")), TASK("2", "running"), TASK("1", "running")},
	  {SERVICE("7", "1", "1", UPDATE("completed")), TASK("2", "running"), ""}},
	 NULL,
	 0,
	 NULL,
	 ERR_NONE,
	 "",
	 UPDATE_CALL("5")},
};

static void check_case(void **state)
{
	const struct apply_case *t = *state;
	_cleanup_free_ char *snap = xasprintf("{" MANAGER ",'engine/services':[%s]}", t->planned ? t->planned : "");
	struct fixture f = fixture_open(&kind_service, YAML, snap);
	struct world w = {.scenes = t->scenes, .refuses = t->refuses, .status = t->status, .text = t->text};
	struct traefik_standin engine = {.answer = answer, .arg = &w};
	_cleanup_str_ struct str writes = {0};
	struct err err = {0};

	while (w.last + 1 < ARRAY_SIZE(t->scenes) && t->scenes[w.last + 1].service)
		w.last++;
	traefik_standin_start(&engine);
	struct cluster cluster = {.name = "c"};
	const struct engine_options eo = {.host = engine.engine, .config_dir = "/nonexistent"};
	assert_int_equal(engine_open(&eo, &cluster.engine, &err), 0);
	struct apply a = {.cluster = &cluster,
			  .snap = f.snap,
			  .want = f.want,
			  .progress = ignore_progress,
			  .deadline = clock_ms() + 20000};
	struct change c = {.action = t->action, .kind = &kind_service, .key = "service/web"};
	c.desired = resource_find_key(f.want, "service/web");
	c.live = t->planned ? resource_find_key(f.live, "service/web") : NULL;
	if (t->field)
		vec_push(&c.fields, ((struct field_change){.path = t->field, .field = t->field}));

	int rc = service_apply(&a, &c, &err);
	engine_close(cluster.engine);
	traefik_standin_stop(&engine);
	for (const char *line = str_cstr(&engine.log); *line; line = strchr(line, '\n') + 1)
		if (!str_starts(line, "GET ") && !str_starts(line, "HEAD "))
			str_add(&writes, line, strcspn(line, "\n") + 1);
	if (rc != (t->code ? -1 : 0) || err.code != t->code || !strstr(err.msg, t->message))
		fail_msg("%d %s: %s", rc, err_code_name(err.code), err.msg);
	assert_string_equal(str_cstr(&writes), t->writes);
	str_free(&engine.log);
	vec_free(&c.fields);
	fixture_close(&f);
}

int main(void)
{
	struct CMUnitTest tests[ARRAY_SIZE(cases)];

	json_init();
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		tests[i] = (struct CMUnitTest){
			.name = cases[i].name, .test_func = check_case, .initial_state = (void *)&cases[i]};
	return cmocka_run_group_tests_name("kinds/service_apply", tests, NULL, NULL);
}
