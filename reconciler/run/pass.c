#include "run/observe.h"
#include "run/origin.h"
#include "run/outcome.h"
#include "run/planfile.h"
#include "run/record.h"
#include "run/run.h"
#include "run/suspension.h"
#include "run/window.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <string.h>

#define PASS_TIMEOUT_MS (INT64_C(30) * 60 * 1000)
#define OBSERVE_TIMEOUT_MS (INT64_C(60) * 1000)
#define SHARED_TIMEOUT_MS (INT64_C(15) * 1000)
#define MAX_PLANS 5  /* plans that change something in one pass, before it says what keeps changing */
#define MAX_BROKEN 2 /* plans of them after a connection that broke */
#define BROKEN_PAUSE_MS 1000
#define MAX_WORKERS 8 /* DESIGN §6 */
#define WAIT_DEFAULT_S 10

struct pass {
	const struct run_options *o;
	const struct run_events *ev;
	struct run_result *result;
	struct spec *spec;
	struct origin *origin;
	struct session *session;
	struct safety *safety;
	struct record record;
	char *state_dir, *backup_dir;
	int64_t deadline;
	json_t *confirmed; /* what was asked for, by resource */
	/* One observation and its plan. */
	struct snapshot *snap;
	struct resource_set *want, *live;
	struct plan *plan;
	int64_t now;       /* the manager's */
	int64_t closes;    /* clock_ms at which the maintenance window ends; 0: none does during this pass */
	struct err unsafe; /* why nothing may be changed; ERR_NONE: it may */
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
	safety_free(p->safety);
	drop_plan(p);
	session_close(p->session);
	record_close(&p->record);
	spec_free(p->spec);
	origin_close(p->origin);
	json_decref(p->confirmed);
	free(p->state_dir);
	free(p->backup_dir);
}

static void say(void *arg, const char *text)
{
	struct pass *p = arg;
	if (p->ev->message)
		p->ev->message(p->ev->arg, text);
}

static void conclude(struct pass *p, int exit_status, char *message)
{
	free(p->result->message);
	p->result->message = message;
	p->result->exit_status = exit_status;
}

static int64_t soon(const struct pass *p)
{
	int64_t limit = clock_ms() + SHARED_TIMEOUT_MS;
	return limit < p->deadline ? limit : p->deadline;
}

static int load_spec(struct pass *p, struct err *err)
{
	CLEANUP(diags_free) struct diags diags = {0};

	if (origin_open(&p->o->source, p->o->saved ? saved_plan_origin(p->o->saved) : p->o->origin, &p->origin, err) <
	    0)
		return -1;
	if (origin_stale(p->origin))
		say(p, origin_stale(p->origin));
	struct spec_input in = origin_input(p->origin, p->o->allow_env);
	int rc = spec_load(&in, &p->spec, &diags, err);
	if (diags.list.n > 0)
		p->ev->findings(p->ev->arg, &diags, in.text);
	if (rc < 0)
		return -1;
	if (p->o->saved && !str_eq(saved_plan_cluster(p->o->saved), spec_cluster(p->spec)))
		return err_set(err, ERR_FAILED, "the saved plan is of cluster %s, and its spec is now of %s",
			       saved_plan_cluster(p->o->saved), spec_cluster(p->spec));
	return 0;
}

static int open_state(struct pass *p, struct err *err)
{
	p->state_dir = p->o->state_dir ? xstrdup(p->o->state_dir) : xasprintf(STATE_ROOT "/%s", spec_cluster(p->spec));
	p->backup_dir = xasprintf("%s/backup", p->state_dir);
	p->record = (struct record){
		.dir = p->state_dir,
		.writable = !p->o->dry_run,
		.events = p->ev,
		.kind = p->o->hold        ? "rollback"
			: p->o->bootstrap ? "bootstrap"
					  : "apply",
		.source = origin_name(p->origin),
		.commit = origin_commit(p->origin),
	};
	if (!p->o->dry_run && (store_lock(p->state_dir, err) < 0 || file_mkdirs(p->backup_dir, 0700, err) < 0))
		return err_wrap(err, "nothing was changed");
	return 0;
}

