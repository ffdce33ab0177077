#include "client/traefik/traefik.h"

#include <stdlib.h>

/* Digits of one part; what follows is *p then. */
static bool part(const char **p, int *out)
{
	char *end;

	if (**p < '0' || **p > '9')
		return false;
	long v = strtol(*p, &end, 10);
	if (v > 100000)
		return false;
	*p = end;
	*out = (int)v;
	return true;
}

/* *patched: it has a patch, too. */
static bool parse(const char *s, struct traefik_version *out, bool *patched)
{
	struct traefik_version v = {0};

	if (!s)
		return false;
	if (*s == 'v')
		s++;
	if (!part(&s, &v.major) || *s++ != '.' || !part(&s, &v.minor))
		return false;
	*patched = *s == '.';
	if (*patched && (s++, !part(&s, &v.patch)))
		return false;
	if (*s != '\0' && *s != '-' && *s != '+')
		return false;
	*out = v;
	return true;
}

bool traefik_version_parse(const char *s, struct traefik_version *out)
{
	struct traefik_version v;
	bool patched;

	if (!parse(s, &v, &patched) || !patched)
		return false;
	*out = v;
	return true;
}

bool traefik_version_of_tag(const char *tag, struct traefik_version *out)
{
	struct traefik_version v;
	bool patched;

	if (!parse(tag, &v, &patched) || (!patched && v.major == 3 && v.minor == 2))
		return false;
	*out = v;
	return true;
}

/* traefik.swarm.* came with 3.2.2: pkg/provider/docker/shared_labels.go, CHANGELOG. */
bool traefik_reads_swarm_labels(const struct traefik_version *v)
{
	if (v->major != 3)
		return v->major > 3;
	return v->minor > 2 || (v->minor == 2 && v->patch >= 2);
}
