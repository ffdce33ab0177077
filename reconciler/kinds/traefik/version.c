#include "kinds/traefik/traefik.h"

bool traefik_version_known(const struct snapshot *snap, struct traefik_version *out, const char **why)
{
	const json_t *doc = snapshot_get(snap, "traefik/version", why);

	if (!doc)
		return false;
	if (traefik_version_parse(json_str(doc, "Version"), out))
		return true;
	*why = "what it says of itself is no version number";
	return false;
}
