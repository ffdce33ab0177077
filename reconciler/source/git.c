#include "source/internal.h"
#include "source/protocol.h"
#include "sys/clock.h"
#include "sys/file.h"
#include "sys/hash.h"
#include "sys/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

/* Reading what is on this machine's disk takes milliseconds; the bound is for a disk that hangs. */
#define READ_WITHIN_MS 20000
/* A helper with less time left than this is replaced by a fresh one. */
#define READ_SPARE_MS 5000

struct git {
	char *helper;
	char *url; /* as given: never shown */
	char *shown;
	char *repo; /* path of the repository or of its cache */
	bool is_cache;
	char commit[41];
	char *stale;
	struct proc *reader;
	int64_t reader_deadline;
};

/* Conversation */

static int start_helper(const struct git *g, int64_t deadline, struct proc **p, struct err *err)
{
	const char *argv[] = {g->helper, NULL};
	/* An answer is a file of the spec: its own limit is checked by the helper. */
	struct proc_options o = {.argv = argv, .deadline = deadline, .keep_stdin = true, .grace_ms = 200};

	if (proc_start(&o, p, err) < 0)
		return err_wrap(err, "starting the git helper");
	return 0;
}

static int read_reply(struct proc *p, struct str *out, struct err *err)
{
	_cleanup_str_ struct str line = {0};
	int code = ERR_NONE;
	size_t size;

	if (proc_read_line(p, &line, PROTOCOL_LINE_MAX, err) < 0)
		return -1;
	if (sscanf(str_cstr(&line), "ok %zu", &size) != 1 &&
	    (sscanf(str_cstr(&line), "err %d %zu", &code, &size) != 2 || code <= ERR_NONE || code >= ERR_N_CODES))
		return err_set(err, ERR_PROTOCOL, "the git helper answered something else: is it of another version?");
	_cleanup_free_ char *bytes = xmalloc(size + 1);
	if (proc_read_exact(p, bytes, size, err) < 0)
		return -1;
	bytes[size] = '\0';
	if (code != ERR_NONE)
		return err_set(err, (enum err_code)code, "%s", bytes);
	str_add(out, bytes, size);
	return 0;
}

static int ask(struct proc *p, const char *command, long long number, const char *arg, struct str *out, struct err *err)
{
	_cleanup_str_ struct str request = {0};

	if (strlen(arg) > PROTOCOL_ARG_MAX)
		return err_set(err, ERR_LIMIT, "'%.40s…' has more than %d bytes", arg, PROTOCOL_ARG_MAX);
	str_addf(&request, "%s %lld %zu\n%s", command, number, strlen(arg), arg);
	return proc_write(p, request.data, request.len, err) < 0 ? -1 : read_reply(p, out, err);
}

/* Replaces the message by one without the URL's password. */
static int scrub(const struct git *g, struct err *err)
{
	_cleanup_str_ struct str clean = {0};
	url_scrub(g->url, err->msg, &clean);
	return err_set(err, err->code, "%s", str_cstr(&clean));
}

/* Fetching */

static int cache_path(struct git *g, const char *dir, struct err *err)
{
	const char *xdg = getenv("XDG_CACHE_HOME"), *home = getenv("HOME");
	char hex[HASH_HEX_SIZE];

	if (hash_sha256_hex(g->url, strlen(g->url), hex, err) < 0)
		return -1;
	if (dir)
		g->repo = xasprintf("%s/%.16s.git", dir, hex);
	else if (xdg && *xdg == '/')
		g->repo = xasprintf("%s/reconcile/%.16s.git", xdg, hex);
	else if (home && *home == '/')
		g->repo = xasprintf("%s/.cache/reconcile/%.16s.git", home, hex);
	else
		return err_set(err, ERR_USAGE, "no directory for a copy of %s: neither XDG_CACHE_HOME nor HOME is set",
			       g->shown);
	g->is_cache = true;
	return file_mkdirs(g->repo, 0700, err);
}

/* One process fetches at a time; others wait for it within their deadline. *fd is to be closed. */
static int lock_cache(const struct git *g, int64_t deadline, int *fd, struct err *err)
{
	_cleanup_free_ char *path = xasprintf("%s.lock", g->repo);
	int f = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);

	if (f < 0)
		return err_sys(err, "opening %s", path);
	while (flock(f, LOCK_EX | LOCK_NB) < 0) {
		bool wait = errno == EWOULDBLOCK && clock_left(deadline) > 0;
		if (wait && clock_sleep(50))
			continue;
		int r = errno != EWOULDBLOCK ? err_sys(err, "locking %s", path)
			: wait               ? err_set(err, ERR_CANCELLED, "waiting for %s: stopped", path)
					     : err_set(err, ERR_LOCKED, "another process is fetching %s", g->shown);
		close(f);
		return r;
	}
	*fd = f;
	return 0;
}

