#include "kinds/mount/write.h"

#include "kinds/backup.h"
#include "sys/clock.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

/* One writer at a time: fstab holds the mounts of all. */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

/*
 * These print what went wrong, and nothing when all is well.
 * Arguments: start or reload, the units. mount.nfs says why it failed only to the journal. What systemd gave up is
 * forgotten first.
 */
static const char start_script[] =
	"do=$1; shift\n"
	"systemctl reset-failed -- \"$@\" 2>/dev/null\n"
	"for u do e=$(systemctl \"$do\" -- \"$u\" 2>&1) || {\n"
	"w=$(journalctl -q -o cat -n 50 --since=-2min -u \"$u\" 2>/dev/null | grep '^mount' | tail -n 1)\n"
	"echo \"${w:-${e:-$u: systemctl $do failed}}\"; exit 0; }; done\n";

/* Arguments: path, how often, options of umount(8) or nothing. Bounded: a server that is gone would be waited for. */
static const char umount_script[] =
	"PATH=$PATH:/usr/sbin:/sbin; i=0\n"
	"while [ $i -lt \"$2\" ]; do i=$((i + 1)); e=$(timeout -k 5 30 umount ${3:+\"$3\"} -- \"$1\" 2>&1) ||\n"
	"{ [ $? != 124 ] || e='umount: timeout'; echo \"${e:-umount failed}\"; exit 0; }; done\n";

/* Arguments: the unit files' names. */
static const char remove_script[] =
	"cd /etc/systemd/system && rm -f -- \"$@\" && { [ ! -d /run/systemd/system ] || systemctl daemon-reload; }\n";

static const char *const reload[] = {"systemctl", "daemon-reload", NULL};

struct writer {
	const struct cluster *c;
	struct host *h;
	const struct mount_change *x;
	char *mount, *automount; /* names of the units */
	struct mount_view view;
	json_t *host; /* what the view is of */
};

static void writer_free(struct writer *w)
{
	mount_view_close(&w->view);
	json_decref(w->host);
	free(w->mount);
	free(w->automount);
}

static int look(struct host *h, const char *cluster, const char *path, int64_t deadline, json_t **out,
		struct mount_view *v, struct err *err)
{
	_cleanup_free_ char *argument = mount_look_argument(cluster, &path, 1),
			    *name = xasprintf("mounts %s", argument);
	const char *const looks[] = {name, NULL}, *const files[] = {FSTAB, NULL};
	const struct probe_request q = {.looks = looks, .files = files};

	if (host_probe(h, &q, deadline, out, err) < 0)
		return -1;
	const json_t *answer = json_object_get(json_object_get(*out, "looks"), name);
	if (!json_is_string(answer))
		return err_set(err, ERR_FAILED, "looking at its mounts: %s",
			       json_str(answer, "error") ? json_str(answer, "error") : "no answer");
	mount_view_close(v);
	mount_view_read(json_string_value(answer), v);
	return 0;
}

static int look_again(struct writer *w, struct err *err)
{
	json_decref(w->host);
	w->host = NULL;
	return look(w->h, w->c->name, w->x->want->path, w->x->deadline, &w->host, &w->view, err);
}

static const json_t *fstab_of(const json_t *host)
{
	return json_object_get(json_object_get(host, "files"), FSTAB);
}

/* "umount.nfs4: /x: device is busy", "umount: /x: target is busy." */
static int in_use(const char *path, struct err *err)
{
	if (strstr(err->msg, "busy"))
		return err_set(
			err, ERR_BLOCKED,
			"%s is in use there, and nothing is unmounted under what uses it: stop that (`fuser -vm %s` "
			"shows it), or drain the node",
			path, path);
	return -1;
}

/* A script of above: what it says is the error. */
static int run_script(struct host *h, const char *const *argv, int64_t deadline, struct err *err)
{
	_cleanup_str_ struct str said = {0}, line = {0};

	if (host_run(h, argv, deadline, &said, err) < 0)
		return -1;
	if (said.len == 0)
		return 0;
	str_add_visible(&line, str_cstr(&said), strcspn(str_cstr(&said), "\n"));
	return err_set(err, ERR_FAILED, "%s", str_cstr(&line));
}

