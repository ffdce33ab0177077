#include "kinds/engine/write.h"

#include "kinds/engine/daemon.h"
#include "sys/clock.h"

#include <string.h>

#define CANDIDATE "/etc/docker/.daemon.json.reconcile"
#define BEFORE "/run/reconcile/daemon.json.before"
#define FILE_MAX ((size_t)1 << 20)
#define VALIDATE_MS INT64_C(30000)
#define DRAIN_MS (INT64_C(5) * 60 * 1000)
#define RESTART_MS (INT64_C(2) * 60 * 1000)
#define LOADED_MS INT64_C(15000)
#define LOOK_MS 300

/*
 * Arguments: new file, file, mark, what is to be done, former file. dockerd has --validate since Engine 23; before,
 * and without any effect, it reads its configuration and then finds that it is not root's. The flags are those of the
 * running dockerd: it refuses what is said in both places. The new file is opened here, because the user that it is
 * shown to may not get into its directory.
 */
static const char install_script[] =
	"set -u; export LC_ALL=C; umask 077; PATH=$PATH:/usr/sbin:/sbin\n"
	"trap 'rm -f -- \"$1\"' EXIT; trap 'exit 1' HUP INT TERM\n"
	"p=; [ ! -r /var/run/docker.pid ] || read -r p </var/run/docker.pid || :\n"
	"flags() { [ -z \"$p\" ] || tail -z -n +2 -- \"/proc/$p/cmdline\" 2>/dev/null || :; }\n"
	"if dockerd --help 2>&1 | grep -q -e --validate; then\n"
	"said=$(flags | xargs -0 dockerd --validate --config-file /dev/fd/3 3<\"$1\" 2>&1); valid=$?\n"
	"else\n"
	"chown 65534 -- \"$1\" && chmod 400 -- \"$1\" || exit 1\n"
	"said=$(flags | xargs -0 setpriv --reuid 65534 --regid 65534 --clear-groups dockerd --config-file /dev/fd/3 "
	"3<\"$1\" 2>&1)\n"
	"case $said in *'needs to be started with root'*) valid=0 ;; *) valid=1 ;; esac\n"
	"fi\n"
	"if [ \"$valid\" != 0 ]; then printf '%s\\n' \"$said\" | sed \"s,/dev/fd/3,$2,g\" >&2; exit 1; fi\n"
	"set -e\n"
	"f=$(readlink -f -- \"$2\") || f=$2\n"
	"if [ -e \"$f\" ]; then chown --reference=\"$f\" -- \"$1\"; chmod --reference=\"$f\" -- \"$1\"\n"
	"else chown 0:0 -- \"$1\"; chmod 644 -- \"$1\"; fi\n"
	"mkdir -p -- \"${3%/*}\"\n"
	"if [ ! -e \"$3\" ] || [ \"$3\" -ot /var/run/docker.pid ]; then rm -f -- \"$5\"; [ ! -e \"$f\" ] || cp -p -- "
	"\"$f\" \"$5\"; fi\n"
	"printf '%s\\n' \"$4\" >\"$3\"\n"
	"sync -- \"$1\"; mv -fT -- \"$1\" \"$f\"; sync -- \"${f%/*}/\"\n";

/* No arguments. As systemd's unit does it, and also where there is none. */
static const char reload_script[] =
	"p=; [ ! -r /var/run/docker.pid ] || read -r p </var/run/docker.pid || :\n"
	"if [ -n \"$p\" ] && [ \"$(cat \"/proc/$p/comm\")\" = dockerd ]; then exec kill -HUP \"$p\"; fi\n"
	"exec systemctl reload docker.service\n";

/* Arguments: mark, former file. */
static const char done_script[] = "rm -f -- \"$1\" \"$2\"\n";

/*
 * Arguments: file, mark, former file, whether to restart with the new file first. When dockerd does not come up its
 * former file is put back in the same breath: by now this machine may have lost the manager that it asks for the lease.
 */
#define PUT_BACK "the former configuration was put back"
static const char restart_script[] =
	"restart() { timeout -k 5 90 systemctl restart docker.service 2>&1; }\n"
	"if [ \"$4\" = new ]; then\n"
	"[ ! \"$2\" -ot /var/run/docker.pid ] || rm -f -- \"$2\" \"$3\"\n"
	"e=$(restart) && exit 0; else e='it runs without it'; fi\n"
	"if [ ! -e \"$2\" ]; then echo \"$e\" >&2; exit 1; fi\n"
	"f=$(readlink -f -- \"$1\") || f=$1\n"
	"if [ ! -e \"$3\" ]; then rm -f -- \"$f\"\n"
	"else cp -p -- \"$3\" \"$f.before\" && mv -fT -- \"$f.before\" \"$f\" || { rm -f -- \"$f.before\"; exit 1; }; "
	"fi\n"
	"systemctl reset-failed docker.service 2>/dev/null || :\n"
	"if ! restart >/dev/null; then echo \"nor with its former one, which was put back\" >&2; exit 1; fi\n"
	"rm -f -- \"$2\" \"$3\"\n"
	"printf '" PUT_BACK " (%s)\\n' \"$(printf %s \"$e\" | head -n 1)\" >&2; exit 1\n";

static int64_t within(int64_t deadline, int64_t ms)
{
	int64_t limit = clock_ms() + ms;
	return limit < deadline ? limit : deadline;
}

