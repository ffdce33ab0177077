#include "kinds/traefik/fetch.h"

#include "kinds/container.h"
#include "kinds/kinds.h"
#include "kinds/node_engine.h"
#include "kinds/traefik/archive.h"
#include "kinds/traefik/moved.h"
#include "kinds/traefik/reach.h"
#include "kinds/traefik/static.h"
#include "kinds/util.h"
#include "sys/clock.h"
#include "sys/file.h"

#include <string.h>

/* A Traefik that does not answer is no reason to wait for long: it is one document of many. */
#define API_TIMEOUT_MS 5000
/* Unless it has just been started: Traefik's API answers some seconds later, 2 to 5 as measured with v2 and v3. */
#define STARTING_S 10
#define ASK_AGAIN_MS 250

/* The API: the version, and what only an edit of the static configuration looks at. */

static const struct {
	const char *doc, *path;
} documents[] = {
	{"traefik/version", "/api/version"},
	{"traefik/routers", "/api/http/routers"},
	{"traefik/overview", "/api/overview"},
	{"traefik/entrypoints", "/api/entrypoints"}, /* only where the spec adds some, or no file says them */
	{"traefik/rawdata", "/api/rawdata"},         /* only where routes would be lost */
};
#define N_USUAL 3
#define ENTRYPOINTS 3
#define RAWDATA 4

static void fetch_documents(struct fetch *f, size_t first, size_t n)
{
	int64_t limit = clock_ms() + API_TIMEOUT_MS, deadline = limit < f->deadline ? limit : f->deadline;
	struct traefik_client *t = NULL;
	struct err why = {0};

	if (cluster_traefik(f->cluster, &t, &why) < 0)
		t = NULL;
	for (size_t i = first; i < first + n; i++) {
		json_t *body = NULL;
		/* The first failure stands for the others: no second timeout. */
		if (why.code == ERR_NONE && traefik_get(t, deadline, documents[i].path, &body, &why) == 0)
			snapshot_put(f->snap, documents[i].doc, body);
		else
			snapshot_put_unknown(f->snap, documents[i].doc, &why);
	}
	traefik_close(t);
}

/* Until when (clock.h) the container may be starting up; 0: it is not, or has no API to be waited for. */
static int64_t starting_until(const struct fetch *f, const char *node, const json_t *container)
{
	const json_t *state = json_object_get(container, "State");
	int64_t started;

	if (!f->cluster->traefik_api || !json_bool(state, "Running") ||
	    !clock_parse_rfc3339(json_str(state, "StartedAt"), &started))
		return 0;
	int64_t age = node_clock(f->snap, node) - started; /* below 0: started after the node was asked for its time */
	if (age < -STARTING_S || age >= STARTING_S)
		return 0;
	int64_t until = clock_ms() + 1000 * (STARTING_S - (age > 0 ? age : 0));
	return until < f->deadline ? until : f->deadline;
}

static void fetch_documents_when_up(struct fetch *f, size_t n, int64_t starting)
{
	fetch_documents(f, 0, n);
	while (!snapshot_get(f->snap, "traefik/version", NULL) && clock_left(starting) > 0 && clock_sleep(ASK_AGAIN_MS))
		fetch_documents(f, 0, n);
}

void traefik_fetch_api(struct fetch *f)
{
	fetch_documents(f, 0, N_USUAL);
}

/* Versions that images carry */

static bool put_version(struct fetch *f, const char *text)
{
	struct traefik_version v;

	if (!traefik_version_of_tag(text, &v))
		return false;
	_cleanup_free_ char *version = xasprintf("%d.%d.%d", v.major, v.minor, v.patch);
	snapshot_put(f->snap, "traefik/version", json_pack("{s:s}", "Version", version));
	return true;
}

static bool put_version_of_image(struct fetch *f, const char *image)
{
	struct image_ref ref = {0};
	bool found = image && image_ref_parse(image, &ref, NULL) == 0 && put_version(f, ref.tag);

	image_ref_free(&ref);
	return found;
}

/* A Traefik that does not come up says no version, and may need the very edit that depends on it. */
static void version_of_container(struct fetch *f, const json_t *container)
{
	const char *label = json_str(json_path(container, "Config.Labels"), "org.opencontainers.image.version");

	if (snapshot_get(f->snap, "traefik/version", NULL))
		return;
	if (!put_version(f, label))
		put_version_of_image(f, json_str(json_object_get(container, "Config"), "Image"));
}

static void fetch_of_service(struct fetch *f, const struct snode *root, const struct snode *traefik)
{
	const struct snode *service = snode_get(snode_get(root, "services"), snode_str(traefik, "service"));

	/* No call on a pass that changes nothing: the spec says it. */
	if (!put_version_of_image(f, snode_str(service, "image")))
		fetch_documents(f, 0, 1);
}

/* The static configuration */

