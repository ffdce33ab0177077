#include "kinds/export/write.h"

#include "kinds/backup.h"
#include "kinds/export/view.h"
#include "sys/clock.h"

#include <ctype.h>
#include <pthread.h>
#include <string.h>

#define PUT_BACK_MS 30000

/* One writer at a time: the file holds the exports of all, and exportfs -r reads all files. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

struct edit {
	char *file, *before, *after;
	bool made; /* or perhaps */
};

struct edits {
	VEC(struct edit) list;
};

static void edits_free(struct edits *e)
{
	for (size_t i = 0; i < e->list.n; i++) {
		free(e->list.v[i].file);
		free(e->list.v[i].before);
		free(e->list.v[i].after);
	}
	vec_free(&e->list);
}

static void add_edit(struct edits *e, const char *file, const char *before, struct str *after)
{
	if (str_eq(before, str_cstr(after)))
		return;
	struct edit x = {.file = xstrdup(file), .before = xstrdup(before), .after = str_steal(after)};
	vec_push(&e->list, x);
}

static int look(struct host *h, const struct export_change *x, json_t **out, struct err *err)
{
	const char *const dirs[] = {x->path, NULL};
	const struct probe_request q = {.dirs = dirs, .exports = true};

	return host_probe(h, &q, x->deadline, out, err);
}

/* The lines of one path, with the name that finds them again once the spec has forgotten it. */
static void add_lines(struct str *out, const char *name, const char *path, const json_t *clients)
{
	size_t n;
	const char **keys = json_sorted_keys(clients, &n);

	str_addf(out, "# export/%s\n", name);
	for (size_t i = 0; i < n; i++)
		export_line(path, keys[i], json_str(clients, keys[i]), out);
	free(keys);
}

/* Other exports of this file stay; their turn comes with their own change. */
static void own_after(const struct export_view *v, const char *cluster, const struct export_change *x, struct str *out)
{
	const struct exports *own = &v->own.exports;
	const char *name = NULL;

	str_addf(out, "# Written by reconcile for the cluster '%s'. It undoes what is changed here by hand.\n",
		 cluster);
	for (size_t i = 0; i < own->list.n; i++) {
		const struct export_entry *e = &own->list.v[i];
		if (str_eq(e->path, x->path))
			continue;
		if (e->name && !str_eq(e->name, name))
			str_addf(out, "# export/%s\n", e->name);
		name = e->name;
		export_line(e->path, e->client, e->options, out);
	}
	if (x->clients)
		add_lines(out, x->name, x->path, x->clients);
}

static void plan_edits(const struct export_view *v, const char *cluster, const struct export_change *x,
		       struct edits *out)
{
	_cleanup_str_ struct str own = {0};
	const char *paths[3];

	own_after(v, cluster, x, &own);
	add_edit(out, v->own.file, v->own.text, &own);
	export_view_paths(v, x->path, paths);
	for (size_t i = 0; i < v->others.n && x->clients; i++) {
		_cleanup_str_ struct str text = {0};
		exports_comment_out(v->others.v[i].text, paths, &text);
		add_edit(out, v->others.v[i].file, v->others.v[i].text, &text);
	}
}

static bool is_own(const struct export_view *v, const struct edit *e)
{
	return str_eq(e->file, v->own.file);
}

/* It may have happened, and the connection broke before that was told. */
static bool is_unsure(const struct err *err)
{
	return err->code == ERR_UNREACHABLE || err->code == ERR_TIMEOUT;
}

static int write_files(struct cluster *c, struct host *h, const struct export_view *v, struct edits *edits,
		       struct err *err)
{
	for (size_t i = 0; i < edits->list.n; i++) {
		struct edit *e = &edits->list.v[i];
		bool own = is_own(v, e);
		if ((own && !*e->before && host_mkdir(h, "/etc/exports.d", NULL, NULL, err) < 0) ||
		    (!own && backup_keep(c, h, e->file, e->before, err) < 0))
			return -1;
		int rc = host_write(h, e->file, e->after, strlen(e->after), own ? 0644 : 0, err);
		e->made = rc == 0 || is_unsure(err);
		if (rc < 0)
			return -1;
	}
	return 0;
}

/*
 * In a shell, which says how it ended and all that it said; no value gets into its text. exportfs writes its table
 * anew, and where there is no room for it leaves an empty one without a word, which ends every export: so it is run
 * only where as much as that and some more fits.
 */
#define FULL "reconcile:full "
static const char exportfs_script[] =
	"PATH=$PATH:/usr/sbin:/sbin; d=/var/lib/nfs\n"
	"t=$(mktemp \"$d/.reconcile.XXXXXX\" 2>&1) && trap 'rm -f -- \"$t\"' EXIT && trap 'exit 1' HUP INT TERM &&\n"
	"t2=$({ cat $d/etab; head -c 65536 /dev/zero; } 2>&1 >\"$t\") ||\n"
	"case ${t2:-$t} in *'No space left'* | *'quota exceeded'*) echo \"" FULL "${t2:-$t}\"; exit 0 ;; esac\n"
	"exportfs -ra 2>&1 && echo reconcile:ok || :\n";

static int run_exportfs(struct host *h, int64_t deadline, struct str *out, struct err *err)
{
	static const char *const argv[] = {"sh", "-c", exportfs_script, "exportfs -ra", NULL};

	if (host_run(h, argv, deadline, out, err) < 0)
		return -1;
	if (!str_starts(str_cstr(out), FULL))
		return 0;
	const char *why = str_cstr(out) + strlen(FULL);
	return err_set(err, ERR_FAILED, "exportfs was not run, there is no room for its table in /var/lib/nfs: %.*s",
		       (int)strcspn(why, "\n"), why);
}

