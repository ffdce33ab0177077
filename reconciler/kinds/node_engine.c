#include "kinds/node_engine.h"

#include "client/engine/engine.h"
#include "kinds/cluster.h"
#include "kinds/util.h"
#include "sys/clock.h"

#include <stdlib.h>
#include <string.h>

#define CONTAINER "container/"
#define LOOK "docker "

/* Lists by what each is called in the snapshot, and where the engine has it. */
static const struct {
	const char *doc, *engine, *path;
} lists[] = {
	{"containers", "containers", "/containers/json?all=1"},
	{"networks", "networks", "/networks"},
	{"service-containers", "containers",
	 "/containers/json?all=1&filters=%7B%22label%22%3A%5B%22com.docker.swarm.service.id%22%5D%7D"},
};

static const char *name_of(const char *doc)
{
	return str_starts(doc, CONTAINER) ? doc + strlen(CONTAINER) : NULL;
}

static void add_path(const char *doc, struct str *out)
{
	const char *name = name_of(doc);

	if (name) {
		str_adds(out, "/containers/");
		engine_escape(name, out);
		str_adds(out, "/json");
	}
	for (size_t i = 0; !name && i < ARRAY_SIZE(lists); i++)
		if (strcmp(lists[i].doc, doc) == 0)
			str_adds(out, lists[i].path);
}

/* Its name in the snapshot when it is the engine in use; malloc'ed. */
static char *own_document(const char *doc)
{
	for (size_t i = 0; i < ARRAY_SIZE(lists); i++)
		if (strcmp(lists[i].doc, doc) == 0)
			return xasprintf("engine/%s", lists[i].engine);
	return xasprintf("engine/%s", doc);
}

static bool is_in_use(const struct wants *w, const char *node)
{
	return !node || str_eq(node, w->engine_node);
}

void want_node_engine(struct wants *w, const char *node, const char *doc)
{
	_cleanup_free_ char *own = own_document(doc);
	_cleanup_str_ struct str path = {0};

	if (!is_in_use(w, node)) {
		add_path(doc, &path);
		want_look(w, node, "docker", str_cstr(&path));
	} else if (name_of(doc)) {
		want_container(w, name_of(doc));
	} else {
		want_engine(w, own + strlen("engine/"));
	}
	want_engine(w, "info");
}

/* Why the engine in use is not the node's; NULL: it is, as far as one can tell. Malloc'ed. */
static char *why_not_in_use(const struct snapshot *snap, const char *node)
{
	_cleanup_free_ char *doc = xasprintf("host/%s", node);
	const char *reason = NULL;
	const json_t *host = snapshot_get(snap, doc, &reason);
	const char *here = json_str(host, "hostname");
	const char *there = json_str(snapshot_get(snap, "engine/info", NULL), "Name");

	if (!host)
		return xstrdup(reason);
	if (here && there && !str_eq(here, there))
		return xasprintf(
			"the engine in use runs on '%s', node '%s' is '%s': its containers are not seen from here; "
			"run this on the node with DOCKER_HOST unset",
			there, node, here);
	return NULL;
}

const json_t *node_engine_get(const struct snapshot *snap, const char *node, const char *doc, char **why)
{
	_cleanup_str_ struct str at = {0};
	_cleanup_free_ char *own = own_document(doc);
	const char *name = own, *reason = NULL;

	*why = NULL;
	if (node) {
		str_addf(&at, "host/%s", node);
		add_path(doc, &at);
		if (snapshot_has(snap, str_cstr(&at)))
			name = str_cstr(&at);
		else if ((*why = why_not_in_use(snap, node)))
			return NULL;
	}
	const json_t *j = snapshot_get(snap, name, &reason);
	if (!j)
		*why = xstrdup(reason);
	return j;
}

/* Fetch */

static void put(struct fetch *f, const char *node, const char *path, const json_t *answer)
{
	_cleanup_free_ char *doc = xasprintf("host/%s%s", node, path);
	const char *error = json_str(answer, "error"), *text = json_string_value(answer);
	json_t *j = NULL;
	struct err why = {0};

	if (error)
		err_set(&why, ERR_FAILED, "node '%s': GET %s: %s", node, path, error);
	else if (text && json_parse(text, json_string_length(answer), &j, &why) < 0)
		err_wrap(&why, "node '%s': GET %s", node, path);
	if (why.code != ERR_NONE)
		snapshot_put_unknown(f->snap, doc, &why);
	else
		snapshot_put(f->snap, doc, j ? j : json_null());
}

void node_engine_fetch(struct fetch *f)
{
	for (size_t i = 0; i < f->cluster->n_hosts; i++) {
		const char *node = host_node(f->cluster->hosts[i]), *look;
		_cleanup_free_ char *doc = xasprintf("host/%s", node);
		json_t *looks = json_object_get(snapshot_get(f->snap, doc, NULL), "looks"), *answer;
		json_object_foreach (looks, look, answer)
			if (str_starts(look, LOOK))
				put(f, node, look + strlen(LOOK), answer);
	}
}

/* Clocks */

void want_node_clock(struct wants *w, const char *node)
{
	if (!is_in_use(w, node))
		want_look(w, node, "clock", NULL);
	want_engine(w, "info");
}

int64_t node_clock(const struct snapshot *snap, const char *node)
{
	_cleanup_free_ char *doc = xasprintf("host/%s", node ? node : "");
	const char *seconds = json_str(json_object_get(snapshot_get(snap, doc, NULL), "looks"), "clock");
	int64_t now;

	if (seconds)
		return strtoll(seconds, NULL, 10);
	if (clock_parse_rfc3339(json_str(snapshot_get(snap, "engine/info", NULL), "SystemTime"), &now))
		return now;
	return clock_wall();
}
