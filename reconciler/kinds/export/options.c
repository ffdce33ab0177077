#include "kinds/export/exports.h"

#include "base/json.h"

#include <errno.h>
#include <string.h>

enum {
	SHOWN = 1 << 0,     /* said even when it is the default */
	BY_FLAVOR = 1 << 1, /* may differ by security flavor */
};

/* Pairs of which the first is nfs-utils' default; "" where only the other has a name. */
static const struct {
	const char *name[2];
	unsigned flags;
} switches[] = {
	{{"acl", "no_acl"}, 0},
	{{"hide", "nohide"}, 0},
	{{"no_all_squash", "all_squash"}, BY_FLAVOR},
	{{"no_pnfs", "pnfs"}, 0},
	{{"no_subtree_check", "subtree_check"}, SHOWN},
	{{"nocrossmnt", "crossmnt"}, 0},
	{{"", "nordirplus"}, 0},
	{{"ro", "rw"}, SHOWN | BY_FLAVOR},
	{{"root_squash", "no_root_squash"}, SHOWN | BY_FLAVOR},
	{{"secure", "insecure"}, SHOWN | BY_FLAVOR},
	{{"secure_locks", "insecure_locks"}, 0},
	{{"", "security_label"}, 0},
	{{"sync", "async"}, SHOWN},
	{{"wdelay", "no_wdelay"}, SHOWN},
};

static const struct {
	const char *name, *meant;
} aliases[] = {
	{"auth_nlm", "secure_locks"},
	{"fsid=root", "fsid=0"},
	{"mp", "mountpoint"},
	{"no_auth_nlm", "insecure_locks"},
};

/* Values that are numbers, in any notation that strtol takes, and their defaults. */
static const struct {
	const char *key, *fallback;
} numbers[] = {{"anongid", "65534"}, {"anonuid", "65534"}, {"fsid", NULL}};

#define MAX_FLAVORS 16

struct flavor {
	char name[16];
	unsigned off; /* as struct set */
	bool active;  /* options that follow are for this one */
};

struct set {
	unsigned off; /* bit i: switches[i] is not at its default */
	struct flavor flavors[MAX_FLAVORS];
	size_t n_flavors;
	json_t *values; /* "anonuid" -> "anonuid=1000"; words that are unknown stand for themselves */
};

static void set_switch(struct set *s, size_t i, bool off)
{
	unsigned bit = 1u << i;

	s->off = off ? s->off | bit : s->off & ~bit;
	for (size_t k = 0; k < s->n_flavors; k++)
		if (s->flavors[k].active)
			s->flavors[k].off = off ? s->flavors[k].off | bit : s->flavors[k].off & ~bit;
}

static struct flavor *find_flavor(struct set *s, const char *name)
{
	for (size_t k = 0; k < s->n_flavors; k++)
		if (strcmp(s->flavors[k].name, name) == 0)
			return &s->flavors[k];
	if (s->n_flavors == MAX_FLAVORS)
		return NULL;
	struct flavor *f = &s->flavors[s->n_flavors++];
	*f = (struct flavor){.off = s->off};
	strncpy(f->name, name, sizeof(f->name) - 1);
	return f;
}

/* A flavor begins with what was said so far; their order is the preference. */
static void set_flavors(struct set *s, const char *list)
{
	for (size_t k = 0; k < s->n_flavors; k++)
		s->flavors[k].active = false;
	while (*list) {
		size_t len = strcspn(list, ":");
		_cleanup_free_ char *name = xasprintf("%.*s", (int)len, list);
		struct flavor *f = find_flavor(s, str_eq(name, "unix") ? "sys" : str_eq(name, "null") ? "none" : name);
		if (f)
			f->active = true;
		list += len;
		list += *list == ':';
	}
}

/* "anonuid=0x10" as "anonuid=16"; NULL when it is no number, or the default. */
static char *number_text(const char *key, const char *value, const char *fallback)
{
	char *end;

	errno = 0;
	long v = strtol(value, &end, 0);
	if (!*value || *end || errno)
		return xasprintf("%s=%s", key, value);
	char *text = xasprintf("%s=%ld", key, v);
	if (!fallback || strcmp(text + strlen(key) + 1, fallback) != 0)
		return text;
	free(text);
	return NULL;
}

