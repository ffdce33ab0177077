#include "run/lease.h"

#include "run/holder.h"
#include "sys/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SECTION "lease"
#define TTL_VARIABLE "RECONCILE_LEASE_TTL"
#define TTL_DEFAULT_S 30
#define TTL_MIN_S 2
#define TTL_MAX_S 600
#define CHECK_MS INT64_C(10) * 1000 /* for one look before a mutation, perhaps over a new ssh connection */
#define SEEN_ALIVE 2                /* renewals after which a holder is not waited for */

struct lease {
	char *cluster;
	json_t *self;        /* the section without its count */
	json_t *predecessor; /* somebody else's section, as it was seen last before it was taken */
	int64_t ttl_ms;

	pthread_mutex_t lock; /* of the five below; never held over a call */
	pthread_cond_t wake;
	bool ending;
	char *lost;         /* how it was lost; NULL: not known to be */
	int64_t began;      /* boot_ms() before the last write that is known to have renewed it */
	struct err trouble; /* of the renewals since then */

	pthread_mutex_t writing; /* of the handle that writes, and so of the order of our own writes */
	struct engine *writer;
	pthread_mutex_t checking;
	struct engine *checker;

	int (*guard)(void *arg, const json_t *sections, struct err *err);
	void *guard_arg;

	pthread_t keeper;
	bool kept; /* the thread runs */
};

