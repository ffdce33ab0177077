/* The mounts of one node as its probe saw them, and a resource's live body out of it. Pure. */
#ifndef RECONCILE_KINDS_MOUNT_VIEW_H
#define RECONCILE_KINDS_MOUNT_VIEW_H

#include "kinds/mount/mounts.h"
#include "model/snapshot.h"

#include "base/json.h"

#define FSTAB "/etc/fstab"
#define UNIT_DIR "/etc/systemd/system/"

/*
 * The probe's look_mounts prints records: a line "WORD ARGUMENT", then lines that begin with a tab:
 *   systemd yes|no       whether it runs there
 *   nfs yes|no           whether mount.nfs is installed
 *   mountinfo            lines of NFS and automounts, and of the paths that were asked for
 *   show                 what systemctl show says of their units; without text: systemd does not answer
 *   at PATH              "ok TYPE", "hung", "failed: WHY" of a mount point; "none", "empty", "files", "not a
 * directory", "link PATH" of what is none unit NAME            the text of a unit file in /etc/systemd/system
 */
struct mount_view {
	bool systemd, helper, answers;
	struct mount_table mounts;
	json_t *at, *units, *show; /* by path, by unit name, by unit name and then property */
};

/* The argument of the look: the cluster, whose units are looked for, and paths. The caller frees it. */
char *mount_look_argument(const char *cluster, const char *const *paths, size_t n);
void mount_view_read(const char *look, struct mount_view *v);
void mount_view_close(struct mount_view *v);

/* A resource as the spec wants it; all borrowed. */
struct mount_wanted {
	const char *cluster, *path, *source, *options;
	const char *server, *shown; /* for messages: the server's name, and the path or what stands for it */
	const char *mount_text, *automount_text; /* unit files */
};

/* What is at a path. */
struct mount_place {
	const struct mount_entry *nfs; /* the one on top; NULL: none */
	size_t n_nfs;
	bool automount;                  /* systemd waits there for somebody to use it */
	const struct mount_entry *other; /* something else is mounted there; NULL: no */
	const char *state;               /* of "at"; "" when it was not looked at */
	bool stale, hung;
};
void mount_view_place(const struct mount_view *v, const char *path, struct mount_place *out);

/* NULL, or why this cannot be mounted there as things are; the caller frees it. fstab may be NULL. */
char *mount_view_obstacle(const struct mount_view *v, const char *fstab, const struct mount_wanted *want);
/* NULL, or why it cannot be told whether the mount is all right; the caller frees it. */
char *mount_view_unknown(const struct mount_view *v, const struct mount_wanted *want);
/* NULL, or what went wrong when somebody used the automount; the caller frees it. */
char *mount_view_failure(const struct mount_view *v, const struct mount_wanted *want);
/*
 * The live body: equal to the wanted one exactly when nothing is to be done; words in parentheses say what is
 * different. New reference; NULL when nothing of the kind is there.
 */
json_t *mount_view_body(const struct mount_view *v, const char *fstab, const struct mount_wanted *want);
/* Whether a unit has to be written, made known to systemd, enabled. */
bool mount_view_unit_is(const struct mount_view *v, const char *unit, const char *text);
bool mount_view_must_reload(const struct mount_view *v, const char *unit);
bool mount_view_is_enabled(const struct mount_view *v, const char *unit);
/* From what is mounted (its place has nfs) to what is wanted. */
enum mount_step mount_view_step(const struct mount_view *v, const struct mount_wanted *want);

#endif
