/*
 * Short and long forms of mounts and ports, read into one shape.
 * Sources: compose-spec 05-services.md, docker/cli internal/volumespec, moby/nat.
 */
#include "spec/check_util.h"

#include <stdlib.h>
#include <string.h>

static char *without_slash(char *path)
{
	size_t n = strlen(path);

	while (n > 1 && path[n - 1] == '/')
		path[--n] = '\0';
	return path;
}

static bool has_option(const char *options, const char *name)
{
	size_t n = strlen(name);

	for (const char *p = options; p && *p; p += strcspn(p, ",") + (p[strcspn(p, ",")] == ','))
		if (strncmp(p, name, n) == 0 && (p[n] == ',' || p[n] == '\0'))
			return true;
	return false;
}

static char *part(const char *text, size_t n)
{
	char *copy = xmalloc(n + 1);

	memcpy(copy, text, n);
	copy[n] = '\0';
	return copy;
}

/* [SOURCE:]TARGET[:OPTIONS] */
static void mount_short(const struct snode *item, struct mounts *out)
{
	const char *text = item->text;
	size_t first = strcspn(text, ":");
	struct mount_view m = {
		.type = MOUNT_VOLUME, .is_short = true, .mark = item->mark, .source_from = item, .target_from = item};

	if (!text[first]) {
		m.target = without_slash(xstrdup(text));
	} else {
		const char *rest = text + first + 1;
		size_t second = strcspn(rest, ":");
		m.source = part(text, first);
		m.target = without_slash(part(rest, second));
		m.read_only = rest[second] && has_option(rest + second + 1, "ro");
		if (strchr("./~", text[0]))
			m.type = MOUNT_BIND;
	}
	vec_push(&out->list, m);
}

static void mount_long(const struct snode *item, struct mounts *out)
{
	static const struct {
		const char *name;
		enum mount_type type;
	} types[] = {{"bind", MOUNT_BIND}, {"tmpfs", MOUNT_TMPFS}, {"volume", MOUNT_VOLUME}};
	const char *type = snode_str(item, "type"), *source = snode_str(item, "source"),
		   *target = snode_str(item, "target");

	for (size_t i = 0; target && i < ARRAY_SIZE(types); i++)
		if (str_eq(type, types[i].name)) {
			struct mount_view m = {
				.type = types[i].type,
				.source = source ? xstrdup(source) : NULL,
				.target = without_slash(xstrdup(target)),
				.source_from = snode_get(item, "source"),
				.target_from = snode_get(item, "target"),
				.read_only = snode_bool(item, "read_only", false),
				.mark = item->mark,
			};
			vec_push(&out->list, m);
		}
}

void mounts_read(const struct snode *service, struct mounts *out)
{
	const struct snode *list = snode_get(service, "volumes");

	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *item = list->items[i];
		if (item->type == SNODE_MAP)
			mount_long(item, out);
		else if (snode_scalar(item))
			mount_short(item, out);
	}
}

void mounts_free(struct mounts *m)
{
	for (size_t i = 0; i < m->list.n; i++) {
		free(m->list.v[i].source);
		free(m->list.v[i].target);
	}
	vec_free(&m->list);
}

/* "80" or "80-89" at *p; moves *p behind it. */
static bool port_range(const char **p, long *low, long *high)
{
	char *end;

	*low = *high = strtol(*p, &end, 10);
	if (end == *p)
		return false;
	if (*end == '-') {
		const char *from = end + 1;
		*high = strtol(from, &end, 10);
		if (end == from)
			return false;
	}
	*p = end;
	return true;
}

static bool is_range(long low, long high)
{
	return low > 0 && high >= low && high <= 65535;
}

static const char *port_protocol(const char *text)
{
	static const char *const known[] = {"tcp", "udp", "sctp"};

	if (!*text)
		return "tcp";
	for (size_t i = 0; i < ARRAY_SIZE(known); i++)
		if (*text == '/' && strcmp(text + 1, known[i]) == 0)
			return known[i];
	return NULL;
}

const char *port_parse(const char *text, struct port_view *out)
{
	static const char bad[] = "is outside 1 to 65535, or its range runs backwards";
	const char *p = text, *last = strrchr(text, ':');
	long low, high, published_high;

	out->published = 0;
	if (last && memchr(text, ':', (size_t)(last - text)))
		return "names an address, which Swarm ignores: it publishes on every address of the node; leave the "
		       "address away and restrict access with a firewall";
	if (last) {
		if (!port_range(&p, &out->published, &published_high) || p != last)
			return "";
		if (!is_range(out->published, published_high))
			return bad;
		p = last + 1;
	}
	if (!port_range(&p, &low, &high) || !(out->protocol = port_protocol(p)))
		return "";
	if (!is_range(low, high))
		return bad;
	out->target = low;
	out->count = high - low + 1;
	return last && published_high - out->published != high - low ? "has ranges of different length" : NULL;
}

/* The part that holds a variable's value, if one does. */
static const struct snode *port_from(const struct snode *item)
{
	const struct snode *published = snode_get(item, "published"), *protocol = snode_get(item, "protocol");

	return published && published->from_env ? published : protocol && protocol->from_env ? protocol : item;
}

void ports_read(const struct snode *service, struct ports *out)
{
	const struct snode *list = snode_get(service, "ports");

	for (size_t i = 0; i < snode_count(list); i++) {
		const struct snode *item = list->items[i];
		struct port_view p = {.mark = item->mark, .from = port_from(item), .count = 1};
		if (item->type == SNODE_MAP) {
			p.published = (long)snode_int(item, "published", 0);
			p.target = (long)snode_int(item, "target", 0);
			p.host = str_eq(snode_str(item, "mode"), "host");
			p.protocol = snode_str(item, "protocol");
			if (!p.protocol)
				p.protocol = "tcp";
		} else if (!snode_scalar(item) || port_parse(item->text, &p)) {
			continue;
		}
		vec_push(&out->list, p);
	}
}

void ports_free(struct ports *p)
{
	vec_free(&p->list);
}
