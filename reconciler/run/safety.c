#include "run/safety.h"

#include "kinds/package.h"
#include "kinds/util.h"
#include "plan/plan.h"
#include "run/holder.h"
#include "run/suspension.h"
#include "sys/clock.h"

#include <pthread.h>
#include <string.h>

#define GIVE_BACK_MS 5000
#define APPROVALS_KEPT_S (INT64_C(30) * 24 * 3600)

struct safety {
	struct engine *engine;
	char *cluster;
	pthread_mutex_t lock; /* of pending and sections: gates are also asked by workers */
	json_t *sections;
	json_t *pending; /* {section: {key: value, or null: forget}} */
	_Atomic bool no_swarm;
	char *no_lease;         /* why the swarm that this run has made has no lease; set before no_swarm ends */
	bool known;             /* the sections are of the last observation */
	const json_t *own_hold; /* set while nothing is changed, like now */
	int64_t now;
	struct lease *_Atomic lease; /* set by the main thread, read by the hooks */
	bool others_at_work;         /* when the sections were observed: somebody held the lease and was not gone */
};

void safety_use_engine(struct safety *s, const struct engine *e)
{
	engine_close(s->engine);
	s->engine = engine_dup(e);
	engine_set_hooks(s->engine, (struct mutation_hooks){0});
}

struct safety *safety_new(const struct engine *e, const char *cluster)
{
	struct safety *s = xcalloc(1, sizeof(*s));

	safety_use_engine(s, e);
	s->cluster = xstrdup(cluster);
	pthread_mutex_init(&s->lock, NULL);
	s->sections = json_object();
	s->pending = json_object();
	return s;
}

void safety_free(struct safety *s)
{
	struct err ignored;

	if (!s)
		return;
	lease_end(s->lease, clock_ms() + GIVE_BACK_MS, NULL, NULL, &ignored);
	engine_close(s->engine);
	free(s->cluster);
	free(s->no_lease);
	pthread_mutex_destroy(&s->lock);
	json_decref(s->sections);
	json_decref(s->pending);
	free(s);
}

static void take_sections(struct safety *s, json_t *sections)
{
	pthread_mutex_lock(&s->lock);
	json_decref(s->sections);
	s->sections = sections;
	pthread_mutex_unlock(&s->lock);
}

/*
 * Bootstrap begins on hosts without an Engine. Where none is installed on the node whose engine would be asked, there
 * is no swarm there either, and what can be changed before it has one (packages, directories) needs no lease.
 */
static bool is_bare(const struct snapshot *snap)
{
	const json_t *options = snapshot_get(snap, "run/options", NULL);
	const char *node = json_str(options, "engine_node");

	return json_bool(options, "may_init") && node && package_engine_is_missing(snap, node);
}

int safety_observe(struct safety *s, const struct snapshot *snap, struct err *err)
{
	const char *why = "it was not observed";
	enum swarm_role role = swarm_role(snap, &why);
	struct shared_at at;
	json_t *sections;

	s->no_swarm = role == SWARM_NONE || (role == SWARM_UNKNOWN && is_bare(snap));
	s->known = false;
	if (s->no_swarm) {
		take_sections(s, json_object());
		return 0;
	}
	const json_t *configs = role == SWARM_MANAGER ? snapshot_get(snap, "engine/configs", &why) : NULL;
	if (!configs)
		return err_set(err, ERR_BLOCKED,
			       "whether changes are suspended, and who else is at work, is not known: %s", why);
	if (shared_from_list(configs, s->cluster, &at, &sections, err) < 0)
		return -1;
	const json_t *lease = json_object_get(sections, "lease");
	s->others_at_work = lease && !holder_is_gone(lease);
	take_sections(s, sections);
	s->known = true;
	return 0;
}

const json_t *safety_sections(const struct safety *s)
{
	return s->known && !s->no_swarm ? s->sections : NULL;
}

json_t *safety_get(struct safety *s, const char *section, const char *key)
{
	pthread_mutex_lock(&s->lock);
	json_t *v = json_object_get(json_object_get(s->pending, section), key);
	if (!v)
		v = json_object_get(json_object_get(s->sections, section), key);
	json_t *copy = v && !json_is_null(v) ? json_deep_copy(v) : NULL;
	pthread_mutex_unlock(&s->lock);
	return copy;
}

