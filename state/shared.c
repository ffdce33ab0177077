#include "state/shared.h"

#include <inttypes.h>
#include <string.h>

#define SECTION_PREFIX SHARED_LABEL "."
#define NAME_FORMAT "reconcile-%s-state"
#define NAME_MAX_LEN 64 /* swarmkit, manager/controlapi/config.go: names of configs */

/* FNV-1a: tells long names apart; the label says whose the object is. */
static uint64_t hash(const char *s)
{
	uint64_t h = UINT64_C(0xcbf29ce484222325);

	for (; *s; s++)
		h = (h ^ (unsigned char)*s) * UINT64_C(0x100000001b3);
	return h;
}

char *shared_name(const char *cluster)
{
	const int room = NAME_MAX_LEN - (int)strlen("reconcile--state");

	if ((int)strlen(cluster) <= room)
		return xasprintf(NAME_FORMAT, cluster);
	_cleanup_free_ char *shorter = xasprintf("%.*s-%016" PRIx64, room - 17, cluster, hash(cluster));
	return xasprintf(NAME_FORMAT, shorter);
}

static int refuse(struct err *err, const char *cluster, const char *label, const char *why)
{
	_cleanup_free_ char *name = shared_name(cluster);
	return err_set(
		err, ERR_PROTOCOL,
		"the shared state of cluster '%s' cannot be read: label %s of config '%s' %s; nothing is changed, "
		"because it may say that the cluster is suspended. If nobody can mend it: no run at work, then "
		"docker config rm %s, and suspend again what has to be",
		cluster, label, name, why, name);
}

static int check_owner(const json_t *labels, const char *cluster, struct err *err)
{
	const char *owner = json_str(labels, SHARED_LABEL);

	if (json_object_size(labels) == 0 || str_eq(owner, cluster))
		return 0;
	_cleanup_free_ char *why = owner ? xasprintf("names cluster '%s'", owner) : xstrdup("is missing");
	return refuse(err, cluster, SHARED_LABEL, why);
}

/* Sections of later versions, too: they survive our writes. */
int shared_from_labels(const json_t *labels, const char *cluster, json_t **out, struct err *err)
{
	_cleanup_json_ json_t *sections = json_object();
	const char *label;
	json_t *value;

	if (check_owner(labels, cluster, err) < 0)
		return -1;
	json_object_foreach ((json_t *)labels, label, value) {
		const char *text = json_string_value(value);
		json_t *section = NULL;
		struct err why = {0};
		if (!str_starts(label, SECTION_PREFIX))
			continue;
		if (!text || json_parse(text, strlen(text), &section, &why) < 0 || !json_is_object(section)) {
			json_decref(section);
			return refuse(err, cluster, label, "is not a JSON object");
		}
		if (json_object_size(section) > 0)
			json_set(sections, label + strlen(SECTION_PREFIX), section);
		else
			json_decref(section);
	}
	*out = json_incref(sections);
	return 0;
}

json_t *shared_to_labels(const json_t *before, const char *cluster, const json_t *sections)
{
	json_t *labels = json_object(), *value;
	const char *key;

	json_object_foreach ((json_t *)before, key, value)
		if (!str_starts(key, SECTION_PREFIX))
			json_set(labels, key, json_incref(value));
	json_set_str(labels, SHARED_LABEL, cluster);
	json_object_foreach ((json_t *)sections, key, value) {
		_cleanup_free_ char *label = xasprintf(SECTION_PREFIX "%s", key);
		_cleanup_str_ struct str text = {0};
		if (json_object_size(value) == 0)
			continue;
		json_canonical(value, &text);
		json_set_str(labels, label, str_cstr(&text));
	}
	return labels;
}
