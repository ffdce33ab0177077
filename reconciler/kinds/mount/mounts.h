/*
 * The syntax around a mount: unit names and unit files (systemd.unit(5),
 * systemd.mount(5), systemd-escape(1)), mount options (nfs(5), mount(8)), fstab(5)
 * and /proc/self/mountinfo (proc(5)). Pure.
 */
#ifndef RECONCILE_KINDS_MOUNT_MOUNTS_H
#define RECONCILE_KINDS_MOUNT_MOUNTS_H

#include "base/str.h"

#include <stdbool.h>

/* Names */

/* "/a//b/" is "/a/b". Appends. */
void mount_path(const char *path, struct str *out);
/*
 * NULL, or why systemd could not have a mount unit of this path (normal as of mount_path): a file name has at most
 * 255 bytes, and in a unit file neither control characters nor blanks at an end survive.
 */
const char *mount_path_problem(const char *path);
/* As `systemd-escape --path`: "/opt/a-b" is "opt-a\x2db". With suffix (".mount") behind it; the caller frees it. */
char *mount_unit_name(const char *path, const char *suffix);

/* Options */

/* What the spec's list says, for each side. Strings are malloc'ed. */
struct mount_options {
	char *kernel; /* what the file system gets: canonical, sorted, ro or rw always said: "hard,ro,vers=4.2" */
	char *idle;   /* x-systemd.idle-timeout; NULL: none */
	char *limit;  /* x-systemd.mount-timeout; NULL: none */
	char *wrong;  /* an option that has no meaning here, or that no unit file can have; NULL: none */
};
/* list: comma-separated, as in fstab. What is only about when systemd mounts (nofail, noauto, _netdev, …) is dropped.
 */
void mount_options_read(const char *list, struct mount_options *out);
void mount_options_free(struct mount_options *o);

/*
 * The same options as they are in force by mountinfo: equal to wanted (a `kernel` of above) when nothing that it names
 * is different. Only what wanted names is looked at: the kernel adds much of its own, and does not show all of it.
 * Appends.
 */
void mount_options_live(const char *wanted, const char *mount_flags, const char *super, struct str *out);

enum mount_step {
	MOUNT_STAYS,
	MOUNT_REMOUNT, /* the kernel changes it in place: ro, noexec and their like */
	MOUNT_AGAIN,   /* only a new mount has it */
};
/* From live to wanted, both of above. */
enum mount_step mount_options_step(const char *live, const char *wanted);

/* Tables */

struct mount_entry {
	const char *source, *path, *type; /* unescaped; path without needless slashes */
	const char *flags, *super; /* mountinfo: of the mount and of its file system. fstab: flags are its options */
	size_t line;               /* from 1 */
	size_t start, end;         /* bytes of the line without its end */
};

struct mount_table {
	struct arena *arena;
	VEC(struct mount_entry) list; /* in their order: of two at one path the later one is on top */
};

/* text may be NULL. Lines that are none are left out. */
void mountinfo_parse(const char *text, struct mount_table *out);
void fstab_parse(const char *text, struct mount_table *out);
void mount_table_free(struct mount_table *t);
/* The text with every line for this path commented out, all else byte by byte as it is. Appends. */
void fstab_comment_out(const char *text, const char *path, struct str *out);

/* Unit files */

struct mount_unit {
	const char *cluster;
	const char *name;   /* of the resource: "models@hpr" */
	const char *source; /* "10.0.0.80:/srv/models" */
	const char *path;
	const struct mount_options *options;
};
/* Appends. */
void mount_unit_text(const struct mount_unit *u, struct str *out);
void automount_unit_text(const struct mount_unit *u, struct str *out);
/* Whether it was written by this program for the cluster. */
bool mount_unit_is_ours(const char *text, const char *cluster);
/* The resource's name, and Where=, of a unit file of ours; NULL when it says none. The caller frees them. */
char *mount_unit_resource(const char *text);
char *mount_unit_where(const char *text);

#endif
