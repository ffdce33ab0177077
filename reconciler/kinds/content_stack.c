/*
 * Configs and secrets of a stack have docker's own names, without a hash, or a
 * running stack could not be adopted as it is. docker stack deploy cannot change
 * their content; here other content gets a name with a hash, as everywhere else.
 */
#include "base/base64.h"
#include "kinds/content.h"

#include <string.h>

#define NAME_MAX_LEN 64 /* swarmkit: validateConfigOrSecretAnnotations */

static const json_t *find(const json_t *list, const char *name)
{
	const json_t *entry;
	size_t i;

	json_array_foreach (list, i, entry)
		if (str_eq(json_str(json_object_get(entry, "Spec"), "Name"), name))
			return entry;
	return NULL;
}

static bool same_data(const json_t *spec, const struct str *content)
{
	_cleanup_str_ struct str encoded = {0};

	base64_encode(content->data, content->len, &encoded);
	return str_eq(json_str(spec, "Data"), str_cstr(&encoded));
}

/* Nor can this be changed of what is there. */
static bool same_driver(const json_t *spec, const char *driver)
{
	const char *live = json_str(json_object_get(spec, "Templating"), "Name");

	return str_eq(live && *live ? live : NULL, driver && *driver ? driver : NULL);
}

/* What a secret contains nobody can read: one that docker made is taken to be the file's, and marked with its hash. */
static bool same_secret(const json_t *spec, const char *hash)
{
	const char *live = json_str(json_object_get(spec, "Labels"), CONTENT_LABEL);

	return !live || str_eq(live, hash);
}

json_t *content_stack_name(const struct content_kind *k, struct decode *d, struct resource *r, const char *base,
			   const struct content_seen *seen)
{
	_cleanup_free_ char *hash = xasprintf("%.*s", CONTENT_HASH_LEN, seen->hex);
	_cleanup_free_ char *hashed = xasprintf("%.*s-%s", NAME_MAX_LEN - CONTENT_HASH_LEN - 1, base, hash);
	const char *why;
	const json_t *list = swarm_list(d->snap, k->doc, &why), *live = find(list, base),
		     *spec = json_object_get(live, "Spec");
	bool plain = !find(list, hashed);

	if (live)
		plain = same_driver(spec, seen->driver) &&
			(k->readable ? same_data(spec, seen->content) : same_secret(spec, hash));
	if (!plain)
		return json_string(hashed);
	if (!k->readable) {
		json_set_str(r->body, "content", hash);
		if (live && !labels_owned(json_object_get(spec, "Labels"), spec_cluster(d->spec)))
			resource_note(d->out, r,
				      "what it contains cannot be read: it is taken to be what the stack's file says");
	}
	return json_string(base);
}

void content_stack_observe(const struct observe *o, const struct resource *want, struct resource *live,
			   const json_t *labels)
{
	const char *hash = json_str(labels, CONTENT_LABEL);

	if (json_object_get(want->body, "content") && !hash && !labels_owned(labels, o->cluster))
		hash = json_str(want->body, "content"); /* written when it is adopted */
	json_set_str(live->body, "content", hash);
}