static void set_value(struct set *s, const char *option)
{
	const char *eq = strchr(option, '=');
	_cleanup_free_ char *key = xasprintf("%.*s", (int)strcspn(option, "="), option);

	for (size_t i = 0; i < ARRAY_SIZE(numbers) && eq; i++) {
		if (!str_eq(numbers[i].key, key))
			continue;
		_cleanup_free_ char *text = number_text(key, eq + 1, numbers[i].fallback);
		json_object_del(s->values, key);
		json_set_str(s->values, key, text);
		return;
	}
	json_set_str(s->values, key, option);
}

static void set_option(struct set *s, const char *option)
{
	for (size_t i = 0; i < ARRAY_SIZE(aliases); i++)
		if (str_eq(option, aliases[i].name))
			option = aliases[i].meant;
	if (str_starts(option, "sec=")) {
		set_flavors(s, option + 4);
		return;
	}
	for (size_t i = 0; i < 2 * ARRAY_SIZE(switches); i++) {
		if (str_eq(option, switches[i / 2].name[i % 2])) {
			set_switch(s, i / 2, i % 2 == 1);
			return;
		}
	}
	_cleanup_free_ char *mountpoint = str_starts(option, "mp=") ? xasprintf("mountpoint%s", option + 2) : NULL;
	set_value(s, mountpoint ? mountpoint : option);
}

static unsigned by_flavor_mask(void)
{
	unsigned mask = 0;
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++)
		if (switches[i].flags & BY_FLAVOR)
			mask |= 1u << i;
	return mask;
}

static bool flavors_differ(const struct set *s)
{
	for (size_t k = 1; k < s->n_flavors; k++)
		if ((s->flavors[k].off ^ s->flavors[0].off) & by_flavor_mask())
			return true;
	return false;
}

static void add(struct str *out, const char *option)
{
	str_addf(out, "%s%s", out->len ? "," : "", option);
}

static void add_switches(struct str *out, unsigned off, bool by_flavor)
{
	for (size_t i = 0; i < ARRAY_SIZE(switches); i++) {
		bool is_off = off >> i & 1;
		if (!(switches[i].flags & BY_FLAVOR) == !by_flavor && (is_off || switches[i].flags & SHOWN))
			add(out, switches[i].name[is_off]);
	}
}

/* Of flavor k and the one before it: true when one "sec=" serves both. */
static bool joins(const struct set *s, size_t k)
{
	return k > 0 && ((s->flavors[k].off ^ s->flavors[k - 1].off) & by_flavor_mask()) == 0;
}

static void add_flavors(struct str *out, const struct set *s, bool differ)
{
	for (size_t k = 0; k < s->n_flavors; k++) {
		if (joins(s, k))
			str_addf(out, ":%s", s->flavors[k].name);
		else
			str_addf(out, "%ssec=%s", out->len ? "," : "", s->flavors[k].name);
		if (differ && (k + 1 == s->n_flavors || !joins(s, k + 1)))
			add_switches(out, s->flavors[k].off, true);
	}
}

static int compare(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

/* The options of a comma-separated list, sorted. */
static void add_sorted(struct str *out, char *list)
{
	VEC(char *) words = {0};

	for (char *save, *w = strtok_r(list, ",", &save); w; w = strtok_r(NULL, ",", &save))
		vec_push(&words, w);
	if (words.n > 0)
		qsort(words.v, words.n, sizeof(*words.v), compare);
	for (size_t i = 0; i < words.n; i++)
		str_addf(out, "%s%s", i ? "," : "", words.v[i]);
	vec_free(&words);
}

static void parse(const char *options, struct set *s)
{
	_cleanup_free_ char *copy = xstrdup(options ? options : "");

	for (char *save, *w = strtok_r(copy, ", \t", &save); w; w = strtok_r(NULL, ", \t", &save))
		set_option(s, w);
}

void export_options(const char *options, struct str *out)
{
	struct set s = {.values = json_object()};
	_cleanup_str_ struct str list = {0};
	const char *key;
	json_t *value;

	parse(options, &s);
	bool differ = flavors_differ(&s), only_sys = s.n_flavors == 1 && str_eq(s.flavors[0].name, "sys");
	add_switches(&list, s.off, false);
	if (!differ)
		add_switches(&list, s.n_flavors ? s.flavors[0].off : s.off, true);
	json_object_foreach (s.values, key, value)
		add(&list, json_string_value(value));
	if (!differ && !only_sys)
		add_flavors(&list, &s, false);
	add_sorted(out, list.data);
	if (differ)
		add_flavors(out, &s, true);
	json_decref(s.values);
}
