#include "kinds/secret/secret.h"

#include "kinds/content.h"

#include <string.h>

static const struct field secret_fields[] = {
	{"content", FIELD_SECRET, NULL}, /* a keyed hash, of a stack's */
	{"labels", 0, NULL},
	{"name", 0, NULL}, /* with the keyed hash of the content in it, which is nowhere else */
};

/*
 * A plain hash would let everybody who reads a plan or a list of names test
 * guesses of the secret. The swarm's ID is known to who may call the manager's
 * API only, and those could mount the secret anyway; unlike a key of our own
 * it is the same for every reconciler of the cluster.
 */
static int hash(const struct snapshot *snap, const struct str *data, char hex[static HASH_HEX_SIZE], const char **why,
		struct err *err)
{
	enum swarm_role role = swarm_role(snap, why);
	const char *id = json_str(json_path(snapshot_get(snap, "engine/info", NULL), "Swarm.Cluster"), "ID");

	if (role == SWARM_NONE)
		*why = "it is keyed with the swarm's ID, and the swarm is created first: run this again then";
	else if (role == SWARM_MANAGER && !id)
		*why = "the engine does not tell the swarm's ID";
	if (role != SWARM_MANAGER || !id)
		return 1;
	return hash_hmac_hex(id, strlen(id), data->data, data->len, hex, err);
}

static const struct content_kind secret = {
	.kind = "secret",
	.section = "secrets",
	.doc = "engine/secrets",
	.in_spec = "Secrets",
	.id_key = "SecretID",
	.limit = SECRET_LIMIT,
	.hash = hash,
	.is_fetched = secret_is_fetched,
};

CONTENT_KIND(secret, secret_fetch);
