#include "kinds/mount/view.h"

#include <string.h>

char *mount_look_argument(const char *cluster, const char *const *paths, size_t n)
{
	_cleanup_str_ struct str s = {0};

	str_adds(&s, cluster);
	for (size_t i = 0; i < n; i++) {
		_cleanup_free_ char *unit = mount_unit_name(paths[i], ".mount");
		str_addf(&s, "\n%s\n%s", paths[i], unit);
	}
	return str_steal(&s);
}

/* systemctl show: "Id=a.mount", "ActiveState=active", …, an empty line between units. */
static void read_show(const char *text, json_t *show)
{
	json_t *unit = json_object();

	for (; text && *text; text += strcspn(text, "\n"), text += *text == '\n') {
		size_t len = strcspn(text, "\n"), key = strcspn(text, "=\n");
		if (len == 0) {
			json_decref(unit);
			unit = json_object();
		} else if (key < len) {
			_cleanup_free_ char *name = xasprintf("%.*s", (int)key, text);
			json_set(unit, name, json_stringn(text + key + 1, len - key - 1));
		}
		if (json_str(unit, "Id") && !json_object_get(show, json_str(unit, "Id")))
			json_object_set(show, json_str(unit, "Id"), unit);
	}
	json_decref(unit);
}

static void add_record(struct mount_view *v, const char *word, const char *argument, const char *text)
{
	if (strcmp(word, "systemd") == 0) {
		v->systemd = strcmp(argument, "yes") == 0;
	} else if (strcmp(word, "nfs") == 0) {
		v->helper = strcmp(argument, "yes") == 0;
	} else if (strcmp(word, "mountinfo") == 0) {
		mount_table_free(&v->mounts);
		mountinfo_parse(text, &v->mounts);
	} else if (strcmp(word, "show") == 0) {
		v->answers = *text != '\0';
		read_show(text, v->show);
	} else if (strcmp(word, "at") == 0) {
		size_t len = strlen(text);
		json_set(v->at, argument, json_stringn(text, len && text[len - 1] == '\n' ? len - 1 : len));
	} else if (strcmp(word, "unit") == 0) {
		json_set_str(v->units, argument, text);
	}
}

void mount_view_read(const char *look, struct mount_view *v)
{
	*v = (struct mount_view){.at = json_object(), .units = json_object(), .show = json_object()};
	mountinfo_parse("", &v->mounts);
	while (look && *look) {
		size_t len = strcspn(look, "\n"), word = strcspn(look, " \n");
		_cleanup_free_ char *name = xasprintf("%.*s", (int)word, look);
		_cleanup_free_ char *argument =
			xasprintf("%.*s", word < len ? (int)(len - word - 1) : 0, look + word + (word < len));
		_cleanup_str_ struct str text = {0};
		look += len + (look[len] == '\n');
		while (*look == '\t') {
			len = strcspn(look, "\n");
			str_add(&text, look + 1, len - 1);
			str_addc(&text, '\n');
			look += len + (look[len] == '\n');
		}
		add_record(v, name, argument, str_cstr(&text));
	}
}

void mount_view_close(struct mount_view *v)
{
	mount_table_free(&v->mounts);
	json_decref(v->at);
	json_decref(v->units);
	json_decref(v->show);
}

static bool is_nfs(const char *type)
{
	return str_eq(type, "nfs") || str_eq(type, "nfs4");
}

void mount_view_place(const struct mount_view *v, const char *path, struct mount_place *out)
{
	const char *state = json_str(v->at, path);

	*out = (struct mount_place){.state = state ? state : ""};
	for (size_t i = 0; i < v->mounts.list.n; i++) {
		const struct mount_entry *e = &v->mounts.list.v[i];
		if (strcmp(e->path, path) != 0)
			continue;
		if (str_eq(e->type, "autofs")) {
			out->automount = true;
		} else if (is_nfs(e->type)) {
			out->nfs = e;
			out->n_nfs++;
		} else {
			out->other = e;
		}
	}
	out->hung = strcmp(out->state, "hung") == 0;
	out->stale = strstr(out->state, "Stale file handle") != NULL;
}

static const struct mount_entry *foreign_line(const struct mount_table *t, const char *path)
{
	for (size_t i = 0; i < t->list.n; i++)
		if (strcmp(t->list.v[i].path, path) == 0 && !is_nfs(t->list.v[i].type))
			return &t->list.v[i];
	return NULL;
}

