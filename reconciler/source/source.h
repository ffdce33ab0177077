/*
 * Where the spec comes from: a file, a directory, or a commit of a git
 * repository, local or remote. Of a repository the commit's tree is read,
 * without a checkout, by the helper program reconcile-source, which alone uses
 * libgit2 and can be killed when a remote stalls.
 *
 *   source.c      the interface
 *   plain.c       a file or directory
 *   git.c         a repository: cache, fetch, conversation with the helper
 *   url.c         what a repository argument is, and how it may be shown
 *   protocol.h    the conversation
 *   helper.c      the helper program
 */
#ifndef RECONCILE_SOURCE_SOURCE_H
#define RECONCILE_SOURCE_SOURCE_H

#include "base/err.h"
#include "base/files.h"
#include "base/str.h"

#define SOURCE_FILE "cluster.yaml" /* in a directory or repository, unless told otherwise */

struct source_options {
	const char *path;      /* file or directory; NULL when repo_url is set */
	const char *repo_url;  /* path of a repository (also a bare one), http(s)://, file://, ssh://, user@host:path */
	const char *ref;       /* branch, tag, commit (also abbreviated); NULL: HEAD */
	const char *file;      /* the spec's path in the repository; NULL: SOURCE_FILE */
	const char *helper;    /* path of reconcile-source */
	int64_t deadline;      /* clock.h; for the fetch. Reading what is there has a bound of its own. */
	const char *cache_dir; /* for remote repositories; NULL: $XDG_CACHE_HOME/reconcile or ~/.cache/reconcile */
};

/* The repository as it may be kept and shown: a local path made absolute, a URL without its password. malloc'ed. */
char *source_repo_shown(const char *repo_url);

struct source;
/*
 * Reads the spec's text. ERR_NOT_FOUND (file, repository, ref; suggests those
 * that there are), ERR_DENIED, ERR_UNREACHABLE, ERR_TIMEOUT, ERR_LIMIT (spec
 * over 1 MiB), ERR_UNSUPPORTED. No message has a URL's password in it.
 */
int source_open(const struct source_options *o, struct source **out, struct err *err) MUST_CHECK;
/* A directory in which a spec is to be: files can be read, its text is empty. */
int source_open_directory(const char *dir, struct source **out, struct err *err) MUST_CHECK;
void source_close(struct source *s); /* NULL-safe */

const char *source_name(const struct source *s);   /* the path as given, or "<short commit>:path"; for messages */
const char *source_commit(const struct source *s); /* 40 hexadecimal digits; NULL: not from a repository */
/* A message when the remote could not be reached and an earlier fetch is used; NULL: it is current. */
const char *source_stale(const struct source *s);
const struct str *source_text(const struct source *s);
/*
 * Files relative to the spec's own directory. Of a directory nothing above it
 * is read, of a commit nothing outside its tree. Not thread-safe.
 */
struct files *source_files(struct source *s);

#endif
