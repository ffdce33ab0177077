#include "run/shared.h"

#include "base/base64.h"
#include "sys/clock.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#define TRIES 5
#define PAUSE_MS 50                /* before the second try; doubled for each one after it */
#define CALL_MS INT64_C(10) * 1000 /* so that a call that hangs leaves time to look what became of it */

/* A config cannot be without data, and its data can never change. */
static const char data_text[] = "What reconcile must know before it changes this cluster: who is changing it, what is "
				"suspended, what failed.\nIt is in the labels of this config; docker config rm makes "
				"it forget all that.\n";

struct found {
	struct shared_at at;
	json_t *spec;     /* as the engine gave it; NULL: there is no such object */
	json_t *sections; /* never NULL when it was found out */
};

static void found_free(struct found *f)
{
	json_decref(f->spec);
	json_decref(f->sections);
}

/* The engine's filter takes every name that begins with ours. */
static json_t *pick(const json_t *configs, const char *name)
{
	json_t *config;
	size_t i;

	json_array_foreach ((json_t *)configs, i, config) {
		const char *its = json_string_value(json_path(config, "Spec.Name"));
		if (str_eq(its, name))
			return config;
	}
	return NULL;
}

static int not_ours(const char *name, struct err *err)
{
	return err_set(
		err, ERR_CONFLICT,
		"config '%s' is somebody else's (it has no label %s), and reconcile keeps its shared state under "
		"that name: rename that one",
		name, SHARED_LABEL);
}

static int read_object(const json_t *config, const char *name, const char *cluster, struct found *f, struct err *err)
{
	const char *id = json_str(config, "ID");
	const json_t *labels = json_path(config, "Spec.Labels");
	int64_t version = json_int(json_object_get(config, "Version"), "Index", 0);

	if (!id || strlen(id) >= sizeof(f->at.id) || version <= 0)
		return err_set(err, ERR_PROTOCOL, "config '%s': the engine gives neither an id nor a version", name);
	if (!json_object_get(labels, SHARED_LABEL))
		return not_ours(name, err);
	if (shared_from_labels(labels, cluster, &f->sections, err) < 0)
		return -1;
	snprintf(f->at.id, sizeof(f->at.id), "%s", id);
	f->at.version = (uint64_t)version;
	f->spec = json_incref(json_object_get(config, "Spec"));
	return 0;
}

static int find(const json_t *configs, const char *cluster, struct found *f, struct err *err)
{
	_cleanup_free_ char *name = shared_name(cluster);
	const json_t *config = pick(configs, name);

	*f = (struct found){0};
	if (config)
		return read_object(config, name, cluster, f, err);
	f->sections = json_object();
	return 0;
}

static int64_t call_deadline(int64_t deadline)
{
	int64_t limit = clock_ms() + CALL_MS;
	return limit < deadline ? limit : deadline;
}

static int fetch(struct engine *e, const char *cluster, int64_t deadline, struct found *f, struct err *err)
{
	_cleanup_free_ char *name = shared_name(cluster), *filters = xasprintf("{\"name\":[\"%s\"]}", name);
	_cleanup_str_ struct str query = {0};
	_cleanup_json_ json_t *configs = NULL;

	engine_escape(filters, &query);
	if (engine_get(e, call_deadline(deadline), &configs, err, "/configs?filters=%s", str_cstr(&query)) < 0)
		return -1;
	if (!json_is_array(configs))
		return err_set(err, ERR_PROTOCOL, "GET /configs: the engine's answer is not a list");
	return find(configs, cluster, f, err);
}

int shared_from_list(const json_t *configs, const char *cluster, struct shared_at *at, json_t **sections,
		     struct err *err)
{
	CLEANUP(found_free) struct found f = {0};

	if (find(configs, cluster, &f, err) < 0)
		return -1;
	*at = f.at;
	*sections = json_incref(f.sections);
	return 0;
}

int shared_read(struct engine *e, const char *cluster, int64_t deadline, struct shared_at *at, json_t **sections,
		struct err *err)
{
	CLEANUP(found_free) struct found f = {0};

