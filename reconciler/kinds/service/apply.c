/* Talking to the engine: create, update, remove. */
#include "kinds/service/converge.h"
#include "kinds/service/handover.h"
#include "kinds/service/service.h"
#include "kinds/util.h"

#include <string.h>

#define WRITES_MAX 5 /* tries when only the service's status keeps moving */

static struct engine *engine_of(const struct apply *a)
{
	return a->cluster->engine;
}

/* Preparing a write */

static int look_up_id(const struct apply *a, json_t *ids, const char *kind, const char *name, struct err *err)
{
	_cleanup_free_ char *key = xasprintf("%s/%s", kind, name);
	_cleanup_str_ struct str escaped = {0};
	_cleanup_json_ json_t *object = NULL;

	if (json_object_get(ids, key))
		return 0;
	engine_escape(name, &escaped);
	if (engine_get(engine_of(a), a->deadline, &object, err, "/%ss/%s", kind, str_cstr(&escaped)) < 0)
		return err_wrap(err, "looking up %s '%s'", kind, name);
	json_set_str(ids, key, json_str(object, "ID"));
	return 0;
}

/* The ids of the configs and secrets that are written. */
static int look_up_ids(const struct apply *a, const struct change *c, json_t *ids, struct err *err)
{
	static const char *const kinds[][2] = {{"configs", "config"}, {"secrets", "secret"}};
	const char *target;
	json_t *file;

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		if ((c->action == ACTION_UPDATE || c->action == ACTION_ADOPT) && !change_has_field(c, kinds[i][0]))
			continue;
		json_object_foreach (json_object_get(c->desired->body, kinds[i][0]), target, file)
			if (look_up_id(a, ids, kinds[i][1], json_str(file, "source"), err) < 0)
				return -1;
	}
	return 0;
}

/*
 * As the docker client: pin the digest if a registry tells it, else deploy
 * unpinned and say so; the image may be on the nodes only.
 */
static void resolve_image(struct apply *a, const struct resource *desired, char **digest, json_t **platforms)
{
	const json_t *body = desired->body;
	bool hidden = resource_mark_of(desired, "image").hidden;
	struct image_ref ref = {0};
	struct err why = {0};

	if (image_ref_parse(json_str(body, "image"), &ref, &why) < 0)
		return;
	const char *pinned = json_str(body, "image_digest");
	if (pinned) {
		free(ref.digest);
		ref.digest = xstrdup(pinned);
	}
	if (engine_resolve_image(engine_of(a), a->deadline, &ref, digest, platforms, &why) < 0)
		say(a,
		    "image %s could not be accessed on a registry to record its digest%s%s: each node will access it "
		    "independently, possibly leading to different nodes running different versions",
		    hidden ? "(value of a variable)" : json_str(body, "image"), hidden ? "" : ": ",
		    hidden ? "" : why.msg);
	image_ref_free(&ref);
}

/* A network of this change may have been made in this pass, after the snapshot. */
static int look_up_networks(const struct apply *a, const struct change *c, json_t *names, struct err *err)
{
	_cleanup_json_ json_t *list = NULL;
	json_t *net;
	size_t i;

	if (!change_has_field(c, "networks"))
		return 0;
	if (engine_get(engine_of(a), a->deadline, &list, err, "/networks") < 0)
		return err_wrap(err, "looking up its networks");
	json_array_foreach (list, i, net)
		if (json_str(net, "Id"))
			json_set_str(names, json_str(net, "Id"), json_str(net, "Name"));
	return 0;
}

struct writing {
	struct overlay overlay;
	char *digest;
	json_t *ids, *networks, *platforms, *shape;
};

static void writing_free(struct writing *w)
{
	free(w->digest);
	json_decref(w->ids);
	json_decref(w->networks);
	json_decref(w->platforms);
	json_decref(w->shape);
}

static int prepare(struct apply *a, const struct change *c, bool with_image, struct writing *w, struct err *err)
{
	const json_t *body = c->desired->body;

	*w = (struct writing){.ids = json_object(), .networks = network_names(a->snap)};
	if (look_up_ids(a, c, w->ids, err) < 0 || look_up_networks(a, c, w->networks, err) < 0)
		return -1;
	const char *shape = c->desired->payload;
	if (shape && json_parse(shape, strlen(shape), &w->shape, err) < 0)
		return -1;
	if (with_image)
		resolve_image(a, c->desired, &w->digest, &w->platforms);
	w->overlay = (struct overlay){
		.name = c->desired->name,
		.cluster = a->cluster->name,
		.body = body,
		.shape = w->shape,
		.ids = w->ids,
		.networks = w->networks,
		.digest = w->digest,
		.platforms = w->platforms,
	};
	return 0;
}

/* Creating */

