#include "run/apply.h"

#include "sys/clock.h"
#include "sys/mutation.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define STEP_TIMEOUT_MS (INT64_C(10) * 60 * 1000)
#define POLL_MS 100 /* how soon Ctrl-C is noticed while steps run */

enum event_type { EVENT_PROGRESS, EVENT_FINISHED };

struct event {
	enum event_type type;
	size_t change;
	char *text;                 /* progress */
	struct step_result *result; /* finished */
};

struct pool {
	const struct plan *plan;
	const struct apply_options *o;
	pthread_mutex_t lock;
	pthread_cond_t work_ready, event_ready;
	VEC(size_t) work;
	VEC(struct event) events;
	bool closing;
};

struct worker {
	struct pool *pool;
	pthread_t thread;
	bool started;
	struct cluster cluster;
	size_t change; /* the one in work, for progress */
};

static void push_event(struct pool *p, struct event e)
{
	pthread_mutex_lock(&p->lock);
	vec_push(&p->events, e);
	pthread_cond_signal(&p->event_ready);
	pthread_mutex_unlock(&p->lock);
}

__attribute__((format(printf, 2, 3))) static void on_progress(void *arg, const char *fmt, ...)
{
	struct worker *w = arg;
	char text[512];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	push_event(w->pool, (struct event){.type = EVENT_PROGRESS, .change = w->change, .text = xstrdup(text)});
}

/* The gate is asked again right before the change: what held when the plan was made may not hold now. */
static int pass_gate(struct apply *a, const struct change *c, struct step_result *r)
{
	struct gate g = {0};

	if (!c->kind->gate)
		return 0;
	if (c->kind->gate(a, c, false, &g, &r->err) < 0)
		return -1;
	r->held = !g.met;
	r->retry_after_s = g.retry_after_s;
	if (g.met)
		free(g.reason);
	else
		r->reason = g.reason ? g.reason : xstrdup("its gate does not hold");
	return g.met ? 0 : -1;
}

static int64_t step_timeout(const struct change *c)
{
	int64_t ms = c->kind->patience_ms ? c->kind->patience_ms(c) : 0;
	return ms > STEP_TIMEOUT_MS ? ms : STEP_TIMEOUT_MS;
}

/* No failure: the next plan shows it as held. */
static void hold_if_suspended(struct step_result *r)
{
	if (r->err.code != ERR_SUSPENDED)
		return;
	r->held = true;
	r->reason = xstrdup(r->err.msg);
}

static struct step_result *make_change(struct worker *w, const struct change *c)
{
	const struct apply_options *o = w->pool->o;
	struct step_result *r = xcalloc(1, sizeof(*r));
	int64_t start = clock_ms(), limit = start + step_timeout(c);
	struct apply a = {
		.cluster = &w->cluster,
		.snap = o->snap,
		.want = o->want,
		.progress = on_progress,
		.progress_arg = w,
		.deadline = limit < o->deadline ? limit : o->deadline,
	};

	mutation_set_subject(c->key);
	if (pass_gate(&a, c, r) == 0 && c->kind->apply && c->kind->apply(&a, c, &r->err) < 0) {
		hold_if_suspended(r);
		err_wrap(&r->err, "%s", c->key);
	}
	mutation_set_subject(NULL);
	r->ms = clock_ms() - start;
	return r;
}

static void *work(void *arg)
{
	struct worker *w = arg;
	struct pool *p = w->pool;

	for (;;) {
		pthread_mutex_lock(&p->lock);
		while (p->work.n == 0 && !p->closing)
			pthread_cond_wait(&p->work_ready, &p->lock);
		if (p->work.n == 0) {
			pthread_mutex_unlock(&p->lock);
			return NULL;
		}
		w->change = p->work.v[0];
		memmove(p->work.v, p->work.v + 1, --p->work.n * sizeof(*p->work.v));
		pthread_mutex_unlock(&p->lock);
		struct step_result *r = make_change(w, &p->plan->changes.v[w->change]);
		push_event(p, (struct event){.type = EVENT_FINISHED, .change = w->change, .result = r});
	}
}

static bool next_event(struct pool *p, struct event *e)
{
	struct timespec until;
	bool got;

	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_nsec += POLL_MS * 1000000L;
	until.tv_sec += until.tv_nsec / 1000000000L;
	until.tv_nsec %= 1000000000L;
	pthread_mutex_lock(&p->lock);
	if (p->events.n == 0)
		pthread_cond_timedwait(&p->event_ready, &p->lock, &until);
	got = p->events.n > 0;
	if (got) {
		*e = p->events.v[0];
		memmove(p->events.v, p->events.v + 1, --p->events.n * sizeof(*p->events.v));
	}
	pthread_mutex_unlock(&p->lock);
	return got;
}

/* Whether the change was made is not known; the next observation tells. */
static bool broke_off(enum err_code code)
{
	return code == ERR_OUT_OF_SEQUENCE || code == ERR_UNREACHABLE || code == ERR_PROTOCOL;
}

static void take_result(struct pool *p, struct schedule *s, size_t i, struct step_result *step, struct apply_result *r)
{
	const struct change *c = &p->plan->changes.v[i];
	const struct run_events *ev = p->o->events;
	bool ok = !step->held && step->err.code == ERR_NONE;

	schedule_finish(s, i, ok);
	if (p->o->recorded)
		p->o->recorded(p->o->recorded_arg, c, step);
	if (step->held) {
		r->held++;
		ev->skipped(ev->arg, c, step->reason);
	} else {
		ev->finished(ev->arg, c, ok ? NULL : &step->err, step->ms);
		r->done += ok;
		r->interrupted += step->err.code == ERR_CANCELLED;
		r->failed += !ok && step->err.code != ERR_CANCELLED;
	}
	if (!ok && !step->held) {
		r->out_of_sequence &= step->err.code == ERR_OUT_OF_SEQUENCE;
		r->disconnected &= broke_off(step->err.code);
		if (r->worst == ERR_NONE || err_exit_status(step->err.code) == 1)
			r->worst = step->err.code;
	}
	free(step->reason);
	free(step);
}

