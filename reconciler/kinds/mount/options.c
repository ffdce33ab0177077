#include "kinds/mount/mounts.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

/*
 * Options that are words. Those of one axis exclude each other; the kernel shows
 * the ones marked so (fs/proc_namespace.c, fs/nfs/super.c), and where none of an axis is
 * shown its default holds.
 */
static const struct word {
	const char *name, *axis;
	bool shown, in_place;
} words[] = {
	{"ac", "ac", false, false},
	{"acl", "acl", false, false},
	{"async", "sync", false, true},
	{"atime", "atime", false, true},
	{"cto", "cto", false, false},
	{"dev", "dev", false, true},
	{"diratime", "diratime", false, true},
	{"exec", "exec", false, true},
	{"fsc", "fsc", true, false},
	{"hard", "hard", false, false},
	{"noac", "ac", true, false},
	{"noacl", "acl", true, false},
	{"noatime", "atime", true, true},
	{"nocto", "cto", true, false},
	{"nodev", "dev", true, true},
	{"nodiratime", "diratime", true, true},
	{"noexec", "exec", true, true},
	{"nofsc", "fsc", false, false},
	{"nordirplus", "rdirplus", true, false},
	{"noresvport", "resvport", true, false},
	{"nosharecache", "sharecache", true, false},
	{"nosuid", "suid", true, true},
	{"rdirplus", "rdirplus", false, false},
	{"resvport", "resvport", false, false},
	{"ro", "ro", true, true},
	{"rw", "ro", false, true},
	{"sharecache", "sharecache", false, false},
	{"soft", "hard", true, false},
	{"softerr", "hard", true, false},
	{"suid", "suid", false, true},
	{"sync", "sync", true, true},
};

/* Options with a value that the kernel shows: how it may differ from what was asked for. */
static const struct value {
	const char *key;
	const char *unshown; /* the value in force when it is not shown; NULL: then it is not known */
	bool at_most;        /* the server has a say: anything up to what was asked for */
	bool prefix;         /* "4" asks for any 4.x */
} values[] = {
	{"acdirmax", NULL, false, false}, {"acdirmin", NULL, false, false},     {"acregmax", NULL, false, false},
	{"acregmin", NULL, false, false}, {"lookupcache", "all", false, false}, {"nconnect", "1", false, false},
	{"port", "2049", false, false},   {"proto", NULL, false, false},        {"retrans", NULL, false, false},
	{"rsize", NULL, true, false},     {"sec", NULL, false, false},          {"timeo", NULL, false, false},
	{"vers", NULL, false, true},      {"wsize", NULL, true, false},
};

/* Other names of options. */
static const struct {
	const char *name, *is;
} aliases[] = {
	{"rdma", "proto=rdma"}, {"tcp", "proto=tcp"}, {"udp", "proto=udp"}, {"v3", "vers=3"},
	{"v4", "vers=4"},       {"v4.0", "vers=4.0"}, {"v4.1", "vers=4.1"}, {"v4.2", "vers=4.2"},
};

/* About when and by whom it is mounted: units say that in another way, and the kernel never sees them. */
static const char *const not_kernel[] = {
	"_netdev", "auto",    "bg",     "defaults", "fg",    "group", "noauto", "nofail",
	"nogroup", "noowner", "nouser", "nousers",  "owner", "user",  "users",  "x-systemd.automount",
};

static const struct word *word_of(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].name, name) == 0)
			return &words[i];
	return NULL;
}

static const struct value *value_of(const char *key)
{
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		if (strcmp(values[i].key, key) == 0)
			return &values[i];
	return NULL;
}

/* The next option of a comma-separated list; false at its end. */
static bool next_option(const char **list, struct str *out)
{
	str_reset(out);
	while (**list == ',')
		++*list;
	if (!**list)
		return false;
	size_t n = strcspn(*list, ",");
	str_add(out, *list, n);
	*list += n;
	return true;
}

/* Options by what they are about; the later one wins. */
struct option {
	char *axis, *text;
};

struct option_list {
	VEC(struct option) list;
};

static void options_free(struct option_list *o)
{
	for (size_t i = 0; i < o->list.n; i++) {
		free(o->list.v[i].axis);
		free(o->list.v[i].text);
	}
	vec_free(&o->list);
}

static void set(struct option_list *o, const char *axis, const char *text)
{
	for (size_t i = 0; i < o->list.n; i++) {
		if (strcmp(o->list.v[i].axis, axis) != 0)
			continue;
		free(o->list.v[i].text);
		o->list.v[i].text = xstrdup(text);
		return;
	}
	vec_push(&o->list, ((struct option){.axis = xstrdup(axis), .text = xstrdup(text)}));
}

static void set_pair(struct option_list *o, const char *key, const char *value)
{
	_cleanup_free_ char *text = xasprintf("%s=%s", key, value);
	set(o, key, text);
}

static void add_kernel(struct option_list *o, const char *option)
{
	static const char *const actimeo[] = {"acdirmax", "acdirmin", "acregmax", "acregmin"};

	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (strcmp(aliases[i].name, option) == 0)
			option = aliases[i].is;
	const char *eq = strchr(option, '=');
	const struct word *w = word_of(option);
	_cleanup_free_ char *key = xasprintf("%.*s", (int)strcspn(option, "="), option);

	if (!eq) {
		set(o, w ? w->axis : option, option);
	} else if (strcmp(key, "nfsvers") == 0) {
		set_pair(o, "vers", eq + 1);
	} else if (strcmp(key, "actimeo") == 0) {
		for (size_t i = 0; i < ARRAY_SIZE(actimeo); i++)
			set_pair(o, actimeo[i], eq + 1);
	} else {
		set(o, key, option);
	}
}

