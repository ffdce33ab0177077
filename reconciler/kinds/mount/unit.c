#include "kinds/mount/mounts.h"

#include <ctype.h>
#include <string.h>

#define NAME_MAX_LEN 255
#define HEADER "# Written by reconcile for the cluster '"
#define NAME_COMMENT "# mount/"
/* How long a start of the machine, and Docker, wait for a server that does not answer. */
#define LIMIT "30s"

void mount_path(const char *path, struct str *out)
{
	size_t start = out->len;

	for (; *path; path++)
		if (path[0] != '/' || (path[1] != '/' && (path[1] != '\0' || out->len == start)))
			str_addc(out, *path);
}

const char *mount_path_problem(const char *path)
{
	size_t len = strlen(path);
	_cleanup_free_ char *unit = mount_unit_name(path, ".automount");

	if (len < 2 || path[0] != '/')
		return "it is not a path below /";
	for (const char *p = path; *p; p++)
		if (iscntrl((unsigned char)*p))
			return "it has a control character";
	if (path[len - 1] == ' ' || path[len - 1] == '\\')
		return "it ends with a blank or a backslash, which a unit file cannot have";
	return strlen(unit) > NAME_MAX_LEN ? "it is too long for the name of a unit" : NULL;
}

char *mount_unit_name(const char *path, const char *suffix)
{
	_cleanup_str_ struct str s = {0};

	path += strspn(path, "/");
	if (!*path)
		str_addc(&s, '-');
	for (const char *p = path; *p; p++) {
		unsigned char c = (unsigned char)*p;
		if (c == '/')
			str_addc(&s, '-');
		else if ((c == '.' && p == path) || (!isalnum(c) && !strchr(":_.", c)))
			str_addf(&s, "\\x%02x", c);
		else
			str_addc(&s, (char)c);
	}
	str_adds(&s, suffix);
	return str_steal(&s);
}

/* A percent sign begins a specifier. */
static void put(struct str *out, const char *key, const char *value)
{
	str_adds(out, key);
	for (; *value; value++) {
		if (*value == '%')
			str_addc(out, '%');
		str_addc(out, *value);
	}
	str_addc(out, '\n');
}

static void put_head(struct str *out, const struct mount_unit *u)
{
	str_addf(out, HEADER "%s'. It undoes what is changed here by hand.\n" NAME_COMMENT "%s\n", u->cluster, u->name);
	str_adds(out, "[Unit]\n");
	put(out, "Description=NFS mount ", u->name);
}

/*
 * Docker wants the mount and starts after it, but without it too: the mount unit fails after its time limit.
 * nofail: remote-fs.target, and with it the login of users, does not wait. After five quick failures systemd would give
 * up the automount as well, and leave an empty directory that looks healthy: no such limit.
 */
void mount_unit_text(const struct mount_unit *u, struct str *out)
{
	_cleanup_free_ char *options = xasprintf("%s,nofail", u->options->kernel);

	put_head(out, u);
	str_adds(out, "Before=docker.service\nStartLimitIntervalSec=0\n\n[Mount]\n");
	put(out, "What=", u->source);
	put(out, "Where=", u->path);
	str_adds(out, "Type=nfs\n");
	put(out, "Options=", options);
	put(out, "TimeoutSec=", u->options->limit ? u->options->limit : LIMIT);
	str_adds(out, "\n[Install]\nWantedBy=docker.service\n");
}

void automount_unit_text(const struct mount_unit *u, struct str *out)
{
	put_head(out, u);
	str_adds(out, "\n[Automount]\n");
	put(out, "Where=", u->path);
	if (u->options->idle)
		put(out, "TimeoutIdleSec=", u->options->idle);
	str_adds(out, "\n[Install]\nWantedBy=remote-fs.target\n");
}

bool mount_unit_is_ours(const char *text, const char *cluster)
{
	_cleanup_free_ char *header = xasprintf(HEADER "%s'.", cluster);
	return text && str_starts(text, header);
}

/* The rest of the first line that begins so; NULL when there is none. */
static char *rest_of_line(const char *text, const char *start)
{
	while (text && *text) {
		size_t len = strcspn(text, "\n"), skip = strlen(start);
		if (len > skip && strncmp(text, start, skip) == 0)
			return xasprintf("%.*s", (int)(len - skip), text + skip);
		text += len + (text[len] == '\n');
	}
	return NULL;
}

char *mount_unit_resource(const char *text)
{
	return rest_of_line(text, NAME_COMMENT);
}

char *mount_unit_where(const char *text)
{
	char *where = rest_of_line(text, "Where="), *to = where;

	for (const char *p = where; p && *p; p++, to++) {
		*to = *p;
		if (p[0] == '%' && p[1] == '%')
			p++;
	}
	if (to)
		*to = '\0';
	return where;
}
