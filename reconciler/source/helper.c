/*
 * reconcile-source: reads files out of git repositories for reconcile, over
 * its stdin and stdout (protocol.h). A program of its own because libgit2
 * cannot be given a timeout (FACTS I): the parent kills this one instead.
 */
#include "source/protocol.h"

#include "base/err.h"
#include "base/mem.h"
#include "base/str.h"

#include <git2.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

#define MAX_LINKS 8
#define MAX_LINK_TARGET 4096
#define MAX_SUGGESTIONS 5
#define SUGGEST_DISTANCE 3

struct helper {
	git_repository *repo;
	git_commit *commit;
	git_tree *tree;
};

/* libgit2's last error. Its classes say more about the network than its codes. */
static enum err_code code_of(int rc)
{
	const git_error *e = git_error_last();

	if (rc == GIT_ENOTFOUND)
		return ERR_NOT_FOUND;
	if (rc == GIT_EAUTH || rc == GIT_ECERTIFICATE || rc == GIT_EOWNER)
		return ERR_DENIED;
	if (e &&
	    (e->klass == GIT_ERROR_NET || e->klass == GIT_ERROR_SSL || str_starts(e->message, "failed to connect")))
		return ERR_UNREACHABLE;
	if (e && e->klass == GIT_ERROR_HTTP && strstr(e->message, "status code: 5"))
		return ERR_UNREACHABLE;
	return ERR_FAILED;
}

/* libgit2 1.5 calls it "not found" when it has looked for safe.directory in vain. */
static bool is_owner_error(int rc)
{
	const git_error *e = git_error_last();
	return rc == GIT_EOWNER || (rc == GIT_ENOTFOUND && e && strstr(e->message, "safe.directory"));
}

/* what was attempted; NULL where the caller says it. */
static int git_failed(struct err *err, int rc, const char *what)
{
	const git_error *e = git_error_last();
	const char *why = e ? e->message : "libgit2 does not say why";

	if (is_owner_error(rc))
		return err_set(err, ERR_DENIED, "the repository there belongs to another user");
	return err_set(err, code_of(rc), "%s%s%s", what ? what : "", what ? ": " : "", why);
}

/* Repositories */

static int open_repository(struct helper *h, const char *path, long long unused, struct str *out, struct err *err)
{
	(void)unused, (void)out;
	int rc = git_repository_open_ext(&h->repo, path, 0, NULL);
	if (rc == 0)
		return 0;
	if (is_owner_error(rc))
		return err_set(
			err, ERR_DENIED,
			"it belongs to another user; if you trust it: git config --global --add safe.directory %s",
			path);
	if (rc == GIT_ENOTFOUND && access(path, F_OK) < 0)
		return err_sys(err, "opening it");
	if (rc == GIT_ENOTFOUND)
		return err_set(err, ERR_NOT_FOUND, "it is no git repository");
	return git_failed(err, rc, "opening it");
}

/* The cache is ours. It is made again where an interrupted start left half of it. */
static int open_cache(struct helper *h, const char *path, long long unused, struct str *out, struct err *err)
{
	(void)unused, (void)out;
	if (git_repository_open_bare(&h->repo, path) == 0)
		return 0;
	git_repository_init_options o;
	git_repository_init_options_init(&o, GIT_REPOSITORY_INIT_OPTIONS_VERSION);
	o.flags = GIT_REPOSITORY_INIT_BARE | GIT_REPOSITORY_INIT_MKPATH | GIT_REPOSITORY_INIT_NO_DOTGIT_DIR;
	o.mode = 0700;
	int rc = git_repository_init_ext(&h->repo, path, &o);
	return rc == 0 ? 0 : git_failed(err, rc, "making the cache repository");
}

static int fetch(struct helper *h, const char *url, long long head, struct str *out, struct err *err)
{
	char *specs[] = {FETCH_HEADS, FETCH_TAGS, FETCH_HEAD};
	git_strarray refspecs = {.strings = specs, .count = head ? 3 : 2};
	git_remote *remote = NULL;
	git_fetch_options o;

	(void)out;
	git_fetch_options_init(&o, GIT_FETCH_OPTIONS_VERSION);
	o.prune = GIT_FETCH_PRUNE; /* a branch that is gone there must not be applied here */
	o.update_fetchhead = 0;
	o.download_tags = GIT_REMOTE_DOWNLOAD_TAGS_NONE; /* they have a refspec of their own */
	o.proxy_opts.type = GIT_PROXY_AUTO;
	int rc = git_remote_create_anonymous(&remote, h->repo, url);
	if (rc == 0)
		rc = git_remote_fetch(remote, &refspecs, &o, NULL);
	git_remote_free(remote);
	if (rc == 0)
		return 0;
	const git_error *e = git_error_last();
	if (rc == GIT_EAUTH || (e && strstr(e->message, "authentication required")))
		return err_set(err, ERR_DENIED, "it asks for a user and password; the URL has none, or they are wrong");
	return git_failed(err, rc, NULL);
}