static json_t *get_evidence(void *pass, const char *key)
{
	return safety_get(((struct pass *)pass)->safety, "gates", key);
}

static void put_evidence(void *pass, const char *key, const json_t *value)
{
	safety_set(((struct pass *)pass)->safety, "gates", key, value ? json_deep_copy(value) : NULL);
}

static int open_session(struct pass *p, struct err *err)
{
	if (session_open(p->spec, p->o->docker_host, p->o->accept_new_hosts, &p->session, err) < 0)
		return -1;
	struct cluster *c = &p->session->cluster;
	p->safety = safety_new(c->engine, c->name);
	c->hooks = safety_hooks(p->safety);
	engine_set_hooks(c->engine, c->hooks);
	for (size_t i = 0; i < c->n_hosts; i++)
		host_set_hooks(c->hosts[i], c->hooks);
	c->backup_dir = p->backup_dir;
	c->evidence_get = get_evidence;
	c->evidence_put = put_evidence;
	c->evidence_arg = p;
	c->may_init = p->o->bootstrap;
	c->refresh_images = p->o->refresh_images || (p->o->saved && saved_plan_refreshes(p->o->saved));
	c->settings = p->o->settings;
	c->dry_run = p->o->dry_run;
	c->rolls_back = p->o->hold != NULL;
	c->digests = p->o->digests;
	return 0;
}

/* Planning */

static void ignore_progress(void *arg, const char *fmt, ...)
{
	(void)arg;
	(void)fmt;
}

static struct render_context context_of(const struct pass *p)
{
	return (struct render_context){
		.cluster = spec_cluster(p->spec),
		.source = origin_name(p->origin),
		.commit = origin_commit(p->origin),
		.engine = engine_address(p->session->cluster.engine),
	};
}

/* A spec is its text and the files that it names; only a commit, or a text that names none, is known to be the same. */
static bool is_last_spec(const struct pass *p)
{
	const json_t *applied = json_object_get(safety_sections(p->safety), "applied");
	const char *commit = origin_commit(p->origin);

	if (commit && str_eq(commit, json_str(applied, "commit")))
		return true;
	const char *digest = origin_is_text_alone(p->origin) ? origin_sha256(p->origin) : "";
	return *digest && str_eq(json_str(applied, "spec"), digest);
}

static bool is_complete(const struct pass *p)
{
	return json_bool(json_object_get(safety_sections(p->safety), "applied"), "complete");
}

static void note_applied(struct pass *p, bool complete)
{
	const char *commit = origin_commit(p->origin);
	const struct {
		const char *key;
		json_t *value;
	} entries[] = {
		{"commit", commit ? json_string(commit) : NULL},
		{"spec", json_string(origin_sha256(p->origin))},
		{"source", json_string(origin_name(p->origin))},
		{"at", json_integer(p->now)},
		{"complete", json_boolean(complete)},
	};
	for (size_t i = 0; i < ARRAY_SIZE(entries); i++)
		safety_set(p->safety, "applied", entries[i].key, entries[i].value);
}

