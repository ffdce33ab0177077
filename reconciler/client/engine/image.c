/* Image references (github.com/distribution/reference: regexp.go, normalize.go) and their digests. */
#include "client/engine/internal.h"

#include <ctype.h>
#include <string.h>

#define PATH_MAX_LEN 255
#define TAG_MAX_LEN 128

#define LOWER "abcdefghijklmnopqrstuvwxyz"
#define UPPER "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
#define DIGITS "0123456789"
#define LOWER_HEX DIGITS "abcdef"

static bool consists_of(const char *s, size_t n, const char *set)
{
	return n > 0 && strspn(s, set) >= n;
}

/* One '.', one or two '_', any number of '-'. */
static size_t separator_len(const char *s)
{
	if (*s == '.')
		return 1;
	if (*s == '_')
		return s[1] == '_' ? 2 : 1;
	return strspn(s, "-");
}

static bool is_path_component(const char *s, size_t n)
{
	const char *end = s + n;

	for (;;) {
		size_t word = strspn(s, LOWER DIGITS);
		if (word == 0)
			return false;
		s += word;
		if (s >= end)
			return s == end;
		size_t sep = separator_len(s);
		if (sep == 0)
			return false;
		s += sep;
	}
}

static bool is_path(const char *s)
{
	for (;;) {
		size_t n = strcspn(s, "/");
		if (!is_path_component(s, n))
			return false;
		if (s[n] == '\0')
			return true;
		s += n + 1;
	}
}

static bool is_host_name(const char *s, size_t n)
{
	const char *end = s + n;

	while (s < end) {
		const char *dot = memchr(s, '.', (size_t)(end - s));
		size_t len = (size_t)((dot ? dot : end) - s);
		if (!consists_of(s, len, LOWER UPPER DIGITS "-") || s[0] == '-' || s[len - 1] == '-')
			return false;
		if (!dot)
			return true;
		s = dot + 1;
	}
	return false;
}

/* Host name, IPv4 or bracketed IPv6 address, each with an optional port. */
static bool is_domain(const char *s)
{
	size_t host = *s == '[' ? strcspn(s, "]") + 1 : strcspn(s, ":");

	if (host > strlen(s))
		return false;
	if (*s == '[' ? !consists_of(s + 1, host - 2, LOWER_HEX "ABCDEF:") : !is_host_name(s, host))
		return false;
	return s[host] == '\0' || (s[host] == ':' && consists_of(s + host + 1, strlen(s + host + 1), DIGITS));
}

static bool is_tag(const char *s)
{
	size_t n = strlen(s);
	return n <= TAG_MAX_LEN && consists_of(s, n, LOWER UPPER DIGITS "_.-") && *s != '.' && *s != '-';
}

static const struct {
	const char *prefix;
	size_t hex_len;
} algorithms[] = {
	{"sha256:", 64},
	{"sha384:", 96},
	{"sha512:", 128},
};

static bool is_digest(const char *s)
{
	for (size_t i = 0; i < ARRAY_SIZE(algorithms); i++) {
		const char *hex = s + strlen(algorithms[i].prefix);
		if (str_starts(s, algorithms[i].prefix))
			return strlen(hex) == algorithms[i].hex_len && consists_of(hex, strlen(hex), LOWER_HEX);
	}
	return false;
}

static bool has_upper(const char *s, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (isupper((unsigned char)s[i]))
			return true;
	return false;
}

/* splitDockerDomain: whether the first component is a registry. */
static bool starts_with_domain(const char *s, size_t n)
{
	return (n == strlen("localhost") && memcmp(s, "localhost", n) == 0) || memchr(s, '.', n) || memchr(s, ':', n) ||
	       has_upper(s, n);
}

static void split_domain(const char *s, char **domain, char **rest)
{
	const char *slash = strchr(s, '/');
	size_t n = slash ? (size_t)(slash - s) : 0;
	bool named = slash && starts_with_domain(s, n);
	_cleanup_free_ char *first = named ? xasprintf("%.*s", (int)n, s) : NULL;
	bool hub = !named || strcmp(first, "docker.io") == 0 || strcmp(first, "index.docker.io") == 0;

	if (named)
		s = slash + 1;
	*domain = xstrdup(hub ? "docker.io" : first);
	*rest = xasprintf("%s%s", hub && !strchr(s, '/') ? "library/" : "", s);
}

static char *familiar_name(const struct image_ref *r)
{
	if (strcmp(r->domain, "docker.io") != 0)
		return xasprintf("%s/%s", r->domain, r->path);
	bool official = str_starts(r->path, "library/") && !strchr(r->path + strlen("library/"), '/');
	return xstrdup(r->path + (official ? strlen("library/") : 0));
}