char *mount_view_obstacle(const struct mount_view *v, const char *fstab, const struct mount_wanted *want)
{
	CLEANUP(mount_table_free) struct mount_table t;
	struct mount_place p;
	const struct mount_entry *line;

	fstab_parse(fstab, &t);
	mount_view_place(v, want->path, &p);
	if (p.other)
		return xasprintf("%s (%s) is mounted on %s there: unmount it, or choose another mount.path",
				 p.other->source, p.other->type, want->shown);
	line = foreign_line(&t, want->path);
	if (line)
		return xasprintf("line %zu of " FSTAB " there mounts %s (%s) on %s: remove the line, or choose another "
				 "mount.path",
				 line->line, line->source, line->type, want->shown);
	if (p.nfs || p.automount)
		return NULL;
	if (strcmp(p.state, "files") == 0)
		return xasprintf("%s is a directory with files of its own there, which a mount would hide: move them "
				 "away, or choose another mount.path",
				 want->shown);
	if (strcmp(p.state, "not a directory") == 0)
		return xasprintf("%s is no directory there: remove it, or choose another mount.path", want->shown);
	if (str_starts(p.state, "link "))
		return xasprintf(
			"%s leads through a symbolic link there, and systemd mounts on no such path: write the "
			"path that it leads to as mount.path",
			want->shown);
	return NULL;
}

/* "failed: stat: cannot read file system information for '/x': No such device" as its last words; NULL: it did not. */
static const char *failure(const struct mount_place *p)
{
	const char *words = strstr(p->state, "': ");

	if (!str_starts(p->state, "failed: "))
		return NULL;
	return words ? words + 3 : p->state + strlen("failed: ");
}

char *mount_view_unknown(const struct mount_view *v, const struct mount_wanted *want)
{
	struct mount_place p;

	mount_view_place(v, want->path, &p);
	if (v->systemd && !v->answers)
		return xstrdup("systemd does not answer there: see `systemctl status` on the node");
	if (p.nfs && p.hung)
		return xasprintf(
			"the NFS server %s does not answer, and what uses %s waits: look at the server and the "
			"network between; a hard mount goes on by itself when the server is back, and until then "
			"nothing is changed here",
			want->server, want->shown);
	if (p.hung)
		return xasprintf("the NFS server %s does not answer, so that %s is not mounted yet: look at the server "
				 "and the network between",
				 want->server, want->shown);
	if (p.nfs && failure(&p) && !p.stale)
		return xasprintf("%s is mounted and cannot be used: %s", want->shown, failure(&p));
	return NULL;
}

char *mount_view_failure(const struct mount_view *v, const struct mount_wanted *want)
{
	_cleanup_free_ char *unit = mount_unit_name(want->path, ".mount");
	struct mount_place p;

	mount_view_place(v, want->path, &p);
	if (p.nfs || !p.automount || !failure(&p))
		return NULL;
	return xasprintf("systemd could not mount it when it was used (%s): `journalctl -u '%s'` on the node has the "
			 "reason",
			 failure(&p), strcmp(want->path, want->shown) == 0 ? unit : "…");
}

/* The host of "host:/path" with the address that the kernel says instead, and the path without needless slashes. */
static char *source_of(const struct mount_entry *e, const char *address)
{
	const char *colon = strstr(e->source, ":/");
	_cleanup_str_ struct str s = {0};

	if (!colon)
		return xstrdup(e->source);
	if (address)
		str_addf(&s, strchr(address, ':') ? "[%s]" : "%s", address);
	else
		str_add(&s, e->source, (size_t)(colon - e->source));
	str_addc(&s, ':');
	mount_path(colon + 1, &s);
	return str_steal(&s);
}

static char *address_of(const struct mount_entry *e)
{
	for (const char *p = e->super; p && *p; p += strcspn(p, ","), p += *p == ',')
		if (str_starts(p, "addr="))
			return xasprintf("%.*s", (int)strcspn(p + 5, ","), p + 5);
	return NULL;
}

/* As wanted, when it is the same by name or by address; else as it is mounted. */
static char *live_source(const struct mount_entry *e, const char *wanted)
{
	_cleanup_free_ char *address = address_of(e), *by_address = source_of(e, address);
	char *by_name = source_of(e, NULL);

	if (strcmp(by_name, wanted) == 0 || strcmp(by_address, wanted) != 0)
		return by_name;
	free(by_name);
	return xstrdup(wanted);
}

static void say(struct str *words, const char *word)
{
	str_addf(words, "%s%s", words->len ? ", " : "", word);
}

bool mount_view_unit_is(const struct mount_view *v, const char *unit, const char *text)
{
	return str_eq(json_str(v->units, unit), text);
}