int traefik_read_inside(struct engine *e, int64_t deadline, const char *container, const char *path, struct str *out,
			int64_t *mtime, struct err *err)
{
	_cleanup_str_ struct str id = {0}, where = {0}, tar = {0};
	struct archive_file file;

	engine_escape(container, &id);
	engine_escape(path, &where);
	if (engine_get_raw(e, deadline, STATIC_FILE_MAX + 65536, &tar, err, "/containers/%s/archive?path=%s",
			   str_cstr(&id), str_cstr(&where)) < 0 ||
	    archive_read(str_cstr(&tar), tar.len, &file, err) < 0)
		return err_wrap(err, "read %s in container '%s'", path, container);
	str_add(out, file.data, file.len);
	if (mtime)
		*mtime = file.mtime;
	return 0;
}

struct reading {
	struct fetch *f;
	struct engine *engine; /* of the container's node */
	const char *container;
	struct str content; /* of the file that exists said was there */
	int64_t mtime;
};

static int exists_inside(void *arg, const char *path, bool *yes, struct err *err)
{
	struct reading *r = arg;
	struct err why = {0};

	str_reset(&r->content);
	*yes = traefik_read_inside(r->engine, r->f->deadline, r->container, path, &r->content, &r->mtime, &why) == 0;
	return *yes || why.code == ERR_NOT_FOUND ? 0 : err_set(err, why.code, "%s", why.msg);
}

/* Where a path of the host leads. */
static const char *real_path(const json_t *seen, const char *path)
{
	const char *real = json_str(json_object_get(json_object_get(seen, "dirs"), path), "real");
	return real ? real : path;
}

/* A host that did not answer does not differ. */
static bool differs_on_host(const json_t *seen, const char *path, const struct str *inside)
{
	const json_t *on_host = json_object_get(json_object_get(json_object_get(seen, "files"), path), "content");

	return on_host && (json_string_length(on_host) != inside->len ||
			   memcmp(str_cstr(inside), json_string_value(on_host), inside->len) != 0);
}

static void add_host_side(struct reading *r, const json_t *container, const struct snode *traefik, const char *inside,
			  json_t *doc)
{
	const char *declared = snode_str(traefik, "static_config");
	const char *node = snode_str(traefik, "node");
	struct host *h = cluster_host(r->f->cluster, node ? node : r->f->cluster->engine_node);
	_cleanup_free_ char *path = NULL;
	_cleanup_json_ json_t *seen = NULL;
	bool single = false;
	struct err ignored;

	if (!static_host_path(container, inside, &path, &single))
		return;
	json_set_str(doc, "path", path);
	json_set_bool(doc, "single_file", single);
	bool same = !declared || strcmp(declared, path) == 0;
	const char *const files[] = {path, NULL}, *const dirs[] = {path, declared, NULL};
	const struct probe_request q = {.files = files, .dirs = same ? NULL : dirs};
	/* Not seen: what is inside the container is still known. */
	if (h && host_probe(h, &q, r->f->deadline, &seen, &ignored) < 0)
		seen = NULL;
	/* The same file by another name, through symbolic links, is the same. */
	if (!same && strcmp(real_path(seen, declared), real_path(seen, path)) != 0)
		json_set_str(doc, "declared", declared);
	if (differs_on_host(seen, path, &r->content))
		json_set_bool(doc, "host_content_differs", true);
}

static void add_backup(const struct reading *r, json_t *doc)
{
	_cleanup_free_ char *path = traefik_newest_backup(r->f->cluster->backup_dir, r->container);
	_cleanup_str_ struct str text = {0};

	if (path && file_read(path, STATIC_FILE_MAX, &text, NULL) == 0)
		json_set(doc, "backup",
			 json_pack("{s:s, s:o}", "path", path, "content",
				   json_stringn_nocheck(str_cstr(&text), text.len)));
}

static int read_static(struct reading *r, const json_t *container, const struct snode *traefik, json_t *doc,
		       struct err *err)
{
	enum static_source source;
	_cleanup_free_ char *inside = NULL;

	if (static_locate(container, exists_inside, r, &source, &inside, err) < 0)
		return -1;
	json_set_str(doc, "source", static_source_name(source));
	if (!inside)
		return 0;
	json_set_str(doc, "inside", inside);
	json_set(doc, "content", json_stringn_nocheck(str_cstr(&r->content), r->content.len));
	json_set_int(doc, "mtime", r->mtime);
	add_host_side(r, container, traefik, inside, doc);
	add_backup(r, doc);
	return 0;
}

static void fetch_static(struct fetch *f, const char *name, const json_t *container, const struct snode *traefik)
{
	struct reading r = {.f = f, .container = name};
	_cleanup_json_ json_t *doc = json_object();
	struct err why = {0};

	if (cluster_engine(f->cluster, snode_str(traefik, "node"), &r.engine, &why) < 0 ||
	    read_static(&r, container, traefik, doc, &why) < 0)
		snapshot_put_unknown(f->snap, "traefik/static", &why);
	else
		snapshot_put(f->snap, "traefik/static", json_incref(doc));
	str_free(&r.content);
}

/* Routes of containers that the change would drop (moved.h) */