static int run_umount(struct host *h, const char *path, size_t times, const char *option, int64_t deadline,
		      struct err *err)
{
	char n[24];
	const char *const argv[] = {"sh", "-c", umount_script, "umount", path, n, option, NULL};

	snprintf(n, sizeof(n), "%zu", times);
	return run_script(h, argv, deadline, err);
}

/* Files */

static int write_unit(struct writer *w, const char *unit, const char *text, bool *written, struct err *err)
{
	_cleanup_free_ char *path = xasprintf(UNIT_DIR "%s", unit);
	const char *before = json_str(w->view.units, unit);

	if (mount_view_unit_is(&w->view, unit, text))
		return 0;
	*written = true;
	if (before && !mount_unit_is_ours(before, w->c->name) && backup_keep(w->c, w->h, path, before, err) < 0)
		return -1;
	return host_write(w->h, path, text, strlen(text), 0644, err);
}

/* The units are known to systemd before fstab loses its lines. */
static int take_over_fstab(struct writer *w, struct err *err)
{
	const json_t *file = fstab_of(w->host);
	const char *before = json_str(file, "content");
	_cleanup_str_ struct str after = {0};

	if (json_str(file, "error"))
		return err_set(err, ERR_FAILED, FSTAB ": %s", json_str(file, "error"));
	fstab_comment_out(before, w->x->want->path, &after);
	if (!before || strcmp(before, str_cstr(&after)) == 0)
		return 0;
	if (backup_keep(w->c, w->h, FSTAB, before, err) < 0 ||
	    host_write(w->h, FSTAB, str_cstr(&after), after.len, 0, err) < 0)
		return -1;
	return host_run(w->h, reload, w->x->deadline, NULL, err);
}

static int write_files(struct writer *w, struct err *err)
{
	const struct mount_wanted *want = w->x->want;
	const char *const enable[] = {"systemctl", "enable", "--quiet", "--", w->mount, w->automount, NULL};
	bool written = false;

	if (w->x->keep_units)
		return 0;
	if (write_unit(w, w->mount, want->mount_text, &written, err) < 0 ||
	    write_unit(w, w->automount, want->automount_text, &written, err) < 0)
		return -1;
	written |= mount_view_must_reload(&w->view, w->mount) || mount_view_must_reload(&w->view, w->automount);
	if (written && host_run(w->h, reload, w->x->deadline, NULL, err) < 0)
		return -1;
	if (!w->x->keep_fstab && take_over_fstab(w, err) < 0)
		return -1;
	if (mount_view_is_enabled(&w->view, w->mount) && mount_view_is_enabled(&w->view, w->automount))
		return 0;
	return host_run(w->h, enable, w->x->deadline, NULL, err);
}

/* What is mounted */

/* A server that is away, or not ready yet, is no failure of the spec. */
static int judge(struct err *err)
{
	static const char *const away[] = {"timed out",          "No route to host",
					   "Connection refused", "Network is unreachable",
					   "Host is down",       "timeout"};

	for (size_t i = 0; i < ARRAY_SIZE(away) && err->code != ERR_LOCKED; i++)
		if (strstr(err->msg, away[i]))
			err->code = ERR_BLOCKED;
	return -1;
}

/* systemd starts no automount where something is mounted already; it then comes with the next start of the machine. */
static int start(struct writer *w, struct err *err)
{
	const char *const argv[] = {"sh", "-c", start_script, "start", "start", w->automount, w->mount, NULL};

	if (w->x->progress)
		w->x->progress(w->x->progress_arg, "mounting %s", w->x->want->source);
	return run_script(w->h, argv, w->x->deadline, err) < 0 ? judge(err) : 0;
}

static int remount(struct writer *w, struct err *err)
{
	const char *const argv[] = {"sh", "-c", start_script, "start", "reload", w->mount, NULL};
	return run_script(w->h, argv, w->x->deadline, err) < 0 ? judge(err) : 0;
}