/* What explains the differences is looked up only when there are any. */
static int plan_differences(struct pass *p, struct err *err)
{
	_cleanup_json_ json_t *unmet = outcome_unmet(p->safety);
	_cleanup_free_ char *window = NULL;
	int64_t turns_s = 0;
	struct plan_facts f = {
		.unmet = unmet,
		.shared = safety_sections(p->safety),
		.now = p->now,
		.only = p->o->only,
		.retry = p->o->retry,
		.retry_all = p->o->retry_all,
	};

	if (plan_check_names(p->want, "--only", p->o->only, err) < 0 ||
	    plan_check_names(p->want, "--retry", f.retry, err) < 0)
		return -1;
	/* A rollback is a person's, in the moment when it is needed. */
	if (!p->o->hold && window_state(p->spec, p->now, &window, &turns_s, err) < 0)
		return -1;
	p->closes = !window && turns_s ? clock_ms() + 1000 * turns_s : 0;
	f.window = window;
	f.window_opens_s = window ? turns_s : 0;
	p->plan = build_plan(p->spec, p->snap, p->want, p->live, &f);
	if (plan_is_empty(p->plan))
		return 0;
	plan_free(p->plan);
	f.last = record_last(&p->record);
	f.same_spec = is_complete(p) && is_last_spec(p);
	p->plan = build_plan(p->spec, p->snap, p->want, p->live, &f);
	return 0;
}

static struct saved_view view_of(const struct pass *p)
{
	size_t n;
	const struct kind *const *kinds = kinds_all(&n);

	return (struct saved_view){
		.plan = p->plan,
		.want = p->want,
		.live = p->live,
		.snap = p->snap,
		.cluster = spec_cluster(p->spec),
		.kinds = kinds,
		.n_kinds = n,
		.fingerprint = fingerprint,
	};
}

/* What a saved plan does not say is not done. */
static int check_saved(struct pass *p, struct err *err)
{
	const struct saved_view view = view_of(p);

	if (!p->o->saved)
		return 0;
	saved_plan_narrow(p->o->saved, p->plan);
	return saved_plan_check(p->o->saved, &view, p->result->done == 0, err);
}

static int save_plan(struct pass *p, struct err *err)
{
	const struct render_context ctx = context_of(p);
	const struct saved_view view = view_of(p);
	const struct saved_source src = {
		.plan = render_json(p->plan, &ctx),
		.origin = origin_reference(p->origin),
		.spec = origin_sha256(p->origin),
		.now = p->now,
		.refresh_images = p->o->refresh_images,
	};
	_cleanup_json_ json_t *saved = saved_plan_make(&view, &src);

	return planfile_write(p->o->plan_out, saved, err);
}

/* With the engine of another manager, if the one in use turns out not to be one that works. */
static int observe(struct pass *p, struct err *err)
{
	for (;;) {
		int64_t limit = clock_ms() + OBSERVE_TIMEOUT_MS;
		bool changed = false;
		if (observe_cluster(p->session, p->spec, limit < p->deadline ? limit : p->deadline, &p->snap, err) < 0)
			return -1;
		if (!safety_holds_lease(p->safety) &&
		    session_reconsider(p->session, p->spec, p->snap, &changed, err) < 0)
			return -1;
		if (!changed)
			return 0;
		safety_use_engine(p->safety, p->session->cluster.engine);
		snapshot_free(p->snap);
		p->snap = NULL;
	}
}

