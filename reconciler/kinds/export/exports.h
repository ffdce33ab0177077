/*
 * exports(5): the syntax of /etc/exports, of /etc/exports.d/ *.exports and of
 * what exportfs -s and its etab say, as nfs-utils reads it (support/nfs/xio.c,
 * exports.c): a path, then clients with their options, "-options" for the rest of the
 * line, quotes, octal escapes, continued lines, comments. A blank before the
 * parenthesis makes the options those of the whole world (FACTS D). Pure.
 */
#ifndef RECONCILE_KINDS_EXPORT_EXPORTS_H
#define RECONCILE_KINDS_EXPORT_EXPORTS_H

#include "base/str.h"

#include <stdbool.h>

/* One client of one path. */
struct export_entry {
	const char *path;    /* unescaped, without needless slashes */
	const char *client;  /* canonical: export_client */
	const char *options; /* canonical: export_options */
	const char *name;    /* of the comment "# export/NAME" before it; NULL when none */
	size_t line;         /* from 1 */
	size_t start, end;   /* bytes of the whole line with its continuations, without the last line's end */
};

struct exports {
	struct arena *arena;
	VEC(struct export_entry) list;
};

/* What cannot be understood is read as far as it can be; text may be NULL. */
void exports_parse(const char *text, struct exports *out);
void exports_free(struct exports *e);

/* "/a//b/" is "/a/b". Appends. */
void export_path(const char *path, struct str *out);

/*
 * Equal for clients that exportfs treats as the same: networks with their mask in
 * bits, host bits cleared, names in small letters, "" as "*". Appends.
 */
void export_client(const char *client, struct str *out);
bool export_client_is_host_name(const char *client);
/* What may stand in a line as a client, as one option. */
bool export_client_is_valid(const char *client);
bool export_option_is_valid(const char *option);

/*
 * Options with their defaults added, sorted: equal for what has the same effect,
 * valid in a line, and the same again when read again. options may be NULL. Appends.
 */
void export_options(const char *options, struct str *out);

/* One line of a table, escaped, with its end. Appends. */
void export_line(const char *path, const char *client, const char *options, struct str *out);

/* The text with every line of these paths (NULL-terminated) commented out, all else as it is. Appends. */
void exports_comment_out(const char *text, const char *const *paths, struct str *out);

#endif