static json_t *new_spec(const struct overlay *o)
{
	json_t *spec = o->shape ? json_deep_copy(o->shape) : json_object(), *value;
	const char *field;

	json_set_str(spec, "Name", o->name);
	overlay_field(spec, o, "labels");
	json_object_foreach ((json_t *)o->body, field, value)
		overlay_field(spec, o, field);
	return spec;
}

static int create(struct apply *a, const struct change *c, struct err *err)
{
	struct writing w CLEANUP(writing_free);
	_cleanup_json_ json_t *answer = NULL, *service = NULL;
	struct err why = {0};

	if (prepare(a, c, true, &w, err) < 0)
		return -1;
	_cleanup_json_ json_t *spec = new_spec(&w.overlay);
	if (engine_post_service(engine_of(a), a->deadline, json_str(c->desired->body, "image"), spec, &answer, &why,
				"/services/create") < 0) {
		*err = why;
		made_meanwhile(err);
		return -1;
	}
	return converge_wait(a, json_str(answer, "ID"), true, &service, err);
}

/* Updating */

static bool field_equals(const json_t *x, const json_t *y, const char *field)
{
	return json_same(json_object_get(x, field), json_object_get(y, field));
}

/* Whether every changed field of the live service has the value it has in body. */
static bool fields_match(const struct change *c, const json_t *service, const json_t *networks, const json_t *body)
{
	_cleanup_json_ json_t *now = body_read(json_object_get(service, "Spec"), networks);

	body_settle(now, c->desired->body);
	for (size_t i = 0; i < c->fields.n; i++)
		if (!field_equals(now, body, c->fields.v[i].field))
			return false;
	return true;
}

static json_t *changed_spec(const struct change *c, const struct overlay *o, const json_t *live)
{
	json_t *spec = json_deep_copy(live);

	for (size_t i = 0; i < c->fields.n; i++)
		overlay_field(spec, o, c->fields.v[i].field);
	if (c->action == ACTION_ADOPT)
		overlay_field(spec, o, "labels");
	return spec;
}

static int post_update(struct apply *a, const struct change *c, const json_t *service, const json_t *spec,
		       struct err *err)
{
	const char *id = json_str(service, "ID");
	long long version = (long long)json_int(json_object_get(service, "Version"), "Index", 0);

	/* Credentials are part of the spec: only a change that pulls has to renew them. */
	if (service_restarts(c))
		return engine_post_service(engine_of(a), a->deadline, json_str(c->desired->body, "image"), spec, NULL,
					   err, "/services/%s/update?version=%lld", id, version);
	return engine_post(engine_of(a), a->deadline, spec, NULL, err, "/services/%s/update?version=%lld", id, version);
}

/* The same spec again is how Swarm is told to go on with an update that it has paused. */
static bool resumes(const struct change *c, const json_t *service)
{
	const char *state = json_str(json_object_get(service, "UpdateStatus"), "State");
	return c->fields.n == 0 && c->action == ACTION_UPDATE && str_eq(state, "paused");
}

static int write_update(struct apply *a, const struct change *c, const struct writing *w, struct err *err)
{
	struct err why = {0};

	for (int i = 0; i < WRITES_MAX; i++) {
		_cleanup_json_ json_t *service = NULL;
		if (converge_idle(a, c->live->id, &service, err) < 0)
			return -1;
		if ((uint64_t)json_int(json_object_get(service, "Version"), "Index", 0) != c->live->version &&
		    !fields_match(c, service, w->networks, c->live->body))
			return err_set(err, ERR_OUT_OF_SEQUENCE, "somebody changed it since it was observed");
		const json_t *live = json_object_get(service, "Spec");
		_cleanup_json_ json_t *spec = changed_spec(c, &w->overlay, live);
		if (json_same(spec, live) && !resumes(c, service))
			return 0;
		why = (struct err){0};
		if (post_update(a, c, service, spec, &why) == 0)
			return 0;
		if (why.code != ERR_OUT_OF_SEQUENCE)
			break;
	}
	*err = why;
	return -1;
}

static bool resolves_image(const struct change *c)
{
	return change_has_field(c, "image") || change_has_field(c, "image_digest");
}

static bool starts_tasks(const struct change *c)
{
	return service_restarts(c) || change_has_field(c, "constraints");
}

/* Adds the names of those networks of a service that are not among the known ones. */
static void add_unknown_networks(struct engine *engine, int64_t deadline, const json_t *service, const json_t *known,
				 json_t *names)
{
	json_t *net;
	size_t i;

	json_array_foreach (json_path(service, "Spec.TaskTemplate.Networks"), i, net) {
		const char *id = json_str(net, "Target");
		_cleanup_json_ json_t *network = NULL;
		struct err ignored;
		if (!id || json_object_get(known, id) || json_object_get(names, id))
			continue;
		if (engine_get(engine, deadline, &network, &ignored, "/networks/%s?scope=swarm", id) == 0)
			json_set_str(names, id, json_str(network, "Name"));
	}
}

