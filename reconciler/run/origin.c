#include "run/origin.h"

#include "base/base64.h"
#include "kinds/cluster.h"
#include "sys/hash.h"

#include <stdlib.h>
#include <string.h>

struct origin {
	struct files files;     /* first: what spec_load is given */
	struct source *source;  /* NULL: of a recorded text */
	const json_t *recorded; /* borrowed; NULL: of the options */
	const char *name, *commit;
	char *repo, *file, *path; /* of the source: a repository as shown, or a path */
	struct str text;          /* of a recorded one */
	json_t *read;             /* {path: base64}: what the spec read */
	char sha256[HASH_HEX_SIZE];
};

static int read_recorded(const struct origin *g, const char *path, size_t max, struct str *out, struct err *err)
{
	const char *text = json_str(json_object_get(g->recorded, "files"), path);
	_cleanup_str_ struct str data = {0};

	if (!text || !base64_decode(text, strlen(text), &data))
		return err_set(err, ERR_NOT_FOUND,
			       "reading '%s': it is not in the record of that run (what secrets read is never kept)",
			       path);
	if (data.len > max)
		return err_set(err, ERR_LIMIT, "reading '%s': it is larger than the limit of %zu bytes", path, max);
	str_add(out, data.data, data.len);
	return 0;
}

static void keep(struct origin *g, const char *path, const char *data, size_t n)
{
	_cleanup_str_ struct str text = {0};

	base64_encode(data, n, &text);
	json_set_str(g->read, path, str_cstr(&text));
}

static int read_file(struct files *f, const char *path, size_t max, struct str *out, struct err *err)
{
	struct origin *g = (struct origin *)f;
	size_t before = out->len;

	if (!g->source)
		return read_recorded(g, path, max, out, err);
	struct files *inner = source_files(g->source);
	if (inner->read(inner, path, max, out, err) < 0)
		return -1;
	keep(g, path, out->data ? out->data + before : "", out->len - before);
	return 0;
}

/* The password is not in the record: it comes from the options, when they name the same repository. */
static int recorded_url(const struct source_options *o, const char *repo, const char **url, struct err *err)
{
	_cleanup_free_ char *given = o->repo_url ? source_repo_shown(o->repo_url) : NULL;

	*url = given && strcmp(given, repo) == 0 ? o->repo_url : repo;
	if (*url == repo && strstr(repo, "://***@"))
		return err_set(err, ERR_USAGE,
			       "repository %s: its password is not recorded; name it in this machine's settings", repo);
	return 0;
}

static int open_commit(const struct source_options *o, struct origin *g, struct err *err)
{
	struct source_options at = {
		.ref = json_str(g->recorded, "commit"),
		.file = json_str(g->recorded, "file"),
		.helper = o->helper,
		.deadline = o->deadline,
		.cache_dir = o->cache_dir,
	};

	g->repo = xstrdup(json_str(g->recorded, "repo"));
	g->file = at.file ? xstrdup(at.file) : NULL;
	if (recorded_url(o, g->repo, &at.repo_url, err) < 0)
		return -1;
	if (source_open(&at, &g->source, err) == 0)
		return 0;
	if (err->code == ERR_NOT_FOUND)
		err_wrap(err, "commit %.12s can no longer be read; was it dropped by a forced push?",
			 at.ref ? at.ref : "");
	return -1;
}

static int open_path(const struct source_options *o, struct origin *g, struct err *err)
{
	const char *path = json_str(g->recorded, "path");
	struct source_options at = {.path = path, .helper = o->helper, .deadline = o->deadline};

	g->path = xstrdup(path);
	return source_open(&at, &g->source, err);
}

static int open_text(const struct source_options *o, struct origin *g, struct err *err)
{
	const char *text = json_str(g->recorded, "text");

	(void)o;
	(void)err;
	str_adds(&g->text, text);
	g->name = json_str(g->recorded, "name");
	g->name = g->name ? g->name : SOURCE_FILE;
	return 0;
}

/* By the member that tells the form of a recorded one. */
static const struct {
	const char *member;
	int (*open)(const struct source_options *o, struct origin *g, struct err *err);
} forms[] = {{"repo", open_commit}, {"text", open_text}, {"path", open_path}};

static int open_recorded(const struct source_options *o, struct origin *g, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(forms); i++)
		if (json_str(g->recorded, forms[i].member))
			return forms[i].open(o, g, err);
	return err_set(err, ERR_NOT_FOUND, "the record does not say where the spec came from");
}

static int open_given(const struct source_options *o, struct origin *g, struct err *err)
{
	if (source_open(o, &g->source, err) < 0)
		return -1;
	if (o->repo_url) {
		g->repo = source_repo_shown(o->repo_url);
		g->file = o->file ? xstrdup(o->file) : NULL;
	} else {
		g->path = realpath(o->path, NULL);
		g->path = g->path ? g->path : xstrdup(o->path);
	}
	return 0;
}