static int make_plan(struct pass *p, struct err *err)
{
	drop_plan(p);
	p->unsafe = (struct err){0};
	if (observe(p, err) < 0 || build_resources(p->spec, p->snap, &p->want, &p->live, err) < 0)
		return -1;
	p->now = manager_time(p->snap);
	safety_heed_suspension(p->safety, p->o->hold, p->now);
	if (safety_observe(p->safety, p->snap, &p->unsafe) < 0 && p->unsafe.code == ERR_PROTOCOL)
		say(p, p->unsafe.msg);
	if (plan_differences(p, err) < 0 || check_saved(p, err) < 0)
		return -1;
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

/* Recording */

/* What the shared state is not told now is told by the next write, or found out again by the next run. */
static void flush_shared(struct pass *p)
{
	struct err err = {0};

	if (p->o->dry_run || p->unsafe.code != ERR_NONE)
		return;
	if (safety_flush(p->safety, soon(p), &err) < 0)
		say(p, err.msg);
}

/* From here on nothing else needs to be asked: whoever made the swarm takes the lease before anything is in it. */
static void enter_swarm(struct pass *p)
{
	const struct safety_listener listener = {.say = say, .arg = p};
	struct err err = {0};

	if (safety_swarm_made(p->safety, p->deadline, &listener, &err) < 0)
		say(p, err.msg);
}

static void on_step(void *arg, const struct change *c, const struct step_result *r)
{
	struct pass *p = arg;
	bool ok = !r->held && r->err.code == ERR_NONE;

	if (ok && strcmp(c->kind->name, "swarm") == 0 && !safety_holds_lease(p->safety))
		enter_swarm(p);
	if (ok && c->action != ACTION_VERIFY)
		record_applied(&p->record, c->key, c->desired && c->desired->presence == PRESENT ? c->desired : NULL);
	record_step(&p->record, c, r);
	if (outcome_step(p->safety, c, r, p->now) || (c->action == ACTION_VERIFY && !c->kind->apply))
		flush_shared(p);
}

/* Also what needed no change is applied now: remembered, a later difference is drift. */
static void remember_in_sync(struct pass *p)
{
	for (size_t i = 0; p->record.run && i < resource_count(p->want); i++) {
		const struct resource *r = resource_at(p->want, i);
		const struct resource *live = resource_find(p->live, r->kind, r->name);
		_cleanup_free_ char *key = xasprintf("%s/%s", r->kind, r->name);
		if (r->presence == PRESENT && live && live->presence == PRESENT && json_same(r->body, live->body))
			record_applied(&p->record, key, r);
	}
}

/*
 * Gives the lease back, with everything that others have to know. What the older spec of a rollback does not name may
 * be back soon: nothing is forgotten of it.
 */
static void end_shared(struct pass *p)
{
	struct err err = {0};

	if (p->o->dry_run)
		return;
	if (p->result->done > 0 && safety_holds_lease(p->safety))
		note_applied(p, p->result->exit_status == 0 && p->plan && p->plan->left_out.n == 0);
	if ((p->unsafe.code == ERR_NONE || safety_holds_lease(p->safety)) &&
	    safety_end(p->safety, p->o->hold ? NULL : p->want, p->now, soon(p), &err) < 0)
		say(p, err.msg);
}

/* Converging */

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
	return s.failed ? 1 : s.blocked || s.waiting ? 3 : 0;
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
	end_shared(p); /* nothing is changed while it waits: others may */
	text = xasprintf("waiting %lld s for the gates", (long long)s);
	say(p, text);
	return clock_sleep(s * 1000);
}

static bool is_asked_for(const struct change *c)
{
	return c->state == CHANGE_READY && (change_is_destructive(c) || c->asks);
}

/* Asked again only when a later plan of the pass does something of the kind that no plan before has shown. */
static bool is_confirmed(struct pass *p)
{
	bool news = false;

	for (size_t i = 0; i < p->plan->changes.n; i++) {
		const struct change *c = &p->plan->changes.v[i];
		if (!is_asked_for(c) || json_object_get(p->confirmed, c->key))
			continue;
		json_set_bool(p->confirmed, c->key, true);
		news = true;
	}
	return !news || p->o->yes || (p->ev->confirm && p->ev->confirm(p->ev->arg, p->plan));
}

/* malloc'ed; NULL: the cluster is not suspended, or this run is what suspends it. */
static char *describe_suspension(const struct pass *p)
{
	const json_t *hold = suspension_of(safety_sections(p->safety), SUSPEND_ALL, p->now);
	struct str s = {0};

	/* A rollback goes on from its own hold, and from that of an earlier one; not over what a person suspended. */
	if (!hold || (p->o->hold && (json_object_get(hold, "run") || json_str(hold, "commit"))))
		return NULL;
	suspension_text(hold, &s);
	str_adds(&s, "; `reconcile resume` ends it");
	return str_steal(&s);
}

