#include "run/apply.h"
#include "run/evidence.h"
#include "run/observe.h"
#include "run/run.h"
#include "state/store.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <string.h>

#define PASS_TIMEOUT_MS (INT64_C(30) * 60 * 1000)
#define OBSERVE_TIMEOUT_MS (INT64_C(60) * 1000)
#define MAX_PLANS 5   /* plans that change something in one pass, before it says what keeps changing */
#define MAX_WORKERS 8 /* DESIGN §6 */
#define WAIT_DEFAULT_S 10
#define UNMET "unmet" /* evidence: gates to ask again although nothing that they look at changes any more */
#define STATE_ROOT "/var/lib/reconcile"

struct pass {
	const struct run_options *o;
	const struct run_events *ev;
	struct run_result *result;
	struct spec *spec;
	struct source *source;
	struct session *session;
	struct store *store; /* NULL: none (a dry run on a machine without one) */
	struct evidence *evidence;
	char *state_dir, *backup_dir;
	json_t *last;
	int64_t deadline;
	bool confirmed; /* removals */
	int64_t run;    /* row of the record; 0: nothing recorded yet */
	/* One observation and its plan. */
	struct snapshot *snap;
	struct resource_set *want, *live;
	struct plan *plan;
};

void run_result_free(struct run_result *r)
{
	free(r->message);
	r->message = NULL;
}

static void drop_plan(struct pass *p)
{
	plan_free(p->plan);
	resource_set_free(p->want);
	resource_set_free(p->live);
	snapshot_free(p->snap);
	p->plan = NULL;
	p->want = p->live = NULL;
	p->snap = NULL;
}

static void pass_free(struct pass *p)
{
	drop_plan(p);
	session_close(p->session);
	store_close(p->store);
	evidence_free(p->evidence);
	json_decref(p->last);
	spec_free(p->spec);
	source_close(p->source);
	free(p->state_dir);
	free(p->backup_dir);
}

static void say(struct pass *p, const char *text)
{
	if (p->ev->message)
		p->ev->message(p->ev->arg, text);
}

/* The record is worth having and nothing depends on it: failing to write it is said, not fatal. */
static void say_unrecorded(struct pass *p, const struct err *err)
{
	_cleanup_free_ char *text = xasprintf("this run is not recorded: %s", err->msg);
	say(p, text);
	store_close(p->store);
	p->store = NULL;
}

static int load_spec(struct pass *p, struct err *err)
{
	CLEANUP(diags_free) struct diags diags = {0};

	if (source_open(&p->o->source, &p->source, err) < 0)
		return -1;
	if (source_stale(p->source))
		say(p, source_stale(p->source));
	const struct str *text = source_text(p->source);
	struct spec_input in = {
		.name = source_name(p->source),
		.text = str_cstr(text),
		.len = text->len,
		.files = source_files(p->source),
		.allow_env = p->o->allow_env,
	};
	int rc = spec_load(&in, &p->spec, &diags, err);
	if (diags.list.n > 0)
		p->ev->findings(p->ev->arg, &diags, str_cstr(text));
	return rc;
}

static int open_state(struct pass *p, struct err *err)
{
	p->state_dir = p->o->state_dir ? xstrdup(p->o->state_dir) : xasprintf(STATE_ROOT "/%s", spec_cluster(p->spec));
	p->backup_dir = xasprintf("%s/backup", p->state_dir);
	if (!p->o->dry_run && (store_lock(p->state_dir, err) < 0 || file_mkdirs(p->backup_dir, 0700, err) < 0))
		return err_wrap(err, "nothing was changed");
	return 0;
}

/*
 * The store is opened when something in it is asked for: a pass that finds
 * nothing to change does without. Always on the main thread first: before any
 * gate is asked there, and before anything is applied.
 */
