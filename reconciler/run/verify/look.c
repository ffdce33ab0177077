/* Looking: the observation and the plan of a pass, and every gate asked. */
#include "run/verify/verify.h"

#include "run/observe.h"
#include "run/safety.h"
#include "run/session.h"
#include "sys/clock.h"

#include <string.h>

#define OBSERVE_MS 60000
#define PAUSE_MS 1000

struct looking {
	const struct verify_options *o;
	struct session *session;
	struct safety *safety;
	json_t *evidence; /* of gates, from one look to the next; nothing of it is written */
	int64_t deadline;
};

static void looking_free(struct looking *l)
{
	safety_free(l->safety);
	session_close(l->session);
	json_decref(l->evidence);
}

/* What earlier runs saw counts, too: a server that has been up for long needs no other health check. */
static json_t *get_evidence(void *arg, const char *key)
{
	struct looking *l = arg;
	json_t *own = json_object_get(l->evidence, key);
	return own ? json_incref(own) : safety_get(l->safety, "gates", key);
}

static void put_evidence(void *arg, const char *key, const json_t *value)
{
	struct looking *l = arg;
	if (value)
		json_set(l->evidence, key, json_deep_copy(value));
	else
		json_object_del(l->evidence, key);
}

static void ignore_progress(void *arg, const char *fmt, ...)
{
	(void)arg;
	(void)fmt;
}

static int ask_gate(struct apply *a, const struct resource *want, json_t *gates, struct err *err)
{
	_cleanup_free_ char *key = xasprintf("%s/%s", want->kind, want->name);
	const struct change c = {
		.action = ACTION_VERIFY, .kind = kind_find(want->kind), .key = key, .desired = want, .live = want};
	struct gate g = {0};
	struct err why = {0};

	a->deadline = clock_ms() + OBSERVE_MS; /* each has its own: none is unknown because others were slow */
	if (c.kind->gate(a, &c, true, &g, &why) < 0) {
		if (why.code == ERR_CANCELLED)
			return err_set(err, why.code, "%s", why.msg);
		json_set(gates, key, json_pack("{s:s}", "reason", why.msg));
		return 0;
	}
	json_t *j = json_pack("{s:b, s:b, s:b}", "met", g.met, "waiting", g.waiting, "unknown", g.unknown);
	json_set_str(j, "reason", g.reason);
	json_set(gates, key, j);
	free(g.reason);
	return 0;
}

static int ask_gates(struct looking *l, const struct snapshot *snap, const struct resource_set *want, json_t *gates,
		     struct err *err)
{
	struct apply a = {
		.cluster = &l->session->cluster,
		.snap = snap,
		.want = want,
		.progress = ignore_progress,
	};
	int rc = 0;

	for (size_t i = 0; i < resource_count(want) && rc == 0; i++) {
		const struct resource *r = resource_at(want, i);
		const struct kind *k = kind_find(r->kind);
		if (k && k->gate && !k->apply)
			rc = ask_gate(&a, r, gates, err);
	}
	return rc;
}

/* The engine that was taken first may turn out to be none that can tell. */
static int observe(struct looking *l, struct snapshot **snap, struct err *err)
{
	for (;;) {
		bool changed = false;
		if (observe_cluster(l->session, l->o->spec, clock_ms() + OBSERVE_MS, snap, err) < 0)
			return -1;
		if (session_reconsider(l->session, l->o->spec, *snap, &changed, err) < 0) {
			snapshot_free(*snap);
			return -1;
		}
		if (!changed)
			return 0;
		safety_use_engine(l->safety, l->session->cluster.engine);
		snapshot_free(*snap);
	}
}

static int judge(struct looking *l, const struct snapshot *snap, json_t **out, struct err *err)
{
	struct resource_set *want, *live;
	_cleanup_json_ json_t *gates = json_object();
	struct err ignored = {0};

	if (build_resources(l->o->spec, snap, &want, &live, err) < 0)
		return -1;
	int unsafe = safety_observe(l->safety, snap, &ignored);
	const struct plan_facts facts = {.shared = unsafe < 0 ? NULL : safety_sections(l->safety),
					 .now = manager_time(snap)};
	struct plan *plan = build_plan(l->o->spec, snap, want, live, &facts);
	int rc = ask_gates(l, snap, want, gates, err);
	const struct verify_facts f = {
		.spec = l->o->spec,
		.snap = snap,
		.want = want,
		.live = live,
		.plan = plan,
		.gates = gates,
		.engine = engine_address(l->session->cluster.engine),
	};
	if (rc == 0)
		*out = verify_make(&f);
	plan_free(plan);
	resource_set_free(want);
	resource_set_free(live);
	return rc;
}

static int open_all(struct looking *l, struct err *err)
{
	if (session_open(l->o->spec, l->o->docker_host, false, &l->session, err) < 0)
		return -1;
	struct cluster *c = &l->session->cluster;
	c->evidence_get = get_evidence;
	c->evidence_put = put_evidence;
	c->evidence_arg = l;
	c->settings = l->o->settings;
	c->dry_run = true;
	l->safety = safety_new(c->engine, c->name);
	return 0;
}

int verify_look(const struct verify_options *o, json_t **out, struct err *err)
{
	CLEANUP(looking_free)
	struct looking l = {.o = o, .evidence = json_object(), .deadline = clock_ms() + o->timeout_ms};

	if (open_all(&l, err) < 0)
		return -1;
	for (;;) {
		struct snapshot *snap;
		json_t *doc;
		if (observe(&l, &snap, err) < 0)
			return -1;
		int rc = judge(&l, snap, &doc, err);
		snapshot_free(snap);
		if (rc < 0)
			return -1;
		if (!verify_may_change(doc) || clock_left(l.deadline) == 0) {
			*out = doc;
			return 0;
		}
		json_decref(doc);
		if (!clock_sleep(PAUSE_MS))
			return err_set(err, ERR_CANCELLED, "verifying the cluster: interrupted");
	}
}