static void put_or_unknown(struct fetch *f, const char *doc, int rc, json_t *body, const struct err *why)
{
	if (rc < 0)
		snapshot_put_unknown(f->snap, doc, why);
	else
		snapshot_put(f->snap, doc, body);
}

static void fetch_dynamic_file(struct fetch *f, struct engine *e, const char *node, const char *name,
			       const struct traefik_view *v)
{
	struct host *h = cluster_host(f->cluster, node);
	_cleanup_str_ struct str text = {0};
	_cleanup_json_ json_t *seen = NULL;
	struct moved_file file;
	struct err why = {0};
	int rc = 0;

	moved_file_make(v, &file);
	const char *const files[] = {file.path, NULL};
	const struct probe_request q = {.files = files};
	if (file.inside)
		rc = traefik_read_inside(e, f->deadline, name, file.inside, &text, NULL, &why);
	bool there = file.inside && rc == 0;
	if (rc < 0 && why.code == ERR_NOT_FOUND)
		rc = 0;
	if (file.inside && rc == 0 && h)
		rc = host_probe(h, &q, f->deadline, &seen, &why);
	put_or_unknown(f, "traefik/dynamic", rc,
		       rc < 0 ? NULL
			      : json_pack("{s:o, s:b}", "content",
					  there ? json_stringn_nocheck(str_cstr(&text), text.len) : json_null(),
					  "host_content_differs", differs_on_host(seen, file.path, &text)),
		       &why);
	moved_file_free(&file);
}

static void fetch_dropped(struct fetch *f, const char *name, const struct snode *traefik)
{
	const char *node = snode_str(traefik, "node");
	_cleanup_json_ json_t *entrypoints = traefik_entrypoints_added(traefik);
	_cleanup_json_ json_t *want = json_pack("{s:b, s:O}", "swarm_mode", snode_bool(traefik, "swarm_mode", false),
						"entrypoints", entrypoints);
	struct engine *e = NULL;
	struct traefik_view v;
	struct err why = {0};
	json_t *list = NULL;

	traefik_view_make(f->snap, node, name, want, &v);
	bool drops = traefik_view_drops(&v, f->snap);
	if (drops)
		fetch_documents(f, RAWDATA, 1);
	if (drops && snode_bool(traefik, "keep_container_routes", false)) {
		int rc = cluster_engine(f->cluster, node, &e, &why);
		if (rc == 0)
			rc = engine_get(e, f->deadline, &list, &why, "/containers/json");
		put_or_unknown(f, "traefik/neighbours", rc, list, &why);
		if (e)
			fetch_dynamic_file(f, e, node, name, &v);
	}
	traefik_view_free(&v);
}

void traefik_fetch_container(struct fetch *f, const char *name, const json_t *container, const struct snode *traefik)
{
	version_of_container(f, container);
	fetch_static(f, name, container, traefik);
}

static void put_all_unknown(struct fetch *f, const char *why)
{
	struct err err = {0};

	err_set(&err, ERR_BLOCKED, "%s", why);
	for (size_t i = 0; i < ARRAY_SIZE(documents); i++)
		snapshot_put_unknown(f->snap, documents[i].doc, &err);
	snapshot_put_unknown(f->snap, "traefik/static", &err);
}

static bool has_routes(const struct snode *root)
{
	const struct snode *services = snode_get(root, "services");

	for (size_t i = 0; i < snode_count(services); i++)
		if (snode_get(services->items[i], "route"))
			return true;
	return false;
}

static bool has_file(const struct snapshot *snap)
{
	return str_eq(json_str(snapshot_get(snap, "traefik/static", NULL), "source"), static_source_name(STATIC_FILE));
}

int traefik_fetch(struct fetch *f, struct err *err)
{
	const struct snode *root = spec_root(f->spec), *traefik = snode_get(root, "traefik");
	const char *name = snode_str(traefik, "container"), *node = snode_str(traefik, "node");
	const json_t *container = NULL;
	_cleanup_free_ char *why = NULL;

	(void)err;
	if (!traefik)
		return 0;
	node_engine_fetch(f);
	if (!name) {
		fetch_of_service(f, root, traefik);
		return 0;
	}
	enum presence p = container_find(f->snap, node, name, &container, &why);
	if (p != PRESENT) {
		put_all_unknown(f, why ? why : "its container is not there");
		return 0;
	}
	bool edits = snode_get(traefik, "swarm_mode"), adds = edits && snode_get(traefik, "entrypoints");
	fetch_documents_when_up(f, !edits ? 1 : adds ? ENTRYPOINTS + 1 : N_USUAL, starting_until(f, node, container));
	bool answers = snapshot_get(f->snap, "traefik/version", NULL);
	version_of_container(f, container);
	if (edits) {
		fetch_static(f, name, container, traefik);
		fetch_dropped(f, name, traefik);
	}
	if (answers && !adds && has_routes(root) && !has_file(f->snap))
		fetch_documents(f, ENTRYPOINTS, 1);
	return 0;
}
