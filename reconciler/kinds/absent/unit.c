/* A systemd unit under `absent`: stopped and disabled, and what starts it as well. Its package and files stay. */
#include "kinds/absent/unit.h"

#include "kinds/absent/absent.h"
#include "kinds/util.h"

#include <stdlib.h>
#include <string.h>

/*
 * Arguments: the unit, how long it may take in seconds, "drain" or nothing. HAProxy's master ends at once on systemd's
 * SIGTERM, and on SIGUSR1 when its connections have ended; with Restart=always it would be started again unless it is
 * systemd that stops it. So systemd is told, until the next start of the machine at most, to stop it with that signal.
 */
static const char stop_script[] =
	"set -u; u=$1 d=/run/systemd/system/$1.d\n"
	"trap 'rm -f -- \"$d/reconcile.conf\"; rmdir -- \"$d\" 2>/dev/null; systemctl daemon-reload' EXIT\n"
	"mkdir -p -- \"$d\" && {\n"
	"printf '[Service]\\nTimeoutStopSec=%ss\\n' \"$2\"\n"
	"[ \"$3\" != drain ] || printf 'KillMode=mixed\\nKillSignal=SIGUSR1\\n'; } >\"$d/reconcile.conf\" &&\n"
	"systemctl daemon-reload || exit 1\n"
	"for t in $(systemctl show -p TriggeredBy --value -- \"$u\"); do\n"
	"systemctl disable --quiet --now -- \"$t\" || exit 1; done\n"
	"e=$(systemctl disable --quiet -- \"$u\" 2>&1) || case $e in *'does not exist'*|*'not loaded'*) ;;\n"
	"*) echo \"$e\" >&2; exit 1 ;; esac\n"
	"systemctl stop -- \"$u\" || exit 1\n"
	"! systemctl is-active --quiet -- \"$u\" || { echo \"$u: it runs again: something else starts it\" >&2; exit "
	"1; }\n";

static const char *value_of(const char *line, const char *name)
{
	size_t n = strlen(name);
	return strncmp(line, name, n) == 0 && line[n] == '=' ? line + n + 1 : NULL;
}

static bool is_one_of(const char *text, const char *const *list)
{
	for (; *list; list++)
		if (strcmp(text, *list) == 0)
			return true;
	return false;
}

void unit_state_read(const json_t *look, struct str *buf, struct unit_state *out)
{
	static const char *const ended[] = {"inactive", "failed", NULL}, *const enabled[] = {
										 "enabled", "enabled-runtime", "linked",
										 "linked-runtime", NULL};
	const struct {
		const char *name, **value;
	} texts[] = {{"InvocationID", &out->run},
		     {"FragmentPath", &out->file},
		     {"Program", &out->program},
		     {"TriggeredBy", &out->triggers}};
	char *save = NULL;

	*out = (struct unit_state){.run = "", .file = "", .program = "", .triggers = ""};
	if (json_string_length(look) == 0)
		return;
	str_reset(buf);
	str_adds(buf, json_string_value(look));
	for (char *line = strtok_r(buf->data, "\n", &save); line; line = strtok_r(NULL, "\n", &save)) {
		const char *v;
		for (size_t i = 0; i < ARRAY_SIZE(texts); i++)
			if ((v = value_of(line, texts[i].name)))
				*texts[i].value = v;
		if ((v = value_of(line, "LoadState")))
			out->there |= strcmp(v, "not-found") != 0;
		else if ((v = value_of(line, "ActiveState")) || (v = value_of(line, "TriggerState")))
			out->active |= !is_one_of(v, ended);
		else if ((v = value_of(line, "UnitFileState")) || (v = value_of(line, "TriggerFileState")))
			out->enabled |= is_one_of(v, enabled);
		else if ((v = value_of(line, "MainPID")))
			out->pid = strtoll(v, NULL, 10);
	}
	out->there |= out->active;
}

static void needs(struct wants *w, const struct snode *n)
{
	want_look(w, snode_str(n, "node"), "unit", snode_str(n, "unit"));
}

static void decode(struct decode *d, struct resource *r, const struct snode *n)
{
	resource_set_field(d->out, r, "state", json_string("stopped"), r->mark);
	absent_decode_times(d, r, n, snode_int(n, "stop_timeout", 0));
	json_object_del(r->body, "keep"); /* it stays */
}

static bool is_haproxy(const struct unit_state *u)
{
	return strcmp(u->program, "haproxy") == 0;
}