static int update(struct apply *a, const struct change *c, struct err *err)
{
	struct writing w CLEANUP(writing_free);
	_cleanup_json_ json_t *service = NULL;

	if (prepare(a, c, resolves_image(c), &w, err) < 0)
		return -1;
	handover_hold(a, c);
	int rc = write_update(a, c, &w, err);
	if (rc == 0)
		rc = converge_wait(a, c->live->id, starts_tasks(c), &service, err);
	handover_release(a, c);
	if (rc < 0)
		return -1;
	/* This run may have made some of its networks. */
	add_unknown_networks(engine_of(a), a->deadline, service, w.networks, w.networks);
	if (!fields_match(c, service, w.networks, c->desired->body))
		return err_set(err, ERR_OUT_OF_SEQUENCE, "somebody changed it while it converged");
	return 0;
}

/* Removing */

static bool has_tasks_of(const json_t *tasks, const char *service)
{
	json_t *task;
	size_t i;

	json_array_foreach (tasks, i, task)
		if (str_eq(json_str(task, "ServiceID"), service))
			return true;
	return false;
}

/* The service is gone at once, its tasks hold networks, volumes and ports until they have stopped. */
static int wait_until_gone(struct apply *a, const char *id, struct err *err)
{
	int64_t ms = CONVERGE_POLL_MS;

	say(a, "waiting for its tasks to end");
	for (;;) {
		_cleanup_json_ json_t *tasks = NULL;
		if (engine_get(engine_of(a), a->deadline, &tasks, err,
			       "/tasks?filters=%%7B%%22desired-state%%22%%3A%%7B%%22remove%%22%%3Atrue%%7D%%7D") < 0)
			return err_wrap(err, "waiting for its tasks to end");
		if (!has_tasks_of(tasks, id))
			return 0;
		if (!converge_pause(a, &ms))
			return converge_stopped(err, ERR_TIMEOUT, "it is removed, but its tasks have not ended yet");
	}
}

static int remove_service(struct apply *a, const struct change *c, struct err *err)
{
	struct err why = {0};

	if (engine_delete(engine_of(a), a->deadline, &why, "/services/%s", c->live->id) < 0 &&
	    why.code != ERR_NOT_FOUND) {
		*err = why;
		return -1;
	}
	return wait_until_gone(a, c->live->id, err);
}

static int replace(struct apply *a, const struct change *c, struct err *err)
{
	return remove_service(a, c, err) < 0 ? -1 : create(a, c, err);
}

int service_apply(struct apply *a, const struct change *c, struct err *err)
{
	static int (*const actions[])(struct apply *, const struct change *, struct err *) = {
		[ACTION_CREATE] = create, [ACTION_UPDATE] = update,         [ACTION_REPLACE] = replace,
		[ACTION_ADOPT] = update,  [ACTION_DELETE] = remove_service, [ACTION_VERIFY] = converge_verify,
	};

	if (c->action >= ARRAY_SIZE(actions) || !actions[c->action])
		return 0;
	int rc = actions[c->action](a, c, err);
	if (rc < 0 && err->code == ERR_NOT_FOUND) /* it, or what it refers to, was there when it was observed */
		err->code = ERR_OUT_OF_SEQUENCE;
	return rc;
}

/* Observing what no list tells */

static void resolve_anew(struct fetch *f, const char *image, json_t *digests)
{
	_cleanup_json_ json_t *platforms = NULL;
	_cleanup_free_ char *digest = NULL;
	struct image_ref ref = {0};
	struct err ignored;

	if (!image || image_ref_parse(image, &ref, &ignored) < 0)
		return;
	if (!ref.digest && !json_object_get(digests, ref.familiar) &&
	    engine_resolve_image(f->cluster->engine, f->deadline, &ref, &digest, &platforms, &ignored) == 0)
		json_set_str(digests, ref.familiar, digest);
	image_ref_free(&ref);
}

int service_fetch(struct fetch *f, struct err *err)
{
	const struct snode *services = f->spec ? snode_get(spec_root(f->spec), "services") : NULL;
	const json_t *live = snapshot_get(f->snap, "engine/services", NULL);
	_cleanup_json_ json_t *known = network_names(f->snap), *names = json_object(), *digests = json_object();
	json_t *service;
	size_t i;
	(void)err;

	json_array_foreach (live, i, service)
		add_unknown_networks(f->cluster->engine, f->deadline, service, known, names);
	for (i = 0; f->cluster->refresh_images && i < snode_count(services); i++)
		resolve_anew(f, snode_str(services->items[i], "image"), digests);
	if (json_object_size(names) > 0)
		snapshot_put(f->snap, HIDDEN_NETWORKS, json_incref(names));
	if (json_object_size(digests) > 0)
		snapshot_put(f->snap, FRESH_DIGESTS, json_incref(digests));
	return 0;
}
