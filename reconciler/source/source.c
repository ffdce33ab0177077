#include "source/source.h"

#include "source/internal.h"

#include <string.h>

struct source {
	struct files files; /* first: source_files hands it out */
	struct plain *plain;
	struct git *git;
	char *name;
	char *dir; /* of the spec in the repository, with "/" at its end, or "" */
	struct str text;
};

char *source_repo_shown(const char *repo_url)
{
	_cleanup_str_ struct str shown = {0};
	char *absolute = url_classify(repo_url) == URL_PATH ? realpath(repo_url, NULL) : NULL;

	if (absolute)
		return absolute;
	url_shown(repo_url, &shown);
	return str_steal(&shown);
}

static int read_file(struct files *f, const char *path, size_t max, struct str *out, struct err *err)
{
	struct source *s = (struct source *)f;

	if (s->plain)
		return plain_read(s->plain, path, max, out, err);
	if (*path == '/')
		return err_set(err, ERR_DENIED, "reading '%s': it is an absolute path, not one in the repository",
			       path);
	_cleanup_free_ char *full = xasprintf("%s%s", s->dir, path);
	return git_read(s->git, full, max, out, err);
}

static int open_repository(const struct source_options *o, struct source *s, struct err *err)
{
	const char *file = o->file ? o->file : SOURCE_FILE;

	if (git_open(o, &s->git, err) < 0)
		return -1;
	if (git_read(s->git, file, SPEC_MAX, &s->text, err) < 0)
		return -1;
	const char *slash = strrchr(file, '/');
	s->dir = xasprintf("%.*s", slash ? (int)(slash + 1 - file) : 0, file);
	s->name = xasprintf("%.7s:%s", git_commit(s->git), file);
	return 0;
}

int source_open(const struct source_options *o, struct source **out, struct err *err)
{
	struct source *s = xcalloc(1, sizeof(*s));

	s->files.read = read_file;
	int r = o->repo_url ? open_repository(o, s, err) : plain_open(o->path, &s->plain, &s->name, &s->text, err);
	if (r < 0) {
		if (err->code == ERR_LIMIT)
			err->code = ERR_SPEC; /* a spec that large is no spec */
		source_close(s);
		return -1;
	}
	*out = s;
	return 0;
}

int source_open_directory(const char *dir, struct source **out, struct err *err)
{
	struct plain *plain;

	if (plain_open_directory(dir, &plain, err) < 0)
		return -1;
	struct source *s = xcalloc(1, sizeof(*s));
	s->files.read = read_file;
	s->plain = plain;
	s->name = xstrdup(dir);
	*out = s;
	return 0;
}

void source_close(struct source *s)
{
	if (!s)
		return;
	plain_close(s->plain);
	git_close(s->git);
	free(s->name);
	free(s->dir);
	str_free(&s->text);
	free(s);
}

const char *source_name(const struct source *s)
{
	return s->name;
}

const char *source_commit(const struct source *s)
{
	return s->git ? git_commit(s->git) : NULL;
}

const char *source_stale(const struct source *s)
{
	return s->git ? git_stale(s->git) : NULL;
}

const struct str *source_text(const struct source *s)
{
	return &s->text;
}

struct files *source_files(struct source *s)
{
	return &s->files;
}