/* {"id", "node", "unit", "enabled", "haproxy", "triggers"}; what its process is, a stopped unit does not tell. */
static const char *way_back(struct arena *a, const struct resource *want, const struct unit_state *u)
{
	_cleanup_json_ json_t *back = json_object();
	_cleanup_str_ struct str text = {0};

	json_set_str(back, "id", json_str(want->body, "unit"));
	json_set_str(back, "node", want->node);
	json_set_str(back, "unit", json_str(want->body, "unit"));
	json_set_bool(back, "enabled", u->enabled);
	if (is_haproxy(u))
		json_set_bool(back, "haproxy", true);
	if (*u->triggers)
		json_set_str(back, "triggers", u->triggers);
	json_canonical(back, &text);
	return arena_strdup(a, str_cstr(&text));
}

static void observe(struct observe *o, struct resource *r, const struct resource *want)
{
	const char *why = NULL, *unit = json_str(want->body, "unit");
	struct arena *arena = resource_set_arena(o->out);
	const json_t *look = host_look(o->snap, arena, want->node, "unit", unit, &why);
	_cleanup_str_ struct str buf = {0};
	struct unit_state u;

	if (!look) {
		r->presence = UNKNOWN;
		bool secret = resource_mark_of(want, "unit").hidden;
		resource_block(o->out, r, "%s", secret ? "its systemd unit could not be looked at" : why);
		return;
	}
	unit_state_read(look, &buf, &u);
	absent_set_live(o, r, want, u.active ? "running" : "stopped", u.enabled ? "enabled" : NULL);
	if (u.active)
		r->way_back = way_back(arena, want, &u);
}

/* What it listens on is in its own configuration. */
static bool holds(const struct snapshot *snap, const struct resource *want, const char *port, struct absent_holder *out)
{
	_cleanup_str_ struct str buf = {0};
	struct arena *arena = arena_new();
	struct unit_state u;
	const char *why;

	(void)port;
	const json_t *look = host_look(snap, arena, want->node, "unit", json_str(want->body, "unit"), &why);
	unit_state_read(look, &buf, &u);
	arena_free(arena);
	out->what = "unit";
	out->name = absent_shown(want, "unit");
	return !look || (u.active && is_haproxy(&u));
}

static void explain(const struct observe *o, struct arena *a, struct change *c)
{
	const char *unit = absent_shown(c->desired, "unit"), *why = NULL;
	_cleanup_str_ struct str buf = {0};
	struct unit_state u;

	unit_state_read(host_look(o->snap, a, c->desired->node, "unit", json_str(c->desired->body, "unit"), &why), &buf,
			&u);
	const char *triggers = *u.triggers ? arena_printf(a, " and what starts it (%s)", u.triggers) : "";
	if (u.active)
		c->effect =
			arena_printf(a, "stops unit %s%s%s (killed after %s), and disables it; its package and %s stay",
				     unit, triggers, is_haproxy(&u) ? " with SIGUSR1" : "",
				     absent_duration(a, json_int(c->desired->body, "stop_timeout", 0)),
				     *u.file ? arena_strdup(a, u.file) : "its files");
	else
		c->effect =
			arena_printf(a, "disables unit %s%s, which would start again with the machine", unit, triggers);
}

int unit_look(struct host *h, const char *unit, int64_t deadline, json_t **out, struct err *err)
{
	_cleanup_free_ char *name = xasprintf("unit %s", unit);
	const char *const looks[] = {name, NULL};
	_cleanup_json_ json_t *seen = NULL;

	if (host_probe(h, &(struct probe_request){.looks = looks}, deadline, &seen, err) < 0)
		return -1;
	const json_t *answer = json_object_get(json_object_get(seen, "looks"), name);
	if (json_str(answer, "error"))
		return err_set(err, ERR_FAILED, "unit %s: %s", unit, json_str(answer, "error"));
	*out = json_incref((json_t *)answer);
	return 0;
}

static int apply(struct apply *a, const struct change *c, struct err *err)
{
	const char *unit = json_str(c->desired->body, "unit");
	struct host *h = cluster_host(a->cluster, c->desired->node);
	_cleanup_json_ json_t *look = NULL;
	_cleanup_str_ struct str buf = {0};
	struct unit_state u;

	if (!h)
		return err_set(err, ERR_NOT_FOUND, "node '%s' is not in the spec", c->desired->node);
	if (unit_look(h, unit, a->deadline, &look, err) < 0)
		return -1;
	unit_state_read(look, &buf, &u);
	if (!u.active && !u.enabled)
		return 0;
	_cleanup_free_ char *seconds = xasprintf("%lld", (long long)absent_timeout_s(c->desired->body));
	const char *const args[] = {unit, seconds, is_haproxy(&u) ? "drain" : "", NULL};
	a->progress(a->progress_arg, "stopping %s, killed after %s s", unit, seconds);
	return host_script(h, "stop", unit, stop_script, args, a->deadline, err);
}

const struct absent_form absent_unit = {
	.key = "unit",
	.needs = needs,
	.decode = decode,
	.observe = observe,
	.explain = explain,
	.apply = apply,
	.holds = holds,
};