/* Refs */

/* "main" of refs/heads/main, "v1" of refs/tags/v1; NULL for others. */
static const char *short_name(const char *ref)
{
	if (str_starts(ref, "refs/heads/"))
		return ref + strlen("refs/heads/");
	return str_starts(ref, "refs/tags/") ? ref + strlen("refs/tags/") : NULL;
}

static void suggest(struct helper *h, const char *wanted, struct str *out)
{
	git_strarray refs = {0};
	const char *closest = NULL;
	uint32_t best = SUGGEST_DISTANCE + 1;
	_cleanup_str_ struct str branches = {0};
	size_t n = 0;

	if (git_reference_list(&refs, h->repo) < 0)
		return;
	for (size_t i = 0; i < refs.count; i++) {
		const char *name = short_name(refs.strings[i]);
		if (!name)
			continue;
		if (str_distance(name, wanted) < best) {
			best = str_distance(name, wanted);
			closest = name;
		}
		if (str_starts(refs.strings[i], "refs/heads/") && n++ < MAX_SUGGESTIONS)
			str_addf(&branches, "%s%s", branches.len ? ", " : "", name);
	}
	if (closest)
		str_addf(out, "; did you mean '%s'?", closest);
	else if (n)
		str_addf(out, "; its branches are: %s%s", str_cstr(&branches), n > MAX_SUGGESTIONS ? ", …" : "");
	git_strarray_dispose(&refs);
}

/*
 * Branches win over tags of the same name, so that pushing a tag cannot replace
 * what runs. Everything that is no ref is git's business (abbreviated commits).
 */
static int find_ref(struct helper *h, const char *ref, git_object **out)
{
	static const char *const places[] = {"refs/heads", "refs/tags", "refs/remotes"};
	git_oid oid;

	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		_cleanup_free_ char *name = xasprintf("%s/%s", places[i], ref);
		if (git_reference_name_to_id(&oid, h->repo, name) == 0)
			return git_object_lookup(out, h->repo, &oid, GIT_OBJECT_ANY);
	}
	return git_revparse_single(out, h->repo, ref);
}

/* git_repository_is_empty says no where HEAD is not the configured default branch. */
static bool has_no_refs(struct helper *h)
{
	git_strarray refs = {0};
	bool none = git_reference_list(&refs, h->repo) == 0 && refs.count == 0;

	git_strarray_dispose(&refs);
	return none;
}

static int no_head(struct helper *h, struct err *err)
{
	_cleanup_str_ struct str hint = {0};

	if (has_no_refs(h))
		return err_set(err, ERR_NOT_FOUND, "it has no commits yet");
	suggest(h, "", &hint);
	return err_set(err, ERR_NOT_FOUND, "its HEAD is a branch without commits; say which one with --ref%s",
		       str_cstr(&hint));
}

static int find_head(struct helper *h, git_object **out, struct err *err)
{
	git_oid oid;

	if (git_reference_name_to_id(&oid, h->repo, CACHED_HEAD) == 0 ||
	    git_reference_name_to_id(&oid, h->repo, "HEAD") == 0) {
		int rc = git_object_lookup(out, h->repo, &oid, GIT_OBJECT_ANY);
		return rc == 0 ? 0 : git_failed(err, rc, "reading HEAD");
	}
	return no_head(h, err);
}

static int find_named(struct helper *h, const char *ref, git_object **out, struct err *err)
{
	_cleanup_str_ struct str hint = {0};
	int rc = find_ref(h, ref, out);

	if (rc == 0)
		return 0;
	if (rc == GIT_EAMBIGUOUS)
		return err_set(err, ERR_FAILED, "several commits begin with '%s': give more digits", ref);
	if (rc != GIT_ENOTFOUND && rc != GIT_EINVALIDSPEC)
		return git_failed(err, rc, "looking for the ref");
	if (has_no_refs(h))
		return no_head(h, err);
	suggest(h, ref, &hint);
	return err_set(err, ERR_NOT_FOUND, "it has no branch, tag or commit '%s'%s", ref, str_cstr(&hint));
}