/* Cuts "path[:tag][@digest]" into its parts; the first ':' and '@' are the separators, names contain neither. */
static void split_rest(char *rest, struct image_ref *r)
{
	char *at = strchr(rest, '@'), *colon;

	if (at) {
		*at = '\0';
		r->digest = xstrdup(at + 1);
	}
	colon = strchr(rest, ':');
	if (colon) {
		*colon = '\0';
		r->tag = xstrdup(colon + 1);
	}
	r->path = xstrdup(rest);
}

static int check(const char *s, const struct image_ref *r, struct err *err)
{
	if (strlen(s) == 64 && consists_of(s, 64, LOWER_HEX))
		return err_set(err, ERR_SPEC, "image '%s': an image id is not a name", s);
	if (has_upper(r->path, strlen(r->path)))
		return err_set(err, ERR_SPEC, "image '%s': repository name '%s' must be lowercase", s, r->path);
	if (!is_domain(r->domain))
		return err_set(err, ERR_SPEC, "image '%s': '%s' is not a registry's name", s, r->domain);
	if (!is_path(r->path))
		return err_set(err, ERR_SPEC, "image '%s': '%s' is not a repository name", s, r->path);
	if (strlen(r->path) > PATH_MAX_LEN)
		return err_set(err, ERR_SPEC, "image '%.64s…': a repository name has at most %d characters", s,
			       PATH_MAX_LEN);
	if (r->tag && !is_tag(r->tag))
		return err_set(err, ERR_SPEC, "image '%s': '%s' is not a tag", s, r->tag);
	if (r->digest && !is_digest(r->digest))
		return err_set(err, ERR_SPEC, "image '%s': '%s' is not a digest (sha256: and 64 hexadecimal digits)", s,
			       r->digest);
	return 0;
}

int image_ref_parse(const char *s, struct image_ref *out, struct err *err)
{
	struct image_ref r = {0};
	_cleanup_free_ char *rest = NULL;

	if (*s == '\0')
		return err_set(err, ERR_SPEC, "image: its name is empty");
	split_domain(s, &r.domain, &rest);
	split_rest(rest, &r);
	if (check(s, &r, err) < 0) {
		image_ref_free(&r);
		return -1;
	}
	if (!r.tag && !r.digest)
		r.tag = xstrdup("latest");
	_cleanup_free_ char *name = familiar_name(&r);
	r.familiar = xasprintf("%s%s%s", name, r.tag ? ":" : "", r.tag ? r.tag : "");
	*out = r;
	return 0;
}

void image_ref_free(struct image_ref *r)
{
	if (!r)
		return;
	free(r->familiar);
	free(r->domain);
	free(r->path);
	free(r->tag);
	free(r->digest);
	*r = (struct image_ref){0};
}

static bool contains(const json_t *array, const json_t *value)
{
	for (size_t i = 0; i < json_array_size(array); i++)
		if (json_equal(json_array_get(array, i), value))
			return true;
	return false;
}

/*
 * As moby's client (imageDigestAndPlatforms): attestations are no platforms;
 * "arm" is left open because nodes report armv7l (swarmkit#2294); Swarm knows
 * no variants, so what differs in them only is one platform.
 */
static json_t *platforms_of(const json_t *answer)
{
	json_t *out = json_array();
	const json_t *list = json_object_get(answer, "Platforms");

	for (size_t i = 0; i < json_array_size(list); i++) {
		const json_t *p = json_array_get(list, i);
		const char *arch = json_str(p, "architecture"), *os = json_str(p, "os");
		if (str_eq(arch, "unknown") || str_eq(os, "unknown"))
			continue;
		json_t *platform = json_object();
		if (arch && *arch && strcasecmp(arch, "arm") != 0)
			json_set_str(platform, "Architecture", arch);
		if (os && *os)
			json_set_str(platform, "OS", os);
		if (!contains(out, platform))
			json_array_append(out, platform);
		json_decref(platform);
	}
	return out;
}

int engine_resolve_image(struct engine *e, int64_t deadline, const struct image_ref *ref, char **digest,
			 json_t **platforms, struct err *err)
{
	_cleanup_json_ json_t *answer = NULL;
	_cleanup_free_ char *auth = NULL, *path = NULL;

	path = xasprintf("/distribution/%s%s%s/json", ref->familiar, ref->digest ? "@" : "",
			 ref->digest ? ref->digest : "");
	if (registry_auth(e, ref->domain, deadline, &auth, err) < 0 ||
	    engine_get_with_auth(e, deadline, auth, &answer, err, path) < 0)
		return err_wrap(err, "resolve image '%s'", ref->familiar);
	const char *found = json_str(json_object_get(answer, "Descriptor"), "digest");
	if (!found || !is_digest(found))
		return err_set(err, ERR_PROTOCOL, "resolve image '%s': the registry's answer has no digest",
			       ref->familiar);
	*digest = xstrdup(ref->digest ? ref->digest : found);
	*platforms = platforms_of(answer);
	return 0;
}