static bool mentions(const char *line, size_t len, const char *path)
{
	_cleanup_free_ char *copy = xasprintf("%.*s", (int)len, line);
	size_t n = strlen(path);

	for (const char *p = copy; (p = strstr(p, path)); p++)
		if (!isalnum((unsigned char)p[n]) && !strchr("/._-", p[n] ? p[n] : ' '))
			return true;
	return false;
}

/*
 * exportfs fails as a whole when one line of anybody's is wrong: only what it
 * says of our path is our failure, the rest is told.
 */
static int judge(const char *said, const struct export_view *v, const struct export_change *x, struct err *err)
{
	const char *paths[3];
	bool ok = strstr(said, "reconcile:ok") != NULL;
	size_t len;

	export_view_paths(v, x->path, paths);
	for (const char *line = said; *line && !ok; line += len, line += *line == '\n') {
		len = strcspn(line, "\n");
		for (const char **p = paths; *p; p++)
			if (mentions(line, len, *p))
				return err_set(err, ERR_FAILED, "%.*s", len < 500 ? (int)len : 500, line);
	}
	if (!ok && x->progress)
		x->progress(x->progress_arg, "exportfs complains about another export: %.*s", (int)strcspn(said, "\n"),
			    said);
	return 0;
}

/* The last thing that it called by its name; what follows such a line explains it. */
static void last_complaint(const char *said, struct str *out)
{
	const char *last = NULL;

	for (const char *p = said; (p = strstr(p, "exportfs: ")); p++)
		last = p;
	if (last)
		str_addf(out, "; %.*s", (int)strcspn(last, "\n"), last);
}

/* Whether it is as wanted now. */
static int verify(struct host *h, const char *own_file, const struct export_change *x, const char *said,
		  struct err *err)
{
	_cleanup_json_ json_t *host = NULL;
	_cleanup_free_ char *why = NULL;
	struct export_view v;
	int rc = 0;

	if (look(h, x, &host, err) < 0)
		return -1;
	if (!export_view_open(host, own_file, &v, &why)) {
		rc = err_set(err, ERR_FAILED, "%s", why);
	} else if (x->clients) {
		_cleanup_json_ json_t *now = export_view_clients(&v, x->path);
		_cleanup_str_ struct str text = {0}, complaint = {0};
		json_canonical(now, &text);
		last_complaint(said, &complaint);
		if (!json_same(now, x->clients))
			rc = err_set(err, ERR_FAILED, "after exportfs -ra it is exported as %s%s", str_cstr(&text),
				     str_cstr(&complaint));
	}
	export_view_close(&v);
	return rc;
}

/* Best effort, also when no time is left: the error that led here is the one to show. run: exportfs may have run. */
static void put_back(struct host *h, const struct export_view *v, const struct edits *edits, bool run, struct err *err)
{
	int64_t deadline = clock_ms() + PUT_BACK_MS;
	_cleanup_str_ struct str said = {0};
	struct err e = {0};
	bool ok = true;

	for (size_t i = edits->list.n; ok && i-- > 0;) {
		const struct edit *x = &edits->list.v[i];
		if (!x->made)
			continue;
		ok = host_write(h, x->file, x->before, strlen(x->before), is_own(v, x) ? 0644 : 0, &e) == 0;
	}
	if (run && ok)
		ok = run_exportfs(h, deadline, &said, &e) == 0;
	if (ok)
		err_wrap(err, "the files are as before");
	else
		err_wrap(err, "putting the files back failed as well (%s)", e.msg);
}

static int change_files(struct cluster *c, struct host *h, const struct export_view *v, struct edits *edits,
			const struct export_change *x, struct err *err)
{
	_cleanup_str_ struct str said = {0};

	if (write_files(c, h, v, edits, err) == 0 && run_exportfs(h, x->deadline, &said, err) == 0 &&
	    judge(str_cstr(&said), v, x, err) == 0 && verify(h, v->own.file, x, str_cstr(&said), err) == 0)
		return 0;
	/* Without the lease, or suspended, nothing may be put back either; the next run goes on from here. */
	if (err->code != ERR_LOCKED && err->code != ERR_SUSPENDED)
		put_back(h, v, edits, is_unsure(err) || (said.len > 0 && !str_starts(str_cstr(&said), FULL)), err);
	return -1;
}

static int write_locked(struct cluster *c, struct host *h, const struct export_change *x, struct err *err)
{
	_cleanup_free_ char *own_file = export_own_file(c->name), *why = NULL;
	_cleanup_json_ json_t *host = NULL;
	CLEANUP(edits_free) struct edits edits = {0};
	struct export_view v;
	int rc;

	if (look(h, x, &host, err) < 0)
		return -1;
	if (export_view_open(host, own_file, &v, &why)) {
		plan_edits(&v, c->name, x, &edits);
		rc = change_files(c, h, &v, &edits, x, err);
	} else {
		rc = err_set(err, ERR_FAILED, "%s", why);
	}
	export_view_close(&v);
	return rc;
}

int export_write(struct cluster *c, struct host *h, const struct export_change *x, struct err *err)
{
	pthread_mutex_lock(&lock);
	int rc = write_locked(c, h, x, err);
	pthread_mutex_unlock(&lock);
	return rc < 0 ? err_wrap(err, "export %s on node '%s'", x->path, host_node(h)) : 0;
}