/* True when this pass must not change anything; it is concluded then. */
static bool is_stopped(struct pass *p)
{
	const char *more = p->result->done ? "more " : "";
	char *suspended = describe_suspension(p);

	if (suspended) {
		conclude(p, 5, xasprintf("nothing %swas changed: %s", more, suspended));
		free(suspended);
		return true;
	}
	if (p->unsafe.code == ERR_NONE || !plan_has_ready(p->plan))
		return false;
	conclude(p, err_exit_status(p->unsafe.code), xasprintf("nothing %swas changed: %s", more, p->unsafe.msg));
	return true;
}

/* Some spec was applied, not to its end: the run waited for something, failed, or was killed. */
static bool was_begun(const struct pass *p)
{
	return json_object_get(safety_sections(p->safety), "applied") && !is_complete(p);
}

/* With nothing left to change: what is known now of what ran before. */
static bool settle(struct pass *p)
{
	remember_in_sync(p);
	p->result->exit_status = status_of_plan(p->plan);
	if (p->unsafe.code == ERR_NONE) {
		outcome_settled(p->safety, p->plan, p->want, p->live);
		if (p->o->hold)
			safety_set(p->safety, "suspended", SUSPEND_ALL, json_deep_copy(p->o->hold));
		if (p->result->exit_status == 0 && p->plan->left_out.n == 0 && was_begun(p))
			note_applied(p, true);
		flush_shared(p);
	}
	return !wait_for_gates(p);
}

static int dry_run(struct pass *p, struct err *err)
{
	char *suspended = describe_suspension(p);

	if (suspended)
		say(p, suspended);
	free(suspended);
	p->result->exit_status = status_of_plan(p->plan);
	if (p->result->exit_status == 0 && plan_changes_something(p->plan))
		p->result->exit_status = 2;
	return p->o->plan_out ? save_plan(p, err) : 0;
}

static void record_this_plan(struct pass *p)
{
	struct render_context ctx = context_of(p);
	_cleanup_json_ json_t *body = render_json(p->plan, &ctx);

	record_plan(&p->record, body, p->result->plans);
}

static int apply_once(struct pass *p, struct apply_result *r, struct err *err)
{
	struct apply_options ao = {
		.cluster = &p->session->cluster,
		.snap = p->snap,
		.want = p->want,
		.workers = MAX_WORKERS,
		.deadline = p->deadline,
		.disrupts_until = p->closes,
		.events = p->ev,
		.recorded = on_step,
		.recorded_arg = p,
	};

	if (!p->record.origin)
		p->record.origin = origin_record(p->origin, p->spec, p->want);
	if (p->plan->left_out.n > 0)
		json_set_bool(p->record.origin, "partial", true);
	record_this_plan(p);
	if (apply_plan(p->plan, &ao, r, err) < 0)
		return -1;
	p->result->done += r->done;
	p->result->failed = r->failed;
	p->result->interrupted = r->interrupted;
	p->result->skipped = r->skipped;
	return 0;
}

/* Takes the lease, if something is to be changed. False: what the plan was made of has changed; plan again. */
static int begin_changes(struct pass *p, bool *current, struct err *err)
{
	const struct safety_listener listener = {.say = say, .arg = p};

	*current = true;
	if (!plan_changes_something(p->plan))
		return 0;
	if (p->o->hold)
		safety_set(p->safety, "suspended", SUSPEND_ALL, json_deep_copy(p->o->hold));
	outcome_begun(p->safety, p->plan, p->now);
	if (!is_complete(p) || !is_last_spec(p)) /* else it repairs, and stays applied to its end */
		note_applied(p, false);
	if (safety_holds_lease(p->safety))
		return safety_flush(p->safety, soon(p), err);
	if (safety_begin(p->safety, p->deadline, &listener, err) == 0)
		return 0;
	safety_discard(p->safety);
	*current = err->code != ERR_OUT_OF_SEQUENCE;
	return *current ? -1 : 0;
}