static void set_member(json_t *object, const char *section, const char *key, json_t *value)
{
	json_t *members = json_object_get(object, section);
	if (!members) {
		members = json_object();
		json_set(object, section, members);
	}
	json_set(members, key, value);
}

void safety_set(struct safety *s, const char *section, const char *key, json_t *value)
{
	pthread_mutex_lock(&s->lock);
	set_member(s->pending, section, key, value ? value : json_null());
	pthread_mutex_unlock(&s->lock);
}

/* Idempotent, for it is called again when somebody else wrote in between. */
static void apply_edits(const json_t *pending, json_t *sections)
{
	const char *section, *key;
	json_t *members, *value;

	json_object_foreach ((json_t *)pending, section, members) {
		json_object_foreach (members, key, value) {
			if (!json_is_null(value))
				set_member(sections, section, key, json_deep_copy(value));
			else
				json_object_del(json_object_get(sections, section), key);
		}
		if (json_object_size(json_object_get(sections, section)) == 0)
			json_object_del(sections, section);
	}
}

/* The edits of one write: a copy, so that workers can go on adding others. */
struct edits {
	struct safety *s;
	json_t *pending;
	const json_t *observed; /* refuse when the sections are others; NULL: do not look */
	const struct resource_set *want;
	int64_t now; /* tidy up as of then; 0: do not */
};

static struct edits edits_begin(struct safety *s)
{
	pthread_mutex_lock(&s->lock);
	struct edits e = {.s = s, .pending = json_deep_copy(s->pending)};
	pthread_mutex_unlock(&s->lock);
	return e;
}

/* What was written is not pending any more, unless it has been set again since. */
static void edits_written(struct edits *e)
{
	const char *section, *key;
	json_t *members, *value;
	void *next;

	pthread_mutex_lock(&e->s->lock);
	json_object_foreach (e->pending, section, members) {
		json_t *now = json_object_get(e->s->pending, section);
		json_object_foreach_safe(members, next, key, value) if (json_same(json_object_get(now, key), value))
			json_object_del(now, key);
		if (json_object_size(now) == 0)
			json_object_del(e->s->pending, section);
	}
	apply_edits(e->pending, e->s->sections);
	pthread_mutex_unlock(&e->s->lock);
}

static void edits_free(struct edits *e)
{
	json_decref(e->pending);
}

static bool is_wanted(const struct resource_set *want, const char *key)
{
	return !want || strcmp(key, "*") == 0 || resource_find_key(want, key);
}

static void drop_unwanted(json_t *sections, const char *section, const struct resource_set *want)
{
	json_t *members = json_object_get(sections, section), *value;
	const char *key;
	void *next;

	json_object_foreach_safe(members, next, key, value) if (!is_wanted(want, key)) json_object_del(members, key);
	if (members && json_object_size(members) == 0)
		json_object_del(sections, section);
}

/* What is contested stays until somebody resumes. */
static bool is_over(const json_t *entry, int64_t now)
{
	return json_int(entry, "last", 0) + PLAN_CONTESTED_WITHIN_S < now && !plan_contested_since(entry);
}

static void drop_old_reverts(json_t *sections, int64_t now)
{
	json_t *all = json_object_get(sections, "reverts"), *paths, *entry;
	const char *key, *path;
	void *next, *next_path;

	json_object_foreach_safe(all, next, key, paths)
	{
		json_object_foreach_safe(paths, next_path, path, entry) if (is_over(entry, now))
			json_object_del(paths, path);
		if (json_object_size(paths) == 0)
			json_object_del(all, key);
	}
	if (all && json_object_size(all) == 0)
		json_object_del(sections, "reverts");
}

static void drop_old_approvals(json_t *sections, int64_t now)
{
	json_t *all = json_object_get(sections, "approved"), *one;
	const char *key;
	void *next;

	json_object_foreach_safe(all, next, key, one) if (json_int(one, "at", 0) + APPROVALS_KEPT_S < now)
		json_object_del(all, key);
	if (all && json_object_size(all) == 0)
		json_object_del(sections, "approved");
}

static bool same_but_lease(const json_t *x, const json_t *y)
{
	_cleanup_json_ json_t *a = json_copy((json_t *)x), *b = json_copy((json_t *)y);
	json_object_del(a, "lease");
	json_object_del(b, "lease");
	return json_same(a, b);
}

