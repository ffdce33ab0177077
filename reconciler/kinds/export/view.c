#include "kinds/export/view.h"

#include <string.h>

char *export_own_file(const char *cluster)
{
	return xasprintf("/etc/exports.d/reconcile-%s.exports", cluster);
}

static const char *own_text(const json_t *host, const json_t *files, const char *own_file)
{
	const char *text = json_str(files, own_file);
	if (!text)
		text = json_str(json_object_get(json_object_get(host, "files"), own_file), "content");
	return text ? text : "";
}

static bool find_exports(const json_t *host, const json_t **exports, char **why)
{
	*exports = json_object_get(host, "exports");
	const char *error = json_str(*exports, "error");

	if (error)
		*why = xasprintf("what is exported is unknown: %s", error);
	else if (!*exports)
		*why = xstrdup("the probe did not look at exports");
	return *exports && !error;
}

bool export_view_open(const json_t *host, const char *own_file, struct export_view *v, char **why)
{
	const json_t *exports;
	bool seen = find_exports(host, &exports, why);
	const json_t *files = json_object_get(exports, "files");
	size_t n;

	/* etab is what exportfs -s shows, with every option (FACTS D). */
	const char *active = json_str(exports, "etab") ? json_str(exports, "etab") : json_str(exports, "active");
	*v = (struct export_view){.host = host, .own = {.file = own_file, .text = own_text(host, files, own_file)}};
	exports_parse(active, &v->active);
	exports_parse(v->own.text, &v->own.exports);
	const char **names = json_sorted_keys(files, &n);
	for (size_t i = 0; i < n; i++) {
		if (str_eq(names[i], own_file))
			continue;
		struct export_table t = {.file = names[i], .text = json_str(files, names[i])};
		exports_parse(t.text, &t.exports);
		vec_push(&v->others, t);
	}
	free(names);
	return seen;
}

void export_view_close(struct export_view *v)
{
	exports_free(&v->active);
	exports_free(&v->own.exports);
	for (size_t i = 0; i < v->others.n; i++)
		exports_free(&v->others.v[i].exports);
	vec_free(&v->others);
}

void export_view_paths(const struct export_view *v, const char *path, const char *paths[static 3])
{
	const char *real = json_str(json_object_get(json_object_get(v->host, "dirs"), path), "real");

	paths[0] = path;
	paths[1] = real;
	paths[2] = NULL;
}

static bool is_at(const struct export_entry *e, const char *const *paths)
{
	for (; *paths; paths++)
		if (str_eq(e->path, *paths))
			return true;
	return false;
}

/* canonical client -> options, of one table and path. The first line wins, as in exportfs. */
static json_t *clients_at(const struct exports *e, const char *const *paths)
{
	json_t *all = json_object();

	for (size_t i = 0; i < e->list.n; i++)
		if (is_at(&e->list.v[i], paths) && !json_object_get(all, e->list.v[i].client))
			json_set_str(all, e->list.v[i].client, e->list.v[i].options);
	return all;
}

/* canonical client -> "rw,… in /etc/exports:12, …" of all tables that are not ours. */
static json_t *foreign_clients(const struct export_view *v, const char *const *paths)
{
	json_t *all = json_object();

	for (size_t t = 0; t < v->others.n; t++) {
		const struct export_table *table = &v->others.v[t];
		for (size_t i = 0; i < table->exports.list.n; i++) {
			const struct export_entry *e = &table->exports.list.v[i];
			const char *before = json_str(all, e->client);
			if (!is_at(e, paths))
				continue;
			_cleanup_free_ char *text =
				xasprintf("%s%s%s:%zu", before ? before : "", before ? ", " : "", table->file, e->line);
			json_set_str(all, e->client, text);
		}
	}
	return all;
}

static void rename_member(json_t *obj, const char *from, const char *to)
{
	json_set(obj, to, json_incref(json_object_get(obj, from)));
	json_object_del(obj, from);
}

static bool is_same_host(const char *full, const char *name)
{
	size_t n = strlen(name);
	return strncmp(full, name, n) == 0 && full[n] == '.';
}

/* The member of active that stands for name; NULL when none does. */
static const char *find_alias(json_t *active, const char *name, const char *options, const json_t *known, bool by_name)
{
	const char *key;
	json_t *value;

	json_object_foreach (active, key, value)
		if (export_client_is_host_name(key) && !json_object_get(known, key) &&
		    (by_name ? is_same_host(key, name) : str_eq(json_string_value(value), options)))
			return key;
	return NULL;
}

/*
 * exportfs shows a host name as the resolver writes it out (client_lookup in
 * nfs-utils): the short name's long form, or any other name of an alias with the
 * same options. It gets back the name that the file has.
 */
static void restore_names(json_t *active, const json_t *file)
{
	const char *name;
	json_t *options;

	for (int by_name = 1; by_name >= 0; by_name--) {
		json_object_foreach ((json_t *)file, name, options) {
			if (!export_client_is_host_name(name) || json_object_get(active, name))
				continue;
			const char *alias = find_alias(active, name, json_string_value(options), file, by_name);
			if (alias)
				rename_member(active, alias, name);
		}
	}
}

/* The options alone when our file and nothing else exports to this client; else what is different. */
static json_t *describe(const char *active, const char *own, const char *foreign)
{
	if (foreign && !active)
		return json_sprintf("not active (in %s)", foreign);
	if (foreign)
		return json_sprintf("%s (%sby %s)", active, own ? "also " : "", foreign);
	if (!active)
		return json_sprintf("%s (not active)", own);
	if (!own)
		return json_sprintf("%s (not in a file)", active);
	return str_eq(active, own) ? json_string(own) : json_sprintf("%s (the file says %s)", active, own);
}

json_t *export_view_clients(const struct export_view *v, const char *path)
{
	const char *paths[3];

	export_view_paths(v, path, paths);
	_cleanup_json_ json_t *active = clients_at(&v->active, paths), *own = clients_at(&v->own.exports, paths),
			      *foreign = foreign_clients(v, paths), *all = json_object();
	json_t *out = json_object();
	size_t n;

	restore_names(active, foreign);
	restore_names(active, own);
	json_object_update_missing(all, active);
	json_object_update_missing(all, own);
	json_object_update_missing(all, foreign);
	const char **clients = json_sorted_keys(all, &n);
	for (size_t i = 0; i < n; i++)
		json_set(out, clients[i],
			 describe(json_str(active, clients[i]), json_str(own, clients[i]),
				  json_str(foreign, clients[i])));
	free(clients);
	return out;
}