static int remove_leftover(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	const char *name = path + ftw->base;

	(void)st;
	if (type == FTW_F && (str_ends(name, ".lock") || str_starts(name, "pack_git2_") || str_starts(name, "tmp_")))
		unlink(path);
	return 0;
}

/* A fetch that was killed leaves lock files and half a pack; who holds the cache's own lock may remove them. */
static void remove_leftovers(const struct git *g)
{
	nftw(g->repo, remove_leftover, 16, FTW_PHYS);
}

/* Makes the cache, and fetches into it unless url is NULL. Ends by itself when it can, so that the trace has it. */
static int fetch_with_helper(const struct git *g, const char *url, bool head, int64_t deadline, struct err *err)
{
	_cleanup_str_ struct str ignored = {0};
	_cleanup_proc_result_ struct proc_result result = {0};
	struct proc *p;

	if (start_helper(g, deadline, &p, err) < 0)
		return -1;
	if (ask(p, "cache", 0, g->repo, &ignored, err) < 0 || (url && ask(p, "fetch", head, url, &ignored, err) < 0)) {
		proc_kill(p);
		return -1;
	}
	return proc_finish(p, &result, err);
}

/* What the child is to see instead of, or beside, our environment. */
static const char **git_environment(void)
{
	static const char *const forced[] = {"GIT_TERMINAL_PROMPT=0", "GIT_ALLOW_PROTOCOL=ssh", "LC_ALL=C"};
	VEC(const char *) env = {0};

	for (size_t i = 0; i < ARRAY_SIZE(forced); i++)
		vec_push(&env, forced[i]);
	/* Without a terminal ssh must not ask; a command of the user's own is left alone. */
	if (!getenv("GIT_SSH_COMMAND") && !getenv("GIT_SSH"))
		vec_push(&env, "GIT_SSH_COMMAND=ssh -o BatchMode=yes");
	for (char **e = environ; *e; e++)
		/* Variables of a git hook that started us would lead git to another repository. */
		if (!str_starts(*e, "GIT_DIR=") && !str_starts(*e, "GIT_WORK_TREE=") &&
		    !str_starts(*e, "GIT_INDEX_FILE=") && !str_starts(*e, "GIT_TERMINAL_PROMPT=") &&
		    !str_starts(*e, "GIT_ALLOW_PROTOCOL=") && !str_starts(*e, "LC_ALL="))
			vec_push(&env, *e);
	vec_push(&env, NULL);
	return env.v;
}

/* git's last line is advice; what went wrong is before it. */
static int git_error(const struct proc_result *r, struct err *err)
{
	static const char *const denials[] = {"Permission denied", "Host key verification failed", "access denied"};
	const char *text = str_cstr(&r->err);
	size_t len = strcspn(text, "\n");

	for (size_t i = 0; i < ARRAY_SIZE(denials); i++)
		if (strstr(text, denials[i]))
			return err_set(err, ERR_DENIED, "%.*s", (int)len, text);
	if (strstr(text, "couldn't find remote ref HEAD"))
		return err_set(err, ERR_NOT_FOUND, "it has no commits yet, or its HEAD is a branch without any");
	enum err_code code = strstr(text, "Could not read from remote") ? ERR_UNREACHABLE : ERR_FAILED;
	return err_set(err, code, "%.*s", (int)len, text);
}

/* libgit2's own ssh ignores ~/.ssh/config (FACTS I), and with it ProxyJump, agents and known hosts. */
static int fetch_with_git(const struct git *g, bool head, int64_t deadline, struct err *err)
{
	_cleanup_free_ char *dir = xasprintf("--git-dir=%s", g->repo);
	const char *argv[] = {"git",
			      dir,
			      "-c",
			      "fetch.unpackLimit=1",
			      "-c",
			      "gc.auto=0",
			      "fetch",
			      "--quiet",
			      "--prune",
			      "--no-tags",
			      "--no-write-fetch-head",
			      "--",
			      g->url,
			      FETCH_HEADS,
			      FETCH_TAGS,
			      head ? FETCH_HEAD : NULL,
			      NULL};
	_cleanup_proc_result_ struct proc_result result = {0};

	if (fetch_with_helper(g, NULL, false, deadline, err) < 0)
		return -1;
	const char **env = git_environment();
	struct proc_options o = {.argv = argv, .env = env, .deadline = deadline};
	int r = proc_run(&o, &result, err);
	free(env);
	if (r < 0 && err->code == ERR_NOT_FOUND)
		return err_set(err, ERR_UNSUPPORTED,
			       "repositories over ssh are fetched with the system's git, and there is none in PATH");
	if (r < 0)
		return -1;
	return result.exit_status == 0 ? 0 : git_error(&result, err);
}