	if (fetch(e, cluster, deadline, &f, err) < 0)
		return -1;
	*at = f.at;
	*sections = json_incref(f.sections);
	return 0;
}

static json_t *new_spec(const char *cluster)
{
	_cleanup_free_ char *name = shared_name(cluster);
	_cleanup_str_ struct str data = {0};
	json_t *spec = json_object();

	base64_encode(data_text, sizeof(data_text) - 1, &data);
	json_set_str(spec, "Name", name);
	json_set_str(spec, "Data", str_cstr(&data));
	return spec;
}

static int write_sections(struct engine *e, const char *cluster, int64_t deadline, const struct found *f,
			  const json_t *sections, struct err *err)
{
	_cleanup_json_ json_t *spec = f->spec ? json_deep_copy(f->spec) : new_spec(cluster);

	json_set(spec, "Labels", shared_to_labels(json_object_get(spec, "Labels"), cluster, sections));
	deadline = call_deadline(deadline);
	if (!f->spec)
		return engine_post(e, deadline, spec, NULL, err, "/configs/create");
	return engine_post(e, deadline, spec, NULL, err, "/configs/%s/update?version=%" PRIu64, f->at.id,
			   f->at.version);
}

/* Empty sections do not count: no label is made of them. */
static bool same_sections(const char *cluster, const json_t *a, const json_t *b)
{
	_cleanup_json_ json_t *left = shared_to_labels(NULL, cluster, a), *right = shared_to_labels(NULL, cluster, b);
	return json_equal(left, right);
}

/*
 * Somebody else was faster (also: created it, removed it), or the answer does not tell whether it was done: what is
 * there now decides. The daemon says 500 for what Raft could not agree on just then.
 */
static bool may_try_again(enum err_code code)
{
	static const enum err_code again[] = {ERR_OUT_OF_SEQUENCE, ERR_CONFLICT, ERR_NOT_FOUND, ERR_UNREACHABLE,
					      ERR_TIMEOUT,         ERR_PROTOCOL, ERR_FAILED};

	for (size_t i = 0; i < ARRAY_SIZE(again); i++)
		if (code == again[i])
			return true;
	return false;
}

/* Also after Ctrl-C; short. Those who met each other go apart. */
static void pause_before(int try)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	int64_t ms = ((int64_t)PAUSE_MS << (try - 1)) + now.tv_nsec / 1000 % PAUSE_MS;
	nanosleep(&(struct timespec){.tv_sec = ms / 1000, .tv_nsec = ms % 1000 * 1000000}, NULL);
}

/* *tried: what the last write that did not succeed for certain would have left. *again: worth another try. */
static int update_once(struct engine *e, const char *cluster, int64_t deadline,
		       int (*edit)(void *arg, json_t *sections, struct err *err), void *arg, json_t **tried,
		       bool *again, struct err *err)
{
	CLEANUP(found_free) struct found f = {0};

	*again = false;
	if (fetch(e, cluster, deadline, &f, err) < 0) {
		*again = *tried && may_try_again(err->code);
		return -1;
	}
	if (*tried && same_sections(cluster, *tried, f.sections))
		return 0;
	_cleanup_json_ json_t *sections = json_deep_copy(f.sections);
	if (edit(arg, sections, err) < 0)
		return -1;
	if (same_sections(cluster, sections, f.sections) ||
	    write_sections(e, cluster, deadline, &f, sections, err) == 0)
		return 0;
	json_decref(*tried);
	*tried = json_incref(sections);
	*again = may_try_again(err->code);
	return err_wrap(err, "recording the shared state of cluster '%s'", cluster);
}

int shared_update(struct engine *e, const char *cluster, int64_t deadline,
		  int (*edit)(void *arg, json_t *sections, struct err *err), void *arg, struct err *err)
{
	_cleanup_json_ json_t *tried = NULL;
	struct err why = {0};
	bool again = true;

	for (int try = 0; try < TRIES && again; try++) {
		if (try > 0 && clock_left(deadline) == 0)
			break;
		if (try > 0)
			pause_before(try);
		if (update_once(e, cluster, deadline, edit, arg, &tried, &again, &why) == 0)
			return 0;
	}
	if (err)
		*err = why;
	return -1;
}