static void need_store(struct pass *p)
{
	struct err why = {0};
	json_t *evidence = NULL;

	if (p->evidence)
		return;
	if (store_open(p->state_dir, !p->o->dry_run, &p->store, &why) < 0 ||
	    store_applied(p->store, &p->last, &why) < 0 || store_evidence(p->store, &evidence, &why) < 0) {
		if (why.code != ERR_NOT_FOUND || !p->o->dry_run)
			say_unrecorded(p, &why);
	}
	p->evidence = evidence_new(evidence);
	p->last = p->last ? p->last : json_object();
}

static json_t *get_evidence(void *pass, const char *key)
{
	struct pass *p = pass;
	need_store(p);
	return evidence_get(p->evidence, key);
}

static void put_evidence(void *pass, const char *key, const json_t *value)
{
	struct pass *p = pass;
	need_store(p);
	evidence_put(p->evidence, key, value);
}

static int open_session(struct pass *p, struct err *err)
{
	if (session_open(p->spec, p->o->docker_host, &p->session, err) < 0)
		return -1;
	struct cluster *c = &p->session->cluster;
	c->backup_dir = p->backup_dir;
	c->evidence_get = get_evidence;
	c->evidence_put = put_evidence;
	c->evidence_arg = p;
	c->may_init = p->o->bootstrap;
	c->refresh_images = p->o->refresh_images;
	return 0;
}

static void ignore_progress(void *arg, const char *fmt, ...)
{
	(void)arg;
	(void)fmt;
}

static bool has_gates(const struct resource_set *want)
{
	for (size_t i = 0; i < resource_count(want); i++) {
		const struct kind *k = kind_find(resource_at(want, i)->kind);
		if (k && k->gate && !k->apply)
			return true;
	}
	return false;
}

static struct render_context context_of(const struct pass *p)
{
	return (struct render_context){
		.cluster = spec_cluster(p->spec),
		.source = source_name(p->source),
		.commit = source_commit(p->source),
		.engine = engine_address(p->session->cluster.engine),
	};
}

static int make_plan(struct pass *p, struct err *err)
{
	int64_t limit = clock_ms() + OBSERVE_TIMEOUT_MS;

	drop_plan(p);
	if (observe_cluster(p->session, p->spec, limit < p->deadline ? limit : p->deadline, &p->snap, err) < 0 ||
	    build_resources(p->spec, p->snap, &p->want, &p->live, err) < 0)
		return -1;
	_cleanup_json_ json_t *unmet = has_gates(p->want) ? get_evidence(p, UNMET) : NULL;
	p->plan = build_plan(p->spec, p->snap, p->want, p->live, p->last, unmet);
	if (!p->evidence && !plan_is_empty(p->plan)) {
		need_store(p); /* what was applied last explains the differences */
		plan_free(p->plan);
		p->plan = build_plan(p->spec, p->snap, p->want, p->live, p->last, unmet);
	}
	struct apply a = {
		.cluster = &p->session->cluster,
		.snap = p->snap,
		.want = p->want,
		.progress = ignore_progress,
		.deadline = p->deadline,
	};
	if (ask_gates(p->plan, &a, err) < 0)
		return -1;
	struct render_context ctx = context_of(p);
	p->result->plans++;
	p->ev->planned(p->ev->arg, p->plan, &ctx, p->result->plans);
	return 0;
}

static void record_plan(struct pass *p)
{
	struct err err = {0};
	struct render_context ctx = context_of(p);

	if (!p->store)
		return;
	_cleanup_json_ json_t *body = render_json(p->plan, &ctx);
	if ((p->run == 0 && store_run_begin(p->store, ctx.source, ctx.commit, &p->run, &err) < 0) ||
	    store_run_plan(p->store, p->run, p->result->plans, body, &err) < 0)
		say_unrecorded(p, &err);
}

static void remember_applied(struct pass *p, const char *key, const json_t *body)
{
	struct err err = {0};
	if (body)
		json_set(p->last, key, json_deep_copy(body));
	else
		json_object_del(p->last, key);
	if (p->store && store_set_applied(p->store, key, body, &err) < 0)
		say_unrecorded(p, &err);
}