/* How often plans were made in this pass, by what made the next one necessary. */
struct rounds {
	int changing, broken;
};

static void judge(struct pass *p, const struct apply_result *ar, struct rounds *n, bool *over)
{
	*over = true;
	if (ar->cancelled) {
		conclude(p, 1, xstrdup("interrupted; run again to go on"));
	} else if (ar->failed && ar->disconnected && !ar->out_of_sequence && n->broken < MAX_BROKEN) {
		n->broken++;
		*over = !clock_sleep(BROKEN_PAUSE_MS);
		p->result->exit_status = err_exit_status(ar->worst);
	} else if (ar->failed && !ar->out_of_sequence) {
		p->result->exit_status = err_exit_status(ar->worst);
	} else if (clock_left(p->deadline) == 0) {
		conclude(p, 3, xstrdup("the time for this pass is over; run again to go on"));
	} else {
		*over = false;
	}
}

/* One observation, plan and apply; *over when there is nothing more to do in this pass. */
static int converge_once(struct pass *p, struct rounds *n, bool *over, struct err *err)
{
	struct apply_result ar;
	bool current;

	*over = true;
	if (make_plan(p, err) < 0)
		return -1;
	if (p->o->dry_run)
		return dry_run(p, err);
	if (is_stopped(p))
		return 0;
	flush_shared(p);
	if (!plan_has_ready(p->plan)) {
		*over = settle(p);
		*n = (struct rounds){0}; /* nothing was left to change: nobody keeps changing it */
		return 0;
	}
	if (++n->changing > MAX_PLANS) {
		conclude(p, 1, describe_contested(p->plan));
		return 0;
	}
	if (!is_confirmed(p)) {
		conclude(p, 1, xasprintf("not confirmed: nothing %swas changed", p->result->done ? "more " : ""));
		return 0;
	}
	if (begin_changes(p, &current, err) < 0)
		return -1;
	if (!current) {
		*over = false;
		return 0;
	}
	if (apply_once(p, &ar, err) < 0)
		return -1;
	judge(p, &ar, n, over);
	return 0;
}

static int converge(struct pass *p, struct err *err)
{
	struct rounds n = {0};
	bool over = false;

	while (!over)
		if (converge_once(p, &n, &over, err) < 0)
			return -1;
	return 0;
}

/*
 * A spec that the cluster agrees with already (imported, written after the fact, a commit that changes nothing there)
 * is a run as well, once: it is what a rollback from the next one goes back to.
 */
static void record_new_spec(struct pass *p)
{
	if (p->o->dry_run || p->o->hold || p->record.run || !p->plan || p->result->exit_status != 0 ||
	    p->plan->left_out.n > 0 || is_last_spec(p))
		return;
	p->record.origin = origin_record(p->origin, p->spec, p->want);
	if (record_has_spec(&p->record))
		return;
	record_this_plan(p);
	remember_in_sync(p);
}

int run_pass(const struct run_options *o, const struct run_events *ev, struct run_result *result, struct err *err)
{
	CLEANUP(pass_free) struct pass p = {.o = o, .ev = ev, .result = result, .confirmed = json_object()};

	*result = (struct run_result){0};
	p.deadline = clock_ms() + (o->timeout_ms ? o->timeout_ms : PASS_TIMEOUT_MS);
	if (load_spec(&p, err) < 0 || open_state(&p, err) < 0 || open_session(&p, err) < 0)
		return -1;
	int rc = converge(&p, err);
	if (rc < 0)
		result->exit_status = err_exit_status(err->code);
	else
		record_new_spec(&p);
	end_shared(&p);
	_cleanup_json_ json_t *digests = p.snap ? digests_of(p.snap, spec_cluster(p.spec)) : NULL;
	record_end(&p.record, result->exit_status, rc < 0 ? err->msg : result->message, digests);
	return rc;
}