static int edit(void *arg, json_t *sections, struct err *err)
{
	static const char *const by_resource[] = {"attempts", "failed", "adopted", "reverts", "report"};
	const struct edits *e = arg;

	if (e->observed && !same_but_lease(sections, e->observed))
		return err_set(err, ERR_OUT_OF_SEQUENCE, "another reconciler was at work since the plan was made");
	apply_edits(e->pending, sections);
	if (e->now == 0)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(by_resource); i++)
		drop_unwanted(sections, by_resource[i], e->want);
	drop_old_reverts(sections, e->now);
	drop_old_approvals(sections, e->now);
	return 0;
}

void safety_discard(struct safety *s)
{
	pthread_mutex_lock(&s->lock);
	json_object_clear(s->pending);
	pthread_mutex_unlock(&s->lock);
}

int safety_flush(struct safety *s, int64_t deadline, struct err *err)
{
	CLEANUP(edits_free) struct edits e = edits_begin(s);

	if (json_object_size(e.pending) == 0 || (s->no_swarm && !s->lease))
		return 0;
	int rc = s->lease ? lease_update(s->lease, deadline, edit, &e, err)
			  : shared_update(s->engine, s->cluster, deadline, edit, &e, err);
	if (rc < 0)
		return err_wrap(err, "recording what other runs have to know");
	edits_written(&e);
	return 0;
}

static int heed(void *arg, const json_t *sections, struct err *err)
{
	const struct safety *s = arg;
	return suspension_check(sections, s->own_hold, mutation_subject(), s->now, err);
}

void safety_heed_suspension(struct safety *s, const json_t *own, int64_t now)
{
	s->own_hold = own;
	s->now = now;
}

/* They may have changed anything since it was observed, and what they change they record only at their end. */
static bool is_observation_old(const struct safety *s, const struct lease *l)
{
	const json_t *other = lease_predecessor(l);
	return s->others_at_work || (other && !json_same(other, json_object_get(s->sections, "lease")));
}

static int take_lease(struct safety *s, struct edits *e, int64_t deadline, const struct safety_listener *l,
		      struct err *err)
{
	struct lease *lease;

	e->observed = s->sections;
	if (lease_take(s->engine, s->cluster, deadline, l->say, l->arg, edit, e, &lease, err) < 0)
		return -1;
	lease_guard(lease, heed, s);
	bool old = is_observation_old(s, lease);
	s->lease = lease;
	edits_written(e);
	return old ? err_set(err, ERR_OUT_OF_SEQUENCE, "another run was at work while the plan was made") : 0;
}

int safety_begin(struct safety *s, int64_t deadline, const struct safety_listener *l, struct err *err)
{
	CLEANUP(edits_free) struct edits e = edits_begin(s);

	if (s->lease || s->no_swarm)
		return 0;
	return take_lease(s, &e, deadline, l, err);
}

int safety_swarm_made(struct safety *s, int64_t deadline, const struct safety_listener *l, struct err *err)
{
	CLEANUP(edits_free) struct edits e = edits_begin(s);
	int rc = s->lease ? 0 : take_lease(s, &e, deadline, l, err);

	if (!s->lease && !s->no_lease)
		s->no_lease = xstrdup(err->msg);
	s->no_swarm = false; /* only now: other steps are at work meanwhile */
	return rc;
}

bool safety_holds_lease(const struct safety *s)
{
	return s->lease != NULL;
}

int safety_end(struct safety *s, const struct resource_set *want, int64_t now, int64_t deadline, struct err *err)
{
	CLEANUP(edits_free) struct edits e = edits_begin(s);
	struct lease *l = s->lease;

	if (!l)
		return safety_flush(s, deadline, err);
	e.want = want;
	e.now = now;
	s->lease = NULL;
	if (lease_end(l, deadline, edit, &e, err) < 0)
		return err_wrap(err, "recording the end of the run");
	edits_written(&e);
	return 0;
}

/* Hooks */

static int before(void *arg, const char *what, struct err *err)
{
	struct safety *s = arg;

	if (!s->lease)
		return s->no_swarm ? 0
				   : err_set(err, ERR_LOCKED, "%s: not under the lease: %s", what,
					     s->no_lease ? s->no_lease : "this is a fault of the program");
	struct mutation_hooks h = lease_hooks(s->lease);
	return h.before(h.arg, what, err);
}

struct mutation_hooks safety_hooks(struct safety *s)
{
	return (struct mutation_hooks){.before = before, .arg = s};
}