static bool is_too_late(const struct pool *p, const struct change *c)
{
	return p->o->disrupts_until && change_waits_for_window(c) && clock_left(p->o->disrupts_until) == 0;
}

static struct step_result *too_late(void)
{
	struct step_result *step = xcalloc(1, sizeof(*step));

	step->held = true;
	step->reason = xstrdup("the maintenance window has closed since the plan was made");
	return step;
}

static void hand_out(struct pool *p, struct schedule *s, struct apply_result *r, size_t *running)
{
	const struct run_events *ev = p->o->events;
	size_t i;

	while (*running < p->o->workers && schedule_next(s, &i)) {
		if (is_too_late(p, &p->plan->changes.v[i])) {
			take_result(p, s, i, too_late(), r);
			continue;
		}
		ev->started(ev->arg, &p->plan->changes.v[i]);
		pthread_mutex_lock(&p->lock);
		vec_push(&p->work, i);
		pthread_cond_signal(&p->work_ready);
		pthread_mutex_unlock(&p->lock);
		(*running)++;
	}
}

static void run_schedule(struct pool *p, struct schedule *s, struct apply_result *r)
{
	const struct run_events *ev = p->o->events;
	size_t running = 0;
	struct event e;

	for (;;) {
		if (!r->cancelled && (cancel_requested() || clock_left(p->o->deadline) == 0)) {
			r->cancelled = cancel_requested();
			schedule_stop(s);
		}
		hand_out(p, s, r, &running);
		if (running == 0)
			return;
		if (!next_event(p, &e))
			continue;
		if (e.type == EVENT_PROGRESS) {
			ev->progress(ev->arg, &p->plan->changes.v[e.change], e.text);
			free(e.text);
		} else {
			running--;
			take_result(p, s, e.change, e.result, r);
		}
	}
}

static char *why_not_started(const struct plan *p, const struct schedule *s, const struct apply_result *r, size_t i)
{
	const struct change *c = &p->changes.v[i];

	for (size_t k = 0; k < c->requires.n; k++)
		if (schedule_outcome(s, c->requires.v[k]) != OUTCOME_DONE)
			return xasprintf("needs %s first", p->changes.v[c->requires.v[k]].key);
	if (r->cancelled)
		return xstrdup("interrupted");
	return xstrdup(r->failed ? "nothing is removed after a failure" : "the time for this pass is over");
}

static void tell_not_started(const struct pool *p, const struct schedule *s, struct apply_result *r)
{
	const struct run_events *ev = p->o->events;

	for (size_t i = 0; i < p->plan->changes.n; i++) {
		const struct change *c = &p->plan->changes.v[i];
		if (c->state != CHANGE_READY || schedule_outcome(s, i) != OUTCOME_SKIPPED)
			continue;
		_cleanup_free_ char *why = why_not_started(p->plan, s, r, i);
		ev->skipped(ev->arg, c, why);
		r->skipped++;
	}
}

static int start_workers(struct pool *p, struct worker *workers, struct err *err)
{
	for (size_t i = 0; i < p->o->workers; i++) {
		struct worker *w = &workers[i];
		w->pool = p;
		w->cluster = *p->o->cluster;
		w->cluster.node_engines = NULL;
		w->cluster.engine = engine_dup(p->o->cluster->engine);
		int rc = pthread_create(&w->thread, NULL, work, w);
		if (rc != 0) {
			engine_close(w->cluster.engine);
			return err_set(err, ERR_SYSTEM, "starting a worker thread: %s", strerror(rc));
		}
		w->started = true;
	}
	return 0;
}

static void stop_workers(struct pool *p, struct worker *workers)
{
	pthread_mutex_lock(&p->lock);
	p->closing = true;
	pthread_cond_broadcast(&p->work_ready);
	pthread_mutex_unlock(&p->lock);
	for (size_t i = 0; i < p->o->workers; i++) {
		if (!workers[i].started)
			continue;
		pthread_join(workers[i].thread, NULL);
		cluster_close_engines(&workers[i].cluster);
		engine_close(workers[i].cluster.engine);
	}
}

int apply_plan(const struct plan *plan, const struct apply_options *o, struct apply_result *r, struct err *err)
{
	struct pool p = {.plan = plan, .o = o};
	struct worker *workers = xcalloc(o->workers, sizeof(*workers));
	struct schedule *s = schedule_new(plan);
	pthread_condattr_t monotonic;
	int rc;

	*r = (struct apply_result){.out_of_sequence = true, .disconnected = true};
	pthread_mutex_init(&p.lock, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&p.work_ready, NULL);
	pthread_cond_init(&p.event_ready, &monotonic);
	pthread_condattr_destroy(&monotonic);

	rc = start_workers(&p, workers, err);
	if (rc == 0)
		run_schedule(&p, s, r);
	stop_workers(&p, workers);
	r->out_of_sequence &= r->failed > 0;
	r->disconnected &= r->failed > 0;
	if (rc == 0)
		tell_not_started(&p, s, r);

	pthread_cond_destroy(&p.event_ready);
	pthread_cond_destroy(&p.work_ready);
	pthread_mutex_destroy(&p.lock);
	vec_free(&p.work);
	vec_free(&p.events);
	schedule_free(s);
	free(workers);
	return rc;
}
