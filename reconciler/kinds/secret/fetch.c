#include "kinds/secret/secret.h"

#include "base/base64.h"
#include "kinds/util.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>

#define AT_ONCE 8 /* commands side by side */

const char *settings_named(const struct settings *s, char buf[static 512])
{
	snprintf(buf, 512, "this machine's settings (%s)", s && s->file ? s->file : SETTINGS_FILE);
	return buf;
}

static int environment_allowed(const struct settings *s, const struct snode *section, struct err *err)
{
	const struct snode *name = snode_get(section, "environment");
	char buf[512];

	if (settings_allows_env(s, name->text))
		return 0;
	return err_set(err, ERR_DENIED,
		       "the variable '%s' is not allowed: name it in allow_env of %s, or with --allow-env",
		       snode_shown(name), settings_named(s, buf));
}

static void environment_read(struct reading *r)
{
	const struct snode *name = snode_get(r->section, "environment");
	const char *value = getenv(name->text);

	if (value)
		str_adds(&r->content, value);
	else
		err_set(&r->err, ERR_NOT_FOUND, "the environment variable '%s' is not set", snode_shown(name));
}

/* The ways, by the key that asks for them. */
static const struct way {
	const char *key;
	int (*allowed)(const struct settings *s, const struct snode *section, struct err *err);
	void (*start)(struct reading *r);
} ways[] = {
	{"command", command_allowed, command_start},
	{"environment", environment_allowed, environment_read},
	{"host_file", host_file_allowed, host_file_read},
};

static const struct way *way_of(const struct snode *section)
{
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		if (snode_str(section, ways[i].key))
			return &ways[i];
	return NULL;
}

bool secret_is_fetched(const struct snode *section)
{
	return way_of(section) != NULL;
}

static void put(const struct fetch *f, const struct snode *section, json_t *stolen)
{
	_cleanup_free_ char *doc = xasprintf("secret/%s", section->key);
	snapshot_put(f->snap, doc, stolen);
}

/* What an apply on this machine would say is known without looking, and worth saying in a review. */
static void put_unseen(const struct fetch *f, const struct snode *section)
{
	struct err why = {0};

	if (way_of(section)->allowed(f->cluster->settings, section, &why) < 0)
		put(f, section, json_pack("{s:s}", "refused", why.msg));
	else
		put(f, section, json_null());
}

static void check_size(struct reading *r)
{
	if (r->err.code == ERR_NONE && r->content.len == 0)
		err_set(&r->err, ERR_FAILED, "it is empty, and Swarm refuses that");
	else if (r->err.code == ERR_NONE && r->content.len >= SECRET_LIMIT)
		err_set(&r->err, ERR_LIMIT, "Swarm takes less than %zu bytes, this has more", SECRET_LIMIT);
}

static void wipe(struct str *s)
{
	if (s->data)
		explicit_bzero(s->data, s->cap);
	str_free(s);
}

static void reading_start(struct reading *r)
{
	const struct way *way = way_of(r->section);

	if (way->allowed(r->fetch->cluster->settings, r->section, &r->err) == 0)
		way->start(r);
}

static void reading_finish(struct reading *r)
{
	const struct fetch *f = r->fetch;
	_cleanup_free_ char *doc = xasprintf("secret/%s", r->section->key);
	struct str encoded = {0};

	check_size(r);
	if (r->err.code == ERR_NONE) {
		base64_encode(r->content.data, r->content.len, &encoded);
		json_t *text = json_stringn(encoded.data, encoded.len);
		json_set(f->cluster->secrets, r->section->key, json_incref(text));
		snapshot_put(f->snap, doc, text);
	} else {
		snapshot_put_unknown(f->snap, doc, &r->err);
	}
	wipe(&encoded);
	wipe(&r->content);
	free(r->by_hand);
}

static void *wait_for(void *reading)
{
	command_finish(reading);
	return NULL;
}

/*
 * Side by side, for a command may ask an agent or a server, or hang; each has
 * its own deadline. A thread for each, as a child's output is read only by
 * whoever waits for it.
 */
static void read_some(struct reading *v, size_t n)
{
	pthread_t threads[AT_ONCE];
	bool started[AT_ONCE] = {false};

	for (size_t i = 0; i < n; i++)
		reading_start(&v[i]);
	for (size_t i = 0; i < n; i++)
		if (v[i].proc)
			started[i] = pthread_create(&threads[i], NULL, wait_for, &v[i]) == 0;
	for (size_t i = 0; i < n; i++) {
		if (started[i])
			pthread_join(threads[i], NULL);
		else if (v[i].proc)
			command_finish(&v[i]);
		reading_finish(&v[i]);
	}
}

static void read_all(struct reading *v, size_t n)
{
	for (size_t first = 0; first < n; first += AT_ONCE)
		read_some(v + first, n - first < AT_ONCE ? n - first : AT_ONCE);
}

/* The name needs the swarm's ID, so without a manager nothing is asked for the content. */
static bool can_be_named(const struct fetch *f)
{
	const char *why;
	return swarm_role(f->snap, &why) == SWARM_MANAGER;
}

int secret_fetch(struct fetch *f, struct err *err)
{
	const struct snode *list = snode_get(spec_root(f->spec), "secrets");
	VEC(struct reading) readings = {0};

	(void)err;
	for (size_t i = 0; i < snode_count(list) && can_be_named(f); i++) {
		const struct snode *section = list->items[i];
		json_t *known = json_object_get(f->cluster->secrets, section->key);
		if (!secret_is_fetched(section))
			continue;
		if (f->cluster->dry_run)
			put_unseen(f, section);
		else if (known)
			put(f, section, json_incref(known));
		else
			vec_push(&readings, ((struct reading){.fetch = f, .section = section}));
	}
	if (readings.n > 0) {
		/* A core file would have what is read now. */
		prctl(PR_SET_DUMPABLE, 0);
		if (!f->cluster->secrets)
			f->cluster->secrets = json_object();
		read_all(readings.v, readings.n);
	}
	vec_free(&readings);
	return 0;
}

void secret_forget(struct cluster *c)
{
	const char *key;
	json_t *text;

	json_object_foreach (c->secrets, key, text)
		explicit_bzero((char *)json_string_value(text), json_string_length(text));
	json_decref(c->secrets);
	c->secrets = NULL;
}