/* Writes the file when the wanted keys are not in it; *written says whether. */
static int write_file(struct apply *a, struct host *h, const struct daemon_change *c, bool *written, struct err *err)
{
	_cleanup_free_ char *body = NULL, *lines = NULL;
	_cleanup_json_ json_t *file = NULL, *next = NULL;
	_cleanup_str_ struct str text = {0};
	struct arena *arena = arena_new();
	struct err e = {0};
	const char *why = "";
	const char *const args[] = {CANDIDATE, DAEMON_FILE, DAEMON_MARK, c->restart ? "restart" : "reload",
				    BEFORE,    NULL};
	int rc = -1;

	bool there = host_read(h, DAEMON_FILE, FILE_MAX, &text, &e) == 0;
	if (!there && e.code != ERR_NOT_FOUND) {
		*err = e;
		goto out;
	}
	file = daemon_parse(str_cstr(&text), text.len, arena, &why);
	if (!file) {
		err_set(err, ERR_BLOCKED, "%s on node '%s': %s: correct it there", DAEMON_FILE, c->node, why);
		goto out;
	}
	next = daemon_overlay(file, c->wanted);
	*written = !json_same(file, next);
	if (!*written) {
		rc = 0;
		goto out;
	}
	if (!there && host_mkdir(h, "/etc/docker", NULL, NULL, err) < 0)
		goto out;
	body = json_dumps(next, JSON_INDENT(2) | JSON_REAL_PRECISION(15));
	lines = xasprintf("%s\n", body);
	if (host_write(h, CANDIDATE, lines, strlen(lines), 0600, err) < 0)
		goto out;
	rc = host_script(h, "write", DAEMON_FILE, install_script, args, within(a->deadline, VALIDATE_MS), err);
out:
	arena_free(arena);
	return rc;
}

/* Until the engine answers and /info agrees. */
static int wait_until_loaded(struct apply *a, const struct daemon_change *c, int64_t deadline, struct err *err)
{
	for (;;) {
		_cleanup_json_ json_t *info = NULL;
		struct engine *engine;
		struct err e = {0};
		const char *key = NULL;

		if (cluster_engine(a->cluster, c->node, &engine, &e) == 0 &&
		    engine_get(engine, within(deadline, LOADED_MS), &info, &e, "/info") == 0) {
			key = daemon_not_loaded(info, c->wanted);
			if (!key)
				return 0;
		}
		if (clock_left(deadline) == 0)
			return key ? err_set(err, ERR_FAILED,
					     "dockerd on node '%s' did not take over '%s': its log says why", c->node,
					     key)
				   : err_set(err, ERR_TIMEOUT, "the engine does not answer: %s", e.msg);
		if (!clock_sleep(LOOK_MS))
			return err_set(err, ERR_CANCELLED, "waiting for dockerd on node '%s': stopped", c->node);
	}
}

static int reload(struct apply *a, struct host *h, const struct daemon_change *c, struct err *err)
{
	static const char *const none[] = {NULL};

	a->progress(a->progress_arg, "reloading dockerd");
	if (host_script(h, "reload", "dockerd", reload_script, none, within(a->deadline, VALIDATE_MS), err) < 0)
		return -1;
	return wait_until_loaded(a, c, within(a->deadline, LOADED_MS), err);
}

static int run_restart(struct host *h, const char *with, struct err *err)
{
	const char *const args[] = {DAEMON_FILE, DAEMON_MARK, BEFORE, with, NULL};

	if (host_script(h, "restart", "dockerd", restart_script, args, clock_ms() + 2 * RESTART_MS, err) == 0)
		return 0;
	if (strstr(err->msg, PUT_BACK))
		err->code = ERR_UNHEALTHY;
	return err_wrap(err, "dockerd did not come up with its new configuration");
}

/* It can also come up and not have taken over what the file says. */
static int restart_dockerd(struct apply *a, struct host *h, const struct daemon_change *c, struct err *err)
{
	struct err e = {0};

	a->progress(a->progress_arg, "restarting dockerd");
	if (run_restart(h, "new", err) < 0)
		return -1;
	if (wait_until_loaded(a, c, clock_ms() + RESTART_MS, &e) == 0)
		return 0;
	if (e.code != ERR_FAILED || run_restart(h, "former", err) == 0)
		*err = e;
	return -1;
}

/*
 * Behind a drain, which is undone whatever happens, also after Ctrl-C. Whoever kills this in between leaves a drained
 * node: its availability is a field of node/<name>, and the next run sets it.
 */
static int restart(struct apply *a, struct host *h, const struct daemon_change *c, struct err *err)
{
	_cleanup_free_ char *before = NULL;
	struct err e = {0};

	if (!c->node_id)
		return restart_dockerd(a, h, c, err);
	if (drain_set(a, c->node_id, "drain", &before, err) < 0)
		return -1;
	int rc = drain_wait(a, c->node_id, within(a->deadline, DRAIN_MS), err);
	if (rc == 0)
		rc = restart_dockerd(a, h, c, err);
	const char *afterwards = c->availability ? c->availability : before;
	if (drain_wait_ready(a, c->node_id, clock_ms() + RESTART_MS, &e) < 0 && rc == 0) {
		*err = e;
		rc = -1;
	}
	if (!afterwards || drain_undo(a, c->node_id, afterwards, &e) == 0)
		return rc;
	if (rc == 0)
		*err = e;
	return err_wrap(err, "node '%s' is still drained, until a run sets its availability", c->node);
}

int daemon_write(struct apply *a, const struct daemon_change *c, struct err *err)
{
	static const char *const marks[] = {DAEMON_MARK, BEFORE, NULL};
	struct host *h = cluster_host(a->cluster, c->node);
	bool written = false;

	if (write_file(a, h, c, &written, err) < 0 || (c->restart ? restart(a, h, c, err) : reload(a, h, c, err)) < 0)
		return -1;
	return host_script(h, "remove", DAEMON_MARK, done_script, marks, clock_ms() + VALIDATE_MS, err);
}