static int mount_as_wanted(struct writer *w, struct err *err)
{
	const char *path = w->x->want->path;
	struct mount_place p;

	mount_view_place(&w->view, path, &p);
	if (!p.nfs)
		return start(w, err);
	switch (mount_view_step(&w->view, w->x->want)) {
	case MOUNT_STAYS:
		return 0;
	case MOUNT_REMOUNT:
		return remount(w, err);
	case MOUNT_AGAIN:
		break;
	}
	/* A stale mount serves nobody any more, whoever holds it open. */
	if (run_umount(w->h, path, p.n_nfs, p.stale ? "-l" : "", w->x->deadline, err) < 0)
		return in_use(path, err);
	return start(w, err);
}

/* Why it can be looked at and not worked on: the plan saw it too, unless it is new. */
static int check(struct writer *w, struct err *err)
{
	_cleanup_free_ char *obstacle =
				    mount_view_obstacle(&w->view, json_str(fstab_of(w->host), "content"), w->x->want),
			    *unknown = mount_view_unknown(&w->view, w->x->want);

	if (!w->view.systemd)
		return err_set(err, ERR_BLOCKED, "it does not run systemd");
	if (obstacle || unknown)
		return err_set(err, ERR_BLOCKED, "%s", obstacle ? obstacle : unknown);
	return 0;
}

static int verify(struct writer *w, struct err *err)
{
	struct mount_place p;

	if (look_again(w, err) < 0)
		return -1;
	_cleanup_free_ char *unknown = mount_view_unknown(&w->view, w->x->want);
	if (unknown)
		return err_set(err, ERR_BLOCKED, "%s", unknown);
	mount_view_place(&w->view, w->x->want->path, &p);
	if (!p.nfs)
		return err_set(err, ERR_FAILED, "afterwards it is not mounted");
	if (mount_view_step(&w->view, w->x->want) != MOUNT_STAYS)
		return err_set(err, ERR_FAILED, "afterwards %s is mounted with the options %s", p.nfs->source,
			       p.nfs->super);
	return 0;
}

static int write_mount(struct writer *w, struct err *err)
{
	pthread_mutex_lock(&lock);
	int rc = look_again(w, err);
	if (rc == 0)
		rc = check(w, err);
	if (rc == 0)
		rc = write_files(w, err);
	pthread_mutex_unlock(&lock);
	if (rc < 0 || w->x->keep_mounted)
		return rc;
	return mount_as_wanted(w, err) < 0 ? -1 : verify(w, err);
}

int mount_write(const struct cluster *c, struct host *h, const struct mount_change *x, struct err *err)
{
	CLEANUP(writer_free)
	struct writer w = {
		.c = c,
		.h = h,
		.x = x,
		.mount = mount_unit_name(x->want->path, ".mount"),
		.automount = mount_unit_name(x->want->path, ".automount"),
	};

	mount_view_read(NULL, &w.view);
	return write_mount(&w, err);
}

int mount_remove(const struct cluster *c, struct host *h, const char *path, int64_t deadline, struct err *err)
{
	_cleanup_free_ char *mount = mount_unit_name(path, ".mount"), *automount = mount_unit_name(path, ".automount");
	const char *const disable[] = {"systemctl", "disable", "--quiet", "--now", "--", automount, mount, NULL};
	const char *const delete[] = {"sh", "-c", remove_script, "remove", automount, mount, NULL};
	CLEANUP(mount_view_close) struct mount_view v;
	_cleanup_json_ json_t *host = NULL;
	struct mount_place p;

	mount_view_read(NULL, &v);
	if (look(h, c->name, path, deadline, &host, &v, err) < 0)
		return -1;
	mount_view_place(&v, path, &p);
	if (p.nfs && p.hung)
		return err_set(err, ERR_BLOCKED, "%s on %s does not answer: it is unmounted when the server is back",
			       p.nfs->source, path);
	/* Stopping the automount would detach what is mounted on it whether it is in use or not. */
	if (p.nfs && run_umount(h, path, p.n_nfs, p.stale ? "-l" : "", deadline, err) < 0)
		return in_use(path, err);
	if (v.systemd && host_run(h, disable, deadline, NULL, err) < 0)
		return -1;
	return host_run(h, delete, deadline, NULL, err);
}