static int resolve(struct helper *h, const char *ref, long long unused, struct str *out, struct err *err)
{
	bool head = *ref == '\0' || strcmp(ref, "HEAD") == 0;
	git_object *found = NULL;
	char hex[GIT_OID_HEXSZ + 1];

	(void)unused;
	if (head ? find_head(h, &found, err) < 0 : find_named(h, ref, &found, err) < 0)
		return -1;
	int rc = git_object_peel((git_object **)&h->commit, found, GIT_OBJECT_COMMIT);
	git_object_free(found);
	if (rc < 0)
		return err_set(err, ERR_FAILED, "'%s' is not a commit", ref);
	rc = git_commit_tree(&h->tree, h->commit);
	if (rc < 0)
		return git_failed(err, rc, "reading the commit");
	str_adds(out, git_oid_tostr(hex, sizeof(hex), git_commit_id(h->commit)));
	return 0;
}

/* Files */

struct walk {
	VEC(char *) done; /* components from the root that are directories */
	struct str todo;  /* the path from there */
	unsigned links;
};

static void walk_free(struct walk *w)
{
	for (size_t i = 0; i < w->done.n; i++)
		free(w->done.v[i]);
	vec_free(&w->done);
	str_free(&w->todo);
}

/* The next component of todo, taken off it; NULL at the end. */
static char *next_component(struct walk *w)
{
	const char *p = str_cstr(&w->todo);
	p += strspn(p, "/");
	size_t n = strcspn(p, "/");
	if (n == 0)
		return NULL;
	char *part = xasprintf("%.*s", (int)n, p);
	struct str rest = {0};
	str_adds(&rest, p + n);
	str_free(&w->todo);
	w->todo = rest;
	return part;
}

static void join(const struct walk *w, const char *last, struct str *out)
{
	for (size_t i = 0; i < w->done.n; i++)
		str_addf(out, "%s/", w->done.v[i]);
	str_adds(out, last);
}

/* A link's target is walked instead of it, from the directory that it is in. */
static int follow(struct helper *h, struct walk *w, const git_tree_entry *entry, const char *at, struct err *err)
{
	git_blob *blob;
	struct str todo = {0};

	if (++w->links > MAX_LINKS)
		return err_set(err, ERR_DENIED, "more than %d symbolic links on the way, at '%s'", MAX_LINKS, at);
	int rc = git_blob_lookup(&blob, h->repo, git_tree_entry_id(entry));
	if (rc < 0)
		return git_failed(err, rc, "reading a symbolic link");
	size_t size = (size_t)git_blob_rawsize(blob);
	const char *target = git_blob_rawcontent(blob);
	if (size == 0 || size > MAX_LINK_TARGET || *target == '/' || memchr(target, '\0', size)) {
		git_blob_free(blob);
		return err_set(err, ERR_DENIED, "'%s' is a symbolic link that leads out of the repository", at);
	}
	str_add(&todo, target, size);
	str_adds(&todo, str_cstr(&w->todo));
	str_free(&w->todo);
	w->todo = todo;
	git_blob_free(blob);
	return 0;
}

static int read_blob(struct helper *h, const git_oid *id, long long max, struct str *out, struct err *err)
{
	git_blob *blob;
	git_odb *odb;
	git_object_t type;
	size_t size = 0;
	int rc = git_repository_odb(&odb, h->repo);

	if (rc == 0) {
		rc = git_odb_read_header(&size, &type, odb, id); /* before a huge one is unpacked into memory */
		git_odb_free(odb);
	}
	if (rc < 0)
		return git_failed(err, rc, "reading its size");
	if (size > (unsigned long long)max)
		return err_set(err, ERR_LIMIT, "it has %zu bytes, at most %lld are read", size, max);
	rc = git_blob_lookup(&blob, h->repo, id);
	if (rc < 0)
		return git_failed(err, rc, "reading it");
	str_add(out, git_blob_rawcontent(blob), (size_t)git_blob_rawsize(blob));
	git_blob_free(blob);
	if (out->len > 0 && str_starts(out->data, "version https://git-lfs.github.com/spec/"))
		return err_set(err, ERR_UNSUPPORTED,
			       "it is kept in Git LFS, which is not supported: commit the file itself");
	return 0;
}