/* Before any wait: since when a gate has been watched must survive a kill. */
static void flush_evidence(struct pass *p)
{
	struct err err = {0};
	if (p->store && !p->o->dry_run && evidence_flush(p->evidence, p->store, &err) < 0)
		say_unrecorded(p, &err);
}

static void set_unmet(struct pass *p, const char *key, bool unmet)
{
	_cleanup_json_ json_t *all = get_evidence(p, UNMET);
	bool known = json_object_get(all, key) != NULL;

	if (known == unmet)
		return;
	all = all ? all : json_object();
	if (unmet)
		json_set_bool(all, key, true);
	else
		json_object_del(all, key);
	put_evidence(p, UNMET, json_object_size(all) ? all : NULL);
}

static void record_step(void *arg, const struct change *c, const struct step_result *r)
{
	struct pass *p = arg;
	struct err err = {0};
	bool ok = !r->held && r->err.code == ERR_NONE;
	const char *outcome = r->held ? "held" : ok ? "done" : err_code_name(r->err.code);
	const char *message = r->held ? r->reason : ok ? NULL : r->err.msg;

	if (c->action == ACTION_VERIFY)
		set_unmet(p, c->key, !ok);
	else if (ok)
		remember_applied(p, c->key, c->desired && c->desired->presence == PRESENT ? c->desired->body : NULL);
	if (p->store && store_run_step(p->store, p->run, p->result->plans, c->key, action_name(c->action), outcome,
				       message, r->ms, &err) < 0)
		say_unrecorded(p, &err);
	flush_evidence(p);
}

/* Also what needed no change is applied now: remembered, a later difference is drift. */
static void remember_in_sync(struct pass *p)
{
	for (size_t i = 0; p->run && i < resource_count(p->want); i++) {
		const struct resource *r = resource_at(p->want, i);
		const struct resource *live = resource_find(p->live, r->kind, r->name);
		_cleanup_free_ char *key = xasprintf("%s/%s", r->kind, r->name);
		if (r->presence == PRESENT && live && live->presence == PRESENT && json_same(r->body, live->body) &&
		    !json_same(r->body, json_object_get(p->last, key)))
			remember_applied(p, key, r->body);
	}
}

/* With nothing to change, a gate of the plan either holds or is held. */
static void remember_gates(struct pass *p)
{
	for (size_t i = 0; i < p->plan->changes.n; i++) {
		const struct change *c = &p->plan->changes.v[i];
		if (c->action == ACTION_VERIFY && !c->kind->apply)
			set_unmet(p, c->key, c->state != CHANGE_READY);
	}
}

static int apply_once(struct pass *p, struct apply_result *r, struct err *err)
{
	struct apply_options ao = {
		.cluster = &p->session->cluster,
		.snap = p->snap,
		.want = p->want,
		.workers = MAX_WORKERS,
		.deadline = p->deadline,
		.events = p->ev,
		.recorded = record_step,
		.recorded_arg = p,
	};

	record_plan(p);
	if (apply_plan(p->plan, &ao, r, err) < 0)
		return -1;
	p->result->done += r->done;
	p->result->failed = r->failed;
	p->result->interrupted = r->interrupted;
	p->result->skipped = r->skipped;
	return 0;
}

static char *describe_contested(const struct plan *p)
{
	struct str s = {0};
	str_addf(&s,
		 "after %d plans the cluster still differs from the spec; somebody else keeps changing:", MAX_PLANS);
	for (size_t i = 0; i < p->changes.n; i++) {
		const struct change *c = &p->changes.v[i];
		if (c->state != CHANGE_READY)
			continue;
		str_addf(&s, " %s", c->key);
		for (size_t k = 0; k < c->fields.n && k < 3; k++)
			str_addf(&s, "%s%s", k ? ", " : " (", c->fields.v[k].path);
		str_adds(&s, c->fields.n ? ")" : "");
	}
	return str_steal(&s);
}