static int fetch_locked(const struct git *g, const struct source_options *o, struct err *err)
{
	bool head = !o->ref || *o->ref == '\0' || str_eq(o->ref, "HEAD");

	remove_leftovers(g);
	if (url_classify(g->url) == URL_SSH)
		return fetch_with_git(g, head, o->deadline, err);
	return fetch_with_helper(g, g->url, head, o->deadline, err);
}

static int fetch(const struct git *g, const struct source_options *o, struct err *err)
{
	int64_t seconds = (clock_left(o->deadline) + 500) / 1000;
	int lock = -1;

	if (lock_cache(g, o->deadline, &lock, err) < 0)
		return -1;
	int r = fetch_locked(g, o, err);
	close(lock);
	if (r == 0)
		return 0;
	if (err->code == ERR_TIMEOUT)
		return err_set(err, ERR_TIMEOUT, "fetching %s: no answer within %lld s", g->shown, (long long)seconds);
	scrub(g, err);
	return err_wrap(err, "fetching %s", g->shown);
}

/* Reading */

static void drop_reader(struct git *g)
{
	proc_kill(g->reader);
	g->reader = NULL;
}

static int open_reader(struct git *g, const char *ref, struct err *err)
{
	_cleanup_str_ struct str commit = {0}, ignored = {0};

	drop_reader(g);
	g->reader_deadline = clock_ms() + READ_WITHIN_MS;
	if (start_helper(g, g->reader_deadline, &g->reader, err) < 0)
		return -1;
	if (ask(g->reader, g->is_cache ? "cache" : "open", 0, g->repo, &ignored, err) < 0 ||
	    ask(g->reader, "resolve", 0, ref, &commit, err) < 0) {
		drop_reader(g);
		return err_wrap(err, "repository %s", g->shown);
	}
	snprintf(g->commit, sizeof(g->commit), "%s", str_cstr(&commit));
	return 0;
}

int git_read(struct git *g, const char *path, size_t max, struct str *out, struct err *err)
{
	if ((!g->reader || clock_left(g->reader_deadline) < READ_SPARE_MS) && open_reader(g, g->commit, err) < 0)
		return -1;
	if (ask(g->reader, "read", (long long)max, path, out, err) == 0)
		return 0;
	drop_reader(g); /* whatever state the conversation is in */
	return err_wrap(err, "reading '%s' of commit %.7s", path, g->commit);
}

/* Opening */

static bool is_commit_id(const char *ref)
{
	return ref && strlen(ref) == 40 && strspn(ref, "0123456789abcdef") == 40;
}

/* A commit never changes, so one that was fetched before is not asked for again. */
static int open_remote(struct git *g, const struct source_options *o, struct err *err)
{
	const char *ref = o->ref ? o->ref : "";
	struct err why = {0};

	if (cache_path(g, o->cache_dir, err) < 0)
		return -1;
	if (is_commit_id(ref) && open_reader(g, ref, &why) == 0)
		return 0;
	if (fetch(g, o, &why) == 0)
		return open_reader(g, ref, err);

	struct err unused = {0};
	if ((why.code == ERR_UNREACHABLE || why.code == ERR_TIMEOUT) && open_reader(g, ref, &unused) == 0) {
		g->stale = xasprintf("%s; the commit fetched last, %.7s, is used", why.msg, g->commit);
		return 0;
	}
	*err = why;
	return -1;
}

static int open_any(struct git *g, const struct source_options *o, struct err *err)
{
	switch (url_classify(g->url)) {
	case URL_PATH:
		g->repo = xstrdup(g->url);
		return open_reader(g, o->ref ? o->ref : "", err);
	case URL_SSH:
		if (!str_eq(g->shown, g->url))
			return err_set(err, ERR_USAGE, "repository %s: ssh takes no password from a URL; use a key",
				       g->shown);
		return open_remote(g, o, err);
	case URL_LIBGIT2:
		return open_remote(g, o, err);
	default:
		return err_set(err, ERR_UNSUPPORTED,
			       "repository %s: only paths, http://, https://, file://, ssh:// and user@host:path are "
			       "supported",
			       g->shown);
	}
}

int git_open(const struct source_options *o, struct git **out, struct err *err)
{
	struct git *g = xcalloc(1, sizeof(*g));
	_cleanup_str_ struct str shown = {0};

	url_shown(o->repo_url, &shown);
	g->helper = xstrdup(o->helper);
	g->url = xstrdup(o->repo_url);
	g->shown = xstrdup(str_cstr(&shown));
	if (open_any(g, o, err) < 0) {
		git_close(g);
		return -1;
	}
	*out = g;
	return 0;
}

void git_close(struct git *g)
{
	if (!g)
		return;
	drop_reader(g);
	free(g->helper);
	free(g->url);
	free(g->shown);
	free(g->repo);
	free(g->stale);
	free(g);
}

const char *git_commit(const struct git *g)
{
	return g->commit;
}

const char *git_stale(const struct git *g)
{
	return g->stale;
}