/* One component of the path; *leaf is set when it is a file. */
static int walk_one(struct helper *h, struct walk *w, const char *part, git_tree_entry **leaf, struct err *err)
{
	_cleanup_str_ struct str at = {0};
	git_tree_entry *entry;

	if (strcmp(part, ".") == 0)
		return 0;
	if (strcmp(part, "..") == 0) {
		if (w->done.n == 0)
			return err_set(err, ERR_DENIED, "it leads out of the repository");
		free(w->done.v[--w->done.n]);
		return 0;
	}
	join(w, part, &at);
	int rc = git_tree_entry_bypath(&entry, h->tree, str_cstr(&at));
	if (rc == GIT_ENOTFOUND)
		return err_set(err, ERR_NOT_FOUND, "there is no '%s' in the commit", str_cstr(&at));
	if (rc < 0)
		return git_failed(err, rc, str_cstr(&at));
	switch (git_tree_entry_filemode(entry)) {
	case GIT_FILEMODE_TREE:
		vec_push(&w->done, xstrdup(part));
		rc = 0;
		break;
	case GIT_FILEMODE_LINK:
		rc = follow(h, w, entry, str_cstr(&at), err);
		break;
	case GIT_FILEMODE_COMMIT:
		rc = err_set(err, ERR_UNSUPPORTED, "'%s' is a submodule: its files are in another repository",
			     str_cstr(&at));
		break;
	default:
		*leaf = entry;
		return 0;
	}
	git_tree_entry_free(entry);
	return rc;
}

static int read_walk(struct helper *h, struct walk *w, long long max, struct str *out, struct err *err)
{
	git_tree_entry *leaf = NULL;
	char *part;
	int rc = 0;

	while (rc == 0 && !leaf && (part = next_component(w))) {
		rc = walk_one(h, w, part, &leaf, err);
		free(part);
	}
	if (rc < 0)
		return -1;
	if (!leaf)
		return err_set(err, ERR_DENIED, "it is a directory, not a file");
	if (w->todo.len > 0)
		rc = err_set(err, ERR_NOT_FOUND, "'%s' is a file, not a directory", git_tree_entry_name(leaf));
	else
		rc = read_blob(h, git_tree_entry_id(leaf), max, out, err);
	git_tree_entry_free(leaf);
	return rc;
}

static int read_file(struct helper *h, const char *path, long long max, struct str *out, struct err *err)
{
	CLEANUP(walk_free) struct walk w = {0};

	if (*path == '/')
		return err_set(err, ERR_DENIED, "it is an absolute path, not one in the repository");
	str_adds(&w.todo, path);
	return read_walk(h, &w, max, out, err);
}

/* Conversation */

enum needs { NEEDS_NOTHING, NEEDS_REPO, NEEDS_COMMIT };

static const struct command {
	const char *name;
	enum needs needs;
	int (*run)(struct helper *h, const char *arg, long long number, struct str *out, struct err *err);
} commands[] = {
	{"cache", NEEDS_NOTHING, open_cache},     {"fetch", NEEDS_REPO, fetch},
	{"open", NEEDS_NOTHING, open_repository}, {"read", NEEDS_COMMIT, read_file},
	{"resolve", NEEDS_REPO, resolve},
};

static int run(struct helper *h, const char *name, const char *arg, long long number, struct str *out, struct err *err)
{
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		const struct command *c = &commands[i];
		if (strcmp(c->name, name) != 0)
			continue;
		if ((c->needs >= NEEDS_REPO && !h->repo) || (c->needs == NEEDS_COMMIT && !h->tree) ||
		    (c->needs == NEEDS_NOTHING && h->repo))
			break;
		return c->run(h, arg, number, out, err);
	}
	return err_set(err, ERR_PROTOCOL, "'%s' is not to be asked now", name);
}

static void reply(const char *status, int code, const void *bytes, size_t n)
{
	if (code)
		printf("%s %d %zu\n", status, code, n);
	else
		printf("%s %zu\n", status, n);
	fwrite(bytes, 1, n, stdout);
	fflush(stdout);
}

static bool serve_one(struct helper *h)
{
	char line[PROTOCOL_LINE_MAX], name[16], arg[PROTOCOL_ARG_MAX + 1];
	_cleanup_str_ struct str out = {0};
	struct err err = {0};
	long long number;
	size_t size;

	if (!fgets(line, sizeof(line), stdin))
		return false;
	if (sscanf(line, "%15s %lld %zu", name, &number, &size) != 3 || size > PROTOCOL_ARG_MAX ||
	    fread(arg, 1, size, stdin) != size)
		return false;
	arg[size] = '\0';
	if (run(h, name, arg, number, &out, &err) < 0)
		reply("err", (int)err.code, err.msg, strlen(err.msg));
	else
		reply("ok", 0, str_cstr(&out), out.len);
	return true;
}

int main(int argc, char **argv)
{
	struct helper h = {0};

	if (argc > 1) {
		fprintf(stderr, "%s: a helper of reconcile, not to be called by hand\n", argv[0]);
		return 64;
	}
	/* In a fetch from a remote that stalls, nothing else would tell that nobody waits for it any more. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	git_libgit2_init();
	while (serve_one(&h))
		;
	git_tree_free(h.tree);
	git_commit_free(h.commit);
	git_repository_free(h.repo);
	git_libgit2_shutdown();
	return 0;
}