static int status_of_plan(const struct plan *p)
{
	struct plan_summary s = plan_summarize(p);
	return s.blocked || s.waiting ? 3 : 0;
}

static bool wait_for_gates(struct pass *p)
{
	int64_t s = plan_retry_after(p->plan);
	_cleanup_free_ char *text = NULL;

	if (!p->o->wait || plan_summarize(p->plan).waiting == 0)
		return false;
	s = s > 0 ? s : WAIT_DEFAULT_S;
	if (s * 1000 > clock_left(p->deadline))
		return false;
	text = xasprintf("waiting %lld s for the gates", (long long)s);
	say(p, text);
	return clock_sleep(s * 1000);
}

/* Asked once in a pass, also when only a later plan removes something. */
static bool is_confirmed(struct pass *p)
{
	if (!p->confirmed && plan_is_destructive(p->plan) && !p->o->yes)
		p->confirmed = p->ev->confirm && p->ev->confirm(p->ev->arg, p->plan);
	return p->confirmed || p->o->yes || !plan_is_destructive(p->plan);
}

/* One observation, plan and apply; *over when there is nothing more to do in this pass. */
static int converge_once(struct pass *p, int *changing_plans, bool *over, struct err *err)
{
	struct apply_result ar;

	*over = true;
	if (make_plan(p, err) < 0)
		return -1;
	flush_evidence(p);
	if (p->o->dry_run) {
		p->result->exit_status = status_of_plan(p->plan);
		if (p->result->exit_status == 0 && plan_has_ready(p->plan))
			p->result->exit_status = 2;
		return 0;
	}
	if (!plan_has_ready(p->plan)) {
		remember_in_sync(p);
		remember_gates(p);
		flush_evidence(p);
		p->result->exit_status = status_of_plan(p->plan);
		*over = !wait_for_gates(p);
		return 0;
	}
	if (++*changing_plans > MAX_PLANS) {
		p->result->message = describe_contested(p->plan);
		p->result->exit_status = 1;
		return 0;
	}
	if (!is_confirmed(p)) {
		p->result->message = xasprintf("not confirmed: nothing %swas changed", p->result->done ? "more " : "");
		p->result->exit_status = 1;
		return 0;
	}
	if (apply_once(p, &ar, err) < 0)
		return -1;
	if (ar.cancelled) {
		p->result->message = xstrdup("interrupted; run again to go on");
		p->result->exit_status = 1;
	} else if (ar.failed && !ar.out_of_sequence) {
		p->result->exit_status = err_exit_status(ar.worst);
	} else if (clock_left(p->deadline) == 0) {
		p->result->message = xstrdup("the time for this pass is over; run again to go on");
		p->result->exit_status = 3;
	} else {
		*over = false;
	}
	return 0;
}

static int converge(struct pass *p, struct err *err)
{
	int changing_plans = 0;
	bool over = false;

	while (!over)
		if (converge_once(p, &changing_plans, &over, err) < 0)
			return -1;
	return 0;
}

static void record_end(struct pass *p, const char *message)
{
	struct err err = {0};
	flush_evidence(p);
	if (p->store && p->run && store_run_end(p->store, p->run, p->result->exit_status, message, &err) < 0)
		say_unrecorded(p, &err);
}

int run_pass(const struct run_options *o, const struct run_events *ev, struct run_result *result, struct err *err)
{
	CLEANUP(pass_free) struct pass p = {.o = o, .ev = ev, .result = result};

	*result = (struct run_result){0};
	p.deadline = clock_ms() + (o->timeout_ms ? o->timeout_ms : PASS_TIMEOUT_MS);
	if (load_spec(&p, err) < 0 || open_state(&p, err) < 0 || open_session(&p, err) < 0)
		return -1;
	int rc = converge(&p, err);
	if (rc < 0)
		result->exit_status = err_exit_status(err->code);
	record_end(&p, rc < 0 ? err->msg : result->message);
	return rc;
}