static bool is_not_kernel(const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(not_kernel); i++)
		if (strcmp(not_kernel[i], option) == 0)
			return true;
	return str_starts(option, "comment=") || (str_starts(option, "x-") && !str_starts(option, "x-systemd."));
}

static bool is_time(const char *s)
{
	if (!*s)
		return false;
	for (; *s; s++)
		if (!isalnum((unsigned char)*s) && *s != '.')
			return false;
	return true;
}

static bool can_be_written(const char *option)
{
	for (; *option; option++)
		if (!isgraph((unsigned char)*option) || strchr("\\\"'", *option))
			return false;
	return true;
}

/* The value of an option of systemd's; false when it is another option, or no time. */
static bool take_time(const char *option, const char *key, char **out)
{
	size_t n = strlen(key);

	if (strncmp(option, key, n) != 0 || option[n] != '=' || !is_time(option + n + 1))
		return false;
	free(*out);
	*out = xstrdup(option + n + 1);
	return true;
}

static int compare(const void *a, const void *b)
{
	return strcmp(((const struct option *)a)->text, ((const struct option *)b)->text);
}

void mount_options_read(const char *list, struct mount_options *out)
{
	CLEANUP(options_free) struct option_list o = {0};
	_cleanup_str_ struct str option = {0}, all = {0};

	*out = (struct mount_options){0};
	set(&o, "ro", "rw");
	while (next_option(&list, &option)) {
		const char *text = str_cstr(&option);
		if (is_not_kernel(text) || take_time(text, "x-systemd.idle-timeout", &out->idle) ||
		    take_time(text, "x-systemd.mount-timeout", &out->limit))
			continue;
		if (str_starts(text, "x-systemd.") || !can_be_written(text)) {
			free(out->wrong);
			out->wrong = xstrdup(text);
			continue;
		}
		add_kernel(&o, text);
	}
	qsort(o.list.v, o.list.n, sizeof(*o.list.v), compare);
	for (size_t i = 0; i < o.list.n; i++)
		str_addf(&all, "%s%s", i ? "," : "", o.list.v[i].text);
	out->kernel = str_steal(&all);
}

void mount_options_free(struct mount_options *o)
{
	free(o->kernel);
	free(o->idle);
	free(o->limit);
	free(o->wrong);
}

/* The value of a key in a list, or "" for a word that stands in it; NULL when it is not there. The caller frees it. */
static char *find(const char *list, const char *key)
{
	_cleanup_str_ struct str option = {0};
	size_t n = strlen(key);

	while (next_option(&list, &option))
		if (strncmp(str_cstr(&option), key, n) == 0 && (option.data[n] == '=' || option.data[n] == '\0'))
			return xstrdup(option.data + n + (option.data[n] == '='));
	return NULL;
}

static bool shows(const char *name, const char *flags, const char *super)
{
	_cleanup_free_ char *a = find(flags, name), *b = find(super, name);
	return a || b;
}

/* The name of the word of this axis that is in force. */
static const char *word_in_force(const struct word *wanted, const char *flags, const char *super)
{
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].axis, wanted->axis) == 0 && words[i].shown && shows(words[i].name, flags, super))
			return words[i].name;
	if (!wanted->shown)
		return wanted->name;
	for (size_t i = 0; i < ARRAY_SIZE(words); i++)
		if (strcmp(words[i].axis, wanted->axis) == 0 && !words[i].shown)
			return words[i].name;
	return wanted->name;
}

static bool satisfies(const struct value *v, const char *live, const char *wanted)
{
	size_t n = strlen(wanted);

	if (v->at_most)
		return strtoll(live, NULL, 10) <= strtoll(wanted, NULL, 10);
	return strcmp(live, wanted) == 0 || (v->prefix && strncmp(live, wanted, n) == 0 && live[n] == '.');
}

static void value_in_force(const char *option, const char *super, struct str *out)
{
	const char *wanted = strchr(option, '=') + 1;
	_cleanup_free_ char *key = xasprintf("%.*s", (int)(wanted - 1 - option), option);
	const struct value *v = value_of(key);
	_cleanup_free_ char *shown = v ? find(super, key) : NULL;
	const char *live = shown ? shown : v ? v->unshown : NULL;

	if (!live || satisfies(v, live, wanted))
		str_adds(out, option);
	else
		str_addf(out, "%s=%s", key, live);
}

void mount_options_live(const char *wanted, const char *mount_flags, const char *super, struct str *out)
{
	_cleanup_str_ struct str option = {0};
	bool first = true;

	while (next_option(&wanted, &option)) {
		const struct word *w = word_of(option.data);
		if (!first)
			str_addc(out, ',');
		first = false;
		if (w)
			str_adds(out, word_in_force(w, mount_flags, super));
		else if (strchr(option.data, '='))
			value_in_force(option.data, super, out);
		else
			str_adds(out, option.data);
	}
}

enum mount_step mount_options_step(const char *live, const char *wanted)
{
	_cleanup_str_ struct str a = {0}, b = {0};
	enum mount_step step = MOUNT_STAYS;

	/* Option by option: the one was made from the other. */
	while (next_option(&wanted, &b)) {
		if (!next_option(&live, &a))
			return MOUNT_AGAIN;
		const struct word *w = word_of(b.data);
		if (strcmp(a.data, b.data) == 0)
			continue;
		if (!w || !w->in_place)
			return MOUNT_AGAIN;
		step = MOUNT_REMOUNT;
	}
	return step;
}