static const char *shown(const struct mount_view *v, const char *unit, const char *property)
{
	const char *value = json_str(json_object_get(v->show, unit), property);
	return value ? value : "";
}

bool mount_view_must_reload(const struct mount_view *v, const char *unit)
{
	return strcmp(shown(v, unit, "NeedDaemonReload"), "yes") == 0;
}

bool mount_view_is_enabled(const struct mount_view *v, const char *unit)
{
	return strcmp(shown(v, unit, "UnitFileState"), "enabled") == 0;
}

/* The unit with words for all that is not as it should be; NULL: there is none. */
static char *live_unit(const struct mount_view *v, const struct mount_wanted *want, const struct mount_place *p)
{
	_cleanup_free_ char *mount = mount_unit_name(want->path, ".mount"),
			    *automount = mount_unit_name(want->path, ".automount");
	const char *m = json_str(v->units, mount), *a = json_str(v->units, automount);
	_cleanup_str_ struct str words = {0};
	bool ours = (!m || mount_unit_is_ours(m, want->cluster)) && (!a || mount_unit_is_ours(a, want->cluster));

	if (!m && !a)
		return NULL;
	if (!ours)
		say(&words, "not written by reconcile");
	else if (!m || !a)
		say(&words, m ? "without automount" : "without mount unit");
	else if (!mount_view_unit_is(v, mount, want->mount_text) ||
		 !mount_view_unit_is(v, automount, want->automount_text))
		say(&words, "different");
	if (v->systemd && (mount_view_must_reload(v, mount) || mount_view_must_reload(v, automount)))
		say(&words, "not loaded");
	if (v->systemd && (!mount_view_is_enabled(v, mount) || !mount_view_is_enabled(v, automount)))
		say(&words, "not enabled");
	if (!p->nfs && !p->automount)
		say(&words, "not active");
	return words.len ? xasprintf("%s (%s)", automount, str_cstr(&words)) : xstrdup(automount);
}

/* "lines 12, 13"; NULL: none. */
static char *live_fstab(const char *fstab, const char *path)
{
	CLEANUP(mount_table_free) struct mount_table t;
	_cleanup_str_ struct str lines = {0};
	size_t n = 0;

	fstab_parse(fstab, &t);
	for (size_t i = 0; i < t.list.n; i++)
		if (strcmp(t.list.v[i].path, path) == 0)
			str_addf(&lines, "%s%zu", n++ ? ", " : "", t.list.v[i].line);
	return n ? xasprintf("%s %s", n == 1 ? "line" : "lines", str_cstr(&lines)) : NULL;
}

static void set_mounted(json_t *body, const struct mount_wanted *want, const struct mount_place *p)
{
	_cleanup_free_ char *source = live_source(p->nfs, want->source);
	_cleanup_str_ struct str options = {0}, words = {0};

	if (p->stale)
		say(&words, "stale file handle");
	if (p->n_nfs > 1) {
		_cleanup_free_ char *times = xasprintf("mounted %zu times", p->n_nfs);
		say(&words, times);
	}
	json_set(body, "source", words.len ? json_sprintf("%s (%s)", source, str_cstr(&words)) : json_string(source));
	mount_options_live(want->options, p->nfs->flags, p->nfs->super, &options);
	json_set_str(body, "options", str_cstr(&options));
}

json_t *mount_view_body(const struct mount_view *v, const char *fstab, const struct mount_wanted *want)
{
	struct mount_place p;

	mount_view_place(v, want->path, &p);
	_cleanup_free_ char *unit = live_unit(v, want, &p), *lines = live_fstab(fstab, want->path);
	if (!p.nfs && !unit && !lines)
		return NULL;
	json_t *body = json_object();
	json_set_str(body, "path", want->path);
	json_set_str(body, "unit", unit);
	json_set_str(body, "fstab", lines);
	if (p.nfs)
		set_mounted(body, want, &p);
	return body;
}

enum mount_step mount_view_step(const struct mount_view *v, const struct mount_wanted *want)
{
	_cleanup_str_ struct str options = {0};
	struct mount_place p;

	mount_view_place(v, want->path, &p);
	_cleanup_free_ char *source = live_source(p.nfs, want->source);
	if (p.n_nfs > 1 || p.stale || strcmp(source, want->source) != 0)
		return MOUNT_AGAIN;
	mount_options_live(want->options, p.nfs->flags, p.nfs->super, &options);
	return mount_options_step(str_cstr(&options), want->options);
}