int origin_open(const struct source_options *o, const json_t *recorded, struct origin **out, struct err *err)
{
	struct origin *g = xcalloc(1, sizeof(*g));

	g->files.read = read_file;
	g->recorded = recorded;
	if ((recorded ? open_recorded(o, g, err) : open_given(o, g, err)) < 0) {
		origin_close(g);
		return -1;
	}
	if (g->source) {
		g->name = source_name(g->source);
		g->commit = source_commit(g->source);
	}
	g->read = json_object();
	*out = g;
	return 0;
}

void origin_close(struct origin *g)
{
	if (!g)
		return;
	source_close(g->source);
	free(g->repo);
	free(g->file);
	free(g->path);
	str_free(&g->text);
	json_decref(g->read);
	free(g);
}

const char *origin_name(const struct origin *g)
{
	return g->name;
}

const char *origin_commit(const struct origin *g)
{
	return g->commit;
}

const char *origin_stale(const struct origin *g)
{
	return g->source ? source_stale(g->source) : NULL;
}

const struct str *origin_text(const struct origin *g)
{
	return g->source ? source_text(g->source) : &g->text;
}

struct spec_input origin_input(struct origin *g, const char *const *allow_env)
{
	return (struct spec_input){
		.name = g->name,
		.text = str_cstr(origin_text(g)),
		.len = origin_text(g)->len,
		.files = &g->files,
		.allow_env = allow_env,
	};
}

const char *origin_sha256(struct origin *g)
{
	const struct str *text = origin_text(g);
	struct err ignored;

	if (!*g->sha256 && hash_sha256_hex(str_cstr(text), text->len, g->sha256, &ignored) < 0)
		g->sha256[0] = '\0';
	return g->sha256;
}

bool origin_is_text_alone(const struct origin *g)
{
	return !g->recorded && json_object_size(g->read) == 0;
}

/* Recording */

static bool is_secret_content(const struct resource_set *want, const char *base64)
{
	for (size_t i = 0; i < resource_count(want); i++) {
		const struct resource *r = resource_at(want, i);
		if (strcmp(r->kind, "secret") == 0 && r->payload && strcmp(r->payload, base64) == 0)
			return true;
	}
	return false;
}

/* Also one that could not be decoded, so that no payload is known. */
static void drop_files_of_secrets(const struct spec *spec, json_t *files)
{
	const struct snode *secrets = snode_get(spec_root(spec), "secrets");

	for (size_t i = 0; i < snode_count(secrets); i++) {
		const char *file = snode_str(secrets->items[i], "file");
		if (file)
			json_object_del(files, file);
	}
}

static json_t *files_to_keep(const struct origin *g, const struct spec *spec, const struct resource_set *want)
{
	json_t *files = json_object(), *text;
	const char *path;

	json_object_foreach (g->read, path, text)
		if (!is_secret_content(want, json_string_value(text)))
			json_object_set(files, path, text);
	drop_files_of_secrets(spec, files);
	return files;
}

/* What the spec says, wherever it was read: two runs with the same content applied the same. */
static void set_content(json_t *out, const struct origin *g, const json_t *files)
{
	_cleanup_json_ json_t *content = json_object();
	_cleanup_str_ struct str text = {0};
	char hex[HASH_HEX_SIZE];
	struct err ignored;

	json_set_str(content, "text", str_cstr(origin_text(g)));
	json_set(content, "files", json_incref((json_t *)files));
	json_canonical(content, &text);
	if (hash_sha256_hex(text.data, text.len, hex, &ignored) == 0)
		json_set_str(out, "content", hex);
}

json_t *origin_record(struct origin *g, const struct spec *spec, const struct resource_set *want)
{
	if (!g->source)
		return json_deep_copy(g->recorded);

	_cleanup_json_ json_t *files = files_to_keep(g, spec, want);
	json_t *out = g->repo ? origin_reference(g) : json_object();
	if (!g->repo) {
		json_set_str(out, "name", g->name);
		json_set_str(out, "text", str_cstr(origin_text(g)));
		json_set(out, "files", json_incref(files));
	}
	json_set_str(out, "spec", origin_sha256(g));
	set_content(out, g, files);
	if (json_int(g->recorded, "rollback_of", 0))
		json_set_int(out, "rollback_of", json_int(g->recorded, "rollback_of", 0));
	return out;
}

json_t *origin_reference(const struct origin *g)
{
	json_t *out = json_object();

	if (g->repo) {
		json_set_str(out, "repo", g->repo);
		json_set_str(out, "file", g->file ? g->file : SOURCE_FILE);
		json_set_str(out, "commit", g->commit);
	} else {
		json_set_str(out, "path", g->path);
	}
	return out;
}

json_t *digests_of(const struct snapshot *snap, const char *cluster)
{
	const json_t *services = snapshot_get(snap, "engine/services", NULL), *service;
	json_t *out = json_object();
	size_t i;

	json_array_foreach (services, i, service) {
		const char *image = json_str(json_path(service, "Spec.TaskTemplate.ContainerSpec"), "Image");
		const char *name = json_str(json_object_get(service, "Spec"), "Name");
		if (!image || !strchr(image, '@') || !name || !labels_owned(json_path(service, "Spec.Labels"), cluster))
			continue;
		_cleanup_free_ char *key = xasprintf("service/%s", name);
		json_set_str(out, key, image);
	}
	return out;
}
