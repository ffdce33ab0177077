#include "run/evidence.h"

#include <pthread.h>

struct evidence {
	pthread_mutex_t lock;
	json_t *values;
	json_t *changed; /* keys, as an object */
};

struct evidence *evidence_new(json_t *initial)
{
	struct evidence *e = xcalloc(1, sizeof(*e));
	pthread_mutex_init(&e->lock, NULL);
	e->values = initial ? initial : json_object();
	e->changed = json_object();
	return e;
}

void evidence_free(struct evidence *e)
{
	if (!e)
		return;
	pthread_mutex_destroy(&e->lock);
	json_decref(e->values);
	json_decref(e->changed);
	free(e);
}

json_t *evidence_get(void *arg, const char *key)
{
	struct evidence *e = arg;
	pthread_mutex_lock(&e->lock);
	json_t *v = json_object_get(e->values, key);
	json_t *copy = v ? json_deep_copy(v) : NULL;
	pthread_mutex_unlock(&e->lock);
	return copy;
}

void evidence_put(void *arg, const char *key, const json_t *value)
{
	struct evidence *e = arg;
	pthread_mutex_lock(&e->lock);
	if (value)
		json_set(e->values, key, json_deep_copy(value));
	else
		json_object_del(e->values, key);
	json_set_bool(e->changed, key, true);
	pthread_mutex_unlock(&e->lock);
}

int evidence_flush(struct evidence *e, struct store *s, struct err *err)
{
	const char *key;
	json_t *unused;
	int rc = 0;

	pthread_mutex_lock(&e->lock);
	json_object_foreach (e->changed, key, unused) {
		rc = store_set_evidence(s, key, json_object_get(e->values, key), err);
		if (rc < 0)
			break;
	}
	if (rc == 0)
		json_object_clear(e->changed);
	pthread_mutex_unlock(&e->lock);
	return rc;
}
