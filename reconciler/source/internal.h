/* Between the files of source/. */
#ifndef RECONCILE_SOURCE_INTERNAL_H
#define RECONCILE_SOURCE_INTERNAL_H

#include "source/source.h"

#define SPEC_MAX (1 << 20) /* spec.h */

/* plain.c: files below one directory */
struct plain;
int plain_open(const char *path, struct plain **out, char **name, struct str *text, struct err *err) MUST_CHECK;
int plain_open_directory(const char *dir, struct plain **out, struct err *err) MUST_CHECK;
int plain_read(struct plain *p, const char *path, size_t max, struct str *out, struct err *err) MUST_CHECK;
void plain_close(struct plain *p);

/* git.c: files of one commit */
struct git;
int git_open(const struct source_options *o, struct git **out, struct err *err) MUST_CHECK;
/* path from the tree's root; ".." is followed, but not out of it. */
int git_read(struct git *g, const char *path, size_t max, struct str *out, struct err *err) MUST_CHECK;
void git_close(struct git *g);
const char *git_commit(const struct git *g);
const char *git_stale(const struct git *g); /* NULL: current */

/* url.c */
enum url_type {
	URL_PATH,        /* a directory of this machine */
	URL_LIBGIT2,     /* http, https, file */
	URL_SSH,         /* ssh://, user@host:path: through the system's git and ssh */
	URL_UNSUPPORTED, /* any other, and git's own command-running forms ("ext::…") */
};
enum url_type url_classify(const char *url);
/* The URL without its password, for messages. Appends. */
void url_shown(const char *url, struct str *out);
/* text with the URL's user information, wherever it occurs, replaced. Appends. */
void url_scrub(const char *url, const char *text, struct str *out);

#endif