/* Time in which the machine was suspended counts; nobody sets this clock. */
static int64_t boot_ms(void)
{
	struct timespec t;
	clock_gettime(CLOCK_BOOTTIME, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

static int ttl_from_env(int64_t *ttl_ms, struct err *err)
{
	const char *text = getenv(TTL_VARIABLE);
	char *end;

	*ttl_ms = INT64_C(1000) * TTL_DEFAULT_S;
	if (!text || !*text)
		return 0;
	long s = strtol(text, &end, 10);
	if (*end || s < TTL_MIN_S || s > TTL_MAX_S)
		return err_set(err, ERR_USAGE, TTL_VARIABLE "=%s: it takes seconds, %d to %d", text, TTL_MIN_S,
			       TTL_MAX_S);
	*ttl_ms = INT64_C(1000) * s;
	return 0;
}

static bool same_holder(const json_t *a, const json_t *b)
{
	const char *name = json_str(a, "holder");
	return name && str_eq(name, json_str(b, "holder"));
}

static bool is_ours(const struct lease *l, const json_t *sections)
{
	return same_holder(json_object_get(sections, SECTION), l->self);
}

/* Taken or renewed: the count is what others watch. */
static void put_section(const struct lease *l, json_t *sections)
{
	const json_t *before = json_object_get(sections, SECTION);
	int64_t count = is_ours(l, sections) ? json_int(before, "count", 0) : 0;
	json_t *section = json_deep_copy(l->self);

	json_set_int(section, "count", count + 1);
	json_set(sections, SECTION, section);
}

/* ---- what is known of it ---- */

static void note_renewed(struct lease *l, int64_t began)
{
	pthread_mutex_lock(&l->lock);
	l->began = began;
	l->trouble = (struct err){0};
	pthread_mutex_unlock(&l->lock);
}

static void note_trouble(struct lease *l, const struct err *why)
{
	pthread_mutex_lock(&l->lock);
	l->trouble = *why;
	pthread_mutex_unlock(&l->lock);
}

static void note_lost(struct lease *l, const json_t *sections)
{
	const json_t *other = json_object_get(sections, SECTION);

	pthread_mutex_lock(&l->lock);
	if (!l->lost && other) {
		_cleanup_free_ char *who = holder_text(other);
		l->lost = xasprintf("lost the lease to %s", who);
	} else if (!l->lost) {
		l->lost = xstrdup("lost the lease: somebody else took it and has ended, or removed the shared state");
	}
	pthread_mutex_unlock(&l->lock);
}

/*
 * Others may take it when its ttl is over, counted from when they saw the renewal, which is later than when it began.
 * The margin is for what was sent in time and takes a while to have its effect.
 */
static int64_t fence(const struct lease *l)
{
	return l->began + l->ttl_ms - l->ttl_ms / 6;
}

/* *left: how long it surely holds. */
static int check_self(struct lease *l, int64_t *left, struct err *err)
{
	int rc = 0;

	pthread_mutex_lock(&l->lock);
	*left = fence(l) - boot_ms();
	if (l->lost)
		rc = err_set(err, ERR_LOCKED, "%s", l->lost);
	else if (*left <= 0)
		rc = err_set(err, ERR_LOCKED,
			     "the lease was last renewed %.1f s ago, another run may have taken over%s%s",
			     (double)(boot_ms() - l->began) / 1000, l->trouble.code ? ": " : "", l->trouble.msg);
	pthread_mutex_unlock(&l->lock);
	return rc;
}

/* ---- renewing ---- */

struct change {
	struct lease *l;
	int (*edit)(void *arg, json_t *sections, struct err *err);
	void *arg;
	bool renew;    /* even when edit changes nothing */
	bool give_up;  /* the lease goes with it */
	bool sent;     /* something was to be written */
	int64_t began; /* before the first try: whichever of them came through, it did so later */
};

static int refuse_lost(struct lease *l, const json_t *sections, struct err *err)
{
	int64_t left;

	note_lost(l, sections);
	return check_self(l, &left, err);
}

/* Nobody takes a lease that holds: that it is not ours any more says that the write which gave it up came through. */
static bool is_given_up(const struct change *c)
{
	struct lease *l = c->l;

	pthread_mutex_lock(&l->lock);
	bool held = boot_ms() < l->began + l->ttl_ms;
	pthread_mutex_unlock(&l->lock);
	return c->give_up && c->sent && held;
}

static int change_sections(void *arg, json_t *sections, struct err *err)
{
	struct change *c = arg;

	if (!is_ours(c->l, sections))
		return is_given_up(c) ? 0 : refuse_lost(c->l, sections, err);
	_cleanup_json_ json_t *before = json_deep_copy(sections);
	if (c->edit && c->edit(c->arg, sections, err) < 0)
		return -1;
	if (c->give_up)
		json_object_del(sections, SECTION);
	else if (c->renew || !json_same(before, sections))
		put_section(c->l, sections);
	else
		return 0;
	c->sent = true;
	return 0;
}

static int write_change(struct change *c, int64_t deadline, struct err *err)
{
	struct lease *l = c->l;

	pthread_mutex_lock(&l->writing);
	c->began = boot_ms();
	int rc = shared_update(l->writer, l->cluster, deadline, change_sections, c, err);
	pthread_mutex_unlock(&l->writing);
	if (rc == 0 && c->sent && !c->give_up)
		note_renewed(l, c->began);
	return rc;
}

static void renew(struct lease *l)
{
	struct change c = {.l = l, .renew = true};
	struct err why = {0};

	if (write_change(&c, clock_ms() + l->ttl_ms / 3, &why) < 0)
		note_trouble(l, &why);
}

/* Until the next renewal is due; false: the lease is given back or lost. */
static bool keeper_waits(struct lease *l)
{
	struct timespec until;
	bool goes_on;

	pthread_mutex_lock(&l->lock);
	int64_t ms = l->trouble.code ? l->ttl_ms / 30 : l->began + l->ttl_ms / 3 - boot_ms();
	clock_gettime(CLOCK_MONOTONIC, &until);
	until.tv_sec += ms > 0 ? ms / 1000 : 0;
	until.tv_nsec += ms > 0 ? ms % 1000 * 1000000 : 0;
	until.tv_sec += until.tv_nsec / 1000000000;
	until.tv_nsec %= 1000000000;
	while (!l->ending && !l->lost && pthread_cond_timedwait(&l->wake, &l->lock, &until) != ETIMEDOUT)
		;
	goes_on = !l->ending && !l->lost;
	pthread_mutex_unlock(&l->lock);
	return goes_on;
}

static void *keep(void *arg)
{
	struct lease *l = arg;

	while (keeper_waits(l))
		renew(l);
	return NULL;
}

static void stop_keeper(struct lease *l)
{
	if (!l->kept)
		return;
	pthread_mutex_lock(&l->lock);
	l->ending = true;
	pthread_cond_signal(&l->wake);
	pthread_mutex_unlock(&l->lock);
	pthread_join(l->keeper, NULL);
	l->kept = false;
}

/* ---- taking ---- */

static void lease_free(struct lease *l)
{
	if (!l)
		return;
	stop_keeper(l);
	engine_close(l->writer);
	engine_close(l->checker);
	pthread_cond_destroy(&l->wake);
	pthread_mutex_destroy(&l->lock);
	pthread_mutex_destroy(&l->writing);
	pthread_mutex_destroy(&l->checking);
	json_decref(l->self);
	json_decref(l->predecessor);
	free(l->cluster);
	free(l->lost);
	free(l);
}

static struct engine *dup_without_hooks(const struct engine *e)
{
	struct engine *copy = engine_dup(e);

	engine_set_hooks(copy, (struct mutation_hooks){0});
	return copy;
}

static int lease_new(const struct engine *e, const char *cluster, struct lease **out, struct err *err)
{
	struct lease *l = xcalloc(1, sizeof(*l));
	pthread_condattr_t monotonic;

	l->cluster = xstrdup(cluster);
	pthread_mutex_init(&l->lock, NULL);
	pthread_mutex_init(&l->writing, NULL);
	pthread_mutex_init(&l->checking, NULL);
	pthread_condattr_init(&monotonic);
	pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
	pthread_cond_init(&l->wake, &monotonic);
	pthread_condattr_destroy(&monotonic);
	l->writer = dup_without_hooks(e);
	l->checker = dup_without_hooks(e);
	if (ttl_from_env(&l->ttl_ms, err) < 0 || holder_self(&l->self, err) < 0) {
		lease_free(l);
		return -1;
	}
	json_set_int(l->self, "ttl_s", l->ttl_ms / 1000);
	engine_set_uncancellable(l->checker);
	*out = l;
	return 0;
}

/* What was seen of the one who holds it. */
struct watch {
	json_t *seen;  /* its section when it changed last */
	int64_t since; /* boot_ms() when that was seen */
	int64_t met;   /* … and when this holder was seen first */
	int renewals;
};

static void watch_free(struct watch *w)
{
	json_decref(w->seen);
}

struct taking {
	struct lease *l;
	struct watch *watch;
	int (*edit)(void *arg, json_t *sections, struct err *err);
	void *arg;
	bool held; /* refused: another one holds it */
};

static int64_t ttl_of(const json_t *section)
{
	int64_t s = json_int(section, "ttl_s", TTL_DEFAULT_S);
	return 1000 * (s < TTL_MIN_S ? TTL_MIN_S : s > TTL_MAX_S ? TTL_MAX_S : s);
}

/* Looked at after the answer came: the renewal that it shows began before. */
static bool is_over(struct watch *w, const json_t *section)
{
	int64_t now = boot_ms();

	if (holder_is_gone(section))
		return true;
	if (json_same(w->seen, section))
		return now - w->since >= ttl_of(section);
	w->renewals = same_holder(w->seen, section) ? w->renewals + 1 : 0;
	w->met = w->renewals ? w->met : now;
	json_decref(w->seen);
	w->seen = json_deep_copy(section);
	w->since = now;
	return false;
}

static int take(void *arg, json_t *sections, struct err *err)
{
	struct taking *t = arg;
	const json_t *section = json_object_get(sections, SECTION);

	if (is_ours(t->l, sections)) /* the answer was lost, and another section was written since */
		return 0;
	if (section) {
		json_decref(t->l->predecessor);
		t->l->predecessor = json_deep_copy(section);
	}
	t->held = section && !is_over(t->watch, section);
	if (t->held)
		return err_set(err, ERR_LOCKED, "another run holds the lease");
	put_section(t->l, sections);
	return t->edit ? t->edit(t->arg, sections, err) : 0;
}

/* In the time of two renewals: whatever else its run writes comes more often, and a short one is waited for. */
static bool is_alive(const struct watch *w)
{
	return w->renewals >= SEEN_ALIVE && boot_ms() - w->met >= SEEN_ALIVE * ttl_of(w->seen) / 3;
}

static int refuse_held(const struct lease *l, const struct watch *w, struct err *err)
{
	_cleanup_free_ char *who = holder_text(w->seen);
	return err_set(err, ERR_LOCKED,
		       "another run is at work on cluster '%s' (%s)%s: wait for its end, or end it there", l->cluster,
		       who, is_alive(w) ? " and keeps renewing its lease" : "");
}

static void tell_waiting(const struct watch *w, void (*say)(void *arg, const char *text), void *arg)
{
	_cleanup_free_ char *who = holder_text(w->seen);
	_cleanup_free_ char *text = xasprintf("waiting: another run is at work on this cluster (%s)", who);

	if (say)
		say(arg, text);
}

/* Soon enough to see each renewal, which come three in a ttl. */
static int64_t poll_ms(const struct watch *w)
{
	int64_t ms = ttl_of(w->seen) / 10;
	return ms < 1000 ? ms : 1000;
}

static int wait_and_take(struct taking *t, int64_t deadline, void (*say)(void *arg, const char *text), void *say_arg,
			 struct err *err)
{
	struct lease *l = t->l;
	const struct watch *w = t->watch;
	bool told = false;

	for (;;) {
		t->held = false;
		l->began = boot_ms();
		if (shared_update(l->writer, l->cluster, deadline, take, t, err) == 0)
			return 0;
		if (!t->held)
			return -1;
		if (is_alive(w) || clock_left(deadline) <= poll_ms(w))
			return refuse_held(l, w, err);
		if (!told)
			tell_waiting(w, say, say_arg);
		told = true;
		if (!clock_sleep(poll_ms(w)))
			return err_set(err, ERR_CANCELLED, "waiting for the end of another run: interrupted");
	}
}

static int start_keeper(struct lease *l, struct err *err)
{
	int rc = pthread_create(&l->keeper, NULL, keep, l);

	if (rc != 0)
		return err_set(err, ERR_SYSTEM, "starting the thread that keeps the lease: %s", strerror(rc));
	l->kept = true;
	return 0;
}

int lease_take(struct engine *e, const char *cluster, int64_t deadline, void (*say)(void *arg, const char *text),
	       void *say_arg, int (*edit)(void *arg, json_t *sections, struct err *err), void *edit_arg,
	       struct lease **out, struct err *err)
{
	CLEANUP(watch_free) struct watch watch = {0};
	struct lease *l;
	struct err ignored;

	if (engine_negotiate(e, deadline, err) < 0 || lease_new(e, cluster, &l, err) < 0)
		return -1;
	struct taking t = {.l = l, .watch = &watch, .edit = edit, .arg = edit_arg};
	if (wait_and_take(&t, deadline, say, say_arg, err) < 0) {
		lease_free(l);
		return -1;
	}
	engine_set_uncancellable(l->writer);
	if (start_keeper(l, err) < 0) {
		lease_end(l, deadline, NULL, NULL, &ignored);
		return -1;
	}
	*out = l;
	return 0;
}

const json_t *lease_predecessor(const struct lease *l)
{
	return l->predecessor;
}

/* ---- holding ---- */

static int look(struct lease *l, int64_t left, struct err *err)
{
	_cleanup_json_ json_t *sections = NULL;
	int64_t deadline = clock_ms() + (left < CHECK_MS ? left : CHECK_MS);
	struct shared_at at;

	if (shared_read(l->checker, l->cluster, deadline, &at, &sections, err) < 0)
		return err_wrap(err, "it is not known whether the lease still holds");
	if (!is_ours(l, sections))
		return refuse_lost(l, sections, err);
	return l->guard ? l->guard(l->guard_arg, sections, err) : 0;
}

/*
 * What the engine says was true when it answered. The clock is asked again: this process may have been stopped since,
 * and what is known by now says more than that it did not answer.
 */
static int check(struct lease *l, struct err *err)
{
	int64_t left;

	pthread_mutex_lock(&l->checking);
	int rc = check_self(l, &left, err);
	if (rc == 0) {
		rc = look(l, left, err);
		rc = check_self(l, &left, err) < 0 ? -1 : rc;
	}
	pthread_mutex_unlock(&l->checking);
	return rc;
}

static int before_mutation(void *arg, const char *what, struct err *err)
{
	struct err why = {0};

	if (check(arg, &why) == 0)
		return 0;
	if (err)
		*err = why;
	return err_wrap(err, "%s: not begun", what);
}

struct mutation_hooks lease_hooks(struct lease *l)
{
	return (struct mutation_hooks){.before = before_mutation, .arg = l};
}

void lease_guard(struct lease *l, int (*guard)(void *arg, const json_t *sections, struct err *err), void *arg)
{
	l->guard = guard;
	l->guard_arg = arg;
}

int lease_update(struct lease *l, int64_t deadline, int (*edit)(void *arg, json_t *sections, struct err *err),
		 void *arg, struct err *err)
{
	struct change c = {.l = l, .edit = edit, .arg = arg};
	return write_change(&c, deadline, err);
}

static bool is_lost(struct lease *l)
{
	pthread_mutex_lock(&l->lock);
	bool lost = l->lost;
	pthread_mutex_unlock(&l->lock);
	return lost;
}

int lease_end(struct lease *l, int64_t deadline, int (*edit)(void *arg, json_t *sections, struct err *err), void *arg,
	      struct err *err)
{
	struct change c = {.l = l, .edit = edit, .arg = arg, .give_up = true};
	struct err why = {0};
	int64_t left;

	if (!l)
		return 0;
	stop_keeper(l);
	int rc = is_lost(l) ? check_self(l, &left, &why) : write_change(&c, deadline, &why);
	if (rc < 0 && is_lost(l) && !edit)
		rc = 0;
	else if (rc < 0 && err)
		*err = why;
	lease_free(l);
	return rc;
}
